/* build --explain: what the cache knew of each step, and why not. Floor 7. */
#ifndef SW_CMD_BUILD_EXPLAIN_H
#define SW_CMD_BUILD_EXPLAIN_H

#include "build/build.h"

/* Prints to standard error: lines for people or, with json, one JSON document. */
void sw_build_explain(const struct sw_build_options *options, const struct sw_build_result *result,
                      bool json, bool color, struct sw_arena *arena);

#endif
