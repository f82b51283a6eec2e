/* A command in fresh namespaces over an image's root file system.
 *
 * Floor 3. Different sandboxes may be used from different threads; one sandbox from one at a time
 * (sw_sandbox_signal() and sw_sandbox_kill() from any). THE THREAD THAT STARTS A SANDBOX MUST LIVE
 * UNTIL IT ENDED: the kernel kills the sandbox when the thread that made it goes (PR_SET_PDEATHSIG
 * is tied to the thread), which is also what ends it when we are killed.
 *
 * All mounts are made by the child in its own mount namespace. When the last process in it ends,
 * for whatever reason, they are gone; nothing has to be unmounted or cleaned up on the host.
 */
#ifndef SW_SANDBOX_SANDBOX_H
#define SW_SANDBOX_SANDBOX_H

#include <sys/resource.h>

#include "sandbox/network.h"
#include "sandbox/overlay.h"
#include "sandbox/security.h"

#define SW_MOUNTS_MAX 256

enum sw_mount_kind {
    SW_MOUNT_BIND,    /* a file, directory or socket of the host */
    SW_MOUNT_OVERLAY, /* a directory of another image's root */
    SW_MOUNT_TMPFS,
    SW_MOUNT_FILE, /* a file in memory with given content: secrets, resolv.conf */
};

struct sw_mount {
    enum sw_mount_kind kind;
    bool read_only;
    const char *target; /* absolute inside; links of the image are followed inside its root */
    /* BIND: source_dir <= 0: a path of the host. Otherwise a path beneath that directory (borrowed;
     * NULL: itself) whose links cannot lead out of it. OVERLAY: a path beneath it, NULL: its root.
     */
    int source_dir;
    const char *source;
    const struct sw_overlay *overlay;
    uint64_t size_bytes; /* TMPFS: 0 for the kernel's default */
    unsigned mode;       /* TMPFS (0: 01777) and FILE (0: 0644) */
    uid_t uid;           /* TMPFS and FILE */
    gid_t gid;
    struct sw_str content; /* FILE */
};

struct sw_rlimit {
    int resource;      /* RLIMIT_NOFILE ... */
    rlim_t soft, hard; /* clamped, not refused, where a hard limit may not be raised */
};
/* "nofile=1024:2048", "core=-1", as --ulimit. */
SW_NODISCARD enum sw_code sw_rlimit_parse(struct sw_str word, struct sw_rlimit *ret,
                                          struct sw_error *err);

/* 0: no limit. Asking for one that this host does not allow fails with SW_UNSUPPORTED. */
struct sw_limits {
    uint64_t memory_bytes;
    int64_t
        memory_swap_bytes; /* memory and swap together; 0: as much again, -1: no limit on swap */
    uint64_t milli_cpus;   /* 1500 is one and a half processors */
    uint64_t pids;
};

/* All pointers are borrowed until sw_sandbox_start() returns. Zero is the default of every field
 * but those that sw_sandbox_spec_init() sets. */
struct sw_sandbox_spec {
    const struct sw_userns *userns;
    /* The root: an overlay and the mode that was probed for its scratch directory ... */
    const struct sw_overlay *overlay;
    const struct sw_overlay_mode *overlay_mode;
    int root_dir; /* ... or, where overlay is NULL, a directory, which is used as it is */
    bool read_only;

    const char *const *argv; /* argv[0] is looked up inside, in envp's PATH */
    const char *const *envp; /* exactly this */
    const char *workdir;     /* must exist inside; NULL: "/" */
    const char *hostname;    /* NULL: the host's */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary ones */
    size_t n_groups;
    uint64_t capabilities; /* init: SW_CAPS_DEFAULT */
    enum sw_seccomp seccomp;
    bool no_new_privs;
    bool insecure; /* all capabilities, no filter, nothing masked: --security=insecure */
    bool init;     /* a small PID 1 of ours that reaps and forwards signals */

    const struct sw_mount *mounts; /* made by depth of target, else in this order */
    size_t n_mounts;               /* at most SW_MOUNTS_MAX */
    const struct sw_rlimit *rlimits;
    size_t n_rlimits;
    struct sw_limits limits;
    uint64_t shm_bytes; /* 0: 64 MiB */
    enum sw_network network;

    int stdin_fd, stdout_fd, stderr_fd; /* borrowed; init: 0, 1, 2. -1: /dev/null */
    bool tty;                           /* instead of them: a terminal, see sw_sandbox_tty() */
    unsigned short tty_rows, tty_cols;
};
void sw_sandbox_spec_init(struct sw_sandbox_spec *spec, const struct sw_userns *userns);

struct sw_sandbox;

/* Returns once the command runs. SW_CHILD with child_status 127 or 126: it was not found or could
 * not be executed. SW_UNSUPPORTED: this host cannot. Whatever fails, nothing is left. */
SW_NODISCARD enum sw_code sw_sandbox_start(const struct sw_sandbox_spec *spec,
                                           struct sw_sandbox **ret, struct sw_error *err);
/* Of the first process, as seen from here. */
pid_t sw_sandbox_pid(const struct sw_sandbox *s);
/* Readable (POLLIN) once the first process ended; for poll only. */
int sw_sandbox_exit_fd(const struct sw_sandbox *s);
/* The terminal's other side (borrowed), -1 without a tty. sandbox/tty.h does the rest. */
int sw_sandbox_tty(const struct sw_sandbox *s);
/* The network namespace (borrowed), for sandbox/forward.h; -1 with the host's network. */
int sw_sandbox_netns(const struct sw_sandbox *s);
/* To the first process. Like every PID 1 it does not get what it has no handler for, but SIGKILL.
 */
void sw_sandbox_signal(struct sw_sandbox *s, int signal);
/* SIGKILL to every process inside. */
void sw_sandbox_kill(struct sw_sandbox *s);
/* Waits for the end of all of it. *ret_status: exit status, or 128 + signal. Once only. An
 * out-of-memory kill by our own limit sets *ret_oom (may be NULL). */
SW_NODISCARD enum sw_code sw_sandbox_wait(struct sw_sandbox *s, int *ret_status, bool *ret_oom,
                                          struct sw_error *err);
/* Kills and waits where that is left to do. Takes NULL. */
void sw_sandbox_free(struct sw_sandbox *s);
void sw_sandbox_freep(struct sw_sandbox **s);

#endif
