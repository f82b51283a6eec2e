#include "golang/modfile.h"

/* One line: its directive and argument, comment and blanks removed. */
struct line {
    struct sw_str whole; /* with its newline */
    struct sw_str verb, rest;
    unsigned number;
};

/* Cuts a // comment. It starts a comment anywhere but inside a quoted string. */
static struct sw_str without_comment(struct sw_str s) {
    char quote = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote) {
            if (c == '\\' && quote == '"')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '`') {
            quote = c;
        } else if (c == '/' && i + 1 < s.len && s.ptr[i + 1] == '/') {
            return sw_str_sub(s, 0, i);
        }
    }
    return s;
}

static bool next_line(struct sw_str *text, struct line *l) {
    if (!text->len) return false;
    size_t end = sw_str_find_char(*text, '\n');
    l->whole = sw_str_sub(*text, 0, end == SIZE_MAX ? text->len : end + 1);
    *text = sw_str_from(*text, l->whole.len);
    l->number++;
    struct sw_str s = sw_str_trim(without_comment(l->whole));
    size_t n = 0;
    while (n < s.len && !strchr(" \t\r(", s.ptr[n])) n++;
    l->verb = sw_str_sub(s, 0, n);
    l->rest = sw_str_trim(sw_str_from(s, n));
    return true;
}

/* A quoted or plain single argument; false when there are several. */
static bool one_argument(struct sw_str s, struct sw_str *ret) {
    if (s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '`')) {
        if (s.ptr[s.len - 1] != s.ptr[0]) return false;
        s = sw_str_sub(s, 1, s.len - 2);
        if (memchr(s.ptr, '\\', s.len) || memchr(s.ptr, '"', s.len)) return false;
    }
    if (!s.len) return false;
    for (size_t i = 0; i < s.len; i++)
        if (strchr(" \t()", s.ptr[i])) return false;
    *ret = s;
    return true;
}

static enum sw_code go_line(const struct line *l, struct sw_go_modfile *m, struct sw_error *err) {
    struct sw_go_version v;
    struct sw_str arg;
    if (m->go_line) return sw_fail(err, SW_SYNTAX, "line %u: a second go line", l->number);
    if (!one_argument(l->rest, &arg) || !sw_go_version_read(arg, &v) ||
        sw_str_starts(arg, SW_STR("go")))
        return sw_fail(err, SW_SYNTAX, "line %u: invalid go version \"%.*s\"", l->number,
                       SW_ARG(sw_str_sub(l->rest, 0, 60)));
    m->go = arg;
    m->go_line = l->number;
    return SW_OK;
}

static enum sw_code toolchain_line(const struct line *l, struct sw_go_modfile *m,
                                   struct sw_error *err) {
    struct sw_go_version v;
    struct sw_str arg;
    if (m->toolchain_line)
        return sw_fail(err, SW_SYNTAX, "line %u: a second toolchain line", l->number);
    if (!one_argument(l->rest, &arg) ||
        !(sw_str_is(arg, "default") || sw_go_toolchain_read(arg, &v)))
        return sw_fail(err, SW_SYNTAX, "line %u: invalid toolchain \"%.*s\"", l->number,
                       SW_ARG(sw_str_sub(l->rest, 0, 60)));
    m->toolchain = arg;
    m->toolchain_line = l->number;
    return SW_OK;
}

enum sw_code sw_go_modfile_parse(struct sw_str text, struct sw_go_modfile *ret,
                                 struct sw_error *err) {
    struct sw_go_modfile m = {0};
    struct line l = {0};
    bool block = false;
    if (text.len > SW_GO_MODFILE_MAX)
        return sw_fail(err, SW_LIMIT, "larger than %zu bytes", SW_GO_MODFILE_MAX);
    while (next_line(&text, &l)) {
        enum sw_code code = SW_OK;
        if (block) {
            if (sw_str_is(l.verb, ")")) block = false;
        } else if (sw_str_is(l.rest, "(")) {
            /* go and toolchain have no block form. */
            if (sw_str_is(l.verb, "go") || sw_str_is(l.verb, "toolchain"))
                return sw_fail(err, SW_SYNTAX, "line %u: unknown block type %.*s", l.number,
                               SW_ARG(l.verb));
            block = true;
        } else if (sw_str_is(l.verb, "go")) {
            code = go_line(&l, &m, err);
        } else if (sw_str_is(l.verb, "toolchain")) {
            code = toolchain_line(&l, &m, err);
        } else if (sw_str_is(l.verb, "module") && !m.module.len) {
            (void)one_argument(l.rest, &m.module);
        }
        if (code) return code;
    }
    if (block) return sw_fail(err, SW_SYNTAX, "line %u: a block is not closed", l.number);
    *ret = m;
    return SW_OK;
}

enum sw_code sw_go_modfile_set_toolchain(struct sw_str text, struct sw_str name, struct sw_buf *to,
                                         struct sw_error *err) {
    struct sw_go_modfile m;
    struct sw_go_version v;
    struct line l = {0};
    enum sw_code code = sw_go_modfile_parse(text, &m, err);
    if (code) return code;
    if (name.len && !sw_go_toolchain_read(name, &v))
        return sw_fail(err, SW_USAGE, "\"%.*s\" is not the name of a toolchain", SW_ARG(name));
    bool written = !name.len;
    while (next_line(&text, &l)) {
        if (m.toolchain_line && l.number == m.toolchain_line) {
            if (!name.len) continue;
            size_t at = (size_t)(m.toolchain.ptr - l.whole.ptr);
            sw_buf_add(to, sw_str_sub(l.whole, 0, at));
            sw_buf_add(to, name);
            sw_buf_add(to, sw_str_from(l.whole, at + m.toolchain.len));
            written = true;
            continue;
        }
        sw_buf_add(to, l.whole);
        if (!written && !m.toolchain_line && m.go_line == l.number) {
            if (!sw_str_ends(l.whole, SW_STR("\n"))) sw_buf_add_char(to, '\n');
            sw_buf_addf(to, "\ntoolchain %.*s\n", SW_ARG(name));
            written = true;
        }
    }
    if (!written) {
        if (to->len && to->ptr[to->len - 1] != '\n') sw_buf_add_char(to, '\n');
        sw_buf_addf(to, "\ntoolchain %.*s\n", SW_ARG(name));
    }
    return sw_buf_check(to, "the file", err);
}
