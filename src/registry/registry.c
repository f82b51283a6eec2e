#include "registry/registry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/gc.h"
#include "registry/hooks.h"
#include "registry/server_internal.h"

#define TICK_MS 500      /* audit entries reach the chain this soon; hooks are sent */
#define EXPIRE_EVERY 120 /* ticks between looks at unfinished uploads */

static const char *keep(struct sw_registry *r, const char *text) {
    return text ? sw_arena_cstr(&r->strings, sw_str(text)) : NULL;
}

static void copy_options(struct sw_registry *r, const struct sw_registry_options *o) {
    struct sw_registry_options *c = &r->options;
    *c = *o;
    c->data_dir = keep(r, o->data_dir);
    c->metadata = keep(r, o->metadata);
    c->version = keep(r, o->version);
    c->address = keep(r, o->address);
    c->tls_cert = keep(r, o->tls_cert);
    c->tls_key = keep(r, o->tls_key);
    c->external_url = keep(r, o->external_url);
    c->s3 = NULL;
    if (!c->blob_max) c->blob_max = SW_REG_BLOB_MAX;
    if (!c->gc_grace_s) c->gc_grace_s = 3600;
    if (!c->upload_expiry_s) c->upload_expiry_s = 86400;
}

static enum sw_code open_parts(struct sw_registry *r, const struct sw_registry_options *o,
                               struct sw_error *err) {
    struct sw_str seed, salt;
    struct sw_arena a SW_ARENA = {0};
    sw_arena_init(&a, 0);
    enum sw_code code = SW_OK;
    if (o->s3) {
        code = sw_mkdirs_at(AT_FDCWD, o->data_dir, 0700, err);
        if (!code) code = sw_blobs_open_s3(o->s3, &r->blobs, err);
    } else {
        code = sw_blobs_open_dir(o->data_dir, &r->blobs, err);
    }
    const char *where = r->options.metadata;
    if (!where) where = sw_arena_printf(&r->strings, "sqlite:%s/meta.db", r->options.data_dir).ptr;
    if (!code) code = sw_meta_open(where, &r->meta, err);
    if (!code) code = sw_meta_secret(r->meta, &a, "token-key", SW_ED25519_SEED, &seed, err);
    if (!code) code = sw_key_from_seed(seed, &r->token_key, err);
    /* The audience of our tokens: a name of this installation, so that no other takes them. */
    if (!code) code = sw_meta_secret(r->meta, &a, "service", 8, &salt, err);
    if (code) return code;
    uint64_t id = 0;
    memcpy(&id, salt.ptr, 8);
    r->service = sw_arena_printf(&r->strings, "slipway-%016llx", (unsigned long long)id);
    return SW_OK;
}

enum sw_code sw_registry_open(const struct sw_registry_options *o, struct sw_registry **ret,
                              struct sw_error *err) {
    struct sw_registry *r = sw_calloc(1, sizeof *r);
    pthread_condattr_t attr;
    sw_arena_init(&r->strings, 0);
    copy_options(r, o);
    pthread_mutex_init(&r->busy_lock, NULL);
    pthread_mutex_init(&r->stop_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    enum sw_code code = open_parts(r, o, err);
    if (code) {
        sw_registry_close(r);
        return sw_context(err, "opening the registry in %s", o->data_dir);
    }
    sw_random_bytes(r->cache_key, sizeof r->cache_key);
    r->policies = sw_policy_cache_new(r->meta);
    r->audit = sw_audit_queue_new(r->meta);
    r->intake = sw_intake_pool_new();
    r->tokens = token_cache_new();
    r->passwords = password_cache_new();
    r->issuers = oidc_cache_new();
    r->http = sw_http_new(&(struct sw_http_options){.retries = SW_HTTP_NO_RETRIES});
    *ret = r;
    return SW_OK;
}

void sw_registry_close(struct sw_registry *r) {
    if (!r) return;
    sw_registry_stop(r, 0);
    sw_audit_queue_free(r->audit);
    sw_policy_cache_free(r->policies);
    sw_intake_pool_free(r->intake);
    token_cache_free(r->tokens);
    password_cache_free(r->passwords);
    oidc_cache_free(r->issuers);
    rate_table_free(r->address_rates);
    rate_table_free(r->account_rates);
    sw_key_free(r->token_key);
    sw_meta_close(r->meta);
    sw_blobs_close(r->blobs);
    if (r->http) sw_http_free(r->http);
    sw_map_done(&r->busy_uploads);
    pthread_cond_destroy(&r->stop_cond);
    pthread_mutex_destroy(&r->stop_lock);
    pthread_mutex_destroy(&r->busy_lock);
    sw_arena_done(&r->strings);
    free(r);
}

struct sw_meta *sw_registry_meta(struct sw_registry *r) {
    return r->meta;
}
struct sw_blobs *sw_registry_blobs(struct sw_registry *r) {
    return r->blobs;
}

static enum sw_code no_accounts(struct sw_registry *r, struct sw_arena *a, bool *ret,
                                struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_begin(r->meta, a, SW_TX_READ, &tx, err);
    if (!code) code = sw_tx_ask(&tx, &rows, err, "SELECT name FROM accounts LIMIT 1");
    if (!code) *ret = rows.n_rows == 0;
    return code;
}

enum sw_code sw_registry_bootstrap(struct sw_registry *r, struct sw_arena *a, const char **ret_path,
                                   struct sw_error *err) {
    static const char name[] = "initial-admin-password";
    char password[33];
    SW_FD int dir = -1;
    bool empty = false;
    *ret_path = NULL;
    enum sw_code code = no_accounts(r, a, &empty, err);
    if (code || !empty) return code;
    sw_random_name(password, sizeof password);
    code = sw_open_at(AT_FDCWD, r->options.data_dir, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    /* The file first: an account whose password nobody knows would be of no use. */
    if (!code) code = sw_write_file_at(dir, name, 0600, sw_arena_printf(a, "%s\n", password), err);
    struct sw_account_change admin = {.name = SW_STR("admin"), .password = sw_str(password)};
    if (!code) code = sw_account_put(r->meta, a, &admin, true, sw_now_unix_s(), err);
    if (!code)
        code = sw_role_put(r->meta, a, SW_STR("admin"), SW_ROLE_ADMIN, SW_STR("**"), false, err);
    /* What goes to production goes there through a robot that releases. */
    struct sw_rule production = {.kind = SW_RULE_PRODUCTION, .pattern = SW_STR("prod/**")};
    if (!code) code = sw_rule_put(r->meta, a, &production, err);
    explicit_bzero(password, sizeof password);
    if (!code) *ret_path = sw_arena_printf(a, "%s/%s", r->options.data_dir, name).ptr;
    return code;
}

/* ---- what goes on besides requests ---- */

static void collect(struct sw_registry *r) {
    struct sw_gc_options o = {.now_s = sw_now_unix_s(), .grace_s = r->options.gc_grace_s};
    struct sw_gc_report report;
    struct sw_error err;
    if (sw_registry_gc(r->meta, r->blobs, &o, &report, &err)) {
        sw_warn("registry", "%s", err.text);
        return;
    }
    sw_count(r, METRIC_GC_BLOBS, report.blobs);
    sw_count(r, METRIC_GC_BYTES, report.bytes);
}

static void tick(struct sw_registry *r, uint64_t n, int64_t *last_gc_s) {
    struct sw_error err;
    int64_t now_s = sw_now_unix_s();
    size_t sent = 0, failed = 0;
    if (sw_audit_queue_flush(r->audit, &err)) sw_warn("registry", "%s", err.text);
    if (sw_hooks_deliver(r->meta, r->http, now_s, &sent, &failed, &err))
        sw_warn("registry", "webhooks: %s", err.text);
    sw_count(r, METRIC_HOOKS_SENT, sent);
    sw_count(r, METRIC_HOOKS_FAILED, failed);
    if (n % EXPIRE_EVERY == 0) {
        struct sw_arena a SW_ARENA = {0};
        struct sw_tx tx SW_TX = {0};
        sw_arena_init(&a, 0);
        if (uploads_expire(r, now_s, &err)) sw_warn("registry", "uploads: %s", err.text);
        if (sw_tx_begin(r->meta, &a, SW_TX_RELAXED, &tx, &err) ||
            sw_tx_do(&tx, NULL, &err, "DELETE FROM refresh_tokens WHERE expires < $1",
                     sw_sql_int(now_s)) ||
            sw_tx_commit(&tx, &err))
            sw_warn("registry", "%s", err.text);
    }
    if (r->options.gc_interval_s && now_s - *last_gc_s >= r->options.gc_interval_s) {
        *last_gc_s = now_s;
        collect(r);
    }
}

static void *maintain(void *context) {
    struct sw_registry *r = context;
    int64_t last_gc_s = sw_now_unix_s();
    pthread_mutex_lock(&r->stop_lock);
    for (uint64_t n = 0; !r->stopping; n++) {
        pthread_mutex_unlock(&r->stop_lock);
        tick(r, n, &last_gc_s);
        pthread_mutex_lock(&r->stop_lock);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!r->stopping) pthread_cond_timedwait(&r->stop_cond, &r->stop_lock, &until);
    }
    pthread_mutex_unlock(&r->stop_lock);
    return NULL;
}

enum sw_code maintenance_start(struct sw_registry *r, struct sw_error *err) {
    if (pthread_create(&r->maintenance, NULL, maintain, r) != 0)
        return sw_fail(err, SW_IO, "starting the registry's maintenance");
    r->maintenance_runs = true;
    return SW_OK;
}

void sw_registry_stop(struct sw_registry *r, unsigned grace_ms) {
    sw_server_stop(r->server, grace_ms);
    r->server = NULL;
    if (!r->maintenance_runs) return;
    pthread_mutex_lock(&r->stop_lock);
    r->stopping = true;
    pthread_cond_signal(&r->stop_cond);
    pthread_mutex_unlock(&r->stop_lock);
    pthread_join(r->maintenance, NULL);
    r->maintenance_runs = false;
}
