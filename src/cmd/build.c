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
#include "cmd/build_cache.h"
#include "cmd/build_check.h"
#include "cmd/build_explain.h"
#include "cmd/build_input.h"
#include "cmd/build_output.h"
#include "cmd/build_registry.h"
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
    values = sw_opt_list(inv, "ssh", &o->n_ssh);
    struct sw_build_ssh *ssh = sw_arena_array(inv->arena, o->n_ssh + 1, sizeof *ssh);
    for (size_t i = 0; i < o->n_ssh; i++) {
        if (!sw_str_cut(sw_str(values[i]), '=', &ssh[i].id, &ssh[i].path)) {
            const char *agent = getenv("SSH_AUTH_SOCK");
            if (!agent)
                return sw_fail(err, SW_USAGE, "--ssh %s: SSH_AUTH_SOCK is not set", values[i]);
            ssh[i].path = sw_str(agent);
        }
    }
    o->ssh = ssh;
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
    const char *text = n ? values[0] : NULL;
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
    const char *env = getenv("DOCKER_DEFAULT_PLATFORM");
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

/* A build for each platform, an index over them; each one's files in a directory of its own. */
static enum sw_code build_several(struct sw_invocation *inv, const struct sw_build_tools *tools,
                                  const struct sw_build_options *o,
                                  const struct sw_platform *platforms, size_t n,
                                  struct sw_build_output *output, struct sw_build_result *ret,
                                  struct sw_error *err) {
    struct sw_build_result *results = sw_arena_array(inv->arena, n, sizeof *results);
    struct sw_descriptor index;
    if (output->kind == SW_OUTPUT_TAR)
        return sw_fail(err, SW_USAGE, "type=tar is for one platform; take type=local or type=oci");
    enum sw_code code =
        sw_build_platforms(tools, o, platforms, n, inv->arena, results, &index, err);
    if (code) return code;
    *ret = results[0];
    if (!o->skip_layers) {
        ret->target = index;
        ret->config = index.digest;
        return sw_build_output_write(tools, o, ret, output, err);
    }
    for (size_t i = 0; i < n && !code; i++) {
        struct sw_build_output one = *output;
        char *name = sw_arena_cstr(inv->arena, sw_platform_format(inv->arena, &platforms[i]));
        for (char *p = name; *p; p++)
            if (*p == '/') *p = '_';
        one.dest = sw_arena_printf(inv->arena, "%s/%s", output->dest, name).ptr;
        code = sw_build_output_write(tools, o, &results[i], &one, err);
    }
    return code;
}

static enum sw_code parse_compression(struct sw_invocation *inv, struct sw_build_options *o,
                                      struct sw_error *err) {
    const char *kind = sw_opt(inv, "compression");
    uint64_t level = UINT64_MAX;
    o->compression = SW_COMPRESS_GZIP;
    o->compression_level = SW_COMPRESS_LEVEL_DEFAULT;
    if (kind && !strcmp(kind, "uncompressed"))
        o->compression = SW_COMPRESS_NONE;
    else if (kind && !sw_compression_parse(sw_str(kind), &o->compression))
        return sw_fail(err, SW_USAGE, "--compression %s: want gzip, zstd or uncompressed", kind);
    enum sw_code code = sw_opt_u64(inv, "compression-level", &level, err);
    if (!code && level != UINT64_MAX) o->compression_level = level > 100 ? 100 : (int)level;
    return code;
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
    values = sw_opt_list(inv, "allow", &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(values[i], "security.insecure")) o->allow_insecure = true;
    return code;
}

static enum sw_code parse_options(struct sw_invocation *inv, struct sw_build_options *o,
                                  struct sw_error *err) {
    uint64_t jobs = 0;
    size_t n;
    o->args = pairs_of(inv, "build-arg", true);
    o->labels = pairs_of(inv, "label", false);
    o->annotations = pairs_of(inv, "annotation", false);
    enum sw_code code = read_arg_files(inv, &o->args, err);
    if (!code) code = parse_platform(inv, o, err);
    if (!code) code = parse_secrets(inv, o, err);
    if (!code) code = parse_contexts(inv, o, err);
    if (!code) code = parse_compression(inv, o, err);
    if (!code) code = parse_sandbox(inv, o, err);
    if (!code) code = sw_opt_u64(inv, "jobs", &jobs, err);
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

static enum sw_code write_iidfile(const char *path, const struct sw_digest *id,
                                  struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    return sw_write_file_at(AT_FDCWD, path, 0644, sw_digest_format(id, text), err);
}

static enum sw_code write_metadata(struct sw_invocation *inv, const char *path,
                                   const struct sw_build_options *o,
                                   const struct sw_build_result *result, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_json_writer w;
    sw_buf_init(&text, 0);
    sw_json_writer_init(&w, &text, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_digest(&w, "containerimage.config.digest", &result->config);
    sw_json_key(&w, "containerimage.descriptor");
    sw_descriptor_to_json(&w, &result->target);
    sw_json_put_digest(&w, "containerimage.digest", &result->target.digest);
    if (o->tags.len) {
        SW_BUF struct sw_buf names;
        sw_buf_init(&names, 0);
        for (size_t i = 0; i < o->tags.len; i++) {
            struct sw_reference ref;
            enum sw_code code = sw_reference_parse(inv->arena, o->tags.ptr[i], &ref, err);
            if (code) return code;
            sw_reference_default_tag(&ref);
            sw_buf_addf(&names, "%s%.*s", i ? "," : "",
                        SW_ARG(sw_reference_format(inv->arena, &ref)));
        }
        sw_json_put_str(&w, "image.name", sw_buf_str(&names));
    }
    sw_json_end_object(&w);
    sw_buf_add_char(&text, '\n');
    return sw_write_file_at(AT_FDCWD, path, 0644, sw_buf_str(&text), err);
}

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
    if (!o->tags.len) return sw_fail(err, SW_USAGE, "--push needs a name: --tag");
    if (!lazy->remote) code = remote_open(inv, &lazy->remote, err);
    for (size_t i = 0; i < o->tags.len && !code; i++) {
        struct sw_copy_result result;
        code =
            remote_push(inv, lazy->remote, session->store, o->tags.ptr[i],
                        sw_arena_cstr(inv->arena, o->tags.ptr[i]), session->progress, &result, err);
    }
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_build_options o = {.context = inv->args[0]};
    struct sw_build_output output = {0};
    struct sw_platform *platforms = NULL;
    size_t n_platforms = 0;
    enum build_call call;
    bool json;
    struct sw_df_warnings warnings;
    enum sw_code code = build_call_parse(inv, &call, &json, err);
    if (!code) code = parse_options(inv, &o, err);
    if (!code) code = parse_platforms(inv, &o, &platforms, &n_platforms, err);
    if (!code) code = sw_build_output_parse(inv, &output, err);
    if (code) return code;
    o.skip_layers = output.kind == SW_OUTPUT_LOCAL || output.kind == SW_OUTPUT_TAR;

    SW_SESSION struct sw_session session = {0};
    code = sw_session_open(inv, SW_SESSION_ROOT | SW_SESSION_POOL | SW_SESSION_PROGRESS, &session,
                           err);
    if (code) return code;
    BUILD_INPUT struct build_input input = {0};
    code = build_input_open(&input, inv, &session, &o, err);
    if (code) return code;
    if (call != BUILD_CALL_BUILD) {
        code = build_call(inv, &session, &o, call, json, err);
        if (code == SW_SYNTAX) print_excerpt(&o, err);
        return code;
    }
    /* What is wrong beyond warnings, the build itself says. */
    if (build_check(inv, &session, &o, &warnings, err)) warnings = (struct sw_df_warnings){0};
    code = build_warnings_refuse(&warnings, err);
    if (code) {
        sw_progress_free(session.progress);
        session.progress = NULL;
        print_excerpt(&o, err);
        return code;
    }
    struct sw_build_tools tools = {.store = session.store,
                                   .pool = session.pool,
                                   .progress = session.progress,
                                   .userns = &session.userns};
    REMOTE_LAZY struct remote_lazy lazy = {0};
    remote_lazy_init(&lazy, inv);
    struct sw_build_registry registry = sw_build_registry_over(&lazy);
    o.registry = &registry;
    struct sw_build_result result;
    if (n_platforms > 1) {
        code = build_several(inv, &tools, &o, platforms, n_platforms, &output, &result, err);
    } else {
        code = sw_build_run(&tools, &o, inv->arena, &result, err);
        if (!code) code = sw_build_output_write(&tools, &o, &result, &output, err);
    }
    if (!code && sw_opt_flag(inv, "push")) code = push_all(inv, &o, &session, &lazy, err);
    sw_progress_free(session.progress);
    session.progress = NULL;
    if (o.explain)
        sw_build_explain(&o, &result, !strcmp(sw_opt(inv, "explain"), "json"), inv->color_err,
                         inv->arena);
    if (code) {
        if (!sw_opt_flag(inv, "quiet") && code != SW_CANCELLED) print_excerpt(&o, err);
        return code;
    }
    if (!sw_opt_flag(inv, "quiet")) build_warnings_print(&warnings);
    const char *file = sw_opt(inv, "iidfile");
    if (file) code = write_iidfile(file, &result.config, err);
    file = sw_opt(inv, "metadata-file");
    if (!code && file) code = write_metadata(inv, file, &o, &result, err);
    if (!code && sw_opt_flag(inv, "quiet") && !o.skip_layers) {
        char text[SW_DIGEST_TEXT_MAX];
        printf("%s\n", sw_digest_format(&result.config, text).ptr);
    }
    return code;
}

const struct sw_option sw_build_options_table[] = {
    {"tag", 't', "NAME", "name for the image", SW_OPT_LIST, NULL, NULL},
    {"push", 0, NULL, "send the image to the registries of its names", 0, NULL, NULL},
    REMOTE_OPTIONS,
    {"file", 'f', "FILE", "the Dockerfile; - for standard input (default: PATH/Dockerfile)", 0,
     NULL, NULL},
    {"target", 0, "STAGE", "stage to build (default: the last)", 0, NULL, NULL},
    {"build-arg", 0, "NAME[=VALUE]", "value of an ARG", SW_OPT_LIST, NULL, NULL},
    {"build-arg-file", 0, "FILE", "values of ARGs, a NAME=VALUE a line", SW_OPT_LIST, NULL, NULL},
    {"build-context", 0, "NAME=VALUE",
     "a further context: a directory, oci-layout://DIR, docker-image://REF, a URL, target:STAGE",
     SW_OPT_LIST, NULL, NULL},
    {"platform", 0, "PLATFORM[,...]",
     "platform of the result, such as linux/arm64; several give an index", SW_OPT_LIST, NULL, NULL},
    {"output", 'o', "SPEC",
     "further output: type=oci|docker|local|tar,dest=PATH; a path alone is type=local", 0, NULL,
     NULL},
    {"load", 0, NULL, "keep the image in the local store (always done)", 0, NULL, NULL},
    {"no-cache", 0, NULL, "execute every step", 0, NULL, NULL},
    {"no-cache-filter", 0, "STAGE", "execute every step of these stages", SW_OPT_LIST, NULL, NULL},
    {"fail-on-miss", 0, NULL, "fail where a step is not in the cache", 0, NULL, NULL},
    {"cache-from", 0, "SPEC",
     "take steps from there: type=registry,ref=REF; type=local,src=DIR; or a reference alone",
     SW_OPT_LIST, NULL, NULL},
    {"cache-to", 0, "SPEC",
     "keep steps there: type=registry,ref=REF; type=local,dest=DIR; type=inline; more: "
     "mode=min|max, ignore-error=BOOL",
     SW_OPT_LIST, NULL, NULL},
    {"explain", 0, "FORM", "say of each step whether the cache had it, and why not",
     SW_OPT_OPTIONAL, "text", "text|json"},
    {"secret", 0, "id=ID,src=FILE|env=NAME", "a secret for RUN --mount=type=secret", SW_OPT_LIST,
     NULL, NULL},
    {"ssh", 0, "default|ID=SOCKET", "an agent's socket for RUN --mount=type=ssh", SW_OPT_LIST, NULL,
     NULL},
    {"label", 0, "NAME=VALUE", "a label for the image", SW_OPT_LIST, NULL, NULL},
    {"annotation", 0, "NAME=VALUE", "an annotation for the manifest", SW_OPT_LIST, NULL, NULL},
    {"format", 0, "FORMAT", "document types of the image", 0, NULL, "oci|docker"},
    {"compression", 0, "KIND", "of layers", 0, NULL, "gzip|zstd|uncompressed"},
    {"compression-level", 0, "N", "of layers; 0 stores", 0, NULL, NULL},
    {"source-date-epoch", 0, "SECONDS", "no file and no document is younger (SOURCE_DATE_EPOCH)", 0,
     NULL, NULL},
    {"timestamp", 0, "SECONDS", "the same, as buildah calls it", SW_OPT_HIDDEN, NULL, NULL},
    {"ignorefile", 0, "FILE", "instead of .dockerignore", 0, NULL, NULL},
    {"network", 0, "MODE", "network of RUN", 0, NULL, "default|host|none|private"},
    {"add-host", 0, "NAME:IP", "a line of /etc/hosts in RUN", SW_OPT_LIST, NULL, NULL},
    {"ulimit", 0, "NAME=SOFT[:HARD]", "a resource limit in RUN", SW_OPT_LIST, NULL, NULL},
    {"shm-size", 0, "SIZE", "size of /dev/shm in RUN", 0, NULL, NULL},
    {"memory", 'm', "SIZE", "memory of each RUN", 0, NULL, NULL},
    {"allow", 0, "ENTITLEMENT", "what RUN may ask for: security.insecure, network.host",
     SW_OPT_LIST, NULL, NULL},
    {"store-cap", 0, "SIZE",
     "most bytes that the store may have; what was not used for longest goes (SLIPWAY_STORE_CAP)",
     0, NULL, NULL},
    {"jobs", 0, "N", "RUN steps at once (default: processors)", 0, NULL, NULL},
    {"progress", 0, "MODE", "how progress is shown (BUILDKIT_PROGRESS)", 0, NULL,
     "auto|plain|tty|rawjson|quiet|none"},
    {"check", 0, NULL, "check the Dockerfile and do not build; status 1 on any warning", 0, NULL,
     NULL},
    {"call", 0, "METHOD", "check, outline or targets instead of a build; add ,format=json", 0, NULL,
     NULL},
    {"quiet", 'q', NULL, "print only the image ID", 0, NULL, NULL},
    {"iidfile", 0, "FILE", "write the image ID there", 0, NULL, NULL},
    {"metadata-file", 0, "FILE", "write digests and names there, as JSON", 0, NULL, NULL},
    {"pull", 0, "POLICY", "when to ask registries for base images",
     SW_OPT_OPTIONAL | SW_OPT_IGNORED, "always", NULL},
    {"layers", 0, NULL, "buildah's: layers are always cached", SW_OPT_IGNORED, NULL, NULL},
    {"rm", 0, NULL, "docker's: nothing is left to remove", SW_OPT_IGNORED, NULL, NULL},
    {"force-rm", 0, NULL, "docker's: nothing is left to remove", SW_OPT_IGNORED, NULL, NULL},
    {"isolation", 0, "KIND", "buildah's: RUN is always in a sandbox", SW_OPT_IGNORED, NULL, NULL},
    {"builder", 0, "NAME", "docker's: there is one builder", SW_OPT_IGNORED, NULL, NULL},
    {NULL},
};

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
        "Exit status: 0 built, 1 failed, 2 wrong usage, 130 interrupted.",
    .examples = "  slipway build -t app:1.0 .\n"
                "  slipway build --target test --build-arg VERSION=1.2 .\n"
                "  slipway build -o type=oci,dest=app.tar -t app:1.0 .",
    .options = sw_build_options_table,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
