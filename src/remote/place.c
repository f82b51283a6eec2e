#include "remote/place_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "oci/image_layout.h"
#include "store/blob.h"
#include "store/tags.h"

#define INDEX_MAX ((size_t)64 << 20)

struct sw_str place_text(const struct sw_place *p, struct sw_arena *a) {
    if (p->kind == SW_PLACE_REGISTRY) return sw_reference_format(a, &p->ref);
    if (p->kind == SW_PLACE_LAYOUT) return SW_STR("the layout");
    return p->name;
}

/* ---- layouts ---- */

static enum sw_code layout_index(int dir, struct sw_arena *a, struct sw_index *ret,
                                 struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, 0);
    *ret = (struct sw_index){0};
    enum sw_code code = sw_read_file_at(dir, SW_LAYOUT_INDEX, INDEX_MAX, &text, err);
    if (!code)
        code = sw_index_parse(a, sw_arena_str(a, sw_buf_str(&text)), SW_STR(SW_MT_OCI_INDEX), ret,
                              err);
    return code ? sw_context(err, "image layout") : SW_OK;
}

static enum sw_code layout_write_index(int dir, const struct sw_index *index,
                                       struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    sw_buf_init(&text, INDEX_MAX);
    sw_index_write(&text, index);
    enum sw_code code = sw_buf_check(&text, SW_LAYOUT_INDEX, err);
    return code ? code : sw_write_file_at(dir, SW_LAYOUT_INDEX, 0644, sw_buf_str(&text), err);
}

enum sw_code sw_layout_open(const char *path, bool create, int *ret_dir, struct sw_error *err) {
    SW_FD int dir = -1;
    SW_BUF struct sw_buf text = {0};
    struct sw_index empty = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    sw_buf_init(&text, 0);
    enum sw_code code = create ? sw_mkdirs_at(AT_FDCWD, path, 0755, err) : SW_OK;
    if (!code) code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    code = sw_read_file_at(dir, SW_LAYOUT_FILE, 65536, &text, err);
    if (code == SW_NOT_FOUND && create) {
        code = sw_mkdirs_at(dir, "blobs/sha256", 0755, err);
        if (!code) code = layout_write_index(dir, &empty, err);
        sw_buf_reset(&text);
        sw_layout_write(&text);
        if (!code) code = sw_write_file_at(dir, SW_LAYOUT_FILE, 0644, sw_buf_str(&text), err);
    } else if (!code) {
        code = sw_layout_check(sw_buf_str(&text), err);
    }
    if (code) return sw_context(err, "image layout %s", path);
    *ret_dir = sw_take_fd(&dir);
    return SW_OK;
}

static enum sw_code layout_blob_dir(int dir, const struct sw_digest *d, int *ret,
                                    struct sw_error *err) {
    const char *path = d->alg == SW_SHA512 ? "blobs/sha512" : "blobs/sha256";
    enum sw_code code = sw_mkdirs_at(dir, path, 0755, err);
    return code ? code : sw_open_at(dir, path, O_RDONLY | O_DIRECTORY, 0, ret, err);
}

static enum sw_code layout_tag(const struct sw_place *p, struct sw_arena *a,
                               const struct sw_descriptor *d, struct sw_error *err) {
    struct sw_index index;
    struct sw_descriptor entry = *d;
    SW_FD int lock = -1;
    enum sw_code code = sw_lock_file_at(p->dir, ".slipway.lock", true, true, &lock, err);
    if (!code) code = layout_index(p->dir, a, &index, err);
    if (code) return code;
    sw_layout_tag(a, &index, p->name, &entry);
    return layout_write_index(p->dir, &index, err);
}

/* ---- reading ---- */

static enum sw_code file_bytes(const struct sw_place *p, struct sw_arena *a,
                               const struct sw_descriptor *d, struct sw_str *ret,
                               struct sw_error *err) {
    SW_BUF struct sw_buf text = {0};
    char path[SW_LAYOUT_PATH_MAX];
    sw_buf_init(&text, 0);
    enum sw_code code;
    if (p->kind == SW_PLACE_STORE) {
        code = sw_blob_read(p->store, &d->digest, SW_OCI_DOCUMENT_MAX, &text, err);
    } else {
        code = sw_read_file_at(p->dir, sw_layout_blob_path(&d->digest, path).ptr,
                               SW_OCI_DOCUMENT_MAX, &text, err);
        struct sw_digest got = sw_digest_of((enum sw_digest_alg)d->digest.alg, sw_buf_str(&text));
        if (!code && !sw_digest_eq(&got, &d->digest))
            code = sw_fail(err, SW_CORRUPT, "%s does not have its digest", path);
    }
    if (!code) *ret = sw_arena_str(a, sw_buf_str(&text));
    return code;
}

static enum sw_code file_descriptor(const struct sw_place *p, struct sw_arena *a,
                                    struct sw_str reference, struct sw_descriptor *ret,
                                    struct sw_error *err) {
    enum sw_code code;
    if (reference.len) { /* a digest: its type is read from the document */
        *ret = (struct sw_descriptor){0};
        return sw_digest_parse(reference, &ret->digest, err);
    }
    if (p->kind == SW_PLACE_STORE && p->target) {
        *ret = *p->target;
        return SW_OK;
    }
    if (p->kind == SW_PLACE_STORE) {
        struct sw_image image;
        code = sw_tags_resolve(p->store, a, p->name, &image, err);
        if (!code) *ret = image.target;
        return code;
    }
    struct sw_index index;
    const struct sw_descriptor *found = NULL;
    code = layout_index(p->dir, a, &index, err);
    if (!code) code = sw_layout_find(a, &index, p->name, &found, err);
    if (!code) *ret = *found;
    return code;
}

/* A registry's own reference: the digest where there is one. */
static struct sw_str own_reference(const struct sw_place *p, struct sw_arena *a) {
    char text[SW_DIGEST_TEXT_MAX];
    if (sw_digest_is_set(&p->ref.digest))
        return sw_arena_str(a, sw_digest_format(&p->ref.digest, text));
    return p->ref.tag.len ? p->ref.tag : SW_STR("latest");
}

enum sw_code place_manifest(const struct sw_place *p, struct sw_arena *a, struct sw_str reference,
                            struct sw_descriptor *ret, struct sw_str *ret_bytes,
                            struct sw_error *err) {
    enum sw_code code;
    if (p->kind == SW_PLACE_REGISTRY) {
        if (!reference.len) reference = own_reference(p, a);
        code = sw_remote_manifest_get(p->remote, a, sw_repository_of(&p->ref), reference, ret,
                                      ret_bytes, err);
    } else {
        code = file_descriptor(p, a, reference, ret, err);
        if (!code) code = file_bytes(p, a, ret, ret_bytes, err);
        if (!code) ret->size = (int64_t)ret_bytes->len;
    }
    return code;
}

enum sw_code place_has_blob(const struct sw_place *p, const struct sw_digest *d, bool *ret,
                            struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_blob_exists(p->remote, sw_repository_of(&p->ref), d, ret, err);
    if (p->kind == SW_PLACE_STORE)
        *ret = sw_blob_exists(p->store, d, NULL);
    else
        *ret = faccessat(p->dir, sw_layout_blob_path(d, path).ptr, F_OK, 0) == 0;
    return SW_OK;
}

/* ---- from a registry into a file ---- */

struct spool {
    int fd;
    struct sw_hasher hash;
    struct sw_blob_writer *writer; /* the store's, instead of fd */
};

static enum sw_code spool_sink(void *context, const void *bytes, size_t len, struct sw_error *err) {
    struct spool *s = context;
    if (s->writer) return sw_blob_write(s->writer, bytes, len, err);
    sw_hasher_add(&s->hash, bytes, len);
    return sw_write_full(s->fd, bytes, len, err);
}

static enum sw_code spool_check(struct spool *s, const struct sw_digest *want,
                                struct sw_error *err) {
    struct sw_digest got = sw_hasher_finish(&s->hash);
    if (sw_digest_eq(&got, want)) return SW_OK;
    return sw_fail(err, SW_CORRUPT, "the blob that came does not have its digest");
}

static enum sw_code download(const struct sw_place *from, const struct sw_descriptor *d,
                             struct spool *s, sw_remote_progress *progress, void *progress_context,
                             struct sw_error *err) {
    sw_hasher_init(&s->hash, (enum sw_digest_alg)d->digest.alg);
    enum sw_code code =
        sw_remote_blob_get(from->remote, sw_repository_of(&from->ref), &d->digest,
                           (uint64_t)d->size, spool_sink, s, progress, progress_context, err);
    return code || s->writer ? code : spool_check(s, &d->digest, err);
}

enum sw_code place_download(const struct sw_place *from, const struct sw_place *to,
                            const struct sw_descriptor *d, sw_remote_progress *progress,
                            void *progress_context, struct sw_error *err) {
    struct spool s = {.fd = -1};
    char hex[SW_DIGEST_TEXT_MAX];
    enum sw_code code;
    if (to->kind == SW_PLACE_STORE && d->digest.alg == SW_SHA256) {
        SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
        code = sw_blob_begin(to->store, true, &w, err);
        s.writer = &w;
        if (!code) code = download(from, d, &s, progress, progress_context, err);
        if (!code) code = sw_blob_commit(&w, &d->digest, (uint64_t)d->size, NULL, NULL, err);
        return code;
    }
    if (to->kind == SW_PLACE_STORE)
        return sw_fail(err, SW_UNSUPPORTED, "the local store takes sha256 digests only");
    SW_FD int dir = -1;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    code = layout_blob_dir(to->dir, &d->digest, &dir, err);
    if (!code) code = sw_atomic_open(&file, dir, 0644, err);
    s.fd = file.fd;
    if (!code) code = download(from, d, &s, progress, progress_context, err);
    if (!code) {
        sw_digest_hex(&d->digest, hex);
        code = sw_atomic_commit(&file, hex, err);
    }
    return code;
}

enum sw_code place_open_blob(const struct sw_place *p, const struct sw_descriptor *d,
                             sw_remote_progress *progress, void *progress_context, int *ret_fd,
                             struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    if (p->kind == SW_PLACE_STORE) return sw_blob_open(p->store, &d->digest, ret_fd, NULL, err);
    if (p->kind == SW_PLACE_LAYOUT)
        return sw_open_beneath(p->dir, sw_layout_blob_path(&d->digest, path).ptr,
                               O_RDONLY | O_NOFOLLOW, 0, ret_fd, err);
    const char *tmp = getenv("TMPDIR");
    SW_FD int fd = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) fd = memfd_create("blob", MFD_CLOEXEC);
    if (fd < 0) return sw_fail_sys(err, errno, "making a temporary file");
    struct spool s = {.fd = fd};
    enum sw_code code = download(p, d, &s, progress, progress_context, err);
    if (!code) *ret_fd = sw_take_fd(&fd);
    return code;
}

/* ---- writing ---- */

static enum sw_code fd_source(void *context, uint64_t offset, void *to, size_t len, size_t *ret_len,
                              struct sw_error *err) {
    ssize_t n = sw_sys_pread(*(int *)context, to, len, (off_t)offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading a blob");
    *ret_len = (size_t)n;
    return SW_OK;
}

static enum sw_code copy_file(int from, struct spool *s, struct sw_error *err) {
    char piece[65536];
    for (off_t at = 0;;) {
        ssize_t n = sw_sys_pread(from, piece, sizeof piece, at);
        if (n < 0) return sw_fail_sys(err, errno, "reading a blob");
        if (n == 0) return SW_OK;
        enum sw_code code = spool_sink(s, piece, (size_t)n, err);
        if (code) return code;
        at += n;
    }
}

enum sw_code place_put_blob(const struct sw_place *p, const struct sw_descriptor *d, int fd,
                            sw_remote_progress *progress, void *progress_context,
                            struct sw_error *err) {
    struct spool s = {.fd = -1};
    char hex[SW_DIGEST_TEXT_MAX];
    enum sw_code code;
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_blob_put(p->remote, sw_repository_of(&p->ref), &d->digest,
                                  (uint64_t)d->size, fd_source, &fd, progress, progress_context,
                                  err);
    if (p->kind == SW_PLACE_STORE) {
        SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
        code = sw_blob_begin(p->store, true, &w, err);
        s.writer = &w;
        if (!code) code = copy_file(fd, &s, err);
        if (!code) code = sw_blob_commit(&w, &d->digest, (uint64_t)d->size, NULL, NULL, err);
        return code;
    }
    SW_FD int dir = -1;
    SW_ATOMIC struct sw_atomic_file file = {.fd = -1};
    code = layout_blob_dir(p->dir, &d->digest, &dir, err);
    if (!code) code = sw_atomic_open(&file, dir, 0644, err);
    s.fd = file.fd;
    sw_hasher_init(&s.hash, (enum sw_digest_alg)d->digest.alg);
    if (!code) code = copy_file(fd, &s, err);
    if (!code) code = spool_check(&s, &d->digest, err);
    if (!code) {
        sw_digest_hex(&d->digest, hex);
        code = sw_atomic_commit(&file, hex, err);
    }
    return code;
}

enum sw_code place_put_manifest(const struct sw_place *p, const struct sw_descriptor *d,
                                struct sw_str bytes, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_manifest_put(p->remote, sw_repository_of(&p->ref),
                                      sw_digest_format(&d->digest, text), d->media_type, bytes,
                                      err);
    if (p->kind == SW_PLACE_STORE) return sw_blob_put(p->store, bytes, NULL, err);
    SW_FD int dir = -1;
    enum sw_code code = layout_blob_dir(p->dir, &d->digest, &dir, err);
    if (code) return code;
    return sw_write_file_at(dir, sw_digest_hex(&d->digest, text).ptr, 0644, bytes, err);
}

enum sw_code place_tag(const struct sw_place *p, struct sw_arena *a, const struct sw_descriptor *d,
                       struct sw_str bytes, struct sw_error *err) {
    if (p->kind == SW_PLACE_STORE) return sw_tags_set(p->store, p->name, d, err);
    if (p->kind == SW_PLACE_LAYOUT) return layout_tag(p, a, d, err);
    if (!p->ref.tag.len) return SW_OK; /* pushed by digest: it is there already */
    return sw_remote_manifest_put(p->remote, sw_repository_of(&p->ref), p->ref.tag, d->media_type,
                                  bytes, err);
}
