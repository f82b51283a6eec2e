/* DESIGN
 *
 * BuildKit turns such a pattern into a regular expression: "*" is ".*" (or ".*?"), "?" is ".", and
 * neither matches a newline. Its matches are those of a backtracking matcher: the leftmost one, and
 * from there each star as long (or short) as the rest allows, in order. The table below gives the
 * same answer without backtracking. end[i] is where the match that starts at rune i of the value,
 * at the current place of the pattern, ends; it is filled from the last place of the pattern to the
 * first. Work is the product of the two lengths, memory that of the value. */
#include "dockerfile/subst_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dockerfile/limits.h"
#include "dockerfile/rune_internal.h"

#define STAR UINT32_MAX
#define ANY (UINT32_MAX - 1)
#define NO_MATCH UINT32_MAX

struct runes {
    uint32_t *items; /* owned */
    uint32_t *width; /* owned; bytes of each in the value */
    size_t n;
};

static void runes_done(struct runes *r) {
    free(r->items);
    free(r->width);
}
#define RUNES SW_CLEANUP(runes_done)

static void decode(struct sw_str s, struct runes *ret) {
    ret->items = sw_reallocarray(NULL, s.len + 1, sizeof *ret->items);
    ret->width = sw_reallocarray(NULL, s.len + 1, sizeof *ret->width);
    ret->n = 0;
    while (s.len > 0) {
        size_t len;
        ret->items[ret->n] = sw_rune_decode(s, &len);
        ret->width[ret->n++] = (uint32_t)len;
        s = sw_str_from(s, len);
    }
}

static void reverse(uint32_t *items, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        uint32_t kept = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = kept;
    }
}

/* Reverses a pattern but keeps each backslash in front of what it escapes. */
static void reverse_pattern(struct runes *p) {
    reverse(p->items, p->n);
    /* Seen from its end, which was its start, the first backslash that comes escapes the next. */
    for (size_t i = p->n; i-- > 1;) {
        if (p->items[i] != '\\') continue;
        p->items[i] = p->items[i - 1];
        p->items[i - 1] = '\\';
        i--;
    }
}

/* Turns escapes and wildcards into tokens, in place. A backslash escapes * ? and itself; before }
 * and / it only kept them from ending the pattern. */
static enum sw_code tokenize(struct runes *p, struct sw_str pattern, struct sw_error *err) {
    size_t n = 0;
    size_t start = p->n > 0 && p->items[0] == SW_RUNE_MARK ? 1 : 0;
    for (size_t i = start; i < p->n; i++) {
        uint32_t rune = p->items[i];
        if (rune == '\\') {
            uint32_t next = i + 1 < p->n ? p->items[i + 1] : 0;
            if (next == '}' || next == '/') continue;
            if (next != '*' && next != '?' && next != '\\')
                return sw_fail(err, SW_SYNTAX,
                               "bad escape in the pattern \"%.*s\": \\ may stand before * ? \\ } "
                               "and / only",
                               SW_ARG(pattern));
            p->items[n++] = next;
            i++;
        } else {
            p->items[n++] = rune == '*' ? STAR : rune == '?' ? ANY : rune;
        }
    }
    p->n = n;
    return SW_OK;
}

static enum sw_code check_work(size_t pattern, size_t value, struct sw_error *err) {
    if (pattern > 0 && value > SW_DF_SUBST_WORK_MAX / pattern)
        return sw_fail(err, SW_LIMIT,
                       "a pattern of %zu characters on a value of %zu takes too long", pattern,
                       value);
    return SW_OK;
}

/* Fills end[0..v->n] for the whole pattern. */
static void match(const struct runes *p, const struct runes *v, bool greedy, uint32_t *end) {
    for (size_t i = 0; i <= v->n; i++) end[i] = (uint32_t)i;
    for (size_t k = p->n; k-- > 0;) {
        uint32_t token = p->items[k];
        if (token == STAR) {
            /* From the right: end[i + 1] is already that of the star itself. */
            for (size_t i = v->n; i-- > 0;) {
                bool more = v->items[i] != '\n' && end[i + 1] != NO_MATCH;
                if (more && (greedy || end[i] == NO_MATCH)) end[i] = end[i + 1];
            }
            continue;
        }
        for (size_t i = 0; i < v->n; i++) {
            bool fits = token == ANY ? v->items[i] != '\n' : v->items[i] == token;
            end[i] = fits ? end[i + 1] : NO_MATCH;
        }
        end[v->n] = NO_MATCH;
    }
}

static size_t bytes_of(const struct runes *v, size_t first, size_t end) {
    size_t bytes = 0;
    for (size_t i = first; i < end; i++) bytes += v->width[i];
    return bytes;
}

static enum sw_code trim(struct sw_str pattern, struct sw_str value, bool greedy, bool suffix,
                         struct sw_buf *out, struct sw_error *err) {
    RUNES struct runes p = {0}, v = {0};
    decode(pattern, &p);
    decode(value, &v);
    /* The shortest match at the end is the leftmost one of everything reversed. */
    if (suffix) {
        reverse_pattern(&p);
        reverse(v.items, v.n);
        reverse(v.width, v.n);
    }
    enum sw_code code = check_work(p.n, v.n, err);
    if (!code) code = tokenize(&p, pattern, err);
    if (code) return code;
    SW_FREE uint32_t *end = sw_reallocarray(NULL, v.n + 1, sizeof *end);
    match(&p, &v, greedy, end);
    size_t cut = end[0] == NO_MATCH ? 0 : bytes_of(&v, 0, end[0]);
    sw_buf_add(out, suffix ? sw_str_sub(value, 0, value.len - cut) : sw_str_from(value, cut));
    return SW_OK;
}

enum sw_code sw_subst_trim_prefix(struct sw_str pattern, struct sw_str value, bool greedy,
                                  struct sw_buf *out, struct sw_error *err) {
    return trim(pattern, value, greedy, false, out, err);
}

enum sw_code sw_subst_trim_suffix(struct sw_str pattern, struct sw_str value, bool greedy,
                                  struct sw_buf *out, struct sw_error *err) {
    return trim(pattern, value, greedy, true, out, err);
}

/* The name after a $ in a replacement, as Go's regexp.Expand reads it; *ret_len bytes of s, braces
 * included, or false where the $ is text. */
static bool template_name(struct sw_str s, struct sw_str *ret_name, size_t *ret_len) {
    bool brace = s.len > 0 && s.ptr[0] == '{';
    size_t at = brace, len;
    while (at < s.len) {
        uint32_t rune = sw_rune_decode(sw_str_from(s, at), &len);
        if (rune != '_' && !sw_rune_is_letter(rune) && !sw_rune_is_digit(rune)) break;
        at += len;
    }
    *ret_name = sw_str_sub(s, brace, at - brace);
    if (ret_name->len == 0) return false;
    if (brace && (at == s.len || s.ptr[at] != '}')) return false;
    *ret_len = at + brace;
    return true;
}

/* In ${v//p/r}, and only there, BuildKit's r is a template of regexp.ReplaceAll: $$ is a dollar,
 * $0 the match, and any other $name a group that does not exist. */
static void add_template(struct sw_buf *out, struct sw_str template, struct sw_str matched) {
    size_t dollar;
    while ((dollar = sw_str_find_char(template, '$')) != SIZE_MAX) {
        sw_buf_add(out, sw_str_sub(template, 0, dollar));
        template = sw_str_from(template, dollar + 1);
        struct sw_str name;
        size_t len;
        if (template.len > 0 && template.ptr[0] == '$') {
            sw_buf_add_char(out, '$');
            template = sw_str_from(template, 1);
        } else if (!template_name(template, &name, &len)) {
            sw_buf_add_char(out, '$');
        } else {
            if (sw_str_is(name, "0")) sw_buf_add(out, matched);
            template = sw_str_from(template, len);
        }
    }
    sw_buf_add(out, template);
}

enum sw_code sw_subst_replace(struct sw_str pattern, struct sw_str value, struct sw_str replacement,
                              bool all, struct sw_buf *out, struct sw_error *err) {
    RUNES struct runes p = {0}, v = {0};
    decode(pattern, &p);
    decode(value, &v);
    enum sw_code code = check_work(p.n, v.n, err);
    if (!code) code = tokenize(&p, pattern, err);
    if (code) return code;
    SW_FREE uint32_t *end = sw_reallocarray(NULL, v.n + 1, sizeof *end);
    match(&p, &v, true, end);

    size_t at = 0; /* bytes of value done */
    bool done = false;
    size_t previous_end = NO_MATCH; /* of the last match; an empty one may not touch it */
    for (size_t i = 0; i <= v.n;) {
        bool empty = end[i] == i;
        bool hit = !done && end[i] != NO_MATCH && !(empty && i == previous_end);
        if (hit) {
            size_t len = bytes_of(&v, i, end[i]);
            if (all)
                add_template(out, replacement, sw_str_sub(value, at, len));
            else
                sw_buf_add(out, replacement);
            at += len;
            previous_end = end[i];
            done = !all;
        }
        if (hit && !empty) {
            i = end[i];
        } else {
            if (i < v.n) {
                sw_buf_add(out, sw_str_sub(value, at, v.width[i]));
                at += v.width[i];
            }
            i++;
        }
    }
    return SW_OK;
}
