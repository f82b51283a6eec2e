/* The directories behind RUN --mount=type=cache: found, listed, measured, emptied.
 *
 * Floor 3. Safe beside running builds: what one uses is locked, and is left alone (SW_BUSY).
 * docs/format/cachemounts.md.
 */
#ifndef SW_STORE_CACHE_MOUNTS_H
#define SW_STORE_CACHE_MOUNTS_H

#include "base/arena.h"
#include "store/store.h"

#define SW_CACHE_MOUNT_NAME_MAX 48
#define SW_CACHE_MOUNT_ID_MAX 4096

struct sw_cache_mount {
    struct sw_str name; /* of its directory: digits, ".N" for a private copy */
    struct sw_str id; /* as --mount says it, or its target; then the owner where it is not root's */
    uint64_t size_bytes, n_entries;
    int64_t last_use; /* seconds since 1970 */
    bool in_use;
};

/* "gomod,uid=1000,gid=1000,mode=0755": what follows the words of --mount. */
#define SW_CACHE_MOUNT_OWNER ",uid="
/* Does wanted name it: the id of --mount alone, which names those of every owner, or all of it? */
bool sw_cache_mount_is(const struct sw_cache_mount *mount, struct sw_str wanted);

struct sw_cache_mounts {
    struct sw_cache_mount *ptr; /* arena; by id */
    size_t len;
};

/* measure: fill in size_bytes and n_entries, which walks the trees. */
SW_NODISCARD enum sw_code sw_cache_mounts_list(struct sw_store *store, struct sw_arena *a,
                                               bool measure, struct sw_cache_mounts *ret,
                                               struct sw_error *err);
/* Empties one. SW_BUSY while a build uses it. */
SW_NODISCARD enum sw_code sw_cache_mount_remove(struct sw_store *store,
                                                const struct sw_cache_mount *mount,
                                                struct sw_error *err);
/* The same in two steps: nobody comes to use it between them. */
SW_NODISCARD enum sw_code sw_cache_mount_lock(struct sw_store *store,
                                              const struct sw_cache_mount *mount, int *ret_dir,
                                              int *ret_lock, struct sw_error *err);
/* Moves its content out of the way and removes it. Its lock is held. */
SW_NODISCARD enum sw_code sw_cache_mount_drop(struct sw_store *store, int mount_dir,
                                              struct sw_error *err);

/* The directory of an id's first copy. */
void sw_cache_mount_name(struct sw_str id, char ret[SW_CACHE_MOUNT_NAME_MAX]);
/* Where they are, made where it is missing. */
SW_NODISCARD enum sw_code sw_cache_mounts_root(struct sw_store *store, int *ret_fd,
                                               struct sw_error *err);

#endif
