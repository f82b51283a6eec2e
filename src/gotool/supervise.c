/* Signals stay blocked in the supervisor and are taken one at a time with sigwaitinfo(2), so that
 * nothing is lost between a check and a wait and no handler runs at all.
 *
 * Invariants: the child is reaped by nobody else; no signal goes to a process number after its
 * status was taken; the child starts with the mask and the dispositions that we were given.
 */
#include "gotool/supervise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void sw_supervise_begin(struct sw_supervisor *s) {
    static const int never[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
    struct sigaction by_default = {.sa_handler = SIG_DFL}, ignored = {.sa_handler = SIG_IGN};
    sigfillset(&s->waited);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) sigdelset(&s->waited, never[i]);
    sigprocmask(SIG_SETMASK, &s->waited, &s->original_mask);
    /* An ignored SIGCHLD would let the kernel reap, and the status would be lost. */
    sigaction(SIGCHLD, &by_default, &s->original_chld);
    /* Giving the terminal away from the background must not stop us. */
    sigaction(SIGTTIN, &ignored, &s->original_ttin);
    sigaction(SIGTTOU, &ignored, &s->original_ttou);
}

void sw_supervise_end(const struct sw_supervisor *s) {
    sigaction(SIGCHLD, &s->original_chld, NULL);
    sigaction(SIGTTIN, &s->original_ttin, NULL);
    sigaction(SIGTTOU, &s->original_ttou, NULL);
    sigprocmask(SIG_SETMASK, &s->original_mask, NULL);
}

static void run_child(const struct sw_supervisor *s, const char *path, char *const *argv,
                      char *const *envp, bool foreground, bool stdout_to_stderr) {
    setpgid(0, 0);
    if (foreground) tcsetpgrp(0, getpid());
    if (stdout_to_stderr) dup2(2, 1);
    sw_supervise_end(s);
    execve(path, argv, envp);
    int status = errno == ENOENT ? 127 : 126;
    dprintf(2, "slipway-init: execute %s: %s\n", path, strerror(errno));
    _exit(status);
}

/* Reaps all that has ended; true when the child was among them. */
static bool reap(pid_t child, int *ret_status) {
    bool ended = false;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child) {
            ended = true;
            *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    return ended;
}

static void pass_on(pid_t child, int signal) {
    if (kill(-child, signal) < 0 && errno == ESRCH) kill(child, signal);
}

enum sw_code sw_supervise(const struct sw_supervisor *s, const char *path, char *const *argv,
                          char *const *envp, bool foreground, bool stdout_to_stderr,
                          struct sw_supervised *ret, struct sw_error *err) {
    struct sw_supervised r = {.status = 0};
    foreground = foreground && isatty(0);
    pid_t child = fork();
    if (child < 0) return sw_fail_sys(err, errno, "start %s", path);
    if (child == 0) run_child(s, path, argv, envp, foreground, stdout_to_stderr);
    setpgid(child, child); /* both do it: whoever comes first, the group is there for signals */
    if (foreground) tcsetpgrp(0, child);
    for (;;) {
        int signal = sigwaitinfo(&s->waited, NULL);
        if (signal < 0) continue;
        if (signal == SIGCHLD) {
            if (reap(child, &r.status)) break;
            continue;
        }
        if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT)
            r.signal = signal;
        pass_on(child, signal);
    }
    if (foreground) tcsetpgrp(0, getpgrp());
    *ret = r;
    return SW_OK;
}
