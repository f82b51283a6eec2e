/* Generated inputs for compression: the same bytes everywhere, for ever (digests are pinned). */
#ifndef SW_TEST_CODEC_INPUTS_H
#define SW_TEST_CODEC_INPUTS_H

#include <stdint.h>
#include <string.h>

enum input_kind {
    INPUT_ZEROS,
    INPUT_NOISE,
    INPUT_TEXT,    /* words, of skewed frequency */
    INPUT_RECORDS, /* little-endian tables, as in binaries */
    INPUT_COUNTER, /* even bytes that repeat */
    INPUT_MIXED,   /* stretches of all the others, of odd lengths */
    INPUT_KINDS,
};

static inline uint64_t input_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline void input_text(uint8_t *out, size_t len, uint64_t *state) {
    for (size_t i = 0; i < len;) {
        uint64_t r = input_random(state);
        /* Small numbers are frequent; the word's letters follow from its number. */
        uint64_t word = (r & 0xfff) >> ((r >> 12) % 12), letters = word * 0x9e3779b97f4a7c15u;
        size_t n = 2 + word % 7;
        for (size_t k = 0; k < n && i < len; k++, letters >>= 5)
            out[i++] = (uint8_t)('a' + (letters & 31) % 26);
        if (i < len) out[i++] = (r >> 32) % 12 ? ' ' : '\n';
    }
}

static inline void input_records(uint8_t *out, size_t len, uint64_t *state) {
    uint64_t address = 0x401000;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) address += input_random(state) % 300;
        out[i] = (uint8_t)(address >> (8 * (i % 8)));
    }
}

static inline void input_fill(enum input_kind kind, uint8_t *out, size_t len, uint64_t seed) {
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    switch (kind) {
    case INPUT_ZEROS:
        memset(out, 0, len);
        break;
    case INPUT_NOISE:
        for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(input_random(&state) >> 32);
        break;
    case INPUT_TEXT:
        input_text(out, len, &state);
        break;
    case INPUT_RECORDS:
        input_records(out, len, &state);
        break;
    case INPUT_COUNTER:
        for (size_t i = 0; i < len; i++) out[i] = (uint8_t)i;
        break;
    case INPUT_MIXED:
    case INPUT_KINDS:
        for (size_t i = 0; i < len;) {
            uint64_t r = input_random(&state);
            size_t n = 1 + (r >> 8) % 30000;
            if (n > len - i) n = len - i;
            input_fill((enum input_kind)(r % INPUT_MIXED), out + i, n, r);
            i += n;
        }
        break;
    }
}

#endif
