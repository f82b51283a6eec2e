/* CVSS: examples of the specifications and of published records. */
#include "advisory/cvss.h"
#include "unit.h"

static void scores_are_those_of_the_specifications(void **state) {
    (void)state;
    static const struct {
        const char *vector;
        unsigned version, score;
        enum sw_severity severity;
    } cases[] = {
        {"AV:N/AC:L/Au:N/C:N/I:N/A:C", 20, 78, SW_SEVERITY_HIGH},
        {"(AV:N/AC:L/Au:N/C:C/I:C/A:C)", 20, 100, SW_SEVERITY_HIGH},
        {"AV:L/AC:H/Au:N/C:C/I:C/A:C", 20, 62, SW_SEVERITY_MEDIUM},
        {"AV:N/AC:L/Au:N/C:N/I:N/A:N", 20, 0, SW_SEVERITY_LOW},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 31, 98, SW_SEVERITY_CRITICAL},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 31, 61, SW_SEVERITY_MEDIUM},
        {"CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 30, 64, SW_SEVERITY_MEDIUM},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 31, 75, SW_SEVERITY_HIGH},
        {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 31, 0, SW_SEVERITY_NONE},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 40, 100,
         SW_SEVERITY_CRITICAL},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 40, 93,
         SW_SEVERITY_CRITICAL},
        {"CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 40, 73,
         SW_SEVERITY_HIGH},
        {"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 40, 0,
         SW_SEVERITY_NONE},
    };
    struct sw_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sw_cvss c;
        assert_ok(sw_cvss_score(sw_str(cases[i].vector), &c, &err), err);
        if (c.version != cases[i].version || c.score != cases[i].score ||
            c.severity != cases[i].severity)
            fail_msg("%s: expected %u, got %u (%s)", cases[i].vector, cases[i].score, c.score,
                     sw_severity_name(c.severity));
    }
}

static void malformed_vectors_are_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "7.5",
        "CVSS:3.1/AV:N",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X",
        "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:5.0/AV:N/AC:L",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:S/SI:H/SA:H",
        "AV:N/AC:L/Au:N/C:N/I:N/A:C/ZZ:1",
    };
    struct sw_error err;
    struct sw_cvss c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(sw_cvss_score(sw_str(cases[i]), &c, &err), SW_SYNTAX, err);
}

static void severity_words_of_all_databases_are_known(void **state) {
    (void)state;
    enum sw_severity s;
    assert_true(sw_severity_parse(SW_STR("Important"), &s) && s == SW_SEVERITY_HIGH);
    assert_true(sw_severity_parse(SW_STR("MODERATE"), &s) && s == SW_SEVERITY_MEDIUM);
    assert_true(sw_severity_parse(SW_STR("not yet assigned"), &s) && s == SW_SEVERITY_UNKNOWN);
    assert_false(sw_severity_parse(SW_STR("bad"), &s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_specifications),
        cmocka_unit_test(malformed_vectors_are_refused),
        cmocka_unit_test(severity_words_of_all_databases_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
