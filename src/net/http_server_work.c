/* Work besides the connections' threads: deferred parts of an exchange, bodies held back, replies
 * that are made while they are sent. */
#include <stdlib.h>

#include "base/mem.h"
#include "net/http_server_internal.h"

#define STREAM_WINDOW ((size_t)1 << 20) /* bytes read at once for a reply */

void work_start(struct work *w, unsigned slow_threads, unsigned io_threads, unsigned queue) {
    unsigned n[] = {[SW_WORK_SLOW] = slow_threads, [SW_WORK_IO] = io_threads};
    for (size_t i = 0; i < 2; i++) {
        w->pool[i] = sw_pool_new(n[i], queue);
        w->group[i] = sw_group_new(w->pool[i]);
    }
}

void work_end(struct work *w) {
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < 2; i++) {
        sw_group_free(w->group[i]);
        sw_pool_free(w->pool[i]);
    }
}

static void submit(struct work *w, enum sw_work kind, void (*job)(void *), void *argument) {
    pthread_mutex_lock(&w->lock);
    bool ended = w->ended;
    if (!ended) sw_group_submit(w->group[kind], job, argument);
    pthread_mutex_unlock(&w->lock);
    if (ended) job(argument);
}

void sw_exchange_run(struct sw_exchange *x, enum sw_work kind, void (*job)(void *),
                     void *argument) {
    submit(&x->internal->server->work, kind, job, argument);
}

/* ---- deferred parts ---- */

static void run_job(void *argument) {
    struct sw_exchange_internal *e = argument;
    void (*job)(void *, struct sw_exchange *) = e->job;
    e->job = NULL;
    job(e->server->handler.context, &e->x);
    if (e->job)
        submit(&e->server->work, e->job_kind, run_job, e);
    else
        MHD_resume_connection(e->connection);
}

void sw_exchange_defer(struct sw_exchange *x, enum sw_work kind,
                       void (*job)(void *, struct sw_exchange *)) {
    x->internal->job = job;
    x->internal->job_kind = kind;
}

bool work_deferred(struct sw_exchange_internal *e) {
    if (!e->job) return false;
    conn_enter(e->conn, CONN_WORKING);
    MHD_suspend_connection(e->connection);
    submit(&e->server->work, e->job_kind, run_job, e);
    return true;
}

/* ---- bodies held back ---- */

void sw_exchange_hold(struct sw_exchange *x) {
    conn_enter(x->internal->conn, CONN_WORKING);
    MHD_suspend_connection(x->internal->connection);
}

void sw_exchange_go_on(struct sw_exchange *x) {
    conn_enter(x->internal->conn, CONN_RECEIVING);
    MHD_resume_connection(x->internal->connection);
}

/* ---- replies made while they are sent ----
 *
 * The connection's thread hands out what is in the window. At its end the connection is suspended
 * and the window filled elsewhere:
 *
 *     EMPTY --(asked)--> FILLING --> READY --(all sent)--> FILLING ...
 *                             \\--> FAILED
 */
enum stream_state { STREAM_EMPTY, STREAM_FILLING, STREAM_READY, STREAM_FAILED };

struct stream {
    struct sw_reply_source source;
    struct sw_exchange_internal *exchange;
    pthread_mutex_t lock;
    enum stream_state state;
    char *window;
    uint64_t at, size; /* of the window in the reply; of the reply */
    size_t len, cap;
};

static void stream_fill(void *argument) {
    struct stream *s = argument;
    uint64_t left = s->size - s->at;
    size_t want = left < s->cap ? (size_t)left : s->cap;
    ptrdiff_t n = s->source.read(s->source.context, s->at, s->window, want);
    pthread_mutex_lock(&s->lock);
    s->len = n > 0 ? (size_t)n : 0;
    s->state = n > 0 ? STREAM_READY : STREAM_FAILED;
    pthread_mutex_unlock(&s->lock);
    conn_enter(s->exchange->conn, CONN_SENDING);
    MHD_resume_connection(s->exchange->connection);
}

static ssize_t stream_read(void *context, uint64_t offset, char *to, size_t max) {
    struct stream *s = context;
    ssize_t n = 0;
    bool fill = false;
    pthread_mutex_lock(&s->lock);
    bool inside = s->state == STREAM_READY && offset >= s->at && offset - s->at < s->len;
    if (inside) {
        size_t from = (size_t)(offset - s->at);
        size_t len = s->len - from < max ? s->len - from : max;
        memcpy(to, s->window + from, len);
        n = (ssize_t)len;
    } else if (s->state == STREAM_FAILED) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (s->state != STREAM_FILLING) {
        if (!s->window) s->window = sw_malloc(s->cap);
        s->at = offset;
        s->state = STREAM_FILLING;
        fill = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (fill) {
        conn_enter(s->exchange->conn, CONN_WORKING);
        MHD_suspend_connection(s->exchange->connection);
        submit(&s->exchange->server->work, SW_WORK_IO, stream_fill, s);
    }
    return n;
}

static void stream_free(void *context) {
    struct stream *s = context;
    if (s->source.free) s->source.free(s->source.context);
    pthread_mutex_destroy(&s->lock);
    free(s->window);
    free(s);
}

void sw_reply_stream(struct sw_exchange *x, int status, uint64_t len,
                     const struct sw_reply_source *source) {
    struct stream *s = sw_calloc(1, sizeof *s);
    s->source = *source;
    s->exchange = x->internal;
    s->size = len;
    s->cap = len < STREAM_WINDOW ? (size_t)len : STREAM_WINDOW;
    pthread_mutex_init(&s->lock, NULL);
    set_response(
        x, status, len,
        MHD_create_response_from_callback(len, (size_t)256 << 10, stream_read, s, stream_free));
}
