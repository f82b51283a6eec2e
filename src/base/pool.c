#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

struct job {
    void (*run)(void *);
    void *argument;
    struct sw_group *group;
};

struct sw_pool {
    pthread_mutex_t lock;
    pthread_cond_t not_empty; /* a job was queued, or the pool ends */
    pthread_cond_t not_full;  /* a job was taken */
    pthread_cond_t finished;  /* a group's last job ended, or there is a job to lend a hand to */
    struct job *ring;
    unsigned head, count, max;
    bool ending;
    unsigned n_threads;
    pthread_t *threads;
};

struct sw_group {
    struct sw_pool *pool;
    size_t pending; /* submitted and not ended; under the pool's lock */
};

unsigned sw_cpu_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : (unsigned)n;
}

/* Runs the oldest job. Called with the lock held and at least one job; returns with it held. */
static void run_one(struct sw_pool *pool) {
    struct job job = pool->ring[pool->head];
    pool->head = (pool->head + 1) % pool->max;
    pool->count--;
    pthread_cond_signal(&pool->not_full);
    pthread_mutex_unlock(&pool->lock);
    job.run(job.argument);
    pthread_mutex_lock(&pool->lock);
    if (--job.group->pending == 0) pthread_cond_broadcast(&pool->finished);
}

static void *work(void *argument) {
    struct sw_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        if (pool->count) {
            run_one(pool);
        } else if (pool->ending) {
            break;
        } else {
            pthread_cond_wait(&pool->not_empty, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct sw_pool *sw_pool_new(unsigned n_threads, unsigned queue_max) {
    struct sw_pool *pool = sw_calloc(1, sizeof *pool);
    if (!n_threads) n_threads = sw_cpu_count();
    pool->max = queue_max ? queue_max : n_threads * 4;
    pool->ring = sw_calloc(pool->max, sizeof *pool->ring);
    pool->threads = sw_calloc(n_threads, sizeof *pool->threads);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->not_empty, NULL);
    pthread_cond_init(&pool->not_full, NULL);
    pthread_cond_init(&pool->finished, NULL);
    /* Signals belong to the main thread. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool->n_threads < n_threads &&
           pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0)
        pool->n_threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pool; /* without any thread, groups do the work when they wait */
}

void sw_pool_free(struct sw_pool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->not_empty);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->not_empty);
    pthread_cond_destroy(&pool->not_full);
    pthread_cond_destroy(&pool->finished);
    free(pool->ring);
    free(pool->threads);
    free(pool);
}

unsigned sw_pool_threads(const struct sw_pool *pool) { return pool->n_threads; }

struct sw_group *sw_group_new(struct sw_pool *pool) {
    struct sw_group *group = sw_calloc(1, sizeof *group);
    group->pool = pool;
    return group;
}

void sw_group_free(struct sw_group *group) {
    if (!group) return;
    sw_group_wait(group);
    free(group);
}

void sw_group_submit(struct sw_group *group, void (*job)(void *), void *argument) {
    struct sw_pool *pool = group->pool;
    pthread_mutex_lock(&pool->lock);
    while (pool->count == pool->max) {
        if (pool->n_threads) {
            pthread_cond_wait(&pool->not_full, &pool->lock);
        } else {
            run_one(pool);
        }
    }
    pool->ring[(pool->head + pool->count) % pool->max] = (struct job){job, argument, group};
    pool->count++;
    group->pending++;
    pthread_cond_signal(&pool->not_empty);
    pthread_cond_broadcast(&pool->finished);
    pthread_mutex_unlock(&pool->lock);
}

void sw_group_wait(struct sw_group *group) {
    struct sw_pool *pool = group->pool;
    pthread_mutex_lock(&pool->lock);
    while (group->pending) {
        if (pool->count) {
            run_one(pool);
        } else {
            pthread_cond_wait(&pool->finished, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}
