/* One try of a request: libcurl is set up, driven and judged here and nowhere else.
 *
 * What the sink may rely on (checked when the first byte of the final body arrives):
 *   1. A 206 begins exactly at the offset that was asked for.
 *   2. A 200 where an offset was asked for is skipped up to it, and only when nothing says that
 *      the resource has changed: the entity tag is the one of the bytes delivered before.
 *   3. The size of the resource does not change between tries.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/proc.h"
#include "net/http_internal.h"

static size_t on_header(char *line, size_t size, size_t n, void *context) {
    struct http_transfer *t = context;
    struct sw_http_response *r = t->r;
    struct sw_str text = {line, size * n}, name, value;
    if (sw_str_starts(text, SW_STR("HTTP/"))) {
        /* A new response: after 100 Continue or a proxy's own answer. */
        size_t space = sw_str_find_char(text, ' ');
        r->status = space == SIZE_MAX ? 0 : atoi(line + space);
        r->n_headers = 0;
        return size * n;
    }
    if (!sw_str_cut(text, ':', &name, &value)) return size * n;
    if (!r->headers) r->headers = sw_arena_array(&r->arena, HTTP_HEADERS_MAX, sizeof *r->headers);
    if (r->n_headers == HTTP_HEADERS_MAX || r->arena.used > r->arena.cap) {
        t->too_many = true;
        return 0;
    }
    struct sw_http_header *h = &r->headers[r->n_headers++];
    char *lower = sw_arena_cstr(&r->arena, sw_str_trim(name));
    for (char *c = lower; *c; c++) *c = (char)tolower((unsigned char)*c);
    h->name = sw_str(lower);
    h->value = sw_arena_str(&r->arena, sw_str_trim(value));
    return size * n;
}

/* "bytes 100-199/1000": false when it is something else. A total of '*' gives 0. */
static bool content_range(struct sw_str value, uint64_t *ret_start, uint64_t *ret_total) {
    struct sw_str unit, rest, range, total, start, end;
    if (!sw_str_cut(value, ' ', &unit, &rest) || !sw_str_ieq(unit, SW_STR("bytes"))) return false;
    if (!sw_str_cut(rest, '/', &range, &total) || !sw_str_cut(range, '-', &start, &end))
        return false;
    *ret_total = 0;
    return sw_str_u64(start, ret_start) && (sw_str_is(total, "*") || sw_str_u64(total, ret_total));
}

static bool same_total(struct http_transfer *t, uint64_t total) {
    if (t->r->total_size && total && t->r->total_size != total) return false;
    if (total) t->r->total_size = total;
    return true;
}

/* Judges the response when its body starts, or ends without one. */
static enum sw_code begin_body(struct http_transfer *t) {
    const struct sw_http_request *q = t->request;
    struct sw_http_response *r = t->r;
    struct sw_error *err = t->err;
    t->begun = true;
    if (r->status / 100 != 2) return SW_OK;
    t->to_sink = q->sink != NULL;
    uint64_t wanted = t->sent_range, start = 0, total = 0, length = 0;
    struct sw_str etag = sw_http_header(r, "etag");
    if (!sw_str_u64(sw_http_header(r, "content-length"), &length)) length = 0;
    if (r->status == 206) {
        if (!content_range(sw_http_header(r, "content-range"), &start, &total) || start != wanted)
            return sw_fail(err, SW_NETWORK, "the server answered with another range than %llu-",
                           (unsigned long long)wanted);
    } else if (!sw_http_header(r, "content-encoding").len) {
        total = length;
    }
    bool known = t->etag[0] && etag.len;
    if ((known && !sw_str_is(etag, t->etag)) || !same_total(t, total))
        return sw_fail(err, SW_CORRUPT, "the resource changed on the server");
    if (r->status != 206 && wanted) {
        if (q->flags & SW_HTTP_EXACT_RANGE)
            return sw_fail(err, SW_UNSUPPORTED, "the server ignores ranges");
        if (t->etag[0] && !known)
            return sw_fail(err, SW_CORRUPT, "the server cannot say whether the resource changed");
        t->skip = wanted;
    }
    if (etag.len && etag.len < sizeof t->etag && !sw_str_starts(etag, SW_STR("W/")))
        snprintf(t->etag, sizeof t->etag, "%.*s", SW_ARG(etag));
    uint64_t coming = r->status == 206 ? length : total > wanted ? total - wanted : 0;
    if (q->max_body && !http_method_is(q, "HEAD") && t->delivered + coming > q->max_body)
        return sw_fail(err, SW_LIMIT, "larger than %llu bytes", (unsigned long long)q->max_body);
    return SW_OK;
}

static enum sw_code take_body(struct http_transfer *t, const char *bytes, size_t len) {
    const struct sw_http_request *q = t->request;
    if (t->skip >= len) {
        t->skip -= len;
        return SW_OK;
    }
    bytes += t->skip;
    len -= (size_t)t->skip;
    t->skip = 0;
    if (q->range_len) {
        /* A server that ignores ranges sends more than was asked for. */
        uint64_t left = q->range_len - t->delivered;
        if (len >= left) {
            len = (size_t)left;
            t->cut = true;
        }
    }
    if (q->max_body && len > q->max_body - t->delivered)
        return sw_fail(t->err, SW_LIMIT, "larger than %llu bytes", (unsigned long long)q->max_body);
    enum sw_code code = len ? q->sink(q->sink_context, bytes, len, t->err) : SW_OK;
    if (!code) t->delivered += len;
    return code;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context) {
    struct http_transfer *t = context;
    struct sw_http_response *r = t->r;
    size_t len = size * n;
    if (!t->begun) t->callback_code = begin_body(t);
    if (t->callback_code) return 0;
    if (t->to_sink) {
        t->callback_code = take_body(t, bytes, len);
        return t->callback_code || t->cut ? 0 : len;
    }
    bool error = r->status / 100 != 2;
    size_t max = error ? HTTP_ERROR_BODY_MAX : r->body.max;
    if (len > max - r->body.len) {
        if (error) {
            sw_buf_add_bytes(&r->body, bytes, max - r->body.len);
            t->cut = true;
        } else {
            t->callback_code = sw_fail(t->err, SW_LIMIT, "larger than %zu bytes", r->body.max);
        }
        return 0;
    }
    sw_buf_add_bytes(&r->body, bytes, len);
    return len;
}

static size_t on_read(char *to, size_t size, size_t n, void *context) {
    struct http_transfer *t = context;
    const struct sw_http_request *q = t->request;
    size_t len = size * n, got = 0;
    if (q->body_source) {
        t->callback_code = q->body_source(q->body_context, t->sent, to, len, &got, t->err);
        if (t->callback_code) return CURL_READFUNC_ABORT;
    } else {
        got = q->body.len - (size_t)t->sent;
        if (got > len) got = len;
        if (got) memcpy(to, q->body.ptr + t->sent, got);
    }
    t->sent += got;
    return got;
}

static int on_seek(void *context, curl_off_t offset, int origin) {
    struct http_transfer *t = context;
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    /* libcurl sends again by itself when a kept connection ends early. The server may have taken
     * what it got: only the caller can know how to go on. */
    if (t->sent && !http_may_send_again(t->request)) return CURL_SEEKFUNC_FAIL;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool is_credential(struct sw_str name) {
    return sw_str_ieq(name, SW_STR("authorization")) || sw_str_ieq(name, SW_STR("cookie")) ||
           sw_str_ieq(name, SW_STR("proxy-authorization"));
}

/* The request's headers, and those that resumption needs. */
static struct curl_slist *header_list(struct http_transfer *t) {
    const struct sw_http_request *q = t->request;
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; i < q->n_headers; i++) {
        const struct sw_http_header *h = &q->headers[i];
        if (t->crossed && is_credential(h->name)) continue;
        SW_FREE char *line = h->value.len
                                 ? sw_asprintf("%.*s: %.*s", SW_ARG(h->name), SW_ARG(h->value))
                                 : sw_asprintf("%.*s;", SW_ARG(h->name));
        if (!strpbrk(line, "\r\n")) list = curl_slist_append(list, line);
    }
    uint64_t from = q->range_start + (q->sink ? t->delivered : 0);
    t->sent_range = from;
    if (from || q->range_len) {
        char last[24] = "";
        if (q->range_len)
            snprintf(last, sizeof last, "%llu",
                     (unsigned long long)(q->range_start + q->range_len - 1));
        SW_FREE char *range = sw_asprintf("Range: bytes=%llu-%s", (unsigned long long)from, last);
        list = curl_slist_append(list, range);
        if (t->etag[0]) {
            SW_FREE char *guard = sw_asprintf("If-Range: %s", t->etag);
            list = curl_slist_append(list, guard);
        }
    }
    return list;
}

static void set_up(struct http_transfer *t, CURL *e, const char *origin, struct curl_slist *list) {
    const struct sw_http_request *q = t->request;
    const struct sw_http *http = t->http;
    curl_easy_setopt(e, CURLOPT_URL, t->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, http->user_agent);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 262144L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(
        e, CURLOPT_HTTP_VERSION,
        (long)(q->flags & SW_HTTP_HTTP1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    if (http->share) curl_easy_setopt(e, CURLOPT_SHARE, http->share);
    if (q->flags & SW_HTTP_COMPRESSED) curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    if (http->ca_file) curl_easy_setopt(e, CURLOPT_CAINFO, http->ca_file);
    if (http->client_cert) curl_easy_setopt(e, CURLOPT_SSLCERT, http->client_cert);
    if (http->client_key) curl_easy_setopt(e, CURLOPT_SSLKEY, http->client_key);
    if (http_is_insecure(http, origin)) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    /* libcurl reads the environment but for HTTP_PROXY in capitals, which a CGI's client sets. */
    const char *upper = getenv("HTTP_PROXY");
    if (http->proxy)
        curl_easy_setopt(e, CURLOPT_PROXY, http->proxy);
    else if (strncmp(origin, "http:", 5) == 0 && upper && !getenv("http_proxy") &&
             !getenv("REQUEST_METHOD"))
        curl_easy_setopt(e, CURLOPT_PROXY, upper);
    if (!t->crossed && q->user) {
        curl_easy_setopt(e, CURLOPT_USERNAME, q->user);
        curl_easy_setopt(e, CURLOPT_PASSWORD, q->password ? q->password : "");
        if (q->aws_sigv4) curl_easy_setopt(e, CURLOPT_AWS_SIGV4, q->aws_sigv4);
    }
    if (http_method_is(q, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (http_has_body(q)) {
        uint64_t size = q->body_source ? q->body_size : q->body.len;
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(e, CURLOPT_READDATA, t);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE,
                         size == SW_HTTP_SIZE_UNKNOWN ? (curl_off_t)-1 : (curl_off_t)size);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method ? q->method : "GET");
    } else if (!http_method_is(q, "GET")) {
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
    }
}

static uint64_t bytes_moved(CURL *e) {
    curl_off_t down = 0, up = 0;
    curl_easy_getinfo(e, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(e, CURLINFO_SIZE_UPLOAD_T, &up);
    return (uint64_t)down + (uint64_t)up;
}

/* Stalls, time limits, interruption and progress; called a few times a second. */
struct watch {
    uint64_t window_start_ms, window_bytes, progress_ms;
};

static enum sw_code look(struct http_transfer *t, CURL *e, struct watch *w) {
    const struct sw_http_request *q = t->request;
    enum sw_code code = sw_cancel_check(t->err);
    if (code) return code;
    uint64_t now = http_now_ms();
    if (t->deadline_ms && now >= t->deadline_ms)
        return sw_fail(t->err, SW_NETWORK, "took longer than %u ms", q->timeout_ms);
    if (now - w->window_start_ms >= t->stall_ms) {
        uint64_t moved = bytes_moved(e);
        if (moved - w->window_bytes < t->http->min_speed * t->stall_ms / 1000)
            return sw_fail(t->err, SW_NETWORK, "stalled: %llu bytes in %llu ms",
                           (unsigned long long)(moved - w->window_bytes),
                           (unsigned long long)(now - w->window_start_ms));
        w->window_start_ms = now;
        w->window_bytes = moved;
    }
    if (q->progress && now - w->progress_ms >= HTTP_PROGRESS_MS) {
        w->progress_ms = now;
        bool upload = http_has_body(q);
        uint64_t size = q->body_source ? q->body_size : q->body.len;
        if (upload)
            q->progress(q->progress_context, t->sent, size == SW_HTTP_SIZE_UNKNOWN ? 0 : size);
        else if (t->r->status / 100 == 2)
            q->progress(q->progress_context,
                        q->range_start + (q->sink ? t->delivered : t->r->body.len),
                        t->r->total_size);
    }
    return SW_OK;
}

/* Drives the transfer to its end. *ret_result is libcurl's word; a code of ours comes first. */
static enum sw_code drive(struct http_transfer *t, struct http_handle *h, CURLcode *ret_result) {
    struct watch w = {.window_start_ms = http_now_ms()};
    struct curl_waitfd extra = {.fd = sw_cancel_fd(), .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, left = 0;
        if (curl_multi_perform(h->multi, &running))
            return sw_fail(t->err, SW_NETWORK, "libcurl cannot go on");
        CURLMsg *m;
        while ((m = curl_multi_info_read(h->multi, &left)))
            if (m->msg == CURLMSG_DONE) {
                *ret_result = m->data.result;
                return SW_OK;
            }
        enum sw_code code = look(t, h->easy, &w);
        if (code) return code;
        int timeout = HTTP_POLL_MS;
        if (t->stall_ms < 4 * HTTP_POLL_MS) timeout = (int)(t->stall_ms / 4) + 1;
        curl_multi_poll(h->multi, extra.fd >= 0 ? &extra : NULL, extra.fd >= 0, timeout, NULL);
    }
}

/* What libcurl's result means for us. */
static enum sw_code judge(struct http_transfer *t, CURLcode result, const char *text,
                          bool *ret_retry) {
    const struct sw_http_request *q = t->request;
    if (t->callback_code) {
        /* A broken answer may be better next time; what the sink refuses, or a limit, is final. */
        *ret_retry = t->callback_code == SW_NETWORK && t->begun && !t->to_sink;
        return t->callback_code;
    }
    if (t->too_many) return sw_fail(t->err, SW_LIMIT, "the response has too many headers");
    if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && t->cut))
        return t->begun ? SW_OK : begin_body(t);
    bool idempotent = http_may_send_again(q);
    enum sw_code code = SW_NETWORK;
    const char *advice = "";
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        *ret_retry = true; /* nothing was sent */
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        code = SW_DENIED;
        advice = t->http->ca_file ? "" : "; no CA bundle was found: set SSL_CERT_FILE";
        break;
    case CURLE_SSL_CACERT_BADFILE:
        code = SW_NOT_FOUND;
        advice = "; check SSL_CERT_FILE";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        code = SW_USAGE;
        break;
    default:
        *ret_retry = idempotent;
    }
    return sw_fail(t->err, code, "%s%s", text[0] ? text : curl_easy_strerror(result), advice);
}

enum sw_code http_perform(struct http_transfer *t, bool *ret_retry) {
    char origin[300], text[CURL_ERROR_SIZE] = "";
    if (!http_origin(t->url, origin, sizeof origin))
        return sw_fail(t->err, SW_USAGE, "not an http or https address");
    t->begun = t->to_sink = t->cut = t->too_many = false;
    t->skip = t->sent = 0;
    t->callback_code = SW_OK;
    t->r->status = 0;
    t->r->n_headers = 0;
    sw_buf_reset(&t->r->body);
    struct http_handle *h = http_handle_take(t->http, origin);
    struct curl_slist *list = header_list(t);
    set_up(t, h->easy, origin, list);
    curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, text);
    enum sw_code code;
    CURLcode result = CURLE_OK;
    if (curl_multi_add_handle(h->multi, h->easy)) {
        code = sw_fail(t->err, SW_NETWORK, "libcurl cannot start");
    } else {
        code = drive(t, h, &result);
        /* A stall is tried again; a time limit for all tries and an interruption are not. */
        if (code == SW_NETWORK) *ret_retry = !(t->deadline_ms && http_now_ms() >= t->deadline_ms);
        curl_multi_remove_handle(h->multi, h->easy);
    }
    bool healthy = !code && (result == CURLE_OK || t->cut);
    if (!code) code = judge(t, result, text, ret_retry);
    http_handle_give(t->http, h, healthy);
    curl_slist_free_all(list);
    return code;
}
