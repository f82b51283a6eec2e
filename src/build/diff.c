#include "build/diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "build/limits.h"
#include "build/source.h"
#include "store/unpack.h"

struct differ {
    struct sw_layer_writer *writer;
    enum sw_overlay_form form;
    int64_t epoch_s, clamped_s;
    struct sw_arena links_arena;
    struct sw_map links; /* device and inode -> path of the first name, a struct sw_str * */
};

static int by_bytes(const void *a, const void *b) {
    return sw_str_cmp(*(const struct sw_str *)a, *(const struct sw_str *)b);
}

/* Marks that are files stand where the marks of the other forms do: an opaque directory's first, a
 * whiteout's in the place of what it hides. */
static struct sw_str place_of(struct sw_str name) {
    if (sw_str_is(name, ".wh..wh..opq")) return SW_STR("");
    return sw_str_starts(name, SW_STR(".wh.")) ? sw_str_from(name, 4) : name;
}

static int by_place(const void *a, const void *b) {
    return sw_str_cmp(place_of(*(const struct sw_str *)a), place_of(*(const struct sw_str *)b));
}

/* The names in a directory, sorted as the archive's paths will be. */
static enum sw_code list(struct sw_arena *arena, int fd, enum sw_overlay_form form,
                         struct sw_str **ret, size_t *ret_n, struct sw_error *err) {
    SW_VEC(struct sw_str) names = {0};
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (!dir) return sw_fail_sys(err, errno, "list a directory");
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            sw_vec_add(&names, sw_arena_str(arena, sw_str(e->d_name)));
    closedir(dir);
    if (names.len)
        qsort(names.ptr, names.len, sizeof *names.ptr,
              form == SW_OVERLAY_FILES ? by_place : by_bytes);
    *ret = sw_arena_array(arena, names.len + 1, sizeof **ret);
    if (names.len) memcpy(*ret, names.ptr, names.len * sizeof **ret);
    *ret_n = names.len;
    sw_vec_done(&names);
    return SW_OK;
}

static enum sw_code whiteout(struct differ *d, struct sw_arena *arena, struct sw_str dir,
                             struct sw_str name, struct sw_error *err) {
    struct sw_str wh = sw_arena_printf(arena, ".wh.%.*s", SW_ARG(name));
    struct sw_tar_entry e = {
        .path = sw_path_join(arena, dir, wh), .type = SW_TAR_FILE, .mtime_sec = d->epoch_s};
    return sw_layer_entry(d->writer, &e, err);
}

static bool is_opaque(struct differ *d, int fd) {
    char value[4];
    if (d->form == SW_OVERLAY_FILES) return false; /* its mark is a file with the right name */
    return fgetxattr(fd,
                     d->form == SW_OVERLAY_USER ? "user.overlay.opaque" : "trusted.overlay.opaque",
                     value, sizeof value) == 1 &&
           value[0] == 'y';
}

/* The entry of one name; type 0 for a socket. */
static enum sw_code describe(struct differ *d, struct sw_arena *arena, int fd, const char *name,
                             const struct stat *st, struct sw_str path, struct sw_tar_entry *ret,
                             struct sw_error *err) {
    struct sw_node node;
    char proc[PATH_MAX + 64];
    sw_node_from_stat(&node, st);
    enum sw_code code = sw_read_xattrs(arena, fd, name, &node, err);
    if (code) return code;
    if (node.type == SW_TAR_FILE || node.type == SW_TAR_DIR) {
        snprintf(proc, sizeof proc, "/proc/self/fd/%d/%s", fd, name);
        sw_node_remembered_owner(proc, &node);
    }
    if (node.type == SW_TAR_SYMLINK) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(fd, name, target, sizeof target);
        if (n < 0) return sw_fail_sys(err, errno, "read the link %s", name);
        node.link = sw_arena_str(arena, sw_str_n(target, (size_t)n));
    }
    bool young = node.mtime_sec >= d->epoch_s || node.mtime_sec == d->clamped_s;
    *ret = (struct sw_tar_entry){
        .path = path,
        .type = node.type,
        .mode = node.type == SW_TAR_SYMLINK ? 0777 : node.mode,
        .uid = node.uid,
        .gid = node.gid,
        .mtime_sec = young ? d->epoch_s : node.mtime_sec,
        .mtime_nsec = young ? 0 : node.mtime_nsec,
        .size = node.size,
        .linkname = node.link,
        .devmajor = node.devmajor,
        .devminor = node.devminor,
        .xattrs = node.xattrs,
        .n_xattrs = node.n_xattrs,
    };
    return SW_OK;
}

/* True, and the entry turned into a link, where another name of this file was archived before. */
static bool as_hard_link(struct differ *d, const struct stat *st, struct sw_tar_entry *e) {
    if (st->st_nlink < 2 || S_ISDIR(st->st_mode)) return false;
    uint64_t key[2] = {st->st_dev, st->st_ino};
    struct sw_str probe = {(const char *)key, sizeof key};
    struct sw_str *first = sw_map_get(&d->links, probe);
    if (!first) {
        first = SW_NEW(&d->links_arena, struct sw_str);
        *first = sw_arena_str(&d->links_arena, e->path);
        sw_map_put(&d->links, sw_arena_str(&d->links_arena, probe), first);
        return false;
    }
    e->type = SW_TAR_HARDLINK;
    e->linkname = *first;
    e->size = 0;
    e->n_xattrs = 0;
    return true;
}

static enum sw_code walk(struct differ *d, int fd, struct sw_str dir, int depth,
                         struct sw_error *err);

static enum sw_code visit(struct differ *d, struct sw_arena *arena, int fd, struct sw_str dir,
                          struct sw_str name, int depth, struct sw_error *err) {
    struct stat st;
    if (fstatat(fd, name.ptr, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return sw_fail_sys(err, errno, "stat %s", name.ptr);
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return whiteout(d, arena, dir, name, err);
    if (d->form == SW_OVERLAY_FILES && sw_str_starts(name, SW_STR(".wh.")))
        return whiteout(d, arena, dir, sw_str_from(name, 4), err);
    struct sw_str path = sw_path_join(arena, dir, name);
    struct sw_tar_entry e;
    enum sw_code code = describe(d, arena, fd, name.ptr, &st, path, &e, err);
    if (code || !e.type) return code;
    bool linked = as_hard_link(d, &st, &e);
    code = sw_layer_entry(d->writer, &e, err);
    if (code || linked) return code;
    if (S_ISREG(st.st_mode)) {
        SW_FD int file = -1;
        code = sw_open_at(fd, name.ptr, O_RDONLY | O_NOFOLLOW, 0, &file, err);
        return code ? code : sw_layer_content(d->writer, file, e.size, err);
    }
    if (S_ISDIR(st.st_mode)) {
        SW_FD int sub = -1;
        code = sw_open_at(fd, name.ptr, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &sub, err);
        return code ? code : walk(d, sub, path, depth + 1, err);
    }
    return SW_OK;
}

static enum sw_code walk(struct differ *d, int fd, struct sw_str dir, int depth,
                         struct sw_error *err) {
    SW_ARENA struct sw_arena arena; /* of one directory */
    struct sw_str *names = NULL;
    size_t n = 0;
    sw_arena_init(&arena, (size_t)1 << 30);
    if (depth > SW_TREE_DEPTH_MAX)
        return sw_fail(err, SW_LIMIT, "directories are nested deeper than %d", SW_TREE_DEPTH_MAX);
    enum sw_code code = sw_cancel_check(err);
    if (!code && depth > 0 && is_opaque(d, fd))
        code = whiteout(d, &arena, dir, SW_STR(".wh..opq"), err);
    if (!code) code = list(&arena, fd, d->form, &names, &n, err);
    for (size_t i = 0; i < n && !code; i++) code = visit(d, &arena, fd, dir, names[i], depth, err);
    if (code && code != SW_CANCELLED && depth == 0) sw_context(err, "archiving what changed");
    return code;
}

enum sw_code sw_diff_archive(int dir_fd, enum sw_overlay_form form, int64_t epoch_s,
                             int64_t clamped_s, struct sw_layer_writer *w, struct sw_error *err) {
    struct differ d = {.writer = w, .form = form, .epoch_s = epoch_s, .clamped_s = clamped_s};
    sw_arena_init(&d.links_arena, (size_t)1 << 30);
    enum sw_code code = walk(&d, dir_fd, SW_STR(""), 0, err);
    sw_map_done(&d.links);
    sw_arena_done(&d.links_arena);
    return code;
}

enum sw_code sw_diff_is_empty(int dir_fd, bool *ret, struct sw_error *err) {
    SW_ARENA struct sw_arena arena;
    struct sw_str *names;
    size_t n;
    sw_arena_init(&arena, 0);
    enum sw_code code = list(&arena, dir_fd, SW_OVERLAY_TRUSTED, &names, &n, err);
    if (!code) *ret = n == 0;
    return code;
}
