/* Sessions, responses, and the loop of redirects and tries. */
#include "net/http_client.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "net/http_internal.h"

uint64_t http_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *context) {
    struct sw_http *http = context;
    pthread_mutex_lock(&http->share_locks[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *context) {
    struct sw_http *http = context;
    pthread_mutex_unlock(&http->share_locks[data]);
}

/* The same places that Go looks at, so that both agree on what is trusted. */
static const char *system_ca_file(void) {
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *env = getenv("SSL_CERT_FILE");
    if (env && *env) return env;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], R_OK) == 0) return places[i];
    return NULL;
}

static char *copy_or_null(const char *s) { return s ? sw_strdup(s) : NULL; }

struct sw_http *sw_http_new(const struct sw_http_options *options) {
    static const struct sw_http_options none;
    const struct sw_http_options *o = options ? options : &none;
    struct sw_http *http = sw_calloc(1, sizeof *http);
    http->user_agent = sw_strdup(o->user_agent ? o->user_agent : "slipway");
    http->client_cert = copy_or_null(o->client_cert);
    http->client_key = copy_or_null(o->client_key);
    http->ca_file = copy_or_null(o->ca_file ? o->ca_file : system_ca_file());
    http->proxy = copy_or_null(o->proxy);
    size_t n = 0;
    while (o->insecure && o->insecure[n]) n++;
    http->insecure = sw_calloc(n + 1, sizeof *http->insecure);
    for (size_t i = 0; i < n; i++) http->insecure[i] = sw_strdup(o->insecure[i]);
    http->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : 15000;
    http->stall_timeout_ms = o->stall_timeout_ms ? o->stall_timeout_ms : 30000;
    http->min_speed = o->min_speed ? o->min_speed : 1024;
    http->retries = o->retries == SW_HTTP_NO_RETRIES ? 0 : o->retries ? o->retries : 4;
    http->backoff_ms = o->backoff_ms ? o->backoff_ms : 250;
    http->retry_after_max_ms = o->retry_after_max_ms ? o->retry_after_max_ms : 60000;
    http->jitter = (unsigned)http_now_ms() ^ (unsigned)getpid() << 16;
    pthread_mutex_init(&http->lock, NULL);
    for (int i = 0; i < CURL_LOCK_DATA_LAST; i++) pthread_mutex_init(&http->share_locks[i], NULL);
    http->load_code = sw_curl_load(&http->load_error);
    if (!http->load_code) http->share = curl_share_init();
    if (http->share) {
        curl_share_setopt(http->share, CURLSHOPT_LOCKFUNC, share_lock);
        curl_share_setopt(http->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
        curl_share_setopt(http->share, CURLSHOPT_USERDATA, http);
        curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
        curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    }
    return http;
}

static void handle_free(struct http_handle *h) {
    if (!h) return;
    curl_easy_cleanup(h->easy);
    curl_multi_cleanup(h->multi);
    free(h);
}

void sw_http_free(struct sw_http *http) {
    if (!http) return;
    while (http->idle) {
        struct http_handle *h = http->idle;
        http->idle = h->next;
        handle_free(h);
    }
    if (http->share) curl_share_cleanup(http->share);
    for (int i = 0; i < CURL_LOCK_DATA_LAST; i++) pthread_mutex_destroy(&http->share_locks[i]);
    pthread_mutex_destroy(&http->lock);
    for (char **name = http->insecure; *name; name++) free(*name);
    free(http->insecure);
    free(http->user_agent);
    free(http->client_cert);
    free(http->client_key);
    free(http->ca_file);
    free(http->proxy);
    free(http);
}

void sw_http_freep(struct sw_http **http) { sw_http_free(*http); }

struct http_handle *http_handle_take(struct sw_http *http, const char *origin) {
    pthread_mutex_lock(&http->lock);
    struct http_handle **at = &http->idle;
    for (struct http_handle **p = &http->idle; *p; p = &(*p)->next)
        if (strcmp((*p)->host, origin) == 0) {
            at = p;
            break;
        }
    struct http_handle *h = *at;
    if (h) {
        *at = h->next;
        http->n_idle--;
    }
    pthread_mutex_unlock(&http->lock);
    if (!h) {
        h = sw_calloc(1, sizeof *h);
        h->multi = curl_multi_init();
        h->easy = curl_easy_init();
        if (!h->multi || !h->easy) abort(); /* only memory can be lacking here */
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 4L);
    }
    snprintf(h->host, sizeof h->host, "%s", origin);
    return h;
}

void http_handle_give(struct sw_http *http, struct http_handle *h, bool healthy) {
    curl_easy_reset(h->easy);
    pthread_mutex_lock(&http->lock);
    if (healthy && http->n_idle < HTTP_IDLE_MAX) {
        h->next = http->idle;
        http->idle = h;
        http->n_idle++;
        h = NULL;
    }
    pthread_mutex_unlock(&http->lock);
    handle_free(h);
}

bool http_origin(const char *url, char *to, size_t size) {
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool ok = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
              !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
              !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
              !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
              (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0) &&
              snprintf(to, size, "%s://%s:%s", scheme, host, port) < (int)size;
    if (ok)
        for (char *c = to; *c; c++) *c = (char)tolower((unsigned char)*c);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return ok;
}

bool http_is_insecure(const struct sw_http *http, const char *origin) {
    struct sw_str rest = sw_str(origin);
    size_t at = sw_str_find(rest, SW_STR("://"));
    if (at == SIZE_MAX) return false;
    rest = sw_str_from(rest, at + 3);
    struct sw_str host = sw_str_sub(rest, 0, sw_str_rfind_char(rest, ':'));
    for (char **name = http->insecure; *name; name++)
        if (sw_str_ieq(sw_str(*name), rest) || sw_str_ieq(sw_str(*name), host)) return true;
    return false;
}

bool http_method_is(const struct sw_http_request *q, const char *method) {
    return strcmp(q->method ? q->method : "GET", method) == 0;
}

bool http_has_body(const struct sw_http_request *q) {
    return q->body_source || q->body.ptr || http_method_is(q, "POST") || http_method_is(q, "PUT") ||
           http_method_is(q, "PATCH");
}

void sw_http_response_init(struct sw_http_response *r) {
    *r = (struct sw_http_response){0};
    sw_buf_init(&r->body, HTTP_KEPT_BODY_MAX);
    sw_arena_init(&r->arena, 8 << 20);
}

void sw_http_response_done(struct sw_http_response *r) {
    sw_buf_done(&r->body);
    sw_arena_done(&r->arena);
}

struct sw_str sw_http_header(const struct sw_http_response *r, const char *name) {
    for (size_t i = 0; i < r->n_headers; i++)
        if (sw_str_is(r->headers[i].name, name)) return r->headers[i].value;
    return (struct sw_str){0};
}

/* Waits, unless cancelled: then false. */
static bool wait_ms(uint64_t ms) {
    struct pollfd fd = {.fd = sw_cancel_fd(), .events = POLLIN};
    uint64_t end = http_now_ms() + ms;
    while (!sw_cancelled()) {
        uint64_t now = http_now_ms();
        if (now >= end) return true;
        poll(&fd, fd.fd >= 0 ? 1 : 0, (int)(end - now > 1000 ? 1000 : end - now));
    }
    return false;
}

static bool status_is_temporary(int status) {
    return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
           status == 503 || status == 504;
}

bool http_may_send_again(const struct sw_http_request *q) {
    return !(http_method_is(q, "POST") || http_method_is(q, "PATCH")) ||
           (q->flags & SW_HTTP_IDEMPOTENT);
}

/* Moves to the Location of a redirect; false when the response is to be returned as it is. */
static bool follow(struct http_transfer *t, unsigned *redirects, enum sw_code *ret_code) {
    const struct sw_http_request *q = t->request;
    int status = t->r->status;
    struct sw_str to = sw_http_header(t->r, "location");
    *ret_code = SW_OK;
    if ((q->flags & SW_HTTP_NO_REDIRECT) || !to.len ||
        !(http_method_is(q, "GET") || http_method_is(q, "HEAD")) ||
        !(status == 301 || status == 302 || status == 303 || status == 307 || status == 308))
        return false;
    if (++*redirects > HTTP_REDIRECTS_MAX) {
        *ret_code = sw_fail(t->err, SW_NETWORK, "more than %d redirects", HTTP_REDIRECTS_MAX);
        return false;
    }
    char before[300], after[300];
    CURLU *u = curl_url();
    char *url = NULL;
    SW_FREE char *location = sw_strndup(to.ptr, to.len);
    bool ok = u && !curl_url_set(u, CURLUPART_URL, t->url, 0) &&
              !curl_url_set(u, CURLUPART_URL, location, 0) &&
              !curl_url_get(u, CURLUPART_URL, &url, 0) &&
              http_origin(t->url, before, sizeof before) && http_origin(url, after, sizeof after);
    if (!ok)
        *ret_code = sw_fail(t->err, SW_NETWORK, "redirected to a malformed address: %s", location);
    else if (strncmp(before, "https:", 6) == 0 && strncmp(after, "http:", 5) == 0)
        *ret_code = sw_fail(t->err, SW_DENIED, "redirected from https to %s", after);
    if (!*ret_code) {
        if (strcmp(before, after) != 0) t->crossed = true;
        free(t->url);
        t->url = sw_strdup(url);
    }
    curl_free(url);
    curl_url_cleanup(u);
    return !*ret_code;
}

/* Milliseconds until the next try. */
static uint64_t pause_before(struct http_transfer *t, unsigned failures) {
    struct sw_http *http = t->http;
    uint64_t ms = http->backoff_ms;
    for (unsigned i = 1; i < failures && ms < HTTP_BACKOFF_MAX_MS; i++) ms *= 2;
    if (ms > HTTP_BACKOFF_MAX_MS) ms = HTTP_BACKOFF_MAX_MS;
    pthread_mutex_lock(&http->lock);
    http->jitter = http->jitter * 1664525u + 1013904223u;
    unsigned random = http->jitter >> 8;
    pthread_mutex_unlock(&http->lock);
    return ms / 2 + random % (ms / 2 + 1);
}

/* Retry-After in ms: seconds or a date; 0 when there is none. */
static uint64_t retry_after_ms(const struct sw_http_response *r) {
    struct sw_str value = sw_str_trim(sw_http_header(r, "retry-after"));
    uint64_t seconds;
    if (!value.len) return 0;
    if (sw_str_u64(value, &seconds)) return seconds > 1000000 ? 1000000000 : seconds * 1000;
    SW_FREE char *text = sw_strndup(value.ptr, value.len);
    time_t at = curl_getdate(text, NULL), now = time(NULL);
    return at > now ? (uint64_t)(at - now) * 1000 : 0;
}

/* Tries until something final happens. */
static enum sw_code run(struct http_transfer *t) {
    unsigned failures = 0, redirects = 0;
    for (;;) {
        bool retry = false;
        uint64_t before = t->delivered, pause = 0;
        enum sw_code code = http_perform(t, &retry);
        t->r->tries++;
        if (!code) {
            if (follow(t, &redirects, &code)) {
                t->r->tries--;
                continue;
            }
            if (code) return code;
            if (!status_is_temporary(t->r->status) || !http_may_send_again(t->request) ||
                (t->request->flags & SW_HTTP_NO_STATUS_RETRY))
                return SW_OK;
            pause = retry_after_ms(t->r);
            if (pause > t->http->retry_after_max_ms) return SW_OK;
        } else if (!retry) {
            return code;
        }
        /* Where a redirect led may have been good once (signed, for a time): ask again. */
        if (redirects) {
            free(t->url);
            t->url = sw_strdup(t->request->url);
            t->crossed = false;
            redirects = 0;
        }
        /* A transfer that moves on, however haltingly, is not given up. */
        if (t->delivered > before) failures = 0;
        if (failures++ >= t->http->retries || t->request->flags & SW_HTTP_NO_RETRY) return code;
        uint64_t backoff = pause_before(t, failures);
        if (backoff > pause) pause = backoff;
        if (t->deadline_ms && http_now_ms() + pause >= t->deadline_ms) return code;
        sw_debug("net", "%s: again in %llu ms: %s", t->url, (unsigned long long)pause,
                 code ? t->err->text : "temporary status");
        if (!wait_ms(pause)) return sw_cancel_check(t->err);
    }
}

enum sw_code sw_http_do(struct sw_http *http, const struct sw_http_request *q,
                        struct sw_http_response *r, struct sw_error *err) {
    sw_buf_reset(&r->body);
    sw_arena_done(&r->arena);
    *r = (struct sw_http_response){.body = r->body, .arena = {.cap = 8 << 20}};
    r->body.max = q->sink ? HTTP_ERROR_BODY_MAX : q->max_body ? q->max_body : HTTP_KEPT_BODY_MAX;
    if (strncasecmp(q->url, "file:", 5) == 0) return http_do_file(q, r, err);
    if (http->load_code) {
        *err = http->load_error;
        return http->load_code;
    }
    struct http_transfer t = {
        .http = http, .request = q, .r = r, .err = err, .url = sw_strdup(q->url)};
    if (q->timeout_ms) t.deadline_ms = http_now_ms() + q->timeout_ms;
    t.stall_ms = q->stall_timeout_ms ? q->stall_timeout_ms : http->stall_timeout_ms;
    if (q->if_range) snprintf(t.etag, sizeof t.etag, "%s", q->if_range);
    enum sw_code code = run(&t);
    r->url = sw_arena_str(&r->arena, sw_str(t.url));
    r->body_size = q->sink && t.to_sink ? t.delivered : r->body.len;
    free(t.url);
    if (!code && q->progress && r->status / 100 == 2)
        q->progress(q->progress_context, q->range_start + r->body_size, r->total_size);
    return code ? sw_context(err, "%s %s", q->method ? q->method : "GET", q->url) : SW_OK;
}

enum sw_code sw_http_check(const struct sw_http_response *r, struct sw_error *err) {
    if (r->status / 100 == 2) return SW_OK;
    enum sw_code code = SW_NETWORK;
    if (r->status == 404 || r->status == 410) code = SW_NOT_FOUND;
    if (r->status == 401 || r->status == 403) code = SW_DENIED;
    if (r->status == 429 || r->status == 503) code = SW_BUSY;
    struct sw_str line, rest;
    sw_str_cut(sw_str_trim(sw_buf_str(&r->body)), '\n', &line, &rest);
    line = sw_str_sub(line, 0, 200);
    bool printable = line.len && sw_str_is_utf8(line) && line.ptr[0] != '<';
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < ' ') printable = false;
    return sw_fail(err, code, "status %d%s%.*s", r->status, printable ? ": " : "",
                   printable ? (int)line.len : 0, printable ? line.ptr : "");
}

enum sw_code sw_http_get(struct sw_http *http, const struct sw_http_request *q,
                         struct sw_http_response *r, struct sw_error *err) {
    enum sw_code code = sw_http_do(http, q, r, err);
    if (code) return code;
    code = sw_http_check(r, err);
    return code ? sw_context(err, "%s %s", q->method ? q->method : "GET", q->url) : SW_OK;
}

void sw_http_encode(struct sw_buf *to, struct sw_str text, const char *keep) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (isalnum(c) || strchr("-._~", c) ? c != 0 : (c && keep && strchr(keep, c)))
            sw_buf_add_char(to, (char)c);
        else
            sw_buf_addf(to, "%%%02X", c);
    }
}
