/* Memory for one unit of work (a request, a step, a document), given back at once.
 *
 * Floor 0. Not for sharing between threads without a lock. The cap is soft: an allocation that
 * passes it still succeeds, but sw_arena_check() then fails. Every loop over outside data calls it
 * (or is bounded by the size of an input that was itself limited), so that the code between two
 * checks needs no tests for NULL.
 */
#ifndef SW_BASE_ARENA_H
#define SW_BASE_ARENA_H

#include "base/error.h"
#include "base/str.h"

struct sw_arena_block;

struct sw_arena {
    struct sw_arena_block *blocks; /* owned, newest first */
    size_t used;                   /* bytes given out */
    size_t cap;                    /* bytes that may be given out before _check fails */
};

/* cap in bytes; 0 stands for 64 MiB. */
void sw_arena_init(struct sw_arena *a, size_t cap);
void sw_arena_done(struct sw_arena *a);
#define SW_ARENA SW_CLEANUP(sw_arena_done)

/* Zeroed memory, aligned for any type. Never NULL. */
void *sw_arena_alloc(struct sw_arena *a, size_t size) __attribute__((returns_nonnull));
/* An array of n zeroed elements; the product is checked. */
void *sw_arena_array(struct sw_arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
#define SW_NEW(arena, type) ((type *)sw_arena_alloc(arena, sizeof(type)))
/* Copies; the copy of a view is followed by a NUL that its length does not count. */
struct sw_str sw_arena_str(struct sw_arena *a, struct sw_str s);
char *sw_arena_cstr(struct sw_arena *a, struct sw_str s) __attribute__((returns_nonnull));
struct sw_str sw_arena_printf(struct sw_arena *a, const char *fmt, ...) SW_PRINTF(2, 3);

/* SW_LIMIT "WHAT needs more than N bytes of memory" once the cap is passed. */
SW_NODISCARD enum sw_code sw_arena_check(const struct sw_arena *a, const char *what,
                                         struct sw_error *err);

#endif
