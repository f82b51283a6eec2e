/* The parent's side of a sandbox: clone, listen to the child while it builds, wait, clean up. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/vec.h"
#include "sandbox/cgroup_internal.h"
#include "sandbox/guard_internal.h"
#include "sandbox/helper_internal.h"
#include "sandbox/kernel_internal.h"
#include "sandbox/plan_internal.h"

#define PLAN_MEMORY_MAX ((size_t)32 << 20)
#define CGROUP2_MAGIC 0x63677270

/* A mount point that the child had to make in the root (or in the upper directory). */
struct created {
    char *path; /* owned; relative to places_dir, without links */
    bool is_dir;
    struct timespec mtime; /* of the directory that holds it, before */
};

struct sw_sandbox {
    pid_t pid; /* -1 once waited for */
    int exit_fd;
    int status; /* socket to the child; closed once the command runs */
    int tty;
    int netns;
    struct sw_cgroup *cgroup; /* owned, may be NULL */
    struct sw_net_helper helper;
    SW_VEC(struct created) created;
    int places_dir;  /* where created lie; -1 for a read-only overlay */
    int scratch_dir; /* where the stub lies; -1 */
    char *stub;      /* owned; "work.stub" */
    bool stub_made;
    bool has_waiter; /* a thread stands in for pidfd_open */
    pthread_t waiter;
};

void sw_sandbox_spec_init(struct sw_sandbox_spec *spec, const struct sw_userns *userns) {
    *spec = (struct sw_sandbox_spec){.userns = userns,
                                     .root_dir = -1,
                                     .capabilities = SW_CAPS_DEFAULT,
                                     .stdin_fd = 0,
                                     .stdout_fd = 1,
                                     .stderr_fd = 2};
}

/* ---- what the child says ---- */

static void note_created(struct sw_sandbox *s, const struct report *r) {
    if (s->places_dir < 0) return;
    struct created c = {.path = sw_strdup(r->path),
                        .is_dir = r->is_dir,
                        .mtime = {.tv_sec = (time_t)r->mtime_s, .tv_nsec = r->mtime_ns}};
    sw_vec_add(&s->created, c);
}

static enum sw_code child_failed(const struct report *r, struct sw_error *err) {
    if (!r->is_exec) {
        bool path = r->path[0] != '\0';
        if (r->errnum)
            return sw_fail_sys(err, r->errnum, "sandbox: %s%s%s", r->what, path ? " " : "",
                               r->path);
        return sw_fail(err, SW_UNSUPPORTED, "sandbox: cannot %s%s%s", r->what, path ? " " : "",
                       r->path);
    }
    if (r->what[0]) {
        sw_fail(err, SW_CHILD, "exec %s: %s", r->path, r->what);
    } else if (r->errnum == ENOENT || r->errnum == ENOTDIR) {
        sw_fail(err, SW_CHILD, "exec %s: no such file", r->path);
    } else if (r->errnum == ENOEXEC) {
        sw_fail(err, SW_CHILD,
                "exec %s: not an executable for this machine; for another architecture install "
                "qemu-user-static and binfmt support, for a script start it with #!",
                r->path);
    } else if (r->errnum == EPERM) {
        sw_fail(err, SW_CHILD, "exec %s: refused", r->path);
    } else {
        sw_fail_sys(err, r->errnum, "exec %s", r->path);
        err->code = SW_CHILD;
    }
    err->child_status = r->exit_status;
    return SW_CHILD;
}

/* One message; *ret_size 0 at the end of the stream. A descriptor that comes with it is s->tty. */
static enum sw_code receive(struct sw_sandbox *s, struct report *r, ssize_t *ret_size,
                            struct sw_error *err) {
    struct iovec part = {.iov_base = r, .iov_len = sizeof *r};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do n = recvmsg(s->status, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    /* A child that ended with messages of ours unread resets the connection. */
    if (n < 0 && errno == ECONNRESET) n = 0;
    if (n < 0) return sw_fail_sys(err, errno, "listen to the sandbox");
    if (n > 0 && n != (ssize_t)sizeof *r)
        return sw_fail(err, SW_IO, "a message of %zd bytes from the sandbox", n);
    struct cmsghdr *head = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (head && head->cmsg_type == SCM_RIGHTS && s->tty < 0)
        memcpy(&s->tty, CMSG_DATA(head), sizeof(int));
    *ret_size = n;
    return SW_OK;
}

/* Until the command runs or the child gave up. */
static enum sw_code listen_to_child(struct sw_sandbox *s, struct sw_error *err) {
    struct report *r = sw_calloc(1, sizeof *r);
    enum sw_code code = SW_OK;
    bool executing = false;
    for (;;) {
        ssize_t n = 0;
        code = receive(s, r, &n, err);
        if (code) break;
        if (n == 0) {
            if (!executing)
                code = sw_fail(err, SW_IO, "the sandbox ended before its command began");
            break;
        }
        r->path[sizeof r->path - 1] = '\0';
        r->what[sizeof r->what - 1] = '\0';
        if (r->kind == REPORT_FAILED) {
            code = child_failed(r, err);
            break;
        }
        if (r->kind == REPORT_CREATED) note_created(s, r);
        if (r->kind == REPORT_EXEC) executing = true;
        if (r->kind == REPORT_STUB) s->stub_made = true;
    }
    free(r);
    return code;
}

/* ---- start ---- */

static void *wait_in_thread(void *argument) {
    struct sw_sandbox *s = argument;
    siginfo_t info;
    uint64_t one = 1;
    while (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) continue;
    (void)!write(s->exit_fd, &one, sizeof one);
    return NULL;
}

static enum sw_code open_exit_fd(struct sw_sandbox *s, struct sw_error *err) {
    s->exit_fd = sw_pidfd_open(s->pid);
    if (s->exit_fd >= 0) {
        (void)fcntl(s->exit_fd, F_SETFD, FD_CLOEXEC);
        return SW_OK;
    }
    s->exit_fd = eventfd(0, EFD_CLOEXEC);
    if (s->exit_fd < 0) return sw_fail_sys(err, errno, "make an event descriptor");
    int r = pthread_create(&s->waiter, NULL, wait_in_thread, s);
    if (r) return sw_fail_sys(err, r, "start a thread");
    s->has_waiter = true;
    return SW_OK;
}

static enum sw_code open_netns(struct sw_sandbox *s, struct sw_error *err) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)s->pid);
    return sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &s->netns, err);
}

static void go(struct sw_sandbox *s) {
    /* A child that is gone says so itself, by the end of the stream. */
    (void)!send(s->status, "g", 1, MSG_NOSIGNAL);
}

static pid_t clone_child(struct plan *p, const struct sw_cgroup *cgroup, int parent_end) {
    uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    int into = cgroup ? sw_cgroup_clone_fd(cgroup) : -1;
    sigset_t all, before;
    if (p->new_net) flags |= CLONE_NEWNET;
    p->wait_for_cgroup = cgroup && into < 0;
    if (!p->wait_for_cgroup) flags |= CLONE_NEWCGROUP;
    if (sw_sys_fault("clone")) return -1;
    /* No handler of ours may run in the child: it would act on what both share. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = -1;
    for (int attempt = 0; attempt < 3 && pid < 0; attempt++) {
        pid = sw_clone_fork(flags, SIGCHLD, into);
        if (pid == 0) {
            close(parent_end);
            sw_child_main(p);
        }
        if (pid >= 0) break;
        if (into >= 0) { /* no clone3, or not with this flag: move it afterwards */
            into = -1;
            p->wait_for_cgroup = true;
            flags &= ~(uint64_t)CLONE_NEWCGROUP;
        } else if (errno == EINVAL && (flags & CLONE_NEWCGROUP)) {
            flags &= ~(uint64_t)CLONE_NEWCGROUP; /* before 4.6 */
        } else {
            break;
        }
    }
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

/* What the parent has to do while the child mounts. */
static enum sw_code serve_child(struct sw_sandbox *s, struct plan *p, struct sw_error *err) {
    enum sw_code code = open_exit_fd(s, err);
    if (!code) code = sw_guard_add(s->pid, s->has_waiter ? -1 : s->exit_fd, err);
    if (!code && p->wait_for_cgroup) {
        code = sw_cgroup_attach(s->cgroup, s->pid, err);
        if (!code) go(s);
    }
    if (!code && p->new_net) code = open_netns(s, err);
    if (!code && p->wants_way_out) code = sw_net_helper_start(s->pid, &s->helper, err);
    if (!code && p->wait_for_network) go(s);
    if (!code) code = listen_to_child(s, err);
    return code;
}

/* Where what the child creates in passing will have to be removed. */
static enum sw_code remember_places(struct sw_sandbox *s, const struct sw_sandbox_spec *spec,
                                    struct sw_error *err) {
    const struct sw_overlay *o = spec->overlay;
    int from = o ? o->scratch_dir : spec->root_dir;
    if (o && !o->upper) return SW_OK;
    enum sw_code code =
        sw_open_at(from, o ? o->upper : ".", O_RDONLY | O_DIRECTORY, 0, &s->places_dir, err);
    if (!code && o) {
        code = sw_open_at(from, ".", O_RDONLY | O_DIRECTORY, 0, &s->scratch_dir, err);
        s->stub = sw_asprintf("%s.stub", o->work);
    }
    return code ? sw_context(err, "open the root") : SW_OK;
}

static enum sw_code start(struct sw_sandbox *s, const struct sw_sandbox_spec *spec,
                          struct sw_error *err) {
    SW_ARENA struct sw_arena arena;
    struct plan p = {0};
    struct statfs fs;
    int pair[2];
    sw_arena_init(&arena, PLAN_MEMORY_MAX);
    enum sw_code code = remember_places(s, spec, err);
    if (!code) code = sw_plan_build(spec, &arena, &p, err);
    if (code) return code;
    if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_MAGIC) p.cgroup = PLAN_CGROUP_V2;
    if (spec->limits.memory_bytes || spec->limits.milli_cpus || spec->limits.pids) {
        code = sw_cgroup_new(&spec->limits, &s->cgroup, err);
        if (code) return code;
        sw_cgroup_describe(s->cgroup, &p, &arena);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return sw_fail_sys(err, errno, "make a socket pair");
    s->status = pair[0];
    p.status_fd = pair[1];
    s->pid = clone_child(&p, s->cgroup, pair[0]);
    int saved = errno;
    close(pair[1]);
    if (s->pid < 0) {
        sw_fail_sys(err, saved, "clone into new namespaces");
        if (saved == EPERM)
            sw_advise(err, "; namespaces are forbidden here: run as root or allow user namespaces");
        return err->code;
    }
    sw_debug("sandbox", "process %d: %s", (int)s->pid, p.argv[0]);
    return serve_child(s, &p, err);
}

enum sw_code sw_sandbox_start(const struct sw_sandbox_spec *spec, struct sw_sandbox **ret,
                              struct sw_error *err) {
    struct sw_sandbox *s = sw_calloc(1, sizeof *s);
    s->pid = s->exit_fd = s->status = s->tty = s->netns = s->places_dir = s->scratch_dir = -1;
    s->helper.exit_fd = -1;
    enum sw_code code = start(s, spec, err);
    if (code) {
        sw_sandbox_free(s);
        return code;
    }
    close(s->status);
    s->status = -1;
    *ret = s;
    return SW_OK;
}

/* ---- while it runs ---- */

pid_t sw_sandbox_pid(const struct sw_sandbox *s) { return s->pid; }
int sw_sandbox_exit_fd(const struct sw_sandbox *s) { return s->exit_fd; }
int sw_sandbox_tty(const struct sw_sandbox *s) { return s->tty; }
int sw_sandbox_netns(const struct sw_sandbox *s) { return s->netns; }

void sw_sandbox_signal(struct sw_sandbox *s, int signal) {
    /* Until we wait for it the number cannot be given to another process. */
    if (s->pid > 0) (void)kill(s->pid, signal);
}

void sw_sandbox_kill(struct sw_sandbox *s) { sw_sandbox_signal(s, SIGKILL); }

/* ---- the end ---- */

/* Mount points that were made in passing are nobody's files, unless the command used the place
 * while nothing was mounted there: only what is still empty goes. */
static void remove_created(struct sw_sandbox *s) {
    struct sw_error ignored;
    while (s->created.len) {
        struct created *c = &s->created.ptr[--s->created.len];
        SW_FD int dir = -1;
        char name[NAME_MAX + 1];
        struct stat st;
        if (!sw_open_parent_beneath(s->places_dir, c->path, &dir, name, sizeof name, &ignored) &&
            fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (c->is_dir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode) && st.st_size == 0) &&
            sw_sys_unlinkat(dir, name, c->is_dir ? AT_REMOVEDIR : 0) == 0) {
            struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, c->mtime};
            SW_FD int readable = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (readable >= 0) (void)futimens(readable, times);
        }
        free(c->path);
    }
    sw_vec_done(&s->created);
}

static void clean_up(struct sw_sandbox *s) {
    struct sw_error ignored;
    if (s->has_waiter) pthread_join(s->waiter, NULL);
    s->has_waiter = false;
    sw_net_helper_stop(&s->helper);
    if (s->places_dir >= 0) remove_created(s);
    /* Without a work directory the stub lies in the sandbox's own staging place and went with it.
     */
    if (s->stub && s->stub_made && sw_remove_tree_at(s->scratch_dir, s->stub, &ignored))
        sw_debug("sandbox", "%s", ignored.text);
    sw_cgroup_free(s->cgroup);
    s->cgroup = NULL;
    s->stub_made = false;
    free(s->stub);
    s->stub = NULL;
}

enum sw_code sw_sandbox_wait(struct sw_sandbox *s, int *ret_status, bool *ret_oom,
                             struct sw_error *err) {
    int status = 0;
    pid_t pid = s->pid;
    if (s->has_waiter) pthread_join(s->waiter, NULL);
    s->has_waiter = false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return sw_fail_sys(err, errno, "wait for the sandbox");
    s->pid = -1;
    sw_guard_remove(pid);
    if (ret_oom) *ret_oom = s->cgroup && sw_cgroup_had_oom(s->cgroup);
    clean_up(s);
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return SW_OK;
}

void sw_sandbox_free(struct sw_sandbox *s) {
    if (!s) return;
    if (s->pid > 0) {
        int status;
        struct sw_error ignored;
        sw_sandbox_kill(s);
        if (sw_sandbox_wait(s, &status, NULL, &ignored)) s->pid = -1;
    }
    clean_up(s);
    sw_closep(&s->exit_fd);
    sw_closep(&s->status);
    sw_closep(&s->tty);
    sw_closep(&s->netns);
    sw_closep(&s->places_dir);
    sw_closep(&s->scratch_dir);
    free(s);
}

void sw_sandbox_freep(struct sw_sandbox **s) { sw_sandbox_free(*s); }
