/* An ssh agent of a build's own, for --ssh ID=KEYFILE: the host's ssh-agent behind a socket in a
 * private temporary directory, which holds the keys of the files. A small process beside it waits
 * for our end, however that comes (kill -9, too), then ends the agent and removes the directory.
 *
 * Floor 5. Start and free from any thread; one agent by one thread at a time.
 */
#ifndef SW_BUILD_SSH_AGENT_H
#define SW_BUILD_SSH_AGENT_H

#include "base/error.h"
#include "base/str.h"

struct sw_ssh_agent;

/* Returns once the agent listens and has all keys. SW_NOT_FOUND without the programs ssh-agent and
 * ssh-add or without a file; SW_CHILD for what ssh-add does not take, as a key with a passphrase:
 * nobody is ever asked for one. Permissions of the files are not looked at, as BuildKit does not.
 */
SW_NODISCARD enum sw_code sw_ssh_agent_start(const struct sw_str *keys, size_t n_keys,
                                             struct sw_ssh_agent **ret, struct sw_error *err);
/* Of the socket; lives as long as the agent. */
const char *sw_ssh_agent_socket(const struct sw_ssh_agent *agent);
/* Ends the agent and waits until nothing is left of it. NULL is fine. */
void sw_ssh_agent_free(struct sw_ssh_agent *agent);

#endif
