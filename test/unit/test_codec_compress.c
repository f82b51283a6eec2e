#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "codec/zstd.h"
#include "codec_inputs.h"

/* As the pipeline does it, with two workers in turn. */
static void pack(const struct sw_compressor *c, const uint8_t *in, size_t len, struct sw_buf *out) {
    struct sw_compress_worker *workers[2] = {sw_compress_worker_new(c), sw_compress_worker_new(c)};
    struct sw_gzip_sum sum = {0};
    uint8_t frame[SW_COMPRESS_FRAME_MAX];
    sw_buf_add_bytes(out, frame, sw_compress_header(c, frame));
    for (size_t pos = 0, i = 0; pos < len; pos += c->block_size, i++) {
        size_t n = len - pos < c->block_size ? len - pos : c->block_size;
        size_t bound = sw_compress_bound(c, n);
        uint8_t *to = (uint8_t *)sw_buf_reserve(out, bound);
        struct sw_compress_part part = sw_compress_block(workers[i % 2], in + pos, n, to, bound);
        assert_int_equal(part.sum.len, n);
        out->len += part.len;
        sw_gzip_sum_add(&sum, part.sum);
    }
    sw_buf_add_bytes(out, frame, sw_compress_trailer(c, sum, frame));
    sw_compress_worker_free(workers[0]);
    sw_compress_worker_free(workers[1]);
}

static enum sw_code unpack(struct sw_str in, size_t in_step, size_t out_step, uint64_t max,
                           struct sw_buf *out, enum sw_compression *ret_kind,
                           struct sw_error *err) {
    struct sw_decompressor *d = sw_decompressor_new(max);
    struct sw_codec_io io = {0};
    SW_FREE uint8_t *chunk = sw_malloc(out_step);
    size_t pos = 0, idle = 0;
    enum sw_code code = SW_OK;
    while (!io.done) {
        size_t step = in.len - pos < in_step ? in.len - pos : in_step;
        io.in = (const uint8_t *)in.ptr + pos;
        io.in_len = step;
        io.last = pos + step == in.len;
        io.out = chunk;
        io.out_len = out_step;
        if ((code = sw_decompress(d, &io, err))) break;
        pos += step - io.in_len;
        sw_buf_add_bytes(out, chunk, out_step - io.out_len);
        idle = step == io.in_len && io.out_len == out_step ? idle + 1 : 0;
        assert_true(idle < 3);
    }
    *ret_kind = sw_decompressor_kind(d);
    sw_decompressor_free(d);
    return code;
}

static void every_kind_round_trips_at_block_edges(void **state) {
    struct sw_error err;
    static const enum sw_compression kinds[] = {SW_COMPRESS_NONE, SW_COMPRESS_GZIP,
                                                SW_COMPRESS_ZSTD};
    SW_FREE uint8_t *in = sw_malloc((size_t)5 << 20);
    for (size_t k = 0; k < 3; k++) {
        struct sw_compressor c;
        assert_ok(sw_compressor_init(&c, kinds[k], SW_COMPRESS_LEVEL_DEFAULT, &err), err);
        size_t block = c.block_size;
        const size_t sizes[] = {0, 1, 5, 6, 7, block - 1, block, block + 1, 2 * block + 3};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            enum sw_compression found;
            SW_BUF struct sw_buf packed, out;
            sw_buf_init(&packed, 0);
            sw_buf_init(&out, 0);
            input_fill(i % 2 ? INPUT_TEXT : INPUT_MIXED, in, sizes[i], i);
            pack(&c, in, sizes[i], &packed);
            size_t step = i % 3 ? 65536 : 1000;
            assert_ok(unpack(sw_buf_str(&packed), step, step, sizes[i], &out, &found, &err), err);
            assert_int_equal(found, kinds[k]);
            assert_int_equal(out.len, sizes[i]);
            if (sizes[i]) assert_memory_equal(out.ptr, in, sizes[i]);
        }
    }
}

static void every_zstd_level_round_trips(void **state) {
    enum { LEN = 300000 };
    struct sw_error err;
    SW_FREE uint8_t *in = sw_malloc(LEN);
    input_fill(INPUT_MIXED, in, LEN, 4);
    for (int level = SW_ZSTD_LEVEL_MIN; level <= SW_ZSTD_LEVEL_MAX; level++) {
        struct sw_compressor c;
        enum sw_compression found;
        SW_BUF struct sw_buf packed, out;
        sw_buf_init(&packed, 0);
        sw_buf_init(&out, 0);
        assert_ok(sw_compressor_init(&c, SW_COMPRESS_ZSTD, level, &err), err);
        pack(&c, in, LEN, &packed);
        assert_ok(unpack(sw_buf_str(&packed), 4096, 4096, LEN, &out, &found, &err), err);
        assert_int_equal(out.len, LEN);
        assert_memory_equal(out.ptr, in, LEN);
    }
}

static void byte_by_byte_gives_the_same(void **state) {
    enum { LEN = 5000 };
    struct sw_error err;
    uint8_t in[LEN];
    input_fill(INPUT_TEXT, in, LEN, 4);
    for (int kind = SW_COMPRESS_NONE; kind <= SW_COMPRESS_ZSTD; kind++) {
        struct sw_compressor c;
        enum sw_compression found;
        SW_BUF struct sw_buf packed, out;
        sw_buf_init(&packed, 0);
        sw_buf_init(&out, 0);
        assert_ok(sw_compressor_init(&c, (enum sw_compression)kind, -1, &err), err);
        pack(&c, in, LEN, &packed);
        assert_ok(unpack(sw_buf_str(&packed), 1, 1, LEN, &out, &found, &err), err);
        assert_int_equal(out.len, LEN);
        assert_memory_equal(out.ptr, in, LEN);
    }
}

static void truncated_and_corrupt_zstd_is_refused(void **state) {
    enum { LEN = 3000 };
    struct sw_error err;
    struct sw_compressor c;
    enum sw_compression found;
    uint8_t in[LEN];
    input_fill(INPUT_TEXT, in, LEN, 4);
    SW_BUF struct sw_buf packed, out;
    sw_buf_init(&packed, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_ZSTD, -1, &err), err);
    pack(&c, in, LEN, &packed);
    for (size_t len = 4; len < packed.len; len++)
        assert_refused(unpack(sw_str_n(packed.ptr, len), 100, 100, LEN, &out, &found, &err),
                       SW_CORRUPT, err);
    for (size_t at = packed.len - 4; at < packed.len; at++) {
        packed.ptr[at] ^= 1; /* the checksum */
        assert_refused(unpack(sw_buf_str(&packed), 100, 100, LEN, &out, &found, &err), SW_CORRUPT,
                       err);
        packed.ptr[at] ^= 1;
    }
    sw_buf_add_text(&packed, "garbage");
    assert_refused(unpack(sw_buf_str(&packed), 100, 100, LEN, &out, &found, &err), SW_CORRUPT, err);
}

static void skippable_zstd_frames_are_skipped(void **state) {
    struct sw_error err;
    struct sw_compressor c;
    enum sw_compression found;
    SW_BUF struct sw_buf packed, out;
    sw_buf_init(&packed, 0);
    sw_buf_init(&out, 0);
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_ZSTD, -1, &err), err);
    sw_buf_add_bytes(&packed, "\x5e\x2a\x4d\x18\x03\0\0\0abc", 11);
    pack(&c, (const uint8_t *)"text", 4, &packed);
    sw_buf_add_bytes(&packed, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
    assert_ok(unpack(sw_buf_str(&packed), 3, 3, 4, &out, &found, &err), err);
    assert_str(sw_buf_str(&out), "text");
}

static void output_stops_at_the_limit(void **state) {
    struct sw_error err;
    SW_FREE uint8_t *in = sw_calloc(1, 1 << 20);
    for (int kind = SW_COMPRESS_NONE; kind <= SW_COMPRESS_ZSTD; kind++) {
        struct sw_compressor c;
        enum sw_compression found;
        SW_BUF struct sw_buf packed;
        sw_buf_init(&packed, 0);
        assert_ok(sw_compressor_init(&c, (enum sw_compression)kind, -1, &err), err);
        pack(&c, in, 1 << 20, &packed);
        static const uint64_t refused[] = {0, 1, 4096, (1 << 20) - 1};
        for (size_t i = 0; i < 4; i++) {
            SW_BUF struct sw_buf out;
            sw_buf_init(&out, 0);
            assert_refused(
                unpack(sw_buf_str(&packed), 100000, 4096, refused[i], &out, &found, &err), SW_LIMIT,
                err);
            assert_true(out.len <= refused[i]);
        }
    }
}

static void large_zstd_windows_are_refused(void **state) {
    /* Magic, no flags, window descriptor for 2^31, an empty last block. */
    static const char frame[] = "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
    struct sw_error err;
    enum sw_compression found;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 0);
    assert_refused(unpack(sw_str_n(frame, 9), 9, 9, 9, &out, &found, &err), SW_LIMIT, err);
}

static void kinds_are_found_by_magic(void **state) {
    assert_int_equal(sw_compression_detect("\x1f\x8b\x08", 3), SW_COMPRESS_GZIP);
    assert_int_equal(sw_compression_detect("\x1f", 1), SW_COMPRESS_NONE);
    assert_int_equal(sw_compression_detect("\x28\xb5\x2f\xfd", 4), SW_COMPRESS_ZSTD);
    assert_int_equal(sw_compression_detect("\x5f\x2a\x4d\x18", 4), SW_COMPRESS_ZSTD);
    assert_int_equal(sw_compression_detect("\xfd\x37\x7a\x58\x5a\x00", 6), SW_COMPRESS_XZ);
    assert_int_equal(sw_compression_detect("BZh91AY", 7), SW_COMPRESS_BZIP2);
    assert_int_equal(sw_compression_detect("a file", 6), SW_COMPRESS_NONE);
    assert_int_equal(sw_compression_detect(NULL, 0), SW_COMPRESS_NONE);
}

static void xz_and_bzip2_are_refused_by_name(void **state) {
    struct sw_error err;
    enum sw_compression found;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 0);
    assert_refused(unpack(sw_str_n("\xfd\x37\x7a\x58\x5a\x00xxx", 9), 2, 9, 9, &out, &found, &err),
                   SW_UNSUPPORTED, err);
    assert_non_null(strstr(err.text, "xz"));
    assert_refused(unpack(SW_STR("BZh91AYxxx"), 2, 9, 9, &out, &found, &err), SW_UNSUPPORTED, err);
    assert_non_null(strstr(err.text, "bzip2"));
    struct sw_compressor c;
    assert_refused(sw_compressor_init(&c, SW_COMPRESS_XZ, -1, &err), SW_UNSUPPORTED, err);
}

static void levels_outside_the_range_are_refused(void **state) {
    struct sw_error err;
    struct sw_compressor c;
    assert_refused(sw_compressor_init(&c, SW_COMPRESS_GZIP, 10, &err), SW_USAGE, err);
    assert_refused(sw_compressor_init(&c, SW_COMPRESS_GZIP, -2, &err), SW_USAGE, err);
    assert_refused(sw_compressor_init(&c, SW_COMPRESS_ZSTD, 0, &err), SW_USAGE, err);
    assert_refused(sw_compressor_init(&c, SW_COMPRESS_ZSTD, 20, &err), SW_USAGE, err);
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_GZIP, 0, &err), err);
}

static void tags_name_what_decides_bytes(void **state) {
    struct sw_error err;
    struct sw_compressor c;
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_GZIP, -1, &err), err);
    assert_string_equal(c.tag, "gzip/1.1/l1/b1048576");
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_NONE, -1, &err), err);
    assert_string_equal(c.tag, "none");
    assert_ok(sw_compressor_init(&c, SW_COMPRESS_ZSTD, 7, &err), err);
    char expected[64];
    snprintf(expected, sizeof(expected), "zstd/1/l7/b2097152/libzstd-%s", ZSTD_versionString());
    assert_string_equal(c.tag, expected);
}

static void names_are_parsed_back(void **state) {
    enum sw_compression kind;
    for (int i = SW_COMPRESS_NONE; i <= SW_COMPRESS_BZIP2; i++) {
        const char *name = sw_compression_name((enum sw_compression)i);
        assert_true(sw_compression_parse(sw_str(name), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(sw_compression_parse(SW_STR("lz4"), &kind));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_round_trips_at_block_edges),
        cmocka_unit_test(every_zstd_level_round_trips),
        cmocka_unit_test(byte_by_byte_gives_the_same),
        cmocka_unit_test(truncated_and_corrupt_zstd_is_refused),
        cmocka_unit_test(skippable_zstd_frames_are_skipped),
        cmocka_unit_test(output_stops_at_the_limit),
        cmocka_unit_test(large_zstd_windows_are_refused),
        cmocka_unit_test(kinds_are_found_by_magic),
        cmocka_unit_test(xz_and_bzip2_are_refused_by_name),
        cmocka_unit_test(levels_outside_the_range_are_refused),
        cmocka_unit_test(tags_name_what_decides_bytes),
        cmocka_unit_test(names_are_parsed_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
