/* A container's entry point: choose a Go version, see that it is there, become the program.
 *
 * Floor 5. Single-threaded; uses only base strings, the golang room and the C library, so that it
 * is a small static program of its own (slipway-init) as well as a command. It has no network: a
 * version that is missing is installed by `slipway go install`, as a child under supervision.
 * docs/design/container-init.md.
 */
#ifndef SW_GOTOOL_INIT_H
#define SW_GOTOOL_INIT_H

/* argv[0] is the name for messages; what follows are its options and the program. Does not return
 * when this process becomes the program; otherwise the exit status: the program's, 128 + signal,
 * 126 or 127 where it cannot be started, 125 where the choice fails. installer: the slipway to run
 * for installing, NULL: SLIPWAY_BIN, one beside this program, or in PATH. */
int sw_go_init(int argc, char **argv, char **envp, const char *installer);

#endif
