/* Records of build steps: a key, a small value, and what the value refers to.
 *
 * Floor 3. Thread-safe. Pure key and value: what a key is made of is the build room's business.
 * Reading costs no write: last uses are gathered and written when the store is freed, and only
 * where the known one is ten minutes old.
 */
#ifndef SW_STORE_CACHE_H
#define SW_STORE_CACHE_H

#include "base/arena.h"
#include "codec/digest.h"
#include "store/store.h"

#define SW_CACHE_KEY_SIZE 32
#define SW_CACHE_VALUE_MAX ((size_t)1 << 20)
#define SW_CACHE_REFS_MAX 4096

/* Something that stays as long as the record does. */
struct sw_cache_ref {
    bool is_snapshot;
    int64_t snapshot;      /* is_snapshot */
    struct sw_digest blob; /* otherwise */
};

struct sw_cache_record {
    uint8_t key[SW_CACHE_KEY_SIZE];
    struct sw_str value; /* any bytes; normally JSON */
    const struct sw_cache_ref *refs;
    size_t n_refs;
    int64_t created, last_use; /* seconds since 1970; ignored by _put */
};

/* The record, in the arena, its references pinned. A record of which a reference is gone counts as
 * missing and is removed. SW_NOT_FOUND is normal. */
SW_NODISCARD enum sw_code sw_cache_get(struct sw_store *store, struct sw_arena *a,
                                       const uint8_t key[SW_CACHE_KEY_SIZE],
                                       struct sw_cache_record *ret, struct sw_error *err);
/* Puts or replaces. The references must be in the store (pinned by this handle). A record put just
 * before a power cut may be lost, which costs a redo. */
SW_NODISCARD enum sw_code sw_cache_put(struct sw_store *store, const struct sw_cache_record *record,
                                       struct sw_error *err);
/* A missing one is success. */
SW_NODISCARD enum sw_code sw_cache_delete(struct sw_store *store,
                                          const uint8_t key[SW_CACHE_KEY_SIZE],
                                          struct sw_error *err);
/* Every record, oldest use first; the record lives for the call. Other calls on the store are not
 * allowed from within each. */
SW_NODISCARD enum sw_code sw_cache_list(struct sw_store *store,
                                        enum sw_code (*each)(void *ctx,
                                                             const struct sw_cache_record *record,
                                                             struct sw_error *err),
                                        void *ctx, struct sw_error *err);

/* An advisory lock on a key, between threads and processes, so that a step (or a pull, or anything
 * with a key) is done once: take it, look again, work, put, release. It goes with its process.
 * wait false: SW_BUSY. Waiting ends with SW_CANCELLED on an interrupt; on_wait (may be NULL) is
 * called once before it starts. */
struct sw_store_lock {
    struct sw_store *store; /* borrowed */
    int fd;                 /* -1 when not held */
    char name[72];
};
#define SW_STORE_LOCK_NONE                                                                         \
    { .fd = -1 }
SW_NODISCARD enum sw_code sw_store_lock(struct sw_store *store,
                                        const uint8_t key[SW_CACHE_KEY_SIZE], bool wait,
                                        void (*on_wait)(void *ctx), void *ctx,
                                        struct sw_store_lock *lock, struct sw_error *err);
void sw_store_unlock(struct sw_store_lock *lock);
#define SW_STORE_LOCK SW_CLEANUP(sw_store_unlock)

#endif
