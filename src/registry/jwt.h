/* JSON Web Tokens: ours, signed with Ed25519, and those of CI systems (OIDC).
 *
 * Floor 5, pure but for the keys. RFC 7515, RFC 7519. The algorithm is that of the key, never what
 * the token's header asks for; "none" and HMAC do not exist here.
 */
#ifndef SW_REGISTRY_JWT_H
#define SW_REGISTRY_JWT_H

#include "attest/key.h"

#define SW_JWT_SKEW_S 60 /* clocks of two machines may differ by this much */

struct sw_jwt {
    struct sw_str alg, kid;       /* kid may be empty */
    struct sw_str signing_input;  /* view of the text */
    struct sw_str signature;      /* arena */
    const struct sw_json *claims; /* arena */
};

/* Splits and decodes; nothing is verified. SW_SYNTAX, SW_LIMIT. */
SW_NODISCARD enum sw_code sw_jwt_parse(struct sw_arena *a, struct sw_str text, struct sw_jwt *ret,
                                       struct sw_error *err);
/* The signature, and that the header names this key's algorithm. SW_DENIED. */
SW_NODISCARD enum sw_code sw_jwt_verify(const struct sw_jwt *jwt, const struct sw_key *key,
                                        struct sw_error *err);
/* exp (required), nbf and iat against the clock; iss and aud (which may be a list) against what is
 * expected. SW_DENIED. */
SW_NODISCARD enum sw_code sw_jwt_check(const struct sw_jwt *jwt, struct sw_str issuer,
                                       struct sw_str audience, int64_t now_s, struct sw_error *err);
/* A token with these claims (JSON text). */
SW_NODISCARD enum sw_code sw_jwt_sign(struct sw_arena *a, struct sw_str claims,
                                      const struct sw_key *key, struct sw_str *ret,
                                      struct sw_error *err);

#endif
