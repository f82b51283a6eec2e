#include "build/root_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "build/limits.h"

struct state {
    uint64_t ino;
    int64_t changed_ns, modified_ns, born_ns; /* born 0: the file system does not say */
    uint32_t mode, uid, gid;
};

struct before {
    struct sw_str name; /* last component */
    struct state state;
    const struct sw_node *node;
    struct before *first_child, *next; /* of a directory; of its siblings */
};

void sw_root_copy_init(struct sw_root_copy *r) {
    *r = (struct sw_root_copy){.root_fd = -1};
    sw_copy_init(&r->copy);
}

void sw_root_copy_done(struct sw_root_copy *r) {
    sw_closep(&r->root_fd);
    if (r->before) sw_map_done(r->before);
    free(r->before);
    sw_copy_done(&r->copy);
}

/* ---- the copy ---- */

static int64_t ns_of(const struct statx_timestamp *t) {
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static int look(int dir, const char *name, struct state *ret) {
    struct statx st;
    if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) < 0) return -1;
    *ret = (struct state){
        .ino = st.stx_ino,
        .changed_ns = ns_of(&st.stx_ctime),
        .modified_ns = ns_of(&st.stx_mtime),
        .born_ns = st.stx_mask & STATX_BTIME ? ns_of(&st.stx_btime) : 0,
        .mode = st.stx_mode,
        .uid = st.stx_uid,
        .gid = st.stx_gid,
    };
    return 0;
}

/* Remembers how every file is before the command can touch it. */
static enum sw_code remember(struct sw_root_copy *r, struct sw_error *err) {
    struct before *root = SW_NEW(&r->copy.arena, struct before);
    r->before = sw_calloc(1, sizeof *r->before);
    sw_map_put(r->before, SW_STR(""), root);
    for (size_t i = 0; i < r->copy.n; i++) {
        const struct sw_item *item = &r->copy.items[i];
        struct before *b = SW_NEW(&r->copy.arena, struct before);
        SW_FREE char *path = sw_strndup(item->path.ptr, item->path.len);
        size_t slash = sw_str_rfind_char(item->path, '/');
        if (look(r->root_fd, path, &b->state) < 0) {
            if (errno == ENOENT) continue; /* a device that could not be made */
            return sw_fail_sys(err, errno, "stat %s", path);
        }
        b->name = slash == SIZE_MAX ? item->path : sw_str_from(item->path, slash + 1);
        b->node = &item->node;
        struct before *parent = sw_map_get(
            r->before, slash == SIZE_MAX ? SW_STR("") : sw_str_sub(item->path, 0, slash));
        if (parent) {
            b->next = parent->first_child;
            parent->first_child = b;
        }
        sw_map_put(r->before, item->path, b);
    }
    return SW_OK;
}

/* The sandbox makes the mount points that are missing and, when it removes them, sets the time of
 * their directory back; in etc that would hide what the command did there. So they are made before
 * and removed after by us. */
static const char *const stub_names[] = {"etc/resolv.conf", "etc/hosts"};

static void make_stubs(struct sw_root_copy *r, bool make) {
    struct stat st;
    if (fstatat(r->root_fd, "etc", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) return;
    for (unsigned i = 0; i < 2; i++) {
        if (make) {
            SW_FD int fd =
                sw_sys_openat(r->root_fd, stub_names[i],
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
            if (fd >= 0) r->stubs |= 1U << i;
        } else if (r->stubs & (1U << i)) {
            (void)sw_sys_unlinkat(r->root_fd, stub_names[i], 0);
        }
    }
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (utimensat(r->root_fd, "etc", times, AT_SYMLINK_NOFOLLOW) < 0) return;
}

enum sw_code sw_root_copy_make(struct sw_root_copy *r, struct sw_source *view, int draft_dir,
                               bool remember_owner, struct sw_pool *pool, struct sw_error *err) {
    struct sw_node root;
    struct sw_str all = SW_STR("");
    struct sw_copy_spec spec = {.verb = "RUN",
                                .source = view,
                                .paths = &all,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = INT64_MAX,
                                .no_links = true, /* overlay, too, breaks links of lower layers */
                                .pool = pool};
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = -1};
    if (sw_sys_mkdirat(draft_dir, "root", 0755) < 0) return sw_fail_sys(err, errno, "make a root");
    enum sw_code code = sw_open_at(draft_dir, "root", O_RDONLY | O_DIRECTORY, 0, &r->root_fd, err);
    if (!code) code = sw_copy_plan(&r->copy, &spec, err);
    draft.fs_fd = r->root_fd;
    if (!code) code = sw_copy_extract(&r->copy, &draft, remember_owner, err);
    if (!code) code = view->ops->stat(view, &r->copy.arena, all, false, &root, err);
    if (!code && fchmod(r->root_fd, root.mode) < 0)
        code = sw_fail_sys(err, errno, "set the root's mode");
    if (!code) make_stubs(r, true);
    if (!code) code = remember(r, err);
    return code ? sw_context(err, "copying the root file system") : SW_OK;
}

/* ---- what changed ---- */

struct differ {
    struct sw_root_copy *r;
    struct sw_arena arena;
};

static enum sw_code mark(int dir, const char *name, struct sw_error *err) {
    SW_FD int fd = sw_sys_openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0);
    return fd < 0 ? sw_fail_sys(err, errno, "make %s", name) : SW_OK;
}

static bool same_xattrs(const struct before *b, struct sw_arena *arena, int dir, const char *name) {
    struct sw_node now = {0};
    struct sw_error ignored = {0};
    if (sw_read_xattrs(arena, dir, name, &now, &ignored)) return false;
    if (now.n_xattrs != b->node->n_xattrs) return false;
    for (size_t i = 0; i < now.n_xattrs; i++) {
        bool found = false;
        for (size_t k = 0; k < now.n_xattrs && !found; k++)
            found = sw_str_eq(now.xattrs[i].name, b->node->xattrs[k].name) &&
                    sw_str_eq(now.xattrs[i].value, b->node->xattrs[k].value);
        if (!found) return false;
    }
    return true;
}

/* Everything about a directory but its content, our memory of its owner included. */
static enum sw_code dress(int from_dir, const char *name, const struct state *s, int to_dir,
                          struct sw_error *err) {
    char from[PATH_MAX], to[PATH_MAX], list[65536], value[65536];
    snprintf(from, sizeof from, "/proc/self/fd/%d/%s", from_dir, name);
    snprintf(to, sizeof to, "/proc/self/fd/%d/%s", to_dir, name);
    if (sw_sys_fchownat(to_dir, name, s->uid, s->gid, 0) < 0 ||
        sw_sys_fchmodat(to_dir, name, s->mode & 07777) < 0)
        return sw_fail_sys(err, errno, "set the owner and mode of %s", name);
    ssize_t len = llistxattr(from, list, sizeof list);
    for (char *p = list; p < list + (len > 0 ? len : 0); p += strlen(p) + 1) {
        ssize_t n = lgetxattr(from, p, value, sizeof value);
        if (n >= 0 && lsetxattr(to, p, value, (size_t)n, 0) < 0 && errno != EPERM &&
            errno != ENOTSUP)
            return sw_fail_sys(err, errno, "set an extended attribute of %s", name);
    }
    struct timespec t = {.tv_sec = s->modified_ns / 1000000000,
                         .tv_nsec = s->modified_ns % 1000000000};
    if (t.tv_nsec < 0) t.tv_sec--, t.tv_nsec += 1000000000;
    struct timespec both[2] = {t, t};
    if (utimensat(to_dir, name, both, 0) < 0)
        return sw_fail_sys(err, errno, "set the time of %s", name);
    return SW_OK;
}

/* old NULL: the directory is new, and so is all in it. */
static enum sw_code walk(struct differ *d, int dir, struct sw_str path, const struct before *old,
                         int out, int depth, bool *ret_changed, struct sw_error *err);

static enum sw_code visit_dir(struct differ *d, int dir, const char *name, struct sw_str path,
                              const struct before *old, const struct state *now, int out, int depth,
                              bool *ret_changed, struct sw_error *err) {
    SW_FD int from = -1;
    SW_FD int to = -1;
    bool was_dir = old && S_ISDIR(old->state.mode);
    bool again = was_dir && (old->state.ino != now->ino || old->state.born_ns != now->born_ns);
    bool fresh = !was_dir || again;
    bool changed =
        fresh || old->state.mode != now->mode || old->state.uid != now->uid ||
        old->state.gid != now->gid || old->state.modified_ns != now->modified_ns ||
        (old->state.changed_ns != now->changed_ns && !same_xattrs(old, &d->arena, dir, name));
    if (sw_sys_mkdirat(out, name, 0700) < 0) return sw_fail_sys(err, errno, "make %s", name);
    enum sw_code code = sw_open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &from, err);
    if (!code) code = sw_open_at(out, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &to, err);
    if (!code) code = walk(d, from, path, fresh ? NULL : old, to, depth + 1, &changed, err);
    if (code) return code;
    if (!changed) {
        if (sw_sys_unlinkat(out, name, AT_REMOVEDIR) < 0)
            return sw_fail_sys(err, errno, "remove %s", name);
        return SW_OK;
    }
    *ret_changed = true;
    /* As overlayfs does for every directory in the place of something that was removed. */
    if (old && fresh) code = mark(to, ".wh..wh..opq", err);
    return code ? code : dress(dir, name, now, out, err);
}

static enum sw_code visit(struct differ *d, int dir, const char *name, struct sw_str parent,
                          const struct before *old_dir, int out, int depth, bool *ret_changed,
                          struct sw_error *err) {
    struct sw_str path = sw_path_join(&d->arena, parent, sw_str(name));
    const struct before *old = old_dir ? sw_map_get(d->r->before, path) : NULL;
    struct state now;
    if (look(dir, name, &now) < 0) return sw_fail_sys(err, errno, "stat %s", name);
    if (S_ISDIR(now.mode))
        return visit_dir(d, dir, name, path, old, &now, out, depth, ret_changed, err);
    if (old && old->state.ino == now.ino && old->state.changed_ns == now.changed_ns) return SW_OK;
    *ret_changed = true;
    if (sw_sys_renameat(dir, name, out, name) < 0) return sw_fail_sys(err, errno, "move %s", name);
    return SW_OK;
}

static enum sw_code list(int dir, struct sw_arena *arena, const char ***ret, size_t *ret_n,
                         struct sw_error *err) {
    SW_VEC(const char *) names = {0};
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d) return sw_fail_sys(err, errno, "list a directory");
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            sw_vec_add(&names, sw_arena_cstr(arena, sw_str(e->d_name)));
    closedir(d);
    *ret = names.ptr;
    *ret_n = names.len;
    return SW_OK;
}

static enum sw_code walk(struct differ *d, int dir, struct sw_str path, const struct before *old,
                         int out, int depth, bool *ret_changed, struct sw_error *err) {
    const char **names = NULL;
    size_t n = 0;
    if (depth > SW_TREE_DEPTH_MAX)
        return sw_fail(err, SW_LIMIT, "directories are nested deeper than %d", SW_TREE_DEPTH_MAX);
    enum sw_code code = sw_cancel_check(err);
    /* Before anything moves: a file that the command removed has no name here. */
    for (const struct before *b = old ? old->first_child : NULL; b && !code; b = b->next) {
        struct stat st;
        SW_FREE char *name = sw_strndup(b->name.ptr, b->name.len);
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) continue;
        SW_FREE char *wh = sw_asprintf(".wh.%s", name);
        *ret_changed = true;
        code = mark(out, wh, err);
    }
    if (!code) code = list(dir, &d->arena, &names, &n, err);
    for (size_t i = 0; i < n && !code; i++)
        code = visit(d, dir, names[i], path, old, out, depth, ret_changed, err);
    sw_freep(&names);
    return code;
}

enum sw_code sw_root_copy_diff(struct sw_root_copy *r, int fs, struct sw_error *err) {
    struct differ d = {.r = r};
    bool changed = false;
    sw_arena_init(&d.arena, (size_t)1 << 30);
    make_stubs(r, false);
    enum sw_code code =
        walk(&d, r->root_fd, SW_STR(""), sw_map_get(r->before, SW_STR("")), fs, 0, &changed, err);
    sw_arena_done(&d.arena);
    return code ? sw_context(err, "finding what changed") : SW_OK;
}

/* ---- which overlay ---- */

#define MEMORY                                                                                     \
    "slipway/overlay" /* "BOOT-ID EUID SINGLE": the kernel's overlay was seen to work              \
                       */

static struct sw_str boot(const struct sw_userns *userns, char text[96]) {
    SW_BUF struct sw_buf id;
    struct sw_error ignored = {0};
    sw_buf_init(&id, 256);
    if (sw_read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &id, &ignored))
        return SW_STR("");
    int n = snprintf(text, 96, "%.36s %d %d\n", id.ptr, (int)userns->mode, userns->user_xattr);
    return sw_str_n(text, (size_t)n);
}

enum sw_code sw_overlay_choose(struct sw_store *store, const struct sw_userns *userns,
                               struct sw_overlay_mode *ret, enum sw_overlay_form *form,
                               struct sw_error *err) {
    SW_BUF struct sw_buf known;
    SW_BUF struct sw_buf temp;
    SW_FD int dir = -1;
    struct sw_error ignored = {0};
    char text[96];
    sw_buf_init(&known, 256);
    sw_buf_init(&temp, 4096);
    *form = userns->user_xattr ? SW_OVERLAY_USER : SW_OVERLAY_TRUSTED;
    bool denied = sw_sys_fault("overlay");
    struct sw_str now = boot(userns, text);
    if (!ret && !denied && now.len &&
        !sw_read_file_at(sw_store_root_fd(store), MEMORY, 256, &known, &ignored) &&
        sw_str_eq(sw_buf_str(&known), now))
        return SW_OK;
    struct sw_overlay_mode mode = {.why = "it was turned off"};
    enum sw_code code = SW_OK;
    if (!denied) {
        code = sw_store_temp_dir(store, &temp, &dir, err);
        if (!code) code = sw_overlay_probe(dir, userns, &mode, err);
        if (temp.len) sw_store_temp_remove(store, temp.ptr);
    }
    if (code) return code;
    if (mode.kind != SW_OVERLAY_KERNEL) {
        *form = SW_OVERLAY_FILES;
    } else if (now.len && sw_write_file_at(sw_store_root_fd(store), MEMORY, 0644, now, &ignored)) {
        /* Asking again costs a millisecond. */
    }
    if (ret) *ret = mode;
    return SW_OK;
}
