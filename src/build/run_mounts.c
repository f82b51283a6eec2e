/* RUN --mount: bind, cache, tmpfs, secret, ssh. Reference: "RUN --mount" in Docker's Dockerfile
 * reference.
 *
 * A cache mount is slipway/cachemounts/HASH/ in the store's root: `id` names it, `data/` is what is
 * mounted, `lock` is held while it is in use (exclusively for sharing=locked and =private).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "build/run_mounts_internal.h"
#include "dockerfile/values.h"
#include "store/cache_mounts.h"

#define PRIVATE_CACHES_MAX 64 /* copies of one sharing=private cache that may exist */

void sw_run_mounts_init(struct sw_run_mounts *m, struct sw_store *store) {
    memset(m, 0, sizeof *m);
    m->store = store;
}

void sw_run_mounts_done(struct sw_run_mounts *m) {
    for (size_t i = 0; i < m->relays.len; i++) sw_agent_relay_free(m->relays.ptr[i]);
    sw_vec_done(&m->relays);
    for (size_t i = 0; i < m->n_fds; i++) close(m->fds[i]);
    for (size_t i = 0; i < m->temps.len; i++) {
        sw_store_temp_remove(m->store, m->temps.ptr[i]);
        free(m->temps.ptr[i]);
    }
    sw_vec_done(&m->temps);
}

static int keep_fd(struct sw_run_mounts *m, int *fd) {
    m->fds[m->n_fds] = sw_take_fd(fd);
    return m->fds[m->n_fds++];
}

/* ---- bind ---- */

/* The content that a bind mount shows: layers of a stage or image, or, for a directory of the host,
 * a snapshot of the part that is asked for. */
struct bound {
    struct sw_blayer *layers;
    size_t n;
    struct sw_blayer own;    /* layers points here for a directory */
    struct sw_str path;      /* inside; "" for the root */
    struct sw_digest digest; /* for the key */
};

static enum sw_code snapshot_of(struct sw_stage *s, struct sw_source *source, struct sw_str path,
                                struct bound *ret, struct sw_error *err) {
    struct sw_build *b = s->build;
    SW_COPY struct sw_copy copy;
    struct sw_str real;
    struct sw_node node;
    sw_copy_init(&copy);
    enum sw_code code = sw_source_resolve(source, &s->arena, path, true, false, &real, err);
    if (!code) code = source->ops->stat(source, &s->arena, real, false, &node, err);
    if (code) return code;
    struct sw_snapshot_key key = {.kind = SW_SNAPSHOT_STEP, .form = b->form};
    struct sw_copy_spec spec = {.verb = "RUN --mount",
                                .source = source,
                                .paths = &real,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = b->options->epoch_s,
                                .pool = b->tools->pool};
    code = sw_copy_plan(&copy, &spec, err);
    if (!code) code = sw_copy_key(&copy, b->tools->pool, &key.digest, &ret->digest, err);
    if (code) return code;
    if (node.type != SW_TAR_DIR) {
        size_t slash = sw_str_rfind_char(real, '/');
        ret->path = slash == SIZE_MAX ? real : sw_str_from(real, slash + 1);
    }
    struct sw_snapshot made;
    code = sw_snapshot_find(b->tools->store, &key, &made, err);
    if (code == SW_NOT_FOUND) {
        SW_SNAPSHOT_DRAFT struct sw_snapshot_draft draft = SW_SNAPSHOT_DRAFT_NONE;
        code = sw_snapshot_begin(b->tools->store, &draft, err);
        if (!code)
            code = sw_copy_extract(&copy, &draft, b->tools->userns->mode == SW_USERNS_SINGLE, err);
        if (!code) code = sw_snapshot_commit(&draft, &key, copy.bytes, copy.n, &made, err);
    }
    if (code) return code;
    ret->own = (struct sw_blayer){.snapshot = made.id, .identity = ret->digest};
    ret->layers = &ret->own;
    ret->n = 1;
    return SW_OK;
}

/* For the key alone, layers need not be here, and the path is what is written: with the layers it
 * says what is meant. */
static enum sw_code bind_source(struct sw_stage *s, const struct sw_df_mount *d, unsigned step,
                                bool key_only, struct bound *ret, struct sw_error *err) {
    struct sw_source *source;
    struct sw_str path = sw_df_path_clean(&s->arena, d->source);
    *ret = (struct bound){.path = SW_STR("")};
    while (path.len && path.ptr[0] == '/') path = sw_str_from(path, 1);
    if (sw_str_is(path, ".")) path = SW_STR("");
    enum sw_code code;
    if (!d->from.ptr) {
        code = sw_build_context_source(s->build, &source, err);
        return code ? code : snapshot_of(s, source, path, ret, err);
    }
    code = sw_from_layers(s, d->from, step, &ret->layers, &ret->n, err);
    if (code) return code;
    ret->digest = sw_layers_chain(ret->layers, ret->n);
    if (ret->n && key_only) {
        ret->path = path;
        return SW_OK;
    }
    code = sw_from_source(s, d->from, step, &source, err);
    if (code) return code;
    if (!ret->n) return snapshot_of(s, source, path, ret, err);
    return sw_source_resolve(source, &s->arena, path, true, false, &ret->path, err);
}

/* Where there is no overlay: a copy of what is bound, which goes with the mount. */
static enum sw_code open_bind_copy(struct sw_stage *s, const struct sw_df_mount *d,
                                   const struct bound *bound, struct sw_run_mounts *m,
                                   struct sw_mount *mount, struct sw_error *err) {
    struct sw_build *b = s->build;
    SW_COPY struct sw_copy copy;
    SW_BUF struct sw_buf path;
    struct sw_source *view = NULL;
    struct sw_node node = {0};
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = -1};
    sw_copy_init(&copy);
    sw_buf_init(&path, 4096);
    enum sw_code code =
        sw_layers_view(b, bound->layers, bound->n, SW_STR("the mount's source"), &view, err);
    if (!code) code = view->ops->stat(view, &s->arena, bound->path, false, &node, err);
    struct sw_copy_spec spec = {.verb = "RUN --mount",
                                .source = view,
                                .paths = &bound->path,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = INT64_MAX,
                                .pool = b->tools->pool};
    if (!code) code = sw_copy_plan(&copy, &spec, err);
    if (!code) code = sw_store_temp_dir(b->tools->store, &path, &draft.fs_fd, err);
    if (path.len) sw_vec_add(&m->temps, sw_strdup(path.ptr));
    if (!code)
        code = sw_copy_extract(&copy, &draft, b->tools->userns->mode == SW_USERNS_SINGLE, err);
    sw_source_free(view);
    mount->kind = SW_MOUNT_BIND;
    mount->read_only = d->read_only;
    if (!code && fchmod(draft.fs_fd, node.type == SW_TAR_DIR ? node.mode : 0755) < 0)
        code = sw_fail_sys(err, errno, "set the mode of a mount");
    if (!code && node.type != SW_TAR_DIR) {
        size_t slash = sw_str_rfind_char(bound->path, '/');
        mount->source = sw_arena_cstr(
            &s->arena, slash == SIZE_MAX ? bound->path : sw_str_from(bound->path, slash + 1));
    }
    if (draft.fs_fd >= 0) mount->source_dir = keep_fd(m, &draft.fs_fd);
    return code;
}

static enum sw_code open_bind(struct sw_stage *s, const struct sw_df_mount *d, unsigned step,
                              struct sw_run_mounts *m, struct sw_mount *mount,
                              struct sw_error *err) {
    struct sw_build *b = s->build;
    struct bound bound;
    enum sw_code code = bind_source(s, d, step, false, &bound, err);
    if (code) return code;
    if (b->overlay_mode.kind == SW_OVERLAY_NONE) return open_bind_copy(s, d, &bound, m, mount, err);
    const char **lowers = sw_arena_array(&s->arena, bound.n + 1, sizeof *lowers);
    for (size_t i = 0; i < bound.n; i++)
        lowers[bound.n - 1 - i] =
            sw_arena_printf(&s->arena, "%lld", (long long)bound.layers[i].snapshot).ptr;
    struct sw_overlay *o = &m->overlays[m->n];
    *o = (struct sw_overlay){.lowers = lowers, .n_lowers = bound.n};
    code = sw_snapshots_dir(b->tools->store, &o->lower_dir, err);
    if (!code) {
        /* A writable layer in any case: writes of a rw mount are dropped with it, and overlayfs
         * wants two layers at least. */
        SW_BUF struct sw_buf path;
        SW_FD int dir = -1;
        sw_buf_init(&path, 4096);
        code = sw_store_temp_dir(b->tools->store, &path, &dir, err);
        if (code) return code;
        sw_vec_add(&m->temps, sw_strdup(path.ptr));
        if (sw_sys_mkdirat(dir, "upper", 0755) < 0 || sw_sys_mkdirat(dir, "work", 0700) < 0)
            return sw_fail_sys(err, errno, "make a scratch directory");
        o->scratch_dir = keep_fd(m, &dir);
        o->upper = "upper";
        o->work = "work";
    }
    mount->kind = SW_MOUNT_OVERLAY;
    mount->overlay = o;
    mount->source = bound.path.len ? sw_arena_cstr(&s->arena, bound.path) : NULL;
    mount->read_only = d->read_only;
    return code;
}

/* ---- cache ---- */

/* What the cache is known by: one that is made for another owner or mode is another cache, as with
 * BuildKit. */
static struct sw_str cache_id(struct sw_stage *s, const struct sw_df_mount *d) {
    if (!d->uid && !d->gid && d->mode == 0755) return d->id;
    return sw_arena_printf(&s->arena, "%.*s" SW_CACHE_MOUNT_OWNER "%u,gid=%u,mode=%04o",
                           SW_ARG(d->id), d->uid, d->gid, d->mode);
}

/* One that began with other content is another cache, too: over a newer from= nobody finds what an
 * older one left. */
static enum sw_code name_beginning(struct sw_stage *s, struct sw_df_mount *d, unsigned step,
                                   struct sw_error *err) {
    struct bound bound;
    char hex[SW_DIGEST_TEXT_MAX];
    if (!d->from.ptr) return SW_OK;
    enum sw_code code = bind_source(s, d, step, true, &bound, err);
    if (code) return code;
    sw_digest_hex(&bound.digest, hex);
    d->id =
        sw_arena_printf(&s->arena, "%.*s,from=%.12s:/%.*s", SW_ARG(d->id), hex, SW_ARG(bound.path));
    return SW_OK;
}

static enum sw_code open_cache_dir(struct sw_stage *s, const struct sw_df_mount *d, int root,
                                   unsigned copy, int *ret_dir, int *ret_lock, bool *ret_fresh,
                                   struct sw_error *err) {
    struct sw_str id = cache_id(s, d);
    char name[SW_CACHE_MOUNT_NAME_MAX];
    sw_cache_mount_name(id, name);
    size_t len = strlen(name);
    if (copy) snprintf(name + len, sizeof name - len, ".%u", copy);
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    enum sw_code code = sw_mkdirs_at(root, name, 0755, err);
    if (!code) code = sw_open_at(root, name, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code)
        code = sw_lock_file_at(dir, "lock", d->sharing != SW_DF_SHARED, d->sharing != SW_DF_PRIVATE,
                               &lock, err);
    if (code) return code;
    futimens(lock, NULL); /* the last use, as `slipway cache list` shows it */
    if (faccessat(dir, "id", F_OK, 0) < 0) code = sw_write_file_at(dir, "id", 0644, id, err);
    *ret_fresh = faccessat(dir, "data", F_OK, 0) < 0;
    if (!code && *ret_fresh && sw_sys_mkdirat(dir, "data", 0700) < 0 && errno != EEXIST)
        code = sw_fail_sys(err, errno, "make a cache directory");
    if (!code && *ret_fresh &&
        (fchownat(dir, "data", d->uid, d->gid, 0) < 0 || fchmodat(dir, "data", d->mode, 0) < 0))
        code = sw_fail_sys(err, errno, "give a cache directory to %u:%u", d->uid, d->gid);
    if (code) return code;
    *ret_dir = sw_take_fd(&dir);
    *ret_lock = sw_take_fd(&lock);
    return SW_OK;
}

/* First use of a cache with from=: starts with that content. */
static enum sw_code fill_cache(struct sw_stage *s, const struct sw_df_mount *d, unsigned step,
                               int dir, struct sw_error *err) {
    struct sw_source *source;
    SW_COPY struct sw_copy copy;
    sw_copy_init(&copy);
    enum sw_code code = sw_from_source(s, d->from, step, &source, err);
    if (code) return code;
    struct sw_str path = d->source;
    struct sw_copy_spec spec = {.verb = "RUN --mount=type=cache",
                                .source = source,
                                .paths = &path,
                                .n_paths = 1,
                                .dest = SW_STR("/"),
                                .epoch_s = INT64_MAX,
                                .pool = s->build->tools->pool};
    struct sw_snapshot_draft draft = {.dir_fd = -1, .fs_fd = -1};
    code = sw_copy_plan(&copy, &spec, err);
    if (!code) code = sw_open_at(dir, "data", O_RDONLY | O_DIRECTORY, 0, &draft.fs_fd, err);
    if (!code)
        code =
            sw_copy_extract(&copy, &draft, s->build->tools->userns->mode == SW_USERNS_SINGLE, err);
    sw_closep(&draft.fs_fd);
    return code;
}

/* Without from=, source= is a part of the cache itself. */
static enum sw_code show_cache(struct sw_stage *s, const struct sw_df_mount *d, int cache_fd,
                               struct sw_run_mounts *m, struct sw_mount *mount,
                               struct sw_error *err) {
    SW_FD int data = -1;
    enum sw_code code = sw_open_at(cache_fd, "data", O_RDONLY | O_DIRECTORY, 0, &data, err);
    if (code) return code;
    struct sw_str part =
        sw_df_path_clean(&s->arena, sw_arena_printf(&s->arena, "/%.*s",
                                                    SW_ARG(d->from.ptr ? SW_STR("") : d->source)));
    mount->kind = SW_MOUNT_BIND;
    mount->source_dir = keep_fd(m, &data);
    mount->source = sw_arena_cstr(&s->arena, sw_str_from(part, 1));
    mount->read_only = d->read_only;
    return SW_OK;
}

static enum sw_code open_cache(struct sw_stage *s, const struct sw_df_mount *parsed, unsigned step,
                               struct sw_run_mounts *m, struct sw_mount *mount,
                               struct sw_error *err) {
    SW_FD int root = -1;
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    struct sw_df_mount own = *parsed, *d = &own;
    bool fresh = false;
    enum sw_code code = name_beginning(s, d, step, err);
    if (!code) code = sw_cache_mounts_root(s->build->tools->store, &root, err);
    for (unsigned copy = 0; !code; copy++) {
        code = open_cache_dir(s, d, root, copy, &dir, &lock, &fresh, err);
        /* private: whoever finds the cache in use takes a copy of its own. */
        if (code != SW_BUSY || copy == PRIVATE_CACHES_MAX) break;
        code = SW_OK;
    }
    if (!code && fresh && d->from.ptr) code = fill_cache(s, d, step, dir, err);
    if (code) return code;
    keep_fd(m, &lock);
    return show_cache(s, d, dir, m, mount, err);
}

/* ---- secret, ssh ---- */

static void add_env(struct sw_stage *s, struct sw_run_mounts *m, struct sw_str name,
                    struct sw_str value) {
    sw_strs_add(&s->arena, &m->env,
                sw_arena_printf(&s->arena, "%.*s=%.*s", SW_ARG(name), SW_ARG(value)));
}

/* *ret_used false: it was not given and is not required. */
static enum sw_code open_secret(struct sw_stage *s, const struct sw_df_mount *d,
                                struct sw_run_mounts *m, struct sw_mount *mount, bool *ret_used,
                                struct sw_error *err) {
    const struct sw_build_options *o = s->build->options;
    *ret_used = false;
    for (size_t i = 0; i < o->n_secrets; i++) {
        if (!sw_str_eq(o->secrets[i].id, d->id)) continue;
        if (d->env.ptr) add_env(s, m, d->env, o->secrets[i].value);
        if (!d->target.ptr) return SW_OK;
        mount->kind = SW_MOUNT_FILE;
        mount->content = o->secrets[i].value;
        mount->mode = d->mode;
        mount->uid = d->uid;
        mount->gid = d->gid;
        mount->read_only = true;
        *ret_used = true;
        return SW_OK;
    }
    if (!d->required) return SW_OK;
    return sw_fail(err, SW_NOT_FOUND,
                   "the secret \"%.*s\" is required: pass --secret id=%.*s,src=FILE", SW_ARG(d->id),
                   SW_ARG(d->id));
}

static enum sw_code open_agent(struct sw_stage *s, const struct sw_df_mount *d, struct sw_str path,
                               struct sw_run_mounts *m, struct sw_mount *mount,
                               struct sw_error *err) {
    SW_BUF struct sw_buf temp;
    SW_FD int dir = -1;
    struct sw_agent_relay *relay = NULL;
    sw_buf_init(&temp, 4096);
    enum sw_code code = sw_store_temp_dir(s->build->tools->store, &temp, &dir, err);
    if (code) return code;
    sw_vec_add(&m->temps, sw_strdup(temp.ptr));
    /* With one user alone there is nobody else to give it to. */
    bool single = s->build->tools->userns->mode == SW_USERNS_SINGLE;
    struct sw_agent_relay_options options = {.dir_fd = dir,
                                             .name = "agent",
                                             .path = path,
                                             .uid = single ? 0 : d->uid,
                                             .gid = single ? 0 : d->gid,
                                             .mode = d->mode};
    code = sw_agent_relay_start(&options, &relay, err);
    if (code) return code;
    sw_vec_add(&m->relays, relay);
    mount->kind = SW_MOUNT_BIND;
    mount->source_dir = keep_fd(m, &dir);
    mount->source = "agent";
    return SW_OK;
}

static enum sw_code open_ssh(struct sw_stage *s, const struct sw_df_mount *d,
                             struct sw_run_mounts *m, struct sw_mount *mount, bool *ret_used,
                             struct sw_error *err) {
    const struct sw_build_options *o = s->build->options;
    *ret_used = false;
    for (size_t i = 0; i < o->n_ssh; i++) {
        if (!sw_str_eq(o->ssh[i].id, d->id)) continue;
        if (!d->target.ptr)
            mount->target = sw_arena_printf(&s->arena, "/run/slipway/ssh_agent.%zu", m->n).ptr;
        enum sw_code code = open_agent(s, d, o->ssh[i].path, m, mount, err);
        if (code) return code;
        add_env(s, m, SW_STR("SSH_AUTH_SOCK"), sw_str(mount->target));
        *ret_used = true;
        return SW_OK;
    }
    if (!d->required) return SW_OK;
    return sw_fail(err, SW_NOT_FOUND, "the agent \"%.*s\" is required: pass --ssh %.*s",
                   SW_ARG(d->id), SW_ARG(d->id));
}

/* ---- all ---- */

enum sw_code sw_run_mounts_plan(struct sw_stage *s, const struct sw_df_run *run, unsigned step,
                                struct sw_df_mount **ret_parsed, struct sw_key *key,
                                struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_df_mount *parsed = sw_arena_array(&s->arena, run->n_mounts + 1, sizeof *parsed);
    if (run->n_mounts > SW_RUN_MOUNTS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d mounts in one RUN", SW_RUN_MOUNTS_MAX);
    for (size_t i = 0; i < run->n_mounts; i++) {
        struct sw_df_mount *d = &parsed[i];
        enum sw_code code = sw_df_mount_parse(&s->arena, run->mounts[i].text, &lex, d, err);
        if (code) return code;
        struct sw_str what = sw_arena_printf(
            &s->arena,
            "type %d, read only %d, mode %o, %u:%u, sharing %d, id %zu:%.*s, env %zu:%.*s",
            (int)d->type, d->read_only, d->mode, d->uid, d->gid, (int)d->sharing, d->id.len,
            SW_ARG(d->id), d->env.len, SW_ARG(d->env));
        struct sw_str name = sw_arena_printf(&s->arena, "mount %.*s", SW_ARG(d->target));
        sw_key_add(key, name, what);
        /* A cache's content is no input, what it begins with is. */
        bool begins = d->type == SW_DF_MOUNT_CACHE && d->from.ptr;
        if (d->type != SW_DF_MOUNT_BIND && !begins) continue;
        struct bound bound;
        code = bind_source(s, d, step, true, &bound, err);
        if (code) return sw_context(err, "--mount=%.*s", SW_ARG(run->mounts[i].text));
        sw_key_add(key, sw_arena_printf(&s->arena, "%.*s: path", SW_ARG(name)), bound.path);
        sw_key_add_digest(key, sw_arena_printf(&s->arena, "%.*s: content", SW_ARG(name)),
                          &bound.digest);
    }
    *ret_parsed = parsed;
    return SW_OK;
}

enum sw_code sw_run_mounts_open(struct sw_stage *s, const struct sw_df_mount *parsed, size_t n,
                                unsigned step, struct sw_run_mounts *m, struct sw_error *err) {
    for (size_t i = 0; i < n; i++) {
        const struct sw_df_mount *d = &parsed[i];
        struct sw_mount *mount = &m->mounts[m->n];
        bool used = true;
        enum sw_code code = SW_OK;
        *mount = (struct sw_mount){.kind = SW_MOUNT_TMPFS};
        if (d->target.ptr)
            mount->target =
                sw_df_workdir_join(&s->arena, s->config.config.working_dir, d->target).ptr;
        switch (d->type) {
        case SW_DF_MOUNT_BIND:
            code = open_bind(s, d, step, m, mount, err);
            break;
        case SW_DF_MOUNT_CACHE:
            code = open_cache(s, d, step, m, mount, err);
            break;
        case SW_DF_MOUNT_SECRET:
            code = open_secret(s, d, m, mount, &used, err);
            break;
        case SW_DF_MOUNT_SSH:
            code = open_ssh(s, d, m, mount, &used, err);
            break;
        case SW_DF_MOUNT_TMPFS:
            mount->size_bytes = d->size_bytes;
            break;
        }
        if (code)
            return sw_context(err, "--mount of %s", mount->target ? mount->target : "a secret");
        m->n += used;
    }
    return SW_OK;
}
