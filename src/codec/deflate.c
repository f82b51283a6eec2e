/* Blocks and their segments; noise is found and stored without being searched. */
#include "codec/deflate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/deflate_internal.h"

/* The noise test looks at groups of bytes: some of each are counted, and 8 positions in a row are
 * looked up among every 8th position before, which finds any long repetition. */
#define GROUP_SIZE 256
#define GROUP_COUNTED 16
#define GROUP_PROBED 8
#define SEEN_BITS 13
/* Few bytes of large groups come first: they rule out nearly everything that is not noise. */
#define GLANCE_SIZE 1024
#define GLANCE_COUNTED 16
/* Below this the samples say little and the search costs little. */
#define NOISE_TEST_MIN 4096

struct sw_deflate {
    int level;
    struct match_finder *finder;   /* owned; NULL at level 0 */
    uint16_t seen[1 << SEEN_BITS]; /* noise test: positions modulo 2^16 by hash of 8 bytes */
    struct tokens tokens;
};

struct sw_deflate *sw_deflate_new(int level) {
    /* Zeroed, because the bit writer looks at (and masks) literals beyond the last. */
    struct sw_deflate *d = sw_calloc(1, sizeof(*d));
    d->level = level < 0 ? 0 : level > SW_DEFLATE_LEVEL_MAX ? SW_DEFLATE_LEVEL_MAX : level;
    if (d->level > 0) d->finder = sw_match_finder_new(d->level);
    return d;
}

void sw_deflate_free(struct sw_deflate *d) {
    if (!d) return;
    sw_match_finder_free(d->finder);
    free(d);
}

void sw_deflate_freep(struct sw_deflate **d) { sw_deflate_free(*d); }

/* A deflate block costs at most the header of a stored one, 5 bytes and the bits before it. Blocks
 * are at least a piece long, but for what a match took from it, and the last. The end of our block
 * is one more, and the bit writer writes up to 8 bytes ahead. */
size_t sw_deflate_bound(size_t len) { return len + (len / (PIECE_SIZE - MATCH_MAX) + 3) * 6 + 8; }

static uint16_t *seen_slot(struct sw_deflate *d, uint64_t v) {
    return &d->seen[v * 0x9e3779b97f4a7c15u >> (64 - SEEN_BITS)];
}

/* Whether one of the positions occurred before, within the window. */
static bool group_repeats(struct sw_deflate *d, const uint8_t *in, size_t pos) {
    bool repeats = false;
    for (size_t i = pos; i < pos + GROUP_PROBED; i++) {
        uint64_t v = load64(in + i);
        uint32_t dist = (uint16_t)(i - *seen_slot(d, v));
        repeats |= (dist - 1 < WINDOW_SIZE) & (load64(in + i - dist) == v);
    }
    return repeats;
}

/* Whether no byte value is more frequent than others by more than noise is: counts `counted` bytes
 * of each group. The counts' squares are n + n^2 / 256 for even bytes; slack is the number of
 * sixteenths of n^2 / 256 allowed above that. */
static inline __attribute__((always_inline)) bool bytes_are_even(const uint8_t *in, size_t len,
                                                                 size_t group, size_t counted,
                                                                 unsigned slack) {
    uint16_t count[2][256] = {0};
    uint32_t squares = 0;
    size_t groups = len / group, n = groups * counted;
    for (size_t g = 0; g < groups; g++) {
        /* Not always the same part of a group: records may be as long. */
        const uint8_t *sample = in + g * group + g * 89 % (group - counted);
        for (size_t i = 0; i < counted; i += 8) {
            uint64_t v = load64(sample + i);
            for (unsigned k = 0; k < 64; k += 16) {
                count[0][v >> k & 255]++;
                count[1][v >> (k + 8) & 255]++;
            }
        }
    }
    for (size_t i = 0; i < 256; i++) {
        uint32_t sum = (uint32_t)count[0][i] + count[1][i];
        squares += sum * sum;
    }
    return squares - n <= n * n / 256 * (16 + slack) / 16;
}

/* Has the bytes brought into the cache in order, before they are looked at here and there. Noise
 * goes twice as fast for it; the second time, what the first left out. */
static inline void fetch(const uint8_t *in, size_t len) {
    for (size_t i = 0; i < len; i += 64) __builtin_prefetch(in + i);
}

/* Whether in[start..start + len) looks like noise: no byte value is more frequent than others, and
 * few groups occurred before. Compressed and encrypted files look so; a counter, whose bytes are
 * as evenly spread, repeats. Two sixteenths more than even is an entropy of 7.8 bits. */
static bool is_noise(struct sw_deflate *d, const uint8_t *in, size_t start, size_t len) {
    if (len < NOISE_TEST_MIN) return false;
    fetch(in + start, len);
    if (!bytes_are_even(in + start, len, GLANCE_SIZE, GLANCE_COUNTED, 16)) return false;
    fetch(in + start, len);
    if (!bytes_are_even(in + start, len, GROUP_SIZE, GROUP_COUNTED, 2)) return false;
    size_t groups = len / GROUP_SIZE, repeating = 0;
    for (size_t g = 0; g < groups; g++) {
        size_t pos = start + g * GROUP_SIZE;
        repeating += group_repeats(d, in, pos + g * 89 % (GROUP_SIZE - 2 * GROUP_PROBED));
        for (size_t i = pos; i < pos + GROUP_SIZE - 8; i += GROUP_PROBED)
            *seen_slot(d, load64(in + i)) = (uint16_t)i;
    }
    return repeating <= groups / 16;
}

/* The end of the pieces from start on that are not noise, at most a segment. *ret_noise: the piece
 * that follows is noise. Each piece is looked at once. */
static size_t next_segment(struct sw_deflate *d, const uint8_t *in, size_t start, size_t len,
                           bool *ret_noise) {
    size_t end = start;
    *ret_noise = false;
    while (end < len && end - start < SEGMENT_SIZE) {
        size_t n = len - end < PIECE_SIZE ? len - end : PIECE_SIZE;
        if (is_noise(d, in, end, n)) {
            *ret_noise = true;
            break;
        }
        end += n;
    }
    return end;
}

size_t sw_deflate_block(struct sw_deflate *d, const void *in_bytes, size_t len, bool last,
                        void *out, size_t out_len) {
    assert(len <= SW_DEFLATE_INPUT_MAX && out_len >= sw_deflate_bound(len));
    const uint8_t *in = in_bytes;
    struct bit_writer w = {.next = out};
    if (d->finder) sw_match_finder_reset(d->finder);
    memset(d->seen, 0, sizeof(d->seen));
    for (size_t pos = 0; pos < len;) {
        bool noise = true;
        size_t end = d->level ? next_segment(d, in, pos, len, &noise) : pos;
        if (end > pos) {
            size_t stop = sw_match_segment(d->finder, in, pos, end, len, &d->tokens);
            sw_huffman_segment(&w, &d->tokens, in + pos, stop - pos);
            pos = stop;
        }
        if (noise) {
            end = len - end < PIECE_SIZE ? len : end + PIECE_SIZE;
            sw_stored_segment(&w, in + pos, end - pos, false);
            pos = end;
        }
    }
    sw_stored_segment(&w, NULL, 0, last);
    return (size_t)(w.next - (uint8_t *)out);
}
