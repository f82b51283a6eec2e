#include "dockerfile/words_internal.h"

#include "base/buf.h"
#include "dockerfile/limits.h"
#include "dockerfile/rune_internal.h"

/* The white space between words; a newline cannot be in a line. */
static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static struct sw_str skip_blanks(struct sw_str s) {
    while (s.len > 0 && is_blank(s.ptr[0])) s = sw_str_from(s, 1);
    return s;
}

static size_t word_length(struct sw_str s) {
    size_t n = 0;
    while (n < s.len && !is_blank(s.ptr[n])) n++;
    return n;
}

bool sw_df_cut_blank(struct sw_str s, struct sw_str *ret_head, struct sw_str *ret_tail) {
    size_t n = word_length(s);
    *ret_head = sw_str_sub(s, 0, n);
    *ret_tail = skip_blanks(sw_str_from(s, n));
    return n < s.len;
}

struct sw_df_words sw_df_fields(struct sw_arena *arena, struct sw_str s) {
    struct sw_df_list list = {0};
    for (s = skip_blanks(s); s.len > 0;) {
        struct sw_str head;
        sw_df_cut_blank(s, &head, &s);
        sw_df_list_add(arena, &list, head);
    }
    return list.words;
}

/* Appends one rune of *s to out, as it is. */
static uint32_t take_rune(struct sw_str *s, struct sw_buf *out) {
    size_t len;
    uint32_t rune = sw_rune_decode(*s, &len);
    if (out) sw_rune_add(out, rune);
    *s = sw_str_from(*s, len);
    return rune;
}

/* One word that starts at *s. Quotes and escapes stay in it; a lone escape at the end does not.
 * False where that was all there was. */
static bool take_word(struct sw_str *s, char escape, struct sw_buf *out) {
    uint32_t quote = 0;
    bool quoted = false;
    while (s->len > 0) {
        size_t len;
        uint32_t rune = sw_rune_decode(*s, &len);
        if (!quote && sw_rune_is_space(rune)) break;
        if (rune == (unsigned char)escape && quote != '\'') {
            if (s->len == len) {
                *s = sw_str_from(*s, len);
                break;
            }
            take_rune(s, out);
            take_rune(s, out);
            continue;
        }
        take_rune(s, out);
        if (quote == rune) {
            quote = 0;
        } else if (!quote && (rune == '\'' || rune == '"')) {
            quote = rune;
            quoted = true;
        }
    }
    return quoted || out->len > 0;
}

struct sw_df_words sw_df_raw_words(struct sw_arena *arena, struct sw_str s, char escape) {
    struct sw_df_list list = {0};
    SW_BUF struct sw_buf word;
    sw_buf_init(&word, 0);
    for (s = sw_rune_trim_left(s); s.len > 0; s = sw_rune_trim_left(s)) {
        sw_buf_reset(&word);
        if (take_word(&s, escape, &word))
            sw_df_list_add(arena, &list, sw_arena_str(arena, sw_buf_str(&word)));
    }
    return list.words;
}

/* One flag that starts at *s, without its quotes and escapes. */
static void take_flag(struct sw_str *s, char escape, struct sw_buf *out) {
    char quote = 0;
    while (s->len > 0) {
        char c = s->ptr[0];
        size_t len;
        if (!quote && sw_rune_is_space(sw_rune_decode(*s, &len))) break;
        *s = sw_str_from(*s, 1);
        if (c == quote) {
            quote = 0;
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == escape) {
            if (s->len > 0) sw_buf_add_char(out, s->ptr[0]);
            *s = sw_str_from(*s, 1);
        } else {
            sw_buf_add_char(out, c);
        }
    }
}

void sw_df_split(struct sw_arena *arena, struct sw_str line, char escape, struct sw_df_split *ret) {
    struct sw_df_list flags = {0};
    struct sw_str rest;
    SW_BUF struct sw_buf flag;
    sw_buf_init(&flag, 0);
    sw_df_cut_blank(sw_rune_trim(line), &ret->keyword, &rest);
    for (;;) {
        rest = sw_rune_trim_left(rest);
        if (!sw_str_starts(rest, SW_STR("--"))) break;
        sw_buf_reset(&flag);
        take_flag(&rest, escape, &flag);
        if (sw_str_is(sw_buf_str(&flag), "--")) break;
        sw_df_list_add(arena, &flags, sw_arena_str(arena, sw_buf_str(&flag)));
    }
    ret->flags = flags.words;
    ret->rest = sw_rune_trim(rest);
}

/* A field in quotes, after the first one; "" in it is a quote. */
static bool take_quoted_field(struct sw_str *s, struct sw_buf *out) {
    for (;;) {
        size_t quote = sw_str_find_char(*s, '"');
        if (quote == SIZE_MAX) return false;
        sw_buf_add(out, sw_str_sub(*s, 0, quote));
        *s = sw_str_from(*s, quote + 1);
        if (s->len == 0 || s->ptr[0] == ',') return true;
        if (s->ptr[0] != '"') return false;
        sw_buf_add_char(out, '"');
        *s = sw_str_from(*s, 1);
    }
}

enum sw_code sw_df_csv(struct sw_arena *arena, struct sw_str s, struct sw_df_words *ret,
                       struct sw_error *err) {
    struct sw_df_list list = {0};
    struct sw_str whole = s;
    SW_BUF struct sw_buf field;
    sw_buf_init(&field, 0);
    if (sw_str_ends(s, SW_STR("\n"))) s.len--;
    if (s.len < whole.len && sw_str_ends(s, SW_STR("\r"))) s.len--;
    if (s.len == 0) return sw_fail(err, SW_SYNTAX, "the value is empty");
    for (bool more = true; more;) {
        bool good = true;
        struct sw_str text;
        if (s.len > 0 && s.ptr[0] == '"') {
            sw_buf_reset(&field);
            s = sw_str_from(s, 1);
            good = take_quoted_field(&s, &field);
            text = sw_arena_str(arena, sw_buf_str(&field));
        } else {
            size_t comma = sw_str_find_char(s, ',');
            text = sw_str_sub(s, 0, comma);
            good = sw_str_find_char(text, '"') == SIZE_MAX;
            s = sw_str_from(s, text.len);
        }
        if (!good)
            return sw_fail(err, SW_SYNTAX, "a quote in \"%.*s\" neither opens nor closes a field",
                           SW_ARG(whole));
        sw_df_list_add(arena, &list, text);
        more = s.len > 0;
        if (more) s = sw_str_from(s, 1);
    }
    *ret = list.words;
    return SW_OK;
}

static enum sw_code unknown_flag(struct sw_str name, const char *instruction,
                                 const struct sw_df_flag *flags, size_t n, struct sw_error *err) {
    const char *names[16], *nearest;
    size_t known = 0;
    for (size_t i = 0; i < n && known < 16; i++) names[known++] = flags[i].name;
    sw_fail(err, SW_SYNTAX, "unknown flag: --%.*s", SW_ARG(name));
    nearest = sw_str_nearest(name, names, known);
    if (nearest) return sw_advise(err, " (did you mean --%s?)", nearest);
    if (n == 0) return sw_advise(err, " (%s has none)", instruction);
    return err->code;
}

static enum sw_code set_flag(struct sw_arena *arena, struct sw_df_flag *flag, struct sw_str value,
                             bool has_value, struct sw_error *err) {
    if (flag->used && flag->type != SW_DF_FLAG_LIST)
        return sw_fail(err, SW_SYNTAX, "duplicate flag specified: --%s", flag->name);
    flag->used = true;
    if (flag->type == SW_DF_FLAG_BOOL) {
        if (!has_value || sw_str_ieq(value, SW_STR("true")))
            flag->truth = true;
        else if (sw_str_ieq(value, SW_STR("false")))
            flag->truth = false;
        else
            return sw_fail(err, SW_SYNTAX, "the flag --%s is true or false, not \"%.*s\"",
                           flag->name, SW_ARG(value));
        return SW_OK;
    }
    if (!has_value) return sw_fail(err, SW_SYNTAX, "missing a value on flag: --%s", flag->name);
    flag->text = value;
    if (flag->type == SW_DF_FLAG_LIST) sw_df_list_add(arena, &flag->list, value);
    return SW_OK;
}

enum sw_code sw_df_flags(struct sw_arena *arena, const struct sw_df_words *words,
                         const char *instruction, struct sw_df_flag *flags, size_t n,
                         struct sw_error *err) {
    if (words->n > SW_DF_WORDS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %u flags", SW_DF_WORDS_MAX);
    for (size_t i = 0; i < words->n; i++) {
        struct sw_str name, value;
        bool has_value = sw_str_cut(sw_str_from(words->items[i], 2), '=', &name, &value);
        struct sw_df_flag *flag = NULL;
        for (size_t k = 0; k < n && !flag; k++)
            if (sw_str_is(name, flags[k].name)) flag = &flags[k];
        if (!flag) return unknown_flag(name, instruction, flags, n, err);
        enum sw_code code = set_flag(arena, flag, value, has_value, err);
        if (code) return code;
    }
    return SW_OK;
}
