/* Unpacking layer blobs into snapshots in overlay form.
 *
 * Floor 3. Thread-safe. OCI image specification, layer.md, "Applying Changesets" and "Whiteouts".
 *
 * A layer is unpacked by itself, not onto its parents. Two things can make the result depend on
 * them: a hard link to a file of a lower layer (copied up, since overlay layers share no inodes),
 * and a parent directory that the layer does not describe (its owner, mode and times come from
 * below, as they would under overlay). Such a snapshot is kept under the chain ID, any other one
 * under the diff ID.
 */
#ifndef SW_STORE_UNPACK_H
#define SW_STORE_UNPACK_H

#include "base/pool.h"
#include "store/snapshot.h"

/* The owner that could not be given: "uid:gid" in decimal. On regular files and directories. */
#define SW_UNPACK_OWNER_XATTR "user.slipway.owner"

struct sw_unpack_options {
    enum sw_overlay_form form;
    bool remember_owner;  /* where chown is refused: SW_UNPACK_OWNER_XATTR instead of an error */
    uint64_t max_bytes;   /* of the archive, unpacked; 0 stands for 256 GiB */
    uint64_t max_entries; /* 0 stands for 10 million */
    /* Called now and then with archive bytes done (compressed) of the total; may be NULL. */
    void (*progress)(void *ctx, size_t layer, uint64_t done, uint64_t total);
    void *ctx;
};

struct sw_unpack_layer {
    struct sw_digest blob;    /* compressed or not */
    struct sw_digest diff_id; /* of the archive inside; verified while unpacking */
};

/* What could not be made and was passed over. */
struct sw_unpack_notes {
    uint64_t devices; /* device nodes, not permitted here */
    uint64_t xattrs;  /* extended attributes that the file system or our rights refuse */
    uint64_t owners;  /* owners remembered in SW_UNPACK_OWNER_XATTR, or (links, nodes) lost */
    char first[192];  /* the first of them, as text; "" where there is none */
};

/* Makes sure that every layer (lowest first) has a snapshot, and pins them: ret[i].id belongs to
 * layers[i]. Missing ones are unpacked, several at once where pool (may be NULL) allows, in one
 * pass each. Processes that want the same layer wait for one another. SW_CORRUPT: a blob is not its
 * diff ID; SW_SYNTAX: a damaged archive or a path that leaves the root; SW_NOT_FOUND: a blob is
 * missing, or a hard link's target. notes (may be NULL) adds up over the layers. */
SW_NODISCARD enum sw_code sw_unpack_layers(struct sw_store *store, struct sw_pool *pool,
                                           const struct sw_unpack_layer *layers, size_t n,
                                           const struct sw_unpack_options *options,
                                           struct sw_snapshot *ret, struct sw_unpack_notes *notes,
                                           struct sw_error *err);

/* The chain ID of layers 0 .. n - 1 (config.md, "Layer ChainID"). */
struct sw_digest sw_chain_id(const struct sw_digest *diff_ids, size_t n);

#endif
