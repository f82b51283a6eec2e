/* What an image consists of: walking from a manifest or index to every blob.
 *
 * Floor 3, private to the room.
 */
#ifndef SW_STORE_IMAGE_H
#define SW_STORE_IMAGE_H

#include "oci/descriptor.h"
#include "store/store.h"

/* Indexes within indexes. */
#define SW_IMAGE_DEPTH_MAX 4

/* Called once for each reference, the target first; the same digest may come more than once. */
struct sw_image_visitor {
    enum sw_code (*visit)(void *ctx, const struct sw_descriptor *d, enum sw_media_kind kind,
                          bool present, struct sw_error *err);
    void *ctx;
};

/* Reads every manifest and index on the way (verified); what is absent is visited with present
 * false and not entered. A document of an unknown media type is sniffed. */
SW_NODISCARD enum sw_code sw_image_walk(struct sw_store *s, const struct sw_descriptor *target,
                                        const struct sw_image_visitor *visitor,
                                        struct sw_error *err);

/* What a list shows of an image. */
struct sw_image_facts {
    struct sw_digest id;
    uint64_t size;
    int64_t created; /* INT64_MIN where unknown */
    struct sw_platform platform;
    bool is_index;
};
/* Reads it; strings in the arena. */
SW_NODISCARD enum sw_code sw_image_describe(struct sw_store *s, struct sw_arena *a,
                                            const struct sw_descriptor *target,
                                            struct sw_image_facts *ret, struct sw_error *err);
/* SW_NOT_FOUND naming the blob where a manifest's config or a layer is missing (layers that may not
 * be distributed aside), or an index has none of its manifests. */
SW_NODISCARD enum sw_code sw_image_check_whole(struct sw_store *s,
                                               const struct sw_descriptor *target,
                                               struct sw_error *err);

#endif
