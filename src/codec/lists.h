/* Lists that documents are made of: strings, and pairs of strings. In an arena.
 *
 * Floor 1. Pure. Lists are small (tens of entries): looking up is a walk.
 */
#ifndef SW_CODEC_LISTS_H
#define SW_CODEC_LISTS_H

#include "base/arena.h"
#include "base/str.h"

struct sw_strs {
    struct sw_str *ptr; /* arena; NULL where the list is absent */
    size_t len;
    size_t cap; /* slots at ptr; managed by _add */
};

struct sw_pair {
    struct sw_str name, value;
};

struct sw_pairs {
    struct sw_pair *ptr; /* arena; NULL where the list is absent */
    size_t len;
    size_t cap; /* slots at ptr; managed by _add and _set */
};

/* Appends. The view is kept, not copied. */
void sw_strs_add(struct sw_arena *a, struct sw_strs *list, struct sw_str s);
bool sw_strs_has(const struct sw_strs *list, struct sw_str s);
/* A copy of the list and of the bytes, nothing shared. */
struct sw_strs sw_strs_copy(struct sw_arena *a, const struct sw_strs *list);
bool sw_strs_eq(const struct sw_strs *x, const struct sw_strs *y);
/* Bytewise. */
void sw_strs_sort(struct sw_strs *list);

/* The value of the first pair of that name; false (and *ret untouched) where there is none. */
bool sw_pairs_get(const struct sw_pairs *list, struct sw_str name, struct sw_str *ret);
/* Replaces the value in place, or appends. The views are kept, not copied. */
void sw_pairs_set(struct sw_arena *a, struct sw_pairs *list, struct sw_str name,
                  struct sw_str value);
/* Appends, whatever is there. The views are kept, not copied. */
void sw_pairs_add(struct sw_arena *a, struct sw_pairs *list, struct sw_str name,
                  struct sw_str value);
bool sw_pairs_remove(struct sw_pairs *list, struct sw_str name);
struct sw_pairs sw_pairs_copy(struct sw_arena *a, const struct sw_pairs *list);
/* By name, then by value, bytewise. */
void sw_pairs_sort(struct sw_pairs *list);

#endif
