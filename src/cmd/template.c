/* DESIGN
 *
 * The text is executed as it is read: a block that is not taken is read all the same, with `quiet`
 * set, so that one pass serves and nothing has to be built. A range reads its body once for each
 * item, from the same position.
 */
#include "cmd/template.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "codec/json_writer.h"

#define DEPTH_MAX 64 /* nested blocks and parentheses */
#define ARGS_MAX 32
#define VARIABLES_MAX 32
#define STEPS_MAX 10000000u /* blocks and pipelines executed: a guard against nested ranges */

struct variable {
    struct sw_str name;
    const struct sw_json *value;
};

struct engine {
    struct sw_arena *arena;
    struct sw_str text; /* the whole template */
    size_t at;
    struct sw_buf *out;
    struct sw_error *err;
    const struct sw_json *root;
    struct variable variables[VARIABLES_MAX];
    size_t n_variables;
    unsigned depth, steps;
    bool trim_next; /* "-}}" was just read */
};

static enum sw_code run_block(struct engine *e, const struct sw_json *dot, bool quiet,
                              struct sw_str *ret_end);

/* ---- values ---- */

static struct sw_json *make(struct engine *e, enum sw_json_type type) {
    struct sw_json *v = SW_NEW(e->arena, struct sw_json);
    v->type = type;
    return v;
}

static const struct sw_json *make_text(struct engine *e, struct sw_str s) {
    struct sw_json *v = make(e, SW_JSON_STRING);
    v->text = s;
    return v;
}

static const struct sw_json *make_bool(struct engine *e, bool b) {
    struct sw_json *v = make(e, SW_JSON_BOOL);
    v->boolean = b;
    return v;
}

static const struct sw_json *make_int(struct engine *e, int64_t n) {
    struct sw_json *v = make(e, SW_JSON_INT);
    v->integer = n;
    return v;
}

static bool truth(const struct sw_json *v) {
    if (!v) return false;
    switch (v->type) {
    case SW_JSON_NULL:
        return false;
    case SW_JSON_BOOL:
        return v->boolean;
    case SW_JSON_INT:
        return v->integer != 0;
    case SW_JSON_REAL:
        return v->real != 0;
    case SW_JSON_STRING:
        return v->text.len != 0;
    default:
        return v->len != 0;
    }
}

static void print_value(struct sw_buf *out, const struct sw_json *v) {
    if (!v) {
        sw_buf_add_text(out, "<no value>");
        return;
    }
    switch (v->type) {
    case SW_JSON_NULL:
        sw_buf_add_text(out, "<no value>");
        break;
    case SW_JSON_BOOL:
        sw_buf_add_text(out, v->boolean ? "true" : "false");
        break;
    case SW_JSON_INT:
        sw_buf_addf(out, "%lld", (long long)v->integer);
        break;
    case SW_JSON_REAL:
        sw_buf_addf(out, "%g", v->real);
        break;
    case SW_JSON_STRING:
        sw_buf_add(out, v->text);
        break;
    default:
        sw_buf_add_text(out, v->type == SW_JSON_ARRAY ? "[" : "map[");
        for (size_t i = 0; i < v->len; i++) {
            if (i) sw_buf_add_char(out, ' ');
            if (v->type == SW_JSON_OBJECT) sw_buf_addf(out, "%.*s:", SW_ARG(v->items[i].key));
            print_value(out, &v->items[i]);
        }
        sw_buf_add_char(out, ']');
    }
}

static struct sw_str text_of(struct engine *e, const struct sw_json *v) {
    if (v && v->type == SW_JSON_STRING) return v->text;
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    print_value(&b, v);
    return sw_arena_str(e->arena, sw_buf_str(&b));
}

static enum sw_code no_field(struct engine *e, const struct sw_json *v, struct sw_str name) {
    if (v->type != SW_JSON_OBJECT)
        return sw_fail(e->err, SW_USAGE, "template: .%.*s of a value that is not an object",
                       SW_ARG(name));
    const char **names = sw_arena_array(e->arena, v->len + 1, sizeof *names);
    for (size_t i = 0; i < v->len; i++) names[i] = sw_arena_cstr(e->arena, v->items[i].key);
    const char *near = sw_str_nearest(name, names, v->len);
    sw_fail(e->err, SW_USAGE, "template: there is no field .%.*s", SW_ARG(name));
    return near ? sw_advise(e->err, "; did you mean .%s?", near) : e->err->code;
}

static enum sw_code field(struct engine *e, const struct sw_json *v, struct sw_str name,
                          const struct sw_json **ret) {
    if (!v || v->type == SW_JSON_NULL) {
        *ret = NULL;
        return SW_OK;
    }
    for (int exact = 1; exact >= 0 && v->type == SW_JSON_OBJECT; exact--)
        for (size_t i = 0; i < v->len; i++) {
            if (exact ? !sw_str_eq(v->items[i].key, name) : !sw_str_ieq(v->items[i].key, name))
                continue;
            *ret = &v->items[i];
            return SW_OK;
        }
    return no_field(e, v, name);
}

/* ---- functions ---- */

static const struct sw_json *to_json(struct engine *e, const struct sw_json *v) {
    SW_BUF struct sw_buf b;
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, SW_JSON_HTML);
    if (v) {
        sw_json_tree(&w, v);
    } else {
        sw_json_null(&w);
    }
    return make_text(e, sw_arena_str(e->arena, sw_buf_str(&b)));
}

static const struct sw_json *change_case(struct engine *e, struct sw_str s, struct sw_str how) {
    char *copy = sw_arena_cstr(e->arena, s);
    for (size_t i = 0; i < s.len; i++) {
        bool up =
            sw_str_is(how, "upper") || (sw_str_is(how, "title") && (i == 0 || s.ptr[i - 1] == ' '));
        if (up) {
            copy[i] = (char)toupper((unsigned char)copy[i]);
        } else if (sw_str_is(how, "lower")) {
            copy[i] = (char)tolower((unsigned char)copy[i]);
        }
    }
    return make_text(e, sw_str_n(copy, s.len));
}

static const struct sw_json *join(struct engine *e, const struct sw_json *list, struct sw_str sep) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    for (size_t i = 0; list && i < list->len; i++) {
        if (i) sw_buf_add(&b, sep);
        print_value(&b, &list->items[i]);
    }
    return make_text(e, sw_arena_str(e->arena, sw_buf_str(&b)));
}

static const struct sw_json *split(struct engine *e, struct sw_str s, struct sw_str sep) {
    struct sw_json *list = make(e, SW_JSON_ARRAY);
    SW_VEC(struct sw_str) parts = {0};
    for (size_t at; sep.len && (at = sw_str_find(s, sep)) != SIZE_MAX;) {
        sw_vec_add(&parts, sw_str_sub(s, 0, at));
        s = sw_str_from(s, at + sep.len);
    }
    sw_vec_add(&parts, s);
    list->len = parts.len;
    list->items = sw_arena_array(e->arena, parts.len, sizeof *list->items);
    for (size_t i = 0; i < parts.len; i++) {
        list->items[i].type = SW_JSON_STRING;
        list->items[i].text = parts.ptr[i];
    }
    sw_vec_done(&parts);
    return list;
}

static const struct sw_json *formatted(struct engine *e, const struct sw_json **args, size_t n) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    struct sw_str format = text_of(e, args[0]);
    size_t next = 1;
    for (size_t i = 0; i < format.len; i++) {
        if (format.ptr[i] != '%' || i + 1 == format.len) {
            sw_buf_add_char(&b, format.ptr[i]);
            continue;
        }
        char verb = format.ptr[++i];
        if (verb == '%') {
            sw_buf_add_char(&b, '%');
        } else if (next >= n) {
            sw_buf_addf(&b, "%%!%c(MISSING)", verb);
        } else if (verb == 'q') {
            sw_buf_add(&b, text_of(e, to_json(e, args[next++])));
        } else {
            print_value(&b, args[next++]);
        }
    }
    return make_text(e, sw_arena_str(e->arena, sw_buf_str(&b)));
}

static const struct sw_json *printed(struct engine *e, const struct sw_json **args, size_t n,
                                     bool line) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    for (size_t i = 0; i < n; i++) {
        if (i && line) sw_buf_add_char(&b, ' ');
        print_value(&b, args[i]);
    }
    if (line) sw_buf_add_char(&b, '\n');
    return make_text(e, sw_arena_str(e->arena, sw_buf_str(&b)));
}

static int compare(struct engine *e, const struct sw_json *a, const struct sw_json *b) {
    if (a && b && a->type == SW_JSON_INT && b->type == SW_JSON_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    return sw_str_cmp(text_of(e, a), text_of(e, b));
}

static enum sw_code want_args(struct engine *e, struct sw_str name, size_t have, size_t least) {
    if (have >= least) return SW_OK;
    return sw_fail(e->err, SW_USAGE, "template: %.*s needs %zu arguments", SW_ARG(name), least);
}

static enum sw_code index_value(struct engine *e, const struct sw_json **args, size_t n,
                                const struct sw_json **ret) {
    const struct sw_json *v = args[0];
    for (size_t i = 1; i < n && v; i++) {
        const struct sw_json *key = args[i];
        if (v->type == SW_JSON_OBJECT) {
            const struct sw_json *found = NULL;
            for (size_t k = 0; k < v->len; k++)
                if (sw_str_eq(v->items[k].key, text_of(e, key))) found = &v->items[k];
            v = found;
        } else if (v->type == SW_JSON_ARRAY && key && key->type == SW_JSON_INT) {
            if (key->integer < 0 || (uint64_t)key->integer >= v->len)
                return sw_fail(e->err, SW_USAGE, "template: index %lld of a list of %zu",
                               (long long)key->integer, v->len);
            v = &v->items[key->integer];
        } else {
            return sw_fail(e->err, SW_USAGE,
                           "template: index of a value that is no list or object");
        }
    }
    *ret = v;
    return SW_OK;
}

static enum sw_code call(struct engine *e, struct sw_str name, const struct sw_json **args,
                         size_t n, const struct sw_json **ret) {
    static const struct {
        const char *name;
        size_t least;
    } known[] = {{"json", 1},   {"join", 2}, {"lower", 1}, {"upper", 1}, {"title", 1},
                 {"split", 2},  {"len", 1},  {"index", 1}, {"print", 0}, {"println", 0},
                 {"printf", 1}, {"eq", 2},   {"ne", 2},    {"lt", 2},    {"le", 2},
                 {"gt", 2},     {"ge", 2},   {"and", 1},   {"or", 1},    {"not", 1}};
    size_t i = 0, n_known = sizeof known / sizeof known[0];
    while (i < n_known && !sw_str_is(name, known[i].name)) i++;
    if (i == n_known)
        return sw_fail(e->err, SW_USAGE, "template: there is no function \"%.*s\"", SW_ARG(name));
    enum sw_code code = want_args(e, name, n, known[i].least);
    if (code) return code;
    const char *f = known[i].name;
    if (!strcmp(f, "json")) {
        *ret = to_json(e, args[0]);
    } else if (!strcmp(f, "join")) {
        *ret = join(e, args[0], text_of(e, args[1]));
    } else if (!strcmp(f, "split")) {
        *ret = split(e, text_of(e, args[0]), text_of(e, args[1]));
    } else if (!strcmp(f, "lower") || !strcmp(f, "upper") || !strcmp(f, "title")) {
        *ret = change_case(e, text_of(e, args[0]), name);
    } else if (!strcmp(f, "len")) {
        bool text = args[0] && args[0]->type == SW_JSON_STRING;
        *ret = make_int(e, !args[0] ? 0 : (int64_t)(text ? args[0]->text.len : args[0]->len));
    } else if (!strcmp(f, "index")) {
        return index_value(e, args, n, ret);
    } else if (!strcmp(f, "print") || !strcmp(f, "println")) {
        *ret = printed(e, args, n, f[5] != 0);
    } else if (!strcmp(f, "printf")) {
        *ret = formatted(e, args, n);
    } else if (!strcmp(f, "not")) {
        *ret = make_bool(e, !truth(args[0]));
    } else if (!strcmp(f, "and") || !strcmp(f, "or")) {
        size_t k = 0;
        while (k + 1 < n && truth(args[k]) == (f[0] == 'a')) k++;
        *ret = args[k];
    } else {
        int order = compare(e, args[0], args[1]);
        bool yes = f[0] == 'e'        ? order == 0
                   : f[0] == 'n'      ? order != 0
                   : !strcmp(f, "lt") ? order < 0
                   : !strcmp(f, "le") ? order <= 0
                   : !strcmp(f, "gt") ? order > 0
                                      : order >= 0;
        *ret = make_bool(e, yes);
    }
    return SW_OK;
}

/* ---- expressions: the inside of {{ }} ---- */

struct expr {
    struct sw_str s; /* what is left */
};

static void skip_space(struct expr *x) {
    while (x->s.len && isspace((unsigned char)x->s.ptr[0])) x->s = sw_str_from(x->s, 1);
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static struct sw_str take_word(struct expr *x) {
    size_t n = 0;
    while (n < x->s.len && is_word(x->s.ptr[n])) n++;
    struct sw_str word = sw_str_sub(x->s, 0, n);
    x->s = sw_str_from(x->s, n);
    return word;
}

static enum sw_code pipeline(struct engine *e, struct expr *x, const struct sw_json *dot,
                             const struct sw_json **ret);

static enum sw_code string_literal(struct engine *e, struct expr *x, const struct sw_json **ret) {
    char quote = x->s.ptr[0];
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    size_t i = 1;
    for (; i < x->s.len && x->s.ptr[i] != quote; i++) {
        char c = x->s.ptr[i];
        if (c == '\\' && quote == '"' && i + 1 < x->s.len) {
            c = x->s.ptr[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        sw_buf_add_char(&b, c);
    }
    if (i == x->s.len) return sw_fail(e->err, SW_USAGE, "template: a string is not closed");
    x->s = sw_str_from(x->s, i + 1);
    *ret = make_text(e, sw_arena_str(e->arena, sw_buf_str(&b)));
    return SW_OK;
}

/* ".A.B" after a value. */
static enum sw_code fields(struct engine *e, struct expr *x, const struct sw_json *v,
                           const struct sw_json **ret) {
    while (x->s.len > 1 && x->s.ptr[0] == '.' && is_word(x->s.ptr[1])) {
        x->s = sw_str_from(x->s, 1);
        enum sw_code code = field(e, v, take_word(x), &v);
        if (code) return code;
    }
    *ret = v;
    return SW_OK;
}

static enum sw_code variable(struct engine *e, struct expr *x, const struct sw_json **ret) {
    x->s = sw_str_from(x->s, 1);
    struct sw_str name = take_word(x);
    const struct sw_json *v = e->root;
    if (name.len) {
        size_t i = e->n_variables;
        while (i && !sw_str_eq(e->variables[i - 1].name, name)) i--;
        if (!i)
            return sw_fail(e->err, SW_USAGE, "template: there is no variable $%.*s", SW_ARG(name));
        v = e->variables[i - 1].value;
    }
    return fields(e, x, v, ret);
}

/* One operand; *ret_function is set instead where it is a bare word. */
static enum sw_code operand(struct engine *e, struct expr *x, const struct sw_json *dot,
                            const struct sw_json **ret, struct sw_str *ret_function) {
    char c = x->s.ptr[0];
    *ret_function = (struct sw_str){0};
    if (c == '.') {
        if (x->s.len > 1 && is_word(x->s.ptr[1])) return fields(e, x, dot, ret);
        x->s = sw_str_from(x->s, 1);
        *ret = dot;
        return SW_OK;
    }
    if (c == '$') return variable(e, x, ret);
    if (c == '"' || c == '`') return string_literal(e, x, ret);
    if (c == '(') {
        if (++e->depth > DEPTH_MAX) return sw_fail(e->err, SW_LIMIT, "template: nested too deeply");
        x->s = sw_str_from(x->s, 1);
        enum sw_code code = pipeline(e, x, dot, ret);
        if (code) return code;
        if (!x->s.len || x->s.ptr[0] != ')')
            return sw_fail(e->err, SW_USAGE, "template: a parenthesis is not closed");
        x->s = sw_str_from(x->s, 1);
        e->depth--;
        return fields(e, x, *ret, ret);
    }
    if (isdigit((unsigned char)c) ||
        (c == '-' && x->s.len > 1 && isdigit((unsigned char)x->s.ptr[1]))) {
        size_t n = 1;
        while (n < x->s.len && isdigit((unsigned char)x->s.ptr[n])) n++;
        int64_t value = 0;
        if (!sw_str_i64(sw_str_sub(x->s, 0, n), &value))
            return sw_fail(e->err, SW_USAGE, "template: a number is too large");
        x->s = sw_str_from(x->s, n);
        *ret = make_int(e, value);
        return SW_OK;
    }
    struct sw_str word = take_word(x);
    if (!word.len) return sw_fail(e->err, SW_USAGE, "template: unexpected \"%c\"", c);
    if (sw_str_is(word, "true") || sw_str_is(word, "false")) {
        *ret = make_bool(e, sw_str_is(word, "true"));
    } else if (sw_str_is(word, "nil")) {
        *ret = NULL;
    } else {
        *ret_function = word;
    }
    return SW_OK;
}

/* "f a b" or "a". last: the value of the command before it in a pipeline. */
static enum sw_code command(struct engine *e, struct expr *x, const struct sw_json *dot,
                            bool has_last, const struct sw_json *last, const struct sw_json **ret) {
    const struct sw_json *args[ARGS_MAX + 1];
    struct sw_str function, ignored;
    size_t n = 0;
    skip_space(x);
    if (!x->s.len) return sw_fail(e->err, SW_USAGE, "template: an expression is missing");
    enum sw_code code = operand(e, x, dot, ret, &function);
    if (code) return code;
    for (;;) {
        skip_space(x);
        if (!x->s.len || x->s.ptr[0] == '|' || x->s.ptr[0] == ')') break;
        if (!function.ptr) return sw_fail(e->err, SW_USAGE, "template: a value takes no arguments");
        if (n == ARGS_MAX) return sw_fail(e->err, SW_LIMIT, "template: too many arguments");
        code = operand(e, x, dot, &args[n++], &ignored);
        if (code) return code;
        if (ignored.ptr)
            return sw_fail(e->err, SW_USAGE, "template: put (%.*s ...) in parentheses",
                           SW_ARG(ignored));
    }
    if (has_last) args[n++] = last;
    return function.ptr ? call(e, function, args, n, ret) : SW_OK;
}

static enum sw_code pipeline(struct engine *e, struct expr *x, const struct sw_json *dot,
                             const struct sw_json **ret) {
    if (++e->steps > STEPS_MAX) return sw_fail(e->err, SW_LIMIT, "template: too much to do");
    enum sw_code code = command(e, x, dot, false, NULL, ret);
    while (!code && x->s.len && x->s.ptr[0] == '|') {
        x->s = sw_str_from(x->s, 1);
        code = command(e, x, dot, true, *ret, ret);
    }
    return code;
}

static enum sw_code evaluate(struct engine *e, struct sw_str text, const struct sw_json *dot,
                             const struct sw_json **ret) {
    struct expr x = {text};
    enum sw_code code = pipeline(e, &x, dot, ret);
    skip_space(&x);
    if (!code && x.s.len)
        code = sw_fail(e->err, SW_USAGE, "template: unexpected \"%.*s\"", SW_ARG(x.s));
    return code;
}

/* ---- blocks ---- */

/* Reads up to the next {{...}}: *ret_text before it, *ret_action inside it without blanks. False at
 * the end. */
static enum sw_code next_action(struct engine *e, struct sw_str *ret_text,
                                struct sw_str *ret_action, bool *ret_more) {
    struct sw_str rest = sw_str_from(e->text, e->at);
    size_t open = sw_str_find(rest, SW_STR("{{"));
    *ret_more = open != SIZE_MAX;
    *ret_text = sw_str_sub(rest, 0, open);
    if (e->trim_next) {
        while (ret_text->len && isspace((unsigned char)ret_text->ptr[0]))
            *ret_text = sw_str_from(*ret_text, 1);
    }
    e->trim_next = false;
    if (!*ret_more) {
        e->at = e->text.len;
        return SW_OK;
    }
    rest = sw_str_from(rest, open + 2);
    size_t close = sw_str_find(rest, SW_STR("}}"));
    if (close == SIZE_MAX) return sw_fail(e->err, SW_USAGE, "template: {{ without }}");
    e->at += open + 2 + close + 2;
    struct sw_str action = sw_str_sub(rest, 0, close);
    if (action.len > 1 && action.ptr[0] == '-' && isspace((unsigned char)action.ptr[1])) {
        while (ret_text->len && isspace((unsigned char)ret_text->ptr[ret_text->len - 1]))
            ret_text->len--;
        action = sw_str_from(action, 1);
    }
    if (action.len > 1 && action.ptr[action.len - 1] == '-' &&
        isspace((unsigned char)action.ptr[action.len - 2])) {
        action.len--;
        e->trim_next = true;
    }
    *ret_action = sw_str_trim(action);
    return SW_OK;
}

static bool keyword(struct sw_str *action, const char *word) {
    struct sw_str w = sw_str(word);
    if (!sw_str_starts(*action, w)) return false;
    if (action->len > w.len && !isspace((unsigned char)action->ptr[w.len])) return false;
    *action = sw_str_trim(sw_str_from(*action, w.len));
    return true;
}

/* "$x := e" and "$i, $e := e": names, and the expression in *action. */
static size_t declarations(struct sw_str *action, struct sw_str names[2]) {
    size_t at = sw_str_find(*action, SW_STR(":="));
    if (at == SIZE_MAX || !action->len || action->ptr[0] != '$') return 0;
    struct sw_str left = sw_str_sub(*action, 0, at), first, second;
    *action = sw_str_trim(sw_str_from(*action, at + 2));
    bool two = sw_str_cut(left, ',', &first, &second);
    names[0] = sw_str_from(sw_str_trim(first), 1);
    if (two) names[1] = sw_str_from(sw_str_trim(second), 1);
    return two ? 2 : 1;
}

static enum sw_code declare(struct engine *e, struct sw_str name, const struct sw_json *value) {
    if (e->n_variables == VARIABLES_MAX)
        return sw_fail(e->err, SW_LIMIT, "template: too many variables");
    e->variables[e->n_variables++] = (struct variable){name, value};
    return SW_OK;
}

static enum sw_code do_if(struct engine *e, struct sw_str condition, const struct sw_json *dot,
                          bool with, bool quiet) {
    const struct sw_json *value = NULL;
    struct sw_str end, names[2];
    size_t n_names = declarations(&condition, names), variables = e->n_variables;
    enum sw_code code = quiet ? SW_OK : evaluate(e, condition, dot, &value);
    if (!code && n_names) code = declare(e, names[0], value);
    bool taken = !quiet && truth(value);
    if (!code) code = run_block(e, with && taken ? value : dot, quiet || !taken, &end);
    while (!code && sw_str_starts(end, SW_STR("else"))) {
        struct sw_str next = end;
        keyword(&next, "else");
        if (keyword(&next, "if")) {
            if (!quiet && !taken) code = evaluate(e, next, dot, &value);
            bool now = !quiet && !taken && truth(value);
            if (!code) code = run_block(e, dot, !now, &end);
            taken |= now;
        } else {
            code = run_block(e, dot, quiet || taken, &end);
            taken = true;
        }
    }
    e->n_variables = variables;
    return code;
}

static enum sw_code do_range(struct engine *e, struct sw_str text, const struct sw_json *dot,
                             bool quiet) {
    const struct sw_json *list = NULL;
    struct sw_str end = SW_STR(""), names[2];
    size_t n_names = declarations(&text, names), variables = e->n_variables, start = e->at;
    bool start_trim = e->trim_next;
    enum sw_code code = quiet ? SW_OK : evaluate(e, text, dot, &list);
    size_t n = !code && list ? list->len : 0;
    if (code) return code;
    if (n == 0) code = run_block(e, dot, true, &end);
    for (size_t i = 0; i < n && !code; i++) {
        const struct sw_json *item = &list->items[i];
        const struct sw_json *key =
            list->type == SW_JSON_OBJECT ? make_text(e, item->key) : make_int(e, (int64_t)i);
        e->at = start;
        e->trim_next = start_trim;
        e->n_variables = variables;
        if (n_names == 2) code = declare(e, names[0], key);
        if (!code && n_names) code = declare(e, names[n_names - 1], item);
        if (!code) code = run_block(e, item, false, &end);
    }
    e->n_variables = variables;
    if (!code && sw_str_starts(end, SW_STR("else"))) code = run_block(e, dot, quiet || n > 0, &end);
    return code;
}

/* Runs up to the end of the block: *ret_end is "end", "else" or "else if ..."; "" at the end of the
 * text. */
static enum sw_code run_block(struct engine *e, const struct sw_json *dot, bool quiet,
                              struct sw_str *ret_end) {
    if (++e->depth > DEPTH_MAX) return sw_fail(e->err, SW_LIMIT, "template: nested too deeply");
    enum sw_code code = SW_OK;
    *ret_end = SW_STR("");
    while (!code) {
        struct sw_str text, action, written;
        bool more;
        code = next_action(e, &text, &action, &more);
        if (code) break;
        if (!quiet) sw_buf_add(e->out, text);
        if (!more) break;
        written = action;
        if (sw_str_starts(action, SW_STR("/*"))) continue;
        if (sw_str_is(action, "end") || keyword(&action, "else")) {
            *ret_end = written;
            break;
        }
        if (keyword(&action, "if")) {
            code = do_if(e, action, dot, false, quiet);
        } else if (keyword(&action, "with")) {
            code = do_if(e, action, dot, true, quiet);
        } else if (keyword(&action, "range")) {
            code = do_range(e, action, dot, quiet);
        } else if (!quiet) {
            const struct sw_json *value = NULL;
            struct sw_str names[2];
            size_t n_names = declarations(&action, names);
            code = evaluate(e, action, dot, &value);
            if (!code && n_names) {
                code = declare(e, names[0], value);
            } else if (!code) {
                print_value(e->out, value);
            }
        }
    }
    e->depth--;
    return code;
}

/* What a shell user writes as backslash t and backslash n, outside of actions. */
static struct sw_str unescape(struct sw_arena *arena, struct sw_str text) {
    char *copy = sw_arena_cstr(arena, text);
    size_t n = 0;
    bool inside = false;
    for (size_t i = 0; i < text.len; i++) {
        char next = i + 1 < text.len ? text.ptr[i + 1] : 0;
        if (text.ptr[i] == '{' && next == '{') inside = true;
        if (text.ptr[i] == '}' && next == '}') inside = false;
        if (!inside && text.ptr[i] == '\\' && (next == 't' || next == 'n')) {
            copy[n++] = next == 't' ? '\t' : '\n';
            i++;
        } else {
            copy[n++] = text.ptr[i];
        }
    }
    return sw_str_n(copy, n);
}

enum sw_code sw_template_render(struct sw_arena *arena, struct sw_str text,
                                const struct sw_json *data, struct sw_buf *out,
                                struct sw_error *err) {
    struct engine e = {
        .arena = arena, .text = unescape(arena, text), .out = out, .err = err, .root = data};
    struct sw_str end;
    enum sw_code code = run_block(&e, data, false, &end);
    if (!code && end.len)
        code = sw_fail(err, SW_USAGE, "template: {{%.*s}} without a block", SW_ARG(end));
    return code ? code : sw_buf_check(out, "the rendered template", err);
}
