/* The socket of an ssh agent as RUN --mount=type=ssh shows it: one of its own, with the owner and
 * mode that the mount asks for, from which connections are passed on to the agent on the host. So a
 * step that runs as another user can ask it, and the agent sees the user who builds.
 *
 * Floor 5. A relay has a thread of its own; start and free it from any thread.
 */
#ifndef SW_BUILD_AGENT_RELAY_H
#define SW_BUILD_AGENT_RELAY_H

#include "base/error.h"
#include "base/str.h"

struct sw_agent_relay;

struct sw_agent_relay_options {
    int dir_fd;         /* where the socket is made; borrowed */
    const char *name;   /* of the socket in it */
    struct sw_str path; /* of the agent's socket on the host */
    uint32_t uid, gid, mode;
};
/* Listens before it returns. */
SW_NODISCARD enum sw_code sw_agent_relay_start(const struct sw_agent_relay_options *options,
                                               struct sw_agent_relay **ret, struct sw_error *err);
/* Ends all connections and the thread. NULL is fine. */
void sw_agent_relay_free(struct sw_agent_relay *relay);

#endif
