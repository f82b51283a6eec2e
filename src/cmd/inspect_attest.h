/* inspect: attestations beside an image in its index, as BuildKit and `slipway build` put them.
 *
 * Floor 7.
 */
#ifndef SW_CMD_INSPECT_ATTEST_H
#define SW_CMD_INSPECT_ATTEST_H

#include "cmd/command.h"
#include "cmd/image_read.h"
#include "codec/json_writer.h"

struct inspect_attested {
    struct sw_manifest m; /* its layers are the statements */
    bool found;
};

SW_NODISCARD enum sw_code inspect_attested_find(struct sw_store *store, struct sw_arena *a,
                                                const struct sw_image_read *image,
                                                struct inspect_attested *ret, struct sw_error *err);
/* Members of the image's object: Attestations; SBOM and Provenance where --format asks for them. */
SW_NODISCARD enum sw_code inspect_attested_put(struct sw_invocation *inv, struct sw_store *store,
                                               struct sw_json_writer *w,
                                               const struct inspect_attested *list,
                                               struct sw_error *err);

#endif
