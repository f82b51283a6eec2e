/* The management interface: /api/v1/. docs/registry-openapi.json describes it; it is served as
 * /api/v1/openapi.json. Everything but promotion needs the role admin on "**". */
#include "registry/admin.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "registry/gc.h"
#include "registry/hooks.h"
#include "registry/server_internal.h"

/* The document as it lies in docs/, without a program that would turn it into C. */
__asm__(".section .rodata\n"
        ".global sw_openapi_begin\n.global sw_openapi_end\n"
        "sw_openapi_begin:\n.incbin \"" OPENAPI_PATH "\"\nsw_openapi_end:\n"
        ".previous\n");
extern const char sw_openapi_begin[], sw_openapi_end[];

struct call {
    struct request *q;
    const struct sw_json *body; /* NULL without one */
    struct sw_str id;           /* what follows the collection's name, "" for none */
};

static struct sw_str text_of(const struct sw_json *body, const char *key) {
    const struct sw_json *v = body ? sw_json_get(body, key) : NULL;
    return v && v->type == SW_JSON_STRING ? v->text : SW_STR("");
}

static void reply_id(struct request *q, int64_t id) {
    reply_json(q, 201, sw_arena_printf(&q->x->arena, "{\"id\":%lld}", (long long)id));
}

/* A change is audited after it is done; it has its own transaction. */
static void settle(struct call *c, const char *action, struct sw_str what, enum sw_code code) {
    struct request *q = c->q;
    audit_now(q, action, SW_STR(""), SW_STR(""), what, code == SW_OK);
    if (code)
        reply_failure(q, "NOT_FOUND");
    else if (!q->x->status)
        sw_reply_bytes(q->x, 204, SW_STR(""));
}

static void reply_list(struct request *q,
                       enum sw_code (*make)(struct sw_meta *, struct sw_buf *, struct sw_error *)) {
    struct sw_buf out SW_BUF = {0};
    sw_buf_init(&out, (size_t)64 << 20);
    if (make(q->r->meta, &out, &q->err))
        reply_failure(q, "NOT_FOUND");
    else
        reply_json(q, 200, sw_buf_str(&out));
}

/* ---- accounts ---- */

static enum sw_code bind_roles(struct call *c, struct sw_str account) {
    struct request *q = c->q;
    const struct sw_json *roles = sw_json_get(c->body, "roles");
    enum sw_code code = SW_OK;
    if (!roles || roles->type != SW_JSON_ARRAY) return SW_OK;
    for (size_t i = 0; !code && i < roles->len; i++) {
        enum sw_role role = sw_role_of(text_of(&roles->items[i], "role"));
        if (role == SW_ROLE_NONE) return sw_fail(&q->err, SW_USAGE, "no such role");
        code = sw_role_put(q->r->meta, &q->x->arena, account, role,
                           text_of(&roles->items[i], "repositories"), false, &q->err);
    }
    return code;
}

static void account_create(struct call *c) {
    struct request *q = c->q;
    struct sw_account_change change = {.name = text_of(c->body, "name")};
    struct sw_str password = text_of(c->body, "password");
    char random[41];
    bool made = password.len == 0;
    if (made) {
        sw_random_name(random, sizeof random);
        password = sw_str(random);
    }
    change.password = password;
    enum sw_code code = sw_json_opt_bool(c->body, "robot", &change.robot, &q->err);
    if (!code) code = sw_json_opt_int(c->body, "expires", &change.expires, &q->err);
    if (!code) code = sw_account_put(q->r->meta, &q->x->arena, &change, true, q->now_s, &q->err);
    if (!code) code = bind_roles(c, change.name);
    if (!code) {
        struct sw_buf out SW_BUF = {0};
        struct sw_json_writer w;
        sw_buf_init(&out, 0);
        sw_json_writer_init(&w, &out, 0);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", change.name);
        if (made) sw_json_put_str(&w, "password", password);
        sw_json_end_object(&w);
        sw_reply_header(q->x, "Cache-Control", SW_STR("no-store"));
        reply_json(q, 201, sw_buf_str(&out));
        explicit_bzero(out.ptr, out.len);
    }
    settle(c, "account.add", change.name, code);
}

static void account_change(struct call *c) {
    struct request *q = c->q;
    struct sw_account_change change = {.name = c->id};
    const struct sw_json *password = sw_json_get(c->body, "password");
    change.robot = sw_str_starts(c->id, SW_STR("robot$"));
    if (password && password->type == SW_JSON_STRING) change.password = password->text;
    change.set_disabled = sw_json_get(c->body, "disabled") != NULL;
    change.set_expires = sw_json_get(c->body, "expires") != NULL;
    enum sw_code code = sw_json_opt_bool(c->body, "disabled", &change.disabled, &q->err);
    if (!code) code = sw_json_opt_int(c->body, "expires", &change.expires, &q->err);
    if (!code) code = sw_account_put(q->r->meta, &q->x->arena, &change, false, q->now_s, &q->err);
    settle(c, "account.change", c->id, code);
}

static void accounts(struct call *c) {
    struct request *q = c->q;
    struct sw_str m = q->x->method;
    if (sw_str_is(m, "GET"))
        reply_list(q, sw_admin_accounts);
    else if (sw_str_is(m, "POST") && c->body)
        account_create(c);
    else if (sw_str_is(m, "PUT") && c->body && c->id.len)
        account_change(c);
    else if (sw_str_is(m, "DELETE") && c->id.len)
        settle(c, "account.remove", c->id,
               sw_account_remove(q->r->meta, &q->x->arena, c->id, &q->err));
    else
        reply_method_not_allowed(q);
}

static void roles(struct call *c) {
    struct request *q = c->q;
    bool add = sw_str_is(q->x->method, "POST"), remove = sw_str_is(q->x->method, "DELETE");
    if (!c->body || !(add || remove)) {
        reply_method_not_allowed(q);
        return;
    }
    struct sw_str account = text_of(c->body, "account");
    struct sw_str pattern = text_of(c->body, "repositories");
    enum sw_role role = sw_role_of(text_of(c->body, "role"));
    enum sw_code code =
        role == SW_ROLE_NONE
            ? sw_fail(&q->err, SW_USAGE, "roles: viewer, developer, releaser, admin")
            : sw_role_put(q->r->meta, &q->x->arena, account, role, pattern, remove, &q->err);
    settle(c, remove ? "role.remove" : "role.add",
           sw_arena_printf(&q->x->arena, "%.*s %s %.*s", SW_ARG(account), sw_role_name(role),
                           SW_ARG(pattern)),
           code);
}

/* ---- rules, webhooks, issuers: collections with a number ---- */

static int64_t number(struct call *c) {
    int64_t n;
    return sw_str_i64(c->id, &n) ? n : -1;
}

static void rules(struct call *c) {
    struct request *q = c->q;
    struct sw_str m = q->x->method;
    if (sw_str_is(m, "GET")) {
        reply_list(q, sw_admin_rules);
    } else if (sw_str_is(m, "POST") && c->body) {
        struct sw_rule rule = {.pattern = text_of(c->body, "repositories"),
                               .value = text_of(c->body, "value")};
        enum sw_code code = sw_rule_kind_of(text_of(c->body, "kind"), &rule.kind, &q->err);
        if (!code) code = sw_rule_put(q->r->meta, &q->x->arena, &rule, &q->err);
        if (!code) reply_id(q, rule.id);
        settle(c, "rule.add", text_of(c->body, "kind"), code);
    } else if (sw_str_is(m, "DELETE")) {
        settle(c, "rule.remove", c->id,
               sw_rule_remove(q->r->meta, &q->x->arena, number(c), &q->err));
    } else {
        reply_method_not_allowed(q);
    }
}

static void hooks(struct call *c) {
    struct request *q = c->q;
    struct sw_str m = q->x->method;
    if (sw_str_is(m, "GET")) {
        reply_list(q, sw_admin_hooks);
    } else if (sw_str_is(m, "POST") && c->body) {
        struct sw_hook h = {.url = text_of(c->body, "url"),
                            .secret = text_of(c->body, "secret"),
                            .pattern = text_of(c->body, "repositories"),
                            .events = text_of(c->body, "events")};
        if (!h.events.len) h.events = SW_STR("*");
        enum sw_code code = sw_hook_put(q->r->meta, &q->x->arena, &h, &q->err);
        if (!code) reply_id(q, h.id);
        settle(c, "hook.add", h.url, code);
    } else if (sw_str_is(m, "DELETE")) {
        settle(c, "hook.remove", c->id,
               sw_hook_remove(q->r->meta, &q->x->arena, number(c), &q->err));
    } else {
        reply_method_not_allowed(q);
    }
}

static void issuers(struct call *c) {
    struct request *q = c->q;
    struct sw_str m = q->x->method;
    if (sw_str_is(m, "GET")) {
        reply_list(q, sw_admin_issuers);
    } else if (sw_str_is(m, "POST") && c->body) {
        const struct sw_json *claims = sw_json_get(c->body, "claims");
        struct sw_buf text SW_BUF = {0};
        struct sw_json_writer w;
        sw_buf_init(&text, SW_REG_FORM_MAX);
        sw_json_writer_init(&w, &text, 0);
        if (claims) sw_json_tree(&w, claims);
        struct sw_issuer i = {.issuer = text_of(c->body, "issuer"),
                              .audience = text_of(c->body, "audience"),
                              .claims = sw_buf_str(&text),
                              .robot = text_of(c->body, "robot"),
                              .keys_url = text_of(c->body, "keys_url")};
        enum sw_code code = sw_issuer_put(q->r->meta, &q->x->arena, &i, &q->err);
        if (!code) reply_id(q, i.id);
        settle(c, "issuer.add", i.issuer, code);
    } else if (sw_str_is(m, "DELETE")) {
        settle(c, "issuer.remove", c->id,
               sw_issuer_remove(q->r->meta, &q->x->arena, number(c), &q->err));
    } else {
        reply_method_not_allowed(q);
    }
}

/* ---- audit, usage, collection, deployments ---- */

struct audit_list {
    struct sw_json_writer w;
};
static enum sw_code visit_audit(void *context, int64_t seq, struct sw_str entry, struct sw_str hash,
                                struct sw_error *err) {
    struct audit_list *l = context;
    sw_json_begin_object(&l->w);
    sw_json_put_int(&l->w, "seq", seq);
    sw_json_key(&l->w, "entry");
    sw_json_raw(&l->w, entry);
    sw_json_put_str(&l->w, "hash", hash);
    sw_json_end_object(&l->w);
    return SW_OK;
}

static void audit(struct call *c) {
    struct request *q = c->q;
    struct sw_arena *a = &q->x->arena;
    struct sw_str query = q->x->query, text;
    struct sw_audit_filter f = {0};
    struct audit_list l;
    struct sw_buf out SW_BUF = {0};
    uint64_t n;
    if (!sw_str_is(q->x->method, "GET")) {
        reply_method_not_allowed(q);
        return;
    }
    sw_query_get(a, query, "account", &f.account);
    sw_query_get(a, query, "action", &f.action);
    sw_query_get(a, query, "repository", &f.repo_pattern);
    sw_query_get(a, query, "digest", &f.digest);
    if (sw_query_get(a, query, "since", &text) && !sw_str_i64(text, &f.since_s)) f.since_s = 0;
    if (sw_query_get(a, query, "until", &text) && !sw_str_i64(text, &f.until_s)) f.until_s = 0;
    if (sw_query_get(a, query, "refused", &text)) f.only_refused = sw_str_is(text, "true");
    if (sw_query_get(a, query, "n", &text) && sw_str_u64(text, &n) && n <= SW_REG_PAGE_MAX)
        f.max = (size_t)n;
    sw_buf_init(&out, (size_t)64 << 20);
    sw_json_writer_init(&l.w, &out, 0);
    sw_json_begin_object(&l.w);
    sw_json_key(&l.w, "entries");
    sw_json_begin_array(&l.w);
    enum sw_code code = sw_audit_list(q->r->meta, &f, visit_audit, &l, &q->err);
    sw_json_end_array(&l.w);
    sw_json_end_object(&l.w);
    if (code)
        reply_failure(q, "NOT_FOUND");
    else
        reply_json(q, 200, sw_buf_str(&out));
}

static void collect(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_registry *r = q->r;
    struct sw_gc_options o = {.now_s = q->now_s, .grace_s = r->options.gc_grace_s};
    struct sw_gc_report g;
    struct sw_str text;
    o.dry_run = sw_query_get(&x->arena, x->query, "dry_run", &text) && sw_str_is(text, "true");
    if (sw_registry_gc(r->meta, r->blobs, &o, &g, &q->err)) {
        reply_failure(q, "NOT_FOUND");
        return;
    }
    if (!o.dry_run) {
        sw_count(r, METRIC_GC_BLOBS, g.blobs);
        sw_count(r, METRIC_GC_BYTES, g.bytes);
    }
    reply_json(q, 200,
               sw_arena_printf(&x->arena,
                               "{\"dry_run\":%s,\"tags\":%llu,\"manifests\":%llu,\"links\":%llu,"
                               "\"blobs\":%llu,\"bytes\":%llu,\"orphans\":%llu,"
                               "\"orphan_bytes\":%llu,\"took_ms\":%lld}",
                               o.dry_run ? "true" : "false", (unsigned long long)g.tags,
                               (unsigned long long)g.manifests, (unsigned long long)g.links,
                               (unsigned long long)g.blobs, (unsigned long long)g.bytes,
                               (unsigned long long)g.orphans, (unsigned long long)g.orphan_bytes,
                               (long long)g.took_ms));
}

static void gc(struct call *c) {
    if (sw_str_is(c->q->x->method, "POST"))
        collect(c->q);
    else
        reply_method_not_allowed(c->q);
}

static void deployed(struct call *c) {
    struct request *q = c->q;
    bool add = sw_str_is(q->x->method, "PUT"), remove = sw_str_is(q->x->method, "DELETE");
    struct sw_digest d;
    if (!c->body || !(add || remove)) {
        reply_method_not_allowed(q);
        return;
    }
    struct sw_str digest = text_of(c->body, "digest");
    enum sw_code code = sw_digest_parse(digest, &d, &q->err);
    if (!code)
        code = sw_deployed_set(q->r->meta, &q->x->arena, text_of(c->body, "repository"), digest,
                               text_of(c->body, "place"), remove, q->now_s, &q->err);
    settle(c, "deployed", digest, code);
}

/* ---- promotion ---- */

/* Links everything that a manifest needs from one repository into the other, children first; then
 * stores it as a push would: the same rules judge it. */
static bool promote_digest(struct request *q, struct sw_str from, struct sw_str to,
                           struct sw_str reference, struct sw_str const *tags, size_t n_tags,
                           unsigned depth) {
    struct sw_arena *a = &q->x->arena;
    struct sw_tx tx SW_TX = {0};
    struct sw_manifest_row row;
    struct sw_pushed p;
    int64_t id = 0;
    enum sw_code code = sw_tx_begin(q->r->meta, a, SW_TX_READ, &tx, &q->err);
    if (!code) code = sw_manifest_find(&tx, from, reference, true, &row, &q->err);
    sw_tx_end(&tx);
    bool sha512 = !code && sw_str_starts(row.digest, SW_STR("sha512:"));
    if (!code)
        code = sw_pushed_parse(a, row.body, row.media_type, sha512 ? SW_SHA512 : SW_SHA256, &p,
                               &q->err);
    if (code) {
        reply_failure(q, "MANIFEST_UNKNOWN");
        return false;
    }
    for (size_t i = 0; i < p.n_refs; i++) {
        char text[SW_DIGEST_TEXT_MAX];
        if (p.refs[i].kind != SW_REF_MANIFEST) continue;
        if (depth == 0) {
            reply_error(q, 400, "MANIFEST_INVALID", "indexes are nested too deeply");
            return false;
        }
        struct sw_str child = sw_arena_str(a, sw_digest_format(&p.refs[i].digest, text));
        if (!promote_digest(q, from, to, child, NULL, 0, depth - 1)) return false;
    }
    code = sw_tx_begin(q->r->meta, a, SW_TX_RELAXED, &tx, &q->err);
    if (!code) code = sw_repo_id(&tx, to, true, q->now_s, &id, &q->err);
    for (size_t i = 0; !code && i < p.n_refs; i++)
        if (p.refs[i].kind == SW_REF_BLOB)
            code = sw_blob_mount(&tx, id, &p.refs[i].digest, q->now_s, &q->err);
    if (!code) code = sw_tx_commit(&tx, &q->err);
    sw_tx_end(&tx);
    if (code) {
        reply_failure(q, "MANIFEST_BLOB_UNKNOWN");
        return false;
    }
    return store_manifest(q, to, row.body, &p, tags, n_tags, "promote");
}

static void promote(struct call *c) {
    struct request *q = c->q;
    struct sw_str tags[SW_REG_PUT_TAGS_MAX];
    size_t n = 0;
    struct sw_str from = text_of(c->body, "from"), to = text_of(c->body, "to");
    struct sw_str digest = text_of(c->body, "digest");
    const struct sw_json *list = c->body ? sw_json_get(c->body, "tags") : NULL;
    struct sw_route rf =
        sw_route_parse(&q->x->arena, sw_arena_printf(&q->x->arena, "/v2/%.*s/manifests/%.*s",
                                                     SW_ARG(from), SW_ARG(digest)));
    struct sw_route rt = sw_route_parse(
        &q->x->arena, sw_arena_printf(&q->x->arena, "/v2/%.*s/tags/list", SW_ARG(to)));
    if (!sw_str_is(q->x->method, "POST")) {
        reply_method_not_allowed(q);
        return;
    }
    if (rf.kind != SW_ROUTE_MANIFEST || !sw_digest_is_set(&rf.digest) || rt.kind != SW_ROUTE_TAGS) {
        reply_error(q, 400, "NAME_INVALID", "from and to are repositories, digest is a digest");
        return;
    }
    for (size_t i = 0; list && list->type == SW_JSON_ARRAY && i < list->len; i++) {
        struct sw_str tag =
            list->items[i].type == SW_JSON_STRING ? list->items[i].text : SW_STR("");
        struct sw_route r = sw_route_parse(
            &q->x->arena, sw_arena_printf(&q->x->arena, "/v2/a/manifests/%.*s", SW_ARG(tag)));
        if (r.kind != SW_ROUTE_MANIFEST || sw_digest_is_set(&r.digest) ||
            n == SW_REG_PUT_TAGS_MAX) {
            reply_error(q, 400, "TAG_INVALID", "\"%.*s\" is no tag", SW_ARG(tag));
            return;
        }
        tags[n++] = tag;
    }
    if (!require_rights(q, from, SW_ACT_PULL) || !require_rights(q, to, SW_ACT_PUSH)) return;
    if (promote_digest(q, from, to, digest, tags, n, 4)) sw_reply_bytes(q->x, 204, SW_STR(""));
}

static void usage(struct call *c) {
    if (sw_str_is(c->q->x->method, "GET"))
        reply_list(c->q, sw_admin_usage);
    else
        reply_method_not_allowed(c->q);
}

void api_request(struct request *q) {
    static const struct {
        const char *name;
        void (*run)(struct call *c);
        bool everybody; /* checks rights itself */
    } collections[] = {
        {"accounts", accounts, false},
        {"roles", roles, false},
        {"rules", rules, false},
        {"hooks", hooks, false},
        {"issuers", issuers, false},
        {"audit", audit, false},
        {"gc", gc, false},
        {"deployed", deployed, false},
        {"usage", usage, false},
        {"promote", promote, true},
    };
    struct call c = {.q = q};
    struct sw_str name;
    if (sw_str_is(q->route.reference, "openapi.json")) {
        reply_json(q, 200, sw_str_n(sw_openapi_begin, (size_t)(sw_openapi_end - sw_openapi_begin)));
        return;
    }
    sw_str_cut(q->route.reference, '/', &name, &c.id);
    for (size_t i = 0; i < sizeof collections / sizeof collections[0]; i++) {
        if (!sw_str_is(name, collections[i].name)) continue;
        if (!collections[i].everybody && !is_admin(q)) {
            audit_now(q, "api", SW_STR(""), SW_STR(""), name, false);
            if (q->authenticated)
                reply_error(q, 403, "DENIED", "only admins may do this");
            else {
                sw_reply_header(q->x, "WWW-Authenticate", SW_STR("Basic realm=\"slipway\""));
                reply_error(q, 401, "UNAUTHORIZED", "authentication required");
            }
            return;
        }
        /* A thing by its name is changed or removed; to list and to add is the collection's. */
        if (c.id.len && (sw_str_is(q->x->method, "GET") || sw_str_is(q->x->method, "POST"))) {
            reply_method_not_allowed(q);
            return;
        }
        if (q->body.len &&
            (sw_json_parse(&q->x->arena, sw_buf_str(&q->body), NULL, &c.body, &q->err) ||
             sw_json_expect(c.body, SW_JSON_OBJECT, &q->err))) {
            reply_failure(q, "NOT_FOUND");
            return;
        }
        collections[i].run(&c);
        return;
    }
    reply_error(q, 404, "NOT_FOUND", "there is nothing here");
}
