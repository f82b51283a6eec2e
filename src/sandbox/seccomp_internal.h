/* The default system call filter as a BPF program.
 *
 * Floor 3, private. Thread-safe.
 */
#ifndef SW_SANDBOX_SECCOMP_INTERNAL_H
#define SW_SANDBOX_SECCOMP_INTERNAL_H

#include <linux/filter.h>
#include <stdint.h>

#include "base/error.h"

/* The filter for a process with these capabilities. Kept for the life of the program; *ret points
 * into it. SW_UNSUPPORTED where the kernel or the architecture has no filters. */
SW_NODISCARD enum sw_code sw_seccomp_filter(uint64_t caps, struct sock_fprog *ret,
                                            struct sw_error *err);

#endif
