#include "dockerfile/line_internal.h"

#include "dockerfile/expand.h"
#include "dockerfile/limits.h"

static size_t count_quotes(struct sw_str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += s.ptr[i] == '\'' || s.ptr[i] == '"';
    return n;
}

/* [0-9]*<<-?[white space]*rest, where rest has no "<". */
static bool split(struct sw_str word, struct sw_str *ret_fd, bool *ret_chomp,
                  struct sw_str *ret_rest) {
    size_t n = 0;
    while (n < word.len && word.ptr[n] >= '0' && word.ptr[n] <= '9') n++;
    *ret_fd = sw_str_sub(word, 0, n);
    struct sw_str rest = sw_str_from(word, n);
    if (!sw_str_starts(rest, SW_STR("<<"))) return false;
    rest = sw_str_from(rest, 2);
    *ret_chomp = rest.len > 0 && rest.ptr[0] == '-';
    if (*ret_chomp) rest = sw_str_from(rest, 1);
    while (rest.len > 0 && memchr(" \t\n\f\r", rest.ptr[0], 5)) rest = sw_str_from(rest, 1);
    *ret_rest = rest;
    return rest.len > 0 && sw_str_find_char(rest, '<') == SIZE_MAX;
}

enum sw_code sw_df_heredoc_word(struct sw_arena *arena, struct sw_str word,
                                struct sw_df_heredoc *ret, bool *ret_found, struct sw_error *err) {
    *ret_found = false;
    struct sw_str fd, rest;
    bool chomp;
    uint64_t number = 0;
    if (!split(word, &fd, &chomp, &rest)) return SW_OK;
    struct sw_df_words plain, quoted;
    struct sw_df_lex lex = {.flags = SW_DF_KEEP_UNSET};
    enum sw_code code = sw_df_expand_words(arena, &lex, rest, &plain, err);
    if (code) return code;
    if (plain.n != 1) return SW_OK;
    /* A quote anywhere in the terminator turns expansion off: it is gone without the flag. */
    lex.flags |= SW_DF_KEEP_QUOTES;
    code = sw_df_expand_words(arena, &lex, rest, &quoted, err);
    if (code) return code;
    if (quoted.n != 1)
        return sw_fail(err, SW_SYNTAX, "cannot read the heredoc's name \"%.*s\"", SW_ARG(rest));
    if (fd.len > 0 && (!sw_str_u64(fd, &number) || number > UINT32_MAX)) number = UINT32_MAX;
    *ret = (struct sw_df_heredoc){.name = plain.items[0],
                                  .fd = (uint32_t)number,
                                  .chomp = chomp,
                                  .expand = count_quotes(plain.items[0]) ==
                                            count_quotes(quoted.items[0])};
    *ret_found = true;
    return SW_OK;
}

enum sw_code sw_df_heredocs_in(struct sw_arena *arena, struct sw_str line,
                               struct sw_df_heredoc **ret, size_t *ret_n, struct sw_error *err) {
    struct sw_df_heredoc *items = NULL, found;
    size_t n = 0, cap = 0;
    struct sw_df_words words;
    struct sw_df_lex lex = {.flags = SW_DF_KEEP_QUOTES | SW_DF_KEEP_ESCAPES | SW_DF_KEEP_UNSET};
    struct sw_error not_ours;
    *ret = NULL;
    *ret_n = 0;
    /* A line that is no list of shell words to us, with an odd quote in a sed script say, has no
     * heredocs to us either; the shell will judge it. */
    if (sw_df_expand_words(arena, &lex, line, &words, &not_ours)) return SW_OK;
    for (size_t i = 0; i < words.n; i++) {
        bool is;
        enum sw_code code = sw_df_heredoc_word(arena, words.items[i], &found, &is, err);
        if (code) return code;
        if (!is) continue;
        if (n == SW_DF_HEREDOCS_MAX)
            return sw_fail(err, SW_LIMIT, "more than %u heredocs", SW_DF_HEREDOCS_MAX);
        *SW_DF_PUSH(arena, items, n, cap) = found;
    }
    *ret = items;
    *ret_n = n;
    return SW_OK;
}
