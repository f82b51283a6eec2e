#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "oci/image_layout.h"
#include "store/store_internal.h"

/* Writing to the device starts in pieces of this size, so that the sync at the end finds little
 * left to do. */
#define FLUSH_STEP ((uint64_t)8 << 20)

static const char *const blob_dirs[] = {
    [SW_SHA256] = "blobs/sha256",
    [SW_SHA512] = "blobs/sha512",
};

/* ---- writing ---- */

static int dir_of(const struct sw_blob_writer *w) {
    return w->partial ? w->store->partial_fd : w->store->tmp_fd;
}

enum sw_code sw_blob_begin(struct sw_store *store, bool hash, struct sw_blob_writer *w,
                           struct sw_error *err) {
    *w = (struct sw_blob_writer){.store = store, .fd = -1, .hashing = hash};
    char temp[48];
    enum sw_code code = sw_store_temp_name(store, temp, sizeof temp, err);
    if (code) return code;
    /* Readable by the owner's tools; writable by nobody once it has its name. */
    code = sw_open_at(store->tmp_fd, temp, O_RDWR | O_CREAT | O_EXCL, 0644, &w->fd, err);
    if (code) return sw_context(err, "writing a blob in %s", store->root);
    memcpy(w->temp, temp, sizeof temp);
    if (hash) sw_hasher_init(&w->hasher, SW_SHA256);
    return SW_OK;
}

static enum sw_code hash_written(struct sw_blob_writer *w, struct sw_error *err) {
    char block[65536];
    for (;;) {
        ssize_t n = sw_sys_read(w->fd, block, sizeof block);
        if (n < 0) return sw_fail_sys(err, errno, "read a partial blob of %s", w->store->root);
        if (n == 0) return SW_OK;
        sw_hasher_add(&w->hasher, block, (size_t)n);
        w->written += (uint64_t)n;
    }
}

enum sw_code sw_blob_resume(struct sw_store *store, const struct sw_digest *digest,
                            struct sw_blob_writer *w, uint64_t *ret_have, struct sw_error *err) {
    struct stat open_st, named;
    char hex[SW_DIGEST_TEXT_MAX];
    SW_FD int fd = -1;
    *ret_have = 0;
    enum sw_code code = digest->alg == SW_SHA256 ? sw_store_partial_dir(store, true, err) : SW_BUSY;
    if (!code) code = sw_lease_ensure(store, err);
    if (!code)
        code = sw_lock_file_at(store->partial_fd, sw_digest_hex(digest, hex).ptr, true, false, &fd,
                               err);
    /* Whoever had the lock may have given the file its name as a blob, or removed it. */
    if (!code && (fstat(fd, &open_st) < 0 || fstatat(store->partial_fd, hex, &named, 0) < 0 ||
                  open_st.st_ino != named.st_ino || open_st.st_dev != named.st_dev))
        code = SW_BUSY;
    if (code == SW_BUSY) return sw_blob_begin(store, true, w, err);
    if (code) return sw_context(err, "writing a blob in %s", store->root);
    *w = (struct sw_blob_writer){
        .store = store, .fd = sw_take_fd(&fd), .hashing = true, .partial = true};
    memcpy(w->temp, hex, strlen(hex) + 1);
    sw_hasher_init(&w->hasher, SW_SHA256);
    code = hash_written(w, err);
    if (code) {
        sw_blob_keep(w);
        return code;
    }
    *ret_have = w->flushed = w->written;
    return SW_OK;
}

void sw_blob_keep(struct sw_blob_writer *w) {
    if (w->partial && w->written) w->temp[0] = 0;
    sw_blob_abort(w);
}

enum sw_code sw_blob_rewind(struct sw_blob_writer *w, struct sw_error *err) {
    if (sw_sys_ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
        return sw_fail_sys(err, errno, "rewrite a blob of %s", w->store->root);
    w->written = w->flushed = 0;
    if (w->hashing) sw_hasher_init(&w->hasher, SW_SHA256);
    return SW_OK;
}

void sw_blob_flush_hint(struct sw_blob_writer *w, uint64_t written) {
    if (written < w->flushed + FLUSH_STEP) return;
    sync_file_range(w->fd, (off_t)w->flushed, (off_t)(written - w->flushed), SYNC_FILE_RANGE_WRITE);
    w->flushed = written;
}

enum sw_code sw_blob_write(struct sw_blob_writer *w, const void *bytes, size_t len,
                           struct sw_error *err) {
    enum sw_code code = sw_write_full(w->fd, bytes, len, err);
    if (code) return sw_context(err, "writing a blob in %s", w->store->root);
    if (w->hashing) sw_hasher_add(&w->hasher, bytes, len);
    w->written += len;
    sw_blob_flush_hint(w, w->written);
    return SW_OK;
}

void sw_blob_abort(struct sw_blob_writer *w) {
    /* Before the lock of a partial one is given up with its descriptor. */
    if (w->temp[0]) unlinkat(dir_of(w), w->temp, 0);
    w->temp[0] = 0;
    sw_closep(&w->fd);
}

static enum sw_code check_written(struct sw_blob_writer *w, const struct sw_digest *expected,
                                  uint64_t size, struct sw_digest *ret_digest, uint64_t *ret_size,
                                  struct sw_error *err) {
    struct stat st;
    if (fstat(w->fd, &st) < 0) return sw_fail_sys(err, errno, "look at a blob");
    if (size != SW_BLOB_SIZE_UNKNOWN && (uint64_t)st.st_size != size)
        return sw_fail(err, SW_CORRUPT, "a blob has %llu bytes, expected %llu",
                       (unsigned long long)st.st_size, (unsigned long long)size);
    struct sw_digest digest = {0};
    if (expected && sw_digest_is_set(expected)) digest = *expected;
    if (w->hashing) {
        if (w->written != (uint64_t)st.st_size)
            return sw_fail(err, SW_CORRUPT, "a blob has %llu bytes, but %llu were hashed",
                           (unsigned long long)st.st_size, (unsigned long long)w->written);
        struct sw_digest actual = sw_hasher_finish(&w->hasher);
        if (digest.alg == SW_SHA256 && !sw_digest_eq(&digest, &actual)) {
            char want[SW_DIGEST_TEXT_MAX], got[SW_DIGEST_TEXT_MAX];
            sw_digest_format(&digest, want);
            sw_digest_format(&actual, got);
            return sw_fail(err, SW_CORRUPT, "a blob has the digest %s, expected %s", got, want);
        }
        if (!sw_digest_is_set(&digest)) digest = actual;
    }
    if (!sw_digest_is_set(&digest))
        return sw_fail(err, SW_USAGE, "a blob that nobody hashed cannot be committed");
    *ret_digest = digest;
    *ret_size = (uint64_t)st.st_size;
    return SW_OK;
}

/* A file of the right size under the blob's name. One of another size is damage that the new bytes
 * repair. */
static bool is_stored(struct sw_store *s, const struct sw_digest *digest, uint64_t size) {
    uint64_t have;
    return sw_blob_stat(s, digest, &have) && have == size;
}

/* Pins, then names the synced file. *ret_dirs: bits of the directories to sync. */
static enum sw_code name_blob(struct sw_blob_writer *w, const struct sw_digest *digest,
                              uint64_t size, unsigned *dirs, struct sw_error *err) {
    struct sw_store *s = w->store;
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    SW_PIN_SECTION struct sw_store *section = s;
    (void)section;
    if ((code = sw_pin_digest(s, SW_PIN_BLOB, digest, err))) return code;
    if (is_stored(s, digest, size)) return SW_OK; /* _abort removes ours */
    char path[SW_LAYOUT_PATH_MAX];
    sw_layout_blob_path(digest, path);
    int r = sw_sys_renameat(dir_of(w), w->temp, s->root_fd, path);
    if (r < 0 && errno == ENOENT && digest->alg == SW_SHA512) {
        if ((code = sw_mkdirs_at(s->root_fd, blob_dirs[SW_SHA512], 0755, err))) return code;
        SW_FD int blobs = -1;
        if ((code = sw_open_at(s->root_fd, "blobs", O_RDONLY | O_DIRECTORY, 0, &blobs, err)) ||
            (code = sw_sync_dir(blobs, err)))
            return code;
        r = sw_sys_renameat(dir_of(w), w->temp, s->root_fd, path);
    }
    if (r < 0) return sw_fail_sys(err, errno, "name %s", path);
    w->temp[0] = 0;
    *dirs |= 1u << digest->alg;
    return SW_OK;
}

static enum sw_code sync_dirs(struct sw_store *s, unsigned dirs, struct sw_error *err) {
    for (unsigned alg = SW_SHA256; alg <= SW_SHA512; alg++) {
        if (!(dirs & 1u << alg)) continue;
        SW_FD int fd = -1;
        enum sw_code code =
            sw_open_at(s->root_fd, blob_dirs[alg], O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (code || (code = sw_sync_dir(fd, err))) return code;
    }
    return SW_OK;
}

static enum sw_code finish_one(struct sw_blob_writer *w, const struct sw_digest *expected,
                               uint64_t size, unsigned *dirs, struct sw_digest *ret_digest,
                               uint64_t *ret_size, struct sw_error *err) {
    struct sw_digest digest = {0};
    uint64_t actual = 0;
    enum sw_code code = check_written(w, expected, size, &digest, &actual, err);
    if (code) return code;
    if (!is_stored(w->store, &digest, actual) && sw_sys_fdatasync(w->fd) < 0)
        return sw_fail_sys(err, errno, "sync a blob of %s", w->store->root);
    if ((code = name_blob(w, &digest, actual, dirs, err))) return code;
    if (ret_digest) *ret_digest = digest;
    if (ret_size) *ret_size = actual;
    return SW_OK;
}

enum sw_code sw_blob_commit(struct sw_blob_writer *w, const struct sw_digest *expected,
                            uint64_t size, struct sw_digest *ret_digest, uint64_t *ret_size,
                            struct sw_error *err) {
    unsigned dirs = 0;
    struct sw_digest digest;
    enum sw_code code = finish_one(w, expected, size, &dirs, &digest, ret_size, err);
    sw_blob_abort(w);
    if (code || (code = sync_dirs(w->store, dirs, err))) return code;
    if (ret_digest) *ret_digest = digest;
    return SW_OK;
}

enum sw_code sw_blob_commit_all(struct sw_blob_writer *const *writers, size_t n,
                                struct sw_digest *digests, const uint64_t *sizes,
                                struct sw_error *err) {
    enum sw_code code = SW_OK;
    unsigned dirs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!code)
            code = finish_one(writers[i], &digests[i], sizes[i], &dirs, &digests[i], NULL, err);
        sw_blob_abort(writers[i]);
    }
    /* Also after a failure: what has its name stays. */
    struct sw_error later;
    if (n) {
        enum sw_code synced = sync_dirs(writers[0]->store, dirs, code ? &later : err);
        if (!code) code = synced;
    }
    return code;
}

enum sw_code sw_blob_put(struct sw_store *store, struct sw_str bytes, struct sw_digest *ret_digest,
                         struct sw_error *err) {
    struct sw_digest digest = sw_digest_of(SW_SHA256, bytes);
    uint64_t size;
    if (!sw_blob_exists(store, &digest, &size) || size != bytes.len) {
        SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
        enum sw_code code = sw_blob_begin(store, false, &w, err);
        if (code || (code = sw_blob_write(&w, bytes.ptr, bytes.len, err)) ||
            (code = sw_blob_commit(&w, &digest, bytes.len, NULL, NULL, err)))
            return code;
    }
    if (ret_digest) *ret_digest = digest;
    return SW_OK;
}

/* ---- reading ---- */

void sw_blob_path(const struct sw_digest *digest, struct sw_buf *to) {
    char path[SW_LAYOUT_PATH_MAX];
    sw_buf_add(to, sw_layout_blob_path(digest, path));
}

bool sw_blob_stat(struct sw_store *s, const struct sw_digest *digest, uint64_t *ret_size) {
    char path[SW_LAYOUT_PATH_MAX];
    struct stat st;
    sw_layout_blob_path(digest, path);
    if (fstatat(s->root_fd, path, &st, 0) < 0 || !S_ISREG(st.st_mode)) return false;
    if (ret_size) *ret_size = (uint64_t)st.st_size;
    return true;
}

enum sw_code sw_blob_open_unpinned(struct sw_store *s, const struct sw_digest *digest, int *ret_fd,
                                   uint64_t *ret_size, struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    struct stat st;
    SW_FD int fd = -1;
    sw_layout_blob_path(digest, path);
    enum sw_code code = sw_open_at(s->root_fd, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (code == SW_NOT_FOUND)
        return sw_fail(err, SW_NOT_FOUND, "the store has no blob %s", path + 6);
    if (code) return sw_context(err, "in %s", s->root);
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at %s", path);
    if (!S_ISREG(st.st_mode)) return sw_fail(err, SW_CORRUPT, "%s is not a file", path);
    if (ret_size) *ret_size = (uint64_t)st.st_size;
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

enum sw_code sw_blob_open(struct sw_store *s, const struct sw_digest *digest, int *ret_fd,
                          uint64_t *ret_size, struct sw_error *err) {
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    SW_PIN_SECTION struct sw_store *section = s;
    (void)section;
    SW_FD int fd = -1;
    code = sw_blob_open_unpinned(s, digest, &fd, ret_size, err);
    if (code || (code = sw_pin_digest(s, SW_PIN_BLOB, digest, err))) return code;
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

bool sw_blob_exists(struct sw_store *s, const struct sw_digest *digest, uint64_t *ret_size) {
    struct sw_error err;
    if (sw_pin_begin(s, &err)) return false;
    bool found = sw_blob_stat(s, digest, ret_size) && !sw_pin_digest(s, SW_PIN_BLOB, digest, &err);
    sw_pin_end(s);
    return found;
}

static enum sw_code read_checked(struct sw_store *s, int fd, uint64_t size,
                                 const struct sw_digest *digest, size_t max, struct sw_buf *to,
                                 struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    sw_layout_blob_path(digest, path);
    if (size > max)
        return sw_fail(err, SW_LIMIT, "%s has %llu bytes, at most %zu are read", path,
                       (unsigned long long)size, max);
    size_t start = to->len;
    enum sw_code code = sw_read_fd(fd, max, to, err);
    if (code) return sw_context(err, "%s", path);
    struct sw_digest actual =
        sw_digest_of((enum sw_digest_alg)digest->alg, sw_str_from(sw_buf_str(to), start));
    if (!sw_digest_eq(&actual, digest))
        return sw_fail(err, SW_CORRUPT,
                       "%s/%s does not match its digest; remove it and get it again", s->root,
                       path);
    return SW_OK;
}

enum sw_code sw_blob_read_unpinned(struct sw_store *s, const struct sw_digest *digest, size_t max,
                                   struct sw_buf *to, struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t size;
    enum sw_code code = sw_blob_open_unpinned(s, digest, &fd, &size, err);
    return code ? code : read_checked(s, fd, size, digest, max, to, err);
}

enum sw_code sw_blob_read(struct sw_store *s, const struct sw_digest *digest, size_t max,
                          struct sw_buf *to, struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t size;
    enum sw_code code = sw_blob_open(s, digest, &fd, &size, err);
    return code ? code : read_checked(s, fd, size, digest, max, to, err);
}

enum sw_code sw_blob_verify(struct sw_store *s, const struct sw_digest *digest,
                            struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_blob_open_unpinned(s, digest, &fd, NULL, err);
    if (code) return code;
    struct sw_hasher h;
    char block[65536], path[SW_LAYOUT_PATH_MAX];
    sw_layout_blob_path(digest, path);
    sw_hasher_init(&h, (enum sw_digest_alg)digest->alg);
    for (;;) {
        ssize_t n = sw_sys_read(fd, block, sizeof block);
        if (n < 0) return sw_fail_sys(err, errno, "read %s", path);
        if (n == 0) break;
        sw_hasher_add(&h, block, (size_t)n);
    }
    struct sw_digest actual = sw_hasher_finish(&h);
    if (!sw_digest_eq(&actual, digest))
        return sw_fail(err, SW_CORRUPT, "%s does not match its digest", path);
    return SW_OK;
}
