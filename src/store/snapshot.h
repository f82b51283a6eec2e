/* Snapshots: unpacked layers and upper directories of RUN steps, one directory each.
 *
 * Floor 3. Thread-safe; a struct sw_snapshot_draft belongs to one thread.
 *
 *     draft --commit--> snapshot --gc--> gone
 *       \---abort or crash--> removed at the next cleanup
 *
 * A snapshot is slipway/snapshots/<number>, the root of the tree itself, so that an overlay mount
 * made from within slipway/snapshots has short lowerdir strings ("12:7:3"). It is read-only by
 * agreement. Content is not synced file by file: a snapshot counts as absent after a reboot unless
 * a later sync of the file system has covered it, so a power cut costs a redo, never wrong bytes.
 */
#ifndef SW_STORE_SNAPSHOT_H
#define SW_STORE_SNAPSHOT_H

#include "codec/digest.h"
#include "store/store.h"

/* How whiteouts and opaque directories are kept in a tree. Part of a snapshot's key, so that stores
 * used by root and in user namespaces never mix. */
enum sw_overlay_form {
    SW_OVERLAY_TRUSTED = 1, /* 0/0 character devices, trusted.overlay.opaque: overlay as root */
    SW_OVERLAY_USER = 2,    /* 0/0 character devices, user.overlay.opaque: overlay with userxattr */
    SW_OVERLAY_FILES = 3,   /* .wh.NAME and .wh..wh..opq files: fuse-overlayfs, copying */
};

enum sw_snapshot_kind {
    SW_SNAPSHOT_LAYER = 1, /* key: a layer's diff ID, or its chain ID: see store/unpack.h */
    SW_SNAPSHOT_STEP = 2,  /* key: whatever digest the caller makes of a step */
};

struct sw_snapshot_key {
    enum sw_snapshot_kind kind;
    enum sw_overlay_form form;
    struct sw_digest digest;
};

struct sw_snapshot {
    int64_t id;
    uint64_t size_bytes; /* allocated on disk, as given at commit */
    uint64_t n_entries;
};

/* Looks it up and pins it. SW_NOT_FOUND is normal: *err is filled, nothing is logged. */
SW_NODISCARD enum sw_code sw_snapshot_find(struct sw_store *store,
                                           const struct sw_snapshot_key *key,
                                           struct sw_snapshot *ret, struct sw_error *err);
/* By number, as a cache record refers to it; pins it. */
SW_NODISCARD enum sw_code sw_snapshot_get(struct sw_store *store, int64_t id,
                                          struct sw_snapshot *ret, struct sw_error *err);
/* The directory itself (O_PATH | O_DIRECTORY unless flags say more). */
SW_NODISCARD enum sw_code sw_snapshot_open(struct sw_store *store, int64_t id, int *ret_fd,
                                           struct sw_error *err);
/* slipway/snapshots, for fchdir before mounting with relative names. Borrowed. */
SW_NODISCARD enum sw_code sw_snapshots_dir(struct sw_store *store, int *ret_fd,
                                           struct sw_error *err);

/* A tree in the making: slipway/tmp/X with fs/ (the content, mode 0755) and work/ (empty, 0700, on
 * the same file system: an overlay's work directory). */
struct sw_snapshot_draft {
    struct sw_store *store; /* borrowed */
    int dir_fd;             /* slipway/tmp/X; -1 when closed */
    int fs_fd;              /* slipway/tmp/X/fs */
    char path[64];          /* "slipway/tmp/X", relative to the root; "" when there is none */
};
SW_NODISCARD enum sw_code sw_snapshot_begin(struct sw_store *store, struct sw_snapshot_draft *d,
                                            struct sw_error *err);
/* Gives fs/ its number. Nothing may be mounted on it any more. size_bytes: allocated bytes, or
 * SW_SNAPSHOT_SIZE_COUNT to walk the tree. When another process has committed the same key in the
 * meantime, that one is returned and the draft is dropped. The draft is closed in every case. */
#define SW_SNAPSHOT_SIZE_COUNT UINT64_MAX
SW_NODISCARD enum sw_code sw_snapshot_commit(struct sw_snapshot_draft *d,
                                             const struct sw_snapshot_key *key, uint64_t size_bytes,
                                             uint64_t n_entries, struct sw_snapshot *ret,
                                             struct sw_error *err);
/* Removes what was not committed. Safe after commit, and on a draft of SW_SNAPSHOT_DRAFT_NONE. */
void sw_snapshot_abort(struct sw_snapshot_draft *d);
#define SW_SNAPSHOT_DRAFT SW_CLEANUP(sw_snapshot_abort)
#define SW_SNAPSHOT_DRAFT_NONE                                                                     \
    { .dir_fd = -1, .fs_fd = -1 }

#endif
