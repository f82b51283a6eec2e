#include "unit.h"

#include "codec/yaml.h"

static enum sw_code parse(struct sw_arena *a, const char *text, const struct sw_yaml **root,
                          struct sw_error *err) {
    return sw_yaml_parse(a, sw_str(text), NULL, root, err);
}

static void scalars_stay_text(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_yaml *root;
    struct sw_str text;
    sw_arena_init(&a, 0);
    assert_ok(parse(&a,
                    "go: 1.20\n"
                    "country: no\n"
                    "quoted: \"1.20\"\n"
                    "octal: 0o17\n"
                    "time: 12:30:45\n"
                    "hash: abc # comment\n"
                    "block: |\n  two\n  lines\n"
                    "folded: >-\n  two\n  lines\n"
                    "empty:\n"
                    "tagged: !!str yes\n"
                    "flow: {a: 1.10, b: [x, 'it''s']}\n",
                    &root, &err),
              err);
    static const char *const expected[][2] = {
        {"go", "1.20"},       {"country", "no"}, {"quoted", "1.20"},        {"octal", "0o17"},
        {"time", "12:30:45"}, {"hash", "abc"},   {"block", "two\nlines\n"}, {"folded", "two lines"},
        {"tagged", "yes"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_ok(sw_yaml_need_str(root, expected[i][0], &text, &err), err);
        assert_str(text, expected[i][1]);
    }
    text = SW_STR("as it was");
    assert_ok(sw_yaml_opt_str(root, "empty", &text, &err), err);
    assert_str(text, "as it was");
    assert_refused(sw_yaml_need_str(root, "empty", &text, &err), SW_SYNTAX, err);
    const struct sw_yaml *b = sw_yaml_get(sw_yaml_get(root, "flow"), "b");
    assert_int_equal(b->len, 2);
    assert_str(b->items[1].text, "it's");
    assert_int_equal(b->items[1].line, 15);
    assert_true(b->items[1].quoted);
    assert_str(root->items[4].key, "time");
}

static void an_empty_file_is_an_empty_map(void **state) {
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < 4; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        const struct sw_yaml *root;
        sw_arena_init(&a, 0);
        assert_ok(parse(&a, texts[i], &root, &err), err);
        assert_int_equal(root->len, 0);
        assert_int_equal(root->type, SW_YAML_MAP);
    }
}

static void malformed_documents_are_refused(void **state) {
    static const struct {
        const char *text;
        enum sw_code code;
        const char *message;
    } cases[] = {
        {"a: [1, 2", SW_SYNTAX, "line 2 column 1"},
        {"a: 1\na: 2\n", SW_SYNTAX, "line 2 column 1: \"a\" was given in line 1"},
        {"a: 1\n---\nb: 2\n", SW_SYNTAX, "line 2 column 1: only one document"},
        {"a: &x 1\nb: *x\n", SW_UNSUPPORTED, "line 1 column 4: anchors"},
        {"b: *x\n", SW_UNSUPPORTED, "line 1 column 4: anchors"},
        {"<<: {a: 1}\n", SW_UNSUPPORTED, "line 1 column 1: merge keys"},
        {"a: !!binary aGk=\n", SW_UNSUPPORTED, "line 1 column 4: tags"},
        {"a: !mine x\n", SW_UNSUPPORTED, "line 1 column 4: tags"},
        {"? [a]\n: b\n", SW_SYNTAX, "line 1 column 3: a key must be plain text"},
        {"a: \"\\0\"\n", SW_SYNTAX, "line 1 column 4: a NUL"},
        {"a: \xff\n", SW_SYNTAX, "malformed YAML at byte"},
        {"a:\n\t- b\n", SW_SYNTAX, "line 2"},
        {"a: b: c\n", SW_SYNTAX, "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        const struct sw_yaml *root;
        sw_arena_init(&a, 0);
        assert_refused(parse(&a, cases[i].text, &root, &err), cases[i].code, err);
        if (!strstr(err.text, cases[i].message))
            fail_msg("%s: expected \"%s\" in \"%s\"", cases[i].text, cases[i].message, err.text);
    }
}

static void limits_hold(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_yaml *root;
    sw_arena_init(&a, 0);
    struct sw_str text = SW_STR("[[[[1, 2, 3]]]]");
    assert_ok(sw_yaml_parse(&a, text, &(struct sw_yaml_limits){.depth = 4}, &root, &err), err);
    assert_refused(sw_yaml_parse(&a, text, &(struct sw_yaml_limits){.depth = 3}, &root, &err),
                   SW_LIMIT, err);
    assert_ok(sw_yaml_parse(&a, text, &(struct sw_yaml_limits){.nodes = 7}, &root, &err), err);
    assert_refused(sw_yaml_parse(&a, text, &(struct sw_yaml_limits){.nodes = 6}, &root, &err),
                   SW_LIMIT, err);
    assert_refused(sw_yaml_parse(&a, text, &(struct sw_yaml_limits){.bytes = 5}, &root, &err),
                   SW_LIMIT, err);
}

static void files_of_others_are_read_leniently(void **state) {
    static const char text[] = "base: &base {x: 1}\n"
                               "derived:\n  <<: *base\n  y: !Ref z\n"
                               "? [a, {b: c}]\n: complex\n"
                               "go: 1.20\n"
                               "go: 1.21\n"
                               "---\n"
                               "go: 1.22\n"
                               "%%% not even YAML\n";
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_yaml *root;
    struct sw_str go, y;
    sw_arena_init(&a, 0);
    assert_refused(parse(&a, text, &root, &err), SW_UNSUPPORTED, err);
    assert_ok(
        sw_yaml_parse(&a, sw_str(text), &(struct sw_yaml_limits){.lenient = true}, &root, &err),
        err);
    assert_int_equal(root->len, 5);
    assert_ok(sw_yaml_need_str(root, "go", &go, &err), err);
    assert_str(go, "1.20");
    const struct sw_yaml *derived = sw_yaml_get(root, "derived");
    assert_true(sw_yaml_is_null(sw_yaml_get(derived, "<<")));
    assert_ok(sw_yaml_need_str(derived, "y", &y, &err), err);
    assert_str(y, "z");
    assert_str(root->items[2].key, "");
    assert_str(root->items[2].text, "complex");
}

static void typed_members_are_strict(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_yaml *root;
    bool flag = true;
    int64_t number = 7;
    struct sw_strs list = {0};
    sw_arena_init(&a, 0);
    assert_ok(parse(&a,
                    "on: false\nyes: yes\nquoted: \"true\"\nn: -12\nf: 1.5\none: x\nmany: [x, y]\n"
                    "deep: [[x]]\nnothing: ~\nmap: {k: v}\n",
                    &root, &err),
              err);
    assert_ok(sw_yaml_opt_bool(root, "on", &flag, &err), err);
    assert_false(flag);
    assert_refused(sw_yaml_opt_bool(root, "yes", &flag, &err), SW_SYNTAX, err);
    assert_refused(sw_yaml_opt_bool(root, "quoted", &flag, &err), SW_SYNTAX, err);
    assert_ok(sw_yaml_opt_int(root, "n", &number, &err), err);
    assert_int_equal(number, -12);
    assert_refused(sw_yaml_opt_int(root, "f", &number, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "line 5 column 4: f: must be a whole number");
    assert_ok(sw_yaml_opt_strs(&a, root, "one", &list, &err), err);
    assert_int_equal(list.len, 1);
    assert_ok(sw_yaml_opt_strs(&a, root, "many", &list, &err), err);
    assert_int_equal(list.len, 2);
    assert_ok(sw_yaml_opt_strs(&a, root, "nothing", &list, &err), err);
    assert_int_equal(list.len, 2);
    assert_refused(sw_yaml_opt_strs(&a, root, "deep", &list, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "line 8 column 8: deep[0]: must be text, is a list");
    static const char *const names[] = {"on", "yes", "quoted", "n", "f", "one", "mane"};
    assert_refused(sw_yaml_only(root, names, 7, &err), SW_SYNTAX, err);
    assert_string_equal(err.text,
                        "line 7 column 1: \"many\" is not known here; did you mean \"mane\"?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_stay_text),
        cmocka_unit_test(an_empty_file_is_an_empty_map),
        cmocka_unit_test(malformed_documents_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(files_of_others_are_read_leniently),
        cmocka_unit_test(typed_members_are_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
