#include "cmd/build_ssh.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A request for more keys than this is no request for keys. */
#define KEYS_MAX 64

static enum sw_code is_socket(const char *path, bool *ret, struct sw_error *err) {
    struct stat st;
    if (stat(path, &st) < 0) return sw_fail_sys(err, errno, "%s", path);
    *ret = S_ISSOCK(st.st_mode);
    return SW_OK;
}

/* One socket, or one or more files of keys. */
static enum sw_code open_paths(struct build_ssh *ssh, struct sw_invocation *inv,
                               struct sw_build_ssh *one, struct sw_error *err) {
    struct sw_str keys[KEYS_MAX], rest = one->path, path;
    size_t n = 0;
    bool socket = false;
    while (sw_str_next(&rest, ',', &path)) {
        enum sw_code code = is_socket(sw_arena_cstr(inv->arena, path), &socket, err);
        if (code) return code;
        if (socket && (n || rest.len))
            return sw_fail(err, SW_USAGE, "%.*s is a socket, and a socket stands alone",
                           SW_ARG(path));
        if (n == KEYS_MAX) return sw_fail(err, SW_LIMIT, "more than %d keys", KEYS_MAX);
        keys[n++] = path;
    }
    if (socket) return SW_OK;
    struct sw_ssh_agent *agent;
    enum sw_code code = sw_ssh_agent_start(keys, n, &agent, err);
    if (code) return code;
    ssh->agents[ssh->n++] = agent;
    one->path = sw_str(sw_ssh_agent_socket(agent));
    return SW_OK;
}

enum sw_code build_ssh_open(struct build_ssh *ssh, struct sw_invocation *inv,
                            struct sw_build_options *o, struct sw_error *err) {
    size_t n;
    const char *const *values = sw_opt_list(inv, "ssh", &n);
    struct sw_build_ssh *list = sw_arena_array(inv->arena, n + 1, sizeof *list);
    ssh->agents = sw_arena_array(inv->arena, n + 1, sizeof *ssh->agents);
    for (size_t i = 0; i < n; i++) {
        enum sw_code code = SW_OK;
        if (sw_str_cut(sw_str(values[i]), '=', &list[i].id, &list[i].path) && list[i].path.len) {
            code = open_paths(ssh, inv, &list[i], err);
        } else {
            const char *agent = getenv("SSH_AUTH_SOCK");
            if (!agent || !*agent) code = sw_fail(err, SW_USAGE, "SSH_AUTH_SOCK is not set");
            if (!code) list[i].path = sw_str(agent);
        }
        if (code) return sw_context(err, "--ssh %s", values[i]);
    }
    o->ssh = list;
    o->n_ssh = n;
    return SW_OK;
}

void build_ssh_close(struct build_ssh *ssh) {
    while (ssh->n) sw_ssh_agent_free(ssh->agents[--ssh->n]);
}
