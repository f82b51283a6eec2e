#include "dockerfile/json_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "dockerfile/limits.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/rune_internal.h"

struct json {
    struct sw_str rest;
    unsigned depth;
};

static void skip_blanks(struct json *j) {
    while (j->rest.len > 0 && memchr(" \t\r\n", j->rest.ptr[0], 4))
        j->rest = sw_str_from(j->rest, 1);
}

static bool take_char(struct json *j, char c) {
    if (j->rest.len == 0 || j->rest.ptr[0] != c) return false;
    j->rest = sw_str_from(j->rest, 1);
    return true;
}

static bool take_text(struct json *j, struct sw_str text) {
    if (!sw_str_starts(j->rest, text)) return false;
    j->rest = sw_str_from(j->rest, text.len);
    return true;
}

static bool take_hex(struct json *j, uint32_t *ret) {
    if (j->rest.len < 4) return false;
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = j->rest.ptr[i];
        bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
        if (!digit && !letter) return false;
        value = value << 4 | (uint32_t)(digit ? c - '0' : (c | 32) - 'a' + 10);
    }
    j->rest = sw_str_from(j->rest, 4);
    *ret = value;
    return true;
}

/* After "\u". A high surrogate joins the low one that follows it. */
static bool take_unicode(struct json *j, uint32_t *ret) {
    uint32_t high, low;
    if (!take_hex(j, &high)) return false;
    *ret = high >= 0xD800 && high <= 0xDFFF ? SW_RUNE_BAD : high;
    if (high < 0xD800 || high > 0xDBFF) return true;
    struct json ahead = *j;
    if (take_text(&ahead, SW_STR("\\u")) && take_hex(&ahead, &low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
        *j = ahead;
        *ret = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    return true;
}

static bool take_escape(struct json *j, struct sw_buf *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (j->rest.len == 0) return false;
    char c = j->rest.ptr[0];
    j->rest = sw_str_from(j->rest, 1);
    uint32_t rune;
    if (c == 'u') {
        if (!take_unicode(j, &rune)) return false;
        sw_rune_add(out, rune);
        return true;
    }
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) sw_buf_add_char(out, to[hit - from]);
    return hit != NULL;
}

/* The rest of a string after its quote. */
static bool take_string(struct json *j, struct sw_buf *out) {
    while (j->rest.len > 0) {
        if (take_char(j, '"')) return true;
        if (take_char(j, '\\')) {
            if (!take_escape(j, out)) return false;
            continue;
        }
        size_t len;
        uint32_t rune = sw_rune_decode(j->rest, &len);
        if (rune < 0x20) return false;
        sw_rune_add(out, rune);
        j->rest = sw_str_from(j->rest, len);
    }
    return false;
}

static bool take_digits(struct json *j) {
    size_t n = 0;
    while (n < j->rest.len && j->rest.ptr[n] >= '0' && j->rest.ptr[n] <= '9') n++;
    j->rest = sw_str_from(j->rest, n);
    return n > 0;
}

static bool take_decimal(struct json *j) {
    take_char(j, '-');
    if (!take_char(j, '0') && !take_digits(j)) return false;
    if (take_char(j, '.') && !take_digits(j)) return false;
    if (take_char(j, 'e') || take_char(j, 'E')) {
        if (!take_char(j, '+')) take_char(j, '-');
        return take_digits(j);
    }
    return true;
}

/* A number beyond a double makes the whole no JSON, as it does for encoding/json. */
static bool take_number(struct json *j) {
    SW_BUF struct sw_buf text;
    const char *start = j->rest.ptr;
    sw_buf_init(&text, 0);
    if (!take_decimal(j)) return false;
    sw_buf_add(&text, sw_str_n(start, (size_t)(j->rest.ptr - start)));
    return isfinite(strtod(text.ptr, NULL));
}

static bool take_value(struct json *j);

/* The members of an object or array after its opening bracket. */
static bool take_members(struct json *j, char closing, bool named) {
    SW_BUF struct sw_buf key;
    sw_buf_init(&key, 0);
    skip_blanks(j);
    if (take_char(j, closing)) return true;
    for (;;) {
        skip_blanks(j);
        if (named) {
            if (!take_char(j, '"') || !take_string(j, &key)) return false;
            skip_blanks(j);
            if (!take_char(j, ':')) return false;
        }
        if (!take_value(j)) return false;
        skip_blanks(j);
        if (take_char(j, closing)) return true;
        if (!take_char(j, ',')) return false;
    }
}

static bool take_value(struct json *j) {
    skip_blanks(j);
    if (j->depth == SW_DF_JSON_DEPTH_MAX) return false;
    j->depth++;
    bool good;
    if (take_char(j, '"')) {
        SW_BUF struct sw_buf ignored;
        sw_buf_init(&ignored, 0);
        good = take_string(j, &ignored);
    } else if (take_char(j, '{')) {
        good = take_members(j, '}', true);
    } else if (take_char(j, '[')) {
        good = take_members(j, ']', false);
    } else {
        good = take_text(j, SW_STR("true")) || take_text(j, SW_STR("false")) ||
               take_text(j, SW_STR("null")) || take_number(j);
    }
    j->depth--;
    return good;
}

enum sw_df_json sw_df_json_array(struct sw_arena *arena, struct sw_str text,
                                 struct sw_df_words *ret_words) {
    struct json j = {.rest = sw_rune_trim_left(text)};
    struct sw_df_list list = {0};
    bool others = false;
    SW_BUF struct sw_buf element;
    sw_buf_init(&element, 0);
    if (!take_char(&j, '[')) return SW_DF_JSON_NOT;
    skip_blanks(&j);
    bool more = !take_char(&j, ']');
    while (more) {
        skip_blanks(&j);
        sw_buf_reset(&element);
        if (take_char(&j, '"')) {
            if (!take_string(&j, &element)) return SW_DF_JSON_NOT;
            sw_df_list_add(arena, &list, sw_arena_str(arena, sw_buf_str(&element)));
        } else {
            if (!take_value(&j)) return SW_DF_JSON_NOT;
            others = true;
        }
        skip_blanks(&j);
        more = take_char(&j, ',');
        if (!more && !take_char(&j, ']')) return SW_DF_JSON_NOT;
    }
    skip_blanks(&j);
    if (j.rest.len > 0) return SW_DF_JSON_NOT;
    if (others) return SW_DF_JSON_OTHERS;
    *ret_words = list.words;
    return SW_DF_JSON_STRINGS;
}
