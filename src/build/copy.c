#include "build/copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/proc.h"
#include "build/copy_internal.h"
#include "build/limits.h"
#include "dockerfile/glob.h"

void sw_copy_init(struct sw_copy *copy) {
    *copy = (struct sw_copy){0};
    /* 5 million entries of about 600 bytes, names included. */
    sw_arena_init(&copy->arena, SW_COPY_ENTRIES_MAX * 600);
}

void sw_copy_done(struct sw_copy *copy) {
    free(copy->items);
    for (size_t i = 0; i < copy->archives.len; i++) sw_unarchived_free(copy->archives.ptr[i]);
    sw_vec_done(&copy->archives);
    sw_arena_done(&copy->arena);
}

/* ---- items ---- */

enum sw_code sw_copy_add_item(struct sw_copy_planner *p, struct sw_str path,
                              const struct sw_node *node, struct sw_item **ret,
                              struct sw_error *err) {
    if (p->items.len >= SW_COPY_ENTRIES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %zu files in one instruction",
                       SW_COPY_ENTRIES_MAX);
    struct sw_item *item = sw_vec_push(&p->items);
    item->path = path;
    item->node = *node;
    item->order = (uint32_t)p->items.len;
    if (item->node.mtime_sec >= p->spec->epoch_s) {
        item->node.mtime_sec = p->spec->epoch_s;
        item->node.mtime_nsec = 0;
    }
    if (ret) *ret = item;
    return SW_OK;
}

/* Owner, mode and time as the flags want them, for what comes from a source. */
static void apply_flags(const struct sw_copy_planner *p, struct sw_node *node) {
    const struct sw_copy_spec *spec = p->spec;
    if (spec->has_owner) {
        node->uid = spec->uid;
        node->gid = spec->gid;
    }
    if (spec->chmod && node->type != SW_TAR_SYMLINK)
        node->mode = sw_df_chmod_apply(spec->chmod, node->mode, node->type == SW_TAR_DIR);
    if (node->type == SW_TAR_SYMLINK) node->mode = 0777;
    if (p->source && p->source->clear_times) {
        node->mtime_sec = spec->epoch_s;
        node->mtime_nsec = 0;
    }
}

/* What the stage has at a path; type 0 where there is nothing. */
enum sw_code sw_copy_look_at_dest(struct sw_copy_planner *p, struct sw_str path,
                                  struct sw_node *ret, struct sw_error *err) {
    *ret = (struct sw_node){0};
    if (path.len == 0) {
        *ret = (struct sw_node){.type = SW_TAR_DIR, .mode = 0755};
        if (!p->spec->view) return SW_OK;
    }
    if (!p->spec->view) return SW_OK;
    struct sw_source *v = p->spec->view;
    enum sw_code code = v->ops->stat(v, &p->copy->arena, path, false, ret, err);
    if (code == SW_NOT_FOUND) {
        *ret = (struct sw_node){0};
        return SW_OK;
    }
    return code;
}

/* What --chmod makes of a directory that has no counterpart in the source: a number is its mode,
 * too, without the special bits; clauses change a mode, and there is none to change. */
static uint32_t new_directory_mode(const struct sw_copy_planner *p) {
    const struct sw_df_chmod *chmod = p->spec->chmod;
    return chmod && chmod->octal && !p->unpacking ? chmod->mode & 0777 : 0755;
}

/* The directories above a path: as they are, or new ones of the owner and mode asked for. */
enum sw_code sw_copy_add_parents(struct sw_copy_planner *p, struct sw_str path,
                                 struct sw_error *err) {
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '/') continue;
        struct sw_str dir = sw_str_sub(path, 0, i);
        struct sw_node node;
        enum sw_code code = sw_copy_look_at_dest(p, dir, &node, err);
        if (code) return code;
        if (node.type && node.type != SW_TAR_DIR)
            return sw_fail(err, SW_SYNTAX, "cannot copy to /%.*s: /%.*s is not a directory",
                           SW_ARG(path), SW_ARG(dir));
        if (!node.type) {
            node = (struct sw_node){.type = SW_TAR_DIR, .mode = new_directory_mode(p)};
            if (p->spec->has_owner) {
                node.uid = p->spec->uid;
                node.gid = p->spec->gid;
            }
        }
        node.mtime_sec = p->spec->epoch_s;
        node.mtime_nsec = 0;
        code = sw_copy_add_item(p, dir, &node, NULL, err);
        if (code) return code;
    }
    return SW_OK;
}

/* One entry that is not a directory. */
static enum sw_code add_leaf(struct sw_copy_planner *p, struct sw_str source_path,
                             const struct sw_node *found, struct sw_str dest,
                             struct sw_error *err) {
    struct sw_node node = *found, there;
    bool is_socket = !node.type;
    if (is_socket && !p->source->clear_owners) {
        p->copy->skipped++;
        return SW_OK;
    }
    /* A socket of a context is an empty file in the image, as with BuildKit. */
    if (is_socket) node.type = SW_TAR_FILE;
    enum sw_code code = sw_copy_look_at_dest(p, dest, &there, err);
    if (code) return code;
    if (there.type == SW_TAR_DIR)
        return sw_fail(err, SW_SYNTAX, "cannot replace the directory /%.*s with the file %.*s",
                       SW_ARG(dest), SW_ARG(source_path));
    apply_flags(p, &node);
    struct sw_item *item;
    code = sw_copy_add_item(p, dest, &node, &item, err);
    if (code) return code;
    if (!is_socket) item->source = p->source;
    item->source_path = source_path;
    p->copy->bytes += node.size;
    return SW_OK;
}

/* A directory whose content is copied into the directory dest. */
struct tree {
    struct sw_str source, dest;
    const struct sw_ignore *include; /* --parents: what is taken of it; NULL: everything */
};

/* The directories above an entry of a tree, which its destination gets for the first time. */
static enum sw_code add_source_parents(struct sw_copy_planner *p, const struct tree *t,
                                       struct sw_str relative, struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_source *s = p->source;
    for (size_t i = 0; i < relative.len; i++) {
        if (relative.ptr[i] != '/') continue;
        struct sw_str dir = sw_str_sub(relative, 0, i);
        struct sw_node node;
        enum sw_code code =
            s->ops->stat(s, arena, sw_path_join(arena, t->source, dir), false, &node, err);
        if (code) return code;
        apply_flags(p, &node);
        code = sw_copy_add_item(p, sw_path_join(arena, t->dest, dir), &node, NULL, err);
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code add_directory(struct sw_copy_planner *p, struct sw_str source_path,
                                  const struct sw_node *found, struct sw_str dest,
                                  struct sw_error *err) {
    struct sw_node node = *found, there;
    enum sw_code code = sw_copy_look_at_dest(p, dest, &there, err);
    if (code) return code;
    if (there.type && there.type != SW_TAR_DIR)
        return sw_fail(err, SW_SYNTAX, "cannot copy the directory %.*s to /%.*s: a file is there",
                       SW_ARG(source_path), SW_ARG(dest));
    apply_flags(p, &node);
    return sw_copy_add_item(p, dest, &node, NULL, err);
}

/* Whether something below a directory may be wanted that itself is not. */
static bool may_want_below(const struct sw_copy_planner *p, const struct tree *t,
                           struct sw_str relative, bool out) {
    if (out) return sw_ignore_has_exceptions(p->spec->exclude);
    return sw_ignore_may_match_below(t->include, relative);
}

/* What a directory of the tree holds. added: the directory itself is among the items, with those
 * above it. Existing directories take the source's attributes. */
static enum sw_code add_entries(struct sw_copy_planner *p, const struct tree *t,
                                struct sw_str relative, bool added, int depth,
                                struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_source *s = p->source;
    struct sw_str *names = NULL, dir = sw_path_join(arena, t->source, relative);
    size_t n = 0;
    enum sw_code code = sw_cancel_check(err);
    if (!code && depth > SW_TREE_DEPTH_MAX)
        code = sw_fail(err, SW_LIMIT, "%.*s: directories are nested deeper than %d", SW_ARG(dir),
                       SW_TREE_DEPTH_MAX);
    if (!code) code = s->ops->list(s, arena, dir, &names, &n, err);
    for (size_t i = 0; i < n && !code; i++) {
        struct sw_str below = sw_path_join(arena, relative, names[i]);
        struct sw_str from = sw_path_join(arena, t->source, below);
        struct sw_str to = sw_path_join(arena, t->dest, below);
        struct sw_node child;
        code = s->ops->stat(s, arena, from, true, &child, err);
        if (code) break;
        bool out = p->spec->exclude && sw_ignore_match(p->spec->exclude, below, NULL);
        bool wanted = !out && (!t->include || sw_ignore_match(t->include, below, NULL));
        if (wanted && !added) {
            code = add_source_parents(p, t, below, err);
            added = true;
        }
        if (child.type == SW_TAR_DIR) {
            if (wanted && !code) code = add_directory(p, from, &child, to, err);
            if (!code && (wanted || may_want_below(p, t, below, out)))
                code = add_entries(p, t, below, wanted, depth + 1, err);
        } else if (wanted && !code) {
            code = add_leaf(p, from, &child, to, err);
        }
        if (!code) code = sw_arena_check(arena, "the list of files", err);
    }
    return code;
}

/* The tree's destination keeps the attributes that it has, or is new. */
static enum sw_code add_tree(struct sw_copy_planner *p, const struct tree *t,
                             struct sw_error *err) {
    struct sw_node there;
    enum sw_code code = sw_copy_look_at_dest(p, t->dest, &there, err);
    if (!code && there.type && there.type != SW_TAR_DIR)
        code = sw_fail(err, SW_SYNTAX, "cannot copy the directory %.*s to /%.*s: a file is there",
                       SW_ARG(t->source), SW_ARG(t->dest));
    /* Only the content is copied: a new destination is a directory as any other above it. */
    struct sw_str inside = sw_path_join(&p->copy->arena, t->dest, SW_STR("x"));
    if (!code) code = sw_copy_add_parents(p, inside, err);
    return code ? code : add_entries(p, t, SW_STR(""), true, 0, err);
}

/* ---- sources ---- */

static struct sw_str base_name(struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    return slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
}

struct target {
    struct sw_str path; /* resolved, clean */
    bool is_dir; /* it is one, is written with a slash at the end, or became one by a source */
};

/* One source that exists. */
static enum sw_code add_source(struct sw_copy_planner *p, struct sw_str source_path,
                               struct target *target, struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_source *s = p->source;
    struct sw_str real, dest = target->path;
    struct sw_node node;
    enum sw_code code = sw_source_resolve(s, arena, source_path, true, false, &real, err);
    if (!code) code = s->ops->stat(s, arena, real, false, &node, err);
    if (code) return code;
    if (node.type == SW_TAR_DIR) {
        target->is_dir = true;
        return add_tree(p, &(struct tree){.source = real, .dest = dest}, err);
    }
    if (p->spec->unpack && node.type == SW_TAR_FILE) {
        bool done;
        code = sw_copy_add_archive(p, real, &node, dest, &done, err);
        if (code || done) return code;
    }
    if (target->is_dir) dest = sw_path_join(arena, dest, base_name(source_path));
    p->copy->onto_target += !target->is_dir;
    code = sw_copy_add_parents(p, dest, err);
    return code ? code : add_leaf(p, real, &node, dest, err);
}

/* --parents: what the pattern selects below a directory, with the directories between. */
static enum sw_code add_selected(struct sw_copy_planner *p, struct sw_str dir,
                                 const struct sw_ignore *include, struct target *target,
                                 struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_source *s = p->source;
    struct tree t = {.dest = target->path, .include = include};
    struct sw_node node;
    enum sw_code code = sw_source_resolve(s, arena, dir, true, false, &t.source, err);
    if (!code) code = s->ops->stat(s, arena, t.source, false, &node, err);
    if (!code && node.type != SW_TAR_DIR)
        code = sw_fail(err, SW_SYNTAX, "--parents: /%.*s is not a directory", SW_ARG(dir));
    return code ? code : add_tree(p, &t, err);
}

/* Walks below dir for paths that match the pattern; a directory that matches is taken whole. */
static enum sw_code add_matches(struct sw_copy_planner *p, struct sw_str dir, struct sw_str pattern,
                                const struct sw_ignore *include, struct target *target,
                                struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_source *s = p->source;
    struct sw_str head, tail, *names;
    size_t n;
    bool more = sw_str_cut(pattern, '/', &head, &tail);
    enum sw_code code = s->ops->list(s, arena, dir, &names, &n, err);
    for (size_t i = 0; i < n && !code; i++) {
        bool match;
        code = sw_glob_match(head, names[i], &match, err);
        if (code || !match) continue;
        struct sw_str path = sw_path_join(arena, dir, names[i]);
        if (!more) {
            code = include ? add_selected(p, path, include, target, err)
                           : add_source(p, path, target, err);
            continue;
        }
        struct sw_str real;
        struct sw_node node;
        if (sw_source_resolve(s, arena, path, true, false, &real, err)) continue;
        code = s->ops->stat(s, arena, real, false, &node, err);
        if (!code && node.type == SW_TAR_DIR)
            code = add_matches(p, path, tail, include, target, err);
    }
    return code;
}

static enum sw_code not_found(struct sw_copy_planner *p, struct sw_str path, struct sw_error *err) {
    struct sw_source *s = p->source;
    sw_fail(err, SW_NOT_FOUND, "\"/%.*s\" not found in %.*s", SW_ARG(path), SW_ARG(s->name));
    if (!s->ops->explain) return err->code;
    struct sw_str why = s->ops->explain(s, &p->copy->arena, path);
    return why.len ? sw_advise(err, "%.*s", SW_ARG(why)) : err->code;
}

/* A path below a source's root: "/a/../b/." is "b". ".." stops at the root. */
static struct sw_str below_root(struct sw_arena *arena, struct sw_str written) {
    struct sw_str rooted = sw_arena_printf(arena, "/%.*s", SW_ARG(written));
    return sw_str_from(sw_df_path_clean(arena, rooted), 1);
}

/* Everything that a pattern of the source's language matches; include is for --parents. */
static enum sw_code add_pattern(struct sw_copy_planner *p, struct sw_str path,
                                const struct sw_ignore *include, struct target *target,
                                struct sw_error *err) {
    struct sw_str dir, pattern, real;
    sw_glob_split(path, &dir, &pattern);
    enum sw_code code = sw_glob_check(pattern, err);
    if (code) return code;
    code = sw_source_resolve(p->source, &p->copy->arena, dir, true, false, &real, err);
    if (code == SW_NOT_FOUND) return SW_OK;
    return code ? code : add_matches(p, dir, pattern, include, target, err);
}

/* --parents. "/a/./b/c": the directories from b on are repeated in the destination. */
static enum sw_code add_with_parents(struct sw_copy_planner *p, struct sw_str written,
                                     struct target *target, struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_str rest = written, base = SW_STR("");
    size_t pivot = sw_str_find(written, SW_STR("/./"));
    if (pivot != SIZE_MAX) {
        base = below_root(arena, sw_str_sub(written, 0, pivot));
        rest = sw_str_from(written, pivot + 3);
    }
    rest = below_root(arena, rest);
    struct sw_str whole = sw_path_join(arena, base, rest);
    struct sw_ignore *include;
    enum sw_code code = SW_OK;
    if (!sw_glob_has_wildcards(whole)) {
        struct sw_str real;
        code = sw_source_resolve(p->source, arena, whole, false, false, &real, err);
        /* The walk below the base follows no links, and so would find nothing behind one. */
        if (!code && pivot == SIZE_MAX && !sw_str_eq(real, whole))
            code = sw_fail(err, SW_NOT_FOUND, "%.*s is behind a link", SW_ARG(whole));
        if (code == SW_NOT_FOUND) return not_found(p, whole, err);
    }
    /* "." is all of the base: what no pattern needs to say. */
    if (!rest.len) rest = SW_STR("**");
    if (!code) code = sw_ignore_compile(arena, &rest, 1, &include, err);
    if (code) return code;
    if (sw_glob_has_wildcards(base)) return add_pattern(p, base, include, target, err);
    code = add_selected(p, base, include, target, err);
    return code == SW_NOT_FOUND ? not_found(p, base, err) : code;
}

static enum sw_code add_path(struct sw_copy_planner *p, struct sw_str written,
                             struct target *target, struct sw_error *err) {
    if (p->spec->parents) return add_with_parents(p, written, target, err);
    struct sw_str path = below_root(&p->copy->arena, written);
    if (sw_glob_has_wildcards(path)) return add_pattern(p, path, NULL, target, err);
    enum sw_code code = add_source(p, path, target, err);
    return code == SW_NOT_FOUND ? not_found(p, path, err) : code;
}

/* What was fetched: a file under its name, or what a directory holds. */
static enum sw_code add_fetched(struct sw_copy_planner *p, const struct sw_copy_fetched *f,
                                struct target *target, struct sw_error *err) {
    struct sw_str dest = target->path;
    struct sw_node node = f->node;
    bool done = false;
    enum sw_code code = SW_OK;
    p->source = f->source;
    if (f->is_dir) {
        code = add_source(p, f->path, target, err);
        return code == SW_NOT_FOUND ? not_found(p, f->path, err) : code;
    }
    if (f->unpack) {
        code = sw_copy_add_archive(p, f->path, &node, dest, &done, err);
        if (code || done) return code;
    }
    if (target->is_dir) dest = sw_path_join(&p->copy->arena, dest, f->name);
    p->copy->onto_target += !target->is_dir;
    code = sw_copy_add_parents(p, dest, err);
    return code ? code : add_leaf(p, f->path, &node, dest, err);
}

static enum sw_code add_file(struct sw_copy_planner *p, const struct sw_copy_file *file,
                             const struct target *target, struct sw_error *err) {
    struct sw_str dest = target->path;
    if (target->is_dir) dest = sw_path_join(&p->copy->arena, dest, file->name);
    p->copy->onto_target += !target->is_dir;
    enum sw_code code = sw_copy_add_parents(p, dest, err);
    if (code) return code;
    p->source = NULL;
    struct sw_node node = {
        .type = SW_TAR_FILE, .mode = file->mode, .size = file->content.len, .mtime_sec = INT64_MAX};
    apply_flags(p, &node);
    struct sw_item *item;
    code = sw_copy_add_item(p, dest, &node, &item, err);
    if (code) return code;
    item->content = file->content;
    p->copy->bytes += file->content.len;
    return SW_OK;
}

/* ---- the plan ---- */

static int by_path(const void *a, const void *b) {
    const struct sw_item *x = a, *y = b;
    int order = sw_str_cmp(x->path, y->path);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Names of one file of one source stay names of one file: the first in the order of paths carries
 * the content, the others are hard links to it. */
static void find_links(struct sw_copy *copy) {
    SW_MAP struct sw_map first = {0};
    for (size_t i = 0; i < copy->n; i++) {
        struct sw_item *item = &copy->items[i];
        if (item->node.type != SW_TAR_FILE || !item->node.linked || !item->source) continue;
        uint64_t *id = sw_arena_array(&copy->arena, 3, sizeof *id);
        id[0] = (uintptr_t)item->source;
        id[1] = item->node.dev;
        id[2] = item->node.ino;
        struct sw_str key = {(const char *)id, 3 * sizeof *id};
        const struct sw_item *other = sw_map_get(&first, key);
        if (other) {
            item->link_to = other->path;
        } else {
            sw_map_put(&first, key, item);
        }
    }
}

/* Sorts, and keeps the last of several with one path. A directory that was only a parent does not
 * replace one with attributes of its own: parents carry what is there or the defaults, and came
 * first. */
enum sw_code sw_copy_finish(struct sw_copy_planner *p, struct sw_error *err) {
    struct sw_item *items = p->items.ptr;
    size_t n = p->items.len, kept = 0;
    if (n) qsort(items, n, sizeof *items, by_path);
    for (size_t i = 0; i < n; i++) {
        if (kept && sw_str_eq(items[kept - 1].path, items[i].path)) {
            bool was_dir = items[kept - 1].node.type == SW_TAR_DIR;
            bool is_dir = items[i].node.type == SW_TAR_DIR;
            if (was_dir != is_dir)
                return sw_fail(err, SW_SYNTAX, "/%.*s would be a directory and a file at once",
                               SW_ARG(items[i].path));
            items[kept - 1] = items[i];
        } else {
            items[kept++] = items[i];
        }
    }
    p->copy->items = items;
    p->copy->n = kept;
    p->items.ptr = NULL;
    if (!p->spec->no_links) find_links(p->copy);
    return SW_OK;
}

static enum sw_code find_target(struct sw_copy_planner *p, struct target *ret,
                                struct sw_error *err) {
    struct sw_arena *arena = &p->copy->arena;
    struct sw_str dest = p->spec->dest, real;
    struct sw_node node;
    bool slash = dest.len && dest.ptr[dest.len - 1] == '/';
    if (sw_str_ends(dest, SW_STR("/.")) || sw_str_is(dest, ".")) slash = true;
    enum sw_code code = SW_OK;
    /* By its letters first: "/link/.." is "/" wherever the link leads, as with BuildKit. */
    struct sw_str clean = sw_df_path_clean(arena, dest);
    if (p->spec->view) {
        code = sw_source_resolve(p->spec->view, arena, clean, true, true, &real, err);
    } else {
        real = sw_str_from(clean, 1);
    }
    if (!code) code = sw_copy_look_at_dest(p, real, &node, err);
    if (code) return sw_context(err, "destination %.*s", SW_ARG(dest));
    *ret = (struct target){real,
                           slash || node.type == SW_TAR_DIR || real.len == 0 || p->spec->outline};
    return SW_OK;
}

enum sw_code sw_copy_plan(struct sw_copy *copy, const struct sw_copy_spec *spec,
                          struct sw_error *err) {
    struct sw_copy_planner p = {.copy = copy, .spec = spec, .source = spec->source};
    struct target target;
    enum sw_code code = find_target(&p, &target, err);
    for (size_t i = 0; i < spec->n_paths && !code; i++)
        code = add_path(&p, spec->paths[i], &target, err);
    for (size_t i = 0; i < spec->n_fetched && !code; i++)
        code = add_fetched(&p, &spec->fetched[i], &target, err);
    for (size_t i = 0; i < spec->n_files && !code; i++)
        code = add_file(&p, &spec->files[i], &target, err);
    if (!code) code = sw_copy_finish(&p, err);
    sw_vec_done(&p.items);
    return code;
}

enum sw_code sw_copy_plan_dirs(struct sw_copy *copy, struct sw_source *view, struct sw_str path,
                               uint32_t uid, uint32_t gid, int64_t epoch_s, struct sw_error *err) {
    struct sw_copy_spec spec = {.verb = "WORKDIR",
                                .view = view,
                                .dest = path,
                                .has_owner = true,
                                .uid = uid,
                                .gid = gid,
                                .epoch_s = epoch_s};
    struct sw_copy_planner p = {.copy = copy, .spec = &spec};
    struct target target;
    struct sw_node node = {0};
    enum sw_code code = find_target(&p, &target, err);
    if (!code) code = sw_copy_look_at_dest(&p, target.path, &node, err);
    if (!code && node.type && node.type != SW_TAR_DIR)
        code = sw_fail(err, SW_SYNTAX, "/%.*s is not a directory", SW_ARG(target.path));
    if (!code && !node.type) {
        code = sw_copy_add_parents(&p, sw_path_join(&copy->arena, target.path, SW_STR("x")), err);
        if (!code) code = sw_copy_finish(&p, err);
    }
    sw_vec_done(&p.items);
    return code;
}
