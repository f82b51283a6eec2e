#include "cmd/go_common.h"
#include "cmd/table.h"

static const struct sw_option options[] = {
    {"sha256", 0, "HEX", "what the archive must hash to", 0, NULL, NULL},
    {"reinstall", 0, NULL, "replace the version where it is installed", 0, NULL, NULL},
    GO_NETWORK_OPTIONS,
    {NULL},
};

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_version v;
    struct sw_go_install_result result = {0};
    enum sw_code code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
    if (code) return code;
    s.install.file = inv->args[0];
    s.install.sha256 = sw_opt(inv, "sha256");
    s.install.again = sw_opt_flag(inv, "reinstall");
    code = sw_go_import(&s.install, inv->arena, &v, &result, err);
    if (code) return code;
    go_report_install(&v, &result);
    printf("%s\n", result.path);
    return SW_OK;
}

const struct sw_command sw_cmd_go_import = {
    .name = "go import",
    .args = "[OPTIONS] FILE",
    .summary = "Install a toolchain from a local archive, verified",
    .description = "FILE is goVERSION.OS-ARCH.tar.gz of the download site or the zip of the module "
                   "golang.org/toolchain, under its own name. It is verified like a download: by "
                   "the checksum database (what an earlier run proved counts offline too), the "
                   "site's index, or --sha256.",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
