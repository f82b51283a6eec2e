/* Everything that the store holds, and who holds it: the base of collecting and of figures.
 *
 * Floor 3, private to the room. Read in a pin section or under the exclusive gc.lock.
 */
#ifndef SW_STORE_INVENTORY_H
#define SW_STORE_INVENTORY_H

#include "base/map.h"
#include "base/vec.h"
#include "store/cache.h"
#include "store/index_file.h"
#include "store/snapshot.h"

/* A blob that is in the store. */
struct sw_inv_blob {
    struct sw_digest digest;
    uint64_t size;
    int64_t mtime;
    unsigned images, pins, records; /* holders */
    bool gone;                      /* chosen for removal */
};

struct sw_inv_snapshot {
    int64_t id;
    enum sw_snapshot_kind kind;
    uint64_t size;
    int64_t last_use;
    bool present;           /* there, and to be trusted after a reboot */
    bool gone;              /* chosen for removal */
    unsigned pins, records; /* holders */
};

struct sw_inv_record {
    int64_t row;
    uint8_t key[SW_CACHE_KEY_SIZE];
    int64_t last_use;
    uint64_t size;             /* of the row itself */
    struct sw_cache_ref *refs; /* arena */
    size_t n_refs;
    bool gone;
};

/* A file of slipway/index or slipway/filehash. */
struct sw_inv_file {
    bool is_index;
    struct sw_str name; /* arena */
    uint64_t size;
    int64_t mtime;
    bool gone;
};

struct sw_inventory {
    struct sw_store *store;
    struct sw_arena arena;
    struct sw_index_file index;
    SW_VEC(struct sw_inv_blob) blobs;
    struct sw_map blob_index; /* digest -> number plus 1; keys in the blobs of blob_keys */
    SW_VEC(struct sw_inv_snapshot) snapshots; /* sorted by id */
    SW_VEC(struct sw_inv_record) records;     /* oldest use first */
    SW_VEC(struct sw_inv_file) files;
    SW_VEC(struct sw_digest) pinned_images;
    uint64_t other_bytes; /* database, temporary entries */
};
#define SW_INVENTORY SW_CLEANUP(sw_inventory_done)

/* Reads everything; counts the holds of pins and of records, but not yet those of images. */
SW_NODISCARD enum sw_code sw_inventory_read(struct sw_store *s, struct sw_inventory *inv,
                                            struct sw_error *err);
void sw_inventory_done(struct sw_inventory *inv);
/* Counts an image's hold on its blobs. */
SW_NODISCARD enum sw_code sw_inventory_hold_image(struct sw_inventory *inv,
                                                  const struct sw_descriptor *d,
                                                  struct sw_error *err);
/* NULL where it is not in the store. */
struct sw_inv_blob *sw_inventory_blob(struct sw_inventory *inv, const struct sw_digest *digest);
struct sw_inv_snapshot *sw_inventory_snapshot(struct sw_inventory *inv, int64_t id);
bool sw_inventory_image_pinned(const struct sw_inventory *inv, const struct sw_digest *digest);
/* Bytes of blobs, snapshots and files: what collecting can change. */
uint64_t sw_inventory_bytes(const struct sw_inventory *inv);

static inline bool sw_inv_blob_held(const struct sw_inv_blob *b) {
    return b->images || b->pins || b->records;
}

#endif
