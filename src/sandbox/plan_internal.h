/* What a sandbox's child does, prepared by the parent so that the child needs no memory, no locks
 * and no library state: the parent has threads, so between clone and exec only async-signal-safe
 * code may run.
 *
 * Floor 3, private.
 *
 * The child's view of the file system while it builds the root, after its first pivot_root:
 *     /          a small tmpfs, "the stage"
 *     /o         the host's root (all host paths of the plan carry this prefix and hold no links)
 *     /r         the sandbox's root, mounted
 *     /f/N       content of file mount N
 *     /k<N>      links to the layers of overlay N: short names, so that 500 of them fit the one
 * page of mount(2), and no character of a path needs quoting /m<N>      overlay N mounted, for
 * SW_MOUNT_OVERLAY
 */
#ifndef SW_SANDBOX_PLAN_INTERNAL_H
#define SW_SANDBOX_PLAN_INTERNAL_H

#include <limits.h>
#include <linux/filter.h>

#include "base/arena.h"
#include "sandbox/sandbox.h"

#define SW_STAGE_OLD "/o"
#define SW_STAGE_ROOT "/r"

struct plan_overlay {
    const char *const *layers; /* "/o/..." top first */
    size_t n_layers;
    const char *upper, *work, *stub; /* "/o/..."; NULL for read-only (stub: "/s") */
    const char *link_dir;            /* "/k0" */
    const char *data, *data_stub;    /* mount options without and with the stub layer */
    const char *fuse_path;           /* "/o/usr/bin/fuse-overlayfs"; NULL for the kernel's */
    const char *fuse_data, *fuse_data_stub;
};

struct plan_mount {
    enum sw_mount_kind kind;
    bool read_only, is_dir;
    bool nested; /* the target lies in an earlier mount: its mount point is not the root's matter */
    const char *target;
    const char *source;  /* BIND "/o/...", OVERLAY "/m1", FILE "/f/3" */
    const char *subpath; /* OVERLAY */
    int source_fd;       /* OVERLAY: opened by the child */
    dev_t dev;           /* BIND: what the parent saw at source */
    ino_t ino;
    const char *data; /* TMPFS */
    const struct plan_overlay *overlay;
    struct sw_str content;
    unsigned mode;
    uid_t uid;
    gid_t gid;
};

enum plan_sys { PLAN_SYS_MOUNT, PLAN_SYS_BIND };
enum plan_cgroup { PLAN_CGROUP_NONE, PLAN_CGROUP_V2, PLAN_CGROUP_BINDS };

/* A controller's directory shown at /sys/fs/cgroup/NAME (cgroups version 1). */
struct plan_cgroup_bind {
    char name[32];
    char source[PATH_MAX];
};

struct plan {
    const struct plan_overlay *overlay; /* the root, or NULL: */
    const char *root_path;              /* "/o/..." */
    dev_t root_dev;
    ino_t root_ino;
    bool read_only;

    struct plan_mount *mounts;
    size_t n_mounts;
    const char *shm_data;
    bool insecure;
    bool new_net;
    bool wait_for_cgroup; /* the parent moves us first; the cgroup namespace is made after it */
    /* The namespace is opened, and the way out is made, while we mount; before the command, which
     * might end at once. */
    bool wait_for_network, wants_way_out;
    enum plan_cgroup cgroup;
    const struct plan_cgroup_bind *cgroup_binds;
    size_t n_cgroup_binds;

    const char *hostname;
    size_t hostname_len;
    const char *workdir;
    const char *const *candidates; /* paths to try for argv[0] */
    size_t n_candidates;
    bool searched; /* argv[0] was looked up in PATH */
    char *const *argv;
    char *const *envp;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
    bool may_setgroups;
    uint64_t caps;
    unsigned last_cap;
    bool no_new_privs;
    struct sock_fprog seccomp; /* len 0: none */
    const struct sw_rlimit *rlimits;
    size_t n_rlimits;
    bool init;
    int stdio[3]; /* -1: /dev/null */
    bool tty;
    unsigned short tty_rows, tty_cols;

    int status_fd;  /* the child's end */
    dev_t self_dev; /* our own executable, which must not be run inside */
    ino_t self_ino;
};

/* Messages of the child. */
enum report_kind {
    REPORT_FAILED,
    REPORT_CREATED, /* a mount point in the root or in the upper directory, to be removed again */
    REPORT_STUB,    /* the stub directory was made */
    REPORT_TTY,     /* comes with the terminal's descriptor */
    REPORT_EXEC,    /* exec comes next: what follows is the end of the stream, or REPORT_FAILED */
};
struct report {
    enum report_kind kind;
    int errnum;
    bool is_dir;  /* CREATED */
    bool is_exec; /* FAILED: in executing the command; exit_status is set */
    int exit_status;
    int64_t mtime_s; /* CREATED: of the directory that holds it */
    long mtime_ns;
    char what[96]; /* FAILED: "mount the overlay" */
    char path[PATH_MAX];
};

/* Turns a specification into a plan (arena). Status descriptor, cgroup and network are the
 * caller's to fill in. */
SW_NODISCARD enum sw_code sw_plan_build(const struct sw_sandbox_spec *spec, struct sw_arena *arena,
                                        struct plan *ret, struct sw_error *err);
/* In the cloned child. Never returns. */
_Noreturn void sw_child_main(struct plan *p);

#endif
