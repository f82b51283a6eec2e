/* DESIGN
 *
 * ADD of an archive: what unpacking it into the destination would leave, as items of the layer.
 *
 * The names in the archive are followed like those of files that are being made one after the
 * other, in a chroot at the destination: through symbolic links that the image has and through
 * those that earlier entries made; ".." and absolute names stop at the destination. An entry
 * replaces what is there, but two directories are merged. The archive's root entry means the
 * destination, which keeps its attributes. (These are the rules of BuildKit's unpacking, which is
 * moby's chrootarchive.Untar.)
 *
 *     placed: path below the destination -> what the archive put there, or "gone" (replaced by
 *     something of a parent)
 */
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/proc.h"
#include "build/archive_stream.h"
#include "build/copy_internal.h"
#include "build/limits.h"

#define LINKS_MAX 40

struct placed {
    struct sw_str path; /* below the destination */
    struct sw_node node;
    struct sw_digest digest;
    struct sw_str content;
    bool gone;
};

struct placer {
    struct sw_copy_planner *p;
    struct sw_arena *arena;
    struct sw_str dest;
    struct sw_unarchived *u;
    struct sw_map map; /* path -> struct placed * */
};

/* What is at a path whose parents were looked at; type 0: nothing. */
static enum sw_code look(struct placer *pl, struct sw_str path, struct sw_node *ret,
                         struct sw_error *err) {
    const struct placed *placed = sw_map_get(&pl->map, path);
    if (placed) {
        *ret = placed->gone ? (struct sw_node){0} : placed->node;
        return SW_OK;
    }
    return sw_copy_look_at_dest(pl->p, sw_path_join(pl->arena, pl->dest, path), ret, err);
}

static struct placed *put(struct placer *pl, struct sw_str path, const struct sw_node *node) {
    struct placed *placed = sw_map_get(&pl->map, path);
    if (!placed) {
        placed = SW_NEW(pl->arena, struct placed);
        placed->path = sw_arena_str(pl->arena, path);
        sw_map_put(&pl->map, placed->path, placed);
    }
    struct sw_str kept = placed->path;
    *placed = (struct placed){.path = kept, .node = *node};
    return placed;
}

static enum sw_code put_missing_dir(struct placer *pl, struct sw_str path) {
    struct sw_node dir = {.type = SW_TAR_DIR, .mode = 0755, .mtime_sec = INT64_MAX};
    put(pl, path, &dir);
    return SW_OK;
}

/* Where a name leads, all components but the last followed; directories that are missing are made.
 * *ret "" for the destination itself. */
static enum sw_code resolve(struct placer *pl, struct sw_str name, struct sw_str *ret,
                            struct sw_error *err) {
    struct sw_str done = SW_STR(""), rest = name;
    int links = 0;
    while (rest.len) {
        struct sw_str part, tail;
        struct sw_node node;
        sw_str_cut(rest, '/', &part, &tail);
        rest = tail;
        if (!part.len || sw_str_is(part, ".")) continue;
        if (sw_str_is(part, "..")) {
            size_t slash = sw_str_rfind_char(done, '/');
            done = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(done, 0, slash);
            continue;
        }
        struct sw_str at = sw_path_join(pl->arena, done, part);
        if (!rest.len) {
            *ret = at;
            return SW_OK;
        }
        enum sw_code code = look(pl, at, &node, err);
        if (!code && !node.type) code = put_missing_dir(pl, at);
        if (code) return code;
        if (node.type == SW_TAR_SYMLINK) {
            if (++links > LINKS_MAX)
                return sw_fail(err, SW_SYNTAX, "%.*s: too many symbolic links", SW_ARG(name));
            if (node.link.len && node.link.ptr[0] == '/') done = SW_STR("");
            rest = sw_arena_printf(pl->arena, "%.*s/%.*s", SW_ARG(node.link), SW_ARG(rest));
            continue;
        }
        if (node.type && node.type != SW_TAR_DIR)
            return sw_fail(err, SW_SYNTAX, "%.*s: %.*s is not a directory", SW_ARG(name),
                           SW_ARG(at));
        done = at;
    }
    *ret = done;
    return SW_OK;
}

/* What lies beneath a directory that something else replaces. */
static void drop_beneath(struct placer *pl, struct sw_str dir) {
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&pl->map, e));)
        if (e->key.len > dir.len && e->key.ptr[dir.len] == '/' && sw_str_starts(e->key, dir))
            ((struct placed *)e->value)->gone = true;
}

static enum sw_code place(struct placer *pl, const struct sw_archive_entry *e,
                          struct sw_error *err) {
    struct sw_str path, target;
    struct sw_node there, node = e->node;
    const struct placed *first = NULL;
    if (!e->path.len) return SW_OK;
    enum sw_code code = resolve(pl, e->path, &path, err);
    if (!code && path.len) code = look(pl, path, &there, err);
    if (code || !path.len) return code;
    if (node.type == SW_TAR_HARDLINK) {
        code = resolve(pl, node.link, &target, err);
        if (code) return code;
        first = sw_map_get(&pl->map, target);
        if (!first || first->gone || first->node.type == SW_TAR_DIR)
            return sw_fail(err, SW_SYNTAX, "%.*s is a hard link to %.*s, which the archive lacks",
                           SW_ARG(e->path), SW_ARG(node.link));
        if (sw_str_eq(target, path)) return SW_OK;
        ((struct placed *)(uintptr_t)first)->node.linked = true;
        node = first->node;
    }
    if (node.type == SW_TAR_SYMLINK) node.mode = 0777;
    if (pl->p->spec->has_owner) {
        node.uid = pl->p->spec->uid;
        node.gid = pl->p->spec->gid;
    }
    if (there.type == SW_TAR_DIR && node.type != SW_TAR_DIR) drop_beneath(pl, path);
    struct placed *placed = put(pl, path, &node);
    placed->digest = first ? first->digest : e->digest;
    placed->content = first ? first->content : e->content;
    return SW_OK;
}

/* Directories of the image above what was placed are entries of the layer, too. */
static enum sw_code add_existing_parents(struct placer *pl, struct sw_str path, struct sw_map *seen,
                                         struct sw_error *err) {
    for (size_t i = 0; i < path.len; i++) {
        struct sw_str dir = sw_str_sub(path, 0, i);
        struct sw_node node;
        if (path.ptr[i] != '/' || sw_map_has(seen, dir) || sw_map_has(&pl->map, dir)) continue;
        sw_map_put(seen, dir, pl);
        struct sw_str at = sw_path_join(pl->arena, pl->dest, dir);
        enum sw_code code = sw_copy_look_at_dest(pl->p, at, &node, err);
        node.mtime_sec = INT64_MAX;
        if (!code) code = sw_copy_add_item(pl->p, at, &node, NULL, err);
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code add_items(struct placer *pl, struct sw_error *err) {
    SW_MAP struct sw_map seen = {0};
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&pl->map, e));) {
        const struct placed *placed = e->value;
        struct sw_item *item;
        if (placed->gone) continue;
        enum sw_code code = add_existing_parents(pl, placed->path, &seen, err);
        if (!code)
            code = sw_copy_add_item(pl->p, sw_path_join(pl->arena, pl->dest, placed->path),
                                    &placed->node, &item, err);
        if (code) return code;
        if (placed->node.type != SW_TAR_FILE) continue;
        item->source = pl->u->source;
        item->source_path = placed->content;
        item->digest = placed->digest;
        pl->p->copy->bytes += placed->node.size;
    }
    return SW_OK;
}

/* The destination, made where it is missing. */
static enum sw_code add_dest(struct placer *pl, struct sw_error *err) {
    struct sw_node node;
    enum sw_code code = sw_copy_look_at_dest(pl->p, pl->dest, &node, err);
    if (!code && node.type && node.type != SW_TAR_DIR)
        code = sw_fail(err, SW_SYNTAX, "cannot unpack to /%.*s: it is not a directory",
                       SW_ARG(pl->dest));
    if (code || !pl->dest.len) return code;
    pl->p->unpacking = true;
    code = sw_copy_add_parents(pl->p, sw_path_join(pl->arena, pl->dest, SW_STR("x")), err);
    pl->p->unpacking = false;
    return code;
}

/* Puts what fd holds into the destination. */
static enum sw_code unpack(struct placer *pl, int fd, struct sw_str name, struct sw_error *err) {
    enum sw_code code = sw_unarchive(pl->p->spec->store, fd, name, &pl->u, err);
    if (code) return code;
    sw_vec_add(&pl->p->copy->archives, pl->u);
    code = add_dest(pl, err);
    for (size_t i = 0; i < pl->u->n && !code; i++) {
        code = place(pl, &pl->u->entries[i], err);
        if (!code) code = sw_cancel_check(err);
    }
    if (!code) code = add_items(pl, err);
    sw_map_done(&pl->map);
    return code ? sw_context(err, "unpacking %.*s", SW_ARG(name)) : SW_OK;
}

enum sw_code sw_copy_add_archive(struct sw_copy_planner *p, struct sw_str source_path,
                                 const struct sw_node *node, struct sw_str dest, bool *ret_done,
                                 struct sw_error *err) {
    SW_FD int fd = -1;
    struct placer pl = {.p = p, .arena = &p->copy->arena, .dest = dest};
    *ret_done = false;
    enum sw_code code = sw_source_open_same(p->source, source_path, node, &fd, err);
    if (code) return code;
    if (!sw_archive_stream_probe(fd)) return SW_OK;
    *ret_done = true;
    return unpack(&pl, fd, source_path, err);
}

enum sw_code sw_copy_plan_archive(struct sw_copy *copy, struct sw_store *store, int fd,
                                  struct sw_str name, struct sw_error *err) {
    struct sw_copy_spec spec = {.verb = "unpack", .store = store, .epoch_s = INT64_MAX};
    struct sw_copy_planner p = {.copy = copy, .spec = &spec};
    struct placer pl = {.p = &p, .arena = &copy->arena, .dest = SW_STR("")};
    enum sw_code code = unpack(&pl, fd, name, err);
    if (!code) code = sw_copy_finish(&p, err);
    sw_vec_done(&p.items);
    return code;
}
