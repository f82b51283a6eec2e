/* A control group of a sandbox's own, for its limits.
 *
 * Floor 3, private. Thread-safe.
 */
#ifndef SW_SANDBOX_CGROUP_INTERNAL_H
#define SW_SANDBOX_CGROUP_INTERNAL_H

#include "sandbox/plan_internal.h"

struct sw_cgroup;

/* Makes a leaf with the limits in every hierarchy that they need; SW_UNSUPPORTED, with the reason,
 * where one is not allowed. Removes leaves whose process is gone. */
SW_NODISCARD enum sw_code sw_cgroup_new(const struct sw_limits *limits, struct sw_cgroup **ret,
                                        struct sw_error *err);
/* A descriptor for CLONE_INTO_CGROUP, or -1 where version 1 is involved. */
int sw_cgroup_clone_fd(const struct sw_cgroup *g);
/* Moves a process into it. */
SW_NODISCARD enum sw_code sw_cgroup_attach(struct sw_cgroup *g, pid_t pid, struct sw_error *err);
/* What the sandbox sees of it (arena). */
void sw_cgroup_describe(const struct sw_cgroup *g, struct plan *plan, struct sw_arena *arena);
/* Whether the kernel killed something in it for memory. */
bool sw_cgroup_had_oom(const struct sw_cgroup *g);
/* Removes it; its processes have ended. Takes NULL. */
void sw_cgroup_free(struct sw_cgroup *g);
/* "v1", "v2", "hybrid", "none"; and which of memory, cpu, pids may be limited. */
const char *sw_cgroup_survey(bool *ret_memory, bool *ret_cpu, bool *ret_pids);

#endif
