#include "scan/gomod.h"

#include "base/vec.h"

struct replacement {
    struct sw_str path, version, by_path, by_version;
};

struct reader {
    struct sw_arena *a;
    struct sw_packages list;
    SW_VEC(struct replacement) replacements;
};

enum { WORDS_MAX = 8 };

/* Words of a line, without its comment; quotes are taken off. */
static size_t split(struct sw_str line, struct sw_str words[WORDS_MAX]) {
    size_t n = 0, comment = sw_str_find(line, SW_STR("//"));
    if (comment != SIZE_MAX) line = sw_str_sub(line, 0, comment);
    while (n < WORDS_MAX) {
        line = sw_str_trim(line);
        if (!line.len) break;
        size_t end = 0;
        char quote = line.ptr[0] == '"' || line.ptr[0] == '`' ? line.ptr[0] : 0;
        if (quote) {
            for (end = 1; end < line.len && line.ptr[end] != quote;) end++;
            words[n++] = sw_str_sub(line, 1, end - 1);
            line = sw_str_from(line, end + 1);
            continue;
        }
        while (end < line.len && line.ptr[end] != ' ' && line.ptr[end] != '\t') end++;
        words[n++] = sw_str_sub(line, 0, end);
        line = sw_str_from(line, end);
    }
    return n;
}

static enum sw_code take_require(struct reader *r, const struct sw_str *words, size_t n,
                                 unsigned line, struct sw_error *err) {
    if (n < 2 || words[1].len < 2 || words[1].ptr[0] != 'v')
        return sw_fail(err, SW_SYNTAX, "line %u: a requirement is a module and a version", line);
    if (r->list.len == SW_PACKAGES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d modules", SW_PACKAGES_MAX);
    struct sw_package *p = sw_packages_add(r->a, &r->list);
    p->name = sw_arena_str(r->a, words[0]);
    p->version = sw_arena_str(r->a, words[1]);
    return SW_OK;
}

/* old [version] => new [version] */
static enum sw_code take_replace(struct reader *r, const struct sw_str *words, size_t n,
                                 unsigned line, struct sw_error *err) {
    size_t arrow = 0;
    while (arrow < n && !sw_str_is(words[arrow], "=>")) arrow++;
    if (arrow == 0 || arrow > 2 || n < arrow + 2 || n > arrow + 3)
        return sw_fail(err, SW_SYNTAX, "line %u: a replacement is old => new version", line);
    struct replacement *p = sw_vec_push(&r->replacements);
    p->path = words[0];
    if (arrow == 2) p->version = words[1];
    p->by_path = words[arrow + 1];
    if (n == arrow + 3) p->by_version = words[arrow + 2];
    return SW_OK;
}

static enum sw_code take_line(struct reader *r, struct sw_str directive, const struct sw_str *words,
                              size_t n, unsigned line, struct sw_error *err) {
    if (sw_str_is(directive, "require")) return take_require(r, words, n, line, err);
    if (sw_str_is(directive, "replace")) return take_replace(r, words, n, line, err);
    return SW_OK;
}

static enum sw_code read_lines(struct reader *r, struct sw_str text, struct sw_error *err) {
    struct sw_str line, words[WORDS_MAX], block = SW_STR("");
    enum sw_code code = SW_OK;
    for (unsigned number = 1; !code && sw_str_next(&text, '\n', &line); number++) {
        size_t n = split(line, words);
        if (!n) continue;
        if (block.len) {
            if (sw_str_is(words[0], ")"))
                block.len = 0;
            else
                code = take_line(r, block, words, n, number, err);
        } else if (n == 2 && sw_str_is(words[1], "(")) {
            block = words[0];
        } else {
            code = take_line(r, words[0], words + 1, n - 1, number, err);
        }
        if (!code) code = sw_arena_check(r->a, "go.mod", err);
    }
    if (!code && block.len) code = sw_fail(err, SW_SYNTAX, "a block is not closed");
    return code;
}

enum sw_code sw_scan_gomod(struct sw_arena *a, struct sw_str text, struct sw_packages *ret,
                           struct sw_error *err) {
    struct reader r = {.a = a};
    enum sw_code code = read_lines(&r, text, err);
    for (size_t i = 0; i < r.list.len && !code; i++) {
        struct sw_package *p = &r.list.ptr[i];
        for (size_t j = 0; j < r.replacements.len; j++) {
            const struct replacement *by = &r.replacements.ptr[j];
            if (!sw_str_eq(by->path, p->name) ||
                (by->version.len && !sw_str_eq(by->version, p->version)))
                continue;
            p->source = p->name;
            p->source_version = p->version;
            p->name = sw_arena_str(a, by->by_path);
            p->version = sw_arena_str(a, by->by_version);
            break;
        }
    }
    sw_vec_done(&r.replacements);
    if (!code) *ret = r.list;
    return code;
}
