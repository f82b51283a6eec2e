/* What the store holds, and removing what nobody needs.
 *
 * Floor 3. Thread-safe, and safe beside any number of working processes: what is tagged, pinned by
 * a live handle, or referred to by a cache record that stays, is never removed.
 *
 * Candidates, in order of their last use: cache records, unpacked layers, layer indexes, file-hash
 * memories, (mounts) cache mounts, and (untagged) images without a name. A blob goes when nothing
 * refers to it any more.
 */
#ifndef SW_STORE_GC_H
#define SW_STORE_GC_H

#include "store/store.h"

struct sw_gc_options {
    bool dry_run;
    bool untagged;       /* also images without a name */
    bool mounts;         /* also what cache mounts hold */
    bool keep_cache;     /* leave cache records and unpacked layers alone */
    int64_t unused_s;    /* only what was not used for this long; 0: whatever its age */
    uint64_t keep_bytes; /* stop once the store has at most this many bytes; 0: no such limit */
    int64_t grace_s;     /* leave unreferenced blobs younger than this alone: for OCI tools that
                            write into the layout without our leases */
    /* Called for each thing removed (or that would be): "image", "cache", "snapshot", "blob",
     * "index", "filehash", "mount" and its name; may be NULL. */
    void (*each)(void *ctx, const char *kind, const char *name, uint64_t bytes);
    void *ctx;
};

struct sw_gc_result {
    uint64_t images, records, snapshots, blobs, indexes, filehashes, mounts; /* numbers removed */
    uint64_t freed_bytes;
    uint64_t kept_bytes; /* what the store has afterwards */
};

/* options may be NULL: unreferenced blobs, drafts and locks of dead processes, and all cache that
 * is not in use. */
SW_NODISCARD enum sw_code sw_gc_run(struct sw_store *store, const struct sw_gc_options *options,
                                    struct sw_gc_result *ret, struct sw_error *err);

struct sw_du_kind {
    uint64_t count;       /* things */
    uint64_t bytes;       /* of all of them, what they share counted once */
    uint64_t reclaimable; /* bytes that a full prune would give back */
};

struct sw_du {
    struct sw_du_kind images;    /* blobs of named and unnamed images; count: entries */
    struct sw_du_kind cache;     /* records, and blobs and snapshots that only they hold */
    struct sw_du_kind snapshots; /* unpacked layers */
    struct sw_du_kind mounts;    /* cache mounts */
    struct sw_du_kind other;     /* indexes, file hashes, the database, temporary files */
    uint64_t unreferenced_bytes; /* blobs that nothing refers to */
    uint64_t total_bytes;
    uint64_t free_bytes; /* of the file system, for us */
};
SW_NODISCARD enum sw_code sw_du_read(struct sw_store *store, struct sw_du *ret,
                                     struct sw_error *err);

/* Shared and own bytes of one image: blobs also in other images, and those that are not. */
struct sw_du_image {
    uint64_t shared_bytes, unique_bytes;
};
struct sw_images;
/* ret[i] belongs to images->ptr[i]; the array has images->len elements. */
SW_NODISCARD enum sw_code sw_du_images(struct sw_store *store, const struct sw_images *images,
                                       struct sw_du_image *ret, struct sw_error *err);

#endif
