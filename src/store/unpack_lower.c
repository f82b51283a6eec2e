/* What a layer takes from the layers below it, and the modes and times of directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "store/unpack_internal.h"

/* Extended attributes of one file that are copied up. */
#define XATTR_NAMES_MAX 65536
#define XATTR_VALUE_MAX 65536

bool sw_unpacker_depends(const struct sw_unpacker *u) {
    if (u->late_links.len) return true;
    for (size_t i = 0; i < u->late_dirs.len; i++)
        if (u->late_dirs.ptr[i].implicit) return true;
    return false;
}

/* ---- looking below ---- */

enum found { FOUND_NOTHING, FOUND_ENTRY, FOUND_HIDDEN };

/* A component of the path is in this layer, in a form that hides what lies deeper. */
static bool hides_below(struct sw_unpacker *u, int dir) {
    char value[4];
    const char *name = sw_overlay_opaque_xattr(u->options->form);
    if (!name) return faccessat(dir, ".wh..wh..opq", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return fgetxattr(dir, name, value, sizeof value) == 1 && value[0] == 'y';
}

static bool has_whiteout_file(struct sw_unpacker *u, int dir, const char *name) {
    char mark[NAME_MAX + 8];
    if (u->options->form != SW_OVERLAY_FILES) return false;
    snprintf(mark, sizeof mark, ".wh.%s", name);
    return faccessat(dir, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The path in one layer, no link followed. FOUND_ENTRY opens the parent. */
static enum found look_in_layer(struct sw_unpacker *u, int layer, struct sw_str path, int *ret_dir,
                                char *ret_name, struct stat *ret_st) {
    SW_FD int dir = openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sw_str rest = path, part;
    bool opaque = false;
    while (dir >= 0 && sw_str_next(&rest, '/', &part)) {
        char name[NAME_MAX + 1];
        if (part.len > NAME_MAX) return FOUND_NOTHING;
        memcpy(name, part.ptr, part.len);
        name[part.len] = 0;
        opaque = opaque || hides_below(u, dir);
        if (fstatat(dir, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
            return opaque || has_whiteout_file(u, dir, name) ? FOUND_HIDDEN : FOUND_NOTHING;
        if (sw_is_whiteout_node(ret_st)) return FOUND_HIDDEN;
        if (!rest.ptr || !rest.len) {
            strcpy(ret_name, name);
            *ret_dir = sw_take_fd(&dir);
            return FOUND_ENTRY;
        }
        if (!S_ISDIR(ret_st->st_mode)) return FOUND_HIDDEN;
        int next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        sw_closep(&dir);
        dir = next;
    }
    return FOUND_NOTHING;
}

static bool look_below(struct sw_unpacker *u, const int *lower, size_t n_lower, struct sw_str path,
                       int *ret_dir, char *ret_name, struct stat *ret_st) {
    for (size_t i = n_lower; i-- > 0;) {
        enum found f = look_in_layer(u, lower[i], path, ret_dir, ret_name, ret_st);
        if (f == FOUND_ENTRY) return true;
        if (f == FOUND_HIDDEN) return false;
    }
    return false;
}

/* ---- copying up ---- */

struct xattrs {
    SW_VEC(struct sw_tar_xattr) list;
    char names[XATTR_NAMES_MAX];
    struct sw_arena arena;
};

static bool is_overlay_own(const char *name) {
    return !strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13);
}

static void read_xattrs(int dir, const char *name, struct xattrs *x) {
    char path[PATH_MAX], value[XATTR_VALUE_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir, name);
    ssize_t len = llistxattr(path, x->names, sizeof x->names);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(x->names + at) + 1) {
        const char *key = x->names + at;
        if (is_overlay_own(key)) continue;
        ssize_t n = lgetxattr(path, key, value, sizeof value);
        if (n < 0) continue;
        struct sw_tar_xattr *one = sw_vec_push(&x->list);
        one->name = sw_str(key);
        one->value = sw_arena_str(&x->arena, sw_str_n(value, (size_t)n));
    }
}

static struct sw_unpack_attributes attributes_of(const struct stat *st, const struct xattrs *x) {
    return (struct sw_unpack_attributes){
        .is_dir = S_ISDIR(st->st_mode),
        .is_link = S_ISLNK(st->st_mode),
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime_sec = st->st_mtim.tv_sec,
        .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
        .xattrs = x->list.ptr,
        .n_xattrs = x->list.len,
    };
}

static enum sw_code copy_content(struct sw_unpacker *u, int from_dir, const char *from_name,
                                 const struct stat *st, const struct sw_place *to, int *ret_fd,
                                 struct sw_error *err) {
    if (S_ISREG(st->st_mode)) {
        SW_FD int from = -1;
        uint64_t bytes;
        enum sw_code code = sw_open_at(from_dir, from_name, O_RDONLY | O_NOFOLLOW, 0, &from, err);
        if (!code)
            code = sw_open_at(to->dir, to->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600,
                              ret_fd, err);
        if (!code) code = sw_copy_fd(from, *ret_fd, &bytes, err);
        if (!code) u->bytes += bytes;
        return code;
    }
    if (S_ISLNK(st->st_mode)) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(from_dir, from_name, target, sizeof target - 1);
        if (n < 0) return sw_fail_sys(err, errno, "read the link %s", from_name);
        target[n] = 0;
        if (sw_sys_symlinkat(target, to->dir, to->name) < 0)
            return sw_fail_sys(err, errno, "make the link %s", to->name);
        return SW_OK;
    }
    if (S_ISDIR(st->st_mode))
        return sw_fail(err, SW_SYNTAX, "a hard link to a directory of a lower layer");
    if (sw_sys_mknodat(to->dir, to->name, st->st_mode & (S_IFMT | 0600), st->st_rdev) < 0)
        return sw_fail_sys(err, errno, "make %s", to->name);
    return SW_OK;
}

static enum sw_code copy_up(struct sw_unpacker *u, int from_dir, const char *from_name,
                            const struct stat *st, struct sw_str path, struct sw_error *err) {
    struct sw_place to;
    enum sw_code code = sw_unpacker_place(u, path, &to, err);
    if (!code) code = sw_unpacker_clear(u, &to, err);
    if (!code) code = sw_unpacker_place(u, path, &to, err);
    if (code) return code;
    SW_FD int fd = -1;
    if ((code = copy_content(u, from_dir, from_name, st, &to, &fd, err))) return code;
    struct xattrs *x = sw_calloc(1, sizeof *x);
    sw_arena_init(&x->arena, 0);
    read_xattrs(from_dir, from_name, x);
    struct sw_unpack_attributes attr = attributes_of(st, x);
    code = sw_unpacker_attributes(u, &to, fd, &attr, err);
    sw_vec_done(&x->list);
    sw_arena_done(&x->arena);
    free(x);
    return code;
}

/* Links to one lower file are linked to one another: first maps a target to the path that was
 * copied. */
static enum sw_code finish_link(struct sw_unpacker *u, struct sw_late_link *l, const int *lower,
                                size_t n_lower, struct sw_map *first, struct sw_error *err) {
    SW_FD int dir = -1;
    struct sw_place at;
    struct stat st;
    char name[NAME_MAX + 1];
    struct sw_error missing;
    enum sw_code code = sw_unpacker_place(u, l->path, &at, err);
    if (code) return code;
    bool taken = fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (taken && !sw_is_whiteout_node(&st)) return SW_OK;
    if (taken && (code = sw_unpacker_clear(u, &at, err))) return code;
    if ((code = sw_unpacker_place(u, l->path, &at, err))) return code;
    struct sw_late_link *twin = sw_map_get(first, l->target);
    struct sw_str source = twin ? twin->path : l->target;
    SW_FREE char *text = sw_strndup(source.ptr, source.len);
    /* Later entries of the layer may have brought the target after all. */
    if (!sw_open_parent_beneath(u->root, text, &dir, name, sizeof name, &missing) &&
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !sw_is_whiteout_node(&st) &&
        sw_sys_linkat(dir, name, at.dir, at.name, 0) == 0)
        return SW_OK;
    sw_closep(&dir);
    if (!look_below(u, lower, n_lower, l->target, &dir, name, &st))
        return sw_fail(err, SW_NOT_FOUND,
                       "a hard link to %.*s, which neither this layer nor one below has",
                       SW_ARG(l->target));
    if ((code = copy_up(u, dir, name, &st, l->path, err))) return code;
    sw_map_put(first, l->target, l);
    return SW_OK;
}

/* From the last to the first: of two links of one name the later one stays. */
static enum sw_code finish_links(struct sw_unpacker *u, const int *lower, size_t n_lower,
                                 struct sw_error *err) {
    SW_MAP struct sw_map first = {0};
    for (size_t i = u->late_links.len; i-- > 0;) {
        struct sw_late_link *l = &u->late_links.ptr[i];
        if (finish_link(u, l, lower, n_lower, &first, err))
            return sw_context(err, "%.*s", SW_ARG(l->path));
    }
    return SW_OK;
}

/* ---- directories ---- */

static enum sw_code adopt_directory(struct sw_unpacker *u, struct sw_late_dir *d, const int *lower,
                                    size_t n_lower, struct sw_error *err) {
    SW_FD int below = -1;
    SW_FD int fd = -1;
    char name[NAME_MAX + 1];
    struct stat st;
    struct sw_place at;
    if (!look_below(u, lower, n_lower, d->path, &below, name, &st) || !S_ISDIR(st.st_mode))
        return SW_OK;
    enum sw_code code = sw_unpacker_place(u, d->path, &at, err);
    if (!code) code = sw_open_at(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);
    if (code) return code;
    struct xattrs *x = sw_calloc(1, sizeof *x);
    sw_arena_init(&x->arena, 0);
    read_xattrs(below, name, x);
    struct sw_unpack_attributes attr = attributes_of(&st, x);
    code = sw_unpacker_attributes(u, &at, fd, &attr, err);
    d->mode = attr.mode;
    d->mtime_sec = attr.mtime_sec;
    d->mtime_nsec = attr.mtime_nsec;
    sw_vec_done(&x->list);
    sw_arena_done(&x->arena);
    free(x);
    return code;
}

/* A directory that a later entry replaced is not there any more, or is another one of the same
 * path; both are fine. */
static enum sw_code settle(struct sw_unpacker *u, const struct sw_late_dir *d,
                           struct sw_error *err) {
    SW_FREE char *path = sw_strndup(d->path.ptr, d->path.len);
    SW_FD int fd = -1;
    enum sw_code code =
        sw_open_beneath(u->root, d->path.len ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (code && (err->sys_errno == ENOENT || err->sys_errno == ENOTDIR || err->sys_errno == ELOOP))
        return SW_OK;
    if (code) return code;
    struct stat st;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at %s", path);
    if (st.st_dev != d->id.dev || st.st_ino != d->id.ino) return SW_OK;
    struct timespec times[2] = {{d->mtime_sec, d->mtime_nsec}, {d->mtime_sec, d->mtime_nsec}};
    if (fchmod(fd, d->mode) < 0 || futimens(fd, times) < 0)
        return sw_fail_sys(err, errno, "set mode and times of %s", path);
    return SW_OK;
}

static int deepest_first(const void *x, const void *y) {
    const struct sw_late_dir *a = x, *b = y;
    return -sw_str_cmp(a->path, b->path);
}

enum sw_code sw_unpacker_finish(struct sw_unpacker *u, const int *lower, size_t n_lower,
                                struct sw_error *err) {
    enum sw_code code = finish_links(u, lower, n_lower, err);
    for (size_t i = 0; !code && i < u->late_dirs.len; i++)
        if (u->late_dirs.ptr[i].implicit)
            code = adopt_directory(u, &u->late_dirs.ptr[i], lower, n_lower, err);
    /* Children before their parents: a directory may lose the bits that let us enter it. */
    if (u->late_dirs.len)
        qsort(u->late_dirs.ptr, u->late_dirs.len, sizeof *u->late_dirs.ptr, deepest_first);
    for (size_t i = 0; !code && i < u->late_dirs.len; i++)
        code = settle(u, &u->late_dirs.ptr[i], err);
    return code;
}
