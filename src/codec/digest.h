/* Content digests: "sha256:<64 hex digits>" and "sha512:<128 hex digits>".
 *
 * Floor 1. Pure; a value belongs to one thread. OCI image specification, descriptor.md, "Digests".
 */
#ifndef SW_CODEC_DIGEST_H
#define SW_CODEC_DIGEST_H

#include "base/error.h"
#include "base/str.h"

enum sw_digest_alg {
    SW_DIGEST_NONE = 0,
    SW_SHA256 = 1,
    SW_SHA512 = 2,
};

#define SW_DIGEST_SIZE_MAX 64               /* bytes of the longest digest */
#define SW_DIGEST_TEXT_MAX (7 + 2 * 64 + 1) /* "sha512:", the digits, a NUL */

/* A value: copied, compared and used as a key freely. Bytes past the algorithm's size are zero,
 * and there is no padding. A zeroed struct is "no digest". */
struct sw_digest {
    uint8_t alg; /* enum sw_digest_alg */
    uint8_t bytes[SW_DIGEST_SIZE_MAX];
};

/* Bytes of a digest: 32 or 64; 0 for none. */
size_t sw_digest_size(enum sw_digest_alg alg);
/* "sha256", "sha512"; "" for none. Static. */
const char *sw_digest_alg_name(enum sw_digest_alg alg);

/* Strict: a known algorithm, exactly its number of lower-case digits. SW_SYNTAX; SW_UNSUPPORTED
 * where the text has the grammar of a digest of an algorithm that is not known here. */
SW_NODISCARD enum sw_code sw_digest_parse(struct sw_str text, struct sw_digest *ret,
                                          struct sw_error *err);
/* Writes the text and a NUL into the caller's array and returns a view of it. */
struct sw_str sw_digest_format(const struct sw_digest *d, char ret_text[SW_DIGEST_TEXT_MAX]);
/* The digits alone, as they name the file in blobs/sha256/. */
struct sw_str sw_digest_hex(const struct sw_digest *d, char ret_text[SW_DIGEST_TEXT_MAX]);

static inline bool sw_digest_is_set(const struct sw_digest *d) { return d->alg != SW_DIGEST_NONE; }
static inline bool sw_digest_eq(const struct sw_digest *a, const struct sw_digest *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
/* By algorithm, then by bytes; for sorting. */
static inline int sw_digest_cmp(const struct sw_digest *a, const struct sw_digest *b) {
    return memcmp(a, b, sizeof *a);
}
/* A view of the struct itself, as a key for struct sw_map; it borrows *d. */
static inline struct sw_str sw_digest_key(const struct sw_digest *d) {
    return sw_str_n((const char *)d, sizeof *d);
}

/* Hashing in pieces. The state is nettle's, kept opaque; it may be copied by assignment to get the
 * digest of a prefix. */
struct sw_hasher {
    enum sw_digest_alg alg;
    uint64_t n_bytes; /* hashed so far */
    _Alignas(16) unsigned char state[256];
};

/* Asserts a known algorithm. */
void sw_hasher_init(struct sw_hasher *h, enum sw_digest_alg alg);
void sw_hasher_add(struct sw_hasher *h, const void *bytes, size_t len);
static inline void sw_hasher_add_str(struct sw_hasher *h, struct sw_str s) {
    sw_hasher_add(h, s.ptr, s.len);
}
/* The same as adding x to a and y to b, up to twice as fast where the processor has instructions
 * for SHA-256 and the lengths are alike. */
void sw_hasher_add_two(struct sw_hasher *a, struct sw_str x, struct sw_hasher *b, struct sw_str y);
/* The digest; the hasher is then as after _init. */
struct sw_digest sw_hasher_finish(struct sw_hasher *h);

struct sw_digest sw_digest_of(enum sw_digest_alg alg, struct sw_str bytes);

/* HMAC-SHA-256 (RFC 2104), for signatures of requests and webhooks. */
void sw_hmac_sha256(struct sw_str key, struct sw_str bytes, uint8_t ret_mac[32]);
/* Equality in a time that depends on len only. */
bool sw_bytes_eq_secret(const void *a, const void *b, size_t len);

#endif
