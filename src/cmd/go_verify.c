#include <string.h>

#include "base/buf.h"
#include "base/proc.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/check.h"

static enum sw_code verify_one(struct go_session *s, struct sw_invocation *inv,
                               const struct sw_go_installed *it, bool *ret_ok,
                               struct sw_error *err) {
    struct sw_go_tree_report r;
    enum sw_code code = sw_go_tree_verify(&s->store, it, inv->arena, &r, err);
    if (code) return code;
    bool ok = !r.changed && !r.missing && !r.extra && r.hash_matches;
    *ret_ok = *ret_ok && ok;
    if (inv->format && !strcmp(inv->format, "json")) {
        printf("{\"version\":\"%s\",\"ok\":%s,\"files\":%zu,\"changed\":%zu,\"missing\":%zu,"
               "\"extra\":%zu,\"moduleHash\":\"%s\"}\n",
               it->name, ok ? "true" : "false", r.files, r.changed, r.missing, r.extra,
               r.module_hash);
    } else if (ok) {
        printf("%s: ok, %zu files, %s\n", it->name, r.files, r.module_hash);
    } else {
        printf("%s: DAMAGED: %zu changed, %zu missing, %zu foreign of %zu files (%s)\n", it->name,
               r.changed, r.missing, r.extra, r.files, *r.first ? r.first : "module hash");
    }
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_installed *list, one;
    size_t n = 0;
    bool ok = true;
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (code) return code;
    sw_cancel_install();
    if (!inv->n_args) code = sw_go_store_list(&s.store, inv->arena, &list, &n, err);
    for (size_t i = 0; i < n && !code; i++) code = verify_one(&s, inv, &list[i], &ok, err);
    for (int i = 0; i < inv->n_args && !code; i++) {
        code = go_session_find(&s, inv, inv->args[i], &one, err);
        if (!code) code = verify_one(&s, inv, &one, &ok, err);
    }
    if (!code && !ok) {
        inv->exit_status = 1;
        fprintf(stderr, "repair with `slipway go install --reinstall VERSION`\n");
    }
    return code;
}

const struct sw_command sw_cmd_go_verify = {
    .name = "go verify",
    .args = "[VERSION...]",
    .summary = "Compare installed toolchains with the hashes they were verified by",
    .description = "Reads every file. The module hash, which the checksum database vouched for, is "
                   "recomputed from what is on disk.",
    .max_args = -1,
    .run = run,
};
