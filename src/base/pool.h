/* Worker threads with a bounded queue.
 *
 * Floor 0. Thread-safe. Submitting blocks while the queue is full, so memory stays bounded. A job
 * must not wait for a job of the same pool; a group waits from outside, and lends its own thread
 * to the queue while it does, so that groups may also be used from jobs.
 */
#ifndef SW_BASE_POOL_H
#define SW_BASE_POOL_H

#include <stddef.h>

struct sw_pool;
struct sw_group; /* jobs that are waited for together */

/* n_threads 0: the processors this process may use. queue_max 0: 4 per thread. */
struct sw_pool *sw_pool_new(unsigned n_threads, unsigned queue_max);
/* Finishes what is queued, then ends the threads. */
void sw_pool_free(struct sw_pool *pool);
unsigned sw_pool_threads(const struct sw_pool *pool);
/* Processors this process may use (sched_getaffinity), at least 1. */
unsigned sw_cpu_count(void);

struct sw_group *sw_group_new(struct sw_pool *pool);
/* Waits first. */
void sw_group_free(struct sw_group *group);
/* Runs job(argument) on some thread, soon. A job reports its failure through its argument. */
void sw_group_submit(struct sw_group *group, void (*job)(void *argument), void *argument);
/* Returns when every job of the group has ended, running queued ones meanwhile. */
void sw_group_wait(struct sw_group *group);

#endif
