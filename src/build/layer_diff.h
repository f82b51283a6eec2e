/* What two layers do not have in common: entries, their attributes, bytes of their files.
 *
 * Floor 5. For `slipway diff` and `slipway verify`: the answer to "why is the digest another one".
 */
#ifndef SW_BUILD_LAYER_DIFF_H
#define SW_BUILD_LAYER_DIFF_H

#include "base/arena.h"
#include "codec/digest.h"
#include "store/store.h"

/* One difference of one entry. */
struct sw_layer_difference {
    struct sw_str path; /* clean */
    const char *what;   /* "content", "mode", "owner", "time", "link", "type", "xattr", "entry" */
    struct sw_str from, to; /* ptr NULL: the layer does not have it */
    uint64_t offset;        /* of content: the first byte that differs */
};

#define SW_LAYER_DIFFERENCES_MAX 10000

/* Differences in the order of paths, in the arena: at most SW_LAYER_DIFFERENCES_MAX (SW_LIMIT).
 * None although the blobs differ: the archives say the same in other bytes (order, compression). */
SW_NODISCARD enum sw_code sw_layer_diff(struct sw_store *store, struct sw_arena *a,
                                        const struct sw_digest *from, const struct sw_digest *to,
                                        struct sw_layer_difference **ret, size_t *ret_n,
                                        struct sw_error *err);

#endif
