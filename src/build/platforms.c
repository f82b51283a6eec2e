#include "build/platforms.h"

#include <pthread.h>
#include <string.h>

#include "build/room_internal.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/tags.h"

/* ---- what this run has made ---- */

struct sw_build_made {
    pthread_mutex_t lock;
    SW_VEC(struct sw_digest) keys;
    unsigned n_left; /* builds that follow this one */
    SW_VEC(struct sw_used_step) steps;
    SW_VEC(struct sw_planned) plans;
};

bool sw_may_recall(struct sw_stage *s, const struct sw_digest *key) {
    struct sw_build_made *made = s->build->options->made;
    bool found = !s->no_cache;
    if (found || !made) return found;
    pthread_mutex_lock(&made->lock);
    for (size_t i = 0; i < made->keys.len && !found; i++)
        found = sw_digest_eq(&made->keys.ptr[i], key);
    pthread_mutex_unlock(&made->lock);
    return found;
}

void sw_made(struct sw_stage *s, const struct sw_digest *key) {
    struct sw_build_made *made = s->build->options->made;
    if (!made) return;
    pthread_mutex_lock(&made->lock);
    sw_vec_add(&made->keys, *key);
    pthread_mutex_unlock(&made->lock);
}

/* ---- what goes to --cache-to ---- */

static enum sw_code gather_step(void *ctx, const struct sw_used_step *step, struct sw_error *err) {
    struct sw_build_made *made = ctx;
    (void)err;
    sw_vec_add(&made->steps, *step);
    return SW_OK;
}

enum sw_code sw_used_steps(struct sw_build *b, sw_used_step_fn *each, void *ctx,
                           struct sw_error *err) {
    struct sw_build_made *made = b->options->made;
    if (!made) return sw_explain_keys(b->explain, each, ctx, err);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < made->steps.len && !code; i++)
        code = each(ctx, &made->steps.ptr[i], err);
    return code;
}

bool sw_used_all(struct sw_build *b, struct sw_error *err) {
    struct sw_build_made *made = b->options->made;
    if (!made) return true;
    if (sw_explain_keys(b->explain, gather_step, made, err)) return false;
    for (size_t i = 0; i < b->plans.len; i++) sw_vec_add(&made->plans, b->plans.ptr[i]);
    if (made->n_left) return false;
    b->plans.len = 0;
    for (size_t i = 0; i < made->plans.len; i++) sw_vec_add(&b->plans, made->plans.ptr[i]);
    return true;
}

/* ---- the index ---- */

enum sw_code sw_write_index(const struct sw_build_tools *tools, const struct sw_build_options *o,
                            const struct sw_build_result *results, size_t n, struct sw_arena *arena,
                            struct sw_descriptor *ret, struct sw_error *err) {
    const char *type = o->docker_format ? SW_MT_DOCKER_LIST : SW_MT_OCI_INDEX;
    struct sw_index index = {.media_type = sw_str(type)};
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    for (size_t i = 0; i < n; i++) {
        struct sw_descriptor d = results[i].manifest;
        if (o->docker_format) d.annotations = (struct sw_pairs){0};
        sw_index_add(arena, &index, &d);
    }
    for (size_t i = 0; i < n; i++)
        if (sw_digest_is_set(&results[i].attestation.digest))
            sw_index_add(arena, &index, &results[i].attestation);
    if (!o->docker_format)
        index.annotations = sw_annotations_for(arena, &o->annotations, SW_ANNOTATE_INDEX, NULL);
    sw_index_write(&bytes, &index);
    enum sw_code code = sw_buf_check(&bytes, "an image index", err);
    if (!code) code = sw_blob_put(tools->store, sw_buf_str(&bytes), NULL, err);
    if (code) return code;
    *ret = sw_descriptor_of(type, sw_buf_str(&bytes));
    ret->annotations =
        sw_annotations_for(arena, &o->annotations, SW_ANNOTATE_INDEX_DESCRIPTOR, NULL);
    return o->tags.len ? sw_tags_set_all(tools->store, &o->tags, ret, err)
                       : sw_tags_set(tools->store, SW_STR(""), ret, err);
}

enum sw_code sw_build_platforms(const struct sw_build_tools *tools,
                                const struct sw_build_options *options,
                                const struct sw_platform *platforms, size_t n,
                                struct sw_arena *arena, struct sw_build_result *results,
                                struct sw_descriptor *ret_index, struct sw_error *err) {
    struct sw_build_made made = {0};
    enum sw_code code = SW_OK;
    pthread_mutex_init(&made.lock, NULL);
    for (size_t i = 0; i < n && !code; i++) {
        struct sw_build_options one = *options;
        one.platform = platforms[i];
        one.unnamed = true;
        one.made = &made;
        made.n_left = (unsigned)(n - i - 1);
        code = sw_build_run(tools, &one, arena, &results[i], err);
        if (code && code != SW_CANCELLED)
            sw_context(err, "%.*s", SW_ARG(sw_platform_format(arena, &platforms[i])));
    }
    if (!code && !options->skip_layers)
        code = sw_write_index(tools, options, results, n, arena, ret_index, err);
    sw_vec_done(&made.keys);
    sw_vec_done(&made.steps);
    sw_vec_done(&made.plans);
    pthread_mutex_destroy(&made.lock);
    return code;
}
