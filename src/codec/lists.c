#include "codec/lists.h"

#include <stdlib.h>

void sw_strs_add(struct sw_arena *a, struct sw_strs *list, struct sw_str s) {
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct sw_str *grown = sw_arena_array(a, cap, sizeof *grown);
        if (list->len) memcpy(grown, list->ptr, list->len * sizeof *grown);
        list->ptr = grown;
        list->cap = cap;
    }
    list->ptr[list->len++] = s;
}

bool sw_strs_has(const struct sw_strs *list, struct sw_str s) {
    for (size_t i = 0; i < list->len; i++)
        if (sw_str_eq(list->ptr[i], s)) return true;
    return false;
}

struct sw_strs sw_strs_copy(struct sw_arena *a, const struct sw_strs *list) {
    struct sw_strs copy = {0};
    if (!list->ptr) return copy;
    copy.ptr = sw_arena_array(a, list->len ? list->len : 1, sizeof *copy.ptr);
    copy.len = copy.cap = list->len;
    for (size_t i = 0; i < list->len; i++) copy.ptr[i] = sw_arena_str(a, list->ptr[i]);
    return copy;
}

bool sw_strs_eq(const struct sw_strs *x, const struct sw_strs *y) {
    if (x->len != y->len) return false;
    for (size_t i = 0; i < x->len; i++)
        if (!sw_str_eq(x->ptr[i], y->ptr[i])) return false;
    return true;
}

static struct sw_pair *find_pair(const struct sw_pairs *list, struct sw_str name) {
    for (size_t i = 0; i < list->len; i++)
        if (sw_str_eq(list->ptr[i].name, name)) return &list->ptr[i];
    return NULL;
}

bool sw_pairs_get(const struct sw_pairs *list, struct sw_str name, struct sw_str *ret) {
    const struct sw_pair *pair = find_pair(list, name);
    if (pair) *ret = pair->value;
    return pair != NULL;
}

void sw_pairs_add(struct sw_arena *a, struct sw_pairs *list, struct sw_str name,
                  struct sw_str value) {
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct sw_pair *grown = sw_arena_array(a, cap, sizeof *grown);
        if (list->len) memcpy(grown, list->ptr, list->len * sizeof *grown);
        list->ptr = grown;
        list->cap = cap;
    }
    list->ptr[list->len++] = (struct sw_pair){name, value};
}

void sw_pairs_set(struct sw_arena *a, struct sw_pairs *list, struct sw_str name,
                  struct sw_str value) {
    struct sw_pair *pair = find_pair(list, name);
    if (pair)
        pair->value = value;
    else
        sw_pairs_add(a, list, name, value);
}

bool sw_pairs_remove(struct sw_pairs *list, struct sw_str name) {
    struct sw_pair *pair = find_pair(list, name);
    if (!pair) return false;
    size_t at = (size_t)(pair - list->ptr);
    memmove(pair, pair + 1, (list->len - at - 1) * sizeof *pair);
    list->len--;
    return true;
}

struct sw_pairs sw_pairs_copy(struct sw_arena *a, const struct sw_pairs *list) {
    struct sw_pairs copy = {0};
    if (!list->ptr) return copy;
    copy.ptr = sw_arena_array(a, list->len ? list->len : 1, sizeof *copy.ptr);
    copy.len = copy.cap = list->len;
    for (size_t i = 0; i < list->len; i++) {
        copy.ptr[i].name = sw_arena_str(a, list->ptr[i].name);
        copy.ptr[i].value = sw_arena_str(a, list->ptr[i].value);
    }
    return copy;
}

/* The values decide between equal names, so that the result does not depend on qsort. */
static int by_name(const void *x, const void *y) {
    const struct sw_pair *a = x, *b = y;
    int order = sw_str_cmp(a->name, b->name);
    return order ? order : sw_str_cmp(a->value, b->value);
}

void sw_pairs_sort(struct sw_pairs *list) {
    if (list->len > 1) qsort(list->ptr, list->len, sizeof *list->ptr, by_name);
}

static int by_bytes(const void *x, const void *y) {
    const struct sw_str *a = x, *b = y;
    return sw_str_cmp(*a, *b);
}

void sw_strs_sort(struct sw_strs *list) {
    if (list->len > 1) qsort(list->ptr, list->len, sizeof *list->ptr, by_bytes);
}
