/* The reader of JSON: one pass, into the arena. docs/design/json.md says why it is ours.
 *
 * The text is copied into the arena once; strings are decoded in place (what an escape stands for
 * is never longer than the escape), so that most values cost no copy. Children are collected on a
 * stack and move to an array of the right size when their container closes; a container's own place
 * is known only when its parent closes, so the parent pointers of its children are set then.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/limits.h"

#define FEW_MEMBERS 16 /* up to here comparing all names is faster than a map */

struct parser {
    struct sw_arena *a;
    struct sw_str text;     /* the caller's, as it was before strings were decoded */
    char *start, *at, *end; /* of the copy; *end is a NUL */
    struct sw_json_limits limits;
    size_t n_values;
    unsigned depth;
    SW_VEC(struct sw_json) stack;
    struct sw_error *err;
};

static void release(struct parser *p) { sw_vec_done(&p->stack); }

static enum sw_code malformed(const struct parser *p, const char *at, const char *what) {
    size_t line = 1, offset = (size_t)(at - p->start), line_start = 0;
    for (size_t i = 0; i < offset; i++)
        if (p->text.ptr[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    return sw_fail(p->err, SW_SYNTAX, "malformed JSON in line %zu, column %zu: %s", line,
                   offset - line_start + 1, what);
}

static void skip_blanks(struct parser *p) {
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r') p->at++;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four digits at *at, which may run into the final NUL; -1 where they are none. */
static long take_hex4(const char **at) {
    long value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value((*at)[i]);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    *at += 4;
    return value;
}

static char *put_utf8(char *to, unsigned long point) {
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 63));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 63));
        *to++ = (char)(0x80 | (point & 63));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 63));
        *to++ = (char)(0x80 | (point >> 6 & 63));
        *to++ = (char)(0x80 | (point & 63));
    }
    return to;
}

/* What follows a backslash, at *at. */
static enum sw_code take_escape(struct parser *p, const char **at, char **to) {
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char name = *(*at)++;
    const char *hit = name ? strchr(names, name) : NULL;
    if (hit) {
        *(*to)++ = meanings[hit - names];
        return SW_OK;
    }
    if (name != 'u') return malformed(p, *at - 1, "unknown escape");
    long point = take_hex4(at);
    if (point >= 0xd800 && point < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        const char *low_at = *at + 2;
        long low = take_hex4(&low_at);
        if (low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            *at = low_at;
        }
    }
    if (point < 0) return malformed(p, *at, "\\u needs four hexadecimal digits");
    if (point == 0) return malformed(p, *at, "\\u0000 is not allowed");
    if (point >= 0xd800 && point < 0xe000) return malformed(p, *at, "half of a surrogate pair");
    *to = put_utf8(*to, (unsigned long)point);
    return SW_OK;
}

/* A string whose opening quote is at p->at. */
static enum sw_code take_string(struct parser *p, struct sw_str *ret) {
    char *start = ++p->at, *to = start;
    const char *at = start;
    unsigned char seen = 0; /* all bytes, to know whether any is not ASCII */
    for (;;) {
        const char *run = at;
        while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
            seen |= (unsigned char)*at++;
        if (to != run && at != run) memmove(to, run, (size_t)(at - run));
        to += at - run;
        if (*at == '"') break;
        if (*at != '\\')
            return malformed(p, at,
                             at == p->end ? "the text ends in a string"
                                          : "a control character in a string");
        at++;
        enum sw_code code = take_escape(p, &at, &to);
        if (code) return code;
    }
    *ret = sw_str_n(start, (size_t)(to - start));
    if (seen >= 0x80 && !sw_str_is_utf8(*ret)) return malformed(p, start, "a string is not UTF-8");
    p->at = start + (at - start) + 1;
    *to = 0;
    return SW_OK;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static enum sw_code take_number(struct parser *p, struct sw_json *to) {
    char *start = p->at;
    const char *at = start;
    bool whole = true;
    if (*at == '-') at++;
    if (!is_digit(*at)) return malformed(p, start, "expected a value");
    if (*at == '0' && is_digit(at[1])) return malformed(p, start, "a number with a leading zero");
    while (is_digit(*at)) at++;
    if (*at == '.') {
        whole = false;
        if (!is_digit(*++at)) return malformed(p, start, "a number without decimals");
        while (is_digit(*at)) at++;
    }
    if (*at == 'e' || *at == 'E') {
        whole = false;
        at++;
        if (*at == '+' || *at == '-') at++;
        if (!is_digit(*at)) return malformed(p, start, "a number without its exponent");
        while (is_digit(*at)) at++;
    }
    p->at = start + (at - start);
    to->type = SW_JSON_INT;
    if (whole && sw_str_i64(sw_str_n(start, (size_t)(at - start)), &to->integer)) return SW_OK;
    to->type = SW_JSON_REAL;
    to->real = strtod(start, NULL);
    return isfinite(to->real) ? SW_OK : malformed(p, start, "a number out of range");
}

static enum sw_code take_word(struct parser *p, const char *word, struct sw_json *to,
                              enum sw_json_type type, bool value) {
    size_t len = strlen(word);
    if (strncmp(p->at, word, len) != 0) return malformed(p, p->at, "expected a value");
    p->at += len;
    to->type = type;
    to->boolean = value;
    return SW_OK;
}

static enum sw_code check_names(struct parser *p, const struct sw_json *items, size_t n,
                                const char *at) {
    SW_MAP struct sw_map seen = {0};
    for (size_t i = 0; i < n; i++) {
        bool twice = false;
        if (n > FEW_MEMBERS)
            twice = sw_map_put(&seen, items[i].key, p) != NULL;
        else
            for (size_t k = 0; k < i && !twice; k++) twice = sw_str_eq(items[k].key, items[i].key);
        if (!twice) continue;
        struct sw_str shown = sw_str_sub(items[i].key, 0, 100);
        malformed(p, at, "a name is given twice: ");
        return sw_advise(p->err, "\"%.*s\"", SW_ARG(shown));
    }
    return SW_OK;
}

/* Sets what the children of node need to know of their place, now that it has its own. */
static void settle(struct sw_json *node) {
    for (size_t i = 0; i < node->len; i++) node->items[i].parent = node;
}

/* Moves what lies on the stack from base on into the container. */
static enum sw_code close_container(struct parser *p, size_t base, struct sw_json *to) {
    size_t n = p->stack.len - base;
    to->items = sw_arena_array(p->a, n, sizeof *to->items);
    to->len = n;
    if (n) memcpy(to->items, p->stack.ptr + base, n * sizeof *to->items);
    p->stack.len = base;
    for (size_t i = 0; i < n; i++) {
        to->items[i].index = i;
        settle(&to->items[i]);
    }
    if (to->type == SW_JSON_OBJECT) {
        enum sw_code code = check_names(p, to->items, n, p->at - 1);
        if (code) return code;
    }
    return sw_arena_check(p->a, "the JSON document", p->err);
}

static enum sw_code take_value(struct parser *p, struct sw_json *to);

/* A member's name and colon, or nothing in an array; then the value, onto the stack. */
static enum sw_code take_item(struct parser *p, bool object) {
    struct sw_json item = {0};
    enum sw_code code;
    if (object) {
        if (*p->at != '"') return malformed(p, p->at, "expected a name in quotes");
        code = take_string(p, &item.key);
        if (code) return code;
        skip_blanks(p);
        if (*p->at != ':') return malformed(p, p->at, "expected a colon");
        p->at++;
        skip_blanks(p);
    }
    code = take_value(p, &item);
    if (code) return code;
    if (p->a->used + p->stack.len * sizeof item > p->a->cap)
        return sw_fail(p->err, SW_LIMIT, "the JSON document needs more than %zu bytes of memory",
                       p->a->cap);
    sw_vec_add(&p->stack, item);
    skip_blanks(p);
    return SW_OK;
}

static enum sw_code take_container(struct parser *p, struct sw_json *to) {
    bool object = *p->at == '{';
    char closing = object ? '}' : ']';
    size_t base = p->stack.len;
    if (++p->depth > p->limits.depth)
        return sw_fail(p->err, SW_LIMIT, "JSON is nested more than %u levels deep",
                       p->limits.depth);
    to->type = object ? SW_JSON_OBJECT : SW_JSON_ARRAY;
    p->at++;
    skip_blanks(p);
    if (*p->at != closing) {
        for (;;) {
            enum sw_code code = take_item(p, object);
            if (code) return code;
            if (*p->at != ',') break;
            p->at++;
            skip_blanks(p);
        }
    }
    if (*p->at != closing)
        return malformed(p, p->at, object ? "expected , or }" : "expected , or ]");
    p->at++;
    p->depth--;
    return close_container(p, base, to);
}

static enum sw_code take_value(struct parser *p, struct sw_json *to) {
    if (++p->n_values > p->limits.values)
        return sw_fail(p->err, SW_LIMIT, "JSON has more than %zu values", p->limits.values);
    switch (*p->at) {
    case '{':
    case '[':
        return take_container(p, to);
    case '"':
        to->type = SW_JSON_STRING;
        return take_string(p, &to->text);
    case 't':
        return take_word(p, "true", to, SW_JSON_BOOL, true);
    case 'f':
        return take_word(p, "false", to, SW_JSON_BOOL, false);
    case 'n':
        return take_word(p, "null", to, SW_JSON_NULL, false);
    default:
        return take_number(p, to);
    }
}

enum sw_code sw_json_parse(struct sw_arena *a, struct sw_str text,
                           const struct sw_json_limits *limits, const struct sw_json **ret_root,
                           struct sw_error *err) {
    SW_CLEANUP(release) struct parser p = {.a = a, .text = text, .err = err};
    if (limits) p.limits = *limits;
    if (!p.limits.bytes) p.limits.bytes = SW_JSON_BYTES_DEFAULT;
    if (!p.limits.depth) p.limits.depth = SW_JSON_DEPTH_DEFAULT;
    if (p.limits.depth > SW_JSON_DEPTH_MAX) p.limits.depth = SW_JSON_DEPTH_MAX;
    if (!p.limits.values) p.limits.values = SW_JSON_VALUES_DEFAULT;
    if (text.len > p.limits.bytes)
        return sw_fail(err, SW_LIMIT, "JSON of %zu bytes; at most %zu are read", text.len,
                       p.limits.bytes);
    p.start = p.at = sw_arena_cstr(a, text);
    p.end = p.start + text.len;
    struct sw_json *root = SW_NEW(a, struct sw_json);
    skip_blanks(&p);
    enum sw_code code = take_value(&p, root);
    if (code) return code;
    skip_blanks(&p);
    if (p.at != p.end) return malformed(&p, p.at, "something follows the value");
    settle(root);
    code = sw_arena_check(a, "the JSON document", err);
    if (code) return code;
    *ret_root = root;
    return SW_OK;
}
