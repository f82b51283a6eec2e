/* Being process 1: signals passed on, children reaped, the terminal handed over.
 *
 * Floor 5. For single-threaded programs (slipway-init, `slipway init`); needs nothing newer than
 * Linux 2.6. A process of another number uses it only while it waits for a helper.
 */
#ifndef SW_GOTOOL_SUPERVISE_H
#define SW_GOTOOL_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* The state before anything was changed, for children. */
struct sw_supervisor {
    sigset_t original_mask;
    struct sigaction original_chld, original_ttin, original_ttou;
    sigset_t waited; /* all that can be waited for */
};

/* Blocks every signal that can be waited for. */
void sw_supervise_begin(struct sw_supervisor *s);
/* Everything as it was before _begin. */
void sw_supervise_end(const struct sw_supervisor *s);

struct sw_supervised {
    int status; /* exit status, or 128 + signal */
    int signal; /* the last SIGTERM, SIGINT, SIGHUP or SIGQUIT that was passed on; 0 none */
};
/* Starts a program in a process group of its own (with the terminal, where stdin is one and
 * foreground is set), passes every signal on to its group, reaps whatever ends, and returns when
 * the program has. A program that cannot be started gives 127 or 126, its reason on stderr.
 * stdout_to_stderr: for helpers. */
SW_NODISCARD enum sw_code sw_supervise(const struct sw_supervisor *s, const char *path,
                                       char *const *argv, char *const *envp, bool foreground,
                                       bool stdout_to_stderr, struct sw_supervised *ret,
                                       struct sw_error *err);

#endif
