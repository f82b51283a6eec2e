/* Image manifests, OCI's and Docker's schema 2, and artifact manifests.
 *
 * Floor 2. Pure. OCI image specification, manifest.md; Docker image manifest version 2, schema 2.
 */
#ifndef SW_OCI_MANIFEST_H
#define SW_OCI_MANIFEST_H

#include "oci/descriptor.h"

struct sw_manifest {
    struct sw_str media_type; /* "" where an OCI document leaves it out */
    struct sw_str artifact_type;
    struct sw_descriptor config;
    struct sw_descriptor *layers; /* arena */
    size_t n_layers;
    size_t cap_layers;             /* slots; managed by _add_layer */
    struct sw_descriptor *subject; /* arena; NULL where there is none */
    struct sw_pairs annotations;
};

/* media_type is what the transport said (a descriptor or Content-Type), empty where unknown; a
 * document that contradicts it, or that carries both layers and manifests, is SW_SYNTAX; an index
 * too; schema 1 is SW_UNSUPPORTED. All strings are in the arena; bytes may go away. */
SW_NODISCARD enum sw_code sw_manifest_parse(struct sw_arena *a, struct sw_str bytes,
                                            struct sw_str media_type, struct sw_manifest *ret,
                                            struct sw_error *err);
/* Canonical bytes: schemaVersion, mediaType, artifactType, config, layers, subject, annotations. */
void sw_manifest_write(struct sw_buf *out, const struct sw_manifest *m);
/* Adds a layer at the end. The struct is copied, what it points to is not. */
void sw_manifest_add_layer(struct sw_arena *a, struct sw_manifest *m,
                           const struct sw_descriptor *layer);
/* The kind of a document whose media type is not known: index, manifest, schema 1 or other. */
enum sw_media_kind sw_manifest_sniff(struct sw_arena *a, struct sw_str bytes);
/* The media type of a manifest or index that came without one: its own, else OCI's for what it is.
 * SW_SYNTAX where it is neither. */
SW_NODISCARD enum sw_code sw_manifest_media_type(struct sw_arena *a, struct sw_str bytes,
                                                 struct sw_str *ret, struct sw_error *err);

#endif
