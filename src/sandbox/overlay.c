/* Trying what overlay mounts this host can do for a directory. */
#include "sandbox/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "base/sys.h"
#include "sandbox/fuse_internal.h"
#include "sandbox/kernel_internal.h"

/* From the best to what the oldest kernel knows. */
static const struct {
    const char *options;
    bool is_volatile, no_extras;
} variants[] = {
    {",metacopy=off,redirect_dir=nofollow,index=off,volatile", true, true},
    {",metacopy=off,redirect_dir=nofollow,index=off", false, true},
    {"", false, false},
};
/* In a user namespace redirect_dir and metacopy are off and may not be named. */
static const struct {
    const char *options;
    bool is_volatile, no_extras;
} user_variants[] = {
    {",userxattr,index=off,volatile", true, true},
    {",userxattr,index=off", false, true},
    {",userxattr", false, false},
};
#define N_VARIANTS 3

/* Exit statuses of the child that tries. */
#define TRIED_OK 10 /* and the variant */
#define TRIED_NO_WHITEOUT 3
#define TRIED_NO_OPAQUE 4
#define TRIED_WH_FILES 9 /* fuse-overlayfs marks with files */
#define TRIED_ERRNO 64   /* and the errno of mount(2) */

static const char options_base[] = "lowerdir=lower,upperdir=upper,workdir=work";

/* Uses the mount: 0 or why it is of no use. Async-signal-safe. */
static int try_marks(bool user_xattr) {
    struct stat st;
    char value[8];
    if (unlink("merged/file") < 0) return TRIED_NO_WHITEOUT;
    if (unlink("merged/dir/file") < 0 || rmdir("merged/dir") < 0 || mkdir("merged/dir", 0700) < 0)
        return TRIED_NO_OPAQUE;
    if (lstat("upper/file", &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != 0)
        return access("upper/.wh.file", F_OK) == 0 ? TRIED_WH_FILES : TRIED_NO_WHITEOUT;
    const char *name = user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (getxattr("upper/dir", name, value, sizeof value) == 1 && value[0] == 'y') return 0;
    return access("upper/dir/.wh..wh..opq", F_OK) == 0 ? TRIED_WH_FILES : TRIED_NO_OPAQUE;
}

/* The child: everything is gone with its mount namespace. */
_Noreturn static void try_in_child(const char *path, bool user_xattr, const char *fuse,
                                   const char *fuse_data) {
    char options[256];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = sw_private_mounts();
    if (r < 0) _exit(TRIED_ERRNO + (-r & 127));
    if (chdir(path) < 0) _exit(TRIED_ERRNO + (errno & 127));
    if (fuse) {
        int failed = sw_fuse_mount(fuse, fuse_data, "/", "merged");
        if (failed) _exit(TRIED_ERRNO + (-failed & 127));
        r = try_marks(user_xattr);
        (void)umount2("merged", MNT_DETACH); /* its server ends with it */
        _exit(r ? r : TRIED_OK);
    }
    for (int i = 0; i < N_VARIANTS; i++) {
        const char *more = user_xattr ? user_variants[i].options : variants[i].options;
        memcpy(options, options_base, sizeof options_base);
        memcpy(options + sizeof options_base - 1, more, strlen(more) + 1);
        if (sw_sys_mount("overlay", "merged", "overlay", 0, options) == 0) {
            r = try_marks(user_xattr);
            _exit(r ? r : TRIED_OK + i);
        }
    }
    _exit(TRIED_ERRNO + (errno & 127));
}

static enum sw_code try_once(const char *path, bool user_xattr, const char *fuse, int *ret,
                             struct sw_error *err) {
    SW_BUF struct sw_buf data;
    sw_buf_init(&data, 4 * PATH_MAX);
    sw_buf_addf(&data, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", path, path, path);
    sigset_t all, before;
    int status;
    if (sw_sys_fault("clone")) return sw_fail_sys(err, errno, "clone to try an overlay");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = sw_clone_fork(CLONE_NEWNS, SIGCHLD, -1);
    int saved = errno;
    if (pid == 0) try_in_child(path, user_xattr, fuse, data.ptr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        *ret = TRIED_ERRNO + (saved & 127);
        return SW_OK;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return sw_fail_sys(err, errno, "wait for the trial of an overlay");
    *ret = WIFEXITED(status) ? WEXITSTATUS(status) : TRIED_ERRNO + EIO;
    return SW_OK;
}

static enum sw_code make_trial(int dir, const char *name, struct sw_error *err) {
    static const char *const dirs[] = {"", "/lower", "/upper", "/work", "/merged", "/lower/dir"};
    static const char *const files[] = {"/lower/file", "/lower/dir/file"};
    char path[64];
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        snprintf(path, sizeof path, "%s%s", name, dirs[i]);
        if (sw_sys_mkdirat(dir, path, 0700) < 0) return sw_fail_sys(err, errno, "make %s", path);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s%s", name, files[i]);
        int fd = sw_sys_openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return sw_fail_sys(err, errno, "make %s", path);
        close(fd);
    }
    return SW_OK;
}

static void explain(struct sw_overlay_mode *m, int tried, const struct sw_userns *userns) {
    if (tried == TRIED_NO_WHITEOUT || tried == TRIED_NO_OPAQUE) {
        snprintf(m->why, sizeof m->why,
                 "overlayfs mounts, but cannot record %s on this file system; use another one for "
                 "--root (ext4, xfs with ftype=1, btrfs)",
                 tried == TRIED_NO_WHITEOUT ? "removed files" : "replaced directories");
    } else if (userns->user_xattr) {
        snprintf(
            m->why, sizeof m->why,
            "overlayfs in a user namespace: %s; it needs Linux 5.11 and a file system with user "
            "xattrs, or install fuse-overlayfs",
            strerror(tried - TRIED_ERRNO));
    } else if (tried - TRIED_ERRNO == ENODEV) {
        snprintf(m->why, sizeof m->why,
                 "the kernel has no overlayfs; load it with: modprobe overlay");
    } else if (tried - TRIED_ERRNO == EINVAL) {
        snprintf(m->why, sizeof m->why,
                 "overlayfs does not take this file system (another overlay?); use another one for "
                 "--root (ext4, xfs with ftype=1, btrfs)");
    } else {
        snprintf(m->why, sizeof m->why, "overlayfs: %s", strerror(tried - TRIED_ERRNO));
    }
}

static enum sw_code try_all(const char *path, int dir, const char *name,
                            const struct sw_userns *userns, struct sw_overlay_mode *m,
                            struct sw_error *err) {
    int tried;
    m->user_xattr = userns->user_xattr;
    enum sw_code code = try_once(path, m->user_xattr, NULL, &tried, err);
    if (code) return code;
    if (tried >= TRIED_OK && tried < TRIED_OK + N_VARIANTS) {
        m->kind = SW_OVERLAY_KERNEL;
        m->is_volatile = variants[tried - TRIED_OK].is_volatile;
        m->no_extras = variants[tried - TRIED_OK].no_extras;
        return SW_OK;
    }
    explain(m, tried, userns);
    SW_BUF struct sw_buf fuse;
    sw_buf_init(&fuse, sizeof m->fuse_path - 1);
    if (access("/dev/fuse", R_OK | W_OK) < 0 || !sw_proc_find("fuse-overlayfs", &fuse) ||
        fuse.overflow)
        return SW_OK;
    /* The first trial has used the directories. */
    code = sw_remove_tree_at(dir, name, err);
    if (!code) code = make_trial(dir, name, err);
    if (!code) code = try_once(path, m->user_xattr, fuse.ptr, &tried, err);
    if (code || (tried != TRIED_OK && tried != TRIED_WH_FILES)) return code;
    m->kind = SW_OVERLAY_FUSE;
    m->wh_files = true; /* it writes them beside the others, too */
    memcpy(m->fuse_path, fuse.ptr, fuse.len + 1);
    return SW_OK;
}

enum sw_code sw_overlay_probe(int dir, const struct sw_userns *userns, struct sw_overlay_mode *ret,
                              struct sw_error *err) {
    struct sw_overlay_mode m = {0};
    struct sw_error ignored;
    SW_BUF struct sw_buf path;
    char name[32] = "overlay-probe-";
    sw_buf_init(&path, PATH_MAX - 64);
    sw_random_name(name + strlen(name), 12);
    enum sw_code code = sw_fd_path(dir, &path, err);
    sw_buf_addf(&path, "/%s", name);
    if (!code) code = sw_buf_check(&path, "the directory's path", err);
    if (!code) code = make_trial(dir, name, err);
    if (!code) code = try_all(path.ptr, dir, name, userns, &m, err);
    if (sw_remove_tree_at(dir, name, &ignored) && !code) {
        *err = ignored;
        code = ignored.code;
    }
    if (code) return sw_context(err, "try an overlay");
    *ret = m;
    return SW_OK;
}
