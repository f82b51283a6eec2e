/* A process that ends sandboxes when this program was killed.
 *
 * Floor 3, private. Thread-safe.
 *
 * The kernel's own promise (PR_SET_PDEATHSIG) is forgotten as soon as a command changes its user,
 * and images whose entry point does (gosu, su) are common. So the first sandbox starts one small
 * process beside the program, which holds the other end of a socket: when the socket ends, it
 * kills the first process of every sandbox it was told of, and ends.
 */
#ifndef SW_SANDBOX_GUARD_INTERNAL_H
#define SW_SANDBOX_GUARD_INTERNAL_H

#include "base/error.h"

#include <sys/types.h>

#define SW_GUARD_MAX 4096 /* sandboxes of one program at a time */

/* Tells it of a sandbox's first process (pidfd: -1 where the kernel has none). */
SW_NODISCARD enum sw_code sw_guard_add(pid_t pid, int pidfd, struct sw_error *err);
/* The process was waited for. */
void sw_guard_remove(pid_t pid);
/* When a process began, in clock ticks since boot: with its number, its identity. 0: it is gone. */
unsigned long long sw_process_start_time(pid_t pid);

#endif
