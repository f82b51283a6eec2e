#include "cmd/build_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "dockerfile/expand.h"
#include "dockerfile/limits.h"
#include "dockerfile/parse.h"

static enum sw_code read_stdin(struct sw_arena *arena, struct sw_str *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_DF_FILE_MAX);
    enum sw_code code = sw_read_fd(STDIN_FILENO, SW_DF_FILE_MAX, &text, err);
    if (code) return sw_context(err, "reading the Dockerfile from standard input");
    *ret = sw_arena_str(arena, sw_buf_str(&text));
    return SW_OK;
}

/* Looked for without -f, in this order: docker's, buildah's, and what docker takes as well. */
static const char *const default_names[] = {"Dockerfile", "Containerfile", "dockerfile"};
#define DEFAULT_NAMES (sizeof default_names / sizeof *default_names)

/* -f, else one of the default names in the context. */
static enum sw_code find_dockerfile(struct sw_invocation *inv, struct sw_build_options *o,
                                    const char **ret_path, struct sw_error *err) {
    const char *file = sw_opt(inv, "file");
    *ret_path = NULL;
    if (file && !strcmp(file, "-")) {
        o->dockerfile_name = "Dockerfile";
        return read_stdin(inv->arena, &o->dockerfile, err);
    }
    if (file) {
        o->dockerfile_name = *ret_path = file;
        enum sw_code code = build_read_file(inv->arena, file, SW_DF_FILE_MAX, &o->dockerfile, err);
        if (code != SW_NOT_FOUND || file[0] == '/') return code;
        /* As buildah does: beneath the context, too. */
        *ret_path = sw_arena_printf(inv->arena, "%s/%s", o->context, file).ptr;
        struct sw_error second = {0};
        if (build_read_file(inv->arena, *ret_path, SW_DF_FILE_MAX, &o->dockerfile, &second) ==
            SW_OK)
            return SW_OK;
        return code;
    }
    for (size_t i = 0; i < DEFAULT_NAMES; i++) {
        *ret_path = sw_arena_printf(inv->arena, "%s/%s", o->context, default_names[i]).ptr;
        o->dockerfile_name = default_names[i];
        enum sw_code code =
            build_read_file(inv->arena, *ret_path, SW_DF_FILE_MAX, &o->dockerfile, err);
        if (code != SW_NOT_FOUND) return code;
    }
    return sw_fail(err, SW_NOT_FOUND, "no Dockerfile in %s; name it with -f FILE", o->context);
}

/* The same in a context that came from elsewhere: no name in it leads out of it. */
static enum sw_code find_remote_dockerfile(struct sw_invocation *inv, struct sw_build_options *o,
                                           const char **ret_path, struct sw_error *err) {
    const char *file = sw_opt(inv, "file");
    SW_FD int dir = -1;
    *ret_path = NULL;
    if (file && !strcmp(file, "-"))
        return sw_fail(err, SW_USAGE, "-f -: standard input is the context already");
    enum sw_code code = sw_open_at(AT_FDCWD, o->context, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code) return code;
    for (size_t i = 0; i < DEFAULT_NAMES; i++) {
        SW_FD int fd = -1;
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, SW_DF_FILE_MAX);
        const char *name = file ? file : default_names[i];
        code = sw_open_beneath(dir, name, O_RDONLY, 0, &fd, err);
        if (code == SW_NOT_FOUND && !file) continue;
        if (!code) code = sw_read_fd(fd, SW_DF_FILE_MAX, &text, err);
        if (code) return code;
        o->dockerfile = sw_arena_str(inv->arena, sw_buf_str(&text));
        o->dockerfile_name = name;
        *ret_path = sw_arena_printf(inv->arena, "%s/%s", o->context, name).ptr;
        return SW_OK;
    }
    return sw_fail(err, SW_NOT_FOUND, "no Dockerfile in the context; name it with -f FILE");
}

/* --ignorefile, else the first of those that docs/format/dockerignore.md lists. */
static enum sw_code find_ignore(struct sw_invocation *inv, struct sw_build_options *o,
                                const char *dockerfile, struct sw_error *err) {
    const char *given = sw_opt(inv, "ignorefile");
    if (given) {
        o->ignore_name = given;
        return build_read_file(inv->arena, given, SW_DF_FILE_MAX, &o->ignore, err);
    }
    const char *candidates[4] = {NULL};
    if (dockerfile) {
        candidates[0] = sw_arena_printf(inv->arena, "%s.dockerignore", dockerfile).ptr;
        candidates[1] = sw_arena_printf(inv->arena, "%s.containerignore", dockerfile).ptr;
    }
    candidates[2] = sw_arena_printf(inv->arena, "%s/.containerignore", o->context).ptr;
    candidates[3] = sw_arena_printf(inv->arena, "%s/.dockerignore", o->context).ptr;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (!candidates[i]) continue;
        enum sw_code code =
            build_read_file(inv->arena, candidates[i], SW_DF_FILE_MAX, &o->ignore, err);
        if (code == SW_NOT_FOUND) continue;
        const char *slash = strrchr(candidates[i], '/');
        o->ignore_name = slash ? slash + 1 : candidates[i];
        return code;
    }
    sw_error_clear(err);
    return SW_OK;
}

/* The last second of the year 9999: what RFC 3339 can write. */
#define EPOCH_MAX 253402300799

static enum sw_code parse_epoch(struct sw_str text, int64_t *ret, struct sw_error *err) {
    if (!sw_str_i64(text, ret) || *ret < 0)
        return sw_fail(err, SW_USAGE, "SOURCE_DATE_EPOCH=%.*s: want seconds since 1970",
                       SW_ARG(text));
    if (*ret <= EPOCH_MAX) return SW_OK;
    return sw_fail(err, SW_USAGE,
                   "SOURCE_DATE_EPOCH=%.*s: beyond the year 9999, which no image document can "
                   "say; seconds are wanted, not milliseconds",
                   SW_ARG(text));
}

/* The value of a global "ARG SOURCE_DATE_EPOCH=..." of the Dockerfile; "" where it has none. What
 * is wrong with the file will be said by whoever builds it. */
static struct sw_str declared_epoch(struct sw_invocation *inv, const struct sw_build_options *o,
                                    struct sw_dockerfile **ret_file, unsigned *ret_line) {
    struct sw_df_vars vars = {.arena = inv->arena};
    struct sw_df_lex lex = {.env = sw_df_vars_env(&vars)};
    struct sw_str value, epoch = SW_STR("");
    struct sw_error ignored = {0};
    struct sw_dockerfile *file;
    *ret_file = NULL;
    if (sw_dockerfile_parse(inv->arena, o->dockerfile, sw_str(o->dockerfile_name), &file, &ignored))
        return epoch;
    *ret_file = file;
    lex.escape = file->escape;
    for (size_t i = 0; i < file->n_globals; i++) {
        const struct sw_df_pairs *pairs = &file->instructions[i].pairs;
        for (size_t k = 0; k < pairs->n; k++) {
            const struct sw_df_pair *arg = &pairs->items[k];
            if (!sw_pairs_get(&o->args, arg->name, &value)) {
                if (!arg->value.ptr) continue;
                if (sw_df_expand_word(inv->arena, &lex, arg->value, &value, &ignored)) return epoch;
            }
            sw_df_vars_set(&vars, arg->name, value);
            if (!sw_str_is(arg->name, "SOURCE_DATE_EPOCH")) continue;
            epoch = value;
            *ret_line = file->instructions[i].span.line;
        }
    }
    return epoch;
}

/* Where nobody gave an epoch, the Dockerfile may. *ret_known false: it does not, or means the time
 * of its context, which is what counts then anyway. */
static enum sw_code epoch_of_dockerfile(struct sw_invocation *inv, struct sw_build_options *o,
                                        bool *ret_known, struct sw_error *err) {
    struct sw_dockerfile *file;
    unsigned line = 0;
    struct sw_str text = declared_epoch(inv, o, &file, &line);
    *ret_known = false;
    if (!text.len || sw_str_is(text, "context")) return SW_OK;
    /* A stage's or a named context's time is not known before they are. */
    if (sw_df_stage_by_name(file, text)) return SW_OK;
    for (size_t i = 0; i < o->n_contexts; i++)
        if (sw_str_ieq(o->contexts[i].name, text)) return SW_OK;
    enum sw_code code = parse_epoch(text, &o->epoch_s, err);
    if (code) {
        err->code = SW_SYNTAX;
        return sw_context(err, "%s:%u", o->dockerfile_name, line);
    }
    *ret_known = true;
    return SW_OK;
}

/* --source-date-epoch, --timestamp, the build argument or the variable SOURCE_DATE_EPOCH, else the
 * Dockerfile's own, else the time of the context's last commit, else 0. */
static enum sw_code find_epoch(struct sw_invocation *inv, struct sw_build_options *o,
                               struct sw_error *err) {
    struct sw_str name = SW_STR("SOURCE_DATE_EPOCH"), given = SW_STR("");
    const char *text = sw_opt(inv, "source-date-epoch");
    bool known = false;
    if (!text) text = sw_opt(inv, "timestamp");
    bool is_arg = sw_pairs_get(&o->args, name, &given);
    if (!text && !is_arg) text = getenv("SOURCE_DATE_EPOCH");
    if (text) given = sw_str(text);
    if (given.len && !sw_str_is(given, "context")) {
        /* As with docker: an ARG of this name sees it, whoever gave it. */
        if (!is_arg) sw_pairs_set(inv->arena, &o->args, name, given);
        return parse_epoch(given, &o->epoch_s, err);
    }
    enum sw_code code = given.len || is_arg ? SW_OK : epoch_of_dockerfile(inv, o, &known, err);
    if (code || known) return code;
    SW_FREE char *git = sw_asprintf("%s/.git", o->context);
    if (access(git, F_OK) < 0 || !sw_proc_find("git", NULL)) return SW_OK;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 4096);
    struct sw_error ignored = {0};
    struct sw_proc_options run = {.argv = (const char *[]){"git", "-C", o->context, "-c",
                                                           "safe.directory=*", "log", "-1",
                                                           "--format=%ct", NULL}};
    int64_t time;
    /* A repository without a commit, or one that git refuses, is as good as none. */
    if (sw_proc_run(&run, &out, &ignored) == SW_OK &&
        sw_str_i64(sw_str_trim(sw_buf_str(&out)), &time) && time >= 0 && time <= EPOCH_MAX)
        o->epoch_s = time;
    return SW_OK;
}

/* ---- contexts ---- */

/* A Dockerfile alone: its context is empty. */
static enum sw_code empty_context(struct build_input *in, struct sw_invocation *inv,
                                  struct sw_build_options *o, struct sw_error *err) {
    SW_BUF struct sw_buf temp;
    SW_FD int dir = -1;
    sw_buf_init(&temp, 4096);
    enum sw_code code = sw_store_temp_dir(in->store, &temp, &dir, err);
    if (code) return code;
    in->temp = sw_arena_str(inv->arena, sw_buf_str(&temp));
    o->context = sw_arena_printf(inv->arena, "%s/%s", sw_store_root(in->store), in->temp.ptr).ptr;
    return SW_OK;
}

/* As docker's: --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1. */
static bool keeps_git_dir(const struct sw_build_options *o) {
    bool kept = false;
    for (size_t i = 0; i < o->args.len; i++) {
        struct sw_str value = o->args.ptr[i].value;
        if (sw_str_is(o->args.ptr[i].name, "BUILDKIT_CONTEXT_KEEP_GIT_DIR"))
            kept = sw_str_is(value, "1") || sw_str_is(value, "true");
    }
    return kept;
}

static enum sw_code fetch(struct build_input *in, struct sw_invocation *inv,
                          const struct sw_session *session, struct sw_build_options *o, int fd,
                          struct sw_error *err) {
    struct sw_str name = fd == STDIN_FILENO ? SW_STR("standard input") : sw_str(o->context);
    struct sw_str text = sw_arena_printf(inv->arena, "load the context from %.*s", SW_ARG(name));
    struct sw_input_options options = {.store = session->store, .progress = session->progress};
    options.step = sw_progress_step(session->progress, text);
    options.secrets = o->secrets;
    options.n_secrets = o->n_secrets;
    options.keep_git_dir = keeps_git_dir(o);
    options.ssh_agent = SW_STR("");
    for (size_t i = 0; i < o->n_ssh; i++)
        if (sw_str_is(o->ssh[i].id, "default")) options.ssh_agent = o->ssh[i].path;
    sw_progress_start(session->progress, options.step);
    enum sw_code code = fd >= 0 ? sw_input_read(&options, fd, name, inv->arena, &in->remote, err)
                                : sw_input_open(&options, name, inv->arena, &in->remote, err);
    if (code) {
        sw_progress_fail(session->progress, options.step, err);
    } else {
        sw_progress_done(session->progress, options.step);
    }
    return code;
}

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

enum sw_code build_input_open(struct build_input *in, struct sw_invocation *inv,
                              const struct sw_session *session, struct sw_build_options *o,
                              struct sw_error *err) {
    const char *dockerfile = NULL;
    enum sw_code code;
    SW_FD int fd = -1;
    in->store = session->store;
    bool is_stdin = !strcmp(o->context, "-");
    if (is_stdin || is_file(o->context)) {
        code = SW_OK;
        if (!is_stdin) code = sw_open_at(AT_FDCWD, o->context, O_RDONLY, 0, &fd, err);
        if (!code) code = fetch(in, inv, session, o, is_stdin ? STDIN_FILENO : fd, err);
    } else if (sw_input_is_remote(sw_str(o->context)) && access(o->context, F_OK) < 0) {
        code = fetch(in, inv, session, o, -1, err);
    } else {
        code = find_dockerfile(inv, o, &dockerfile, err);
        if (!code) code = find_ignore(inv, o, dockerfile, err);
        return code ? code : find_epoch(inv, o, err);
    }
    if (code) return code;
    if (in->remote.dir) {
        o->context = in->remote.dir;
        o->epoch_s = in->remote.time_s;
        if (in->remote.material.hex.len) o->attest.context = &in->remote.material;
        code = find_remote_dockerfile(inv, o, &dockerfile, err);
        if (!code) code = find_ignore(inv, o, dockerfile, err);
    } else {
        o->dockerfile = in->remote.dockerfile;
        o->dockerfile_name = "Dockerfile";
        code = empty_context(in, inv, o, err);
    }
    return code ? code : find_epoch(inv, o, err);
}

void build_input_close(struct build_input *in) {
    if (!in->store) return;
    if (in->remote.temp.len) sw_store_temp_remove(in->store, in->remote.temp.ptr);
    if (in->temp.len) sw_store_temp_remove(in->store, in->temp.ptr);
}
