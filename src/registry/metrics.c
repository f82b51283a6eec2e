/* Figures for Prometheus, readiness, and the limit of requests a second. */
#include <stdlib.h>

#include "base/mem.h"
#include "registry/server_internal.h"

static const struct {
    const char *name, *type, *help;
} described[METRICS] = {
    [METRIC_REQUESTS] = {"requests_total", "counter", "Requests received"},
    [METRIC_ERRORS] = {"errors_total", "counter", "Replies with status 5xx"},
    [METRIC_REFUSED] = {"refused_total", "counter", "Replies with status 401, 403, 429"},
    [METRIC_BYTES_IN] = {"received_bytes_total", "counter", "Bytes of request bodies"},
    [METRIC_BYTES_OUT] = {"sent_bytes_total", "counter", "Bytes of reply bodies"},
    [METRIC_BLOBS_PUSHED] = {"blobs_pushed_total", "counter", "Blobs uploaded"},
    [METRIC_BLOBS_PULLED] = {"blobs_pulled_total", "counter", "Blobs downloaded"},
    [METRIC_BLOBS_MOUNTED] = {"blobs_mounted_total", "counter", "Blobs mounted"},
    [METRIC_MANIFESTS_PUSHED] = {"manifests_pushed_total", "counter", "Manifests stored"},
    [METRIC_MANIFESTS_PULLED] = {"manifests_pulled_total", "counter", "Manifests downloaded"},
    [METRIC_UPLOADS_OPEN] = {"uploads_open", "gauge", "Uploads that a request works on"},
    [METRIC_TOKENS] = {"tokens_total", "counter", "Tokens issued"},
    [METRIC_LOGINS_FAILED] = {"logins_failed_total", "counter", "Wrong passwords"},
    [METRIC_GC_BLOBS] = {"gc_blobs_total", "counter", "Blobs collected"},
    [METRIC_GC_BYTES] = {"gc_bytes_total", "counter", "Bytes collected"},
    [METRIC_HOOKS_SENT] = {"hooks_sent_total", "counter", "Webhooks delivered"},
    [METRIC_HOOKS_FAILED] = {"hooks_failed_total", "counter", "Webhook tries that failed"},
};

static const int64_t bounds_us[LATENCY_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 50000, 250000, 1000000, 5000000, 30000000};

void latency_note(struct sw_registry *r, int64_t ns) {
    int64_t us = ns / 1000;
    size_t i = 0;
    while (i < LATENCY_BUCKETS && us > bounds_us[i]) i++;
    atomic_fetch_add_explicit(&r->latency[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->latency_us, (uint64_t)us, memory_order_relaxed);
}

static void put_latency(struct sw_registry *r, struct sw_buf *b) {
    uint64_t sum = 0;
    sw_buf_add_text(b, "# HELP slipway_registry_request_seconds Time from the request line to the "
                       "last byte\n# TYPE slipway_registry_request_seconds histogram\n");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        sum += atomic_load(&r->latency[i]);
        sw_buf_addf(b, "slipway_registry_request_seconds_bucket{le=\"%g\"} %llu\n",
                    (double)bounds_us[i] / 1e6, (unsigned long long)sum);
    }
    sum += atomic_load(&r->latency[LATENCY_BUCKETS]);
    sw_buf_addf(b,
                "slipway_registry_request_seconds_bucket{le=\"+Inf\"} %llu\n"
                "slipway_registry_request_seconds_sum %g\n"
                "slipway_registry_request_seconds_count %llu\n",
                (unsigned long long)sum, (double)atomic_load(&r->latency_us) / 1e6,
                (unsigned long long)sum);
}

/* Names of repositories and accounts are in none of these, so that they need no password. */
void metrics_get(struct request *q) {
    struct sw_registry *r = q->r;
    struct sw_buf b SW_BUF = {0};
    sw_buf_init(&b, 0);
    for (int i = 0; i < METRICS; i++)
        sw_buf_addf(&b,
                    "# HELP slipway_registry_%s %s\n# TYPE slipway_registry_%s %s\n"
                    "slipway_registry_%s %llu\n",
                    described[i].name, described[i].help, described[i].name, described[i].type,
                    described[i].name, (unsigned long long)atomic_load(&r->metrics[i]));
    put_latency(r, &b);
    sw_buf_addf(&b,
                "# HELP slipway_registry_connections Open connections\n"
                "# TYPE slipway_registry_connections gauge\n"
                "slipway_registry_connections %u\n"
                "# HELP slipway_build_info The program\n# TYPE slipway_build_info gauge\n"
                "slipway_build_info{version=\"%s\",store=\"%s\"} 1\n",
                sw_server_connections(sw_exchange_server(q->x)),
                r->options.version ? r->options.version : "unknown", r->blobs->ops->name);
    sw_reply_header(q->x, "Content-Type", SW_STR("text/plain; version=0.0.4; charset=utf-8"));
    sw_reply_bytes(q->x, 200, sw_buf_str(&b));
}

void ready_get(struct request *q) {
    int64_t epoch;
    if (sw_meta_epoch(q->r->meta, &q->x->arena, &epoch, &q->err) ||
        q->r->blobs->ops->ready(q->r->blobs, &q->err)) {
        reply_error(q, 503, "UNAVAILABLE", "%s", q->err.text);
        return;
    }
    reply_json(q, 200, SW_STR("{\"status\":\"ready\"}"));
}
