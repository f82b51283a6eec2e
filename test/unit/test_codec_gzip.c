#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "codec_inputs.h"

#define BLOCK SW_GZIP_BLOCK_SIZE
#define NO_LIMIT UINT64_MAX

/* The member for in[0..len), its blocks compressed in reverse order, as threads might. */
static void pack(int level, const uint8_t *in, size_t len, struct sw_buf *out) {
    SW_DEFLATE struct sw_deflate *d = sw_deflate_new(level);
    size_t blocks = (len + BLOCK - 1) / BLOCK;
    struct sw_buf *parts = sw_calloc(blocks + 1, sizeof(*parts));
    struct sw_gzip_sum *sums = sw_calloc(blocks + 1, sizeof(*sums)), sum = {0};
    for (size_t i = blocks; i-- > 0;) {
        size_t n = i + 1 < blocks ? BLOCK : len - i * BLOCK, bound = sw_gzip_block_bound(n);
        sw_buf_init(&parts[i], 0);
        uint8_t *to = (uint8_t *)sw_buf_reserve(&parts[i], bound);
        parts[i].len = sw_gzip_block(d, in + i * BLOCK, n, to, bound, &sums[i]);
    }
    uint8_t header[SW_GZIP_HEADER_SIZE], trailer[SW_GZIP_TRAILER_SIZE];
    sw_gzip_header(level, header);
    sw_buf_add_bytes(out, header, sizeof(header));
    for (size_t i = 0; i < blocks; i++) {
        sw_buf_add(out, sw_buf_str(&parts[i]));
        sw_gzip_sum_add(&sum, sums[i]);
        sw_buf_done(&parts[i]);
    }
    sw_gzip_finish(sum, trailer);
    sw_buf_add_bytes(out, trailer, sizeof(trailer));
    free(parts);
    free(sums);
}

/* Feeds in pieces of in_step, takes in pieces of out_step. */
static enum sw_code unpack(struct sw_str in, size_t in_step, size_t out_step, uint64_t max,
                           struct sw_buf *out, struct sw_error *err) {
    SW_GUNZIP struct sw_gunzip *g = sw_gunzip_new(max);
    struct sw_codec_io io = {0};
    SW_FREE uint8_t *chunk = sw_malloc(out_step);
    size_t pos = 0, idle = 0;
    while (!io.done) {
        size_t step = in.len - pos < in_step ? in.len - pos : in_step;
        io.in = (const uint8_t *)in.ptr + pos;
        io.in_len = step;
        io.last = pos + step == in.len;
        io.out = chunk;
        io.out_len = out_step;
        if (sw_gunzip_run(g, &io, err)) return err->code;
        pos += step - io.in_len;
        sw_buf_add_bytes(out, chunk, out_step - io.out_len);
        idle = step == io.in_len && io.out_len == out_step ? idle + 1 : 0;
        assert_true(idle < 3); /* a reader that stands still would hang its caller */
    }
    assert_int_equal(pos, in.len);
    return SW_OK;
}

static void check_readers(struct sw_str gz, const uint8_t *in, size_t len) {
    struct sw_error err;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 0);
    assert_ok(unpack(gz, SIZE_MAX, 65536, len, &out, &err), err);
    assert_int_equal(out.len, len);
    if (len) assert_memory_equal(out.ptr, in, len);

    SW_FREE uint8_t *again = sw_malloc(len + 1);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)gz.ptr,
                  .avail_in = (uInt)gz.len,
                  .next_out = again,
                  .avail_out = (uInt)len + 1};
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, len);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
    if (len) assert_memory_equal(again, in, len);

    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    assert_int_equal(libdeflate_gzip_decompress(d, gz.ptr, gz.len, again, len, NULL), 0);
    libdeflate_free_decompressor(d);
}

static void members_of_any_number_of_blocks_are_read_by_others(void **state) {
    static const size_t sizes[] = {0,     1,         1000,      BLOCK - 1,
                                   BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 12345};
    SW_FREE uint8_t *in = sw_malloc(4 * BLOCK);
    for (int kind = 0; kind < INPUT_KINDS; kind++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            SW_BUF struct sw_buf gz;
            sw_buf_init(&gz, 0);
            input_fill((enum input_kind)kind, in, sizes[i], i);
            pack(i % 2 ? 1 : 0, in, sizes[i], &gz);
            check_readers(sw_buf_str(&gz), in, sizes[i]);
        }
}

static void header_records_no_time_and_no_name(void **state) {
    static const uint8_t expected[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};
    uint8_t header[SW_GZIP_HEADER_SIZE];
    sw_gzip_header(1, header);
    assert_memory_equal(header, expected, sizeof(expected));
}

static void sums_of_parts_are_the_sum_of_the_whole(void **state) {
    SW_FREE uint8_t *in = sw_malloc(100000);
    input_fill(INPUT_MIXED, in, 100000, 1);
    static const size_t cuts[] = {0, 1, 50000, 99999, 100000};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        struct sw_gzip_sum a = {sw_crc32(0, in, cuts[i]), cuts[i]};
        struct sw_gzip_sum b = {sw_crc32(0, in + cuts[i], 100000 - cuts[i]), 100000 - cuts[i]};
        sw_gzip_sum_add(&a, b);
        assert_int_equal(a.crc, crc32(0, in, 100000));
        assert_int_equal(a.len, 100000);
    }
}

/* A text of one member with every optional header field, header checksum included. */
static void add_member(struct sw_buf *out, struct sw_str text, bool fields) {
    uint8_t room[4096];
    z_stream z = {0};
    gz_header h = {.extra = (Bytef *)"extra!",
                   .extra_len = 6,
                   .name = (Bytef *)"a name",
                   .comment = (Bytef *)"a comment",
                   .hcrc = 1,
                   .os = 3};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
    if (fields) assert_int_equal(deflateSetHeader(&z, &h), Z_OK);
    z.next_in = (uint8_t *)(uintptr_t)text.ptr;
    z.avail_in = (uInt)text.len;
    z.next_out = room;
    z.avail_out = sizeof(room);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    sw_buf_add_bytes(out, room, sizeof(room) - z.avail_out);
    deflateEnd(&z);
}

static void members_one_after_another_are_one_stream(void **state) {
    static const size_t steps[] = {1, 2, 7, 4096};
    struct sw_error err;
    SW_BUF struct sw_buf gz;
    sw_buf_init(&gz, 0);
    add_member(&gz, SW_STR("one "), true);
    add_member(&gz, SW_STR(""), false);
    add_member(&gz, SW_STR("two "), false);
    add_member(&gz, SW_STR("three"), true);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            SW_BUF struct sw_buf out;
            sw_buf_init(&out, 0);
            assert_ok(unpack(sw_buf_str(&gz), steps[i], steps[k], 13, &out, &err), err);
            assert_str(sw_buf_str(&out), "one two three");
        }
}

static void reading_byte_by_byte_gives_the_same(void **state) {
    enum { LEN = 70000 };
    struct sw_error err;
    SW_FREE uint8_t *in = sw_malloc(LEN);
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        SW_BUF struct sw_buf gz, out, bytewise;
        sw_buf_init(&gz, 0);
        sw_buf_init(&out, 0);
        sw_buf_init(&bytewise, 0);
        input_fill((enum input_kind)kind, in, LEN, 8);
        pack(1, in, LEN, &gz);
        assert_ok(unpack(sw_buf_str(&gz), 1, 70000, LEN, &out, &err), err);
        assert_ok(unpack(sw_buf_str(&gz), 4096, 1, LEN, &bytewise, &err), err);
        assert_int_equal(out.len, LEN);
        assert_memory_equal(out.ptr, in, LEN);
        assert_int_equal(bytewise.len, LEN);
        assert_memory_equal(bytewise.ptr, in, LEN);
    }
}

static void every_truncation_is_refused(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz, out;
    sw_buf_init(&gz, 0);
    sw_buf_init(&out, 0);
    add_member(&gz, SW_STR("some text, some text, some more text"), true);
    size_t second = gz.len;
    add_member(&gz, SW_STR("another"), false);
    for (size_t len = 0; len < gz.len; len++) {
        sw_buf_reset(&out);
        if (len == second) continue;
        assert_refused(unpack(sw_str_n(gz.ptr, len), 5, 5, NO_LIMIT, &out, &err), SW_CORRUPT, err);
    }
}

/* A flipped bit is an error or, in fields that only inform (time, system, name without header
 * checksum), has no effect on what comes out. */
static void every_flipped_bit_is_harmless_or_refused(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz;
    sw_buf_init(&gz, 0);
    size_t unnoticed = 0;
    add_member(&gz, SW_STR("some text, some text, some more text"), false);
    for (size_t bit = 0; bit < gz.len * 8; bit++) {
        SW_BUF struct sw_buf out;
        sw_buf_init(&out, 0);
        gz.ptr[bit / 8] ^= (char)(1 << bit % 8);
        enum sw_code code = unpack(sw_buf_str(&gz), 64, 64, 1 << 20, &out, &err);
        gz.ptr[bit / 8] ^= (char)(1 << bit % 8);
        if (code == SW_OK)
            assert_str(sw_buf_str(&out), "some text, some text, some more text");
        else
            assert_true(code == SW_CORRUPT || code == SW_LIMIT);
        unnoticed += bit / 8 >= 10 && code == SW_OK;
    }
    assert_in_range(unnoticed, 0, 7); /* the padding of the last byte of the deflate stream */
}

static void header_checksum_is_verified(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz, out;
    sw_buf_init(&gz, 0);
    sw_buf_init(&out, 0);
    add_member(&gz, SW_STR("text"), true);
    gz.ptr[5] ^= 1;
    assert_refused(unpack(sw_buf_str(&gz), 64, 64, NO_LIMIT, &out, &err), SW_CORRUPT, err);
}

static void zero_padding_is_accepted_and_garbage_is_not(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz, out;
    sw_buf_init(&gz, 0);
    sw_buf_init(&out, 0);
    add_member(&gz, SW_STR("text"), false);
    size_t len = gz.len;
    sw_buf_add_bytes(&gz, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_ok(unpack(sw_buf_str(&gz), 3, 64, 4, &out, &err), err);
    assert_str(sw_buf_str(&out), "text");
    sw_buf_add_char(&gz, 'x');
    assert_refused(unpack(sw_buf_str(&gz), 3, 64, 4, &out, &err), SW_CORRUPT, err);
    sw_buf_truncate(&gz, len);
    sw_buf_add_text(&gz, "garbage that is longer than a header");
    assert_refused(unpack(sw_buf_str(&gz), 3, 64, 4, &out, &err), SW_CORRUPT, err);
}

static void output_stops_at_the_limit(void **state) {
    struct sw_error err;
    SW_FREE uint8_t *in = sw_calloc(1, 3 * BLOCK);
    SW_BUF struct sw_buf gz;
    sw_buf_init(&gz, 0);
    pack(1, in, 3 * BLOCK, &gz);
    static const uint64_t refused[] = {0, 1, 65536, 3 * BLOCK - 1};
    for (size_t i = 0; i < 4; i++) {
        SW_BUF struct sw_buf out;
        sw_buf_init(&out, 0);
        assert_refused(unpack(sw_buf_str(&gz), 4096, 4096, refused[i], &out, &err), SW_LIMIT, err);
        assert_true(out.len <= refused[i]);
    }
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 0);
    assert_ok(unpack(sw_buf_str(&gz), 4096, 4096, 3 * BLOCK, &out, &err), err);
}

/* A caller that knows the size gives exactly that much room and sees the end. */
static void end_is_seen_without_more_room(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz;
    sw_buf_init(&gz, 0);
    add_member(&gz, SW_STR("0123456789"), false);
    SW_GUNZIP struct sw_gunzip *g = sw_gunzip_new(10);
    uint8_t room[10];
    struct sw_codec_io io = {
        .in = (uint8_t *)gz.ptr, .in_len = gz.len, .out = room, .out_len = 10, .last = true};
    assert_ok(sw_gunzip_run(g, &io, &err), err);
    assert_true(io.done);
    assert_memory_equal(room, "0123456789", 10);
}

static void empty_members_without_end_are_refused(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz, out;
    sw_buf_init(&gz, 0);
    sw_buf_init(&out, 0);
    for (int i = 0; i <= SW_GZIP_EMPTY_MEMBERS_MAX; i++) add_member(&gz, SW_STR(""), false);
    assert_refused(unpack(sw_buf_str(&gz), 4096, 64, NO_LIMIT, &out, &err), SW_LIMIT, err);
}

static void long_header_is_refused(void **state) {
    struct sw_error err;
    SW_BUF struct sw_buf gz, out;
    sw_buf_init(&gz, 0);
    sw_buf_init(&out, 0);
    sw_buf_add_bytes(&gz, "\x1f\x8b\x08\x08\0\0\0\0\0\x03", 10);
    for (size_t i = 0; i < SW_GZIP_HEADER_MAX; i++) sw_buf_add_char(&gz, 'n');
    assert_refused(unpack(sw_buf_str(&gz), 4096, 64, NO_LIMIT, &out, &err), SW_LIMIT, err);
}

static void reader_can_be_used_again_after_an_error(void **state) {
    struct sw_error err;
    uint8_t room[64];
    SW_BUF struct sw_buf gz;
    sw_buf_init(&gz, 0);
    add_member(&gz, SW_STR("text"), false);
    SW_GUNZIP struct sw_gunzip *g = sw_gunzip_new(64);
    struct sw_codec_io io = {.in = (uint8_t *)gz.ptr,
                             .in_len = gz.len - 1,
                             .out = room,
                             .out_len = sizeof(room),
                             .last = true};
    assert_refused(sw_gunzip_run(g, &io, &err), SW_CORRUPT, err);
    assert_refused(sw_gunzip_run(g, &io, &err), SW_CORRUPT, err);
    sw_gunzip_reset(g, 4);
    io = (struct sw_codec_io){.in = (uint8_t *)gz.ptr,
                              .in_len = gz.len,
                              .out = room,
                              .out_len = sizeof(room),
                              .last = true};
    assert_ok(sw_gunzip_run(g, &io, &err), err);
    assert_true(io.done);
    assert_int_equal(io.out - room, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_any_number_of_blocks_are_read_by_others),
        cmocka_unit_test(header_records_no_time_and_no_name),
        cmocka_unit_test(sums_of_parts_are_the_sum_of_the_whole),
        cmocka_unit_test(members_one_after_another_are_one_stream),
        cmocka_unit_test(reading_byte_by_byte_gives_the_same),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_harmless_or_refused),
        cmocka_unit_test(header_checksum_is_verified),
        cmocka_unit_test(zero_padding_is_accepted_and_garbage_is_not),
        cmocka_unit_test(output_stops_at_the_limit),
        cmocka_unit_test(end_is_seen_without_more_room),
        cmocka_unit_test(empty_members_without_end_are_refused),
        cmocka_unit_test(long_header_is_refused),
        cmocka_unit_test(reader_can_be_used_again_after_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
