#include "build/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/vec.h"
#include "build/limits.h"
#include "store/unpack.h"

#define LINKS_MAX 40 /* as the kernel */

void sw_source_free(struct sw_source *s) {
    if (s) s->ops->free(s);
}

struct sw_str sw_path_join(struct sw_arena *arena, struct sw_str dir, struct sw_str name) {
    if (dir.len == 0) return sw_arena_str(arena, name);
    if (name.len == 0) return sw_arena_str(arena, dir);
    char *p = sw_arena_alloc(arena, dir.len + name.len + 2);
    memcpy(p, dir.ptr, dir.len);
    p[dir.len] = '/';
    memcpy(p + dir.len + 1, name.ptr, name.len);
    return sw_str_n(p, dir.len + 1 + name.len);
}

/* ---- nodes ---- */

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

void sw_node_remembered_owner(const char *path, struct sw_node *node) {
    char value[32];
    unsigned uid, gid;
    ssize_t n = lgetxattr(path, SW_UNPACK_OWNER_XATTR, value, sizeof value - 1);
    if (n <= 0) return;
    value[n] = 0;
    if (sscanf(value, "%u:%u", &uid, &gid) != 2) return;
    node->uid = uid;
    node->gid = gid;
}

void sw_node_from_stat(struct sw_node *node, const struct stat *st) {
    *node = (struct sw_node){
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime_sec = st->st_mtim.tv_sec,
        .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
        .linked = st->st_nlink > 1,
        .dev = st->st_dev,
        .ino = st->st_ino,
        .changed_ns = ns_of(st->st_ctim),
        .modified_ns = ns_of(st->st_mtim),
    };
    switch (st->st_mode & S_IFMT) {
    case S_IFDIR:
        node->type = SW_TAR_DIR;
        break;
    case S_IFLNK:
        node->type = SW_TAR_SYMLINK;
        break;
    case S_IFCHR:
    case S_IFBLK:
        node->type = S_ISCHR(st->st_mode) ? SW_TAR_CHAR : SW_TAR_BLOCKDEV;
        node->devmajor = major(st->st_rdev);
        node->devminor = minor(st->st_rdev);
        break;
    case S_IFIFO:
        node->type = SW_TAR_FIFO;
        break;
    case S_IFSOCK:
        node->type = 0; /* sockets have no place in an archive: callers pass them over */
        break;
    default:
        node->type = SW_TAR_FILE;
        node->size = (uint64_t)st->st_size;
    }
}

/* Attributes that describe this host or this mount, and not the file. */
static bool is_foreign(const char *name) {
    static const char *const prefixes[] = {
        "trusted.overlay.",        "user.overlay.", "user.fuseoverlayfs.",
        "security.fuseoverlayfs.", "user.slipway.", "security.ima",
        "security.selinux",        "security.evm",  "system."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncmp(name, prefixes[i], strlen(prefixes[i]))) return true;
    return false;
}

/* listxattrat(2) came with Linux 6.13; it is twice as fast as the way through /proc. */
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

static ssize_t list_xattrs(int dirfd, const char *name, const char *path, char *list, size_t size) {
    ssize_t len = syscall(SYS_listxattrat, dirfd, name, AT_SYMLINK_NOFOLLOW, list, size);
    if (len >= 0 || (errno != ENOSYS && errno != EPERM)) return len;
    return llistxattr(path, list, size);
}

enum sw_code sw_read_xattrs(struct sw_arena *arena, int dirfd, const char *name,
                            struct sw_node *node, struct sw_error *err) {
    char path[PATH_MAX + 64], list[65536];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
    ssize_t len = list_xattrs(dirfd, name, path, list, sizeof list);
    if (len < 0 && (errno == ENOTSUP || errno == EACCES || errno == EPERM)) return SW_OK;
    if (len < 0) return sw_fail_sys(err, errno, "list the extended attributes of %s", name);
    SW_VEC(struct sw_tar_xattr) found = {0};
    size_t total = 0;
    enum sw_code code = SW_OK;
    for (char *p = list; !code && p < list + len; p += strlen(p) + 1) {
        if (is_foreign(p)) continue;
        char value[65536];
        ssize_t n = lgetxattr(path, p, value, sizeof value);
        if (n < 0) {
            if (errno == ENODATA || errno == EACCES || errno == EPERM) continue;
            code = sw_fail_sys(err, errno, "read the extended attribute %s of %s", p, name);
            break;
        }
        total += strlen(p) + (size_t)n;
        if (total > SW_XATTR_BYTES_MAX) {
            code = sw_fail(err, SW_LIMIT, "%s has more than %zu bytes of extended attributes", name,
                           SW_XATTR_BYTES_MAX);
            break;
        }
        struct sw_tar_xattr *x = sw_vec_push(&found);
        x->name = sw_arena_str(arena, sw_str(p));
        x->value = sw_arena_str(arena, sw_str_n(value, (size_t)n));
    }
    if (!code && found.len) {
        struct sw_tar_xattr *copy = sw_arena_array(arena, found.len, sizeof *copy);
        memcpy(copy, found.ptr, found.len * sizeof *copy);
        node->xattrs = copy;
        node->n_xattrs = found.len;
    }
    sw_vec_done(&found);
    return code;
}

/* ---- links ---- */

/* Replaces *rest, of which a link at dir/name was the head, by the link's target and what follows.
 */
static struct sw_str replace_link(struct sw_arena *arena, struct sw_str target,
                                  struct sw_str tail) {
    if (tail.len == 0) return target;
    char *p = sw_arena_alloc(arena, target.len + tail.len + 2);
    memcpy(p, target.ptr, target.len);
    p[target.len] = '/';
    memcpy(p + target.len + 1, tail.ptr, tail.len);
    return sw_str_n(p, target.len + 1 + tail.len);
}

static struct sw_str parent_of(struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    return slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
}

enum sw_code sw_source_resolve(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                               bool follow_last, bool missing_ok, struct sw_str *ret,
                               struct sw_error *err) {
    struct sw_str done = SW_STR(""), rest = path;
    int links = 0;
    bool missing = false; /* what follows a missing component is taken as it is written */
    while (rest.len) {
        struct sw_str name, tail;
        sw_str_cut(rest, '/', &name, &tail);
        rest = tail;
        if (name.len == 0 || sw_str_is(name, ".")) continue;
        if (sw_str_is(name, "..")) {
            done = parent_of(done);
            continue;
        }
        struct sw_str at = sw_path_join(arena, done, name);
        struct sw_node node = {0};
        enum sw_code code = missing ? SW_NOT_FOUND : s->ops->stat(s, arena, at, false, &node, err);
        if (code == SW_NOT_FOUND && missing_ok) {
            missing = true;
            done = at;
            continue;
        }
        if (code) return code;
        bool last = rest.len == 0;
        if (node.type == SW_TAR_SYMLINK && (!last || follow_last)) {
            if (++links > LINKS_MAX)
                return sw_fail(err, SW_USAGE, "%.*s in %.*s: too many symbolic links", SW_ARG(path),
                               SW_ARG(s->name));
            rest = replace_link(arena, node.link, rest);
            if (node.link.len && node.link.ptr[0] == '/') done = SW_STR("");
            continue;
        }
        if (!last && node.type != SW_TAR_DIR)
            return sw_fail(err, SW_DENIED, "/%.*s in %.*s is not a directory", SW_ARG(at),
                           SW_ARG(s->name));
        done = at;
    }
    *ret = done;
    return SW_OK;
}

/* ---- hashing ---- */

/* Hashes what the descriptors give until all have ended. */
static enum sw_code hash_fds(const int *fds, size_t n, struct sw_digest *ret,
                             struct sw_error *err) {
    struct sw_hasher h[2];
    char block[2][65536];
    ssize_t len[2] = {1, 0};
    for (size_t i = 0; i < n; i++) sw_hasher_init(&h[i], SW_SHA256);
    while (len[0] || len[1]) {
        for (size_t i = 0; i < n; i++) {
            len[i] = sw_sys_read(fds[i], block[i], sizeof block[i]);
            if (len[i] < 0) return sw_fail_sys(err, errno, "read");
        }
        if (n == 2) {
            sw_hasher_add_two(&h[0], sw_str_n(block[0], (size_t)len[0]), &h[1],
                              sw_str_n(block[1], (size_t)len[1]));
        } else {
            sw_hasher_add(&h[0], block[0], (size_t)len[0]);
        }
    }
    for (size_t i = 0; i < n; i++) ret[i] = sw_hasher_finish(&h[i]);
    return SW_OK;
}

/* The file as it was when the node was made. */
static bool same_state(const struct stat *st, const struct sw_node *node) {
    return (uint64_t)st->st_size == node->size && st->st_dev == node->dev &&
           st->st_ino == node->ino && ns_of(st->st_mtim) == node->modified_ns &&
           ns_of(st->st_ctim) == node->changed_ns;
}

/* What a memory of hashes wants to know of a file. */
static struct stat stat_of(const struct sw_node *node) {
    return (struct stat){
        .st_dev = node->dev,
        .st_ino = node->ino,
        .st_mode = S_IFREG,
        .st_size = (off_t)node->size,
        .st_mtim = {node->modified_ns / 1000000000, node->modified_ns % 1000000000},
        .st_ctim = {node->changed_ns / 1000000000, node->changed_ns % 1000000000},
    };
}

bool sw_source_recall(struct sw_source *s, const struct sw_node *node, struct sw_digest *ret) {
    struct stat st = stat_of(node);
    return s->ops->recall && s->ops->recall(s, &st, ret);
}

/* After the reading: the file is still the one that the node describes. */
static enum sw_code check_and_remember(const struct sw_source_file *f, int fd, int64_t started,
                                       const struct sw_digest *digest, struct sw_error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "%.*s", SW_ARG(f->path));
    if (!same_state(&st, f->node))
        return sw_fail(err, SW_BUSY, "%.*s changed while it was read; build again",
                       SW_ARG(f->path));
    if (f->source->ops->remember)
        f->source->ops->remember(f->source, f->node, &st, started, digest);
    *f->ret = *digest;
    return SW_OK;
}

enum sw_code sw_source_hash(const struct sw_source_file *files, size_t n, struct sw_error *err) {
    SW_FD int first = -1;
    SW_FD int second = -1;
    int64_t started = sw_now_unix_ns();
    struct sw_digest digests[2];
    enum sw_code code =
        sw_source_open_same(files[0].source, files[0].path, files[0].node, &first, err);
    if (!code && n == 2)
        code = sw_source_open_same(files[1].source, files[1].path, files[1].node, &second, err);
    if (code) return code;
    const int fds[2] = {first, second};
    code = hash_fds(fds, n, digests, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(files[0].path));
    for (size_t i = 0; i < n && !code; i++)
        code = check_and_remember(&files[i], fds[i], started, &digests[i], err);
    return code;
}

enum sw_code sw_source_open_same(struct sw_source *s, struct sw_str path,
                                 const struct sw_node *node, int *ret_fd, struct sw_error *err) {
    SW_FD int fd = -1;
    struct stat st;
    enum sw_code code = s->ops->open(s, path, &fd, &st, err);
    if (code) return code;
    if (!same_state(&st, node))
        return sw_fail(err, SW_BUSY, "%.*s changed while the build looked at it; build again",
                       SW_ARG(path));
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}
