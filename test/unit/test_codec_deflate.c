#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

#include "base/mem.h"
#include "codec/deflate.h"
#include "codec/digest.h"
#include "codec_inputs.h"

#define ROOM (((size_t)1 << 20) + 4096)

static uint8_t in[ROOM], again[ROOM];

/* Two decoders that are not ours must agree. */
static void check_decoders(const uint8_t *bytes, size_t n, const uint8_t *expected, size_t len) {
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
                  .avail_in = (uInt)n,
                  .next_out = again,
                  .avail_out = sizeof(again)};
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    int status = inflate(&z, Z_FINISH);
    if (status != Z_STREAM_END) fail_msg("zlib: %d %s", status, z.msg ? z.msg : "");
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, len);
    inflateEnd(&z);
    if (len) assert_memory_equal(again, expected, len);

    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    memset(again, 0x55, len);
    assert_int_equal(libdeflate_deflate_decompress(d, bytes, n, again, len, NULL), 0);
    libdeflate_free_decompressor(d);
    if (len) assert_memory_equal(again, expected, len);
}

static size_t round_trip(struct sw_deflate *d, const uint8_t *bytes, size_t len) {
    size_t bound = sw_deflate_bound(len);
    SW_FREE void *out = sw_malloc(bound); /* exactly: the sanitizer sees one byte too many */
    size_t n = sw_deflate_block(d, bytes, len, true, out, bound);
    assert_true(n <= bound);
    check_decoders(out, n, bytes, len);
    return n;
}

static void every_level_round_trips_every_kind_of_input(void **state) {
    static const size_t sizes[] = {0,     1,     2,     3,     7,     8,     33,    34,
                                   35,    36,    255,   258,   259,   4095,  4096,  32768,
                                   32769, 65277, 65278, 65279, 65535, 65536, 131072};
    for (int level = 0; level <= SW_DEFLATE_LEVEL_MAX; level++) {
        SW_DEFLATE struct sw_deflate *d = sw_deflate_new(level);
        for (int kind = 0; kind < INPUT_KINDS; kind++) {
            for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
                /* An allocation of its own, so that a read behind the end is seen. */
                SW_FREE void *bytes = sw_malloc(sizes[i] + 1);
                input_fill((enum input_kind)kind, bytes, sizes[i], i);
                round_trip(d, bytes, sizes[i]);
            }
        }
    }
}

static void whole_blocks_round_trip(void **state) {
    static const int levels[] = {0, 1, 2, 6};
    for (size_t l = 0; l < sizeof(levels) / sizeof(*levels); l++) {
        SW_DEFLATE struct sw_deflate *d = sw_deflate_new(levels[l]);
        for (int kind = 0; kind < INPUT_KINDS; kind++)
            for (size_t len = ((size_t)1 << 20) - 1; len <= ((size_t)1 << 20) + 1; len++) {
                input_fill((enum input_kind)kind, in, len, len);
                round_trip(d, in, len);
            }
    }
}

/* Lengths 3 to 258 at distances around the edges of the window. */
static void matches_at_the_window_edge_round_trip(void **state) {
    static const size_t distances[] = {1,    2,    3,     4,     5,     8,     9,     255,
                                       4096, 4097, 32766, 32767, 32768, 32769, 65535, 65536};
    static const int levels[] = {1, 3, 6, 9};
    for (size_t l = 0; l < sizeof(levels) / sizeof(*levels); l++) {
        SW_DEFLATE struct sw_deflate *d = sw_deflate_new(levels[l]);
        for (size_t i = 0; i < sizeof(distances) / sizeof(*distances); i++) {
            size_t len = distances[i] * 2 + 600;
            input_fill(INPUT_NOISE, in, len, i);
            for (size_t at = distances[i]; at < len; at++)
                if (at / 300 % 2 || at % 7) in[at] = in[at - distances[i]];
            round_trip(d, in, len);
        }
    }
}

static void outputs_concatenate_on_byte_boundaries(void **state) {
    SW_DEFLATE struct sw_deflate *d = sw_deflate_new(1);
    SW_FREE uint8_t *out = sw_malloc(ROOM + 4096);
    size_t n = 0, pos = 0;
    input_fill(INPUT_MIXED, in, 300000, 5);
    for (size_t len = 1; pos < 300000; len = len * 3 + 1) {
        if (len > 300000 - pos) len = 300000 - pos;
        n += sw_deflate_block(d, in + pos, len, false, out + n, ROOM + 4096 - n);
        pos += len;
    }
    n += sw_deflate_block(d, NULL, 0, true, out + n, ROOM + 4096 - n);
    check_decoders(out, n, in, 300000);
}

static void output_does_not_depend_on_what_the_workspace_did_before(void **state) {
    for (int level = 0; level <= SW_DEFLATE_LEVEL_MAX; level++) {
        SW_DEFLATE struct sw_deflate *used = sw_deflate_new(level);
        SW_FREE uint8_t *a = sw_malloc(ROOM), *b = sw_malloc(ROOM);
        for (int kind = 0; kind < INPUT_KINDS; kind++) {
            SW_DEFLATE struct sw_deflate *fresh = sw_deflate_new(level);
            input_fill((enum input_kind)kind, in, 200000, 9);
            size_t n = sw_deflate_block(used, in, 200000, false, a, ROOM);
            size_t m = sw_deflate_block(fresh, in, 200000, false, b, ROOM);
            assert_int_equal(n, m);
            assert_memory_equal(a, b, n);
        }
    }
}

/* Alignment of the input must not matter either: addresses decide nothing. */
static void output_does_not_depend_on_addresses(void **state) {
    SW_DEFLATE struct sw_deflate *d = sw_deflate_new(1);
    SW_FREE uint8_t *a = sw_malloc(ROOM), *b = sw_malloc(ROOM);
    input_fill(INPUT_MIXED, in, 200000, 3);
    size_t n = sw_deflate_block(d, in, 200000, false, a, ROOM);
    for (size_t shift = 1; shift < 8; shift++) {
        memmove(again + shift, in, 200000);
        size_t m = sw_deflate_block(d, again + shift, 200000, false, b + shift, ROOM - shift);
        assert_int_equal(n, m);
        assert_memory_equal(a, b + shift, n);
    }
}

static void noise_is_stored_and_repetition_is_not(void **state) {
    SW_DEFLATE struct sw_deflate *d = sw_deflate_new(1);
    input_fill(INPUT_NOISE, in, 1 << 20, 1);
    size_t n = round_trip(d, in, 1 << 20);
    assert_in_range(n, 1 << 20, (1 << 20) + 400);
    input_fill(INPUT_COUNTER, in, 1 << 20, 1);
    assert_in_range(round_trip(d, in, 1 << 20), 1, 20000);
    /* Noise that repeats from further away than the samples of a segment show. */
    input_fill(INPUT_NOISE, in, 30011, 1);
    for (size_t i = 30011; i < 1 << 20; i++) in[i] = in[i - 30011];
    assert_in_range(round_trip(d, in, 1 << 20), 1, 200000);
}

static void zeros_shrink_to_almost_nothing(void **state) {
    SW_DEFLATE struct sw_deflate *d = sw_deflate_new(1);
    memset(in, 0, 1 << 20);
    assert_in_range(round_trip(d, in, 1 << 20), 1, 1500);
}

/* Frequencies like Fibonacci's numbers make the deepest trees: codes must be cut to 14 bits. */
static void skewed_frequencies_stay_within_the_longest_code(void **state) {
    for (int level = 1; level <= 2; level++) {
        SW_DEFLATE struct sw_deflate *d = sw_deflate_new(level);
        size_t len = 0, a = 1, b = 1;
        for (unsigned symbol = 0; len + a < 65000; symbol++) {
            for (size_t i = 0; i < a; i++) in[len++] = (uint8_t)symbol;
            size_t next = a + b;
            a = b;
            b = next;
        }
        uint64_t r = 77;
        for (size_t i = len - 1; i > 0; i--) {
            size_t k = input_random(&r) % (i + 1);
            uint8_t swap = in[i];
            in[i] = in[k];
            in[k] = swap;
        }
        round_trip(d, in, len);
    }
}

/* A change here is a change of the format: every layer gets another digest. Raise
 * SW_DEFLATE_FORMAT, describe it in docs/format/layer-compression.md, and only then pin anew. */
static void output_is_the_pinned_one(void **state) {
    static const struct {
        int level;
        const char *digest;
    } pins[] = {
#include "codec_deflate_pins.h"
    };
    SW_FREE uint8_t *out = sw_malloc(2 * ROOM);
    bool differs = false;
    for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
        SW_DEFLATE struct sw_deflate *d = sw_deflate_new(pins[i].level);
        struct sw_hasher hasher;
        sw_hasher_init(&hasher, SW_SHA256);
        for (int kind = 0; kind < INPUT_KINDS; kind++) {
            input_fill((enum input_kind)kind, in, 200001, 42);
            size_t n = sw_deflate_block(d, in, 200001, kind & 1, out, 2 * ROOM);
            sw_hasher_add(&hasher, out, n);
        }
        struct sw_digest digest = sw_hasher_finish(&hasher);
        char text[SW_DIGEST_TEXT_MAX];
        struct sw_str hex = sw_digest_hex(&digest, text);
        if (sw_str_is(hex, pins[i].digest)) continue;
        differs = true;
        print_message("    {%d, \"%.*s\"},\n", pins[i].level, SW_ARG(hex));
    }
    if (differs) fail_msg("the format of the output changed: see the comment above this test");
    assert_int_equal(SW_DEFLATE_FORMAT, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_round_trips_every_kind_of_input),
        cmocka_unit_test(whole_blocks_round_trip),
        cmocka_unit_test(matches_at_the_window_edge_round_trip),
        cmocka_unit_test(outputs_concatenate_on_byte_boundaries),
        cmocka_unit_test(output_does_not_depend_on_what_the_workspace_did_before),
        cmocka_unit_test(output_does_not_depend_on_addresses),
        cmocka_unit_test(noise_is_stored_and_repetition_is_not),
        cmocka_unit_test(zeros_shrink_to_almost_nothing),
        cmocka_unit_test(skewed_frequencies_stay_within_the_longest_code),
        cmocka_unit_test(output_is_the_pinned_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
