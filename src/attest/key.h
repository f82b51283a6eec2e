/* Keys that sign and verify: Ed25519, ECDSA and RSA, over GnuTLS.
 *
 * Floor 4. A key may be used by several threads at once.
 */
#ifndef SW_ATTEST_KEY_H
#define SW_ATTEST_KEY_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"

#define SW_ED25519_SEED 32

/* The names are those of JSON Web Algorithms (RFC 7518, RFC 8037). */
enum sw_key_alg { SW_KEY_EDDSA = 1, SW_KEY_ES256, SW_KEY_ES384, SW_KEY_RS256 };

struct sw_key;

/* An Ed25519 pair from its 32 secret bytes. */
SW_NODISCARD enum sw_code sw_key_from_seed(struct sw_str seed, struct sw_key **ret,
                                           struct sw_error *err);
/* A pair from PEM without a password: PKCS #8 ("BEGIN PRIVATE KEY"), as `openssl genpkey` and
 * sw_key_seed_pem() write it, or the older forms for ECDSA and RSA. */
SW_NODISCARD enum sw_code sw_key_private_from_pem(struct sw_str pem, struct sw_key **ret,
                                                  struct sw_error *err);
/* The secret bytes of an Ed25519 pair as PKCS #8 in PEM. Arena; wipe it after use. */
struct sw_str sw_key_seed_pem(struct sw_arena *a, const uint8_t seed[SW_ED25519_SEED]);
/* The public half as PEM ("BEGIN PUBLIC KEY"). */
SW_NODISCARD enum sw_code sw_key_public_pem(const struct sw_key *k, struct sw_arena *a,
                                            struct sw_str *ret, struct sw_error *err);
/* A public key in PEM ("BEGIN PUBLIC KEY", or a certificate's). */
SW_NODISCARD enum sw_code sw_key_from_pem(struct sw_str pem, struct sw_key **ret,
                                          struct sw_error *err);
/* A public key as JSON (RFC 7517): OKP Ed25519, EC P-256 and P-384, RSA of 2048 bits and more. */
SW_NODISCARD enum sw_code sw_key_from_jwk(const struct sw_json *jwk, struct sw_key **ret,
                                          struct sw_error *err);
void sw_key_free(struct sw_key *k);
void sw_key_freep(struct sw_key **k);

enum sw_key_alg sw_key_alg(const struct sw_key *k);
/* "EdDSA", "ES256" ... Static. */
const char *sw_key_alg_name(enum sw_key_alg alg);
/* SHA-256 of the public key's DER form, in hexadecimal: its name. 64 characters. */
struct sw_str sw_key_id(const struct sw_key *k);
/* The 32 public bytes of an Ed25519 key. */
SW_NODISCARD enum sw_code sw_key_public_raw(const struct sw_key *k, uint8_t ret[32],
                                            struct sw_error *err);

/* Only for pairs. The signature (64 bytes) is in the arena. */
SW_NODISCARD enum sw_code sw_key_sign(const struct sw_key *k, struct sw_arena *a,
                                      struct sw_str bytes, struct sw_str *ret_signature,
                                      struct sw_error *err);
/* SW_DENIED where the signature is not of these bytes with this key. jose: an ECDSA signature is
 * two numbers side by side (RFC 7515), otherwise DER. */
SW_NODISCARD enum sw_code sw_key_verify(const struct sw_key *k, struct sw_str bytes,
                                        struct sw_str signature, bool jose, struct sw_error *err);

#endif
