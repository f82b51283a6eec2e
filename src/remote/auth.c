/* Challenges answered: Basic, or a token from the service that the challenge names (docker's token
 * specification; the POST form of OAuth 2 where there is a refresh token). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "remote/remote_internal.h"

#define TOKEN_LIFE_S 60 /* where the service does not say */
#define TOKEN_EARLY_S 5 /* renewed so long before it ends */
#define SCOPES_MAX 512  /* tokens kept for one registry */

struct token {
    struct sw_str header; /* "Bearer ..." or "Basic ..." */
    int64_t until_s;
};

struct challenge {
    bool bearer, basic;
    struct sw_str realm, service, scope, error;
};

/* name="value", name=value; quoted values may hold commas. */
static bool next_param(struct sw_str *rest, struct sw_str *ret_name, struct sw_str *ret_value) {
    *rest = sw_str_trim(*rest);
    while (rest->len && rest->ptr[0] == ',') *rest = sw_str_trim(sw_str_from(*rest, 1));
    size_t eq = sw_str_find_char(*rest, '=');
    if (!rest->len || eq == SIZE_MAX) return false;
    *ret_name = sw_str_trim(sw_str_sub(*rest, 0, eq));
    struct sw_str v = sw_str_from(*rest, eq + 1);
    if (v.len && v.ptr[0] == '"') {
        v = sw_str_from(v, 1);
        size_t end = sw_str_find_char(v, '"');
        *ret_value = sw_str_sub(v, 0, end);
        *rest = end == SIZE_MAX ? SW_STR("") : sw_str_from(v, end + 1);
    } else {
        size_t end = sw_str_find_char(v, ',');
        *ret_value = sw_str_trim(sw_str_sub(v, 0, end));
        *rest = end == SIZE_MAX ? SW_STR("") : sw_str_from(v, end);
    }
    return true;
}

static struct challenge parse(struct sw_str text) {
    struct challenge c = {0};
    struct sw_str scheme, rest, name, value;
    sw_str_cut(sw_str_trim(text), ' ', &scheme, &rest);
    c.basic = sw_str_ieq(scheme, SW_STR("basic"));
    c.bearer = sw_str_ieq(scheme, SW_STR("bearer"));
    while (c.bearer && next_param(&rest, &name, &value)) {
        if (sw_str_ieq(name, SW_STR("realm")))
            c.realm = value;
        else if (sw_str_ieq(name, SW_STR("service")))
            c.service = value;
        else if (sw_str_ieq(name, SW_STR("scope")))
            c.scope = value;
        else if (sw_str_ieq(name, SW_STR("error")))
            c.error = value;
    }
    return c;
}

struct sw_str remote_kept(struct sw_remote *r, struct sw_arena *a, struct host *h,
                          struct sw_str scope) {
    struct sw_str header = SW_STR("");
    pthread_mutex_lock(&h->lock);
    struct token *t = sw_map_get(&h->tokens, scope);
    if (t && t->until_s > sw_now_unix_s()) header = sw_arena_str(a, t->header);
    pthread_mutex_unlock(&h->lock);
    return header;
}

/* The caller holds the host's lock. */
static void keep(struct sw_remote *r, struct host *h, struct sw_str scope, struct sw_str header,
                 int64_t until_s) {
    struct token *t = sw_map_get(&h->tokens, scope);
    pthread_mutex_lock(&r->lock);
    if (!t && sw_map_count(&h->tokens) < SCOPES_MAX) {
        t = SW_NEW(&r->arena, struct token);
        sw_map_put(&h->tokens, sw_arena_str(&r->arena, scope), t);
    }
    if (t) *t = (struct token){sw_arena_str(&r->arena, header), until_s};
    pthread_mutex_unlock(&r->lock);
}

static enum sw_code find_credential(struct sw_remote *r, struct host *h, struct sw_str scope,
                                    struct sw_error *err) {
    struct sw_str path = SW_STR(""), rest;
    if (h->credential_known || r->options.anonymous) return SW_OK;
    h->credential_known = true;
    if (r->options.credential) {
        if (!h->mirror) h->credential = *r->options.credential;
        return SW_OK;
    }
    if (sw_str_starts(scope, SW_STR("repository:"))) {
        sw_str_cut(sw_str_from(scope, 11), ':', &path, &rest);
    }
    pthread_mutex_lock(&r->lock);
    enum sw_code code = sw_credential_find(&r->arena, h->domain, path, &h->credential, err);
    pthread_mutex_unlock(&r->lock);
    return code;
}

static struct sw_str basic_header(struct sw_arena *a, const struct sw_credential *c) {
    SW_BUF struct sw_buf b = {0};
    sw_buf_init(&b, 0);
    sw_buf_add_text(&b, "Basic ");
    sw_base64_encode(&b, sw_arena_printf(a, "%.*s:%.*s", SW_ARG(c->user), SW_ARG(c->password)), 0);
    return sw_arena_str(a, sw_buf_str(&b));
}

static void add_param(struct sw_buf *b, const char *name, struct sw_str value) {
    if (b->len) sw_buf_add_char(b, '&');
    sw_buf_addf(b, "%s=", name);
    sw_http_encode(b, value, "");
}

/* Credentials go only where the registry's own host, or https, is: a challenge over plain http
 * must not send a password to a third party. */
static enum sw_code check_realm(const struct host *h, struct sw_str realm, struct sw_error *err) {
    if (sw_str_starts(realm, SW_STR("https://"))) return SW_OK;
    if (h->scheme && strcmp(h->scheme, "http") == 0 && sw_str_starts(realm, SW_STR("http://")))
        return SW_OK;
    return sw_fail(err, SW_DENIED, "%.*s: the token service %.*s is not on https",
                   SW_ARG(h->domain), SW_ARG(realm));
}

static enum sw_code read_token(struct sw_remote *r, struct sw_arena *a, struct host *h,
                               struct sw_str scope, struct sw_str body, struct sw_str *ret_header,
                               struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct sw_str token = SW_STR(""), refresh = SW_STR("");
    int64_t life = TOKEN_LIFE_S;
    enum sw_code code = sw_json_parse(a, sw_arena_str(a, body), NULL, &root, err);
    if (!code) code = sw_json_opt_str(root, "access_token", &token, err);
    if (!code && !token.len) code = sw_json_opt_str(root, "token", &token, err);
    if (!code) code = sw_json_opt_int(root, "expires_in", &life, err);
    if (!code) code = sw_json_opt_str(root, "refresh_token", &refresh, err);
    if (!code && !token.len) code = sw_fail(err, SW_NETWORK, "the token service gave no token");
    if (code) return code;
    if (life < TOKEN_LIFE_S || life > 86400) life = TOKEN_LIFE_S;
    *ret_header = sw_arena_printf(a, "Bearer %.*s", SW_ARG(token));
    keep(r, h, scope, *ret_header, sw_now_unix_s() + life - TOKEN_EARLY_S);
    if (refresh.len && h->credential.refresh_token.len) {
        pthread_mutex_lock(&r->lock);
        h->credential.refresh_token = sw_arena_str(&r->arena, refresh);
        pthread_mutex_unlock(&r->lock);
    }
    return SW_OK;
}

static void fill_query(struct sw_buf *b, const struct challenge *c, struct sw_str scope) {
    struct sw_str word;
    if (c->service.len) add_param(b, "service", c->service);
    while (scope.ptr && sw_str_next(&scope, ' ', &word))
        if (word.len) add_param(b, "scope", word);
}

static enum sw_code fetch_token(struct sw_remote *r, struct sw_arena *a, struct host *h,
                                const struct challenge *c, struct sw_str scope,
                                struct sw_str *ret_header, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    SW_BUF struct sw_buf text = {0};
    struct sw_http_header headers[2];
    struct sw_http_request q = {.max_body = REMOTE_DOCUMENT_MAX, .flags = SW_HTTP_IDEMPOTENT};
    bool refresh = h->credential.refresh_token.len > 0;
    enum sw_code code = check_realm(h, c->realm, err);
    if (code) return code;
    sw_buf_init(&text, 0);
    if (refresh) {
        add_param(&text, "grant_type", SW_STR("refresh_token"));
        add_param(&text, "client_id", SW_STR("slipway"));
        add_param(&text, "refresh_token", h->credential.refresh_token);
        if (c->service.len) add_param(&text, "service", c->service);
        if (scope.len) add_param(&text, "scope", scope);
        q.method = "POST";
        q.url = sw_arena_cstr(a, c->realm);
        q.body = sw_buf_str(&text);
        headers[q.n_headers++] = (struct sw_http_header){
            SW_STR("Content-Type"), SW_STR("application/x-www-form-urlencoded")};
    } else {
        fill_query(&text, c, scope);
        bool has_query = sw_str_find_char(c->realm, '?') != SIZE_MAX;
        q.url =
            sw_arena_printf(a, "%.*s%c%s", SW_ARG(c->realm), has_query ? '&' : '?', text.ptr).ptr;
        if (h->credential.user.len)
            headers[q.n_headers++] =
                (struct sw_http_header){SW_STR("Authorization"), basic_header(a, &h->credential)};
    }
    q.headers = headers;
    sw_http_response_init(&response);
    code = sw_http_do(h->http, &q, &response, err);
    if (!code && (response.status == 401 || response.status == 403))
        code =
            sw_fail(err, SW_DENIED, "%.*s: the user name or password is wrong", SW_ARG(h->domain));
    if (!code) code = sw_http_check(&response, err);
    if (!code) code = read_token(r, a, h, scope, sw_buf_str(&response.body), ret_header, err);
    return code ? sw_context(err, "getting a token") : SW_OK;
}

enum sw_code remote_authorize(struct sw_remote *r, struct sw_arena *a, struct host *h,
                              struct sw_str scope, struct sw_str text, bool renew,
                              struct sw_str *ret_header, struct sw_error *err) {
    struct challenge c = parse(text);
    enum sw_code code = SW_OK;
    /* What we know we need, or what the registry says. */
    struct sw_str wanted = scope.len ? scope : c.scope;
    pthread_mutex_lock(&h->lock);
    code = find_credential(r, h, scope, err);
    if (!code && c.bearer && c.realm.len) {
        code = fetch_token(r, a, h, &c, wanted, ret_header, err);
        /* Filed under what the caller will ask for next time. */
        if (!code && !sw_str_eq(scope, wanted))
            keep(r, h, scope, *ret_header, sw_now_unix_s() + TOKEN_LIFE_S - TOKEN_EARLY_S);
    } else if (!code && c.basic && h->credential.user.len) {
        *ret_header = basic_header(a, &h->credential);
        keep(r, h, scope, *ret_header, sw_now_unix_s() + 3600);
    } else if (!code) {
        code = sw_fail(err, SW_DENIED, "%.*s wants a login: slipway login %.*s", SW_ARG(h->domain),
                       SW_ARG(h->domain));
    }
    pthread_mutex_unlock(&h->lock);
    return code;
}
