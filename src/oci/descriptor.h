/* Descriptors: a reference to a blob by media type, digest and size.
 *
 * Floor 2. Pure. OCI image specification, descriptor.md.
 */
#ifndef SW_OCI_DESCRIPTOR_H
#define SW_OCI_DESCRIPTOR_H

#include "oci/limits.h"
#include "oci/media_type.h"
#include "oci/platform.h"

/* Well-known annotations. */
#define SW_ANN_REF_NAME "org.opencontainers.image.ref.name"
#define SW_ANN_CREATED "org.opencontainers.image.created"
#define SW_ANN_BASE_NAME "org.opencontainers.image.base.name"
#define SW_ANN_BASE_DIGEST "org.opencontainers.image.base.digest"
#define SW_ANN_CONTAINERD_NAME "io.containerd.image.name"
#define SW_ANN_ATTESTATION_TYPE "vnd.docker.reference.type"
#define SW_ANN_ATTESTATION_DIGEST "vnd.docker.reference.digest"

struct sw_descriptor {
    struct sw_str media_type;
    struct sw_digest digest;
    int64_t size; /* bytes, never negative */
    struct sw_strs urls;
    struct sw_pairs annotations;
    struct sw_str data;           /* the blob itself, decoded; ptr NULL where it is not embedded */
    struct sw_platform *platform; /* arena; NULL where there is none */
    struct sw_str artifact_type;
};

/* Strict on types, digest and size; unknown members are ignored. Embedded data must have the size
 * and the digest (SW_CORRUPT). mediaType may be missing only where media_type_default is given. */
SW_NODISCARD enum sw_code sw_descriptor_from_json(struct sw_arena *a, const struct sw_json *node,
                                                  const char *media_type_default,
                                                  struct sw_descriptor *ret, struct sw_error *err);
/* Fields in the specification's order; annotations sorted. */
void sw_descriptor_to_json(struct sw_json_writer *w, const struct sw_descriptor *d);
/* A descriptor of these bytes (sha256). media_type is borrowed. */
struct sw_descriptor sw_descriptor_of(const char *media_type, struct sw_str bytes);

#endif
