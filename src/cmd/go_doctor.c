#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/check.h"
#include "gotool/choose.h"
#include "gotool/policy.h"

static const struct sw_option options[] = {
    {"offline", 0, NULL, "do not try the network", 0, NULL, NULL},
    {NULL},
};

static void good(const char *text) { printf("ok    %s\n", text); }

static unsigned bad(const char *text, const char *advice) {
    printf("fault %s%s%s\n", text, *advice ? "; " : "", advice);
    return 1;
}

static unsigned check_path(struct sw_invocation *inv, const struct go_session *s) {
    const char *path = getenv("PATH");
    const char *bin = sw_arena_printf(inv->arena, "%s/bin", s->store.root).ptr;
    struct sw_str rest = sw_str(path), entry;
    bool seen = false;
    const char *before = NULL;
    unsigned faults = 0, times = 0;
    while (rest.ptr && sw_str_next(&rest, ':', &entry)) {
        if (sw_str_is(entry, bin)) {
            seen = true;
            times++;
        }
        const char *go = sw_arena_printf(inv->arena, "%.*s/go", SW_ARG(entry)).ptr;
        if (!seen && !before && !sw_str_starts(entry, sw_str(s->store.root)) &&
            access(go, X_OK) == 0)
            before = go;
    }
    if (!seen)
        faults += bad(sw_arena_printf(inv->arena, "%s is not in PATH", bin).ptr,
                      "eval \"$(slipway go env)\" in your shell's start file");
    else if (before)
        faults += bad(sw_arena_printf(inv->arena, "%s stands before %s in PATH", before, bin).ptr,
                      "move our entry to the front");
    else
        good("PATH finds our go first");
    if (times > 1) faults += bad("PATH has our entry more than once", "");
    return faults;
}

static unsigned check_variables(struct sw_invocation *inv, const struct go_session *s) {
    const char *goroot = getenv("GOROOT");
    unsigned faults = 0;
    if (goroot && *goroot)
        faults += bad(sw_arena_printf(inv->arena,
                                      "GOROOT=%s is set and overrides every go "
                                      "command",
                                      goroot)
                          .ptr,
                      "unset GOROOT");
    else
        good("GOROOT is not set");
    struct sw_gotoolchain t;
    struct sw_error err;
    if (sw_gotoolchain_parse(s->settings.gotoolchain.value, &t, &err)) faults += bad(err.text, "");
    const char *off = sw_go_settings_nosumdb(&s->settings);
    if (off) printf("note  downloads are not checked against the checksum database: %s\n", off);
    printf("note  GOPROXY=%.*s (%s)\n", SW_ARG(s->settings.goproxy.value),
           s->settings.goproxy.origin);
    return faults;
}

static unsigned check_versions(struct sw_invocation *inv, struct go_session *s) {
    struct sw_go_installed *list;
    struct sw_go_support support;
    struct sw_go_verdict verdict;
    struct sw_error err;
    size_t n = 0;
    unsigned faults = 0;
    if (sw_go_store_list(&s->store, inv->arena, &list, &n, &err)) return bad(err.text, "");
    const struct sw_go_advisories known = go_advisories(inv);
    go_support(s, inv, &support);
    for (size_t i = 0; i < n; i++) {
        SW_BUF struct sw_buf record;
        sw_buf_init(&record, 1 << 20);
        struct stat st;
        if (!list[i].system && sw_go_record_read(&s->store, list[i].name, &record, &err))
            faults += bad(
                sw_arena_printf(inv->arena, "%s has no record of its verification", list[i].name)
                    .ptr,
                "reinstall it");
        if (stat(list[i].path, &st) == 0 && (st.st_mode & 0222))
            faults += bad(sw_arena_printf(inv->arena, "%s is writable", list[i].path).ptr, "");
        if (!sw_go_policy_check(&support, NULL, &known, &list[i].version, inv->arena, &verdict,
                                &err) &&
            *verdict.text)
            printf("note  %s\n", verdict.text);
    }
    struct sw_go_version v;
    struct sw_go_installed it;
    if (!n)
        printf("note  no toolchain is installed\n");
    else if (!sw_go_store_current(&s->store, &v))
        printf("note  there is no default\n");
    else if (!sw_go_store_find(&s->store, inv->arena, &v, &it))
        faults += bad("the default is not installed", "`slipway go default VERSION`");
    return faults;
}

static unsigned check_network(struct sw_invocation *inv, struct go_session *s) {
    struct sw_go_remote remote;
    struct sw_error err;
    if (s->settings.offline) return 0;
    if (sw_go_remote_list(s->http, &s->store, &s->settings, true, inv->arena, &remote, &err))
        return bad(err.text, "");
    good(sw_arena_printf(inv->arena, "%zu versions at %s", remote.n, remote.origin).ptr);
    return 0;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    enum sw_code code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
    if (code) return code;
    printf("note  store %s\n", s.store.root);
    unsigned faults = check_path(inv, &s) + check_variables(inv, &s) + check_versions(inv, &s) +
                      check_network(inv, &s);
    inv->exit_status = faults ? 1 : 0;
    return SW_OK;
}

const struct sw_command sw_cmd_go_doctor = {
    .name = "go doctor",
    .args = "[OPTIONS]",
    .summary = "Find what is wrong with the Go set-up",
    .options = options,
    .run = run,
};
