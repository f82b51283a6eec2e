/* One pattern of an ignore file, compiled.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_PATTERN_INTERNAL_H
#define SW_DOCKERFILE_PATTERN_INTERNAL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

struct sw_pattern_item;

struct sw_pattern {
    enum {
        SW_PATTERN_EXACT,  /* the path is text */
        SW_PATTERN_PREFIX, /* "text**" */
        SW_PATTERN_SUFFIX, /* "**text", which also matches without a leading slash of text */
        SW_PATTERN_ITEMS,
    } type;
    struct sw_str text;
    /* SW_PATTERN_ITEMS: what every match starts and ends with, and has in it, to tell the many
     * paths that do not match at once. */
    struct sw_str head, tail, part;
    struct sw_pattern_item *items;
    size_t n_items;
};

/* text is cleaned and well-formed (sw_glob_check); it and the result live in the arena. SW_SYNTAX
 * for an escape or bracket that has no meaning. */
SW_NODISCARD enum sw_code sw_pattern_compile(struct sw_arena *arena, struct sw_str text,
                                             struct sw_pattern *ret, struct sw_error *err);
bool sw_pattern_match(const struct sw_pattern *pattern, struct sw_str path);
/* May some path that starts with directory and a slash match? False is certain, true is not. */
bool sw_pattern_may_match_below(const struct sw_pattern *pattern, struct sw_str directory);

#endif
