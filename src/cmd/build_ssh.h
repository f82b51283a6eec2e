/* --ssh of build: agents' sockets, and key files that an agent of the build's own serves.
 *
 * Floor 7. One thread.
 */
#ifndef SW_CMD_BUILD_SSH_H
#define SW_CMD_BUILD_SSH_H

#include "build/build.h"
#include "build/ssh_agent.h"
#include "cmd/command.h"

struct build_ssh {
    struct sw_ssh_agent **agents; /* owned, in the invocation's arena */
    size_t n;
};
/* Reads the options into o->ssh and starts the agents that are needed. */
SW_NODISCARD enum sw_code build_ssh_open(struct build_ssh *ssh, struct sw_invocation *inv,
                                         struct sw_build_options *o, struct sw_error *err);
void build_ssh_close(struct build_ssh *ssh);
#define BUILD_SSH SW_CLEANUP(build_ssh_close)

#endif
