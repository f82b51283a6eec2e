#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "store/cache_mounts.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/inventory.h"
#include "store/store_internal.h"
#include "store/tags.h"

/* ---- the whole store ---- */

static enum sw_code hold_images(struct sw_inventory *inv, struct sw_error *err) {
    for (size_t i = 0; i < inv->index.list.len; i++) {
        struct sw_descriptor d;
        struct sw_error ignored;
        enum sw_code code = sw_index_entry_parse(&inv->arena, &inv->index.list.ptr[i], &d, err);
        if (code) return code;
        /* Figures are wanted of a damaged store, too. */
        if (sw_inventory_hold_image(inv, &d, &ignored)) continue;
    }
    return SW_OK;
}

static void add(struct sw_du_kind *k, uint64_t bytes, bool reclaimable) {
    k->bytes += bytes;
    if (reclaimable) k->reclaimable += bytes;
}

static void sum_up(const struct sw_inventory *inv, struct sw_du *du) {
    du->images.count = inv->index.list.len;
    du->cache.count = inv->records.len;
    for (size_t i = 0; i < inv->blobs.len; i++) {
        const struct sw_inv_blob *b = &inv->blobs.ptr[i];
        if (b->images)
            add(&du->images, b->size, false);
        else if (b->records)
            add(&du->cache, b->size, !b->pins);
        else
            du->unreferenced_bytes += b->size;
    }
    for (size_t i = 0; i < inv->records.len; i++) add(&du->cache, inv->records.ptr[i].size, false);
    for (size_t i = 0; i < inv->snapshots.len; i++) {
        const struct sw_inv_snapshot *s = &inv->snapshots.ptr[i];
        bool step = s->kind == SW_SNAPSHOT_STEP;
        add(step ? &du->cache : &du->snapshots, s->size, !s->pins);
        if (!step) du->snapshots.count++;
    }
    du->other.count = inv->files.len;
    for (size_t i = 0; i < inv->files.len; i++) add(&du->other, inv->files.ptr[i].size, true);
    add(&du->other, inv->other_bytes, false);
    du->total_bytes = sw_inventory_bytes(inv) + inv->other_bytes;
}

enum sw_code sw_du_read(struct sw_store *store, struct sw_du *ret, struct sw_error *err) {
    SW_INVENTORY struct sw_inventory inv = {0};
    SW_ARENA struct sw_arena a;
    struct sw_cache_mounts mounts;
    struct sw_du du = {0};
    sw_arena_init(&a, 0);
    /* Before the section, which nobody should wait for. */
    enum sw_code code = sw_cache_mounts_list(store, &a, true, &mounts, err);
    if (!code) code = sw_pin_begin(store, err);
    if (code) return code;
    code = sw_inventory_read(store, &inv, err);
    if (!code) code = hold_images(&inv, err);
    sw_pin_end(store);
    if (code) return code;
    sum_up(&inv, &du);
    du.mounts.count = mounts.len;
    for (size_t i = 0; i < mounts.len; i++)
        add(&du.mounts, mounts.ptr[i].size_bytes, !mounts.ptr[i].in_use);
    du.total_bytes += du.mounts.bytes;
    struct statvfs v;
    if (fstatvfs(sw_store_root_fd(store), &v) == 0)
        du.free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    *ret = du;
    return SW_OK;
}

/* ---- one image among others ---- */

struct share {
    struct sw_inventory inv; /* counts images that hold a blob */
    struct sw_map seen;      /* digests of the image at hand */
    struct sw_du_image *sum;
};

static enum sw_code sum_blob(void *ctx, const struct sw_descriptor *d, enum sw_media_kind kind,
                             bool present, struct sw_error *err) {
    struct share *s = ctx;
    (void)kind, (void)present, (void)err;
    struct sw_inv_blob *b = sw_inventory_blob(&s->inv, &d->digest);
    if (!b || sw_map_put(&s->seen, sw_digest_key(&b->digest), b)) return SW_OK;
    if (!s->sum)
        b->records++; /* first pass: how many images have it */
    else if (b->records > 1)
        s->sum->shared_bytes += b->size;
    else
        s->sum->unique_bytes += b->size;
    return SW_OK;
}

static enum sw_code pass(struct sw_store *store, struct share *s, const struct sw_images *images,
                         struct sw_du_image *ret, struct sw_error *err) {
    for (size_t i = 0; i < images->len; i++) {
        bool again = false; /* another name of an image that was counted */
        for (size_t j = 0; j < i && !again && !ret; j++)
            again = sw_digest_eq(&images->ptr[i].target.digest, &images->ptr[j].target.digest);
        if (again) continue;
        struct sw_image_visitor visitor = {sum_blob, s};
        s->sum = ret ? &ret[i] : NULL;
        enum sw_code code = sw_image_walk(store, &images->ptr[i].target, &visitor, err);
        sw_map_done(&s->seen);
        s->seen = (struct sw_map){0};
        if (code) return code;
    }
    return SW_OK;
}

enum sw_code sw_du_images(struct sw_store *store, const struct sw_images *images,
                          struct sw_du_image *ret, struct sw_error *err) {
    struct share s = {0};
    memset(ret, 0, images->len * sizeof *ret);
    enum sw_code code = sw_pin_begin(store, err);
    if (code) return code;
    code = sw_inventory_read(store, &s.inv, err);
    if (!code) {
        for (size_t i = 0; i < s.inv.blobs.len; i++) s.inv.blobs.ptr[i].records = 0;
        code = pass(store, &s, images, NULL, err);
        if (!code) code = pass(store, &s, images, ret, err);
        sw_inventory_done(&s.inv);
    }
    sw_pin_end(store);
    return code;
}
