/* What the files of the HTTP client share. Floor 3; private to net. */
#ifndef SW_NET_HTTP_INTERNAL_H
#define SW_NET_HTTP_INTERNAL_H

#include <pthread.h>

#include "net/curl_api.h"
#include "net/http_client.h"

enum {
    HTTP_IDLE_MAX = 16,          /* idle handles kept; more threads than that rarely wait at once */
    HTTP_REDIRECTS_MAX = 10,     /* what browsers and registries stay far below */
    HTTP_HEADERS_MAX = 256,      /* headers of one response */
    HTTP_ERROR_BODY_MAX = 65536, /* enough for any error document */
    HTTP_KEPT_BODY_MAX = 16 << 20, /* a document that the caller reads whole */
    HTTP_BACKOFF_MAX_MS = 20000,
    HTTP_POLL_MS = 200, /* how late a stall, a time limit or progress may be noticed */
    HTTP_PROGRESS_MS = 100,
};

/* An easy handle with its own multi handle, whose connections it keeps. */
struct http_handle {
    CURLM *multi;
    CURL *easy;
    char host[256]; /* scheme://host:port of the last request, to find a warm connection */
    struct http_handle *next;
};

struct sw_http {
    char *user_agent, *ca_file, *proxy; /* owned */
    char *client_cert, *client_key;     /* owned */
    char **insecure;                    /* owned, NULL-terminated */
    unsigned connect_timeout_ms, stall_timeout_ms, min_speed, retries, backoff_ms;
    unsigned retry_after_max_ms;
    enum sw_code load_code; /* why there is no libcurl */
    struct sw_error load_error;
    CURLSH *share; /* host names and TLS sessions */
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    pthread_mutex_t lock;
    struct http_handle *idle; /* most recently used first */
    unsigned n_idle;
    unsigned jitter; /* state of a small generator */
};

/* One request through all its redirects and tries. */
struct http_transfer {
    struct sw_http *http;
    const struct sw_http_request *request;
    struct sw_http_response *r;
    struct sw_error *err;
    enum sw_code callback_code; /* what a sink or source said; SW_OK while nothing did */
    char *url;                  /* owned; after redirects */
    bool crossed;               /* redirected to another origin: credentials stay behind */
    uint64_t deadline_ms;       /* 0: none */
    uint64_t stall_ms;

    uint64_t delivered; /* bytes the sink has had, over all tries */
    char etag[200];     /* strong validator of those bytes, "" unknown */
    uint64_t sent;      /* bytes of the body, in this try */

    /* of one try */
    bool begun;          /* the first byte of the final body was judged */
    bool to_sink;        /* the body goes to the sink */
    bool cut;            /* an error's body was long enough */
    bool too_many;       /* headers */
    uint64_t skip;       /* bytes of a 200 that were delivered before */
    uint64_t sent_range; /* the offset that was asked for, 0 none */
};

uint64_t http_now_ms(void);
struct http_handle *http_handle_take(struct sw_http *http, const char *origin);
void http_handle_give(struct sw_http *http, struct http_handle *h, bool healthy);
/* "https://host:port" of a URL; false when it is none that we speak. */
bool http_origin(const char *url, char *to, size_t size);
bool http_is_insecure(const struct sw_http *http, const char *origin);
bool http_method_is(const struct sw_http_request *q, const char *method);
bool http_may_send_again(const struct sw_http_request *q);
bool http_has_body(const struct sw_http_request *q);
/* One try: SW_OK when a whole response came. *ret_retry: whether trying again could help. */
enum sw_code http_perform(struct http_transfer *t, bool *ret_retry);
enum sw_code http_do_file(const struct sw_http_request *q, struct sw_http_response *r,
                          struct sw_error *err);

#endif
