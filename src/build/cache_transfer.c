#include "build/cache_transfer_internal.h"

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
#include "codec/json.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/archive.h"
#include "store/blob.h"

#define CACHE_NAME "localhost/slipway-cache:latest"
#define RECORDS_MAX 65536

/* ---- reading ---- */

struct remote_record {
    char key[SW_DIGEST_TEXT_MAX]; /* digits */
    bool empty;
    struct sw_digest diff_id, blob;
    uint64_t size;
    char tag[SW_COMPRESS_TAG_MAX + 32];
    int64_t epoch_s;
    int dir; /* of its layout; borrowed */
};

struct sw_cache_sources {
    struct sw_arena arena;
    SW_VEC(int) dirs;
    struct sw_map records; /* key -> struct remote_record * */
};

static enum sw_code read_blob(struct sw_cache_sources *c, int dir, const struct sw_digest *digest,
                              struct sw_str *ret, struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX];
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    SW_FREE char *path = sw_asprintf("blobs/%s/%.*s", sw_digest_alg_name(digest->alg),
                                     SW_ARG(sw_digest_hex(digest, hex)));
    enum sw_code code = sw_read_file_at(dir, path, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (code) return code;
    struct sw_digest got = sw_digest_of(digest->alg, sw_buf_str(&bytes));
    if (!sw_digest_eq(&got, digest)) return sw_fail(err, SW_CORRUPT, "%s is damaged", path);
    *ret = sw_arena_str(&c->arena, sw_buf_str(&bytes));
    return SW_OK;
}

static enum sw_code read_record(struct sw_cache_sources *c, int dir, const struct sw_json *node,
                                struct sw_error *err) {
    struct remote_record *r = SW_NEW(&c->arena, struct remote_record);
    struct sw_str key, tag = SW_STR("");
    int64_t size = 0;
    r->dir = dir;
    enum sw_code code = sw_json_need_str(node, "key", &key, err);
    if (!code) code = sw_json_opt_bool(node, "empty", &r->empty, err);
    if (!code) code = sw_json_opt_digest(node, "diffID", &r->diff_id, err);
    if (!code) code = sw_json_opt_digest(node, "blob", &r->blob, err);
    if (!code) code = sw_json_opt_int(node, "size", &size, err);
    if (!code) code = sw_json_opt_int(node, "epoch", &r->epoch_s, err);
    if (!code) code = sw_json_opt_str(node, "compressor", &tag, err);
    if (code) return code;
    bool whole = sw_digest_is_set(&r->diff_id) && sw_digest_is_set(&r->blob) && size > 0;
    if (key.len != 64 || tag.len >= sizeof r->tag || (!r->empty && !whole))
        return sw_json_fail(node, err, "no record of a step");
    memcpy(r->key, key.ptr, key.len);
    memcpy(r->tag, tag.ptr, tag.len);
    r->size = (uint64_t)size;
    if (!sw_map_has(&c->records, sw_str(r->key))) sw_map_put(&c->records, sw_str(r->key), r);
    return SW_OK;
}

static enum sw_code read_cache(struct sw_cache_sources *c, int dir, const struct sw_descriptor *d,
                               struct sw_error *err) {
    struct sw_str bytes;
    struct sw_manifest m;
    const struct sw_json *root;
    enum sw_code code = read_blob(c, dir, &d->digest, &bytes, err);
    if (!code) code = sw_manifest_parse(&c->arena, bytes, d->media_type, &m, err);
    if (code) return code;
    if (!sw_str_is(m.config.media_type, SW_MT_CACHE_CONFIG)) return SW_OK;
    code = read_blob(c, dir, &m.config.digest, &bytes, err);
    if (!code) code = sw_json_parse(&c->arena, bytes, NULL, &root, err);
    if (code) return code;
    const struct sw_json *records = sw_json_get(root, "records");
    if (!records) return sw_fail(err, SW_SYNTAX, "there are no records");
    code = sw_json_expect(records, SW_JSON_ARRAY, err);
    for (size_t i = 0; !code && i < records->len; i++)
        code = read_record(c, dir, &records->items[i], err);
    return code;
}

static enum sw_code read_layout(struct sw_cache_sources *c, const char *path,
                                struct sw_error *err) {
    SW_BUF struct sw_buf text;
    SW_FD int fd = -1;
    struct sw_index index;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (!code) code = sw_read_file_at(fd, "index.json", SW_OCI_DOCUMENT_MAX, &text, err);
    if (!code) code = sw_index_parse(&c->arena, sw_buf_str(&text), SW_STR(""), &index, err);
    if (code) return code;
    int dir = sw_take_fd(&fd);
    sw_vec_add(&c->dirs, dir);
    for (size_t i = 0; i < index.n_manifests && !code; i++)
        code = read_cache(c, dir, &index.manifests[i], err);
    return code;
}

struct sw_cache_sources *sw_cache_sources_open(struct sw_build *b) {
    const struct sw_strs *from = &b->options->cache_from;
    if (!from->len) return NULL;
    struct sw_cache_sources *c = sw_calloc(1, sizeof *c);
    sw_arena_init(&c->arena, 0);
    for (size_t i = 0; i < from->len; i++) {
        struct sw_error err = {0};
        if (read_layout(c, sw_arena_cstr(&c->arena, from->ptr[i]), &err))
            sw_progress_warn(b->tools->progress, "--cache-from %.*s is not used: %s",
                             SW_ARG(from->ptr[i]), err.text);
    }
    return c;
}

void sw_cache_sources_free(struct sw_cache_sources *c) {
    if (!c) return;
    for (size_t i = 0; i < c->dirs.len; i++) close(c->dirs.ptr[i]);
    sw_vec_done(&c->dirs);
    sw_map_done(&c->records);
    sw_arena_done(&c->arena);
    free(c);
}

static enum sw_code copy_blob(struct sw_build *b, const struct remote_record *r,
                              struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX];
    SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
    SW_FD int fd = -1;
    if (sw_blob_exists(b->tools->store, &r->blob, NULL)) return SW_OK;
    SW_FREE char *path = sw_asprintf("blobs/%s/%.*s", sw_digest_alg_name(r->blob.alg),
                                     SW_ARG(sw_digest_hex(&r->blob, hex)));
    SW_FREE char *block = sw_malloc((size_t)1 << 20);
    enum sw_code code = sw_store_reserve(b->tools->store, r->size, err);
    if (!code) code = sw_open_at(r->dir, path, O_RDONLY, 0, &fd, err);
    if (!code) code = sw_blob_begin(b->tools->store, true, &w, err);
    while (!code) {
        ssize_t n = read(fd, block, (size_t)1 << 20);
        if (n < 0) return sw_fail_sys(err, errno, "read %s", path);
        if (n == 0) break;
        code = sw_blob_write(&w, block, (size_t)n, err);
    }
    return code ? code : sw_blob_commit(&w, &r->blob, r->size, NULL, NULL, err);
}

/* A blob of another compressor or, for RUN, with times clamped to another epoch is not this
 * build's layer, but what is in it is: as a snapshot it will be archived anew where needed. */
static enum sw_code as_snapshot(struct sw_build *b, const struct remote_record *r,
                                struct sw_blayer *layer, struct sw_error *err) {
    struct sw_snapshot made;
    struct sw_unpack_layer blob = {r->blob, r->diff_id};
    struct sw_unpack_options options = {
        .form = b->form, .remember_owner = b->tools->userns->mode == SW_USERNS_SINGLE};
    enum sw_code code =
        sw_unpack_layers(b->tools->store, b->tools->pool, &blob, 1, &options, &made, NULL, err);
    if (code) return code;
    layer->snapshot = made.id;
    layer->clamped = true;
    layer->clamped_s = r->epoch_s;
    return SW_OK;
}

enum sw_code sw_cache_fetch(struct sw_build *b, const struct sw_digest *key, bool is_run,
                            struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX];
    struct remote_record *r =
        b->cache_sources ? sw_map_get(&b->cache_sources->records, sw_digest_hex(key, hex)) : NULL;
    if (!r) return sw_fail(err, SW_NOT_FOUND, "no record of the step");
    struct sw_blayer layer = {.identity = *key, .has_key = true, .is_run = is_run};
    memcpy(layer.key, key->bytes, SW_CACHE_KEY_SIZE);
    if (r->empty) return sw_layer_record(b, &layer, true, err);
    enum sw_code code = copy_blob(b, r, err);
    if (code) return sw_context(err, "--cache-from");
    if (strcmp(r->tag, b->compressor.tag) || (is_run && r->epoch_s != b->options->epoch_s)) {
        /* Entries of COPY are made from their sources again just as quickly. */
        if (!is_run) return sw_fail(err, SW_NOT_FOUND, "a layer of another compression");
        code = as_snapshot(b, r, &layer, err);
    } else {
        struct sw_layer_blob blob = {.diff_id = r->diff_id,
                                     .digest = r->blob,
                                     .size = r->size,
                                     .compression = b->compressor.kind};
        sw_layer_set_blob(b, &layer, &blob);
    }
    return code ? code : sw_layer_record(b, &layer, false, err);
}

/* ---- writing ---- */

struct out {
    struct sw_build *b;
    struct sw_json_writer w;
    struct sw_manifest m;
    struct sw_map seen; /* digests of layers */
    struct sw_arena arena;
    size_t n;
};

static enum sw_code put_record(void *ctx, const struct sw_digest *key, size_t stage, bool is_run,
                               struct sw_error *err) {
    struct out *o = ctx;
    struct sw_build *b = o->b;
    struct sw_blayer layer;
    bool empty;
    if (!b->options->cache_to_max && !b->stages[stage].exported) return SW_OK;
    enum sw_code code = sw_layer_recall(b, key, is_run, &layer, &empty, err);
    if (code == SW_NOT_FOUND || ++o->n > RECORDS_MAX) return SW_OK;
    if (!code && !empty) code = sw_layer_need_blob(b, &layer, err);
    if (code) return code;
    char hex[SW_DIGEST_TEXT_MAX];
    sw_json_begin_object(&o->w);
    sw_json_put_str(&o->w, "key", sw_digest_hex(key, hex));
    if (empty) {
        sw_json_put_bool(&o->w, "empty", true);
    } else {
        sw_json_put_digest(&o->w, "diffID", &layer.diff_id);
        sw_json_put_digest(&o->w, "blob", &layer.blob);
        sw_json_put_int(&o->w, "size", (int64_t)layer.size);
        sw_json_put_text(&o->w, "compressor", b->compressor.tag);
        sw_json_put_int(&o->w, "epoch", b->options->epoch_s);
    }
    sw_json_end_object(&o->w);
    if (empty) return SW_OK;
    struct sw_digest *kept = SW_NEW(&o->arena, struct sw_digest);
    *kept = layer.blob;
    if (sw_map_put(&o->seen, sw_digest_key(kept), kept)) return SW_OK;
    struct sw_descriptor d = {
        .media_type = sw_str(layer.media_type), .digest = layer.blob, .size = (int64_t)layer.size};
    sw_manifest_add_layer(&o->arena, &o->m, &d);
    return SW_OK;
}

/* Blobs of earlier caches would pile up. Only in a directory that holds nothing but our cache. */
static void sweep(struct out *o, int dir_fd, const struct sw_descriptor *manifest) {
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

static enum sw_code write_out(struct out *o, struct sw_buf *config, struct sw_error *err) {
    struct sw_build *b = o->b;
    SW_BUF struct sw_buf bytes;
    SW_FD int dir = -1;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = sw_buf_check(config, "the cache's records", err);
    if (!code) code = sw_blob_put(b->tools->store, sw_buf_str(config), NULL, err);
    if (code) return code;
    o->m.media_type = SW_STR(SW_MT_OCI_MANIFEST);
    o->m.artifact_type = SW_STR(SW_MT_CACHE);
    o->m.config = sw_descriptor_of(SW_MT_CACHE_CONFIG, sw_buf_str(config));
    sw_manifest_write(&bytes, &o->m);
    code = sw_buf_check(&bytes, "the cache's manifest", err);
    if (!code) code = sw_blob_put(b->tools->store, sw_buf_str(&bytes), NULL, err);
    if (code) return code;
    struct sw_save_image image = {.target =
                                      sw_descriptor_of(SW_MT_OCI_MANIFEST, sw_buf_str(&bytes))};
    image.target.artifact_type = SW_STR(SW_MT_CACHE);
    sw_strs_add(&o->arena, &image.names, SW_STR(CACHE_NAME));
    code = sw_mkdirs_at(AT_FDCWD, b->options->cache_to, 0755, err);
    if (!code)
        code = sw_open_at(AT_FDCWD, b->options->cache_to, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_archive_export(b->tools->store, dir, &image, 1, err);
    if (!code) sweep(o, dir, &image.target);
    return code;
}

enum sw_code sw_cache_store_out(struct sw_build *b, struct sw_error *err) {
    if (!b->options->cache_to) return SW_OK;
    struct sw_progress *p = b->tools->progress;
    unsigned step = sw_progress_step(p, SW_STR("writing the cache"));
    SW_BUF struct sw_buf config;
    struct out o = {.b = b};
    sw_progress_start(p, step);
    sw_arena_init(&o.arena, 0);
    sw_buf_init(&config, SW_OCI_DOCUMENT_MAX);
    sw_json_writer_init(&o.w, &config, 0);
    sw_json_begin_object(&o.w);
    sw_json_put_int(&o.w, "version", 1);
    sw_json_key(&o.w, "records");
    sw_json_begin_array(&o.w);
    enum sw_code code = sw_explain_keys(b->explain, put_record, &o, err);
    sw_json_end_array(&o.w);
    sw_json_end_object(&o.w);
    if (!code) code = write_out(&o, &config, err);
    sw_map_done(&o.seen);
    sw_arena_done(&o.arena);
    if (code) {
        sw_context(err, "--cache-to %s", b->options->cache_to);
        sw_progress_fail(p, step, err);
    } else {
        sw_progress_done(p, step);
    }
    return code;
}
