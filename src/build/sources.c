/* What --from means: the context, an earlier stage, a named context, an image. */
#include <fcntl.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/input.h"
#include "build/room_internal.h"
#include "dockerfile/limits.h"

enum sw_code sw_build_context_source(struct sw_build *b, struct sw_source **ret,
                                     struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&b->lock);
    if (!b->context)
        code = sw_source_directory(b->tools->store, b->options->context, b->ignore,
                                   b->options->ignore_name, SW_STR("the build context"),
                                   &b->context, err);
    if (!code) *ret = b->context;
    pthread_mutex_unlock(&b->lock);
    return code;
}

bool sw_context_is_image(struct sw_str context) {
    return sw_str_starts(context, SW_STR("docker-image://")) ||
           sw_str_starts(context, SW_STR("oci-layout://"));
}

/* The ignore file of a named context is the one in its own root. */
static enum sw_code read_ignore(struct sw_build *b, const char *dir, struct sw_ignore **ret,
                                struct sw_error *err) {
    SW_BUF struct sw_buf text;
    SW_FD int fd = -1;
    sw_buf_init(&text, SW_DF_FILE_MAX);
    enum sw_code code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (!code) code = sw_read_file_at(fd, ".dockerignore", SW_DF_FILE_MAX, &text, err);
    *ret = NULL;
    if (code == SW_NOT_FOUND && fd >= 0) return SW_OK;
    if (code) return code;
    return sw_ignore_parse(b->arena, sw_arena_str(b->arena, sw_buf_str(&text)),
                           SW_STR(".dockerignore"), ret, err);
}

/* A directory of the host, a git repository, an archive behind a URL. Called with the lock. */
static enum sw_code open_directory(struct sw_build *b, struct sw_str context, struct sw_str label,
                                   unsigned step, struct sw_other_source *o, struct sw_error *err) {
    const char *path = sw_arena_cstr(b->arena, context);
    struct sw_ignore *ignore = NULL;
    if (sw_input_is_remote(context)) {
        struct sw_input_options options = {.store = b->tools->store,
                                           .progress = b->tools->progress,
                                           .step = step,
                                           .ssh_agent = sw_build_ssh_agent(b),
                                           .secrets = b->options->secrets,
                                           .n_secrets = b->options->n_secrets};
        struct sw_input remote;
        enum sw_code code = sw_input_open(&options, context, b->arena, &remote, err);
        if (code) return code;
        if (!remote.dir)
            return sw_fail(err, SW_USAGE, "%.*s is a single file and no context", SW_ARG(context));
        if (remote.temp.len) sw_vec_add(&b->temps, sw_strndup(remote.temp.ptr, remote.temp.len));
        sw_provenance_fetched(b, context, &remote.material);
        path = remote.dir;
    }
    enum sw_code code = read_ignore(b, path, &ignore, err);
    if (code) return code;
    return sw_source_directory(b->tools->store, path, ignore, ".dockerignore", label, &o->source,
                               err);
}

/* An image or a directory that a name stands for; made once for the build. Called with the lock. */
static enum sw_code other(struct sw_stage *s, struct sw_str name, unsigned step,
                          struct sw_other_source **ret, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_other_source *o = sw_map_get(&b->other_sources, name);
    if (o) {
        *ret = o;
        return SW_OK;
    }
    struct sw_str context = sw_named_context(b, name);
    o = SW_NEW(b->arena, struct sw_other_source);
    struct sw_str label =
        sw_arena_printf(b->arena, "%s %.*s", context.ptr ? "the context" : "image", SW_ARG(name));
    bool is_image = !context.ptr || sw_context_is_image(context);
    enum sw_code code;
    if (is_image) {
        struct sw_blayer *layers;
        size_t n;
        code = sw_base_load(b, b->arena, context.ptr ? context : name, &s->platform, step,
                            &o->config, &layers, &n, err);
        for (size_t i = 0; i < n && !code; i++) sw_vec_add(&o->layers, layers[i]);
        o->label = label;
    } else {
        code = open_directory(b, context, label, step, o, err);
        if (!sw_input_is_remote(context)) sw_provenance_local(b, name);
    }
    if (code) return sw_context(err, "context %.*s", SW_ARG(name));
    sw_map_put(&b->other_sources, sw_arena_str(b->arena, name), o);
    *ret = o;
    return SW_OK;
}

/* The files of an image: its layers unpacked. Called with the lock. */
static enum sw_code open_image(struct sw_build *b, struct sw_other_source *o,
                               struct sw_error *err) {
    if (o->source) return SW_OK;
    enum sw_code code = sw_layers_snapshots(b, o->layers.ptr, o->layers.len, err);
    return code ? code : sw_layers_view(b, o->layers.ptr, o->layers.len, o->label, &o->source, err);
}

/* The stage that a name means; NULL for anything else. */
static struct sw_stage *stage_of(struct sw_stage *s, struct sw_str from) {
    struct sw_build *b = s->build;
    const struct sw_df_stage *df = sw_df_stage_find(b->file, from, s->index);
    if (df) return &b->stages[df->index];
    struct sw_str context = sw_named_context(b, from), prefix = SW_STR("target:");
    if (!context.ptr || !sw_str_starts(context, prefix)) return NULL;
    df = sw_df_stage_find(b->file, sw_str_from(context, prefix.len), s->index);
    return df ? &b->stages[df->index] : NULL;
}

/* All layers of a finished stage as snapshots, and a view of them. */
static enum sw_code stage_source(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&b->index_lock);
    if (!s->source) {
        code = sw_layers_snapshots(b, s->layers.ptr, s->layers.len, err);
        if (!code) {
            struct sw_str name = sw_arena_printf(&s->arena, "stage %.*s", SW_ARG(s->label));
            /* With snapshots alone it takes no index, whose lock is held. */
            code = sw_layers_view(b, s->layers.ptr, s->layers.len, name, &s->source, err);
        }
    }
    pthread_mutex_unlock(&b->index_lock);
    return code;
}

static struct sw_stage *stage_meant(struct sw_stage *s, struct sw_str from) {
    struct sw_str context = sw_named_context(s->build, from);
    return context.ptr && !sw_str_starts(context, SW_STR("target:")) ? NULL : stage_of(s, from);
}

/* What is elsewhere, before the lock is taken that all stages need. The stage is finished; another
 * one may be fetching the same. */
static enum sw_code fetch_layers(struct sw_stage *s, struct sw_error *err) {
    struct sw_build *b = s->build;
    SW_FREE struct sw_blayer *copy = sw_calloc(s->layers.len + 1, sizeof *copy);
    pthread_mutex_lock(&b->index_lock);
    for (size_t i = 0; i < s->layers.len; i++) copy[i] = s->layers.ptr[i];
    pthread_mutex_unlock(&b->index_lock);
    return sw_layers_fetch(b, copy, s->layers.len, err);
}

enum sw_code sw_from_source(struct sw_stage *s, struct sw_str from, unsigned step,
                            struct sw_source **ret, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_stage *stage = stage_meant(s, from);
    if (stage) {
        enum sw_code code = sw_stage_wait(stage, err);
        if (!code) code = fetch_layers(stage, err);
        if (!code) code = stage_source(stage, err);
        if (!code) *ret = stage->source;
        return code;
    }
    struct sw_other_source *o = NULL;
    pthread_mutex_lock(&b->lock);
    enum sw_code code = other(s, from, step, &o, err);
    if (!code) code = open_image(b, o, err);
    pthread_mutex_unlock(&b->lock);
    if (code) return sw_context(err, "%.*s", SW_ARG(from));
    *ret = o->source;
    return SW_OK;
}

enum sw_code sw_from_layers(struct sw_stage *s, struct sw_str from, unsigned step,
                            struct sw_blayer **ret, size_t *ret_n, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_stage *stage = stage_meant(s, from);
    *ret = NULL;
    *ret_n = 0;
    if (stage) {
        enum sw_code code = sw_stage_wait(stage, err);
        if (code) return code;
        *ret = stage->layers.ptr;
        *ret_n = stage->layers.len;
        return SW_OK;
    }
    struct sw_other_source *o = NULL;
    pthread_mutex_lock(&b->lock);
    enum sw_code code = other(s, from, step, &o, err);
    if (!code) {
        *ret = o->layers.ptr;
        *ret_n = o->layers.len;
    }
    pthread_mutex_unlock(&b->lock);
    return code;
}
