/* Sequences to bits: code lengths, the header of a dynamic block, and the symbols.
 *
 * Everything is decided by counts, with ties broken by the symbol's number, so equal tokens give
 * equal bits everywhere.
 */
#include <assert.h>

#include "codec/deflate_internal.h"

#define PRECODE_SYMBOLS 19
#define PRECODE_BITS_MAX 7
#define BITS_MAX 15

const uint8_t sw_length_symbol[MATCH_MAX + 1] = {
    0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  8,  9,  9,  10, 10, 11, 11, 12, 12, 12, 12, 13,
    13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17,
    17, 17, 17, 18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19, 20, 20, 20, 20, 20,
    20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21, 21,
    21, 21, 21, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 23, 23, 23, 23, 23,
    23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24,
    24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25,
    25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 25,
    25, 25, 25, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26,
    26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27,
    27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 28};

static const uint16_t length_base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

static unsigned dist_extra(unsigned symbol) { return symbol < 4 ? 0 : symbol / 2 - 1; }

/* ---- code lengths ---- */

struct leaf {
    uint32_t freq;
    uint16_t symbol;
};

/* Ascending by frequency, then by symbol. Frequencies of a segment are below 2^24. */
static void sort_leaves(struct leaf *leaves, size_t n) {
    struct leaf other[LITLEN_SYMBOLS];
    struct leaf *from = leaves, *to = other;
    for (unsigned shift = 0; shift < 24; shift += 8) {
        uint32_t start[257] = {0};
        for (size_t i = 0; i < n; i++) start[((from[i].freq >> shift) & 255) + 1]++;
        if (shift == 16 && start[1] == n) break;
        for (size_t i = 0; i < 256; i++) start[i + 1] += start[i];
        for (size_t i = 0; i < n; i++) to[start[(from[i].freq >> shift) & 255]++] = from[i];
        struct leaf *swap = from;
        from = to;
        to = swap;
    }
    if (from != leaves) memcpy(leaves, from, n * sizeof(*leaves));
}

/* The number of leaves at each depth of the Huffman tree over sorted frequencies. */
static void count_depths(const struct leaf *leaves, size_t n, unsigned count[static 64]) {
    /* Inner nodes come into being in ascending order of weight, so two queues suffice: leaves
     * and inner nodes. parent[] and depth[] are of inner nodes; the root is the last one. */
    uint32_t weight[LITLEN_SYMBOLS];
    uint16_t parent[LITLEN_SYMBOLS];
    uint8_t leaf_parents[LITLEN_SYMBOLS] = {0}; /* how many children are leaves: 0, 1, 2 */
    size_t leaf = 0, inner = 0;
    assert(n >= 2);
    for (size_t node = 0; node + 1 < n; node++) {
        uint32_t sum = 0;
        for (int child = 0; child < 2; child++) {
            if (leaf < n && (inner >= node || leaves[leaf].freq <= weight[inner])) {
                sum += leaves[leaf++].freq;
                leaf_parents[node]++;
            } else {
                sum += weight[inner];
                parent[inner++] = (uint16_t)node;
            }
        }
        weight[node] = sum;
    }
    uint8_t depth[LITLEN_SYMBOLS];
    depth[n - 2] = 0;
    for (size_t node = n - 1; node-- > 0;) {
        if (node != n - 2) depth[node] = (uint8_t)(depth[parent[node]] + 1);
        count[depth[node] + 1] += leaf_parents[node];
    }
}

/* Moves leaves deeper than max up and repairs Kraft's sum by moving others down. */
static void limit_depths(unsigned count[static 64], unsigned max) {
    uint32_t kraft = 0; /* in units of 2^-max; must be at most 2^max */
    for (unsigned i = max + 1; i < 64; i++) {
        count[max] += count[i];
        count[i] = 0;
    }
    for (unsigned i = 1; i <= max; i++) kraft += count[i] << (max - i);
    while (kraft > 1u << max) {
        unsigned i = max - 1;
        while (count[i] == 0) i--;
        /* A leaf at depth i becomes an inner node with itself and a deepest leaf below it. */
        count[i]--;
        count[i + 1] += 2;
        count[max]--;
        kraft--;
    }
}

/* Sets lens[0..n) to the lengths of an optimal code limited to max_bits. A code of a single symbol
 * gets length 1, as deflate wants; no symbol at all gives no length. */
static void code_lengths(const uint32_t *freq, size_t n, unsigned max_bits, uint8_t *lens) {
    struct leaf leaves[LITLEN_SYMBOLS];
    size_t used = 0;
    memset(lens, 0, n);
    for (size_t i = 0; i < n; i++)
        if (freq[i]) leaves[used++] = (struct leaf){freq[i], (uint16_t)i};
    if (used < 2) {
        if (used) lens[leaves[0].symbol] = 1;
        return;
    }
    unsigned count[64] = {0};
    sort_leaves(leaves, used);
    count_depths(leaves, used, count);
    limit_depths(count, max_bits);
    size_t next = 0;
    for (unsigned len = max_bits; len > 0; len--)
        for (unsigned i = 0; i < count[len]; i++) lens[leaves[next++].symbol] = (uint8_t)len;
    assert(next == used);
}

static unsigned reverse_bits(unsigned code, unsigned len) {
    code = (code & 0x5555) << 1 | (code >> 1 & 0x5555);
    code = (code & 0x3333) << 2 | (code >> 2 & 0x3333);
    code = (code & 0x0f0f) << 4 | (code >> 4 & 0x0f0f);
    code = (code & 0x00ff) << 8 | (code >> 8 & 0x00ff);
    return code >> (16 - len);
}

/* RFC 1951 3.2.2, with the bits reversed, because Huffman codes are packed from their top. */
static void assign_codes(const uint8_t *lens, size_t n, uint16_t *codes) {
    unsigned count[BITS_MAX + 1] = {0}, next[BITS_MAX + 1];
    for (size_t i = 0; i < n; i++) count[lens[i]]++;
    count[0] = 0;
    next[0] = 0;
    for (unsigned i = 1; i <= BITS_MAX; i++) next[i] = (next[i - 1] + count[i - 1]) << 1;
    for (size_t i = 0; i < n; i++)
        codes[i] = lens[i] ? (uint16_t)reverse_bits(next[lens[i]]++, lens[i]) : 0;
}

/* ---- the header of a dynamic block (RFC 1951 3.2.7) ---- */

struct header {
    unsigned n_litlen, n_dist, n_precode;
    uint8_t pre_lens[PRECODE_SYMBOLS];
    size_t n_items;
    uint8_t items[LITLEN_SYMBOLS + DIST_SYMBOLS]; /* precode symbols */
    uint8_t repeats[LITLEN_SYMBOLS + DIST_SYMBOLS];
    size_t bits;
};

static const uint8_t precode_order[PRECODE_SYMBOLS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                       11, 4,  12, 3, 13, 2, 14, 1, 15};

static unsigned precode_extra(unsigned symbol) {
    return symbol == 16 ? 2 : symbol == 17 ? 3 : symbol == 18 ? 7 : 0;
}

static void add_item(struct header *h, unsigned symbol, size_t repeat, uint32_t *freq) {
    h->items[h->n_items] = (uint8_t)symbol;
    h->repeats[h->n_items++] = (uint8_t)repeat;
    freq[symbol]++;
}

/* Runs of equal lengths become repeat items; the two alphabets are one sequence. */
static void run_lengths(struct header *h, const uint8_t *lens, size_t n, uint32_t *freq) {
    for (size_t i = 0; i < n;) {
        size_t run = 1;
        while (i + run < n && lens[i + run] == lens[i]) run++;
        size_t left = run;
        if (lens[i] == 0) {
            while (left >= 3) {
                size_t k = left < 138 ? left : 138;
                add_item(h, k < 11 ? 17 : 18, k - (k < 11 ? 3 : 11), freq);
                left -= k;
            }
        } else if (left >= 4) {
            add_item(h, lens[i], 0, freq);
            left--;
            while (left >= 3) {
                size_t k = left < 6 ? left : 6;
                add_item(h, 16, k - 3, freq);
                left -= k;
            }
        }
        for (; left; left--) add_item(h, lens[i], 0, freq);
        i += run;
    }
}

static void plan_header(struct header *h, const uint8_t *litlen, const uint8_t *dist) {
    uint8_t lens[LITLEN_SYMBOLS + DIST_SYMBOLS];
    uint32_t freq[PRECODE_SYMBOLS] = {0};
    h->n_litlen = LITLEN_SYMBOLS;
    h->n_dist = DIST_SYMBOLS;
    while (litlen[h->n_litlen - 1] == 0) h->n_litlen--; /* 256 is always used */
    while (h->n_dist > 1 && dist[h->n_dist - 1] == 0) h->n_dist--;
    memcpy(lens, litlen, h->n_litlen);
    memcpy(lens + h->n_litlen, dist, h->n_dist);
    h->n_items = 0;
    run_lengths(h, lens, h->n_litlen + h->n_dist, freq);
    code_lengths(freq, PRECODE_SYMBOLS, PRECODE_BITS_MAX, h->pre_lens);
    h->n_precode = PRECODE_SYMBOLS;
    while (h->n_precode > 4 && h->pre_lens[precode_order[h->n_precode - 1]] == 0) h->n_precode--;
    h->bits = 5 + 5 + 4 + 3 * h->n_precode;
    for (unsigned i = 0; i < PRECODE_SYMBOLS; i++)
        h->bits += (size_t)freq[i] * (h->pre_lens[i] + precode_extra(i));
}

static void write_header(struct bit_writer *w, const struct header *h) {
    uint16_t codes[PRECODE_SYMBOLS];
    assign_codes(h->pre_lens, PRECODE_SYMBOLS, codes);
    bits_add(w, h->n_litlen - 257, 5);
    bits_add(w, h->n_dist - 1, 5);
    bits_add(w, h->n_precode - 4, 4);
    bits_flush(w);
    for (unsigned i = 0; i < h->n_precode; i++) {
        bits_add(w, h->pre_lens[precode_order[i]], 3);
        bits_flush(w);
    }
    for (size_t i = 0; i < h->n_items; i++) {
        unsigned symbol = h->items[i];
        bits_add(w, codes[symbol], h->pre_lens[symbol]);
        bits_add(w, h->repeats[i], precode_extra(symbol));
        bits_flush(w);
    }
}

/* ---- symbols ---- */

/* A code word with its length in the low byte, ready for the bit buffer. */
struct encoder {
    uint32_t litlen[END_OF_BLOCK + 1];
    uint32_t length[MATCH_MAX + 1]; /* the extra bits are part of it */
    uint32_t dist[DIST_SYMBOLS];
};

#define WORD(code, len) ((uint32_t)(code) << 8 | (uint32_t)(len))

static void add_word(struct bit_writer *w, uint32_t word) { bits_add(w, word >> 8, word & 255); }

static void build_encoder(struct encoder *e, const uint8_t *litlen_lens, const uint8_t *dist_lens) {
    uint16_t codes[LITLEN_SYMBOLS + 2];
    assign_codes(litlen_lens, LITLEN_SYMBOLS + 2, codes);
    for (unsigned i = 0; i <= END_OF_BLOCK; i++) e->litlen[i] = WORD(codes[i], litlen_lens[i]);
    for (unsigned len = MATCH_MIN; len <= MATCH_MAX; len++) {
        unsigned s = sw_length_symbol[len];
        uint32_t code = codes[257 + s] | (len - length_base[s]) << litlen_lens[257 + s];
        e->length[len] = WORD(code, litlen_lens[257 + s] + length_extra[s]);
    }
    assign_codes(dist_lens, DIST_SYMBOLS, codes);
    for (unsigned i = 0; i < DIST_SYMBOLS; i++) e->dist[i] = WORD(codes[i], dist_lens[i]);
}

static void write_tokens(struct bit_writer *w, const struct encoder *e, const struct tokens *t) {
    struct bit_writer local = *w;
    const uint8_t *literal = t->literals;
    for (const struct sequence *s = t->sequences;; s++) {
        unsigned n = s->literals;
        for (; n >= 4; n -= 4, literal += 4) {
            add_word(&local, e->litlen[literal[0]]);
            add_word(&local, e->litlen[literal[1]]);
            add_word(&local, e->litlen[literal[2]]);
            add_word(&local, e->litlen[literal[3]]);
            bits_flush(&local);
        }
        /* The rest without branches on n, which no processor would guess: words that are not
         * meant become zero bits of length zero. */
        add_word(&local, e->litlen[literal[0]] & (0u - (n > 0)));
        add_word(&local, e->litlen[literal[1]] & (0u - (n > 1)));
        add_word(&local, e->litlen[literal[2]] & (0u - (n > 2)));
        literal += n;
        bits_flush(&local);
        if (s->len == 0) break;
        add_word(&local, e->length[s->len]);
        add_word(&local, e->dist[s->dist_symbol]);
        unsigned extra = dist_extra(s->dist_symbol);
        bits_add(&local, s->dist & ((1u << extra) - 1), extra);
        bits_flush(&local);
    }
    add_word(&local, e->litlen[END_OF_BLOCK]);
    bits_flush(&local);
    *w = local;
}

/* ---- blocks ---- */

static size_t cost_bits(const struct tokens *t, const uint8_t *litlen, const uint8_t *dist) {
    size_t bits = 0;
    for (unsigned i = 0; i < LITLEN_SYMBOLS; i++) {
        unsigned extra = i > END_OF_BLOCK ? length_extra[i - 257] : 0;
        bits += (size_t)t->litlen_freq[i] * (litlen[i] + extra);
    }
    for (unsigned i = 0; i < DIST_SYMBOLS; i++)
        bits += (size_t)t->dist_freq[i] * (dist[i] + dist_extra(i));
    return bits;
}

static void fixed_lengths(uint8_t *litlen, uint8_t *dist) {
    memset(litlen, 8, 144);
    memset(litlen + 144, 9, 112);
    memset(litlen + 256, 7, 24);
    memset(litlen + 280, 8, 8);
    memset(dist, 5, DIST_SYMBOLS);
}

/* Four tables, because equal bytes in a row would wait for each other's store. */
static void count_literals(struct tokens *t) {
    uint32_t count[4][256] = {0};
    size_t i = 0;
    for (; i + 4 <= t->n_literals; i += 4) {
        uint32_t v = load32(t->literals + i);
        count[0][v & 255]++;
        count[1][v >> 8 & 255]++;
        count[2][v >> 16 & 255]++;
        count[3][v >> 24]++;
    }
    for (; i < t->n_literals; i++) count[0][t->literals[i]]++;
    for (i = 0; i < 256; i++)
        t->litlen_freq[i] = count[0][i] + count[1][i] + count[2][i] + count[3][i];
}

void sw_huffman_segment(struct bit_writer *w, struct tokens *t, const uint8_t *in, size_t len) {
    uint8_t litlen[LITLEN_SYMBOLS + 2] = {0}, dist[DIST_SYMBOLS];
    uint8_t fixed_litlen[LITLEN_SYMBOLS + 2], fixed_dist[DIST_SYMBOLS];
    struct header header;
    count_literals(t);
    t->litlen_freq[END_OF_BLOCK] = 1;
    code_lengths(t->litlen_freq, LITLEN_SYMBOLS, LITLEN_BITS_MAX, litlen);
    code_lengths(t->dist_freq, DIST_SYMBOLS, DIST_BITS_MAX, dist);
    plan_header(&header, litlen, dist);
    fixed_lengths(fixed_litlen, fixed_dist);
    size_t dynamic = 3 + header.bits + cost_bits(t, litlen, dist);
    size_t fixed = 3 + cost_bits(t, fixed_litlen, fixed_dist);
    size_t stored = 8 * len + 32 + 3 + 7;
    if (stored <= dynamic && stored <= fixed) {
        sw_stored_segment(w, in, len, false);
        return;
    }
    struct encoder encoder;
    bool use_fixed = fixed <= dynamic;
    bits_add(w, (use_fixed ? 1u : 2u) << 1, 3);
    bits_flush(w);
    if (!use_fixed) write_header(w, &header);
    build_encoder(&encoder, use_fixed ? fixed_litlen : litlen, use_fixed ? fixed_dist : dist);
    write_tokens(w, &encoder, t);
}

void sw_stored_segment(struct bit_writer *w, const uint8_t *in, size_t len, bool last) {
    assert(len <= SEGMENT_MAX);
    bits_add(w, last, 3);
    w->n = (w->n + 7) & ~7u;
    bits_flush(w);
    bits_add(w, (uint32_t)len | (uint32_t)(~len & 0xffff) << 16, 32);
    bits_flush(w);
    if (len) memcpy(w->next, in, len);
    w->next += len;
}
