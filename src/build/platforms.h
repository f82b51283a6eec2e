/* One image for several platforms: a build for each, and an index over them.
 *
 * Floor 5. What the builds have in common (stages pinned to $BUILDPLATFORM, sources, layers) is
 * made by the first that comes to it and found by the others, in the cache or, where the cache is
 * turned off, among what this run has made.
 */
#ifndef SW_BUILD_PLATFORMS_H
#define SW_BUILD_PLATFORMS_H

#include "build/build.h"

/* results: n of them, in the order of platforms. *ret_index: of the index, which is named with the
 * options' tags; unset where skip_layers asks for file systems only. options->platform is not
 * looked at. */
SW_NODISCARD enum sw_code sw_build_platforms(const struct sw_build_tools *tools,
                                             const struct sw_build_options *options,
                                             const struct sw_platform *platforms, size_t n,
                                             struct sw_arena *arena,
                                             struct sw_build_result *results,
                                             struct sw_descriptor *ret_index, struct sw_error *err);

#endif
