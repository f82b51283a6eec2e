/* What a build asks of registries, filled in by whoever has a client.
 *
 * Floor 5.
 */
#ifndef SW_BUILD_REGISTRY_CALLS_H
#define SW_BUILD_REGISTRY_CALLS_H

#include "base/progress.h"
#include "oci/descriptor.h"
#include "store/store.h"

/* What a build asks of registries. Functions may be called by several threads at once. */
struct sw_build_registry {
    void *ctx;
    /* Brings an image into the store, under its name: a base that the store lacks. */
    enum sw_code (*pull)(void *ctx, struct sw_store *store, struct sw_str reference,
                         const struct sw_platform *platform, struct sw_progress *progress,
                         unsigned step, struct sw_error *err);
    /* The manifest for the platform and its configuration alone, without a name. *ret: arena.
     * SW_NOT_FOUND where there is none. */
    enum sw_code (*documents)(void *ctx, struct sw_store *store, struct sw_arena *arena,
                              struct sw_str reference, const struct sw_platform *platform,
                              struct sw_descriptor *ret, struct sw_error *err);
    /* Blobs of the reference's repository into the store, several at once. */
    enum sw_code (*fetch)(void *ctx, struct sw_store *store, struct sw_str reference,
                          const struct sw_descriptor *blobs, size_t n, struct sw_progress *progress,
                          unsigned step, struct sw_error *err);
    enum sw_code (*has_blob)(void *ctx, struct sw_str reference, const struct sw_digest *digest,
                             bool *ret, struct sw_error *err);
    /* A manifest of the store with its blobs, those that the repository lacks; then the name. */
    enum sw_code (*push)(void *ctx, struct sw_store *store, const struct sw_descriptor *manifest,
                         struct sw_str reference, struct sw_progress *progress, unsigned step,
                         struct sw_error *err);
};

#endif
