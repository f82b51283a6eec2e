/* Explanations in words. */
#include "build/explain.h"

#include "base/buf.h"

#define CHANGES_IN_LINE 3

static void put_change(struct sw_buf *to, const struct sw_step_change *c) {
    if (!c->from.ptr) {
        sw_buf_addf(to, "%.*s is new (%.*s)", SW_ARG(c->name), SW_ARG(c->to));
    } else if (!c->to.ptr) {
        sw_buf_addf(to, "%.*s is gone (was %.*s)", SW_ARG(c->name), SW_ARG(c->from));
    } else {
        sw_buf_addf(to, "%.*s changed from %.*s to %.*s", SW_ARG(c->name), SW_ARG(c->from),
                    SW_ARG(c->to));
    }
}

struct sw_str sw_step_report_line(struct sw_arena *a, const struct sw_step_report *r) {
    static const char *const whole[] = {
        [SW_WHY_HIT] = "in the cache",
        [SW_WHY_NEW] = "no earlier build of this step is known",
        [SW_WHY_EARLIER] = "the steps before it made something else",
        [SW_WHY_GONE] = "its inputs are the same as last time, but its result is not in the cache",
        [SW_WHY_NO_CACHE] = "the cache was not to be used",
    };
    if (r->why != SW_WHY_CHANGED) return sw_str(whole[r->why]);
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    size_t n = r->n_changes < CHANGES_IN_LINE ? r->n_changes : CHANGES_IN_LINE;
    for (size_t i = 0; i < n; i++) {
        if (i) sw_buf_add_text(&b, "; ");
        put_change(&b, &r->changes[i]);
    }
    if (r->n_changes + r->n_more > n)
        sw_buf_addf(&b, "; and %zu more", r->n_changes + r->n_more - n);
    return sw_arena_str(a, sw_buf_str(&b));
}
