#include "codec/compress.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "codec/zstd.h"

/* "none" has blocks too, so that a pipeline needs no second path. */
#define PLAIN_BLOCK_SIZE ((size_t)1 << 20)

struct sw_compress_worker {
    enum sw_compression kind;
    struct sw_deflate *deflate; /* owned; gzip only */
    struct sw_zstd *zstd;       /* owned; zstd only */
};

struct sw_decompressor {
    bool known; /* kind was decided */
    enum sw_compression kind;
    uint8_t head[SW_COMPRESS_MAGIC_SIZE]; /* held back until the kind is known, then read first */
    size_t head_pos, head_len;
    uint64_t left, allowed;   /* bytes that may come out; of uncompressed streams */
    struct sw_gunzip *gunzip; /* owned, NULL until needed */
    struct sw_unzstd *unzstd; /* owned, NULL until needed */
};

static const char *const names[] = {
    [SW_COMPRESS_NONE] = "none", [SW_COMPRESS_GZIP] = "gzip",   [SW_COMPRESS_ZSTD] = "zstd",
    [SW_COMPRESS_XZ] = "xz",     [SW_COMPRESS_BZIP2] = "bzip2",
};

const char *sw_compression_name(enum sw_compression kind) { return names[kind]; }

bool sw_compression_parse(struct sw_str name, enum sw_compression *ret) {
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!sw_str_is(name, names[i])) continue;
        *ret = (enum sw_compression)i;
        return true;
    }
    return false;
}

enum sw_compression sw_compression_detect(const void *bytes, size_t len) {
    const uint8_t *b = bytes;
    if (len >= 2 && b[0] == 0x1f && b[1] == 0x8b) return SW_COMPRESS_GZIP;
    if (len >= 3 && memcmp(b, "BZh", 3) == 0) return SW_COMPRESS_BZIP2;
    if (len >= 4 && memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0) return SW_COMPRESS_ZSTD;
    /* A skippable frame may come first (RFC 8878 3.1.2). */
    if (len >= 4 && (b[0] & 0xf0) == 0x50 && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
        return SW_COMPRESS_ZSTD;
    if (len >= 6 && memcmp(b, "\xfd\x37\x7a\x58\x5a\x00", 6) == 0) return SW_COMPRESS_XZ;
    return SW_COMPRESS_NONE;
}

/* ---- writing ---- */

static enum sw_code refuse_kind(enum sw_compression kind, struct sw_error *err) {
    return sw_fail(err, SW_UNSUPPORTED,
                   "%s compression is not supported for layers; use gzip or zstd",
                   sw_compression_name(kind));
}

static enum sw_code check_level(enum sw_compression kind, int level, int min, int max,
                                struct sw_error *err) {
    if (level >= min && level <= max) return SW_OK;
    return sw_fail(err, SW_USAGE, "%s level %d is not in %d to %d", sw_compression_name(kind),
                   level, min, max);
}

enum sw_code sw_compressor_init(struct sw_compressor *ret, enum sw_compression kind, int level,
                                struct sw_error *err) {
    struct sw_compressor c = {.kind = kind, .level = level};
    switch (kind) {
    case SW_COMPRESS_NONE:
        c.level = 0;
        c.block_size = PLAIN_BLOCK_SIZE;
        snprintf(c.tag, sizeof(c.tag), "none");
        break;
    case SW_COMPRESS_GZIP:
        if (level == SW_COMPRESS_LEVEL_DEFAULT) c.level = SW_DEFLATE_LEVEL_DEFAULT;
        if (check_level(kind, c.level, 0, SW_DEFLATE_LEVEL_MAX, err)) return err->code;
        c.block_size = SW_GZIP_BLOCK_SIZE;
        snprintf(c.tag, sizeof(c.tag), "gzip/%d.%d/l%d/b%zu", SW_GZIP_FORMAT, SW_DEFLATE_FORMAT,
                 c.level, c.block_size);
        break;
    case SW_COMPRESS_ZSTD:
        if (level == SW_COMPRESS_LEVEL_DEFAULT) c.level = SW_ZSTD_LEVEL_DEFAULT;
        if (check_level(kind, c.level, SW_ZSTD_LEVEL_MIN, SW_ZSTD_LEVEL_MAX, err)) return err->code;
        c.block_size = SW_ZSTD_BLOCK_SIZE;
        snprintf(c.tag, sizeof(c.tag), "zstd/%d/l%d/b%zu/libzstd-%s", SW_ZSTD_FORMAT, c.level,
                 c.block_size, sw_zstd_version());
        break;
    case SW_COMPRESS_XZ:
    case SW_COMPRESS_BZIP2:
        return refuse_kind(kind, err);
    }
    *ret = c;
    return SW_OK;
}

size_t sw_compress_bound(const struct sw_compressor *c, size_t len) {
    if (c->kind == SW_COMPRESS_GZIP) return sw_gzip_block_bound(len);
    if (c->kind == SW_COMPRESS_ZSTD) return sw_zstd_block_bound(len);
    return len;
}

struct sw_compress_worker *sw_compress_worker_new(const struct sw_compressor *c) {
    struct sw_compress_worker *w = sw_calloc(1, sizeof(*w));
    w->kind = c->kind;
    if (c->kind == SW_COMPRESS_GZIP) w->deflate = sw_deflate_new(c->level);
    if (c->kind == SW_COMPRESS_ZSTD) w->zstd = sw_zstd_new(c->level);
    return w;
}

void sw_compress_worker_free(struct sw_compress_worker *w) {
    if (!w) return;
    sw_deflate_free(w->deflate);
    sw_zstd_free(w->zstd);
    sw_freep(&w);
}

void sw_compress_worker_freep(struct sw_compress_worker **w) { sw_compress_worker_free(*w); }

struct sw_compress_part sw_compress_block(struct sw_compress_worker *w, const void *in, size_t len,
                                          uint8_t *out, size_t out_len) {
    struct sw_compress_part part = {.sum.len = len};
    if (w->kind == SW_COMPRESS_GZIP) {
        part.len = sw_gzip_block(w->deflate, in, len, out, out_len, &part.sum);
    } else if (w->kind == SW_COMPRESS_ZSTD) {
        part.len = sw_zstd_block(w->zstd, in, len, out, out_len);
    } else {
        assert(len <= out_len);
        if (len) memcpy(out, in, len);
        part.len = len;
    }
    return part;
}

size_t sw_compress_header(const struct sw_compressor *c, uint8_t *out) {
    if (c->kind != SW_COMPRESS_GZIP) return 0;
    sw_gzip_header(c->level, out);
    return SW_GZIP_HEADER_SIZE;
}

size_t sw_compress_trailer(const struct sw_compressor *c, struct sw_gzip_sum sum, uint8_t *out) {
    if (c->kind == SW_COMPRESS_GZIP) {
        sw_gzip_finish(sum, out);
        return SW_GZIP_TRAILER_SIZE;
    }
    if (c->kind == SW_COMPRESS_ZSTD && sum.len == 0) {
        /* No block, no frame: but no bytes at all are not a zstd stream. Magic, an empty frame of
         * a single segment with checksum (RFC 8878 3.1.1), an empty last block, XXH64 of nothing.
         */
        static const uint8_t empty[] = {0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x00, 0x01,
                                        0x00, 0x00, 0x99, 0xe9, 0xd8, 0x51};
        memcpy(out, empty, sizeof(empty));
        return sizeof(empty);
    }
    return 0;
}

/* ---- reading ---- */

struct sw_decompressor *sw_decompressor_new(uint64_t max_output) {
    struct sw_decompressor *d = sw_calloc(1, sizeof(*d));
    d->left = d->allowed = max_output;
    return d;
}

void sw_decompressor_free(struct sw_decompressor *d) {
    if (!d) return;
    sw_gunzip_free(d->gunzip);
    sw_unzstd_free(d->unzstd);
    sw_freep(&d);
}

void sw_decompressor_freep(struct sw_decompressor **d) { sw_decompressor_free(*d); }

enum sw_compression sw_decompressor_kind(const struct sw_decompressor *d) { return d->kind; }

static enum sw_code pass_through(struct sw_decompressor *d, struct sw_codec_io *io,
                                 struct sw_error *err) {
    size_t n = io->in_len < io->out_len ? io->in_len : io->out_len;
    if (io->in_len > d->left)
        return sw_fail(err, SW_LIMIT, "data is larger than %llu bytes",
                       (unsigned long long)d->allowed);
    if (n) memcpy(io->out, io->in, n);
    io->in += n;
    io->in_len -= n;
    io->out += n;
    io->out_len -= n;
    d->left -= n;
    if (io->in_len == 0 && io->last) io->done = true;
    return SW_OK;
}

static enum sw_code run_kind(struct sw_decompressor *d, struct sw_codec_io *io,
                             struct sw_error *err) {
    if (d->gunzip) return sw_gunzip_run(d->gunzip, io, err);
    if (d->unzstd) return sw_unzstd_run(d->unzstd, io, err);
    return pass_through(d, io, err);
}

/* Moves first bytes into head; true once the kind is known. */
static bool find_kind(struct sw_decompressor *d, struct sw_codec_io *io) {
    while (io->in_len && d->head_len < sizeof(d->head)) {
        d->head[d->head_len++] = *io->in++;
        io->in_len--;
    }
    if (d->head_len < sizeof(d->head) && !io->last) return false;
    d->kind = sw_compression_detect(d->head, d->head_len);
    if (d->kind == SW_COMPRESS_GZIP) d->gunzip = sw_gunzip_new(d->allowed);
    if (d->kind == SW_COMPRESS_ZSTD) d->unzstd = sw_unzstd_new(d->allowed);
    return true;
}

enum sw_code sw_decompress(struct sw_decompressor *d, struct sw_codec_io *io,
                           struct sw_error *err) {
    if (!d->known && !(d->known = find_kind(d, io))) return SW_OK;
    if (d->kind == SW_COMPRESS_XZ || d->kind == SW_COMPRESS_BZIP2)
        return sw_fail(err, SW_UNSUPPORTED, "reading %s-compressed layers is not supported",
                       sw_compression_name(d->kind));
    if (d->head_pos < d->head_len) {
        struct sw_codec_io head = {.in = d->head + d->head_pos,
                                   .in_len = d->head_len - d->head_pos,
                                   .out = io->out,
                                   .out_len = io->out_len,
                                   .last = io->last && io->in_len == 0};
        enum sw_code code = run_kind(d, &head, err);
        d->head_pos = d->head_len - head.in_len;
        io->out = head.out;
        io->out_len = head.out_len;
        io->done = head.done;
        if (code || io->done || head.in_len) return code;
    }
    return run_kind(d, io, err);
}
