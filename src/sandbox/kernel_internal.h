/* System calls that old kernels or old C libraries lack, by number, without fallbacks: callers
 * treat ENOSYS as the ordinary case.
 *
 * Floor 3, private. All of it is async-signal-safe.
 */
#ifndef SW_SANDBOX_KERNEL_INTERNAL_H
#define SW_SANDBOX_KERNEL_INTERNAL_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From 424 on the numbers are the same on every architecture but alpha. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#define SW_CLONE_INTO_CGROUP UINT64_C(0x200000000)

struct sw_open_how {
    uint64_t flags, mode, resolve;
};
#define SW_RESOLVE_NO_MAGICLINKS 0x02
#define SW_RESOLVE_NO_SYMLINKS 0x04
#define SW_RESOLVE_BENEATH 0x08
#define SW_RESOLVE_IN_ROOT 0x10

static inline int sw_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve) {
    struct sw_open_how how = {.flags = flags, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

struct sw_mount_attr {
    uint64_t set, clear, propagation, userns_fd;
};
#define SW_MOUNT_ATTR_RDONLY 0x1

static inline int sw_mount_setattr(int dir, const char *path, unsigned flags, uint64_t set) {
    struct sw_mount_attr attr = {.set = set};
    return (int)syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof attr);
}

static inline int sw_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

static inline int sw_close_range(unsigned first, unsigned last) {
    return (int)syscall(SYS_close_range, first, last, 0);
}

struct sw_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

/* As fork(2): the child goes on with a copy of the stack. clone3 only where cgroup_fd asks for it:
 * valgrind, old seccomp filters and old kernels know clone. */
static inline pid_t sw_clone_fork(uint64_t flags, int signal, int cgroup_fd) {
    if (cgroup_fd >= 0) {
        struct sw_clone_args args = {.flags = flags | SW_CLONE_INTO_CGROUP,
                                     .exit_signal = (uint64_t)signal,
                                     .cgroup = (uint64_t)cgroup_fd};
        return (pid_t)syscall(SYS_clone3, &args, sizeof args);
    }
#if defined(__s390__) || defined(__cris__)
    return (pid_t)syscall(SYS_clone, 0L, (long)flags | signal, 0L, 0L, 0L);
#else
    return (pid_t)syscall(SYS_clone, (long)flags | signal, 0L, 0L, 0L, 0L);
#endif
}

/* Nothing mounted from here on leaves the calling process's mount namespace, which must be one that
 * was made for it. Works in a chroot too, where "/" is no mount. 0 or -errno. */
int sw_private_mounts(void);
/* After it, "/" is a mount with a parent, which pivot_root wants and a chroot's directory and an
 * initramfs are not; the current directory is "/". 0 or -errno. */
int sw_root_becomes_mount(void);

#endif
