/* A directory of the host as a source: the build context and named contexts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/vec.h"
#include "build/limits.h"
#include "build/source.h"
#include "store/filehash.h"

struct directory {
    struct sw_source source;
    int fd;
    char *path;                     /* owned; as the user wrote it */
    const struct sw_ignore *ignore; /* borrowed; may be NULL */
    const char *ignore_name;        /* borrowed */
    struct sw_filehash *hashes;     /* owned */
    int64_t opened_ns;              /* before anything in it was looked at */
};

static struct directory *of(struct sw_source *s) { return (struct directory *)s; }

/* A path for a system call; "." for the root. */
static const char *cpath(struct sw_arena *arena, struct sw_str path) {
    return path.len ? sw_arena_cstr(arena, path) : ".";
}

/* ---- the ignore file ---- */

/* Fills row for a directory by stepping down to it from the root; true when it is ignored. */
static bool step_down(const struct sw_ignore *ig, struct sw_arena *arena, struct sw_str dir,
                      uint64_t **ret_row) {
    uint64_t *row = NULL;
    bool ignored = false;
    for (size_t i = 0; i < dir.len; i++) {
        if (i + 1 < dir.len && dir.ptr[i + 1] != '/') continue;
        uint64_t *next = sw_arena_array(arena, sw_ignore_row_words(ig) + 1, sizeof *next);
        ignored = sw_ignore_step(ig, row, sw_str_sub(dir, 0, i + 1), next, NULL);
        row = next;
    }
    *ret_row = row;
    return ignored;
}

static bool has_visible(struct directory *d, struct sw_arena *arena, struct sw_str dir,
                        const uint64_t *row, int depth);

/* Whether a path that exists is part of the context. An ignored directory is when something beneath
 * it is wanted by a "!" pattern. */
static bool is_visible(struct directory *d, struct sw_arena *arena, struct sw_str path,
                       const uint64_t *parent_row, bool is_dir, int depth) {
    uint64_t *row = sw_arena_array(arena, sw_ignore_row_words(d->ignore) + 1, sizeof *row);
    if (!sw_ignore_step(d->ignore, parent_row, path, row, NULL)) return true;
    if (!is_dir || !sw_ignore_may_reenter(d->ignore, path, row)) return false;
    return has_visible(d, arena, path, row, depth + 1);
}

static bool has_visible(struct directory *d, struct sw_arena *arena, struct sw_str dir,
                        const uint64_t *row, int depth) {
    SW_FD int fd =
        openat(d->fd, cpath(arena, dir), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || depth > SW_TREE_DEPTH_MAX) return false;
    DIR *list = fdopendir(dup(fd));
    if (!list) return false;
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(list));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        struct sw_str path = sw_path_join(arena, dir, sw_str(e->d_name));
        found = is_visible(d, arena, path, row, S_ISDIR(st.st_mode), depth);
    }
    closedir(list);
    return found;
}

static bool hidden(struct directory *d, struct sw_arena *arena, struct sw_str path, bool is_dir) {
    if (!d->ignore || path.len == 0) return false;
    size_t slash = sw_str_rfind_char(path, '/');
    uint64_t *row;
    step_down(d->ignore, arena, slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash), &row);
    return !is_visible(d, arena, path, row, is_dir, 0);
}

/* ---- operations ---- */

static enum sw_code fill(struct directory *d, struct sw_arena *arena, int dirfd, const char *name,
                         const struct stat *st, struct sw_node *ret, struct sw_error *err) {
    sw_node_from_stat(ret, st);
    if (d->source.clear_owners) ret->uid = ret->gid = 0;
    if (ret->type == SW_TAR_SYMLINK) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(dirfd, name, target, sizeof target);
        if (n < 0) return sw_fail_sys(err, errno, "read the link %s", name);
        ret->link = sw_arena_str(arena, sw_str_n(target, (size_t)n));
    }
    if (ret->type == SW_TAR_FILE && sw_filehash_is_plain(d->hashes, st)) return SW_OK;
    return sw_read_xattrs(arena, dirfd, name, ret, err);
}

static enum sw_code directory_stat(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                                   bool listed, struct sw_node *ret, struct sw_error *err) {
    struct directory *d = of(s);
    const char *name = cpath(arena, path);
    struct stat st;
    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOTDIR) errno = ENOENT;
        return sw_fail_sys(err, errno, "%s/%.*s", d->path, SW_ARG(path));
    }
    if (!listed && hidden(d, arena, path, S_ISDIR(st.st_mode)))
        return sw_fail(err, SW_NOT_FOUND, "%s/%.*s is excluded by %s", d->path, SW_ARG(path),
                       d->ignore_name);
    if (fill(d, arena, d->fd, name, &st, ret, err)) return sw_context(err, "%s", d->path);
    return SW_OK;
}

static int by_bytes(const void *a, const void *b) {
    return sw_str_cmp(*(const struct sw_str *)a, *(const struct sw_str *)b);
}

static enum sw_code directory_list(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                                   struct sw_str **ret_names, size_t *ret_n, struct sw_error *err) {
    struct directory *d = of(s);
    SW_FD int fd =
        openat(d->fd, cpath(arena, path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return sw_fail_sys(err, errno, "list %s/%.*s", d->path, SW_ARG(path));
    uint64_t *row = NULL;
    if (d->ignore) step_down(d->ignore, arena, path, &row);
    DIR *list = fdopendir(dup(fd));
    if (!list) return sw_fail_sys(err, errno, "list %s/%.*s", d->path, SW_ARG(path));
    SW_VEC(struct sw_str) names = {0};
    enum sw_code code = SW_OK;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(list);
        if (!e) {
            if (errno) code = sw_fail_sys(err, errno, "list %s/%.*s", d->path, SW_ARG(path));
            break;
        }
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct sw_str name = sw_arena_str(arena, sw_str(e->d_name));
        if (d->ignore) {
            bool is_dir = e->d_type == DT_DIR;
            struct stat st;
            if (e->d_type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                is_dir = S_ISDIR(st.st_mode);
            if (!is_visible(d, arena, sw_path_join(arena, path, name), row, is_dir, 0)) continue;
        }
        sw_vec_add(&names, name);
    }
    closedir(list);
    if (!code) {
        if (names.len) qsort(names.ptr, names.len, sizeof *names.ptr, by_bytes);
        *ret_names = sw_arena_array(arena, names.len + 1, sizeof **ret_names);
        if (names.len) memcpy(*ret_names, names.ptr, names.len * sizeof **ret_names);
        *ret_n = names.len;
    }
    sw_vec_done(&names);
    return code;
}

static enum sw_code directory_open(struct sw_source *s, struct sw_str path, int *ret_fd,
                                   struct stat *ret_st, struct sw_error *err) {
    struct directory *d = of(s);
    SW_FREE char *name = sw_strndup(path.ptr, path.len);
    /* O_NONBLOCK: a FIFO that took the file's place must not hang us. */
    SW_FD int fd = sw_sys_openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0) return sw_fail_sys(err, errno, "open %s/%s", d->path, name);
    if (fstat(fd, ret_st) < 0) return sw_fail_sys(err, errno, "stat %s/%s", d->path, name);
    if (!S_ISREG(ret_st->st_mode))
        return sw_fail(err, SW_BUSY, "%s/%s changed while it was read; build again", d->path, name);
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static bool directory_recall(struct sw_source *s, const struct stat *st, struct sw_digest *ret) {
    return sw_filehash_get(of(s)->hashes, st, ret);
}

static void directory_remember(struct sw_source *s, const struct sw_node *node,
                               const struct stat *st, int64_t started_ns,
                               const struct sw_digest *digest) {
    sw_filehash_put(of(s)->hashes, st, started_ns, digest);
    if (!node->n_xattrs) sw_filehash_put_plain(of(s)->hashes, st, of(s)->opened_ns);
}

static struct sw_str nearest_name(struct directory *d, struct sw_arena *arena, struct sw_str path) {
    struct sw_error ignored = {0};
    struct sw_str *names;
    size_t n, slash = sw_str_rfind_char(path, '/');
    struct sw_str dir = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
    struct sw_str base = slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
    if (directory_list(&d->source, arena, dir, &names, &n, &ignored)) return SW_STR("");
    if (n > 10000) n = 10000;
    const char **words = sw_arena_array(arena, n + 1, sizeof *words);
    for (size_t i = 0; i < n; i++) words[i] = sw_arena_cstr(arena, names[i]);
    const char *near = sw_str_nearest(base, words, n);
    if (!near) return SW_STR("");
    return sw_arena_printf(arena, "; did you mean %.*s%s%s?", SW_ARG(dir), dir.len ? "/" : "",
                           near);
}

static struct sw_str directory_explain(struct sw_source *s, struct sw_arena *arena,
                                       struct sw_str path) {
    struct directory *d = of(s);
    struct stat st;
    size_t index;
    if (d->ignore && fstatat(d->fd, cpath(arena, path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        sw_ignore_match(d->ignore, path, &index) && index != SW_IGNORE_NONE) {
        struct sw_ignore_pattern p = sw_ignore_pattern_at(d->ignore, index);
        return sw_arena_printf(arena, ": it exists, but %s:%u excludes it (%.*s)", d->ignore_name,
                               p.line, SW_ARG(p.as_written));
    }
    return nearest_name(d, arena, path);
}

static void directory_free(struct sw_source *s) {
    struct directory *d = of(s);
    struct sw_error ignored = {0};
    if (d->hashes && sw_filehash_save(d->hashes, &ignored)) {
        /* The memory of hashes saves time and nothing else. */
    }
    sw_filehash_free(d->hashes);
    sw_closep(&d->fd);
    free(d->path);
    free(d);
}

static const struct sw_source_ops directory_ops = {
    .stat = directory_stat,
    .list = directory_list,
    .open = directory_open,
    .recall = directory_recall,
    .remember = directory_remember,
    .explain = directory_explain,
    .free = directory_free,
};

enum sw_code sw_source_directory(struct sw_store *store, const char *path,
                                 const struct sw_ignore *ignore, const char *ignore_name,
                                 struct sw_str name, struct sw_source **ret, struct sw_error *err) {
    SW_FD int fd = -1;
    struct stat st;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "stat %s", path);
    struct directory *d = sw_calloc(1, sizeof *d);
    d->source = (struct sw_source){.ops = &directory_ops,
                                   .name = name,
                                   .clear_owners = true,
                                   .clear_times = true,
                                   .has_excludes = ignore != NULL};
    d->fd = sw_take_fd(&fd);
    d->opened_ns = sw_now_unix_ns();
    d->path = sw_strdup(path);
    d->ignore = ignore && sw_ignore_count(ignore) ? ignore : NULL;
    d->ignore_name = ignore_name;
    code = sw_filehash_open(store, &st, &d->hashes, err);
    if (code) {
        directory_free(&d->source);
        return code;
    }
    *ret = &d->source;
    return SW_OK;
}
