/* Tokens of CI systems (OpenID Connect), exchanged for ours: RFC 8693, with the keys that the
 * issuer publishes. A row in issuers says which tokens stand for which robot: issuer, audience, and
 * patterns for claims: {"repository":"acme/app","ref":"refs/heads/release-*"}.
 *
 * What an issuer publishes is kept and asked for again when it has grown old, or when a token names
 * a key that is not in it (issuers change their keys), but never more often than strangers who
 * invent names of keys should make us. An issuer that cannot be reached is not missed for a day.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "registry/jwt.h"
#include "registry/server_internal.h"

#define KEYS_MAX 32
#define FETCH_MS 5000
#define FRESH_S ((int64_t)600)   /* a key that was withdrawn serves no longer than this */
#define STALE_S ((int64_t)86400) /* but where its issuer does not answer */
#define PAUSE_S ((int64_t)10)    /* between requests to one issuer */
#define ISSUERS_KEPT 32

struct published {
    char *name; /* the rule's URL of keys, or the issuer */
    char *text; /* the document; NULL until it was fetched once */
    int64_t fetched_s, tried_s;
};
struct oidc_cache {
    pthread_mutex_t lock;
    struct published issuers[ISSUERS_KEPT];
};

struct oidc_cache *oidc_cache_new(void) {
    struct oidc_cache *c = sw_calloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void oidc_cache_free(struct oidc_cache *c) {
    if (!c) return;
    for (size_t i = 0; i < ISSUERS_KEPT; i++) {
        free(c->issuers[i].name);
        free(c->issuers[i].text);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Under the lock. The place of a name: its own, a free one, or the one that was tried first. */
static struct published *place_of(struct oidc_cache *c, struct sw_str name) {
    struct published *best = &c->issuers[0];
    for (size_t i = 0; i < ISSUERS_KEPT; i++) {
        struct published *p = &c->issuers[i];
        if (p->name && sw_str_is(name, p->name)) return p;
        if (p->tried_s < best->tried_s) best = p;
    }
    free(best->name);
    free(best->text);
    *best = (struct published){.name = sw_strndup(name.ptr, name.len)};
    return best;
}

static enum sw_code fetch(struct request *q, const char *url, struct sw_str *ret_text,
                          const struct sw_json **ret, struct sw_error *err) {
    struct sw_http_response r SW_HTTP_RESPONSE = {0};
    struct sw_http_request h = {
        .url = url, .timeout_ms = FETCH_MS, .max_body = SW_REG_PEER_DOCUMENT_MAX};
    sw_http_response_init(&r);
    enum sw_code code = sw_http_get(q->r->http, &h, &r, err);
    if (!code) {
        *ret_text = sw_arena_str(&q->x->arena, sw_buf_str(&r.body));
        code = sw_json_parse(&q->x->arena, *ret_text, NULL, ret, err);
    }
    return code ? sw_context(err, "%s", url) : SW_OK;
}

/* Where the issuer's keys are: said by the rule, or found as OpenID Connect Discovery says. */
static enum sw_code keys_url(struct request *q, struct sw_str issuer, struct sw_str given,
                             const char **ret, struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct sw_str uri, text;
    if (given.len) {
        *ret = sw_arena_cstr(&q->x->arena, given);
        return SW_OK;
    }
    while (sw_str_ends(issuer, SW_STR("/"))) issuer.len--;
    struct sw_str url =
        sw_arena_printf(&q->x->arena, "%.*s/.well-known/openid-configuration", SW_ARG(issuer));
    enum sw_code code = fetch(q, url.ptr, &text, &root, err);
    if (!code) code = sw_json_need_str(root, "jwks_uri", &uri, err);
    if (!code) *ret = sw_arena_cstr(&q->x->arena, uri);
    return code;
}

/* The document from the issuer, which is then kept. */
static enum sw_code fetch_keys(struct request *q, struct sw_str name, struct sw_str issuer,
                               struct sw_str given, const struct sw_json **ret,
                               struct sw_error *err) {
    struct oidc_cache *c = q->r->issuers;
    const char *url = NULL;
    struct sw_str text;
    enum sw_code code = keys_url(q, issuer, given, &url, err);
    if (!code) code = fetch(q, url, &text, ret, err);
    if (code) return code;
    pthread_mutex_lock(&c->lock);
    struct published *p = place_of(c, name);
    free(p->text);
    p->text = sw_strndup(text.ptr, text.len);
    p->fetched_s = p->tried_s = q->now_s;
    pthread_mutex_unlock(&c->lock);
    return SW_OK;
}

/* What is kept, or a new document where that is too old. unknown_key: what is kept was not enough.
 */
static enum sw_code published_keys(struct request *q, struct sw_str issuer, struct sw_str given,
                                   bool unknown_key, const struct sw_json **ret,
                                   struct sw_error *err) {
    struct oidc_cache *c = q->r->issuers;
    struct sw_arena *a = &q->x->arena;
    struct sw_str name = given.len ? given : issuer, text = {0};
    pthread_mutex_lock(&c->lock);
    struct published *p = place_of(c, name);
    int64_t age = q->now_s - p->fetched_s;
    bool may_ask = q->now_s - p->tried_s >= PAUSE_S || q->now_s < p->tried_s;
    bool ask = may_ask && (!p->text || unknown_key || age > FRESH_S || age < 0);
    if (p->text && age <= STALE_S) text = sw_arena_str(a, sw_str(p->text));
    if (ask) p->tried_s = q->now_s;
    pthread_mutex_unlock(&c->lock);
    if (unknown_key && !ask) return sw_fail(err, SW_DENIED, "the issuer has no such key");
    if (ask && fetch_keys(q, name, issuer, given, ret, err) == SW_OK) return SW_OK;
    if (ask && !text.ptr) return sw_context(err, "the keys of the issuer");
    if (!text.ptr) return sw_fail(err, SW_NETWORK, "the issuer did not answer a moment ago");
    return sw_json_parse(a, text, NULL, ret, err);
}

/* *ret_found: a key that the token may mean was among them. */
static enum sw_code verify_with(const struct sw_json *root, const struct sw_jwt *jwt,
                                bool *ret_found, struct sw_error *err) {
    const struct sw_json *keys = NULL;
    enum sw_code code = sw_json_need_node(root, "keys", SW_JSON_ARRAY, &keys, err);
    if (code) return code;
    *ret_found = false;
    for (size_t i = 0; i < keys->len && i < KEYS_MAX; i++) {
        struct sw_key *key SW_CLEANUP(sw_key_freep) = NULL;
        struct sw_str kid = SW_STR("");
        struct sw_error ignored;
        if (sw_json_opt_str(&keys->items[i], "kid", &kid, &ignored)) continue;
        if (jwt->kid.len && kid.len && !sw_str_eq(jwt->kid, kid)) continue;
        if (jwt->kid.len) *ret_found = true;
        if (sw_key_from_jwk(&keys->items[i], &key, &ignored)) continue;
        if (sw_jwt_verify(jwt, key, &ignored) == SW_OK) return SW_OK;
    }
    return sw_fail(err, SW_DENIED, "no key of the issuer verifies the token");
}

static enum sw_code verify(struct request *q, const struct sw_jwt *jwt, struct sw_str issuer,
                           struct sw_str given, struct sw_error *err) {
    const struct sw_json *root = NULL;
    bool found = false;
    enum sw_code code = published_keys(q, issuer, given, false, &root, err);
    if (!code) code = verify_with(root, jwt, &found, err);
    if (code != SW_DENIED || found) return code;
    code = published_keys(q, issuer, given, true, &root, err);
    return code ? code : verify_with(root, jwt, &found, err);
}

static bool claims_match(const struct sw_json *rules, const struct sw_json *claims) {
    for (size_t i = 0; i < rules->len; i++) {
        const struct sw_json *want = &rules->items[i], *got = NULL;
        for (size_t j = 0; j < claims->len; j++)
            if (sw_str_eq(claims->items[j].key, want->key)) got = &claims->items[j];
        if (!got || got->type != SW_JSON_STRING || want->type != SW_JSON_STRING ||
            !sw_tag_pattern_match(want->text, got->text))
            return false;
    }
    return true;
}

enum sw_code oidc_exchange(struct request *q, struct sw_str token, const struct sw_principal **ret,
                           struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_jwt jwt;
    struct sw_str iss;
    enum sw_code code = sw_jwt_parse(&q->x->arena, token, &jwt, err);
    if (!code) code = sw_json_need_str(jwt.claims, "iss", &iss, err);
    if (!code) code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "SELECT audience, claims, robot, keys_url FROM issuers WHERE issuer = $1 "
                        "ORDER BY id",
                        sw_sql_text(iss));
    sw_tx_end(&tx);
    if (code) return code;
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        const struct sw_json *rules = NULL;
        if (sw_json_parse(&q->x->arena, v[1].text, NULL, &rules, err) ||
            rules->type != SW_JSON_OBJECT || !claims_match(rules, jwt.claims) ||
            sw_jwt_check(&jwt, iss, v[0].text, q->now_s, err))
            continue;
        code = verify(q, &jwt, iss, v[3].text, err);
        return code ? code : sw_policy_principal(q->policy, v[2].text, ret, err);
    }
    return sw_fail(err, SW_DENIED, "no rule takes this token");
}
