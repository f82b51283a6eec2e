#include "dockerfile/expand.h"

#include "base/buf.h"
#include "dockerfile/limits.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/rune_internal.h"
#include "dockerfile/subst_internal.h"

#define END UINT32_MAX /* the rune after the last one */
#define NOT_CLOSED "the closing %s is missing"

/* The text that is read, and what belongs to one call of the public functions. */
struct lexer {
    const struct sw_df_lex *lex;
    struct sw_arena *arena;
    struct sw_str rest; /* not read yet */
    uint32_t escape;
    bool keep_escapes; /* changes inside ${} */
    unsigned depth;
    struct sw_df_list used, unset;
    struct sw_error *err;
};

/* Where the runes of a word go: the text, and, outside ${}, the list of words. */
struct sink {
    struct sw_buf text;
    bool split; /* words are wanted */
    struct sw_buf word;
    struct sw_df_list words;
    struct sw_arena *arena;
};

static void sink_done(struct sink *s) {
    sw_buf_done(&s->text);
    sw_buf_done(&s->word);
}
#define SINK SW_CLEANUP(sink_done)

static void sink_init(struct sink *s, struct sw_arena *arena, bool split) {
    *s = (struct sink){.split = split, .arena = arena};
    sw_buf_init(&s->text, SW_DF_EXPANSION_MAX);
    sw_buf_init(&s->word, SW_DF_EXPANSION_MAX);
}

static void list_add_once(struct sw_arena *arena, struct sw_df_list *list, struct sw_str s) {
    if (list->words.n == SW_DF_REPORTED_NAMES_MAX) return;
    for (size_t i = 0; i < list->words.n; i++)
        if (sw_str_eq(list->words.items[i], s)) return;
    sw_df_list_add(arena, list, s);
}

static void end_word(struct sink *s) {
    if (s->word.len == 0) return;
    sw_df_list_add(s->arena, &s->words, sw_arena_str(s->arena, sw_buf_str(&s->word)));
    sw_buf_reset(&s->word);
}

/* Never splits: what was quoted or escaped. */
static void add_quoted(struct sink *s, struct sw_str text) {
    sw_buf_add(&s->text, text);
    if (s->split) sw_buf_add(&s->word, text);
}

static void add_quoted_rune(struct sink *s, uint32_t rune) {
    sw_rune_add(&s->text, rune);
    if (s->split) sw_rune_add(&s->word, rune);
}

static void add_rune(struct sink *s, uint32_t rune) {
    sw_rune_add(&s->text, rune);
    if (!s->split) return;
    if (sw_rune_is_space(rune))
        end_word(s);
    else
        sw_rune_add(&s->word, rune);
}

/* What a variable gave: splits at blanks. */
static void add_value(struct sink *s, struct sw_str value) {
    sw_buf_add(&s->text, value);
    while (s->split && value.len > 0) {
        size_t len;
        uint32_t rune = sw_rune_decode(value, &len);
        value = sw_str_from(value, len);
        if (sw_rune_is_space(rune))
            end_word(s);
        else
            sw_rune_add(&s->word, rune);
    }
}

static uint32_t peek(const struct lexer *x) {
    size_t len;
    return x->rest.len > 0 ? sw_rune_decode(x->rest, &len) : END;
}

static uint32_t next(struct lexer *x) {
    if (x->rest.len == 0) return END;
    size_t len;
    uint32_t rune = sw_rune_decode(x->rest, &len);
    x->rest = sw_str_from(x->rest, len);
    return rune;
}

static bool get(struct lexer *x, struct sw_str name, struct sw_str *ret_value) {
    const struct sw_df_env *env = &x->lex->env;
    bool set = env->get && env->get(env->context, name, ret_value);
    if (!set) *ret_value = SW_STR("");
    list_add_once(x->arena, set ? &x->used : &x->unset, name);
    return set;
}

static bool keep_unset(const struct lexer *x) { return x->lex->flags & SW_DF_KEEP_UNSET; }

static enum sw_code scan_until(struct lexer *x, uint32_t stop, bool keep_escapes, bool pattern,
                               struct sink *out);

/* ' ... ': everything is literal, there is no way to escape the quote. In a pattern the escape
 * character is doubled, because the pattern is read once more. */
static enum sw_code single_quoted(struct lexer *x, bool pattern, struct sink *out) {
    bool keep = x->lex->flags & SW_DF_KEEP_QUOTES;
    if (keep) add_quoted_rune(out, '\'');
    for (;;) {
        uint32_t rune = next(x);
        if (rune == END) return sw_fail(x->err, SW_SYNTAX, NOT_CLOSED, "single quote");
        if (rune == '\'') break;
        if (pattern && rune == x->escape) add_quoted_rune(out, rune);
        add_quoted_rune(out, rune);
    }
    if (keep) add_quoted_rune(out, '\'');
    return SW_OK;
}

static enum sw_code dollar(struct lexer *x, struct sw_buf *out);

static enum sw_code quoted_dollar(struct lexer *x, struct sink *out) {
    SW_BUF struct sw_buf value;
    sw_buf_init(&value, SW_DF_EXPANSION_MAX);
    enum sw_code code = dollar(x, &value);
    if (!code) code = sw_buf_check(&value, "the expansion of a variable", x->err);
    if (!code) add_quoted(out, sw_buf_str(&value));
    return code;
}

/* " ... ": variables are expanded; the escape character escapes only itself, " and $. */
static enum sw_code double_quoted(struct lexer *x, bool pattern, struct sink *out) {
    bool keep = x->lex->flags & SW_DF_KEEP_QUOTES;
    next(x);
    if (keep) add_quoted_rune(out, '"');
    for (;;) {
        uint32_t rune = peek(x);
        if (rune == END) return sw_fail(x->err, SW_SYNTAX, NOT_CLOSED, "double quote");
        if (rune == '$') {
            enum sw_code code = quoted_dollar(x, out);
            if (code) return code;
            continue;
        }
        next(x);
        if (rune == '"') break;
        if (rune == x->escape) {
            uint32_t escaped = peek(x);
            if (escaped == END) continue;
            if (escaped == '"' || escaped == '$' || escaped == x->escape) {
                if (x->keep_escapes) add_quoted_rune(out, rune);
                rune = next(x);
            } else if (x->keep_escapes && (!keep || pattern)) {
                add_quoted_rune(out, rune);
            }
        }
        add_quoted_rune(out, rune);
    }
    if (keep) add_quoted_rune(out, '"');
    return SW_OK;
}

static bool is_special(uint32_t rune) {
    return rune < 0x80 && rune != 0 && strchr("@*#?-$!0", (int)rune);
}

/* A name, the digits of a positional parameter, or one special character. May be empty. */
static struct sw_str read_name(struct lexer *x) {
    struct sw_str start = x->rest;
    uint32_t rune = peek(x);
    if (rune == END) return sw_str_sub(start, 0, 0);
    if (sw_rune_is_digit(rune)) {
        while (x->rest.len > 0 && sw_rune_is_digit(peek(x))) next(x);
    } else if (is_special(rune)) {
        next(x);
    } else {
        while (x->rest.len > 0) {
            rune = peek(x);
            if (rune != '_' && !sw_rune_is_letter(rune) && !sw_rune_is_digit(rune)) break;
            next(x);
        }
    }
    return sw_str_sub(start, 0, start.len - x->rest.len);
}

/* Reads the operand of a modifier up to stop into the arena. */
static enum sw_code operand(struct lexer *x, uint32_t stop, bool keep_escapes, bool pattern,
                            struct sw_str *ret) {
    SINK struct sink word;
    sink_init(&word, x->arena, false);
    enum sw_code code = scan_until(x, stop, keep_escapes, pattern, &word);
    if (!code) code = sw_buf_check(&word.text, "an operand in ${}", x->err);
    if (!code) *ret = sw_arena_str(x->arena, sw_buf_str(&word.text));
    return code;
}

/* ${name/pattern/replacement} and ${name//pattern/replacement}, after the first slash. */
static enum sw_code replace(struct lexer *x, struct sw_str name, struct sw_buf *out) {
    bool all = peek(x) == '/';
    if (all) next(x);
    struct sw_str pattern, replacement, value;
    enum sw_code code = operand(x, '/', true, true, &pattern);
    if (!code) code = operand(x, '}', true, false, &replacement);
    if (code) return code;
    if (!get(x, name, &value) && keep_unset(x)) {
        sw_buf_addf(out, "${%.*s/%.*s/%.*s}", SW_ARG(name), SW_ARG(pattern), SW_ARG(replacement));
        return SW_OK;
    }
    return sw_subst_replace(pattern, value, replacement, all, out, x->err);
}

static enum sw_code not_set(struct lexer *x, struct sw_str name, struct sw_str word,
                            const char *what) {
    return sw_fail(x->err, SW_SYNTAX, "%.*s: %.*s", SW_ARG(name),
                   SW_ARG(word.len > 0 ? word : sw_str(what)));
}

static enum sw_code bad_modifier(struct lexer *x, bool colon, uint32_t modifier) {
    if (modifier == END) return sw_fail(x->err, SW_SYNTAX, NOT_CLOSED, "}");
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    if (colon) sw_buf_add_char(&text, ':');
    sw_rune_add(&text, modifier);
    return sw_fail(x->err, SW_SYNTAX, "unsupported modifier (%s) in substitution", text.ptr);
}

/* ${name<modifier>word}, after the modifier. */
static enum sw_code modify(struct lexer *x, struct sw_str name, bool colon, uint32_t modifier,
                           struct sw_buf *out) {
    bool trims = modifier == '#' || modifier == '%';
    if (trims && colon) return bad_modifier(x, colon, modifier);
    struct sw_str word, value;
    enum sw_code code = operand(x, '}', trims, trims, &word);
    if (code) return code;
    bool set = get(x, name, &value);
    if (!set && keep_unset(x)) {
        sw_buf_addf(out, "${%.*s%s", SW_ARG(name), colon ? ":" : "");
        sw_rune_add(out, modifier);
        sw_buf_addf(out, "%.*s}", SW_ARG(word));
        return SW_OK;
    }
    bool missing = !set || (colon && value.len == 0);
    bool greedy;
    switch (modifier) {
    case '-':
        sw_buf_add(out, missing ? word : value);
        return SW_OK;
    case '+':
        sw_buf_add(out, missing ? SW_STR("") : word);
        return SW_OK;
    case '?':
        if (!set) return not_set(x, name, word, "is not allowed to be unset");
        if (missing) return not_set(x, name, word, "is not allowed to be empty");
        sw_buf_add(out, value);
        return SW_OK;
    case '#':
    case '%':
        greedy = word.len > 0 && (unsigned char)word.ptr[0] == modifier;
        if (greedy) word = sw_str_from(word, 1);
        return (modifier == '#' ? sw_subst_trim_prefix : sw_subst_trim_suffix)(word, value, greedy,
                                                                               out, x->err);
    default:
        return bad_modifier(x, colon, modifier);
    }
}

static enum sw_code braced(struct lexer *x, struct sw_buf *out) {
    uint32_t first = peek(x);
    if (first == END) return sw_fail(x->err, SW_SYNTAX, NOT_CLOSED, "}");
    if (first == '{' || first == '}' || first == ':')
        return sw_fail(x->err, SW_SYNTAX, "bad substitution: a name must follow ${");
    struct sw_str name = read_name(x), value;
    uint32_t modifier = next(x);
    switch (modifier) {
    case '}':
        if (get(x, name, &value) || !keep_unset(x))
            sw_buf_add(out, value);
        else
            sw_buf_addf(out, "${%.*s}", SW_ARG(name));
        return SW_OK;
    case ':':
        modifier = next(x);
        if (modifier == END) return bad_modifier(x, true, modifier);
        return modify(x, name, true, modifier, out);
    case '+':
    case '-':
    case '?':
    case '#':
    case '%':
        return modify(x, name, false, modifier, out);
    case '/':
        return replace(x, name, out);
    default:
        return bad_modifier(x, false, modifier);
    }
}

/* A variable, from its $ on. */
static enum sw_code dollar(struct lexer *x, struct sw_buf *out) {
    next(x);
    if (peek(x) == '{') {
        next(x);
        if (x->depth == SW_DF_EXPAND_DEPTH_MAX)
            return sw_fail(x->err, SW_LIMIT, "${} is nested deeper than %u levels",
                           SW_DF_EXPAND_DEPTH_MAX);
        x->depth++;
        enum sw_code code = braced(x, out);
        x->depth--;
        return code;
    }
    struct sw_str name = read_name(x), value;
    if (name.len == 0) {
        sw_buf_add_char(out, '$');
    } else if (get(x, name, &value) || !keep_unset(x)) {
        sw_buf_add(out, value);
    } else {
        sw_buf_add_char(out, '$');
        sw_buf_add(out, name);
    }
    return SW_OK;
}

/* "<<" and the blanks after it stay together, so that "<< EOF" is one word. */
static void angle(struct lexer *x, struct sink *out) {
    next(x);
    add_quoted_rune(out, '<');
    if (peek(x) != '<') return;
    next(x);
    add_quoted_rune(out, '<');
    for (uint32_t rune; (rune = peek(x)) == ' ' || rune == '\t' || rune == '\r'; next(x))
        add_quoted_rune(out, rune);
}

static enum sw_code plain_dollar(struct lexer *x, struct sink *out) {
    SW_BUF struct sw_buf value;
    sw_buf_init(&value, SW_DF_EXPANSION_MAX);
    enum sw_code code = dollar(x, &value);
    if (!code) code = sw_buf_check(&value, "the expansion of a variable", x->err);
    if (!code) add_value(out, sw_buf_str(&value));
    return code;
}

/* Outside quotes the escape character makes the next one literal, and vanishes at the end. */
static void plain(struct lexer *x, struct sink *out) {
    uint32_t rune = next(x);
    if (rune != x->escape) {
        add_rune(out, rune);
        return;
    }
    if (x->keep_escapes) add_quoted_rune(out, rune);
    rune = next(x);
    if (rune != END) add_quoted_rune(out, rune);
}

/* Reads up to the unquoted rune stop, which is consumed, or up to the end for END. */
static enum sw_code scan_until(struct lexer *x, uint32_t stop, bool keep_escapes, bool pattern,
                               struct sink *out) {
    bool outer = x->keep_escapes;
    x->keep_escapes = keep_escapes;
    bool quotes = !(x->lex->flags & SW_DF_IGNORE_QUOTES);
    enum sw_code code = SW_OK;
    while (!code) {
        uint32_t rune = peek(x);
        if (rune == END) {
            if (stop != END) {
                char closing[2] = {(char)stop, 0};
                code = sw_fail(x->err, SW_SYNTAX, NOT_CLOSED, closing);
            }
            break;
        }
        if (rune == stop) {
            next(x);
            break;
        }
        if (rune == '$') {
            code = plain_dollar(x, out);
        } else if (rune == '<') {
            angle(x, out);
        } else if (rune == '\'' && quotes) {
            next(x);
            code = single_quoted(x, pattern, out);
        } else if (rune == '"' && quotes) {
            code = double_quoted(x, pattern, out);
        } else {
            plain(x, out);
        }
    }
    if (out->split) end_word(out);
    x->keep_escapes = outer;
    return code;
}

static enum sw_code expand(struct lexer *x, struct sw_str word, bool split,
                           struct sw_df_expansion *ret) {
    x->rest = word;
    if (peek(x) == SW_RUNE_MARK) next(x);
    SINK struct sink out;
    sink_init(&out, x->arena, split);
    enum sw_code code = scan_until(x, END, x->lex->flags & SW_DF_KEEP_ESCAPES, false, &out);
    if (!code) code = sw_buf_check(&out.text, "the expansion of a word", x->err);
    if (!code && out.words.words.n > SW_DF_WORDS_MAX)
        code = sw_fail(x->err, SW_LIMIT, "more than %u words", SW_DF_WORDS_MAX);
    if (code) {
        struct sw_str shown = sw_str_sub(word, 0, 200);
        return sw_context(x->err, "cannot expand \"%.*s%s\"", SW_ARG(shown),
                          shown.len < word.len ? "..." : "");
    }
    ret->text = sw_arena_str(x->arena, sw_buf_str(&out.text));
    ret->words = out.words.words;
    return sw_arena_check(x->arena, "the expansion of a word", x->err);
}

static struct lexer lexer(struct sw_arena *arena, const struct sw_df_lex *lex,
                          struct sw_error *err) {
    return (struct lexer){.lex = lex,
                          .arena = arena,
                          .escape = lex->escape ? (unsigned char)lex->escape : '\\',
                          .err = err};
}

enum sw_code sw_df_expand(struct sw_arena *arena, const struct sw_df_lex *lex, struct sw_str word,
                          struct sw_df_expansion *ret, struct sw_error *err) {
    struct lexer x = lexer(arena, lex, err);
    struct sw_df_expansion result = {0};
    enum sw_code code = expand(&x, word, !(lex->flags & SW_DF_NO_WORDS), &result);
    if (code) return code;
    result.used = x.used.words;
    result.unset = x.unset.words;
    *ret = result;
    return SW_OK;
}

enum sw_code sw_df_expand_word(struct sw_arena *arena, const struct sw_df_lex *lex,
                               struct sw_str word, struct sw_str *ret_text, struct sw_error *err) {
    struct lexer x = lexer(arena, lex, err);
    struct sw_df_expansion result = {0};
    enum sw_code code = expand(&x, word, false, &result);
    if (!code) *ret_text = result.text;
    return code;
}

enum sw_code sw_df_expand_words(struct sw_arena *arena, const struct sw_df_lex *lex,
                                struct sw_str word, struct sw_df_words *ret_words,
                                struct sw_error *err) {
    struct sw_df_expansion result;
    enum sw_code code = sw_df_expand(arena, lex, word, &result, err);
    if (!code) *ret_words = result.words;
    return code;
}

enum sw_code sw_df_expand_pairs(struct sw_arena *arena, const struct sw_df_lex *lex,
                                const struct sw_df_pairs *pairs, struct sw_df_pairs *ret_pairs,
                                struct sw_df_words *ret_unset, struct sw_error *err) {
    struct lexer x = lexer(arena, lex, err);
    struct sw_df_pairs result = {sw_arena_array(arena, pairs->n, sizeof *result.items), pairs->n};
    for (size_t i = 0; i < pairs->n; i++) {
        struct sw_df_expansion name, value;
        enum sw_code code = expand(&x, pairs->items[i].name, false, &name);
        if (!code) code = expand(&x, pairs->items[i].value, false, &value);
        if (code) return code;
        result.items[i] = pairs->items[i];
        result.items[i].name = name.text;
        if (pairs->items[i].value.ptr) result.items[i].value = value.text;
    }
    *ret_pairs = result;
    if (ret_unset) *ret_unset = x.unset.words;
    return SW_OK;
}

enum sw_code sw_df_expand_heredoc(struct sw_arena *arena, struct sw_df_env env,
                                  const struct sw_df_heredoc *heredoc, struct sw_str *ret_body,
                                  struct sw_error *err) {
    if (!heredoc->expand) {
        *ret_body = heredoc->body;
        return SW_OK;
    }
    struct sw_df_lex lex = {.env = env, .escape = '\\', .flags = SW_DF_IGNORE_QUOTES};
    return sw_df_expand_word(arena, &lex, heredoc->body, ret_body, err);
}
