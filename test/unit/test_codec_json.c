#include "unit.h"

#include "codec/json_writer.h"

static const struct sw_json *read_json(struct sw_arena *a, const char *text) {
    struct sw_error err;
    const struct sw_json *root;
    assert_ok(sw_json_parse(a, sw_str(text), NULL, &root, &err), err);
    return root;
}

static void values_of_all_types_are_read_in_order(void **state) {
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    const struct sw_json *root = read_json(
        &a, " {\"z\": -9223372036854775808, \"a\": [true, false, null, 1.5, \"\\u00fc\"], "
            "\"m\": {}} \n");
    assert_int_equal(root->len, 3);
    assert_str(root->items[0].key, "z");
    assert_true(root->items[0].integer == INT64_MIN);
    assert_str(root->items[1].key, "a");
    const struct sw_json *list = sw_json_get(root, "a");
    assert_int_equal(list->len, 5);
    assert_true(list->items[0].boolean && !list->items[1].boolean);
    assert_int_equal(list->items[2].type, SW_JSON_NULL);
    assert_true(list->items[3].real == 1.5);
    assert_str(list->items[4].text, "\xc3\xbc");
    assert_null(sw_json_get(root, "absent"));
    assert_null(sw_json_get(list, "a"));
    /* Beyond 64 bits a number is no integer, but the document is still a document. */
    list = read_json(&a, "[9223372036854775807, 9223372036854775808, 1.0]");
    assert_true(list->items[0].type == SW_JSON_INT && list->items[0].integer == INT64_MAX);
    assert_true(list->items[1].type == SW_JSON_REAL && list->items[1].real == 0x1p63);
    assert_true(list->items[2].type == SW_JSON_REAL);
}

static void malformed_documents_are_refused(void **state) {
    static const struct {
        const char *text;
        enum sw_code code;
    } cases[] = {
        {"", SW_SYNTAX},
        {"{", SW_SYNTAX},
        {"{} {}", SW_SYNTAX},
        {"{}x", SW_SYNTAX},
        {"[1,]", SW_SYNTAX},
        {"[01]", SW_SYNTAX},
        {"[+1]", SW_SYNTAX},
        {"[.5]", SW_SYNTAX},
        {"[1e999]", SW_SYNTAX},
        {"[NaN]", SW_SYNTAX},
        {"{'a':1}", SW_SYNTAX},
        {"{a:1}", SW_SYNTAX},
        {"{\"a\":1,\"a\":2}", SW_SYNTAX},
        {"{\"a\":1,\"\\u0061\":2}", SW_SYNTAX}, /* the same name in disguise */
        {"[\"\xff\"]", SW_SYNTAX},
        {"[\"\xed\xa0\x80\"]", SW_SYNTAX},
        {"[\"\\ud800\"]", SW_SYNTAX},
        {"[\"\\u0000\"]", SW_SYNTAX},
        {"[\"a\nb\"]", SW_SYNTAX},
        {"[\"\\x41\"]", SW_SYNTAX},
        {"// comment\n{}", SW_SYNTAX},
        {"\xef\xbb\xbf{}", SW_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        const struct sw_json *root;
        sw_arena_init(&a, 0);
        enum sw_code code = sw_json_parse(&a, sw_str(cases[i].text), NULL, &root, &err);
        if (code != cases[i].code)
            fail_msg("%s: expected %s, got %s", cases[i].text, sw_code_name(cases[i].code),
                     sw_code_name(code));
    }
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_json *root;
    sw_arena_init(&a, 0);
    assert_refused(sw_json_parse(&a, SW_STR("{}\0"), NULL, &root, &err), SW_SYNTAX, err);
    assert_refused(sw_json_parse(&a, SW_STR("{\n \"a\": }"), NULL, &root, &err), SW_SYNTAX, err);
    assert_non_null(strstr(err.text, "line 2, column"));
}

static void limits_hold(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    const struct sw_json *root;
    struct sw_str text = SW_STR("[[[1,\"[[[[[\\\"[[[[\",2]]]");
    sw_arena_init(&a, 0);
    assert_ok(sw_json_parse(&a, text, &(struct sw_json_limits){.depth = 3}, &root, &err), err);
    assert_refused(sw_json_parse(&a, text, &(struct sw_json_limits){.depth = 2}, &root, &err),
                   SW_LIMIT, err);
    assert_refused(sw_json_parse(&a, text, &(struct sw_json_limits){.bytes = 10}, &root, &err),
                   SW_LIMIT, err);
    assert_refused(sw_json_parse(&a, text, &(struct sw_json_limits){.values = 5}, &root, &err),
                   SW_LIMIT, err);
    SW_ARENA struct sw_arena small;
    sw_arena_init(&small, 100);
    assert_refused(sw_json_parse(&small, text, NULL, &root, &err), SW_LIMIT, err);
    /* Deep enough to overrun a stack if anything recursed over it. */
    SW_BUF struct sw_buf deep;
    sw_buf_init(&deep, 0);
    for (int i = 0; i < 1000000; i++) sw_buf_add_char(&deep, '[');
    assert_refused(sw_json_parse(&a, sw_buf_str(&deep), NULL, &root, &err), SW_LIMIT, err);
}

static void members_are_typed_and_errors_name_the_path(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_str text = SW_STR("default");
    int64_t number = 5;
    bool flag = false;
    struct sw_digest digest;
    struct sw_strs strs = {0};
    struct sw_pairs pairs = {0};
    sw_arena_init(&a, 0);
    const struct sw_json *root = read_json(
        &a, "{\"config\":{\"Env\":[\"A=1\",2],\"User\":null,\"n\":\"x\",\"empty\":[],"
            "\"Labels\":{\"a\":\"b\",\"c\":null,\"od d\":[1]},\"digest\":\"sha256:00\"}}");
    const struct sw_json *config;
    assert_ok(sw_json_need_node(root, "config", SW_JSON_OBJECT, &config, &err), err);
    assert_ok(sw_json_opt_str(config, "User", &text, &err), err);
    assert_ok(sw_json_opt_str(config, "absent", &text, &err), err);
    assert_str(text, "default");
    assert_refused(sw_json_need_str(config, "User", &text, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "config: \"User\" is missing");
    assert_refused(sw_json_opt_int(config, "n", &number, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "config.n: must be an integer, is a string");
    assert_refused(sw_json_opt_bool(config, "n", &flag, &err), SW_SYNTAX, err);
    assert_int_equal(number, 5);
    assert_refused(sw_json_opt_strs(&a, config, "Env", &strs, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "config.Env[1]: must be a string, is an integer");
    assert_null(strs.ptr);
    assert_ok(sw_json_opt_strs(&a, config, "empty", &strs, &err), err);
    assert_non_null(strs.ptr);
    assert_int_equal(strs.len, 0);
    assert_refused(sw_json_opt_pairs(&a, config, "Labels", &pairs, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, "config.Labels[\"od d\"]: must be a string, is an array");
    assert_refused(sw_json_need_digest(config, "digest", &digest, &err), SW_SYNTAX, err);
    assert_true(sw_str_starts(sw_str(err.text), SW_STR("config.digest: ")));
    assert_refused(sw_json_need_int(root, "x", &number, &err), SW_SYNTAX, err);
    assert_string_equal(err.text, ".: \"x\" is missing");
}

/* Expected texts were made by Go's json.Marshal. */
static void strings_are_escaped_as_go_does(void **state) {
    static const struct {
        const char *text, *plain, *html;
    } cases[] = {
        {"plain", "\"plain\"", "\"plain\""},
        {"", "\"\"", "\"\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\"", "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"", "\"\\u0001\\u001f\x7f\""},
        {"<a>&b", "\"<a>&b\"", "\"\\u003ca\\u003e\\u0026b\""},
        {"\xc3\xbc\xf0\x9f\x9a\xa2", "\"\xc3\xbc\xf0\x9f\x9a\xa2\"",
         "\"\xc3\xbc\xf0\x9f\x9a\xa2\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\"",
         "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"a\xff\xfe"
         "b",
         "\"a\\ufffd\\ufffdb\"", "\"a\\ufffd\\ufffdb\""},
        {"\xc3", "\"\\ufffd\"", "\"\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xc0\x80", "\"\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned html = 0; html < 2; html++) {
            SW_BUF struct sw_buf out;
            struct sw_json_writer w;
            sw_buf_init(&out, 0);
            sw_json_writer_init(&w, &out, html ? SW_JSON_HTML : 0);
            sw_json_str(&w, sw_str(cases[i].text));
            assert_str(sw_buf_str(&out), html ? cases[i].html : cases[i].plain);
        }
    }
}

static void reals_are_written_as_go_does(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1.2345678901234567e20, "123456789012345670000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {1e-6, "0.000001"},
        {9.5e-7, "9.5e-7"},
        {1e-10, "1e-10"},
        {5e-324, "5e-324"},
        {0.30000000000000004, "0.30000000000000004"},
        {9007199254740993.0, "9007199254740992"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_BUF struct sw_buf out;
        struct sw_json_writer w;
        sw_buf_init(&out, 0);
        sw_json_writer_init(&w, &out, 0);
        sw_json_real(&w, cases[i].value);
        assert_str(sw_buf_str(&out), cases[i].text);
    }
}

static void write_sample(struct sw_json_writer *w) {
    struct sw_pair unsorted[] = {{SW_STR("b"), SW_STR("2")},
                                 {SW_STR("a"), SW_STR("1")},
                                 {SW_STR("a.b"), SW_STR("3")},
                                 {SW_STR("B"), SW_STR("4")}};
    struct sw_pairs pairs = {unsorted, 4, 4};
    struct sw_strs none = {0};
    sw_json_begin_object(w);
    sw_json_put_str(w, "name", SW_STR("x"));
    sw_json_put_int(w, "n", -3);
    sw_json_put_bool(w, "yes", true);
    sw_json_put_strs(w, "list", &none);
    sw_json_put_strs_opt(w, "absent", &none);
    sw_json_put_str_opt(w, "absent", SW_STR(""));
    sw_json_put_pairs(w, "map", &pairs);
    sw_json_key(w, "deep");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    sw_json_end_object(w);
    sw_json_null(w);
    sw_json_uint(w, UINT64_MAX);
    sw_json_begin_array(w);
    sw_json_int(w, 1);
    sw_json_end_array(w);
    sw_json_end_array(w);
    sw_json_end_object(w);
}

static void documents_are_compact_or_indented(void **state) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    write_sample(&w);
    assert_str(sw_buf_str(&out),
               "{\"name\":\"x\",\"n\":-3,\"yes\":true,\"list\":[],\"map\":{\"B\":\"4\",\"a\":\"1\","
               "\"a.b\":\"3\",\"b\":\"2\"},\"deep\":[{},null,18446744073709551615,[1]]}");
    sw_buf_reset(&out);
    sw_json_writer_init(&w, &out, SW_JSON_INDENT);
    write_sample(&w);
    assert_str(sw_buf_str(&out), "{\n"
                                 "  \"name\": \"x\",\n"
                                 "  \"n\": -3,\n"
                                 "  \"yes\": true,\n"
                                 "  \"list\": [],\n"
                                 "  \"map\": {\n"
                                 "    \"B\": \"4\",\n"
                                 "    \"a\": \"1\",\n"
                                 "    \"a.b\": \"3\",\n"
                                 "    \"b\": \"2\"\n"
                                 "  },\n"
                                 "  \"deep\": [\n"
                                 "    {},\n"
                                 "    null,\n"
                                 "    18446744073709551615,\n"
                                 "    [\n"
                                 "      1\n"
                                 "    ]\n"
                                 "  ]\n"
                                 "}");
}

static void a_tree_is_written_as_it_was_read(void **state) {
    static const char text[] = "{\"z\":[1,-2.5,\"\xc3\xbc\\n\",true,null,{}],\"a\":{\"b\":[]}}";
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_tree(&w, read_json(&a, text));
    assert_str(sw_buf_str(&out), text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_types_are_read_in_order),
        cmocka_unit_test(malformed_documents_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(members_are_typed_and_errors_name_the_path),
        cmocka_unit_test(strings_are_escaped_as_go_does),
        cmocka_unit_test(reals_are_written_as_go_does),
        cmocka_unit_test(documents_are_compact_or_indented),
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
