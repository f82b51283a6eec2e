/* From HTTP exchanges to the parts that answer them.
 *
 *   head: route, rate, who asks (auth.c) --> authorized_head(): rights; opens uploads (elsewhere),
 *         or makes room for a body of known size
 *   body: into the upload, or into the buffer
 *   end:  the answer; elsewhere, where it changes anything: that waits for the disk
 *   done: access log, metrics, unfinished uploads put aside (elsewhere)
 *
 * "Elsewhere" is a thread of SW_WORK_IO (net/http_server.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "registry/server_internal.h"

/* ---- replies ---- */

void reply_json(struct request *q, int status, struct sw_str json) {
    sw_reply_header(q->x, "Content-Type", SW_STR("application/json"));
    sw_reply_bytes(q->x, status, json);
}

void reply_error(struct request *q, int status, const char *code, const char *fmt, ...) {
    char text[1024];
    struct sw_buf out SW_BUF = {0};
    struct sw_json_writer w;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_key(&w, "errors");
    sw_json_begin_array(&w);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "code", code);
    sw_json_put_text(&w, "message", text);
    sw_json_end_object(&w);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    reply_json(q, status, sw_buf_str(&out));
}

void reply_failure(struct request *q, const char *not_found) {
    const struct sw_error *e = &q->err;
    switch (e->code) {
    case SW_NOT_FOUND:
        reply_error(q, 404, not_found, "%s", e->text);
        return;
    case SW_DENIED:
        reply_error(q, 403, "DENIED", "%s", e->text);
        return;
    case SW_USAGE:
    case SW_SYNTAX:
        reply_error(q, 400, "UNSUPPORTED", "%s", e->text);
        return;
    case SW_EXISTS:
        reply_error(q, 409, "DENIED", "%s", e->text);
        return;
    case SW_LIMIT:
        reply_error(q, 413, "SIZE_INVALID", "%s", e->text);
        return;
    case SW_BUSY:
    case SW_NETWORK: /* the store or the database behind us */
        sw_reply_header(q->x, "Retry-After", SW_STR("1"));
        reply_error(q, 503, "UNAVAILABLE", "try again");
        break;
    default:
        if (e->sys_errno == ENOSPC || e->sys_errno == EDQUOT)
            reply_error(q, 507, "UNAVAILABLE", "the registry's disk is full");
        else
            reply_error(q, 500, "UNKNOWN", "the registry failed; its log says why");
    }
    sw_warn("registry", "%.*s %.*s: %s", SW_ARG(q->x->method), SW_ARG(q->x->path), e->text);
}

void reply_method_not_allowed(struct request *q) {
    reply_error(q, 405, "UNSUPPORTED", "%.*s is not supported here", SW_ARG(q->x->method));
}

static bool host_ok(struct sw_str host) {
    if (host.len == 0 || host.len > 255) return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c && strchr(".-:[]_", c));
        if (!ok) return false;
    }
    return true;
}

struct sw_str base_url(struct request *q) {
    struct sw_str host = sw_exchange_header(q->x, "Host"), proto;
    const char *scheme = q->x->tls ? "https" : "http";
    if (q->r->options.external_url) return sw_str(q->r->options.external_url);
    if (q->r->options.trust_proxy) {
        proto = sw_exchange_header(q->x, "X-Forwarded-Proto");
        if (sw_str_is(proto, "https")) scheme = "https";
        struct sw_str forwarded = sw_exchange_header(q->x, "X-Forwarded-Host");
        if (host_ok(forwarded)) host = forwarded;
    }
    if (!host_ok(host)) host = SW_STR("localhost");
    return sw_arena_printf(&q->x->arena, "%s://%.*s", scheme, SW_ARG(host));
}

bool page_of(struct request *q, size_t *ret_n, struct sw_str *ret_last) {
    struct sw_str text;
    uint64_t n = SW_REG_PAGE_DEFAULT;
    *ret_last = SW_STR("");
    if (sw_query_get(&q->x->arena, q->x->query, "n", &text) && !sw_str_u64(text, &n)) {
        reply_error(q, 400, "PAGINATION_NUMBER_INVALID", "n is not a number");
        return false;
    }
    sw_query_get(&q->x->arena, q->x->query, "last", ret_last);
    *ret_n = n > SW_REG_PAGE_MAX ? SW_REG_PAGE_MAX : (size_t)n;
    return true;
}

void add_next_link(struct request *q, struct sw_str path, size_t n, struct sw_str last,
                   struct sw_str more) {
    struct sw_buf url SW_BUF = {0};
    sw_buf_init(&url, 0);
    sw_buf_addf(&url, "<%.*s?n=%zu&last=", SW_ARG(path), n);
    sw_http_encode(&url, last, "/");
    sw_buf_add(&url, more);
    sw_buf_add_text(&url, ">; rel=\"next\"");
    sw_reply_header(q->x, "Link", sw_buf_str(&url));
}

struct sw_audit_entry audit_entry(struct request *q, const char *action, struct sw_str repo,
                                  struct sw_str digest, struct sw_str detail, bool allowed) {
    return (struct sw_audit_entry){
        .time_s = q->now_s,
        .account = q->who ? q->who->name : SW_STR(""),
        .address = q->x->client,
        .action = sw_str(action),
        .repo = repo,
        .digest = digest,
        .detail = detail,
        .allowed = allowed,
    };
}

void audit_now(struct request *q, const char *action, struct sw_str repo, struct sw_str digest,
               struct sw_str detail, bool allowed) {
    struct sw_audit_entry e = audit_entry(q, action, repo, digest, detail, allowed);
    sw_audit_queue_push(q->r->audit, &e);
}

/* ---- one request ---- */

static bool reading(const struct request *q) {
    return sw_str_is(q->x->method, "GET") || sw_str_is(q->x->method, "HEAD");
}

static void base_get(struct request *q) {
    sw_reply_header(q->x, "Docker-Distribution-API-Version", SW_STR("registry/2.0"));
    reply_json(q, 200, SW_STR("{}"));
}

/* Needs a body of at most max bytes in q->body. */
static void take_body(struct request *q, size_t max) {
    if (q->x->has_length && q->x->body_size > max) {
        if (q->route.kind == SW_ROUTE_MANIFEST)
            reply_error(q, 413, "MANIFEST_INVALID", "a manifest has at most %zu bytes", max);
        else
            reply_error(q, 413, "SIZE_INVALID", "at most %zu bytes", max);
        return;
    }
    q->wants_body = true;
    q->body_max = max;
    sw_buf_init(&q->body, max + 1);
}

static unsigned needed_rights(const struct request *q) {
    struct sw_str m = q->x->method;
    if (reading(q)) {
        /* The state of an upload is for who uploads. */
        return q->route.kind == SW_ROUTE_UPLOAD ? SW_ACT_PUSH : SW_ACT_PULL;
    }
    if (sw_str_is(m, "DELETE"))
        return q->route.kind == SW_ROUTE_UPLOAD ? SW_ACT_PUSH : SW_ACT_DELETE;
    return SW_ACT_PUSH;
}

/* The methods that each place of a repository has. */
static bool method_known(const struct request *q) {
    struct sw_str m = q->x->method;
    switch (q->route.kind) {
    case SW_ROUTE_MANIFEST:
        return reading(q) || sw_str_is(m, "PUT") || sw_str_is(m, "DELETE");
    case SW_ROUTE_BLOB:
        return reading(q) || sw_str_is(m, "DELETE");
    case SW_ROUTE_UPLOADS:
        return sw_str_is(m, "POST");
    case SW_ROUTE_UPLOAD:
        return sw_str_is(m, "GET") || sw_str_is(m, "PATCH") || sw_str_is(m, "PUT") ||
               sw_str_is(m, "DELETE");
    default:
        return reading(q);
    }
}

static bool in_repository(const struct request *q) {
    return q->route.kind >= SW_ROUTE_TAGS && q->route.kind <= SW_ROUTE_REFERRERS;
}

static void uploads_post_head_job(void *context, struct sw_exchange *x) {
    uploads_post_head(x->state);
}
static void upload_head_job(void *context, struct sw_exchange *x) { upload_head(x->state); }

void authorized_head(struct request *q) {
    struct sw_str m = q->x->method;
    if (q->authenticated && !rate_allows(q, q->r->account_rates, q->who->name)) return;
    if (q->route.kind == SW_ROUTE_BAD) {
        int status = strcmp(q->route.bad, "BLOB_UPLOAD_UNKNOWN") == 0 ? 404 : 400;
        reply_error(q, status, q->route.bad, "the path names nothing that may exist");
        return;
    }
    if (in_repository(q)) {
        if (!method_known(q)) {
            reply_method_not_allowed(q);
            return;
        }
        if (!require_rights(q, q->route.name, needed_rights(q))) return;
    }
    switch (q->route.kind) {
    case SW_ROUTE_NONE:
        reply_error(q, 404, "NOT_FOUND", "there is nothing here");
        return;
    case SW_ROUTE_UPLOADS:
        if (sw_str_find(q->x->query, SW_STR("digest=")) != SIZE_MAX)
            sw_exchange_defer(q->x, SW_WORK_IO, uploads_post_head_job);
        return;
    case SW_ROUTE_UPLOAD:
        if (sw_str_is(m, "PATCH") || sw_str_is(m, "PUT"))
            sw_exchange_defer(q->x, SW_WORK_IO, upload_head_job);
        return;
    case SW_ROUTE_MANIFEST:
        if (sw_str_is(m, "PUT")) take_body(q, SW_REG_MANIFEST_MAX);
        return;
    case SW_ROUTE_TOKEN:
    case SW_ROUTE_API:
        if (!reading(q)) take_body(q, SW_REG_FORM_MAX);
        return;
    default:
        return;
    }
}

static const char *const public_places[] = {"/healthz", "/readyz", "/.well-known/jwks.json"};
static bool is_public(const struct request *q) {
    for (size_t i = 0; i < sizeof public_places / sizeof public_places[0]; i++)
        if (sw_str_is(q->x->path, public_places[i])) return true;
    return sw_str_is(q->x->path, "/api/v1/openapi.json");
}

/* Places beside the repositories that have no other methods. */
static bool only_read(const struct request *q) {
    enum sw_route_kind k = q->route.kind;
    return k == SW_ROUTE_BASE || k == SW_ROUTE_CATALOG || k == SW_ROUTE_METRICS ||
           k == SW_ROUTE_HEALTH || k == SW_ROUTE_READY || k == SW_ROUTE_KEYS;
}

static void on_head(void *context, struct sw_exchange *x) {
    struct sw_registry *r = context;
    struct request *q = SW_NEW(&x->arena, struct request);
    q->r = r;
    q->x = x;
    q->now_s = sw_now_unix_s();
    x->state = q;
    sw_count(r, METRIC_REQUESTS, 1);
    if (r->options.trust_proxy) {
        struct sw_str rest = sw_exchange_header(x, "X-Forwarded-For"), last = {0}, field;
        while (rest.ptr && sw_str_next(&rest, ',', &field)) last = sw_str_trim(field);
        if (last.len && last.len < 64) x->client = sw_arena_str(&x->arena, last);
    }
    q->route = sw_route_parse(&x->arena, x->path);
    if (!reading(q) && only_read(q)) {
        reply_method_not_allowed(q);
        return;
    }
    if (is_public(q)) return;
    if (!rate_allows(q, r->address_rates, x->client)) return;
    if (sw_policy_ref(r->policies, &x->arena, &q->policy, &q->err)) {
        reply_failure(q, "UNKNOWN");
        return;
    }
    authenticate(q);
}

static size_t on_body(void *context, struct sw_exchange *x, const void *bytes, size_t len) {
    struct request *q = x->state;
    if (q->upload) {
        return upload_body(q, bytes, len);
    } else if (q->wants_body) {
        sw_buf_add_bytes(&q->body, bytes, len);
        if (q->body.len > q->body_max || q->body.overflow)
            reply_error(q, 413,
                        q->route.kind == SW_ROUTE_MANIFEST ? "MANIFEST_INVALID" : "SIZE_INVALID",
                        "at most %llu bytes", (unsigned long long)q->body_max);
    }
    return len;
}

static void upload_dispatch(struct request *q) {
    struct sw_str m = q->x->method;
    if (sw_str_is(m, "PATCH"))
        upload_patch(q);
    else if (sw_str_is(m, "PUT"))
        upload_put(q);
    else if (sw_str_is(m, "DELETE"))
        upload_delete(q);
    else
        upload_get(q);
}

static void answer(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_str m = x->method;
    if (q->upload) upload_body_end(q);
    switch (q->route.kind) {
    case SW_ROUTE_BASE:
        base_get(q);
        return;
    case SW_ROUTE_CATALOG:
        catalog_get(q);
        return;
    case SW_ROUTE_TAGS:
        tags_get(q);
        return;
    case SW_ROUTE_REFERRERS:
        referrers_get(q);
        return;
    case SW_ROUTE_MANIFEST:
        if (reading(q))
            manifest_get(q);
        else if (sw_str_is(m, "PUT"))
            manifest_put(q);
        else
            manifest_delete(q);
        return;
    case SW_ROUTE_BLOB:
        if (reading(q))
            blob_get(q);
        else
            blob_delete(q);
        return;
    case SW_ROUTE_UPLOADS:
        uploads_post(q);
        return;
    case SW_ROUTE_UPLOAD:
        upload_dispatch(q);
        return;
    case SW_ROUTE_TOKEN:
        if (sw_str_is(m, "GET"))
            token_get(q);
        else if (sw_str_is(m, "POST"))
            token_post(q);
        else
            reply_method_not_allowed(q);
        return;
    case SW_ROUTE_KEYS:
        keys_get(q);
        return;
    case SW_ROUTE_METRICS:
        metrics_get(q);
        return;
    case SW_ROUTE_HEALTH:
        reply_json(q, 200, SW_STR("{\"status\":\"ok\"}"));
        return;
    case SW_ROUTE_READY:
        ready_get(q);
        return;
    case SW_ROUTE_API:
        api_request(q);
        return;
    default:
        reply_error(q, 404, "NOT_FOUND", "there is nothing here");
    }
}

static void answer_job(void *context, struct sw_exchange *x) { answer(x->state); }

static void on_end(void *context, struct sw_exchange *x) {
    struct request *q = x->state;
    bool waits = in_repository(q)
                     ? !reading(q)
                     : q->route.kind == SW_ROUTE_API || q->route.kind == SW_ROUTE_READY;
    if (waits)
        sw_exchange_defer(x, SW_WORK_IO, answer_job);
    else
        answer(q);
}

static void abandon_job(void *argument) {
    struct request *q = argument;
    upload_abandon(q);
    sw_exchange_free(q->x);
}

static void access_log(struct request *q, bool complete, int64_t took_ns) {
    struct sw_buf out SW_BUF = {0};
    struct sw_json_writer w;
    char when[SW_RFC3339_MAX];
    struct sw_exchange *x = q->x;
    sw_buf_init(&out, 32768);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "time", sw_rfc3339_format(q->now_s, 0, when));
    sw_json_put_str(&w, "address", x->client);
    sw_json_put_str(&w, "account", q->who ? q->who->name : SW_STR(""));
    sw_json_put_str(&w, "method", x->method);
    sw_json_put_str(&w, "path",
                    sw_str_sub(x->path, 0, 1024)); /* never the query: it may hold secrets */
    sw_json_put_int(&w, "status", x->status);
    sw_json_put_int(&w, "received", (int64_t)x->body_received);
    sw_json_put_int(&w, "sent", (int64_t)x->reply_size);
    sw_json_put_int(&w, "us", took_ns / 1000);
    sw_json_put_bool(&w, "complete", complete);
    sw_json_put_str_opt(&w, "digest", q->digest);
    sw_json_put_str_opt(&w, "agent", sw_str_sub(sw_exchange_header(x, "User-Agent"), 0, 256));
    sw_json_end_object(&w);
    sw_buf_add_char(&out, '\n');
    /* One write a line; a log that cannot be written must not stop the service. */
    if (write(q->r->options.access_log_fd, out.ptr, out.len) < 0) return;
}

static bool on_done(void *context, struct sw_exchange *x, bool complete) {
    struct sw_registry *r = context;
    struct request *q = x->state;
    if (!q) return false;
    int64_t took = sw_now_mono_ns() - x->start_ns;
    if (x->status >= 500) sw_count(r, METRIC_ERRORS, 1);
    if (x->status == 401 || x->status == 403 || x->status == 429) sw_count(r, METRIC_REFUSED, 1);
    sw_count(r, METRIC_BYTES_IN, x->body_received);
    if (!sw_str_is(x->method, "HEAD")) sw_count(r, METRIC_BYTES_OUT, x->reply_size);
    latency_note(r, took);
    if (r->options.access_log_fd) access_log(q, complete, took);
    if (q->body.cap) explicit_bzero(q->body.ptr, q->body.len); /* forms hold passwords */
    sw_buf_done(&q->body);
    sw_policy_unref(q->policy);
    q->policy = NULL;
    bool kept = q->upload != NULL;
    if (kept) sw_exchange_run(x, SW_WORK_IO, abandon_job, q);
    return kept;
}

enum sw_code sw_registry_start(struct sw_registry *r, struct sw_error *err) {
    struct sw_server_options o = {
        .address = r->options.address,
        .tls_cert = r->options.tls_cert,
        .tls_key = r->options.tls_key,
        .threads = r->options.threads,
        .connections_max = r->options.connections_max,
        .connections_per_ip = r->options.connections_per_ip,
        .speed_min = r->options.speed_min,
        .speed_window_s = r->options.speed_window_s,
        .handler = {r, on_head, on_body, on_end, on_done},
    };
    r->address_rates = rate_table_new(r->options.address_rate);
    r->account_rates = rate_table_new(r->options.account_rate);
    enum sw_code code = maintenance_start(r, err);
    return code ? code : sw_server_start(&o, &r->server, err);
}

unsigned sw_registry_port(const struct sw_registry *r) { return sw_server_port(r->server); }
