/* build --check and --call, and the warnings after a build. Floor 7. */
#ifndef SW_CMD_BUILD_CHECK_H
#define SW_CMD_BUILD_CHECK_H

#include "build/build.h"
#include "cmd/session.h"
#include "dockerfile/check.h"

enum build_call { BUILD_CALL_BUILD, BUILD_CALL_CHECK, BUILD_CALL_OUTLINE, BUILD_CALL_TARGETS };

/* --check, --call=METHOD[,format=json]. */
SW_NODISCARD enum sw_code build_call_parse(struct sw_invocation *inv, enum build_call *ret,
                                           bool *ret_json, struct sw_error *err);
/* Checks the Dockerfile with what is known of its base images in the store. */
SW_NODISCARD enum sw_code build_check(struct sw_invocation *inv, const struct sw_session *session,
                                      const struct sw_build_options *o, struct sw_df_warnings *ret,
                                      struct sw_error *err);
/* Answers a call on standard output; inv->exit_status 1 where a check warned. */
SW_NODISCARD enum sw_code build_call(struct sw_invocation *inv, const struct sw_session *session,
                                     const struct sw_build_options *o, enum build_call call,
                                     bool json, struct sw_error *err);
/* "2 warnings found (...)" on standard error. */
void build_warnings_print(const struct sw_df_warnings *warnings);
/* A Dockerfile with "# check=error=true" that has warnings is not built. */
SW_NODISCARD enum sw_code build_warnings_refuse(const struct sw_df_warnings *warnings,
                                                struct sw_error *err);

#endif
