/* The first process of a sandbox, from clone to exec. Only async-signal-safe code: the parent has
 * threads whose locks may be held. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox/child_internal.h"
#include "sandbox/kernel_internal.h"

#define STATUS_FD 3
#define KEYCTL_JOIN_SESSION_KEYRING_ 1

/* ---- reports ---- */

void sw_child_send(struct child *c, int fd_to_pass) {
    struct iovec part = {.iov_base = &c->report, .iov_len = sizeof c->report};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    if (fd_to_pass >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd_to_pass, sizeof(int));
    }
    /* Nobody listens any more: the parent is gone and we are about to be. */
    if (sendmsg(STATUS_FD, &message, MSG_NOSIGNAL) < 0) _exit(125);
}

void sw_child_fail(struct child *c, int errnum, const char *what, const char *path) {
    struct report *r = &c->report;
    r->kind = REPORT_FAILED;
    r->errnum = errnum;
    (void)sw_child_join(r->what, sizeof r->what, what, NULL, NULL);
    /* The stage's name for the host's root means nothing to the reader. */
    if (path && !strncmp(path, SW_STAGE_OLD "/", sizeof SW_STAGE_OLD))
        path += sizeof SW_STAGE_OLD - 1;
    if (!sw_child_join(r->path, sizeof r->path, path, NULL, NULL)) r->path[0] = '\0';
    sw_child_send(c, -1);
    _exit(r->is_exec ? r->exit_status : 125);
}

/* ---- descriptors, signals, the parent ---- */

/* Closes everything from first on, without knowing what is open. */
static void close_from(int first) {
    if (sw_close_range((unsigned)first, ~0U) == 0) return;
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return;
    /* Closing changes what is being listed, so it starts again until nothing is found. */
    for (bool found = true; found;) {
        char block[4096] __attribute__((aligned(8)));
        long n;
        found = false;
        if (lseek(dir, 0, SEEK_SET) < 0) break;
        while ((n = syscall(SYS_getdents64, dir, block, sizeof block)) > 0) {
            for (long at = 0; at < n;) {
                /* struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name. */
                unsigned short length;
                memcpy(&length, block + at + 16, sizeof length);
                const char *name = block + at + 19;
                int fd = 0;
                for (const char *d = name; *d >= '0' && *d <= '9'; d++) fd = fd * 10 + (*d - '0');
                if (*name >= '0' && *name <= '9' && fd >= first && fd != dir) {
                    close(fd);
                    found = true;
                }
                at += length;
            }
        }
    }
    close(dir);
}

static void settle_descriptors(struct child *c) {
    struct plan *p = c->plan;
    int high[3], status = fcntl(p->status_fd, F_DUPFD_CLOEXEC, 10);
    if (status < 0) _exit(125);
    for (int i = 0; i < 3; i++) {
        int from = p->stdio[i];
        int opened = from < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : from;
        high[i] = fcntl(opened, F_DUPFD_CLOEXEC, 10);
        if (high[i] < 0) _exit(125);
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0) _exit(125);
    if (dup3(status, STATUS_FD, O_CLOEXEC) < 0) _exit(125);
    close_from(STATUS_FD + 1);
}

/* The kernel's promise holds from prctl on; the parent may have gone before. */
static void die_with_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) _exit(125);
    struct pollfd peer = {.fd = STATUS_FD};
    if (poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP)) _exit(125);
}

static void wait_for_parent(void) {
    char go;
    ssize_t n;
    do n = recv(STATUS_FD, &go, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != 1) _exit(125);
}

static void reset_signals(void) {
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++) (void)sigaction(s, &normal, NULL);
}

/* ---- network ---- */

static void write_sysctl(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;                        /* this kernel does not have it */
    if (write(fd, value, strlen(value)) < 0) { /* not for this namespace: the default stays */
    }
    close(fd);
}

static void bring_up_loopback(struct child *c) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) sw_child_fail(c, errno, "make a socket for loopback", NULL);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) sw_child_fail(c, errno, "read loopback", NULL);
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) sw_child_fail(c, errno, "start loopback", NULL);
    close(fd);
    /* As docker: there is nobody else in here to be protected from these. */
    write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    write_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

/* ---- terminal ---- */

static void open_terminal(struct child *c) {
    struct plan *p = c->plan;
    int unlock = 0;
    unsigned number = 0;
    char name[32] = "/dev/pts/";
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) sw_child_fail(c, errno, "open", "/dev/ptmx");
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
        sw_child_fail(c, errno, "unlock the terminal", NULL);
    sw_child_number(name + strlen(name), number);
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) sw_child_fail(c, errno, "open", name);
    struct winsize size = {.ws_row = p->tty_rows, .ws_col = p->tty_cols};
    if (p->tty_rows && ioctl(master, TIOCSWINSZ, &size) < 0)
        sw_child_fail(c, errno, "set the size of the terminal", NULL);
    if (p->uid && fchown(slave, p->uid, (gid_t)-1) < 0)
        sw_child_fail(c, errno, "set the owner of", name);
    if (mount(name, "/dev/console", "", MS_BIND, NULL) < 0)
        sw_child_fail(c, errno, "bind", "/dev/console");
    c->report.kind = REPORT_TTY;
    sw_child_send(c, master);
    close(master);
    for (int i = 0; i < 3; i++)
        if (dup2(slave, i) < 0) sw_child_fail(c, errno, "connect the terminal", NULL);
    close(slave);
}

/* ---- privileges ---- */

static void apply_rlimits(struct child *c) {
    for (size_t i = 0; i < c->plan->n_rlimits; i++) {
        const struct sw_rlimit *l = &c->plan->rlimits[i];
        struct rlimit now, want = {.rlim_cur = l->soft, .rlim_max = l->hard};
        __typeof__(RLIMIT_NOFILE) resource = (__typeof__(RLIMIT_NOFILE))l->resource;
        if (setrlimit(resource, &want) == 0) continue;
        if (errno != EPERM || getrlimit(resource, &now) < 0)
            sw_child_fail(c, errno, "set a resource limit", NULL);
        /* Raising a hard limit needs CAP_SYS_RESOURCE, which containers and CI seldom have. */
        if (want.rlim_max > now.rlim_max) want.rlim_max = now.rlim_max;
        if (want.rlim_cur > want.rlim_max) want.rlim_cur = want.rlim_max;
        if (setrlimit(resource, &want) < 0) sw_child_fail(c, errno, "set a resource limit", NULL);
    }
}

static void limit_capabilities(struct child *c) {
    struct plan *p = c->plan;
    for (unsigned cap = 0; cap <= p->last_cap; cap++) {
        if (p->caps >> cap & 1) continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            sw_child_fail(c, errno, "drop a capability from the bounding set", NULL);
    }
#ifdef PR_CAP_AMBIENT
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* unknown before 4.3 */
#endif
}

/* Permitted and effective: for root what was asked for, for others nothing, as docker. */
static void set_capabilities(struct child *c) {
    uint64_t mask = c->plan->uid == 0 ? c->plan->caps : 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
        {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
    };
    if (syscall(SYS_capset, &header, data) < 0) sw_child_fail(c, errno, "set capabilities", NULL);
}

static void drop_privileges(struct child *c) {
    struct plan *p = c->plan;
    /* The host's session keyring stays outside. Failure means that there are no keyrings. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING_, NULL);
    apply_rlimits(c);
    limit_capabilities(c);
    if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        sw_child_fail(c, errno, "set no_new_privs", NULL);
    /* While CAP_SYS_ADMIN is there: without no_new_privs a filter needs it. */
    if (p->seccomp.len && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p->seccomp) < 0)
        sw_child_fail(c, errno, "install the system call filter", NULL);
    /* By number: the C library would tell its threads, which this process has not got. */
    if (p->may_setgroups && syscall(SYS_setgroups, p->n_groups, p->groups) < 0 &&
        (errno != EPERM || p->n_groups))
        sw_child_fail(c, errno, "set the groups", NULL);
    if (syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0)
        sw_child_fail(c, errno, "set the group", NULL);
    if (syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
        sw_child_fail(c, errno, "set the user", NULL);
    set_capabilities(c);
    /* Changing the user has forgotten the parent. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) sw_child_fail(c, errno, "follow the parent", NULL);
}

/* ---- exec ---- */

static bool is_ourselves(const struct plan *p, const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == p->self_dev && st.st_ino == p->self_ino;
}

/* An image could name /proc/self/exe as its command, or as the interpreter of a script, to get hold
 * of our own executable from inside (CVE-2019-5736). */
static bool leads_to_ourselves(const struct plan *p, const char *path) {
    char line[256];
    for (int depth = 0; depth < 6; depth++) {
        if (is_ourselves(p, path)) return true;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) return false;
        ssize_t n = read(fd, line, sizeof line - 1);
        close(fd);
        if (n < 3 || line[0] != '#' || line[1] != '!') return false;
        line[n] = '\0';
        char *start = line + 2;
        while (*start == ' ' || *start == '\t') start++;
        start[strcspn(start, " \t\r\n")] = '\0';
        path = start;
        char kept[sizeof line];
        (void)sw_child_join(kept, sizeof kept, path, NULL, NULL);
        memcpy(line, kept, sizeof kept);
        path = line;
    }
    return false;
}

_Noreturn static void exec_failed(struct child *c, int errnum, const char *path, const char *what) {
    c->report.is_exec = true;
    c->report.exit_status = errnum == ENOENT || errnum == ENOTDIR ? 127 : 126;
    sw_child_fail(c, errnum, what, path);
}

_Noreturn static void execute(struct child *c) {
    struct plan *p = c->plan;
    int denied = 0;
    const char *denied_path = NULL;
    sigset_t none;
    c->report.kind = REPORT_EXEC;
    sw_child_send(c, -1);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < p->n_candidates; i++) {
        const char *path = p->candidates[i];
        if (leads_to_ourselves(p, path)) exec_failed(c, EPERM, path, "");
        (void)execve(path, p->argv, p->envp);
        int reason = errno;
        struct stat st;
        bool exists = stat(path, &st) == 0;
        if (reason == ENOENT && exists)
            exec_failed(c, ENOENT, path, "its interpreter or dynamic loader is not in the image");
        if (reason == EACCES && exists) {
            denied = S_ISDIR(st.st_mode) && p->searched ? denied : reason;
            denied_path = path;
        }
        if (!p->searched) exec_failed(c, reason, path, "");
        if (reason != ENOENT && reason != ENOTDIR && reason != EACCES && reason != ELOOP &&
            reason != ENAMETOOLONG)
            exec_failed(c, reason, path, "");
    }
    if (denied) exec_failed(c, denied, denied_path, "");
    exec_failed(c, ENOENT, p->argv[0], "not found in PATH");
}

/* ---- PID 1 of our own ---- */

/* Holds the parent's memory, so nobody inside may look at it: not dumpable also closes /proc/1/exe
 * and /proc/1/mem. Its credentials never change, so it always dies with the parent. */
_Noreturn static void serve_as_init(pid_t child) {
    sigset_t all;
    (void)prctl(PR_SET_DUMPABLE, 0);
    close_from(0);
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(&all, &info);
        if (signal < 0) continue;
        if (signal != SIGCHLD) {
            (void)kill(child, signal);
            continue;
        }
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid != child) continue;
            if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
            if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
        }
    }
}

static void enter_workdir(struct child *c, bool *ret_again) {
    *ret_again = false;
    if (chdir(c->plan->workdir) == 0) return;
    if (errno != EACCES) sw_child_fail(c, errno, "enter the working directory", c->plan->workdir);
    *ret_again = true; /* perhaps the user may what root without capabilities may not */
}

void sw_child_main(struct plan *p) {
    struct child c = {.plan = p, .root = -1};
    bool again;
    reset_signals();
    settle_descriptors(&c);
    die_with_parent();
    umask(0);
    if (p->wait_for_cgroup) {
        wait_for_parent();
        (void)unshare(CLONE_NEWCGROUP); /* unknown before 4.6 */
    }
    if (p->new_net) bring_up_loopback(&c);
    if (p->hostname && sethostname(p->hostname, p->hostname_len) < 0)
        sw_child_fail(&c, errno, "set the hostname", p->hostname);
    sw_child_build_root(&c);
    if (p->wait_for_network) wait_for_parent();
    if (p->init) {
        pid_t pid = sw_clone_fork(0, SIGCHLD, -1);
        if (pid < 0) sw_child_fail(&c, errno, "fork", NULL);
        if (pid > 0) serve_as_init(pid);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (setsid() < 0) sw_child_fail(&c, errno, "start a session", NULL);
    if (p->tty) {
        open_terminal(&c);
        if (ioctl(0, TIOCSCTTY, 0) < 0) sw_child_fail(&c, errno, "take the terminal", NULL);
    }
    umask(022);
    enter_workdir(&c, &again);
    drop_privileges(&c);
    if (again && chdir(p->workdir) < 0)
        sw_child_fail(&c, errno, "enter the working directory", p->workdir);
    execute(&c);
}
