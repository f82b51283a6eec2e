/* A stack of layer indexes, read as overlay would show it. */
#include <limits.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/layer_index.h"

/* As the kernel: more links than this on one path are taken for a loop. */
#define LINKS_MAX 40

struct sw_rootfs {
    struct sw_layer_index **layers; /* owned, lowest first */
    size_t n;
};

/* ---- opening ---- */

struct open_job {
    struct sw_store *store;
    const struct sw_unpack_layer *layer;
    struct sw_layer_index **ret;
    enum sw_code code;
    struct sw_error error;
};

static void run_open(void *argument) {
    struct open_job *j = argument;
    j->code = sw_layer_index_open(j->store, j->layer, j->ret, &j->error);
}

enum sw_code sw_rootfs_open(struct sw_store *store, struct sw_pool *pool,
                            const struct sw_unpack_layer *layers, size_t n, struct sw_rootfs **ret,
                            struct sw_error *err) {
    struct sw_rootfs *fs = sw_calloc(1, sizeof *fs);
    struct open_job *jobs = sw_calloc(n + 1, sizeof *jobs);
    struct sw_group *group = pool && n > 1 ? sw_group_new(pool) : NULL;
    enum sw_code code = SW_OK;
    fs->layers = sw_calloc(n + 1, sizeof(struct sw_layer_index *));
    fs->n = n;
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct open_job){.store = store, .layer = &layers[i], .ret = &fs->layers[i]};
        if (group)
            sw_group_submit(group, run_open, &jobs[i]);
        else
            run_open(&jobs[i]);
    }
    sw_group_free(group);
    for (size_t i = 0; i < n && !code; i++) {
        if (!jobs[i].code) continue;
        code = jobs[i].code;
        *err = jobs[i].error;
    }
    free(jobs);
    if (code)
        sw_rootfs_free(fs);
    else
        *ret = fs;
    return code;
}

void sw_rootfs_free(struct sw_rootfs *fs) {
    if (!fs) return;
    for (size_t i = 0; i < fs->n; i++) sw_layer_index_free(fs->layers[i]);
    free(fs->layers);
    free(fs);
}

void sw_rootfs_freep(struct sw_rootfs **fs) { sw_rootfs_free(*fs); }

/* ---- one clean path, no link followed ---- */

/* Whether something above the path in this layer hides what lower layers have there: an opaque
 * directory, or an entry that is no directory. */
static bool hidden_by_parents(const struct sw_layer_index *x, struct sw_str path) {
    struct sw_layer_entry e;
    while (path.len) {
        size_t slash = sw_str_rfind_char(path, '/');
        path = sw_str_sub(path, 0, slash == SIZE_MAX ? 0 : slash);
        if (!sw_layer_index_find(x, path, &e)) continue;
        if (e.whiteout || e.opaque || e.type != SW_TAR_DIR) return true;
    }
    return false;
}

static bool look_up(const struct sw_rootfs *fs, struct sw_str path, struct sw_layer_entry *ret) {
    struct sw_layer_entry e;
    bool found = false; /* an implicit directory, whose attributes may come from below */
    for (size_t i = fs->n; i-- > 0;) {
        const struct sw_layer_index *x = fs->layers[i];
        if (sw_layer_index_find(x, path, &e)) {
            if (e.whiteout) return found;
            if (found && e.type != SW_TAR_DIR) return found;
            *ret = e;
            found = true;
            if (!e.implicit || e.opaque) return true;
        }
        if (hidden_by_parents(x, path)) return found;
    }
    if (!found && !path.len) {
        *ret = (struct sw_layer_entry){
            .path = SW_STR(""), .type = SW_TAR_DIR, .mode = 0755, .implicit = true};
        return true;
    }
    return found;
}

/* ---- paths as users write them ---- */

/* Takes the first component from rest; false when nothing is left. */
static bool next_part(struct sw_str *rest, struct sw_str *part) {
    while (rest->len && rest->ptr[0] == '/') *rest = sw_str_from(*rest, 1);
    if (!rest->len) return false;
    size_t slash = sw_str_find_char(*rest, '/');
    *part = sw_str_sub(*rest, 0, slash == SIZE_MAX ? rest->len : slash);
    *rest = sw_str_from(*rest, part->len);
    return true;
}

static void append(struct sw_buf *at, struct sw_str part) {
    if (sw_str_is(part, ".")) return;
    if (sw_str_is(part, "..")) {
        size_t slash = sw_str_rfind_char(sw_buf_str(at), '/');
        sw_buf_truncate(at, slash == SIZE_MAX ? 0 : slash);
        return;
    }
    if (at->len) sw_buf_add_char(at, '/');
    sw_buf_add(at, part);
}

struct resolve {
    const struct sw_rootfs *fs;
    struct sw_buf at;   /* where we are: clean, without links */
    struct sw_buf rest; /* what is left to walk */
    struct sw_buf swap;
    int links;
};

static enum sw_code follow_link(struct resolve *r, const struct sw_layer_entry *e,
                                struct sw_str rest, struct sw_error *err) {
    if (++r->links > LINKS_MAX)
        return sw_fail(err, SW_DENIED, "too many symbolic links (at /%.*s)", SW_ARG(e->path));
    sw_buf_reset(&r->swap);
    sw_buf_add(&r->swap, e->linkname);
    sw_buf_add(&r->swap, rest);
    struct sw_buf old = r->rest;
    r->rest = r->swap;
    r->swap = old;
    if (sw_str_starts(e->linkname, SW_STR("/")))
        sw_buf_reset(&r->at);
    else
        append(&r->at, SW_STR(".."));
    return sw_buf_check(&r->rest, "a path", err);
}

static enum sw_code walk(struct resolve *r, bool follow, struct sw_layer_entry *ret,
                         struct sw_error *err) {
    struct sw_str rest = sw_buf_str(&r->rest), part;
    struct sw_layer_entry e;
    look_up(r->fs, SW_STR(""), &e);
    while (next_part(&rest, &part)) {
        append(&r->at, part);
        if (!look_up(r->fs, sw_buf_str(&r->at), &e)) {
            while (next_part(&rest, &part)) append(&r->at, part);
            return sw_fail(err, SW_NOT_FOUND, "/%.*s does not exist", SW_ARG(sw_buf_str(&r->at)));
        }
        bool last = rest.len == 0;
        if (e.type == SW_TAR_SYMLINK && (!last || follow)) {
            enum sw_code code = follow_link(r, &e, rest, err);
            if (code) return code;
            rest = sw_buf_str(&r->rest);
            look_up(r->fs, sw_buf_str(&r->at), &e);
        } else if (!last && e.type != SW_TAR_DIR) {
            struct sw_str left = rest, more;
            if (next_part(&left, &more))
                return sw_fail(err, SW_DENIED, "/%.*s is not a directory",
                               SW_ARG(sw_buf_str(&r->at)));
        }
    }
    *ret = e;
    return SW_OK;
}

enum sw_code sw_rootfs_stat(const struct sw_rootfs *fs, struct sw_str path, bool follow,
                            struct sw_layer_entry *ret, struct sw_buf *ret_path,
                            struct sw_error *err) {
    struct resolve r = {.fs = fs};
    sw_buf_init(&r.at, PATH_MAX);
    sw_buf_init(&r.rest, (size_t)4 * PATH_MAX);
    sw_buf_init(&r.swap, (size_t)4 * PATH_MAX);
    sw_buf_add(&r.rest, path);
    enum sw_code code = sw_buf_check(&r.rest, "a path", err);
    if (!code) code = walk(&r, follow, ret, err);
    if (!code || code == SW_NOT_FOUND) {
        struct sw_error long_path;
        if (sw_buf_check(&r.at, "a path", &long_path)) {
            *err = long_path;
            code = err->code;
        } else if (ret_path) {
            sw_buf_reset(ret_path);
            sw_buf_add(ret_path, sw_buf_str(&r.at));
        }
    }
    sw_buf_done(&r.at);
    sw_buf_done(&r.rest);
    sw_buf_done(&r.swap);
    return code;
}

enum sw_code sw_rootfs_read(const struct sw_rootfs *fs, struct sw_str path, struct sw_str *ret,
                            struct sw_error *err) {
    struct sw_layer_entry e;
    enum sw_code code = sw_rootfs_stat(fs, path, true, &e, NULL, err);
    if (code) return code;
    if (e.type != SW_TAR_FILE)
        return sw_fail(err, SW_DENIED, "/%.*s is not a file", SW_ARG(e.path));
    if (!e.content.ptr)
        return sw_fail(err, SW_LIMIT, "the content of /%.*s is not in the layer index",
                       SW_ARG(e.path));
    *ret = e.content;
    return SW_OK;
}

/* ---- directories ---- */

struct listing {
    struct sw_map seen; /* names, whiteouts included */
    SW_VEC(struct sw_str) names;
};

/* Children of dir in one layer. The range of a prefix is contiguous; what lies below a child is
 * jumped over: '0' follows '/'. */
static void list_layer(const struct sw_layer_index *x, struct sw_str dir, struct listing *l) {
    SW_BUF struct sw_buf key;
    sw_buf_init(&key, (size_t)PATH_MAX * 2);
    sw_buf_add(&key, dir);
    if (dir.len) sw_buf_add_char(&key, '/');
    size_t prefix = key.len, n = sw_layer_index_count(x);
    size_t i = sw_layer_index_lower_bound(x, sw_buf_str(&key));
    while (i < n) {
        struct sw_layer_entry e;
        sw_layer_index_at(x, i++, &e);
        if (!sw_str_starts(e.path, sw_str_sub(sw_buf_str(&key), 0, prefix))) break;
        struct sw_str name = sw_str_from(e.path, prefix);
        size_t slash = sw_str_find_char(name, '/');
        if (!name.len) continue;
        if (slash != SIZE_MAX) {
            sw_buf_truncate(&key, prefix);
            sw_buf_add(&key, sw_str_sub(name, 0, slash));
            sw_buf_add_char(&key, '0');
            i = sw_layer_index_lower_bound(x, sw_buf_str(&key));
            continue;
        }
        if (sw_map_has(&l->seen, name)) continue;
        sw_map_put(&l->seen, name, l);
        if (!e.whiteout) sw_vec_add(&l->names, name);
    }
}

static int by_name(const void *x, const void *y) {
    return sw_str_cmp(*(const struct sw_str *)x, *(const struct sw_str *)y);
}

static void collect(const struct sw_rootfs *fs, struct sw_str dir, struct listing *l) {
    for (size_t i = fs->n; i-- > 0;) {
        struct sw_layer_entry e;
        const struct sw_layer_index *x = fs->layers[i];
        bool here = sw_layer_index_find(x, dir, &e);
        if (here && (e.whiteout || e.type != SW_TAR_DIR)) return;
        list_layer(x, dir, l);
        if ((here && e.opaque) || hidden_by_parents(x, dir)) return;
    }
}

enum sw_code sw_rootfs_list(const struct sw_rootfs *fs, struct sw_str dir,
                            enum sw_code (*each)(void *ctx, struct sw_str name,
                                                 const struct sw_layer_entry *entry,
                                                 struct sw_error *err),
                            void *ctx, struct sw_error *err) {
    SW_BUF struct sw_buf path;
    struct sw_layer_entry e;
    sw_buf_init(&path, PATH_MAX);
    enum sw_code code = sw_rootfs_stat(fs, dir, true, &e, &path, err);
    if (code) return code;
    if (e.type != SW_TAR_DIR)
        return sw_fail(err, SW_DENIED, "/%.*s is not a directory", SW_ARG(sw_buf_str(&path)));
    struct listing l = {0};
    collect(fs, sw_buf_str(&path), &l);
    if (l.names.len) qsort(l.names.ptr, l.names.len, sizeof *l.names.ptr, by_name);
    size_t base = path.len;
    for (size_t i = 0; !code && i < l.names.len; i++) {
        sw_buf_truncate(&path, base);
        append(&path, l.names.ptr[i]);
        if (look_up(fs, sw_buf_str(&path), &e)) code = each(ctx, l.names.ptr[i], &e, err);
    }
    sw_map_done(&l.seen);
    sw_vec_done(&l.names);
    return code;
}
