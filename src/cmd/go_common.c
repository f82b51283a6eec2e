#include "cmd/go_common.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "cmd/version.h"
#include "gotool/policy.h"

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

enum sw_code go_apply_policy(struct go_session *s, struct sw_invocation *inv,
                             const struct sw_go_version *v, const char *word,
                             struct sw_error *err) {
    struct sw_go_support support;
    struct sw_go_verdict verdict;
    if (!word) word = getenv("SLIPWAY_GO_POLICY");
    if (!word || !*word) word = "warn";
    if (strcmp(word, "allow") != 0 && strcmp(word, "warn") != 0 && strcmp(word, "refuse") != 0)
        return sw_fail(err, SW_USAGE, "policy \"%s\" is none of allow, warn, refuse", word);
    if (!strcmp(word, "allow")) return SW_OK;
    sw_go_support_init(&support, &s->store, &s->settings, inv->arena);
    enum sw_code code = sw_go_policy_check(&support, NULL, v, inv->arena, &verdict, err);
    if (code || !*verdict.text) return code;
    if (!strcmp(word, "refuse")) return sw_fail(err, SW_DENIED, "%s", verdict.text);
    fprintf(stderr, "slipway: warning: %s\n", verdict.text);
    return SW_OK;
}
