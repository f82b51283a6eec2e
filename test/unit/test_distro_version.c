/* The order of versions: rules of the manuals, and the vectors that the originals publish. */
#include "distro/version.h"
#include "unit.h"

struct pair {
    const char *a, *b;
    int expected;
};

static void check(enum sw_version_scheme scheme, const struct pair *pairs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int got = sw_version_cmp(scheme, sw_str(pairs[i].a), sw_str(pairs[i].b));
        int back = sw_version_cmp(scheme, sw_str(pairs[i].b), sw_str(pairs[i].a));
        if (got != pairs[i].expected || back != -got)
            fail_msg("%s: \"%s\" to \"%s\": expected %d, got %d and %d back",
                     sw_version_scheme_name(scheme), pairs[i].a, pairs[i].b, pairs[i].expected, got,
                     back);
    }
}
#define CHECK(scheme, ...)                                                                         \
    check(scheme, (const struct pair[]){__VA_ARGS__},                                              \
          sizeof((const struct pair[]){__VA_ARGS__}) / sizeof(struct pair))

static void dpkg_order_follows_policy(void **state) {
    (void)state;
    CHECK(SW_VERSION_DPKG, {"1.0", "1.0", 0}, {"1.0~rc1", "1.0", -1}, {"1.0~~", "1.0~~a", -1},
          {"1.0~~a", "1.0~", -1}, {"1:0.9", "2.0", 1}, {"0:1.0", "1.0", 0}, {"1.0-1", "1.0-2", -1},
          {"1.0-1", "1.0", 1}, {"1.10", "1.9", 1}, {"1.0a", "1.0+", -1}, {"1.0", "1.0-0", 0},
          {"1.2.3+dfsg1-1", "1.2.3-1", 1}, {"007", "7", 0}, {"a", "~", 1},
          {"1.0-1ubuntu1", "1.0-1", 1}, {"99999999999999999999", "100000000000000000000", -1});
}

static void rpm_order_follows_rpmvercmp(void **state) {
    (void)state;
    CHECK(SW_VERSION_RPM, {"1.0", "1.0", 0}, {"1.0", "2.0", -1}, {"2.0.1a", "2.0.1", 1},
          {"5.5p1", "5.5p10", -1}, {"10xyz", "10.1xyz", -1}, {"xyz10", "xyz10.1", -1},
          {"xyz.4", "8", -1}, {"5.5p2", "5.6p1", -1}, {"6.0.rc1", "6.0", 1}, {"10b2", "10a1", 1},
          {"1.0aa", "1.0a", 1}, {"10.0001", "10.1", 0}, {"4.999.9", "5.0", -1},
          {"20101121", "20101122", -1}, {"2_0", "2.0", 0}, {"1.0~rc1", "1.0", -1},
          {"1.0~rc1~git123", "1.0~rc1", -1}, {"1.0^", "1.0", 1}, {"1.0^git1", "1.0.1", -1},
          {"1.0^git1~pre", "1.0^git1", -1}, {"1.0~rc1^git1", "1.0~rc1", 1}, {"1:1.0-1", "2.0-1", 1},
          {"0:1.0-1", "1.0-1", 0}, {"1.0-1.el7", "1.0-1.el8", -1});
}

static void apk_order_follows_the_manual(void **state) {
    (void)state;
    CHECK(SW_VERSION_APK, {"2.34", "0.1.0_alpha", 1}, {"0.1.0_alpha", "0.1.3_alpha", -1},
          {"0.1.0_alpha2", "0.1.0_alpha", 1}, {"1.0", "1.0_pre1", 1}, {"1.0_p1", "1.0", 1},
          {"1.0", "1.0-r0", -1}, {"1.0-r1", "1.0-r10", -1}, {"1.0b", "1.0a", 1},
          {"1.0.1", "1.0a", 1}, {"1.0a", "1.0_p1", 1}, {"1.0_p1", "1.0-r9", 1},
          {"1.0_rc1", "1.0_beta9", 1}, {"1.0_alpha_rc1", "1.0_alpha", -1}, {"0.09", "0.1", -1},
          {"1.010", "1.01", 1}, {"3.0.0_rc3-r0", "3.0.0-r0", -1},
          {"1.0_git20200101", "1.0_svn1", 1}, {"23_foo", "4_beta", 1});
    assert_true(sw_version_valid(SW_VERSION_APK, SW_STR("1.2.3b_rc4_p1-r5")));
    assert_false(sw_version_valid(SW_VERSION_APK, SW_STR("23_foo")));
    assert_false(sw_version_valid(SW_VERSION_APK, SW_STR("1.0-1")));
    assert_false(sw_version_valid(SW_VERSION_APK, SW_STR("")));
}

/* The short way and the long one (numbers of more than six digits) must agree. */
static void semver_short_and_long_ways_agree(void **state) {
    (void)state;
    static const char *const tails[] = {"",     "-0",    "-rc.1", "-rc.1+m", "+m",   "-",
                                        "-01",  "-a..b", "+",     "-a_b",    ".1",   "-rc.10",
                                        "+m+m", "-1.a",  "-a-b",  "x",       "-0.2", "-rc.1+"};
    static const char *const cores[] = {"1.2.3",  "1.2",    "1",    "1.2.4",
                                        "v1.2.3", "01.2.3", "1..3", ""};
    enum { TAILS = sizeof tails / sizeof *tails, CORES = sizeof cores / sizeof *cores };
    for (unsigned i = 0; i < TAILS * CORES; i++)
        for (unsigned j = 0; j < TAILS * CORES; j++) {
            char a[64], b[64], long_a[80], long_b[80];
            snprintf(a, sizeof a, "%s%s", cores[i / TAILS], tails[i % TAILS]);
            snprintf(b, sizeof b, "%s%s", cores[j / TAILS], tails[j % TAILS]);
            /* A larger major number in both, in a form that takes the long way. */
            const char *rest_a = a[0] == 'v' ? a + 1 : a, *rest_b = b[0] == 'v' ? b + 1 : b;
            bool zero = *rest_a == '0' || *rest_b == '0' || !*rest_a || !*rest_b;
            bool digits = *rest_a >= '1' && *rest_a <= '9' && *rest_b >= '1' && *rest_b <= '9';
            if (zero || !digits) continue;
            snprintf(long_a, sizeof long_a, "10000000%s", rest_a);
            snprintf(long_b, sizeof long_b, "10000000%s", rest_b);
            int got = sw_version_cmp(SW_VERSION_SEMVER, sw_str(a), sw_str(b));
            int want = sw_version_cmp(SW_VERSION_SEMVER, sw_str(long_a), sw_str(long_b));
            if ((got > 0) - (got < 0) != (want > 0) - (want < 0))
                fail_msg("%s to %s: %d, the long way %d", a, b, got, want);
            bool valid, valid_long;
            sw_version_cmp_bound(SW_VERSION_SEMVER, sw_str(a), sw_str("1.0.0"), &valid);
            valid_long = sw_version_valid(SW_VERSION_SEMVER, sw_str(long_a));
            if (valid != valid_long || valid != sw_version_valid(SW_VERSION_SEMVER, sw_str(a)))
                fail_msg("%s: valid %d, the long way %d", a, valid, valid_long);
        }
}

static void semver_order_follows_the_specification(void **state) {
    (void)state;
    CHECK(SW_VERSION_SEMVER, {"1.0.0-alpha", "1.0.0-alpha.1", -1},
          {"1.0.0-alpha.1", "1.0.0-alpha.beta", -1}, {"1.0.0-beta.2", "1.0.0-beta.11", -1},
          {"1.0.0-rc.1", "1.0.0", -1}, {"v1.2", "1.2.0", 0}, {"1.0.0+incompatible", "1.0.0", 0},
          {"v0.0.0-20191109021931-daa7c04131f5", "0.0.0-20191109021932-000000000000", -1},
          {"1.21.0-0", "1.21.0-rc.2", -1}, {"1.2.4-0.20200101000000-abcdefabcdef", "1.2.3", 1},
          {"1.2.4-0.20200101000000-abcdefabcdef", "1.2.4", -1});
    assert_false(sw_version_valid(SW_VERSION_SEMVER, SW_STR("(devel)")));
    assert_false(sw_version_valid(SW_VERSION_SEMVER, SW_STR("1.02.3")));
    assert_false(sw_version_valid(SW_VERSION_SEMVER, SW_STR("1.2.3-")));
    struct sw_str time;
    assert_true(sw_version_is_pseudo(SW_STR("v0.0.0-20191109021931-daa7c04131f5"), &time));
    assert_str(time, "20191109021931");
    assert_true(sw_version_is_pseudo(SW_STR("v1.2.4-0.20191109021931-daa7c04131f5"), &time));
    assert_false(sw_version_is_pseudo(SW_STR("v1.2.4-rc1"), &time));
}

static void go_releases_become_semantic_versions(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"go1.21rc2", "1.21.0-rc.2"},     {"go1.20", "1.20.0"},        {"go1.20.10", "1.20.10"},
        {"go1.18beta1", "1.18.0-beta.1"}, {"go1.22.3-fips", "1.22.3"}, {"go1", "1.0.0"}};
    char buffer[64];
    struct sw_str v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(sw_version_from_go_tag(sw_str(cases[i][0]), buffer, sizeof buffer, &v));
        assert_str(v, cases[i][1]);
    }
    assert_false(sw_version_from_go_tag(SW_STR("devel go1.22"), buffer, sizeof buffer, &v));
    assert_false(sw_version_from_go_tag(SW_STR("go1.x"), buffer, sizeof buffer, &v));
    assert_false(sw_version_from_go_tag(SW_STR("go"), buffer, sizeof buffer, &v));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dpkg_order_follows_policy),
        cmocka_unit_test(rpm_order_follows_rpmvercmp),
        cmocka_unit_test(apk_order_follows_the_manual),
        cmocka_unit_test(semver_order_follows_the_specification),
        cmocka_unit_test(semver_short_and_long_ways_agree),
        cmocka_unit_test(go_releases_become_semantic_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
