/* build --cache-from, --cache-to. Floor 7. */
#ifndef SW_CMD_BUILD_CACHE_H
#define SW_CMD_BUILD_CACHE_H

#include "build/build.h"
#include "cmd/command.h"

SW_NODISCARD enum sw_code sw_build_cache_parse(struct sw_invocation *inv,
                                               struct sw_build_options *o, struct sw_error *err);

#endif
