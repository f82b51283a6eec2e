/* The recorder behind build/explain.h. Private to the room.
 *
 * One per build. Stages report from their threads; the recorder has its own lock.
 */
#ifndef SW_BUILD_EXPLAIN_INTERNAL_H
#define SW_BUILD_EXPLAIN_INTERNAL_H

#include "build/cache_key.h"
#include "build/explain.h"

struct sw_build;
struct sw_stage;
struct sw_copy;
struct sw_explain;
struct sw_explained; /* one step */

/* Reads what is remembered of the last build; never fails: what cannot be read is not known. */
struct sw_explain *sw_explain_new(struct sw_build *b);
/* Writes what has changed (nothing where nothing has). */
void sw_explain_save(struct sw_explain *e);
void sw_explain_free(struct sw_explain *e);

/* The stage's current instruction has this key, made of these parts. */
void sw_explain_run(struct sw_stage *s, const struct sw_digest *key, const struct sw_key *parts);
/* The same for COPY, whose parts are its entries. */
void sw_explain_copy(struct sw_stage *s, const struct sw_digest *key, const struct sw_copy *copy);
/* The same where the entries were not looked at. */
void sw_explain_known(struct sw_stage *s, const struct sw_digest *key);
/* What became of it. */
void sw_explain_hit(struct sw_stage *s);
void sw_explain_miss(struct sw_stage *s);
/* The failure of --fail-on-miss, with what has changed. */
SW_NODISCARD enum sw_code sw_explain_refuse(struct sw_stage *s, struct sw_error *err);
/* A step of this build that has a key. */
struct sw_used_step {
    struct sw_digest key;
    bool exported; /* of the result, not of a stage beside it */
    bool is_run;
};
typedef enum sw_code sw_used_step_fn(void *ctx, const struct sw_used_step *step,
                                     struct sw_error *err);
/* Every one, in the order of the Dockerfile. After the stages. */
SW_NODISCARD enum sw_code sw_explain_keys(struct sw_explain *e, sw_used_step_fn *each, void *ctx,
                                          struct sw_error *err);
/* All keyed steps, in the order of the Dockerfile, in the arena. */
void sw_explain_reports(struct sw_explain *e, struct sw_arena *a, struct sw_step_report **ret,
                        size_t *ret_n);

#endif
