#include "unit.h"

#include "golang/constraint.h"

static struct sw_go_version v(const char *text) {
    struct sw_go_version version = {0};
    if (!sw_go_version_read(sw_str(text), &version)) fail_msg("%s: not read", text);
    return version;
}

static void versions_order_as_the_go_command_orders_them(void **state) {
    static const char *const ordered[] = {
        "1",        "1.0.1",   "1.2",        "1.2.2",     "1.9beta1", "1.9rc2",
        "1.9",      "1.13.15", "1.20alpha1", "1.20rc1",   "1.20",     "1.20.1",
        "1.20.10",  "1.21",    "1.21alpha1", "1.21beta1", "1.21rc1",  "1.21rc2",
        "1.21rc10", "1.21.0",  "1.21.1",     "1.21.10",   "1.22",     "2.0.0"};
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            struct sw_go_version a = v(ordered[i]), b = v(ordered[j]);
            int c = sw_go_version_cmp(&a, &b), expected = (i > j) - (i < j);
            if (c != expected)
                fail_msg("cmp(%s, %s): expected %d, got %d", ordered[i], ordered[j], expected, c);
        }
    struct sw_go_version a = v("1.20"), b = v("1.20.0"), c = v("1.21"), d = v("1.21.0");
    assert_true(sw_go_version_eq(&a, &b));
    assert_false(sw_go_version_eq(&c, &d));
}

static void version_refuses_what_is_not_one(void **state) {
    static const char *const bad[] = {"",
                                      "go",
                                      "v1.21.0",
                                      "1.",
                                      "1.21.",
                                      "1.021",
                                      "01.21",
                                      "1.21.03",
                                      "1.21rc",
                                      "1.21rc01",
                                      "1.21.0rc1",
                                      "1.21gamma1",
                                      "1.21 ",
                                      " 1.21",
                                      "1.21/..",
                                      "../1.21",
                                      "1.21.3.4",
                                      "1.21-rc1",
                                      "1.21rc1x",
                                      "1.2.3\n",
                                      "99999999999.1",
                                      "1.21.9999999999",
                                      "latest",
                                      "1.x",
                                      "gogo1.21",
                                      "1.21+inc"};
    struct sw_go_version version;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sw_go_version_read(sw_str(bad[i]), &version)) fail_msg("\"%s\" was read", bad[i]);
    assert_false(sw_go_version_read(sw_str_n("1.2\0003", 5), &version));
}

static void toolchain_suffix_is_ignored(void **state) {
    struct sw_go_version version, plain = v("1.21.3");
    assert_true(sw_go_toolchain_read(sw_str("go1.21.3-vendor"), &version));
    assert_true(sw_go_version_eq(&version, &plain));
    assert_true(sw_go_toolchain_read(sw_str("go1.21.3 X:boringcrypto"), &version));
    assert_true(sw_go_version_eq(&version, &plain));
    assert_false(sw_go_toolchain_read(sw_str("1.21.3"), &version));
    assert_false(sw_go_toolchain_read(sw_str("go1.21.3+x"), &version));
}

static void format_names_releases(void **state) {
    static const char *const same[] = {"1.20", "1.20.1", "1.21.0", "1.21rc2", "1.9beta1", "1.21"};
    char text[SW_GO_VERSION_SIZE];
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct sw_go_version x = v(same[i]);
        assert_str(sw_go_version_format(&x, text), same[i]);
    }
    struct sw_go_version x = v("1.20.0");
    assert_str(sw_go_version_format(&x, text), "1.20");
    x = v("1.21rc2");
    assert_str(sw_go_version_format_semver(&x, text), "1.21.0-rc.2");
    x = v("1.20");
    assert_str(sw_go_version_format_semver(&x, text), "1.20.0");
    struct sw_go_version y, first = v("1.21rc1"), before = v("1.20.14");
    assert_true(sw_go_version_read_semver(sw_str("1.21.0-0"), &y));
    assert_true(sw_go_version_cmp(&y, &first) <= 0 && sw_go_version_cmp(&y, &before) > 0);
    assert_true(sw_go_version_read_semver(sw_str("1.21.0-rc.2"), &y));
    x = v("1.21rc2");
    assert_true(sw_go_version_eq(&x, &y));
}

static const char *const known[] = {"1.19.13", "1.20",    "1.20.10", "1.20.14", "1.21.0",
                                    "1.21.3",  "1.21.13", "1.22.0",  "1.22.12", "1.23.4",
                                    "1.27rc1", "1.26rc1", "1.26.2"};

static const char *pick(const char *text) {
    static char shown[SW_GO_VERSION_SIZE];
    struct sw_go_version list[sizeof known / sizeof *known];
    struct sw_go_constraint c;
    struct sw_error err;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) list[i] = v(known[i]);
    assert_ok(sw_go_constraint_parse(sw_str(text), &c, &err), err);
    size_t i = sw_go_constraint_pick(&c, list, sizeof known / sizeof *known);
    if (i == SIZE_MAX) return "none";
    sw_go_version_format(&list[i], shown);
    return shown;
}

static void constraint_picks_the_newest_allowed(void **state) {
    static const char *const cases[][2] = {
        {"1.21", "1.21.13"},
        {"1.21.x", "1.21.13"},
        {"go1.21", "1.21.13"},
        {"1.20", "1.20.14"},
        {"go1.20", "1.20"},
        {"1.20.x", "1.20.14"},
        {"1.21.3", "1.21.3"},
        {"go1.21.3", "1.21.3"},
        {"=1.21.3", "1.21.3"},
        {"~1.21.3", "1.21.13"},
        {"~1.20.1", "1.20.14"},
        {">=1.21 <1.23", "1.22.12"},
        {">= 1.21, < 1.22.12", "1.22.0"},
        {">=1.21<1.22", "1.21.13"},
        {">1.21 <1.23", "1.22.12"},
        {">1.20 <1.22", "1.21.13"},
        {"<=1.21", "1.21.13"},
        {"<=1.21.3", "1.21.3"},
        {"latest", "1.26.2"},
        {"stable", "1.26.2"},
        {"oldstable", "1.23.4"},
        {"rc", "1.27rc1"},
        {"tip", "1.27rc1"},
        {"1.27rc", "1.27rc1"},
        {"1.26rc", "1.26.2"},
        {"1.26.tip", "1.26.2"},
        {"1.27.tip", "1.27rc1"},
        {"1.27", "none"},
        {"1.x", "1.26.2"},
        {"1", "1.26.2"},
        {"^1.21.3", "1.26.2"},
        {"!=1.21.13 1.21", "1.21.3"},
        {"1.27rc1", "1.27rc1"},
        {"1.18", "none"},
        {"1.21.4", "none"},
        {"<1.19", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(pick(cases[i][0]), cases[i][1]) != 0)
            fail_msg("%s: expected %s, got %s", cases[i][0], cases[i][1], pick(cases[i][0]));
}

static void constraint_shows_what_it_means(void **state) {
    static const char *const cases[][2] = {
        {"1.21", "1.21.x"},
        {"~1", ">=1 1.0.x"},
        {"~1~2~2~2", ">=1 1.0.x >=2.0.0 2.0.x >=2.0.0 2.0.x "
                     ">=2.0.0 2.0.x"},
        {"1.27rc", "1.27.tip"},
        {">= 1.21,<1.23", ">=1.21 <1.23"},
        {"stable", "latest"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SW_BUF struct sw_buf shown;
        struct sw_go_constraint c;
        struct sw_error err;
        sw_buf_init(&shown, 0);
        assert_ok(sw_go_constraint_parse(sw_str(cases[i][0]), &c, &err), err);
        sw_go_constraint_format(&c, &shown);
        assert_str(sw_buf_str(&shown), cases[i][1]);
        assert_ok(sw_go_constraint_parse(sw_buf_str(&shown), &c, &err), err);
    }
}

static void constraint_refuses_junk(void **state) {
    static const char *const bad[] = {"",     " ",      ">=",      "1.21 ||", "newest",  "1.21.x.x",
                                      "~",    "../x",   "1.21;rm", ">=x",     "1.2.3.x", "go",
                                      "$(x)", "1.21,,", "1.21rcx", "~1.x"};
    struct sw_go_constraint c;
    struct sw_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!strcmp(bad[i], "1.21,,")) continue;
        enum sw_code code = sw_go_constraint_parse(sw_str(bad[i]), &c, &err);
        if (code != SW_USAGE)
            fail_msg("\"%s\": expected usage, got %s", bad[i], sw_code_name(code));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_order_as_the_go_command_orders_them),
        cmocka_unit_test(version_refuses_what_is_not_one),
        cmocka_unit_test(toolchain_suffix_is_ignored),
        cmocka_unit_test(format_names_releases),
        cmocka_unit_test(constraint_picks_the_newest_allowed),
        cmocka_unit_test(constraint_shows_what_it_means),
        cmocka_unit_test(constraint_refuses_junk),
    };
    return cmocka_run_group_tests_name("golang_version", tests, NULL, NULL);
}
