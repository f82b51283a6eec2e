#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "build/container.h"
#include "cmd/image_read.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "sandbox/security.h"

#define EXIT_OURS 125 /* docker's status for failures that are not the command's */

/* "SRC:DST[:ro|rw|z|Z]"; a source that does not exist is made, as docker does. */
static enum sw_code parse_volume(struct sw_invocation *inv, const char *text, struct sw_mount *ret,
                                 struct sw_error *err) {
    struct sw_str source, rest, target, mode, word;
    if (!sw_str_cut(sw_str(text), ':', &source, &rest))
        return sw_fail(err, SW_USAGE, "-v %s: want HOST_PATH:CONTAINER_PATH[:ro]", text);
    sw_str_cut(rest, ':', &target, &mode);
    if (!target.len || target.ptr[0] != '/')
        return sw_fail(err, SW_USAGE, "-v %s: the path in the container must be absolute", text);
    char path[PATH_MAX];
    const char *given = sw_arena_cstr(inv->arena, source);
    if (!strchr(given, '/'))
        return sw_fail(err, SW_USAGE, "-v %s: named volumes are not kept; give a path (./%s)", text,
                       given);
    if (!realpath(given, path)) {
        struct sw_error ignored = {0};
        if (sw_mkdirs_at(AT_FDCWD, given, 0755, &ignored) || !realpath(given, path))
            return sw_fail(err, SW_NOT_FOUND, "-v %s: there is no %s", text, given);
    }
    *ret = (struct sw_mount){.kind = SW_MOUNT_BIND,
                             .target = sw_arena_cstr(inv->arena, target),
                             .source = sw_arena_cstr(inv->arena, sw_str(path))};
    while (sw_str_next(&mode, ',', &word)) {
        if (sw_str_is(word, "ro")) {
            ret->read_only = true;
        } else if (word.len && !sw_str_is(word, "rw") && !sw_str_is(word, "z") &&
                   !sw_str_is(word, "Z")) {
            return sw_fail(err, SW_USAGE, "-v %s: unknown mode \"%.*s\"", text, SW_ARG(word));
        }
    }
    return SW_OK;
}

/* "/path[:size=64m,mode=1777]". */
static enum sw_code parse_tmpfs(struct sw_invocation *inv, const char *text, struct sw_mount *ret,
                                struct sw_error *err) {
    struct sw_str target, rest, word, key, value;
    sw_str_cut(sw_str(text), ':', &target, &rest);
    *ret = (struct sw_mount){.kind = SW_MOUNT_TMPFS, .target = sw_arena_cstr(inv->arena, target)};
    while (rest.len && sw_str_next(&rest, ',', &word)) {
        uint64_t number;
        sw_str_cut(word, '=', &key, &value);
        if (sw_str_is(key, "size") && sw_str_size(value, &number)) {
            ret->size_bytes = number;
        } else if (sw_str_is(key, "mode") && sw_str_octal(value, &number)) {
            ret->mode = (unsigned)number & 07777;
        } else if (sw_str_is(key, "ro")) {
            ret->read_only = true;
        } else if (!sw_str_is(key, "rw") && !sw_str_is(key, "noexec") &&
                   !sw_str_is(key, "nosuid")) {
            return sw_fail(err, SW_USAGE, "--tmpfs %s: unknown option \"%.*s\"", text,
                           SW_ARG(word));
        }
    }
    return SW_OK;
}

static enum sw_code parse_mounts(struct sw_invocation *inv, struct sw_container_options *o,
                                 struct sw_error *err) {
    size_t n_volumes, n_tmpfs;
    const char *const *volumes = sw_opt_list(inv, "volume", &n_volumes);
    const char *const *tmpfs = sw_opt_list(inv, "tmpfs", &n_tmpfs);
    struct sw_mount *mounts = sw_arena_array(inv->arena, n_volumes + n_tmpfs + 1, sizeof *mounts);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n_volumes && !code; i++)
        code = parse_volume(inv, volumes[i], &mounts[o->n_mounts++], err);
    for (size_t i = 0; i < n_tmpfs && !code; i++)
        code = parse_tmpfs(inv, tmpfs[i], &mounts[o->n_mounts++], err);
    o->mounts = mounts;
    return code;
}

static enum sw_code parse_network(struct sw_invocation *inv, struct sw_container_options *o,
                                  struct sw_error *err) {
    size_t n;
    const char *const *words = sw_opt_list(inv, "publish", &n);
    struct sw_port *ports = sw_arena_array(inv->arena, SW_FORWARD_PORTS_MAX, sizeof *ports);
    const char *network = sw_opt(inv, "network");
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++)
        code = sw_port_parse(sw_str(words[i]), ports, SW_FORWARD_PORTS_MAX, &o->n_ports, err);
    o->ports = ports;
    o->network = network && !strcmp(network, "host")   ? SW_NETWORK_HOST
                 : network && !strcmp(network, "none") ? SW_NETWORK_NONE
                                                       : SW_NETWORK_PRIVATE;
    words = sw_opt_list(inv, "add-host", &n);
    struct sw_host_entry *hosts = sw_arena_array(inv->arena, n + 1, sizeof *hosts);
    for (size_t i = 0; i < n && !code; i++)
        code = sw_host_entry_parse(words[i], o->network, &hosts[i], err);
    o->add_hosts = hosts;
    o->n_add_hosts = n;
    o->dns = sw_opt_list(inv, "dns", &o->n_dns);
    return code;
}

/* "1.5" as thousandths. */
static enum sw_code parse_cpus(const char *text, uint64_t *ret_milli, struct sw_error *err) {
    char *end;
    double value = text ? strtod(text, &end) : 0;
    if (!text) return SW_OK;
    if (*end || value <= 0 || value > 100000)
        return sw_fail(err, SW_USAGE, "--cpus %s: want a number of processors such as 1.5", text);
    *ret_milli = (uint64_t)(value * 1000);
    return SW_OK;
}

static enum sw_code parse_limits(struct sw_invocation *inv, struct sw_container_options *o,
                                 struct sw_error *err) {
    size_t n;
    enum sw_code code = sw_opt_size(inv, "memory", &o->limits.memory_bytes, err);
    if (!code) code = parse_cpus(sw_opt(inv, "cpus"), &o->limits.milli_cpus, err);
    if (!code) code = sw_opt_u64(inv, "pids-limit", &o->limits.pids, err);
    if (!code) code = sw_opt_size(inv, "shm-size", &o->shm_bytes, err);
    const char *const *words = sw_opt_list(inv, "ulimit", &n);
    struct sw_rlimit *rlimits = sw_arena_array(inv->arena, n + 1, sizeof *rlimits);
    for (size_t i = 0; i < n && !code; i++)
        code = sw_rlimit_parse(sw_str(words[i]), &rlimits[i], err);
    o->rlimits = rlimits;
    o->n_rlimits = n;
    o->capabilities = SW_CAPS_DEFAULT;
    /* Drops come first, so that "--cap-drop ALL --cap-add NET_ADMIN" means what it says. */
    for (int add = 0; add < 2 && !code; add++) {
        words = sw_opt_list(inv, add ? "cap-add" : "cap-drop", &n);
        for (size_t i = 0; i < n && !code; i++) {
            uint64_t mask = 0;
            code = sw_caps_parse(sw_str(words[i]), &mask, err);
            o->capabilities = add ? o->capabilities | mask : o->capabilities & ~mask;
        }
    }
    words = sw_opt_list(inv, "security-opt", &n);
    for (size_t i = 0; i < n && !code; i++) {
        if (!strcmp(words[i], "no-new-privileges") || !strcmp(words[i], "no-new-privileges:true")) {
            o->no_new_privs = true;
        } else if (!strcmp(words[i], "seccomp=unconfined")) {
            o->unconfined = true;
        } else if (strncmp(words[i], "label", 5) != 0 && strncmp(words[i], "apparmor", 8) != 0) {
            code = sw_fail(err, SW_USAGE,
                           "--security-opt %s: want no-new-privileges or seccomp=unconfined",
                           words[i]);
        }
    }
    return code;
}

static enum sw_code read_env_file(struct sw_invocation *inv, const char *path, struct sw_strs *env,
                                  struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 1 << 20);
    enum sw_code code = sw_read_file_at(AT_FDCWD, path, 1 << 20, &text, err);
    struct sw_str rest = sw_arena_str(inv->arena, sw_buf_str(&text)), line;
    while (!code && sw_str_next(&rest, '\n', &line)) {
        line = sw_str_trim(line);
        if (line.len && line.ptr[0] != '#') sw_strs_add(inv->arena, env, line);
    }
    return code;
}

static enum sw_code parse_env(struct sw_invocation *inv, struct sw_container_options *o,
                              struct sw_error *err) {
    size_t n;
    const char *const *words = sw_opt_list(inv, "env-file", &n);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < n && !code; i++) code = read_env_file(inv, words[i], &o->env, err);
    words = sw_opt_list(inv, "env", &n);
    for (size_t i = 0; i < n && !code; i++) {
        const char *value;
        if (strchr(words[i], '=')) {
            sw_strs_add(inv->arena, &o->env, sw_str(words[i]));
        } else if ((value = getenv(words[i]))) {
            sw_strs_add(inv->arena, &o->env, sw_arena_printf(inv->arena, "%s=%s", words[i], value));
        }
    }
    return code;
}

static enum sw_code parse(struct sw_invocation *inv, struct sw_container_options *o,
                          struct sw_error *err) {
    const char *text;
    for (int i = 1; i < inv->n_args; i++)
        sw_strs_add(inv->arena, &o->command, sw_str(inv->args[i]));
    if ((text = sw_opt(inv, "entrypoint"))) {
        o->has_entrypoint = true;
        if (*text) sw_strs_add(inv->arena, &o->entrypoint, sw_str(text));
    }
    text = sw_opt(inv, "user");
    o->user = text ? sw_str(text) : SW_STR("");
    text = sw_opt(inv, "workdir");
    o->workdir = text ? sw_str(text) : SW_STR("");
    o->hostname = sw_opt(inv, "hostname");
    o->read_only = sw_opt_flag(inv, "read-only");
    o->privileged = sw_opt_flag(inv, "privileged");
    o->init = sw_opt_flag(inv, "init");
    o->tty = sw_opt_flag(inv, "tty");
    o->interactive = sw_opt_flag(inv, "interactive");
    if (o->tty && o->interactive && !isatty(STDIN_FILENO))
        return sw_fail(err, SW_USAGE, "-t: standard input is not a terminal; leave -t out");
    enum sw_code code = parse_env(inv, o, err);
    if (!code) code = parse_mounts(inv, o, err);
    if (!code) code = parse_network(inv, o, err);
    if (!code) code = parse_limits(inv, o, err);
    return code;
}

/* A private network needs a program that carries its packets. Without one, and unless it was asked
 * for by name, the container gets a network of its own without a way out; published ports work. */
static void settle_network(struct sw_invocation *inv, struct sw_container_options *o) {
    SW_BUF struct sw_buf why;
    sw_buf_init(&why, 4096);
    if (sw_opt(inv, "network") || o->network != SW_NETWORK_PRIVATE) return;
    if (sw_network_helper(&why) != SW_NETHELP_NONE) return;
    o->network = SW_NETWORK_NONE;
    fprintf(stderr, "slipway: note: the container has no way out to the network: %s\n", why.ptr);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_container_options o = {0};
    SW_SESSION struct sw_session session = {0};
    struct sw_image_read image;
    int status = 0;
    inv->exit_status = EXIT_OURS;
    enum sw_code code = parse(inv, &o, err);
    if (!code) code = sw_session_open(inv, SW_SESSION_ROOT | SW_SESSION_POOL, &session, err);
    if (!code) code = sw_image_read(session.store, inv->arena, sw_str(inv->args[0]), &image, err);
    if (code) return code;
    settle_network(inv, &o);
    o.manifest = &image.manifest;
    o.config = &image.config;
    struct sw_build_tools tools = {
        .store = session.store, .pool = session.pool, .userns = &session.userns};
    code = sw_container_run(&tools, &o, inv->arena, &status, err);
    if (code == SW_UNSUPPORTED && o.network == SW_NETWORK_PRIVATE && !sw_opt(inv, "network")) {
        /* The program that carries packets is there and does not work. */
        fprintf(stderr, "slipway: note: the container has no way out to the network: %s\n",
                err->text);
        o.network = SW_NETWORK_NONE;
        code = sw_container_run(&tools, &o, inv->arena, &status, err);
    }
    if (!code || code == SW_CHILD) inv->exit_status = status;
    return code;
}

static const struct sw_option options[] = {
    {"interactive", 'i', NULL, "pass standard input on", 0, NULL, NULL},
    {"tty", 't', NULL, "give it a terminal", 0, NULL, NULL},
    {"rm", 0, NULL, "docker's: nothing of a container is kept", SW_OPT_IGNORED, NULL, NULL},
    {"env", 'e', "NAME[=VALUE]", "a variable; without a value, ours", SW_OPT_LIST, NULL, NULL},
    {"env-file", 0, "FILE", "variables, a NAME=VALUE a line", SW_OPT_LIST, NULL, NULL},
    {"volume", 'v', "HOST:CONTAINER[:ro]", "mount a path of the host", SW_OPT_LIST, NULL, NULL},
    {"tmpfs", 0, "PATH[:size=N,mode=M]", "mount a file system in memory", SW_OPT_LIST, NULL, NULL},
    {"publish", 'p', "[IP:]HOST:CONTAINER[/udp]", "forward a port of the host", SW_OPT_LIST, NULL,
     NULL},
    {"network", 0, "MODE", "private (default), host or none", 0, NULL,
     "private|host|none|bridge|default"},
    {"add-host", 0, "NAME:IP", "a line of /etc/hosts", SW_OPT_LIST, NULL, NULL},
    {"dns", 0, "IP", "a name server", SW_OPT_LIST, NULL, NULL},
    {"hostname", 0, "NAME", "its host name", 0, NULL, NULL},
    {"workdir", 'w', "DIR", "working directory", 0, NULL, NULL},
    {"user", 'u', "USER[:GROUP]", "who runs it", 0, NULL, NULL},
    {"entrypoint", 0, "PROGRAM", "instead of the image's; empty for none", 0, NULL, NULL},
    {"name", 0, "NAME", "docker's: containers are not kept", SW_OPT_IGNORED, NULL, NULL},
    {"init", 0, NULL, "a small PID 1 that reaps and forwards signals", 0, NULL, NULL},
    {"read-only", 0, NULL, "root file system without writing", 0, NULL, NULL},
    {"memory", 'm', "SIZE", "memory limit", 0, NULL, NULL},
    {"cpus", 0, "N", "processors it may use, such as 1.5", 0, NULL, NULL},
    {"pids-limit", 0, "N", "processes and threads it may have", 0, NULL, NULL},
    {"shm-size", 0, "SIZE", "size of /dev/shm", 0, NULL, NULL},
    {"ulimit", 0, "NAME=SOFT[:HARD]", "a resource limit", SW_OPT_LIST, NULL, NULL},
    {"cap-add", 0, "CAPABILITY", "a capability more", SW_OPT_LIST, NULL, NULL},
    {"cap-drop", 0, "CAPABILITY", "a capability less", SW_OPT_LIST, NULL, NULL},
    {"security-opt", 0, "OPTION", "no-new-privileges, seccomp=unconfined", SW_OPT_LIST, NULL, NULL},
    {"privileged", 0, NULL, "all capabilities, no filter, nothing masked", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_run = {
    .name = "run",
    .args = "[OPTIONS] IMAGE [COMMAND [ARGUMENT...]]",
    .summary = "Run a command in an image",
    .description =
        "Runs the image's command, or the one given, in fresh namespaces over the image's file "
        "system, and "
        "ends with its status. What it writes is dropped at the end.\n\n"
        "The network is private: ports that -p publishes are forwarded; the way out needs pasta or "
        "slirp4netns. Exit status: the command's; 125 where we failed, 126 and 127 where the "
        "command could "
        "not be executed.",
    .examples = "  slipway run -it busybox:latest\n  slipway run -p 8080:8080 app:1.0",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .flags = SW_CMD_PASS_REST,
    .run = run,
};
