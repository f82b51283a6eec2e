/* Documents of caches that are taken along. */
#include "unit.h"

#include "build/cache_document.h"

#define K1 "1111111111111111111111111111111111111111111111111111111111111111"
#define K2 "2222222222222222222222222222222222222222222222222222222222222222"
#define D1 "sha256:" K1
#define LAYER "\"diffID\":\"" D1 "\",\"blob\":\"" D1 "\",\"size\":5"

static const char *const whole =
    "{\"version\":1,\"records\":["
    "{\"key\":\"" K1 "\",\"empty\":true},"
    "{\"key\":\"" K2 "\"," LAYER ",\"compressor\":\"gzip/1\",\"epoch\":7,\"content\":\"" K1 "\"},"
    "{\"key\":\"" K1 "\",\"layer\":3,\"compressor\":\"zstd/1\",\"epoch\":-1}],"
    "\"plans\":[{\"inputs\":\"" K1 "\",\"key\":\"" K2 "\",\"identity\":\"" K1 "\"},"
    "{\"inputs\":\"" K2 "\",\"empty\":true}]}";

static void what_is_written_is_read_and_written_the_same(void **state) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf out;
    struct sw_cache_document d;
    struct sw_error err = {0};
    (void)state;
    sw_arena_init(&a, 0);
    sw_buf_init(&out, 0);
    assert_int_equal(sw_cache_document_parse(&a, sw_str(whole), &d, &err), SW_OK);
    assert_int_equal(d.n_steps, 3);
    assert_true(d.steps[0].empty);
    assert_int_equal(d.steps[1].size, 5);
    assert_int_equal(d.steps[1].epoch_s, 7);
    assert_true(sw_digest_is_set(&d.steps[1].content));
    assert_true(d.steps[1].layer == SW_CACHE_LAYER_NONE);
    assert_int_equal(d.steps[2].layer, 3);
    assert_int_equal(d.n_plans, 2);
    assert_true(d.plans[1].empty);
    sw_cache_document_write(&out, &d);
    assert_str(sw_buf_str(&out), whole);
}

static void what_is_no_record_is_refused(void **state) {
    static const struct {
        const char *text;
        enum sw_code code;
        const char *says;
    } rows[] = {
        {"", SW_SYNTAX, ""},
        {"[]", SW_SYNTAX, ""},
        {"{\"records\":[]}", SW_SYNTAX, "version"},
        {"{\"version\":2,\"records\":[]}", SW_UNSUPPORTED, "version 2"},
        {"{\"version\":1}", SW_SYNTAX, "no records"},
        {"{\"version\":1,\"records\":{}}", SW_SYNTAX, ""},
        {"{\"version\":1,\"records\":[],\"plans\":{}}", SW_SYNTAX, ""},
        {"{\"version\":1,\"records\":[{}]}", SW_SYNTAX, "key"},
        {"{\"version\":1,\"records\":[{\"key\":\"11\",\"empty\":true}]}", SW_SYNTAX, "no key"},
        {"{\"version\":1,\"records\":[{\"key\":\"" K1 "\"}]}", SW_SYNTAX, "no record"},
        {"{\"version\":1,\"records\":[{\"key\":\"" K1 "\",\"layer\":-1}]}", SW_SYNTAX, "no record"},
        {"{\"version\":1,\"records\":[{\"key\":\"" K1 "\",\"blob\":\"" D1 "\",\"size\":5}]}",
         SW_SYNTAX, "no record"},
        {"{\"version\":1,\"records\":[],\"plans\":[{\"inputs\":\"" K1 "\",\"key\":\"" K1 "\"}]}",
         SW_SYNTAX, "identity"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_cache_document d = {0};
        struct sw_error err = {0};
        sw_arena_init(&a, 0);
        enum sw_code code = sw_cache_document_parse(&a, sw_str(rows[i].text), &d, &err);
        if (code != rows[i].code || !strstr(err.text, rows[i].says))
            fail_msg("%s: expected %d and \"%s\", got %d and \"%s\"", rows[i].text, rows[i].code,
                     rows[i].says, code, err.text);
        assert_null(d.steps); /* untouched */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_written_the_same),
        cmocka_unit_test(what_is_no_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
