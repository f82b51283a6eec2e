#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/room_internal.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/archive.h"
#include "store/blob.h"

#define CACHE_NAME "localhost/slipway-cache:latest"
#define MEMORY_MAX ((size_t)256 << 20)

/* ---- what is written ---- */

struct out {
    struct sw_build *b;
    const struct sw_build_cache *to;
    struct sw_arena arena;
    SW_VEC(struct sw_cache_step) steps;
    SW_VEC(struct sw_cache_plan) plans;
    SW_VEC(struct sw_blayer) layers; /* each blob once */
    struct sw_map seen;              /* digests of them */
    struct sw_manifest m;
    struct sw_descriptor target; /* of m */
};

static void out_done(struct out *o) {
    sw_vec_done(&o->steps);
    sw_vec_done(&o->plans);
    sw_vec_done(&o->layers);
    sw_map_done(&o->seen);
    sw_arena_done(&o->arena);
}
#define OUT SW_CLEANUP(out_done)

static void add_layer(struct out *o, const struct sw_blayer *layer) {
    struct sw_digest *kept = SW_NEW(&o->arena, struct sw_digest);
    *kept = layer->blob;
    if (sw_map_has(&o->seen, sw_digest_key(kept))) return;
    sw_map_put(&o->seen, sw_digest_key(kept), kept);
    sw_vec_add(&o->layers, *layer);
}

/* As it came, where it came from elsewhere and nobody has asked for its bytes. */
static bool pass_on(struct out *o, const struct sw_used_step *used, const struct sw_blayer *layer) {
    const struct sw_cache_step *known = sw_cache_find_step(o->b, &used->key);
    if (!layer->origin || !known) return false;
    struct sw_cache_step step = *known;
    step.layer = SW_CACHE_LAYER_NONE;
    sw_vec_add(&o->steps, step);
    add_layer(o, layer);
    return true;
}

static enum sw_code add_step(void *ctx, const struct sw_used_step *used, struct sw_error *err) {
    struct out *o = ctx;
    struct sw_build *b = o->b;
    struct sw_blayer layer;
    bool empty;
    if (!o->to->max && !used->exported) return SW_OK;
    enum sw_code code = sw_layer_recall(b, &used->key, used->is_run, &layer, &empty, err);
    if (code == SW_NOT_FOUND) { /* it is the cache's to forget */
        sw_error_clear(err);
        return SW_OK;
    }
    if (code) return code;
    struct sw_cache_step step = {.key = used->key, .empty = empty, .layer = SW_CACHE_LAYER_NONE};
    if (!empty && pass_on(o, used, &layer)) return SW_OK;
    if (!empty) {
        code = sw_layer_need_blob(b, &layer, err);
        if (code) return code;
        step.diff_id = layer.diff_id;
        step.blob = layer.blob;
        step.size = layer.size;
        step.epoch_s = b->options->epoch_s;
        if (used->is_run) step.content = layer.content;
        snprintf(step.compressor, sizeof step.compressor, "%s", b->compressor.tag);
        add_layer(o, &layer);
    }
    sw_vec_add(&o->steps, step);
    return SW_OK;
}

static int by_inputs(const void *a, const void *b) {
    const struct sw_cache_plan *x = a, *y = b;
    return sw_digest_cmp(&x->inputs, &y->inputs);
}

/* In an order of their own: stages come to them as their threads are scheduled. */
static void add_plans(struct out *o) {
    struct sw_build *b = o->b;
    size_t n = 0;
    for (size_t i = 0; i < b->plans.len; i++)
        if (o->to->max || b->plans.ptr[i].exported) sw_vec_add(&o->plans, b->plans.ptr[i].plan);
    if (o->plans.len) qsort(o->plans.ptr, o->plans.len, sizeof *o->plans.ptr, by_inputs);
    for (size_t i = 0; i < o->plans.len; i++)
        if (!n || !sw_digest_eq(&o->plans.ptr[n - 1].inputs, &o->plans.ptr[i].inputs))
            o->plans.ptr[n++] = o->plans.ptr[i];
    o->plans.len = n;
}

static enum sw_code put(struct out *o, const char *type, struct sw_buf *bytes, const char *what,
                        struct sw_descriptor *ret, struct sw_error *err) {
    enum sw_code code = sw_buf_check(bytes, what, err);
    if (!code) code = sw_blob_put(o->b->tools->store, sw_buf_str(bytes), NULL, err);
    if (!code) *ret = sw_descriptor_of(type, sw_buf_str(bytes));
    return code;
}

static enum sw_code write_documents(struct out *o, struct sw_error *err) {
    struct sw_cache_document d = {o->steps.ptr, o->steps.len, o->plans.ptr, o->plans.len};
    const char *type = o->to->docker_format ? SW_MT_DOCKER_MANIFEST : SW_MT_OCI_MANIFEST;
    SW_BUF struct sw_buf config;
    SW_BUF struct sw_buf manifest;
    sw_buf_init(&config, SW_OCI_DOCUMENT_MAX);
    sw_buf_init(&manifest, SW_OCI_DOCUMENT_MAX);
    sw_cache_document_write(&config, &d);
    o->m.media_type = sw_str(type);
    if (!o->to->docker_format) o->m.artifact_type = SW_STR(SW_MT_CACHE);
    enum sw_code code =
        put(o, SW_MT_CACHE_CONFIG, &config, "the cache's records", &o->m.config, err);
    if (code) return code;
    for (size_t i = 0; i < o->layers.len; i++) {
        const struct sw_blayer *l = &o->layers.ptr[i];
        struct sw_descriptor layer = {.media_type =
                                          sw_layer_media_type(l->media_type, o->to->docker_format),
                                      .digest = l->blob,
                                      .size = (int64_t)l->size};
        sw_manifest_add_layer(&o->arena, &o->m, &layer);
    }
    sw_manifest_write(&manifest, &o->m);
    return put(o, type, &manifest, "the cache's manifest", &o->target, err);
}

/* ---- where to ---- */

/* Blobs of earlier caches would pile up. Only in a directory that holds nothing but our cache. */
static void sweep(struct out *o, int dir_fd) {
    const struct sw_descriptor *manifest = &o->target;
    struct sw_error ignored = {0};
    struct sw_index index;
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX);
    if (sw_read_file_at(dir_fd, "index.json", SW_OCI_DOCUMENT_MAX, &text, &ignored) ||
        sw_index_parse(&o->arena, sw_buf_str(&text), SW_STR(""), &index, &ignored) ||
        index.n_manifests != 1 || !sw_digest_eq(&index.manifests[0].digest, &manifest->digest))
        return;
    int fd = openat(dir_fd, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        struct sw_digest d;
        char name[SW_DIGEST_TEXT_MAX];
        if (strlen(e->d_name) != 64) continue;
        snprintf(name, sizeof name, "sha256:%.64s", e->d_name);
        if (sw_digest_parse(sw_str(name), &d, &ignored)) continue;
        if (sw_map_has(&o->seen, sw_digest_key(&d)) || sw_digest_eq(&d, &manifest->digest) ||
            sw_digest_eq(&d, &o->m.config.digest))
            continue;
        unlinkat(fd, e->d_name, 0);
    }
    closedir(dir);
}

static enum sw_code write_layout(struct out *o, struct sw_error *err) {
    struct sw_store *store = o->b->tools->store;
    SW_FD int dir = -1;
    struct sw_save_image image = {.target = o->target};
    const char *path = sw_arena_cstr(&o->arena, o->to->place);
    image.target.artifact_type = SW_STR(SW_MT_CACHE);
    sw_strs_add(&o->arena, &image.names, SW_STR(CACHE_NAME));
    enum sw_code code = sw_layers_fetch(o->b, o->layers.ptr, o->layers.len, err);
    if (!code) code = sw_mkdirs_at(AT_FDCWD, path, 0755, err);
    if (!code) code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_archive_export(store, dir, &image, 1, err);
    if (!code) sweep(o, dir);
    return code;
}

/* What the registry has of layers that were never fetched here need not come by here now. */
static enum sw_code write_registry(struct out *o, unsigned step, struct sw_error *err) {
    struct sw_build *b = o->b;
    const struct sw_build_registry *r = b->options->registry;
    enum sw_code code = SW_OK;
    if (!r) return sw_fail(err, SW_UNSUPPORTED, "there is no way to a registry");
    for (size_t i = 0; i < o->layers.len && !code; i++) {
        struct sw_blayer *l = &o->layers.ptr[i];
        bool there = false;
        if (!l->origin) continue;
        code = r->has_blob(r->ctx, o->to->place, &l->blob, &there, err);
        if (!code && !there) code = sw_layers_fetch(b, l, 1, err);
    }
    if (code) return code;
    return r->push(r->ctx, b->tools->store, &o->target, o->to->place, b->tools->progress, step,
                   err);
}

static enum sw_code write_to(struct sw_build *b, const struct sw_build_cache *to,
                             struct sw_error *err) {
    struct sw_progress *p = b->tools->progress;
    OUT struct out o = {.b = b, .to = to};
    sw_arena_init(&o.arena, MEMORY_MAX);
    unsigned step = sw_progress_step(
        p, sw_arena_printf(&o.arena, "writing the cache to %.*s", SW_ARG(to->place)));
    sw_progress_start(p, step);
    enum sw_code code = sw_used_steps(b, add_step, &o, err);
    add_plans(&o);
    if (!code) code = write_documents(&o, err);
    if (!code)
        code = to->type == SW_BUILD_CACHE_REGISTRY ? write_registry(&o, step, err)
                                                   : write_layout(&o, err);
    if (!code) {
        sw_progress_done(p, step);
        return SW_OK;
    }
    sw_context(err, "--cache-to %.*s", SW_ARG(to->place));
    sw_progress_fail(p, step, err);
    if (!to->ignore_error || code == SW_CANCELLED) return code;
    sw_progress_warn(p, "%s", err->text);
    sw_error_clear(err);
    return SW_OK;
}

enum sw_code sw_cache_store_out(struct sw_build *b, struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    enum sw_code code = SW_OK;
    if (!o->n_cache_to || !sw_used_all(b, err)) return SW_OK;
    for (size_t i = 0; i < o->n_cache_to && !code; i++)
        if (o->cache_to[i].type != SW_BUILD_CACHE_INLINE) code = write_to(b, &o->cache_to[i], err);
    return code;
}

/* ---- inline ---- */

struct inlined {
    struct sw_build *b;
    struct sw_stage *s;
    SW_VEC(struct sw_cache_step) steps;
};

/* A step of the result: its layer is one of the image's, or it has none. */
static enum sw_code inline_step(void *ctx, const struct sw_used_step *used, struct sw_error *err) {
    struct inlined *in = ctx;
    struct sw_cache_step step = {.key = used->key, .layer = SW_CACHE_LAYER_NONE};
    struct sw_blayer layer;
    if (!used->exported) return SW_OK;
    for (size_t i = 0; i < in->s->layers.len; i++) {
        const struct sw_blayer *l = &in->s->layers.ptr[i];
        if (!l->has_key || memcmp(l->key, used->key.bytes, sizeof l->key) != 0) continue;
        step.layer = i;
        step.epoch_s = in->b->options->epoch_s;
        snprintf(step.compressor, sizeof step.compressor, "%s", in->b->compressor.tag);
        break;
    }
    /* Without a layer of its own it is of use where it changed nothing; squashed, it is of none. */
    if (step.layer == SW_CACHE_LAYER_NONE) {
        enum sw_code code =
            sw_layer_recall(in->b, &used->key, used->is_run, &layer, &step.empty, err);
        if (code == SW_NOT_FOUND) sw_error_clear(err);
        if (code || !step.empty) return code == SW_NOT_FOUND ? SW_OK : code;
    }
    sw_vec_add(&in->steps, step);
    return SW_OK;
}

enum sw_code sw_cache_inline(struct sw_build *b, struct sw_stage *s, struct sw_arena *arena,
                             struct sw_str *ret, struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    struct inlined in = {.b = b, .s = s};
    SW_BUF struct sw_buf text;
    bool wanted = false;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX / 2); /* of the manifest that it goes into */
    *ret = SW_STR("");
    for (size_t i = 0; i < o->n_cache_to; i++)
        wanted |= o->cache_to[i].type == SW_BUILD_CACHE_INLINE;
    if (!wanted) return SW_OK;
    if (o->docker_format)
        return sw_fail(err, SW_UNSUPPORTED,
                       "--cache-to type=inline: a manifest of Docker's format has no place for it");
    enum sw_code code = sw_explain_keys(b->explain, inline_step, &in, err);
    struct sw_cache_document d = {.steps = in.steps.ptr, .n_steps = in.steps.len};
    sw_cache_document_write(&text, &d);
    sw_vec_done(&in.steps);
    if (!code) code = sw_buf_check(&text, "the cache's records", err);
    if (!code) *ret = sw_arena_str(arena, sw_buf_str(&text));
    return code ? sw_context(err, "--cache-to type=inline") : SW_OK;
}
