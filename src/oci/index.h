/* Image indexes (OCI) and manifest lists (Docker): one image for several platforms.
 *
 * Floor 2. Pure. OCI image specification, image-index.md.
 */
#ifndef SW_OCI_INDEX_H
#define SW_OCI_INDEX_H

#include "oci/descriptor.h"

struct sw_index {
    struct sw_str media_type; /* "" where an OCI document leaves it out */
    struct sw_str artifact_type;
    struct sw_descriptor *manifests; /* arena */
    size_t n_manifests;
    size_t cap_manifests;          /* slots; managed by _add */
    struct sw_descriptor *subject; /* arena; NULL where there is none */
    struct sw_pairs annotations;
};

/* As sw_manifest_parse(). */
SW_NODISCARD enum sw_code sw_index_parse(struct sw_arena *a, struct sw_str bytes,
                                         struct sw_str media_type, struct sw_index *ret,
                                         struct sw_error *err);
/* Canonical bytes: schemaVersion, mediaType, artifactType, manifests, subject, annotations. */
void sw_index_write(struct sw_buf *out, const struct sw_index *index);
/* Adds at the end. The struct is copied, what it points to is not. */
void sw_index_add(struct sw_arena *a, struct sw_index *index, const struct sw_descriptor *d);
/* The manifest that runs best on want, the first of equals; attestations are passed over, and an
 * entry without a platform is taken only where nothing else fits. NULL where none does. */
const struct sw_descriptor *sw_index_choose(const struct sw_index *index,
                                            const struct sw_platform *want);
/* Whether an entry describes another one (BuildKit's attestation manifests) and is no image. */
bool sw_descriptor_is_attestation(const struct sw_descriptor *d);
/* "linux/amd64, linux/arm/v7", for errors. */
struct sw_str sw_index_platforms(struct sw_arena *a, const struct sw_index *index);

#endif
