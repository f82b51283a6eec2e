/* The root file system of a sandbox, built by its first process in its own mount namespace. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/sys.h"
#include "sandbox/child_internal.h"
#include "sandbox/fuse_internal.h"
#include "sandbox/kernel_internal.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static void must_mkdir(struct child *c, const char *path, mode_t mode) {
    if (mkdir(path, mode) < 0 && errno != EEXIST) sw_child_fail(c, errno, "make", path);
}

static void must_symlink(struct child *c, const char *text, const char *path) {
    if (symlink(text, path) < 0) sw_child_fail(c, errno, "make the link", path);
}

/* ---- overlays ---- */

static void make_links(struct child *c, const struct plan_overlay *o) {
    char name[24];
    if (mkdir(o->link_dir, 0700) < 0) {
        if (errno == EEXIST) return; /* the second time, with the stub */
        sw_child_fail(c, errno, "make", o->link_dir);
    }
    if (chdir(o->link_dir) < 0) sw_child_fail(c, errno, "enter", o->link_dir);
    for (size_t i = 0; i < o->n_layers; i++)
        must_symlink(c, o->layers[i], sw_child_number(name, i));
    if (o->upper) {
        must_symlink(c, o->upper, "u");
        must_symlink(c, o->work, "w");
    }
    if (o->stub) must_symlink(c, o->stub, "s");
    must_mkdir(c, "e0", 0755);
    must_mkdir(c, "e1", 0755);
}

static void mount_overlay(struct child *c, const struct plan_overlay *o, bool stub,
                          const char *target) {
    if (o->fuse_path) {
        const char *data = stub ? o->fuse_data_stub : o->fuse_data;
        int r = sw_fuse_mount(o->fuse_path, data, SW_STAGE_OLD, target);
        if (r < 0) sw_child_fail(c, -r, "mount the layers with", o->fuse_path);
        return;
    }
    make_links(c, o);
    if (chdir(o->link_dir) < 0) sw_child_fail(c, errno, "enter", o->link_dir);
    if (sw_sys_mount("overlay", target, "overlay", 0, stub ? o->data_stub : o->data) < 0)
        sw_child_fail(c, errno, "mount the overlay of", o->n_layers ? o->layers[0] : NULL);
    if (chdir("/") < 0) sw_child_fail(c, errno, "enter", "/");
}

/* ---- mount points ---- */

/* Adds c->real to the stub layer. */
static void add_to_stub(struct child *c, const char *stub, bool is_dir) {
    char *path = c->link;
    if (!sw_child_join(path, sizeof c->link, stub, "/", c->real))
        sw_child_fail(c, ENAMETOOLONG, "make the mount point", c->real);
    for (char *slash = path + strlen(stub); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        must_mkdir(c, path, 0755);
        *slash = '/';
    }
    int r = is_dir ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
    if (r < 0 && errno != EEXIST) sw_child_fail(c, errno, "make the mount point", c->real);
}

/* Directories of the stub become the image's where it lacks them: a time that is always the same
 * keeps layers reproducible. */
static void stub_target(struct child *c, const char *target, bool is_dir, bool *made) {
    const struct plan_overlay *o = c->plan->overlay;
    size_t missing;
    int r = sw_child_walk(c, target, &missing);
    if (r < 0) sw_child_fail(c, -r, "find the mount point", target);
    if (!c->real[missing]) return;
    if (!*made) {
        c->report.kind = REPORT_STUB;
        sw_child_send(c, -1);
        must_mkdir(c, o->stub, 0755);
        *made = true;
    }
    add_to_stub(c, o->stub, is_dir);
}

static const char *const system_targets[] = {"/proc", "/sys", "/dev"};

static void open_root(struct child *c) {
    if (c->root >= 0) close(c->root);
    c->root = open(SW_STAGE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->root < 0) sw_child_fail(c, errno, "open the root", NULL);
}

/* An overlay that was mounted "volatile" refuses to be mounted again until its mark is removed. */
static void remove_volatile_mark(struct child *c, const struct plan_overlay *o) {
    static const struct {
        const char *path;
        int flags;
    } marks[] = {
        {"/work/incompat/volatile/dirty", 0},
        {"/work/incompat/volatile", AT_REMOVEDIR},
        {"/work/incompat", AT_REMOVEDIR},
    };
    if (!o->work) return;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (sw_child_join(c->link, sizeof c->link, o->work, marks[i].path, NULL))
            (void)unlinkat(AT_FDCWD, c->link, marks[i].flags);
}

/* Mount points that the image lacks come from one more layer below all others, so that the upper
 * directory never sees them. */
static void add_mount_points(struct child *c) {
    struct plan *p = c->plan;
    bool made = false;
    for (size_t i = 0; i < 3; i++) stub_target(c, system_targets[i], true, &made);
    for (size_t i = 0; i < p->n_mounts; i++)
        if (!p->mounts[i].nested) stub_target(c, p->mounts[i].target, p->mounts[i].is_dir, &made);
    if (!made) return;
    close(c->root);
    c->root = -1;
    if (umount2(SW_STAGE_ROOT, 0) < 0) sw_child_fail(c, errno, "unmount the overlay", NULL);
    remove_volatile_mark(c, p->overlay);
    mount_overlay(c, p->overlay, true, SW_STAGE_ROOT);
    open_root(c);
}

static void mount_root(struct child *c) {
    struct plan *p = c->plan;
    if (p->overlay) {
        mount_overlay(c, p->overlay, false, SW_STAGE_ROOT);
        open_root(c);
        add_mount_points(c);
        return;
    }
    struct stat st;
    if (stat(p->root_path, &st) < 0) sw_child_fail(c, errno, "find the root", p->root_path);
    if (st.st_dev != p->root_dev || st.st_ino != p->root_ino)
        sw_child_fail(c, ESTALE, "find the root", p->root_path);
    if (sw_sys_mount(p->root_path, SW_STAGE_ROOT, "", MS_BIND | MS_REC, NULL) < 0)
        sw_child_fail(c, errno, "bind the root", p->root_path);
    open_root(c);
}

/* ---- mounts ---- */

/* Makes the mount at path, and with all (where the kernel can) those beneath it, read-only. The
 * flags that it has must be repeated: those of an outer user namespace are locked. */
static int make_read_only(const char *path, bool all) {
    if (sw_mount_setattr(AT_FDCWD, path, all ? AT_RECURSIVE : 0, SW_MOUNT_ATTR_RDONLY) == 0)
        return 0;
    struct statvfs st;
    if (statvfs(path, &st) < 0) return -errno;
    unsigned long flags =
        st.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
    if (st.f_flag & ST_RELATIME) flags |= MS_RELATIME;
    if (sw_sys_mount("", path, "", MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
        return -errno;
    return 0;
}

/* Opens a target that exists, anew: what was mounted on it is what is opened. */
static int open_target(struct child *c, const char *target) {
    int fd = sw_child_open_in(c, c->root, target);
    if (fd < 0) sw_child_fail(c, -fd, "open the mount point", target);
    return fd;
}

void sw_child_mount_on(struct child *c, const char *source, const char *target, const char *type,
                       unsigned long flags, const char *data) {
    char path[64];
    int fd = open_target(c, target);
    if (sw_sys_mount(source, sw_child_fd_path(path, fd), type, flags, data) < 0)
        sw_child_fail(c, errno, "mount", target);
    close(fd);
}

void sw_child_read_only_on(struct child *c, const char *target) {
    char path[64];
    int fd = open_target(c, target);
    int r = make_read_only(sw_child_fd_path(path, fd), true);
    close(fd);
    if (r < 0) sw_child_fail(c, -r, "make read-only", target);
}

static void write_content(struct child *c, const struct plan_mount *m) {
    int fd = open(m->source, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) sw_child_fail(c, errno, "make the file for", m->target);
    for (size_t done = 0; done < m->content.len;) {
        ssize_t n = write(fd, m->content.ptr + done, m->content.len - done);
        if (n < 0) sw_child_fail(c, errno, "write the file for", m->target);
        done += (size_t)n;
    }
    if (fchown(fd, m->uid, m->gid) < 0) sw_child_fail(c, errno, "set the owner of", m->target);
    if (fchmod(fd, m->mode) < 0) sw_child_fail(c, errno, "set the mode of", m->target);
    close(fd);
}

static void bind_checked(struct child *c, const struct plan_mount *m) {
    struct stat st;
    if (stat(m->source, &st) < 0) sw_child_fail(c, errno, "find", m->source);
    if (st.st_dev != m->dev || st.st_ino != m->ino) sw_child_fail(c, ESTALE, "find", m->source);
    sw_child_mount_on(c, m->source, m->target, "", MS_BIND | MS_REC, NULL);
}

/* Mounts other images' layers aside, first of all: whether a target is a file or a directory is
 * known only then. */
static void mount_other_images(struct child *c) {
    for (size_t i = 0; i < c->plan->n_mounts; i++) {
        struct plan_mount *m = &c->plan->mounts[i];
        struct stat st;
        if (m->kind != SW_MOUNT_OVERLAY) continue;
        must_mkdir(c, m->source, 0755);
        mount_overlay(c, m->overlay, false, m->source);
        int dir = open(m->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0) sw_child_fail(c, errno, "open", m->source);
        m->source_fd = sw_child_open_in(c, dir, m->subpath);
        if (m->source_fd < 0)
            sw_child_fail(c, -m->source_fd, "find in the other image", m->subpath);
        if (fstat(m->source_fd, &st) < 0) sw_child_fail(c, errno, "read", m->subpath);
        m->is_dir = S_ISDIR(st.st_mode);
        close(dir);
    }
}

static void mount_one(struct child *c, const struct plan_mount *m) {
    char path[64];
    sw_child_make_target(c, m->target, m->is_dir);
    switch (m->kind) {
    case SW_MOUNT_BIND:
        bind_checked(c, m);
        break;
    case SW_MOUNT_OVERLAY:
        sw_child_mount_on(c, sw_child_fd_path(path, m->source_fd), m->target, "", MS_BIND, NULL);
        break;
    case SW_MOUNT_TMPFS:
        sw_child_mount_on(c, "tmpfs", m->target, "tmpfs", MS_NOSUID | MS_NODEV, m->data);
        break;
    case SW_MOUNT_FILE:
        write_content(c, m);
        sw_child_mount_on(c, m->source, m->target, "", MS_BIND, NULL);
        break;
    }
    if (m->read_only) sw_child_read_only_on(c, m->target);
}

/* ---- all of it ---- */

/* After it, the host's root is /o and a small file system of ours is "/". Any directory that exists
 * will do to mount it on: pivoting takes it away from there again. */
static int pivot_to_stage(struct child *c) {
    if (sw_sys_mount("slipway", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        sw_child_fail(c, errno, "mount a stage on", "/proc");
    if (chdir("/proc") < 0) sw_child_fail(c, errno, "enter", "/proc");
    must_mkdir(c, "o", 0755);
    must_mkdir(c, "r", 0755);
    must_mkdir(c, "f", 0755);
    if (sw_sys_fault("pivot_root") || syscall(SYS_pivot_root, ".", "o") < 0) return -errno;
    return 0;
}

static void make_stage(struct child *c) {
    int r = sw_private_mounts();
    if (r < 0) sw_child_fail(c, -r, "make the mounts private", NULL);
    r = pivot_to_stage(c);
    if (r == -EINVAL) { /* the host's root is a chroot or an initramfs */
        if (chdir("/") < 0 || umount2("/proc", MNT_DETACH) < 0)
            sw_child_fail(c, errno, "take the stage away from", "/proc");
        r = sw_root_becomes_mount();
        if (r < 0) sw_child_fail(c, -r, "make a mount of the host's root", NULL);
        r = pivot_to_stage(c);
    }
    if (r < 0) sw_child_fail(c, -r, "pivot_root", NULL);
    if (chdir("/") < 0) sw_child_fail(c, errno, "enter", "/");
}

/* The sandbox's root becomes "/", and the host's disappears with the stage. */
static void enter_root(struct child *c) {
    if (fchdir(c->root) < 0) sw_child_fail(c, errno, "enter the root", NULL);
    close(c->root);
    if (syscall(SYS_pivot_root, ".", ".") < 0) sw_child_fail(c, errno, "pivot_root", NULL);
    if (umount2(".", MNT_DETACH) < 0) sw_child_fail(c, errno, "leave the host's root", NULL);
    if (chdir("/") < 0) sw_child_fail(c, errno, "enter", "/");
}

void sw_child_build_root(struct child *c) {
    struct plan *p = c->plan;
    make_stage(c);
    mount_other_images(c);
    mount_root(c);
    sw_child_mount_system(c);
    for (size_t i = 0; i < p->n_mounts; i++) mount_one(c, &p->mounts[i]);
    if (!p->insecure) sw_child_mask_paths(c);
    if (p->read_only) {
        int r = make_read_only(SW_STAGE_ROOT, false);
        if (r < 0) sw_child_fail(c, -r, "make the root read-only", NULL);
    }
    enter_root(c);
}
