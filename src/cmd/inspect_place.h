/* `slipway inspect` of what is not in the store: registries, layouts, archives. Floor 7. */
#ifndef SW_CMD_INSPECT_PLACE_H
#define SW_CMD_INSPECT_PLACE_H

#include "cmd/place.h"

struct cmd_inspect_options {
    bool raw;     /* the document's own bytes */
    bool config;  /* the configuration in place of the summary */
    bool no_tags; /* a registry is not asked for the tags of the repository */
    const struct sw_platform *platform;
};
/* Prints it: the fields of skopeo inspect, the configuration, or bytes. */
SW_NODISCARD enum sw_code cmd_inspect_place(struct sw_invocation *inv, const struct sw_place *p,
                                            const struct cmd_inspect_options *o,
                                            struct sw_error *err);

#endif
