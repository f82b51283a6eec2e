#include "sandbox/guard_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "sandbox/kernel_internal.h"

struct message {
    bool add;
    pid_t pid;
    unsigned long long start;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int channel = -1;
static pid_t guard;
static pid_t owner; /* a fork of the program needs a guard of its own */

unsigned long long sw_process_start_time(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    /* Field 22; the name in field 2 may hold anything, so count from its last parenthesis. */
    const char *end = memrchr(text, ')', (size_t)n);
    unsigned long long value = 0;
    text[n] = '\0';
    for (int i = 3; end && i <= 22; i++) end = strchr(end + 1, ' ');
    if (!end) return 0;
    for (end++; *end >= '0' && *end <= '9'; end++) value = value * 10 + (unsigned)(*end - '0');
    return value;
}

/* ---- in the guard: async-signal-safe only ---- */

struct ward {
    pid_t pid;
    int pidfd;
    unsigned long long start;
};
static struct ward wards[SW_GUARD_MAX];
static size_t n_wards;

static void kill_all(void) {
    for (size_t i = 0; i < n_wards; i++) {
        if (wards[i].pidfd >= 0) {
            (void)syscall(SYS_pidfd_send_signal, wards[i].pidfd, SIGKILL, NULL, 0);
        } else if (wards[i].start && sw_process_start_time(wards[i].pid) == wards[i].start) {
            (void)kill(wards[i].pid, SIGKILL);
        }
    }
}

static void take(const struct message *m, int pidfd) {
    if (m->add && n_wards < SW_GUARD_MAX) {
        wards[n_wards++] = (struct ward){m->pid, pidfd, m->start};
        return;
    }
    for (size_t i = 0; !m->add && i < n_wards; i++) {
        if (wards[i].pid != m->pid) continue;
        if (wards[i].pidfd >= 0) close(wards[i].pidfd);
        wards[i] = wards[--n_wards];
        return;
    }
    if (pidfd >= 0) close(pidfd);
}

_Noreturn static void stand_guard(int from) {
    /* 3 is not ours to keep: nothing of the program's may be held open here. */
    if (dup2(from, 0) < 0) _exit(1);
    if (sw_close_range(1, ~0U) < 0)
        for (int fd = 1; fd < 65536; fd++) close(fd);
    (void)prctl(PR_SET_NAME, "slipway-guard");
    (void)setsid();
    (void)!chdir("/");
    for (;;) {
        struct message m;
        struct iovec part = {.iov_base = &m, .iov_len = sizeof m};
        union {
            char bytes[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } control;
        struct msghdr header = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(0, &header, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n != (ssize_t)sizeof m) break;
        int pidfd = -1;
        struct cmsghdr *head = CMSG_FIRSTHDR(&header);
        if (head && head->cmsg_type == SCM_RIGHTS) memcpy(&pidfd, CMSG_DATA(head), sizeof pidfd);
        take(&m, pidfd);
    }
    kill_all();
    _exit(0);
}

/* ---- in the program ---- */

/* A program that ends in order takes its guard along, so that no init has to. */
static void end_guard(void) {
    pthread_mutex_lock(&lock);
    if (channel >= 0 && owner == getpid()) {
        sw_closep(&channel);
        while (waitpid(guard, NULL, 0) < 0 && errno == EINTR) continue;
    }
    pthread_mutex_unlock(&lock);
}

static enum sw_code start_guard(struct sw_error *err) {
    static bool registered;
    int pair[2];
    sigset_t all, before;
    if (sw_sys_fault("clone")) return sw_fail_sys(err, errno, "start the guard");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return sw_fail_sys(err, errno, "make a socket pair");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = sw_clone_fork(0, SIGCHLD, -1);
    int saved = errno;
    if (pid == 0) stand_guard(pair[1]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return sw_fail_sys(err, saved, "start the guard");
    }
    channel = pair[0];
    guard = pid;
    owner = getpid();
    if (!registered) registered = atexit(end_guard) == 0;
    return SW_OK;
}

static bool tell(const struct message *m, int pidfd) {
    struct iovec part = {.iov_base = (void *)m, .iov_len = sizeof *m};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    if (pidfd >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&header);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &pidfd, sizeof(int));
    }
    ssize_t n;
    do n = sendmsg(channel, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *m;
}

enum sw_code sw_guard_add(pid_t pid, int pidfd, struct sw_error *err) {
    struct message m = {.add = true, .pid = pid};
    enum sw_code code = SW_OK;
    if (pidfd < 0) m.start = sw_process_start_time(pid);
    pthread_mutex_lock(&lock);
    if (channel >= 0 && owner != getpid()) sw_closep(&channel);
    if (channel < 0) code = start_guard(err);
    if (!code && !tell(&m, pidfd)) {
        /* Somebody ended it; the next one knows of this sandbox at least. */
        sw_closep(&channel);
        (void)waitpid(guard, NULL, 0);
        code = start_guard(err);
        if (!code && !tell(&m, pidfd)) code = sw_fail_sys(err, errno, "reach the guard");
    }
    pthread_mutex_unlock(&lock);
    return code;
}

void sw_guard_remove(pid_t pid) {
    struct message m = {.pid = pid};
    pthread_mutex_lock(&lock);
    if (channel >= 0 && owner == getpid()) (void)tell(&m, -1);
    pthread_mutex_unlock(&lock);
}
