#include "store/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/hex.h"
#include "store/image.h"
#include "store/store_internal.h"

#define INVENTORY_MAX ((size_t)4 << 30)

/* ---- directories ---- */

typedef enum sw_code file_fn(struct sw_inventory *inv, const char *name, const struct stat *st,
                             unsigned what, struct sw_error *err);

/* A missing directory is an empty one. What is removed meanwhile is passed over. */
static enum sw_code each_file(struct sw_inventory *inv, const char *path, unsigned what,
                              file_fn *each, struct sw_error *err) {
    int fd = openat(inv->store->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? SW_OK : sw_fail_sys(err, errno, "list %s", path);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return sw_fail_sys(err, errno, "list %s", path);
    }
    enum sw_code code = SW_OK;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        code = each(inv, e->d_name, &st, what, err);
    }
    closedir(dir);
    return code;
}

/* A name that is no digest is not ours to judge. */
static enum sw_code add_blob(struct sw_inventory *inv, const char *name, const struct stat *st,
                             unsigned what, struct sw_error *err) {
    struct sw_digest d = {.alg = (uint8_t)what};
    size_t size = sw_digest_size((enum sw_digest_alg)what);
    (void)err;
    if (strlen(name) != 2 * size || !S_ISREG(st->st_mode) ||
        !sw_hex_decode(sw_str(name), false, d.bytes))
        return SW_OK;
    struct sw_inv_blob *b = sw_vec_push(&inv->blobs);
    *b = (struct sw_inv_blob){
        .digest = d, .size = (uint64_t)st->st_size, .mtime = st->st_mtim.tv_sec};
    return SW_OK;
}

static enum sw_code add_file(struct sw_inventory *inv, const char *name, const struct stat *st,
                             unsigned what, struct sw_error *err) {
    (void)err;
    struct sw_inv_file *f = sw_vec_push(&inv->files);
    *f = (struct sw_inv_file){.is_index = what,
                              .name = sw_arena_str(&inv->arena, sw_str(name)),
                              .size = (uint64_t)st->st_size,
                              .mtime = st->st_mtim.tv_sec};
    return SW_OK;
}

static enum sw_code add_other(struct sw_inventory *inv, const char *name, const struct stat *st,
                              unsigned what, struct sw_error *err) {
    (void)name, (void)what, (void)err;
    if (S_ISREG(st->st_mode)) inv->other_bytes += (uint64_t)st->st_size;
    return SW_OK;
}

/* ---- rows ---- */

static enum sw_code read_snapshots(struct sw_inventory *inv, struct sw_db *db,
                                   struct sw_error *err) {
    struct sw_db_stmt *st;
    bool row = true;
    enum sw_code code =
        sw_db_prepare(db, "SELECT id,kind,size,last_use,boot FROM snapshots ORDER BY id", &st, err);
    while (!code && row) {
        if ((code = sw_db_step(st, &row, err)) || !row) break;
        struct sw_inv_snapshot *s = sw_vec_push(&inv->snapshots);
        *s = (struct sw_inv_snapshot){.id = sw_db_int(st, 0),
                                      .kind = (enum sw_snapshot_kind)sw_db_int(st, 1),
                                      .size = (uint64_t)sw_db_int(st, 2),
                                      .last_use = sw_db_int(st, 3)};
        s->present = sw_snapshot_present(inv->store, s->id, sw_db_bytes(st, 4));
    }
    if (!code) sw_db_reset(st);
    return code;
}

static enum sw_code read_records(struct sw_inventory *inv, struct sw_db *db, struct sw_error *err) {
    struct sw_db_stmt *st;
    bool row = true;
    enum sw_code code = sw_db_prepare(
        db, "SELECT id,key,refs,last_use,length(value) FROM cache ORDER BY last_use,id", &st, err);
    while (!code && row) {
        if ((code = sw_db_step(st, &row, err)) || !row) break;
        struct sw_inv_record *r = sw_vec_push(&inv->records);
        struct sw_str key = sw_db_bytes(st, 1);
        r->row = sw_db_int(st, 0);
        memcpy(r->key, key.ptr, key.len < sizeof r->key ? key.len : sizeof r->key);
        r->last_use = sw_db_int(st, 3);
        r->size = (uint64_t)sw_db_int(st, 4) + sizeof r->key;
        /* A damaged row holds nothing and goes. */
        r->gone = !sw_cache_refs_decode(&inv->arena, sw_db_bytes(st, 2), &r->refs, &r->n_refs);
        if (r->gone) r->n_refs = 0;
    }
    if (!code) sw_db_reset(st);
    return code ? code : sw_arena_check(&inv->arena, "the inventory of the store", err);
}

static enum sw_code read_rows(struct sw_inventory *inv, struct sw_error *err) {
    struct sw_db *db;
    /* Reading only, from a store without a database yet: there are no rows. */
    if (inv->store->read_only && faccessat(inv->store->state_fd, "state.db", F_OK, 0) < 0)
        return SW_OK;
    enum sw_code code = sw_store_db(inv->store, &db, err);
    if (code) return code;
    sw_db_lock(db);
    code = read_snapshots(inv, db, err);
    if (!code) code = read_records(inv, db, err);
    sw_db_unlock(db);
    return code;
}

/* ---- holders ---- */

struct sw_inv_blob *sw_inventory_blob(struct sw_inventory *inv, const struct sw_digest *digest) {
    uintptr_t at = (uintptr_t)sw_map_get(&inv->blob_index, sw_digest_key(digest));
    return at ? &inv->blobs.ptr[at - 1] : NULL;
}

struct sw_inv_snapshot *sw_inventory_snapshot(struct sw_inventory *inv, int64_t id) {
    size_t low = 0, high = inv->snapshots.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (inv->snapshots.ptr[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    bool found = low < inv->snapshots.len && inv->snapshots.ptr[low].id == id;
    return found ? &inv->snapshots.ptr[low] : NULL;
}

struct hold {
    struct sw_inventory *inv;
    bool pin;
};

static enum sw_code hold_blob(void *ctx, const struct sw_descriptor *d, enum sw_media_kind kind,
                              bool present, struct sw_error *err) {
    struct hold *h = ctx;
    struct sw_inv_blob *b = sw_inventory_blob(h->inv, &d->digest);
    (void)kind, (void)present, (void)err;
    if (!b) return SW_OK;
    if (h->pin)
        b->pins++;
    else
        b->images++;
    return SW_OK;
}

static enum sw_code hold_image(struct sw_inventory *inv, const struct sw_descriptor *d, bool pin,
                               struct sw_error *err) {
    struct hold h = {inv, pin};
    struct sw_image_visitor visitor = {hold_blob, &h};
    return sw_image_walk(inv->store, d, &visitor, err);
}

enum sw_code sw_inventory_hold_image(struct sw_inventory *inv, const struct sw_descriptor *d,
                                     struct sw_error *err) {
    return hold_image(inv, d, false, err);
}

bool sw_inventory_image_pinned(const struct sw_inventory *inv, const struct sw_digest *digest) {
    for (size_t i = 0; i < inv->pinned_images.len; i++)
        if (sw_digest_eq(&inv->pinned_images.ptr[i], digest)) return true;
    return false;
}

static enum sw_code hold_pin(void *ctx, enum sw_pin_kind kind, struct sw_str what,
                             struct sw_error *err) {
    struct sw_inventory *inv = ctx;
    struct sw_digest digest;
    struct sw_error ignored;
    uint64_t id;
    if (kind == SW_PIN_SNAPSHOT) {
        struct sw_inv_snapshot *s = NULL;
        if (sw_str_u64(what, &id)) s = sw_inventory_snapshot(inv, (int64_t)id);
        if (s) s->pins++;
        return SW_OK;
    }
    if (sw_digest_parse(what, &digest, &ignored)) return SW_OK;
    struct sw_inv_blob *b = sw_inventory_blob(inv, &digest);
    if (b) b->pins++;
    if (kind != SW_PIN_IMAGE) return SW_OK;
    sw_vec_add(&inv->pinned_images, digest);
    struct sw_descriptor d = {.digest = digest};
    return hold_image(inv, &d, true, err);
}

static void hold_refs(struct sw_inventory *inv) {
    for (size_t i = 0; i < inv->records.len; i++) {
        struct sw_inv_record *r = &inv->records.ptr[i];
        for (size_t j = 0; j < r->n_refs; j++) {
            if (r->refs[j].is_snapshot) {
                struct sw_inv_snapshot *s = sw_inventory_snapshot(inv, r->refs[j].snapshot);
                if (s) s->records++;
            } else {
                struct sw_inv_blob *b = sw_inventory_blob(inv, &r->refs[j].blob);
                if (b) b->records++;
            }
        }
    }
}

/* ---- all of it ---- */

enum sw_code sw_inventory_read(struct sw_store *s, struct sw_inventory *inv, struct sw_error *err) {
    *inv = (struct sw_inventory){.store = s};
    sw_arena_init(&inv->arena, INVENTORY_MAX);
    enum sw_code code = sw_index_file_load(s, &inv->arena, &inv->index, err);
    if (!code) code = each_file(inv, "blobs/sha256", SW_SHA256, add_blob, err);
    if (!code) code = each_file(inv, "blobs/sha512", SW_SHA512, add_blob, err);
    for (size_t i = 0; i < inv->blobs.len; i++)
        sw_map_put(&inv->blob_index, sw_digest_key(&inv->blobs.ptr[i].digest),
                   (void *)(uintptr_t)(i + 1));
    if (!code) code = each_file(inv, SW_STATE_DIR "/index", true, add_file, err);
    if (!code) code = each_file(inv, SW_STATE_DIR "/filehash", false, add_file, err);
    if (!code) code = each_file(inv, SW_STATE_DIR, 0, add_other, err);
    if (!code) code = each_file(inv, SW_STATE_DIR "/tmp", 0, add_other, err);
    if (!code) code = each_file(inv, SW_STATE_DIR "/partial", 0, add_other, err);
    if (!code) code = read_rows(inv, err);
    if (!code) code = sw_lease_pins(s, hold_pin, inv, err);
    if (code) {
        sw_inventory_done(inv);
        return sw_context(err, "taking stock of %s", s->root);
    }
    hold_refs(inv);
    return SW_OK;
}

void sw_inventory_done(struct sw_inventory *inv) {
    sw_index_file_done(&inv->index);
    sw_map_done(&inv->blob_index);
    sw_vec_done(&inv->blobs);
    sw_vec_done(&inv->snapshots);
    sw_vec_done(&inv->records);
    sw_vec_done(&inv->files);
    sw_vec_done(&inv->pinned_images);
    sw_arena_done(&inv->arena);
}

uint64_t sw_inventory_bytes(const struct sw_inventory *inv) {
    uint64_t sum = 0;
    for (size_t i = 0; i < inv->blobs.len; i++) sum += inv->blobs.ptr[i].size;
    for (size_t i = 0; i < inv->snapshots.len; i++) sum += inv->snapshots.ptr[i].size;
    for (size_t i = 0; i < inv->files.len; i++) sum += inv->files.ptr[i].size;
    return sum;
}
