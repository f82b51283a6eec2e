#include "cmd/table.h"

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    return sw_completion_script(stdout, inv->args[0], err);
}

const struct sw_command sw_cmd_completion = {
    .name = "completion",
    .args = "bash|zsh|fish",
    .summary = "Print a completion script for a shell",
    .examples = "  eval \"$(slipway completion bash)\"  # in ~/.bashrc",
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
