#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"

static void cut_splits_at_first_separator(void **state) {
    struct sw_str head, tail;
    assert_true(sw_str_cut(sw_str("K=a=b"), '=', &head, &tail));
    assert_str(head, "K");
    assert_str(tail, "a=b");
    assert_false(sw_str_cut(sw_str("K"), '=', &head, &tail));
    assert_str(head, "K");
    assert_int_equal(tail.len, 0);
}

static void next_yields_empty_fields(void **state) {
    struct sw_str rest = sw_str("a,,b"), field;
    assert_true(sw_str_next(&rest, ',', &field));
    assert_str(field, "a");
    assert_true(sw_str_next(&rest, ',', &field));
    assert_str(field, "");
    assert_true(sw_str_next(&rest, ',', &field));
    assert_str(field, "b");
    assert_false(sw_str_next(&rest, ',', &field));
}

static void numbers_refuse_overflow_and_junk(void **state) {
    uint64_t u;
    int64_t i;
    assert_true(sw_str_u64(sw_str("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(sw_str_u64(sw_str("18446744073709551616"), &u));
    assert_false(sw_str_u64(sw_str(""), &u));
    assert_false(sw_str_u64(sw_str("1x"), &u));
    assert_true(sw_str_i64(sw_str("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(sw_str_i64(sw_str("9223372036854775808"), &i));
    assert_false(sw_str_octal(sw_str("758"), &u));
    assert_true(sw_str_octal(sw_str("755"), &u));
    assert_int_equal(u, 0755);
}

static void sizes_take_the_usual_units(void **state) {
    uint64_t n;
    assert_true(sw_str_size(sw_str("512"), &n) && n == 512);
    assert_true(sw_str_size(sw_str("64MiB"), &n) && n == 64u << 20);
    assert_true(sw_str_size(sw_str("1.5g"), &n) && n == 3ull << 29);
    assert_true(sw_str_size(sw_str("10k"), &n) && n == 10240);
    assert_false(sw_str_size(sw_str("10x"), &n));
    assert_false(sw_str_size(sw_str("k"), &n));
    assert_false(sw_str_size(sw_str("1bb"), &n));
}

static void utf8_refuses_overlong_and_surrogates(void **state) {
    assert_true(sw_str_is_utf8(sw_str("gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\xa2")));
    assert_false(sw_str_is_utf8(sw_str("\xc0\x80")));
    assert_false(sw_str_is_utf8(sw_str("\xed\xa0\x80")));
    assert_false(sw_str_is_utf8(sw_str("\xff")));
    assert_false(sw_str_is_utf8(sw_str("a\xc3")));
}

static void nearest_suggests_only_what_is_near(void **state) {
    static const char *const words[] = {"build", "images", "inspect"};
    assert_string_equal(sw_str_nearest(sw_str("biuld"), words, 3), "build");
    assert_string_equal(sw_str_nearest(sw_str("image"), words, 3), "images");
    assert_null(sw_str_nearest(sw_str("xyz"), words, 3));
}

static void buffer_keeps_its_maximum(void **state) {
    SW_BUF struct sw_buf b;
    struct sw_error err;
    sw_buf_init(&b, 8);
    sw_buf_add_text(&b, "1234567");
    assert_ok(sw_buf_check(&b, "text", &err), err);
    sw_buf_addf(&b, "%d", 89);
    assert_refused(sw_buf_check(&b, "text", &err), SW_LIMIT, err);
    assert_str(sw_buf_str(&b), "1234567");
    assert_int_equal(b.ptr[b.len], 0);
}

static void arena_reports_its_cap(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    sw_arena_init(&a, 100000);
    for (int i = 0; i < 1000; i++) memset(sw_arena_alloc(&a, 33), 0xff, 33);
    char *zeroed = sw_arena_alloc(&a, 40000);
    for (int i = 0; i < 40000; i++) assert_int_equal(zeroed[i], 0);
    assert_ok(sw_arena_check(&a, "document", &err), err);
    sw_arena_alloc(&a, 20000);
    assert_refused(sw_arena_check(&a, "document", &err), SW_LIMIT, err);
}

static void map_keeps_insertion_order_through_growth(void **state) {
    SW_MAP struct sw_map m = {0};
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    for (long i = 0; i < 1000; i++)
        assert_null(sw_map_put(&m, sw_arena_printf(&a, "key%ld", i), (void *)(i + 1)));
    for (long i = 0; i < 1000; i += 2)
        assert_ptr_equal(sw_map_remove(&m, sw_arena_printf(&a, "key%ld", i)), (void *)(i + 1));
    assert_int_equal(sw_map_count(&m), 500);
    sw_map_put(&m, SW_STR("key0"), (void *)7);
    long expected = 1, seen = 0;
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&m, e)); seen++) {
        if (seen == 500) {
            assert_str(e->key, "key0");
            break;
        }
        assert_ptr_equal(e->value, (void *)(expected + 1));
        expected += 2;
    }
    assert_int_equal(seen, 500);
    assert_false(sw_map_has(&m, SW_STR("key2")));
}

static void error_context_reads_from_general_to_particular(void **state) {
    struct sw_error err = {0};
    assert_int_equal(sw_fail_sys(&err, 2, "open %s", "x"), SW_NOT_FOUND);
    assert_int_equal(sw_context(&err, "reading %s", "y"), SW_NOT_FOUND);
    assert_string_equal(err.text, "reading y: open x: No such file or directory");
    for (int i = 0; i < 300; i++) sw_context(&err, "%064d", i);
    assert_true(strlen(err.text) < SW_ERROR_TEXT_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_splits_at_first_separator),
        cmocka_unit_test(next_yields_empty_fields),
        cmocka_unit_test(numbers_refuse_overflow_and_junk),
        cmocka_unit_test(sizes_take_the_usual_units),
        cmocka_unit_test(utf8_refuses_overlong_and_surrogates),
        cmocka_unit_test(nearest_suggests_only_what_is_near),
        cmocka_unit_test(buffer_keeps_its_maximum),
        cmocka_unit_test(arena_reports_its_cap),
        cmocka_unit_test(map_keeps_insertion_order_through_growth),
        cmocka_unit_test(error_context_reads_from_general_to_particular),
    };
    return cmocka_run_group_tests_name("base_str", tests, NULL, NULL);
}
