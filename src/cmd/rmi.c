#include "base/mem.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "store/gc.h"
#include "store/tags.h"

static enum sw_code remove_one(struct sw_invocation *inv, struct sw_store *store, const char *word,
                               struct sw_error *err) {
    struct sw_image image;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = sw_tags_resolve(store, inv->arena, sw_str(word), &image, err);
    if (code) return code;
    struct sw_reference ref;
    struct sw_error ignored = {0};
    struct sw_descriptor named;
    bool by_name = !sw_reference_parse(inv->arena, sw_str(word), &ref, &ignored) &&
                   !sw_tags_get(store, inv->arena, sw_str(word), &named, &ignored);
    if (!by_name) {
        code = sw_tags_drop(store, &image.target.digest, err);
        if (!code) printf("Deleted: %s\n", sw_digest_format(&image.id, text).ptr);
        return code;
    }
    bool last = false;
    code = sw_tags_remove(store, sw_str(word), true, NULL, &last, err);
    if (code) return code;
    printf("Untagged: %.*s\n", SW_ARG(image.familiar));
    if (last) printf("Deleted: %s\n", sw_digest_format(&image.id, text).ptr);
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    enum sw_code code = sw_session_open(inv, 0, &session, err), first = SW_OK;
    struct sw_error one = {0};
    for (int i = 0; i < inv->n_args && !code; i++) {
        if (!remove_one(inv, session.store, inv->args[i], &one)) continue;
        if (one.code == SW_NOT_FOUND && sw_opt_flag(inv, "force")) continue;
        if (!first) *err = one;
        first = err->code;
    }
    return code ? code : first;
}

static const struct sw_option options[] = {
    {"force", 'f', NULL, "an image that does not exist is no failure", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_rmi = {
    .name = "rmi",
    .args = "[OPTIONS] IMAGE...",
    .summary = "Remove names, and images that lose their last one",
    .description = "The space is given back by `slipway prune`.",
    .options = options,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
