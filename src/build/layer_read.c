#include "build/layer_read.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "store/blob.h"

#define READ_SIZE ((size_t)256 << 10)
#define ARCHIVE_MAX ((uint64_t)256 << 30)

struct sw_layer_reader {
    int fd; /* owned */
    struct sw_decompressor *d;
    uint8_t *in, *out; /* READ_SIZE each */
    struct sw_codec_io io;
};

enum sw_code sw_layer_reader_open(struct sw_store *store, const struct sw_digest *blob,
                                  struct sw_layer_reader **ret, struct sw_error *err) {
    int fd = -1;
    enum sw_code code = sw_blob_open(store, blob, &fd, NULL, err);
    if (code) return code;
    struct sw_layer_reader *r = sw_calloc(1, sizeof *r);
    r->fd = fd;
    r->d = sw_decompressor_new(ARCHIVE_MAX);
    r->in = sw_malloc(READ_SIZE);
    r->out = sw_malloc(READ_SIZE);
    *ret = r;
    return SW_OK;
}

void sw_layer_reader_free(struct sw_layer_reader *r) {
    if (!r) return;
    sw_closep(&r->fd);
    sw_decompressor_free(r->d);
    free(r->in);
    free(r->out);
    free(r);
}

void sw_layer_reader_freep(struct sw_layer_reader **r) { sw_layer_reader_free(*r); }

enum sw_code sw_layer_reader_next(struct sw_layer_reader *r, struct sw_str *ret,
                                  struct sw_error *err) {
    r->io.out = r->out;
    r->io.out_len = READ_SIZE;
    while (!r->io.done && r->io.out_len == READ_SIZE) {
        if (!r->io.in_len && !r->io.last) {
            ssize_t n = read(r->fd, r->in, READ_SIZE);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return sw_fail_sys(err, errno, "read a layer");
            r->io.in = r->in;
            r->io.in_len = (size_t)n;
            r->io.last = n == 0;
        }
        enum sw_code code = sw_decompress(r->d, &r->io, err);
        if (code) return code;
    }
    *ret = sw_str_n((char *)r->out, READ_SIZE - r->io.out_len);
    return SW_OK;
}

static enum sw_code next(void *ctx, struct sw_str *ret, struct sw_error *err) {
    return sw_layer_reader_next(ctx, ret, err);
}

struct sw_tar_source sw_layer_reader_source(struct sw_layer_reader *r) {
    return (struct sw_tar_source){next, r};
}
