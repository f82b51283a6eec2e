#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cmd/registry_common.h"
#include "cmd/table.h"
#include "registry/access.h"
#include "registry/admin.h"
#include "registry/hooks.h"

#define VALUE_MAX ((size_t)64 << 10)

static const struct sw_option options[] = {
    {"value-file", 0, "FILE", "read the value from a file", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static enum sw_code list(struct sw_invocation *inv, struct sw_registry *r,
                         enum sw_code (*make)(struct sw_meta *, struct sw_buf *, struct sw_error *),
                         const char *const *columns, struct sw_error *err) {
    struct sw_buf out SW_BUF = {0};
    sw_buf_init(&out, 0);
    enum sw_code code = make(sw_registry_meta(r), &out, err);
    return code ? code : registry_print(inv, sw_buf_str(&out), columns, err);
}

static enum sw_code number(const char *text, int64_t *ret, struct sw_error *err) {
    if (!sw_str_i64(sw_str(text), ret))
        return sw_fail(err, SW_USAGE, "\"%s\" is no number of the list", text);
    return SW_OK;
}

static enum sw_code add_rule(struct sw_invocation *inv, struct sw_registry *r,
                             struct sw_error *err) {
    struct sw_buf text SW_BUF = {0};
    const char *file = sw_opt(inv, "value-file");
    struct sw_rule rule = {0};
    sw_buf_init(&text, 0);
    if (inv->n_args < 3) return sw_fail(err, SW_USAGE, "add KIND PATTERN [VALUE]");
    enum sw_code code = sw_rule_kind_of(sw_str(inv->args[1]), &rule.kind, err);
    if (!code && file) code = sw_read_file_at(AT_FDCWD, file, VALUE_MAX, &text, err);
    if (code) return code;
    rule.pattern = sw_str(inv->args[2]);
    rule.value = file ? sw_buf_str(&text) : sw_str(inv->n_args > 3 ? inv->args[3] : "");
    code = sw_rule_put(sw_registry_meta(r), inv->arena, &rule, err);
    if (!code) printf("%lld\n", (long long)rule.id);
    return code;
}

static enum sw_code run_rule(struct sw_invocation *inv, struct sw_error *err) {
    static const char *const columns[] = {"id", "kind", "repositories", "value", NULL};
    struct sw_registry *r REGISTRY = NULL;
    const char *verb = inv->args[0];
    int64_t id;
    enum sw_code code = registry_open(inv, &r, err);
    if (code) return code;
    if (strcmp(verb, "list") == 0) return list(inv, r, sw_admin_rules, columns, err);
    if (strcmp(verb, "add") == 0) {
        code = add_rule(inv, r, err);
    } else if (strcmp(verb, "remove") == 0 && inv->n_args == 2) {
        code = number(inv->args[1], &id, err);
        if (!code) code = sw_rule_remove(sw_registry_meta(r), inv->arena, id, err);
    } else {
        return sw_fail(err, SW_USAGE, "add KIND PATTERN [VALUE], remove ID or list");
    }
    if (!code)
        code = registry_audit(r, inv, sw_arena_printf(inv->arena, "rule.%s", verb).ptr,
                              sw_str(inv->args[1]), err);
    return code;
}

const struct sw_command sw_cmd_registry_rule = {
    .name = "registry rule",
    .args = "[OPTIONS] add KIND PATTERN [VALUE] | remove ID | list",
    .summary = "Manage the rules for repositories",
    .description =
        "anonymous: everybody may pull. production: only robots that are releasers write (VALUE "
        "admin: admins, too). immutable: tags that match VALUE are set once. quota: VALUE bytes in "
        "a repository. delete: roles that may delete, \"releaser,admin\". retention: VALUE is JSON "
        "with keep_last, keep_days, keep (a pattern of tags), keep_deployed, untagged_days. "
        "attest: VALUE is JSON with predicate, key (PEM), where, from: a digest enters only with a "
        "signed attestation.",
    .examples = "slipway registry rule add immutable 'prod/**' 'v*'\n"
                "slipway registry rule add retention 'ci/**' '{\"keep_last\":20,\"keep\":\"v*\"}'",
    .options = options,
    .min_args = 1,
    .max_args = 4,
    .run = run_rule,
};

static const struct sw_option hook_options[] = {
    {"events", 0, "LIST", "push, delete, promote; * for all", 0, NULL, NULL},
    {"secret-file", 0, "FILE", "what deliveries are signed with", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static enum sw_code add_hook(struct sw_invocation *inv, struct sw_registry *r,
                             struct sw_error *err) {
    struct sw_buf secret SW_BUF = {0};
    const char *file = sw_opt(inv, "secret-file");
    sw_buf_init(&secret, 0);
    if (inv->n_args < 2) return sw_fail(err, SW_USAGE, "add URL [PATTERN]");
    enum sw_code code = SW_OK;
    if (file) code = sw_read_file_at(AT_FDCWD, file, VALUE_MAX, &secret, err);
    if (code) return code;
    struct sw_hook h = {
        .url = sw_str(inv->args[1]),
        .secret = sw_str_trim(sw_buf_str(&secret)),
        .pattern = sw_str(inv->n_args > 2 ? inv->args[2] : "**"),
        .events = sw_str(sw_opt(inv, "events") ? sw_opt(inv, "events") : "*"),
    };
    code = sw_hook_put(sw_registry_meta(r), inv->arena, &h, err);
    if (!code) printf("%lld\n", (long long)h.id);
    return code;
}

static enum sw_code run_hook(struct sw_invocation *inv, struct sw_error *err) {
    static const char *const columns[] = {"id", "url", "repositories", "events", "waiting", NULL};
    struct sw_registry *r REGISTRY = NULL;
    const char *verb = inv->args[0];
    int64_t id;
    enum sw_code code = registry_open(inv, &r, err);
    if (code) return code;
    if (strcmp(verb, "list") == 0) return list(inv, r, sw_admin_hooks, columns, err);
    if (strcmp(verb, "add") == 0) {
        code = add_hook(inv, r, err);
    } else if (strcmp(verb, "remove") == 0 && inv->n_args == 2) {
        code = number(inv->args[1], &id, err);
        if (!code) code = sw_hook_remove(sw_registry_meta(r), inv->arena, id, err);
    } else {
        return sw_fail(err, SW_USAGE, "add URL [PATTERN], remove ID or list");
    }
    if (!code)
        code = registry_audit(r, inv, sw_arena_printf(inv->arena, "hook.%s", verb).ptr,
                              sw_str(inv->args[1]), err);
    return code;
}

const struct sw_command sw_cmd_registry_hook = {
    .name = "registry hook",
    .args = "[OPTIONS] add URL [PATTERN] | remove ID | list",
    .summary = "Manage webhooks of a registry",
    .description = "Deliveries are JSON, signed in X-Slipway-Signature with HMAC-SHA-256, and "
                   "retried with growing pauses from a queue that survives restarts.",
    .options = hook_options,
    .min_args = 1,
    .max_args = 3,
    .run = run_hook,
};

static const struct sw_option issuer_options[] = {
    {"audience", 0, "TEXT", "the token's audience", 0, NULL, NULL},
    {"claims", 0, "JSON", "patterns that claims must match", 0, NULL, NULL},
    {"robot", 0, "NAME", "the robot that such a token stands for", 0, NULL, NULL},
    {"keys-url", 0, "URL", "where the issuer's keys are; default: by discovery", 0, NULL, NULL},
    REGISTRY_DATA_OPTIONS,
    {NULL},
};

static const char *or_empty(const char *text) { return text ? text : ""; }

static enum sw_code run_issuer(struct sw_invocation *inv, struct sw_error *err) {
    static const char *const columns[] = {"id", "issuer", "audience", "claims", "robot", NULL};
    struct sw_registry *r REGISTRY = NULL;
    const char *verb = inv->args[0];
    int64_t id;
    enum sw_code code = registry_open(inv, &r, err);
    if (code) return code;
    if (strcmp(verb, "list") == 0) return list(inv, r, sw_admin_issuers, columns, err);
    if (strcmp(verb, "add") == 0 && inv->n_args == 2) {
        struct sw_issuer i = {.issuer = sw_str(inv->args[1]),
                              .audience = sw_str(or_empty(sw_opt(inv, "audience"))),
                              .claims = sw_str(or_empty(sw_opt(inv, "claims"))),
                              .robot = sw_str(or_empty(sw_opt(inv, "robot"))),
                              .keys_url = sw_str(or_empty(sw_opt(inv, "keys-url")))};
        code = sw_issuer_put(sw_registry_meta(r), inv->arena, &i, err);
        if (!code) printf("%lld\n", (long long)i.id);
    } else if (strcmp(verb, "remove") == 0 && inv->n_args == 2) {
        code = number(inv->args[1], &id, err);
        if (!code) code = sw_issuer_remove(sw_registry_meta(r), inv->arena, id, err);
    } else {
        return sw_fail(err, SW_USAGE, "add URL, remove ID or list");
    }
    if (!code)
        code = registry_audit(r, inv, sw_arena_printf(inv->arena, "issuer.%s", verb).ptr,
                              sw_str(inv->args[1]), err);
    return code;
}

const struct sw_command sw_cmd_registry_issuer = {
    .name = "registry issuer",
    .args = "[OPTIONS] add URL | remove ID | list",
    .summary = "Let OIDC tokens of CI systems stand for robots",
    .description = "A job posts its token to /token (RFC 8693) and gets one of the registry's for "
                   "the robot, without any stored password.",
    .examples = "slipway registry issuer add https://token.actions.githubusercontent.com "
                "--audience slipway --robot robot$ci --claims '{\"repository\":\"acme/app\"}'",
    .options = issuer_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_issuer,
};
