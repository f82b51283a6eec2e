/* Tokens of CI systems (OpenID Connect), exchanged for ours: RFC 8693, with the keys that the
 * issuer publishes. A row in issuers says which tokens stand for which robot: issuer, audience, and
 * patterns for claims: {"repository":"acme/app","ref":"refs/heads/release-*"}.
 */
#include <stdlib.h>

#include "registry/jwt.h"
#include "registry/server_internal.h"

#define KEYS_MAX 32
#define FETCH_MS 5000

static enum sw_code fetch(struct request *q, const char *url, const struct sw_json **ret,
                          struct sw_error *err) {
    struct sw_http_response r SW_HTTP_RESPONSE = {0};
    struct sw_http_request h = {
        .url = url, .timeout_ms = FETCH_MS, .max_body = SW_REG_PEER_DOCUMENT_MAX};
    sw_http_response_init(&r);
    enum sw_code code = sw_http_get(q->r->http, &h, &r, err);
    if (!code) {
        struct sw_str text = sw_arena_str(&q->x->arena, sw_buf_str(&r.body));
        code = sw_json_parse(&q->x->arena, text, NULL, ret, err);
    }
    return code ? sw_context(err, "%s", url) : SW_OK;
}

/* Where the issuer's keys are: said by the rule, or found as OpenID Connect Discovery says. */
static enum sw_code keys_url(struct request *q, struct sw_str issuer, struct sw_str given,
                             const char **ret, struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct sw_str uri;
    if (given.len) {
        *ret = sw_arena_cstr(&q->x->arena, given);
        return SW_OK;
    }
    while (sw_str_ends(issuer, SW_STR("/"))) issuer.len--;
    struct sw_str url =
        sw_arena_printf(&q->x->arena, "%.*s/.well-known/openid-configuration", SW_ARG(issuer));
    enum sw_code code = fetch(q, url.ptr, &root, err);
    if (!code) code = sw_json_need_str(root, "jwks_uri", &uri, err);
    if (!code) *ret = sw_arena_cstr(&q->x->arena, uri);
    return code;
}

static enum sw_code verify(struct request *q, const struct sw_jwt *jwt, const char *url,
                           struct sw_error *err) {
    const struct sw_json *root = NULL, *keys = NULL;
    enum sw_code code = fetch(q, url, &root, err);
    if (!code) code = sw_json_need_node(root, "keys", SW_JSON_ARRAY, &keys, err);
    if (code) return code;
    for (size_t i = 0; i < keys->len && i < KEYS_MAX; i++) {
        struct sw_key *key SW_CLEANUP(sw_key_freep) = NULL;
        struct sw_str kid = SW_STR("");
        struct sw_error ignored;
        if (sw_json_opt_str(&keys->items[i], "kid", &kid, &ignored)) continue;
        if (jwt->kid.len && kid.len && !sw_str_eq(jwt->kid, kid)) continue;
        if (sw_key_from_jwk(&keys->items[i], &key, &ignored)) continue;
        if (sw_jwt_verify(jwt, key, &ignored) == SW_OK) return SW_OK;
    }
    return sw_fail(err, SW_DENIED, "no key of the issuer verifies the token");
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
        const char *url = NULL;
        if (sw_json_parse(&q->x->arena, v[1].text, NULL, &rules, err) ||
            rules->type != SW_JSON_OBJECT || !claims_match(rules, jwt.claims) ||
            sw_jwt_check(&jwt, iss, v[0].text, q->now_s, err))
            continue;
        code = keys_url(q, iss, v[3].text, &url, err);
        if (!code) code = verify(q, &jwt, url, err);
        return code ? code : sw_policy_principal(q->policy, v[2].text, ret, err);
    }
    return sw_fail(err, SW_DENIED, "no rule takes this token");
}
