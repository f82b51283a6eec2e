#include "build/git.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "codec/base64.h"

extern char **environ;

/* Of ls-remote, for a name that many refs of a large repository end with. */
#define ANSWER_MAX ((size_t)16 << 20)

struct git {
    struct sw_arena *arena;
    const struct sw_git_options *o;
    const char *dir;
    const char *const *env;
};

/* ---- credentials ---- */

static struct sw_str find_secret(const struct sw_git_options *o, struct sw_str id) {
    for (size_t i = 0; i < o->n_secrets; i++)
        if (sw_str_eq(o->secrets[i].id, id)) return sw_str_trim(o->secrets[i].value);
    return SW_STR("");
}

/* host:port of an http remote. */
static struct sw_str host_of(const struct sw_git_url *u) {
    struct sw_str host, path;
    size_t at = sw_str_find(u->shown, SW_STR("://"));
    if (at == SIZE_MAX) return SW_STR("");
    sw_str_cut(sw_str_from(u->shown, at + 3), '/', &host, &path);
    return host;
}

/* What Authorization is to say; "" for nothing. */
static struct sw_str authorization(struct git *g) {
    static const struct {
        const char *id;
        bool of_host, token;
    } kinds[] = {{"GIT_AUTH_HEADER", true, false},
                 {"GIT_AUTH_TOKEN", true, true},
                 {"GIT_AUTH_HEADER", false, false},
                 {"GIT_AUTH_TOKEN", false, true}};
    struct sw_str host = host_of(&g->o->url);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct sw_str id = sw_str(kinds[i].id);
        if (kinds[i].of_host) id = sw_arena_printf(g->arena, "%s.%.*s", id.ptr, SW_ARG(host));
        struct sw_str value = find_secret(g->o, id);
        if (!value.len) continue;
        if (!kinds[i].token) return value;
        SW_BUF struct sw_buf b64;
        sw_buf_init(&b64, 1 << 16);
        sw_base64_encode(&b64, sw_arena_printf(g->arena, "x-access-token:%.*s", SW_ARG(value)), 0);
        return sw_arena_printf(g->arena, "basic %.*s", SW_ARG(sw_buf_str(&b64)));
    }
    return SW_STR("");
}

/* Who may see the header: this repository, and on GitHub all of them, since the submodules of a
 * private one are private, too. Other hosts that submodules name never do. */
static struct sw_str scope_of(const struct sw_git_url *u) {
    struct sw_str github = SW_STR("https://github.com/");
    return sw_str_starts(u->remote, github) ? github : u->remote;
}

/* Variables of git that say how to reach a server; all others could change what is fetched. */
static bool may_pass(const char *variable) {
    static const char *const kept[] = {
        "GIT_SSH=",   "GIT_SSH_COMMAND=", "GIT_SSH_VARIANT=", "GIT_SSL_",
        "GIT_PROXY_", "GIT_TRACE",        "GIT_CURL_VERBOSE="};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (!strncmp(variable, kept[i], strlen(kept[i]))) return true;
    return false;
}

static const char *const *make_env(struct git *g) {
    static const char *const own[] = {
        "GIT_TERMINAL_PROMPT=0", "GIT_LFS_SKIP_SMUDGE=0", "LC_ALL=C",
        "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS=true",      "SSH_ASKPASS_REQUIRE=never"};
    size_t n = 0, k = 0;
    while (environ[n]) n++;
    const char **env = sw_arena_array(g->arena, n + 16, sizeof *env);
    for (size_t i = 0; i < n; i++)
        if ((strncmp(environ[i], "GIT_", 4) != 0 || may_pass(environ[i])) &&
            strncmp(environ[i], "LC_ALL=", 7) != 0 &&
            (strncmp(environ[i], "SSH_AUTH_SOCK=", 14) != 0 || !g->o->ssh_agent.len))
            env[k++] = environ[i];
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) env[k++] = own[i];
    if (!getenv("GIT_SSH_COMMAND") && !getenv("GIT_SSH"))
        env[k++] = "GIT_SSH_COMMAND=ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new";
    if (g->o->ssh_agent.len)
        env[k++] = sw_arena_printf(g->arena, "SSH_AUTH_SOCK=%.*s", SW_ARG(g->o->ssh_agent)).ptr;
    struct sw_str value = authorization(g);
    if (value.len) {
        /* By the environment: arguments can be read by everybody on the host. */
        env[k++] = "GIT_CONFIG_COUNT=1";
        env[k++] = sw_arena_printf(g->arena, "GIT_CONFIG_KEY_0=http.%.*s.extraHeader",
                                   SW_ARG(scope_of(&g->o->url)))
                       .ptr;
        env[k++] =
            sw_arena_printf(g->arena, "GIT_CONFIG_VALUE_0=Authorization: %.*s", SW_ARG(value)).ptr;
    }
    return env;
}

/* ---- running git ---- */

/* git with settings that keep the user's own from deciding what is checked out. words ends with
 * NULL. */
static enum sw_code run(struct git *g, const char *const *words, struct sw_buf *out,
                        struct sw_error *err) {
    static const char *const head[] = {
        /* Files of a checkout are what others may read, whatever our own mask. */
        "/bin/sh",
        "-c",
        "umask 022; exec git \"$@\"",
        "git",
        "-c",
        "core.autocrlf=false",
        "-c",
        "core.symlinks=true",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fileMode=true",
        "-c",
        "advice.detachedHead=false",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.ext.allow=never",
        "-c",
        "safe.directory=*",
        "-c",
        "gc.auto=0"};
    const size_t n_head = sizeof head / sizeof head[0];
    size_t n = 0;
    while (words[n]) n++;
    const char **argv = sw_arena_array(g->arena, n_head + n + 1, sizeof *argv);
    memcpy(argv, head, sizeof head);
    memcpy(argv + n_head, words, n * sizeof *words);
    struct sw_proc_options options = {.argv = argv, .envp = g->env, .workdir = g->dir};
    return sw_proc_run(&options, out, err);
}
#define GIT(g, out, err, ...) run(g, (const char *const[]){__VA_ARGS__, NULL}, out, err)

static bool rev_parse(struct git *g, const char *name, struct sw_str *ret) {
    SW_BUF struct sw_buf out;
    struct sw_error ignored = {0};
    sw_buf_init(&out, 4096);
    if (GIT(g, &out, &ignored, "rev-parse", "--verify", "--quiet", "--end-of-options", name))
        return false;
    *ret = sw_arena_str(g->arena, sw_str_trim(sw_buf_str(&out)));
    return ret->len > 0;
}

static bool is_commit(struct sw_str s) {
    if (s.len != 40 && s.len != 64) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    return true;
}

/* A branch goes before a tag of the same name, as with BuildKit (git itself has it the other way
 * round); what is neither is taken as it is: a commit, "refs/pull/1/head". */
static enum sw_code fetch_one(struct git *g, const char *remote, struct sw_str ref,
                              struct sw_str *ret_commit) {
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", ""};
    bool whole = !ref.len || sw_str_starts(ref, SW_STR("refs/")) || is_commit(ref);
    for (size_t i = whole ? 2 : 0; i < 3; i++) {
        struct sw_error ignored = {0};
        const char *name = "HEAD";
        if (ref.len) name = sw_arena_printf(g->arena, "%s%.*s", prefixes[i], SW_ARG(ref)).ptr;
        if (!GIT(g, NULL, &ignored, "fetch", "-q", "--depth=1", "--no-tags", "--", remote, name) &&
            rev_parse(g, "FETCH_HEAD^{commit}", ret_commit))
            return SW_OK;
    }
    return SW_NOT_FOUND;
}

/* One commit where the server can do that, else everything. *ret_commit: what the ref means. */
static enum sw_code fetch(struct git *g, struct sw_str *ret_commit, struct sw_error *err) {
    const struct sw_git_url *u = &g->o->url;
    const char *remote = sw_arena_cstr(g->arena, u->remote);
    struct sw_str ref = u->ref;
    if (!fetch_one(g, remote, ref, ret_commit)) return SW_OK;
    enum sw_code code =
        GIT(g, NULL, err, "fetch", "-q", "--no-tags", "--", remote, "+HEAD:refs/remotes/o/HEAD",
            "+refs/heads/*:refs/remotes/o/heads/*", "+refs/tags/*:refs/tags/*");
    if (code) return code;
    static const char *const prefixes[] = {"refs/remotes/o/heads/", "refs/tags/", "refs/remotes/o/",
                                           ""};
    size_t first = 0, end = 4;
    if (!ref.len) ref = SW_STR("HEAD");
    if (sw_str_starts(ref, SW_STR("refs/heads/"))) {
        ref = sw_str_from(ref, strlen("refs/heads/"));
        end = 1;
    } else if (sw_str_starts(ref, SW_STR("refs/tags/"))) {
        ref = sw_str_from(ref, strlen("refs/tags/"));
        first = 1;
        end = 2;
    }
    for (size_t i = first; i < end; i++)
        if (rev_parse(g, sw_arena_printf(g->arena, "%s%.*s^{commit}", prefixes[i], SW_ARG(ref)).ptr,
                      ret_commit))
            return SW_OK;
    return sw_fail(err, SW_NOT_FOUND, "there is no branch, tag or commit \"%.*s\"", SW_ARG(u->ref));
}

static enum sw_code check_commit(struct sw_str commit, struct sw_str want, struct sw_error *err) {
    if (!want.len || (want.len >= 7 && sw_str_starts(commit, want))) return SW_OK;
    return sw_fail(err, SW_CORRUPT, "the commit is %.*s, wanted %.*s", SW_ARG(commit),
                   SW_ARG(want));
}

/* The line of a name in ls-remote's answer, "COMMIT\tNAME". */
static bool find_line(struct sw_str answer, struct sw_str wanted, struct sw_str *ret) {
    struct sw_str line, commit, name;
    while (sw_str_next(&answer, '\n', &line)) {
        sw_str_cut(line, '\t', &commit, &name);
        if (!sw_str_eq(name, wanted) || !is_commit(commit)) continue;
        *ret = commit;
        return true;
    }
    return false;
}

/* As it is, a branch, a tag (what it points to): BuildKit's order; git's own has tags first. */
static bool choose(struct sw_arena *arena, struct sw_str answer, struct sw_str ref,
                   struct sw_str *ret) {
    static const char *const prefixes[] = {"", "refs/", "refs/heads/", "refs/tags/"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct sw_str name = sw_arena_printf(arena, "%s%.*s", prefixes[i], SW_ARG(ref));
        struct sw_str peeled = sw_arena_printf(arena, "%.*s^{}", SW_ARG(name));
        if (find_line(answer, peeled, ret) || find_line(answer, name, ret)) return true;
    }
    return false;
}

static enum sw_code check_ref(const struct sw_git_options *o, struct sw_error *err) {
    if (!sw_proc_find("git", NULL))
        return sw_fail(err, SW_UNSUPPORTED, "%.*s: git is not installed", SW_ARG(o->url.shown));
    if (sw_str_starts(o->url.ref, SW_STR("-")))
        return sw_fail(err, SW_USAGE, "\"%.*s\" is not a ref", SW_ARG(o->url.ref));
    return SW_OK;
}

enum sw_code sw_git_resolve(const struct sw_git_options *o, struct sw_arena *arena,
                            struct sw_str *ret, struct sw_error *err) {
    struct git g = {.arena = arena, .o = o, .dir = "/"};
    struct sw_str ref = o->url.ref.len ? o->url.ref : SW_STR("HEAD"), commit;
    struct sw_error ignored = {0};
    SW_BUF struct sw_buf answer;
    sw_buf_init(&answer, ANSWER_MAX);
    enum sw_code code = check_ref(o, err);
    if (code) return code;
    if (is_commit(ref)) {
        commit = ref;
    } else {
        /* What is wrong with the server, fetching will say. */
        *ret = SW_STR("");
        g.env = make_env(&g);
        if (GIT(&g, &answer, &ignored, "ls-remote", "-q", "--", sw_arena_cstr(arena, o->url.remote),
                sw_arena_cstr(arena, ref), sw_arena_printf(arena, "%.*s^{}", SW_ARG(ref)).ptr))
            return SW_OK;
        if (!choose(arena, sw_buf_str(&answer), ref, &commit)) return SW_OK;
        commit = sw_arena_str(arena, commit);
    }
    code = check_commit(commit, o->commit, err);
    if (!code) code = check_commit(commit, o->url.commit, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(o->url.shown));
    *ret = commit;
    return SW_OK;
}

static enum sw_code find_time(struct git *g, const char *commit, int64_t *ret,
                              struct sw_error *err) {
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 4096);
    enum sw_code code = GIT(g, &out, err, "log", "-1", "--format=%ct", commit);
    if (!code && !sw_str_i64(sw_str_trim(sw_buf_str(&out)), ret)) *ret = 0;
    return code;
}

static bool keeps_git_dir(const struct sw_git_options *o) {
    return o->url.has_keep_git_dir ? o->url.keep_git_dir : o->keep_git_dir;
}

/* One commit deep where their servers can do that; plain files behind HTTP cannot. */
static enum sw_code update_submodules(struct git *g, struct sw_error *err) {
    struct sw_error shallow = {0};
    if (!GIT(g, NULL, &shallow, "submodule", "update", "-q", "--init", "--recursive", "--depth=1"))
        return SW_OK;
    enum sw_code code = sw_cancel_check(err);
    return code ? code : GIT(g, NULL, err, "submodule", "update", "-q", "--init", "--recursive");
}

static enum sw_code check_out(struct git *g, int dir, const char *commit, struct sw_error *err) {
    enum sw_code code = GIT(g, NULL, err, "checkout", "-q", "--force", commit);
    if (!code && !g->o->url.no_submodules &&
        faccessat(dir, ".gitmodules", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        code = update_submodules(g, err);
    if (code) return code;
    if (!keeps_git_dir(g->o)) return sw_remove_tree_at(dir, ".git", err);
    /* What differs from one fetch to the next: logs, and the index's memory of inodes and times. */
    static const char *const volatile_files[] = {".git/logs", ".git/hooks", ".git/FETCH_HEAD",
                                                 ".git/ORIG_HEAD"};
    for (size_t i = 0; i < 4 && !code; i++) code = sw_remove_tree_at(dir, volatile_files[i], err);
    if (!code)
        code =
            GIT(g, NULL, err, "remote", "add", "origin", sw_arena_cstr(g->arena, g->o->url.shown));
    return code ? code : GIT(g, NULL, err, "read-tree", "HEAD");
}

/* The subdirectory, which must be one and must not lead out. */
static enum sw_code find_subdir(struct git *g, int dir, struct sw_str *ret, struct sw_error *err) {
    struct sw_str subdir = g->o->url.subdir;
    SW_FD int fd = -1;
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 8192);
    enum sw_code code = sw_open_beneath(dir, subdir.len ? sw_arena_cstr(g->arena, subdir) : ".",
                                        O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (!code) code = sw_fd_path(fd, &path, err);
    if (code) return sw_context(err, "subdirectory %.*s", SW_ARG(subdir));
    *ret = sw_arena_str(g->arena, sw_buf_str(&path));
    return SW_OK;
}

enum sw_code sw_git_fetch(struct sw_store *store, const struct sw_git_options *options,
                          struct sw_arena *arena, struct sw_git_checkout *ret,
                          struct sw_error *err) {
    struct git g = {.arena = arena, .o = options};
    SW_BUF struct sw_buf temp;
    SW_FD int dir = -1;
    sw_buf_init(&temp, 4096);
    enum sw_code code = check_ref(options, err);
    if (!code) code = sw_store_temp_dir(store, &temp, &dir, err);
    if (code) return code;
    *ret = (struct sw_git_checkout){.temp = sw_arena_str(arena, sw_buf_str(&temp))};
    g.dir = sw_arena_printf(arena, "%s/%s", sw_store_root(store), temp.ptr).ptr;
    g.env = make_env(&g);
    code = GIT(&g, NULL, err, "init", "-q");
    if (!code) code = fetch(&g, &ret->commit, err);
    if (!code) code = check_commit(ret->commit, options->commit, err);
    if (!code) code = check_commit(ret->commit, options->url.commit, err);
    if (!code) code = find_time(&g, sw_arena_cstr(arena, ret->commit), &ret->time_s, err);
    if (!code) code = check_out(&g, dir, sw_arena_cstr(arena, ret->commit), err);
    if (!code) code = find_subdir(&g, dir, &ret->path, err);
    if (!code) return SW_OK;
    sw_store_temp_remove(store, temp.ptr);
    return sw_context(err, "%.*s", SW_ARG(options->url.shown));
}
