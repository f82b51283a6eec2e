#include "cmd/build_registry.h"

/* Documents and what is said of blobs; more than any image has. */
#define MEMORY_MAX ((size_t)256 << 20)

static enum sw_code place_of(void *ctx, struct sw_arena *a, struct sw_str reference,
                             struct sw_place *ret, struct sw_error *err) {
    *ret = (struct sw_place){.kind = SW_PLACE_REGISTRY};
    enum sw_code code = remote_lazy_session(ctx, &ret->remote, err);
    if (!code) code = sw_reference_parse(a, reference, &ret->ref, err);
    if (!code) sw_reference_default_tag(&ret->ref);
    return code;
}

static enum sw_code documents(void *ctx, struct sw_store *store, struct sw_arena *arena,
                              struct sw_str reference, const struct sw_platform *platform,
                              struct sw_descriptor *ret, struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_place from, to = {.kind = SW_PLACE_STORE, .store = store, .name = reference};
    struct sw_copy_options o = {.platform = platform, .documents = true};
    struct sw_copy_result result;
    sw_arena_init(&a, MEMORY_MAX);
    enum sw_code code = place_of(ctx, &a, reference, &from, err);
    if (!code) code = sw_copy_image(&a, &from, &to, &o, &result, err);
    if (code) return code;
    *ret = (struct sw_descriptor){.media_type = sw_arena_str(arena, result.target.media_type),
                                  .digest = result.target.digest,
                                  .size = result.target.size};
    return SW_OK;
}

static enum sw_code fetch(void *ctx, struct sw_store *store, struct sw_str reference,
                          const struct sw_descriptor *blobs, size_t n, struct sw_progress *progress,
                          unsigned step, struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_place from, to = {.kind = SW_PLACE_STORE, .store = store, .name = reference};
    struct sw_copy_options o = {.progress = progress, .step = step};
    sw_arena_init(&a, MEMORY_MAX);
    enum sw_code code = place_of(ctx, &a, reference, &from, err);
    return code ? code : sw_copy_blobs(&a, &from, &to, blobs, n, &o, NULL, err);
}

static enum sw_code has_blob(void *ctx, struct sw_str reference, const struct sw_digest *digest,
                             bool *ret, struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_place at;
    sw_arena_init(&a, MEMORY_MAX);
    enum sw_code code = place_of(ctx, &a, reference, &at, err);
    return code ? code
                : sw_remote_blob_exists(at.remote, sw_repository_of(&at.ref), digest, ret, err);
}

static enum sw_code push(void *ctx, struct sw_store *store, const struct sw_descriptor *manifest,
                         struct sw_str reference, struct sw_progress *progress, unsigned step,
                         struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_place to;
    struct sw_place from = {
        .kind = SW_PLACE_STORE, .store = store, .name = reference, .target = manifest};
    struct sw_copy_options o = {.progress = progress, .step = step};
    struct sw_copy_result result;
    sw_arena_init(&a, MEMORY_MAX);
    enum sw_code code = place_of(ctx, &a, reference, &to, err);
    return code ? code : sw_copy_image(&a, &from, &to, &o, &result, err);
}

struct sw_build_registry sw_build_registry_over(struct remote_lazy *session) {
    return (struct sw_build_registry){.ctx = session,
                                      .pull = remote_lazy_pull,
                                      .documents = documents,
                                      .fetch = fetch,
                                      .has_blob = has_blob,
                                      .push = push};
}
