/* The patterns of ${v#p}, ${v%p} and ${v/p/r}.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_SUBST_INTERNAL_H
#define SW_DOCKERFILE_SUBST_INTERNAL_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* Removes from the start (or end) of value the shortest (greedy: longest) part that the pattern
 * matches; appends what is left to out. SW_SYNTAX for a bad escape in the pattern. */
SW_NODISCARD enum sw_code sw_subst_trim_prefix(struct sw_str pattern, struct sw_str value,
                                               bool greedy, struct sw_buf *out,
                                               struct sw_error *err);
SW_NODISCARD enum sw_code sw_subst_trim_suffix(struct sw_str pattern, struct sw_str value,
                                               bool greedy, struct sw_buf *out,
                                               struct sw_error *err);
/* Replaces the first (all: every) longest match of the pattern. */
SW_NODISCARD enum sw_code sw_subst_replace(struct sw_str pattern, struct sw_str value,
                                           struct sw_str replacement, bool all, struct sw_buf *out,
                                           struct sw_error *err);

#endif
