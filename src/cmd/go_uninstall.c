#include "cmd/go_common.h"
#include "cmd/table.h"

static enum sw_code remove_one(struct go_session *s, struct sw_invocation *inv, const char *text,
                               struct sw_error *err) {
    struct sw_go_constraint c;
    struct sw_go_installed it;
    enum sw_code code = sw_go_constraint_parse(sw_str(text), &c, err);
    if (code) return code;
    /* Only a release that is named goes: 1.21 could be several. */
    if (c.want != SW_GO_WANT_EXACT) {
        struct sw_go_version v;
        if (!sw_go_version_read(sw_str(text), &v) || !sw_go_version_is_release(&v))
            return sw_fail(err, SW_USAGE, "name the release to remove (1.21.3); %s is a constraint",
                           text);
        c = sw_go_constraint_of(&v);
    }
    if (!sw_go_store_find(&s->store, inv->arena, &c.bounds[0].version, &it))
        return sw_fail(err, SW_NOT_FOUND, "%s is not installed",
                       sw_go_store_name(inv->arena, &c.bounds[0].version));
    if (it.system)
        return sw_fail(err, SW_DENIED, "%s belongs to the system's store %s", it.name,
                       s->store.system);
    int lock = -1;
    code = sw_go_store_lock(&s->store, it.name, NULL, NULL, &lock, err);
    if (!code) code = sw_go_store_remove(&s->store, it.name, err);
    if (!code) printf("removed %s\n", it.name);
    if (!code && it.current)
        fprintf(stderr, "it was the default: choose another with `slipway go default VERSION`\n");
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    enum sw_code code = go_session_open(&s, inv, GO_CREATE, err);
    for (int i = 0; i < inv->n_args && !code; i++) code = remove_one(&s, inv, inv->args[i], err);
    return code;
}

const struct sw_command sw_cmd_go_uninstall = {
    .name = "go uninstall",
    .aliases = "remove|delete|rm",
    .args = "VERSION...",
    .summary = "Remove Go toolchains",
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
