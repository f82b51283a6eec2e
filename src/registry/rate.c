/* Buckets of tokens, for addresses and for accounts: a request takes a token, tokens come back at
 * the rate that the limit says. The number of buckets is fixed, and two names in one slot share it:
 * strangers cannot make the server remember them. */
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "registry/server_internal.h"

#define SLOTS 4096 /* a power of two */
#define BURST_S 2  /* seconds of requests that may come at once */

struct slot {
    double tokens;
    int64_t last_ns;
};
struct rate_table {
    unsigned per_second;
    uint64_t seed; /* nobody can choose whom to share a slot with */
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
};

struct rate_table *rate_table_new(unsigned per_second) {
    if (!per_second) return NULL;
    struct rate_table *t = sw_calloc(1, sizeof *t);
    t->per_second = per_second;
    sw_random_bytes(&t->seed, sizeof t->seed);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void rate_table_free(struct rate_table *t) {
    if (!t) return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

bool rate_take(struct rate_table *t, struct sw_str who, int64_t now_ns) {
    if (!t) return true;
    double max = (double)t->per_second * BURST_S;
    pthread_mutex_lock(&t->lock);
    struct slot *s = &t->slots[sw_hash_bytes(who.ptr, who.len, t->seed) & (SLOTS - 1)];
    if (s->last_ns == 0) {
        s->tokens = max;
        s->last_ns = now_ns;
    } else if (now_ns > s->last_ns) { /* threads may come with times out of order */
        s->tokens += (double)(now_ns - s->last_ns) / 1e9 * t->per_second;
        s->last_ns = now_ns;
    }
    if (s->tokens > max) s->tokens = max;
    bool ok = s->tokens >= 1;
    if (ok) s->tokens -= 1;
    pthread_mutex_unlock(&t->lock);
    return ok;
}

bool rate_allows(struct request *q, struct rate_table *t, struct sw_str who) {
    if (rate_take(t, who, q->x->start_ns)) return true;
    /* The slowest limit gives a token a second. */
    sw_reply_header(q->x, "Retry-After", SW_STR("1"));
    reply_error(q, 429, "TOOMANYREQUESTS", "more requests than the limit allows");
    return false;
}
