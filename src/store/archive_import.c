#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "codec/compress.h"
#include "codec/tar_reader.h"
#include "store/archive.h"
#include "store/layer_stream.h"
#include "store/store_internal.h"

#define COPY_STEP ((size_t)256 << 10)

/* The archive as a blob, byte for byte. */
static enum sw_code take_in(struct sw_store *store, int fd, struct sw_descriptor *ret,
                            struct sw_error *err) {
    SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
    SW_FREE char *block = sw_malloc(COPY_STEP);
    uint64_t size = 0;
    size_t n_magic = 0;
    unsigned char magic[SW_COMPRESS_MAGIC_SIZE];
    enum sw_code code = sw_blob_begin(store, true, &w, err);
    while (!code) {
        ssize_t n = sw_sys_read(fd, block, COPY_STEP);
        if (n < 0) return sw_fail_sys(err, errno, "read the archive");
        if (n == 0) break;
        for (ssize_t i = 0; i < n && n_magic < sizeof magic; i++)
            magic[n_magic++] = (unsigned char)block[i];
        code = sw_blob_write(&w, block, (size_t)n, err);
        if (!code) code = sw_cancel_check(err);
    }
    if (!code) code = sw_blob_commit(&w, NULL, SW_BLOB_SIZE_UNKNOWN, &ret->digest, &size, err);
    if (code) return code;
    enum sw_compression kind = sw_compression_detect(magic, n_magic);
    ret->size = (int64_t)size;
    ret->media_type = sw_str(sw_media_type_layer(kind == SW_COMPRESS_GZIP   ? SW_LAYER_GZIP
                                                 : kind == SW_COMPRESS_ZSTD ? SW_LAYER_ZSTD
                                                                            : SW_LAYER_PLAIN,
                                                 false));
    return SW_OK;
}

/* Reads it once, as unpacking will: a damaged archive is refused now. */
static enum sw_code examine(struct sw_store *store, const struct sw_digest *blob,
                            struct sw_digest *ret_diff_id, struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_blob_open(store, blob, &fd, NULL, err);
    if (code) return code;
    struct sw_layer_stream_options options = {.threaded = true};
    SW_LAYER_STREAM struct sw_layer_stream *stream = sw_layer_stream_new(fd, &options);
    SW_TAR_READER struct sw_tar_reader r;
    SW_BUF struct sw_buf scratch;
    sw_buf_init(&scratch, 8192);
    sw_tar_reader_init(&r, sw_layer_stream_source(stream), NULL);
    const struct sw_tar_entry *e = NULL;
    uint64_t n = 0;
    do {
        struct sw_str path;
        code = sw_tar_next(&r, &e, err);
        if (!code && e) code = sw_tar_clean_path(e->path, &scratch, &path, err);
        if (!code && e) n++;
    } while (!code && e);
    if (!code && n == 0) code = sw_fail(err, SW_SYNTAX, "the archive has no entries");
    if (!code) code = sw_layer_stream_finish(stream, ret_diff_id, NULL, err);
    return code;
}

enum sw_code sw_archive_import(struct sw_store *store, struct sw_arena *a, int fd,
                               const struct sw_import_options *options, struct sw_descriptor *ret,
                               struct sw_error *err) {
    struct sw_descriptor layer = {0};
    struct sw_digest diff_id;
    enum sw_code code = take_in(store, fd, &layer, err);
    if (!code) code = examine(store, &layer.digest, &diff_id, err);
    if (code) return sw_context(err, "importing a root filesystem");
    struct sw_image_config config = sw_image_config_copy(a, &options->config);
    struct sw_history step = {
        .created = config.created,
        .created_by = options->created_by.len ? options->created_by : SW_STR("slipway import"),
        .comment = options->message,
    };
    sw_image_config_add_step(a, &config, &step, &diff_id);
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX);
    sw_image_config_write(&text, &config);
    struct sw_manifest m = {.media_type = SW_STR(SW_MT_OCI_MANIFEST)};
    m.config = sw_descriptor_of(SW_MT_OCI_CONFIG, sw_buf_str(&text));
    sw_manifest_add_layer(a, &m, &layer);
    code = sw_blob_put(store, sw_buf_str(&text), NULL, err);
    sw_buf_reset(&text);
    sw_manifest_write(&text, &m);
    if (!code) code = sw_blob_put(store, sw_buf_str(&text), NULL, err);
    if (code) return sw_context(err, "importing a root filesystem");
    *ret = sw_descriptor_of(SW_MT_OCI_MANIFEST, sw_buf_str(&text));
    return SW_OK;
}
