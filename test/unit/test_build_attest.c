#include "unit.h"

#include "base/buf.h"
#include "build/attest.h"

static void passwords_are_hidden_in_urls(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"https://host/x", "https://host/x"},
        {"https://user:pass@host/x@y", "https://xxxxx:xxxxx@host/x@y"},
        {"https://token@host:1/x", "https://xxxxx@host:1/x"},
        {"https://host/a@b:c", "https://host/a@b:c"},
        {"https://u:p@ss@host/", "https://xxxxx:xxxxx@host/"},
        {"https://u:p@host", "https://xxxxx:xxxxx@host"},
        {"ssh://git@host/r.git", "ssh://git@host/r.git"},
        {"ssh://git:p@host/r.git", "ssh://xxxxx:xxxxx@host/r.git"},
        {"git@host:r.git", "git@host:r.git"},
        {"plain", "plain"},
        {"", ""},
    };
    struct sw_arena a;
    sw_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_str(sw_url_without_password(&a, sw_str(cases[i][0])), cases[i][1]);
    sw_arena_done(&a);
}

static void images_have_package_urls(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"alpine", "pkg:docker/alpine@latest?platform=linux%2Famd64"},
        {"docker.io/library/alpine:3", "pkg:docker/alpine@3?platform=linux%2Famd64"},
        {"ghcr.io/a/b:v2", "pkg:docker/ghcr.io/a/b@v2?platform=linux%2Famd64"},
        {"a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "pkg:docker/a/b?digest=sha256:"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855&platform=linux%2Famd64"},
    };
    struct sw_platform p = {.os = SW_STR("linux"), .architecture = SW_STR("amd64")};
    struct sw_error err = {0};
    struct sw_arena a;
    sw_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sw_str purl;
        assert_ok(sw_image_purl(&a, "docker", sw_str(cases[i][0]), &p, &purl, &err), err);
        assert_str(purl, cases[i][1]);
    }
    struct sw_str purl = SW_STR("untouched");
    assert_refused(sw_image_purl(&a, "docker", SW_STR("Not A Name"), &p, &purl, &err), SW_USAGE,
                   err);
    assert_str(purl, "untouched");
    sw_arena_done(&a);
}

static void statements_are_what_in_toto_reads(void **state) {
    (void)state;
    struct sw_pair one[] = {{SW_STR("<a>"), SW_STR("00")}};
    struct sw_pairs subjects = {.ptr = one, .len = 1, .cap = 1};
    struct sw_buf out;
    sw_buf_init(&out, 0);
    sw_build_statement(&out, "urn:t", &subjects, SW_STR("{\"k\":[1]}"), false);
    assert_str(sw_buf_str(&out),
               "{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"predicateType\":\"urn:t\","
               "\"subject\":[{\"name\":\"\\u003ca\\u003e\",\"digest\":{\"sha256\":\"00\"}}],"
               "\"predicate\":{\"k\":[1]}}");
    sw_buf_reset(&out);
    sw_build_statement(&out, "urn:t", &(struct sw_pairs){0}, SW_STR("{\"k\":[1]}"), true);
    assert_str(sw_buf_str(&out), "{\n  \"_type\": \"https://in-toto.io/Statement/v0.1\",\n"
                                 "  \"predicateType\": \"urn:t\",\n  \"subject\": [],\n"
                                 "  \"predicate\": {\n    \"k\": [\n      1\n    ]\n  }\n}");
    sw_buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_hidden_in_urls),
        cmocka_unit_test(images_have_package_urls),
        cmocka_unit_test(statements_are_what_in_toto_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
