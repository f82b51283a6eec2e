/* What the files of the store share: the handle, pins, temporary entries.
 *
 * Floor 3, private to the room. docs/design/store.md explains the locks; in the order of taking:
 *
 *     key locks (slipway/locks/X)      held by callers over long work
 *     gc.lock                          shared while pinning, exclusive while collecting
 *     index.lock                       around a change of index.json
 *     db lock, struct sw_store.lock    threads; never held while waiting for a file lock
 */
#ifndef SW_STORE_STORE_INTERNAL_H
#define SW_STORE_STORE_INTERNAL_H

#include <pthread.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/digest.h"
#include "store/db.h"
#include "store/store.h"

#define SW_STATE_DIR "slipway"
/* A last use is written again only when the known one is older than this. */
#define SW_STORE_TOUCH_S 600

struct sw_touch {
    bool is_snapshot;
    int64_t id; /* rowid in snapshots or cache */
};

struct sw_store {
    char *root; /* owned, absolute */
    int root_fd, state_fd, tmp_fd, snapshots_fd;
    int partial_fd; /* -1 until sw_store_partial_dir() */
    bool read_only;
    uint64_t cap_bytes;
    char boot[40]; /* boot ID of the running kernel, "" where it has none */

    pthread_mutex_t pin_lock; /* guards the two below; held while waiting for gc.lock */
    int gc_fd;                /* gc.lock; -1 until the first pin */
    unsigned pin_depth;       /* threads between sw_pin_begin() and _end() */

    pthread_mutex_t lock; /* guards what follows */
    struct sw_db *db;     /* owned; NULL until sw_store_db() */
    char lease[20];       /* name in slipway/leases; "" until the first pin or temporary entry */
    int lease_fd;         /* flock'd while the handle lives */
    unsigned temp_count;  /* temporary names given out */
    struct sw_arena pinned_keys;
    struct sw_map pinned; /* lines of the lease file */
    SW_VEC(struct sw_touch) touches;
    bool has_new_snapshots; /* this handle committed some */
    uint64_t used_bytes;    /* for reserve: measured once, then counted */
    bool used_known;
};

/* The database, opened on first use. */
SW_NODISCARD enum sw_code sw_store_db(struct sw_store *s, struct sw_db **ret, struct sw_error *err);
/* SW_DENIED where the handle is read-only. */
SW_NODISCARD enum sw_code sw_store_writable(struct sw_store *s, struct sw_error *err);
/* A fresh name in slipway/tmp, "LEASE.N": who owns it can be told after a crash. */
SW_NODISCARD enum sw_code sw_store_temp_name(struct sw_store *s, char *ret_name, size_t size,
                                             struct sw_error *err);
/* Opens slipway/partial once; create makes it where it is missing, else SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_store_partial_dir(struct sw_store *s, bool create,
                                               struct sw_error *err);
/* Remembers a use, to be written when the store is freed. */
void sw_store_touch(struct sw_store *s, bool is_snapshot, int64_t id, int64_t last_use);
SW_NODISCARD enum sw_code sw_store_flush_touches(struct sw_store *s, struct sw_error *err);
/* Replaces a file of the root atomically, by way of slipway/tmp; synced. */
SW_NODISCARD enum sw_code sw_store_replace_file(struct sw_store *s, int dirfd, const char *name,
                                                struct sw_str content, struct sw_error *err);

/* ---- leases and pins: lease.c ---- */

/* Pins are lines of the lease file. */
enum sw_pin_kind {
    SW_PIN_BLOB = 'b',     /* one blob */
    SW_PIN_IMAGE = 'i',    /* a manifest or index and all that it leads to */
    SW_PIN_SNAPSHOT = 's', /* a snapshot's number */
};

/* Between these two no collection runs: look up, then pin (or pin, then create). Nests; not across
 * anything that takes long. No-ops on a read-only handle. */
SW_NODISCARD enum sw_code sw_pin_begin(struct sw_store *s, struct sw_error *err);
void sw_pin_end(struct sw_store *s);
void sw_pin_endp(struct sw_store **s);
/* SW_PIN_SECTION(store) section = s; after a successful begin: ends it with the scope. */
#define SW_PIN_SECTION SW_CLEANUP(sw_pin_endp)
SW_NODISCARD enum sw_code sw_pin_digest(struct sw_store *s, enum sw_pin_kind kind,
                                        const struct sw_digest *digest, struct sw_error *err);
SW_NODISCARD enum sw_code sw_pin_snapshot(struct sw_store *s, int64_t id, struct sw_error *err);
/* Makes sure that the handle has a lease. */
SW_NODISCARD enum sw_code sw_lease_ensure(struct sw_store *s, struct sw_error *err);
void sw_lease_drop(struct sw_store *s);
/* Removes temporary entries and leases of dead processes. Errors are ignored: the next one tries
 * again. */
void sw_lease_clean(struct sw_store *s);
/* Calls each line of every live lease, this handle's included. With gc.lock held. */
SW_NODISCARD enum sw_code sw_lease_pins(struct sw_store *s,
                                        enum sw_code (*each)(void *ctx, enum sw_pin_kind kind,
                                                             struct sw_str what,
                                                             struct sw_error *err),
                                        void *ctx, struct sw_error *err);
/* Whether the owner of an entry of slipway/tmp is alive. */
bool sw_lease_owner_lives(struct sw_store *s, const char *temp_name);

/* ---- blob.c ---- */

/* Opens without pinning. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_blob_open_unpinned(struct sw_store *s, const struct sw_digest *digest,
                                                int *ret_fd, uint64_t *ret_size,
                                                struct sw_error *err);
bool sw_blob_stat(struct sw_store *s, const struct sw_digest *digest, uint64_t *ret_size);
SW_NODISCARD enum sw_code sw_blob_read_unpinned(struct sw_store *s, const struct sw_digest *digest,
                                                size_t max, struct sw_buf *to,
                                                struct sw_error *err);

/* ---- snapshot.c ---- */

/* Moves the directory away and removes it. With gc.lock held exclusively, or as the creator. The
 * row is the caller's. *ret_temp receives its name in slipway/tmp: sw_remove_tree_at() it later. */
SW_NODISCARD enum sw_code sw_snapshot_detach(struct sw_store *s, int64_t id, char *ret_temp,
                                             size_t size, struct sw_error *err);
bool sw_snapshot_present(struct sw_store *s, int64_t id, struct sw_str boot);

/* Syncs the file system and marks what was committed before as durable, where the oldest such
 * snapshot is older than min_age_s: by then the kernel has written most of it. */
SW_NODISCARD enum sw_code sw_snapshot_settle(struct sw_store *s, int64_t min_age_s,
                                             struct sw_error *err);

/* ---- cache.c ---- */

/* References as they are stored in a row: decoding is strict. */
struct sw_cache_ref;
void sw_cache_refs_encode(struct sw_buf *to, const struct sw_cache_ref *refs, size_t n);
SW_NODISCARD bool sw_cache_refs_decode(struct sw_arena *a, struct sw_str bytes,
                                       struct sw_cache_ref **ret, size_t *ret_n);

/* Adds allocated bytes (a file of several names in parts) and entries below a directory. Content
 * may change meanwhile: what is gone is not counted. */
void sw_tree_count(int dir_fd, const char *name, uint64_t *bytes, uint64_t *entries);

#endif
