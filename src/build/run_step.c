/* RUN: a command in a sandbox over the stage's layers; what it changed is the next layer. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "build/diff.h"
#include "build/fuse_marks.h"
#include "build/root_copy.h"
#include "build/run_mounts_internal.h"
#include "build/users.h"
#include "sandbox/network.h"

#define HOSTNAME "slipway"

struct run {
    struct sw_stage *stage;
    const struct sw_df_instruction *in;
    const struct sw_df_run *df; /* of in */
    struct sw_strs argv;
    struct sw_strs env;
    struct sw_user user;
    struct sw_df_mount *mounts;
    enum sw_network network;
    struct sw_digest key;
};

/* ---- what is run ---- */

static void add_env(struct sw_stage *s, struct sw_strs *env, struct sw_str name,
                    struct sw_str value) {
    struct sw_str known;
    if (!sw_config_get_env(env, name, &known)) sw_config_set_env(&s->arena, env, name, value);
}

static struct sw_str hostname(const struct run *r) {
    struct sw_str name = SW_STR("");
    sw_build_arg(r->stage->build, SW_STR("BUILDKIT_SANDBOX_HOSTNAME"), &name);
    return name;
}

/* ENV, and the ARGs that it does not hide. */
static void make_env(struct run *r) {
    struct sw_stage *s = r->stage;
    r->env = sw_strs_copy(&s->arena, &s->config.config.env);
    for (size_t i = 0; i < s->args.n; i++)
        if (!sw_df_arg_is_hidden(s->args.items[i].name))
            sw_config_set_env(&s->arena, &r->env, s->args.items[i].name, s->args.items[i].value);
    if (hostname(r).len) add_env(s, &r->env, SW_STR("HOSTNAME"), hostname(r));
    add_env(s, &r->env, SW_STR("PATH"),
            SW_STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

/* Proxies and HOME are there for the command and are no part of the key. Programs disagree on the
 * case of a proxy's name, so that a --build-arg in one gives both. */
static void add_unkeyed_env(struct run *r) {
    struct sw_stage *s = r->stage;
    for (size_t i = 0; i < SW_DF_PROXIES; i++) {
        struct sw_str upper = sw_df_proxy_name(i, true), lower = sw_df_proxy_name(i, false), value;
        if (!sw_build_arg(s->build, lower, &value) && !sw_build_arg(s->build, upper, &value))
            continue;
        if (!value.len) continue;
        add_env(s, &r->env, upper, value);
        add_env(s, &r->env, lower, value);
    }
    add_env(s, &r->env, SW_STR("HOME"), r->user.home);
}

/* Of a heredoc that begins with #!: it is written to a file, which is run. */
static struct sw_str script_path(const struct run *r) {
    return sw_arena_printf(&r->stage->arena, "/dev/pipes/%.*s", SW_ARG(r->in->heredocs[0].name));
}

static void make_argv(struct run *r) {
    struct sw_stage *s = r->stage;
    const struct sw_df_command *c = &r->df->command;
    if (c->form == SW_DF_EXEC_FORM) {
        for (size_t i = 0; i < c->argv.n; i++) sw_strs_add(&s->arena, &r->argv, c->argv.items[i]);
        return;
    }
    r->argv = sw_strs_copy(&s->arena, &s->shell);
    if (c->form == SW_DF_SCRIPT_FORM) {
        sw_strs_add(&s->arena, &r->argv, script_path(r));
    } else {
        /* The shell of a RUN without a command gets an empty one, which succeeds. */
        sw_strs_add(&s->arena, &r->argv, c->argv.n ? c->argv.items[0] : SW_STR(""));
    }
}

/* "variable NAME" for NAME=value. */
static void key_env(struct sw_key *k, const struct sw_strs *env) {
    for (size_t i = 0; i < env->len; i++) {
        struct sw_str name, value;
        sw_str_cut(env->ptr[i], '=', &name, &value);
        sw_key_add(k, sw_arena_printf(k->arena, "variable %.*s", SW_ARG(name)), value);
    }
}

/* Times of files are no part of it, and so SOURCE_DATE_EPOCH is none: what a command makes does
 * not depend on them, its archive does, and that is made anew for another time (layers.c). */
static enum sw_code make_key(struct run *r, unsigned step, struct sw_error *err) {
    struct sw_stage *s = r->stage;
    const struct sw_build_options *o = s->build->options;
    SW_KEY struct sw_key k;
    sw_key_init(&k, &s->arena, SW_STR("run 2"));
    struct sw_digest base = sw_layers_chain(s->layers.ptr, s->n_base_layers);
    struct sw_digest chain = sw_layers_chain(s->layers.ptr, s->layers.len);
    sw_key_add_digest(&k, SW_STR("base image"), &base);
    sw_key_add_digest(&k, SW_STR("layers before"), &chain);
    for (size_t i = 0; i < r->argv.len; i++) {
        bool last = i + 1 == r->argv.len && r->df->command.form != SW_DF_EXEC_FORM;
        sw_key_add(&k, last ? SW_STR("command") : sw_arena_printf(&s->arena, "argument %zu", i),
                   r->argv.ptr[i]);
    }
    key_env(&k, &r->env);
    sw_key_add(&k, SW_STR("working directory"), s->config.config.working_dir);
    sw_key_add(&k, SW_STR("user"), s->config.config.user);
    if (r->df->command.form == SW_DF_SCRIPT_FORM)
        sw_key_add(&k, SW_STR("script"), r->df->command.argv.items[0]);
    static const char *const networks[] = {
        [SW_NETWORK_NONE] = "none", [SW_NETWORK_HOST] = "host", [SW_NETWORK_PRIVATE] = "private"};
    sw_key_add(&k, SW_STR("network"), sw_str(networks[r->network]));
    sw_key_add(&k, SW_STR("security"), r->df->insecure ? SW_STR("insecure") : SW_STR("sandbox"));
    sw_key_add(&k, SW_STR("platform"), sw_platform_format(&s->arena, &s->platform));
    for (size_t i = 0; i < o->n_add_hosts; i++)
        sw_key_add(&k, sw_arena_printf(&s->arena, "host %s", o->add_hosts[i].name),
                   sw_str(o->add_hosts[i].ip));
    /* What a directory of the host holds is no part of it, as with buildah. */
    for (size_t i = 0; i < o->tweaks.n_mounts; i++)
        sw_key_add(&k, sw_arena_printf(&s->arena, "volume %s", o->tweaks.mounts[i].target),
                   sw_str(o->tweaks.mounts[i].source));
    if (o->tweaks.caps_added || o->tweaks.caps_dropped)
        sw_key_add(&k, SW_STR("capabilities"),
                   sw_arena_printf(&s->arena, "+%llx -%llx",
                                   (unsigned long long)o->tweaks.caps_added,
                                   (unsigned long long)o->tweaks.caps_dropped));
    enum sw_code code = sw_run_mounts_plan(s, r->df, step, &r->mounts, &k, err);
    r->key = sw_key_finish(&k);
    if (!code) sw_explain_run(s, &r->key, &k);
    return code;
}

static enum sw_code prepare(struct run *r, unsigned step, struct sw_error *err) {
    struct sw_stage *s = r->stage;
    const struct sw_build_options *o = s->build->options;
    for (size_t i = 0; i < r->df->n_devices; i++)
        if (r->df->devices[i].required)
            return sw_fail(err, SW_UNSUPPORTED,
                           "there is no device \"%.*s\" here: this builder knows none; "
                           "without \"required\" the step goes on",
                           SW_ARG(r->df->devices[i].name));
    if (r->df->insecure && !o->allow_insecure)
        return sw_fail(err, SW_DENIED,
                       "--security=insecure is not allowed; pass --allow security.insecure");
    r->network = r->df->network == SW_DF_NETWORK_NONE   ? SW_NETWORK_NONE
                 : r->df->network == SW_DF_NETWORK_HOST ? SW_NETWORK_HOST
                                                        : o->network;
    make_argv(r);
    if (!r->argv.len) return sw_fail(err, SW_SYNTAX, "there is no command to run");
    make_env(r);
    return make_key(r, step, err);
}

/* ---- running ---- */

static void take_slot(struct sw_build *b) {
    unsigned max = b->options->jobs ? b->options->jobs : sw_cpu_count();
    if (!b->options->jobs && max < SW_JOBS_MIN) max = SW_JOBS_MIN;
    pthread_mutex_lock(&b->lock);
    while (b->running >= max) pthread_cond_wait(&b->changed, &b->lock);
    b->running++;
    pthread_mutex_unlock(&b->lock);
}

static void give_slot(struct sw_build *b) {
    pthread_mutex_lock(&b->lock);
    b->running--;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static bool build_failed(struct sw_build *b) {
    pthread_mutex_lock(&b->lock);
    bool failed = b->failed;
    pthread_mutex_unlock(&b->lock);
    return failed;
}

/* Passes the command's output on until it has ended; kills it when the build is over. */
static enum sw_code watch(struct run *r, struct sw_sandbox *sandbox, int out, unsigned step,
                          struct sw_error *err) {
    struct sw_build *b = r->stage->build;
    struct pollfd fds[3] = {{.fd = out, .events = POLLIN},
                            {.fd = sw_sandbox_exit_fd(sandbox), .events = POLLIN},
                            {.fd = sw_cancel_fd(), .events = POLLIN}};
    bool stopped = false;
    for (;;) {
        int n = poll(fds, 3, 500);
        if (n < 0 && errno != EINTR) return sw_fail_sys(err, errno, "poll");
        if (!stopped && (sw_cancelled() || build_failed(b))) {
            sw_sandbox_kill(sandbox);
            stopped = true;
            fds[2].fd = -1;
        }
        if (fds[0].revents) {
            char block[16384];
            ssize_t got = read(out, block, sizeof block);
            if (got > 0) {
                sw_progress_log(b->tools->progress, step, sw_str_n(block, (size_t)got));
                continue;
            }
            if (got == 0) fds[0].fd = -1;
        }
        if (fds[1].revents) break;
    }
    /* What was written just before the end. Processes that outlive the first one are killed with
     * it, so nobody keeps the pipe open for long. */
    int status;
    bool oom = false;
    enum sw_code code = sw_sandbox_wait(sandbox, &status, &oom, err);
    while (fds[0].fd >= 0) {
        char block[16384];
        ssize_t got = read(out, block, sizeof block);
        if (got <= 0) break;
        sw_progress_log(b->tools->progress, step, sw_str_n(block, (size_t)got));
    }
    if (code) return code;
    if (stopped) return sw_fail(err, SW_CANCELLED, "interrupted");
    if (status) {
        code = sw_fail(err, SW_CHILD, "the command ended with status %d%s%s", status,
                       status > 128 ? " (killed by a signal)" : "",
                       oom ? ": it used more memory than its limit" : "");
        err->child_status = status;
    }
    return code;
}

static const char *const *c_strings(struct sw_arena *arena, const struct sw_strs *list) {
    const char **out = sw_arena_array(arena, list->len + 1, sizeof *out);
    for (size_t i = 0; i < list->len; i++) out[i] = sw_arena_cstr(arena, list->ptr[i]);
    return out;
}

/* The stage's layers as overlay's lower directories, top first; an empty one where there are none.
 */
static enum sw_code make_overlay(struct sw_stage *s, const struct sw_snapshot_draft *draft,
                                 struct sw_overlay *o, struct sw_error *err) {
    size_t n = s->layers.len;
    const char **lowers = sw_arena_array(&s->arena, n + 2, sizeof *lowers);
    *o = (struct sw_overlay){.lowers = lowers,
                             .n_lowers = n ? n : 1,
                             .scratch_dir = draft->dir_fd,
                             .upper = "fs",
                             .work = "work"};
    if (n > SW_LAYERS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d layers below a RUN", SW_LAYERS_MAX);
    for (size_t i = 0; i < n; i++)
        lowers[n - 1 - i] =
            sw_arena_printf(&s->arena, "%lld", (long long)s->layers.ptr[i].snapshot).ptr;
    if (n) return sw_snapshots_dir(s->build->tools->store, &o->lower_dir, err);
    if (mkdirat(draft->dir_fd, "empty", 0755) < 0)
        return sw_fail_sys(err, errno, "make an empty directory");
    lowers[0] = "empty";
    o->lower_dir = draft->dir_fd;
    return SW_OK;
}

static void add_file(struct sw_run_mounts *m, const char *target, struct sw_str content) {
    if (m->n == SW_RUN_MOUNTS_MAX) return;
    m->mounts[m->n++] = (struct sw_mount){
        .kind = SW_MOUNT_FILE, .target = target, .content = content, .mode = 0644};
}

/* A line of resolv.conf. */
static void add_words(struct sw_buf *to, const char *key, const struct sw_strs *words) {
    if (!words->len) return;
    sw_buf_add_text(to, key);
    for (size_t i = 0; i < words->len; i++) sw_buf_addf(to, " %.*s", SW_ARG(words->ptr[i]));
    sw_buf_add_char(to, '\n');
}

static const char *hostname_or_own(const struct run *r) {
    struct sw_str name = hostname(r);
    return name.len ? sw_arena_cstr(&r->stage->arena, name) : HOSTNAME;
}

static void add_etc(struct run *r, struct sw_run_mounts *m) {
    struct sw_stage *s = r->stage;
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 1 << 20);
    const struct sw_build_tweaks *t = &s->build->options->tweaks;
    if (t->n_dns != 1 || strcmp(t->dns[0], "none") != 0) {
        sw_resolv_conf(r->network, t->dns, t->n_dns, &text);
        add_words(&text, "search", &t->dns_search);
        add_words(&text, "options", &t->dns_options);
        add_file(m, "/etc/resolv.conf", sw_arena_str(&s->arena, sw_buf_str(&text)));
    }
    sw_buf_reset(&text);
    sw_hosts_file(r->network, hostname_or_own(r), s->build->options->add_hosts,
                  s->build->options->n_add_hosts, &text);
    if (!t->no_hosts) add_file(m, "/etc/hosts", sw_arena_str(&s->arena, sw_buf_str(&text)));
    if (r->df->command.form == SW_DF_SCRIPT_FORM) {
        add_file(m, script_path(r).ptr, r->df->command.argv.items[0]);
        m->mounts[m->n - 1].mode = 0755;
    }
}

static enum sw_code run_in(struct run *r, const struct sw_snapshot_draft *draft,
                           struct sw_run_mounts *m, const struct sw_root_copy *copied,
                           unsigned step, struct sw_error *err) {
    struct sw_stage *s = r->stage;
    struct sw_build *b = s->build;
    const struct sw_build_options *o = b->options;
    struct sw_overlay overlay;
    struct sw_sandbox_spec spec;
    bool copying = b->overlay_mode.kind == SW_OVERLAY_NONE;
    enum sw_code code = copying ? SW_OK : make_overlay(s, draft, &overlay, err);
    if (code) return code;
    add_etc(r, m);
    for (size_t i = 0; i < o->tweaks.n_mounts && m->n < SW_RUN_MOUNTS_MAX; i++)
        m->mounts[m->n++] = o->tweaks.mounts[i];
    for (size_t i = 0; i < m->env.len; i++) sw_strs_add(&s->arena, &r->env, m->env.ptr[i]);
    sw_sandbox_spec_init(&spec, b->tools->userns);
    spec.overlay = copying ? NULL : &overlay;
    spec.overlay_mode = &b->overlay_mode;
    if (copying) spec.root_dir = copied->root_fd;
    spec.argv = c_strings(&s->arena, &r->argv);
    spec.envp = c_strings(&s->arena, &r->env);
    spec.workdir = sw_arena_cstr(&s->arena, s->config.config.working_dir);
    if (!*spec.workdir) spec.workdir = "/";
    spec.hostname = hostname_or_own(r);
    spec.uid = r->user.uid;
    spec.gid = r->user.gid;
    spec.groups = r->user.groups;
    spec.n_groups = r->user.n_groups;
    spec.insecure = r->df->insecure;
    spec.capabilities = (spec.capabilities & ~o->tweaks.caps_dropped) | o->tweaks.caps_added;
    if (o->tweaks.unconfined) spec.seccomp = SW_SECCOMP_UNCONFINED;
    spec.mounts = m->mounts;
    spec.n_mounts = m->n;
    spec.rlimits = o->rlimits;
    spec.n_rlimits = o->n_rlimits;
    spec.limits = o->limits;
    spec.shm_bytes = o->shm_bytes;
    spec.network = r->network;
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    SW_FD int out = pair[0];
    spec.stdin_fd = -1;
    spec.stdout_fd = spec.stderr_fd = pair[1];
    struct sw_sandbox *sandbox = NULL;
    code = sw_sandbox_start(&spec, &sandbox, err);
    close(pair[1]);
    if (!code) code = watch(r, sandbox, out, step, err);
    sw_sandbox_free(sandbox);
    return code;
}

/* Over an overlay, or, where there is none, in a copy of the root. */
static enum sw_code run_or_copy(struct run *r, const struct sw_snapshot_draft *draft,
                                struct sw_source *view, struct sw_run_mounts *m, unsigned step,
                                struct sw_error *err) {
    struct sw_build *b = r->stage->build;
    SW_ROOT_COPY struct sw_root_copy copy;
    sw_root_copy_init(&copy);
    if (b->overlay_mode.kind != SW_OVERLAY_NONE) return run_in(r, draft, m, NULL, step, err);
    enum sw_code code =
        sw_root_copy_make(&copy, view, draft->dir_fd, b->tools->userns->mode == SW_USERNS_SINGLE,
                          b->tools->pool, err);
    if (!code) code = run_in(r, draft, m, &copy, step, err);
    if (!code) code = sw_root_copy_diff(&copy, draft->fs_fd, err);
    return code;
}

/* Runs it over fresh directories and keeps what changed. */
static enum sw_code execute(struct run *r, unsigned step, struct sw_blayer *layer, bool *ret_empty,
                            struct sw_error *err) {
    struct sw_stage *s = r->stage;
    struct sw_build *b = s->build;
    struct sw_source *view;
    SW_SNAPSHOT_DRAFT struct sw_snapshot_draft draft = SW_SNAPSHOT_DRAFT_NONE;
    enum sw_code code = sw_layers_snapshots(b, s->layers.ptr, s->layers.len, err);
    /* Nobody knows what a command will write; at least nothing starts in a store that is full. */
    if (!code) code = sw_store_reserve(b->tools->store, 0, err);
    if (code) return code;
    sw_stage_drop_view(s);
    code = sw_stage_view(s, &view, err);
    if (!code) code = sw_user_find(view, &s->arena, s->config.config.user, &r->user, err);
    if (!code) code = sw_snapshot_begin(b->tools->store, &draft, err);
    if (!code) code = sw_build_overlay(b, err);
    if (code) return code;
    add_unkeyed_env(r);
    struct sw_run_mounts *m = SW_NEW(&s->arena, struct sw_run_mounts);
    sw_run_mounts_init(m, b->tools->store);
    code = sw_run_mounts_open(s, r->mounts, r->df->n_mounts, step, m, err);
    if (!code) {
        take_slot(b);
        sw_progress_start(b->tools->progress, step);
        code = run_or_copy(r, &draft, view, m, step, err);
        give_slot(b);
    }
    sw_run_mounts_done(m);
    if (!code && b->overlay_mode.kind == SW_OVERLAY_FUSE)
        code = sw_fuse_marks_tidy(draft.fs_fd, view, err);
    if (!code) code = sw_diff_is_empty(draft.fs_fd, ret_empty, err);
    if (code || *ret_empty) return code;
    struct sw_snapshot_key key = {.kind = SW_SNAPSHOT_STEP, .form = b->form, .digest = r->key};
    struct sw_snapshot made;
    /* A name for what this execution has made: another one may make something else. */
    unsigned char fresh[64];
    memcpy(fresh, r->key.bytes, 32);
    sw_random_bytes(fresh + 32, 32);
    layer->content = sw_digest_of(SW_SHA256, sw_str_n((const char *)fresh, sizeof fresh));
    /* An earlier execution's snapshot has the key's name, and would be kept instead. */
    if (s->no_cache) key.digest = layer->content;
    code = sw_snapshot_commit(&draft, &key, SW_SNAPSHOT_SIZE_COUNT, 0, &made, err);
    if (!code) layer->snapshot = made.id;
    return code;
}

static enum sw_code find_or_run(struct run *r, unsigned step, bool *ret_cached, bool *ret_empty,
                                struct sw_error *err) {
    struct sw_stage *s = r->stage;
    struct sw_build *b = s->build;
    struct sw_blayer layer;
    SW_STORE_LOCK struct sw_store_lock lock = SW_STORE_LOCK_NONE;
    enum sw_code code = !sw_may_recall(s, &r->key)
                            ? SW_NOT_FOUND
                            : sw_layer_recall(b, &r->key, true, &layer, ret_empty, err);
    if (code == SW_NOT_FOUND) {
        /* Somebody else may be running the same step: wait, and look again. */
        code = sw_store_lock(b->tools->store, r->key.bytes, true, NULL, NULL, &lock, err);
        if (code) return code;
        code = !sw_may_recall(s, &r->key)
                   ? SW_NOT_FOUND
                   : sw_layer_recall(b, &r->key, true, &layer, ret_empty, err);
    }
    if (code && code != SW_NOT_FOUND) return code;
    *ret_cached = !code;
    if (code == SW_NOT_FOUND) {
        if (b->options->fail_on_miss) return sw_explain_refuse(s, err);
        sw_explain_miss(s);
        if (s->foreign && (code = sw_check_emulator(s, &s->config.platform, err))) return code;
        layer = (struct sw_blayer){.identity = r->key, .has_key = true, .is_run = true};
        memcpy(layer.key, r->key.bytes, sizeof layer.key);
        code = execute(r, step, &layer, ret_empty, err);
        if (!code) code = sw_layer_record(b, &layer, *ret_empty, err);
        if (code) return code;
        sw_made(s, &r->key);
    }
    if (*ret_cached) sw_explain_hit(s);
    if (!*ret_empty) {
        sw_vec_add(&s->layers, layer);
        sw_stage_drop_view(s);
    }
    pthread_mutex_lock(&b->lock);
    b->n_keyed++;
    b->n_cached += *ret_cached;
    pthread_mutex_unlock(&b->lock);
    return SW_OK;
}

/* "RUN |1 VERSION=1.2 /bin/sh -c make", with the declared ARGs, as docker history shows it. */
static struct sw_str history_text(struct run *r) {
    struct sw_stage *s = r->stage;
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 1 << 20);
    sw_buf_add_text(&b, "RUN ");
    struct sw_df_lex lex = sw_stage_lex(s);
    if (s->arg_names.len) sw_buf_addf(&b, "|%zu ", s->arg_names.len);
    for (size_t i = 0; i < s->arg_names.len; i++) {
        struct sw_str value = SW_STR("");
        lex.env.get(lex.env.context, s->arg_names.ptr[i], &value);
        sw_buf_addf(&b, "%.*s=%.*s ", SW_ARG(s->arg_names.ptr[i]), SW_ARG(value));
    }
    for (size_t i = 0; i < r->argv.len; i++)
        sw_buf_addf(&b, "%s%.*s", i ? " " : "", SW_ARG(r->argv.ptr[i]));
    return sw_arena_str(&s->arena, sw_buf_str(&b));
}

/* What provenance says of it, before the values of secrets join the environment. */
static enum sw_code note(struct run *r, unsigned step, struct sw_error *err) {
    struct sw_stage *s = r->stage;
    struct sw_build *b = s->build;
    struct sw_provenance_step p = {.op = SW_OP_EXEC,
                                   .argv = r->argv,
                                   .env = sw_strs_copy(&s->arena, &r->env),
                                   .cwd = s->config.config.working_dir,
                                   .user = s->config.config.user};
    if (!b->provenance) return SW_OK;
    if (r->network != SW_NETWORK_NONE) sw_provenance_network(b);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < r->df->n_mounts && !code; i++) {
        const struct sw_df_mount *m = &r->mounts[i];
        if (m->type == SW_DF_MOUNT_SECRET) sw_provenance_secret(b, m->id, m->required);
        if (m->type == SW_DF_MOUNT_SSH) sw_provenance_ssh(b, m->id, m->required);
        bool content = m->type == SW_DF_MOUNT_BIND || (m->type == SW_DF_MOUNT_CACHE && m->from.ptr);
        if (content) sw_strs_add(&s->arena, &p.inputs, sw_provenance_input(s, m->from));
        /* It is opened with the cache's first use alone; a material it is always. */
        struct sw_source *source;
        if (m->type == SW_DF_MOUNT_CACHE && m->from.ptr)
            code = sw_from_source(s, m->from, step, &source, err);
    }
    sw_provenance_step(s, &p);
    return code;
}

enum sw_code sw_step_run(struct sw_stage *s, const struct sw_df_instruction *in,
                         struct sw_error *err) {
    struct run *r = SW_NEW(&s->arena, struct run);
    r->stage = s;
    r->in = in;
    r->df = &in->run;
    bool cached = false, empty = false;
    unsigned step = sw_step_begin(s, in->text);
    enum sw_code code = prepare(r, step, err);
    if (!code) code = note(r, step, err);
    if (!code) code = find_or_run(r, step, &cached, &empty, err);
    if (!code) sw_provenance_step_done(s);
    if (!code) code = sw_stage_add_history(s, history_text(r), empty, err);
    sw_step_end(s, step, cached, code ? err : NULL);
    return code;
}
