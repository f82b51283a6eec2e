#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/check.h"
#include "gotool/policy.h"

static const struct sw_option options[] = {
    {"ended", 0, NULL, "also remove versions whose line is past its end", 0, NULL, NULL},
    {"keep-newest", 0, NULL, "also remove all but the newest of each line", 0, NULL, NULL},
    {"dry-run", 'n', NULL, "only say what would go", 0, NULL, NULL},
    {NULL},
};

static enum sw_code remove_old(struct go_session *s, struct sw_invocation *inv,
                               struct sw_error *err) {
    struct sw_go_support support;
    struct sw_go_installed *list;
    size_t n = 0;
    bool ended = sw_opt_flag(inv, "ended"), newest = sw_opt_flag(inv, "keep-newest");
    go_support(s, inv, &support);
    enum sw_code code = sw_go_store_list(&s->store, inv->arena, &list, &n, err);
    for (size_t i = 0; i < n && !code; i++) {
        const struct sw_go_installed *it = &list[i];
        bool older = i > 0 && sw_go_version_same_line(&it->version, &list[i - 1].version);
        bool goes = (ended && !sw_go_support_alive(&support, &it->version)) || (newest && older);
        if (!goes || it->current || it->system) continue;
        printf("%s%s\n", sw_opt_flag(inv, "dry-run") ? "would remove " : "removed ", it->name);
        if (sw_opt_flag(inv, "dry-run")) continue;
        int lock = -1;
        code = sw_go_store_lock(&s->store, it->name, NULL, NULL, &lock, err);
        if (!code) code = sw_go_store_remove(&s->store, it->name, err);
    }
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_prune p = {0};
    enum sw_code code = go_session_open(&s, inv, GO_CREATE, err);
    if (!code && !sw_opt_flag(inv, "dry-run")) code = sw_go_store_prune(&s.store, &p, err);
    if (!code) code = remove_old(&s, inv, err);
    if (code) return code;
    if (p.trees || p.downloads)
        printf("removed %u unfinished trees and %u downloads (%.1f MB)\n", p.trees, p.downloads,
               (double)p.bytes / 1e6);
    return SW_OK;
}

const struct sw_command sw_cmd_go_prune = {
    .name = "go prune",
    .args = "[OPTIONS]",
    .summary = "Remove what interrupted installs left, and old versions on request",
    .description = "The default version always stays.",
    .options = options,
    .run = run,
};
