/* SHA-256 of two streams at once (FIPS 180-4, 6.2).
 *
 * The processor's SHA instructions take four cycles but one can begin every two: a single stream,
 * whose every round waits for the one before, uses half of what is there. Two streams side by side
 * use all of it.
 */
#include "codec/sha256_pair.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

static bool ask(void) {
    unsigned a, b, c, d;
    const unsigned wanted = bit_SSSE3 | bit_SSE4_1;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

bool sw_sha256_pair_works(void) {
    /* The processor's answer is always the same, and takes 10 us in a virtual machine: as long as
     * hashing 16 KiB. */
    static atomic_uchar answer; /* 0: not asked yet, 1: no, 2: yes */
    unsigned char known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (!known) {
        known = ask() ? 2 : 1;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == 2;
}

static const _Alignas(16) uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The instructions want the state as the words (a b e f) and (c d g h), the first in the highest
 * lane. */
struct state {
    __m128i abef, cdgh;
};

#define SHA __attribute__((target("sha,ssse3,sse4.1"), always_inline)) static inline

SHA struct state load_state(const uint32_t words[8]) {
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)words), 0x1b);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words + 4)), 0x1b);
    return (struct state){_mm_unpackhi_epi64(efgh, abcd), _mm_unpacklo_epi64(efgh, abcd)};
}

SHA void store_state(struct state s, uint32_t words[8]) {
    __m128i abcd = _mm_unpackhi_epi64(s.cdgh, s.abef);
    __m128i efgh = _mm_unpacklo_epi64(s.cdgh, s.abef);
    _mm_storeu_si128((__m128i *)words, _mm_shuffle_epi32(abcd, 0x1b));
    _mm_storeu_si128((__m128i *)(words + 4), _mm_shuffle_epi32(efgh, 0x1b));
}

SHA void load_block(const uint8_t *p, __m128i w[4]) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (int i = 0; i < 4; i++)
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), big_endian);
}

/* The next four words of the schedule take the place of the oldest. */
SHA void extend(__m128i w[4], int group) {
    __m128i last = w[(group + 3) % 4];
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[group % 4], w[(group + 1) % 4]),
                                _mm_alignr_epi8(last, w[(group + 2) % 4], 4));
    w[group % 4] = _mm_sha256msg2_epu32(sum, last);
}

__attribute__((target("sha,ssse3,sse4.1"))) void sw_sha256_pair(uint32_t state_x[8],
                                                                const uint8_t *x,
                                                                uint32_t state_y[8],
                                                                const uint8_t *y, size_t n_blocks) {
    struct state a = load_state(state_x), b = load_state(state_y);
    for (; n_blocks; n_blocks--, x += 64, y += 64) {
        struct state a_before = a, b_before = b;
        __m128i v[4], w[4];
        load_block(x, v);
        load_block(y, w);
#pragma GCC unroll 16
        for (int group = 0; group < 16; group++) {
            if (group >= 4) {
                extend(v, group);
                extend(w, group);
            }
            __m128i k = _mm_load_si128((const __m128i *)(round_constants + 4 * group));
            __m128i p = _mm_add_epi32(v[group % 4], k), q = _mm_add_epi32(w[group % 4], k);
            a.cdgh = _mm_sha256rnds2_epu32(a.cdgh, a.abef, p);
            b.cdgh = _mm_sha256rnds2_epu32(b.cdgh, b.abef, q);
            a.abef = _mm_sha256rnds2_epu32(a.abef, a.cdgh, _mm_shuffle_epi32(p, 0x0e));
            b.abef = _mm_sha256rnds2_epu32(b.abef, b.cdgh, _mm_shuffle_epi32(q, 0x0e));
        }
        a.abef = _mm_add_epi32(a.abef, a_before.abef);
        a.cdgh = _mm_add_epi32(a.cdgh, a_before.cdgh);
        b.abef = _mm_add_epi32(b.abef, b_before.abef);
        b.cdgh = _mm_add_epi32(b.cdgh, b_before.cdgh);
    }
    store_state(a, state_x);
    store_state(b, state_y);
}

#else

bool sw_sha256_pair_works(void) { return false; }

void sw_sha256_pair(uint32_t state_x[8], const uint8_t *x, uint32_t state_y[8], const uint8_t *y,
                    size_t n_blocks) {
    (void)state_x, (void)x, (void)state_y, (void)y, (void)n_blocks;
    abort();
}

#endif
