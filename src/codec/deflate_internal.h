/* What the three parts of the deflate encoder share: tokens, workspace, bytes.
 *
 * Floor 1, private to deflate*.c. The work is done in segments:
 *
 *     deflate.c          block -> segments; stores what does not shrink; ends on a byte boundary
 *     deflate_match.c    segment -> sequences (literals, then a match) and literals
 *     deflate_huffman.c  sequences -> the smallest of a stored, fixed or dynamic deflate block
 */
#ifndef SW_CODEC_DEFLATE_INTERNAL_H
#define SW_CODEC_DEFLATE_INTERNAL_H

#include <stdint.h>
#include <string.h>

#include "codec/deflate.h"

#define MATCH_MIN 3
#define MATCH_MAX 258
#define WINDOW_SIZE 32768u
/* Noise is looked for in pieces. A segment is what gets Huffman codes of its own: up to four
 * pieces. With the longest match reaching over its end it still fits into one stored block, whose
 * length has 16 bits. */
#define PIECE_SIZE 16319u
#define SEGMENT_SIZE (4 * PIECE_SIZE)
#define SEGMENT_MAX 65535u
#define SEQUENCES_MAX (SEGMENT_SIZE / MATCH_MIN + 1)

#define LITLEN_SYMBOLS 286
#define DIST_SYMBOLS 30
#define END_OF_BLOCK 256
/* Shorter than deflate's 15, so that four literals fit into the bit buffer between two writes. */
#define LITLEN_BITS_MAX 14
#define DIST_BITS_MAX 15

/* `literals` literals, then a match; len is 0 in the last sequence of a segment. */
struct sequence {
    uint16_t literals;
    uint16_t len;
    uint16_t dist; /* minus one */
    uint8_t dist_symbol;
};

struct tokens {
    size_t n_sequences;
    size_t n_literals;
    struct sequence sequences[SEQUENCES_MAX + 1];
    uint8_t literals[SEGMENT_MAX + 16];   /* all runs, one after another; copies may run over */
    uint32_t litlen_freq[LITLEN_SYMBOLS]; /* of literals only once they are all there */
    uint32_t dist_freq[DIST_SYMBOLS];
};

/* The output: bits not yet written are the low n of `bits`. At least 8 writable bytes follow next.
 */
struct bit_writer {
    uint64_t bits;
    unsigned n;
    uint8_t *next;
};

struct match_finder; /* tables of one level; deflate_match.c */

struct match_finder *sw_match_finder_new(int level);
void sw_match_finder_free(struct match_finder *m);
/* Forgets every position: a new block begins. */
void sw_match_finder_reset(struct match_finder *m);
/* Cuts in[start..end), at most SEGMENT_SIZE bytes, into sequences; the last match may reach over
 * the end, but not over len. Returns where it stopped. Matches reach back to in[0]. */
size_t sw_match_segment(struct match_finder *m, const uint8_t *in, size_t start, size_t end,
                        size_t len, struct tokens *tokens);
extern const uint8_t sw_length_symbol[MATCH_MAX + 1]; /* minus 257 */
/* The symbol of a distance minus one. */
static inline unsigned sw_dist_symbol(unsigned d) {
    if (d < 2) return d;
    unsigned log = 31 - (unsigned)__builtin_clz(d);
    return 2 * log + ((d >> (log - 1)) & 1);
}

/* Writes in[0..len), whose tokens are given, as one block that is not the last. len <= 65535. */
void sw_huffman_segment(struct bit_writer *w, struct tokens *tokens, const uint8_t *in, size_t len);
void sw_stored_segment(struct bit_writer *w, const uint8_t *in, size_t len, bool last);

static inline uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void store64(uint8_t *p, uint64_t v) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof(v));
}

static inline void bits_add(struct bit_writer *w, uint64_t bits, unsigned n) {
    w->bits |= bits << w->n;
    w->n += n;
}

/* Writes the whole bytes; at most 7 bits stay. */
static inline void bits_flush(struct bit_writer *w) {
    store64(w->next, w->bits);
    w->next += w->n >> 3;
    w->bits >>= w->n & ~7u;
    w->n &= 7;
}

#endif
