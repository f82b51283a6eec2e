/* The directories behind RUN --mount=type=cache, taken along and brought back.
 *
 * Floor 5. Safe beside running builds: what one uses is locked, and is left alone (SW_BUSY).
 * docs/format/cachemounts.md.
 */
#ifndef SW_BUILD_CACHE_MOUNTS_H
#define SW_BUILD_CACHE_MOUNTS_H

#include "codec/compress.h"
#include "codec/lists.h"
#include "store/cache_mounts.h"

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
