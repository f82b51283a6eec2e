#include "scan/origin_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "codec/compress.h"
#include "codec/tar_reader.h"
#include "oci/image_layout.h"
#include "oci/limits.h"
#include "scan/read.h"
#include "store/blob.h"

struct extent {
    uint64_t offset, size;
};

void origin_done(struct origin *p) {
    sw_closep(&p->dir);
    sw_closep(&p->tar);
    sw_map_done(&p->files);
}

enum sw_code origin_open_path(struct origin *p, struct sw_str path, struct blob *ret,
                              struct sw_error *err) {
    struct stat st;
    if (p->tar >= 0) {
        const struct extent *e = sw_map_get(&p->files, path);
        if (!e) return sw_fail(err, SW_NOT_FOUND, "the archive has no %.*s", SW_ARG(path));
        int fd = fcntl(p->tar, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) return sw_fail_sys(err, errno, "opening the archive");
        *ret = (struct blob){fd, e->offset, e->size, NULL};
        return SW_OK;
    }
    int fd;
    SW_FREE char *name = sw_strndup(path.ptr, path.len);
    enum sw_code code = sw_open_beneath(p->dir, name, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return sw_fail(err, SW_CORRUPT, "%.*s is not a file", SW_ARG(path));
    }
    *ret = (struct blob){fd, 0, (uint64_t)st.st_size, NULL};
    return SW_OK;
}

enum sw_code origin_open_blob(struct origin *p, const struct sw_digest *digest, uint64_t size,
                              struct blob *ret, struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    if (p->remote) return origin_remote_open(p, digest, size, ret, err);
    if (p->store) {
        struct blob b = {.fd = -1};
        enum sw_code code = sw_blob_open(p->store, digest, &b.fd, &b.size, err);
        if (!code) *ret = b;
        return code;
    }
    return origin_open_path(p, sw_layout_blob_path(digest, path), ret, err);
}

enum sw_code blob_close(struct blob *b, enum sw_code so_far, struct sw_error *err) {
    if (b->download) return origin_remote_close(b, so_far, err);
    sw_closep(&b->fd);
    return so_far;
}

enum sw_code origin_document(struct origin *p, struct sw_str path, const struct sw_descriptor *d,
                             struct sw_str *ret, struct sw_error *err) {
    struct blob b = {.fd = -1};
    if (p->remote) return origin_remote_document(p, d, ret, err);
    enum sw_code code = path.len ? origin_open_path(p, path, &b, err)
                                 : origin_open_blob(p, &d->digest, d->size, &b, err);
    if (code) return code;
    if (b.size > SW_OCI_DOCUMENT_MAX)
        code = sw_fail(err, SW_LIMIT, "a document of %llu bytes", (unsigned long long)b.size);
    if (!code) {
        struct sw_scan_file file = {b.fd, b.offset};
        struct sw_source source = sw_scan_file_source(&file, b.size);
        char *to = sw_arena_alloc(p->a, (size_t)b.size + 1);
        code = sw_source_read(&source, 0, to, (size_t)b.size, err);
        *ret = sw_str_n(to, (size_t)b.size);
    }
    code = blob_close(&b, code, err);
    if (!code && d && sw_digest_is_set(&d->digest)) {
        struct sw_digest is = sw_digest_of((enum sw_digest_alg)d->digest.alg, *ret);
        if (!sw_digest_eq(&is, &d->digest))
            code = sw_fail(err, SW_CORRUPT, "a document does not match its digest");
    }
    return code;
}

enum sw_code origin_manifest(struct origin *p, const struct sw_descriptor *d, struct sw_str *ret,
                             struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_descriptor is;
    if (!p->remote) return origin_document(p, SW_STR(""), d, ret, err);
    if (sw_digest_is_set(&p->known) && sw_digest_eq(&p->known, &d->digest)) {
        *ret = p->known_bytes;
        return SW_OK;
    }
    return sw_remote_manifest_get(p->remote, p->a, p->repo, sw_digest_format(&d->digest, text), &is,
                                  ret, err);
}

/* --- archives -------------------------------------------------------------------------------- */

struct tar_stream {
    int fd;
    uint64_t start, offset; /* of the chunk, and behind it */
    char chunk[256 << 10];
};

static enum sw_code tar_chunk(void *context, struct sw_str *ret, struct sw_error *err) {
    struct tar_stream *s = context;
    ssize_t n = sw_sys_pread(s->fd, s->chunk, sizeof s->chunk, (off_t)s->offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading the archive");
    s->start = s->offset;
    s->offset += (uint64_t)n;
    *ret = sw_str_n(s->chunk, (size_t)n);
    return SW_OK;
}

/* Unpacks a compressed archive into a file of its own, so that it can be read at random. */
static enum sw_code inflate(int *fd, const char *temp_dir, struct sw_error *err) {
    enum { CHUNK = 256 << 10 };
    uint8_t magic[SW_COMPRESS_MAGIC_SIZE];
    ssize_t n = sw_sys_pread(*fd, magic, sizeof magic, 0);
    if (n < 0) return sw_fail_sys(err, errno, "reading the archive");
    if (sw_compression_detect(magic, (size_t)n) == SW_COMPRESS_NONE) return SW_OK;
    SW_FD int to = open(temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (to < 0) return sw_fail_sys(err, errno, "making a file in %s", temp_dir);
    SW_FREE uint8_t *in = sw_malloc(CHUNK), *out = sw_malloc(CHUNK);
    struct sw_decompressor *d = sw_decompressor_new(SW_SCAN_LAYER_BYTES_MAX);
    struct sw_codec_io io = {0};
    enum sw_code code = SW_OK;
    off_t at = 0;
    while (!code && !io.done) {
        if (io.in_len == 0 && !io.last) {
            n = sw_sys_pread(*fd, in, CHUNK, at);
            if (n < 0)
                code = sw_fail_sys(err, errno, "reading the archive");
            else
                at += n;
            io.in = in;
            io.in_len = n > 0 ? (size_t)n : 0;
            io.last = n == 0;
        }
        io.out = out;
        io.out_len = CHUNK;
        if (!code) code = sw_decompress(d, &io, err);
        if (!code) code = sw_write_full(to, out, CHUNK - io.out_len, err);
    }
    sw_decompressor_free(d);
    if (code) return code;
    close(*fd);
    *fd = sw_take_fd(&to);
    return SW_OK;
}

/* Where an entry's content stands: its first piece is lent out of the chunk at hand. */
static enum sw_code find_content(const struct tar_stream *s, struct sw_tar_reader *r,
                                 const struct sw_tar_entry *entry, struct extent *ret,
                                 struct sw_error *err) {
    struct sw_tar_piece piece;
    ret->size = entry->size;
    if (entry->size == 0) return SW_OK;
    enum sw_code code = sw_tar_read(r, &piece, err);
    if (code) return code;
    uintptr_t at = (uintptr_t)piece.bytes.ptr, chunk = (uintptr_t)s->chunk;
    if (piece.hole || at < chunk || at >= chunk + sizeof s->chunk)
        return sw_fail(err, SW_UNSUPPORTED, "the archive holds %.*s as a sparse file",
                       SW_ARG(entry->path));
    ret->offset = s->start + (at - chunk);
    return SW_OK;
}

/* The places of all files in the archive. Legacy archives link equal layers. */
enum sw_code origin_index_archive(struct origin *p, const char *temp_dir, struct sw_error *err) {
    SW_FREE struct tar_stream *s = sw_calloc(1, sizeof *s);
    enum sw_code code = inflate(&p->tar, temp_dir, err);
    if (code) return code;
    SW_TAR_READER struct sw_tar_reader r;
    SW_BUF struct sw_buf scratch;
    s->fd = p->tar;
    sw_buf_init(&scratch, 0);
    struct sw_tar_source source = {tar_chunk, s};
    struct sw_tar_limits limits = {.entries = 1000000};
    sw_tar_reader_init(&r, source, &limits);
    const struct sw_tar_entry *entry = NULL;
    while (!(code = sw_tar_next(&r, &entry, err)) && entry) {
        struct sw_str path, target;
        code = sw_tar_clean_path(entry->path, &scratch, &path, err);
        if (code) return code;
        path = sw_arena_str(p->a, path);
        if (entry->type == SW_TAR_FILE) {
            struct extent *e = SW_NEW(p->a, struct extent);
            code = find_content(s, &r, entry, e, err);
            if (code) return code;
            sw_map_put(&p->files, path, e);
            continue;
        }
        if (entry->type != SW_TAR_SYMLINK && entry->type != SW_TAR_HARDLINK) continue;
        target = entry->linkname;
        if (sw_str_starts(target, SW_STR("../"))) target = sw_str_from(target, 3);
        code = sw_tar_clean_path(target, &scratch, &target, err);
        if (code) return code;
        void *e = sw_map_get(&p->files, target);
        if (e) sw_map_put(&p->files, path, e);
    }
    if (code) return sw_context(err, "reading the archive");
    return sw_arena_check(p->a, "the archive's list of files", err);
}
