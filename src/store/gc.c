/* Collecting garbage.
 *
 * Everything is decided and unnamed under the exclusive gc.lock, which keeps other processes from
 * pinning meanwhile; that takes milliseconds. Trees are only moved away then, and removed after
 * the lock is gone. The order makes every crash harmless: names go first (index.json, rows of the
 * database, both synced), then what they named; what is left over has no holder and goes next time.
 */
#include "store/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/sys.h"
#include "codec/hex.h"
#include "oci/image_layout.h"
#include "store/cache_mounts.h"
#include "store/inventory.h"
#include "store/store_internal.h"

struct temp_name {
    char text[48];
};

struct locked_mount {
    int dir, lock;
};

struct gc {
    struct sw_store *store;
    const struct sw_gc_options *options;
    struct sw_inventory inv;
    struct sw_gc_result result;
    int64_t now;
    uint64_t bytes; /* what would be left */
    bool index_changed;
    SW_VEC(struct temp_name) trees;      /* in slipway/tmp, to be removed after the lock */
    struct sw_cache_mounts mounts;       /* measured before the lock */
    SW_VEC(struct locked_mount) emptied; /* locked, to be emptied after the lock */
};

static void tell(struct gc *g, const char *kind, const char *name, uint64_t bytes) {
    g->result.freed_bytes += bytes;
    g->bytes = g->bytes > bytes ? g->bytes - bytes : 0;
    if (g->options->each) g->options->each(g->options->ctx, kind, name, bytes);
}

static bool old_enough(const struct gc *g, int64_t last_use) {
    return last_use <= g->now - g->options->unused_s;
}

/* ---- deciding: images ---- */

static bool drops_image(struct gc *g, const struct sw_index_entry *e) {
    if (!g->options->untagged || e->name.len || sw_inventory_image_pinned(&g->inv, &e->digest))
        return false;
    const struct sw_inv_blob *b = sw_inventory_blob(&g->inv, &e->digest);
    return !b || old_enough(g, b->mtime);
}

static enum sw_code decide_images(struct gc *g, struct sw_error *err) {
    struct sw_index_file *f = &g->inv.index;
    for (size_t i = 0; i < f->list.len;) {
        struct sw_index_entry *e = &f->list.ptr[i];
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_format(&e->digest, text);
        if (drops_image(g, e)) {
            tell(g, "image", text, 0);
            g->result.images++;
            g->index_changed = true;
            f->list.ptr[i] = f->list.ptr[--f->list.len];
            continue;
        }
        struct sw_descriptor d;
        enum sw_code code = sw_index_entry_parse(f->a, e, &d, err);
        if (!code) code = sw_inventory_hold_image(&g->inv, &d, err);
        /* What a damaged image holds cannot be told: nothing may go then. */
        if (code) {
            sw_context(err, "image %s%s%.*s", text, e->name.len ? " " : "", SW_ARG(e->name));
            return sw_advise(err, "; remove this image first");
        }
        i++;
    }
    return SW_OK;
}

/* ---- deciding: the cache, oldest use first ---- */

enum candidate_kind { CANDIDATE_RECORD, CANDIDATE_SNAPSHOT, CANDIDATE_FILE, CANDIDATE_MOUNT };

struct candidate {
    int64_t last_use;
    enum candidate_kind kind;
    size_t at;
};

static int oldest_first(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (a->last_use != b->last_use) return a->last_use < b->last_use ? -1 : 1;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static void drop_snapshot(struct gc *g, struct sw_inv_snapshot *s) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)s->id);
    s->gone = true;
    g->result.snapshots++;
    tell(g, "snapshot", name, s->size);
}

/* A blob goes when nobody holds it, unless it is so young that another tool may be about to. */
static void drop_unheld_blob(struct gc *g, struct sw_inv_blob *b) {
    if (b->gone || sw_inv_blob_held(b) || b->mtime > g->now - g->options->grace_s) return;
    b->gone = true;
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(&b->digest, text);
    g->result.blobs++;
    tell(g, "blob", text, b->size);
}

/* A record's row goes, and with it what only it held. */
static void drop_record(struct gc *g, struct sw_inv_record *r) {
    char hex[2 * SW_CACHE_KEY_SIZE + 1] = {0};
    sw_hex_encode(r->key, sizeof r->key, hex);
    r->gone = true;
    g->result.records++;
    tell(g, "cache", hex, 0);
    for (size_t i = 0; i < r->n_refs; i++) {
        if (r->refs[i].is_snapshot) {
            struct sw_inv_snapshot *s = sw_inventory_snapshot(&g->inv, r->refs[i].snapshot);
            if (s && --s->records == 0 && !s->pins && !s->gone && s->kind == SW_SNAPSHOT_STEP)
                drop_snapshot(g, s);
        } else {
            struct sw_inv_blob *b = sw_inventory_blob(&g->inv, &r->refs[i].blob);
            if (!b) continue;
            b->records--;
            drop_unheld_blob(g, b);
        }
    }
}

static bool record_in_use(struct gc *g, const struct sw_inv_record *r) {
    for (size_t i = 0; i < r->n_refs; i++) {
        if (r->refs[i].is_snapshot) {
            const struct sw_inv_snapshot *s = sw_inventory_snapshot(&g->inv, r->refs[i].snapshot);
            if (s && s->pins) return true;
        } else {
            const struct sw_inv_blob *b = sw_inventory_blob(&g->inv, &r->refs[i].blob);
            if (b && b->pins) return true;
        }
    }
    return false;
}

/* What a build uses at this moment is locked, and stays. */
static void drop_mount(struct gc *g, const struct sw_cache_mount *m) {
    struct locked_mount locked = {-1, -1};
    struct sw_error busy = {0};
    if (m->in_use) return;
    if (!g->options->dry_run) {
        if (sw_cache_mount_lock(g->store, m, &locked.dir, &locked.lock, &busy)) return;
        sw_vec_add(&g->emptied, locked);
    }
    g->result.mounts++;
    tell(g, "mount", m->name.ptr, m->size_bytes);
}

/* After the lock: it may be a large tree. */
static void empty_mounts(struct gc *g, bool decided) {
    for (size_t i = 0; i < g->emptied.len; i++) {
        struct locked_mount *m = &g->emptied.ptr[i];
        struct sw_error ignored = {0};
        if (decided && sw_cache_mount_drop(g->store, m->dir, &ignored))
            sw_debug("store", "emptying a cache mount: %s", ignored.text);
        sw_closep(&m->dir);
        sw_closep(&m->lock);
    }
    sw_vec_done(&g->emptied);
}

static void drop_candidate(struct gc *g, const struct candidate *c) {
    struct sw_inv_file *f;
    switch (c->kind) {
    case CANDIDATE_RECORD:
        drop_record(g, &g->inv.records.ptr[c->at]);
        break;
    case CANDIDATE_SNAPSHOT:
        drop_snapshot(g, &g->inv.snapshots.ptr[c->at]);
        break;
    case CANDIDATE_FILE:
        f = &g->inv.files.ptr[c->at];
        f->gone = true;
        if (f->is_index)
            g->result.indexes++;
        else
            g->result.filehashes++;
        tell(g, f->is_index ? "index" : "filehash", f->name.ptr, f->size);
        break;
    case CANDIDATE_MOUNT:
        drop_mount(g, &g->mounts.ptr[c->at]);
        break;
    }
}

/* Rows that lost their tree, trees and blobs that nobody holds: no choice there. */
static void decide_garbage(struct gc *g) {
    for (size_t i = 0; i < g->inv.records.len; i++)
        if (g->inv.records.ptr[i].gone) drop_record(g, &g->inv.records.ptr[i]); /* damaged */
    for (size_t i = 0; i < g->inv.snapshots.len; i++) {
        struct sw_inv_snapshot *s = &g->inv.snapshots.ptr[i];
        bool unheld = s->kind == SW_SNAPSHOT_STEP && !s->records;
        if (!s->pins && (!s->present || unheld)) drop_snapshot(g, s);
    }
    for (size_t i = 0; i < g->inv.blobs.len; i++) drop_unheld_blob(g, &g->inv.blobs.ptr[i]);
}

static void decide_cache(struct gc *g) {
    SW_VEC(struct candidate) list = {0};
    for (size_t i = 0; i < g->inv.records.len; i++)
        if (!g->inv.records.ptr[i].gone && !record_in_use(g, &g->inv.records.ptr[i]))
            sw_vec_add(&list,
                       ((struct candidate){g->inv.records.ptr[i].last_use, CANDIDATE_RECORD, i}));
    for (size_t i = 0; i < g->inv.snapshots.len; i++) {
        const struct sw_inv_snapshot *s = &g->inv.snapshots.ptr[i];
        if (s->kind == SW_SNAPSHOT_LAYER && !s->pins && !s->records && !s->gone)
            sw_vec_add(&list, ((struct candidate){s->last_use, CANDIDATE_SNAPSHOT, i}));
    }
    for (size_t i = 0; i < g->inv.files.len; i++)
        sw_vec_add(&list, ((struct candidate){g->inv.files.ptr[i].mtime, CANDIDATE_FILE, i}));
    for (size_t i = 0; g->options->mounts && i < g->mounts.len; i++)
        sw_vec_add(&list, ((struct candidate){g->mounts.ptr[i].last_use, CANDIDATE_MOUNT, i}));
    if (list.len) qsort(list.ptr, list.len, sizeof *list.ptr, oldest_first);
    for (size_t i = 0; i < list.len; i++) {
        if (g->options->keep_bytes && g->bytes <= g->options->keep_bytes) break;
        if (!old_enough(g, list.ptr[i].last_use)) break;
        drop_candidate(g, &list.ptr[i]);
    }
    sw_vec_done(&list);
}

/* ---- doing ---- */

static enum sw_code delete_row(struct sw_db *db, bool is_snapshot, int64_t row,
                               struct sw_error *err) {
    struct sw_db_stmt *st;
    enum sw_code code = is_snapshot
                            ? sw_db_prepare(db, "DELETE FROM snapshots WHERE id=?", &st, err)
                            : sw_db_prepare(db, "DELETE FROM cache WHERE id=?", &st, err);
    if (code) return code;
    sw_db_bind_int(st, 1, row);
    return sw_db_run(st, err);
}

static enum sw_code delete_rows(struct gc *g, struct sw_error *err) {
    struct sw_db *db;
    if (!g->result.records && !g->result.snapshots) return SW_OK;
    enum sw_code code = sw_store_db(g->store, &db, err);
    if (code) return code;
    sw_db_lock(db);
    code = sw_db_begin(db, true, err);
    for (size_t i = 0; !code && i < g->inv.records.len; i++)
        if (g->inv.records.ptr[i].gone)
            code = delete_row(db, false, g->inv.records.ptr[i].row, err);
    for (size_t i = 0; !code && i < g->inv.snapshots.len; i++)
        if (g->inv.snapshots.ptr[i].gone)
            code = delete_row(db, true, g->inv.snapshots.ptr[i].id, err);
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    sw_db_unlock(db);
    return code;
}

static enum sw_code detach(struct gc *g, int64_t id, struct sw_error *err) {
    struct temp_name *t = sw_vec_push(&g->trees);
    return sw_snapshot_detach(g->store, id, t->text, sizeof t->text, err);
}

/* Directories without a row: left by a crash between rename and commit. */
static enum sw_code detach_orphans(struct gc *g, struct sw_error *err) {
    int fd = openat(g->store->snapshots_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return sw_fail_sys(err, errno, "list snapshots");
    enum sw_code code = SW_OK;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        uint64_t id;
        if (!sw_str_u64(sw_str(e->d_name), &id)) continue;
        if (!sw_inventory_snapshot(&g->inv, (int64_t)id)) code = detach(g, (int64_t)id, err);
    }
    closedir(dir);
    return code;
}

static enum sw_code unlink_all(struct gc *g, struct sw_error *err) {
    for (size_t i = 0; i < g->inv.blobs.len; i++) {
        const struct sw_inv_blob *b = &g->inv.blobs.ptr[i];
        char path[SW_LAYOUT_PATH_MAX];
        if (!b->gone) continue;
        sw_layout_blob_path(&b->digest, path);
        if (sw_sys_unlinkat(g->store->root_fd, path, 0) < 0 && errno != ENOENT)
            return sw_fail_sys(err, errno, "remove %s", path);
    }
    for (size_t i = 0; i < g->inv.files.len; i++) {
        const struct sw_inv_file *f = &g->inv.files.ptr[i];
        char path[300];
        if (!f->gone) continue;
        snprintf(path, sizeof path, "%s/%s", f->is_index ? "index" : "filehash", f->name.ptr);
        if (sw_sys_unlinkat(g->store->state_fd, path, 0) < 0 && errno != ENOENT)
            return sw_fail_sys(err, errno, "remove slipway/%s", path);
    }
    return SW_OK;
}

/* Lock files of keys that nobody holds: a crash leaves them. */
static void remove_locks(struct sw_store *s) {
    int fd = openat(s->state_fd, "locks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        SW_FD int lock = openat(fd, e->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) unlinkat(fd, e->d_name, 0);
    }
    closedir(dir);
}

static enum sw_code execute(struct gc *g, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (g->index_changed) code = sw_index_file_save(g->store, &g->inv.index, err);
    if (!code) code = delete_rows(g, err);
    for (size_t i = 0; !code && i < g->inv.snapshots.len; i++)
        if (g->inv.snapshots.ptr[i].gone) code = detach(g, g->inv.snapshots.ptr[i].id, err);
    if (!code) code = detach_orphans(g, err);
    if (!code) code = unlink_all(g, err);
    if (!code) remove_locks(g->store);
    return code;
}

static uint64_t mounts_bytes(const struct sw_cache_mounts *mounts) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < mounts->len; i++) bytes += mounts->ptr[i].size_bytes;
    return bytes;
}

/* Between reading index.json and writing it nobody may change it. */
static enum sw_code collect(struct gc *g, struct sw_error *err) {
    SW_FD int index_lock = -1;
    enum sw_code code = sw_index_file_lock(g->store, &index_lock, err);
    if (!code) code = sw_inventory_read(g->store, &g->inv, err);
    if (code) return code;
    g->bytes = sw_inventory_bytes(&g->inv) + mounts_bytes(&g->mounts);
    code = decide_images(g, err);
    if (!code) {
        decide_garbage(g);
        if (!g->options->keep_cache) decide_cache(g);
    }
    if (!code && !g->options->dry_run) code = execute(g, err);
    g->result.kept_bytes = g->bytes;
    sw_inventory_done(&g->inv);
    return code;
}

static enum sw_code lock_exclusive(struct sw_store *s, int *ret_fd, struct sw_error *err) {
    enum sw_code code = sw_lock_file_at(s->state_fd, "gc.lock", true, true, ret_fd, err);
    return code ? sw_context(err, "collecting in %s", s->root) : SW_OK;
}

enum sw_code sw_gc_run(struct sw_store *store, const struct sw_gc_options *options,
                       struct sw_gc_result *ret, struct sw_error *err) {
    static const struct sw_gc_options none;
    struct gc g = {.store = store, .options = options ? options : &none, .now = sw_now_unix_s()};
    SW_ARENA struct sw_arena arena;
    SW_FD int lock = -1;
    sw_arena_init(&arena, 0);
    enum sw_code code = sw_store_writable(store, err);
    if (!code) code = sw_lease_ensure(store, err);
    if (!code) code = sw_cache_mounts_list(store, &arena, true, &g.mounts, err);
    if (code) return code;
    sw_lease_clean(store);
    if ((code = sw_store_flush_touches(store, err)) || (code = lock_exclusive(store, &lock, err)))
        return code;
    code = collect(&g, err);
    sw_closep(&lock);
    empty_mounts(&g, !code);
    for (size_t i = 0; i < g.trees.len; i++) {
        struct sw_error ignored;
        if (sw_remove_tree_at(store->tmp_fd, g.trees.ptr[i].text, &ignored))
            sw_debug("store", "removing a snapshot: %s", ignored.text);
    }
    sw_vec_done(&g.trees);
    pthread_mutex_lock(&store->lock);
    store->used_known = false;
    pthread_mutex_unlock(&store->lock);
    struct sw_error unsettled;
    if (sw_snapshot_settle(store, 0, &unsettled)) sw_debug("store", "%s", unsettled.text);
    if (!code) *ret = g.result;
    return code;
}

/* ---- the cap ---- */

static enum sw_code measure(struct sw_store *s, uint64_t *ret, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&s->lock);
    bool known = s->used_known;
    *ret = s->used_bytes;
    pthread_mutex_unlock(&s->lock);
    if (known) return SW_OK;
    SW_INVENTORY struct sw_inventory inv = {0};
    SW_ARENA struct sw_arena arena;
    struct sw_cache_mounts mounts;
    sw_arena_init(&arena, 0);
    if ((code = sw_cache_mounts_list(s, &arena, true, &mounts, err)) ||
        (code = sw_pin_begin(s, err)))
        return code;
    code = sw_inventory_read(s, &inv, err);
    sw_pin_end(s);
    if (code) return code;
    *ret = sw_inventory_bytes(&inv) + mounts_bytes(&mounts);
    pthread_mutex_lock(&s->lock);
    s->used_bytes = *ret;
    s->used_known = true;
    pthread_mutex_unlock(&s->lock);
    return SW_OK;
}

static enum sw_code check_free_space(struct sw_store *s, uint64_t bytes, struct sw_error *err) {
    struct statvfs v;
    if (fstatvfs(s->root_fd, &v) < 0) return SW_OK; /* a hint, not a duty */
    if (v.f_blocks == 0) return SW_OK;              /* ramfs has no size */
    uint64_t free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    if (bytes <= free_bytes) return SW_OK;
    return sw_fail(err, SW_LIMIT,
                   "%llu MiB are needed in %s, but its file system has %llu MiB left; run "
                   "`slipway prune` or free some space",
                   (unsigned long long)(bytes >> 20), s->root,
                   (unsigned long long)(free_bytes >> 20));
}

enum sw_code sw_store_reserve(struct sw_store *s, uint64_t bytes, struct sw_error *err) {
    uint64_t used = 0;
    enum sw_code code = sw_store_writable(s, err);
    if (code) return code;
    if (!s->cap_bytes) return check_free_space(s, bytes, err);
    if ((code = measure(s, &used, err))) return code;
    if (bytes < s->cap_bytes && used > s->cap_bytes - bytes) {
        struct sw_gc_options options = {.keep_bytes = s->cap_bytes - bytes, .mounts = true};
        struct sw_gc_result result;
        if ((code = sw_gc_run(s, &options, &result, err)) || (code = measure(s, &used, err)))
            return code;
    }
    if (bytes >= s->cap_bytes || used > s->cap_bytes - bytes)
        return sw_fail(
            err, SW_LIMIT,
            "%llu MiB more would pass the limit of %llu MiB: %s uses %llu MiB, all of it "
            "tagged or in use; remove images or raise the limit",
            (unsigned long long)(bytes >> 20), (unsigned long long)(s->cap_bytes >> 20), s->root,
            (unsigned long long)(used >> 20));
    pthread_mutex_lock(&s->lock);
    s->used_bytes += bytes;
    pthread_mutex_unlock(&s->lock);
    return check_free_space(s, bytes, err);
}
