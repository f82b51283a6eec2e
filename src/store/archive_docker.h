/* An image of a docker archive without an OCI layout, described as OCI documents.
 *
 * Floor 3. Thread-safe. Such archives have a configuration and layers, but no manifest: it is made
 * here, always the same for the same archive, so that loading and copying give one digest.
 */
#ifndef SW_STORE_ARCHIVE_DOCKER_H
#define SW_STORE_ARCHIVE_DOCKER_H

#include "oci/docker_archive.h"
#include "oci/manifest.h"
#include "store/archive_source.h"

struct sw_archive_docker {
    struct sw_str config, manifest_bytes; /* arena */
    struct sw_manifest manifest;          /* its layers are those of sw_docker_image.layers */
    struct sw_descriptor target;          /* of the manifest */
};

/* manifest.json, where the archive has one: n_images 0 where not. */
SW_NODISCARD enum sw_code sw_archive_docker_read(struct sw_archive_source *src, struct sw_arena *a,
                                                 struct sw_docker_archive *ret,
                                                 struct sw_error *err);
/* Compressed layers are hashed; of plain ones the configuration says the digest, which whoever
 * takes their bytes verifies. SW_UNSUPPORTED for compressions that no image has. */
SW_NODISCARD enum sw_code sw_archive_docker_describe(struct sw_archive_source *src,
                                                     struct sw_arena *a,
                                                     const struct sw_docker_image *image,
                                                     struct sw_archive_docker *ret,
                                                     struct sw_error *err);

#endif
