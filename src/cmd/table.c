#include "cmd/table.h"

const struct sw_command *const sw_commands[] = {
    /* clang-format off */
    &sw_cmd_build,
    &sw_cmd_run,
    &sw_cmd_images,
    &sw_cmd_tag,
    &sw_cmd_rmi,
    &sw_cmd_inspect,
    &sw_cmd_history,
    &sw_cmd_load,
    &sw_cmd_save,
    &sw_cmd_import,
    &sw_cmd_du,
    &sw_cmd_prune,
    &sw_cmd_doctor,
    &sw_cmd_go_install,
    &sw_cmd_version,
    &sw_cmd_completion,
    &sw_cmd_manual,
    /* clang-format on */
    NULL,
};

const struct sw_command_group sw_command_groups[] = {
    {"go", "Go toolchains: install, verify, choose, switch"},
    {NULL, NULL},
};

const struct sw_option sw_global_options[] = {
    {"root", 0, "DIR", "where images and state are kept (SLIPWAY_ROOT)", 0, NULL, NULL},
    {"log-level", 0, "LEVEL",
     "error, warn, info, debug; or room=level, comma separated (SLIPWAY_LOG)", 0, NULL, NULL},
    {"format", 0, "FORMAT", "how results are printed: table, json or a Go template", 0, NULL, NULL},
    {"no-color", 0, NULL, "no colours, also when writing to a terminal (NO_COLOR)", 0, NULL, NULL},
    {"help", 0, NULL, "this text", 0, NULL, NULL},
    {NULL},
};

/* First match wins. The words after those that matched are passed on. */
const struct sw_persona sw_personas[] = {
    {"docker", "image ls", "images"},
    {"docker", "image list", "images"},
    {"docker", "image build", "build"},
    {"docker", "image rm", "rmi"},
    {"docker", "image inspect", "inspect"},
    {"docker", "image history", "history"},
    {"docker", "image tag", "tag"},
    {"docker", "image save", "save"},
    {"docker", "image load", "load"},
    {"docker", "image import", "import"},
    {"docker", "image pull", "pull"},
    {"docker", "image push", "push"},
    {"docker", "image prune", "prune"},
    {"docker", "buildx build", "build"},
    {"docker", "builder build", "build"},
    {"docker", "builder prune", "prune"},
    {"docker", "buildx prune", "prune"},
    {"docker", "buildx du", "du"},
    {"docker", "system df", "du"},
    {"docker", "system prune", "prune"},
    {"docker", "container run", "run"},
    {"docker", "*", ""},
    {"podman", "*", "=docker"},
    {"buildah", "bud", "build"},
    {"buildah", "*", "=docker"},
    {"gvm", "*", "gvm"},
    {"trivy", "*", "trivy"},
    {NULL, NULL, NULL},
};
