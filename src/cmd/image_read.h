/* An image's documents: what inspect, history and run need. Floor 7. */
#ifndef SW_CMD_IMAGE_READ_H
#define SW_CMD_IMAGE_READ_H

#include "oci/config.h"
#include "oci/manifest.h"
#include "store/tags.h"

struct sw_image_read {
    struct sw_image image;
    struct sw_descriptor manifest_descriptor; /* of this host's platform, where it is an index */
    struct sw_manifest manifest;
    struct sw_image_config config;
};

/* Finds an image by whatever names it, and reads it. Everything is in the arena. */
SW_NODISCARD enum sw_code sw_image_read(struct sw_store *store, struct sw_arena *arena,
                                        struct sw_str what, struct sw_image_read *ret,
                                        struct sw_error *err);

#endif
