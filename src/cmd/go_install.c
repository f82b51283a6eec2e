#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/choose.h"

static const struct sw_option options[] = {
    {"from-mod", 0, "DIR", "what go.work or go.mod of DIR (here) asks for", SW_OPT_OPTIONAL, ".",
     NULL},
    {"default", 0, NULL, "make it the default too", 0, NULL, NULL},
    {"reinstall", 0, NULL, "fetch and verify again what is installed", 0, NULL, NULL},
    {"policy", 0, "WORD", "what to do about versions past their end or vulnerable", 0, NULL,
     "allow|warn|refuse"},
    GO_NETWORK_OPTIONS,
    {NULL},
};

static enum sw_code install_one(struct go_session *s, struct sw_invocation *inv, const char *text,
                                struct sw_go_version *ret, struct sw_error *err) {
    struct sw_go_install_result result = {0};
    struct sw_go_constraint c;
    enum sw_code code = sw_go_constraint_parse(sw_str(text), &c, err);
    if (code || (code = sw_go_resolve(&s->install, &c, inv->arena, ret, err)) ||
        (code = go_apply_policy(s, inv, ret, sw_opt(inv, "policy"), err)) ||
        (code = sw_go_install(&s->install, ret, inv->arena, &result, err)))
        return code;
    go_report_install(ret, &result);
    if (sw_opt_flag(inv, "default")) code = sw_go_store_switch(&s->store, ret, err);
    if (!code) printf("%s\n", result.path);
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_version v;
    const char *from_mod = sw_opt(inv, "from-mod");
    if (!from_mod && !inv->n_args)
        return sw_fail(err, SW_USAGE, "which version? (1.22.4, 1.22, latest, --from-mod)");
    enum sw_code code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
    if (code) return code;
    s.install.again = sw_opt_flag(inv, "reinstall");
    if (from_mod) {
        struct sw_str wanted = {0};
        code = sw_go_choose_mod(inv->arena, from_mod, &wanted, err);
        if (!code) code = install_one(&s, inv, wanted.ptr, &v, err);
    }
    for (int i = 0; i < inv->n_args && !code; i++)
        code = install_one(&s, inv, inv->args[i], &v, err);
    return code;
}

const struct sw_command sw_cmd_go_install = {
    .name = "go install",
    .args = "[OPTIONS] VERSION|CONSTRAINT...",
    .summary = "Install Go toolchains, verified",
    .description =
        "Fetches a toolchain from a mirror, a Go module proxy (GOPROXY) or the Go download site, "
        "checks it against the checksum database and, where it can be had, the download site's "
        "index, and installs it in one step. Several processes may install at once: one "
        "downloads, the others wait. An interrupted download is gone on with.\n\n"
        "A constraint is 1.21 or 1.21.x (the newest of that line), ~1.21.3, \">=1.21 <1.23\", "
        "latest, oldstable or rc. go1.20, with the \"go\", is the release of that name.",
    .examples = "slipway go install 1.22  # the newest 1.22\n"
                "slipway go install --from-mod  # what go.mod asks for",
    .options = options,
    .min_args = 0,
    .max_args = -1,
    .run = run,
};
