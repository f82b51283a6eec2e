#include "unit.h"

#include "golang/goenv.h"
#include "golang/modfile.h"

static void modfile_finds_go_and_toolchain(void **state) {
    struct sw_go_modfile m;
    struct sw_error err;
    assert_ok(sw_go_modfile_parse(SW_STR("// go 1.1\nmodule example.com/a // x\n\ngo 1.21 // y\n"
                                         "require (\n\tgo v1.2.3\n\ttoolchain v1 // indirect\n)\n"
                                         "toolchain\tgo1.21.3\n"),
                                  &m, &err),
              err);
    assert_str(m.module, "example.com/a");
    assert_str(m.go, "1.21");
    assert_str(m.toolchain, "go1.21.3");
    assert_int_equal(m.go_line, 4);
    assert_ok(sw_go_modfile_parse(SW_STR("go 1.20"), &m, &err), err);
    assert_str(m.go, "1.20");
    assert_str(m.toolchain, "");
    assert_ok(sw_go_modfile_parse(SW_STR("toolchain default\r\n"), &m, &err), err);
    assert_str(m.toolchain, "default");
}

static void modfile_refuses_bad_lines(void **state) {
    static const char *const bad[] = {"go 1.x\n",
                                      "go 1.21\ngo 1.22\n",
                                      "go\n",
                                      "go v1.21\n",
                                      "toolchain 1.21.0\n",
                                      "go go1.21\n",
                                      "go 1.21 1.22\n",
                                      "toolchain go1.21/x\n",
                                      "go (\n1.21\n)\n",
                                      "go 1.21\nrequire (\n\ta v1\n"};
    struct sw_go_modfile m;
    struct sw_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum sw_code code = sw_go_modfile_parse(sw_str(bad[i]), &m, &err);
        if (code != SW_SYNTAX) fail_msg("%s: expected syntax, got %s", bad[i], sw_code_name(code));
    }
}

static void check_set(const char *before, const char *name, const char *after) {
    SW_BUF struct sw_buf to;
    struct sw_error err;
    sw_buf_init(&to, 0);
    assert_ok(sw_go_modfile_set_toolchain(sw_str(before), sw_str(name), &to, &err), err);
    assert_str(sw_buf_str(&to), after);
}

static void pin_keeps_everything_else(void **state) {
    check_set("module a\n\ngo 1.21 // c\n\nrequire b v1\n", "go1.21.3",
              "module a\n\ngo 1.21 // c\n\ntoolchain go1.21.3\n\nrequire b v1\n");
    check_set("go 1.21\ntoolchain go1.21.1 // why\nx\n", "go1.21.3",
              "go 1.21\ntoolchain go1.21.3 // why\nx\n");
    check_set("go 1.21", "go1.21.3", "go 1.21\n\ntoolchain go1.21.3\n");
    check_set("module a", "go1.21.3", "module a\n\ntoolchain go1.21.3\n");
    check_set("go 1.21\ntoolchain go1.21.1\nx\n", "", "go 1.21\nx\n");
}

static void goenv_reads_the_first_value(void **state) {
    struct sw_str text = SW_STR("# c\nGOPROXY=https://a,direct\r\nGOPROXY=b\n\nGOSUMDB=\n");
    assert_str(sw_goenv_get(text, "GOPROXY"), "https://a,direct");
    assert_non_null(sw_goenv_get(text, "GOSUMDB").ptr);
    assert_int_equal(sw_goenv_get(text, "GOSUMDB").len, 0);
    assert_null(sw_goenv_get(text, "GOFLAGS").ptr);
}

static void goproxy_list_keeps_its_separators(void **state) {
    struct sw_goproxy list[SW_GOPROXY_MAX];
    struct sw_error err;
    size_t n = 0;
    assert_ok(sw_goproxy_parse(SW_STR("https://a/|http://b,direct,https://c"), list, &n, &err),
              err);
    assert_int_equal(n, 3);
    assert_str(list[0].url, "https://a");
    assert_true(list[0].fall_back_on_error);
    assert_false(list[1].fall_back_on_error);
    assert_int_equal(list[2].kind, SW_GOPROXY_DIRECT);
    assert_ok(sw_goproxy_parse(SW_STR("off"), list, &n, &err), err);
    assert_int_equal(list[0].kind, SW_GOPROXY_OFF);
    assert_ok(sw_goproxy_parse(SW_STR("file:///srv/proxy"), list, &n, &err), err);
    assert_refused(sw_goproxy_parse(SW_STR("ftp://x"), list, &n, &err), SW_USAGE, err);
    assert_refused(sw_goproxy_parse(SW_STR(" , "), list, &n, &err), SW_USAGE, err);
}

static void private_patterns_match_whole_elements(void **state) {
    static const struct {
        const char *patterns, *path;
        bool match;
    } cases[] = {
        {"golang.org/toolchain", "golang.org/toolchain", true},
        {"golang.org", "golang.org/toolchain", true},
        {"golang.org/tool", "golang.org/toolchain", false},
        {"*.corp.com,golang.org/*", "golang.org/toolchain", true},
        {"*.corp.com", "git.corp.com/x/y", true},
        {"*.corp.com", "corp.com", false},
        {"g*g.org/*", "golang.org/toolchain", true},
        {"golang.org/[s-u]ool*", "golang.org/toolchain", true},
        {"golang.org/[^t]*", "golang.org/toolchain", false},
        {"golang.org/toolchain/x", "golang.org/toolchain", false},
        {"golang*", "golang.org/toolchain", true},
        {"*", "golang.org/toolchain", true},
        {"", "golang.org/toolchain", false},
        {"golang.org/[", "golang.org/toolchain", false},
        {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sw_goprivate_match(sw_str(cases[i].patterns), sw_str(cases[i].path)) != cases[i].match)
            fail_msg("%s on %s: expected %d", cases[i].patterns, cases[i].path, cases[i].match);
    assert_true(sw_goflags_has(SW_STR("-mod=mod -insecure"), "-insecure"));
    assert_true(sw_goflags_has(SW_STR("--insecure=true"), "-insecure"));
    assert_false(sw_goflags_has(SW_STR("-insecure=false -buildvcs=false"), "-insecure"));
}

static void gotoolchain_words(void **state) {
    struct sw_gotoolchain t;
    struct sw_error err;
    assert_ok(sw_gotoolchain_parse(SW_STR("auto"), &t, &err), err);
    assert_true(t.may_switch && !t.path_only);
    assert_str(t.name, "local");
    assert_ok(sw_gotoolchain_parse(SW_STR("go1.21.3+path"), &t, &err), err);
    assert_true(t.may_switch && t.path_only);
    assert_str(t.name, "go1.21.3");
    assert_ok(sw_gotoolchain_parse(SW_STR("go1.21.3"), &t, &err), err);
    assert_false(t.may_switch);
    assert_refused(sw_gotoolchain_parse(SW_STR("1.21"), &t, &err), SW_USAGE, err);
    assert_refused(sw_gotoolchain_parse(SW_STR("go1.21+x"), &t, &err), SW_USAGE, err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modfile_finds_go_and_toolchain),
        cmocka_unit_test(modfile_refuses_bad_lines),
        cmocka_unit_test(pin_keeps_everything_else),
        cmocka_unit_test(goenv_reads_the_first_value),
        cmocka_unit_test(goproxy_list_keeps_its_separators),
        cmocka_unit_test(private_patterns_match_whole_elements),
        cmocka_unit_test(gotoolchain_words),
    };
    return cmocka_run_group_tests_name("golang_modfile", tests, NULL, NULL);
}
