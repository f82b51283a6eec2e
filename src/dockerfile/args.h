/* Build arguments that exist without an ARG instruction.
 *
 * Floor 2, pure. Reference: "Predefined ARGs" and "Automatic platform ARGs in the global scope".
 */
#ifndef SW_DOCKERFILE_ARGS_H
#define SW_DOCKERFILE_ARGS_H

#include "base/str.h"
#include "dockerfile/expand.h"
#include "dockerfile/parse.h"

/* HTTP_PROXY HTTPS_PROXY FTP_PROXY NO_PROXY ALL_PROXY and their lower case: --build-arg sets them
 * for RUN without a declaration; they enter neither the image's history nor the cache key.
 * i < SW_DF_PROXIES. Static. */
#define SW_DF_PROXIES 5
struct sw_str sw_df_proxy_name(size_t i, bool upper);
/* Arguments that only steer the build (BUILDKIT_*, SOURCE_DATE_EPOCH is not one of them): allowed
 * on the command line without a declaration and without the "not consumed" warning. */
bool sw_df_arg_is_control(struct sw_str name);
/* Known to ARG but not passed to the environment of RUN. */
bool sw_df_arg_is_hidden(struct sw_str name);
/* BUILD|TARGET PLATFORM|OS|OSVERSION|ARCH|VARIANT and TARGETSTAGE: in scope for FROM, and in a
 * stage after "ARG NAME". */
bool sw_df_arg_is_platform(struct sw_str name);

struct sw_df_platform {
    struct sw_str os, os_version, arch, variant;
};
/* What TARGETSTAGE is: --target as given, else the last stage's name, else "". */
struct sw_str sw_df_target_name(const struct sw_dockerfile *file, struct sw_str target);
/* Sets the automatic ARGs in vars, overridden by what overrides (the --build-args) says.
 * target_stage: its name, "" for "default". Values are copied into vars' arena. */
void sw_df_args_automatic(struct sw_df_vars *vars, const struct sw_df_platform *build,
                          const struct sw_df_platform *target, struct sw_str target_stage,
                          struct sw_df_env overrides);

#endif
