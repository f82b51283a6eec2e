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
#include "base/proc.h"
#include "base/sys.h"
#include "store/unpack_internal.h"

#define WHITEOUT_PREFIX ".wh."
#define OPAQUE_MARK ".wh..wh..opq"
#define AUFS_PREFIX ".wh..wh."

/* Memory for paths of directories and late links of one layer. */
#define ARENA_MAX ((size_t)1 << 30)
/* Runs of zeros of at least this size become holes. */
#define HOLE_MIN 4096
#define ENTRIES_DEFAULT ((uint64_t)10 * 1000 * 1000)

/* ---- life ---- */

void sw_unpacker_init(struct sw_unpacker *u, const struct sw_unpack_options *options, int root) {
    *u = (struct sw_unpacker){.options = options, .root = root};
    sw_arena_init(&u->arena, ARENA_MAX);
    sw_buf_init(&u->path, PATH_MAX);
    sw_buf_init(&u->link, PATH_MAX);
    sw_buf_init(&u->scratch, PATH_MAX);
    sw_buf_init(&u->root_path, PATH_MAX);
    sw_buf_init(&u->dir_path, (size_t)2 * PATH_MAX);
    for (size_t i = 0; i < SW_DIR_CACHE_SIZE; i++) u->dirs[i].fd = -1;
}

static void forget_dirs(struct sw_unpacker *u) {
    for (size_t i = 0; i < SW_DIR_CACHE_SIZE; i++) {
        sw_closep(&u->dirs[i].fd);
        free(u->dirs[i].path);
        u->dirs[i].path = NULL;
    }
}

void sw_unpacker_done(struct sw_unpacker *u) {
    forget_dirs(u);
    sw_map_done(&u->late_index);
    sw_vec_done(&u->late_dirs);
    sw_vec_done(&u->late_links);
    sw_buf_done(&u->path);
    sw_buf_done(&u->link);
    sw_buf_done(&u->scratch);
    sw_buf_done(&u->root_path);
    sw_buf_done(&u->dir_path);
    sw_arena_done(&u->arena);
}

/* ---- notes ---- */

static void note(struct sw_unpacker *u, uint64_t *counter, const char *what, const char *name,
                 int errnum) {
    ++*counter;
    if (u->notes.first[0]) return;
    snprintf(u->notes.first, sizeof u->notes.first, "%.32s of %.80s: %.60s", what, name,
             strerror(errnum));
}

/* ---- whiteouts ---- */

const char *sw_overlay_opaque_xattr(enum sw_overlay_form form) {
    switch (form) {
    case SW_OVERLAY_TRUSTED:
        return "trusted.overlay.opaque";
    case SW_OVERLAY_USER:
        return "user.overlay.opaque";
    default:
        return NULL;
    }
}

bool sw_is_whiteout_node(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

enum sw_code sw_unpacker_set_opaque(struct sw_unpacker *u, int dir, const char *name,
                                    struct sw_error *err) {
    const char *xattr = sw_overlay_opaque_xattr(u->options->form);
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);
    if (code) return code;
    if (!xattr) {
        int mark = openat(fd, OPAQUE_MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (mark < 0) return sw_fail_sys(err, errno, "mark %s as opaque", name);
        close(mark);
        return SW_OK;
    }
    if (fsetxattr(fd, xattr, "y", 1, 0) < 0) {
        sw_fail_sys(err, errno, "mark %s as opaque (%s)", name, xattr);
        return sw_advise(err, "; the file system of the store must support this attribute");
    }
    return SW_OK;
}

/* ---- directories ---- */

/* The path of a directory without links on the way. Links may change before the directory is
 * settled; the kernel knows where it really is. Without /proc the archive's path must do. */
static struct sw_str real_path(struct sw_unpacker *u, struct sw_str path, int fd) {
    struct sw_error ignored;
    if (!u->root_path.len) {
        if (sw_fd_path(u->root, &u->root_path, &ignored)) sw_buf_reset(&u->root_path);
        sw_buf_add_char(&u->root_path, '/');
    }
    sw_buf_reset(&u->dir_path);
    if (sw_fd_path(fd, &u->dir_path, &ignored)) return path;
    struct sw_str real = sw_buf_str(&u->dir_path), root = sw_buf_str(&u->root_path);
    if (real.len + 1 == root.len && sw_str_starts(root, real)) return SW_STR("");
    return sw_str_starts(real, root) ? sw_str_from(real, root.len) : path;
}

enum sw_code sw_unpacker_late_dir(struct sw_unpacker *u, struct sw_str path, int fd,
                                  const struct sw_unpack_attributes *attr, bool implicit,
                                  struct sw_error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at a directory");
    struct sw_file_id id = {.dev = st.st_dev, .ino = st.st_ino};
    struct sw_str key = sw_str_n((const char *)&id, sizeof id);
    uintptr_t at = (uintptr_t)sw_map_get(&u->late_index, key);
    if (!at) {
        (void)sw_vec_push(&u->late_dirs);
        at = u->late_dirs.len;
        sw_map_put(&u->late_index, sw_arena_str(&u->arena, key), (void *)at);
    }
    u->late_dirs.ptr[at - 1] = (struct sw_late_dir){
        .id = id,
        .path = sw_arena_str(&u->arena, path.len ? real_path(u, path, fd) : path),
        .mode = attr->mode,
        .mtime_sec = attr->mtime_sec,
        .mtime_nsec = attr->mtime_nsec,
        .implicit = implicit,
    };
    return SW_OK;
}

/* Makes one missing parent. A whiteout of this layer in its place becomes an opaque directory. */
static enum sw_code make_implicit(struct sw_unpacker *u, int dir, const char *name,
                                  struct sw_str path, struct sw_error *err) {
    bool hides = false;
    if (sw_sys_mkdirat(dir, name, 0755) < 0) {
        struct stat st;
        if (errno != EEXIST) return sw_fail_sys(err, errno, "make directory %s", name);
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !sw_is_whiteout_node(&st))
            return sw_fail(err, SW_SYNTAX, "%.*s is used as a directory and is none", SW_ARG(path));
        if (sw_sys_unlinkat(dir, name, 0) < 0 || sw_sys_mkdirat(dir, name, 0755) < 0)
            return sw_fail_sys(err, errno, "make directory %s", name);
        hides = true;
    }
    /* The umask may have taken bits. */
    if (sw_sys_fchmodat(dir, name, 0755) < 0) return sw_fail_sys(err, errno, "chmod %s", name);
    struct sw_unpack_attributes attr = {.is_dir = true, .mode = 0755};
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);
    if (code || (code = sw_unpacker_late_dir(u, path, fd, &attr, true, err))) return code;
    u->entries++;
    return hides ? sw_unpacker_set_opaque(u, dir, name, err) : SW_OK;
}

/* Opens a directory of the tree, making what is missing on the way, one component after the other.
 * Links on the way are the layer's own and are followed inside the root. */
static enum sw_code open_or_make(struct sw_unpacker *u, struct sw_str path, int *ret,
                                 struct sw_error *err) {
    const int flags = O_RDONLY | O_DIRECTORY;
    SW_FREE char *text = sw_strndup(path.ptr, path.len);
    enum sw_code code = sw_open_beneath(u->root, text, flags, 0, ret, err);
    if (!code || (err->sys_errno != ENOENT && err->sys_errno != ENOTDIR)) return code;
    SW_FD int dir = -1;
    if ((code = sw_open_at(u->root, ".", flags, 0, &dir, err))) return code;
    for (size_t at = 0; at < path.len;) {
        size_t len = sw_str_find_char(sw_str_from(path, at), '/');
        size_t end = len == SIZE_MAX ? path.len : at + len;
        char kept = text[end];
        text[end] = 0;
        int next = -1;
        code = sw_open_beneath(u->root, text, flags, 0, &next, err);
        if (code && (err->sys_errno == ENOENT || err->sys_errno == ENOTDIR)) {
            code = make_implicit(u, dir, text + at, sw_str_sub(path, 0, end), err);
            if (!code) code = sw_open_at(dir, text + at, flags | O_NOFOLLOW, 0, &next, err);
        }
        if (code) return code;
        sw_closep(&dir);
        dir = next;
        text[end] = kept;
        at = end + 1;
    }
    *ret = sw_take_fd(&dir);
    return SW_OK;
}

static enum sw_code cached_dir(struct sw_unpacker *u, struct sw_str path, int *ret,
                               struct sw_error *err) {
    size_t at = sw_hash_bytes(path.ptr, path.len, 0) % SW_DIR_CACHE_SIZE;
    struct sw_cached_dir *c = &u->dirs[at];
    if (c->path && sw_str_is(path, c->path)) {
        *ret = c->fd;
        return SW_OK;
    }
    int fd = -1;
    enum sw_code code = open_or_make(u, path, &fd, err);
    if (code) return code;
    sw_closep(&c->fd);
    free(c->path);
    c->path = sw_strndup(path.ptr, path.len);
    c->fd = *ret = fd;
    return SW_OK;
}

enum sw_code sw_unpacker_place(struct sw_unpacker *u, struct sw_str path, struct sw_place *ret,
                               struct sw_error *err) {
    size_t slash = sw_str_rfind_char(path, '/');
    struct sw_str name = slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
    if (name.len > NAME_MAX)
        return sw_fail(err, SW_UNSUPPORTED, "%.*s...: a name of %zu bytes; file systems allow %d",
                       60, path.ptr, name.len, NAME_MAX);
    memcpy(ret->name, name.ptr, name.len);
    ret->name[name.len] = 0;
    if (slash == SIZE_MAX) {
        ret->dir = u->root;
        return SW_OK;
    }
    return cached_dir(u, sw_str_sub(path, 0, slash), &ret->dir, err);
}

enum sw_code sw_unpacker_clear(struct sw_unpacker *u, const struct sw_place *at,
                               struct sw_error *err) {
    if (sw_sys_unlinkat(at->dir, at->name, 0) == 0) {
        forget_dirs(u); /* it may have been a link that a cached path goes through */
        return SW_OK;
    }
    if (errno == ENOENT) return SW_OK;
    if (errno != EISDIR && errno != EPERM) return sw_fail_sys(err, errno, "replace %s", at->name);
    int dir = dup(at->dir);
    if (dir < 0) return sw_fail_sys(err, errno, "replace %s", at->name);
    enum sw_code code = sw_remove_tree_at(dir, at->name, err);
    close(dir);
    forget_dirs(u);
    return code;
}

/* The path of a place without links on the way, in the arena. */
static struct sw_str real_place(struct sw_unpacker *u, struct sw_str path,
                                const struct sw_place *at) {
    if (at->dir == u->root) return sw_arena_str(&u->arena, sw_str(at->name));
    size_t slash = sw_str_rfind_char(path, '/');
    struct sw_str dir = real_path(u, sw_str_sub(path, 0, slash == SIZE_MAX ? 0 : slash), at->dir);
    return sw_arena_printf(&u->arena, "%.*s%s%s", SW_ARG(dir), dir.len ? "/" : "", at->name);
}

/* Links that wait for their target go with the directory they were to be in. */
static void drop_late_links(struct sw_unpacker *u, struct sw_str dir) {
    size_t kept = 0;
    for (size_t i = 0; i < u->late_links.len; i++) {
        struct sw_late_link l = u->late_links.ptr[i];
        bool below =
            l.path.len > dir.len && sw_str_starts(l.path, dir) && l.path.ptr[dir.len] == '/';
        if (!below) u->late_links.ptr[kept++] = l;
    }
    u->late_links.len = kept;
}

/* Replaces what the archive put there. The place's directory may have been closed by that, and is
 * looked up again; it must still be the same one: through a link of its own an archive could remove
 * the very directory that it is about to write to. */
static enum sw_code clear_and_place(struct sw_unpacker *u, struct sw_str path, struct sw_place *at,
                                    struct sw_error *err) {
    struct stat before, after;
    if (fstat(at->dir, &before) < 0) return sw_fail_sys(err, errno, "look at a directory");
    if (u->late_links.len) drop_late_links(u, real_place(u, path, at));
    enum sw_code code = sw_unpacker_clear(u, at, err);
    if (!code) code = sw_unpacker_place(u, path, at, err);
    if (code) return code;
    if (fstat(at->dir, &after) < 0) return sw_fail_sys(err, errno, "look at a directory");
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
        return sw_fail(err, SW_SYNTAX, "an entry that replaces the directory it is in");
    return SW_OK;
}

/* ---- attributes ---- */

static bool is_ours(struct sw_str name) {
    return sw_str_starts(name, SW_STR("trusted.overlay.")) ||
           sw_str_starts(name, SW_STR("user.overlay.")) ||
           sw_str_starts(name, SW_STR("user.slipway."));
}

static int set_xattr(const struct sw_place *at, int fd, const char *name, struct sw_str value) {
    if (fd >= 0) return fsetxattr(fd, name, value.ptr, value.len, 0);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", at->dir, at->name);
    return lsetxattr(path, name, value.ptr, value.len, 0);
}

static enum sw_code set_xattrs(struct sw_unpacker *u, const struct sw_place *at, int fd,
                               const struct sw_unpack_attributes *attr, struct sw_error *err) {
    for (size_t i = 0; i < attr->n_xattrs; i++) {
        struct sw_str name = attr->xattrs[i].name;
        char text[256];
        /* An archive may not say how overlay reads the tree. */
        if (is_ours(name) || name.len >= sizeof text) {
            note(u, &u->notes.xattrs, "an extended attribute", at->name, EPERM);
            continue;
        }
        memcpy(text, name.ptr, name.len);
        text[name.len] = 0;
        if (set_xattr(at, fd, text, attr->xattrs[i].value) == 0) continue;
        if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
            return sw_fail_sys(err, errno, "set %s of %s", text, at->name);
        note(u, &u->notes.xattrs, text, at->name, errno);
    }
    return SW_OK;
}

static enum sw_code set_owner(struct sw_unpacker *u, const struct sw_place *at, int fd,
                              const struct sw_unpack_attributes *attr, struct sw_error *err) {
    if (attr->uid > UINT32_MAX - 1 || attr->gid > UINT32_MAX - 1)
        return sw_fail(err, SW_UNSUPPORTED, "%s belongs to %llu:%llu, beyond 32 bits", at->name,
                       (unsigned long long)attr->uid, (unsigned long long)attr->gid);
    int r = fd >= 0 ? sw_sys_fchownat(fd, "", (uid_t)attr->uid, (gid_t)attr->gid, AT_EMPTY_PATH)
                    : sw_sys_fchownat(at->dir, at->name, (uid_t)attr->uid, (gid_t)attr->gid,
                                      AT_SYMLINK_NOFOLLOW);
    if (r == 0) return SW_OK;
    int errnum = errno;
    if (!u->options->remember_owner || (errnum != EPERM && errnum != EINVAL)) {
        sw_fail_sys(err, errnum, "give %s to %llu:%llu", at->name, (unsigned long long)attr->uid,
                    (unsigned long long)attr->gid);
        return sw_advise(err, "; a user namespace needs subordinate IDs for that: see "
                              "`slipway doctor`");
    }
    if (attr->uid == 0 && attr->gid == 0) return SW_OK; /* what we are is shown as root */
    note(u, &u->notes.owners, "the owner", at->name, errnum);
    if (fd < 0) return SW_OK;
    char text[32];
    int n = snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)attr->uid,
                     (unsigned long long)attr->gid);
    if (fsetxattr(fd, SW_UNPACK_OWNER_XATTR, text, (size_t)n, 0) < 0 && errno != EOPNOTSUPP)
        return sw_fail_sys(err, errno, "remember the owner of %s", at->name);
    return SW_OK;
}

enum sw_code sw_unpacker_attributes(struct sw_unpacker *u, const struct sw_place *at, int fd,
                                    const struct sw_unpack_attributes *attr, struct sw_error *err) {
    /* Changing the owner clears set-ID bits and file capabilities: it comes first. */
    enum sw_code code = set_owner(u, at, fd, attr, err);
    if (code || (code = set_xattrs(u, at, fd, attr, err)) || attr->is_dir) return code;
    if (!attr->is_link) {
        int r = fd >= 0 ? fchmod(fd, attr->mode) : sw_sys_fchmodat(at->dir, at->name, attr->mode);
        if (r < 0) return sw_fail_sys(err, errno, "set the mode of %s", at->name);
    }
    struct timespec times[2] = {{attr->mtime_sec, attr->mtime_nsec},
                                {attr->mtime_sec, attr->mtime_nsec}};
    int r =
        fd >= 0 ? futimens(fd, times) : utimensat(at->dir, at->name, times, AT_SYMLINK_NOFOLLOW);
    if (r < 0) return sw_fail_sys(err, errno, "set the time of %s", at->name);
    return SW_OK;
}

static struct sw_unpack_attributes attributes_of(const struct sw_tar_entry *e) {
    return (struct sw_unpack_attributes){
        .is_dir = e->type == SW_TAR_DIR,
        .is_link = e->type == SW_TAR_SYMLINK,
        .mode = e->mode & 07777,
        .uid = e->uid,
        .gid = e->gid,
        .mtime_sec = e->mtime_sec,
        .mtime_nsec = e->mtime_nsec,
        .xattrs = e->xattrs,
        .n_xattrs = e->n_xattrs,
    };
}

/* ---- entries ---- */

static bool is_zero(struct sw_str bytes) {
    return bytes.ptr[0] == 0 && memcmp(bytes.ptr, bytes.ptr + 1, bytes.len - 1) == 0;
}

static enum sw_code write_content(struct sw_unpacker *u, struct sw_tar_reader *r, int fd,
                                  uint64_t size, struct sw_error *err) {
    uint64_t at = 0; /* the file's offset; pieces come in order */
    for (;;) {
        struct sw_tar_piece piece;
        enum sw_code code = sw_tar_read(r, &piece, err);
        if (code) return code;
        if (!piece.bytes.len) break;
        if (piece.hole || (piece.bytes.len >= HOLE_MIN && is_zero(piece.bytes))) continue;
        if (at != piece.offset && lseek(fd, (off_t)piece.offset, SEEK_SET) < 0)
            return sw_fail_sys(err, errno, "seek");
        if ((code = sw_write_full(fd, piece.bytes.ptr, piece.bytes.len, err))) return code;
        at = piece.offset + piece.bytes.len;
        u->bytes += piece.bytes.len;
    }
    if (at < size && sw_sys_ftruncate(fd, (off_t)size) < 0)
        return sw_fail_sys(err, errno, "extend to %llu bytes", (unsigned long long)size);
    return SW_OK;
}

static enum sw_code put_file(struct sw_unpacker *u, struct sw_tar_reader *r,
                             const struct sw_tar_entry *e, struct sw_str path, struct sw_place *at,
                             struct sw_error *err) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(at->dir, at->name, flags, 0600, &fd, err);
    if (code == SW_EXISTS) {
        code = clear_and_place(u, path, at, err);
        if (!code) code = sw_open_at(at->dir, at->name, flags, 0600, &fd, err);
    }
    if (code || (code = write_content(u, r, fd, e->size, err))) return code;
    u->bytes = (u->bytes + 4095) / 4096 * 4096; /* about what the file system takes */
    struct sw_unpack_attributes attr = attributes_of(e);
    return sw_unpacker_attributes(u, at, fd, &attr, err);
}

static enum sw_code put_dir(struct sw_unpacker *u, const struct sw_tar_entry *e, struct sw_str path,
                            struct sw_place *at, struct sw_error *err) {
    bool hides = false;
    if (sw_sys_mkdirat(at->dir, at->name, 0700) < 0) {
        struct stat st;
        if (errno != EEXIST) return sw_fail_sys(err, errno, "make directory %s", at->name);
        if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return sw_fail_sys(err, errno, "look at %s", at->name);
        hides = sw_is_whiteout_node(&st);
        if (!S_ISDIR(st.st_mode)) {
            enum sw_code code = clear_and_place(u, path, at, err);
            if (code) return code;
            if (sw_sys_mkdirat(at->dir, at->name, 0700) < 0)
                return sw_fail_sys(err, errno, "make directory %s", at->name);
        }
    }
    SW_FD int fd = -1;
    enum sw_code code =
        sw_open_at(at->dir, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err);
    if (code) return code;
    struct sw_unpack_attributes attr = attributes_of(e);
    if ((code = sw_unpacker_attributes(u, at, fd, &attr, err))) return code;
    if ((code = sw_unpacker_late_dir(u, path, fd, &attr, false, err))) return code;
    return hides ? sw_unpacker_set_opaque(u, at->dir, at->name, err) : SW_OK;
}

/* Devices, FIFOs and symbolic links: made by name, attributes set by name. */
static int make_special(const struct sw_tar_entry *e, const struct sw_place *at,
                        const char *target) {
    switch (e->type) {
    case SW_TAR_SYMLINK:
        return sw_sys_symlinkat(target, at->dir, at->name);
    case SW_TAR_FIFO:
        return sw_sys_mknodat(at->dir, at->name, S_IFIFO | 0600, 0);
    default:
        return sw_sys_mknodat(at->dir, at->name,
                              (e->type == SW_TAR_CHAR ? S_IFCHR : S_IFBLK) | 0600,
                              makedev(e->devmajor, e->devminor));
    }
}

static enum sw_code put_special(struct sw_unpacker *u, const struct sw_tar_entry *e,
                                struct sw_str path, struct sw_place *at, struct sw_error *err) {
    bool device = e->type == SW_TAR_CHAR || e->type == SW_TAR_BLOCKDEV;
    if (e->type == SW_TAR_SYMLINK && (!e->linkname.len || e->linkname.len >= PATH_MAX))
        return sw_fail(err, SW_SYNTAX, "a symbolic link has a target of %zu bytes",
                       e->linkname.len);
    /* A 0/0 character device is how overlay writes a whiteout; an archive has .wh. files for it. */
    if (e->type == SW_TAR_CHAR && e->devmajor == 0 && e->devminor == 0) {
        note(u, &u->notes.devices, "device 0/0", at->name, EPERM);
        return SW_OK;
    }
    SW_FREE char *target = sw_strndup(e->linkname.ptr ? e->linkname.ptr : "", e->linkname.len);
    int r = make_special(e, at, target);
    if (r < 0 && errno == EEXIST) {
        enum sw_code code = clear_and_place(u, path, at, err);
        if (code) return code;
        r = make_special(e, at, target);
    }
    if (r < 0 && device && (errno == EPERM || errno == EACCES)) {
        note(u, &u->notes.devices, "a device", at->name, errno);
        return SW_OK;
    }
    if (r < 0) return sw_fail_sys(err, errno, "make %s", at->name);
    struct sw_unpack_attributes attr = attributes_of(e);
    return sw_unpacker_attributes(u, at, -1, &attr, err);
}

/* A link to a file of this layer; one that is not here (yet) is looked for at the end, below. */
static enum sw_code put_hardlink(struct sw_unpacker *u, const struct sw_tar_entry *e,
                                 struct sw_str path, struct sw_place *at, struct sw_error *err) {
    struct sw_str target;
    enum sw_code code = sw_tar_clean_path(e->linkname, &u->link, &target, err);
    if (code) return sw_context(err, "a hard link's target");
    if (!target.len) return sw_fail(err, SW_SYNTAX, "a hard link to the root");
    if (sw_str_eq(target, path)) return SW_OK;
    SW_FD int dir = -1;
    char name[NAME_MAX + 1];
    SW_FREE char *text = sw_strndup(target.ptr, target.len);
    code = sw_open_parent_beneath(u->root, text, &dir, name, sizeof name, err);
    int r = -1, errnum = err->sys_errno;
    struct stat st;
    bool found = !code && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (found && S_ISDIR(st.st_mode))
        return sw_fail(err, SW_SYNTAX, "a hard link to a directory: %s", text);
    /* A whiteout is no file; the target is below, if anywhere. */
    if (!code) errnum = ENOENT;
    if (found && !sw_is_whiteout_node(&st)) {
        r = sw_sys_linkat(dir, name, at->dir, at->name, 0);
        if (r < 0 && errno == EEXIST) {
            if ((code = clear_and_place(u, path, at, err))) return code;
            r = sw_sys_linkat(dir, name, at->dir, at->name, 0);
            if (r < 0 && errno == ENOENT)
                return sw_fail(err, SW_SYNTAX, "a hard link that replaces its target: %s", text);
        }
        errnum = r < 0 ? errno : 0;
    }
    if (r == 0) return SW_OK;
    if (errnum != ENOENT && errnum != ENOTDIR && errnum != ELOOP)
        return code ? code : sw_fail_sys(err, errnum, "link %s to %s", at->name, text);
    /* What is there now was earlier; what is there in the end came later, and stays. */
    if ((code = clear_and_place(u, path, at, err))) return code;
    struct sw_late_link *late = sw_vec_push(&u->late_links);
    *late = (struct sw_late_link){.path = real_place(u, path, at),
                                  .target = sw_arena_str(&u->arena, target)};
    return SW_OK;
}

/* A name of lower layers goes. What this layer itself has there stays: a directory of ours hides
 * the lower one as a whole. */
static enum sw_code put_whiteout(struct sw_unpacker *u, struct sw_place *at, struct sw_error *err) {
    const char *hidden = at->name + sizeof WHITEOUT_PREFIX - 1;
    if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
        return sw_fail(err, SW_SYNTAX, "the whiteout %s hides nothing", at->name);
    struct stat st;
    if (fstatat(at->dir, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode)) return SW_OK;
        return sw_unpacker_set_opaque(u, at->dir, hidden, err);
    }
    if (u->options->form == SW_OVERLAY_FILES) {
        int fd =
            sw_sys_openat(at->dir, at->name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) return sw_fail_sys(err, errno, "make the whiteout %s", at->name);
        close(fd);
        return SW_OK;
    }
    if (sw_sys_mknodat(at->dir, hidden, S_IFCHR, makedev(0, 0)) == 0) return SW_OK;
    sw_fail_sys(err, errno, "make the whiteout of %s", hidden);
    return sw_advise(err, "; kernels before 5.8 allow it to root only");
}

static enum sw_code put_entry(struct sw_unpacker *u, struct sw_tar_reader *r,
                              const struct sw_tar_entry *e, struct sw_str path,
                              struct sw_error *err) {
    if (!path.len) {
        if (e->type != SW_TAR_DIR) return sw_fail(err, SW_SYNTAX, "the root is no directory");
        struct sw_place root = {.dir = u->root, .name = "."};
        struct sw_unpack_attributes attr = attributes_of(e);
        enum sw_code late = sw_unpacker_late_dir(u, path, u->root, &attr, false, err);
        if (late) return late;
        return sw_unpacker_attributes(u, &root, u->root, &attr, err);
    }
    struct sw_place at;
    enum sw_code code = sw_unpacker_place(u, path, &at, err);
    if (code) return code;
    if (!strncmp(at.name, WHITEOUT_PREFIX, sizeof WHITEOUT_PREFIX - 1)) {
        if (!strcmp(at.name, OPAQUE_MARK)) return sw_unpacker_set_opaque(u, at.dir, ".", err);
        /* Book-keeping of aufs, which old layers carry. */
        if (!strncmp(at.name, AUFS_PREFIX, sizeof AUFS_PREFIX - 1)) return SW_OK;
        return put_whiteout(u, &at, err);
    }
    switch (e->type) {
    case SW_TAR_FILE:
        return put_file(u, r, e, path, &at, err);
    case SW_TAR_DIR:
        return put_dir(u, e, path, &at, err);
    case SW_TAR_HARDLINK:
        return put_hardlink(u, e, path, &at, err);
    default:
        return put_special(u, e, path, &at, err);
    }
}

static enum sw_code put_all(struct sw_unpacker *u, struct sw_tar_source source,
                            struct sw_error *err) {
    struct sw_tar_limits limits = {.entries = u->options->max_entries ? u->options->max_entries
                                                                      : ENTRIES_DEFAULT};
    SW_TAR_READER struct sw_tar_reader r;
    sw_tar_reader_init(&r, source, &limits);
    for (;;) {
        const struct sw_tar_entry *e;
        struct sw_str path;
        enum sw_code code = sw_tar_next(&r, &e, err);
        if (code || !e) return code;
        code = sw_tar_clean_path(e->path, &u->scratch, &path, err);
        if (!code) {
            /* The reader's views live until it is asked for more. */
            sw_buf_reset(&u->path);
            sw_buf_add(&u->path, path);
            code = put_entry(u, &r, e, sw_buf_str(&u->path), err);
        }
        if (code) return sw_context(err, "%.*s", SW_ARG(e->path));
        u->entries++;
        if ((u->entries & 255) == 0 && (code = sw_cancel_check(err))) return code;
        if ((code = sw_arena_check(&u->arena, "unpacking a layer", err))) return code;
    }
}

enum sw_code sw_unpacker_tree(struct sw_unpacker *u, struct sw_tar_source source,
                              struct sw_error *err) {
    enum sw_code code = put_all(u, source, err);
    /* Many layers may wait to be finished: they shall not hold descriptors meanwhile. */
    forget_dirs(u);
    return code;
}
