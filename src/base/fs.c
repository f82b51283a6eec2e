#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sys.h"

/* ---- descriptors ---- */

void sw_closep(int *fd) {
    int saved = errno;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    errno = saved;
}

int sw_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

enum sw_code sw_open_at(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd,
                        struct sw_error *err) {
    int fd = sw_sys_openat(dirfd, path, flags | O_CLOEXEC, mode);
    if (fd < 0) return sw_fail_sys(err, errno, "open %s", path);
    *ret_fd = fd;
    return SW_OK;
}

enum sw_code sw_fd_path(int fd, struct sw_buf *to, struct sw_error *err) {
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target);
    if (n < 0) return sw_fail_sys(err, errno, "read %s", link);
    sw_buf_add_bytes(to, target, (size_t)n);
    return sw_buf_check(to, "a path", err);
}

/* ---- reading and writing ---- */

enum sw_code sw_read_fd(int fd, size_t max, struct sw_buf *to, struct sw_error *err) {
    struct stat st;
    size_t start = to->len, step = 65536;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size < max)
        step = (size_t)st.st_size + 1;
    for (;;) {
        size_t room = max - (to->len - start), left = to->max - to->len;
        if (left < room) room = left;
        if (room == 0) {
            char more;
            ssize_t n = sw_sys_read(fd, &more, 1);
            if (n < 0) return sw_fail_sys(err, errno, "read");
            if (n == 0) break;
            return sw_fail(err, SW_LIMIT, "read: more than %zu bytes", to->len - start);
        }
        if (step > room) step = room;
        char *space = sw_buf_reserve(to, step);
        if (!space) return sw_fail(err, SW_LIMIT, "read: more than %zu bytes", to->max);
        ssize_t n = sw_sys_read(fd, space, step);
        if (n < 0) return sw_fail_sys(err, errno, "read");
        if (n == 0) break;
        to->len += (size_t)n;
        to->ptr[to->len] = 0;
    }
    if (to->cap) to->ptr[to->len] = 0;
    return SW_OK;
}

enum sw_code sw_read_file_at(int dirfd, const char *path, size_t max, struct sw_buf *to,
                             struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(dirfd, path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (sw_read_fd(fd, max, to, err)) return sw_context(err, "%s", path);
    return SW_OK;
}

enum sw_code sw_write_full(int fd, const void *bytes, size_t len, struct sw_error *err) {
    const char *p = bytes;
    while (len) {
        ssize_t n = sw_sys_write(fd, p, len);
        if (n < 0) return sw_fail_sys(err, errno, "write");
        p += n;
        len -= (size_t)n;
    }
    return SW_OK;
}

enum sw_code sw_read_full(int fd, void *to, size_t len, struct sw_error *err) {
    char *p = to;
    for (size_t done = 0; done < len;) {
        ssize_t n = sw_sys_read(fd, p + done, len - done);
        if (n < 0) return sw_fail_sys(err, errno, "read");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "ends after %zu of %zu bytes", done, len);
        done += (size_t)n;
    }
    return SW_OK;
}

enum sw_code sw_copy_fd(int from, int to, uint64_t *ret_bytes, struct sw_error *err) {
    uint64_t total = 0;
    for (;;) {
        ssize_t n = sw_sys_copy(from, to, (size_t)1 << 30);
        if (n < 0) return sw_fail_sys(err, errno, "copy");
        if (n == 0) break;
        total += (uint64_t)n;
    }
    if (ret_bytes) *ret_bytes = total;
    return SW_OK;
}

/* ---- atomic files ---- */

enum sw_code sw_sync_dir(int dirfd, struct sw_error *err) {
    /* File systems that cannot sync a directory say EINVAL; there is nothing more to do on them. */
    if (sw_sys_fsync(dirfd) < 0 && errno != EINVAL)
        return sw_fail_sys(err, errno, "sync a directory");
    return SW_OK;
}

enum sw_code sw_atomic_open(struct sw_atomic_file *f, int dirfd, mode_t mode,
                            struct sw_error *err) {
    *f = (struct sw_atomic_file){.fd = -1, .dirfd = dirfd};
    char name[17];
    sw_random_name(name, sizeof name);
    char temp[sizeof f->temp];
    snprintf(temp, sizeof temp, ".%s.tmp", name);
    enum sw_code code = sw_open_at(dirfd, temp, O_RDWR | O_CREAT | O_EXCL, mode, &f->fd, err);
    if (code) return code;
    memcpy(f->temp, temp, sizeof temp);
    return SW_OK;
}

enum sw_code sw_atomic_commit(struct sw_atomic_file *f, const char *name, struct sw_error *err) {
    if (sw_sys_fsync(f->fd) < 0) return sw_fail_sys(err, errno, "sync %s", name);
    if (sw_sys_renameat(f->dirfd, f->temp, f->dirfd, name) < 0)
        return sw_fail_sys(err, errno, "rename %s to %s", f->temp, name);
    f->temp[0] = 0;
    sw_closep(&f->fd);
    return sw_sync_dir(f->dirfd, err);
}

void sw_atomic_done(struct sw_atomic_file *f) {
    sw_closep(&f->fd);
    if (f->temp[0]) unlinkat(f->dirfd, f->temp, 0);
    f->temp[0] = 0;
}

enum sw_code sw_write_file_at(int dirfd, const char *name, mode_t mode, struct sw_str content,
                              struct sw_error *err) {
    SW_ATOMIC struct sw_atomic_file f = {.fd = -1};
    SW_FD int parent = -1;
    const char *slash = strrchr(name, '/');
    /* The temporary file must lie beside the name, and the directory be one that can be synced. */
    SW_FREE char *dir = slash ? sw_strndup(name, (size_t)(slash + 1 - name)) : sw_strdup(".");
    if (sw_open_at(dirfd, dir, O_RDONLY | O_DIRECTORY, 0, &parent, err) ||
        sw_atomic_open(&f, parent, mode, err) ||
        sw_write_full(f.fd, content.ptr, content.len, err) ||
        sw_atomic_commit(&f, slash ? slash + 1 : name, err))
        return sw_context(err, "write %s", name);
    return SW_OK;
}

enum sw_code sw_temporary_file(int *ret_fd, struct sw_error *err) {
    const char *given = getenv("TMPDIR");
    const char *const dirs[] = {given && *given ? given : "/var/tmp", "/tmp"};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < 2; i++) {
        fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) break;
        /* Not every file system has files without names. */
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/slipway.XXXXXX", dirs[i]) >= (int)sizeof path) continue;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) unlink(path);
    }
    if (fd < 0) return sw_fail_sys(err, errno, "making a temporary file in %s", dirs[0]);
    *ret_fd = fd;
    return SW_OK;
}

enum sw_code sw_lock_file_at(int dirfd, const char *name, bool exclusive, bool wait, int *ret_fd,
                             struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(dirfd, name, O_RDWR | O_CREAT, 0644, &fd, err);
    if (code) return code;
    int r;
    do r = flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB));
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EWOULDBLOCK)
        return sw_fail(err, SW_BUSY, "lock %s: another process holds it", name);
    if (r < 0) return sw_fail_sys(err, errno, "lock %s", name);
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

/* ---- removing trees ---- */

/* Directories deeper than this are refused rather than followed with one descriptor each. */
#define REMOVE_DEPTH_MAX 2048

static enum sw_code remove_below(int dirfd, const char *name, int depth, struct sw_error *err) {
    if (depth > REMOVE_DEPTH_MAX)
        return sw_fail(err, SW_LIMIT, "remove %s: nested deeper than %d", name, REMOVE_DEPTH_MAX);
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    SW_FD int fd = openat(dirfd, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
        fd = openat(dirfd, name, flags);
    if (fd < 0) return sw_fail_sys(err, errno, "open %s to remove it", name);
    DIR *dir = fdopendir(dup(fd));
    if (!dir) return sw_fail_sys(err, errno, "list %s", name);
    enum sw_code code = SW_OK;
    bool writable = false;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (e->d_type != DT_DIR) {
            if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT) continue;
            if (errno == EACCES && !writable && fchmod(fd, 0700) == 0) {
                writable = true;
                if (unlinkat(fd, e->d_name, 0) == 0) continue;
            }
            if (errno != EISDIR && errno != EPERM) {
                code = sw_fail_sys(err, errno, "remove %s", e->d_name);
                break;
            }
        }
        code = remove_below(fd, e->d_name, depth + 1, err);
        if (!code && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
            if (errno != EACCES || fchmod(fd, 0700) < 0 ||
                unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0)
                code = sw_fail_sys(err, errno, "remove directory %s", e->d_name);
        }
    }
    closedir(dir);
    return code;
}

enum sw_code sw_remove_tree_at(int dirfd, const char *name, struct sw_error *err) {
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT) return SW_OK;
    if (errno != EISDIR && errno != EPERM) return sw_fail_sys(err, errno, "remove %s", name);
    enum sw_code code = remove_below(dirfd, name, 0, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    if (code) return sw_context(err, "in %s", name);
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return sw_fail_sys(err, errno, "remove directory %s", name);
    return SW_OK;
}
