/* The file system is mounted here and its connection handed to the program, which then lives in a
 * mount namespace of its own: the one it serves is about to lose the host's root and /proc, without
 * which the program finds nothing. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "sandbox/child_internal.h"
#include "sandbox/fuse_internal.h"
#include "sandbox/kernel_internal.h"

_Noreturn static void serve(const char *program, const char *data, const char *root,
                            int connection) {
    char point[32] = "/dev/fd/";
    sw_child_number(point + strlen(point), (unsigned long)connection);
    const char *const argv[] = {"fuse-overlayfs", "-o", data, point, NULL};
    const char *const envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    /* It stays, and the others of this namespace need not see it at a terminal. */
    if (unshare(CLONE_NEWNS) < 0 || chroot(root) < 0 || chdir("/") < 0) _exit(126);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++) (void)dup2(null, i);
    (void)fcntl(connection, F_SETFD, 0);
    execve(program, (char *const *)argv, (char *const *)envp);
    _exit(127);
}

int sw_fuse_mount(const char *program, const char *data, const char *root, const char *target) {
    char path[32], options[128] = "fd=";
    if (!sw_child_join(path, sizeof path, root[1] ? root : "", "/dev/fuse", NULL)) return -EINVAL;
    int connection = open(path, O_RDWR | O_CLOEXEC);
    if (connection < 0) return -errno;
    sw_child_number(options + 3, (unsigned long)connection);
    strcat(options, ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other");
    int status = 0, r = 0;
    pid_t pid = -1;
    if (sw_sys_mount("fuse-overlayfs", target, "fuse.fuse-overlayfs", MS_NODEV, options) < 0) {
        r = -errno;
    } else if ((pid = sw_clone_fork(0, SIGCHLD, -1)) < 0) {
        r = -errno;
    } else if (pid == 0) {
        serve(program, data, root, connection);
    }
    close(connection);
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    return r ? r : status ? -EIO : 0;
}
