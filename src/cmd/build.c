#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "build/build.h"
#include "build/platforms.h"
#include "cmd/build_attest.h"
#include "cmd/build_cache.h"
#include "cmd/build_check.h"
#include "cmd/build_explain.h"
#include "cmd/build_input.h"
#include "cmd/build_output.h"
#include "cmd/build_peers.h"
#include "cmd/build_registry.h"
#include "cmd/build_result.h"
#include "cmd/build_ssh.h"
#include "cmd/remote_common.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "dockerfile/limits.h"
#include "oci/reference.h"

#define SECRET_MAX ((size_t)500 * 1024) /* as BuildKit */
#define CONTEXTS_MAX 256
#define PLATFORMS_MAX 32 /* more than Go has for Linux */

/* ---- files ---- */

enum sw_code build_read_file(struct sw_arena *arena, const char *path, size_t max,
                             struct sw_str *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, max);
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, max, &text, err);
    if (!code) *ret = sw_arena_str(arena, sw_buf_str(&text));
    return code;
}

/* ---- options ---- */

static struct sw_pairs pairs_of(struct sw_invocation *inv, const char *name, bool from_env) {
    struct sw_pairs list = {0};
    size_t n;
    const char *const *values = sw_opt_list(inv, name, &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str key, value;
        if (!sw_str_cut(sw_str(values[i]), '=', &key, &value) && from_env) {
            /* "--build-arg NAME" passes the variable of this name on, if there is one. */
            const char *env = getenv(values[i]);
            if (!env) continue;
            value = sw_str(env);
        }
        sw_pairs_set(inv->arena, &list, key, value);
    }
    return list;
}

static enum sw_code read_arg_files(struct sw_invocation *inv, struct sw_pairs *args,
                                   struct sw_error *err) {
    size_t n;
    const char *const *files = sw_opt_list(inv, "build-arg-file", &n);
    struct sw_pairs all = {0};
    for (size_t i = 0; i < n; i++) {
        struct sw_str text, line, key, value;
        enum sw_code code = build_read_file(inv->arena, files[i], SW_DF_FILE_MAX, &text, err);
        if (code) return code;
        while (sw_str_next(&text, '\n', &line)) {
            line = sw_str_trim(line);
            if (!line.len || line.ptr[0] == '#') continue;
            sw_str_cut(line, '=', &key, &value);
            sw_pairs_set(inv->arena, &all, key, value);
        }
    }
    for (size_t i = 0; i < args->len; i++)
        sw_pairs_set(inv->arena, &all, args->ptr[i].name, args->ptr[i].value);
    *args = all;
    return SW_OK;
}

/* "id=x,src=file", "id=x,env=NAME", "id=x" (a file or variable of that name), "x". */
static enum sw_code parse_secret(struct sw_invocation *inv, const char *text,
                                 struct sw_build_secret *ret, struct sw_error *err) {
    struct sw_str rest = sw_str(text), field, key, value, src = {0}, env = {0};
    *ret = (struct sw_build_secret){0};
    bool is_env = false;
    while (sw_str_next(&rest, ',', &field)) {
        if (!sw_str_cut(field, '=', &key, &value)) {
            ret->id = key;
        } else if (sw_str_is(key, "id")) {
            ret->id = value;
        } else if (sw_str_is(key, "src") || sw_str_is(key, "source")) {
            src = value;
        } else if (sw_str_is(key, "env")) {
            env = value;
        } else if (sw_str_is(key, "type")) {
            is_env = sw_str_is(value, "env");
        } else {
            return sw_fail(err, SW_USAGE,
                           "--secret %s: unknown key \"%.*s\"; want id, src, env or type", text,
                           SW_ARG(key));
        }
    }
    if (!ret->id.len) return sw_fail(err, SW_USAGE, "--secret %s: there is no id", text);
    if (is_env && !env.ptr) env = src.ptr ? src : ret->id;
    if (!env.ptr && !src.ptr && getenv(sw_arena_cstr(inv->arena, ret->id))) env = ret->id;
    if (env.ptr) {
        const char *found = getenv(sw_arena_cstr(inv->arena, env));
        if (!found)
            return sw_fail(err, SW_NOT_FOUND, "--secret %s: there is no such variable", text);
        ret->value = sw_str(found);
        return SW_OK;
    }
    if (!src.ptr) src = ret->id;
    enum sw_code code =
        build_read_file(inv->arena, sw_arena_cstr(inv->arena, src), SECRET_MAX, &ret->value, err);
    return code ? sw_context(err, "--secret %s", text) : SW_OK;
}

static enum sw_code parse_secrets(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    const char *const *values = sw_opt_list(inv, "secret", &o->n_secrets);
    struct sw_build_secret *secrets = sw_arena_array(inv->arena, o->n_secrets + 1, sizeof *secrets);
    for (size_t i = 0; i < o->n_secrets; i++) {
        enum sw_code code = parse_secret(inv, values[i], &secrets[i], err);
        if (code) return code;
    }
    o->secrets = secrets;
    return SW_OK;
}

static enum sw_code parse_contexts(struct sw_invocation *inv, struct sw_build_options *o,
                                   struct sw_error *err) {
    const char *const *values = sw_opt_list(inv, "build-context", &o->n_contexts);
    if (o->n_contexts > CONTEXTS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d build contexts", CONTEXTS_MAX);
    struct sw_build_context *contexts =
        sw_arena_array(inv->arena, o->n_contexts + 1, sizeof *contexts);
    for (size_t i = 0; i < o->n_contexts; i++)
        if (!sw_str_cut(sw_str(values[i]), '=', &contexts[i].name, &contexts[i].value))
            return sw_fail(err, SW_USAGE, "--build-context %s: want NAME=VALUE", values[i]);
    o->contexts = contexts;
    return SW_OK;
}

static enum sw_code parse_platform(struct sw_invocation *inv, struct sw_build_options *o,
                                   struct sw_error *err) {
    struct utsname host;
    uname(&host);
    o->host = sw_platform_of_machine(sw_arena_str(inv->arena, sw_str(host.machine)));
    o->platform = o->host;
    size_t n;
    const char *const *values = sw_opt_list(inv, "platform", &n);
    const char *text = n ? values[0] : build_peers_platform(inv);
    if (!text) text = getenv("DOCKER_DEFAULT_PLATFORM");
    if (!text || !*text) return SW_OK;
    struct sw_str rest = sw_str(text), one;
    sw_str_next(&rest, ',', &one);
    return sw_platform_parse(inv->arena, one, &o->host, &o->platform, err);
}

/* All that --platform names, in its order, each once. */
static enum sw_code parse_platforms(struct sw_invocation *inv, const struct sw_build_options *o,
                                    struct sw_platform **ret, size_t *ret_n, struct sw_error *err) {
    size_t n_values, n = 0;
    const char *const *values = sw_opt_list(inv, "platform", &n_values);
    const char *env = build_peers_platform(inv);
    if (!env) env = getenv("DOCKER_DEFAULT_PLATFORM");
    if (!n_values && env && *env) values = &env, n_values = 1;
    struct sw_platform *list = sw_arena_array(inv->arena, PLATFORMS_MAX, sizeof *list);
    for (size_t i = 0; i < n_values; i++) {
        struct sw_str rest = sw_str(values[i]), one;
        while (sw_str_next(&rest, ',', &one)) {
            if (n == PLATFORMS_MAX)
                return sw_fail(err, SW_LIMIT, "more than %d platforms", PLATFORMS_MAX);
            enum sw_code code = sw_platform_parse(inv->arena, one, &o->host, &list[n], err);
            if (code) return code;
            bool known = false;
            for (size_t k = 0; k < n; k++) known |= sw_platform_eq(&list[k], &list[n]);
            n += !known;
        }
    }
    *ret = list;
    *ret_n = n;
    return SW_OK;
}

static enum sw_code parse_compression(struct sw_invocation *inv, struct sw_build_options *o,
                                      struct sw_error *err) {
    const char *kind = sw_opt(inv, "compression");
    uint64_t level = UINT64_MAX;
    o->compression = SW_COMPRESS_GZIP;
    o->compression_level = SW_COMPRESS_LEVEL_DEFAULT;
    enum sw_code code = SW_OK;
    if (kind) code = sw_build_compression("--compression", sw_str(kind), o, err);
    if (!code) code = sw_opt_u64(inv, "compression-level", &level, err);
    if (!code && level != UINT64_MAX) o->compression_level = level > 100 ? 100 : (int)level;
    return code;
}

/* Only security.insecure has to be allowed; the others are what docker buildx takes beside it,
 * whose effect is there without (docs/design/build.md). */
static enum sw_code parse_allow(struct sw_invocation *inv, struct sw_build_options *o,
                                struct sw_error *err) {
    static const char *const others[] = {"network.host", "device",   "fs",
                                         "fs.read",      "fs.write", "ssh"};
    size_t n;
    const char *const *values = sw_opt_list(inv, "allow", &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str rest = sw_str(values[i]), one, name, value;
        while (sw_str_next(&rest, ',', &one)) {
            if (!sw_str_cut(one, '=', &name, &value)) name = one;
            bool known = sw_str_is(name, "security.insecure");
            if (known) o->allow_insecure = true;
            for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
                known |= sw_str_is(name, others[k]);
            if (!known)
                return sw_fail(err, SW_USAGE,
                               "--allow %.*s: want network.host or security.insecure", SW_ARG(one));
        }
    }
    return SW_OK;
}

static enum sw_code parse_sandbox(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    const char *network = sw_opt(inv, "network");
    o->network = network && !strcmp(network, "none")      ? SW_NETWORK_NONE
                 : network && !strcmp(network, "private") ? SW_NETWORK_PRIVATE
                                                          : SW_NETWORK_HOST;
    size_t n;
    const char *const *values = sw_opt_list(inv, "add-host", &n);
    struct sw_host_entry *hosts = sw_arena_array(inv->arena, n + 1, sizeof *hosts);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++)
        code = sw_host_entry_parse(values[i], o->network, &hosts[i], err);
    o->add_hosts = hosts;
    o->n_add_hosts = n;
    values = sw_opt_list(inv, "ulimit", &n);
    struct sw_rlimit *limits = sw_arena_array(inv->arena, n + 1, sizeof *limits);
    for (size_t i = 0; i < n && !code; i++)
        code = sw_rlimit_parse(sw_str(values[i]), &limits[i], err);
    o->rlimits = limits;
    o->n_rlimits = n;
    if (!code) code = sw_opt_size(inv, "shm-size", &o->shm_bytes, err);
    if (!code) code = sw_opt_size(inv, "memory", &o->limits.memory_bytes, err);
    return code ? code : parse_allow(inv, o, err);
}

static enum sw_code parse_annotations(struct sw_invocation *inv, struct sw_build_options *o,
                                      struct sw_error *err) {
    size_t n;
    const char *const *values = sw_opt_list(inv, "annotation", &n);
    for (size_t i = 0; i < n; i++) {
        enum sw_code code = sw_annotations_add(inv->arena, &o->annotations, sw_str(values[i]), err);
        if (code) return sw_context(err, "--annotation");
    }
    return SW_OK;
}

static enum sw_code parse_options(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    uint64_t jobs = 0;
    size_t n;
    o->args = pairs_of(inv, "build-arg", true);
    o->labels = pairs_of(inv, "label", false);
    enum sw_code code = read_arg_files(inv, &o->args, err);
    if (!code) code = parse_annotations(inv, o, err);
    if (!code) code = parse_platform(inv, o, err);
    if (!code) code = parse_secrets(inv, o, err);
    if (!code) code = parse_contexts(inv, o, err);
    if (!code) code = parse_compression(inv, o, err);
    if (!code) code = parse_sandbox(inv, o, err);
    if (!code) code = sw_opt_u64(inv, "jobs", &jobs, err);
    if (!code) code = build_peers_parse(inv, o, err);
    if (code) return code;
    o->jobs = jobs > 256 ? 256 : (unsigned)jobs;
    o->target = sw_str(sw_opt(inv, "target"));
    if (!o->target.ptr) o->target = SW_STR("");
    const char *const *tags = sw_opt_list(inv, "tag", &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_reference ref;
        code = sw_reference_parse(inv->arena, sw_str(tags[i]), &ref, err);
        if (code) return sw_context(err, "--tag %s", tags[i]);
        sw_strs_add(inv->arena, &o->tags, sw_str(tags[i]));
    }
    o->no_cache = sw_opt_flag(inv, "no-cache");
    const char *const *filters = sw_opt_list(inv, "no-cache-filter", &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str rest = sw_str(filters[i]), one;
        while (sw_str_next(&rest, ',', &one)) sw_strs_add(inv->arena, &o->no_cache_filter, one);
    }
    o->fail_on_miss = sw_opt_flag(inv, "fail-on-miss");
    o->explain = sw_opt(inv, "explain") != NULL;
    code = sw_build_cache_parse(inv, o, err);
    if (code) return code;
    const char *format = sw_opt(inv, "format");
    o->docker_format = format && !strcmp(format, "docker");
    if (format && strcmp(format, "docker") != 0 && strcmp(format, "oci") != 0)
        return sw_fail(err, SW_USAGE, "--format %s: want oci or docker", format);
    return SW_OK;
}

/* ---- results ---- */

/* The lines of the Dockerfile around the one that an error names, that line marked. */
static void print_excerpt(const struct sw_build_options *o, const struct sw_error *err) {
    size_t name_len = strlen(o->dockerfile_name);
    const char *at = strstr(err->text, o->dockerfile_name);
    if (!at || at[name_len] != ':') return;
    unsigned long wanted = strtoul(at + name_len + 1, NULL, 10), number = 0;
    struct sw_str rest = o->dockerfile, line;
    if (!wanted) return;
    fputs("--------------------\n", stderr);
    while (sw_str_next(&rest, '\n', &line)) {
        number++;
        if (number + 2 < wanted) continue;
        if (number > wanted + 2) break;
        fprintf(stderr, "%4lu | %s %.*s\n", number, number == wanted ? ">>>" : "   ", SW_ARG(line));
    }
    fputs("--------------------\n", stderr);
}

static enum sw_code push_all(struct sw_invocation *inv, const struct sw_build_options *o,
                             struct sw_session *session, struct remote_lazy *lazy,
                             struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (!lazy->remote) code = remote_open(inv, &lazy->remote, err);
    for (size_t i = 0; i < o->tags.len && !code; i++) {
        struct sw_copy_result result;
        code =
            remote_push(inv, lazy->remote, session->store, o->tags.ptr[i],
                        sw_arena_cstr(inv->arena, o->tags.ptr[i]), session->progress, &result, err);
    }
    return code;
}

/* What a build was asked for. */
struct request {
    struct sw_build_options o;
    struct sw_build_outputs outputs;
    struct build_sbom sbom;
    struct sw_platform *platforms;
    size_t n_platforms;
    struct sw_strs notes; /* to be said once progress is shown */
    enum build_call call;
    bool json;
};

/* Of several platforms each has a directory of its own, or files with its name. */
static enum sw_code write_files(struct sw_invocation *inv, const struct sw_build_tools *tools,
                                const struct request *q, const struct build_results *r,
                                const struct sw_build_output *output, struct sw_error *err) {
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < r->n && !code; i++) {
        struct sw_build_output one = *output;
        char *name = sw_arena_cstr(inv->arena, sw_platform_format(inv->arena, &r->platforms[i]));
        for (char *p = name; *p; p++)
            if (*p == '/') *p = '_';
        if (output->one_directory)
            one.platform = &r->platforms[i];
        else
            one.dest = sw_arena_printf(inv->arena, "%s/%s", output->dest, name).ptr;
        code = sw_build_output_write(tools, &q->o, &r->list[i], &one, err);
    }
    return code;
}

static enum sw_code write_outputs(struct sw_invocation *inv, const struct sw_build_tools *tools,
                                  const struct request *q, const struct build_results *r,
                                  struct sw_error *err) {
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < q->outputs.n && !code; i++) {
        const struct sw_build_output *output = &q->outputs.list[i];
        struct sw_build_result result = r->list[0];
        result.target = r->target;
        code = output->kind == SW_OUTPUT_LOCAL && r->n > 1
                   ? write_files(inv, tools, q, r, output, err)
                   : sw_build_output_write(tools, &q->o, &result, output, err);
    }
    return code;
}

/* A build, or one for each platform and an index over them. */
static enum sw_code build_all(struct sw_invocation *inv, const struct sw_build_tools *tools,
                              const struct request *q, struct sw_build_result *list,
                              struct build_results *ret, struct sw_error *err) {
    enum sw_code code;
    *ret = (struct build_results){
        .list = list, .platforms = q->platforms, .n = q->n_platforms > 1 ? q->n_platforms : 1};
    if (ret->n > 1) {
        code = sw_build_platforms(tools, &q->o, q->platforms, ret->n, inv->arena, list,
                                  &ret->target, err);
    } else {
        code = sw_build_run(tools, &q->o, inv->arena, list, err);
        ret->target = list[0].target;
    }
    return code ? code : write_outputs(inv, tools, q, ret, err);
}

static enum sw_code check_request(const struct request *q, struct sw_error *err) {
    const struct sw_build_options *o = &q->o;
    bool index = q->n_platforms > 1 || sw_attest_wanted(&o->attest);
    if (!index && (sw_annotations_has(&o->annotations, SW_ANNOTATE_INDEX) ||
                   sw_annotations_has(&o->annotations, SW_ANNOTATE_INDEX_DESCRIPTOR)))
        return sw_fail(err, SW_USAGE,
                       "an annotation is for the index, and an image of one platform has none");
    if (q->outputs.push && !o->tags.len)
        return sw_fail(err, SW_USAGE, "--push needs a name: --tag");
    for (size_t i = 0; i < q->outputs.n; i++)
        if (q->outputs.list[i].kind == SW_OUTPUT_TAR && q->n_platforms > 1)
            return sw_fail(err, SW_USAGE,
                           "type=tar is for one platform; take type=local or type=oci");
    return SW_OK;
}

static enum sw_code parse_request(struct sw_invocation *inv, struct request *q,
                                  struct sw_error *err) {
    q->o.context = inv->args[0];
    enum sw_code code = build_call_parse(inv, &q->call, &q->json, err);
    if (!code) code = parse_options(inv, &q->o, err);
    if (!code) code = parse_platforms(inv, &q->o, &q->platforms, &q->n_platforms, err);
    if (!code) code = sw_build_outputs_parse(inv, &q->o, &q->outputs, &q->notes, err);
    if (!code) code = build_attest_parse(inv, &q->o, &q->sbom, &q->notes, err);
    return code ? code : check_request(q, err);
}

/* Builds, writes, pushes; *ret_list as many results as there are platforms. */
static enum sw_code execute(struct sw_invocation *inv, struct request *q,
                            struct sw_session *session, struct sw_build_result *list,
                            struct build_results *ret, struct sw_error *err) {
    struct sw_build_tools tools = {.store = session->store,
                                   .pool = session->pool,
                                   .progress = session->progress,
                                   .userns = &session->userns};
    REMOTE_LAZY struct remote_lazy lazy = {0};
    remote_lazy_init(&lazy, inv);
    struct sw_build_registry registry = sw_build_registry_over(&lazy);
    q->o.registry = &registry;
    q->sbom.session = session;
    q->sbom.epoch_s = q->o.epoch_s;
    for (size_t i = 0; i < q->notes.len; i++)
        sw_progress_warn(session->progress, "%.*s", SW_ARG(q->notes.ptr[i]));
    enum sw_code code = build_all(inv, &tools, q, list, ret, err);
    if (!code && q->outputs.push) code = push_all(inv, &q->o, session, &lazy, err);
    q->o.registry = NULL;
    return code;
}

/* Checks may ask registries of bases that the store lacks. Before a build they do not: a stage that
 * is never built would cost every warm build a question. */
static enum sw_code answer(struct sw_invocation *inv, struct request *q,
                           const struct sw_session *session, struct sw_error *err) {
    REMOTE_LAZY struct remote_lazy lazy = {0};
    remote_lazy_init(&lazy, inv);
    struct sw_build_registry registry = sw_build_registry_over(&lazy);
    q->o.registry = &registry;
    enum sw_code code = build_call(inv, session, &q->o, q->call, q->json, err);
    q->o.registry = NULL;
    if (code == SW_SYNTAX) print_excerpt(&q->o, err);
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct request q = {0};
    struct sw_build_options *o = &q.o;
    struct sw_df_warnings warnings;
    enum sw_code code = parse_request(inv, &q, err);
    if (!code) code = build_peers_logfile(inv, err);
    if (code) return code;
    SW_SESSION struct sw_session session = {0};
    code = sw_session_open(inv, SW_SESSION_ROOT | SW_SESSION_POOL | SW_SESSION_PROGRESS, &session,
                           err);
    if (code) return code;
    BUILD_SSH struct build_ssh ssh = {0};
    BUILD_INPUT struct build_input input = {0};
    code = build_ssh_open(&ssh, inv, o, err);
    if (!code) code = build_input_open(&input, inv, &session, o, err);
    if (code) return code;
    if (q.call != BUILD_CALL_BUILD) return answer(inv, &q, &session, err);
    /* What is wrong beyond warnings, the build itself says. */
    if (build_check(inv, &session, o, &warnings, err)) warnings = (struct sw_df_warnings){0};
    code = build_warnings_refuse(&warnings, err);
    if (code) {
        sw_progress_free(session.progress);
        session.progress = NULL;
        print_excerpt(o, err);
        return code;
    }
    /* What was fetched lies in the store, which may be in a repository of its own. */
    if (!input.remote.dir && !input.temp.len) build_attest_vcs(inv, o);
    size_t n = q.n_platforms ? q.n_platforms : 1;
    struct sw_build_result *list = sw_arena_array(inv->arena, n, sizeof *list);
    struct build_results results;
    code = execute(inv, &q, &session, list, &results, err);
    sw_progress_free(session.progress);
    session.progress = NULL;
    if (o->explain)
        sw_build_explain(o, &list[0], !strcmp(sw_opt(inv, "explain"), "json"), inv->color_err,
                         inv->arena);
    if (code) {
        if (!sw_opt_flag(inv, "quiet") && code != SW_CANCELLED) print_excerpt(o, err);
        return code;
    }
    if (!sw_opt_flag(inv, "quiet")) build_warnings_print(&warnings);
    code = build_result_files(inv, o, &results, err);
    if (!code && sw_opt_flag(inv, "quiet") && !o->skip_layers) {
        char text[SW_DIGEST_TEXT_MAX];
        struct sw_digest id = build_result_id(&results);
        printf("%s\n", sw_digest_format(&id, text).ptr);
    }
    return code;
}

const struct sw_command sw_cmd_build = {
    .name = "build",
    .aliases = "bud",
    .args = "[OPTIONS] PATH|URL|-",
    .summary = "Build an image from a Dockerfile",
    .description =
        "Builds the image that a Dockerfile describes from the files in PATH, without a daemon, as "
        "root or not. The image is kept in the local store.\n\n"
        "The same input gives the same bytes: owners and times in layers do not depend on who "
        "builds "
        "and when. PATH may also be a tar archive, the URL of a git repository "
        "(https://host/repo.git#ref:directory), of an archive or of a Dockerfile; with - an "
        "archive or a Dockerfile comes from standard input. No time is younger than "
        "SOURCE_DATE_EPOCH, else the last commit of PATH, else "
        "1970.\n\n"
        "--output may be given several times. Beside type and dest it takes docker buildx's keys: "
        "name, push, compression, compression-level, force-compression, rewrite-timestamp, "
        "oci-mediatypes, oci-artifact, tar, attestation-prefix, platform-split, annotation.NAME. "
        "With --sbom or --provenance the image's name stands for an index of the image and what "
        "was attested of it; `slipway inspect` shows it.\n\n"
        "Exit status: 0 built, 1 failed, 2 wrong usage, 130 interrupted.",
    .examples = "  slipway build -t app:1.0 .\n"
                "  slipway build --target test --build-arg VERSION=1.2 .\n"
                "  slipway build -o type=oci,dest=app.tar -t app:1.0 .",
    .options = sw_build_options_table,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
