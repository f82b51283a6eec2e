/* The directories behind RUN --mount=type=cache: listed, removed, taken along and brought back.
 *
 * Floor 5. Safe beside running builds: what one uses is locked, and is left alone (SW_BUSY).
 * docs/format/cachemounts.md.
 */
#ifndef SW_BUILD_CACHE_MOUNTS_H
#define SW_BUILD_CACHE_MOUNTS_H

#include "base/arena.h"
#include "codec/compress.h"
#include "codec/lists.h"
#include "store/store.h"

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

/* One archive of several, on fd (a file or a pipe). Owners are numeric, times as they are. The
 * mounts are locked meanwhile. */
SW_NODISCARD enum sw_code sw_cache_mounts_export(struct sw_store *store,
                                                 const struct sw_cache_mount *const *mounts,
                                                 size_t n, enum sw_compression compression, int fd,
                                                 struct sw_error *err);
/* Brings back what an archive holds, in place of what is there: a mount is whole, old or new.
 * Compression is recognised. ret_ids: in the arena. SW_SYNTAX, SW_CORRUPT on a damaged archive;
 * those mounts that were complete before stay. */
SW_NODISCARD enum sw_code sw_cache_mounts_import(struct sw_store *store, int fd, struct sw_arena *a,
                                                 struct sw_strs *ret_ids, struct sw_error *err);

#endif
