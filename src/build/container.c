#include "build/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "build/root_copy.h"
#include "build/users.h"
#include "build/view.h"
#include "dockerfile/values.h"
#include "sandbox/network.h"
#include "sandbox/tty.h"
#include "store/unpack.h"

#define MOUNTS_MAX (SW_MOUNTS_MAX)
#define GRACE_MS 10000 /* between SIGTERM and SIGKILL, as docker stop */

struct container {
    const struct sw_build_tools *tools;
    const struct sw_container_options *o;
    struct sw_arena *arena;
    struct sw_snapshot_draft draft;
    int64_t *snapshots;
    struct sw_user user;
    struct sw_strs argv, env;
    struct sw_str workdir;
    struct sw_mount mounts[MOUNTS_MAX];
    size_t n_mounts;
    struct sw_overlay overlay;
    struct sw_overlay_mode mode;
    enum sw_overlay_form form;
    struct sw_root_copy root; /* where there is no overlay */
    char hostname[64];
};

/* ---- what to run ---- */

static enum sw_code make_argv(struct container *c, struct sw_error *err) {
    const struct sw_container_config *image = &c->o->config->config;
    const struct sw_strs *entry = c->o->has_entrypoint ? &c->o->entrypoint : &image->entrypoint;
    const struct sw_strs *cmd = &c->o->command;
    if (!cmd->len && !c->o->has_entrypoint) cmd = &image->cmd;
    for (size_t i = 0; i < entry->len; i++) sw_strs_add(c->arena, &c->argv, entry->ptr[i]);
    for (size_t i = 0; i < cmd->len; i++) sw_strs_add(c->arena, &c->argv, cmd->ptr[i]);
    if (c->argv.len) return SW_OK;
    return sw_fail(err, SW_USAGE, "the image has no command; give one after its name");
}

static void default_env(struct container *c, const char *name, struct sw_str value) {
    struct sw_str known;
    if (!sw_config_get_env(&c->env, sw_str(name), &known))
        sw_config_set_env(c->arena, &c->env, sw_str(name), value);
}

static void make_env(struct container *c) {
    c->env = sw_strs_copy(c->arena, &c->o->config->config.env);
    for (size_t i = 0; i < c->o->env.len; i++) {
        struct sw_str name, value;
        sw_str_cut(c->o->env.ptr[i], '=', &name, &value);
        sw_config_set_env(c->arena, &c->env, name, value);
    }
    default_env(c, "PATH", SW_STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    default_env(c, "HOSTNAME", sw_str(c->hostname));
    default_env(c, "HOME", c->user.home);
    if (c->o->tty) default_env(c, "TERM", SW_STR("xterm"));
}

/* ---- where ---- */

static enum sw_code unpack(struct container *c, struct sw_error *err) {
    const struct sw_manifest *m = c->o->manifest;
    struct sw_unpack_layer *layers = sw_arena_array(c->arena, m->n_layers + 1, sizeof *layers);
    struct sw_snapshot *made = sw_arena_array(c->arena, m->n_layers + 1, sizeof *made);
    struct sw_unpack_options options = {
        .form = c->form, .remember_owner = c->tools->userns->mode == SW_USERNS_SINGLE};
    for (size_t i = 0; i < m->n_layers; i++)
        layers[i] = (struct sw_unpack_layer){m->layers[i].digest, c->o->config->diff_ids[i]};
    enum sw_code code = sw_unpack_layers(c->tools->store, c->tools->pool, layers, m->n_layers,
                                         &options, made, NULL, err);
    c->snapshots = sw_arena_array(c->arena, m->n_layers + 1, sizeof *c->snapshots);
    for (size_t i = 0; i < m->n_layers && !code; i++) c->snapshots[i] = made[i].id;
    return code;
}

static enum sw_code resolve_user(struct container *c, struct sw_error *err) {
    size_t n = c->o->manifest->n_layers;
    struct sw_view_layer *layers = sw_arena_array(c->arena, n + 1, sizeof *layers);
    struct sw_source *view = NULL;
    for (size_t i = 0; i < n; i++) layers[i].snapshot = c->snapshots[i];
    enum sw_code code =
        sw_view_open(c->tools->store, c->form, layers, n, SW_STR("the image"), &view, err);
    struct sw_str who = c->o->user.len ? c->o->user : c->o->config->config.user;
    if (!code) code = sw_user_find(view, c->arena, who, &c->user, err);
    if (!code) code = sw_snapshot_begin(c->tools->store, &c->draft, err);
    if (!code && c->mode.kind == SW_OVERLAY_NONE)
        code = sw_root_copy_make(&c->root, view, c->draft.dir_fd,
                                 c->tools->userns->mode == SW_USERNS_SINGLE, c->tools->pool, err);
    sw_source_free(view);
    return code;
}

static enum sw_code make_overlay(struct container *c, struct sw_error *err) {
    size_t n = c->o->manifest->n_layers;
    const char **lowers = sw_arena_array(c->arena, n + 2, sizeof *lowers);
    for (size_t i = 0; i < n; i++)
        lowers[n - 1 - i] = sw_arena_printf(c->arena, "%lld", (long long)c->snapshots[i]).ptr;
    c->overlay = (struct sw_overlay){.lowers = lowers,
                                     .n_lowers = n ? n : 1,
                                     .scratch_dir = c->draft.dir_fd,
                                     .upper = "fs",
                                     .work = "work"};
    enum sw_code code = sw_snapshots_dir(c->tools->store, &c->overlay.lower_dir, err);
    if (code) return code;
    if (!n) {
        if (sw_sys_mkdirat(c->draft.dir_fd, "empty", 0755) < 0)
            return sw_fail_sys(err, errno, "make an empty directory");
        lowers[0] = "empty";
        c->overlay.lower_dir = c->draft.dir_fd;
    }
    return SW_OK;
}

/* The working directory is made where the image lacks it, as docker does. */
static enum sw_code make_workdir(struct container *c, struct sw_error *err) {
    struct sw_str dir = c->o->workdir.len ? c->o->workdir : c->o->config->config.working_dir;
    c->workdir = sw_df_workdir_join(c->arena, SW_STR("/"), dir.len ? dir : SW_STR("/"));
    if (sw_str_is(c->workdir, "/")) return SW_OK;
    size_t n = c->o->manifest->n_layers;
    struct sw_view_layer *layers = sw_arena_array(c->arena, n + 1, sizeof *layers);
    struct sw_source *view = NULL;
    struct sw_str at;
    for (size_t i = 0; i < n; i++) layers[i].snapshot = c->snapshots[i];
    enum sw_code code =
        sw_view_open(c->tools->store, c->form, layers, n, SW_STR("the image"), &view, err);
    if (!code) code = sw_source_resolve(view, c->arena, c->workdir, true, false, &at, err);
    sw_source_free(view);
    if (code != SW_NOT_FOUND) return code;
    return sw_mkdirs_beneath(c->root.root_fd >= 0 ? c->root.root_fd : c->draft.fs_fd,
                             c->workdir.ptr, 0755, err);
}

static void add_file(struct container *c, const char *target, struct sw_str content) {
    if (c->n_mounts == MOUNTS_MAX) return;
    c->mounts[c->n_mounts++] = (struct sw_mount){.kind = SW_MOUNT_FILE,
                                                 .target = target,
                                                 .content = sw_arena_str(c->arena, content),
                                                 .mode = 0644};
}

static void make_mounts(struct container *c) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 1 << 20);
    sw_resolv_conf(c->o->network, c->o->dns, c->o->n_dns, &text);
    add_file(c, "/etc/resolv.conf", sw_buf_str(&text));
    sw_buf_reset(&text);
    sw_hosts_file(c->o->network, c->hostname, c->o->add_hosts, c->o->n_add_hosts, &text);
    add_file(c, "/etc/hosts", sw_buf_str(&text));
    sw_buf_reset(&text);
    sw_buf_addf(&text, "%s\n", c->hostname);
    add_file(c, "/etc/hostname", sw_buf_str(&text));
    for (size_t i = 0; i < c->o->n_mounts && c->n_mounts < MOUNTS_MAX; i++)
        c->mounts[c->n_mounts++] = c->o->mounts[i];
}

static const char *const *c_strings(struct sw_arena *arena, const struct sw_strs *list) {
    const char **out = sw_arena_array(arena, list->len + 1, sizeof *out);
    for (size_t i = 0; i < list->len; i++) out[i] = sw_arena_cstr(arena, list->ptr[i]);
    return out;
}

/* ---- running ---- */

static void fill_spec(struct container *c, struct sw_sandbox_spec *spec) {
    const struct sw_container_options *o = c->o;
    sw_sandbox_spec_init(spec, c->tools->userns);
    spec->overlay = c->mode.kind == SW_OVERLAY_NONE ? NULL : &c->overlay;
    spec->overlay_mode = &c->mode;
    if (!spec->overlay) spec->root_dir = c->root.root_fd;
    spec->read_only = o->read_only;
    spec->argv = c_strings(c->arena, &c->argv);
    spec->envp = c_strings(c->arena, &c->env);
    spec->workdir = c->workdir.ptr;
    spec->hostname = c->hostname;
    spec->uid = c->user.uid;
    spec->gid = c->user.gid;
    spec->groups = c->user.groups;
    spec->n_groups = c->user.n_groups;
    spec->capabilities = o->capabilities;
    spec->seccomp = o->unconfined ? SW_SECCOMP_UNCONFINED : SW_SECCOMP_DEFAULT;
    spec->no_new_privs = o->no_new_privs;
    spec->insecure = o->privileged;
    spec->init = o->init;
    spec->mounts = c->mounts;
    spec->n_mounts = c->n_mounts;
    spec->rlimits = o->rlimits;
    spec->n_rlimits = o->n_rlimits;
    spec->limits = o->limits;
    spec->shm_bytes = o->shm_bytes;
    spec->network = o->network;
    spec->tty = o->tty;
    if (!o->interactive) spec->stdin_fd = -1;
    if (o->tty) {
        spec->tty_rows = 24, spec->tty_cols = 80;
        sw_tty_size(STDIN_FILENO, &spec->tty_rows, &spec->tty_cols);
    }
}

/* Waits without a terminal: a signal to us is passed on, then, after a time, the end is forced. */
static enum sw_code wait_plain(struct container *c, struct sw_sandbox *sandbox,
                               struct sw_error *err) {
    struct pollfd fds[2] = {{.fd = sw_sandbox_exit_fd(sandbox), .events = POLLIN},
                            {.fd = sw_cancel_fd(), .events = POLLIN}};
    struct sw_str stop = c->o->config->config.stop_signal;
    int64_t asked_ns = 0;
    int signal = SIGTERM;
    struct sw_error ignored = {0};
    if (stop.len && sw_df_signal_parse(stop, &signal, &ignored)) signal = SIGTERM;
    for (;;) {
        int n = poll(fds, 2, asked_ns ? 100 : -1);
        if (n < 0 && errno != EINTR) return sw_fail_sys(err, errno, "poll");
        if (n > 0 && fds[0].revents) return SW_OK;
        if (sw_cancelled() && !asked_ns) {
            sw_sandbox_signal(sandbox, signal);
            asked_ns = sw_now_mono_ns();
            fds[1].fd = -1;
        }
        if (asked_ns && (sw_now_mono_ns() - asked_ns) / 1000000 > GRACE_MS) {
            sw_sandbox_kill(sandbox);
            asked_ns = sw_now_mono_ns();
        }
    }
}

static enum sw_code run_sandbox(struct container *c, int *ret_status, struct sw_error *err) {
    struct sw_sandbox_spec spec;
    struct sw_sandbox *sandbox = NULL;
    struct sw_forward *forward = NULL;
    bool oom = false;
    fill_spec(c, &spec);
    enum sw_code code = sw_sandbox_start(&spec, &sandbox, err);
    if (code == SW_CHILD) {
        *ret_status = err->child_status;
        return code;
    }
    if (!code && c->o->n_ports)
        code =
            sw_forward_start(c->o->ports, c->o->n_ports, sw_sandbox_netns(sandbox), &forward, err);
    for (size_t i = 0; i < c->o->n_ports && !code; i++)
        if (!c->o->ports[i].host_port)
            fprintf(stderr, "port %u is published on %u\n", c->o->ports[i].port,
                    sw_forward_host_port(forward, i));
    if (!code && c->o->tty) {
        code = sw_tty_relay(sandbox, c->o->interactive ? STDIN_FILENO : -1, STDOUT_FILENO,
                            sw_cancel_fd(), err);
    } else if (!code) {
        code = wait_plain(c, sandbox, err);
    }
    if (!code) code = sw_sandbox_wait(sandbox, ret_status, &oom, err);
    sw_forward_free(forward);
    sw_sandbox_free(sandbox);
    if (!code && oom)
        fprintf(stderr, "slipway: the container was ended: it used more memory than its limit\n");
    return code;
}

enum sw_code sw_container_run(const struct sw_build_tools *tools,
                              const struct sw_container_options *options, struct sw_arena *arena,
                              int *ret_status, struct sw_error *err) {
    struct container *c = SW_NEW(arena, struct container);
    *c = (struct container){
        .tools = tools, .o = options, .arena = arena, .draft = SW_SNAPSHOT_DRAFT_NONE};
    if (options->hostname) {
        snprintf(c->hostname, sizeof c->hostname, "%s", options->hostname);
    } else {
        sw_random_name(c->hostname, 13);
    }
    sw_root_copy_init(&c->root);
    enum sw_code code = make_argv(c, err);
    if (!code) code = sw_overlay_choose(tools->store, tools->userns, &c->mode, &c->form, err);
    if (!code) code = unpack(c, err);
    if (!code) code = resolve_user(c, err);
    if (!code) code = make_overlay(c, err);
    if (!code) code = make_workdir(c, err);
    if (!code) {
        make_env(c);
        make_mounts(c);
        code = run_sandbox(c, ret_status, err);
    }
    sw_root_copy_done(&c->root);
    sw_snapshot_abort(&c->draft);
    return code;
}
