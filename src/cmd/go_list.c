#include <string.h>

#include "base/buf.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "gotool/policy.h"

static const struct sw_option options[] = {
    {"remote", 'r', NULL, "what the sources have, installed or not", 0, NULL, NULL},
    {"installed", 0, NULL, "what is here (as without an option)", 0, NULL, NULL},
    {"supported", 0, NULL, "only lines that still get fixes", 0, NULL, NULL},
    {"refresh", 0, NULL, "ask the sources now, whatever is kept", 0, NULL, NULL},
    {"quiet", 'q', NULL, "names only", 0, NULL, NULL},
    GO_NETWORK_OPTIONS,
    {NULL},
};

struct row {
    struct sw_go_version version;
    const struct sw_go_installed *installed; /* NULL: it is not */
    bool supported;
};

static void print_json(const struct row *rows, size_t n) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        char text[SW_GO_VERSION_SIZE];
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "version", sw_go_version_format(&rows[i].version, text));
        sw_json_put_bool(&w, "installed", rows[i].installed != NULL);
        sw_json_put_bool(&w, "default", rows[i].installed && rows[i].installed->current);
        sw_json_put_bool(&w, "supported", rows[i].supported);
        if (rows[i].installed) sw_json_put_text(&w, "path", rows[i].installed->path);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    printf("%s\n", out.ptr);
}

static void print_table(const struct row *rows, size_t n, bool quiet, bool remote) {
    for (size_t i = 0; i < n; i++) {
        char text[SW_GO_VERSION_SIZE];
        struct sw_str version = sw_go_version_format(&rows[i].version, text);
        const struct sw_go_installed *it = rows[i].installed;
        if (quiet) {
            printf("go%.*s\n", SW_ARG(version));
            continue;
        }
        printf("%s go%-12.*s%s%s%s\n", it && it->current ? "=>" : "  ", SW_ARG(version),
               remote && it ? " installed" : "", it && it->system ? " (system)" : "",
               rows[i].supported ? "" : " past its end");
    }
}

static const struct sw_go_installed *find(const struct sw_go_installed *list, size_t n,
                                          const struct sw_go_version *v) {
    for (size_t i = 0; i < n; i++)
        if (sw_go_version_eq(&list[i].version, v)) return &list[i];
    return NULL;
}

static enum sw_code list(struct sw_invocation *inv, bool remote, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_installed *installed;
    struct sw_go_remote all = {.origin = ""};
    size_t n_installed = 0, n = 0;
    bool supported = sw_opt_flag(inv, "supported");
    enum sw_code code = go_session_open(&s, inv, remote ? GO_CREATE | GO_NETWORK : 0, err);
    if (code) return code;
    code = sw_go_store_list(&s.store, inv->arena, &installed, &n_installed, err);
    if (!code && remote)
        code = sw_go_remote_list(s.http, &s.store, &s.settings, sw_opt_flag(inv, "refresh"),
                                 inv->arena, &all, err);
    if (code) return code;
    struct sw_go_support support;
    go_support(&s, inv, &support);
    for (size_t i = 0; i < all.n; i++) sw_go_support_seen(&support, &all.versions[i]);
    struct row *rows = sw_arena_array(inv->arena, n_installed + all.n + 1, sizeof *rows);
    size_t total = remote ? all.n : n_installed;
    for (size_t i = 0; i < total; i++) {
        struct row row = {.version = remote ? all.versions[i] : installed[i].version};
        row.installed = find(installed, n_installed, &row.version);
        row.supported = sw_go_support_alive(&support, &row.version);
        if (supported && !row.supported) continue;
        if (inv->n_args) {
            struct sw_go_constraint c;
            code = sw_go_constraint_parse(sw_str(inv->args[0]), &c, err);
            if (code) return code;
            if (!sw_go_constraint_match(&c, &row.version)) continue;
        }
        rows[n++] = row;
    }
    if (inv->format && !strcmp(inv->format, "json"))
        print_json(rows, n);
    else
        print_table(rows, n, sw_opt_flag(inv, "quiet"), remote);
    if (!remote && !n && !inv->format)
        fprintf(stderr, "no toolchain is installed; `slipway go install latest` gets one\n");
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    return list(inv, sw_opt_flag(inv, "remote"), err);
}

static enum sw_code run_all(struct sw_invocation *inv, struct sw_error *err) {
    return list(inv, true, err);
}

const struct sw_command sw_cmd_go_list = {
    .name = "go list",
    .aliases = "ls",
    .args = "[OPTIONS] [CONSTRAINT]",
    .summary = "List Go toolchains",
    .description = "The arrow marks the default. A line of releases is past its end once two newer "
                   "lines exist.",
    .examples = "slipway go list --remote \">=1.21 <1.23\"  # what could be installed",
    .options = options,
    .max_args = 1,
    .run = run,
};

const struct sw_command sw_cmd_go_listall = {
    .name = "go listall",
    .args = "[OPTIONS] [CONSTRAINT]",
    .summary = "List every Go version that the sources have",
    .options = options,
    .max_args = 1,
    .run = run_all,
};
