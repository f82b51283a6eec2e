#include "unit.h"

#include "oci/annotation.h"

struct fixture {
    struct sw_arena a;
    struct sw_annotations list;
    struct sw_error err;
};

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){0};
    sw_arena_init(&f.a, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    sw_arena_done(&((struct fixture *)*state)->a);
    return 0;
}

static struct sw_str value(struct fixture *f, enum sw_annotation_level level, const char *platform,
                           const char *name) {
    struct sw_platform p;
    struct sw_str found = SW_STR("(none)");
    if (platform) assert_ok(sw_platform_parse(&f->a, sw_str(platform), NULL, &p, &f->err), f->err);
    struct sw_pairs pairs = sw_annotations_for(&f->a, &f->list, level, platform ? &p : NULL);
    sw_pairs_get(&pairs, sw_str(name), &found);
    return found;
}

static void add(struct fixture *f, const char *text) {
    assert_ok(sw_annotations_add(&f->a, &f->list, sw_str(text), &f->err), f->err);
}

static void without_a_level_it_is_the_manifest(void **state) {
    struct fixture *f = *state;
    add(f, "a=b=c");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/amd64", "a"), "b=c");
    assert_str(value(f, SW_ANNOTATE_INDEX, NULL, "a"), "(none)");
}

static void levels_are_told_apart(void **state) {
    struct fixture *f = *state;
    add(f, "index,manifest:a=1");
    add(f, "manifest-descriptor:a=2");
    add(f, "index-descriptor:a=3");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/amd64", "a"), "1");
    assert_str(value(f, SW_ANNOTATE_INDEX, NULL, "a"), "1");
    assert_str(value(f, SW_ANNOTATE_MANIFEST_DESCRIPTOR, "linux/amd64", "a"), "2");
    assert_str(value(f, SW_ANNOTATE_INDEX_DESCRIPTOR, NULL, "a"), "3");
    assert_true(sw_annotations_has(&f->list, SW_ANNOTATE_INDEX));
}

static void a_platform_selects(void **state) {
    struct fixture *f = *state;
    add(f, "manifest[linux/aarch64]:a=arm");
    add(f, "a=all");
    add(f, "manifest[linux/amd64]:a=amd");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/arm64", "a"), "all"); /* the last wins */
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/amd64", "a"), "amd");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/s390x", "a"), "all");
}

static void keys_of_output_are_read(void **state) {
    struct fixture *f = *state;
    static const char *const keys[] = {"annotation.a.b", "annotation-index.a.b",
                                       "annotation-manifest[linux/arm64].c",
                                       "annotation[linux/arm64].d"};
    bool known;
    for (size_t i = 0; i < 4; i++) {
        assert_ok(
            sw_annotations_add_key(&f->a, &f->list, sw_str(keys[i]), SW_STR("v"), &known, &f->err),
            f->err);
        assert_true(known);
    }
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/amd64", "a.b"), "v");
    assert_str(value(f, SW_ANNOTATE_INDEX, NULL, "a.b"), "v");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/amd64", "c"), "(none)");
    assert_str(value(f, SW_ANNOTATE_MANIFEST, "linux/arm64", "d"), "v");
    static const char *const others[] = {"annotation", "annotations.a", "dest"};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(sw_annotations_add_key(&f->a, &f->list, sw_str(others[i]), SW_STR("v"), &known,
                                         &f->err),
                  f->err);
        assert_false(known);
    }
}

static void what_is_none_is_refused(void **state) {
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      "a",
                                      "=b",
                                      ":a=b",
                                      "header:a=b",
                                      "index:=b",
                                      "index,:a=b",
                                      "manifest[:a=b",
                                      "manifest[]:a=b",
                                      "manifest[nothing/at/all/x]:a=b",
                                      "index[linux/arm64]:a=b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sw_error err = {0};
        if (sw_annotations_add(&f->a, &f->list, sw_str(bad[i]), &err) != SW_USAGE)
            fail_msg("\"%s\" was not refused", bad[i]);
    }
    bool known;
    assert_refused(sw_annotations_add_key(&f->a, &f->list, SW_STR("annotation-header.a"),
                                          SW_STR("v"), &known, &f->err),
                   SW_USAGE, f->err);
    assert_refused(sw_annotations_add_key(&f->a, &f->list, SW_STR("annotation."), SW_STR("v"),
                                          &known, &f->err),
                   SW_USAGE, f->err);
}

static void their_number_is_limited(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < SW_ANNOTATIONS_MAX; i++) add(f, "a=b");
    assert_refused(sw_annotations_add(&f->a, &f->list, SW_STR("a=b"), &f->err), SW_LIMIT, f->err);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_a_level_it_is_the_manifest),
        TEST(levels_are_told_apart),
        TEST(a_platform_selects),
        TEST(keys_of_output_are_read),
        TEST(what_is_none_is_refused),
        TEST(their_number_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
