#include "cmd/registry_common.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/sys.h"
#include "cmd/version.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "registry/audit.h"
#include "store/store.h"

#define SECRET_MAX 4096
#define COLUMNS_MAX 8

static enum sw_code read_lines(struct sw_invocation *inv, const char *path, struct sw_str *ret,
                               struct sw_error *err) {
    struct sw_buf text SW_BUF = {0};
    sw_buf_init(&text, 0);
    enum sw_code code = path ? sw_read_file_at(AT_FDCWD, path, SECRET_MAX, &text, err)
                             : sw_read_fd(0, SECRET_MAX, &text, err);
    if (code) return code;
    *ret = sw_arena_str(inv->arena, sw_buf_str(&text));
    explicit_bzero(text.ptr, text.len);
    return SW_OK;
}

static struct sw_str take_line(struct sw_str *rest) {
    struct sw_str line;
    if (!rest->ptr || !sw_str_next(rest, '\n', &line)) return SW_STR("");
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    return line;
}

static enum sw_code s3_options(struct sw_invocation *inv, const char *dir,
                               const struct sw_s3_options **ret, struct sw_error *err) {
    struct sw_s3_options *s = SW_NEW(inv->arena, struct sw_s3_options);
    const char *file = sw_opt(inv, "s3-credentials");
    s->endpoint = sw_opt(inv, "s3-endpoint");
    s->bucket = sw_opt(inv, "s3-bucket");
    if (!s->endpoint) return SW_OK;
    if (!s->bucket) return sw_fail(err, SW_USAGE, "--s3-endpoint needs --s3-bucket");
    s->prefix = sw_opt(inv, "s3-prefix") ? sw_opt(inv, "s3-prefix") : "";
    s->region = sw_opt(inv, "s3-region") ? sw_opt(inv, "s3-region") : "us-east-1";
    s->spool_dir = sw_arena_printf(inv->arena, "%s/spool", dir).ptr;
    s->access_key = getenv("AWS_ACCESS_KEY_ID");
    s->secret_key = getenv("AWS_SECRET_ACCESS_KEY");
    if (file) {
        struct sw_str text;
        enum sw_code code = read_lines(inv, file, &text, err);
        if (code) return code;
        s->access_key = sw_arena_cstr(inv->arena, take_line(&text));
        s->secret_key = sw_arena_cstr(inv->arena, take_line(&text));
    }
    if (!s->access_key || !s->secret_key)
        return sw_fail(err, SW_USAGE, "the S3 store needs credentials: see --s3-credentials");
    *ret = s;
    return SW_OK;
}

enum sw_code registry_options(struct sw_invocation *inv, struct sw_registry_options *ret,
                              struct sw_error *err) {
    const char *dir = sw_opt(inv, "data");
    if (!dir && inv->root) dir = sw_arena_printf(inv->arena, "%s/registry", inv->root).ptr;
    if (!dir) {
        struct sw_buf root SW_BUF = {0};
        sw_buf_init(&root, 4096);
        enum sw_code code = sw_store_default_root(getenv, geteuid(), &root, err);
        if (code) return code;
        dir = sw_arena_printf(inv->arena, "%s/registry", root.ptr).ptr;
    }
    *ret = (struct sw_registry_options){
        .data_dir = dir, .metadata = sw_opt(inv, "metadata"), .version = sw_version_text()};
    return s3_options(inv, dir, &ret->s3, err);
}

enum sw_code registry_open(struct sw_invocation *inv, struct sw_registry **ret,
                           struct sw_error *err) {
    struct sw_registry_options o;
    enum sw_code code = registry_options(inv, &o, err);
    return code ? code : sw_registry_open(&o, ret, err);
}

void registry_closep(struct sw_registry **r) {
    sw_registry_close(*r);
    *r = NULL;
}

enum sw_code registry_password(struct sw_invocation *inv, struct sw_str *ret,
                               struct sw_error *err) {
    const char *file = sw_opt(inv, "password-file");
    struct sw_str text;
    *ret = (struct sw_str){NULL, 0};
    if (!file && !sw_opt_flag(inv, "password-stdin")) return SW_OK;
    enum sw_code code = read_lines(inv, file, &text, err);
    if (!code) *ret = take_line(&text);
    if (!code && ret->len == 0) code = sw_fail(err, SW_USAGE, "the password is empty");
    return code;
}

/* ---- output ---- */

static struct sw_str cell_text(struct sw_arena *a, const struct sw_json *v) {
    struct sw_buf out SW_BUF = {0};
    sw_buf_init(&out, 0);
    if (!v || v->type == SW_JSON_NULL) return SW_STR("");
    if (v->type == SW_JSON_STRING) return v->text;
    if (v->type == SW_JSON_BOOL) return v->boolean ? SW_STR("yes") : SW_STR("");
    if (v->type == SW_JSON_ARRAY) { /* roles */
        for (size_t i = 0; i < v->len; i++) {
            struct sw_str role = SW_STR(""), where = SW_STR("");
            struct sw_error err;
            (void)!sw_json_opt_str(&v->items[i], "role", &role, &err);
            (void)!sw_json_opt_str(&v->items[i], "repositories", &where, &err);
            sw_buf_addf(&out, "%s%.*s %.*s", i ? ", " : "", SW_ARG(role), SW_ARG(where));
        }
    } else {
        struct sw_json_writer w;
        sw_json_writer_init(&w, &out, 0);
        sw_json_tree(&w, v);
    }
    return sw_arena_str(a, sw_buf_str(&out));
}

enum sw_code registry_print(struct sw_invocation *inv, struct sw_str json,
                            const char *const *columns, struct sw_error *err) {
    const struct sw_json *root = NULL;
    int width[COLUMNS_MAX] = {0}, n = 0;
    if (inv->format && strcmp(inv->format, "json") == 0) {
        printf("%.*s\n", SW_ARG(json));
        return SW_OK;
    }
    enum sw_code code = sw_json_parse(inv->arena, json, NULL, &root, err);
    if (code) return code;
    const struct sw_json *list = &root->items[0];
    while (columns[n]) {
        width[n] = (int)strlen(columns[n]);
        n++;
    }
    for (size_t i = 0; i < list->len; i++)
        for (int j = 0; j < n; j++) {
            int len = (int)cell_text(inv->arena, sw_json_get(&list->items[i], columns[j])).len;
            if (len > width[j]) width[j] = len;
        }
    for (int j = 0; j < n; j++) {
        char title[64];
        size_t k = 0;
        for (const char *p = columns[j]; *p && k < sizeof title - 1; p++)
            title[k++] = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        title[k] = 0;
        printf("%-*s%s", j + 1 < n ? width[j] : 0, title, j + 1 < n ? "  " : "\n");
    }
    for (size_t i = 0; i < list->len; i++)
        for (int j = 0; j < n; j++) {
            struct sw_str t = cell_text(inv->arena, sw_json_get(&list->items[i], columns[j]));
            printf("%.*s%*s%s", SW_ARG(t), j + 1 < n ? width[j] - (int)t.len : 0, "",
                   j + 1 < n ? "  " : "\n");
        }
    return SW_OK;
}

enum sw_code registry_audit(struct sw_registry *r, struct sw_invocation *inv, const char *action,
                            struct sw_str detail, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    const struct passwd *pw = getpwuid(getuid());
    struct sw_audit_entry e = {
        .time_s = sw_now_unix_s(),
        .account = sw_arena_printf(inv->arena, "local:%s", pw ? pw->pw_name : "?"),
        .action = sw_str(action),
        .detail = detail,
        .allowed = true,
    };
    enum sw_code code = sw_tx_begin(sw_registry_meta(r), inv->arena, SW_TX_DURABLE, &tx, err);
    if (!code) code = sw_audit_add(&tx, &e, err);
    return code ? code : sw_tx_commit(&tx, err);
}
