/* DIR/data/ab/abcdef...: the first two characters of a location name one of 1296 directories, made
 * when first needed. A file is complete only if the metadata names it; until then it is an upload.
 *
 * Invariants:
 * 1. seal() returns after the file's bytes and its directory entry are on the device.
 * 2. Nothing here follows a symbolic link below DIR.
 * 3. A location is created with O_EXCL: it was never used before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "registry/blobs.h"

/* Larger writes make the kernel cache them in large pages, which cost up to ten times as much where
 * the host of a virtual machine has yet to find the memory (docs/design/registry.md). */
#define WRITE_STEP ((size_t)48 << 10)
#define FLUSH_STEP ((uint64_t)8 << 20) /* bytes between hints to write back */
#define FREE_MIN ((uint64_t)64 << 20)  /* below this the server says it is not ready */

struct dir_blobs {
    struct sw_blobs base;
    int fd;    /* DIR/data */
    char *dir; /* for messages */
};

struct dir_upload {
    struct sw_blob_upload base;
    int fd;
    uint64_t size, flushed;
};

static void close_store(struct sw_blobs *b) {
    struct dir_blobs *d = (struct dir_blobs *)b;
    sw_closep(&d->fd);
    free(d->dir);
    free(d);
}

static bool location_ok(const char *location) {
    size_t n = 0;
    for (const char *p = location; *p; p++, n++)
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z'))) return false;
    return n == SW_LOCATION_LEN;
}

/* The directory of a location; O_NOFOLLOW all the way, which is one step. */
static enum sw_code open_shard(struct dir_blobs *d, const char *location, bool create, int *ret,
                               struct sw_error *err) {
    char name[3] = {location[0], location[1], 0};
    if (!location_ok(location)) return sw_fail(err, SW_CORRUPT, "not a location: %s", location);
    int fd = sw_sys_openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0 && errno == ENOENT && create) {
        if (sw_sys_mkdirat(d->fd, name, 0700) < 0 && errno != EEXIST)
            return sw_fail_sys(err, errno, "creating %s/data/%s", d->dir, name);
        enum sw_code code = sw_sync_dir(d->fd, err);
        if (code) return code;
        fd = sw_sys_openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    }
    if (fd < 0) return sw_fail_sys(err, errno, "opening %s/data/%s", d->dir, name);
    *ret = fd;
    return SW_OK;
}

static enum sw_code open_file(struct dir_blobs *d, const char *location, int flags, int *ret,
                              struct sw_error *err) {
    SW_FD int shard = -1;
    struct stat st;
    enum sw_code code = open_shard(d, location, flags & O_CREAT, &shard, err);
    if (code) return code;
    SW_FD int fd = sw_sys_openat(shard, location, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return sw_fail_sys(err, errno, "opening the blob at %s", location);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return sw_fail(err, SW_CORRUPT, "the blob at %s is not a file", location);
    *ret = sw_take_fd(&fd);
    return SW_OK;
}

static struct dir_upload *upload_new(struct sw_blobs *b, const char *location, int fd) {
    struct dir_upload *u = sw_calloc(1, sizeof *u);
    u->base.blobs = b;
    memcpy(u->base.location, location, SW_LOCATION_LEN + 1);
    u->fd = fd;
    return u;
}
static void upload_free(struct dir_upload *u) {
    sw_closep(&u->fd);
    free(u);
}

static enum sw_code create(struct sw_blobs *b, const char *location, struct sw_blob_upload **ret,
                           struct sw_error *err) {
    int fd = -1;
    enum sw_code code =
        open_file((struct dir_blobs *)b, location, O_RDWR | O_CREAT | O_EXCL, &fd, err);
    if (code) return code;
    *ret = &upload_new(b, location, fd)->base;
    return SW_OK;
}

static enum sw_code resume(struct sw_blobs *b, const char *location, struct sw_str state,
                           struct sw_blob_upload **ret, uint64_t *ret_size, struct sw_error *err) {
    int fd = -1;
    enum sw_code code = open_file((struct dir_blobs *)b, location, O_RDWR, &fd, err);
    if (code) return code;
    off_t end = lseek(fd, 0, SEEK_END);
    struct dir_upload *u = upload_new(b, location, fd);
    u->size = u->flushed = end > 0 ? (uint64_t)end : 0;
    *ret_size = u->size;
    *ret = &u->base;
    return SW_OK;
}

static enum sw_code append(struct sw_blob_upload *base, const void *bytes, size_t len,
                           struct sw_error *err) {
    struct dir_upload *u = (struct dir_upload *)base;
    for (size_t at = 0; at < len;) {
        size_t n = len - at < WRITE_STEP ? len - at : WRITE_STEP;
        enum sw_code code = sw_write_full(u->fd, (const char *)bytes + at, n, err);
        if (code) return code;
        at += n;
    }
    u->size += len;
    if (u->size - u->flushed >= FLUSH_STEP) {
        /* Starts writing now, so that the sync at the end is short. */
        sync_file_range(u->fd, (off64_t)u->flushed, (off64_t)(u->size - u->flushed),
                        SYNC_FILE_RANGE_WRITE);
        u->flushed = u->size;
    }
    return SW_OK;
}

static enum sw_code read_back(struct sw_blob_upload *base, uint64_t offset, void *to, size_t len,
                              size_t *ret_len, struct sw_error *err) {
    struct dir_upload *u = (struct dir_upload *)base;
    ssize_t n = sw_sys_pread(u->fd, to, len, (off_t)offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading the upload %s", base->location);
    *ret_len = (size_t)n;
    return SW_OK;
}

static enum sw_code pause_upload(struct sw_blob_upload *base, struct sw_arena *a,
                                 struct sw_str *ret_state, struct sw_error *err) {
    upload_free((struct dir_upload *)base); /* the page cache outlives us; a power cut is shown */
    *ret_state = SW_STR("");                /* to the client as a smaller Range */
    return SW_OK;
}

static enum sw_code seal(struct sw_blob_upload *base, struct sw_error *err) {
    struct dir_upload *u = (struct dir_upload *)base;
    SW_FD int shard = -1;
    enum sw_code code = SW_OK;
    if (sw_sys_fdatasync(u->fd) < 0)
        code = sw_fail_sys(err, errno, "syncing the blob at %s", base->location);
    if (!code)
        code = open_shard((struct dir_blobs *)base->blobs, base->location, false, &shard, err);
    if (!code) code = sw_sync_dir(shard, err);
    upload_free(u);
    return code;
}

static enum sw_code remove_at(struct sw_blobs *b, const char *location, struct sw_error *err) {
    SW_FD int shard = -1;
    enum sw_code code = open_shard((struct dir_blobs *)b, location, false, &shard, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    if (code) return code;
    if (sw_sys_unlinkat(shard, location, 0) < 0 && errno != ENOENT)
        return sw_fail_sys(err, errno, "removing the blob at %s", location);
    return SW_OK;
}

static void discard(struct sw_blob_upload *base) {
    struct sw_error err;
    (void)!remove_at(base->blobs, base->location, &err);
    upload_free((struct dir_upload *)base);
}

static enum sw_code reply(struct sw_blobs *b, struct sw_exchange *x, int status,
                          const char *location, uint64_t offset, uint64_t len,
                          struct sw_error *err) {
    int fd = -1;
    enum sw_code code = open_file((struct dir_blobs *)b, location, O_RDONLY, &fd, err);
    if (!code) sw_reply_file(x, status, fd, offset, len);
    return code;
}

static enum sw_code read_at(struct sw_blobs *b, const char *location, uint64_t offset, void *to,
                            size_t len, struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = open_file((struct dir_blobs *)b, location, O_RDONLY, &fd, err);
    for (size_t done = 0; !code && done < len;) {
        ssize_t n = sw_sys_pread(fd, (char *)to + done, len - done, (off_t)(offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "reading the blob at %s", location);
        if (n == 0) return sw_fail(err, SW_CORRUPT, "the blob at %s ends early", location);
        done += (size_t)n;
    }
    return code;
}

static enum sw_code list(struct sw_blobs *b,
                         enum sw_code (*visit)(void *, const char *, int64_t, uint64_t,
                                               struct sw_error *),
                         void *context, struct sw_error *err) {
    struct dir_blobs *d = (struct dir_blobs *)b;
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < 36 * 36; i++) {
        char shard[3] = {digits[i / 36], digits[i % 36], 0};
        int fd = openat(d->fd, shard, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        DIR *dir = fdopendir(fd);
        if (!dir) {
            close(fd);
            continue;
        }
        for (struct dirent *e; !code && (e = readdir(dir));) {
            struct stat st;
            if (!location_ok(e->d_name)) continue;
            if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
            code = visit(context, e->d_name, st.st_mtime, (uint64_t)st.st_size, err);
        }
        closedir(dir);
    }
    return code;
}

static enum sw_code ready(struct sw_blobs *b, struct sw_error *err) {
    struct dir_blobs *d = (struct dir_blobs *)b;
    struct statvfs v;
    if (fstatvfs(d->fd, &v) < 0) return sw_fail_sys(err, errno, "looking at %s", d->dir);
    /* A file system without a size (ramfs) is never full. */
    if (v.f_blocks && (uint64_t)v.f_bavail * v.f_frsize < FREE_MIN)
        return sw_fail(err, SW_LIMIT, "%s has less than %llu MiB left", d->dir,
                       (unsigned long long)(FREE_MIN >> 20));
    return SW_OK;
}

static const struct sw_blobs_ops ops = {
    .name = "directory",
    .close = close_store,
    .create = create,
    .resume = resume,
    .append = append,
    .read_back = read_back,
    .pause = pause_upload,
    .seal = seal,
    .discard = discard,
    .remove = remove_at,
    .purge = remove_at,
    .reply = reply,
    .read = read_at,
    .list = list,
    .ready = ready,
};

enum sw_code sw_blobs_open_dir(const char *dir, struct sw_blobs **ret, struct sw_error *err) {
    SW_FD int root = -1;
    SW_FD int data = -1;
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, dir, 0700, err);
    if (!code) code = sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &root, err);
    if (code) return code;
    if (sw_sys_mkdirat(root, "data", 0700) < 0 && errno != EEXIST)
        return sw_fail_sys(err, errno, "creating %s/data", dir);
    data = sw_sys_openat(root, "data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (data < 0) return sw_fail_sys(err, errno, "opening %s/data", dir);
    code = sw_sync_dir(root, err);
    if (code) return code;
    struct dir_blobs *d = sw_calloc(1, sizeof *d);
    d->base.ops = &ops;
    d->fd = sw_take_fd(&data);
    d->dir = sw_strdup(dir);
    *ret = &d->base;
    return SW_OK;
}
