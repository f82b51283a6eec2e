/* What the parts of the server share: the registry, and one request.
 *
 * Floor 5. A request belongs to one thread at a time (net/http_server.h).
 */
#ifndef SW_REGISTRY_SERVER_INTERNAL_H
#define SW_REGISTRY_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "attest/key.h"
#include "base/map.h"
#include "net/http_client.h"
#include "registry/access.h"
#include "registry/audit.h"
#include "registry/content.h"
#include "registry/intake.h"
#include "registry/limits.h"
#include "registry/registry.h"
#include "registry/route.h"

struct token_cache;
struct password_cache;
struct oidc_cache;
struct rate_table;
struct upload;

enum metric {
    METRIC_REQUESTS,
    METRIC_ERRORS,  /* 5xx */
    METRIC_REFUSED, /* 401, 403, 429 */
    METRIC_BYTES_IN,
    METRIC_BYTES_OUT,
    METRIC_BLOBS_PUSHED,
    METRIC_BLOBS_PULLED,
    METRIC_BLOBS_MOUNTED,
    METRIC_MANIFESTS_PUSHED,
    METRIC_MANIFESTS_PULLED,
    METRIC_UPLOADS_OPEN, /* a gauge */
    METRIC_TOKENS,
    METRIC_LOGINS_FAILED,
    METRIC_GC_BLOBS,
    METRIC_GC_BYTES,
    METRIC_HOOKS_SENT,
    METRIC_HOOKS_FAILED,
    METRICS,
};
#define LATENCY_BUCKETS 12

struct sw_registry {
    struct sw_registry_options options; /* strings are owned */
    struct sw_arena strings;
    struct sw_meta *meta;
    struct sw_blobs *blobs;
    struct sw_policy_cache *policies;
    struct sw_key *token_key;
    struct sw_str service; /* the audience of our tokens */
    uint8_t cache_key[32]; /* of this process: keys of the password cache */
    struct token_cache *tokens;
    struct password_cache *passwords;
    struct oidc_cache *issuers;
    struct rate_table *address_rates, *account_rates;
    struct sw_server *server;
    struct sw_http *http; /* webhooks, OIDC keys */
    struct sw_audit_queue *audit;
    struct sw_intake_pool *intake;
    pthread_mutex_t busy_lock; /* of busy_uploads */
    struct sw_map busy_uploads;
    pthread_t maintenance;
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_cond;
    bool stopping, maintenance_runs;
    _Atomic uint64_t metrics[METRICS];
    _Atomic uint64_t latency[LATENCY_BUCKETS + 1];
    _Atomic uint64_t latency_us;
};

struct request {
    struct sw_registry *r;
    struct sw_exchange *x;
    struct sw_route route;
    int64_t now_s;
    struct sw_policy *policy; /* counted */
    const struct sw_principal *who;
    bool authenticated; /* by password or token, not anonymous */
    bool by_token;      /* the token's scopes limit what the account may do */
    struct sw_scope scopes[SW_REG_SCOPES_MAX];
    size_t n_scopes;
    struct sw_str password; /* while a password is being verified */
    const char *hash;
    struct upload *upload;
    struct sw_buf body;
    bool wants_body;
    uint64_t body_max;
    struct sw_str digest; /* for the access log */
    struct sw_error err;
};

#define sw_count(r, metric, n)                                                                     \
    atomic_fetch_add_explicit(&(r)->metrics[metric], n, memory_order_relaxed)

/* server.c: replies. Codes are the specification's. */
void reply_error(struct request *q, int status, const char *code, const char *fmt, ...)
    SW_PRINTF(4, 5);
/* From q->err: the status that its code stands for. not_found names the specification's code. */
void reply_failure(struct request *q, const char *not_found);
void reply_json(struct request *q, int status, struct sw_str json);
void reply_method_not_allowed(struct request *q);
/* "https://host", as the client sees the server. */
struct sw_str base_url(struct request *q);
/* limit and last of lists ("n", "last"). */
bool page_of(struct request *q, size_t *ret_n, struct sw_str *ret_last);
void add_next_link(struct request *q, struct sw_str path, size_t n, struct sw_str last,
                   struct sw_str more);
/* Audits a refusal or a deed that has no transaction of its own. */
void audit_now(struct request *q, const char *action, struct sw_str repo, struct sw_str digest,
               struct sw_str detail, bool allowed);
struct sw_audit_entry audit_entry(struct request *q, const char *action, struct sw_str repo,
                                  struct sw_str digest, struct sw_str detail, bool allowed);

/* registry.c: the thread that expires, collects, delivers. */
SW_NODISCARD enum sw_code maintenance_start(struct sw_registry *r, struct sw_error *err);

/* auth.c */
/* Finds out who asks; replies where that fails; may defer. Then goes on with authorized_head(). */
void authenticate(struct request *q);
void authorized_head(struct request *q); /* server.c */
/* What the caller may do with a repository, the token's scopes included. */
unsigned rights_on(struct request *q, struct sw_str repo);
bool is_admin(struct request *q);
/* True where all of need is granted; otherwise replies 401 or 403 and audits. */
bool require_rights(struct request *q, struct sw_str repo, unsigned need);
void token_get(struct request *q);
void token_post(struct request *q);
void keys_get(struct request *q);
struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *c);
struct password_cache *password_cache_new(void);
void password_cache_free(struct password_cache *c);
struct oidc_cache *oidc_cache_new(void);
void oidc_cache_free(struct oidc_cache *c);
/* oidc.c: exchanges a CI system's token; fills who on success. */
SW_NODISCARD enum sw_code oidc_exchange(struct request *q, struct sw_str token,
                                        const struct sw_principal **ret, struct sw_error *err);

/* uploads.c. All but upload_body() wait for the store: not on a connection's thread. */
void uploads_post_head(struct request *q);
void uploads_post(struct request *q);
void upload_head(struct request *q); /* PATCH and PUT */
size_t upload_body(struct request *q, const void *bytes, size_t len);
void upload_body_end(struct request *q); /* everything has been received */
void upload_patch(struct request *q);
void upload_put(struct request *q);
void upload_get(struct request *q);
void upload_delete(struct request *q);
void upload_abandon(struct request *q); /* the exchange ended early */
SW_NODISCARD enum sw_code uploads_expire(struct sw_registry *r, int64_t now_s,
                                         struct sw_error *err);

/* pull.c, push.c */
void blob_get(struct request *q);
void blob_delete(struct request *q);
void manifest_get(struct request *q);
void manifest_put(struct request *q);
void manifest_delete(struct request *q);
void tags_get(struct request *q);
void catalog_get(struct request *q);
void referrers_get(struct request *q);
/* Stores a manifest as a push does, for promotions, too. Replies where it is refused. */
bool store_manifest(struct request *q, struct sw_str repo, struct sw_str body, struct sw_pushed *p,
                    struct sw_str const *tags, size_t n_tags, const char *action);

/* gate.c: attestations that rules require. SW_DENIED says which one is missing. */
SW_NODISCARD enum sw_code gate_check(struct request *q, struct sw_str repo,
                                     const struct sw_digest *digest, struct sw_error *err);

/* admin.c */
void api_request(struct request *q);
/* metrics.c */
void metrics_get(struct request *q);
void latency_note(struct sw_registry *r, int64_t ns);
void ready_get(struct request *q);
/* rate.c: NULL stands for no limit */
struct rate_table *rate_table_new(unsigned per_second);
void rate_table_free(struct rate_table *t);
bool rate_take(struct rate_table *t, struct sw_str who, int64_t now_ns);
/* The same for a request; replies where there is no token. */
bool rate_allows(struct request *q, struct rate_table *t, struct sw_str who);

#endif
