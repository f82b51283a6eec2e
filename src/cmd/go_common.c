#include "cmd/go_common.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "cmd/scan_state.h"
#include "cmd/version.h"
#include "golang/toolchain.h"
#include "scan/releases.h"

/* An option that this command may not have. */
static const char *opt_or_null(const struct sw_invocation *inv, const char *name) {
    for (const struct sw_option *o = inv->command->options; o && o->name; o++)
        if (!strcmp(o->name, name)) return sw_opt(inv, name);
    return NULL;
}

static bool flag_or_false(const struct sw_invocation *inv, const char *name) {
    for (const struct sw_option *o = inv->command->options; o && o->name; o++)
        if (!strcmp(o->name, name)) return sw_opt_flag(inv, name);
    return false;
}

static enum sw_code read_settings(struct go_session *s, struct sw_invocation *inv,
                                  struct sw_error *err) {
    struct sw_go_version v;
    struct sw_go_installed it;
    const char *goroot = NULL, *text;
    if (sw_go_store_current(&s->store, &v) && sw_go_store_find(&s->store, inv->arena, &v, &it))
        goroot = it.path;
    enum sw_code code = sw_go_settings_read(inv->arena, goroot, &s->settings, err);
    if (code) return code;
    if ((text = opt_or_null(inv, "mirror"))) {
        s->settings.mirror = sw_str(text);
        if (!opt_or_null(inv, "source") && !getenv("SLIPWAY_GO_SOURCES"))
            s->settings.sources = SW_STR("mirror,proxy,site");
    }
    if ((text = opt_or_null(inv, "source"))) s->settings.sources = sw_str(text);
    if (flag_or_false(inv, "offline")) s->settings.offline = true;
    return SW_OK;
}

static void open_http(struct go_session *s, struct sw_invocation *inv) {
    struct sw_http_options options = {0};
    const char *hosts[SW_GOPROXY_MAX + 1] = {0};
    options.user_agent = sw_arena_printf(inv->arena, "slipway/%s", sw_version_text()).ptr;
    if (sw_go_settings_insecure(&s->settings)) {
        /* As with `go get -insecure`: the proxies' certificates are not checked. */
        struct sw_goproxy list[SW_GOPROXY_MAX];
        struct sw_error ignored;
        size_t n = 0;
        if (sw_goproxy_parse(s->settings.goproxy.value, list, &n, &ignored)) n = 0;
        size_t used = 0;
        for (size_t i = 0; i < n; i++) {
            size_t at = sw_str_find(list[i].url, SW_STR("://"));
            if (list[i].kind != SW_GOPROXY_URL || at == SIZE_MAX) continue;
            struct sw_str host, rest;
            sw_str_cut(sw_str_from(list[i].url, at + 3), '/', &host, &rest);
            hosts[used++] = sw_arena_cstr(inv->arena, host);
        }
        options.insecure = hosts;
    }
    s->http = sw_http_new(&options);
}

enum sw_code go_session_open(struct go_session *s, struct sw_invocation *inv, unsigned flags,
                             struct sw_error *err) {
    *s = (struct go_session){.store = {.fd = -1}};
    enum sw_code code = sw_go_store_open(&s->store, NULL, inv->root, flags & GO_CREATE, err);
    if (!code) code = read_settings(s, inv, err);
    if (code) {
        go_session_close(s);
        return code;
    }
    if (flags & GO_NETWORK) {
        enum sw_progress_mode mode = SW_PROGRESS_AUTO;
        const char *text = opt_or_null(inv, "progress");
        if (text) sw_progress_mode_parse(sw_str(text), &mode);
        sw_cancel_install();
        open_http(s, inv);
        s->progress = sw_progress_new(mode, 2, inv->color_err);
    }
    s->install = (struct sw_go_install_options){
        .http = s->http, .store = &s->store, .settings = &s->settings, .progress = s->progress};
    return SW_OK;
}

void go_session_close(struct go_session *s) {
    if (s->progress) sw_progress_free(s->progress);
    sw_http_free(s->http);
    sw_go_store_close(&s->store);
    s->progress = NULL;
    s->http = NULL;
}

enum sw_code go_session_install(struct go_session *s, struct sw_invocation *inv, const char *text,
                                struct sw_go_version *ret, struct sw_go_install_result *ret_result,
                                struct sw_error *err) {
    struct sw_go_constraint c;
    enum sw_code code = sw_go_constraint_parse(sw_str(text), &c, err);
    if (code || (code = sw_go_resolve(&s->install, &c, inv->arena, ret, err))) return code;
    return sw_go_install(&s->install, ret, inv->arena, ret_result, err);
}

enum sw_code go_session_find(struct go_session *s, struct sw_invocation *inv, const char *text,
                             struct sw_go_installed *ret, struct sw_error *err) {
    struct sw_go_constraint c;
    struct sw_go_installed *list;
    size_t n = 0;
    enum sw_code code = sw_go_constraint_parse(sw_str(text), &c, err);
    if (code) return code;
    if (c.want == SW_GO_WANT_EXACT) {
        if (sw_go_store_find(&s->store, inv->arena, &c.bounds[0].version, ret)) return SW_OK;
    } else {
        code = sw_go_store_list(&s->store, inv->arena, &list, &n, err);
        if (code) return code;
        struct sw_go_version *versions = sw_arena_array(inv->arena, n + 1, sizeof *versions);
        for (size_t i = 0; i < n; i++) versions[i] = list[i].version;
        size_t best = sw_go_constraint_pick(&c, versions, n);
        if (best != SIZE_MAX) {
            *ret = list[best];
            return SW_OK;
        }
    }
    return sw_fail(err, SW_NOT_FOUND, "no installed Go matches %s; run `slipway go install %s`",
                   text, text);
}

void go_report_install(const struct sw_go_version *v, const struct sw_go_install_result *result) {
    char text[SW_GO_VERSION_SIZE];
    struct sw_str version = sw_go_version_format(v, text);
    if (!result->installed) {
        fprintf(stderr, "go%.*s is installed\n", SW_ARG(version));
        return;
    }
    fprintf(stderr, "go%.*s installed from %s\nverified by %s\n", SW_ARG(version), result->source,
            result->verified_by);
    if (result->shared_files)
        fprintf(stderr, "%zu of %zu files (%.0f of %.0f MB) are shared with other versions\n",
                result->shared_files, result->files, (double)result->shared_bytes / 1e6,
                (double)result->bytes / 1e6);
}

void go_support(struct go_session *s, struct sw_invocation *inv, struct sw_go_support *ret) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    struct sw_go_releases releases;
    struct sw_error ignored;
    const char *root, *dir;
    sw_go_support_init(ret, &s->store, &s->settings, inv->arena);
    /* What advisories there are is no condition for listing toolchains. */
    if (sw_scan_state_dir(inv, &root, &dir, &ignored) || sw_scan_db_open(dir, &db, &ignored) ||
        sw_go_releases_read(inv->arena, &db.advdb, ret->newest_minor, &releases, &ignored))
        return;
    ret->newest_minor = releases.newest_line;
}

unsigned go_newest_line(struct sw_invocation *inv) {
    GO_SESSION struct go_session s = {0};
    struct sw_go_support support;
    struct sw_error ignored;
    if (go_session_open(&s, inv, GO_READ_ONLY, &ignored)) return sw_go_known_minor();
    sw_go_support_init(&support, &s.store, &s.settings, inv->arena);
    return support.newest_minor;
}

static enum sw_code ask_database(void *context, struct sw_arena *a, struct sw_str version,
                                 struct sw_go_asked *ret, struct sw_error *err) {
    SW_SCAN_DB struct sw_scan_db db = {0};
    const struct sw_invocation *inv = context;
    const char *root, *dir;
    struct sw_go_known known;
    enum sw_code code = sw_scan_state_dir(inv, &root, &dir, err);
    if (!code) code = sw_scan_db_open(dir, &db, err);
    if (code) return code == SW_NOT_FOUND ? SW_OK : code;
    code = sw_go_releases_known(a, &db.advdb, version, &known, err);
    if (code) return code;
    *ret = (struct sw_go_asked){known.vulnerabilities, sw_arena_str(a, known.first),
                                sw_arena_str(a, known.fixed)};
    return SW_OK;
}

struct sw_go_advisories go_advisories(struct sw_invocation *inv) {
    return (struct sw_go_advisories){ask_database, inv};
}

enum sw_code go_apply_policy(struct go_session *s, struct sw_invocation *inv,
                             const struct sw_go_version *v, const char *word,
                             struct sw_error *err) {
    struct sw_go_support support;
    struct sw_go_verdict verdict;
    struct sw_go_advisories known = go_advisories(inv);
    if (!word) word = getenv("SLIPWAY_GO_POLICY");
    if (!word || !*word) word = "warn";
    if (strcmp(word, "allow") != 0 && strcmp(word, "warn") != 0 && strcmp(word, "refuse") != 0)
        return sw_fail(err, SW_USAGE, "policy \"%s\" is none of allow, warn, refuse", word);
    if (!strcmp(word, "allow")) return SW_OK;
    go_support(s, inv, &support);
    enum sw_code code = sw_go_policy_check(&support, NULL, &known, v, inv->arena, &verdict, err);
    if (code || !*verdict.text) return code;
    if (!strcmp(word, "refuse")) return sw_fail(err, SW_DENIED, "%s", verdict.text);
    fprintf(stderr, "slipway: warning: %s\n", verdict.text);
    return SW_OK;
}
