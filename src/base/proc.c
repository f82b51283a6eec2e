#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/vec.h"

#define OUTPUT_MAX ((size_t)64 << 20) /* what a helper's stdout may be */
#define STDERR_MAX ((size_t)1 << 20)
#define STDERR_TAIL 400 /* of it, what an error quotes */

bool sw_proc_find(const char *name, struct sw_buf *ret_path) {
    if (strchr(name, '/')) {
        if (access(name, X_OK) < 0) return false;
        if (ret_path) sw_buf_add_text(ret_path, name);
        return true;
    }
    const char *path = getenv("PATH");
    /* sbin is where newuidmap's friends live and is not in every user's PATH. */
    SW_FREE char *all = sw_asprintf("%s:/usr/sbin:/sbin:/usr/bin:/bin", path ? path : "");
    struct sw_str rest = sw_str(all), dir;
    while (sw_str_next(&rest, ':', &dir)) {
        if (dir.len == 0 || dir.ptr[0] != '/') continue;
        SW_FREE char *candidate = sw_asprintf("%.*s/%s", SW_ARG(dir), name);
        struct stat st;
        if (access(candidate, X_OK) < 0 || stat(candidate, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (ret_path) sw_buf_add_text(ret_path, candidate);
        return true;
    }
    return false;
}

/* In the child: only calls that are safe after a fork of a threaded program. */
static void become(const char *program, const struct sw_proc_options *o, int devnull, int report,
                   pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < 32; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    int in = o->stdin_fd ? o->stdin_fd : devnull;
    if (dup2(in, 0) < 0) goto failed;
    if (o->stdout_fd && dup2(o->stdout_fd, 1) < 0) goto failed;
    if (o->stderr_fd && dup2(o->stderr_fd, 2) < 0) goto failed;
    if (o->workdir && chdir(o->workdir) < 0) goto failed;
    execve(program, (char *const *)o->argv, o->envp ? (char *const *)o->envp : environ);
failed:;
    int reason = errno;
    if (write(report, &reason, sizeof reason) < 0) _exit(126);
    _exit(127);
}

enum sw_code sw_proc_start(struct sw_proc *p, const struct sw_proc_options *o,
                           struct sw_error *err) {
    SW_BUF struct sw_buf program;
    sw_buf_init(&program, 8192);
    if (!sw_proc_find(o->argv[0], &program))
        return sw_fail(err, SW_NOT_FOUND, "no program \"%s\" in PATH", o->argv[0]);
    SW_FD int devnull = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, "/dev/null", O_RDWR, 0, &devnull, err);
    if (code) return code;
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become(program.ptr, o, devnull, report[1], parent);
    int saved = errno;
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return sw_fail_sys(err, saved, "fork for %s", o->argv[0]);
    }
    int reason = 0;
    ssize_t n;
    do n = read(report[0], &reason, sizeof reason);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == (ssize_t)sizeof reason) {
        waitpid(pid, NULL, 0);
        return sw_fail_sys(err, reason, "execute %s", program.ptr);
    }
    p->pid = pid;
    return SW_OK;
}

enum sw_code sw_proc_wait(struct sw_proc *p, int *ret_status, struct sw_error *err) {
    int status;
    while (waitpid(p->pid, &status, 0) < 0)
        if (errno != EINTR) return sw_fail_sys(err, errno, "wait for process %d", (int)p->pid);
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return SW_OK;
}

/* Drains both pipes until both are closed. */
static enum sw_code collect(int out, int errors, struct sw_buf *output, struct sw_buf *messages,
                            struct sw_error *err) {
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    struct sw_buf *to[2] = {output, messages};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return sw_fail_sys(err, errno, "poll");
        for (int i = 0; i < 2; i++) {
            char block[16384];
            if (fds[i].fd < 0 || !fds[i].revents) continue;
            ssize_t n = read(fds[i].fd, block, sizeof block);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                fds[i].fd = -1;
            } else if (to[i]) {
                sw_buf_add_bytes(to[i], block, (size_t)n);
            }
        }
    }
    return SW_OK;
}

enum sw_code sw_proc_run(const struct sw_proc_options *options, struct sw_buf *output,
                         struct sw_error *err) {
    SW_BUF struct sw_buf messages;
    sw_buf_init(&messages, STDERR_MAX);
    SW_FD int out_read = -1, out_write = -1, err_read = -1, err_write = -1;
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    out_read = pair[0], out_write = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    err_read = pair[0], err_write = pair[1];
    struct sw_proc_options o = *options;
    o.stdout_fd = out_write;
    o.stderr_fd = err_write;
    struct sw_proc p;
    enum sw_code code = sw_proc_start(&p, &o, err);
    if (code) return code;
    sw_closep(&out_write);
    sw_closep(&err_write);
    int status;
    struct sw_error drained = {0};
    enum sw_code drain_code = collect(out_read, err_read, output, &messages, &drained);
    code = sw_proc_wait(&p, &status, err);
    if (code) return code;
    if (drain_code) {
        *err = drained;
        return sw_context(err, "reading from %s", options->argv[0]);
    }
    if (status) {
        struct sw_str tail = sw_str_trim(sw_buf_str(&messages));
        if (tail.len > STDERR_TAIL) tail = sw_str_from(tail, tail.len - STDERR_TAIL);
        code = sw_fail(err, SW_CHILD, "%s ended with status %d%s%.*s", options->argv[0], status,
                       tail.len ? ": " : "", SW_ARG(tail));
        err->child_status = status;
        return code;
    }
    return output ? sw_buf_check(output, "the output of a program", err) : SW_OK;
}

/* ---- interruption ---- */

static atomic_int cancelled;
static int cancel_pipe[2] = {-1, -1};

static void on_signal(int signo) {
    int saved = errno;
    if (atomic_exchange(&cancelled, signo)) {
        signal(signo, SIG_DFL);
        raise(signo);
    }
    if (write(cancel_pipe[1], "", 1) < 0) errno = saved;
    errno = saved;
}

void sw_cancel_install(void) {
    if (cancel_pipe[0] >= 0 || pipe2(cancel_pipe, O_CLOEXEC | O_NONBLOCK) < 0) return;
    struct sigaction sa = {.sa_handler = on_signal};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool sw_cancelled(void) { return atomic_load(&cancelled) != 0; }

int sw_cancel_fd(void) { return cancel_pipe[0]; }

enum sw_code sw_cancel_check(struct sw_error *err) {
    return sw_cancelled() ? sw_fail(err, SW_CANCELLED, "interrupted") : SW_OK;
}
