#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/choose.h"
#include "gotool/launch.h"

static const struct sw_option options[] = {
    {"install", 0, NULL, "install the version first where it is missing", 0, NULL, NULL},
    {"goroot", 0, NULL, "set GOROOT for programs that want it", 0, NULL, NULL},
    {NULL},
};

/* As shells do: 127 no such program, 126 not executable. */
static enum sw_code launch(struct sw_invocation *inv, struct go_session *s,
                           const struct sw_go_installed *it, const char *const *argv,
                           struct sw_error *err) {
    const char *program;
    const char *root = it->system ? s->store.system : s->store.root;
    char **env = sw_go_environment(inv->arena, environ, root, it->path, it->name + 2,
                                   sw_opt_flag(inv, "goroot"));
    enum sw_code code = sw_go_find_program(inv->arena, argv[0], env, &program, err);
    if (code) {
        inv->exit_status = code == SW_NOT_FOUND ? 127 : 126;
        return code;
    }
    execve(program, (char *const *)argv, env);
    inv->exit_status = errno == ENOENT ? 127 : 126;
    return sw_fail_sys(err, errno, "execute %s", program);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_constraint c;
    struct sw_go_choice choice;
    struct sw_error ignored;
    const char *const *argv = inv->args;
    const char *version = NULL;
    bool dashes = inv->n_args > 1 && !strcmp(argv[1], "--");
    if (dashes || !sw_go_constraint_parse(sw_str(argv[0]), &c, &ignored)) {
        version = argv[0];
        argv += dashes ? 2 : 1;
    } else if (!strcmp(argv[0], "--")) {
        argv++;
    }
    if (!argv[0]) return sw_fail(err, SW_USAGE, "which command? slipway go exec VERSION -- CMD");
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (code) return code;
    struct sw_go_choose_options o = {
        .store = &s.store, .settings = &s.settings, .version = version};
    code = sw_go_choose(inv->arena, &o, &choice, err);
    if (!code && !choice.found && sw_opt_flag(inv, "install")) {
        struct sw_go_install_result result = {0};
        struct sw_go_version v;
        go_session_close(&s);
        code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
        if (!code) code = go_session_install(&s, inv, choice.wanted, &v, &result, err);
        if (!code) choice.found = sw_go_store_find(&s.store, inv->arena, &v, &choice.it);
    }
    if (!code && !choice.found)
        code = sw_fail(err, SW_NOT_FOUND,
                       "%s (from %s) is not installed; run `slipway go install "
                       "%s`, or give --install",
                       choice.wanted, choice.origin, choice.wanted);
    /* Asked for by name only: knowing what is supported takes reading lists. */
    const char *policy = getenv("SLIPWAY_GO_POLICY");
    if (!code && policy && *policy)
        code = go_apply_policy(&s, inv, &choice.it.version, policy, err);
    return code ? code : launch(inv, &s, &choice.it, argv, err);
}

const struct sw_command sw_cmd_go_exec = {
    .name = "go exec",
    .args = "[OPTIONS] [VERSION] -- CMD [ARG...]",
    .summary = "Run a command with a Go toolchain",
    .description = "Puts the toolchain's bin directory once in front of PATH, sets "
                   "GOTOOLCHAIN=local, removes a stale GOROOT, and becomes the command.",
    .examples = "slipway go exec 1.21 -- go test ./...\nslipway go exec -- go build",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .flags = SW_CMD_PASS_REST,
    .run = run,
};
