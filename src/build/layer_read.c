#include "build/layer_read.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/blob.h"
#include "store/layer_stream.h"

struct sw_layer_reader {
    int fd;                         /* owned */
    struct sw_layer_stream *stream; /* owned; reads fd */
};

enum sw_code sw_layer_reader_open(struct sw_store *store, const struct sw_digest *blob,
                                  struct sw_layer_reader **ret, struct sw_error *err) {
    static const struct sw_layer_stream_options options;
    int fd = -1;
    enum sw_code code = sw_blob_open(store, blob, &fd, NULL, err);
    if (code) return code;
    struct sw_layer_reader *r = sw_calloc(1, sizeof *r);
    r->fd = fd;
    r->stream = sw_layer_stream_new(fd, &options);
    *ret = r;
    return SW_OK;
}

void sw_layer_reader_free(struct sw_layer_reader *r) {
    if (!r) return;
    sw_layer_stream_free(r->stream);
    sw_closep(&r->fd);
    free(r);
}

void sw_layer_reader_freep(struct sw_layer_reader **r) { sw_layer_reader_free(*r); }

enum sw_code sw_layer_reader_next(struct sw_layer_reader *r, struct sw_str *ret,
                                  struct sw_error *err) {
    return sw_layer_stream_next(r->stream, ret, err);
}

struct sw_tar_source sw_layer_reader_source(struct sw_layer_reader *r) {
    return sw_layer_stream_source(r->stream);
}
