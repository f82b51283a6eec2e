#include "unit.h"

#include "oci/index.h"
#include "oci/platform.h"

static struct sw_platform plat(struct sw_arena *a, const char *text) {
    struct sw_platform host = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")}, p;
    struct sw_error err;
    if (sw_platform_parse(a, sw_str(text), &host, &p, &err)) fail_msg("%s: %s", text, err.text);
    return p;
}

static void names_are_parsed_and_normalised(void **state) {
    static const char *const cases[][2] = {
        {"linux/amd64", "linux/amd64"},
        {"linux/x86_64", "linux/amd64"},
        {"LINUX/AMD64", "linux/amd64"},
        {"linux/x86-64/v1", "linux/amd64"},
        {"linux/amd64/v3", "linux/amd64/v3"},
        {"linux/aarch64", "linux/arm64"},
        {"linux/arm64/v8", "linux/arm64"},
        {"linux/arm64/8", "linux/arm64"},
        {"linux/arm64/v8.2", "linux/arm64/v8.2"},
        {"linux/arm", "linux/arm/v7"},
        {"linux/arm/7", "linux/arm/v7"},
        {"linux/arm/v6", "linux/arm/v6"},
        {"linux/armhf", "linux/arm/v7"},
        {"linux/armel", "linux/arm/v6"},
        {"linux/i386", "linux/386"},
        {"linux/s390x", "linux/s390x"},
        {"macos/arm64", "darwin/arm64"},
        {"linux", "linux/amd64"},
        {"windows", "windows/amd64"},
        {"arm64", "linux/arm64"},
        {"armhf", "linux/arm/v7"},
        {"riscv64", "linux/riscv64"},
        {"windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"},
        {"windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64"},
        {"newos/newarch", "newos/newarch"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        sw_arena_init(&a, 0);
        struct sw_platform p = plat(&a, cases[i][0]);
        assert_str(sw_platform_format(&a, &p), cases[i][1]);
    }
}

static void malformed_platforms_are_refused(void **state) {
    static const char *const cases[] = {
        "",
        "/",
        "linux/",
        "/amd64",
        "linux//amd64",
        "linux/amd64/v1/x",
        "linux amd64",
        "toaster",
        "lin*x/amd64",
        "windows(/amd64",
        "windows(1/amd64",
        "(1)/amd64",
        "linux/am\nd64",
    };
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_platform p, host = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")};
    sw_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(sw_platform_parse(&a, sw_str(cases[i]), &host, &p, &err), SW_USAGE, err);
    assert_refused(sw_platform_parse(&a, SW_STR("linux"), NULL, &p, &err), SW_USAGE, err);
}

static void machines_have_platforms(void **state) {
    static const char *const cases[][2] = {
        {"x86_64", "linux/amd64"},    {"aarch64", "linux/arm64"},
        {"armv7l", "linux/arm/v7"},   {"armv6l", "linux/arm/v6"},
        {"armv5tel", "linux/arm/v5"}, {"i686", "linux/386"},
        {"ppc64le", "linux/ppc64le"}, {"s390x", "linux/s390x"},
        {"riscv64", "linux/riscv64"}, {"loongarch64", "linux/loong64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        sw_arena_init(&a, 0);
        struct sw_platform p = sw_platform_of_machine(sw_str(cases[i][0]));
        assert_str(sw_platform_format(&a, &p), cases[i][1]);
        assert_true(sw_platform_is_known(&p));
    }
}

/* The platforms on the left run what follows, best first; nothing else of the list. */
static void the_best_that_runs_is_chosen(void **state) {
    static const char *const cases[][12] = {
        {"linux/amd64", "linux/amd64", "linux/386"},
        {"linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"},
        {"linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
        {"linux/arm/v6", "linux/arm/v6", "linux/arm/v5"},
        {"linux/arm64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
        {"linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64", "linux/arm/v7", "linux/arm/v6",
         "linux/arm/v5"},
        {"linux/arm64/v9", "linux/arm64/v9", "linux/arm64/v8.1", "linux/arm64", "linux/arm/v7",
         "linux/arm/v6", "linux/arm/v5"},
        {"linux/s390x", "linux/s390x"},
        {"windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64",
         "windows(10.0.17763.9)/amd64"},
        {"windows/arm64"},
    };
    static const char *const all[] = {
        "linux/arm/v5",
        "linux/386",
        "linux/amd64",
        "linux/amd64/v2",
        "linux/amd64/v3",
        "linux/arm/v6",
        "linux/arm/v7",
        "linux/arm64",
        "linux/arm64/v8.1",
        "linux/arm64/v9",
        "linux/s390x",
        "windows(10.0.17763.9)/amd64",
        "windows(10.0.17763.1)/amd64",
        "windows(10.0.20348.1)/amd64",
        "darwin/arm64",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_index index = {0};
        sw_arena_init(&a, 0);
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            struct sw_platform *p = SW_NEW(&a, struct sw_platform);
            *p = plat(&a, all[k]);
            sw_index_add(&a, &index, &(struct sw_descriptor){.platform = p});
        }
        struct sw_platform want = plat(&a, cases[i][0]);
        for (size_t k = 1; cases[i][k]; k++) {
            const struct sw_descriptor *d = sw_index_choose(&index, &want);
            if (!d) fail_msg("%s: expected %s, got none", cases[i][0], cases[i][k]);
            struct sw_str got = sw_platform_format(&a, d->platform);
            if (!sw_str_is(got, cases[i][k]))
                fail_msg("%s: expected %s, got %.*s", cases[i][0], cases[i][k], SW_ARG(got));
            size_t at = (size_t)(d - index.manifests);
            memmove(&index.manifests[at], &index.manifests[at + 1],
                    (--index.n_manifests - at) * sizeof *d);
        }
        const struct sw_descriptor *left = sw_index_choose(&index, &want);
        if (left) {
            struct sw_str got = sw_platform_format(&a, left->platform);
            fail_msg("%s: nothing else should run, got %.*s", cases[i][0], SW_ARG(got));
        }
    }
}

static void attestations_are_never_chosen(void **state) {
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    struct sw_platform want = plat(&a, "linux/amd64"), unknown = plat(&a, "unknown/unknown");
    struct sw_descriptor attestation = {.platform = &unknown}, plain = {.size = 7};
    struct sw_index index = {0};
    sw_index_add(&a, &index, &attestation);
    assert_null(sw_index_choose(&index, &want));
    /* An entry that says nothing is better than nothing. */
    sw_index_add(&a, &index, &plain);
    assert_int_equal(sw_index_choose(&index, &want)->size, 7);
    assert_str(sw_index_platforms(&a, &index), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_parsed_and_normalised),
        cmocka_unit_test(malformed_platforms_are_refused),
        cmocka_unit_test(machines_have_platforms),
        cmocka_unit_test(the_best_that_runs_is_chosen),
        cmocka_unit_test(attestations_are_never_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
