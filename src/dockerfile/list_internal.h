/* Growing lists whose memory is an arena's.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_LIST_INTERNAL_H
#define SW_DOCKERFILE_LIST_INTERNAL_H

#include "base/arena.h"
#include "dockerfile/ast.h"

/* The array with room for one more than n elements of the given size: moved when *cap is used up,
 * and then the old memory stays with the arena. */
void *sw_df_grow(struct sw_arena *arena, void *items, size_t n, size_t *cap, size_t size);

/* items, n and cap are lvalues of the list; yields a pointer to a new zeroed element. */
#define SW_DF_PUSH(arena, items, n, cap)                                                           \
    ((items) = sw_df_grow((arena), (items), (n), &(cap), sizeof *(items)), &(items)[(n)++])

struct sw_df_list {
    struct sw_df_words words;
    size_t cap;
};
static inline void sw_df_list_add(struct sw_arena *arena, struct sw_df_list *list,
                                  struct sw_str s) {
    *SW_DF_PUSH(arena, list->words.items, list->words.n, list->cap) = s;
}

#endif
