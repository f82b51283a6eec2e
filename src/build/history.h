/* What an image's history says of an instruction (created_by): the texts that BuildKit writes, so
 * that programs that read a history back into a Dockerfile understand ours. Values are the expanded
 * ones.
 *
 * Floor 5. Pure; texts are in the arena.
 */
#ifndef SW_BUILD_HISTORY_H
#define SW_BUILD_HISTORY_H

#include "base/arena.h"
#include "dockerfile/ast.h"
#include "oci/config.h"

/* "ENV A=1 B=2", "LABEL ..." and "ARG A B=2" (a value with ptr NULL: none). */
struct sw_str sw_history_pairs(struct sw_arena *arena, const char *name,
                               const struct sw_df_pairs *pairs);
/* "VOLUME [/a /b]", "SHELL [/bin/sh -c]". */
struct sw_str sw_history_list(struct sw_arena *arena, const char *name, const struct sw_strs *list);
/* CMD ["a" "b"]: every word quoted. */
struct sw_str sw_history_argv(struct sw_arena *arena, const char *name, const struct sw_strs *argv);
/* "HEALTHCHECK {Test:[CMD a b] Interval:5s ...}". */
struct sw_str sw_history_health(struct sw_arena *arena, const struct sw_healthcheck *check);

#endif
