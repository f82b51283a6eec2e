/* Running a program with a toolchain: the environment that the go command and its users expect.
 *
 * Floor 5. One execve; nothing stays in between.
 */
#ifndef SW_GOTOOL_LAUNCH_H
#define SW_GOTOOL_LAUNCH_H

#include "base/arena.h"
#include "base/error.h"

/* A copy of environ with bin once in front of PATH (entries below root removed), GOROOT as set by
 * set_goroot (a stale one is removed otherwise), GOTOOLCHAIN=local and SLIPWAY_GO_VERSION. */
char **sw_go_environment(struct sw_arena *a, char *const *environ_now, const char *root,
                         const char *goroot, const char *version, bool set_goroot);
/* The program's path: as it is where it has a slash, else from the PATH of envp. SW_NOT_FOUND,
 * SW_DENIED where it exists and may not be executed. */
SW_NODISCARD enum sw_code sw_go_find_program(struct sw_arena *a, const char *name,
                                             char *const *envp, const char **ret,
                                             struct sw_error *err);

#endif
