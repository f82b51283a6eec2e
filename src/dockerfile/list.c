#include "dockerfile/list_internal.h"

void *sw_df_grow(struct sw_arena *arena, void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return items;
    *cap = *cap ? *cap * 2 : 4;
    void *moved = sw_arena_array(arena, *cap, size);
    if (n > 0) memcpy(moved, items, n * size);
    return moved;
}
