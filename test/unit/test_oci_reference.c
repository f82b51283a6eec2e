/* The cases are those of distribution/reference's grammar and documentation. */
#include "unit.h"

#include "base/buf.h"
#include "oci/reference.h"

#define HEX64 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define SHA256 "sha256:" HEX64
#define SHA512 "sha512:" HEX64 HEX64
#define ID64 "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a"

struct exact {
    const char *text, *domain, *path, *tag, *digest; /* domain NULL: refused */
};

static void the_grammar_is_followed_exactly(void **state) {
    static const struct exact cases[] = {
        {"test_com", "", "test_com", "", ""},
        {"test.com:tag", "", "test.com", "tag", ""},
        {"test.com:5000", "", "test.com", "5000", ""},
        {"test.com/repo:tag", "test.com", "repo", "tag", ""},
        {"test:5000/repo", "test:5000", "repo", "", ""},
        {"test:5000/repo:tag", "test:5000", "repo", "tag", ""},
        {"test:5000/repo@" SHA256, "test:5000", "repo", "", SHA256},
        {"test:5000/repo:tag@" SHA256, "test:5000", "repo", "tag", SHA256},
        {"lowercase:Uppercase", "", "lowercase", "Uppercase", ""},
        {"sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", "", ""},
        {"sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com", "bar/baz/quux",
         "some-long-tag", ""},
        {"b.gcr.io/test.example.com/my-app:test.example.com", "b.gcr.io", "test.example.com/my-app",
         "test.example.com", ""},
        {"xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com", ""},
        {"xn--7o8h.com/myimage:xn--7o8h.com@" SHA512, "xn--7o8h.com", "myimage", "xn--7o8h.com",
         SHA512},
        {"foo_bar.com:8080", "", "foo_bar.com", "8080", ""},
        {"foo/foo_bar.com:8080", "foo", "foo_bar.com", "8080", ""},
        {"test_com/foo", "", "test_com/foo", "", ""},
        {"192.168.1.1", "", "192.168.1.1", "", ""},
        {"192.168.1.1:tag", "", "192.168.1.1", "tag", ""},
        {"192.168.1.1:5000", "", "192.168.1.1", "5000", ""},
        {"192.168.1.1/repo", "192.168.1.1", "repo", "", ""},
        {"192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", ""},
        {"[2001:db8::1]/repo", "[2001:db8::1]", "repo", "", ""},
        {"[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]", "repo", "tag", ""},
        {"[2001:db8::1]:5000/repo:tag@" SHA256, "[2001:db8::1]:5000", "repo", "tag", SHA256},
        {"[2001:db8::]:5000/repo", "[2001:db8::]:5000", "repo", "", ""},
        {"[::1]:5000/repo", "[::1]:5000", "repo", "", ""},
        {"Uppercase/lowercase:tag", "Uppercase", "lowercase", "tag", ""},
        {"a__b/c-d/e---f.g", "", "a__b/c-d/e---f.g", "", ""},
        {"foo/library/busybox", "foo", "library/busybox", "", ""},
        {"", NULL, "", "", ""},
        {":justtag", NULL, "", "", ""},
        {"@" SHA256, NULL, "", "", ""},
        {"repo@sha256:ffffffffffffffffffffffffffffffffff", NULL, "", "", ""},
        {"validname@invaliddigest:" HEX64, NULL, "", "", ""},
        {"Uppercase:tag", NULL, "", "", ""},
        {"test:5000/Uppercase/lowercase:tag", NULL, "", "", ""},
        {"aa/asdf$$^/aa", NULL, "", "", ""},
        {"[2001:db8::1]", NULL, "", "", ""},
        {"[2001:db8::1]:5000", NULL, "", "", ""},
        {"[2001:db8::1]:tag", NULL, "", "", ""},
        {"[fe80::1%eth0]:5000/repo", NULL, "", "", ""},
        {"[fe80::1%@invalidzone]:5000/repo", NULL, "", "", ""},
        {"[]/repo", NULL, "", "", ""},
        {"host:/repo", NULL, "", "", ""},
        {"host:5x/repo", NULL, "", "", ""},
        {"repo:", NULL, "", "", ""},
        {"repo:-tag", NULL, "", "", ""},
        {"repo:.tag", NULL, "", "", ""},
        {"repo:ta g", NULL, "", "", ""},
        {"repo@", NULL, "", "", ""},
        {"repo:tag@" SHA256 "@" SHA256, NULL, "", "", ""},
        {"a/../b", NULL, "", "", ""},
        {"a//b", NULL, "", "", ""},
        {"/a", NULL, "", "", ""},
        {"a/", NULL, "", "", ""},
        {"a___b", NULL, "", "", ""},
        {"a..b", NULL, "", "", ""},
        {"a.-b", NULL, "", "", ""},
        {"a_", NULL, "", "", ""},
        {"-a", NULL, "", "", ""},
        {"a\n", NULL, "", "", ""},
        {"\xc3\xbc", NULL, "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct exact *c = &cases[i];
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        struct sw_reference ref;
        char digest[SW_DIGEST_TEXT_MAX];
        sw_arena_init(&a, 0);
        enum sw_code code = sw_reference_parse_exact(&a, sw_str(c->text), &ref, &err);
        if (!c->domain) {
            if (code != SW_USAGE)
                fail_msg("%s: expected usage, got %s", c->text, sw_code_name(code));
            continue;
        }
        if (code) fail_msg("%s: %s", c->text, err.text);
        assert_str(ref.domain, c->domain);
        assert_str(ref.path, c->path);
        assert_str(ref.tag, c->tag);
        assert_str(sw_digest_format(&ref.digest, digest), c->digest);
        assert_str(sw_reference_format(&a, &ref), c->text);
    }
}

static void short_names_mean_docker_hub(void **state) {
    /* typed, full, familiar */
    static const char *const cases[][3] = {
        {"busybox", "docker.io/library/busybox", "busybox"},
        {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
        {"library/busybox", "docker.io/library/busybox", "busybox"},
        {"docker.io/busybox", "docker.io/library/busybox", "busybox"},
        {"index.docker.io/busybox", "docker.io/library/busybox", "busybox"},
        {"index.docker.io/library/busybox", "docker.io/library/busybox", "busybox"},
        {"index.docker.io/fooo/bar", "docker.io/fooo/bar", "fooo/bar"},
        {"nonlibrary/ubuntu", "docker.io/nonlibrary/ubuntu", "nonlibrary/ubuntu"},
        {"other/library", "docker.io/other/library", "other/library"},
        {"library/foo/bar", "docker.io/library/foo/bar", "library/foo/bar"},
        {"docker.io/store/foo/bar", "docker.io/store/foo/bar", "store/foo/bar"},
        {"ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base", "ubuntu-12.04-base"},
        {"test_com/foo", "docker.io/test_com/foo", "test_com/foo"},
        {"docker---rules/docker", "docker.io/docker---rules/docker", "docker---rules/docker"},
        {"127.0.0.1:8000/private/moonbase", "127.0.0.1:8000/private/moonbase",
         "127.0.0.1:8000/private/moonbase"},
        {"example.com/privatebase", "example.com/privatebase", "example.com/privatebase"},
        {"localhost/x", "localhost/x", "localhost/x"},
        {"localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"},
        {"localhost", "docker.io/library/localhost", "localhost"},
        {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
        {"192.168.0.1:80", "docker.io/library/192.168.0.1:80", "192.168.0.1:80"},
        {"Foo/bar", "Foo/bar", "Foo/bar"},
        {"FOO/bar", "FOO/bar", "FOO/bar"},
        {"[fc00::1]:5000/docker", "[fc00::1]:5000/docker", "[fc00::1]:5000/docker"},
        {"busybox:latest@" SHA256, "docker.io/library/busybox:latest@" SHA256,
         "busybox:latest@" SHA256},
        {"redis@" SHA256, "docker.io/library/redis@" SHA256, "redis@" SHA256},
        {"docker.io/" ID64, "docker.io/library/" ID64, "docker.io/library/" ID64},
        {"docker.io/localhost/x", "docker.io/localhost/x", "docker.io/localhost/x"},
        {"docker.io/a.b/x", "docker.io/a.b/x", "docker.io/a.b/x"},
        {"dbcc1", "docker.io/library/dbcc1", "dbcc1"},
        {"thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
         "docker.io/library/thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
         "thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        sw_arena_init(&a, 0);
        for (int form = 0; form < 3; form++) {
            struct sw_reference ref;
            assert_ok(sw_reference_parse(&a, sw_str(cases[i][form]), &ref, &err), err);
            assert_str(sw_reference_format(&a, &ref), cases[i][1]);
            assert_str(sw_reference_familiar(&a, &ref), cases[i][2]);
        }
    }
}

static void what_is_no_name_is_refused(void **state) {
    static const char *const cases[] = {
        "",
        "https://github.com/docker/docker",
        "docker/Docker",
        "-docker",
        "-docker/docker",
        "-docker.io/docker/docker",
        "docker///docker",
        "docker.io/docker/Docker",
        "docker.io/docker///docker",
        "[fc00::1]",
        "[fc00::1]:5000",
        "fc00::1:5000/debian",
        "[fe80::1%eth0]:5000/debian",
        "[2001:db8:3:4::192.0.2.33]:5000/debian",
        ID64,
        "docker-/docker",
        "-docker-/docker",
        "____/____",
        "_docker/_docker",
        "dock..er/docker",
        "dock_.er/docker",
        "dock-.er/docker",
        "docker/",
        "docker.io/",
        "docker.io",
        "test_com.x:5000/foo",
        "Busybox",
        "busybox:",
        "busybox@sha256:00",
        ("busybox@sha384:" HEX64),
        "bus ybox",
        " busybox",
        "busybox\t",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        struct sw_reference ref;
        sw_arena_init(&a, 0);
        enum sw_code code = sw_reference_parse(&a, sw_str(cases[i]), &ref, &err);
        /* The domain alone is a name, too, as in the original. */
        bool name = strcmp(cases[i], "docker.io") == 0;
        if (code != (name ? SW_OK : SW_USAGE)) fail_msg("%s: got %s", cases[i], sw_code_name(code));
    }
}

static void lengths_are_limited(void **state) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf text;
    struct sw_error err;
    struct sw_reference ref;
    char tag[200];
    sw_arena_init(&a, 0);
    sw_buf_init(&text, 0);
    sw_buf_add(&text, SW_STR("r.io/"));
    for (int i = 0; i < 127; i++) sw_buf_add(&text, SW_STR("a/"));
    sw_buf_add(&text, SW_STR("a"));
    assert_ok(sw_reference_parse(&a, sw_buf_str(&text), &ref, &err), err);
    assert_int_equal(ref.path.len, 255);
    sw_buf_add(&text, SW_STR("a"));
    assert_refused(sw_reference_parse(&a, sw_buf_str(&text), &ref, &err), SW_USAGE, err);
    memset(tag, 't', sizeof tag);
    assert_true(sw_reference_is_tag(sw_str_n(tag, 128)));
    assert_false(sw_reference_is_tag(sw_str_n(tag, 129)));
    assert_false(sw_reference_is_tag(SW_STR("")));
    assert_false(sw_reference_is_path(SW_STR("")));
    SW_BUF struct sw_buf huge;
    sw_buf_init(&huge, 0);
    for (int i = 0; i < 100000; i++) sw_buf_add_char(&huge, 'a');
    assert_refused(sw_reference_parse(&a, sw_buf_str(&huge), &ref, &err), SW_USAGE, err);
}

static void latest_is_the_default_tag(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_reference ref, other;
    sw_arena_init(&a, 0);
    assert_ok(sw_reference_parse(&a, SW_STR("x"), &ref, &err), err);
    assert_ok(sw_reference_parse(&a, SW_STR("docker.io/x:latest"), &other, &err), err);
    assert_false(sw_reference_eq(&ref, &other));
    sw_reference_default_tag(&ref);
    assert_true(sw_reference_eq(&ref, &other));
    assert_str(sw_reference_name(&a, &ref), "docker.io/library/x");
    assert_ok(sw_reference_parse(&a, SW_STR("x@" SHA256), &ref, &err), err);
    sw_reference_default_tag(&ref);
    assert_str(ref.tag, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_followed_exactly),
        cmocka_unit_test(short_names_mean_docker_hub),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(latest_is_the_default_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
