#include "dockerfile/glob.h"

#include "dockerfile/rune_internal.h"

static struct sw_str skip(struct sw_str s, size_t n) { return sw_str_from(s, n); }

/* One end of a range in brackets; something must follow it. */
static bool take_bound(struct sw_str *p, uint32_t *ret) {
    if (p->len > 0 && p->ptr[0] == '\\')
        *p = skip(*p, 1);
    else if (p->len > 0 && (p->ptr[0] == '-' || p->ptr[0] == ']'))
        return false;
    if (p->len == 0) return false;
    size_t len;
    *ret = sw_rune_decode(*p, &len);
    if (*ret == SW_RUNE_BAD && len == 1) return false;
    *p = skip(*p, len);
    return p->len > 0;
}

/* Reads a bracket expression after its "["; *ret_match says whether rune is in it. */
static bool take_class(struct sw_str *p, uint32_t rune, bool *ret_match) {
    bool negated = p->len > 0 && p->ptr[0] == '^', in = false;
    if (negated) *p = skip(*p, 1);
    for (bool first = true; first || p->ptr[0] != ']'; first = false) {
        uint32_t low, high;
        if (!take_bound(p, &low)) return false;
        high = low;
        if (p->ptr[0] == '-') {
            *p = skip(*p, 1);
            if (!take_bound(p, &high)) return false;
        }
        in = in || (low <= rune && rune <= high);
    }
    *p = skip(*p, 1);
    *ret_match = in != negated;
    return true;
}

enum sw_code sw_glob_check(struct sw_str pattern, struct sw_error *err) {
    struct sw_str p = pattern;
    bool good = true, ignored;
    while (good && p.len > 0) {
        char c = p.ptr[0];
        p = skip(p, 1);
        if (c == '[')
            good = take_class(&p, 0, &ignored);
        else if (c == '\\')
            good = p.len > 0, p = skip(p, 1);
    }
    if (good) return SW_OK;
    return sw_fail(err, SW_SYNTAX,
                   "malformed pattern \"%.*s\": a bracket is open, empty or has a bad range, or a "
                   "backslash stands at the end",
                   SW_ARG(pattern));
}

/* Matches the pattern up to its next star (or end) at the start of name. Both advance on success.
 */
static bool match_chunk(struct sw_str *pattern, struct sw_str *name) {
    struct sw_str p = *pattern, s = *name;
    while (p.len > 0 && p.ptr[0] != '*') {
        if (s.len == 0) return false;
        size_t len = 1;
        uint32_t rune = sw_rune_decode(s, &len);
        char c = p.ptr[0];
        p = skip(p, 1);
        if (c == '[') {
            bool in;
            if (!take_class(&p, rune, &in) || !in) return false;
        } else if (c == '?') {
            if (s.ptr[0] == '/') return false;
        } else {
            if (c == '\\') {
                c = p.ptr[0];
                p = skip(p, 1);
            }
            if (c != s.ptr[0]) return false;
            len = 1;
        }
        s = skip(s, len);
    }
    *pattern = p;
    *name = s;
    return true;
}

/* A well-formed pattern. A star takes the shortest part after which the pattern up to the next star
 * fits; taking more could not help, because a later star can take it as well. */
static bool match(struct sw_str p, struct sw_str s) {
    while (p.len > 0) {
        bool star = p.ptr[0] == '*';
        while (p.len > 0 && p.ptr[0] == '*') p = skip(p, 1);
        if (star && p.len == 0) return sw_str_find_char(s, '/') == SIZE_MAX;
        for (;;) {
            struct sw_str pattern = p, rest = s;
            if (match_chunk(&pattern, &rest) && (pattern.len > 0 || rest.len == 0)) {
                p = pattern;
                s = rest;
                break;
            }
            if (!star || s.len == 0 || s.ptr[0] == '/') return false;
            s = skip(s, 1);
        }
    }
    return s.len == 0;
}

enum sw_code sw_glob_match(struct sw_str pattern, struct sw_str name, bool *ret_match,
                           struct sw_error *err) {
    enum sw_code code = sw_glob_check(pattern, err);
    if (!code) *ret_match = match(pattern, name);
    return code;
}

bool sw_glob_has_wildcards(struct sw_str path) {
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '*' || c == '?' || c == '[') return true;
        if (c == '\\') i++;
    }
    return false;
}

void sw_glob_split(struct sw_str path, struct sw_str *ret_dir, struct sw_str *ret_pattern) {
    struct sw_str rest = path, part;
    while (sw_str_next(&rest, '/', &part)) {
        if (!sw_glob_has_wildcards(part)) continue;
        size_t at = (size_t)(part.ptr - path.ptr);
        size_t dir = at > 1 ? at - 1 : at; /* without the slash, but "/" itself stays */
        *ret_dir = sw_str_sub(path, 0, dir);
        *ret_pattern = sw_str_from(path, at);
        return;
    }
    *ret_dir = path;
    *ret_pattern = sw_str_sub(path, path.len, 0);
}
