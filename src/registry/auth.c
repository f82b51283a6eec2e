/* Who asks, and the token service.
 *
 * A token says who somebody is and limits what may be done with it; what the account may do is
 * looked up again at every request. So a token is void as soon as its account is disabled, its
 * password changed (the generation in the token) or its role taken away.
 *
 * Two caches keep requests cheap: of tokens whose signature was verified (by their hash), and of
 * passwords that were verified (by an HMAC under a key of this process; never the password).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "registry/jwt.h"
#include "registry/server_internal.h"

#define TOKEN_LIFE_S 300
#define REFRESH_LIFE_S ((int64_t)90 * 86400)
#define TOKENS_KEPT 4096 /* a power of two */
#define PASSWORDS_KEPT 1024
#define PASSWORD_KEPT_NS ((int64_t)60 * 1000000000)

/* ---- caches: open addressing by a hash nobody can choose, newest wins ---- */

struct token_slot {
    uint8_t key[32]; /* SHA-256 of the token */
    int64_t exp;
    int64_t generation;
    char name[SW_REG_ACCOUNT_MAX + 8];
    struct {
        char name[256];
        unsigned actions;
        bool catalog;
    } scopes[2]; /* tokens with more are verified each time */
    unsigned n_scopes;
    bool used;
};
struct token_cache {
    pthread_mutex_t lock;
    struct token_slot slots[TOKENS_KEPT];
};
struct password_slot {
    uint8_t key[32];
    int64_t until_ns;
};
struct password_cache {
    pthread_mutex_t lock;
    struct password_slot slots[PASSWORDS_KEPT];
};

struct token_cache *token_cache_new(void) {
    struct token_cache *c = sw_calloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}
void token_cache_free(struct token_cache *c) { free(c); }
struct password_cache *password_cache_new(void) {
    struct password_cache *c = sw_calloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}
void password_cache_free(struct password_cache *c) { free(c); }

static size_t slot_of(const uint8_t key[32], size_t n) {
    return (key[0] | (size_t)key[1] << 8 | (size_t)key[2] << 16) & (n - 1);
}

/* ---- challenges ---- */

static void challenge(struct request *q, struct sw_str scope, const char *error) {
    struct sw_buf b SW_BUF = {0};
    sw_buf_init(&b, 4096);
    sw_buf_addf(&b, "Bearer realm=\"%.*s/token\",service=\"%.*s\"", SW_ARG(base_url(q)),
                SW_ARG(q->r->service));
    if (scope.len) sw_buf_addf(&b, ",scope=\"%.*s\"", SW_ARG(scope));
    if (error) sw_buf_addf(&b, ",error=\"%s\"", error);
    sw_reply_header(q->x, "WWW-Authenticate", sw_buf_str(&b));
    sw_reply_header(q->x, "Docker-Distribution-API-Version", SW_STR("registry/2.0"));
    reply_error(q, 401, "UNAUTHORIZED", "authentication required");
}

static struct sw_str scope_needed(struct request *q, struct sw_str repo, unsigned need) {
    const char *actions = need & SW_ACT_DELETE ? "delete" : "pull";
    if (need & SW_ACT_PUSH) actions = "pull,push";
    return sw_arena_printf(&q->x->arena, "repository:%.*s:%s", SW_ARG(repo), actions);
}

/* ---- rights ---- */

unsigned rights_on(struct request *q, struct sw_str repo) {
    if (q->r->options.open) return SW_ACT_ALL;
    unsigned actions = sw_policy_actions(q->policy, q->who, repo, q->now_s);
    if (!q->by_token) return actions;
    unsigned granted = 0;
    for (size_t i = 0; i < q->n_scopes; i++)
        if (sw_str_is(q->scopes[i].type, "repository") && sw_str_eq(q->scopes[i].name, repo))
            granted |= q->scopes[i].actions;
    return actions & granted;
}

bool is_admin(struct request *q) {
    if (q->r->options.open) return true;
    return !q->by_token && sw_policy_is_admin(q->policy, q->who, q->now_s);
}

bool require_rights(struct request *q, struct sw_str repo, unsigned need) {
    unsigned have = rights_on(q, repo);
    if ((have & need) == need) return true;
    struct sw_str scope = scope_needed(q, repo, need);
    /* A valid token of too little scope: the client asks for a better one. If the account lacks
     * the right, a better token does not exist, and it is told so. */
    unsigned of_account = sw_policy_actions(q->policy, q->who, repo, q->now_s);
    if (!q->authenticated) {
        challenge(q, scope, NULL); /* how every client begins: nothing to record */
    } else if (q->by_token && (of_account & need) == need) {
        challenge(q, scope, "insufficient_scope");
    } else {
        bool reads = sw_str_is(q->x->method, "GET") || sw_str_is(q->x->method, "HEAD");
        const char *action = sw_str_is(q->x->method, "DELETE") ? "delete" : "push";
        audit_now(q, reads ? "pull" : action, repo, q->route.reference, SW_STR("no right to"),
                  false);
        reply_error(q, 403, "DENIED", "%.*s may not do this with %.*s", SW_ARG(q->who->name),
                    SW_ARG(repo));
    }
    return false;
}

/* ---- tokens ---- */

static bool take_slot(struct request *q, const uint8_t key[32], struct token_slot *ret) {
    struct token_cache *c = q->r->tokens;
    pthread_mutex_lock(&c->lock);
    struct token_slot *s = &c->slots[slot_of(key, TOKENS_KEPT)];
    bool hit = s->used && memcmp(s->key, key, 32) == 0;
    if (hit) *ret = *s;
    pthread_mutex_unlock(&c->lock);
    return hit;
}

static void keep_slot(struct request *q, const struct token_slot *s) {
    struct token_cache *c = q->r->tokens;
    pthread_mutex_lock(&c->lock);
    c->slots[slot_of(s->key, TOKENS_KEPT)] = *s;
    pthread_mutex_unlock(&c->lock);
}

static enum sw_code read_scopes(struct request *q, const struct sw_json *claims,
                                struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_opt_node(claims, "access", SW_JSON_ARRAY, &list, err);
    for (size_t i = 0; !code && list && i < list->len && q->n_scopes < SW_REG_SCOPES_MAX; i++) {
        struct sw_scope s = {0};
        const struct sw_json *actions = NULL;
        code = sw_json_need_str(&list->items[i], "type", &s.type, err);
        if (!code) code = sw_json_need_str(&list->items[i], "name", &s.name, err);
        if (!code)
            code = sw_json_need_node(&list->items[i], "actions", SW_JSON_ARRAY, &actions, err);
        for (size_t j = 0; !code && j < actions->len; j++)
            if (actions->items[j].type == SW_JSON_STRING)
                s.actions |= sw_action_of(actions->items[j].text);
        q->scopes[q->n_scopes++] = s;
    }
    return code;
}

static void fill_slot(struct request *q, struct token_slot *s, struct sw_str sub) {
    size_t max = sizeof s->scopes / sizeof s->scopes[0];
    if (q->n_scopes > max || sub.len >= sizeof s->name) return;
    memcpy(s->name, sub.ptr, sub.len);
    for (size_t i = 0; i < q->n_scopes; i++) {
        if (q->scopes[i].name.len >= sizeof s->scopes[i].name) return;
        memcpy(s->scopes[i].name, q->scopes[i].name.ptr, q->scopes[i].name.len);
        s->scopes[i].actions = q->scopes[i].actions;
        s->scopes[i].catalog = !sw_str_is(q->scopes[i].type, "repository");
    }
    s->n_scopes = (unsigned)q->n_scopes;
    s->used = true;
    keep_slot(q, s);
}

/* The token's claims, from the cache or after verifying the signature. */
static enum sw_code open_token(struct request *q, struct sw_str token, struct sw_str *ret_sub,
                               int64_t *ret_generation) {
    struct sw_digest d = sw_digest_of(SW_SHA256, token);
    struct token_slot s = {0};
    struct sw_jwt jwt;
    if (take_slot(q, d.bytes, &s)) {
        if (s.exp <= q->now_s - SW_JWT_SKEW_S) return sw_fail(&q->err, SW_DENIED, "token: expired");
        *ret_sub = sw_arena_str(&q->x->arena, sw_str(s.name));
        *ret_generation = s.generation;
        for (unsigned i = 0; i < s.n_scopes; i++)
            q->scopes[q->n_scopes++] = (struct sw_scope){
                s.scopes[i].catalog ? SW_STR("registry") : SW_STR("repository"),
                sw_arena_str(&q->x->arena, sw_str(s.scopes[i].name)), s.scopes[i].actions};
        return SW_OK;
    }
    enum sw_code code = sw_jwt_parse(&q->x->arena, token, &jwt, &q->err);
    if (!code) code = sw_jwt_verify(&jwt, q->r->token_key, &q->err);
    if (!code) code = sw_jwt_check(&jwt, SW_STR("slipway"), q->r->service, q->now_s, &q->err);
    if (!code) code = sw_json_need_str(jwt.claims, "sub", ret_sub, &q->err);
    if (!code) code = sw_json_need_int(jwt.claims, "gen", ret_generation, &q->err);
    if (!code) code = sw_json_need_int(jwt.claims, "exp", &s.exp, &q->err);
    if (!code) code = read_scopes(q, jwt.claims, &q->err);
    if (code) return code;
    memcpy(s.key, d.bytes, 32);
    s.generation = *ret_generation;
    fill_slot(q, &s, *ret_sub);
    return SW_OK;
}

static bool usable(const struct request *q, const struct sw_principal *who) {
    return !who->disabled && (who->expires == 0 || q->now_s < who->expires);
}

static bool bearer(struct request *q, struct sw_str token) {
    struct sw_str sub = {0};
    int64_t generation = 0;
    const struct sw_principal *who = NULL;
    if (open_token(q, token, &sub, &generation) ||
        sw_policy_principal(q->policy, sub, &who, &q->err))
        return false;
    if (!who->anonymous && (who->generation != generation || !usable(q, who))) return false;
    q->who = who;
    q->by_token = true;
    /* A token for nobody in particular is what anonymous clients of the token service get. */
    q->authenticated = !who->anonymous;
    return true;
}

/* ---- passwords ---- */

/* The name is fixed in length so that "a" + "bc" is not "ab" + "c". */
static void password_key(struct request *q, struct sw_str user, const char *hash,
                         struct sw_str password, uint8_t ret[32]) {
    struct sw_str text =
        sw_arena_printf(&q->x->arena, "%zu:%.*s:%s:", user.len, SW_ARG(user), hash);
    struct sw_buf b SW_BUF = {0};
    sw_buf_init(&b, 0);
    sw_buf_add(&b, text);
    sw_buf_add(&b, password);
    sw_hmac_sha256(sw_str_n((const char *)q->r->cache_key, 32), sw_buf_str(&b), ret);
    explicit_bzero(b.ptr, b.len);
}

static bool password_cached(struct request *q, const uint8_t key[32]) {
    struct password_cache *c = q->r->passwords;
    pthread_mutex_lock(&c->lock);
    struct password_slot *s = &c->slots[slot_of(key, PASSWORDS_KEPT)];
    bool hit = s->until_ns > q->x->start_ns && sw_bytes_eq_secret(s->key, key, 32);
    pthread_mutex_unlock(&c->lock);
    return hit;
}

static void password_keep(struct request *q, const uint8_t key[32]) {
    struct password_cache *c = q->r->passwords;
    pthread_mutex_lock(&c->lock);
    struct password_slot *s = &c->slots[slot_of(key, PASSWORDS_KEPT)];
    memcpy(s->key, key, 32);
    s->until_ns = q->x->start_ns + PASSWORD_KEPT_NS;
    pthread_mutex_unlock(&c->lock);
}

static void bad_login(struct request *q, struct sw_str user) {
    sw_count(q->r, METRIC_LOGINS_FAILED, 1);
    struct sw_audit_entry e = audit_entry(q, "login", SW_STR(""), SW_STR(""),
                                          SW_STR("wrong password or no such account"), false);
    e.account = user;
    sw_audit_queue_push(q->r->audit, &e);
    challenge(q, SW_STR(""), NULL);
}

/* Runs on a thread of its own: bcrypt takes a twentieth of a second. */
static void verify_job(void *context, struct sw_exchange *x) {
    struct request *q = x->state;
    uint8_t key[32];
    struct sw_str user = q->who->name;
    bool ok = sw_password_verify(q->password, q->hash) && q->hash && usable(q, q->who);
    if (ok) {
        password_key(q, user, q->hash, q->password, key);
        password_keep(q, key);
        q->authenticated = true;
    }
    explicit_bzero((char *)(uintptr_t)q->password.ptr, q->password.len);
    if (ok)
        authorized_head(q);
    else
        bad_login(q, user);
}

/* The hash of an account, or NULL: then the time of a hash is spent all the same. */
static const char *password_hash_of(struct request *q, struct sw_str user) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    if (!sw_account_name_ok(user)) return NULL;
    if (sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &q->err) ||
        sw_tx_do(&tx, &rows, &q->err, "SELECT password FROM accounts WHERE name = $1",
                 sw_sql_text(user)) ||
        rows.n_rows == 0)
        return NULL;
    return sw_arena_cstr(&q->x->arena, sw_sql_row(&rows, 0)->text);
}

static void basic(struct request *q, struct sw_str user, struct sw_str password) {
    uint8_t key[32];
    struct sw_principal *nobody = SW_NEW(&q->x->arena, struct sw_principal);
    *nobody = (struct sw_principal){.name = user, .anonymous = true, .disabled = true};
    q->who = nobody;
    q->hash = password_hash_of(q, user);
    if (q->hash && sw_policy_principal(q->policy, user, &q->who, &q->err)) q->hash = NULL;
    if (q->hash) {
        password_key(q, user, q->hash, password, key);
        if (password_cached(q, key) && usable(q, q->who)) {
            q->authenticated = true;
            authorized_head(q);
            return;
        }
    }
    q->password = sw_arena_str(&q->x->arena, password);
    sw_exchange_defer(q->x, SW_WORK_SLOW, verify_job);
}

void authenticate(struct request *q) {
    struct sw_str header = sw_exchange_header(q->x, "Authorization"), token, user, password;
    (void)!sw_policy_principal(q->policy, SW_STR(""), &q->who,
                               &q->err); /* anonymous: never fails */
    if (q->r->options.open) {
        authorized_head(q);
        return;
    }
    if (header.ptr && sw_basic_parse(&q->x->arena, header, &user, &password)) {
        basic(q, user, password);
        return;
    }
    if (header.ptr && sw_bearer_parse(header, &token)) {
        if (!bearer(q, token)) {
            challenge(q, SW_STR(""), "invalid_token");
            return;
        }
    } else if (header.ptr) {
        challenge(q, SW_STR(""), NULL);
        return;
    }
    /* podman and skopeo learn the scheme here and only here: no answer without credentials. */
    bool needs = q->route.kind == SW_ROUTE_BASE || q->route.kind == SW_ROUTE_CATALOG;
    if (needs && !header.ptr) {
        challenge(q, q->route.kind == SW_ROUTE_CATALOG ? SW_STR("registry:catalog:*") : SW_STR(""),
                  NULL);
        return;
    }
    authorized_head(q);
}

/* ---- the token service ---- */

static void put_access(struct request *q, struct sw_json_writer *w, struct sw_str text) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{SW_ACT_PULL, "pull"}, {SW_ACT_PUSH, "push"}, {SW_ACT_DELETE, "delete"}};
    struct sw_scope s;
    if (!sw_scope_parse(text, &s)) return;
    bool repository = sw_str_is(s.type, "repository");
    unsigned granted = s.actions;
    if (repository) granted &= sw_policy_actions(q->policy, q->who, s.name, q->now_s);
    sw_json_begin_object(w);
    sw_json_put_str(w, "type", s.type);
    sw_json_put_str(w, "name", s.name);
    sw_json_key(w, "actions");
    sw_json_begin_array(w);
    for (size_t i = 0; repository && i < 3; i++)
        if (granted & names[i].bit) sw_json_str(w, sw_str(names[i].name));
    if (!repository && s.actions) sw_json_str(w, SW_STR("*"));
    sw_json_end_array(w);
    sw_json_end_object(w);
}

/* scopes: NUL-terminated list of views. */
static enum sw_code make_token(struct request *q, struct sw_str const *scopes, size_t n,
                               struct sw_str *ret) {
    struct sw_buf b SW_BUF = {0};
    struct sw_json_writer w;
    char id[17];
    sw_buf_init(&b, SW_REG_TOKEN_MAX);
    sw_random_name(id, sizeof id);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "iss", "slipway");
    sw_json_put_str(&w, "sub", q->who->name);
    sw_json_put_str(&w, "aud", q->r->service);
    sw_json_put_int(&w, "exp", q->now_s + TOKEN_LIFE_S);
    sw_json_put_int(&w, "nbf", q->now_s);
    sw_json_put_int(&w, "iat", q->now_s);
    sw_json_put_text(&w, "jti", id);
    sw_json_put_int(&w, "gen", q->who->generation);
    sw_json_key(&w, "access");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++) put_access(q, &w, scopes[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    enum sw_code code = sw_buf_check(&b, "a token", &q->err);
    return code ? code : sw_jwt_sign(&q->x->arena, sw_buf_str(&b), q->r->token_key, ret, &q->err);
}

static struct sw_str hash_hex(struct request *q, struct sw_str text) {
    struct sw_digest d = sw_digest_of(SW_SHA256, text);
    char *hex = sw_arena_alloc(&q->x->arena, 65);
    sw_hex_encode(d.bytes, 32, hex);
    return sw_str_n(hex, 64);
}

/* A random text, of which only the hash is kept. */
static enum sw_code make_refresh(struct request *q, struct sw_str *ret) {
    struct sw_tx tx SW_TX = {0};
    char *text = sw_arena_alloc(&q->x->arena, 49);
    sw_random_name(text, 49);
    *ret = sw_str(text);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_DURABLE, &tx, &q->err);
    if (!code)
        code = sw_tx_do(&tx, NULL, &q->err,
                        "INSERT INTO refresh_tokens(hash, account, expires, generation) "
                        "VALUES($1, $2, $3, $4)",
                        sw_sql_text(hash_hex(q, *ret)), sw_sql_text(q->who->name),
                        sw_sql_int(q->now_s + REFRESH_LIFE_S), sw_sql_int(q->who->generation));
    return code ? code : sw_tx_commit(&tx, &q->err);
}

static void reply_token(struct request *q, struct sw_str const *scopes, size_t n, bool refresh,
                        struct sw_str refresh_token) {
    struct sw_buf b SW_BUF = {0};
    struct sw_json_writer w;
    struct sw_str token;
    char when[SW_RFC3339_MAX];
    enum sw_code code = make_token(q, scopes, n, &token);
    /* Robots keep their password; a second secret that outlives it would only be one more leak. */
    if (!code && refresh && q->authenticated && !q->who->robot && !refresh_token.len)
        code = make_refresh(q, &refresh_token);
    if (code) {
        reply_failure(q, "UNKNOWN");
        return;
    }
    sw_count(q->r, METRIC_TOKENS, 1);
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "token", token);
    sw_json_put_str(&w, "access_token", token);
    sw_json_put_int(&w, "expires_in", TOKEN_LIFE_S);
    sw_json_put_str(&w, "issued_at", sw_rfc3339_format(q->now_s, 0, when));
    sw_json_put_str_opt(&w, "refresh_token", refresh_token);
    sw_json_end_object(&w);
    sw_reply_header(q->x, "Cache-Control", SW_STR("no-store"));
    reply_json(q, 200, sw_buf_str(&b));
}

static bool service_ok(struct request *q, struct sw_str query) {
    struct sw_str service;
    if (!sw_query_get(&q->x->arena, query, "service", &service) || !service.len ||
        sw_str_eq(service, q->r->service))
        return true;
    reply_error(q, 400, "UNSUPPORTED", "this is the service %.*s", SW_ARG(q->r->service));
    return false;
}

/* GET: Basic credentials or none; scopes repeated, or joined by spaces. */
void token_get(struct request *q) {
    struct sw_str scopes[SW_REG_SCOPES_MAX], rest = q->x->query, value, word, flag;
    size_t n = 0;
    if (q->by_token) {
        challenge(q, SW_STR(""), NULL);
        return;
    }
    if (!service_ok(q, q->x->query)) return;
    while (sw_query_next(&q->x->arena, &rest, "scope", &value))
        while (sw_str_next(&value, ' ', &word))
            if (word.len && n < SW_REG_SCOPES_MAX) scopes[n++] = word;
    bool offline =
        sw_query_get(&q->x->arena, q->x->query, "offline_token", &flag) && sw_str_is(flag, "true");
    reply_token(q, scopes, n, offline, SW_STR(""));
}

/* ---- POST (OAuth 2) ---- */

static void oauth_refused(struct request *q, int status, const char *error) {
    reply_json(q, status, sw_arena_printf(&q->x->arena, "{\"error\":\"%s\"}", error));
}

static void finish_post(struct request *q, struct sw_str refresh) {
    struct sw_str scopes[SW_REG_SCOPES_MAX], rest = sw_buf_str(&q->body), value, word, access;
    size_t n = 0;
    while (sw_query_next(&q->x->arena, &rest, "scope", &value))
        while (sw_str_next(&value, ' ', &word))
            if (word.len && n < SW_REG_SCOPES_MAX) scopes[n++] = word;
    bool offline = sw_query_get(&q->x->arena, sw_buf_str(&q->body), "access_type", &access) &&
                   sw_str_is(access, "offline");
    reply_token(q, scopes, n, offline, refresh);
}

static void post_password_job(void *context, struct sw_exchange *x) {
    struct request *q = x->state;
    bool ok = sw_password_verify(q->password, q->hash) && q->hash && usable(q, q->who);
    explicit_bzero((char *)(uintptr_t)q->password.ptr, q->password.len);
    if (!ok) {
        sw_count(q->r, METRIC_LOGINS_FAILED, 1);
        audit_now(q, "login", SW_STR(""), SW_STR(""), SW_STR("wrong password or no such account"),
                  false);
        oauth_refused(q, 401, "invalid_grant");
        return;
    }
    q->authenticated = true;
    finish_post(q, SW_STR(""));
}

static void post_password(struct request *q, struct sw_str form) {
    struct sw_str user, password;
    if (!sw_query_get(&q->x->arena, form, "username", &user) ||
        !sw_query_get(&q->x->arena, form, "password", &password)) {
        oauth_refused(q, 400, "invalid_request");
        return;
    }
    struct sw_principal *nobody = SW_NEW(&q->x->arena, struct sw_principal);
    *nobody = (struct sw_principal){.name = user, .disabled = true};
    q->who = nobody;
    q->hash = password_hash_of(q, user);
    if (q->hash && sw_policy_principal(q->policy, user, &q->who, &q->err)) q->hash = NULL;
    q->password = password;
    sw_exchange_defer(q->x, SW_WORK_SLOW, post_password_job);
}

static void post_refresh(struct request *q, struct sw_str form) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_str token;
    if (!sw_query_get(&q->x->arena, form, "refresh_token", &token)) {
        oauth_refused(q, 400, "invalid_request");
        return;
    }
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &q->err);
    if (!code)
        code = sw_tx_do(&tx, &rows, &q->err,
                        "SELECT account, expires, generation FROM refresh_tokens WHERE hash = $1",
                        sw_sql_text(hash_hex(q, token)));
    sw_tx_end(&tx);
    if (code) {
        reply_failure(q, "UNKNOWN");
        return;
    }
    const struct sw_sql_value *v = rows.n_rows ? sw_sql_row(&rows, 0) : NULL;
    const struct sw_principal *who = NULL;
    if (!v || v[1].number <= q->now_s || sw_policy_principal(q->policy, v[0].text, &who, &q->err) ||
        who->generation != v[2].number || !usable(q, who)) {
        oauth_refused(q, 401, "invalid_grant");
        return;
    }
    q->who = who;
    q->authenticated = true;
    finish_post(q, token);
}

static void oidc_job(void *context, struct sw_exchange *x) {
    struct request *q = x->state;
    struct sw_str token = {0};
    sw_query_get(&x->arena, sw_buf_str(&q->body), "subject_token", &token);
    if (oidc_exchange(q, token, &q->who, &q->err) || !usable(q, q->who)) {
        audit_now(q, "login.oidc", SW_STR(""), SW_STR(""), sw_str(q->err.text), false);
        oauth_refused(q, 401, "invalid_grant");
        return;
    }
    q->authenticated = true;
    audit_now(q, "login.oidc", SW_STR(""), SW_STR(""), SW_STR(""), true);
    finish_post(q, SW_STR(""));
}

void token_post(struct request *q) {
    struct sw_str form = sw_buf_str(&q->body), grant = SW_STR("");
    if (!service_ok(q, form)) return;
    sw_query_get(&q->x->arena, form, "grant_type", &grant);
    if (sw_str_is(grant, "password"))
        post_password(q, form);
    else if (sw_str_is(grant, "refresh_token"))
        post_refresh(q, form);
    else if (sw_str_is(grant, "urn:ietf:params:oauth:grant-type:token-exchange"))
        sw_exchange_defer(q->x, SW_WORK_IO, oidc_job);
    else
        oauth_refused(q, 400, "unsupported_grant_type");
}

/* The key that our tokens are signed with, for whoever wants to verify them. */
void keys_get(struct request *q) {
    uint8_t raw[32];
    struct sw_buf x SW_BUF = {0};
    sw_buf_init(&x, 0);
    if (sw_key_public_raw(q->r->token_key, raw, &q->err)) {
        reply_failure(q, "UNKNOWN");
        return;
    }
    sw_base64_encode(&x, sw_str_n((const char *)raw, 32), SW_BASE64_URL | SW_BASE64_NO_PAD);
    reply_json(q, 200,
               sw_arena_printf(&q->x->arena,
                               "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\","
                               "\"alg\":\"EdDSA\",\"kid\":\"%.*s\",\"x\":\"%s\"}]}",
                               SW_ARG(sw_key_id(q->r->token_key)), x.ptr));
}
