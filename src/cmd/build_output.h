/* build -o: where else the result goes. Floor 7. */
#ifndef SW_CMD_BUILD_OUTPUT_H
#define SW_CMD_BUILD_OUTPUT_H

#include "build/build.h"
#include "cmd/command.h"

enum sw_output_kind {
    SW_OUTPUT_NONE, /* the store alone */
    SW_OUTPUT_OCI,
    SW_OUTPUT_DOCKER,
    SW_OUTPUT_OCI_DIR, /* type=oci,tar=false */
    SW_OUTPUT_LOCAL,
    SW_OUTPUT_TAR,
};

struct sw_build_output {
    enum sw_output_kind kind;
    const char *dest; /* "-" for standard output */
};

SW_NODISCARD enum sw_code sw_build_output_parse(struct sw_invocation *inv,
                                                struct sw_build_output *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_build_output_write(const struct sw_build_tools *tools,
                                                const struct sw_build_options *options,
                                                const struct sw_build_result *result,
                                                const struct sw_build_output *output,
                                                struct sw_error *err);

#endif
