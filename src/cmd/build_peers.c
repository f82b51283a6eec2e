#include "cmd/build_peers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "oci/reference.h"
#include "sandbox/security.h"

/* ---- what is refused ---- */

static const struct refusal {
    const char *option;
    const char *harmless; /* "a|b": values that mean what is done anyway; NULL: none */
    const char *why;
} refusals[] = {
    {"all-platforms", "false", "name the platforms with --platform"},
    {"cache-ttl", NULL, "steps are known by content and do not grow old; --no-cache executes them"},
    {"cdi-config-dir", NULL, "RUN gets no devices of the host"},
    {"cert-dir", NULL, "certificates of a registry are named in the registries' configuration"},
    {"cgroupns", "private", "RUN has a group namespace of its own"},
    {"compat-volumes", "false", "what RUN writes below a VOLUME is kept, as with docker"},
    {"cpp-flag", NULL, "Dockerfiles are not run through a preprocessor"},
    {"creds", NULL, "log in with `slipway login`, or name a file with --authfile"},
    {"cw", NULL, "images for confidential computing are not made"},
    {"decryption-key", NULL, "encrypted images are not read"},
    {"device", NULL, "RUN gets no devices of the host"},
    {"group-add", NULL, "RUN has the groups that the image gives to its USER"},
    {"hooks-dir", NULL, "RUN is not started through hooks"},
    {"ipc", "private|container", "RUN is isolated from the host's processes"},
    {"manifest", NULL, "several --platform with -t NAME make one index of that name"},
    {"pid", "private|container", "RUN is isolated from the host's processes"},
    {"sbom-scanner-image", NULL, "no scanner is run; --sbom=true describes the image"},
    {"sbom-scanner-command", NULL, "no scanner is run; --sbom=true describes the image"},
    {"sbom-merge-strategy", NULL, "no scanner is run; --sbom=true describes the image"},
    {"sbom-output", NULL, "--sbom=true -o type=local writes sbom.spdx.json"},
    {"sbom-image-output", NULL, "--sbom=true attaches it to the image"},
    {"sbom-purl-output", NULL, "--sbom=true -o type=local writes sbom.spdx.json"},
    {"sbom-image-purl-output", NULL, "--sbom=true attaches it to the image"},
    {"sign-by", NULL, "images are not signed with GPG"},
    {"signature-policy", NULL, "GPG signatures are not checked"},
    {"source-policy-file", NULL, "pin what FROM and ADD name by digest and --checksum"},
    {"stdin", "false", "RUN has no standard input, so that it can be repeated"},
    {"tls-verify", "true", "name the registry: --insecure-registry HOST"},
    {"userns", "private|container|auto", "a user namespace is entered where it is needed"},
    {"userns-uid-map", NULL, "the caller's subordinate IDs are mapped"},
    {"userns-gid-map", NULL, "the caller's subordinate IDs are mapped"},
    {"userns-uid-map-user", NULL, "the caller's subordinate IDs are mapped"},
    {"userns-gid-map-group", NULL, "the caller's subordinate IDs are mapped"},
    {"uts", "private|container", "RUN has a host name of its own"},
};

static bool word_in(const char *list, const char *word) {
    struct sw_str rest = sw_str(list), one;
    while (list && sw_str_next(&rest, '|', &one))
        if (sw_str_is(one, word)) return true;
    return false;
}

static enum sw_code refuse(struct sw_invocation *inv, struct sw_error *err) {
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *r = &refusals[i];
        const char *value = sw_opt(inv, r->option);
        if (value && !word_in(r->harmless, value))
            return sw_fail(err, SW_UNSUPPORTED, "--%s is not supported: %s", r->option, r->why);
    }
    return SW_OK;
}

/* ---- the image ---- */

static void parse_config(struct sw_invocation *inv, struct sw_build_options *o) {
    struct sw_build_tweaks *t = &o->tweaks;
    size_t n;
    const char *const *values = sw_opt_list(inv, "env", &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str name, value;
        const char *own = NULL;
        bool has_value = sw_str_cut(sw_str(values[i]), '=', &name, &value);
        if (!has_value && !(own = getenv(values[i]))) continue;
        sw_pairs_set(inv->arena, &t->env, name, has_value ? value : sw_str(own));
    }
    values = sw_opt_list(inv, "unsetenv", &n);
    for (size_t i = 0; i < n; i++) sw_strs_add(inv->arena, &t->unset_env, sw_str(values[i]));
    values = sw_opt_list(inv, "unsetlabel", &n);
    for (size_t i = 0; i < n; i++) sw_strs_add(inv->arena, &t->unset_labels, sw_str(values[i]));
    values = sw_opt_list(inv, "os-feature", &n);
    for (size_t i = 0; i < n; i++) sw_strs_add(inv->arena, &t->os_features, sw_str(values[i]));
    t->os_version = sw_str(sw_opt(inv, "os-version"));
    t->drop_labels = sw_opt(inv, "inherit-labels") && !sw_opt_flag(inv, "inherit-labels");
    t->omit_history = sw_opt_flag(inv, "omit-history");
    o->rewrite_times |= sw_opt_flag(inv, "rewrite-timestamp");
    o->force_compression |= sw_opt_flag(inv, "force-compression");
    /* docker and podman mean the new layers; buildah means all of them. */
    if (sw_opt_flag(inv, "squash"))
        o->squash = strcmp(inv->program, "buildah") ? SW_SQUASH_NEW : SW_SQUASH_ALL;
    if (sw_opt_flag(inv, "squash-all")) o->squash = SW_SQUASH_ALL;
}

static enum sw_code parse_bases(struct sw_invocation *inv, struct sw_build_options *o,
                                struct sw_error *err) {
    static const struct {
        const char *word;
        enum sw_pull_policy policy;
    } words[] = {{"always", SW_PULL_ALWAYS},   {"true", SW_PULL_ALWAYS},
                 {"newer", SW_PULL_NEWER},     {"ifnewer", SW_PULL_NEWER},
                 {"missing", SW_PULL_MISSING}, {"ifmissing", SW_PULL_MISSING},
                 {"false", SW_PULL_MISSING},   {"never", SW_PULL_NEVER}};
    const char *text = sw_opt(inv, "pull"), *from = sw_opt(inv, "from");
    size_t i = 0, n = sizeof words / sizeof words[0];
    if (text) {
        while (i < n && strcmp(text, words[i].word) != 0) i++;
        if (i == n)
            return sw_fail(err, SW_USAGE, "--pull %s: want missing, always, newer or never", text);
        o->tweaks.pull = words[i].policy;
    }
    if (sw_opt_flag(inv, "pull-always")) o->tweaks.pull = SW_PULL_ALWAYS;
    if (sw_opt_flag(inv, "pull-never")) o->tweaks.pull = SW_PULL_NEVER;
    if (from) {
        struct sw_reference ref;
        enum sw_code code = sw_reference_parse(inv->arena, sw_str(from), &ref, err);
        if (code) return sw_context(err, "--from %s", from);
        o->tweaks.from = sw_str(from);
    }
    text = sw_opt(inv, "authfile");
    if (text) setenv("REGISTRY_AUTH_FILE", text, 1);
    return SW_OK;
}

/* ---- RUN ---- */

/* "HOST:PATH[:ro]"; a directory that does not exist would be an empty one, which nobody means. */
static enum sw_code parse_volume(struct sw_invocation *inv, const char *text, struct sw_mount *ret,
                                 struct sw_error *err) {
    struct sw_str source, rest, target, modes, mode;
    char path[PATH_MAX];
    if (!sw_str_cut(sw_str(text), ':', &source, &rest))
        return sw_fail(err, SW_USAGE, "-v %s: want HOST_PATH:PATH[:ro]", text);
    sw_str_cut(rest, ':', &target, &modes);
    if (!target.len || target.ptr[0] != '/')
        return sw_fail(err, SW_USAGE, "-v %s: the path in RUN must be absolute", text);
    if (!realpath(sw_arena_cstr(inv->arena, source), path))
        return sw_fail(err, SW_NOT_FOUND, "-v %s: there is no %.*s", text, SW_ARG(source));
    *ret = (struct sw_mount){.kind = SW_MOUNT_BIND,
                             .target = sw_arena_cstr(inv->arena, target),
                             .source = sw_arena_cstr(inv->arena, sw_str(path))};
    while (modes.len && sw_str_next(&modes, ',', &mode)) {
        if (sw_str_is(mode, "ro"))
            ret->read_only = true;
        else if (!sw_str_is(mode, "rw") && !sw_str_is(mode, "z") && !sw_str_is(mode, "Z"))
            return sw_fail(err, SW_USAGE, "-v %s: want ro or rw, not \"%.*s\"", text, SW_ARG(mode));
    }
    return SW_OK;
}

static enum sw_code parse_caps(struct sw_invocation *inv, const char *option, uint64_t *ret,
                               struct sw_error *err) {
    size_t n;
    const char *const *values = sw_opt_list(inv, option, &n);
    for (size_t i = 0; i < n; i++) {
        struct sw_str rest = sw_str(values[i]), one;
        while (sw_str_next(&rest, ',', &one)) {
            uint64_t mask;
            enum sw_code code = sw_caps_parse(one, &mask, err);
            if (code) return sw_context(err, "--%s", option);
            *ret |= mask;
        }
    }
    return SW_OK;
}

static enum sw_code parse_cpus(struct sw_invocation *inv, struct sw_build_options *o,
                               struct sw_error *err) {
    uint64_t quota = 0, period = 100000;
    enum sw_code code = sw_opt_u64(inv, "cpu-quota", &quota, err);
    if (!code) code = sw_opt_u64(inv, "cpu-period", &period, err);
    if (code) return code;
    if (period < 1000 || period > 1000000)
        return sw_fail(err, SW_USAGE, "--cpu-period: want 1000 to 1000000 microseconds");
    if (quota > (uint64_t)1 << 40) return sw_fail(err, SW_USAGE, "--cpu-quota: too much");
    if (quota) o->limits.milli_cpus = quota * 1000 / period;
    return SW_OK;
}

static enum sw_code parse_swap(struct sw_invocation *inv, struct sw_build_options *o,
                               struct sw_error *err) {
    const char *text = sw_opt(inv, "memory-swap");
    uint64_t bytes = 0;
    if (text && !strcmp(text, "-1")) {
        o->limits.memory_swap_bytes = -1;
        return SW_OK;
    }
    enum sw_code code = sw_opt_size(inv, "memory-swap", &bytes, err);
    if (code || !text) return code;
    if (bytes < o->limits.memory_bytes || !o->limits.memory_bytes)
        return sw_fail(err, SW_USAGE, "--memory-swap %s: want at least what --memory says", text);
    o->limits.memory_swap_bytes = (int64_t)bytes;
    return SW_OK;
}

static enum sw_code parse_security(struct sw_invocation *inv, struct sw_build_options *o,
                                   struct sw_error *err) {
    size_t n;
    const char *const *values = sw_opt_list(inv, "security-opt", &n);
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(values[i], "seccomp=unconfined"))
            o->tweaks.unconfined = true;
        else if (strncmp(values[i], "label", 5) != 0 && strncmp(values[i], "apparmor", 8) != 0)
            return sw_fail(err, SW_UNSUPPORTED,
                           "--security-opt %s: want seccomp=unconfined, label=... or apparmor=...",
                           values[i]);
    }
    return SW_OK;
}

static enum sw_code parse_run(struct sw_invocation *inv, struct sw_build_options *o,
                              struct sw_error *err) {
    struct sw_build_tweaks *t = &o->tweaks;
    size_t n;
    const char *const *values = sw_opt_list(inv, "volume", &n);
    struct sw_mount *mounts = sw_arena_array(inv->arena, n + 1, sizeof *mounts);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++) code = parse_volume(inv, values[i], &mounts[i], err);
    t->mounts = mounts;
    t->n_mounts = n;
    t->dns = sw_opt_list(inv, "dns", &t->n_dns);
    values = sw_opt_list(inv, "dns-search", &n);
    for (size_t i = 0; i < n; i++) sw_strs_add(inv->arena, &t->dns_search, sw_str(values[i]));
    values = sw_opt_list(inv, "dns-option", &n);
    for (size_t i = 0; i < n; i++) sw_strs_add(inv->arena, &t->dns_options, sw_str(values[i]));
    t->no_hosts = sw_opt_flag(inv, "no-hosts");
    if (t->no_hosts && o->n_add_hosts)
        return sw_fail(err, SW_USAGE, "--no-hosts and --add-host contradict each other");
    if (!code) code = parse_caps(inv, "cap-add", &t->caps_added, err);
    if (!code) code = parse_caps(inv, "cap-drop", &t->caps_dropped, err);
    if (!code) code = parse_cpus(inv, o, err);
    if (!code) code = parse_swap(inv, o, err);
    if (!code) code = parse_security(inv, o, err);
    return code;
}

/* ---- all ---- */

enum sw_code build_peers_parse(struct sw_invocation *inv, struct sw_build_options *o,
                               struct sw_error *err) {
    enum sw_code code = refuse(inv, err);
    if (code) return code;
    parse_config(inv, o);
    code = parse_bases(inv, o, err);
    return code ? code : parse_run(inv, o, err);
}

const char *build_peers_platform(struct sw_invocation *inv) {
    const char *os = sw_opt(inv, "os"), *arch = sw_opt(inv, "arch");
    const char *variant = sw_opt(inv, "variant");
    if (!os && !arch && !variant) return NULL;
    if (!arch) return os && !variant ? os : NULL;
    return sw_arena_printf(inv->arena, "%s/%s%s%s", os ? os : "linux", arch, variant ? "/" : "",
                           variant ? variant : "")
        .ptr;
}

enum sw_code build_peers_logfile(struct sw_invocation *inv, struct sw_error *err) {
    const char *path = sw_opt(inv, "logfile");
    SW_FD int fd = -1;
    if (!path) return SW_OK;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, err);
    if (!code && dup2(fd, STDERR_FILENO) < 0) code = sw_fail_sys(err, errno, "--logfile");
    return code;
}
