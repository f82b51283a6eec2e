#include "attest/key.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/hex.h"
#include "net/gnutls_api.h"

#define RSA_BITS_MIN 2048
#define JWK_MAX ((size_t)64 << 10)

struct sw_key {
    enum sw_key_alg alg;
    gnutls_pubkey_t public;
    gnutls_privkey_t private; /* NULL for a public key alone */
    char id[65];
};

void sw_key_free(struct sw_key *k) {
    if (!k) return;
    if (k->public) gnutls_pubkey_deinit(k->public);
    if (k->private) gnutls_privkey_deinit(k->private);
    free(k);
}
void sw_key_freep(struct sw_key **k) {
    sw_key_free(*k);
    *k = NULL;
}
enum sw_key_alg sw_key_alg(const struct sw_key *k) { return k->alg; }
struct sw_str sw_key_id(const struct sw_key *k) {
    return sw_str_n(k->id, 64);
}
const char *sw_key_alg_name(enum sw_key_alg alg) {
    static const char *const names[] = {"", "EdDSA", "ES256", "ES384", "RS256"};
    return names[alg];
}

static gnutls_datum_t datum(struct sw_str s) {
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)s.ptr, (unsigned)s.len};
}

static enum sw_code tls_fail(struct sw_error *err, int rc, const char *what) {
    return sw_fail(err, SW_SYNTAX, "%s: %s", what, gnutls_strerror(rc));
}

/* Which algorithm this key may be used with: exactly one, so that a token's header cannot choose.
 */
static enum sw_code settle(struct sw_key *k, struct sw_error *err) {
    unsigned bits = 0;
    int pk = gnutls_pubkey_get_pk_algorithm(k->public, &bits);
    unsigned char id[32];
    size_t id_len = sizeof id;
    if (pk == GNUTLS_PK_EDDSA_ED25519)
        k->alg = SW_KEY_EDDSA;
    else if (pk == GNUTLS_PK_ECDSA && bits == 256)
        k->alg = SW_KEY_ES256;
    else if (pk == GNUTLS_PK_ECDSA && bits == 384)
        k->alg = SW_KEY_ES384;
    else if (pk == GNUTLS_PK_RSA && bits >= RSA_BITS_MIN)
        k->alg = SW_KEY_RS256;
    else
        return sw_fail(err, SW_UNSUPPORTED, "a key of kind %s with %u bits is not supported",
                       gnutls_pk_algorithm_get_name(pk), bits);
    int rc = gnutls_pubkey_get_key_id(k->public, GNUTLS_KEYID_USE_SHA256, id, &id_len);
    if (rc < 0) return tls_fail(err, rc, "naming a key");
    sw_hex_encode(id, sizeof id, k->id);
    return SW_OK;
}

static enum sw_code key_new(struct sw_key **ret, struct sw_error *err) {
    struct sw_key *k = sw_calloc(1, sizeof *k);
    int rc = gnutls_pubkey_init(&k->public);
    if (rc < 0) {
        free(k);
        return tls_fail(err, rc, "making a key");
    }
    *ret = k;
    return SW_OK;
}

/* Takes a private key in this form apart; the public half comes from it. */
static enum sw_code import_private(struct sw_key *k, gnutls_datum_t bytes,
                                   gnutls_x509_crt_fmt_t form, struct sw_error *err) {
    gnutls_x509_privkey_t x = NULL;
    int rc = gnutls_privkey_init(&k->private);
    if (rc >= 0) rc = gnutls_x509_privkey_init(&x);
    if (rc >= 0) rc = gnutls_x509_privkey_import2(x, &bytes, form, NULL, 0);
    if (rc >= 0) rc = gnutls_privkey_import_x509(k->private, x, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
    if (rc < 0 && x) gnutls_x509_privkey_deinit(x);
    if (rc >= 0) rc = gnutls_pubkey_import_privkey(k->public, k->private, 0, 0);
    return rc < 0 ? tls_fail(err, rc, "reading a signing key") : settle(k, err);
}

/* An Ed25519 key in PKCS #8 is this and its 32 bytes (RFC 8410); GnuTLS derives the public point
 * only from that form. */
static const unsigned char pkcs8_head[16] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                             0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

enum sw_code sw_key_from_seed(struct sw_str seed, struct sw_key **ret, struct sw_error *err) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = NULL;
    if (seed.len != SW_ED25519_SEED)
        return sw_fail(err, SW_CORRUPT, "an Ed25519 seed of %zu bytes", seed.len);
    enum sw_code code = key_new(&k, err);
    if (code) return code;
    unsigned char der[sizeof pkcs8_head + SW_ED25519_SEED];
    memcpy(der, pkcs8_head, sizeof pkcs8_head);
    memcpy(der + sizeof pkcs8_head, seed.ptr, SW_ED25519_SEED);
    code = import_private(k, (gnutls_datum_t){der, sizeof der}, GNUTLS_X509_FMT_DER, err);
    explicit_bzero(der, sizeof der);
    if (code) return code;
    *ret = k;
    k = NULL;
    return SW_OK;
}

enum sw_code sw_key_private_from_pem(struct sw_str pem, struct sw_key **ret, struct sw_error *err) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = NULL;
    if (sw_str_find(pem, SW_STR("ENCRYPTED")) != SIZE_MAX)
        return sw_fail(err, SW_UNSUPPORTED, "the signing key is encrypted: decrypt it first");
    if (sw_str_find(pem, SW_STR("PRIVATE KEY-----")) == SIZE_MAX)
        return sw_fail(err, SW_SYNTAX, "not a private key in PEM");
    enum sw_code code = key_new(&k, err);
    if (!code) code = import_private(k, datum(pem), GNUTLS_X509_FMT_PEM, err);
    if (code) return code;
    *ret = k;
    k = NULL;
    return SW_OK;
}

struct sw_str sw_key_seed_pem(struct sw_arena *a, const uint8_t seed[SW_ED25519_SEED]) {
    char der[sizeof pkcs8_head + SW_ED25519_SEED];
    struct sw_buf b;
    memcpy(der, pkcs8_head, sizeof pkcs8_head);
    memcpy(der + sizeof pkcs8_head, seed, SW_ED25519_SEED);
    sw_buf_init(&b, 128);
    sw_base64_encode(&b, sw_str_n(der, sizeof der), 0);
    struct sw_str pem =
        sw_arena_printf(a, "-----BEGIN PRIVATE KEY-----\n%.*s\n-----END PRIVATE KEY-----\n",
                        SW_ARG(sw_buf_str(&b)));
    explicit_bzero(der, sizeof der);
    explicit_bzero(b.ptr, b.len);
    sw_buf_done(&b);
    return pem;
}

enum sw_code sw_key_public_pem(const struct sw_key *k, struct sw_arena *a, struct sw_str *ret,
                               struct sw_error *err) {
    gnutls_datum_t pem = {0};
    int rc = gnutls_pubkey_export2(k->public, GNUTLS_X509_FMT_PEM, &pem);
    if (rc < 0) return tls_fail(err, rc, "writing a public key");
    *ret = sw_arena_str(a, sw_str_n((char *)pem.data, pem.size));
    gnutls_free(pem.data);
    return SW_OK;
}

enum sw_code sw_key_from_pem(struct sw_str pem, struct sw_key **ret, struct sw_error *err) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = NULL;
    gnutls_datum_t text = datum(pem);
    enum sw_code code = key_new(&k, err);
    if (code) return code;
    int rc = gnutls_pubkey_import(k->public, &text, GNUTLS_X509_FMT_PEM);
    if (rc < 0) rc = gnutls_pubkey_import_x509_raw(k->public, &text, GNUTLS_X509_FMT_PEM, 0);
    if (rc < 0) return tls_fail(err, rc, "reading a public key");
    code = settle(k, err);
    if (code) return code;
    *ret = k;
    k = NULL;
    return SW_OK;
}

/* A member of a JWK: base64url without padding. */
static enum sw_code member(const struct sw_json *jwk, struct sw_arena *a, const char *name,
                           struct sw_str *ret, struct sw_error *err) {
    struct sw_str text;
    enum sw_code code = sw_json_need_str(jwk, name, &text, err);
    if (code) return code;
    return sw_base64_decode(a, text, SW_BASE64_URL | SW_BASE64_NO_PAD, ret, err);
}

static enum sw_code import_jwk(struct sw_key *k, const struct sw_json *jwk, struct sw_arena *a,
                               struct sw_error *err) {
    struct sw_str kty, crv = {0}, x, y;
    int rc;
    enum sw_code code = sw_json_need_str(jwk, "kty", &kty, err);
    if (!code) code = sw_json_opt_str(jwk, "crv", &crv, err);
    if (code) return code;
    if (sw_str_is(kty, "RSA")) {
        code = member(jwk, a, "n", &x, err);
        if (!code) code = member(jwk, a, "e", &y, err);
        if (code) return code;
        gnutls_datum_t n = datum(x), e = datum(y);
        rc = gnutls_pubkey_import_rsa_raw(k->public, &n, &e);
    } else if (sw_str_is(kty, "EC") && (sw_str_is(crv, "P-256") || sw_str_is(crv, "P-384"))) {
        code = member(jwk, a, "x", &x, err);
        if (!code) code = member(jwk, a, "y", &y, err);
        if (code) return code;
        gnutls_datum_t dx = datum(x), dy = datum(y);
        rc = gnutls_pubkey_import_ecc_raw(k->public,
                                          sw_str_is(crv, "P-256") ? GNUTLS_ECC_CURVE_SECP256R1
                                                                  : GNUTLS_ECC_CURVE_SECP384R1,
                                          &dx, &dy);
    } else if (sw_str_is(kty, "OKP") && sw_str_is(crv, "Ed25519")) {
        code = member(jwk, a, "x", &x, err);
        if (code) return code;
        gnutls_datum_t dx = datum(x);
        rc = gnutls_pubkey_import_ecc_raw(k->public, GNUTLS_ECC_CURVE_ED25519, &dx, NULL);
    } else {
        return sw_fail(err, SW_UNSUPPORTED, "a key of type %.*s %.*s is not supported", SW_ARG(kty),
                       SW_ARG(crv));
    }
    return rc < 0 ? tls_fail(err, rc, "reading a JSON web key") : SW_OK;
}

enum sw_code sw_key_from_jwk(const struct sw_json *jwk, struct sw_key **ret, struct sw_error *err) {
    struct sw_key *k SW_CLEANUP(sw_key_freep) = NULL;
    struct sw_arena a SW_ARENA = {0};
    sw_arena_init(&a, JWK_MAX);
    enum sw_code code = key_new(&k, err);
    if (!code) code = import_jwk(k, jwk, &a, err);
    if (!code) code = settle(k, err);
    if (code) return code;
    *ret = k;
    k = NULL;
    return SW_OK;
}

enum sw_code sw_key_public_raw(const struct sw_key *k, uint8_t ret[32], struct sw_error *err) {
    gnutls_datum_t x = {0};
    gnutls_ecc_curve_t curve;
    int rc = gnutls_pubkey_export_ecc_raw(k->public, &curve, &x, NULL);
    if (rc < 0) return tls_fail(err, rc, "writing a public key");
    bool fits = x.size == 32;
    if (fits) memcpy(ret, x.data, 32);
    gnutls_free(x.data);
    return fits ? SW_OK : sw_fail(err, SW_UNSUPPORTED, "not an Ed25519 key");
}

static gnutls_sign_algorithm_t sign_algorithm(enum sw_key_alg alg) {
    switch (alg) {
    case SW_KEY_EDDSA:
        return GNUTLS_SIGN_EDDSA_ED25519;
    case SW_KEY_ES256:
        return GNUTLS_SIGN_ECDSA_SHA256;
    case SW_KEY_ES384:
        return GNUTLS_SIGN_ECDSA_SHA384;
    default:
        return GNUTLS_SIGN_RSA_SHA256;
    }
}

enum sw_code sw_key_sign(const struct sw_key *k, struct sw_arena *a, struct sw_str bytes,
                         struct sw_str *ret_signature, struct sw_error *err) {
    gnutls_datum_t data = datum(bytes), sig = {0};
    if (!k->private) return sw_fail(err, SW_UNSUPPORTED, "signing needs a private key");
    int rc = gnutls_privkey_sign_data2(k->private, sign_algorithm(k->alg), 0, &data, &sig);
    if (rc < 0) return tls_fail(err, rc, "signing");
    *ret_signature = sw_arena_str(a, sw_str_n((char *)sig.data, sig.size));
    gnutls_free(sig.data);
    return SW_OK;
}

enum sw_code sw_key_verify(const struct sw_key *k, struct sw_str bytes, struct sw_str signature,
                           bool jose, struct sw_error *err) {
    gnutls_datum_t data = datum(bytes), sig = datum(signature), der = {0};
    bool ecdsa = k->alg == SW_KEY_ES256 || k->alg == SW_KEY_ES384;
    int rc = 0;
    if (jose && ecdsa) {
        unsigned half = k->alg == SW_KEY_ES256 ? 32 : 48;
        if (signature.len != 2 * half)
            return sw_fail(err, SW_DENIED, "the signature has a wrong size");
        gnutls_datum_t r = {sig.data, half}, s = {sig.data + half, half};
        rc = gnutls_encode_rs_value(&der, &r, &s);
        sig = der;
    }
    if (rc >= 0) rc = gnutls_pubkey_verify_data2(k->public, sign_algorithm(k->alg), 0, &data, &sig);
    gnutls_free(der.data);
    return rc < 0 ? sw_fail(err, SW_DENIED, "the signature does not verify") : SW_OK;
}
