/* The bytes of a layer's blob follow from the archive's, however many threads make it. */
#include "store_fixture.h"

#include "base/pool.h"
#include "build/layer_writer.h"

/* Long enough for the ring to go round several times, and not a multiple of the block size. */
#define LEN ((size_t)41 * (1 << 20) / 2 + 12345)

/* Text and noise in turn, so that blocks take unequal time. */
static char *make_input(void) {
    char *p = malloc(LEN);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < LEN; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (i >> 20) % 2 ? (char)x : (char)('a' + x % 4);
    }
    return p;
}

static enum sw_code write_layer(struct fixture *f, const char *input, unsigned threads,
                                enum sw_compression kind, size_t piece, struct sw_layer_blob *ret) {
    struct sw_pool *pool = sw_pool_new(threads, 0);
    struct sw_layer_writer *w = NULL;
    enum sw_code code = sw_layer_open(f->store, pool, kind, SW_COMPRESS_LEVEL_DEFAULT, &w, &f->err);
    for (size_t at = 0; at < LEN && !code; at += piece)
        code = sw_layer_write(w, input + at, LEN - at < piece ? LEN - at : piece, &f->err);
    if (!code) code = sw_layer_finish(w, ret, &f->err);
    sw_layer_free(w);
    sw_pool_free(pool);
    return code;
}

static struct sw_digest digest_of_archive(const char *input) {
    static const char end[2 * SW_TAR_BLOCK];
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add(&h, input, LEN);
    sw_hasher_add(&h, end, sizeof end);
    return sw_hasher_finish(&h);
}

static void bytes_do_not_depend_on_threads(void **state) {
    static const enum sw_compression kinds[] = {SW_COMPRESS_NONE, SW_COMPRESS_GZIP,
                                                SW_COMPRESS_ZSTD};
    struct fixture *f = fixture_new();
    char *input = make_input();
    struct sw_digest archive = digest_of_archive(input);
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct sw_layer_blob first;
        assert_ok(write_layer(f, input, 1, kinds[k], LEN, &first), f->err);
        assert_true(sw_digest_eq(&first.diff_id, &archive));
        assert_true(first.archive_size == LEN + 2 * SW_TAR_BLOCK);
        /* The digest and the size are of the bytes that the store has. */
        uint64_t stored;
        assert_true(sw_blob_exists(f->store, &first.digest, &stored));
        assert_true(stored == first.size);
        assert_ok(sw_blob_verify(f->store, &first.digest, &f->err), f->err);
        if (kinds[k] == SW_COMPRESS_NONE) assert_true(sw_digest_eq(&first.digest, &archive));
        for (unsigned threads = 2; threads <= 5; threads++) {
            struct sw_layer_blob other;
            assert_ok(write_layer(f, input, threads, kinds[k], 100001 * threads, &other), f->err);
            assert_true(sw_digest_eq(&other.diff_id, &first.diff_id));
            assert_true(sw_digest_eq(&other.digest, &first.digest));
            assert_true(other.size == first.size);
        }
    }
    free(input);
    fixture_free(f);
}

static void nothing_stays_of_a_layer_that_is_not_finished(void **state) {
    struct fixture *f = fixture_new();
    struct sw_pool *pool = sw_pool_new(2, 0);
    struct sw_layer_writer *w = NULL;
    char *input = make_input();
    (void)state;
    assert_ok(sw_layer_open(f->store, pool, SW_COMPRESS_GZIP, 1, &w, &f->err), f->err);
    assert_ok(sw_layer_write(w, input, LEN, &f->err), f->err);
    sw_layer_free(w);
    sw_pool_free(pool);
    char path[128];
    snprintf(path, sizeof path, "%s/slipway/tmp", f->root);
    assert_int_equal(rmdir(path), 0);
    free(input);
    fixture_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_do_not_depend_on_threads),
        cmocka_unit_test(nothing_stays_of_a_layer_that_is_not_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
