#include "cmd/session.h"
#include "cmd/table.h"
#include "store/tags.h"

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_image image;
    enum sw_code code = sw_session_open(inv, 0, &session, err);
    if (!code) code = sw_tags_resolve(session.store, inv->arena, sw_str(inv->args[0]), &image, err);
    for (int i = 1; i < inv->n_args && !code; i++)
        code = sw_tags_set(session.store, sw_str(inv->args[i]), &image.target, err);
    return code;
}

const struct sw_command sw_cmd_tag = {
    .name = "tag",
    .args = "IMAGE NAME...",
    .summary = "Give an image another name",
    .examples = "  slipway tag app:1.0 registry.example.com/team/app:1.0",
    .min_args = 2,
    .max_args = -1,
    .run = run,
};
