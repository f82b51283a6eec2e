#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"
#include "remote/remote_internal.h"

#define TRIES_AUTH 3 /* a token, a better one, and one after the clock moved on */

static const char *const loopbacks[] = {"localhost", "127.", "[::1]"};

struct sw_remote *sw_remote_new(const struct sw_remote_options *o) {
    struct sw_remote *r = sw_calloc(1, sizeof *r);
    sw_arena_init(&r->arena, 0);
    pthread_mutex_init(&r->lock, NULL);
    if (o) r->options = *o;
    if (r->options.credential) {
        struct sw_credential *c = SW_NEW(&r->arena, struct sw_credential);
        c->user = sw_arena_str(&r->arena, o->credential->user);
        c->password = sw_arena_str(&r->arena, o->credential->password);
        c->refresh_token = sw_arena_str(&r->arena, o->credential->refresh_token);
        r->options.credential = c;
    }
    r->http = sw_http_new(&(struct sw_http_options){.insecure = r->options.insecure});
    return r;
}

void sw_remote_free(struct sw_remote *r) {
    if (!r) return;
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&r->hosts, e));) {
        struct host *h = e->value;
        if (h->own_http) sw_http_free(h->own_http);
        sw_map_done(&h->tokens);
        pthread_mutex_destroy(&h->lock);
    }
    sw_map_done(&r->hosts);
    sw_http_free(r->http);
    pthread_mutex_destroy(&r->lock);
    sw_arena_done(&r->arena);
    free(r);
}
void sw_remote_freep(struct sw_remote **r) {
    sw_remote_free(*r);
    *r = NULL;
}

/* ---- hosts ---- */

static bool is_loopback(struct sw_str domain) {
    for (size_t i = 0; i < 3; i++)
        if (sw_str_starts(domain, sw_str(loopbacks[i]))) return true;
    return false;
}

static bool is_insecure(const struct sw_remote *r, struct sw_str domain) {
    for (const char *const *p = r->options.insecure; p && *p; p++) {
        struct sw_str name = sw_str(*p);
        if (sw_str_eq(name, domain)) return true;
        if (sw_str_starts(domain, name) && domain.ptr[name.len] == ':') return true;
    }
    return false;
}

/* The caller holds the lock. */
static enum sw_code host_new(struct sw_remote *r, struct sw_str key, struct sw_str domain,
                             struct host **ret, struct sw_error *err) {
    struct host *h = SW_NEW(&r->arena, struct host);
    h->domain = sw_arena_str(&r->arena, domain);
    h->address = sw_str_is(domain, "docker.io") ? SW_STR("registry-1.docker.io") : h->domain;
    enum sw_code code = sw_registry_setting_find(&r->arena, h->domain, &h->setting, err);
    if (code) return code;
    pthread_mutex_init(&h->lock, NULL);
    h->http = r->http;
    const struct sw_registry_setting *s = &h->setting;
    if (s->ca_file || s->client_cert || s->insecure) {
        const char *only[] = {sw_arena_cstr(&r->arena, h->address), NULL};
        struct sw_http_options o = {.ca_file = s->ca_file,
                                    .client_cert = s->client_cert,
                                    .client_key = s->client_key,
                                    .insecure = s->insecure ? only : r->options.insecure};
        h->http = h->own_http = sw_http_new(&o);
    }
    /* Plain http only for names that say so, and for this machine. */
    if (!s->insecure && !is_insecure(r, domain) && !is_loopback(domain)) h->scheme = "https";
    sw_map_put(&r->hosts, sw_arena_str(&r->arena, key), h);
    *ret = h;
    return SW_OK;
}

enum sw_code remote_host(struct sw_remote *r, struct sw_str domain, struct host **ret,
                         struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&r->lock);
    *ret = sw_map_get(&r->hosts, domain);
    if (!*ret) code = host_new(r, domain, domain, ret, err);
    pthread_mutex_unlock(&r->lock);
    return code;
}

/* Mirrors are hosts of their own, filed under their URL: their scheme is said, not found out. */
enum sw_code remote_mirror(struct sw_remote *r, const struct host *h, size_t n, struct host **ret,
                           struct sw_error *err) {
    struct sw_str url, name, prefix;
    enum sw_code code = SW_OK;
    *ret = NULL;
    if (n >= h->setting.n_mirrors) return SW_OK;
    url = h->setting.mirrors[n];
    bool plain = sw_str_starts(url, SW_STR("http://"));
    size_t at = sw_str_find(url, SW_STR("://"));
    sw_str_cut(at == SIZE_MAX ? url : sw_str_from(url, at + 3), '/', &name, &prefix);
    pthread_mutex_lock(&r->lock);
    *ret = sw_map_get(&r->hosts, url);
    if (!*ret) code = host_new(r, url, name, ret, err);
    if (!code && !(*ret)->mirror) {
        (*ret)->mirror = true;
        (*ret)->scheme = plain ? "http" : at != SIZE_MAX ? "https" : (*ret)->scheme;
        if (prefix.len) (*ret)->prefix = sw_arena_printf(&r->arena, "/%.*s", SW_ARG(prefix));
    }
    pthread_mutex_unlock(&r->lock);
    return code;
}

/* https where it is spoken, http where it is not. */
static enum sw_code find_scheme(struct host *h, struct sw_arena *a, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&h->lock);
    if (!h->scheme) {
        SW_HTTP_RESPONSE struct sw_http_response response = {0};
        struct sw_http_request q = {
            .url = sw_arena_printf(a, "https://%.*s/v2/", SW_ARG(h->address)).ptr,
            .flags = SW_HTTP_NO_STATUS_RETRY | SW_HTTP_NO_REDIRECT | SW_HTTP_NO_RETRY,
            .timeout_ms = 10000,
            .max_body = REMOTE_DOCUMENT_MAX,
        };
        sw_http_response_init(&response);
        code = sw_http_do(h->http, &q, &response, err);
        if (code == SW_CANCELLED)
            h->scheme = NULL;
        else /* https that cannot be trusted is https all the same */
            h->scheme = code && code != SW_DENIED ? "http" : "https";
        if (code != SW_CANCELLED) code = SW_OK;
    }
    pthread_mutex_unlock(&h->lock);
    return code;
}

/* ---- one call ---- */

static struct sw_str scope_of(struct sw_arena *a, const struct call *c) {
    if (c->scope.len || !c->actions) return c->scope.ptr ? c->scope : SW_STR("");
    struct sw_str s = sw_arena_printf(a, "repository:%.*s:%s", SW_ARG(c->repo.path), c->actions);
    if (c->from.len)
        s = sw_arena_printf(a, "%.*s repository:%.*s:pull", SW_ARG(s), SW_ARG(c->from));
    return s;
}

static const char *url_of(struct sw_arena *a, const struct host *h, struct sw_str path) {
    if (sw_str_starts(path, SW_STR("http://")) || sw_str_starts(path, SW_STR("https://")))
        return sw_arena_cstr(a, path);
    return sw_arena_printf(a, "%s://%.*s%.*s%.*s", h->scheme, SW_ARG(h->address), SW_ARG(h->prefix),
                           SW_ARG(path))
        .ptr;
}

/* Uploads may be sent elsewhere (a store behind the registry): our token is not for them. */
static bool is_ours(const struct host *h, const char *url) {
    const char *start = strstr(url, "://");
    return start && sw_str_starts(sw_str(start + 3), h->address) &&
           (start[3 + h->address.len] == '/' || start[3 + h->address.len] == 0);
}

enum sw_code remote_call(struct sw_remote *r, struct sw_arena *a, const struct call *c,
                         struct sw_http_response *response, struct sw_error *err) {
    struct host *h = c->host;
    struct sw_http_header *headers;
    struct sw_http_request q = c->http;
    enum sw_code code = h ? SW_OK : remote_host(r, c->repo.domain, &h, err);
    if (!code) code = find_scheme(h, a, err);
    if (code) return code;
    struct sw_str scope = scope_of(a, c), header = remote_kept(r, a, h, scope);
    headers = sw_arena_array(a, c->n_headers + 1, sizeof *headers);
    if (c->n_headers) memcpy(headers, c->headers, c->n_headers * sizeof *headers);
    q.method = c->method;
    q.url = url_of(a, h, c->path);
    q.headers = headers;
    if (!q.max_body && !q.sink) q.max_body = REMOTE_DOCUMENT_MAX;
    bool ours = is_ours(h, q.url);
    for (unsigned i = 0; i < TRIES_AUTH; i++) {
        q.n_headers = c->n_headers;
        if (header.len && ours)
            headers[q.n_headers++] = (struct sw_http_header){SW_STR("Authorization"), header};
        if (c->have) {
            /* Each piece of a long blob may need a new token. */
            if (*c->have > q.range_start) i = 0;
            q.range_start = *c->have;
            q.max_body = c->http.max_body - *c->have;
        }
        code = sw_http_do(h->http, &q, response, err);
        if (code || response->status != 401 || !ours || i + 1 == TRIES_AUTH) return code;
        struct sw_str text = sw_arena_str(a, sw_http_header(response, "www-authenticate"));
        code = remote_authorize(r, a, h, scope, text, header.len > 0, &header, err);
        if (code) return code;
    }
    return code;
}

enum sw_code remote_check(struct sw_arena *a, const struct call *c,
                          const struct sw_http_response *response, struct sw_error *err) {
    const struct sw_json *root = NULL, *list = NULL;
    struct sw_str code_text = SW_STR(""), message = SW_STR("");
    struct sw_error ignored;
    enum sw_code code = sw_http_check(response, err);
    if (!code) return SW_OK;
    if (response->status == 401)
        return sw_fail(err, SW_DENIED, "%.*s/%.*s: authentication required: slipway login %.*s",
                       SW_ARG(c->repo.domain), SW_ARG(c->repo.path), SW_ARG(c->repo.domain));
    if (sw_json_parse(a, sw_arena_str(a, sw_buf_str(&response->body)), NULL, &root, &ignored) ==
            SW_OK &&
        root->type == SW_JSON_OBJECT &&
        sw_json_opt_node(root, "errors", SW_JSON_ARRAY, &list, &ignored) == SW_OK && list &&
        list->len) {
        (void)!sw_json_opt_str(&list->items[0], "code", &code_text, &ignored);
        (void)!sw_json_opt_str(&list->items[0], "message", &message, &ignored);
    }
    if (message.len || code_text.len)
        sw_fail(err, code, "%.*s (%.*s)", SW_ARG(message.len ? message : code_text),
                SW_ARG(code_text));
    return sw_context(err, "%.*s/%.*s", SW_ARG(c->repo.domain), SW_ARG(c->repo.path));
}

/* ---- login ---- */

enum sw_code sw_remote_login(struct sw_remote *r, struct sw_arena *a, struct sw_str domain,
                             struct sw_credential *c, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct call call = {.repo = {domain, SW_STR("")}, .path = SW_STR("/v2/")};
    struct host *h = NULL;
    enum sw_code code = remote_host(r, domain, &h, err);
    if (code) return code;
    h->credential = *c;
    h->credential_known = true;
    sw_http_response_init(&response);
    code = remote_call(r, a, &call, &response, err);
    if (!code && response.status == 401)
        code = sw_fail(err, SW_DENIED, "%.*s: the user name or password is wrong", SW_ARG(domain));
    if (!code) code = remote_check(a, &call, &response, err);
    if (!code) c->refresh_token = h->credential.refresh_token;
    return code;
}
