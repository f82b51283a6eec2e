#include "codec/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void sw_json_writer_init(struct sw_json_writer *w, struct sw_buf *out, unsigned flags) {
    *w = (struct sw_json_writer){.out = out, .flags = flags};
}

static bool in_object(const struct sw_json_writer *w) {
    return w->depth && (w->in_object >> (w->depth - 1) & 1);
}

static void new_line(struct sw_json_writer *w) {
    if (!(w->flags & SW_JSON_INDENT)) return;
    sw_buf_add_char(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++) sw_buf_add(w->out, SW_STR("  "));
}

/* What comes before a value: nothing after a key, a comma between the items of an array. */
static void before_value(struct sw_json_writer *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    assert(!in_object(w));
    assert(w->depth || !w->has_items);
    if (w->has_items) sw_buf_add_char(w->out, ',');
    if (w->depth) new_line(w);
    w->has_items = true;
}

static void begin(struct sw_json_writer *w, char bracket, bool object) {
    before_value(w);
    assert(w->depth < SW_JSON_WRITE_DEPTH_MAX);
    uint64_t bit = UINT64_C(1) << w->depth;
    w->in_object = object ? w->in_object | bit : w->in_object & ~bit;
    w->depth++;
    w->has_items = false;
    sw_buf_add_char(w->out, bracket);
}

static void end(struct sw_json_writer *w, char bracket, bool object) {
    assert(w->depth && in_object(w) == object && !w->after_key);
    w->depth--;
    if (w->has_items) new_line(w);
    w->has_items = true;
    sw_buf_add_char(w->out, bracket);
}

void sw_json_begin_object(struct sw_json_writer *w) { begin(w, '{', true); }
void sw_json_end_object(struct sw_json_writer *w) { end(w, '}', true); }
void sw_json_begin_array(struct sw_json_writer *w) { begin(w, '[', false); }
void sw_json_end_array(struct sw_json_writer *w) { end(w, ']', false); }

/* Length of the UTF-8 sequence at p, 0 where there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    size_t len = (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : (*p & 0xf8) == 0xf0 ? 4 : 0;
    if (len == 0 || len > left) return 0;
    return sw_str_is_utf8(sw_str_n((const char *)p, len)) ? len : 0;
}

/* Bytes that stand for themselves in a string. */
static bool is_plain(unsigned char c, unsigned flags) {
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') return false;
    return !(flags & SW_JSON_HTML) || (c != '<' && c != '>' && c != '&');
}

static void escape_ascii(struct sw_buf *out, unsigned char c) {
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i < sizeof named - 1; i += 2)
        if ((unsigned char)named[i] == c) {
            sw_buf_add_char(out, '\\');
            sw_buf_add_char(out, named[i + 1]);
            return;
        }
    sw_buf_addf(out, "\\u%04x", c);
}

static void add_quoted(struct sw_buf *out, struct sw_str s, unsigned flags) {
    const unsigned char *p = (const unsigned char *)s.ptr;
    sw_buf_add_char(out, '"');
    for (size_t i = 0; i < s.len;) {
        size_t start = i;
        while (i < s.len && is_plain(p[i], flags)) i++;
        sw_buf_add_bytes(out, s.ptr + start, i - start);
        if (i == s.len) break;
        if (p[i] < 0x80) {
            escape_ascii(out, p[i++]);
            continue;
        }
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0) {
            sw_buf_add(out, SW_STR("\\ufffd"));
            i++;
        } else if (len == 3 && p[i] == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] & ~1) == 0xa8) {
            /* Line and paragraph separators end a string in JavaScript. */
            sw_buf_addf(out, "\\u202%c", p[i + 2] == 0xa8 ? '8' : '9');
            i += len;
        } else {
            sw_buf_add_bytes(out, s.ptr + i, len);
            i += len;
        }
    }
    sw_buf_add_char(out, '"');
}

void sw_json_key_str(struct sw_json_writer *w, struct sw_str key) {
    assert(in_object(w) && !w->after_key);
    if (w->has_items) sw_buf_add_char(w->out, ',');
    new_line(w);
    add_quoted(w->out, key, w->flags);
    sw_buf_add_char(w->out, ':');
    if (w->flags & SW_JSON_INDENT) sw_buf_add_char(w->out, ' ');
    w->has_items = true;
    w->after_key = true;
}

void sw_json_key(struct sw_json_writer *w, const char *key) { sw_json_key_str(w, sw_str(key)); }

void sw_json_str(struct sw_json_writer *w, struct sw_str value) {
    before_value(w);
    add_quoted(w->out, value, w->flags);
}

void sw_json_int(struct sw_json_writer *w, int64_t value) {
    before_value(w);
    sw_buf_addf(w->out, "%" PRId64, value);
}

void sw_json_uint(struct sw_json_writer *w, uint64_t value) {
    before_value(w);
    sw_buf_addf(w->out, "%" PRIu64, value);
}

void sw_json_real(struct sw_json_writer *w, double value) {
    char text[40];
    assert(isfinite(value));
    before_value(w);
    /* Go: plain notation from 1e-6 up to 1e21, else an exponent without leading zeros. */
    double size = fabs(value);
    bool plain = value == 0 || (size >= 1e-6 && size < 1e21);
    int digits = 1;
    for (; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) break;
    }
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    char *mark = strchr(text, 'e');
    int exponent = atoi(mark + 1);
    int decimals = digits - 1 - exponent;
    if (plain && decimals >= 0) {
        sw_buf_addf(w->out, "%.*f", decimals, value);
    } else if (plain) {
        /* The shortest digits, then zeros; printf would go on with the digits of the binary value.
         */
        for (const char *p = text; p < mark; p++)
            if (*p != '.') sw_buf_add_char(w->out, *p);
        while (decimals++ < 0) sw_buf_add_char(w->out, '0');
    } else {
        sw_buf_addf(w->out, "%.*se%c%0*d", (int)(mark - text), text, exponent < 0 ? '-' : '+',
                    exponent < 0 ? 1 : 2, abs(exponent));
    }
}

void sw_json_bool(struct sw_json_writer *w, bool value) {
    before_value(w);
    sw_buf_add_text(w->out, value ? "true" : "false");
}

void sw_json_null(struct sw_json_writer *w) {
    before_value(w);
    sw_buf_add(w->out, SW_STR("null"));
}

void sw_json_digest(struct sw_json_writer *w, const struct sw_digest *value) {
    char text[SW_DIGEST_TEXT_MAX];
    sw_json_str(w, sw_digest_format(value, text));
}

void sw_json_raw(struct sw_json_writer *w, struct sw_str json) {
    before_value(w);
    sw_buf_add(w->out, json);
}

void sw_json_tree(struct sw_json_writer *w, const struct sw_json *value) {
    switch (value->type) {
    case SW_JSON_NULL:
        sw_json_null(w);
        break;
    case SW_JSON_BOOL:
        sw_json_bool(w, value->boolean);
        break;
    case SW_JSON_INT:
        sw_json_int(w, value->integer);
        break;
    case SW_JSON_REAL:
        sw_json_real(w, value->real);
        break;
    case SW_JSON_STRING:
        sw_json_str(w, value->text);
        break;
    case SW_JSON_ARRAY:
        sw_json_begin_array(w);
        for (size_t i = 0; i < value->len; i++) sw_json_tree(w, &value->items[i]);
        sw_json_end_array(w);
        break;
    case SW_JSON_OBJECT:
        sw_json_begin_object(w);
        for (size_t i = 0; i < value->len; i++) {
            sw_json_key_str(w, value->items[i].key);
            sw_json_tree(w, &value->items[i]);
        }
        sw_json_end_object(w);
        break;
    }
}

void sw_json_put_str(struct sw_json_writer *w, const char *key, struct sw_str value) {
    sw_json_key(w, key);
    sw_json_str(w, value);
}

void sw_json_put_text(struct sw_json_writer *w, const char *key, const char *value) {
    sw_json_put_str(w, key, sw_str(value));
}

void sw_json_put_int(struct sw_json_writer *w, const char *key, int64_t value) {
    sw_json_key(w, key);
    sw_json_int(w, value);
}

void sw_json_put_bool(struct sw_json_writer *w, const char *key, bool value) {
    sw_json_key(w, key);
    sw_json_bool(w, value);
}

void sw_json_put_digest(struct sw_json_writer *w, const char *key, const struct sw_digest *value) {
    sw_json_key(w, key);
    sw_json_digest(w, value);
}

void sw_json_put_strs(struct sw_json_writer *w, const char *key, const struct sw_strs *value) {
    sw_json_key(w, key);
    sw_json_begin_array(w);
    for (size_t i = 0; i < value->len; i++) sw_json_str(w, value->ptr[i]);
    sw_json_end_array(w);
}

static int by_name(const void *x, const void *y) {
    const struct sw_pair *const *a = x, *const *b = y;
    return sw_str_cmp((*a)->name, (*b)->name);
}

void sw_json_put_pairs(struct sw_json_writer *w, const char *key, const struct sw_pairs *value) {
    SW_FREE const struct sw_pair **sorted = sw_calloc(value->len + 1, sizeof(struct sw_pair *));
    for (size_t i = 0; i < value->len; i++) sorted[i] = &value->ptr[i];
    qsort(sorted, value->len, sizeof(struct sw_pair *), by_name);
    sw_json_key(w, key);
    sw_json_begin_object(w);
    for (size_t i = 0; i < value->len; i++) {
        sw_json_key_str(w, sorted[i]->name);
        sw_json_str(w, sorted[i]->value);
    }
    sw_json_end_object(w);
}

void sw_json_put_str_opt(struct sw_json_writer *w, const char *key, struct sw_str value) {
    if (value.len) sw_json_put_str(w, key, value);
}

void sw_json_put_strs_opt(struct sw_json_writer *w, const char *key, const struct sw_strs *value) {
    if (value->len) sw_json_put_strs(w, key, value);
}

void sw_json_put_pairs_opt(struct sw_json_writer *w, const char *key,
                           const struct sw_pairs *value) {
    if (value->len) sw_json_put_pairs(w, key, value);
}
