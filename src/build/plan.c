/* From a parsed Dockerfile to the stages that a target needs. */
#include "build/room_internal.h"

struct sw_str sw_named_context(const struct sw_build *b, struct sw_str name) {
    for (size_t i = 0; i < b->options->n_contexts; i++)
        if (sw_str_ieq(b->options->contexts[i].name, name)) return b->options->contexts[i].value;
    return (struct sw_str){0};
}

bool sw_build_arg(const struct sw_build *b, struct sw_str name, struct sw_str *ret) {
    /* The last of several wins, as with every option. */
    for (size_t i = b->options->args.len; i-- > 0;) {
        if (!sw_str_eq(b->options->args.ptr[i].name, name)) continue;
        *ret = b->options->args.ptr[i].value;
        return true;
    }
    return false;
}

static bool override(void *context, struct sw_str name, struct sw_str *ret) {
    return sw_build_arg(context, name, ret);
}

static struct sw_df_platform df_platform(const struct sw_platform *p) {
    return (struct sw_df_platform){p->os, p->os_version, p->architecture, p->variant};
}

/* The ARGs before the first FROM, each seeing those above it, and the automatic ones. */
static enum sw_code set_globals(struct sw_build *b, struct sw_error *err) {
    struct sw_df_platform host = df_platform(&b->options->host);
    struct sw_df_platform target = df_platform(&b->options->platform);
    b->globals = (struct sw_df_vars){.arena = b->arena};
    sw_df_args_automatic(&b->globals, &host, &target,
                         sw_df_target_name(b->file, b->options->target),
                         (struct sw_df_env){override, b});
    struct sw_df_lex lex = {.env = sw_df_vars_env(&b->globals), .escape = b->file->escape};
    for (size_t i = 0; i < b->file->n_globals; i++) {
        const struct sw_df_instruction *in = &b->file->instructions[i];
        for (size_t k = 0; k < in->pairs.n; k++) {
            const struct sw_df_pair *pair = &in->pairs.items[k];
            struct sw_str value;
            if (sw_build_arg(b, pair->name, &value)) {
                sw_df_vars_set(&b->globals, pair->name, value);
            } else if (pair->value.ptr) {
                enum sw_code code = sw_df_expand_word(b->arena, &lex, pair->value, &value, err);
                if (code)
                    return sw_context(err, "%s:%u", b->options->dockerfile_name, in->span.line);
                sw_df_vars_set(&b->globals, pair->name, value);
            }
        }
    }
    return SW_OK;
}

static enum sw_code plan_base(struct sw_build *b, struct sw_stage *s, struct sw_error *err) {
    const struct sw_df_from *from = &s->df->from->from;
    struct sw_df_lex lex = {.env = sw_df_vars_env(&b->globals), .escape = b->file->escape};
    struct sw_str base, platform = {0};
    enum sw_code code = sw_df_expand_word(b->arena, &lex, from->base, &base, err);
    if (!code && from->platform.ptr)
        code = sw_df_expand_word(b->arena, &lex, from->platform, &platform, err);
    if (code) return code;
    if (base.len == 0)
        return sw_fail(err, SW_SYNTAX,
                       "the base name \"%.*s\" is empty once its variables are known; give the ARG "
                       "a default, or pass --build-arg",
                       SW_ARG(from->base));
    if (s->index == 0 && b->options->tweaks.from.len) base = b->options->tweaks.from;
    if (from->platform.ptr && !platform.len)
        return sw_fail(err, SW_SYNTAX, "--platform=%.*s is empty once its variables are known",
                       SW_ARG(from->platform));
    s->base_name = base;
    s->platform = b->options->platform;
    if (platform.len) {
        code = sw_platform_parse(b->arena, platform, &b->options->host, &s->platform, err);
        if (code) return code;
    }
    const struct sw_df_stage *earlier = sw_df_stage_of_base(b->file, base, s->index);
    struct sw_str context = sw_named_context(b, base);
    if (context.ptr) {
        s->base = SW_BASE_CONTEXT;
        s->context_name = base;
        s->base_name = context;
        struct sw_str prefix = SW_STR("target:");
        if (sw_str_starts(context, prefix)) {
            const struct sw_df_stage *other =
                sw_df_stage_find(b->file, sw_str_from(context, prefix.len), s->index);
            if (!other)
                return sw_fail(err, SW_NOT_FOUND,
                               "the context %.*s means the stage %.*s, which is "
                               "not above this one",
                               SW_ARG(base), SW_ARG(context));
            s->base = SW_BASE_STAGE;
            s->base_stage = &b->stages[other->index];
            if (!platform.len) s->platform = s->base_stage->platform;
        }
    } else if (earlier) {
        s->base = SW_BASE_STAGE;
        s->base_stage = &b->stages[earlier->index];
        if (!platform.len) s->platform = s->base_stage->platform;
    } else if (sw_str_is(base, "scratch")) {
        s->base = SW_BASE_SCRATCH;
    } else {
        s->base = SW_BASE_IMAGE;
    }
    return SW_OK;
}

/* ---- what is needed ---- */

static enum sw_code need(struct sw_build *b, struct sw_stage *s, struct sw_error *err);

/* Marks what a --from needs. */
static enum sw_code need_from(struct sw_build *b, struct sw_stage *s, struct sw_str from,
                              struct sw_error *err) {
    struct sw_str context = sw_named_context(b, from), prefix = SW_STR("target:");
    if (context.ptr) {
        if (!sw_str_starts(context, prefix)) return SW_OK;
        from = sw_str_from(context, prefix.len);
    }
    enum sw_code code = sw_df_from_check(b->file, from, s->index, err);
    if (code) return code;
    const struct sw_df_stage *other = sw_df_stage_find(b->file, from, s->index);
    return other ? need(b, &b->stages[other->index], err) : SW_OK;
}

static enum sw_code need_by(struct sw_build *b, struct sw_stage *s,
                            const struct sw_df_instruction *in, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (in->kind == SW_DF_COPY && in->copy.from.ptr) code = need_from(b, s, in->copy.from, err);
    for (size_t k = 0; !code && in->kind == SW_DF_RUN && k < in->run.n_mounts; k++)
        if (in->run.mounts[k].from.ptr) code = need_from(b, s, in->run.mounts[k].from, err);
    return code;
}

static enum sw_code need(struct sw_build *b, struct sw_stage *s, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (s->needed) return SW_OK;
    s->needed = true;
    if (s->base_stage) code = need(b, s->base_stage, err);
    for (size_t i = 0; i < s->df->n_body && !code; i++) {
        const struct sw_df_instruction *in = &s->df->body[i];
        code = need_by(b, s, in, err);
        if (code) return sw_stage_at_line(s, in, err);
    }
    return code;
}

enum sw_code sw_plan_trigger(struct sw_stage *s, const struct sw_df_instruction *in,
                             struct sw_error *err) {
    struct sw_build *b = s->build;
    pthread_mutex_lock(&b->lock);
    enum sw_code code = need_by(b, s, in, err);
    if (!code && b->failed) code = sw_fail(err, SW_CANCELLED, "another stage failed");
    for (size_t i = 0; i < b->n_stages && !code; i++)
        if (b->stages[i].needed && !b->stages[i].started) code = sw_stage_start(&b->stages[i], err);
    pthread_mutex_unlock(&b->lock);
    return code;
}

/* Instructions that show up as steps. */
static bool is_step(const struct sw_df_instruction *in) {
    return in->kind == SW_DF_RUN || in->kind == SW_DF_COPY || in->kind == SW_DF_ADD ||
           in->kind == SW_DF_WORKDIR;
}

static enum sw_code find_target(struct sw_build *b, struct sw_error *err) {
    struct sw_str want = b->options->target;
    if (want.len == 0) {
        b->target = &b->stages[b->n_stages - 1];
        return SW_OK;
    }
    const struct sw_df_stage *df = sw_df_stage_find(b->file, want, b->n_stages);
    if (df) {
        b->target = &b->stages[df->index];
        return SW_OK;
    }
    const char **names = sw_arena_array(b->arena, b->n_stages + 1, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < b->n_stages; i++)
        if (b->stages[i].df->name.ptr) names[n++] = sw_arena_cstr(b->arena, b->stages[i].df->name);
    const char *near = sw_str_nearest(want, names, n);
    sw_fail(err, SW_USAGE, "there is no stage \"%.*s\" in %s", SW_ARG(want),
            b->options->dockerfile_name);
    return near ? sw_advise(err, "; did you mean \"%s\"?", near) : err->code;
}

enum sw_code sw_plan(struct sw_build *b, struct sw_error *err) {
    enum sw_code code = set_globals(b, err);
    if (code) return code;
    b->n_stages = b->file->n_stages;
    b->stages = sw_arena_array(b->arena, b->n_stages, sizeof *b->stages);
    for (size_t i = 0; i < b->n_stages; i++) {
        struct sw_stage *s = &b->stages[i];
        s->build = b;
        s->df = &b->file->stages[i];
        s->index = i;
        code = plan_base(b, s, err);
        if (code) return sw_stage_at_line(s, s->df->from, err);
    }
    code = find_target(b, err);
    if (code) return code;
    code = need(b, b->target, err);
    if (code) return code;
    for (struct sw_stage *s = b->target; s; s = s->base_stage) s->exported = true;
    size_t n_needed = 0;
    for (size_t i = 0; i < b->n_stages; i++) n_needed += b->stages[i].needed;
    for (size_t i = 0; i < b->n_stages; i++) {
        struct sw_stage *s = &b->stages[i];
        s->n_steps = 1;
        for (size_t k = 0; k < s->df->n_body; k++) s->n_steps += is_step(&s->df->body[k]);
        if (s->df->name.ptr) {
            s->label = s->df->name;
        } else if (n_needed > 1) {
            s->label = sw_arena_printf(b->arena, "stage-%zu", i);
        } else {
            s->label = SW_STR("");
        }
        for (size_t k = 0; k < b->options->no_cache_filter.len; k++)
            if (sw_str_ieq(b->options->no_cache_filter.ptr[k], s->label)) s->no_cache = true;
        if (b->options->no_cache) s->no_cache = true;
    }
    return SW_OK;
}
