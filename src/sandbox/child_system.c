/* /proc, /sys and /dev of a sandbox, and what of them it must not see or change. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "sandbox/child_internal.h"

static int try_mount_on(struct child *c, const char *source, const char *target, const char *type,
                        unsigned long flags, const char *data) {
    char path[64];
    int fd = sw_child_open_in(c, c->root, target);
    if (fd < 0) return fd;
    int r = sw_sys_mount(source, sw_child_fd_path(path, fd), type, flags, data) < 0 ? -errno : 0;
    close(fd);
    return r;
}

#define PSEUDO (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Where /proc of the host is masked (a container around us), the kernel refuses a new one to a user
 * namespace; the host's own then has to do. */
static void mount_proc(struct child *c) {
    sw_child_make_target(c, "/proc", true);
    int r = try_mount_on(c, "proc", "/proc", "proc", PSEUDO, NULL);
    if (r == -EPERM || r == -EACCES)
        r = try_mount_on(c, SW_STAGE_OLD "/proc", "/proc", "", MS_BIND | MS_REC, NULL);
    if (r < 0) sw_child_fail(c, -r, "mount", "/proc");
}

static void mount_cgroups(struct child *c) {
    struct plan *p = c->plan;
    if (p->cgroup == PLAN_CGROUP_V2)
        (void)try_mount_on(c, "cgroup2", "/sys/fs/cgroup", "cgroup2", PSEUDO | MS_RDONLY, NULL);
    if (p->cgroup != PLAN_CGROUP_BINDS) return;
    if (try_mount_on(c, "tmpfs", "/sys/fs/cgroup", "tmpfs", PSEUDO, "mode=755") < 0) return;
    for (size_t i = 0; i < p->n_cgroup_binds; i++) {
        char target[64];
        const struct plan_cgroup_bind *b = &p->cgroup_binds[i];
        if (!sw_child_join(target, sizeof target, "sys/fs/cgroup/", b->name, NULL)) continue;
        int fd = sw_child_open_in(c, c->root, "/sys/fs/cgroup");
        if (fd >= 0 && mkdirat(fd, b->name, 0755) == 0 &&
            try_mount_on(c, b->source, target, "", MS_BIND, NULL) == 0)
            sw_child_read_only_on(c, target);
        if (fd >= 0) close(fd);
    }
}

/* A user namespace that does not own its network may not mount a new /sys. */
static void mount_sys(struct child *c) {
    struct plan *p = c->plan;
    sw_child_make_target(c, "/sys", true);
    int r = try_mount_on(c, "sysfs", "/sys", "sysfs", PSEUDO, NULL);
    if (r == -EPERM || r == -EACCES)
        r = try_mount_on(c, SW_STAGE_OLD "/sys", "/sys", "", MS_BIND | MS_REC, NULL);
    if (r < 0) sw_child_fail(c, -r, "mount", "/sys");
    if (!p->insecure) sw_child_read_only_on(c, "/sys");
    mount_cgroups(c);
}

static void make_devices(struct child *c, int dev) {
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                 {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        const char *name = nodes[i].name;
        /* The kernel's encoding of a device number, for numbers this small. */
        dev_t number = (dev_t)(nodes[i].major << 8 | nodes[i].minor);
        char source[32], target[32];
        if (sw_sys_mknodat(dev, name, S_IFCHR | 0666, number) == 0) continue;
        if (errno != EPERM) sw_child_fail(c, errno, "make the device", name);
        (void)sw_child_join(source, sizeof source, SW_STAGE_OLD "/dev/", name, NULL);
        (void)sw_child_join(target, sizeof target, "/dev/", name, NULL);
        int fd = openat(dev, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) sw_child_fail(c, errno, "make the device", name);
        close(fd);
        sw_child_mount_on(c, source, target, "", MS_BIND, NULL);
    }
}

static void mount_dev(struct child *c) {
    struct plan *p = c->plan;
    static const char *const links[][2] = {
        {"pts/ptmx", "ptmx"},          {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
        {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
    };
    sw_child_make_target(c, "/dev", true);
    sw_child_mount_on(c, "tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME,
                      "mode=755,size=65536k");
    int dev = sw_child_open_in(c, c->root, "/dev");
    if (dev < 0) sw_child_fail(c, -dev, "open", "/dev");
    make_devices(c, dev);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            sw_child_fail(c, errno, "make the link", links[i][1]);
    static const char *const dirs[] = {"pts", "shm", "mqueue"};
    for (size_t i = 0; i < 3; i++)
        if (mkdirat(dev, dirs[i], 0755) < 0) sw_child_fail(c, errno, "make", dirs[i]);
    if (p->tty) {
        int fd = openat(dev, "console", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) sw_child_fail(c, errno, "make", "/dev/console");
        close(fd);
    }
    close(dev);
    /* Group 5 is tty; a namespace of one ID has no group 5. */
    int r = try_mount_on(c, "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                         "newinstance,ptmxmode=0666,mode=0620,gid=5");
    if (r == -EINVAL)
        r = try_mount_on(c, "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                         "newinstance,ptmxmode=0666,mode=0620");
    if (r < 0) sw_child_fail(c, -r, "mount", "/dev/pts");
    sw_child_mount_on(c, "shm", "/dev/shm", "tmpfs", PSEUDO, p->shm_data);
    /* A kernel may be built without message queues. */
    (void)try_mount_on(c, "mqueue", "/dev/mqueue", "mqueue", PSEUDO, NULL);
}

void sw_child_mount_system(struct child *c) {
    mount_proc(c);
    mount_sys(c);
    mount_dev(c);
}

void sw_child_mask_paths(struct child *c) {
    static const char *const masked[] = {
        "/proc/acpi",        "/proc/asound",        "/proc/kcore",
        "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug",   "/proc/scsi",
        "/proc/interrupts",  "/sys/firmware",       "/sys/devices/virtual/powercap",
    };
    static const char *const fixed[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    };
    for (size_t i = 0; i < sizeof masked / sizeof masked[0]; i++) {
        struct stat st;
        int fd = sw_child_open_in(c, c->root, masked[i]);
        if (fd < 0) continue; /* this kernel does not have it */
        bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
        close(fd);
        if (is_dir) {
            sw_child_mount_on(c, "tmpfs", masked[i], "tmpfs", MS_RDONLY | PSEUDO, "size=0k");
        } else {
            sw_child_mount_on(c, SW_STAGE_OLD "/dev/null", masked[i], "", MS_BIND, NULL);
        }
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        int fd = sw_child_open_in(c, c->root, fixed[i]);
        if (fd < 0) continue;
        char path[64];
        sw_child_fd_path(path, fd);
        if (sw_sys_mount(path, path, "", MS_BIND | MS_REC, NULL) < 0)
            sw_child_fail(c, errno, "protect", fixed[i]);
        close(fd);
        sw_child_read_only_on(c, fixed[i]);
    }
}
