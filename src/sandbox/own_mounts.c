/* A mount namespace of our own whose changes stay in it, also where "/" is not a mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "sandbox/kernel_internal.h"

static bool same_directory(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) < 0 || stat(b, &y) < 0 || (x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Out of a chroot: with another directory as the root, ".." of the current one leads past the old
 * root. What is above it, on which our mounts hang, can be made private only from there. */
static int private_above_chroot(void) {
    int inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (inside < 0) return -errno;
    int r = 0;
    if (chdir("/") < 0 || chroot("/proc") < 0) r = -errno;
    while (r == 0 && !same_directory(".", ".."))
        if (chdir("..") < 0) r = -errno;
    if (r == 0 && (chroot(".") < 0 || sw_sys_mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0))
        r = -errno;
    if (fchdir(inside) < 0 || chroot(".") < 0) r = -errno;
    close(inside);
    return r;
}

int sw_private_mounts(void) {
    if (sw_sys_mount("", "/", "", MS_REC | MS_PRIVATE, NULL) == 0) return 0;
    return errno == EINVAL ? private_above_chroot() : -errno;
}

int sw_root_becomes_mount(void) {
    if (sw_sys_mount("/", "/proc", "", MS_BIND | MS_REC, NULL) < 0) return -errno;
    return chdir("/proc") < 0 || chroot(".") < 0 ? -errno : 0;
}
