/* Hashing is nettle's, which uses the SHA instructions of the processor where it has them. */
#include "codec/digest.h"

#include <assert.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "codec/hex.h"
#include "codec/sha256_pair.h"

_Static_assert(sizeof(struct sha256_ctx) <= sizeof((struct sw_hasher){0}.state), "state too small");
_Static_assert(sizeof(struct sha512_ctx) <= sizeof((struct sw_hasher){0}.state), "state too small");
_Static_assert(sizeof(struct sw_digest) == 1 + SW_DIGEST_SIZE_MAX, "padding would break keys");

size_t sw_digest_size(enum sw_digest_alg alg) {
    return alg == SW_SHA256 ? SHA256_DIGEST_SIZE : alg == SW_SHA512 ? SHA512_DIGEST_SIZE : 0;
}

const char *sw_digest_alg_name(enum sw_digest_alg alg) {
    return alg == SW_SHA256 ? "sha256" : alg == SW_SHA512 ? "sha512" : "";
}

/* algorithm ::= component ((+|.|-|_) component)*; component ::= [a-z0-9]+; encoded ::=
 * [a-zA-Z0-9=_-]+ */
static bool has_digest_grammar(struct sw_str alg, struct sw_str encoded) {
    bool letter = false;
    for (size_t i = 0; i < alg.len; i++) {
        char c = alg.ptr[i];
        bool separator = strchr("+.-_", c) != NULL;
        if (!separator && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
        if (separator && !letter) return false;
        letter = !separator;
    }
    for (size_t i = 0; i < encoded.len; i++) {
        char c = encoded.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '=' && c != '_' && c != '-')
            return false;
    }
    return letter && encoded.len;
}

enum sw_code sw_digest_parse(struct sw_str text, struct sw_digest *ret, struct sw_error *err) {
    struct sw_str name, encoded;
    struct sw_digest d = {0};
    struct sw_str shown = sw_str_sub(text, 0, 150);
    if (!sw_str_cut(text, ':', &name, &encoded) || memchr(text.ptr, 0, text.len))
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is not a digest (ALGORITHM:HEX)", SW_ARG(shown));
    if (sw_str_is(name, "sha256"))
        d.alg = SW_SHA256;
    else if (sw_str_is(name, "sha512"))
        d.alg = SW_SHA512;
    else if (has_digest_grammar(name, encoded))
        return sw_fail(err, SW_UNSUPPORTED,
                       "digest \"%.*s\": unknown algorithm; known are sha256 and sha512",
                       SW_ARG(shown));
    else
        return sw_fail(err, SW_SYNTAX, "\"%.*s\" is not a digest (ALGORITHM:HEX)", SW_ARG(shown));
    size_t size = sw_digest_size(d.alg);
    if (encoded.len != 2 * size)
        return sw_fail(err, SW_SYNTAX, "digest \"%.*s\": %s has %zu digits, these are %zu",
                       SW_ARG(shown), sw_digest_alg_name(d.alg), 2 * size, encoded.len);
    if (!sw_hex_decode(encoded, false, d.bytes))
        return sw_fail(err, SW_SYNTAX, "digest \"%.*s\": only the digits 0-9 and a-f are allowed",
                       SW_ARG(shown));
    *ret = d;
    return SW_OK;
}

struct sw_str sw_digest_hex(const struct sw_digest *d, char ret_text[SW_DIGEST_TEXT_MAX]) {
    size_t size = sw_digest_size(d->alg);
    sw_hex_encode(d->bytes, size, ret_text);
    ret_text[2 * size] = 0;
    return sw_str_n(ret_text, 2 * size);
}

struct sw_str sw_digest_format(const struct sw_digest *d, char ret_text[SW_DIGEST_TEXT_MAX]) {
    const char *name = sw_digest_alg_name(d->alg);
    size_t len = strlen(name), size = sw_digest_size(d->alg);
    if (size) {
        memcpy(ret_text, name, len);
        ret_text[len++] = ':';
    }
    sw_hex_encode(d->bytes, size, ret_text + len);
    len += 2 * size;
    ret_text[len] = 0;
    return sw_str_n(ret_text, len);
}

/* ---- hashing ---- */

void sw_hasher_init(struct sw_hasher *h, enum sw_digest_alg alg) {
    assert(sw_digest_size(alg));
    h->alg = alg;
    h->n_bytes = 0;
    if (alg == SW_SHA256)
        sha256_init((struct sha256_ctx *)h->state);
    else
        sha512_init((struct sha512_ctx *)h->state);
}

void sw_hasher_add(struct sw_hasher *h, const void *bytes, size_t len) {
    if (len == 0) return;
    h->n_bytes += len;
    if (h->alg == SW_SHA256)
        sha256_update((struct sha256_ctx *)h->state, len, bytes);
    else
        sha512_update((struct sha512_ctx *)h->state, len, bytes);
}

/* Bytes until the hasher is between two blocks. */
static size_t to_boundary(const struct sw_hasher *h) {
    return (size_t)(-h->n_bytes % SHA256_BLOCK_SIZE);
}

static void add_front(struct sw_hasher *h, struct sw_str *bytes, size_t n) {
    sw_hasher_add(h, bytes->ptr, n);
    *bytes = sw_str_from(*bytes, n);
}

void sw_hasher_add_two(struct sw_hasher *a, struct sw_str x, struct sw_hasher *b, struct sw_str y) {
    size_t skip_x = to_boundary(a), skip_y = to_boundary(b);
    if (a->alg == SW_SHA256 && b->alg == SW_SHA256 && x.len >= skip_x + SHA256_BLOCK_SIZE &&
        y.len >= skip_y + SHA256_BLOCK_SIZE && sw_sha256_pair_works()) {
        add_front(a, &x, skip_x);
        add_front(b, &y, skip_y);
        struct sha256_ctx *s = (struct sha256_ctx *)a->state, *t = (struct sha256_ctx *)b->state;
        size_t n_blocks = (x.len < y.len ? x.len : y.len) / SHA256_BLOCK_SIZE;
        size_t n = n_blocks * SHA256_BLOCK_SIZE;
        assert(s->index == 0 && t->index == 0);
        sw_sha256_pair(s->state, (const uint8_t *)x.ptr, t->state, (const uint8_t *)y.ptr,
                       n_blocks);
        s->count += n_blocks;
        t->count += n_blocks;
        a->n_bytes += n;
        b->n_bytes += n;
        x = sw_str_from(x, n);
        y = sw_str_from(y, n);
    }
    sw_hasher_add(a, x.ptr, x.len);
    sw_hasher_add(b, y.ptr, y.len);
}

struct sw_digest sw_hasher_finish(struct sw_hasher *h) {
    struct sw_digest d = {.alg = (uint8_t)h->alg};
    if (h->alg == SW_SHA256)
        sha256_digest((struct sha256_ctx *)h->state, SHA256_DIGEST_SIZE, d.bytes);
    else
        sha512_digest((struct sha512_ctx *)h->state, SHA512_DIGEST_SIZE, d.bytes);
    h->n_bytes = 0;
    return d;
}

struct sw_digest sw_digest_of(enum sw_digest_alg alg, struct sw_str bytes) {
    struct sw_hasher h;
    sw_hasher_init(&h, alg);
    sw_hasher_add(&h, bytes.ptr, bytes.len);
    return sw_hasher_finish(&h);
}

void sw_hmac_sha256(struct sw_str key, struct sw_str bytes, uint8_t ret_mac[32]) {
    struct hmac_sha256_ctx ctx;
    static const uint8_t none[1];
    hmac_sha256_set_key(&ctx, key.len, key.len ? (const uint8_t *)key.ptr : none);
    if (bytes.len) hmac_sha256_update(&ctx, bytes.len, (const uint8_t *)bytes.ptr);
    hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, ret_mac);
}

bool sw_bytes_eq_secret(const void *a, const void *b, size_t len) {
    return memeql_sec(a, b, len) != 0;
}
