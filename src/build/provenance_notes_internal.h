/* The notes behind provenance_internal.h, for the two files that keep and write them.
 *
 * Floor 5, private to the room.
 */
#ifndef SW_BUILD_PROVENANCE_NOTES_INTERNAL_H
#define SW_BUILD_PROVENANCE_NOTES_INTERNAL_H

#include <pthread.h>

#include "base/vec.h"
#include "build/provenance_internal.h"

struct sw_provenance_image {
    struct sw_str name; /* as it was asked for: "busybox", "oci-layout://DIR:TAG" */
    struct sw_platform platform;
    struct sw_digest digest;
};

struct sw_provenance_fetched {
    struct sw_str asked;
    struct sw_material material;
    bool git;
};

struct sw_provenance_name {
    struct sw_str id;
    bool required;
};
struct sw_provenance_names {
    struct sw_provenance_name *ptr;
    size_t len, cap;
};

struct sw_provenance {
    pthread_mutex_t lock;
    struct sw_arena arena; /* all strings */
    SW_VEC(struct sw_provenance_image) images;
    SW_VEC(struct sw_provenance_fetched) fetched;
    struct sw_provenance_names secrets, ssh, locals;
    bool network;
    SW_VEC(struct sw_provenance_step) * steps; /* of each stage, by its index */
    size_t n_stages;
};

/* How a step names an image as its input, until it has a number: name and platform. */
struct sw_str sw_provenance_image_input(struct sw_arena *a, struct sw_str name,
                                        const struct sw_platform *platform);

#endif
