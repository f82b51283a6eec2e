#include "cmd/place.h"
#include "cmd/table.h"

static const struct sw_option pull_options[] = {
    {"platform", 0, "PLATFORM", "of an image for several; all keeps every one", 0, NULL, NULL},
    {"quiet", 'q', NULL, "print the digest alone", 0, NULL, NULL},
    {"progress", 0, "MODE", "how progress is shown", 0, NULL, "auto|plain|tty|rawjson|quiet"},
    REMOTE_OPTIONS,
    {NULL},
};

/* What an image is called here: as it was asked for. */
static enum sw_code name_of(struct sw_invocation *inv, const struct sw_place *from,
                            struct sw_str *ret, struct sw_error *err) {
    *ret = from->kind == SW_PLACE_REGISTRY ? sw_reference_familiar(inv->arena, &from->ref)
                                           : from->name;
    if (ret->len) return SW_OK;
    struct sw_str text = sw_place_text(from, inv->arena);
    return sw_fail(err, SW_USAGE, "%.*s has no name to keep it under: slipway copy %.*s store:NAME",
                   SW_ARG(text), SW_ARG(text));
}

static enum sw_code pull_one(struct cmd_places *places, const char *text,
                             const struct sw_platform *platform, struct sw_error *err) {
    SW_PLACE struct sw_place from = {0};
    SW_PLACE struct sw_place to = {0};
    struct sw_copy_options o = {.platform = platform};
    struct sw_copy_result result;
    struct sw_place_name here = {.kind = SW_PLACE_STORE};
    enum sw_code code = cmd_place_open(places, text, SW_PLACE_REGISTRY, false, &from, err);
    if (!code) code = name_of(places->inv, &from, &here.name, err);
    if (!code) code = cmd_place_open_name(places, &here, true, &to, err);
    if (!code) code = cmd_copy(places, "pull", &from, &to, &o, &result, err);
    if (!code) remote_report(places->inv, &result, "got");
    return code;
}

static enum sw_code run_pull(struct sw_invocation *inv, struct sw_error *err) {
    CMD_PLACES struct cmd_places places = {0};
    const struct sw_platform *platform = NULL;
    enum sw_code code = remote_platform(inv, sw_opt(inv, "platform"), &platform, err);
    if (!code) code = cmd_places_init(&places, inv, SW_SESSION_PROGRESS, err);
    for (int i = 0; !code && i < inv->n_args; i++)
        code = pull_one(&places, inv->args[i], platform, err);
    return code;
}

const struct sw_command sw_cmd_pull = {
    .name = "pull",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Bring images from registries into the store",
    .description = "Blobs come in parallel, are verified while they arrive, and go on where a "
                   "connection broke or an earlier pull was ended. Mirrors are read from "
                   "registries.json. Layouts and archives may be named, too, as in copy.",
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
    CMD_PLACES struct cmd_places places = {0};
    SW_PLACE struct sw_place from = {0};
    SW_PLACE struct sw_place to = {0};
    struct sw_copy_options o = {0};
    struct sw_copy_result result;
    enum sw_code code = cmd_places_init(&places, inv, SW_SESSION_PROGRESS, err);
    if (!code) code = cmd_place_open(&places, inv->args[0], SW_PLACE_STORE, false, &from, err);
    if (code) return code;
    const char *target = inv->n_args > 1 ? inv->args[1] : sw_arena_cstr(inv->arena, from.name);
    code = cmd_place_open(&places, target, SW_PLACE_REGISTRY, true, &to, err);
    if (!code) code = cmd_copy(&places, "push", &from, &to, &o, &result, err);
    if (!code) remote_report(inv, &result, "sent");
    return code;
}

const struct sw_command sw_cmd_push = {
    .name = "push",
    .args = "[OPTIONS] IMAGE [TARGET]",
    .summary = "Send an image of the store to a registry",
    .description =
        "What the registry has is not sent. A broken upload goes on where it broke. "
        "TARGET is the image's own name where it is left out; it may also be a layout or an "
        "archive, as in copy.",
    .examples = "slipway push app:1.0 registry.example.org/team/app:1.0",
    .options = push_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_push,
};
