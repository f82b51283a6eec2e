/* build: the files that say what was built. Floor 7. */
#ifndef SW_CMD_BUILD_RESULT_H
#define SW_CMD_BUILD_RESULT_H

#include "build/build.h"
#include "cmd/command.h"

struct build_results {
    struct sw_descriptor target; /* the manifest, or the index */
    const struct sw_build_result *list;
    const struct sw_platform *platforms;
    size_t n;
};

/* What stands for the result where one digest has to: the image ID, an index's own digest. */
struct sw_digest build_result_id(const struct build_results *r);
/* --iidfile, --metadata-file. */
SW_NODISCARD enum sw_code build_result_files(struct sw_invocation *inv,
                                             const struct sw_build_options *o,
                                             const struct build_results *r, struct sw_error *err);

#endif
