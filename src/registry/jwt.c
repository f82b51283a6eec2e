#include "registry/jwt.h"

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "registry/limits.h"

#define JWT_BASE64 (SW_BASE64_URL | SW_BASE64_NO_PAD)
#define CLAIMS_DEPTH 16

enum sw_code sw_jwt_parse(struct sw_arena *a, struct sw_str text, struct sw_jwt *ret,
                          struct sw_error *err) {
    struct sw_str header, claims, signature, rest, bytes;
    const struct sw_json *head = NULL;
    struct sw_json_limits limits = {.bytes = SW_REG_TOKEN_MAX, .depth = CLAIMS_DEPTH};
    struct sw_jwt j = {0};
    if (text.len > SW_REG_TOKEN_MAX)
        return sw_fail(err, SW_LIMIT, "token: longer than %d bytes", SW_REG_TOKEN_MAX);
    if (!sw_str_cut(text, '.', &header, &rest) || !sw_str_cut(rest, '.', &claims, &signature) ||
        sw_str_find_char(signature, '.') != SIZE_MAX)
        return sw_fail(err, SW_SYNTAX, "token: not of three parts");
    j.signing_input = sw_str_sub(text, 0, header.len + 1 + claims.len);
    enum sw_code code = sw_base64_decode(a, header, JWT_BASE64, &bytes, err);
    if (!code) code = sw_json_parse(a, bytes, &limits, &head, err);
    if (!code) code = sw_json_need_str(head, "alg", &j.alg, err);
    if (!code) code = sw_json_opt_str(head, "kid", &j.kid, err);
    /* An extension that must be understood is one that we do not (RFC 7515, 4.1.11). */
    if (!code && sw_json_get(head, "crit")) code = sw_fail(err, SW_UNSUPPORTED, "crit");
    if (!code) code = sw_base64_decode(a, claims, JWT_BASE64, &bytes, err);
    if (!code) code = sw_json_parse(a, bytes, &limits, &j.claims, err);
    if (!code) code = sw_json_expect(j.claims, SW_JSON_OBJECT, err);
    if (!code) code = sw_base64_decode(a, signature, JWT_BASE64, &j.signature, err);
    if (code) return sw_context(err, "token");
    *ret = j;
    return SW_OK;
}

enum sw_code sw_jwt_verify(const struct sw_jwt *jwt, const struct sw_key *key,
                           struct sw_error *err) {
    const char *alg = sw_key_alg_name(sw_key_alg(key));
    if (!sw_str_is(jwt->alg, alg))
        return sw_fail(err, SW_DENIED, "token: algorithm %.*s, the key is for %s", SW_ARG(jwt->alg),
                       alg);
    if (sw_key_verify(key, jwt->signing_input, jwt->signature, true, err))
        return sw_context(err, "token");
    return SW_OK;
}

static bool audience_has(const struct sw_json *aud, struct sw_str want) {
    if (!aud) return false;
    if (aud->type == SW_JSON_STRING) return sw_str_eq(aud->text, want);
    if (aud->type != SW_JSON_ARRAY) return false;
    for (size_t i = 0; i < aud->len; i++)
        if (aud->items[i].type == SW_JSON_STRING && sw_str_eq(aud->items[i].text, want))
            return true;
    return false;
}

enum sw_code sw_jwt_check(const struct sw_jwt *jwt, struct sw_str issuer, struct sw_str audience,
                          int64_t now_s, struct sw_error *err) {
    int64_t exp = 0, nbf = INT64_MIN, iat = INT64_MIN;
    struct sw_str iss;
    enum sw_code code = sw_json_need_int(jwt->claims, "exp", &exp, err);
    if (!code) code = sw_json_opt_int(jwt->claims, "nbf", &nbf, err);
    if (!code) code = sw_json_opt_int(jwt->claims, "iat", &iat, err);
    if (!code) code = sw_json_need_str(jwt->claims, "iss", &iss, err);
    if (code) return sw_context(err, "token");
    if (!sw_str_eq(iss, issuer))
        return sw_fail(err, SW_DENIED, "token: issued by %.*s", SW_ARG(iss));
    if (!audience_has(sw_json_get(jwt->claims, "aud"), audience))
        return sw_fail(err, SW_DENIED, "token: for another audience");
    /* Additions on our side only: what the token says may be any number. */
    if (exp <= now_s - SW_JWT_SKEW_S) return sw_fail(err, SW_DENIED, "token: expired");
    if (nbf > now_s + SW_JWT_SKEW_S || iat > now_s + SW_JWT_SKEW_S)
        return sw_fail(err, SW_DENIED, "token: not valid yet");
    return SW_OK;
}

enum sw_code sw_jwt_sign(struct sw_arena *a, struct sw_str claims, const struct sw_key *key,
                         struct sw_str *ret, struct sw_error *err) {
    struct sw_buf head SW_BUF = {0};
    struct sw_buf out SW_BUF = {0};
    struct sw_json_writer w;
    struct sw_str sig;
    sw_buf_init(&head, 0);
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &head, 0);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "alg", sw_key_alg_name(sw_key_alg(key)));
    sw_json_put_text(&w, "typ", "JWT");
    sw_json_put_str(&w, "kid", sw_key_id(key));
    sw_json_end_object(&w);
    sw_base64_encode(&out, sw_buf_str(&head), JWT_BASE64);
    sw_buf_add_char(&out, '.');
    sw_base64_encode(&out, claims, JWT_BASE64);
    enum sw_code code = sw_key_sign(key, a, sw_buf_str(&out), &sig, err);
    if (code) return code;
    sw_buf_add_char(&out, '.');
    sw_base64_encode(&out, sig, JWT_BASE64);
    *ret = sw_arena_str(a, sw_buf_str(&out));
    return SW_OK;
}
