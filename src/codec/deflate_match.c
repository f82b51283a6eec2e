/* Match finders: one remembered position for level 1, hash chains for levels 2 to 9.
 *
 * Tables hold positions in the block and are cleared when a block begins, so that what is found
 * depends on the block alone. A stale or colliding entry is harmless: candidates are compared with
 * the input before they are used.
 */
#include <assert.h>

#include "base/mem.h"
#include "codec/deflate_internal.h"

/* 2^14 16-bit entries are 32 KiB, which stays in every first-level cache: 2^15 find 0.5 % more and
 * cost 3 % of the speed. */
#define FAST_BITS 14
/* Neighbouring positions that level 1 looks at together. */
#define FAST_PROBES 4
/* Level 1 starts no match in the last bytes, so that it may load without looking: it probes four
 * positions and compares 24 bytes, 8 at a time. */
#define FAST_TAIL 34
/* Every 2^4 misses in a row, the next probes go one byte further apart. */
#define FAST_MISSES_SHIFT 4

#define CHAIN_BITS 15
#define CHAIN3_BITS 13
#define CHAIN_TAIL 8
/* A match of three bytes from further away costs as much as its literals. */
#define DIST_OF_3_MAX 4096u

/* How levels 2 to 9 search. */
struct effort {
    unsigned depth;     /* candidates of a position that are looked at */
    unsigned good;      /* a match this long is taken without looking further */
    unsigned lazy_good; /* after one this long, a quarter of depth at the next position; 0: take the
                           first match */
};

static const struct effort efforts[SW_DEFLATE_LEVEL_MAX + 1] = {
    [2] = {4, 16, 0},   [3] = {8, 32, 0},    [4] = {6, 24, 6},     [5] = {12, 32, 8},
    [6] = {24, 64, 10}, [7] = {64, 128, 16}, [8] = {200, 258, 32}, [9] = {1000, 258, 258},
};

struct match_finder {
    struct effort effort;
    uint16_t *fast; /* level 1: the last position of a hash, modulo 2^16 */
    /* Levels 2 to 9: the newest position plus one by hash of four and of three bytes (0: none),
     * and by position modulo the window the one before it with the same hash. */
    uint32_t *head, *head3, *previous;
    size_t inserted; /* positions below are in the tables, or were left out */
};

struct match_finder *sw_match_finder_new(int level) {
    assert(level >= 1 && level <= SW_DEFLATE_LEVEL_MAX);
    struct match_finder *m = sw_calloc(1, sizeof(*m));
    m->effort = efforts[level];
    if (level == 1) {
        m->fast = sw_calloc((size_t)1 << FAST_BITS, sizeof(*m->fast));
    } else {
        m->head = sw_calloc((size_t)1 << CHAIN_BITS, sizeof(*m->head));
        m->head3 = sw_calloc((size_t)1 << CHAIN3_BITS, sizeof(*m->head3));
        m->previous = sw_calloc(WINDOW_SIZE, sizeof(*m->previous));
    }
    return m;
}

void sw_match_finder_free(struct match_finder *m) {
    if (!m) return;
    sw_freep(&m->fast);
    sw_freep(&m->head);
    sw_freep(&m->head3);
    sw_freep(&m->previous);
    sw_freep(&m);
}

void sw_match_finder_reset(struct match_finder *m) {
    if (m->fast) memset(m->fast, 0, sizeof(*m->fast) << FAST_BITS);
    if (m->head) {
        memset(m->head, 0, sizeof(*m->head) << CHAIN_BITS);
        memset(m->head3, 0, sizeof(*m->head3) << CHAIN3_BITS);
    }
    m->inserted = 0;
}

static inline uint32_t hash(uint32_t v, unsigned bits) { return (v * 0x9e3779b1u) >> (32 - bits); }

/* How many of 8 bytes are equal, given the exclusive or of the two words; without a branch. */
static inline unsigned equal_bytes(uint64_t diff) {
    return (unsigned)(__builtin_ctzll(diff | (uint64_t)1 << 63) >> 3) + (diff == 0);
}

/* How many bytes are equal at a and b, `known` of which are known to be; at most max. */
static inline unsigned match_length(const uint8_t *a, const uint8_t *b, unsigned known,
                                    unsigned max) {
    unsigned n = known;
    while (n + 8 <= max) {
        uint64_t diff = load64(a + n) ^ load64(b + n);
        if (diff) return n + equal_bytes(diff);
        n += 8;
    }
    while (n < max && a[n] == b[n]) n++;
    return n;
}

static inline unsigned match_max(size_t pos, size_t len) {
    return len - pos < MATCH_MAX ? (unsigned)(len - pos) : MATCH_MAX;
}

/* ---- sequences ---- */

static void tokens_reset(struct tokens *t) {
    t->n_sequences = 0;
    t->n_literals = 0;
    memset(t->litlen_freq, 0, sizeof(t->litlen_freq));
    memset(t->dist_freq, 0, sizeof(t->dist_freq));
}

/* The literals in[anchor..pos) and a match at pos. `readable`: 16 bytes may be read at anchor. */
static inline void add_match(struct tokens *t, const uint8_t *in, size_t anchor, size_t pos,
                             bool readable, unsigned match, uint32_t dist) {
    unsigned symbol = sw_dist_symbol(dist - 1);
    size_t n = pos - anchor;
    uint8_t *to = t->literals + t->n_literals;
    /* Most runs are short: a copy of fixed size costs less than a call. */
    if (n <= 16 && readable)
        memcpy(to, in + anchor, 16);
    else
        memcpy(to, in + anchor, n);
    t->n_literals += n;
    t->sequences[t->n_sequences++] = (struct sequence){.literals = (uint16_t)n,
                                                       .len = (uint16_t)match,
                                                       .dist = (uint16_t)(dist - 1),
                                                       .dist_symbol = (uint8_t)symbol};
    t->litlen_freq[257 + sw_length_symbol[match]]++;
    t->dist_freq[symbol]++;
}

static void add_end(struct tokens *t, const uint8_t *in, size_t anchor, size_t end) {
    memcpy(t->literals + t->n_literals, in + anchor, end - anchor);
    t->n_literals += end - anchor;
    t->sequences[t->n_sequences++] = (struct sequence){.literals = (uint16_t)(end - anchor)};
}

/* ---- level 1 ----
 *
 * The processor's time goes into mispredicted branches, a few in each sequence, so everything but
 * "is there a match here" is computed without any. Four neighbouring positions are probed at once
 * and the longest match is taken, which is lazy matching for nothing.
 *
 * Entries are older than the positions that are probed, and zero to begin with, so that the
 * distance modulo 2^16 always points into the block: to be compared, if not to be used.
 */

struct candidate {
    unsigned match; /* of the first 8 bytes, how many are equal */
    uint32_t dist;
    size_t pos;
};

/* Of five bytes: matches of four are found by luck only, and few of them are worth their bits. */
static inline uint32_t hash5(uint64_t v) {
    return (uint32_t)((v << 24) * 0x9e3779b97f4a7c15u >> (64 - FAST_BITS));
}

static inline struct candidate fast_probe(uint16_t *table, const uint8_t *in, size_t pos) {
    uint64_t v = load64(in + pos);
    uint16_t *slot = &table[hash5(v)];
    uint32_t dist = (uint16_t)((uint32_t)pos - *slot);
    *slot = (uint16_t)pos;
    /* Distance 0 and those beyond the window make the first byte differ. */
    uint64_t diff = (v ^ load64(in + pos - dist)) | (dist - 1 >= WINDOW_SIZE);
    return (struct candidate){.match = equal_bytes(diff), .dist = dist, .pos = pos};
}

static inline struct candidate longer(struct candidate a, struct candidate b) {
    bool second = b.match > a.match;
    return (struct candidate){.match = second ? b.match : a.match,
                              .dist = second ? b.dist : a.dist,
                              .pos = second ? b.pos : a.pos};
}

static inline void fast_insert(uint16_t *table, const uint8_t *in, size_t pos) {
    table[hash5(load64(in + pos))] = (uint16_t)pos;
}

/* The length of a match of which `match` of the first 8 bytes are equal. */
static inline unsigned fast_extend(const uint8_t *a, const uint8_t *b, unsigned match,
                                   unsigned max) {
    unsigned second = 8 + equal_bytes(load64(a + 8) ^ load64(b + 8));
    unsigned third = 16 + equal_bytes(load64(a + 16) ^ load64(b + 16));
    second = second == 16 ? third : second;
    match = match == 8 ? second : match;
    return match == 24 ? match_length(a, b, 24, max) : match;
}

static size_t fast_segment(uint16_t *table, const uint8_t *in, size_t start, size_t soft_end,
                           size_t len, struct tokens *t) {
    size_t anchor = start, pos = start, search_end = start;
    if (len >= FAST_TAIL) search_end = len - FAST_TAIL;
    if (search_end > soft_end - FAST_PROBES + 1) search_end = soft_end - FAST_PROBES + 1;
    unsigned misses = 0;
    while (pos < search_end) {
        struct candidate c = fast_probe(table, in, pos);
        c = longer(c, fast_probe(table, in, pos + 1));
        c = longer(c, fast_probe(table, in, pos + 2));
        c = longer(c, fast_probe(table, in, pos + 3));
        if (c.match < 4) {
            pos += FAST_PROBES + (misses++ >> FAST_MISSES_SHIFT);
            continue;
        }
        misses = 0;
        unsigned match =
            fast_extend(in + c.pos, in + c.pos - c.dist, c.match, match_max(c.pos, len));
        add_match(t, in, anchor, c.pos, true, match, c.dist);
        /* A few positions of the match, always the same number: inserting all of them finds 2 %
         * more and costs a fifth of the speed. */
        fast_insert(table, in, c.pos + 3);
        pos = anchor = c.pos + match;
        if (pos < search_end) {
            fast_insert(table, in, pos - 2);
            fast_insert(table, in, pos - 1);
        }
    }
    size_t end = anchor > soft_end ? anchor : soft_end;
    add_end(t, in, anchor, end);
    return end;
}

/* ---- levels 2 to 9 ---- */

static void chain_insert(struct match_finder *m, const uint8_t *in, size_t end) {
    for (; m->inserted < end; m->inserted++) {
        uint32_t pos = (uint32_t)m->inserted, v = load32(in + pos);
        uint32_t *head = &m->head[hash(v, CHAIN_BITS)];
        m->previous[pos % WINDOW_SIZE] = *head;
        *head = pos + 1;
        m->head3[hash(v << 8, CHAIN3_BITS)] = pos + 1;
    }
}

/* The longest match at pos that is longer than `longest`, among positions before pos; its length,
 * or `longest` where there is none. pos itself is not in the tables yet. */
static unsigned chain_find(const struct match_finder *m, const uint8_t *in, uint32_t pos,
                           unsigned depth, unsigned longest, unsigned max, uint32_t *ret_dist) {
    const uint8_t *at = in + pos;
    uint32_t v = load32(at);
    if (longest < MATCH_MIN && max >= MATCH_MIN) {
        uint32_t candidate = m->head3[hash(v << 8, CHAIN3_BITS)];
        uint32_t dist = pos - (candidate - 1);
        if (candidate && dist <= DIST_OF_3_MAX && ((load32(at - dist) ^ v) & 0xffffff) == 0) {
            longest = match_length(at, at - dist, 3, max);
            *ret_dist = dist;
        }
    }
    uint32_t candidate = m->head[hash(v, CHAIN_BITS)];
    while (candidate && pos - (candidate - 1) <= WINDOW_SIZE && longest < max) {
        const uint8_t *c = in + candidate - 1;
        if (c[longest] == at[longest] && load32(c) == v) {
            unsigned match = match_length(at, c, 4, max);
            if (match > longest) {
                longest = match;
                *ret_dist = pos - (candidate - 1);
                if (match >= m->effort.good) break;
            }
        }
        /* A slot that a newer position has taken over ends the chain. */
        uint32_t older = m->previous[(candidate - 1) % WINDOW_SIZE];
        if (older >= candidate || --depth == 0) break;
        candidate = older;
    }
    return longest;
}

static size_t chain_segment(struct match_finder *m, const uint8_t *in, size_t start,
                            size_t soft_end, size_t len, struct tokens *t) {
    const struct effort *e = &m->effort;
    size_t insert_end = len < CHAIN_TAIL ? 0 : len - CHAIN_TAIL;
    size_t search_end = insert_end < soft_end ? insert_end : soft_end;
    size_t anchor = start, pos = start;
    if (m->inserted < start) m->inserted = start;
    while (pos < search_end) {
        uint32_t dist = 0, next_dist = 0;
        chain_insert(m, in, pos);
        unsigned match =
            chain_find(m, in, (uint32_t)pos, e->depth, MATCH_MIN - 1, match_max(pos, len), &dist);
        if (match < MATCH_MIN) {
            pos++;
            continue;
        }
        while (e->lazy_good && match < e->good && pos + 1 < search_end) {
            unsigned depth = match >= e->lazy_good ? e->depth / 4 : e->depth;
            chain_insert(m, in, pos + 1);
            unsigned next = chain_find(m, in, (uint32_t)pos + 1, depth, match,
                                       match_max(pos + 1, len), &next_dist);
            if (next <= match) break;
            match = next;
            dist = next_dist;
            pos++;
        }
        add_match(t, in, anchor, pos, len - anchor >= 16, match, dist);
        pos = anchor = pos + match;
        chain_insert(m, in, pos < insert_end ? pos : insert_end);
    }
    size_t end = anchor > soft_end ? anchor : soft_end;
    add_end(t, in, anchor, end);
    return end;
}

size_t sw_match_segment(struct match_finder *m, const uint8_t *in, size_t start, size_t end,
                        size_t len, struct tokens *t) {
    assert(start < end && end - start <= SEGMENT_SIZE && end <= len);
    tokens_reset(t);
    return m->fast ? fast_segment(m->fast, in, start, end, len, t)
                   : chain_segment(m, in, start, end, len, t);
}
