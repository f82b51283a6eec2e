/* What a build says about its result: provenance and a bill of materials.
 *
 * Floor 5. Written as BuildKit writes it: in-toto statements are the layers of an attestation
 * manifest, which stands beside the image in its index (docs/design/attestations.md).
 */
#ifndef SW_BUILD_ATTEST_H
#define SW_BUILD_ATTEST_H

#include "codec/lists.h"
#include "oci/descriptor.h"

#define SW_PREDICATE_PROVENANCE "https://slsa.dev/provenance/v1"
#define SW_ANN_PREDICATE_TYPE "in-toto.io/predicate-type"
#define SW_PREDICATE_SPDX "https://spdx.dev/Document"

enum sw_provenance_mode {
    SW_PROVENANCE_OFF,
    SW_PROVENANCE_MIN, /* never the value of a build argument, nor the Dockerfile */
    SW_PROVENANCE_MAX, /* these, and every step */
};

/* Something that a build was made from, by its content. */
struct sw_material {
    struct sw_str uri;
    struct sw_str algorithm, hex; /* "sha256", "sha1"; "" where it has no digest */
};

/* Who can tell what is in an image: SPDX 2.3 as JSON. Filled in by whoever has a scanner. */
struct sw_build_inventory {
    enum sw_code (*describe)(void *ctx, const struct sw_descriptor *manifest, struct sw_str name,
                             struct sw_arena *arena, struct sw_str *ret, struct sw_error *err);
    void *ctx;
};

struct sw_attest_options {
    enum sw_provenance_mode provenance;
    const struct sw_build_inventory *sbom; /* NULL: no bill of materials */
    bool oci_artifact;                     /* an artifact manifest that has the image as subject */
    bool reproducible;                     /* what the user claims in the provenance */
    struct sw_str builder_id;              /* "" for ours */
    struct sw_str program_version;
    struct sw_pairs vcs;         /* of the context's repository: source, revision */
    struct sw_material *context; /* where a context that was fetched came from; NULL: a directory */
};

static inline bool sw_attest_wanted(const struct sw_attest_options *o) {
    return o->provenance != SW_PROVENANCE_OFF || o->sbom;
}

/* What was said, for outputs that are no image. Predicates; ptr NULL where there is none. */
struct sw_attested {
    struct sw_str provenance, sbom;
};

/* "https://user:password@host/x" with both hidden; other texts as they are. Copied. */
struct sw_str sw_url_without_password(struct sw_arena *a, struct sw_str url);
/* An in-toto statement (version 0.1, as BuildKit writes it) around a predicate. Subjects are names
 * with sha256 digests in hex. pretty: indented, for files. */
void sw_build_statement(struct sw_buf *out, const char *predicate_type,
                        const struct sw_pairs *subjects, struct sw_str predicate, bool pretty);
/* "pkg:docker/app@1.0?platform=linux%2Famd64"; type: "docker" or "oci". */
SW_NODISCARD enum sw_code sw_image_purl(struct sw_arena *a, const char *type, struct sw_str name,
                                        const struct sw_platform *platform, struct sw_str *ret,
                                        struct sw_error *err);

#endif
