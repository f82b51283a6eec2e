/* A stage: its base, its instructions in order, its state. */
#include <string.h>

#include "base/mem.h"
#include "base/proc.h"
#include "build/room_internal.h"

#define STAGE_MEMORY_MAX ((size_t)256 << 20)
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* ---- waiting ---- */

enum sw_code sw_stage_wait(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    pthread_mutex_lock(&b->lock);
    while (!s->done) pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
    if (!s->err.code) return SW_OK;
    /* The stage itself reports what is wrong; those that wait for it just end. */
    return sw_fail(err, SW_CANCELLED, "stage %.*s failed", SW_ARG(s->label));
}

/* ---- variables ---- */

/* Of ARG and ENV of one name the later one counts: ENV takes a name out of args, ARG puts it in. */
static bool lookup(void *context, struct sw_str name, struct sw_str *ret) {
    struct sw_stage *s = context;
    if (sw_df_vars_get(&s->args, name, ret)) return true;
    return sw_config_get_env(&s->config.config.env, name, ret);
}

struct sw_df_lex sw_stage_lex(struct sw_stage *s) {
    return (struct sw_df_lex){.env = {lookup, s}, .escape = s->build->file->escape};
}

/* ---- steps ---- */

unsigned sw_step_begin(struct sw_stage *s, struct sw_str text) {
    struct sw_progress *p = s->build->tools->progress;
    if (!p) return 0;
    struct sw_str name =
        s->label.len
            ? sw_arena_printf(&s->arena, "[%.*s %u/%u] %.*s", SW_ARG(s->label), ++s->step,
                              s->n_steps, SW_ARG(text))
            : sw_arena_printf(&s->arena, "[%u/%u] %.*s", ++s->step, s->n_steps, SW_ARG(text));
    return sw_progress_step(p, name);
}

void sw_step_end(struct sw_stage *s, unsigned step, bool cached, const struct sw_error *err) {
    struct sw_progress *p = s->build->tools->progress;
    if (err) {
        sw_progress_fail(p, step, err);
    } else if (cached) {
        sw_progress_cached(p, step);
    } else {
        sw_progress_done(p, step);
    }
}

enum sw_code sw_stage_add_history(struct sw_stage *s, struct sw_str created_by, bool empty_layer,
                                  struct sw_error *err) {
    struct sw_history h = {
        .created = {.set = true, .sec = s->build->options->epoch_s},
        .created_by = created_by,
        .comment = SW_STR("slipway"),
        .empty_layer = empty_layer,
    };
    /* Layers are told apart by position; their diff IDs are filled in when the image is made. */
    static const struct sw_digest pending = {0};
    sw_image_config_add_step(&s->arena, &s->config, &h, empty_layer ? NULL : &pending);
    return sw_arena_check(&s->arena, "a build stage", err);
}

enum sw_code sw_stage_view(struct sw_stage *s, struct sw_source **ret, struct sw_error *err) {
    if (!s->view) {
        enum sw_code code = sw_layers_view(s->build, s->layers.ptr, s->layers.len,
                                           SW_STR("the image so far"), &s->view, err);
        if (code) return code;
    }
    *ret = s->view;
    return SW_OK;
}

void sw_stage_drop_view(struct sw_stage *s) {
    sw_source_free(s->view);
    s->view = NULL;
}

/* ---- the base ---- */

static enum sw_code inherit(struct sw_stage *s, struct sw_error *err) {
    struct sw_stage *base = s->base_stage;
    enum sw_code code = sw_stage_wait(base, err);
    if (code) return code;
    s->config = sw_image_config_copy(&s->arena, &base->config);
    s->foreign = base->foreign;
    /* COPY --from may be giving the base's layers their snapshots at this moment. */
    pthread_mutex_lock(&s->build->index_lock);
    for (size_t i = 0; i < base->layers.len; i++) sw_vec_add(&s->layers, base->layers.ptr[i]);
    pthread_mutex_unlock(&s->build->index_lock);
    return SW_OK;
}

/* The stage that this one is built on has declared its ARGs for both; but FROM begins with the
 * environment of its configuration, which hides them. */
static void inherit_args(struct sw_stage *s) {
    const struct sw_stage *base = s->base_stage;
    struct sw_str hidden;
    s->arg_names = sw_strs_copy(&s->arena, &base->arg_names);
    for (size_t i = 0; i < base->args.n; i++) {
        const struct sw_df_pair *arg = &base->args.items[i];
        if (!sw_config_get_env(&s->config.config.env, arg->name, &hidden))
            sw_df_vars_set(&s->args, arg->name, arg->value);
    }
}

void sw_scratch_config(struct sw_arena *arena, const struct sw_platform *platform,
                       struct sw_image_config *ret) {
    *ret = (struct sw_image_config){.platform = *platform};
    sw_config_set_env(arena, &ret->config.env, SW_STR("PATH"), sw_str(default_path));
    ret->config.working_dir = SW_STR("/");
}

/* FROM a directory: its files are the root file system. */
static enum sw_code base_of_files(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    SW_COPY struct sw_copy copy;
    struct sw_copy_spec spec = {.verb = "FROM",
                                .paths = &(struct sw_str){"", 0},
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = b->options->epoch_s,
                                .pool = b->tools->pool};
    bool cached = false, empty = true;
    unsigned step = sw_step_begin(s, s->df->from->text);
    sw_progress_start(b->tools->progress, step);
    sw_copy_init(&copy);
    sw_scratch_config(&s->arena, &s->platform, &s->config);
    s->current = s->df->from;
    enum sw_code code = sw_from_source(s, s->context_name, step, &spec.source, err);
    if (!code) code = sw_copy_plan(&copy, &spec, err);
    if (!code) code = sw_step_layer(s, &copy, NULL, &cached, &empty, err);
    if (!code) code = sw_stage_add_history(s, s->df->from->text, empty, err);
    sw_step_end(s, step, cached, code ? err : NULL);
    return code;
}

/* What the command line says about what a base brings, and adds to it. */
static void tweak_base(struct sw_stage *s) {
    const struct sw_build_tweaks *t = &s->build->options->tweaks;
    struct sw_container_config *c = &s->config.config;
    if (s->base == SW_BASE_STAGE) return;
    if (t->drop_labels) c->labels = (struct sw_pairs){0};
    for (size_t i = 0; i < t->unset_labels.len; i++)
        sw_pairs_remove(&c->labels, t->unset_labels.ptr[i]);
    for (size_t i = 0; i < t->env.len; i++)
        sw_config_set_env(&s->arena, &c->env, t->env.ptr[i].name, t->env.ptr[i].value);
}

static enum sw_code load_base(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_str text = s->df->from->text;
    if (s->base == SW_BASE_SCRATCH) {
        s->step++;
        sw_scratch_config(&s->arena, &s->platform, &s->config);
        return SW_OK;
    }
    if (s->base == SW_BASE_STAGE) {
        s->step++;
        return inherit(s, err);
    }
    if (s->base == SW_BASE_CONTEXT && !sw_context_is_image(s->base_name))
        return base_of_files(s, err);
    unsigned step = sw_step_begin(s, text);
    sw_progress_start(b->tools->progress, step);
    struct sw_blayer *layers = NULL;
    size_t n = 0;
    enum sw_code code =
        sw_base_load(b, &s->arena, s->base_name, &s->platform, step, &s->config, &layers, &n, err);
    for (size_t i = 0; i < n && !code; i++) sw_vec_add(&s->layers, layers[i]);
    if (!code) s->foreign = !sw_platform_is_native(b, &s->config.platform);
    if (!code && !sw_image_config_history_fits(&s->config)) s->config.n_history = 0;
    sw_step_end(s, step, false, code ? err : NULL);
    return code;
}

/* ---- instructions ---- */

enum sw_code sw_stage_at_line(const struct sw_stage *s, const struct sw_df_instruction *in,
                              struct sw_error *err) {
    if (err->code == SW_CANCELLED) return err->code;
    /* What a Dockerfile says is no option of the command. */
    if (err->code == SW_USAGE) err->code = SW_SYNTAX;
    return sw_context(err, "%s:%u: %.*s", s->build->options->dockerfile_name, in->span.line,
                      SW_ARG(in->name));
}

static enum sw_code execute(struct sw_stage *s, const struct sw_df_instruction *in,
                            struct sw_error *err) {
    enum sw_code code = sw_cancel_check(err);
    if (code) return code;
    pthread_mutex_lock(&s->build->lock);
    bool failed = s->build->failed;
    pthread_mutex_unlock(&s->build->lock);
    if (failed) return sw_fail(err, SW_CANCELLED, "another stage failed");
    s->current = in;
    s->number++;
    s->explained = NULL;
    switch (in->kind) {
    case SW_DF_RUN:
        code = sw_step_run(s, in, err);
        break;
    case SW_DF_COPY:
    case SW_DF_ADD:
        code = sw_step_copy(s, in, err);
        break;
    case SW_DF_WORKDIR:
        code = sw_step_workdir(s, in, err);
        break;
    default:
        code = sw_step_meta(s, in, err);
    }
    return code ? sw_stage_at_line(s, in, err) : SW_OK;
}

/* ONBUILD instructions of the base come first, as if they followed FROM. */
static enum sw_code triggers(struct sw_stage *s, struct sw_error *err) {
    struct sw_strs list = s->config.config.on_build;
    s->config.config.on_build = (struct sw_strs){0};
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < list.len && !code; i++) {
        struct sw_df_instruction *in = SW_NEW(&s->arena, struct sw_df_instruction);
        code = sw_df_parse_trigger(&s->arena, list.ptr[i], s->build->file->name, &s->df->from->span,
                                   in, err);
        if (!code) code = sw_plan_trigger(s, in, err);
        if (!code) code = execute(s, in, err);
        if (code) sw_context(err, "ONBUILD trigger of %.*s", SW_ARG(s->base_name));
    }
    return code;
}

static enum sw_code run_all(struct sw_stage *s, struct sw_error *err) {
    enum sw_code code = load_base(s, err);
    if (code) return sw_stage_at_line(s, s->df->from, err);
    bool staged = s->base == SW_BASE_STAGE;
    s->n_base_layers = staged ? s->base_stage->n_base_layers : s->layers.len;
    s->n_base_history = staged ? s->base_stage->n_base_history : s->config.n_history;
    tweak_base(s);
    s->args = (struct sw_df_vars){.arena = &s->arena};
    if (s->base == SW_BASE_STAGE) inherit_args(s);
    s->shell = s->config.config.shell;
    if (!s->shell.len) {
        sw_strs_add(&s->arena, &s->shell, SW_STR("/bin/sh"));
        sw_strs_add(&s->arena, &s->shell, SW_STR("-c"));
    }
    code = triggers(s, err);
    for (size_t i = 0; i < s->df->n_body && !code; i++) code = execute(s, &s->df->body[i], err);
    if (code || !s->exported) return code;
    /* The image is made of blobs: those that are elsewhere are fetched, several at once, and those
     * that RUN left as snapshots are archived now. */
    if (sw_makes_image(s->build))
        code = sw_layers_fetch(s->build, s->layers.ptr, s->layers.len, err);
    for (size_t i = 0; i < s->layers.len && !code && sw_wants_blobs(s->build); i++)
        code = sw_layer_need_blob(s->build, &s->layers.ptr[i], err);
    return code;
}

void *sw_stage_main(void *argument) {
    struct sw_stage *s = argument;
    struct sw_build *b = s->build;
    struct sw_error err = {0};
    sw_arena_init(&s->arena, STAGE_MEMORY_MAX);
    enum sw_code code = run_all(s, &err);
    pthread_mutex_lock(&b->lock);
    if (code) {
        s->err = err;
        b->failed = true;
    }
    s->done = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}
