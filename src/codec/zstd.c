#include "codec/zstd.h"

#include <assert.h>
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"

struct sw_zstd {
    ZSTD_CCtx *context; /* owned */
};

struct sw_unzstd {
    ZSTD_DCtx *context; /* owned */
    uint64_t left, allowed;
    size_t hint;      /* 0: between frames */
    bool any, failed; /* any: a frame began */
    bool has_pending; /* a byte that came out while the caller had no room */
    uint8_t pending;
};

const char *sw_zstd_version(void) { return ZSTD_versionString(); }

/* Parameters within their bounds are accepted; anything else is our bug. */
static void set(ZSTD_CCtx *context, ZSTD_cParameter parameter, int value) {
    size_t status = ZSTD_CCtx_setParameter(context, parameter, value);
    assert(!ZSTD_isError(status));
    (void)status;
}

struct sw_zstd *sw_zstd_new(int level) {
    struct sw_zstd *z = sw_calloc(1, sizeof(*z));
    z->context = ZSTD_createCCtx();
    if (!z->context) abort();
    if (level < SW_ZSTD_LEVEL_MIN) level = SW_ZSTD_LEVEL_MIN;
    if (level > SW_ZSTD_LEVEL_MAX) level = SW_ZSTD_LEVEL_MAX;
    set(z->context, ZSTD_c_compressionLevel, level);
    set(z->context, ZSTD_c_checksumFlag, 1);
    set(z->context, ZSTD_c_contentSizeFlag, 1);
    return z;
}

void sw_zstd_free(struct sw_zstd *z) {
    if (!z) return;
    ZSTD_freeCCtx(z->context);
    free(z);
}

void sw_zstd_freep(struct sw_zstd **z) { sw_zstd_free(*z); }

size_t sw_zstd_block_bound(size_t len) { return ZSTD_compressBound(len); }

size_t sw_zstd_block(struct sw_zstd *z, const void *in, size_t len, uint8_t *out, size_t out_len) {
    assert(len <= SW_ZSTD_BLOCK_SIZE && out_len >= sw_zstd_block_bound(len));
    size_t n = ZSTD_compress2(z->context, out, out_len, in, len);
    /* With room for the bound, only exhausted memory is left as a reason. */
    if (ZSTD_isError(n)) abort();
    return n;
}

struct sw_unzstd *sw_unzstd_new(uint64_t max_output) {
    struct sw_unzstd *u = sw_calloc(1, sizeof(*u));
    u->context = ZSTD_createDCtx();
    if (!u->context) abort();
    size_t status = ZSTD_DCtx_setParameter(u->context, ZSTD_d_windowLogMax, SW_ZSTD_WINDOW_LOG_MAX);
    assert(!ZSTD_isError(status));
    (void)status;
    sw_unzstd_reset(u, max_output);
    return u;
}

void sw_unzstd_free(struct sw_unzstd *u) {
    if (!u) return;
    ZSTD_freeDCtx(u->context);
    free(u);
}

void sw_unzstd_freep(struct sw_unzstd **u) { sw_unzstd_free(*u); }

void sw_unzstd_reset(struct sw_unzstd *u, uint64_t max_output) {
    (void)ZSTD_DCtx_reset(u->context, ZSTD_reset_session_only);
    *u = (struct sw_unzstd){.context = u->context, .left = max_output, .allowed = max_output};
}

/* One call of the library. As in gzip_read.c, one byte of ours takes what comes out when there is
 * no room, so that the end of a frame and a byte too many are both noticed. */
static enum sw_code step(struct sw_unzstd *u, struct sw_codec_io *io, struct sw_error *err) {
    uint8_t spare;
    bool use_spare = io->out_len == 0 || u->left == 0;
    ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
    ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
    if (use_spare)
        out = (ZSTD_outBuffer){.dst = &spare, .size = 1};
    else if (out.size > u->left)
        out.size = (size_t)u->left;
    /* Between frames the library would wait for more input, and report a hint for a new frame. */
    if (u->hint == 0 && in.size == 0) return SW_OK;
    size_t hint = ZSTD_decompressStream(u->context, &out, &in);
    if (ZSTD_isError(hint)) {
        bool memory = ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge;
        return sw_fail(err, memory ? SW_LIMIT : SW_CORRUPT, "malformed zstd data: %s",
                       ZSTD_getErrorName(hint));
    }
    u->any = true;
    u->hint = hint;
    io->in += in.pos;
    io->in_len -= in.pos;
    if (out.pos > u->left)
        return sw_fail(err, SW_LIMIT, "decompressed data is larger than %llu bytes",
                       (unsigned long long)u->allowed);
    u->left -= out.pos;
    if (use_spare && out.pos) {
        u->has_pending = true;
        u->pending = spare;
    } else if (!use_spare) {
        io->out += out.pos;
        io->out_len -= out.pos;
    }
    return SW_OK;
}

enum sw_code sw_unzstd_run(struct sw_unzstd *u, struct sw_codec_io *io, struct sw_error *err) {
    if (u->failed) return sw_fail(err, SW_CORRUPT, "zstd stream failed before");
    bool progress = true;
    while (progress) {
        if (u->has_pending) {
            if (io->out_len == 0) return SW_OK;
            *io->out++ = u->pending;
            io->out_len--;
            u->has_pending = false;
        }
        size_t in_len = io->in_len, out_len = io->out_len;
        if (step(u, io, err)) {
            u->failed = true;
            return err->code;
        }
        progress = io->in_len != in_len || io->out_len != out_len || u->has_pending;
    }
    if (io->in_len || !io->last) return SW_OK;
    if (u->any && u->hint == 0) {
        io->done = true;
        return SW_OK;
    }
    u->failed = true;
    return sw_fail(err, SW_CORRUPT, "zstd stream is cut short");
}
