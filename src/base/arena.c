#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define BLOCK_SIZE ((size_t)16 * 1024) /* most documents fit in one or two */
#define ALIGNMENT _Alignof(max_align_t)

struct sw_arena_block {
    struct sw_arena_block *next;
    size_t len, cap;
    _Alignas(max_align_t) char data[];
};

void sw_arena_init(struct sw_arena *a, size_t cap) {
    *a = (struct sw_arena){.cap = cap ? cap : (size_t)64 << 20};
}

void sw_arena_done(struct sw_arena *a) {
    while (a->blocks) {
        struct sw_arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

void *sw_arena_alloc(struct sw_arena *a, size_t size) {
    size_t rounded = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (rounded < size) rounded = size;
    struct sw_arena_block *b = a->blocks;
    if (!b || b->cap - b->len < rounded) {
        size_t cap = rounded > BLOCK_SIZE / 4 ? rounded : BLOCK_SIZE;
        b = sw_calloc(1, sizeof *b + cap);
        b->cap = cap;
        /* A block of its own for a large piece goes behind the current one, which has room left. */
        if (cap == rounded && a->blocks) {
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else {
            b->next = a->blocks;
            a->blocks = b;
        }
    }
    void *p = b->data + b->len;
    b->len += rounded;
    a->used += rounded;
    return p;
}

void *sw_arena_array(struct sw_arena *a, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return sw_calloc(n, size); /* which aborts */
    return sw_arena_alloc(a, bytes);
}

char *sw_arena_cstr(struct sw_arena *a, struct sw_str s) {
    char *copy = sw_arena_alloc(a, s.len + 1);
    if (s.len) memcpy(copy, s.ptr, s.len);
    return copy;
}

struct sw_str sw_arena_str(struct sw_arena *a, struct sw_str s) {
    return (struct sw_str){sw_arena_cstr(a, s), s.len};
}

struct sw_str sw_arena_printf(struct sw_arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    char *text = sw_arena_alloc(a, len + 1);
    vsnprintf(text, len + 1, fmt, again);
    va_end(again);
    return (struct sw_str){text, len};
}

enum sw_code sw_arena_check(const struct sw_arena *a, const char *what, struct sw_error *err) {
    if (a->used <= a->cap) return SW_OK;
    return sw_fail(err, SW_LIMIT, "%s needs more than %zu bytes of memory", what, a->cap);
}
