#include <stdlib.h>

#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/check.h"

static const struct sw_option options[] = {
    {"default", 0, NULL, "the same: the switch holds until the next one", 0, NULL, NULL},
    {"policy", 0, "WORD", "what to do about versions past their end or vulnerable", 0, NULL,
     "allow|warn|refuse"},
    GO_NETWORK_OPTIONS,
    {NULL},
};

/* Installs what is missing, applies the policy, and turns the link. */
static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_installed it;
    struct sw_go_install_result result = {0};
    struct sw_go_version v;
    enum sw_code code = go_session_open(&s, inv, GO_CREATE, err);
    if (code) return code;
    code = go_session_find(&s, inv, inv->args[0], &it, err);
    if (code == SW_NOT_FOUND) {
        /* The network is opened only now: a plain switch takes a millisecond. */
        go_session_close(&s);
        code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
        if (code) return code;
        code = go_session_install(&s, inv, inv->args[0], &v, &result, err);
        if (!code) go_report_install(&v, &result);
    } else {
        v = it.version;
    }
    if (code || (code = go_apply_policy(&s, inv, &v, sw_opt(inv, "policy"), err))) return code;
    code = sw_go_store_switch(&s.store, &v, err);
    if (!code) code = sw_go_store_link(&s.store, err);
    if (code) return code;
    char text[SW_GO_VERSION_SIZE];
    fprintf(stderr, "now using go%.*s\n", SW_ARG(sw_go_version_format(&v, text)));
    if (!sw_go_on_path(&s.store, getenv("PATH")))
        fprintf(stderr,
                "%s/bin is not in PATH; add to your shell's start file: "
                "eval \"$(slipway go env --shell bash)\"\n",
                s.store.root);
    return SW_OK;
}

const struct sw_command sw_cmd_go_use = {
    .name = "go use",
    .args = "[OPTIONS] VERSION|CONSTRAINT",
    .summary = "Switch to a Go toolchain, installing it if it is missing",
    .description = "Turns one link, which every shell with the store's bin directory in PATH "
                   "follows at once. For one command alone use `slipway go exec`; for a directory, "
                   "`slipway go pin`.",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};

static enum sw_code run_default(struct sw_invocation *inv, struct sw_error *err) {
    if (inv->n_args) return run(inv, err);
    GO_SESSION struct go_session s;
    struct sw_go_version v;
    char text[SW_GO_VERSION_SIZE];
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (code) return code;
    if (!sw_go_store_current(&s.store, &v) && !sw_go_store_system_current(&s.store, &v))
        return sw_fail(err, SW_NOT_FOUND, "there is no default; `slipway go default VERSION`");
    printf("go%.*s\n", SW_ARG(sw_go_version_format(&v, text)));
    return SW_OK;
}

const struct sw_command sw_cmd_go_default = {
    .name = "go default",
    .args = "[OPTIONS] [VERSION|CONSTRAINT]",
    .summary = "Show or set the default Go toolchain",
    .options = options,
    .max_args = 1,
    .run = run_default,
};
