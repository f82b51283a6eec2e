/* Keys and what is kept of them. */
#include "unit.h"

#include "build/cache_key.h"
#include "build/explain.h"

static struct sw_digest key_of(struct sw_arena *a, const char *name, const char *value,
                               const char *second) {
    SW_KEY struct sw_key k;
    sw_key_init(&k, a, SW_STR("test 1"));
    sw_key_add(&k, sw_str(name), sw_str(value));
    if (second) sw_key_add(&k, SW_STR("second"), sw_str(second));
    return sw_key_finish(&k);
}

static void where_a_field_ends_is_part_of_the_key(void **state) {
    SW_ARENA struct sw_arena a;
    (void)state;
    sw_arena_init(&a, 0);
    struct sw_digest x = key_of(&a, "ab", "c", NULL), y = key_of(&a, "a", "bc", NULL);
    assert_false(sw_digest_eq(&x, &y));
    y = key_of(&a, "ab", "c", NULL);
    assert_true(sw_digest_eq(&x, &y));
    y = key_of(&a, "ab", "c", "");
    assert_false(sw_digest_eq(&x, &y));
}

static void parts_are_kept_in_order(void **state) {
    SW_ARENA struct sw_arena a;
    SW_KEY struct sw_key k;
    (void)state;
    sw_arena_init(&a, 0);
    sw_key_init(&k, &a, SW_STR("test 1"));
    sw_key_add(&k, SW_STR("command"), SW_STR("make"));
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR(""));
    sw_key_add_digest(&k, SW_STR("base image"), &d);
    assert_int_equal(k.parts.len, 2);
    assert_str(k.parts.ptr[0].value, "make");
    assert_str(k.parts.ptr[1].name, "base image");
    assert_str(k.parts.ptr[1].value, "e3b0c44298fc");
}

static void values_of_secret_variables_are_not_kept(void **state) {
    SW_ARENA struct sw_arena a;
    (void)state;
    sw_arena_init(&a, 0);
    static const char *const names[] = {"variable GITHUB_TOKEN", "variable db_password",
                                        "variable ApiKey"};
    for (size_t i = 0; i < 3; i++) {
        struct sw_str shown = sw_key_shown(&a, sw_str(names[i]), SW_STR("hunter2"));
        assert_true(sw_str_find(shown, SW_STR("hunter2")) == SIZE_MAX);
    }
    assert_str(sw_key_shown(&a, SW_STR("variable MODE"), SW_STR("fast")), "fast");
}

static void long_values_are_cut_and_still_differ(void **state) {
    SW_ARENA struct sw_arena a;
    char x[4000], y[4000];
    (void)state;
    sw_arena_init(&a, 0);
    memset(x, 'x', sizeof x);
    memset(y, 'x', sizeof y);
    y[sizeof y - 1] = 'y';
    struct sw_str p = sw_key_shown(&a, SW_STR("script"), sw_str_n(x, sizeof x));
    struct sw_str q = sw_key_shown(&a, SW_STR("script"), sw_str_n(y, sizeof y));
    assert_true(p.len < 400);
    assert_false(sw_str_eq(p, q));
}

static void a_report_says_what_changed(void **state) {
    SW_ARENA struct sw_arena a;
    (void)state;
    sw_arena_init(&a, 0);
    struct sw_step_change changes[] = {
        {SW_STR("file a"), SW_STR("1"), SW_STR("2")},
        {SW_STR("file b"), {NULL, 0}, SW_STR("3")},
        {SW_STR("file c"), SW_STR("4"), {NULL, 0}},
        {SW_STR("file d"), SW_STR("5"), SW_STR("6")},
    };
    struct sw_step_report r = {
        .why = SW_WHY_CHANGED, .changes = changes, .n_changes = 4, .n_more = 2};
    assert_str(sw_step_report_line(&a, &r),
               "file a changed from 1 to 2; file b is new (3); file c is gone (was 4); and 3 more");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_a_field_ends_is_part_of_the_key),
        cmocka_unit_test(parts_are_kept_in_order),
        cmocka_unit_test(values_of_secret_variables_are_not_kept),
        cmocka_unit_test(long_values_are_cut_and_still_differ),
        cmocka_unit_test(a_report_says_what_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
