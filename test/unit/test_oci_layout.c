#include "unit.h"

#include "oci/docker_archive.h"
#include "oci/image_layout.h"

#define HEX "523e9f12969754272a4a4c392b6358184f088d68257384ccc08ce131f03ecac9"

static struct sw_descriptor image(const char *content) {
    return sw_descriptor_of(SW_MT_OCI_MANIFEST, sw_str(content));
}

static void add(struct sw_arena *a, struct sw_index *index, const char *content,
                const char *ref_name, const char *full_name) {
    struct sw_descriptor d = image(content);
    if (ref_name) sw_pairs_set(a, &d.annotations, SW_STR(SW_ANN_REF_NAME), sw_str(ref_name));
    if (full_name)
        sw_pairs_set(a, &d.annotations, SW_STR(SW_ANN_CONTAINERD_NAME), sw_str(full_name));
    sw_index_add(a, index, &d);
}

static void the_layout_file_has_a_version(void **state) {
    SW_BUF struct sw_buf out;
    struct sw_error err;
    sw_buf_init(&out, 0);
    sw_layout_write(&out);
    assert_str(sw_buf_str(&out), "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert_ok(sw_layout_check(sw_buf_str(&out), &err), err);
    assert_ok(sw_layout_check(SW_STR("{\"imageLayoutVersion\": \"1.1.0\"}\n"), &err), err);
    assert_refused(sw_layout_check(SW_STR("{\"imageLayoutVersion\":\"2.0.0\"}"), &err),
                   SW_UNSUPPORTED, err);
    assert_refused(sw_layout_check(SW_STR("{}"), &err), SW_SYNTAX, err);
    assert_refused(sw_layout_check(SW_STR(""), &err), SW_SYNTAX, err);
}

static void blobs_have_paths(void **state) {
    char path[SW_LAYOUT_PATH_MAX];
    struct sw_digest d;
    struct sw_error err;
    assert_ok(sw_digest_parse(SW_STR("sha256:" HEX), &d, &err), err);
    assert_str(sw_layout_blob_path(&d, path), "blobs/sha256/" HEX);
    assert_ok(sw_digest_parse(SW_STR("sha512:" HEX HEX), &d, &err), err);
    assert_str(sw_layout_blob_path(&d, path), "blobs/sha512/" HEX HEX);
}

static void names_follow_the_specification(void **state) {
    static const char *const good[] = {"latest", "v1.0",  "a/b:c",       "docker.io/x:y", "a--b",
                                       "a+b",    "A_b-c", "x@sha256:00", "a.b/c.d"};
    static const char *const bad[] = {"",      "/a",  "a/",  "a//b", "-a", "a-",  "a..b",
                                      "a---b", "a b", "a\n", "a,b",  ".",  "a-_b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!sw_layout_is_ref_name(sw_str(good[i]))) fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sw_layout_is_ref_name(sw_str(bad[i]))) fail_msg("accepted: %s", bad[i]);
}

static void images_are_found_by_name(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_index index = {0};
    const struct sw_descriptor *d;
    sw_arena_init(&a, 0);
    assert_refused(sw_layout_find(&a, &index, SW_STR(""), &d, &err), SW_NOT_FOUND, err);
    add(&a, &index, "one", "app:1.0", NULL);
    assert_ok(sw_layout_find(&a, &index, SW_STR(""), &d, &err), err);
    add(&a, &index, "two", "latest", NULL);
    add(&a, &index, "three", "2.0", "docker.io/library/other:2.0");
    add(&a, &index, "four", "localhost:5000/x/y:z", NULL);
    static const char *const cases[][2] = {
        {"app:1.0", "one"},
        {"docker.io/library/app:1.0", "one"},
        {"latest", "two"},
        {"anything", "two"},    /* a bare tag serves any name: anything:latest */
        {"other:2.0", "three"}, /* by its full name */
        {"library/other:2.0", "three"},
        {"app:2.0", NULL}, /* 2.0 belongs to other */
        {"2.0", "three"},  /* the name itself, as written */
        {"localhost:5000/x/y:z", "four"},
        {"localhost:5000/x/y:q", NULL},
        {"not a reference", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum sw_code code = sw_layout_find(&a, &index, sw_str(cases[i][0]), &d, &err);
        if (!cases[i][1]) {
            assert_refused(code, SW_NOT_FOUND, err);
            assert_non_null(strstr(err.text, "app:1.0, latest, 2.0"));
            continue;
        }
        struct sw_descriptor expected = image(cases[i][1]);
        assert_ok(code, err);
        if (!sw_digest_eq(&d->digest, &expected.digest)) fail_msg("%s", cases[i][0]);
    }
    char digest[SW_DIGEST_TEXT_MAX];
    struct sw_descriptor four = image("four");
    assert_ok(sw_layout_find(&a, &index, sw_digest_format(&four.digest, digest), &d, &err), err);
    assert_true(sw_digest_eq(&d->digest, &four.digest));
    assert_refused(sw_layout_find(&a, &index, SW_STR(""), &d, &err), SW_USAGE, err);
    add(&a, &index, "five", "app:1.0", NULL);
    assert_refused(sw_layout_find(&a, &index, SW_STR("app:1.0"), &d, &err), SW_USAGE, err);
}

static void a_tag_moves(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_index index = {0};
    const struct sw_descriptor *d;
    struct sw_descriptor one = image("one"), two = image("two");
    sw_arena_init(&a, 0);
    add(&a, &index, "one", NULL, NULL);
    sw_layout_tag(&a, &index, SW_STR("app:1"), &one);
    assert_int_equal(index.n_manifests, 1); /* the nameless entry became the named one */
    sw_layout_tag(&a, &index, SW_STR("app:2"), &one);
    sw_layout_tag(&a, &index, SW_STR("app:1"), &two);
    assert_int_equal(index.n_manifests, 2);
    assert_int_equal(one.annotations.len, 0);
    assert_ok(sw_layout_find(&a, &index, SW_STR("app:1"), &d, &err), err);
    assert_true(sw_digest_eq(&d->digest, &two.digest));
    assert_true(sw_layout_untag(&index, SW_STR("app:2")));
    assert_false(sw_layout_untag(&index, SW_STR("app:2")));
    assert_false(sw_layout_untag(&index, SW_STR("")));
    assert_int_equal(index.n_manifests, 1);
}

static void docker_archives_are_read_and_written(void **state) {
    static const char text[] =
        "[{\"Config\":\"01b8.json\",\"RepoTags\":[\"example.com/"
        "app:1.0\",\"app:latest\"],\"Layers\":["
        "\"" HEX ".tar\"]},{\"Config\":\"blobs/sha256/" HEX "\",\"RepoTags\":[],\"Layers\":[\"a/"
        "layer.tar\",\"b/layer.tar\"]}]";
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_docker_archive archive;
    const struct sw_docker_image *found;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_docker_archive_parse(&a, sw_str(text), &archive, &err), err);
    assert_int_equal(archive.n_images, 2);
    sw_docker_archive_write(&out, &archive);
    assert_str(sw_buf_str(&out), text);
    assert_ok(sw_docker_archive_find(&a, &archive, SW_STR("docker.io/app"), &found, &err), err);
    assert_ptr_equal(found, &archive.images[0]);
    assert_refused(sw_docker_archive_find(&a, &archive, SW_STR("app:2"), &found, &err),
                   SW_NOT_FOUND, err);
    assert_refused(sw_docker_archive_find(&a, &archive, SW_STR(""), &found, &err), SW_USAGE, err);
    /* Docker 25 and later: null tags, and members that are not needed. */
    assert_ok(sw_docker_archive_parse(&a,
                                      SW_STR("[{\"Config\":\"./c.json\",\"RepoTags\":null,"
                                             "\"Layers\":[\"/l.tar\"],\"LayerSources\":{}}]"),
                                      &archive, &err),
              err);
    assert_str(archive.images[0].config, "c.json");
    assert_str(archive.images[0].layers.ptr[0], "l.tar");
    assert_ok(sw_docker_archive_find(&a, &archive, SW_STR(""), &found, &err), err);
}

static void docker_archives_stay_inside(void **state) {
    static const char *const cases[] = {
        "{}",
        "[{}]",
        "[{\"Config\":\"../c.json\"}]",
        "[{\"Config\":\"\"}]",
        "[{\"Config\":\"c\",\"Layers\":[\"a/../../b\"]}]",
        "[{\"Config\":\"c\",\"Layers\":\"x\"}]",
        "[{\"Config\":\"c\",\"RepoTags\":[1]}]",
        "[1]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_error err;
        struct sw_docker_archive archive;
        sw_arena_init(&a, 0);
        assert_refused(sw_docker_archive_parse(&a, sw_str(cases[i]), &archive, &err), SW_SYNTAX,
                       err);
    }
}

static void names_in_archives_may_be_digests(void **state) {
    static const struct {
        const char *path;
        bool digest, layer_dir;
    } cases[] = {
        {"blobs/sha256/" HEX, true, false},
        {HEX ".json", true, false},
        {HEX ".tar", true, false},
        {HEX "/layer.tar", true, true},
        {HEX, true, false},
        {"c.json", false, false},
        {"blobs/sha256/x", false, false},
        {"blobs/x", false, false},
        {"", false, false},
        {"blobs/sha512/" HEX HEX, true, false},
        {"blobs/sha256/" HEX "/x", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sw_digest d;
        bool layer_dir = false;
        bool got = sw_docker_archive_digest(sw_str(cases[i].path), &d, &layer_dir);
        if (got != cases[i].digest || (got && layer_dir != cases[i].layer_dir))
            fail_msg("%s: %d %d", cases[i].path, got, layer_dir);
    }
}

static void repositories_are_read_and_written(void **state) {
    static const char text[] = "{\"example.com/app\":{\"1.0\":\"df87\",\"1.1\":\"aaaa\"},\"b\":{"
                               "\"latest\":\"bbbb\"}}";
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_docker_repository_tag *tags;
    size_t n;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_docker_repositories_parse(&a, sw_str(text), &tags, &n, &err), err);
    assert_int_equal(n, 3);
    assert_str(tags[1].tag, "1.1");
    sw_docker_repositories_write(&out, tags, n);
    assert_str(sw_buf_str(&out), text);
    assert_refused(sw_docker_repositories_parse(&a, SW_STR("{\"a\":{\"b\":1}}"), &tags, &n, &err),
                   SW_SYNTAX, err);
    assert_refused(sw_docker_repositories_parse(&a, SW_STR("{\"a\":1}"), &tags, &n, &err),
                   SW_SYNTAX, err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_file_has_a_version),
        cmocka_unit_test(blobs_have_paths),
        cmocka_unit_test(names_follow_the_specification),
        cmocka_unit_test(images_are_found_by_name),
        cmocka_unit_test(a_tag_moves),
        cmocka_unit_test(docker_archives_are_read_and_written),
        cmocka_unit_test(docker_archives_stay_inside),
        cmocka_unit_test(names_in_archives_may_be_digests),
        cmocka_unit_test(repositories_are_read_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
