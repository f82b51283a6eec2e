/* Artifacts that refer to an image: signatures, attestations, bills of materials.
 *
 * Floor 4. Thread-safe. OCI distribution-spec 1.1, "Pushing manifests with subject": a manifest
 * whose subject is the image. Where a registry does not know referrers, the index under the
 * fallback tag is kept, too; two writers at once may then lose an entry of it, as with every
 * client.
 */
#ifndef SW_REMOTE_ATTACH_H
#define SW_REMOTE_ATTACH_H

#include "remote/remote.h"

struct sw_attachment {
    struct sw_descriptor subject; /* media type, digest and size of the image's manifest */
    const char *artifact_type, *layer_type;
    struct sw_str bytes; /* of the only layer */
    struct sw_pairs layer_annotations, annotations;
    struct sw_str tag; /* a name of its own; "" for none */
};

/* *ret: the manifest that was written. */
SW_NODISCARD enum sw_code sw_remote_attach(struct sw_remote *r, struct sw_arena *a,
                                           struct sw_repository repo, const struct sw_attachment *x,
                                           struct sw_descriptor *ret, struct sw_error *err);

#endif
