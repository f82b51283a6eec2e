/* Paths beneath a root: openat2(2) where the kernel has it, a walk over the components otherwise.
 *
 * The walk holds a stack of directory descriptors, one for each component below the root, so that
 * ".." is a pop and can never leave. Symbolic links are read and their targets are put in front
 * of the rest of the path; an absolute target empties the stack.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"

/* As the kernel: more links than this are taken for a loop. */
#define LINKS_MAX 40
/* Components below the root; PATH_MAX allows 2,048 of one letter. */
#define DEPTH_MAX 2048

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define SW_RESOLVE_NO_MAGICLINKS 0x02
#define SW_RESOLVE_IN_ROOT 0x10

struct open_how_v0 {
    uint64_t flags, mode, resolve;
};

/* 0: not asked yet, 1: there, 2: not there. */
static atomic_int openat2_state;

static int try_openat2(int root, const char *path, int flags, mode_t mode) {
    struct open_how_v0 how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode & 07777 : 0,
        .resolve = SW_RESOLVE_IN_ROOT | SW_RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
        /* EAGAIN: something was renamed during the walk and ".." could not be judged. */
        if (fd >= 0 || (errno != EINTR && (errno != EAGAIN || tries > 64))) return (int)fd;
    }
}

struct walk {
    int *fds; /* owned descriptors of the components below root */
    size_t depth;
    int root; /* borrowed */
    char rest[PATH_MAX * 2];
    int links;
};

static int walk_top(const struct walk *w) { return w->depth ? w->fds[w->depth - 1] : w->root; }

static void walk_pop(struct walk *w) {
    if (w->depth) close(w->fds[--w->depth]);
}

static void walk_done(struct walk *w) {
    while (w->depth) walk_pop(w);
    free(w->fds);
}

/* Takes the first component of rest into name; false when nothing is left. *last tells whether only
 * slashes follow it, *slash whether there are any. */
static bool walk_next(struct walk *w, char name[NAME_MAX + 1], bool *last, bool *slash) {
    char *p = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(p, "/");
    if (len == 0) return false;
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        name[0] = 0;
        return true;
    }
    memcpy(name, p, len);
    name[len] = 0;
    char *after = p + len;
    *slash = *after == '/';
    *last = after[strspn(after, "/")] == 0;
    memmove(w->rest, after, strlen(after) + 1);
    return true;
}

/* Puts a link's target in front of the rest. 0 or an errno. */
static int walk_link(struct walk *w, const char *name) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(walk_top(w), name, target, sizeof target);
    if (n < 0) return errno;
    if (++w->links > LINKS_MAX) return ELOOP;
    size_t rest = strlen(w->rest);
    if ((size_t)n == sizeof target || (size_t)n + 1 + rest + 1 > sizeof w->rest)
        return ENAMETOOLONG;
    memmove(w->rest + n + 1, w->rest, rest + 1);
    memcpy(w->rest, target, (size_t)n);
    w->rest[n] = '/';
    if (rest == 0) w->rest[n] = 0;
    if (n && target[0] == '/')
        while (w->depth) walk_pop(w);
    return 0;
}

/* Enters one directory component or follows a link. 0 or an errno. */
static int walk_enter(struct walk *w, const char *name) {
    if (!strcmp(name, ".")) return 0;
    if (!strcmp(name, "..")) {
        walk_pop(w);
        return 0;
    }
    int fd = sw_sys_openat(walk_top(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) return errno;
    struct stat st;
    if (fstat(fd, &st) < 0) {
        int saved = errno;
        close(fd);
        return saved;
    }
    if (S_ISLNK(st.st_mode)) {
        close(fd);
        return walk_link(w, name);
    }
    if (!S_ISDIR(st.st_mode)) {
        close(fd);
        return ENOTDIR;
    }
    if (w->depth == DEPTH_MAX) {
        close(fd);
        return ENAMETOOLONG;
    }
    w->fds[w->depth++] = fd;
    return 0;
}

static bool is_link(int dirfd, const char *name) {
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

static int open_last(struct walk *w, const char *name, int flags, mode_t mode) {
    if (!strcmp(name, ".")) return sw_sys_openat(walk_top(w), ".", flags, mode);
    if (!strcmp(name, "..")) {
        walk_pop(w);
        return sw_sys_openat(walk_top(w), ".", flags, mode);
    }
    /* O_NOFOLLOW: a link that appears between the look and the open is an error, not an escape. */
    return sw_sys_openat(walk_top(w), name, flags | O_NOFOLLOW, mode);
}

/* The descriptor, or -1 and errno. */
static int walk_open(struct walk *w, int flags, mode_t mode) {
    char name[NAME_MAX + 1];
    bool last = false, slash = false;
    bool follow = !(flags & O_NOFOLLOW) && !((flags & O_CREAT) && (flags & O_EXCL));
    for (;;) {
        errno = 0;
        if (!walk_next(w, name, &last, &slash)) return sw_sys_openat(walk_top(w), ".", flags, mode);
        if (!name[0]) return -1;
        if (last && slash && !(flags & O_CREAT)) flags |= O_DIRECTORY;
        int failed;
        if (!last) {
            failed = walk_enter(w, name);
        } else if (strcmp(name, ".") && strcmp(name, "..") && (follow || slash) &&
                   is_link(walk_top(w), name)) {
            failed = walk_link(w, name);
        } else {
            return open_last(w, name, flags, mode);
        }
        if (failed) {
            errno = failed;
            return -1;
        }
    }
}

static int open_by_walk(int root, const char *path, int flags, mode_t mode) {
    struct walk w = {.root = root};
    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(w.rest, path);
    w.fds = sw_malloc(DEPTH_MAX * sizeof *w.fds);
    int fd = walk_open(&w, flags, mode);
    int saved = errno;
    walk_done(&w);
    errno = saved;
    return fd;
}

enum sw_code sw_open_beneath(int root, const char *path, int flags, mode_t mode, int *ret_fd,
                             struct sw_error *err) {
    int fd = -1;
    flags |= O_CLOEXEC;
    if (atomic_load(&openat2_state) != 2) {
        bool refused = sw_sys_fault("openat2");
        if (!refused) fd = try_openat2(root, path, flags, mode);
        /* A container's seccomp filter may answer EPERM to calls that it does not know. */
        if (fd < 0 && (errno == ENOSYS || (errno == EPERM && !atomic_load(&openat2_state)))) {
            atomic_store(&openat2_state, 2);
        } else {
            if (fd >= 0) atomic_store(&openat2_state, 1);
            if (fd < 0) return sw_fail_sys(err, errno, "open %s", path);
            *ret_fd = fd;
            return SW_OK;
        }
    }
    fd = open_by_walk(root, path, flags, mode);
    if (fd < 0) return sw_fail_sys(err, errno, "open %s", path);
    *ret_fd = fd;
    return SW_OK;
}

enum sw_code sw_open_parent_beneath(int root, const char *path, int *ret_dir, char *ret_name,
                                    size_t name_size, struct sw_error *err) {
    size_t len = strlen(path);
    while (len && path[len - 1] == '/') len--;
    size_t start = len;
    while (start && path[start - 1] != '/') start--;
    struct sw_str name = {path + start, len - start};
    if (name.len == 0 || sw_str_is(name, ".") || sw_str_is(name, ".."))
        return sw_fail(err, SW_USAGE, "the path \"%s\" names no entry of a directory", path);
    if (name.len >= name_size) return sw_fail_sys(err, ENAMETOOLONG, "%.*s", SW_ARG(name));
    SW_FREE char *parent = sw_strndup(path, start);
    int dir = -1;
    enum sw_code code =
        sw_open_beneath(root, start ? parent : ".", O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    memcpy(ret_name, name.ptr, name.len);
    ret_name[name.len] = 0;
    *ret_dir = dir;
    return SW_OK;
}

enum sw_code sw_mkdirs_beneath(int root, const char *path, mode_t mode, struct sw_error *err) {
    int fd = -1;
    if (!sw_open_beneath(root, path, O_PATH | O_DIRECTORY, 0, &fd, err)) {
        close(fd);
        return SW_OK;
    }
    if (err->code != SW_NOT_FOUND) return err->code;
    /* The missing part starts somewhere: make the prefixes one after the other. */
    SW_FREE char *copy = sw_strdup(path);
    for (char *p = copy; *p;) {
        p += strspn(p, "/");
        if (!*p) break;
        p += strcspn(p, "/");
        char kept = *p;
        *p = 0;
        if (sw_open_beneath(root, copy, O_PATH | O_DIRECTORY, 0, &fd, err) == SW_OK) {
            close(fd);
        } else {
            SW_FD int dir = -1;
            char name[NAME_MAX + 1];
            if (err->code != SW_NOT_FOUND) return err->code;
            enum sw_code code = sw_open_parent_beneath(root, copy, &dir, name, sizeof name, err);
            if (code) return code;
            if (sw_sys_mkdirat(dir, name, mode) < 0 && errno != EEXIST)
                return sw_fail_sys(err, errno, "make directory %s", copy);
        }
        *p = kept;
    }
    enum sw_code code = sw_open_beneath(root, path, O_PATH | O_DIRECTORY, 0, &fd, err);
    if (code) return sw_context(err, "make directory %s", path);
    close(fd);
    return SW_OK;
}

enum sw_code sw_mkdirs_at(int dirfd, const char *path, mode_t mode, struct sw_error *err) {
    SW_FREE char *copy = sw_strdup(path);
    if (sw_sys_mkdirat(dirfd, copy, mode) == 0 || errno == EEXIST) return SW_OK;
    if (errno != ENOENT) return sw_fail_sys(err, errno, "make directory %s", path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (sw_sys_mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
            return sw_fail_sys(err, errno, "make directory %s", copy);
        *p = '/';
    }
    if (sw_sys_mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
        return sw_fail_sys(err, errno, "make directory %s", path);
    return SW_OK;
}
