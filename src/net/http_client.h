/* HTTP client: one call a request, over libcurl, with retries, resumption and limits.
 *
 * Floor 3. A session is shared by any number of threads; a request and its response belong to one.
 * Connections are kept and reused (HTTP/2 where the server offers it). A call returns at once when
 * sw_cancelled() becomes true. Only http, https and, where a request allows it, file URLs.
 *
 * Every byte of a successful body is delivered exactly once and in order: a transfer that breaks
 * goes on with a range request guarded by If-Range, or skips what was delivered before.
 */
#ifndef SW_NET_HTTP_CLIENT_H
#define SW_NET_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct sw_http; /* a session */

/* Zero stands for the default everywhere. Strings are copied. */
struct sw_http_options {
    const char *user_agent;  /* "slipway/VERSION" */
    const char *ca_file;     /* PEM; NULL: SSL_CERT_FILE, else the system's bundle */
    const char *client_cert; /* PEM; for servers that want one */
    const char *client_key;
    const char *proxy;           /* URL; NULL: http_proxy, https_proxy, all_proxy; "" for none */
    const char *const *insecure; /* NULL-terminated "host" or "host:port": certificates unchecked */
    unsigned connect_timeout_ms; /* 15000 */
    unsigned stall_timeout_ms;   /* 30000 without min_speed bytes a second is a broken transfer */
    unsigned min_speed;          /* 1024 bytes a second */
    unsigned retries;            /* 4 further tries without progress; NO_RETRIES for none */
    unsigned backoff_ms;         /* 250, doubled each time, up to 20 s, with jitter */
    unsigned retry_after_max_ms; /* 60000: a server that asks for more is not waited for */
};
#define SW_HTTP_NO_RETRIES (~0u)

struct sw_http *sw_http_new(const struct sw_http_options *options);
void sw_http_free(struct sw_http *http);
void sw_http_freep(struct sw_http **http);

struct sw_http_header {
    struct sw_str name, value;
};

enum {
    SW_HTTP_ALLOW_FILE = 1 << 0,  /* file:///path, answered as a server would: 200, 206, 404 */
    SW_HTTP_NO_REDIRECT = 1 << 1, /* 3xx is returned; otherwise GET and HEAD follow up to 10 */
    SW_HTTP_COMPRESSED = 1 << 2,  /* the transport may compress (documents; not for archives) */
    SW_HTTP_IDEMPOTENT = 1 << 3,  /* a POST or PATCH that may be sent twice; others retry anyway */
    SW_HTTP_NO_STATUS_RETRY = 1 << 4, /* 408, 429, 5xx are returned at once */
    SW_HTTP_HTTP1 = 1 << 5,           /* a connection of its own (parallel ranges) */
    SW_HTTP_EXACT_RANGE = 1 << 6,     /* SW_UNSUPPORTED where the server ignores the range */
    SW_HTTP_NO_RETRY = 1 << 7,        /* one try, whatever happens */
};

typedef enum sw_code sw_http_sink(void *context, const void *bytes, size_t len,
                                  struct sw_error *err);
/* Up to len bytes of the request's body from offset; *ret_len 0 is the end. */
typedef enum sw_code sw_http_source(void *context, uint64_t offset, void *to, size_t len,
                                    size_t *ret_len, struct sw_error *err);
/* total 0: unknown. Called from the requesting thread, at most every 100 ms and at the end. */
typedef void sw_http_progress(void *context, uint64_t done, uint64_t total);

#define SW_HTTP_SIZE_UNKNOWN UINT64_MAX

struct sw_http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const struct sw_http_header *headers; /* Authorization is not sent on to another host */
    size_t n_headers;
    unsigned flags;

    struct sw_str body;          /* sent when body_source is NULL */
    sw_http_source *body_source; /* or this, body_size bytes (SW_HTTP_SIZE_UNKNOWN: chunked) */
    void *body_context;
    uint64_t body_size;

    uint64_t range_start; /* the sink gets the bytes from here on, whatever the server supports */
    uint64_t range_len;   /* at most so many; 0: to the end */
    const char *if_range; /* entity tag of the bytes before; SW_CORRUPT where it has changed */

    uint64_t max_body;  /* SW_LIMIT beyond; 0: 16 MiB without a sink, no limit with one */
    sw_http_sink *sink; /* receives the body of a 2xx; others, and all without a sink, are kept */
    void *sink_context;
    sw_http_progress *progress;
    void *progress_context;

    unsigned stall_timeout_ms;   /* 0: the session's; long answers to an upload need more */
    unsigned timeout_ms;         /* for all tries together; 0: none (stalls are still found) */
    const char *user, *password; /* Basic, or the keys of aws_sigv4 */
    const char *aws_sigv4;       /* "aws:amz:REGION:s3"; NULL: not signed so */
};

struct sw_http_response {
    int status;                     /* of the last response */
    struct sw_buf body;             /* see sink; an error's body is cut at 64 KiB */
    uint64_t body_size;             /* bytes delivered */
    uint64_t total_size;            /* of the whole resource where known (Content-Range), else 0 */
    unsigned tries;                 /* requests sent, redirects not counted */
    struct sw_http_header *headers; /* of the last response; arena; names in lower case */
    size_t n_headers;
    struct sw_str url; /* after redirects; arena */
    struct sw_arena arena;
};

void sw_http_response_init(struct sw_http_response *r);
void sw_http_response_done(struct sw_http_response *r);
#define SW_HTTP_RESPONSE SW_CLEANUP(sw_http_response_done)

/* Sends and waits for the whole response. SW_OK with any status that is not retried, or that
 * outlived its retries; SW_NETWORK, SW_LIMIT, SW_CANCELLED, SW_UNSUPPORTED, and what the sink or
 * the source said. r is initialised by the caller and reset here. */
SW_NODISCARD enum sw_code sw_http_do(struct sw_http *http, const struct sw_http_request *request,
                                     struct sw_http_response *r, struct sw_error *err);
/* The same, and a status other than 2xx is an error: see sw_http_check. */
SW_NODISCARD enum sw_code sw_http_get(struct sw_http *http, const struct sw_http_request *request,
                                      struct sw_http_response *r, struct sw_error *err);
/* 2xx is SW_OK; 404 and 410 SW_NOT_FOUND, 401 and 403 SW_DENIED, 429 and 503 SW_BUSY, others
 * SW_NETWORK, with the first line of the body. */
SW_NODISCARD enum sw_code sw_http_check(const struct sw_http_response *r, struct sw_error *err);
/* The first header of that name (lower case); an empty view with ptr NULL when there is none. */
struct sw_str sw_http_header(const struct sw_http_response *r, const char *name);

/* Percent-encodes everything but unreserved characters and those in keep. */
void sw_http_encode(struct sw_buf *to, struct sw_str text, const char *keep);

#endif
