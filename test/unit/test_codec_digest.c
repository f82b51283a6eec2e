#include "unit.h"

#include "base/map.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/lists.h"
#include "codec/rfc3339.h"

#define EMPTY_256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void digests_match_the_standards_vectors(void **state) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_digest d = sw_digest_of(SW_SHA256, SW_STR(""));
    assert_str(sw_digest_format(&d, text), "sha256:" EMPTY_256);
    d = sw_digest_of(SW_SHA256, SW_STR("abc"));
    assert_str(sw_digest_format(&d, text), "sha256:" ABC_256);
    assert_str(sw_digest_hex(&d, text), ABC_256);
    d = sw_digest_of(SW_SHA512, SW_STR("abc"));
    assert_str(sw_digest_format(&d, text), "sha512:" ABC_512);
}

static void pieces_hash_like_the_whole(void **state) {
    char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7);
    for (int alg = SW_SHA256; alg <= SW_SHA512; alg++) {
        struct sw_digest whole = sw_digest_of((enum sw_digest_alg)alg, sw_str_n(bytes, 1000));
        for (size_t step = 1; step < 300; step += 31) {
            struct sw_hasher h;
            sw_hasher_init(&h, (enum sw_digest_alg)alg);
            for (size_t i = 0; i < 1000; i += step)
                sw_hasher_add(&h, bytes + i, 1000 - i < step ? 1000 - i : step);
            assert_int_equal(h.n_bytes, 1000);
            struct sw_digest d = sw_hasher_finish(&h);
            assert_true(sw_digest_eq(&d, &whole));
            assert_int_equal(h.n_bytes, 0);
        }
    }
    /* A copy of the state goes its own way. */
    struct sw_hasher h, copy;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add(&h, "ab", 2);
    copy = h;
    sw_hasher_add(&h, "X", 1);
    sw_hasher_add(&copy, "c", 1);
    struct sw_digest d = sw_hasher_finish(&copy), abc = sw_digest_of(SW_SHA256, SW_STR("abc"));
    assert_true(sw_digest_eq(&d, &abc));
}

static void two_at_once_hash_like_one_after_the_other(void **state) {
    static const size_t lengths[] = {0, 1, 55, 63, 64, 65, 127, 128, 200, 1000, 4096, 5000};
    enum { N = sizeof lengths / sizeof *lengths, LEN = 5000 };
    char x[LEN], y[LEN];
    for (size_t i = 0; i < LEN; i++) {
        x[i] = (char)(i * 7 + i / 251);
        y[i] = (char)(i * 13 + 5);
    }
    (void)state;
    for (int alg = SW_SHA256; alg <= SW_SHA512; alg++)
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                /* First so much of each alone that they stand within a block. */
                size_t a_alone = (i * 37) % (lengths[i] + 1), b_alone = (j * 53) % (lengths[j] + 1);
                struct sw_hasher a, b;
                sw_hasher_init(&a, (enum sw_digest_alg)alg);
                sw_hasher_init(&b, SW_SHA256);
                sw_hasher_add(&a, x, a_alone);
                sw_hasher_add(&b, y, b_alone);
                sw_hasher_add_two(&a, sw_str_n(x + a_alone, lengths[i] - a_alone), &b,
                                  sw_str_n(y + b_alone, lengths[j] - b_alone));
                assert_int_equal(a.n_bytes, lengths[i]);
                assert_int_equal(b.n_bytes, lengths[j]);
                struct sw_digest da = sw_hasher_finish(&a), db = sw_hasher_finish(&b);
                struct sw_digest want_a =
                    sw_digest_of((enum sw_digest_alg)alg, sw_str_n(x, lengths[i]));
                struct sw_digest want_b = sw_digest_of(SW_SHA256, sw_str_n(y, lengths[j]));
                assert_true(sw_digest_eq(&da, &want_a));
                assert_true(sw_digest_eq(&db, &want_b));
            }
}

static void digest_text_is_parsed_strictly(void **state) {
    static const struct {
        const char *text;
        enum sw_code code;
    } cases[] = {
        {"sha256:" ABC_256, SW_OK},
        {"sha512:" ABC_512, SW_OK},
        {"", SW_SYNTAX},
        {"sha256", SW_SYNTAX},
        {"sha256:", SW_SYNTAX},
        {"sha256:00", SW_SYNTAX},
        {":" ABC_256, SW_SYNTAX},
        {ABC_256, SW_SYNTAX},
        {"SHA256:" ABC_256, SW_SYNTAX},
        {"sha256:" ABC_256 "0", SW_SYNTAX},
        {"sha256:" ABC_512, SW_SYNTAX},
        {"sha512:" ABC_256, SW_SYNTAX},
        {"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", SW_SYNTAX},
        {"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", SW_SYNTAX},
        {"sha256: a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", SW_SYNTAX},
        {"sha256:../../../etc/passwd", SW_SYNTAX},
        {"sha384:" ABC_256, SW_UNSUPPORTED},
        {"blake3:" ABC_256, SW_UNSUPPORTED},
        {"multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", SW_UNSUPPORTED},
        {"a++b:00", SW_SYNTAX},
    };
    struct sw_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sw_digest d;
        char text[SW_DIGEST_TEXT_MAX];
        enum sw_code code = sw_digest_parse(sw_str(cases[i].text), &d, &err);
        if (code != cases[i].code)
            fail_msg("%s: expected %s, got %s", cases[i].text, sw_code_name(cases[i].code),
                     sw_code_name(code));
        if (!code) assert_str(sw_digest_format(&d, text), cases[i].text);
    }
}

static void digests_are_keys_and_sort(void **state) {
    SW_MAP struct sw_map map = {0};
    struct sw_digest a = sw_digest_of(SW_SHA256, SW_STR("a")), again = a;
    struct sw_digest b = sw_digest_of(SW_SHA256, SW_STR("b")), none = {0};
    sw_map_put(&map, sw_digest_key(&a), &a);
    sw_map_put(&map, sw_digest_key(&b), &b);
    assert_ptr_equal(sw_map_get(&map, sw_digest_key(&again)), &a);
    assert_true(sw_digest_cmp(&a, &again) == 0 && sw_digest_cmp(&a, &b) != 0);
    assert_false(sw_digest_is_set(&none));
    assert_true(sw_digest_is_set(&a));
}

static void hmac_matches_rfc_4231(void **state) {
    uint8_t mac[32];
    char text[65] = "";
    sw_hmac_sha256(SW_STR("Jefe"), SW_STR("what do ya want for nothing?"), mac);
    sw_hex_encode(mac, 32, text);
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(sw_bytes_eq_secret("abc", "abc", 3));
    assert_false(sw_bytes_eq_secret("abc", "abd", 3));
}

static void hex_is_strict(void **state) {
    unsigned char bytes[2];
    assert_true(sw_hex_decode(SW_STR("00ff"), false, bytes) && bytes[1] == 255);
    assert_false(sw_hex_decode(SW_STR("00FF"), false, bytes));
    assert_true(sw_hex_decode(SW_STR("00FF"), true, bytes));
    assert_false(sw_hex_decode(SW_STR("00f"), false, bytes));
    assert_false(sw_hex_decode(SW_STR("0g"), true, bytes));
}

static void base64_round_trips_and_is_strict(void **state) {
    static const struct {
        const char *plain, *text;
        unsigned flags;
    } good[] = {
        {"", "", 0},
        {"f", "Zg==", 0},
        {"fo", "Zm8=", 0},
        {"foo", "Zm9v", 0},
        {"foob", "Zm9vYg==", 0},
        {"foobar", "Zm9vYmFy", 0},
        {"\xfb\xff", "+/8=", 0},
        {"\xfb\xff", "-_8", SW_BASE64_URL | SW_BASE64_NO_PAD},
        {"f", "Zg", SW_BASE64_NO_PAD},
    };
    static const struct {
        const char *text;
        unsigned flags;
    } bad[] = {
        {"Zg=", 0},
        {"Zg", 0},
        {"Z===", 0},
        {"Zh==", 0},
        {"Zm9v\n", 0},
        {"====", 0},
        {"-_8=", 0},
        {"+/8=", SW_BASE64_URL},
        {"Zg==", SW_BASE64_NO_PAD},
        {"Z", SW_BASE64_NO_PAD},
        {"Zg==Zg==", 0},
    };
    SW_ARENA struct sw_arena a;
    struct sw_error err;
    struct sw_str bytes;
    sw_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        SW_BUF struct sw_buf out;
        sw_buf_init(&out, 0);
        sw_base64_encode(&out, sw_str(good[i].plain), good[i].flags);
        assert_str(sw_buf_str(&out), good[i].text);
        assert_ok(sw_base64_decode(&a, sw_str(good[i].text), good[i].flags, &bytes, &err), err);
        assert_str(bytes, good[i].plain);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(sw_base64_decode(&a, sw_str(bad[i].text), bad[i].flags, &bytes, &err),
                       SW_SYNTAX, err);
}

static void times_are_read_and_written(void **state) {
    static const struct {
        const char *text;
        int64_t sec;
        uint32_t nsec;
        const char *written;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"2020-02-29T23:59:59.5Z", 1583020799, 500000000, "2020-02-29T23:59:59.5Z"},
        {"2024-03-01T01:02:03.123456789+02:00", 1709247723, 123456789,
         "2024-02-29T23:02:03.123456789Z"},
        {"1969-12-31T23:59:59.25Z", -1, 250000000, "1969-12-31T23:59:59.25Z"},
        {"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59Z", 253402300799, 0, "9999-12-31T23:59:59Z"},
        {"2000-01-01t00:00:00.1234567891z", 946684800, 123456789, "2000-01-01T00:00:00.123456789Z"},
        {"2016-12-31T23:59:60Z", 1483228800, 0, "2017-01-01T00:00:00Z"},
        {"2000-01-01T00:00:00-00:30", 946686600, 0, "2000-01-01T00:30:00Z"},
    };
    static const char *const bad[] = {
        "",
        "2020",
        "2020-01-01",
        "2020-01-01T00:00:00",
        "2020-13-01T00:00:00Z",
        "2020-00-01T00:00:00Z",
        "2019-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2020-01-32T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:60:00Z",
        "2020-01-01T00:00:61Z",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00+0200",
        "2020-01-01T00:00:00+24:00",
        "2020-01-01 00:00:00Z",
        "2020-1-1T0:0:0Z",
        "2020-01-01T00:00:00Zx",
        "-020-01-01T00:00:00Z",
    };
    struct sw_error err;
    char text[SW_RFC3339_MAX];
    int64_t sec;
    uint32_t nsec;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(sw_rfc3339_parse(sw_str(cases[i].text), &sec, &nsec, &err), err);
        assert_true(sec == cases[i].sec && nsec == cases[i].nsec);
        assert_str(sw_rfc3339_format(sec, nsec, text), cases[i].written);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(sw_rfc3339_parse(sw_str(bad[i]), &sec, &nsec, &err), SW_SYNTAX, err);
    assert_str(sw_rfc3339_format(INT64_MIN, 0, text), "0000-01-01T00:00:00Z");
    assert_str(sw_rfc3339_format(INT64_MAX, 0, text), "9999-12-31T23:59:59Z");
}

static void dates_and_days_are_inverse(void **state) {
    for (int64_t days = -800000; days < 3000000; days += 97) {
        int64_t year;
        unsigned month, day;
        sw_date_from_days(days, &year, &month, &day);
        assert_true(month >= 1 && month <= 12 && day >= 1 && day <= 31);
        assert_true(sw_days_from_date(year, month, day) == days);
    }
}

static void lists_grow_and_copy(void **state) {
    SW_ARENA struct sw_arena a;
    struct sw_strs list = {0};
    struct sw_pairs pairs = {0};
    struct sw_str value;
    sw_arena_init(&a, 0);
    for (int i = 0; i < 20; i++) sw_strs_add(&a, &list, sw_arena_printf(&a, "s%d", i));
    struct sw_strs copy = sw_strs_copy(&a, &list);
    assert_true(sw_strs_eq(&list, &copy) && sw_strs_has(&list, SW_STR("s19")));
    sw_strs_add(&a, &copy, SW_STR("more"));
    assert_int_equal(list.len, 20);
    sw_pairs_set(&a, &pairs, SW_STR("b"), SW_STR("1"));
    sw_pairs_set(&a, &pairs, SW_STR("a"), SW_STR("2"));
    sw_pairs_set(&a, &pairs, SW_STR("b"), SW_STR("3"));
    assert_int_equal(pairs.len, 2);
    assert_true(sw_pairs_get(&pairs, SW_STR("b"), &value));
    assert_str(value, "3");
    sw_pairs_sort(&pairs);
    assert_str(pairs.ptr[0].name, "a");
    assert_true(sw_pairs_remove(&pairs, SW_STR("a")));
    assert_false(sw_pairs_remove(&pairs, SW_STR("a")));
    assert_int_equal(pairs.len, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_match_the_standards_vectors),
        cmocka_unit_test(pieces_hash_like_the_whole),
        cmocka_unit_test(two_at_once_hash_like_one_after_the_other),
        cmocka_unit_test(digest_text_is_parsed_strictly),
        cmocka_unit_test(digests_are_keys_and_sort),
        cmocka_unit_test(hmac_matches_rfc_4231),
        cmocka_unit_test(hex_is_strict),
        cmocka_unit_test(base64_round_trips_and_is_strict),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(dates_and_days_are_inverse),
        cmocka_unit_test(lists_grow_and_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
