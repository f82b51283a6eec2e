#include "dockerfile/line_internal.h"

#include "dockerfile/limits.h"
#include "dockerfile/rune_internal.h"

enum sw_code sw_df_at_line(struct sw_error *err, struct sw_str name, uint32_t line) {
    return sw_context(err, "%.*s:%u", SW_ARG(name), line);
}

/* The next physical line with its newline; empty at the end. */
static enum sw_code next_line(struct sw_df_reader *r, struct sw_str *ret, struct sw_error *err) {
    struct sw_str rest = sw_str_from(r->source, r->at);
    size_t end = sw_str_find_char(rest, '\n');
    *ret = end == SIZE_MAX ? rest : sw_str_sub(rest, 0, end + 1);
    if (ret->len == 0) return SW_OK;
    r->at += ret->len;
    r->line++;
    if (ret->len <= SW_DF_LINE_MAX) return SW_OK;
    return sw_fail(err, SW_LIMIT, "line %u is longer than %u bytes", r->line, SW_DF_LINE_MAX);
}

static struct sw_str without_newline(struct sw_str line) {
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line;
}

static bool is_comment(struct sw_str line) {
    line = sw_rune_trim_left(line);
    return line.len > 0 && line.ptr[0] == '#';
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* White space of Go's regular expressions. */
static bool is_regexp_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

bool sw_df_split_directive(struct sw_str s, struct sw_str *ret_name, struct sw_str *ret_value) {
    size_t n = 0;
    while (n < s.len && is_alnum(s.ptr[n])) n++;
    if (n == 0 || (s.ptr[0] >= '0' && s.ptr[0] <= '9')) return false;
    *ret_name = sw_str_sub(s, 0, n);
    while (n < s.len && is_regexp_space(s.ptr[n])) n++;
    if (n == s.len || s.ptr[n] != '=') return false;
    struct sw_str value = sw_str_from(s, n + 1);
    if (value.len == 0) return false;
    *ret_value = sw_str_from(value, value.len - 1); /* what is left of nothing but blanks */
    while (value.len > 0 && is_regexp_space(value.ptr[0])) value = sw_str_from(value, 1);
    while (value.len > 0 && is_regexp_space(value.ptr[value.len - 1])) value.len--;
    if (value.len > 0) *ret_value = value;
    return true;
}

static enum sw_code set_escape(struct sw_df_reader *r, struct sw_str value, struct sw_error *err) {
    if (!sw_str_is(value, "\\") && !sw_str_is(value, "`"))
        return sw_fail(err, SW_SYNTAX, "invalid escape character \"%.*s\": only ` and \\ can be",
                       SW_ARG(value));
    r->escape = value.ptr[0];
    return SW_OK;
}

/* Directives are the comments of the form name=value at the very top, of three names. The first
 * line that is none ends them. */
static enum sw_code directive(struct sw_df_reader *r, struct sw_str line, bool *ret_is,
                              struct sw_error *err) {
    static const char *const known[] = {"syntax", "escape", "check"};
    *ret_is = false;
    if (r->directives_over) return SW_OK;
    r->directives_over = true;
    if (line.len == 0 || line.ptr[0] != '#') return SW_OK;
    struct sw_str name, value;
    if (!sw_df_split_directive(sw_rune_trim_left(sw_str_from(line, 1)), &name, &value))
        return SW_OK;
    const char *lower = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sw_str_ieq(name, sw_str(known[i]))) lower = known[i];
    if (!lower) return SW_OK;
    for (size_t i = 0; i < r->n_directives; i++)
        if (sw_str_is(r->directives[i].name, lower))
            return sw_fail(err, SW_SYNTAX, "only one %s parser directive can be used", lower);
    *SW_DF_PUSH(r->arena, r->directives, r->n_directives, r->cap_directives) =
        (struct sw_df_directive){sw_str(lower), value, r->line};
    r->directives_over = false;
    *ret_is = true;
    return sw_str_is(sw_str(lower), "escape") ? set_escape(r, value, err) : SW_OK;
}

/* Cuts the escape character at the end of a line, with the blanks after it; one that is escaped
 * itself is text. False where the instruction ends here. */
static bool continues(const struct sw_df_reader *r, struct sw_str *line) {
    size_t n = line->len;
    while (n > 0 && is_blank(line->ptr[n - 1])) n--;
    if (n == 0 || line->ptr[n - 1] != r->escape) return false;
    if (n > 1 && line->ptr[n - 2] == r->escape) return false;
    line->len = n - 1;
    return true;
}

/* A comment above an instruction describes it; "#" alone separates. BuildKit takes away the first
 * byte of the line, so that an indented comment keeps its "#" and describes nothing. */
static void note_comment(struct sw_df_reader *r, struct sw_str line) {
    struct sw_str text = sw_rune_trim(sw_str_from(line, 1));
    if (text.len == 0)
        r->comments = (struct sw_df_list){0};
    else
        sw_df_list_add(r->arena, &r->comments, text);
}

static struct sw_str without_mark(const struct sw_df_reader *r, struct sw_str line) {
    bool marked = r->line == 1 && sw_str_starts(line, SW_STR("\xEF\xBB\xBF"));
    return marked ? sw_str_from(line, 3) : line;
}

/* Appends the lines after one that ended in the escape character. */
static enum sw_code join(struct sw_df_reader *r, struct sw_buf *text, struct sw_error *err) {
    bool more = true, empty = false;
    while (more) {
        struct sw_str raw;
        enum sw_code code = next_line(r, &raw, err);
        if (code) return sw_df_at_line(err, r->name, r->line);
        if (raw.len == 0) break;
        /* Right after a first line of nothing but the escape character, directives go on. */
        struct sw_str line = without_newline(raw);
        bool is_directive;
        code = directive(r, line, &is_directive, err);
        if (code) return sw_df_at_line(err, r->name, r->line);
        if (is_comment(raw)) continue;
        if (sw_rune_trim_left(line).len == 0) {
            empty = true;
            continue;
        }
        more = continues(r, &line);
        sw_buf_add(text, line);
    }
    if (empty)
        *SW_DF_PUSH(r->arena, r->remarks, r->n_remarks, r->cap_remarks) =
            (struct sw_df_remark){r->line};
    return SW_OK;
}

enum sw_code sw_df_read_line(struct sw_df_reader *r, struct sw_df_line *ret, bool *ret_more,
                             struct sw_error *err) {
    for (;;) {
        size_t offset = r->at;
        struct sw_str raw;
        enum sw_code code = next_line(r, &raw, err);
        if (code) return sw_df_at_line(err, r->name, r->line);
        if (raw.len == 0) {
            *ret_more = false;
            return SW_OK;
        }
        struct sw_str marked = without_mark(r, raw);
        struct sw_str line = sw_rune_trim_left(without_newline(marked));
        bool is_directive;
        code = directive(r, line, &is_directive, err);
        if (code) return sw_df_at_line(err, r->name, r->line);
        if (is_comment(marked)) {
            if (!is_directive) note_comment(r, marked);
            continue;
        }
        uint32_t start = r->line;
        bool more = continues(r, &line);
        if (!more && line.len == 0) continue;
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, SW_DF_FILE_MAX);
        sw_buf_add(&text, line);
        if (more) code = join(r, &text, err);
        if (code) return code;
        *ret = (struct sw_df_line){
            .text = sw_arena_str(r->arena, sw_buf_str(&text)),
            .comments = r->comments.words,
            .offset = offset,
            .line = start,
            .end_line = r->line,
            .column = (uint32_t)(line.ptr - (r->source.ptr + offset)) + 1,
        };
        r->comments = (struct sw_df_list){0};
        *ret_more = true;
        return sw_arena_check(r->arena, "the Dockerfile", err);
    }
}

static struct sw_str without_tabs(struct sw_str line) {
    while (line.len > 0 && line.ptr[0] == '\t') line = sw_str_from(line, 1);
    return line;
}

enum sw_code sw_df_read_heredoc(struct sw_df_reader *r, struct sw_df_heredoc *heredoc,
                                struct sw_error *err) {
    SW_BUF struct sw_buf body;
    sw_buf_init(&body, SW_DF_FILE_MAX);
    size_t start = r->at;
    for (;;) {
        struct sw_str raw;
        enum sw_code code = next_line(r, &raw, err);
        if (code) return code;
        if (raw.len == 0)
            return sw_fail(err, SW_SYNTAX, "the heredoc <<%.*s has no line \"%.*s\" that ends it",
                           SW_ARG(heredoc->name), SW_ARG(heredoc->name));
        struct sw_str terminator = without_newline(raw);
        if (heredoc->chomp) terminator = without_tabs(terminator);
        if (sw_str_eq(terminator, heredoc->name)) {
            heredoc->raw = sw_str_sub(r->source, start, r->at - raw.len - start);
            break;
        }
        if (heredoc->chomp) sw_buf_add(&body, without_tabs(raw));
    }
    heredoc->body = heredoc->chomp ? sw_arena_str(r->arena, sw_buf_str(&body)) : heredoc->raw;
    return SW_OK;
}
