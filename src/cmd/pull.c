#include <string.h>

#include "cmd/remote_common.h"
#include "cmd/session.h"
#include "cmd/table.h"

static const struct sw_option pull_options[] = {
    {"platform", 0, "PLATFORM", "of an image for several; all keeps every one", 0, NULL, NULL},
    {"quiet", 'q', NULL, "print the digest alone", 0, NULL, NULL},
    {"progress", 0, "MODE", "how progress is shown", 0, NULL, "auto|plain|tty|rawjson|quiet"},
    REMOTE_OPTIONS,
    {NULL},
};

static enum sw_code run_pull(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_remote *r REMOTE = NULL;
    const struct sw_platform *platform = NULL;
    struct sw_copy_result result;
    enum sw_code code = remote_platform(inv, sw_opt(inv, "platform"), &platform, err);
    if (!code) code = sw_session_open(inv, SW_SESSION_PROGRESS, &session, err);
    if (!code) code = remote_open(inv, &r, err);
    for (int i = 0; !code && i < inv->n_args; i++) {
        struct sw_str name = sw_str(inv->args[i]);
        unsigned step = sw_progress_step(session.progress,
                                         sw_arena_printf(inv->arena, "pull %s", inv->args[i]));
        sw_progress_start(session.progress, step);
        code = remote_pull(r, session.store, name, platform, session.progress, step, &result, err);
        if (code)
            sw_progress_fail(session.progress, step, err);
        else
            sw_progress_done(session.progress, step);
        if (!code) remote_report(&result, "got");
    }
    return code;
}

const struct sw_command sw_cmd_pull = {
    .name = "pull",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Bring images from registries into the store",
    .description = "Blobs come in parallel, are verified while they arrive, and go on where a "
                   "connection broke. Mirrors are read from registries.json.",
    .examples = "slipway pull registry.example.org/team/app:1.0",
    .options = pull_options,
    .min_args = 1,
    .max_args = -1,
    .run = run_pull,
};

static const struct sw_option push_options[] = {
    {"quiet", 'q', NULL, "print the digest alone", 0, NULL, NULL},
    {"progress", 0, "MODE", "how progress is shown", 0, NULL, "auto|plain|tty|rawjson|quiet"},
    REMOTE_OPTIONS,
    {NULL},
};

static enum sw_code run_push(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_remote *r REMOTE = NULL;
    struct sw_copy_result result;
    enum sw_code code = sw_session_open(inv, SW_SESSION_PROGRESS, &session, err);
    if (!code) code = remote_open(inv, &r, err);
    if (!code)
        code = remote_push(inv, r, session.store, sw_str(inv->args[0]), inv->args[inv->n_args - 1],
                           session.progress, &result, err);
    if (!code) remote_report(&result, "sent");
    return code;
}

const struct sw_command sw_cmd_push = {
    .name = "push",
    .args = "[OPTIONS] IMAGE [TARGET]",
    .summary = "Send an image of the store to a registry",
    .description = "What the registry has is not sent. A broken upload goes on where it broke. "
                   "TARGET is the image's own name where it is left out.",
    .examples = "slipway push app:1.0 registry.example.org/team/app:1.0",
    .options = push_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_push,
};
