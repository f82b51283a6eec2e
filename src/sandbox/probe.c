#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/vec.h"
#include "sandbox/cgroup_internal.h"
#include "sandbox/kernel_internal.h"
#include "sandbox/network.h"
#include "sandbox/overlay.h"
#include "sandbox/seccomp_internal.h"
#include "sandbox/subid_internal.h"

#define SMALL_FILE_MAX ((size_t)65536)

struct facts {
    struct sw_arena *arena;
    SW_VEC(struct sw_fact) list;
};

static void add(struct facts *f, const char *name, enum sw_fact_status status, struct sw_str value,
                struct sw_str advice) {
    sw_vec_add(&f->list, ((struct sw_fact){.name = name,
                                           .status = status,
                                           .value = sw_arena_cstr(f->arena, value),
                                           .advice = sw_arena_cstr(f->arena, advice)}));
}

/* ---- the distribution ---- */

enum family { DEBIAN, FEDORA, ALPINE, ARCH, SUSE, UNKNOWN };

static enum family distribution(void) {
    static const struct {
        const char *id;
        enum family family;
    } known[] = {
        {"debian", DEBIAN}, {"ubuntu", DEBIAN}, {"fedora", FEDORA}, {"rhel", FEDORA},
        {"centos", FEDORA}, {"alpine", ALPINE}, {"arch", ARCH},     {"suse", SUSE},
        {"opensuse", SUSE}, {"amzn", FEDORA},
    };
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, SMALL_FILE_MAX);
    if (sw_read_file_at(AT_FDCWD, "/etc/os-release", SMALL_FILE_MAX, &text, &ignored))
        return UNKNOWN;
    struct sw_str rest = sw_buf_str(&text), line, key, word;
    while (sw_str_next(&rest, '\n', &line)) {
        if (!sw_str_cut(line, '=', &key, &line)) continue;
        if (!sw_str_is(key, "ID") && !sw_str_is(key, "ID_LIKE")) continue;
        if (line.len >= 2 && line.ptr[0] == '"') line = sw_str_sub(line, 1, line.len - 2);
        while (sw_str_next(&line, ' ', &word))
            for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
                if (sw_str_is(word, known[i].id)) return known[i].family;
    }
    return UNKNOWN;
}

struct sw_str sw_install_advice(const char *package, struct sw_arena *arena) {
    static const struct {
        const char *debian, *others[UNKNOWN];
    } names[] = {
        {"uidmap", {"uidmap", "shadow-utils", "shadow-subids", "shadow", "shadow"}},
        {"qemu-user-static",
         {"qemu-user-static", "qemu-user-static", "qemu-aarch64", "qemu-user-static-binfmt",
          "qemu-linux-user"}},
    };
    static const char *const commands[] = {"apt-get install -y", "dnf install -y", "apk add",
                                           "pacman -S --noconfirm", "zypper install -y"};
    enum family family = distribution();
    if (family == UNKNOWN) return sw_arena_printf(arena, "install the package %s", package);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i].debian, package)) package = names[i].others[family];
    return sw_arena_printf(arena, "%s %s", commands[family], package);
}

/* ---- the kernel ---- */

static bool has_call(long result) { return result >= 0 || errno != ENOSYS; }

static void probe_kernel(struct facts *f) {
    struct utsname host;
    unsigned major = 0, minor = 0;
    if (uname(&host) < 0) return;
    (void)sscanf(host.release, "%u.%u", &major, &minor);
    bool old = major < 5 || (major == 5 && minor < 11);
    add(f, "kernel", old ? SW_FACT_WARN : SW_FACT_OK, sw_str(host.release),
        old ? SW_STR("from Linux 5.11 on, overlays work without root") : SW_STR(""));
    static const struct {
        const char *name, *since;
    } calls[] = {
        {"openat2", "5.6"}, {"clone3", "5.3"}, {"pidfd", "5.3"}, {"mount_setattr", "5.12"}};
    const bool there[] = {
        has_call(sw_openat2(-1, "", 0, 0)),
        has_call(syscall(SYS_clone3, NULL, 0)),
        has_call(sw_pidfd_open(-1)),
        has_call(sw_mount_setattr(-1, "", 0, 0)),
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        add(f, calls[i].name, there[i] ? SW_FACT_OK : SW_FACT_WARN,
            there[i] ? SW_STR("available") : SW_STR("not available"),
            there[i] ? SW_STR("")
                     : sw_arena_printf(f->arena, "works without, more slowly; Linux %s has it",
                                       calls[i].since));
}

static void probe_seccomp(struct facts *f) {
    struct sock_fprog program;
    struct sw_error err;
    bool kernel = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    if (!kernel) {
        add(f, "seccomp", SW_FACT_MISSING, SW_STR("not in this kernel"),
            SW_STR("use a kernel with CONFIG_SECCOMP_FILTER, or allow it with "
                   "--security-opt seccomp=unconfined"));
    } else if (sw_seccomp_filter(SW_CAPS_DEFAULT, &program, &err)) {
        add(f, "seccomp", SW_FACT_MISSING, sw_str(err.text), SW_STR(""));
    } else {
        add(f, "seccomp", SW_FACT_OK,
            sw_arena_printf(f->arena, "filter of %u instructions", (unsigned)program.len),
            SW_STR(""));
    }
}

/* ---- user namespaces ---- */

/* Enters one in a child. The number of the error, 0 for success. */
static int try_userns(void) {
    sigset_t all, before;
    int status;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = sw_clone_fork(CLONE_NEWUSER | CLONE_NEWNS, SIGCHLD, -1);
    int saved = errno;
    if (pid == 0) _exit(0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) return saved;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return 0;
}

static bool sysctl_is(const char *path, const char *value) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, 256);
    return !sw_read_file_at(AT_FDCWD, path, 256, &text, &ignored) &&
           sw_str_is(sw_str_trim(sw_buf_str(&text)), value);
}

static void probe_userns(struct facts *f, const struct sw_userns *userns) {
    int reason = try_userns();
    struct sw_str advice = SW_STR("");
    if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
        advice = SW_STR("sysctl -w kernel.unprivileged_userns_clone=1");
    else if (sysctl_is("/proc/sys/user/max_user_namespaces", "0"))
        advice = SW_STR("sysctl -w user.max_user_namespaces=15000");
    else if (sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
        advice = SW_STR("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give slipway "
                        "an AppArmor profile with \"userns,\"");
    bool bad = reason != 0;
    if (bad && !advice.len)
        advice = SW_STR("the container or policy around this process forbids them: run as root, or "
                        "allow unshare(2) and clone(2) with namespaces");
    add(f, "user-namespaces",
        bad          ? SW_FACT_MISSING
        : advice.len ? SW_FACT_WARN
                     : SW_FACT_OK,
        bad ? sw_str(strerror(reason)) : SW_STR("available"), advice);
    if (userns)
        add(f, "privileges", userns->why[0] ? SW_FACT_WARN : SW_FACT_OK,
            sw_arena_printf(f->arena, "%s, %u IDs", sw_userns_mode_name(userns->mode),
                            (unsigned)userns->n_uids),
            sw_str(userns->why));
}

static void probe_subids(struct facts *f, const struct sw_userns *userns) {
    struct sw_subids uids, gids;
    uid_t uid = userns ? userns->outer_uid : geteuid();
    sw_subids_read("/etc/subuid", uid, &uids);
    sw_subids_read("/etc/subgid", uid, &gids);
    bool needed = uid != 0;
    enum sw_fact_status missing = needed ? SW_FACT_WARN : SW_FACT_OK;
    if (uids.n && gids.n) {
        add(f, "subordinate-ids", SW_FACT_OK,
            sw_arena_printf(f->arena, "%u-%u", uids.ranges[0].start,
                            uids.ranges[0].start + uids.ranges[0].count - 1),
            SW_STR(""));
    } else {
        add(f, "subordinate-ids", missing,
            needed ? SW_STR("none") : SW_STR("none, and root needs none"),
            needed ? sw_arena_printf(f->arena,
                                     "usermod --add-subuids 100000-165535 --add-subgids "
                                     "100000-165535 \"$(id -un %u)\"",
                                     (unsigned)uid)
                   : SW_STR(""));
    }
    bool tools = sw_proc_find("newuidmap", NULL) && sw_proc_find("newgidmap", NULL);
    add(f, "newuidmap", tools ? SW_FACT_OK : missing,
        tools ? SW_STR("installed") : SW_STR("not installed"),
        tools || !needed ? SW_STR("") : sw_install_advice("uidmap", f->arena));
}

/* ---- overlays, groups, networks ---- */

static void probe_overlay(struct facts *f, int dir, const struct sw_userns *userns) {
    struct sw_userns native = {.mode = SW_USERNS_NATIVE, .user_xattr = geteuid() != 0};
    struct sw_overlay_mode mode = {0};
    struct sw_error err;
    static const char *const names[] = {"copying", "overlayfs", "fuse-overlayfs"};
    int own = -1;
    if (dir < 0) {
        const char *temporary = getenv("TMPDIR");
        own = dir =
            open(temporary && *temporary ? temporary : "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (!userns && geteuid() != 0) {
        add(f, "overlay", SW_FACT_WARN, SW_STR("not tried"),
            SW_STR("it is tried once a user namespace was entered"));
    } else if (dir < 0 || sw_overlay_probe(dir, userns ? userns : &native, &mode, &err)) {
        add(f, "overlay", SW_FACT_WARN, SW_STR("not tried"),
            dir < 0 ? SW_STR("no directory to try it in") : sw_str(err.text));
    } else {
        bool fine = mode.kind == SW_OVERLAY_KERNEL;
        bool fuse = mode.kind == SW_OVERLAY_FUSE || fine;
        add(f, "overlay", fine ? SW_FACT_OK : SW_FACT_WARN,
            sw_arena_printf(f->arena, "%s%s%s", names[mode.kind],
                            fine && mode.user_xattr ? ", user xattrs" : "",
                            fine && mode.is_volatile ? ", volatile" : ""),
            fuse ? sw_str(mode.why)
                 : sw_arena_printf(f->arena, "%s; or: %s", mode.why,
                                   sw_install_advice("fuse-overlayfs", f->arena).ptr));
    }
    if (own >= 0) close(own);
}

static void probe_cgroups(struct facts *f) {
    bool memory, cpu, pids;
    const char *version = sw_cgroup_survey(&memory, &cpu, &pids);
    bool all = memory && cpu && pids, none = !memory && !cpu && !pids;
    add(f, "cgroups", all ? SW_FACT_OK : SW_FACT_WARN,
        none ? sw_arena_printf(f->arena, "%s; nothing may be limited", version)
             : sw_arena_printf(f->arena, "%s; may limit%s%s%s", version, memory ? " memory" : "",
                               cpu ? " cpu" : "", pids ? " pids" : ""),
        all ? SW_STR("")
            : SW_STR("for limits run as root, or in a delegated group: systemd-run --user --scope "
                     "-p Delegate=yes slipway ..."));
}

static void probe_network(struct facts *f) {
    SW_BUF struct sw_buf why;
    sw_buf_init(&why, 1024);
    enum sw_network_helper helper = sw_network_helper(&why);
    bool installed = sw_proc_find("pasta", NULL) || sw_proc_find("slirp4netns", NULL);
    struct sw_str advice =
        installed ? sw_buf_str(&why) : sw_install_advice("slirp4netns", f->arena);
    add(f, "private-network", helper ? SW_FACT_OK : SW_FACT_WARN,
        helper ? sw_str(sw_network_helper_name(helper)) : SW_STR("host or none only"),
        helper ? SW_STR("") : advice);
}

static void probe_foreign(struct facts *f) {
    bool emulates = false;
    static const char *const handlers[] = {"aarch64", "x86_64", "arm"};
    char path[64];
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        snprintf(path, sizeof path, "/proc/sys/fs/binfmt_misc/qemu-%s", handlers[i]);
        emulates = emulates || access(path, F_OK) == 0;
    }
    add(f, "foreign-architectures", SW_FACT_OK,
        emulates ? SW_STR("emulated") : SW_STR("not emulated"),
        emulates ? SW_STR("")
                 : sw_arena_printf(f->arena, "to RUN for other architectures: %s",
                                   sw_install_advice("qemu-user-static", f->arena).ptr));
}

void sw_probe_host(int dir, const struct sw_userns *userns, struct sw_arena *arena,
                   struct sw_fact **ret_facts, size_t *ret_n) {
    struct facts f = {.arena = arena};
    probe_kernel(&f);
    probe_userns(&f, userns);
    probe_subids(&f, userns);
    probe_overlay(&f, dir, userns);
    probe_cgroups(&f);
    probe_seccomp(&f);
    probe_network(&f);
    probe_foreign(&f);
    struct sw_fact *facts = sw_arena_array(arena, f.list.len, sizeof *facts);
    memcpy(facts, f.list.ptr, f.list.len * sizeof *facts);
    *ret_facts = facts;
    *ret_n = f.list.len;
    sw_vec_done(&f.list);
}
