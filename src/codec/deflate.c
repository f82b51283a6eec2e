/* Blocks and their segments; noise is found and stored without being searched. */
#include "codec/deflate.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/deflate_internal.h"

/* The noise test looks at groups of 256 bytes: 16 bytes of each are counted, and 8 positions in a
 * row are looked up among every 8th position before, which finds any long repetition. */
#define GROUP_SIZE 256
#define GROUP_COUNTED 16
#define GROUP_PROBED 8
#define SEEN_BITS 13
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

/* A segment costs at most a stored block's header, 5 bytes and the bits before it; the end of the
 * block is one more, and the bit writer writes up to 8 bytes ahead. */
size_t sw_deflate_bound(size_t len) { return len + (len / SEGMENT_SIZE + 2) * 6 + 8; }

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

/* Whether in[start..start + len) looks like noise: no byte value is more frequent than others, and
 * few groups occurred before. Compressed and encrypted files look so; a counter, whose bytes are
 * as evenly spread, repeats. */
static bool is_noise(struct sw_deflate *d, const uint8_t *in, size_t start, size_t len) {
    if (len < NOISE_TEST_MIN) return false;
    uint32_t count[256] = {0};
    size_t groups = len / GROUP_SIZE, repeating = 0, counted = groups * GROUP_COUNTED;
    for (size_t g = 0; g < groups; g++) {
        /* Not always the same part of a group: records may be as long. */
        const uint8_t *sample = in + start + g * GROUP_SIZE + g * 89 % (GROUP_SIZE - GROUP_COUNTED);
        for (unsigned i = 0; i < GROUP_COUNTED; i++) count[sample[i]]++;
    }
    uint64_t squares = 0;
    for (unsigned i = 0; i < 256; i++) squares += (uint64_t)count[i] * count[i];
    /* Even bytes give counted + counted^2 / 256; a sixteenth more is an entropy of 7.9 bits. */
    if (squares - counted > (uint64_t)counted * counted / 256 * 17 / 16) return false;
    for (size_t g = 0; g < groups; g++) {
        size_t pos = start + g * GROUP_SIZE;
        repeating += group_repeats(d, in, pos + g * 89 % (GROUP_SIZE - 2 * GROUP_PROBED));
        for (size_t i = pos; i < pos + GROUP_SIZE - 8; i += GROUP_PROBED)
            *seen_slot(d, load64(in + i)) = (uint16_t)i;
    }
    return repeating <= groups / 16;
}

size_t sw_deflate_block(struct sw_deflate *d, const void *in_bytes, size_t len, bool last,
                        void *out, size_t out_len) {
    assert(len <= SW_DEFLATE_INPUT_MAX && out_len >= sw_deflate_bound(len));
    const uint8_t *in = in_bytes;
    struct bit_writer w = {.next = out};
    if (d->finder) sw_match_finder_reset(d->finder);
    memset(d->seen, 0, sizeof(d->seen));
    for (size_t pos = 0; pos < len;) {
        size_t n = len - pos < SEGMENT_SIZE ? len - pos : SEGMENT_SIZE;
        if (d->level == 0 || is_noise(d, in, pos, n)) {
            sw_stored_segment(&w, in + pos, n, false);
        } else {
            n = sw_match_segment(d->finder, in, pos, len, &d->tokens) - pos;
            sw_huffman_segment(&w, &d->tokens, in + pos, n);
        }
        pos += n;
    }
    sw_stored_segment(&w, NULL, 0, last);
    return (size_t)(w.next - (uint8_t *)out);
}
