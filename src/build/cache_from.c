#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "build/room_internal.h"
#include "oci/image_layout.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/layer_stream.h"

/* All that --cache-from names together: some hundred thousand records. */
#define MEMORY_MAX ((size_t)512 << 20)

struct known_step {
    const struct sw_cache_step *step;
    struct sw_origin *origin;
};

struct sw_cache_sources {
    struct sw_arena arena;
    pthread_mutex_t lock; /* of broken, in origins */
    const struct sw_build_tools *tools;
    const struct sw_build_options *options;
    SW_VEC(struct sw_origin *) origins;
    struct sw_map steps; /* key -> struct known_step *; an earlier source is asked first */
    struct sw_map plans; /* inputs -> struct sw_cache_plan * */
};

/* ---- reading ---- */

/* A document, out of the store or out of a layout. */
static enum sw_code read_document(struct sw_cache_sources *c, const struct sw_origin *from,
                                  const struct sw_digest *digest, struct sw_str *ret,
                                  struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code;
    if (from->dir < 0) {
        code = sw_blob_read(c->tools->store, digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    } else {
        sw_layout_blob_path(digest, path);
        code = sw_read_file_at(from->dir, path, SW_OCI_DOCUMENT_MAX, &bytes, err);
        struct sw_digest got = sw_digest_of((enum sw_digest_alg)digest->alg, sw_buf_str(&bytes));
        if (!code && !sw_digest_eq(&got, digest))
            code = sw_fail(err, SW_CORRUPT, "%s is damaged", path);
    }
    if (!code) *ret = sw_arena_str(&c->arena, sw_buf_str(&bytes));
    return code;
}

static enum sw_code add(struct sw_cache_sources *c, struct sw_origin *from, struct sw_str text,
                        const struct sw_manifest *image, const struct sw_image_config *config,
                        struct sw_error *err) {
    struct sw_cache_document d;
    enum sw_code code = sw_cache_document_parse(&c->arena, text, &d, err);
    if (code) return code;
    for (size_t i = 0; i < d.n_steps; i++) {
        struct sw_cache_step *s = &d.steps[i];
        if (s->layer != SW_CACHE_LAYER_NONE) {
            if (!config || s->layer >= image->n_layers || s->layer >= config->n_diff_ids)
                return sw_fail(err, SW_SYNTAX, "a record names a layer that is not there");
            s->blob = image->layers[s->layer].digest;
            s->size = (uint64_t)image->layers[s->layer].size;
            s->diff_id = config->diff_ids[s->layer];
            if (s->blob.alg != SW_SHA256 || s->diff_id.alg != SW_SHA256) continue;
        }
        if (sw_map_has(&c->steps, sw_digest_key(&s->key))) continue;
        struct known_step *known = SW_NEW(&c->arena, struct known_step);
        *known = (struct known_step){s, from};
        sw_map_put(&c->steps, sw_digest_key(&s->key), known);
    }
    for (size_t i = 0; i < d.n_plans; i++)
        if (!sw_map_has(&c->plans, sw_digest_key(&d.plans[i].inputs)))
            sw_map_put(&c->plans, sw_digest_key(&d.plans[i].inputs), &d.plans[i]);
    return SW_OK;
}

/* A manifest of ours, or an image's with its records. */
static enum sw_code read_manifest(struct sw_cache_sources *c, struct sw_origin *from,
                                  const struct sw_descriptor *d, bool *ret_found,
                                  struct sw_error *err) {
    struct sw_str bytes, config_bytes, text;
    struct sw_manifest m;
    struct sw_image_config config;
    enum sw_code code = read_document(c, from, &d->digest, &bytes, err);
    if (!code) code = sw_manifest_parse(&c->arena, bytes, d->media_type, &m, err);
    if (code) return code;
    bool ours = sw_str_is(m.config.media_type, SW_MT_CACHE_CONFIG);
    bool has_records = sw_pairs_get(&m.annotations, SW_STR(SW_ANN_CACHE), &text);
    if (!ours && !has_records) return SW_OK;
    *ret_found = true;
    code = read_document(c, from, &m.config.digest, &config_bytes, err);
    if (code || ours) return code ? code : add(c, from, config_bytes, &m, NULL, err);
    code = sw_image_config_parse(&c->arena, config_bytes, &config, err);
    return code ? code : add(c, from, text, &m, &config, err);
}

static enum sw_code read_layout(struct sw_cache_sources *c, struct sw_origin *from, bool *ret_found,
                                struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_index index;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = sw_open_at(AT_FDCWD, sw_arena_cstr(&c->arena, from->name),
                                   O_RDONLY | O_DIRECTORY, 0, &from->dir, err);
    if (!code) code = sw_read_file_at(from->dir, SW_LAYOUT_INDEX, SW_OCI_DOCUMENT_MAX, &text, err);
    if (!code) code = sw_index_parse(&c->arena, sw_buf_str(&text), SW_STR(""), &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++)
        if (sw_media_type_of(index.manifests[i].media_type).kind == SW_MEDIA_MANIFEST)
            code = read_manifest(c, from, &index.manifests[i], ret_found, err);
    return code;
}

static enum sw_code read_registry(struct sw_cache_sources *c, struct sw_origin *from,
                                  bool *ret_found, struct sw_error *err) {
    const struct sw_build_registry *r = c->options->registry;
    struct sw_descriptor d;
    if (!r) return sw_fail(err, SW_UNSUPPORTED, "there is no way to a registry");
    enum sw_code code = r->documents(r->ctx, c->tools->store, &c->arena, from->reference,
                                     &c->options->platform, &d, err);
    return code ? code : read_manifest(c, from, &d, ret_found, err);
}

static enum sw_code open_source(struct sw_cache_sources *c, enum sw_build_cache_type type,
                                struct sw_str place, struct sw_error *err) {
    struct sw_origin *from = SW_NEW(&c->arena, struct sw_origin);
    bool found = false;
    *from = (struct sw_origin){.reference = SW_STR(""), .dir = -1, .name = place};
    sw_vec_add(&c->origins, from);
    enum sw_code code;
    if (type == SW_BUILD_CACHE_REGISTRY) {
        from->reference = place;
        code = read_registry(c, from, &found, err);
    } else {
        code = read_layout(c, from, &found, err);
    }
    if (!code && !found) code = sw_fail(err, SW_NOT_FOUND, "there are no records of steps in it");
    return code;
}

struct sw_cache_sources *sw_cache_sources_open(const struct sw_build_tools *tools,
                                               const struct sw_build_options *o) {
    if (!o->n_cache_from) return NULL;
    struct sw_cache_sources *c = sw_calloc(1, sizeof *c);
    sw_arena_init(&c->arena, MEMORY_MAX);
    pthread_mutex_init(&c->lock, NULL);
    c->tools = tools;
    c->options = o;
    for (size_t i = 0; i < o->n_cache_from; i++) {
        const struct sw_build_cache *from = &o->cache_from[i];
        struct sw_error err = {0}, second = {0};
        enum sw_code code = open_source(c, from->type, from->place, &err);
        if (code && from->fallback.len) code = open_source(c, from->type, from->fallback, &second);
        if (code)
            sw_progress_warn(tools->progress, "--cache-from %.*s is not used: %s",
                             SW_ARG(from->place), err.text);
    }
    return c;
}

void sw_cache_sources_free(struct sw_cache_sources *c) {
    if (!c) return;
    for (size_t i = 0; i < c->origins.len; i++) sw_closep(&c->origins.ptr[i]->dir);
    sw_vec_done(&c->origins);
    sw_map_done(&c->steps);
    sw_map_done(&c->plans);
    pthread_mutex_destroy(&c->lock);
    sw_arena_done(&c->arena);
    free(c);
}

bool sw_cache_sources_drop_broken(struct sw_cache_sources *c, const struct sw_build_tools *tools,
                                  const struct sw_error *why) {
    bool any = false;
    if (!c) return false;
    for (size_t i = 0; i < c->origins.len; i++) {
        struct sw_origin *o = c->origins.ptr[i];
        if (!o->broken) continue;
        for (struct sw_map_entry *e = NULL; (e = sw_map_next(&c->steps, e));)
            if (((struct known_step *)e->value)->origin == o) sw_map_remove(&c->steps, e->key);
        sw_progress_warn(tools->progress,
                         "--cache-from %.*s is not used, and the build begins again: %s",
                         SW_ARG(o->name), why->text);
        o->broken = false;
        any = true;
    }
    return any;
}

/* ---- finding ---- */

const struct sw_cache_step *sw_cache_find_step(struct sw_build *b, const struct sw_digest *key) {
    const struct known_step *known =
        b->cache_sources ? sw_map_get(&b->cache_sources->steps, sw_digest_key(key)) : NULL;
    return known ? known->step : NULL;
}

const struct sw_cache_plan *sw_cache_find_plan(struct sw_build *b, const struct sw_digest *inputs) {
    return b->cache_sources ? sw_map_get(&b->cache_sources->plans, sw_digest_key(inputs)) : NULL;
}

/* A blob of another compressor or, for RUN, with times clamped to another epoch is not this build's
 * layer, but what is in it is: it will be a snapshot that is archived anew. */
static bool is_same_form(const struct sw_build *b, const struct sw_cache_step *s, bool is_run) {
    return !strcmp(s->compressor, b->compressor.tag) &&
           (!is_run || s->epoch_s == b->options->epoch_s);
}

bool sw_cache_find(struct sw_build *b, const struct sw_digest *key, bool is_run,
                   struct sw_blayer *ret, bool *ret_empty) {
    const struct known_step *known =
        b->cache_sources ? sw_map_get(&b->cache_sources->steps, sw_digest_key(key)) : NULL;
    struct sw_error ignored = {0};
    if (!known) return false;
    const struct sw_cache_step *s = known->step;
    struct sw_blayer layer = {.identity = *key, .has_key = true, .is_run = is_run};
    memcpy(layer.key, key->bytes, SW_CACHE_KEY_SIZE);
    *ret_empty = s->empty;
    if (s->empty) {
        *ret = layer;
        /* It is found again without this cache; where it cannot be kept, it is found here. */
        if (sw_layer_record(b, &layer, true, &ignored)) sw_error_clear(&ignored);
        return true;
    }
    bool same = is_same_form(b, s, is_run);
    /* Entries of COPY are made from their sources again just as quickly. */
    if (!same && !is_run) return false;
    struct sw_layer_blob blob = {.diff_id = s->diff_id,
                                 .digest = s->blob,
                                 .size = s->size,
                                 .compression = b->compressor.kind};
    sw_layer_set_blob(b, &layer, &blob);
    layer.has_blob = same;
    layer.content = !is_run ? *key : sw_digest_is_set(&s->content) ? s->content : s->diff_id;
    layer.clamped = !same;
    layer.clamped_s = s->epoch_s;
    layer.origin = known->origin;
    *ret = layer;
    return true;
}

/* ---- fetching ---- */

static enum sw_code copy_blob(struct sw_build *b, const struct sw_origin *from,
                              const struct sw_descriptor *d, struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
    SW_FD int fd = -1;
    SW_FREE char *block = sw_malloc((size_t)1 << 20);
    sw_layout_blob_path(&d->digest, path);
    enum sw_code code = sw_open_at(from->dir, path, O_RDONLY | O_NOFOLLOW, 0, &fd, err);
    if (!code) code = sw_blob_begin(b->tools->store, true, &w, err);
    while (!code) {
        ssize_t n = sw_sys_read(fd, block, (size_t)1 << 20);
        if (n < 0) return sw_fail_sys(err, errno, "read %s", path);
        if (n == 0) break;
        code = sw_blob_write(&w, block, (size_t)n, err);
    }
    return code ? code : sw_blob_commit(&w, &d->digest, (uint64_t)d->size, NULL, NULL, err);
}

static enum sw_code bring(struct sw_build *b, const struct sw_origin *from,
                          const struct sw_descriptor *blobs, size_t n, struct sw_error *err) {
    struct sw_progress *p = b->tools->progress;
    const struct sw_build_registry *r = b->options->registry;
    uint64_t bytes = 0;
    char text[256];
    int len = snprintf(text, sizeof text, "fetching %zu layer%s from %.*s", n, n == 1 ? "" : "s",
                       SW_ARG(from->name));
    if (len >= (int)sizeof text) len = (int)sizeof text - 1;
    for (size_t i = 0; i < n; i++) bytes += (uint64_t)blobs[i].size;
    enum sw_code code = sw_store_reserve(b->tools->store, bytes, err);
    if (code) return code;
    unsigned step = sw_progress_step(p, sw_str_n(text, (size_t)len));
    sw_progress_start(p, step);
    if (from->dir < 0) {
        code = r->fetch(r->ctx, b->tools->store, from->reference, blobs, n, p, step, err);
    } else {
        for (size_t i = 0; i < n && !code; i++) code = copy_blob(b, from, &blobs[i], err);
    }
    if (code) {
        sw_progress_fail(p, step, err);
    } else {
        sw_progress_done(p, step);
    }
    return code;
}

/* Whether the archive in a blob is the one that its record speaks of. */
static enum sw_code verify(struct sw_build *b, const struct sw_blayer *l, struct sw_error *err) {
    struct sw_layer_stream_options options = {.alg = (enum sw_digest_alg)l->diff_id.alg,
                                              .threaded = true};
    SW_LAYER_STREAM struct sw_layer_stream *stream = NULL;
    SW_FD int fd = -1;
    enum sw_code code = sw_blob_open(b->tools->store, &l->blob, &fd, NULL, err);
    if (code) return code;
    stream = sw_layer_stream_new(fd, &options);
    return sw_layer_stream_verify(stream, &l->diff_id, err);
}

/* Those of one origin that the store lacks. */
static enum sw_code fetch_from(struct sw_build *b, const struct sw_origin *from,
                               const struct sw_blayer *layers, size_t n, struct sw_error *err) {
    struct sw_descriptor *blobs = sw_calloc(n + 1, sizeof *blobs);
    size_t k = 0;
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n; i++) {
        const struct sw_blayer *l = &layers[i];
        if (l->origin != from || sw_blob_exists(b->tools->store, &l->blob, NULL)) continue;
        blobs[k++] = (struct sw_descriptor){
            .media_type = sw_str(l->media_type), .digest = l->blob, .size = (int64_t)l->size};
    }
    if (k) code = bring(b, from, blobs, k, err);
    sw_freep(&blobs);
    return code;
}

static enum sw_code as_snapshot(struct sw_build *b, struct sw_blayer *layer, struct sw_error *err) {
    struct sw_snapshot made;
    struct sw_unpack_layer blob = {layer->blob, layer->diff_id};
    struct sw_unpack_options options = {
        .form = b->form, .remember_owner = b->tools->userns->mode == SW_USERNS_SINGLE};
    enum sw_code code =
        sw_unpack_layers(b->tools->store, b->tools->pool, &blob, 1, &options, &made, NULL, err);
    if (!code) layer->snapshot = made.id;
    return code;
}

/* Its blob is in the store: from now on it is a layer like any other. A base's layer is verified
 * when it is unpacked; this one becomes a record of our cache, which nobody doubts later. */
static enum sw_code settle(struct sw_build *b, struct sw_blayer *l, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (!l->origin->is_base) code = verify(b, l, err);
    if (!code && !l->has_blob && !l->snapshot) code = as_snapshot(b, l, err);
    if (!code && l->has_key) code = sw_layer_record(b, l, false, err);
    if (!code) l->origin = NULL;
    return code;
}

/* What this machine refuses is no fault of the source. */
static bool is_the_sources_fault(const struct sw_origin *from, enum sw_code code) {
    return !from->is_base && code != SW_CANCELLED && code != SW_LIMIT;
}

enum sw_code sw_layers_fetch(struct sw_build *b, struct sw_blayer *layers, size_t n,
                             struct sw_error *err) {
    const struct sw_origin *fetched = NULL;
    for (size_t i = 0; i < n; i++) {
        struct sw_origin *from = layers[i].origin;
        if (!from) continue;
        enum sw_code code = SW_OK;
        if (from != fetched) code = fetch_from(b, from, layers + i, n - i, err);
        fetched = from;
        if (!code) code = settle(b, &layers[i], err);
        if (!code) continue;
        if (is_the_sources_fault(from, code)) {
            pthread_mutex_lock(&b->cache_sources->lock);
            from->broken = true;
            pthread_mutex_unlock(&b->cache_sources->lock);
        }
        return sw_context(err, "a layer of %.*s", SW_ARG(from->name));
    }
    return SW_OK;
}
