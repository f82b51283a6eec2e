#include <limits.h>
#include <unistd.h>

#include "cmd/table.h"
#include "gotool/init.h"

static const struct sw_option options[] = {
    {"config", 0, "FILE", "whose key names the version (/app/config.yaml)", 0, NULL, NULL},
    {"key", 0, "NAME", "that key (go)", 0, NULL, NULL},
    {"store", 0, "DIR", "where toolchains are (SLIPWAY_GO_ROOT)", 0, NULL, NULL},
    {"fallback", 0, NULL, "use the default where the version cannot be had", 0, NULL, NULL},
    {"offline", 0, NULL, "install nothing", 0, NULL, NULL},
    {"supervise", 0, NULL, "stay as the parent also when this is not process 1", 0, NULL, NULL},
    {"print", 0, NULL, "print the version, its directory and why; start nothing", 0, NULL, NULL},
    {"quiet", 0, NULL, "no line about the choice", 0, NULL, NULL},
    {NULL},
};

/* The options go to the implementation that slipway-init shares, as words again. */
static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    char self[PATH_MAX];
    size_t n_options = sizeof options / sizeof *options;
    char **argv = sw_arena_array(inv->arena, (size_t)inv->n_args + n_options + 3, sizeof *argv);
    int n = 0;
    argv[n++] = (char *)"slipway init";
    for (const struct sw_option *o = options; o->name; o++) {
        const char *value = sw_opt(inv, o->name);
        if (o->value && value)
            argv[n++] = (char *)sw_arena_printf(inv->arena, "--%s=%s", o->name, value).ptr;
        else if (!o->value && sw_opt_flag(inv, o->name))
            argv[n++] = (char *)sw_arena_printf(inv->arena, "--%s", o->name).ptr;
    }
    argv[n++] = (char *)"--";
    for (int i = 0; i < inv->n_args; i++) argv[n++] = (char *)inv->args[i];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) self[len] = 0;
    (void)err;
    inv->exit_status = sw_go_init(n, argv, environ, len > 0 ? self : NULL);
    return SW_OK;
}

const struct sw_command sw_cmd_init = {
    .name = "init",
    .args = "[OPTIONS] [--] PROGRAM [ARG...]",
    .summary = "Be a container's entry point: choose a Go version and become PROGRAM",
    .description =
        "Looks at SLIPWAY_GO_VERSION, GO_VERSION, the key `go` of /app/config.yaml (--config FILE, "
        "--key NAME), and the preinstalled default; installs a version that is missing; sets PATH, "
        "GOROOT and GOTOOLCHAIN=local. As process 1 it passes signals on and reaps. A compiled "
        "program carries its own runtime: the choice matters for "
        "go run, go build and go test.\n\n"
        "slipway-init is the same as a small static program of its own, for images without "
        "anything else.",
    .examples = "ENTRYPOINT [\"/slipway-init\", \"--\"]\nslipway init -- go run ./cmd/server",
    .options = options,
    .max_args = -1,
    .flags = SW_CMD_PASS_REST,
    .run = run,
};
