/* build: --attest, --sbom, --provenance. Floor 7. */
#ifndef SW_CMD_BUILD_ATTEST_H
#define SW_CMD_BUILD_ATTEST_H

#include "build/build.h"
#include "cmd/session.h"

/* The scanner that a build asks for a bill of materials. */
struct build_sbom {
    struct sw_build_inventory inventory; /* what the build gets */
    struct sw_invocation *inv;
    const struct sw_session *session; /* to be set before the build */
    int64_t epoch_s;                  /* the same */
};

/* Sets o->attest; sbom is what it may point to. Notes for the user go to notes. */
SW_NODISCARD enum sw_code build_attest_parse(struct sw_invocation *inv, struct sw_build_options *o,
                                             struct build_sbom *sbom, struct sw_strs *notes,
                                             struct sw_error *err);
/* What the context's repository is, for the provenance. Nothing where it is none. */
void build_attest_vcs(struct sw_invocation *inv, struct sw_build_options *o);

#define BUILD_ATTEST_OPTIONS                                                                       \
    {"sbom", 0, "true|false", "attach a bill of materials (SPDX)", 0, NULL, NULL},                 \
        {"provenance", 0,   "true|false|mode=min|max", "attach how the image was made (SLSA)", 0,  \
         NULL,         NULL},                                                                      \
    {                                                                                              \
        "attest", 0, "type=sbom|provenance[,...]", "the same in one option", SW_OPT_LIST, NULL,    \
            NULL                                                                                   \
    }

#endif
