#include "unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/proc.h"

static void run_collects_output_and_status(void **state) {
    struct sw_error err = {0};
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 1000);
    struct sw_proc_options o = {.argv = (const char *[]){"sh", "-c", "echo hello; cat", NULL}};
    assert_ok(sw_proc_run(&o, &out, &err), err);
    assert_str(sw_buf_str(&out), "hello\n");
    o.argv = (const char *[]){"sh", "-c", "echo why >&2; exit 7", NULL};
    assert_refused(sw_proc_run(&o, NULL, &err), SW_CHILD, err);
    assert_int_equal(err.child_status, 7);
    assert_non_null(strstr(err.text, "why"));
    o.argv = (const char *[]){"sh", "-c", "kill -9 $$", NULL};
    assert_refused(sw_proc_run(&o, NULL, &err), SW_CHILD, err);
    assert_int_equal(err.child_status, 137);
    o.argv = (const char *[]){"no-such-program-here", NULL};
    assert_refused(sw_proc_run(&o, NULL, &err), SW_NOT_FOUND, err);
    o.argv = (const char *[]){"true", NULL};
    o.workdir = "/no/such/dir";
    assert_refused(sw_proc_run(&o, NULL, &err), SW_NOT_FOUND, err);
}

static void add_one(void *counter) { atomic_fetch_add((atomic_int *)counter, 1); }

struct nest {
    struct sw_pool *pool;
    atomic_int *counter;
};

static void add_many(void *argument) {
    struct nest *n = argument;
    struct sw_group *g = sw_group_new(n->pool);
    for (int i = 0; i < 50; i++) sw_group_submit(g, add_one, n->counter);
    sw_group_free(g);
}

static void pool_runs_every_job_once_with_a_small_queue(void **state) {
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct sw_pool *pool = sw_pool_new(threads, 2);
        struct sw_group *g = sw_group_new(pool);
        atomic_int counter = 0;
        for (int i = 0; i < 5000; i++) sw_group_submit(g, add_one, &counter);
        sw_group_wait(g);
        assert_int_equal(counter, 5000);
        sw_group_free(g);
        sw_pool_free(pool);
    }
}

static void groups_may_be_used_from_outside_while_others_work(void **state) {
    struct sw_pool *pool = sw_pool_new(2, 0);
    atomic_int counter = 0;
    struct nest n = {pool, &counter};
    for (int i = 0; i < 20; i++) add_many(&n);
    assert_int_equal(counter, 1000);
    sw_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_collects_output_and_status),
        cmocka_unit_test(pool_runs_every_job_once_with_a_small_queue),
        cmocka_unit_test(groups_may_be_used_from_outside_while_others_work),
    };
    return cmocka_run_group_tests_name("base_proc", tests, NULL, NULL);
}
