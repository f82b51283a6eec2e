/* Layers of the base written anew, where that is asked for: in the build's compression
 * (--force-compression), without times that are younger than the epoch (--rewrite-timestamp).
 *
 * A layer that would come out the same is left as it is. What was made is remembered by the blob
 * that it was made from.
 */
#include "base/proc.h"
#include "build/cache_key.h"
#include "build/layer_read.h"
#include "build/room_internal.h"

static bool has_young(const struct sw_layer_index *index, int64_t epoch_s) {
    for (size_t i = 0; i < sw_layer_index_count(index); i++) {
        struct sw_layer_entry e;
        sw_layer_index_at(index, i, &e);
        if (e.mtime_sec > epoch_s || (e.mtime_sec == epoch_s && e.mtime_nsec)) return true;
    }
    return false;
}

static enum sw_code copy_content(struct sw_tar_reader *r, uint64_t size, struct sw_layer_writer *w,
                                 struct sw_error *err) {
    static const char zeros[SW_TAR_BLOCK];
    for (struct sw_tar_piece piece;;) {
        enum sw_code code = sw_tar_read(r, &piece, err);
        if (code) return code;
        if (!piece.bytes.len) return sw_layer_write(w, zeros, sw_tar_pad(size), err);
        code = sw_layer_write(w, piece.bytes.ptr, piece.bytes.len, err);
        if (code) return code;
    }
}

static enum sw_code copy_clamped(struct sw_layer_reader *from, int64_t epoch_s,
                                 struct sw_layer_writer *w, struct sw_error *err) {
    SW_TAR_READER struct sw_tar_reader r;
    const struct sw_tar_entry *entry;
    sw_tar_reader_init(&r, sw_layer_reader_source(from), NULL);
    for (;;) {
        enum sw_code code = sw_cancel_check(err);
        if (!code) code = sw_tar_next(&r, &entry, err);
        if (code || !entry) return code;
        struct sw_tar_entry e = *entry;
        if (e.mtime_sec >= epoch_s) {
            e.mtime_sec = epoch_s;
            e.mtime_nsec = 0;
        }
        code = sw_layer_entry(w, &e, err);
        if (!code && e.type == SW_TAR_FILE) code = copy_content(&r, e.size, w, err);
        if (code) return code;
    }
}

static enum sw_code copy_bytes(struct sw_layer_reader *from, struct sw_layer_writer *w,
                               struct sw_error *err) {
    for (struct sw_str chunk;;) {
        enum sw_code code = sw_cancel_check(err);
        if (!code) code = sw_layer_reader_next(from, &chunk, err);
        if (code || !chunk.len) return code;
        code = sw_layer_write(w, chunk.ptr, chunk.len, err);
        if (code) return code;
    }
}

static enum sw_code recode(struct sw_build *b, const struct sw_blayer *from, bool clamp,
                           struct sw_blayer *to, struct sw_error *err) {
    SW_LAYER_READER struct sw_layer_reader *reader = NULL;
    struct sw_layer_writer *w = NULL;
    struct sw_layer_blob blob;
    enum sw_code code = sw_store_reserve(b->tools->store, from->size, err);
    if (!code) code = sw_layer_reader_open(b->tools->store, &from->blob, &reader, err);
    if (!code)
        code = sw_layer_open(b->tools->store, b->tools->pool, b->compressor.kind,
                             b->options->compression_level, &w, err);
    if (!code)
        code =
            clamp ? copy_clamped(reader, b->options->epoch_s, w, err) : copy_bytes(reader, w, err);
    if (!code) code = clamp ? sw_layer_finish(w, &blob, err) : sw_layer_finish_raw(w, &blob, err);
    sw_layer_free(w);
    if (!code && !clamp && !sw_digest_eq(&blob.diff_id, &from->diff_id))
        code = sw_fail(err, SW_CORRUPT, "its archive is not the one that its diff ID names");
    if (!code) sw_layer_set_blob(b, to, &blob);
    return code;
}

/* Of what the layer is made, and what is done to it. */
static struct sw_digest key_of(struct sw_stage *s, const struct sw_blayer *l, bool clamp) {
    SW_KEY struct sw_key k;
    sw_key_init(&k, &s->arena, SW_STR("recode 1"));
    sw_key_add_digest(&k, SW_STR("blob"), &l->blob);
    if (clamp)
        sw_key_add(&k, SW_STR("epoch"),
                   sw_arena_printf(&s->arena, "%lld", (long long)s->build->options->epoch_s));
    return sw_key_finish(&k);
}

static bool has_compression(const struct sw_build *b, const struct sw_media_type *t) {
    enum sw_layer_compression want = b->compressor.kind == SW_COMPRESS_GZIP   ? SW_LAYER_GZIP
                                     : b->compressor.kind == SW_COMPRESS_ZSTD ? SW_LAYER_ZSTD
                                                                              : SW_LAYER_PLAIN;
    return t->compression == want;
}

static enum sw_code needs_clamping(struct sw_build *b, const struct sw_blayer *l, bool *ret,
                                   struct sw_error *err) {
    struct sw_layer_index *index = NULL;
    struct sw_unpack_layer blob = {l->blob, l->diff_id};
    *ret = false;
    if (!b->options->rewrite_times) return SW_OK;
    enum sw_code code = sw_layer_index_open(b->tools->store, &blob, &index, err);
    if (code) return code;
    *ret = has_young(index, b->options->epoch_s);
    sw_layer_index_free(index);
    return SW_OK;
}

static enum sw_code recode_layer(struct sw_stage *s, struct sw_blayer *l, struct sw_error *err) {
    struct sw_build *b = s->build;
    struct sw_media_type type = sw_media_type_of(sw_str(l->media_type));
    bool clamp, empty;
    if (type.kind != SW_MEDIA_LAYER || type.foreign) return SW_OK;
    enum sw_code code = needs_clamping(b, l, &clamp, err);
    if (code) return code;
    if (!clamp && (!b->options->force_compression || has_compression(b, &type))) return SW_OK;
    struct sw_digest key = key_of(s, l, clamp);
    struct sw_blayer made;
    code = !sw_may_recall(s, &key) ? SW_NOT_FOUND
                                   : sw_layer_recall(b, &key, false, &made, &empty, err);
    if (!code && made.has_blob) {
        made.identity = l->identity;
        *l = made;
        return SW_OK;
    }
    if (code && code != SW_NOT_FOUND) return code;
    made = (struct sw_blayer){.identity = l->identity, .has_key = true};
    memcpy(made.key, key.bytes, sizeof made.key);
    unsigned step = sw_progress_step(b->tools->progress, SW_STR("rewriting a layer of the base"));
    sw_progress_start(b->tools->progress, step);
    code = recode(b, l, clamp, &made, err);
    if (!code) code = sw_layer_record(b, &made, false, err);
    if (!code) sw_made(s, &key);
    sw_step_end(s, step, false, code ? err : NULL);
    if (code) return sw_context(err, "rewriting a layer of the base");
    *l = made;
    return SW_OK;
}

enum sw_code sw_recode_layers(struct sw_stage *s, struct sw_error *err) {
    const struct sw_build_options *o = s->build->options;
    enum sw_code code = SW_OK;
    if (o->skip_layers || (!o->force_compression && !o->rewrite_times)) return SW_OK;
    for (size_t i = 0; i < s->layers.len && !code; i++)
        if (s->layers.ptr[i].has_blob && !s->layers.ptr[i].has_key)
            code = recode_layer(s, &s->layers.ptr[i], err);
    return code;
}
