/* The forms of a layer, and the cache's records of them.
 *
 * A record's value is one line of text:
 *     1 EMPTY SNAPSHOT FORM DIFF_ID BLOB SIZE TAG CLAMPED CONTENT
 * EMPTY 0 or 1 (the step changed nothing); SNAPSHOT a number, 0 for none, with the overlay FORM of
 * its marks; DIFF_ID and BLOB are digests or "-"; SIZE is the blob's; TAG says how the blob was
 * compressed, and for RUN @ and the seconds that its times were clamped to. CLAMPED:
 * such seconds of the snapshot's own times, where it came out of an archive; -1 otherwise. CONTENT:
 * 64 digits that name what is in the layer, or "-". A record that cannot be used in this build
 * (another form, another compression) still is for what can: the forms are looked at one by one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "build/diff.h"
#include "build/room_internal.h"
#include "build/root_copy.h"
#include "codec/hex.h"

#define TAG_MAX 128

struct sw_digest sw_layers_chain(const struct sw_blayer *layers, size_t n) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("slipway chain 1\n"));
    for (size_t i = 0; i < n; i++) sw_hasher_add(&h, layers[i].identity.bytes, 32);
    return sw_hasher_finish(&h);
}

bool sw_layers_content(const struct sw_blayer *layers, size_t n, struct sw_digest *ret) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("slipway content 1\n"));
    for (size_t i = 0; i < n; i++) {
        if (!sw_digest_is_set(&layers[i].content)) return false;
        sw_hasher_add(&h, layers[i].content.bytes, 32);
    }
    *ret = sw_hasher_finish(&h);
    return true;
}

/* ---- records ---- */

static const char *media_type_of(enum sw_compression c) {
    return c == SW_COMPRESS_ZSTD   ? SW_MT_OCI_LAYER_ZSTD
           : c == SW_COMPRESS_GZIP ? SW_MT_OCI_LAYER_GZIP
                                   : SW_MT_OCI_LAYER;
}

/* Of the blob: how it was compressed, and for RUN, whose key has no times, what they were clamped
 * to. */
static void make_tag(const struct sw_build *b, bool is_run, char ret[TAG_MAX]) {
    if (is_run) {
        snprintf(ret, TAG_MAX, "%s@%lld", b->compressor.tag, (long long)b->options->epoch_s);
    } else {
        snprintf(ret, TAG_MAX, "%s", b->compressor.tag);
    }
}

static enum sw_code recall(struct sw_build *b, const struct sw_digest *key, bool is_run,
                           struct sw_blayer *ret, bool *ret_empty, struct sw_error *err) {
    SW_ARENA struct sw_arena arena;
    struct sw_cache_record record;
    sw_arena_init(&arena, 0);
    *ret = (struct sw_blayer){.identity = *key, .has_key = true, .is_run = is_run};
    memcpy(ret->key, key->bytes, SW_CACHE_KEY_SIZE);
    *ret_empty = false;
    enum sw_code code = sw_cache_get(b->tools->store, &arena, ret->key, &record, err);
    if (code) return code;
    char diff_id[160], blob[160], tag[128], content[80] = "-", wanted[TAG_MAX];
    long long snapshot, clamped_s = -1;
    unsigned long long size;
    int version, empty, form;
    const char *text = sw_arena_cstr(&arena, record.value);
    if (sscanf(text, "%d %d %lld %d %159s %159s %llu %127s %lld %79s", &version, &empty, &snapshot,
               &form, diff_id, blob, &size, tag, &clamped_s, content) < 8 ||
        version != 1)
        return sw_fail(err, SW_NOT_FOUND, "a cache record of another version");
    *ret_empty = empty != 0;
    if (snapshot && form == (int)b->form) ret->snapshot = snapshot;
    ret->clamped = clamped_s >= 0;
    ret->clamped_s = clamped_s;
    make_tag(b, is_run, wanted);
    if (!strcmp(tag, wanted) && !sw_digest_parse(sw_str(diff_id), &ret->diff_id, err) &&
        !sw_digest_parse(sw_str(blob), &ret->blob, err)) {
        ret->has_blob = true;
        ret->size = size;
        ret->media_type = media_type_of(b->compressor.kind);
    }
    if (!*ret_empty && !ret->snapshot && !ret->has_blob)
        return sw_fail(err, SW_NOT_FOUND, "a cache record of no use here");
    /* A COPY's key says what is in it; the same RUN may make something else the next time. */
    struct sw_digest named = {.alg = SW_SHA256};
    if (!is_run) {
        ret->content = *key;
    } else if (strlen(content) == 64 && sw_hex_decode(sw_str(content), false, named.bytes)) {
        ret->content = named;
    }
    return SW_OK;
}

enum sw_code sw_layer_recall(struct sw_build *b, const struct sw_digest *key, bool is_run,
                             struct sw_blayer *ret, bool *ret_empty, struct sw_error *err) {
    enum sw_code code = recall(b, key, is_run, ret, ret_empty, err);
    if (code != SW_NOT_FOUND || !b->cache_sources) return code;
    if (!sw_cache_find(b, key, is_run, ret, ret_empty))
        return sw_fail(err, SW_NOT_FOUND, "not in the cache");
    sw_error_clear(err);
    return SW_OK;
}

enum sw_code sw_layer_record(struct sw_build *b, const struct sw_blayer *layer, bool empty,
                             struct sw_error *err) {
    char text[768], tag[TAG_MAX], diff_id[SW_DIGEST_TEXT_MAX] = "-", blob[SW_DIGEST_TEXT_MAX] = "-";
    char content[SW_DIGEST_TEXT_MAX] = "-";
    struct sw_cache_ref refs[2];
    size_t n = 0;
    make_tag(b, layer->is_run, tag);
    if (layer->is_run && sw_digest_is_set(&layer->content)) sw_digest_hex(&layer->content, content);
    if (layer->has_blob) {
        sw_digest_format(&layer->diff_id, diff_id);
        sw_digest_format(&layer->blob, blob);
        refs[n++] = (struct sw_cache_ref){.blob = layer->blob};
    }
    if (layer->snapshot)
        refs[n++] = (struct sw_cache_ref){.is_snapshot = true, .snapshot = layer->snapshot};
    int len = snprintf(text, sizeof text, "1 %d %lld %d %s %s %llu %s %lld %s", empty,
                       (long long)layer->snapshot, (int)b->form, diff_id, blob,
                       (unsigned long long)layer->size, tag,
                       layer->clamped ? (long long)layer->clamped_s : -1LL, content);
    struct sw_cache_record record = {
        .value = sw_str_n(text, (size_t)len), .refs = refs, .n_refs = n};
    memcpy(record.key, layer->key, sizeof record.key);
    return sw_cache_put(b->tools->store, &record, err);
}

void sw_layer_set_blob(struct sw_build *b, struct sw_blayer *layer,
                       const struct sw_layer_blob *blob) {
    (void)b;
    layer->has_blob = true;
    layer->blob = blob->digest;
    layer->diff_id = blob->diff_id;
    layer->size = blob->size;
    layer->media_type = media_type_of(blob->compression);
}

/* ---- forms ---- */

static enum sw_code unpack(struct sw_build *b, struct sw_blayer *layers, size_t n,
                           struct sw_error *err) {
    struct sw_unpack_layer *blobs = sw_calloc(n, sizeof *blobs);
    struct sw_snapshot *made = sw_calloc(n, sizeof *made);
    struct sw_unpack_options options = {
        .form = b->form, .remember_owner = b->tools->userns->mode == SW_USERNS_SINGLE};
    for (size_t i = 0; i < n; i++)
        blobs[i] = (struct sw_unpack_layer){layers[i].blob, layers[i].diff_id};
    enum sw_code code =
        sw_unpack_layers(b->tools->store, b->tools->pool, blobs, n, &options, made, NULL, err);
    for (size_t i = 0; i < n && !code; i++) layers[i].snapshot = made[i].id;
    sw_freep(&blobs);
    sw_freep(&made);
    return code ? sw_context(err, "unpacking a layer") : SW_OK;
}

enum sw_code sw_layers_snapshots(struct sw_build *b, struct sw_blayer *layers, size_t n,
                                 struct sw_error *err) {
    /* The layers of a base may lead into one another with hard links, so they are unpacked as one
     * stack; those that we made describe themselves and are unpacked one by one. */
    size_t base = 0;
    enum sw_code code = sw_layers_fetch(b, layers, n, err);
    if (code) return code;
    while (base < n && !layers[base].snapshot && layers[base].has_blob) base++;
    if (base) code = unpack(b, layers, base, err);
    for (size_t i = base; i < n && !code; i++)
        if (!layers[i].snapshot) code = unpack(b, &layers[i], 1, err);
    return code;
}

enum sw_code sw_layer_need_blob(struct sw_build *b, struct sw_blayer *layer, struct sw_error *err) {
    enum sw_code code = sw_layers_fetch(b, layer, 1, err);
    if (code || layer->has_blob) return code;
    struct sw_layer_writer *w = NULL;
    struct sw_layer_blob blob;
    SW_FD int dir = -1;
    code = sw_layer_open(b->tools->store, b->tools->pool, b->compressor.kind,
                         b->options->compression_level, &w, err);
    if (!code) code = sw_snapshot_open(b->tools->store, layer->snapshot, &dir, err);
    if (!code)
        code = sw_diff_archive(dir, b->form, b->options->epoch_s,
                               layer->clamped ? layer->clamped_s : INT64_MAX, w, err);
    if (!code) code = sw_layer_finish(w, &blob, err);
    sw_layer_free(w);
    if (code) return code;
    sw_layer_set_blob(b, layer, &blob);
    return layer->has_key ? sw_layer_record(b, layer, false, err) : SW_OK;
}

/* An index, opened once for the build and closed with it. */
static enum sw_code index_of(struct sw_build *b, const struct sw_blayer *layer,
                             struct sw_layer_index **ret, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&b->index_lock);
    struct sw_layer_index *index = sw_map_get(&b->indexes, sw_digest_key(&layer->diff_id));
    if (!index) {
        struct sw_unpack_layer blob = {layer->blob, layer->diff_id};
        code = sw_layer_index_open(b->tools->store, &blob, &index, err);
        if (!code) {
            struct sw_digest *key = sw_malloc(sizeof *key);
            *key = layer->diff_id;
            sw_map_put(&b->indexes, sw_digest_key(key), index);
        }
    }
    pthread_mutex_unlock(&b->index_lock);
    if (!code) *ret = index;
    return code;
}

enum sw_code sw_layers_view(struct sw_build *b, struct sw_blayer *layers, size_t n,
                            struct sw_str name, struct sw_source **ret, struct sw_error *err) {
    enum sw_code code = sw_layers_fetch(b, layers, n, err);
    if (code) return code;
    struct sw_view_layer *v = sw_calloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n && !code; i++) {
        v[i].snapshot = layers[i].snapshot;
        v[i].clamped = layers[i].snapshot && layers[i].clamped;
        v[i].clamped_s = layers[i].clamped_s;
        if (!v[i].snapshot) code = index_of(b, &layers[i], &v[i].index, err);
    }
    if (!code) code = sw_view_open(b->tools->store, b->form, v, n, name, ret, err);
    sw_freep(&v);
    return code;
}

/* How RUN mounts its root. Snapshots keep the form that the build began with. */
enum sw_code sw_build_overlay(struct sw_build *b, struct sw_error *err) {
    pthread_mutex_lock(&b->lock);
    enum sw_code code = SW_OK;
    if (!b->overlay_probed) {
        enum sw_overlay_form form;
        code = sw_overlay_choose(b->tools->store, b->tools->userns, &b->overlay_mode, &form, err);
        if (!code && form == SW_OVERLAY_FILES && b->form != form)
            code = sw_fail(err, SW_BUSY, "this host's overlay file system went away: %s",
                           b->overlay_mode.why);
        if (!code && form != b->form) b->overlay_mode.kind = SW_OVERLAY_NONE;
        b->overlay_probed = !code;
    }
    pthread_mutex_unlock(&b->lock);
    return code;
}
