/* build: where the Dockerfile, its ignore file and the context come from.
 *
 * Floor 7.
 */
#ifndef SW_CMD_BUILD_INPUT_H
#define SW_CMD_BUILD_INPUT_H

#include "build/build.h"
#include "build/input.h"
#include "cmd/session.h"

struct build_input {
    struct sw_store *store; /* borrowed */
    struct sw_input remote;
    struct sw_str temp; /* an empty context */
};

/* Fills context, dockerfile, ignore and epoch_s of the options. */
SW_NODISCARD enum sw_code build_input_open(struct build_input *in, struct sw_invocation *inv,
                                           const struct sw_session *session,
                                           struct sw_build_options *o, struct sw_error *err);
/* Removes what was fetched. */
void build_input_close(struct build_input *in);
#define BUILD_INPUT SW_CLEANUP(build_input_close)

SW_NODISCARD enum sw_code build_read_file(struct sw_arena *arena, const char *path, size_t max,
                                          struct sw_str *ret, struct sw_error *err);

#endif
