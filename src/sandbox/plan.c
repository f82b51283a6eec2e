/* From a specification to a plan: everything that needs memory, names or decisions. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "sandbox/kernel_internal.h"
#include "sandbox/plan_internal.h"
#include "sandbox/seccomp_internal.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CANDIDATES_MAX 256 /* entries of PATH that are looked at */
#define DATA_MAX 4095      /* mount(2) takes one page with its NUL */
#define SHM_DEFAULT ((uint64_t)64 << 20)

struct builder {
    const struct sw_sandbox_spec *spec;
    struct sw_arena *arena;
    struct plan *plan;
    unsigned n_overlays;
};

/* "/o" and the path, without links, that the descriptor was opened by. */
static enum sw_code staged_path(struct builder *b, int fd, const char *tail, const char **ret,
                                struct sw_error *err) {
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, PATH_MAX);
    enum sw_code code = sw_fd_path(fd, &path, err);
    if (code) return code;
    if (path.len == 1) sw_buf_reset(&path); /* "/" */
    struct sw_str full = tail ? sw_arena_printf(b->arena, SW_STAGE_OLD "%s/%s", path.ptr, tail)
                              : sw_arena_printf(b->arena, SW_STAGE_OLD "%s", path.ptr);
    if (full.len >= PATH_MAX) return sw_fail(err, SW_LIMIT, "path of a layer is too long");
    *ret = full.ptr;
    return SW_OK;
}

/* ---- overlays ---- */

/* Appends a path of the host as fuse-overlayfs reads it: without the stage's prefix, quoted. */
static void add_fuse_path(struct sw_buf *to, const char *staged) {
    for (const char *p = staged + sizeof SW_STAGE_OLD - 1; *p; p++) {
        if (*p == ':' || *p == ',' || *p == '\\') sw_buf_add_char(to, '\\');
        sw_buf_add_char(to, *p);
    }
}

static const char *fuse_data(struct builder *b, const struct plan_overlay *o, bool stub) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 128 << 10); /* what one argument of a program may be */
    sw_buf_add_text(&text, "lowerdir=");
    for (size_t i = 0; i < o->n_layers; i++) {
        if (i) sw_buf_add_char(&text, ':');
        add_fuse_path(&text, o->layers[i]);
    }
    if (stub && o->stub) {
        sw_buf_add_char(&text, ':');
        add_fuse_path(&text, o->stub);
    }
    if (o->upper) {
        sw_buf_add_text(&text, ",upperdir=");
        add_fuse_path(&text, o->upper);
        sw_buf_add_text(&text, ",workdir=");
        add_fuse_path(&text, o->work);
    }
    return sw_arena_cstr(b->arena, sw_buf_str(&text));
}

static const char *kernel_data(struct builder *b, const struct plan_overlay *o,
                               const struct sw_overlay_mode *mode, bool stub) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, DATA_MAX);
    sw_buf_add_text(&text, "lowerdir=");
    for (size_t i = 0; i < o->n_layers; i++) sw_buf_addf(&text, "%s%zu", i ? ":" : "", i);
    if (stub) sw_buf_add_text(&text, o->n_layers ? ":s" : "s");
    /* Without an upper directory the kernel wants two layers at least: empty ones make them up. */
    size_t have = o->n_layers + (stub ? 1 : 0), least = o->upper ? 1 : 2;
    for (size_t i = have; i < least; i++) sw_buf_addf(&text, "%se%zu", i ? ":" : "", i);
    if (o->upper) sw_buf_add_text(&text, ",upperdir=u,workdir=w");
    if (mode->user_xattr) sw_buf_add_text(&text, ",userxattr");
    /* The upper directory must be a layer by itself: nothing in it may refer to those below. */
    if (mode->no_extras && !mode->user_xattr)
        sw_buf_add_text(&text, ",metacopy=off,redirect_dir=nofollow");
    if (mode->no_extras) sw_buf_add_text(&text, ",index=off");
    if (mode->is_volatile && o->upper) sw_buf_add_text(&text, ",volatile");
    return sw_arena_cstr(b->arena, sw_buf_str(&text));
}

static enum sw_code plan_overlay(struct builder *b, const struct sw_overlay *from,
                                 const struct plan_overlay **ret, struct sw_error *err) {
    const struct sw_overlay_mode *mode = b->spec->overlay_mode;
    if (!mode || mode->kind == SW_OVERLAY_NONE)
        return sw_fail(err, SW_UNSUPPORTED, "no overlay mounts on this host%s%s",
                       mode && mode->why[0] ? ": " : "", mode ? mode->why : "");
    if (from->n_lowers > SW_OVERLAY_LOWERS_MAX - 1)
        return sw_fail(err, SW_LIMIT, "%zu layers: the kernel takes %d and one is ours",
                       from->n_lowers, SW_OVERLAY_LOWERS_MAX);
    struct plan_overlay *o = SW_NEW(b->arena, struct plan_overlay);
    const char **layers = sw_arena_array(b->arena, from->n_lowers + 1, sizeof *layers);
    const char *base = "";
    enum sw_code code = SW_OK;
    if (from->n_lowers) code = staged_path(b, from->lower_dir, NULL, &base, err);
    for (size_t i = 0; !code && i < from->n_lowers; i++)
        layers[i] = sw_arena_printf(b->arena, "%s/%s", base, from->lowers[i]).ptr;
    o->layers = layers;
    o->n_layers = from->n_lowers;
    o->stub = "/s";
    if (!code && from->upper) {
        code = staged_path(b, from->scratch_dir, from->upper, &o->upper, err);
        if (!code) code = staged_path(b, from->scratch_dir, from->work, &o->work, err);
        if (!code) o->stub = sw_arena_printf(b->arena, "%s.stub", o->work).ptr;
    }
    if (code) return sw_context(err, "find the layers");
    o->link_dir = sw_arena_printf(b->arena, "/k%u", b->n_overlays++).ptr;
    if (mode->kind == SW_OVERLAY_FUSE) {
        o->fuse_path = mode->fuse_path;
        o->fuse_data = fuse_data(b, o, false);
        o->fuse_data_stub = fuse_data(b, o, true);
    } else {
        o->data = kernel_data(b, o, mode, false);
        o->data_stub = kernel_data(b, o, mode, true);
    }
    *ret = o;
    return sw_arena_check(b->arena, "a sandbox", err);
}

static enum sw_code plan_root(struct builder *b, struct sw_error *err) {
    if (b->spec->overlay) return plan_overlay(b, b->spec->overlay, &b->plan->overlay, err);
    struct stat st;
    if (fstat(b->spec->root_dir, &st) < 0) return sw_fail_sys(err, errno, "read the root");
    b->plan->root_dev = st.st_dev;
    b->plan->root_ino = st.st_ino;
    return staged_path(b, b->spec->root_dir, NULL, &b->plan->root_path, err);
}

/* ---- mounts ---- */

/* One slash between components and none at the end. */
static char *clean_target(struct builder *b, const char *target) {
    char *to = sw_arena_alloc(b->arena, strlen(target) + 2);
    size_t at = 0;
    struct sw_str rest = sw_str(target), part;
    while (sw_str_next(&rest, '/', &part)) {
        if (part.len == 0 || sw_str_is(part, ".")) continue;
        to[at++] = '/';
        memcpy(to + at, part.ptr, part.len);
        at += part.len;
    }
    return to;
}

static bool lies_in(const char *path, const char *dir) {
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]);
}

static enum sw_code plan_bind(struct builder *b, const struct sw_mount *from, struct plan_mount *m,
                              struct sw_error *err) {
    SW_FD int fd = -1;
    struct stat st;
    enum sw_code code;
    if (from->source_dir > 0) {
        const char *beneath = from->source && *from->source ? from->source : ".";
        code = sw_open_beneath(from->source_dir, beneath, O_PATH, 0, &fd, err);
    } else {
        code = sw_open_at(AT_FDCWD, from->source, O_PATH, 0, &fd, err);
    }
    if (!code && fstat(fd, &st) < 0) code = sw_fail_sys(err, errno, "read %s", from->source);
    if (!code) code = staged_path(b, fd, NULL, &m->source, err);
    if (code) return sw_context(err, "mount on %s", from->target);
    m->is_dir = S_ISDIR(st.st_mode);
    m->dev = st.st_dev;
    m->ino = st.st_ino;
    return SW_OK;
}

static enum sw_code plan_mount(struct builder *b, const struct sw_mount *from, size_t number,
                               struct plan_mount *m, struct sw_error *err) {
    m->kind = from->kind;
    m->read_only = from->read_only;
    m->target = clean_target(b, from->target);
    if (from->target[0] != '/' || !m->target[0])
        return sw_fail(err, SW_USAGE,
                       "cannot mount on \"%s\": an absolute path other than / is needed",
                       from->target);
    switch (from->kind) {
    case SW_MOUNT_BIND:
        return plan_bind(b, from, m, err);
    case SW_MOUNT_OVERLAY:
        m->source = sw_arena_printf(b->arena, "/m%zu", number).ptr;
        m->subpath = sw_arena_cstr(b->arena, sw_str(from->source ? from->source : ""));
        return plan_overlay(b, from->overlay, &m->overlay, err);
    case SW_MOUNT_TMPFS: {
        m->is_dir = true;
        SW_BUF struct sw_buf data;
        sw_buf_init(&data, 256);
        sw_buf_addf(&data, "mode=%04o", from->mode ? from->mode & 07777 : 01777);
        if (from->size_bytes)
            sw_buf_addf(&data, ",size=%llu", (unsigned long long)from->size_bytes);
        if (from->uid) sw_buf_addf(&data, ",uid=%u", (unsigned)from->uid);
        if (from->gid) sw_buf_addf(&data, ",gid=%u", (unsigned)from->gid);
        m->data = sw_arena_cstr(b->arena, sw_buf_str(&data));
        return SW_OK;
    }
    case SW_MOUNT_FILE:
        m->source = sw_arena_printf(b->arena, "/f/%zu", number).ptr;
        m->content = from->content;
        m->mode = from->mode ? from->mode & 07777 : 0644;
        m->uid = from->uid;
        m->gid = from->gid;
        return SW_OK;
    }
    return sw_fail(err, SW_USAGE, "unknown kind of mount %d", (int)from->kind);
}

static size_t depth(const struct plan_mount *m) {
    size_t n = 0;
    for (const char *p = m->target; *p; p++) n += *p == '/';
    return n;
}

static enum sw_code plan_mounts(struct builder *b, struct sw_error *err) {
    const struct sw_sandbox_spec *spec = b->spec;
    if (spec->n_mounts > SW_MOUNTS_MAX)
        return sw_fail(err, SW_LIMIT, "%zu mounts: at most %d", spec->n_mounts, SW_MOUNTS_MAX);
    struct plan_mount *mounts = sw_arena_array(b->arena, spec->n_mounts + 1, sizeof *mounts);
    size_t n = 0;
    for (size_t i = 0; i < spec->n_mounts; i++) {
        struct plan_mount m = {.source_fd = -1};
        enum sw_code code = plan_mount(b, &spec->mounts[i], i, &m, err);
        if (code) return code;
        size_t at = n++;
        for (; at > 0 && depth(&mounts[at - 1]) > depth(&m); at--) mounts[at] = mounts[at - 1];
        mounts[at] = m;
    }
    for (size_t i = 0; i < n; i++) {
        struct plan_mount *m = &mounts[i];
        m->nested =
            lies_in(m->target, "/proc") || lies_in(m->target, "/sys") || lies_in(m->target, "/dev");
        for (size_t k = 0; k < i; k++)
            m->nested = m->nested || lies_in(m->target, mounts[k].target);
    }
    b->plan->mounts = mounts;
    b->plan->n_mounts = n;
    return SW_OK;
}

/* ---- the command ---- */

static struct sw_str env_value(const char *const *envp, const char *name) {
    size_t len = strlen(name);
    for (; envp && *envp; envp++)
        if (!strncmp(*envp, name, len) && (*envp)[len] == '=') return sw_str(*envp + len + 1);
    return (struct sw_str){0};
}

static char *const *copy_strings(struct builder *b, const char *const *from) {
    size_t n = 0;
    while (from && from[n]) n++;
    char **to = sw_arena_array(b->arena, n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++) to[i] = sw_arena_cstr(b->arena, sw_str(from[i]));
    return to;
}

static enum sw_code plan_command(struct builder *b, struct sw_error *err) {
    const struct sw_sandbox_spec *spec = b->spec;
    struct plan *p = b->plan;
    if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
        return sw_fail(err, SW_USAGE, "no command to run");
    p->argv = copy_strings(b, spec->argv);
    p->envp = copy_strings(b, spec->envp);
    p->workdir = sw_arena_cstr(b->arena, sw_str(spec->workdir ? spec->workdir : "/"));
    const char **candidates = sw_arena_array(b->arena, CANDIDATES_MAX, sizeof *candidates);
    if (strchr(p->argv[0], '/')) {
        candidates[p->n_candidates++] = p->argv[0];
    } else {
        struct sw_str rest = env_value(spec->envp, "PATH"), dir;
        if (!rest.ptr) rest = SW_STR(DEFAULT_PATH);
        p->searched = true;
        while (p->n_candidates < CANDIDATES_MAX && sw_str_next(&rest, ':', &dir))
            if (dir.len && dir.ptr[0] == '/') /* the working directory is not searched */
                candidates[p->n_candidates++] =
                    sw_arena_printf(b->arena, "%.*s/%s", SW_ARG(dir), p->argv[0]).ptr;
    }
    p->candidates = candidates;
    return SW_OK;
}

/* ---- privileges ---- */

static enum sw_code plan_identity(struct builder *b, struct sw_error *err) {
    const struct sw_sandbox_spec *spec = b->spec;
    const struct sw_userns *u = spec->userns;
    struct plan *p = b->plan;
    bool single = u->mode == SW_USERNS_SINGLE;
    if (spec->uid >= u->n_uids || spec->gid >= u->n_gids)
        return sw_fail(err, SW_UNSUPPORTED,
                       "user %u:%u does not exist in this user namespace, which has %u IDs%s%s",
                       (unsigned)spec->uid, (unsigned)spec->gid, (unsigned)u->n_uids,
                       u->why[0] ? ": " : "", u->why);
    p->uid = spec->uid;
    p->gid = spec->gid;
    /* With one ID the kernel forbids changing groups, which would be a way to lose one. */
    p->may_setgroups = !single;
    gid_t *groups = sw_arena_array(b->arena, spec->n_groups + 1, sizeof *groups);
    for (size_t i = 0; i < spec->n_groups; i++)
        if (spec->groups[i] < u->n_gids) groups[p->n_groups++] = spec->groups[i];
    p->groups = groups;
    return SW_OK;
}

static enum sw_code plan_privileges(struct builder *b, struct sw_error *err) {
    const struct sw_sandbox_spec *spec = b->spec;
    struct plan *p = b->plan;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0) return sw_fail_sys(err, errno, "read capabilities");
    uint64_t ours = data[0].permitted | (uint64_t)data[1].permitted << 32;
    p->caps = (spec->insecure ? SW_CAPS_ALL : spec->capabilities) & ours;
    while (p->last_cap < 63 && prctl(PR_CAPBSET_READ, p->last_cap + 1, 0, 0, 0) >= 0) p->last_cap++;
    p->no_new_privs = spec->no_new_privs;
    p->insecure = spec->insecure;
    struct sw_rlimit *limits = sw_arena_array(b->arena, spec->n_rlimits + 1, sizeof *limits);
    if (spec->n_rlimits) memcpy(limits, spec->rlimits, spec->n_rlimits * sizeof *limits);
    p->rlimits = limits;
    p->n_rlimits = spec->n_rlimits;
    if (spec->insecure || spec->seccomp == SW_SECCOMP_UNCONFINED) return SW_OK;
    enum sw_code code = sw_seccomp_filter(p->caps, &p->seccomp, err);
    if (code == SW_UNSUPPORTED) code = SW_OK; /* a kernel without filters; doctor says so */
    return code;
}

enum sw_code sw_plan_build(const struct sw_sandbox_spec *spec, struct sw_arena *arena,
                           struct plan *ret, struct sw_error *err) {
    struct plan *p = ret;
    struct builder b = {.spec = spec, .arena = arena, .plan = p};
    struct stat st;
    enum sw_code code = plan_root(&b, err);
    if (!code) code = plan_mounts(&b, err);
    if (!code) code = plan_command(&b, err);
    if (!code) code = plan_identity(&b, err);
    if (!code) code = plan_privileges(&b, err);
    if (!code) code = sw_arena_check(arena, "a sandbox", err);
    if (code) return code;
    p->read_only = spec->read_only;
    p->init = spec->init;
    p->tty = spec->tty;
    p->tty_rows = spec->tty_rows;
    p->tty_cols = spec->tty_cols;
    p->stdio[0] = spec->tty ? -1 : spec->stdin_fd;
    p->stdio[1] = spec->tty ? -1 : spec->stdout_fd;
    p->stdio[2] = spec->tty ? -1 : spec->stderr_fd;
    p->new_net = spec->network != SW_NETWORK_HOST;
    p->wait_for_network = p->new_net;
    p->wants_way_out = spec->network == SW_NETWORK_PRIVATE;
    if (spec->hostname) {
        p->hostname = sw_arena_cstr(arena, sw_str(spec->hostname));
        p->hostname_len = strlen(spec->hostname);
    }
    p->shm_data =
        sw_arena_printf(arena, "mode=1777,size=%llu",
                        (unsigned long long)(spec->shm_bytes ? spec->shm_bytes : SHM_DEFAULT))
            .ptr;
    if (stat("/proc/self/exe", &st) == 0) {
        p->self_dev = st.st_dev;
        p->self_ino = st.st_ino;
    }
    return SW_OK;
}
