/* Why a step was, or was not, in the cache.
 *
 * Floor 5. The last build of each context and Dockerfile is remembered: the key of every step and
 * the parts it was made of (docs/format/explain.md). A step whose key is another now is compared
 * with what it was, part by part. Where no key has changed, nothing is compared nor written.
 */
#ifndef SW_BUILD_EXPLAIN_H
#define SW_BUILD_EXPLAIN_H

#include "base/arena.h"
#include "codec/digest.h"

/* One input that is not as it was. */
struct sw_step_change {
    struct sw_str name;     /* "file main.go", "variable GOFLAGS", "command" */
    struct sw_str from, to; /* ptr NULL: there was none, there is none any more */
};

enum sw_step_why {
    SW_WHY_HIT,
    SW_WHY_CHANGED, /* see changes */
    SW_WHY_NEW,     /* nothing is known of an earlier build of this step */
    SW_WHY_EARLIER, /* only what the steps before it made has changed */
    SW_WHY_GONE, /* the same inputs as last time, but the cache has no result of them (any more) */
    SW_WHY_NO_CACHE, /* it was told not to look */
};

#define SW_STEP_CHANGES_MAX 32 /* that are kept of one step; further ones are counted */

struct sw_step_report {
    struct sw_str stage; /* label; "" where there is one stage */
    struct sw_str text;  /* the instruction */
    unsigned line;
    unsigned number; /* in its stage, from 1 */
    enum sw_step_why why;
    const struct sw_step_change *changes;
    size_t n_changes, n_more;
    size_t n_costs; /* later steps that missed because this one did */
    char key[SW_DIGEST_TEXT_MAX];
};

/* "miss because: file main.go changed from X to Y, and 3 more": one line, for messages. Arena. */
struct sw_str sw_step_report_line(struct sw_arena *a, const struct sw_step_report *r);

#endif
