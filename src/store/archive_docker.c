#include "store/archive_docker.h"

#include <errno.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "codec/compress.h"
#include "oci/config.h"

#define STEP ((size_t)256 << 10)

enum sw_code sw_archive_docker_read(struct sw_archive_source *src, struct sw_arena *a,
                                    struct sw_docker_archive *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX + 1);
    *ret = (struct sw_docker_archive){0};
    if (!sw_archive_source_has(src, SW_STR(SW_DOCKER_ARCHIVE_MANIFEST))) return SW_OK;
    enum sw_code code = sw_archive_source_read(src, SW_STR(SW_DOCKER_ARCHIVE_MANIFEST),
                                               SW_OCI_DOCUMENT_MAX, &text, err);
    if (!code) code = sw_docker_archive_parse(a, sw_arena_str(a, sw_buf_str(&text)), ret, err);
    return code ? sw_context(err, "manifest.json") : SW_OK;
}

static enum sw_code hash_range(int fd, uint64_t offset, uint64_t size, struct sw_digest *ret,
                               struct sw_error *err) {
    SW_FREE char *block = sw_malloc(STEP);
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    for (uint64_t done = 0; done < size;) {
        size_t want = size - done < STEP ? (size_t)(size - done) : STEP;
        ssize_t n = sw_sys_pread(fd, block, want, (off_t)(offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "read a layer");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "a layer ends early");
        sw_hasher_add(&h, block, (size_t)n);
        done += (uint64_t)n;
        enum sw_code code = sw_cancel_check(err);
        if (code) return code;
    }
    *ret = sw_hasher_finish(&h);
    return SW_OK;
}

static enum sw_code describe_layer(struct sw_archive_source *src, struct sw_str path,
                                   const struct sw_digest *diff_id, struct sw_descriptor *ret,
                                   struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t offset, size;
    unsigned char magic[SW_COMPRESS_MAGIC_SIZE];
    enum sw_code code = sw_archive_source_locate(src, path, &fd, &offset, &size, err);
    if (code) return code;
    ssize_t got = sw_sys_pread(fd, magic, size < sizeof magic ? size : sizeof magic, (off_t)offset);
    if (got < 0) return sw_fail_sys(err, errno, "read %.*s", SW_ARG(path));
    enum sw_compression kind = sw_compression_detect(magic, (size_t)got);
    if (kind == SW_COMPRESS_XZ || kind == SW_COMPRESS_BZIP2)
        return sw_fail(err, SW_UNSUPPORTED, "%.*s: a layer compressed with %s", SW_ARG(path),
                       sw_compression_name(kind));
    *ret = (struct sw_descriptor){.digest = *diff_id, .size = (int64_t)size};
    if (kind != SW_COMPRESS_NONE) code = hash_range(fd, offset, size, &ret->digest, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(path));
    ret->media_type = sw_str(sw_media_type_layer(kind == SW_COMPRESS_GZIP   ? SW_LAYER_GZIP
                                                 : kind == SW_COMPRESS_ZSTD ? SW_LAYER_ZSTD
                                                                            : SW_LAYER_PLAIN,
                                                 false));
    return SW_OK;
}

enum sw_code sw_archive_docker_describe(struct sw_archive_source *src, struct sw_arena *a,
                                        const struct sw_docker_image *image,
                                        struct sw_archive_docker *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_image_config config;
    struct sw_archive_docker d = {.manifest.media_type = SW_STR(SW_MT_OCI_MANIFEST)};
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX + 1);
    enum sw_code code = sw_archive_source_read(src, image->config, SW_OCI_DOCUMENT_MAX, &text, err);
    if (!code) code = sw_image_config_parse(a, sw_buf_str(&text), &config, err);
    if (code) return code;
    if (config.n_diff_ids != image->layers.len)
        return sw_fail(err, SW_CORRUPT, "%.*s names %zu layers, manifest.json %zu",
                       SW_ARG(image->config), config.n_diff_ids, image->layers.len);
    d.config = sw_arena_str(a, sw_buf_str(&text));
    d.manifest.config = sw_descriptor_of(SW_MT_OCI_CONFIG, d.config);
    for (size_t i = 0; i < image->layers.len; i++) {
        struct sw_descriptor layer;
        code = describe_layer(src, image->layers.ptr[i], &config.diff_ids[i], &layer, err);
        if (code) return code;
        sw_manifest_add_layer(a, &d.manifest, &layer);
    }
    sw_buf_reset(&text);
    sw_manifest_write(&text, &d.manifest);
    d.manifest_bytes = sw_arena_str(a, sw_buf_str(&text));
    d.target = sw_descriptor_of(SW_MT_OCI_MANIFEST, d.manifest_bytes);
    *ret = d;
    return SW_OK;
}
