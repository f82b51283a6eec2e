#include "build/build.h"

#include <stdlib.h>

#include "base/mem.h"
#include "build/room_internal.h"
#include "build/root_copy.h"
#include "net/http_client.h"
#include "store/tags.h"

/* A thread's stack: the deepest thing on it is a walk over nested directories. */
#define STAGE_STACK ((size_t)8 << 20)

static enum sw_code parse(struct sw_build *b, struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    enum sw_code code =
        sw_dockerfile_parse(b->arena, o->dockerfile, sw_str(o->dockerfile_name), &b->file, err);
    if (!code && o->ignore.ptr)
        code = sw_ignore_parse(b->arena, o->ignore, sw_str(o->ignore_name), &b->ignore, err);
    return code;
}

enum sw_code sw_stage_start(struct sw_stage *s, struct sw_error *err) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STAGE_STACK);
    int failed = pthread_create(&s->thread, &attr, sw_stage_main, s);
    pthread_attr_destroy(&attr);
    if (failed) return sw_fail_sys(err, failed, "start a thread for stage %.*s", SW_ARG(s->label));
    s->started = true;
    return SW_OK;
}

/* A trigger of a later stage may start an earlier one, so one pass is not always enough. */
static void join_stages(struct sw_build *b) {
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < b->n_stages; i++) {
            struct sw_stage *s = &b->stages[i];
            pthread_mutex_lock(&b->lock);
            bool join = s->started && !s->joined;
            pthread_mutex_unlock(&b->lock);
            if (!join) continue;
            pthread_join(s->thread, NULL);
            s->joined = again = true;
        }
    }
}

/* Runs every needed stage in a thread of its own and waits for all; the first failure that is not
 * only the echo of another one is the build's. */
static enum sw_code run_stages(struct sw_build *b, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_stages && !code; i++)
        if (b->stages[i].needed && !b->stages[i].started) code = sw_stage_start(&b->stages[i], err);
    if (code) {
        b->failed = true;
        /* Those that never started must not be waited for. */
        for (size_t i = 0; i < b->n_stages; i++)
            if (!b->stages[i].started) {
                b->stages[i].err = *err;
                b->stages[i].done = true;
            }
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    join_stages(b);
    const struct sw_error *first = NULL;
    for (size_t i = 0; i < b->n_stages && !code; i++) {
        const struct sw_error *e = &b->stages[i].err;
        if (!b->stages[i].started || !e->code) continue;
        if (!first || (first->code == SW_CANCELLED && e->code != SW_CANCELLED)) first = e;
    }
    if (first) {
        *err = *first;
        code = err->code;
    }
    return code;
}

static void drop(struct sw_build *b) {
    for (size_t i = 0; i < b->n_stages; i++) {
        struct sw_stage *s = &b->stages[i];
        if (!s->started) continue;
        sw_source_free(s->view);
        sw_source_free(s->source);
        sw_vec_done(&s->layers);
        sw_arena_done(&s->arena);
    }
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&b->other_sources, e));) {
        struct sw_other_source *o = e->value;
        sw_source_free(o->source);
        sw_vec_done(&o->layers);
    }
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&b->indexes, e));) {
        sw_layer_index_free(e->value);
        free((void *)(uintptr_t)e->key.ptr);
    }
    sw_map_done(&b->other_sources);
    sw_map_done(&b->indexes);
    sw_source_free(b->context);
    sw_explain_free(b->explain);
    sw_vec_done(&b->bases);
    sw_vec_done(&b->plans);
    sw_provenance_free(b->provenance);
    sw_source_free(b->blobs);
    sw_http_free(b->http);
    for (size_t i = 0; i < b->temps.len; i++) {
        sw_store_temp_remove(b->tools->store, b->temps.ptr[i]);
        free(b->temps.ptr[i]);
    }
    sw_vec_done(&b->temps);
    pthread_mutex_destroy(&b->lock);
    pthread_mutex_destroy(&b->index_lock);
    pthread_mutex_destroy(&b->base_lock);
    pthread_cond_destroy(&b->changed);
}

/* Names the result; with attestations that is an index over both. */
static enum sw_code name_image(struct sw_build *b, struct sw_build_result *ret,
                               struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    if (o->skip_layers || o->unnamed) return SW_OK;
    if (sw_digest_is_set(&ret->attestation.digest))
        return sw_write_index(b->tools, o, ret, 1, b->arena, &ret->target, err);
    return o->tags.len ? sw_tags_set_all(b->tools->store, &o->tags, &ret->target, err)
                       : sw_tags_set(b->tools->store, SW_STR(""), &ret->target, err);
}

static enum sw_code export_image(struct sw_build *b, struct sw_build_result *ret,
                                 struct sw_error *err) {
    struct sw_progress *p = b->tools->progress;
    unsigned step = sw_progress_step(p, SW_STR("exporting to image"));
    sw_progress_start(p, step);
    enum sw_code code = sw_squash(b->target, err);
    if (!code) code = sw_recode_layers(b->target, err);
    if (!code && sw_makes_image(b))
        code = sw_layers_fetch(b, b->target->layers.ptr, b->target->layers.len, err);
    if (!code) code = sw_image_finish(b, b->target, ret, err);
    if (!code) code = sw_attest_finish(b, ret, err);
    if (!code) code = name_image(b, ret, err);
    if (!code && !b->options->skip_layers) {
        char text[SW_DIGEST_TEXT_MAX];
        sw_progress_note(p, step, "manifest %s", sw_digest_format(&ret->target.digest, text).ptr);
        sw_progress_note(p, step, "image ID %s", sw_digest_format(&ret->config, text).ptr);
        for (size_t i = 0; i < b->options->tags.len && !b->options->unnamed; i++)
            sw_progress_note(p, step, "named %.*s", SW_ARG(b->options->tags.ptr[i]));
    }
    if (code) {
        sw_progress_fail(p, step, err);
    } else {
        sw_progress_done(p, step);
    }
    return code;
}

static enum sw_code run_once(const struct sw_build_tools *tools,
                             const struct sw_build_options *options,
                             struct sw_cache_sources *sources, struct sw_arena *arena,
                             struct sw_build_result *ret, struct sw_error *err) {
    struct sw_build b = {
        .tools = tools, .options = options, .arena = arena, .cache_sources = sources};
    *ret = (struct sw_build_result){0};
    pthread_mutex_init(&b.lock, NULL);
    pthread_mutex_init(&b.index_lock, NULL);
    pthread_mutex_init(&b.base_lock, NULL);
    pthread_cond_init(&b.changed, NULL);
    enum sw_code code =
        sw_compressor_init(&b.compressor, options->compression, options->compression_level, err);
    if (!code) code = sw_overlay_choose(tools->store, tools->userns, NULL, &b.form, err);
    ret->form = b.form;
    if (!code) code = parse(&b, err);
    if (!code) code = sw_plan(&b, err);
    if (!code) {
        b.provenance = sw_provenance_new(&b);
        b.explain = sw_explain_new(&b);
        code = run_stages(&b, err);
        /* A build that failed or was refused is not what the next one is compared with. */
        if (!code) sw_explain_save(b.explain);
        if (options->explain)
            sw_explain_reports(b.explain, arena, &ret->steps, &ret->n_step_reports);
    }
    if (!code) code = export_image(&b, ret, err);
    if (!code) sw_bases_finish(&b);
    if (!code) code = sw_cache_store_out(&b, err);
    ret->n_steps = b.n_keyed;
    ret->n_cached = b.n_cached;
    drop(&b);
    return code;
}

enum sw_code sw_build_run(const struct sw_build_tools *tools,
                          const struct sw_build_options *options, struct sw_arena *arena,
                          struct sw_build_result *ret, struct sw_error *err) {
    struct sw_cache_sources *sources = sw_cache_sources_open(tools, options);
    enum sw_code code;
    for (;;) {
        code = run_once(tools, options, sources, arena, ret, err);
        /* A step counted as a hit, and then its layer could not be had: there is no going back
         * within a stage. Each time at least one source is gone, so this ends. */
        if (!code || !sw_cache_sources_drop_broken(sources, tools, err)) break;
        sw_error_clear(err);
    }
    sw_cache_sources_free(sources);
    return code;
}
