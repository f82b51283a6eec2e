/* A buffer is in one place at a time:
 *
 *     spare (the pool) --> filling (connection's thread) --> working (another) --> filling ...
 *
 * Invariants:
 * 1. working is set and cleared under the lock; put runs only while it is set, or (when it is not)
 *    on the connection's thread, or after the last take.
 * 2. held says that the exchange is suspended; who clears it lets it go on, once.
 */
#include "registry/intake.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "registry/limits.h"

#define BUFFER_SIZE ((size_t)256 << 10)
#define SPARE_MAX 8 /* buffers that are kept while nobody uses them */

struct sw_intake_pool {
    pthread_mutex_t lock;
    char *spare[SPARE_MAX];
    size_t n_spare, n_out;
};

struct sw_intake_pool *sw_intake_pool_new(void) {
    struct sw_intake_pool *p = sw_calloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void sw_intake_pool_free(struct sw_intake_pool *p) {
    if (!p) return;
    while (p->n_spare) munmap(p->spare[--p->n_spare], BUFFER_SIZE);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* NULL where all are in use. Pages come from the kernel and go back to it: the heap would keep
 * what a moment of many uploads needed. */
static char *buffer_get(struct sw_intake_pool *p) {
    char *b = NULL;
    pthread_mutex_lock(&p->lock);
    bool may = p->n_out < SW_REG_INTAKE_BUFFERS;
    if (may) p->n_out++;
    if (may && p->n_spare) b = p->spare[--p->n_spare];
    pthread_mutex_unlock(&p->lock);
    if (b || !may) return b;
    b = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b != MAP_FAILED) return b;
    pthread_mutex_lock(&p->lock);
    p->n_out--;
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void buffer_put(struct sw_intake_pool *p, char *b) {
    if (!b) return;
    pthread_mutex_lock(&p->lock);
    p->n_out--;
    bool keep = p->n_spare < SPARE_MAX;
    if (keep) p->spare[p->n_spare++] = b;
    pthread_mutex_unlock(&p->lock);
    if (!keep) munmap(b, BUFFER_SIZE);
}

struct sw_intake {
    struct sw_intake_pool *pool;
    struct sw_exchange *x;
    void (*put)(void *context, const void *bytes, size_t len);
    void *context;
    char *filling; /* the connection's thread's */
    size_t fill;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t idle;  /* working was cleared */
    char *working, *emptied;
    bool held;
};

struct sw_intake *sw_intake_new(struct sw_intake_pool *p, struct sw_exchange *x,
                                void (*put)(void *context, const void *bytes, size_t len),
                                void *context) {
    struct sw_intake *in = sw_calloc(1, sizeof *in);
    in->pool = p;
    in->x = x;
    in->put = put;
    in->context = context;
    pthread_mutex_init(&in->lock, NULL);
    pthread_cond_init(&in->idle, NULL);
    return in;
}

static void work(void *argument) {
    struct sw_intake *in = argument;
    in->put(in->context, in->working, BUFFER_SIZE);
    pthread_mutex_lock(&in->lock);
    bool held = in->held;
    in->emptied = in->working;
    in->working = NULL;
    in->held = false;
    /* The exchange cannot end while it is held, and sw_intake_finish() waits for the lock. */
    if (held) sw_exchange_go_on(in->x);
    pthread_cond_signal(&in->idle);
    pthread_mutex_unlock(&in->lock);
}

/* Hands the full buffer over, or holds the exchange because the last one is still being worked on.
 */
static bool hand_over(struct sw_intake *in) {
    pthread_mutex_lock(&in->lock);
    bool ok = in->working == NULL;
    if (ok) {
        in->working = in->filling;
        in->filling = in->emptied; /* or NULL */
        in->emptied = NULL;
        in->fill = 0;
    } else {
        in->held = true;
        sw_exchange_hold(in->x);
    }
    pthread_mutex_unlock(&in->lock);
    if (ok) sw_exchange_run(in->x, SW_WORK_IO, work, in);
    return ok;
}

enum room { ROOM, ROOM_LATER, ROOM_NONE };

/* A buffer to fill: the one that came back, or a new one. Where all are in use, the exchange is
 * held until its own comes back; where it has none, there is no room. */
static enum room find_room(struct sw_intake *in) {
    enum room room = ROOM;
    if (!in->filling) in->filling = buffer_get(in->pool);
    if (in->filling) return ROOM;
    pthread_mutex_lock(&in->lock);
    in->filling = in->emptied;
    in->emptied = NULL;
    if (!in->filling && in->working) {
        in->held = true;
        sw_exchange_hold(in->x);
        room = ROOM_LATER;
    } else if (!in->filling) {
        room = ROOM_NONE;
    }
    pthread_mutex_unlock(&in->lock);
    return room;
}

size_t sw_intake_take(struct sw_intake *in, const void *bytes, size_t len, bool small) {
    size_t taken = 0;
    if (small && in->fill == 0) {
        in->put(in->context, bytes, len);
        return len;
    }
    while (taken < len) {
        if (in->fill == BUFFER_SIZE && !hand_over(in)) break;
        enum room room = find_room(in);
        if (room == ROOM_LATER) break;
        size_t left = len - taken,
               n = left < BUFFER_SIZE - in->fill ? left : BUFFER_SIZE - in->fill;
        if (room == ROOM_NONE)
            in->put(in->context, (const char *)bytes + taken, n);
        else
            memcpy(in->filling + in->fill, (const char *)bytes + taken, n);
        if (room == ROOM) in->fill += n;
        taken += n;
    }
    return taken;
}

static void wait_idle(struct sw_intake *in) {
    pthread_mutex_lock(&in->lock);
    while (in->working) pthread_cond_wait(&in->idle, &in->lock);
    pthread_mutex_unlock(&in->lock);
}

void sw_intake_finish(struct sw_intake *in) {
    if (!in) return;
    wait_idle(in);
    if (in->fill) in->put(in->context, in->filling, in->fill);
    buffer_put(in->pool, in->filling);
    buffer_put(in->pool, in->emptied);
    pthread_mutex_destroy(&in->lock);
    pthread_cond_destroy(&in->idle);
    free(in);
}
