#include <limits.h>

#include <zlib.h>

#include "base/mem.h"
#include "codec/gzip_internal.h"

struct inflater {
    z_stream z;
};

static voidpf allocate(voidpf opaque, uInt n, uInt size) { return sw_calloc(n, size); }

static void release(voidpf opaque, voidpf p) { sw_freep(&p); }

struct inflater *sw_inflater_new(void) {
    struct inflater *i = sw_calloc(1, sizeof(*i));
    i->z.zalloc = allocate;
    i->z.zfree = release;
    /* Fails for wrong parameters or lack of memory only, and allocate() never lacks any. */
    (void)inflateInit2(&i->z, -MAX_WBITS);
    return i;
}

void sw_inflater_free(struct inflater *i) {
    if (!i) return;
    inflateEnd(&i->z);
    sw_freep(&i);
}

void sw_inflater_reset(struct inflater *i) { inflateReset(&i->z); }

enum inflate_status sw_inflater_run(struct inflater *i, struct sw_codec_io *io) {
    static const uint8_t nothing[1];
    z_stream *z = &i->z;
    uInt in_len = io->in_len < UINT_MAX ? (uInt)io->in_len : UINT_MAX;
    uInt out_len = io->out_len < UINT_MAX ? (uInt)io->out_len : UINT_MAX;
    z->next_in = (z_const Bytef *)(in_len ? io->in : nothing);
    z->avail_in = in_len;
    z->next_out = io->out;
    z->avail_out = out_len;
    int status = inflate(z, Z_NO_FLUSH);
    io->in += in_len - z->avail_in;
    io->in_len -= in_len - z->avail_in;
    io->out += out_len - z->avail_out;
    io->out_len -= out_len - z->avail_out;
    if (status == Z_STREAM_END) return INFLATE_END;
    return status == Z_OK || status == Z_BUF_ERROR ? INFLATE_MORE : INFLATE_BAD;
}

size_t sw_inflater_surplus(struct inflater *i, uint8_t bytes[8]) { return 0; }
