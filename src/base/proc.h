/* Child programs: started with exact descriptors and environment, waited for without races.
 *
 * Floor 0. Thread-safe. For sandboxes see sandbox/; this is for helpers such as newuidmap or git.
 */
#ifndef SW_BASE_PROC_H
#define SW_BASE_PROC_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct sw_proc_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH unless it has a '/' */
    const char *const *envp; /* NULL: the environment of this process */
    const char *workdir;     /* NULL: this process's */
    int stdin_fd;            /* 0 means /dev/null; otherwise borrowed */
    int stdout_fd, stderr_fd; /* 0 means inherited; otherwise borrowed */
};

struct sw_proc {
    pid_t pid;
};

/* Starts a child; it dies with us (PR_SET_PDEATHSIG). SW_NOT_FOUND when there is no such program.
 */
SW_NODISCARD enum sw_code sw_proc_start(struct sw_proc *p, const struct sw_proc_options *options,
                                        struct sw_error *err);
/* Waits. *ret_status: exit status, or 128 + signal. */
SW_NODISCARD enum sw_code sw_proc_wait(struct sw_proc *p, int *ret_status, struct sw_error *err);
/* Runs to the end; a status other than 0 is SW_CHILD with the last lines
 * of stderr. output (may be NULL) receives stdout. */
SW_NODISCARD enum sw_code sw_proc_run(const struct sw_proc_options *options, struct sw_buf *output,
                                      struct sw_error *err);
/* Whether a program is in PATH; ret_path (may be NULL) receives where. */
bool sw_proc_find(const char *name, struct sw_buf *ret_path);

/* Interruption: the first SIGINT or SIGTERM sets a flag (and writes to a descriptor that becomes
 * readable), a second one within the program's life ends it at once. */
void sw_cancel_install(void);
bool sw_cancelled(void);
/* Readable once cancelled; never read from it. -1 before sw_cancel_install(). */
int sw_cancel_fd(void);
/* SW_CANCELLED "interrupted" when cancelled. Long loops call it. */
SW_NODISCARD enum sw_code sw_cancel_check(struct sw_error *err);

#endif
