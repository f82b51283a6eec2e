/* Signed attestations: DSSE envelopes around in-toto statements.
 *
 * Floor 4. Pure but for the keys. The envelope: https://github.com/secure-systems-lab/dsse; the
 * statement: in-toto attestation framework, version 1 (and 0.1, which older tools write).
 */
#ifndef SW_ATTEST_DSSE_H
#define SW_ATTEST_DSSE_H

#include "attest/key.h"
#include "codec/digest.h"

#define SW_MT_DSSE "application/vnd.dsse.envelope.v1+json"
#define SW_MT_STATEMENT "application/vnd.in-toto+json" /* what the envelope says it holds */
#define SW_ATTEST_SIGNATURES_MAX 16
#define SW_ATTEST_BYTES_MAX ((size_t)16 << 20) /* an SBOM of a large image */

struct sw_statement {
    struct sw_str predicate_type;
    const struct sw_json *predicate; /* NULL where there is none */
    const struct sw_json *subjects;  /* the array */
};

/* The bytes that are signed: DSSEv1 SP len SP type SP len SP body. */
struct sw_str sw_dsse_pae(struct sw_arena *a, struct sw_str type, struct sw_str body);
/* SW_OK where at least one signature is by one of the keys; *ret is what was signed. SW_DENIED
 * where none is, SW_SYNTAX for what is not an envelope around a statement. */
SW_NODISCARD enum sw_code sw_dsse_open(struct sw_arena *a, struct sw_str envelope,
                                       struct sw_key *const *keys, size_t n_keys,
                                       struct sw_statement *ret, struct sw_error *err);
/* Whether one of the statement's subjects has this digest. */
bool sw_statement_is_about(const struct sw_statement *s, const struct sw_digest *digest);
struct sw_statement_subject {
    struct sw_str name;
    struct sw_digest digest;
};
/* A statement (in-toto attestation framework, version 1). predicate: JSON. Arena. */
SW_NODISCARD enum sw_code sw_statement_write(struct sw_arena *a, const char *predicate_type,
                                             const struct sw_statement_subject *subjects,
                                             size_t n_subjects, struct sw_str predicate,
                                             struct sw_str *ret, struct sw_error *err);
/* An envelope with one signature. */
SW_NODISCARD enum sw_code sw_dsse_seal(struct sw_arena *a, struct sw_str type, struct sw_str body,
                                       const struct sw_key *key, struct sw_str *ret_envelope,
                                       struct sw_error *err);

#endif
