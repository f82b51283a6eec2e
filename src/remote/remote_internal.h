/* One authenticated call, and what calls to one registry share.
 *
 * Floor 4.
 */
#ifndef SW_REMOTE_REMOTE_INTERNAL_H
#define SW_REMOTE_REMOTE_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "net/http_client.h"
#include "remote/remote.h"

#define REMOTE_DOCUMENT_MAX ((uint64_t)16 << 20) /* lists, tokens */
#define REMOTE_PAGES_MAX 10000

/* A host that was met: its scheme, settings, tokens. Lives as long as the session. */
struct host {
    struct sw_str domain;  /* as in references */
    struct sw_str address; /* as in URLs */
    const char *scheme;    /* "https", "http"; NULL until it was found out */
    struct sw_str prefix;  /* of paths: mirrors may live below one */
    bool mirror;           /* of another registry: its credential is its own */
    struct sw_registry_setting setting;
    struct sw_http *http; /* borrowed, or own where there are certificates */
    struct sw_http *own_http;
    struct sw_credential credential;
    bool credential_known;
    pthread_mutex_t lock;    /* of what follows, and of finding things out */
    struct sw_map tokens;    /* scope -> struct token */
    struct sw_str challenge; /* the last WWW-Authenticate */
};

struct sw_remote {
    struct sw_http *http;
    struct sw_remote_options options;
    pthread_mutex_t lock; /* of hosts and arena */
    struct sw_arena arena;
    struct sw_map hosts;
};

struct call {
    struct sw_repository repo;
    struct host *host;                    /* NULL: the registry of the repository */
    const char *method;                   /* NULL: GET */
    struct sw_str path;                   /* "/v2/..." with its query, or a whole URL */
    const char *actions;                  /* "pull", "pull,push", "delete"; NULL: none */
    struct sw_str from;                   /* a second repository to pull from */
    struct sw_str scope;                  /* overrides what the repository and actions make */
    struct sw_http_request http;          /* body, sink; url, headers and ranges are filled in */
    const uint64_t *have;                 /* bytes that the sink has already; NULL: none, ever */
    const struct sw_http_header *headers; /* further ones */
    size_t n_headers;
};

SW_NODISCARD enum sw_code remote_host(struct sw_remote *r, struct sw_str domain, struct host **ret,
                                      struct sw_error *err);
/* The nth mirror of a registry; *ret NULL past the last. */
SW_NODISCARD enum sw_code remote_mirror(struct sw_remote *r, const struct host *h, size_t n,
                                        struct host **ret, struct sw_error *err);
/* Sends with authentication; any status that is not 401 comes back. r is initialised. */
SW_NODISCARD enum sw_code remote_call(struct sw_remote *r, struct sw_arena *a,
                                      const struct call *call, struct sw_http_response *response,
                                      struct sw_error *err);
/* SW_OK for 2xx; else the error that the registry's document names. */
SW_NODISCARD enum sw_code remote_check(struct sw_arena *a, const struct call *call,
                                       const struct sw_http_response *response,
                                       struct sw_error *err);
/* "sha256-<hex>": where registries before 1.1 keep the list of referrers. */
struct sw_str remote_fallback_tag(struct sw_arena *a, const struct sw_digest *digest);
/* auth.c. The Authorization header for a scope after a challenge; "" for none. renew drops a token
 * that is kept. */
SW_NODISCARD enum sw_code remote_authorize(struct sw_remote *r, struct sw_arena *a, struct host *h,
                                           struct sw_str scope, struct sw_str challenge, bool renew,
                                           struct sw_str *ret_header, struct sw_error *err);
/* The header kept from before, "" for none. */
struct sw_str remote_kept(struct sw_remote *r, struct sw_arena *a, struct host *h,
                          struct sw_str scope);

#endif
