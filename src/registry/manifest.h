/* What a pushed manifest says that the registry must know: its kind and what it refers to.
 *
 * Floor 5, but pure; fuzzed (fuzz_registry_manifest). Looser than oci/manifest.h where the
 * specification wants registries to take what they do not know: any media type, any extra member.
 */
#ifndef SW_REGISTRY_MANIFEST_H
#define SW_REGISTRY_MANIFEST_H

#include "codec/digest.h"
#include "codec/json.h"

enum sw_ref_kind { SW_REF_BLOB = 0, SW_REF_MANIFEST = 1, SW_REF_FOREIGN = 2 };

struct sw_ref {
    enum sw_ref_kind kind;
    struct sw_digest digest;
    int64_t size;
    struct sw_str media_type;
};

struct sw_pushed {
    struct sw_str media_type;
    struct sw_digest digest; /* by the algorithm asked for */
    struct sw_ref *refs;     /* arena; config, layers, manifests */
    size_t n_refs;
    struct sw_digest subject; /* unset where there is none */
    struct sw_str artifact_type;
    struct sw_str descriptor; /* JSON: how /referrers/ lists it */
    bool is_index;
};

/* content_type is the request's, "" where it sent none. SW_SYNTAX for what is no manifest,
 * SW_UNSUPPORTED for kinds that are not taken (Docker's schema 1), SW_LIMIT. */
SW_NODISCARD enum sw_code sw_pushed_parse(struct sw_arena *a, struct sw_str bytes,
                                          struct sw_str content_type, enum sw_digest_alg alg,
                                          struct sw_pushed *ret, struct sw_error *err);

#endif
