/* Rules of the Dockerfile reference ("Environment replacement") and of BuildKit's shell lexer. */
#include "unit.h"

#include <stdlib.h>

#include "dockerfile/expand.h"

struct fixture {
    struct sw_arena arena;
    struct sw_df_vars vars;
    struct sw_error err;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    sw_arena_init(&f->arena, 0);
    f->vars.arena = &f->arena;
    static const char *const pairs[][2] = {
        {"NAME", "slipway"},        {"EMPTY", ""},
        {"TWO", "first second"},    {"PATHS", "/opt/go/bin:/bin"},
        {"FILE", "archive.tar.gz"}, {"LINES", "one\ntwo"},
        {"REPEAT", "banana"},       {"STARS", "a*b?c\\d"},
        {"UMLAUT", "grün"},         {"ÄPFEL", "fruit"},
        {"DOLLAR", "$NAME"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        sw_df_vars_set(&f->vars, sw_str(pairs[i][0]), sw_str(pairs[i][1]));
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    sw_arena_done(&f->arena);
    free(f);
    return 0;
}

static struct sw_df_lex lex_of(struct fixture *f, char escape, unsigned flags) {
    return (struct sw_df_lex){sw_df_vars_env(&f->vars), escape, flags};
}

struct row {
    const char *word, *expected; /* NULL: refused */
};

static void check_rows(struct fixture *f, const struct sw_df_lex *lex, const struct row *rows,
                       size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct sw_str text = {0};
        enum sw_code code = sw_df_expand_word(&f->arena, lex, sw_str(rows[i].word), &text, &f->err);
        if (!rows[i].expected && code != SW_SYNTAX)
            fail_msg("%s: expected a refusal, got \"%.*s\"", rows[i].word, SW_ARG(text));
        if (rows[i].expected && code) fail_msg("%s: %s", rows[i].word, f->err.text);
        if (rows[i].expected && !sw_str_is(text, rows[i].expected))
            fail_msg("%s: expected \"%s\", got \"%.*s\"", rows[i].word, rows[i].expected,
                     SW_ARG(text));
    }
}
#define CHECK_ROWS(f, lex, rows) check_rows(f, lex, rows, sizeof(rows) / sizeof *(rows))

static void plain_text_stays(void **state) {
    static const struct row rows[] = {
        {"", ""},       {"word", "word"},           {"two  words", "two  words"},
        {"a=b", "a=b"}, {"100%", "100%"},           {"{braces}", "{braces}"},
        {"a#b", "a#b"}, {"tab\there", "tab\there"}, {"grün", "grün"},
        {"<in", "<in"}, {"a << b", "a << b"},       {"3<<-EOF", "3<<-EOF"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void variables_are_replaced(void **state) {
    static const struct row rows[] = {
        {"$NAME", "slipway"},
        {"${NAME}", "slipway"},
        {"x$NAME", "xslipway"},
        {"$NAME.go", "slipway.go"},
        {"$NAME-1", "slipway-1"},
        {"$NAME/bin", "slipway/bin"},
        {"${NAME}s", "slipways"},
        {"$NAMEs", ""},
        {"$NAME$NAME", "slipwayslipway"},
        {"$UNSET", ""},
        {"a${UNSET}b", "ab"},
        {"$EMPTY", ""},
        {"$TWO", "first second"},
        {"$ÄPFEL", "fruit"},
        {"$DOLLAR", "$NAME"}, /* values are not expanded again */
        {"$NAMEé", ""},       /* letters of any script belong to names */
        {"$NAME_", ""},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void a_dollar_without_a_name_is_text(void **state) {
    static const struct row rows[] = {
        {"$", "$"},   {"a$", "a$"},   {"$ a", "$ a"},   {"$.x", "$.x"}, {"$/", "$/"},
        {"$=", "$="}, {"\"$\"", "$"}, {"$\"x\"", "$x"}, {"$)", "$)"},   {"a$,b", "a$,b"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void special_parameters_are_never_set(void **state) {
    static const struct row rows[] = {
        {"$1", ""}, {"a$12b", "ab"}, {"$0x", "x"}, {"$@", ""},       {"$*", ""},
        {"$#", ""}, {"$?x", "x"},    {"$-", ""},   {"$$", ""},       {"$$$", "$"},
        {"$!", ""}, {"${1}", ""},    {"${@}", ""}, {"${1:-d}", "d"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void quotes_are_removed(void **state) {
    static const struct row rows[] = {
        {"'single'", "single"},
        {"\"double\"", "double"},
        {"'$NAME'", "$NAME"},
        {"\"$NAME\"", "slipway"},
        {"\"${NAME}\"", "slipway"},
        {"\"'$NAME'\"", "'slipway'"},
        {"'\"$NAME\"'", "\"$NAME\""},
        {"a'b'\"c\"d", "abcd"},
        {"''", ""},
        {"\"\"", ""},
        {"'it''s'", "its"},
        {"'back\\slash'", "back\\slash"},
        {"'a\\'", "a\\"},
        {"\"a b\"  'c  d'", "a b  c  d"},
        {"\"line\nbreak\"", "line\nbreak"},
        {"\"<<EOF\"", "<<EOF"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void the_escape_makes_the_next_character_literal(void **state) {
    static const struct row rows[] = {
        {"\\$NAME", "$NAME"},
        {"\\${NAME}", "${NAME}"},
        {"\\\\$NAME", "\\slipway"},
        {"\\a", "a"},
        {"\\'x\\'", "'x'"},
        {"\\\"x\\\"", "\"x\""},
        {"a\\ b", "a b"},
        {"end\\", "end"},
        {"\\\\", "\\"},
        {"\\n", "n"},
        /* Inside double quotes only ", $ and the escape itself can be escaped. */
        {"\"\\$NAME\"", "$NAME"},
        {"\"\\\\\"", "\\"},
        {"\"\\\"\"", "\""},
        {"\"\\n\"", "\\n"},
        {"\"a\\b\"", "a\\b"},
        {"\"\\'\"", "\\'"},
        {"\"\\`\"", "\\`"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void a_backtick_can_be_the_escape(void **state) {
    static const struct row rows[] = {
        {"`$NAME", "$NAME"}, {"\\$NAME", "\\slipway"},   {"C:\\dir\\$NAME", "C:\\dir\\slipway"},
        {"``", "`"},         {"\"`$NAME\"", "$NAME"},    {"\"\\$NAME\"", "\\slipway"},
        {"a`", "a"},         {"${NAME:-`}}", "slipway"}, {"${UNSET:-`}}", "}"},
    };
    struct sw_df_lex lex = lex_of(*state, '`', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void open_quotes_and_braces_are_refused(void **state) {
    static const struct row rows[] = {
        {"'", NULL},           {"\"", NULL},          {"'abc", NULL},       {"\"abc", NULL},
        {"a\"b'c", NULL},      {"\"\\\"", NULL},      {"\"abc\\", NULL},    {"${", NULL},
        {"${NAME", NULL},      {"${NAME:-x", NULL},   {"${NAME-", NULL},    {"\"${NAME\"", NULL},
        {"${}", NULL},         {"${:}", NULL},        {"${{NAME}}", NULL},  {"${:-x}", NULL},
        {"${NAME:}", NULL},    {"${NAME:", NULL},     {"${NAME!x}", NULL},  {"${NAME^}", NULL},
        {"${NAME,}", NULL},    {"${NAME@Q}", NULL},   {"${NAME:=x}", NULL}, {"${NAME=x}", NULL},
        {"${NAME:1:2}", NULL}, {"${NAME:#x}", NULL},  {"${NAME:%x}", NULL}, {"${NAME x}", NULL},
        {"${!NAME}", NULL},    {"${#NAME}", NULL},    {"${NAME/a}", NULL},  {"${NAME/a/b", NULL},
        {"${NAME//a}", NULL},  {"${UNSET:-'}", NULL},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void defaults_and_alternatives(void **state) {
    static const struct row rows[] = {
        {"${NAME:-other}", "slipway"},
        {"${UNSET:-other}", "other"},
        {"${EMPTY:-other}", "other"},
        {"${NAME-other}", "slipway"},
        {"${UNSET-other}", "other"},
        {"${EMPTY-other}", ""},
        {"${NAME:+other}", "other"},
        {"${UNSET:+other}", ""},
        {"${EMPTY:+other}", ""},
        {"${NAME+other}", "other"},
        {"${UNSET+other}", ""},
        {"${EMPTY+other}", "other"},
        {"${UNSET:-}", ""},
        {"${UNSET-}", ""},
        {"${UNSET:-two words}", "two words"},
        {"${UNSET:-$NAME}", "slipway"},
        {"${UNSET:-${NAME}}", "slipway"},
        {"${UNSET:-${EMPTY:-${NAME}}}", "slipway"},
        {"${UNSET:-'$NAME'}", "$NAME"},
        {"${UNSET:-\"$NAME\"}", "slipway"},
        {"${UNSET:-\\$NAME}", "$NAME"},
        {"${UNSET:-a\\}b}", "a}b"},
        {"${UNSET:-'}'}", "}"},
        {"${UNSET:-\"}\"}", "}"},
        {"${UNSET:-{}", "{"},
        {"${UNSET:--}", "-"},
        {"${UNSET:-:-}", ":-"},
        {"${NAME:+$TWO}", "first second"},
        {"${NAME:+${UNSET:-x}}", "x"},
        {"\"${UNSET:-a b}\"", "a b"},
        {"pre${UNSET:-mid}post", "premidpost"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void required_variables(void **state) {
    static const struct row rows[] = {
        {"${NAME:?must be set}", "slipway"},
        {"${NAME?must be set}", "slipway"},
        {"${EMPTY?must be set}", ""},
        {"${EMPTY:?must be set}", NULL},
        {"${UNSET?must be set}", NULL},
        {"${UNSET:?}", NULL},
        {"${UNSET?}", NULL},
    };
    struct fixture *f = *state;
    struct sw_df_lex lex = lex_of(f, '\\', 0);
    struct sw_str text;
    CHECK_ROWS(f, &lex, rows);
    assert_refused(
        sw_df_expand_word(&f->arena, &lex, sw_str("${UNSET:?pass $NAME}"), &text, &f->err),
        SW_SYNTAX, f->err);
    assert_non_null(strstr(f->err.text, "UNSET: pass slipway"));
    assert_refused(sw_df_expand_word(&f->arena, &lex, sw_str("${EMPTY:?}"), &text, &f->err),
                   SW_SYNTAX, f->err);
    assert_non_null(strstr(f->err.text, "EMPTY: is not allowed to be empty"));
    assert_refused(sw_df_expand_word(&f->arena, &lex, sw_str("${UNSET?}"), &text, &f->err),
                   SW_SYNTAX, f->err);
    assert_non_null(strstr(f->err.text, "UNSET: is not allowed to be unset"));
}

static void prefixes_and_suffixes_are_removed(void **state) {
    static const struct row rows[] = {
        {"${FILE#archive}", ".tar.gz"},
        {"${FILE#*.}", "tar.gz"},
        {"${FILE##*.}", "gz"},
        {"${FILE%.*}", "archive.tar"},
        {"${FILE%%.*}", "archive"},
        {"${FILE%.gz}", "archive.tar"},
        {"${FILE#gz}", "archive.tar.gz"},
        {"${FILE%archive}", "archive.tar.gz"},
        {"${FILE#}", "archive.tar.gz"},
        {"${FILE%}", "archive.tar.gz"},
        {"${FILE##*}", ""},
        {"${FILE%%*}", ""},
        {"${FILE#*}", "archive.tar.gz"},
        {"${FILE%*}", "archive.tar.gz"},
        {"${FILE#?}", "rchive.tar.gz"},
        {"${FILE%?}", "archive.tar.g"},
        {"${FILE#a?c}", "hive.tar.gz"},
        {"${FILE##a*a}", "r.gz"},
        {"${FILE#a*a}", "r.gz"},
        {"${REPEAT#*an}", "ana"},
        {"${REPEAT##*an}", "a"},
        {"${REPEAT%an*}", "ban"},
        {"${REPEAT%%an*}", "b"},
        {"${PATHS##*:}", "/bin"},
        {"${PATHS%%:*}", "/opt/go/bin"},
        {"${PATHS#/opt}", "/go/bin:/bin"},
        {"${PATHS#'/opt'}", "/go/bin:/bin"},
        {"${PATHS#\\/opt}", "/go/bin:/bin"},
        {"${STARS#a\\*}", "b?c\\d"},
        {"${STARS#a'\\*'}", "a*b?c\\d"}, /* in quotes the backslash is a backslash */
        {"${STARS%c\\\\d}", "a*b?"},
        {"${STARS%'c\\d'}", "a*b?"},
        {"${STARS##*\\?}", "c\\d"},
        {"${LINES#*t}", "one\ntwo"}, /* a star does not cross lines */
        {"${LINES#one?}", "one\ntwo"},
        {"${LINES%t*}", "one\n"},
        {"${UMLAUT%?}", "grü"},
        {"${UMLAUT%ün}", "gr"},
        {"${UMLAUT#???}", "n"},
        {"${NAME#$NAME}", ""},
        {"${NAME%${UNSET:-way}}", "slip"},
        {"${UNSET#x}", ""},
        {"${EMPTY#*}", ""},
        {"${NAME##}", "slipway"},
        {"${NAME#\\q}", NULL},
        {"${NAME%\\}", NULL},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void parts_are_replaced(void **state) {
    static const struct row rows[] = {
        {"${REPEAT/an/AN}", "bANana"},
        {"${REPEAT//an/AN}", "bANANa"},
        {"${REPEAT/x/y}", "banana"},
        {"${REPEAT//a/}", "bnn"},
        {"${REPEAT/a/}", "bnana"},
        {"${REPEAT/a*n/-}", "b-a"},
        {"${REPEAT//?/x}", "xxxxxx"},
        {"${REPEAT/b*/}", ""},
        {"${REPEAT//*/all}", "all"},
        {"${PATHS/\\//|}", "|opt/go/bin:/bin"},
        {"${PATHS//\\//|}", "|opt|go|bin:|bin"},
        {"${PATHS//'/'/|}", "|opt|go|bin:|bin"}, /* quotes protect the slash, too */
        {"${FILE/./$EMPTY}", "archivetar.gz"},
        {"${FILE//./\\/}", "archive\\/tar\\/gz"}, /* the escape stays in a replacement */
        {"${FILE/.tar/${UNSET:-.zip}}", "archive.zip.gz"},
        {"${NAME/$NAME/$TWO}", "first second"},
        {"${STARS/\\*/+}", "a+b?c\\d"},
        {"${STARS/\\?/+}", "a*b+c\\d"},
        {"${STARS/\\\\/+}", "a*b?c+d"},
        {"${LINES//o/0}", "0ne\ntw0"},
        {"${LINES/e*t/x}", "one\ntwo"},
        {"${UMLAUT/ü/ue}", "gruen"},
        {"${UMLAUT//?/.}", "...."},
        {"${UNSET/a/b}", ""},
        {"${EMPTY//a/b}", ""},
        {"${EMPTY//*/b}", "b"},
        {"${REPEAT///-}", "-b-a-n-a-n-a-"},
        {"${REPEAT//an/'$0$0'}", "banananana"},
        {"${NAME/\\q/x}", NULL},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void flags_keep_what_they_name(void **state) {
    static const struct row quotes[] = {
        {"'a b'", "'a b'"},
        {"\"$NAME\"", "\"slipway\""},
        {"\\'", "'"},
        {"\"\\\"\"", "\"\"\""},
    };
    static const struct row escapes[] = {
        {"\\a", "\\a"}, {"\\$NAME", "\\$NAME"}, {"\"\\$x\"", "\\$x"},
        {"a\\", "a\\"}, {"'a'", "a"},           {"\"\\n\"", "\\\\n"},
    };
    static const struct row ignored[] = {
        {"it's $NAME", "it's slipway"},
        {"\"$NAME\"", "\"slipway\""},
        {"'", "'"},
        {"\\$NAME", "$NAME"},
        {"\\\\n", "\\n"},
        {"\\n", "n"},
    };
    static const struct row unset[] = {
        {"$UNSET", "$UNSET"},
        {"${UNSET}", "${UNSET}"},
        {"${UNSET:-$NAME}", "${UNSET:-slipway}"},
        {"${UNSET#x}", "${UNSET#x}"},
        {"${UNSET/a/b}", "${UNSET/a/b}"},
        {"$NAME", "slipway"},
        {"${EMPTY}", ""},
        {"${UNSET//a/b}", "${UNSET/a/b}"},
        {"${UNSET:?x}", "${UNSET:?x}"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', SW_DF_KEEP_QUOTES);
    CHECK_ROWS(*state, &lex, quotes);
    lex.flags = SW_DF_KEEP_ESCAPES;
    CHECK_ROWS(*state, &lex, escapes);
    lex.flags = SW_DF_IGNORE_QUOTES;
    CHECK_ROWS(*state, &lex, ignored);
    lex.flags = SW_DF_KEEP_UNSET;
    CHECK_ROWS(*state, &lex, unset);
}

/* Words are shown joined by "|". */
static void words_are_split_after_expansion(void **state) {
    static const struct row rows[] = {
        {"", ""},
        {"   ", ""},
        {"one", "one"},
        {"one two", "one|two"},
        {"  one \t two  ", "one|two"},
        {"one\ntwo", "one|two"},
        {"'one two' three", "one two|three"},
        {"\"one two\" three", "one two|three"},
        {"one\\ two", "one two"},
        {"$TWO", "first|second"},
        {"x$TWO", "xfirst|second"},
        {"${TWO}y", "first|secondy"},
        {"\"$TWO\"", "first second"},
        {"'$TWO'", "$TWO"},
        {"$EMPTY", ""},
        {"a $EMPTY b", "a|b"},
        {"a '' b", "a|b"},
        {"''", ""},
        {"a''", "a"},
        {"${UNSET:-a b}", "a|b"},
        {"8${UNSET:-0 9}", "80|9"},
        {"cat <<EOF", "cat|<<EOF"},
        {"cat << EOF", "cat|<< EOF"},
        {"cat <<\tEOF <<X", "cat|<<\tEOF|<<X"},
        {"\xE3\x80\x80"
         "a\xE3\x80\x80"
         "b",
         "a|b"}, /* the ideographic space */
    };
    struct fixture *f = *state;
    struct sw_df_lex lex = lex_of(f, '\\', 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sw_df_words words = {0};
        char joined[200] = "";
        assert_ok(sw_df_expand_words(&f->arena, &lex, sw_str(rows[i].word), &words, &f->err),
                  f->err);
        for (size_t k = 0; k < words.n; k++) {
            if (k) strcat(joined, "|");
            strncat(joined, words.items[k].ptr, words.items[k].len);
        }
        if (strcmp(joined, rows[i].expected))
            fail_msg("%s: expected %s, got %s", rows[i].word, rows[i].expected, joined);
    }
}

static void variables_that_were_used_and_missed_are_told(void **state) {
    struct fixture *f = *state;
    struct sw_df_lex lex = lex_of(f, '\\', 0);
    struct sw_df_expansion e;
    assert_ok(sw_df_expand(&f->arena, &lex, sw_str("$NAME ${GONE:-$TWO} $NAME '$X' \\$Y ${GONE}"),
                           &e, &f->err),
              f->err);
    assert_int_equal(e.used.n, 2);
    assert_str(e.used.items[0], "NAME");
    assert_str(e.used.items[1], "TWO");
    assert_int_equal(e.unset.n, 1);
    assert_str(e.unset.items[0], "GONE");
}

static void pairs_see_the_environment_before_the_instruction(void **state) {
    struct fixture *f = *state;
    struct sw_df_lex lex = lex_of(f, '\\', 0);
    struct sw_df_pair items[] = {{.name = sw_str("NAME"), .value = sw_str("new")},
                                 {.name = sw_str("OTHER"), .value = sw_str("\"$NAME $LOST\"")},
                                 {.name = sw_str("K$TWO"), .value = sw_str("")}};
    struct sw_df_pairs pairs = {items, 3}, out;
    struct sw_df_words unset;
    assert_ok(sw_df_expand_pairs(&f->arena, &lex, &pairs, &out, &unset, &f->err), f->err);
    assert_str(out.items[0].value, "new");
    assert_str(out.items[1].value, "slipway ");
    assert_str(out.items[2].name, "Kfirst second");
    assert_str(out.items[2].value, "");
    assert_int_equal(unset.n, 1);
    assert_str(unset.items[0], "LOST");
}

static void heredoc_bodies_keep_quotes(void **state) {
    struct fixture *f = *state;
    struct sw_df_heredoc doc = {.body = sw_str("echo \"$NAME\" '$NAME' \\$NAME \\\\\n"),
                                .expand = true};
    struct sw_str body;
    assert_ok(sw_df_expand_heredoc(&f->arena, sw_df_vars_env(&f->vars), &doc, &body, &f->err),
              f->err);
    assert_str(body, "echo \"slipway\" 'slipway' $NAME \\\n");
    doc.expand = false;
    assert_ok(sw_df_expand_heredoc(&f->arena, sw_df_vars_env(&f->vars), &doc, &body, &f->err),
              f->err);
    assert_str(body, "echo \"$NAME\" '$NAME' \\$NAME \\\\\n");
}

static void bytes_that_are_not_utf8_become_replacements(void **state) {
    static const struct row rows[] = {
        {"a\xFFz", "a\xEF\xBF\xBDz"},
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xEF\xBB\xBFmark", "mark"},
    };
    struct sw_df_lex lex = lex_of(*state, '\\', 0);
    CHECK_ROWS(*state, &lex, rows);
}

static void nesting_and_work_have_limits(void **state) {
    struct fixture *f = *state;
    struct sw_df_lex lex = lex_of(f, '\\', 0);
    struct sw_str text;
    char *deep = calloc(1, 6 * 2000 + 1);
    for (size_t i = 0; i < 2000; i++) memcpy(deep + i * 6, "${X:-a", 6);
    assert_refused(sw_df_expand_word(&f->arena, &lex, sw_str(deep), &text, &f->err), SW_LIMIT,
                   f->err);
    free(deep);

    size_t n = 100000;
    char *value = malloc(n + 1), *word = malloc(n + 16);
    memset(value, 'a', n);
    value[n] = 0;
    snprintf(word, n + 16, "${BIG#%s}", value);
    sw_df_vars_set(&f->vars, sw_str("BIG"), sw_str(value));
    assert_refused(sw_df_expand_word(&f->arena, &lex, sw_str(word), &text, &f->err), SW_LIMIT,
                   f->err);
    /* Patterns that make a backtracking matcher take for ever are quick. */
    assert_ok(sw_df_expand_word(&f->arena, &lex, sw_str("${BIG##*a*a*a*a*a*a*a*a*a*a*a*b}"), &text,
                                &f->err),
              f->err);
    assert_int_equal(text.len, n);
    free(value);
    free(word);
}

static void environments_remember_the_last_value(void **state) {
    struct fixture *f = *state;
    struct sw_df_vars vars = {.arena = &f->arena};
    struct sw_str value;
    for (int i = 0; i < 100; i++)
        sw_df_vars_set(&vars, sw_arena_printf(&f->arena, "V%d", i), sw_str("x"));
    sw_df_vars_set(&vars, sw_str("V7"), sw_str("y"));
    assert_int_equal(vars.n, 100);
    assert_true(sw_df_vars_get(&vars, sw_str("V7"), &value));
    assert_str(value, "y");
    sw_df_vars_unset(&vars, sw_str("V7"));
    sw_df_vars_unset(&vars, sw_str("V7"));
    assert_false(sw_df_vars_get(&vars, sw_str("V7"), &value));
    assert_int_equal(vars.n, 99);
    assert_str(vars.items[7].name, "V8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_text_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(variables_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dollar_without_a_name_is_text, setup, teardown),
        cmocka_unit_test_setup_teardown(special_parameters_are_never_set, setup, teardown),
        cmocka_unit_test_setup_teardown(quotes_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_escape_makes_the_next_character_literal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_backtick_can_be_the_escape, setup, teardown),
        cmocka_unit_test_setup_teardown(open_quotes_and_braces_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(defaults_and_alternatives, setup, teardown),
        cmocka_unit_test_setup_teardown(required_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(prefixes_and_suffixes_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_keep_what_they_name, setup, teardown),
        cmocka_unit_test_setup_teardown(words_are_split_after_expansion, setup, teardown),
        cmocka_unit_test_setup_teardown(variables_that_were_used_and_missed_are_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pairs_see_the_environment_before_the_instruction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(heredoc_bodies_keep_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_become_replacements, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nesting_and_work_have_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(environments_remember_the_last_value, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
