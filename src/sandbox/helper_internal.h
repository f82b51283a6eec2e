/* The program that carries a private network's packets.
 *
 * Floor 3, private. Thread-safe.
 */
#ifndef SW_SANDBOX_HELPER_INTERNAL_H
#define SW_SANDBOX_HELPER_INTERNAL_H

#include "base/proc.h"
#include "sandbox/network.h"

struct sw_net_helper {
    struct sw_proc proc; /* pid 0: none */
    int exit_fd;         /* the program ends when this is closed; -1: none */
};

/* Connects the network namespace of a process; returns when it works. The program dies with the
 * calling thread. */
SW_NODISCARD enum sw_code sw_net_helper_start(pid_t pid, struct sw_net_helper *ret,
                                              struct sw_error *err);
void sw_net_helper_stop(struct sw_net_helper *h);

#endif
