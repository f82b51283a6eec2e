/* The result's file system as files: what -o type=tar and type=local write.
 *
 * Floor 5.
 */
#ifndef SW_BUILD_TREE_OUTPUT_H
#define SW_BUILD_TREE_OUTPUT_H

#include "build/build.h"

struct sw_files_options {
    int64_t epoch_s;
    struct sw_str prefix, suffix; /* PREFIXsbomSUFFIX.spdx.json, PREFIXprovenanceSUFFIX.json */
};
/* The file system of the result as a tar archive on fd (type=tar), or as files below dir_fd
 * (type=local), and what was attested. From result->snapshots. */
SW_NODISCARD enum sw_code sw_build_write_tar(const struct sw_build_tools *tools,
                                             const struct sw_build_result *result,
                                             const struct sw_files_options *options, int fd,
                                             struct sw_error *err);
SW_NODISCARD enum sw_code sw_build_write_tree(const struct sw_build_tools *tools,
                                              const struct sw_build_result *result,
                                              const struct sw_files_options *options, int dir_fd,
                                              struct sw_error *err);

#endif
