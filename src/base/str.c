#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c; }

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

int sw_str_cmp(struct sw_str a, struct sw_str b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool sw_str_glob(struct sw_str pattern, struct sw_str text) {
    size_t star = SIZE_MAX, mark = 0, p = 0, t = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

bool sw_str_ieq(struct sw_str a, struct sw_str b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
    return true;
}

bool sw_str_starts(struct sw_str s, struct sw_str prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool sw_str_ends(struct sw_str s, struct sw_str suffix) {
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

size_t sw_str_find(struct sw_str s, struct sw_str needle) {
    if (needle.len == 0) return 0;
    if (s.len < needle.len) return SIZE_MAX;
    const char *hit = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

size_t sw_str_find_char(struct sw_str s, char c) {
    const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

size_t sw_str_rfind_char(struct sw_str s, char c) {
    const char *hit = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

struct sw_str sw_str_sub(struct sw_str s, size_t start, size_t len) {
    if (start > s.len) start = s.len;
    if (len > s.len - start) len = s.len - start;
    return (struct sw_str){s.ptr ? s.ptr + start : NULL, len};
}

struct sw_str sw_str_trim(struct sw_str s) {
    while (s.len && is_space(s.ptr[0])) s = sw_str_from(s, 1);
    while (s.len && is_space(s.ptr[s.len - 1])) s.len--;
    return s;
}

bool sw_str_cut(struct sw_str s, char sep, struct sw_str *ret_head, struct sw_str *ret_tail) {
    size_t at = sw_str_find_char(s, sep);
    if (at == SIZE_MAX) {
        *ret_head = s;
        *ret_tail = (struct sw_str){s.ptr ? s.ptr + s.len : NULL, 0};
        return false;
    }
    *ret_head = sw_str_sub(s, 0, at);
    *ret_tail = sw_str_from(s, at + 1);
    return true;
}

bool sw_str_next(struct sw_str *rest, char sep, struct sw_str *ret_field) {
    if (!rest->ptr) return false;
    struct sw_str head, tail;
    if (!sw_str_cut(*rest, sep, &head, &tail)) tail = (struct sw_str){NULL, 0};
    *ret_field = head;
    *rest = tail;
    return true;
}

static bool parse_base(struct sw_str s, unsigned base, uint64_t *ret) {
    uint64_t value = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (s.ptr[i] < '0' || digit >= base) return false;
        if (__builtin_mul_overflow(value, (uint64_t)base, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)digit, &value)) return false;
    }
    *ret = value;
    return true;
}

bool sw_str_u64(struct sw_str s, uint64_t *ret) { return parse_base(s, 10, ret); }

bool sw_str_octal(struct sw_str s, uint64_t *ret) { return parse_base(s, 8, ret); }

bool sw_str_i64(struct sw_str s, int64_t *ret) {
    uint64_t magnitude;
    bool negative = s.len && s.ptr[0] == '-';
    if (!parse_base(sw_str_from(s, negative ? 1 : 0), 10, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool sw_str_size(struct sw_str s, uint64_t *ret_bytes) {
    size_t digits = 0;
    while (digits < s.len && (isdigit((unsigned char)s.ptr[digits]) || s.ptr[digits] == '.'))
        digits++;
    char number[32];
    if (digits == 0 || digits >= sizeof number) return false;
    memcpy(number, s.ptr, digits);
    number[digits] = 0;
    char *end;
    double value = strtod(number, &end);
    if (*end) return false;
    struct sw_str unit = sw_str_from(s, digits);
    unsigned shift = 0;
    if (unit.len) {
        static const char letters[] = "bkmgt";
        const char *hit = strchr(letters, lower(unit.ptr[0]));
        if (!hit || !*hit) return false;
        shift = (unsigned)(hit - letters) * 10;
        struct sw_str tail = sw_str_from(unit, 1);
        if (tail.len &&
            !(shift && (sw_str_ieq(tail, SW_STR("b")) || sw_str_ieq(tail, SW_STR("ib")))))
            return false;
    }
    value *= (double)(1ull << shift);
    if (value < 0 || value >= 9.2e18) return false;
    *ret_bytes = (uint64_t)value;
    return true;
}

bool sw_str_is_utf8(struct sw_str s) {
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t more = c < 0x80             ? 0
                      : (c & 0xe0) == 0xc0 ? 1
                      : (c & 0xf0) == 0xe0 ? 2
                      : (c & 0xf8) == 0xf0 ? 3
                                           : 9;
        if (more == 9 || i + more >= s.len + (more == 0)) return false;
        uint32_t point = more == 0 ? c : c & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            unsigned char d = (unsigned char)s.ptr[i + k];
            if ((d & 0xc0) != 0x80) return false;
            point = point << 6 | (d & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return false;
        i += more + 1;
    }
    return true;
}

#define DISTANCE_MAX 64

size_t sw_str_distance(struct sw_str a, struct sw_str b) {
    size_t rows[3][DISTANCE_MAX + 1];
    a = sw_str_sub(a, 0, DISTANCE_MAX);
    b = sw_str_sub(b, 0, DISTANCE_MAX);
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.len; j++) last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.len];
}

const char *sw_str_nearest(struct sw_str word, const char *const *candidates, size_t n) {
    const char *best = NULL;
    /* A third of the letters may differ; short words allow one. */
    size_t limit = word.len / 3 + 1, best_distance = limit + 1;
    for (size_t i = 0; i < n; i++) {
        if (!candidates[i]) continue;
        size_t d = sw_str_distance(word, sw_str(candidates[i]));
        if (d < best_distance && d < word.len) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
