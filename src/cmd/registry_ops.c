#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/registry_common.h"
#include "cmd/table.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include "registry/admin.h"
#include "registry/audit.h"
#include "registry/gc.h"

static const struct sw_option gc_options[] = {
    {"dry-run", 'n', NULL, "only say what would go", 0, NULL, NULL},
    {"grace", 0, "SECONDS", "never collect what was used since (3600)", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static enum sw_code run_gc(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_registry *r REGISTRY = NULL;
    uint64_t grace = 3600;
    struct sw_gc_report g;
    enum sw_code code = sw_opt_u64(inv, "grace", &grace, err);
    if (!code) code = registry_open(inv, &r, err);
    if (code) return code;
    struct sw_gc_options o = {.dry_run = sw_opt_flag(inv, "dry-run"),
                              .now_s = sw_now_unix_s(),
                              .grace_s = grace > 1u << 30 ? 1u << 30 : (unsigned)grace};
    code = sw_registry_gc(sw_registry_meta(r), sw_registry_blobs(r), &o, &g, err);
    if (code) return code;
    if (inv->format && strcmp(inv->format, "json") == 0) {
        printf("{\"dry_run\":%s,\"tags\":%llu,\"manifests\":%llu,\"links\":%llu,\"blobs\":%llu,"
               "\"bytes\":%llu,\"orphans\":%llu,\"orphan_bytes\":%llu,\"took_ms\":%lld}\n",
               o.dry_run ? "true" : "false", (unsigned long long)g.tags,
               (unsigned long long)g.manifests, (unsigned long long)g.links,
               (unsigned long long)g.blobs, (unsigned long long)g.bytes,
               (unsigned long long)g.orphans, (unsigned long long)g.orphan_bytes,
               (long long)g.took_ms);
        return SW_OK;
    }
    printf("%s %llu blobs (%llu bytes), %llu links, %llu tags and %llu manifests by retention, "
           "%llu orphans (%llu bytes); %lld ms\n",
           o.dry_run ? "would remove" : "removed", (unsigned long long)g.blobs,
           (unsigned long long)g.bytes, (unsigned long long)g.links, (unsigned long long)g.tags,
           (unsigned long long)g.manifests, (unsigned long long)g.orphans,
           (unsigned long long)g.orphan_bytes, (long long)g.took_ms);
    return SW_OK;
}

const struct sw_command sw_cmd_registry_gc = {
    .name = "registry gc",
    .args = "[OPTIONS]",
    .summary = "Give back the space of what no image needs",
    .description = "Applies the rules of retention, then removes blobs that nothing refers to. "
                   "Runs beside servers and pushes and stops neither.",
    .options = gc_options,
    .min_args = 0,
    .max_args = 0,
    .run = run_gc,
};

static const struct sw_option audit_options[] = {
    {"account", 0, "NAME", "only what this account did", 0, NULL, NULL},
    {"action", 0, "NAME", "only this: push, delete, login, rule.add ...", 0, NULL, NULL},
    {"repository", 0, "PATTERN", "only these repositories", 0, NULL, NULL},
    {"digest", 0, "DIGEST", "only this digest", 0, NULL, NULL},
    {"since", 0, "TIME", "not before (2006-01-02T15:04:05Z)", 0, NULL, NULL},
    {"until", 0, "TIME", "not after", 0, NULL, NULL},
    {"refused", 0, NULL, "only what was refused", 0, NULL, NULL},
    {"max", 0, "N", "the newest so many (1000)", 0, NULL, NULL},
    {"verify", 0, NULL, "check the chain of hashes and print its end", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static struct sw_str member(const struct sw_json *root, const char *key) {
    const struct sw_json *v = sw_json_get(root, key);
    return v && v->type == SW_JSON_STRING ? v->text : SW_STR("");
}

static enum sw_code print_entry(void *context, int64_t seq, struct sw_str entry, struct sw_str hash,
                                struct sw_error *err) {
    struct sw_invocation *inv = context;
    const struct sw_json *root = NULL;
    char when[SW_RFC3339_MAX];
    int64_t time = 0;
    bool allowed = false;
    if (inv->format && strcmp(inv->format, "json") == 0) {
        printf("{\"seq\":%lld,\"entry\":%.*s,\"hash\":\"%.*s\"}\n", (long long)seq, SW_ARG(entry),
               SW_ARG(hash));
        return SW_OK;
    }
    enum sw_code code = sw_json_parse(inv->arena, entry, NULL, &root, err);
    if (!code) code = sw_json_opt_int(root, "time", &time, err);
    if (!code) code = sw_json_opt_bool(root, "allowed", &allowed, err);
    if (code) return code;
    struct sw_str account = member(root, "account"), address = member(root, "address");
    printf("%lld %s %s %.*s %.*s %.*s %.*s %.*s %.*s\n", (long long)seq,
           sw_rfc3339_format(time, 0, when).ptr, allowed ? "allowed" : "REFUSED",
           SW_ARG(account.len ? account : SW_STR("-")), SW_ARG(address.len ? address : SW_STR("-")),
           SW_ARG(member(root, "action")), SW_ARG(member(root, "repository")),
           SW_ARG(member(root, "digest")), SW_ARG(member(root, "detail")));
    return SW_OK;
}

static enum sw_code moment(struct sw_invocation *inv, const char *name, int64_t *ret,
                           struct sw_error *err) {
    uint32_t ns;
    const char *text = sw_opt(inv, name);
    return text ? sw_rfc3339_parse(sw_str(text), ret, &ns, err) : SW_OK;
}

static enum sw_code run_audit(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_registry *r REGISTRY = NULL;
    struct sw_audit_filter f = {.account = sw_str(sw_opt(inv, "account")),
                                .action = sw_str(sw_opt(inv, "action")),
                                .repo_pattern = sw_str(sw_opt(inv, "repository")),
                                .digest = sw_str(sw_opt(inv, "digest")),
                                .only_refused = sw_opt_flag(inv, "refused")};
    uint64_t max = 1000;
    enum sw_code code = moment(inv, "since", &f.since_s, err);
    if (!code) code = moment(inv, "until", &f.until_s, err);
    if (!code) code = sw_opt_u64(inv, "max", &max, err);
    if (!code) code = registry_open(inv, &r, err);
    if (code) return code;
    f.max = (size_t)max;
    if (sw_opt_flag(inv, "verify")) {
        char head[65];
        int64_t n = 0;
        code = sw_audit_verify(sw_registry_meta(r), &n, head, err);
        if (!code) printf("%lld entries, the last hash is %s\n", (long long)n, head);
        return code;
    }
    return sw_audit_list(sw_registry_meta(r), &f, print_entry, inv, err);
}

const struct sw_command sw_cmd_registry_audit = {
    .name = "registry audit",
    .args = "[OPTIONS]",
    .summary = "Show and verify who did what in a registry",
    .description = "Every entry holds the hash of those before it. --verify finds what was changed "
                   "or removed in the middle; keep the hash that it prints elsewhere, and a cut at "
                   "the end shows as well.",
    .options = audit_options,
    .min_args = 0,
    .max_args = 0,
    .run = run_audit,
};

static const struct sw_option usage_options[] = {REGISTRY_DATA_OPTIONS, {NULL}};

static enum sw_code run_usage(struct sw_invocation *inv, struct sw_error *err) {
    static const char *const columns[] = {"repository", "tags", "manifests", "bytes", NULL};
    struct sw_registry *r REGISTRY = NULL;
    struct sw_buf out SW_BUF = {0};
    sw_buf_init(&out, 0);
    enum sw_code code = registry_open(inv, &r, err);
    if (!code) code = sw_admin_usage(sw_registry_meta(r), &out, err);
    return code ? code : registry_print(inv, sw_buf_str(&out), columns, err);
}

const struct sw_command sw_cmd_registry_usage = {
    .name = "registry usage",
    .args = "[OPTIONS]",
    .summary = "Show what each repository holds",
    .options = usage_options,
    .min_args = 0,
    .max_args = 0,
    .run = run_usage,
};
