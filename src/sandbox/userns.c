#include "sandbox/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "sandbox/kernel_internal.h"
#include "sandbox/subid_internal.h"

/* The kernel's PROC_USER_INIT_INO. The map cannot tell: a namespace below may have the same. */
#define FIRST_USERNS_INODE 0xeffffffdU

const char *sw_userns_mode_name(enum sw_userns_mode mode) {
    static const char *const names[] = {"native", "range", "single"};
    return names[mode];
}

static bool have_cap(unsigned cap) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0) return false;
    return data[cap / 32].effective >> (cap % 32) & 1;
}

bool sw_userns_is_first(void) {
    struct stat st;
    /* A kernel without user namespaces has no such file, and nothing but the first. */
    return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == FIRST_USERNS_INODE;
}

/* IDs from 0 upwards that the map of this process holds without a gap in the inside numbers. */
static uint32_t mapped_count(const char *path) {
    SW_BUF struct sw_buf text;
    struct sw_error ignored;
    sw_buf_init(&text, 65536);
    if (sw_read_file_at(AT_FDCWD, path, 65536, &text, &ignored)) return UINT32_MAX;
    uint64_t end = 0;
    struct sw_str rest = sw_buf_str(&text), line;
    while (sw_str_next(&rest, '\n', &line)) {
        unsigned long inside, outside, count;
        char copy[128];
        snprintf(copy, sizeof copy, "%.*s", SW_ARG(line));
        if (sscanf(copy, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == end)
            end += count;
    }
    return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

static enum sw_code write_map(pid_t pid, const char *file, const char *text, struct sw_error *err) {
    char path[64];
    if (pid) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    } else {
        snprintf(path, sizeof path, "/proc/self/%s", file);
    }
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_WRONLY, 0, &fd, err);
    if (code) return code;
    /* One write: the kernel takes a map once and whole. */
    if (sw_sys_write(fd, text, strlen(text)) < 0) return sw_fail_sys(err, errno, "write %s", path);
    return SW_OK;
}

/* ---- the helper outside: maps the ranges of the process that entered ---- */

struct outside {
    struct sw_subids uids, gids;
    bool have_ranges;
    bool identity; /* privileged enough to map everything onto itself */
};

static enum sw_code identity_map(pid_t pid, const char *file, const char *own,
                                 struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 4096);
    enum sw_code code = sw_read_file_at(AT_FDCWD, own, 4096, &text, err);
    if (code) return code;
    SW_BUF struct sw_buf map;
    sw_buf_init(&map, 4096);
    struct sw_str rest = sw_buf_str(&text), line;
    while (sw_str_next(&rest, '\n', &line)) {
        unsigned long inside, outside, count;
        char copy[128];
        snprintf(copy, sizeof copy, "%.*s", SW_ARG(line));
        if (sscanf(copy, "%lu %lu %lu", &inside, &outside, &count) == 3)
            sw_buf_addf(&map, "%lu %lu %lu\n", inside, inside, count);
    }
    return write_map(pid, file, map.ptr, err);
}

static enum sw_code run_mapper(const char *program, pid_t pid, unsigned own,
                               const struct sw_subids *ids, struct sw_error *err) {
    char words[2 + 3 * (1 + SW_SUBIDS_MAX)][16];
    const char *argv[sizeof words / sizeof words[0] + 2];
    size_t n = 0, w = 0;
    unsigned next = 1;
    argv[n++] = program;
#define WORD(value)                                                                                \
    (snprintf(words[w], sizeof words[0], "%u", (unsigned)(value)), argv[n++] = words[w++])
    WORD(pid);
    WORD(0), WORD(own), WORD(1);
    for (size_t i = 0; i < ids->n; i++) {
        WORD(next), WORD(ids->ranges[i].start), WORD(ids->ranges[i].count);
        next += ids->ranges[i].count;
    }
#undef WORD
    argv[n] = NULL;
    struct sw_proc_options options = {.argv = argv};
    return sw_proc_run(&options, NULL, err);
}

/* Waits until the parent is in its namespace, maps it, and answers with the error text ("" for
 * success). Never returns. */
static void map_from_outside(pid_t pid, const struct outside *o, int in, int out) {
    struct sw_error err = {0};
    char go;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(in, &go, 1) != 1) _exit(0);
    enum sw_code code = SW_OK;
    if (o->identity) {
        code = identity_map(pid, "uid_map", "/proc/self/uid_map", &err);
        if (!code) code = identity_map(pid, "gid_map", "/proc/self/gid_map", &err);
    } else {
        code = run_mapper("newgidmap", pid, getegid(), &o->gids, &err);
        if (!code) code = run_mapper("newuidmap", pid, geteuid(), &o->uids, &err);
    }
    size_t len = code ? strlen(err.text) + 1 : 1;
    if (!code) err.text[0] = '\0';
    ssize_t n = write(out, err.text, len);
    _exit(n == (ssize_t)len ? 0 : 1);
}

/* ---- inside ---- */

static enum sw_code map_single(uid_t uid, gid_t gid, struct sw_error *err) {
    char text[64];
    snprintf(text, sizeof text, "0 %u 1", (unsigned)uid);
    enum sw_code code = write_map(0, "uid_map", text, err);
    if (code) return code;
    if (mapped_count("/proc/self/gid_map")) return SW_OK; /* newgidmap did work */
    /* Kernels before 3.19 have no such file and need none. */
    code = write_map(0, "setgroups", "deny", err);
    if (code && code != SW_NOT_FOUND) return code;
    snprintf(text, sizeof text, "0 %u 1", (unsigned)gid);
    return write_map(0, "gid_map", text, err);
}

static enum sw_code refused(int errnum, struct sw_error *err) {
    char text[64] = "";
    SW_BUF struct sw_buf value;
    struct sw_error ignored;
    sw_buf_init(&value, 256);
    enum sw_code code = sw_fail_sys(err, errnum, "enter a user namespace");
    err->code = errnum == ENOSYS || errnum == EINVAL ? SW_UNSUPPORTED : SW_DENIED;
    (void)code;
    static const struct {
        const char *path, *bad, *advice;
    } switches[] = {
        {"/proc/sys/kernel/unprivileged_userns_clone", "0",
         "; allow it with: sysctl -w kernel.unprivileged_userns_clone=1"},
        {"/proc/sys/user/max_user_namespaces", "0",
         "; allow it with: sysctl -w user.max_user_namespaces=15000"},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
         "; AppArmor forbids it to programs without a profile: allow it with sysctl -w "
         "kernel.apparmor_restrict_unprivileged_userns=0"},
    };
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        sw_buf_reset(&value);
        if (sw_read_file_at(AT_FDCWD, switches[i].path, 256, &value, &ignored)) continue;
        snprintf(text, sizeof text, "%.*s", SW_ARG(sw_str_trim(sw_buf_str(&value))));
        if (!strcmp(text, switches[i].bad)) {
            sw_advise(err, "%s", switches[i].advice);
            return err->code;
        }
    }
    sw_advise(err,
              "; the container or security policy around this process forbids it: run as root, "
              "or allow user namespaces");
    return err->code;
}

/* Which ranges may be used; says why not in ret->why. */
static void find_ranges(struct outside *o, struct sw_userns *ret) {
    o->identity = ret->outer_uid == 0 && have_cap(CAP_SETUID) && have_cap(CAP_SETGID);
    if (o->identity) return;
    sw_subids_read("/etc/subuid", ret->outer_uid, &o->uids);
    sw_subids_read("/etc/subgid", ret->outer_uid, &o->gids);
    if (!o->uids.n || !o->gids.n) {
        snprintf(ret->why, sizeof ret->why,
                 "no subordinate IDs for this user in %s: usermod --add-subuids 100000-165535 "
                 "--add-subgids 100000-165535 USER",
                 o->uids.n ? "/etc/subgid" : "/etc/subuid");
    } else if (!sw_proc_find("newuidmap", NULL) || !sw_proc_find("newgidmap", NULL)) {
        snprintf(ret->why, sizeof ret->why,
                 "newuidmap and newgidmap are not installed (package uidmap or shadow-utils)");
    } else {
        o->have_ranges = true;
    }
}

static uint32_t total(const struct sw_subids *ids) {
    uint32_t n = 1;
    for (size_t i = 0; i < ids->n; i++) n += ids->ranges[i].count;
    return n;
}

/* The process has left its user namespace: asks the helper for the ranges, else maps itself. */
static enum sw_code map_myself(const struct outside *o, int to_helper, int from_helper,
                               struct sw_userns *ret, struct sw_error *err) {
    if (to_helper >= 0) {
        char answer[sizeof ret->why] = "the helper that maps IDs ended";
        size_t len = 0;
        ssize_t n = write(to_helper, "g", 1);
        while (n > 0 && len < sizeof answer - 1 &&
               (n = sw_sys_read(from_helper, answer + len, sizeof answer - 1 - len)) > 0)
            len += (size_t)n;
        answer[len] = '\0';
        if (len && !answer[0]) {
            ret->mode = SW_USERNS_RANGE;
            ret->n_uids = o->identity ? mapped_count("/proc/self/uid_map") : total(&o->uids);
            ret->n_gids = o->identity ? mapped_count("/proc/self/gid_map") : total(&o->gids);
            return SW_OK;
        }
        snprintf(ret->why, sizeof ret->why, "%s", answer);
    }
    ret->mode = SW_USERNS_SINGLE;
    ret->n_uids = ret->n_gids = 1;
    return map_single(ret->outer_uid, ret->outer_gid, err);
}

static enum sw_code become_root(struct sw_error *err) {
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return sw_fail_sys(err, errno, "become root in the user namespace");
    if (sw_sys_mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
        return refused(errno, err); /* AppArmor grants the namespace, but nothing in it */
    return SW_OK;
}

enum sw_code sw_userns_enter(struct sw_userns *ret, struct sw_error *err) {
    struct sw_userns result = {.outer_uid = geteuid(), .outer_gid = getegid()};
    if (result.outer_uid == 0 && have_cap(CAP_SYS_ADMIN)) {
        result.n_gids = mapped_count("/proc/self/gid_map");
        result.n_uids = mapped_count("/proc/self/uid_map");
        result.user_xattr = !sw_userns_is_first();
        /* Root of a namespace that somebody else made: what it can do is what its map holds. */
        if (result.user_xattr) result.mode = result.n_uids > 1 ? SW_USERNS_RANGE : SW_USERNS_SINGLE;
        *ret = result;
        return SW_OK;
    }
    result.user_xattr = true;
    struct outside o = {0};
    find_ranges(&o, &result);
    int there[2] = {-1, -1}, back[2] = {-1, -1};
    pid_t helper = -1, self = getpid();
    if (o.identity || o.have_ranges) {
        if (pipe2(there, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
        if (pipe2(back, O_CLOEXEC) < 0) {
            int saved = errno;
            close(there[0]), close(there[1]);
            return sw_fail_sys(err, saved, "make a pipe");
        }
        helper = fork();
        if (helper == 0) {
            close(there[1]), close(back[0]);
            map_from_outside(self, &o, there[0], back[1]);
        }
        close(there[0]), close(back[1]);
    }
    enum sw_code code = SW_OK;
    if (sw_sys_fault("unshare") || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        code = refused(errno, err);
    if (!code) code = map_myself(&o, helper > 0 ? there[1] : -1, back[0], &result, err);
    if (helper > 0) {
        close(there[1]), close(back[0]);
        while (waitpid(helper, NULL, 0) < 0 && errno == EINTR) continue;
    }
    if (!code) code = become_root(err);
    if (!code) *ret = result;
    return code;
}
