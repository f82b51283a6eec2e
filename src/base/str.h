/* String views: a pointer and a length, no ownership, any bytes, no NUL.
 *
 * Floor 0. Pure. A view is valid as long as what it points into. NUL-terminated strings appear
 * only at system calls and in libraries that want them.
 */
#ifndef SW_BASE_STR_H
#define SW_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sw_str {
    const char *ptr;
    size_t len;
};

/* A view of a string literal. */
#define SW_STR(literal) ((struct sw_str){"" literal, sizeof(literal) - 1})
/* For printf: printf("%.*s", SW_ARG(view)). */
#define SW_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct sw_str sw_str(const char *text) {
    return (struct sw_str){text, text ? strlen(text) : 0};
}
static inline struct sw_str sw_str_n(const char *ptr, size_t len) {
    return (struct sw_str){ptr, len};
}
static inline bool sw_str_eq(struct sw_str a, struct sw_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool sw_str_is(struct sw_str a, const char *text) {
    return sw_str_eq(a, sw_str(text));
}

/* Byte order, as memcmp; a prefix sorts first. <0, 0, >0. */
int sw_str_cmp(struct sw_str a, struct sw_str b);
/* ASCII case-insensitive equality. */
bool sw_str_ieq(struct sw_str a, struct sw_str b);
/* A pattern in which a star stands for any bytes, also none, also slashes. */
bool sw_str_glob(struct sw_str pattern, struct sw_str text);
bool sw_str_starts(struct sw_str s, struct sw_str prefix);
bool sw_str_ends(struct sw_str s, struct sw_str suffix);
/* Index of the first or last occurrence, or SIZE_MAX. */
size_t sw_str_find(struct sw_str s, struct sw_str needle);
size_t sw_str_find_char(struct sw_str s, char c);
size_t sw_str_rfind_char(struct sw_str s, char c);
/* The part from start (clamped) of at most len bytes. */
struct sw_str sw_str_sub(struct sw_str s, size_t start, size_t len);
static inline struct sw_str sw_str_from(struct sw_str s, size_t start) {
    return sw_str_sub(s, start, SIZE_MAX);
}
/* Without ASCII white space at both ends. */
struct sw_str sw_str_trim(struct sw_str s);
/* Splits at the first sep: *ret_head before it, *ret_tail after it. False, with the whole string
 * as the head and an empty tail, where sep does not occur. ret_ pointers may alias &s's source. */
bool sw_str_cut(struct sw_str s, char sep, struct sw_str *ret_head, struct sw_str *ret_tail);
/* Takes the next field up to sep from *rest, and advances it; false when *rest.ptr is NULL (done).
 * "a,,b" gives "a", "", "b"; an empty string gives one empty field. */
bool sw_str_next(struct sw_str *rest, char sep, struct sw_str *ret_field);
/* Whole string as a number; false on anything else, overflow included. */
bool sw_str_u64(struct sw_str s, uint64_t *ret);
bool sw_str_i64(struct sw_str s, int64_t *ret);
bool sw_str_octal(struct sw_str s, uint64_t *ret);
/* Sizes as people type them: 512, 10k, 64MiB, 1.5g (units of 1024). */
bool sw_str_size(struct sw_str s, uint64_t *ret_bytes);
bool sw_str_is_utf8(struct sw_str s);

/* Edit distance (insert, delete, replace, swap of neighbours), for suggestions. Inputs are cut to
 * 64 bytes. */
size_t sw_str_distance(struct sw_str a, struct sw_str b);
/* The candidate nearest to word, or NULL where none is near enough to be meant. */
const char *sw_str_nearest(struct sw_str word, const char *const *candidates, size_t n);

#endif
