/* Limits through control groups, version 1, 2, or both at once.
 *
 * A leaf is named slipway-PID-START-N after the process that made it (PID and its start time, so
 * that a reused number is noticed). Making one first removes leaves whose process is gone.
 */
#include "sandbox/cgroup_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "sandbox/guard_internal.h"

#define TABLE_MAX ((size_t)1 << 20) /* /proc/self/mountinfo */
#define PREFIX "slipway-"

enum controller { MEMORY, CPU, PIDS, N_CONTROLLERS };
static const char *const controller_names[N_CONTROLLERS] = {"memory", "cpu", "pids"};

/* Where a controller's files are: the directory in which this process's group may have children. */
struct hierarchy {
    char dir[PATH_MAX]; /* "" where the controller is not to be had */
    bool v2;
};

struct sw_cgroup {
    char leaf[N_CONTROLLERS][PATH_MAX]; /* "" where unused; two may be the same (cpu,cpuacct) */
    bool v2;
    int v2_fd; /* of the only leaf; -1 otherwise */
};

/* ---- where we are ---- */

static bool has_word(struct sw_str list, char separator, const char *word) {
    struct sw_str field;
    while (sw_str_next(&list, separator, &field))
        if (sw_str_is(sw_str_trim(field), word)) return true;
    return false;
}

/* Our path in the hierarchy of a controller (version 2: name ""), from /proc/self/cgroup. */
static bool own_path(struct sw_str table, const char *name, char *to, size_t size) {
    struct sw_str line;
    while (sw_str_next(&table, '\n', &line)) {
        struct sw_str number, controllers;
        if (!sw_str_cut(line, ':', &number, &line) || !sw_str_cut(line, ':', &controllers, &line))
            continue;
        bool match = *name ? has_word(controllers, ',', name) : sw_str_is(number, "0");
        if (!match || (!*name && controllers.len)) continue;
        snprintf(to, size, "%.*s", SW_ARG(line));
        return true;
    }
    return false;
}

/* The mount point of it, and the part of the hierarchy that is mounted there. */
static bool mount_point(struct sw_str table, const char *name, char *to, size_t size, char *root,
                        size_t root_size) {
    struct sw_str line;
    while (sw_str_next(&table, '\n', &line)) {
        struct sw_str f[10], rest = line, type, options, tail;
        size_t n = 0;
        while (n < 10 && sw_str_next(&rest, ' ', &f[n])) n++;
        size_t dash = sw_str_find(line, SW_STR(" - "));
        if (n < 6 || dash == SIZE_MAX) continue;
        tail = sw_str_from(line, dash + 3);
        (void)sw_str_cut(tail, ' ', &type, &tail);
        (void)sw_str_cut(tail, ' ', &(struct sw_str){0}, &options);
        bool match = *name ? sw_str_is(type, "cgroup") && has_word(options, ',', name)
                           : sw_str_is(type, "cgroup2");
        if (!match) continue;
        snprintf(root, root_size, "%.*s", SW_ARG(f[3]));
        snprintf(to, size, "%.*s", SW_ARG(f[4]));
        return true;
    }
    return false;
}

static bool find_dir(struct sw_str groups, struct sw_str mounts, const char *name, char *to,
                     size_t size) {
    char path[PATH_MAX / 2], point[PATH_MAX / 4], root[PATH_MAX / 4];
    if (!own_path(groups, name, path, sizeof path)) return false;
    if (!mount_point(mounts, name, point, sizeof point, root, sizeof root)) return false;
    const char *below = path;
    size_t len = strlen(root);
    if (strcmp(root, "/") != 0 && !strncmp(path, root, len)) below = path + len;
    snprintf(to, size, "%s%s", point, strcmp(below, "/") != 0 ? below : "");
    return access(to, F_OK) == 0;
}

static bool read_word_list(const char *dir, const char *file, struct sw_buf *to) {
    char path[PATH_MAX + 64];
    struct sw_error ignored;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    sw_buf_reset(to);
    return sw_read_file_at(AT_FDCWD, path, 65536, to, &ignored) == SW_OK;
}

static bool write_value(const char *dir, const char *file, const char *value) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd = sw_sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return false;
    ssize_t n = sw_sys_write(fd, value, strlen(value));
    int saved = errno;
    close(fd);
    errno = saved;
    return n == (ssize_t)strlen(value);
}

/* In version 2 a group with processes has no children with controllers (but the root), so that the
 * leaf goes beside our own group where it cannot go below. */
static void find_v2(struct sw_str groups, struct sw_str mounts, struct hierarchy *h) {
    SW_BUF struct sw_buf have;
    char dir[PATH_MAX];
    sw_buf_init(&have, 65536);
    if (!find_dir(groups, mounts, "", dir, sizeof dir)) return;
    for (;;) {
        bool wanted = false;
        for (int i = 0; i < N_CONTROLLERS; i++) {
            if (h[i].dir[0] || !read_word_list(dir, "cgroup.controllers", &have) ||
                !has_word(sw_buf_str(&have), ' ', controller_names[i]))
                continue;
            char word[32];
            snprintf(word, sizeof word, "+%s", controller_names[i]);
            bool enabled = read_word_list(dir, "cgroup.subtree_control", &have) &&
                           has_word(sw_buf_str(&have), ' ', controller_names[i]);
            if (access(dir, W_OK) == 0 &&
                (enabled || write_value(dir, "cgroup.subtree_control", word))) {
                snprintf(h[i].dir, sizeof h[i].dir, "%s", dir);
                h[i].v2 = true;
            } else {
                wanted = true;
            }
        }
        char *slash = strrchr(dir, '/');
        if (!wanted || !slash || slash == dir) return;
        *slash = '\0';
    }
}

static void find_hierarchies(struct hierarchy h[N_CONTROLLERS]) {
    SW_BUF struct sw_buf groups;
    SW_BUF struct sw_buf mounts;
    struct sw_error ignored;
    sw_buf_init(&groups, TABLE_MAX);
    sw_buf_init(&mounts, TABLE_MAX);
    for (int i = 0; i < N_CONTROLLERS; i++) h[i] = (struct hierarchy){0};
    if (sw_read_file_at(AT_FDCWD, "/proc/self/cgroup", TABLE_MAX, &groups, &ignored) ||
        sw_read_file_at(AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX, &mounts, &ignored))
        return;
    for (int i = 0; i < N_CONTROLLERS; i++) {
        char *dir = h[i].dir;
        if (!find_dir(sw_buf_str(&groups), sw_buf_str(&mounts), controller_names[i], dir,
                      sizeof h[i].dir) ||
            access(dir, W_OK) < 0)
            dir[0] = '\0';
    }
    find_v2(sw_buf_str(&groups), sw_buf_str(&mounts), h);
}

const char *sw_cgroup_survey(bool *ret_memory, bool *ret_cpu, bool *ret_pids) {
    SW_BUF struct sw_buf mounts;
    struct sw_error ignored;
    char point[PATH_MAX], root[PATH_MAX];
    struct hierarchy *h = sw_calloc(N_CONTROLLERS, sizeof *h);
    find_hierarchies(h);
    *ret_memory = h[MEMORY].dir[0] != '\0';
    *ret_cpu = h[CPU].dir[0] != '\0';
    *ret_pids = h[PIDS].dir[0] != '\0';
    free(h);
    sw_buf_init(&mounts, TABLE_MAX);
    if (sw_read_file_at(AT_FDCWD, "/proc/self/mountinfo", TABLE_MAX, &mounts, &ignored))
        return "none";
    bool v2 = mount_point(sw_buf_str(&mounts), "", point, sizeof point, root, sizeof root);
    bool v1 = false;
    for (int i = 0; i < N_CONTROLLERS; i++)
        v1 = v1 || mount_point(sw_buf_str(&mounts), controller_names[i], point, sizeof point, root,
                               sizeof root);
    return v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none";
}

/* ---- leaves ---- */

static void remove_stale(const char *dir) {
    DIR *d = opendir(dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        int pid;
        unsigned long long start;
        if (strncmp(e->d_name, PREFIX, sizeof PREFIX - 1) != 0 ||
            sscanf(e->d_name + sizeof PREFIX - 1, "%d-%llu-", &pid, &start) != 2)
            continue;
        if (sw_process_start_time(pid) != start) (void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

static enum sw_code denied(enum controller which, const char *what, struct sw_error *err) {
    int saved = errno;
    sw_fail(err, SW_UNSUPPORTED, "limit %s: %s%s%s", controller_names[which], what,
            saved ? ": " : "", saved ? strerror(saved) : "");
    return sw_advise(err, "; leave the limit out, run as root, or start slipway in a delegated "
                          "control group (systemd-run --user --scope -p Delegate=yes slipway ...)");
}

static enum sw_code make_leaf(struct sw_cgroup *g, enum controller which, const struct hierarchy *h,
                              const char *name, struct sw_error *err) {
    errno = 0;
    if (!h[which].dir[0])
        return denied(which, "no control group of this process may be divided", err);
    snprintf(g->leaf[which], PATH_MAX, "%.*s/%.90s", PATH_MAX - 100, h[which].dir, name);
    for (int i = 0; i < (int)which; i++)
        if (!strcmp(g->leaf[i], g->leaf[which])) return SW_OK;
    remove_stale(h[which].dir);
    if (sw_sys_mkdirat(AT_FDCWD, g->leaf[which], 0755) < 0) {
        g->leaf[which][0] = '\0';
        return denied(which, "make a control group", err);
    }
    return SW_OK;
}

static enum sw_code set_limits(struct sw_cgroup *g, const struct hierarchy *h,
                               const struct sw_limits *l, struct sw_error *err) {
    char value[64];
    errno = 0;
    if (l->memory_bytes) {
        const char *dir = g->leaf[MEMORY];
        snprintf(value, sizeof value, "%llu", (unsigned long long)l->memory_bytes);
        if (!write_value(dir, h[MEMORY].v2 ? "memory.max" : "memory.limit_in_bytes", value))
            return denied(MEMORY, "set the maximum", err);
        /* A kernel without swap accounting has no such file: the limit on memory stands alone. */
        int64_t swap = l->memory_swap_bytes ? l->memory_swap_bytes : (int64_t)l->memory_bytes * 2;
        if (swap >= 0 && h[MEMORY].v2) swap -= (int64_t)l->memory_bytes;
        snprintf(value, sizeof value, "%lld", (long long)(swap < 0 ? 0 : swap));
        if (l->memory_swap_bytes >= 0)
            (void)write_value(dir, h[MEMORY].v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                              value);
    }
    if (l->milli_cpus) {
        const char *dir = g->leaf[CPU];
        unsigned long long quota = l->milli_cpus * 100; /* microseconds of each 100,000 */
        if (quota < 1000) quota = 1000;                 /* the kernel's least */
        snprintf(value, sizeof value, h[CPU].v2 ? "%llu 100000" : "%llu", quota);
        if (!h[CPU].v2) (void)write_value(dir, "cpu.cfs_period_us", "100000");
        if (!write_value(dir, h[CPU].v2 ? "cpu.max" : "cpu.cfs_quota_us", value))
            return denied(CPU, "set the quota", err);
    }
    if (l->pids) {
        snprintf(value, sizeof value, "%llu", (unsigned long long)l->pids);
        if (!write_value(g->leaf[PIDS], "pids.max", value))
            return denied(PIDS, "set the maximum", err);
    }
    return SW_OK;
}

enum sw_code sw_cgroup_new(const struct sw_limits *l, struct sw_cgroup **ret,
                           struct sw_error *err) {
    static atomic_uint counter;
    const bool wanted[N_CONTROLLERS] = {l->memory_bytes != 0, l->milli_cpus != 0, l->pids != 0};
    struct hierarchy *h = sw_calloc(N_CONTROLLERS, sizeof *h);
    struct sw_cgroup *g = sw_calloc(1, sizeof *g);
    enum sw_code code = SW_OK;
    char name[96];
    bool all_v2 = true;
    g->v2_fd = -1;
    find_hierarchies(h);
    snprintf(name, sizeof name, PREFIX "%d-%llu-%u", (int)getpid(), sw_process_start_time(getpid()),
             atomic_fetch_add(&counter, 1));
    const char *only = NULL;
    for (int i = 0; !code && i < N_CONTROLLERS; i++) {
        if (!wanted[i]) continue;
        code = make_leaf(g, (enum controller)i, h, name, err);
        all_v2 = all_v2 && h[i].v2 && (!only || !strcmp(only, g->leaf[i]));
        only = g->leaf[i];
    }
    if (!code) code = set_limits(g, h, l, err);
    if (!code && all_v2 && only) {
        g->v2 = true;
        code = sw_open_at(AT_FDCWD, only, O_RDONLY | O_DIRECTORY, 0, &g->v2_fd, err);
    }
    free(h);
    if (code) {
        sw_cgroup_free(g);
        return code;
    }
    *ret = g;
    return SW_OK;
}

int sw_cgroup_clone_fd(const struct sw_cgroup *g) { return g->v2_fd; }

enum sw_code sw_cgroup_attach(struct sw_cgroup *g, pid_t pid, struct sw_error *err) {
    char value[16];
    snprintf(value, sizeof value, "%d", (int)pid);
    for (int i = 0; i < N_CONTROLLERS; i++) {
        errno = 0;
        if (g->leaf[i][0] && !write_value(g->leaf[i], "cgroup.procs", value))
            return denied((enum controller)i, "move a process into its control group", err);
    }
    return SW_OK;
}

void sw_cgroup_describe(const struct sw_cgroup *g, struct plan *plan, struct sw_arena *arena) {
    if (g->v2) {
        plan->cgroup = PLAN_CGROUP_V2;
        return;
    }
    struct plan_cgroup_bind *binds = sw_arena_array(arena, N_CONTROLLERS, sizeof *binds);
    for (int i = 0; i < N_CONTROLLERS; i++) {
        if (!g->leaf[i][0]) continue;
        struct plan_cgroup_bind *b = &binds[plan->n_cgroup_binds++];
        snprintf(b->name, sizeof b->name, "%s", controller_names[i]);
        snprintf(b->source, sizeof b->source, SW_STAGE_OLD "%.*s", PATH_MAX - 8, g->leaf[i]);
    }
    plan->cgroup = PLAN_CGROUP_BINDS;
    plan->cgroup_binds = binds;
}

bool sw_cgroup_had_oom(const struct sw_cgroup *g) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 65536);
    if (!g->leaf[MEMORY][0]) return false;
    if (!read_word_list(g->leaf[MEMORY], "memory.events", &text) &&
        !read_word_list(g->leaf[MEMORY], "memory.oom_control", &text))
        return false;
    struct sw_str rest = sw_buf_str(&text), line, key;
    while (sw_str_next(&rest, '\n', &line))
        if (sw_str_cut(line, ' ', &key, &line) && sw_str_is(key, "oom_kill"))
            return !sw_str_is(line, "0");
    return false;
}

void sw_cgroup_free(struct sw_cgroup *g) {
    if (!g) return;
    if (g->v2_fd >= 0) close(g->v2_fd);
    for (int i = 0; i < N_CONTROLLERS; i++)
        if (g->leaf[i][0]) (void)rmdir(g->leaf[i]);
    free(g);
}
