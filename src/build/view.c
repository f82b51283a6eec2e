/* DESIGN
 *
 * A path is looked up component by component. For each prefix the layers are asked from the top
 * down to `floor`, the lowest layer that is still visible there:
 *     whiteout          nothing below counts: not found, unless a directory was found above
 *     not a directory   it is the entry, unless a directory above hides it; nothing below counts
 *     directory         the topmost one gives the attributes; an opaque one ends the search
 * What a prefix hides stays hidden for what is beneath it, which is what overlayfs does. It also
 * means that a path opened in one layer passes through that layer's own directories only, never
 * through a symbolic link.
 */
#include "build/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "build/limits.h"

struct layer {
    int fd;                       /* snapshot's directory; -1: none */
    struct sw_layer_index *index; /* borrowed */
    bool clamped;
    int64_t clamped_s;
};

#define LATE_S INT64_C(253402300799) /* the end of the year 9999: beyond any epoch */

struct view {
    struct sw_source source;
    enum sw_overlay_form form;
    struct layer *layers; /* lowest first */
    size_t n;
};

static struct view *of(struct sw_source *s) { return (struct view *)s; }

enum found { NOTHING, WHITEOUT, ENTRY };

/* ---- one layer ---- */

static bool is_opaque_dir(const struct view *v, int fd, const char *name) {
    char path[PATH_MAX + 64], value[4];
    if (v->form == SW_OVERLAY_FILES) {
        snprintf(path, sizeof path, "%s/.wh..wh..opq", name);
        return faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
    const char *key = v->form == SW_OVERLAY_USER ? "user.overlay.opaque" : "trusted.overlay.opaque";
    return lgetxattr(path, key, value, sizeof value) == 1 && value[0] == 'y';
}

/* Where the owner could not be given to the file itself, an attribute remembers it. */
static void remembered_owner(int fd, const char *name, struct sw_node *node) {
    char path[PATH_MAX + 64];
    if (node->type != SW_TAR_FILE && node->type != SW_TAR_DIR) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
    sw_node_remembered_owner(path, node);
}

static enum found look_in_snapshot(const struct view *v, int fd, const char *name,
                                   struct sw_node *ret, bool *ret_opaque) {
    struct stat st;
    char wh[PATH_MAX + 16];
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (v->form != SW_OVERLAY_FILES) return NOTHING;
        const char *slash = strrchr(name, '/');
        snprintf(wh, sizeof wh, "%.*s.wh.%s", slash ? (int)(slash + 1 - name) : 0, name,
                 slash ? slash + 1 : name);
        return faccessat(fd, wh, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? WHITEOUT : NOTHING;
    }
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return WHITEOUT;
    sw_node_from_stat(ret, &st);
    *ret_opaque = S_ISDIR(st.st_mode) && is_opaque_dir(v, fd, name);
    remembered_owner(fd, name, ret);
    return ENTRY;
}

static enum found look_in_index(struct sw_layer_index *index, struct sw_str path,
                                struct sw_node *ret, bool *ret_opaque, bool *ret_implicit) {
    struct sw_layer_entry e;
    if (!sw_layer_index_find(index, path, &e)) return NOTHING;
    if (e.whiteout) return WHITEOUT;
    *ret = (struct sw_node){
        .type = e.type,
        .mode = e.mode,
        .uid = (uint32_t)e.uid,
        .gid = (uint32_t)e.gid,
        .mtime_sec = e.mtime_sec,
        .mtime_nsec = e.mtime_nsec,
        .size = e.size,
        .link = e.hardlink ? SW_STR("") : e.linkname,
    };
    *ret_opaque = e.opaque;
    *ret_implicit = e.implicit;
    return ENTRY;
}

/* ---- the stack ---- */

struct lookup {
    size_t floor; /* lowest visible layer beneath the last path looked up */
    size_t layer; /* where the entry is */
};

/* Looks one path up, whose parents were looked up before with the same state. */
static enum found look(const struct view *v, const char *name, struct sw_str path,
                       struct lookup *state, struct sw_node *ret) {
    bool have_dir = false, known = false; /* a directory was found; its attributes, too */
    for (size_t i = v->n; i-- > state->floor;) {
        struct sw_node node;
        bool opaque = false, implicit = false;
        enum found f = v->layers[i].fd >= 0
                           ? look_in_snapshot(v, v->layers[i].fd, name, &node, &opaque)
                           : look_in_index(v->layers[i].index, path, &node, &opaque, &implicit);
        if (f == NOTHING) continue;
        if (v->layers[i].clamped && f != WHITEOUT && node.mtime_sec == v->layers[i].clamped_s)
            node.mtime_sec = LATE_S;
        if (f == WHITEOUT || node.type != SW_TAR_DIR) {
            state->floor = i + 1;
            if (have_dir) return ENTRY;
            if (f == WHITEOUT) return NOTHING;
            state->layer = i;
            *ret = node;
            return ENTRY;
        }
        if (!known) {
            *ret = node;
            state->layer = i;
            have_dir = true;
            known = !implicit;
        }
        if (opaque) {
            state->floor = i;
            break;
        }
    }
    return have_dir ? ENTRY : NOTHING;
}

/* Looks a path up through all its parents. SW_NOT_FOUND. */
static enum sw_code find(struct view *v, struct sw_str path, struct lookup *state,
                         struct sw_node *ret, struct sw_error *err) {
    char name[PATH_MAX];
    *state = (struct lookup){0};
    if (path.len >= sizeof name)
        return sw_fail(err, SW_LIMIT, "a path in %.*s is longer than %d bytes",
                       SW_ARG(v->source.name), PATH_MAX);
    memcpy(name, path.len ? path.ptr : ".", path.len ? path.len : 1);
    name[path.len ? path.len : 1] = 0;
    *ret = (struct sw_node){.type = SW_TAR_DIR, .mode = 0755};
    if (path.len == 0) {
        /* A root that no layer describes is an ordinary directory. */
        struct sw_node root;
        if (look(v, ".", path, state, &root) == ENTRY) *ret = root;
        return SW_OK;
    }
    for (size_t i = 1; i <= path.len; i++) {
        if (i < path.len && name[i] != '/') continue;
        char kept = name[i];
        name[i] = 0;
        enum found f = look(v, name, sw_str_sub(path, 0, i), state, ret);
        name[i] = kept;
        if (f != ENTRY || (i < path.len && ret->type != SW_TAR_DIR))
            return sw_fail(err, SW_NOT_FOUND, "there is no /%.*s in %.*s", SW_ARG(path),
                           SW_ARG(v->source.name));
    }
    return SW_OK;
}

/* ---- operations ---- */

static enum sw_code view_stat(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                              bool listed, struct sw_node *ret, struct sw_error *err) {
    struct view *v = of(s);
    struct lookup state;
    (void)listed;
    enum sw_code code = find(v, path, &state, ret, err);
    if (code || path.len == 0) return code;
    int fd = v->layers[state.layer].fd;
    if (fd < 0) {
        ret->link = sw_arena_str(arena, ret->link);
        return SW_OK;
    }
    const char *name = sw_arena_cstr(arena, path);
    if (ret->type == SW_TAR_SYMLINK) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(fd, name, target, sizeof target);
        if (n < 0) return sw_fail_sys(err, errno, "read the link /%s", name);
        ret->link = sw_arena_str(arena, sw_str_n(target, (size_t)n));
    }
    return sw_read_xattrs(arena, fd, name, ret, err);
}

struct names {
    SW_VEC(struct sw_str) list;
    struct sw_map seen; /* name -> non-NULL: shown or hidden by a layer above */
};

static void take(struct names *names, struct sw_str name, bool shown) {
    if (sw_map_has(&names->seen, name)) return;
    sw_map_put(&names->seen, name, (void *)1);
    if (shown) sw_vec_add(&names->list, name);
}

static enum sw_code list_snapshot(const struct view *v, struct sw_arena *arena, int layer_fd,
                                  struct sw_str path, struct names *names, struct sw_error *err) {
    const char *name = path.len ? sw_arena_cstr(arena, path) : ".";
    int fd = -1;
    if (sw_open_beneath(layer_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, err))
        return err->code == SW_NOT_FOUND ? SW_OK : err->code;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return sw_fail_sys(err, errno, "list /%s", name);
    }
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        struct sw_str entry = sw_arena_str(arena, sw_str(e->d_name));
        if (v->form == SW_OVERLAY_FILES && sw_str_starts(entry, SW_STR(".wh."))) {
            take(names, sw_str_from(entry, 4), false);
            continue;
        }
        bool whiteout = (e->d_type == DT_CHR || e->d_type == DT_UNKNOWN) &&
                        fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISCHR(st.st_mode) && st.st_rdev == 0;
        take(names, entry, !whiteout);
    }
    closedir(dir);
    return SW_OK;
}

static int by_bytes(const void *a, const void *b) {
    return sw_str_cmp(*(const struct sw_str *)a, *(const struct sw_str *)b);
}

static enum sw_code view_list(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                              struct sw_str **ret_names, size_t *ret_n, struct sw_error *err) {
    struct view *v = of(s);
    struct lookup state;
    struct sw_node node;
    struct names names = {0};
    enum sw_code code = find(v, path, &state, &node, err);
    for (size_t i = v->n; !code && i-- > state.floor;)
        if (v->layers[i].fd >= 0)
            code = list_snapshot(v, arena, v->layers[i].fd, path, &names, err);
    if (!code) {
        if (names.list.len) qsort(names.list.ptr, names.list.len, sizeof *names.list.ptr, by_bytes);
        *ret_names = sw_arena_array(arena, names.list.len + 1, sizeof **ret_names);
        if (names.list.len) memcpy(*ret_names, names.list.ptr, names.list.len * sizeof **ret_names);
        *ret_n = names.list.len;
    }
    sw_vec_done(&names.list);
    sw_map_done(&names.seen);
    return code;
}

static enum sw_code view_open_file(struct sw_source *s, struct sw_str path, int *ret_fd,
                                   struct stat *ret_st, struct sw_error *err) {
    struct view *v = of(s);
    struct lookup state;
    struct sw_node node;
    enum sw_code code = find(v, path, &state, &node, err);
    if (code) return code;
    if (v->layers[state.layer].fd < 0 || node.type != SW_TAR_FILE)
        return sw_fail(err, SW_UNSUPPORTED, "the content of /%.*s in %.*s is not at hand",
                       SW_ARG(path), SW_ARG(s->name));
    SW_FREE char *name = sw_strndup(path.ptr, path.len);
    SW_FD int fd = -1;
    code = sw_open_beneath(v->layers[state.layer].fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0,
                           &fd, err);
    if (code) return code;
    if (fstat(fd, ret_st) < 0) return sw_fail_sys(err, errno, "stat /%s", name);
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static struct sw_str view_explain(struct sw_source *s, struct sw_arena *arena, struct sw_str path) {
    struct sw_error ignored = {0};
    struct sw_str *names;
    size_t n, slash = sw_str_rfind_char(path, '/');
    struct sw_str dir = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(path, 0, slash);
    if (view_list(s, arena, dir, &names, &n, &ignored)) return SW_STR("");
    const char **words = sw_arena_array(arena, n + 1, sizeof *words);
    for (size_t i = 0; i < n; i++) words[i] = sw_arena_cstr(arena, names[i]);
    const char *near =
        sw_str_nearest(slash == SIZE_MAX ? path : sw_str_from(path, slash + 1), words, n);
    if (!near) return SW_STR("");
    return sw_arena_printf(arena, "; did you mean /%.*s%s%s?", SW_ARG(dir), dir.len ? "/" : "",
                           near);
}

static void view_free(struct sw_source *s) {
    struct view *v = of(s);
    for (size_t i = 0; i < v->n; i++) sw_closep(&v->layers[i].fd);
    free(v->layers);
    free(v);
}

static const struct sw_source_ops view_ops = {
    .stat = view_stat,
    .list = view_list,
    .open = view_open_file,
    .explain = view_explain,
    .free = view_free,
};

enum sw_code sw_view_open(struct sw_store *store, enum sw_overlay_form form,
                          const struct sw_view_layer *layers, size_t n, struct sw_str name,
                          struct sw_source **ret, struct sw_error *err) {
    struct view *v = sw_calloc(1, sizeof *v);
    v->source = (struct sw_source){.ops = &view_ops, .name = name};
    v->form = form;
    v->layers = sw_calloc(n + 1, sizeof *v->layers);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++) {
        v->layers[i] = (struct layer){.fd = -1,
                                      .index = layers[i].index,
                                      .clamped = layers[i].clamped,
                                      .clamped_s = layers[i].clamped_s};
        v->n++;
        if (layers[i].snapshot)
            code = sw_snapshot_open(store, layers[i].snapshot, &v->layers[i].fd, err);
    }
    if (code) {
        view_free(&v->source);
        return code;
    }
    *ret = &v->source;
    return SW_OK;
}

enum sw_code sw_view_read(struct sw_source *view, struct sw_arena *arena, struct sw_str path,
                          size_t max, struct sw_str *ret, struct sw_error *err) {
    struct view *v = of(view);
    struct sw_str at;
    struct lookup state;
    struct sw_node node;
    enum sw_code code = sw_source_resolve(view, arena, path, true, false, &at, err);
    if (!code) code = find(v, at, &state, &node, err);
    if (code) return code;
    if (node.type != SW_TAR_FILE)
        return sw_fail(err, SW_NOT_FOUND, "/%.*s is not a file", SW_ARG(path));
    if (v->layers[state.layer].fd < 0) {
        struct sw_layer_entry e;
        if (!sw_layer_index_find(v->layers[state.layer].index, at, &e) || !e.content.ptr)
            return sw_fail(err, SW_LIMIT, "/%.*s is too large to read here", SW_ARG(path));
        *ret = e.content;
        return SW_OK;
    }
    SW_FD int fd = -1;
    struct stat st;
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, max);
    code = view_open_file(view, at, &fd, &st, err);
    if (code || (code = sw_read_fd(fd, max, &text, err))) return code;
    *ret = sw_arena_str(arena, sw_buf_str(&text));
    return SW_OK;
}
