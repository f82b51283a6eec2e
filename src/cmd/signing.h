/* Keys in files, and what commands sign with them. Floor 7. */
#ifndef SW_CMD_SIGNING_H
#define SW_CMD_SIGNING_H

#include "attest/dsse.h"
#include "cmd/command.h"

#define SW_PREDICATE_DB "https://slipway.dev/attestation/advisories/v1"

/* A private key in PEM. The file must not be readable by everybody (SW_DENIED). */
SW_NODISCARD enum sw_code signing_key_read(const char *path, struct sw_key **ret,
                                           struct sw_error *err);
/* A public key, or a certificate, in PEM. */
SW_NODISCARD enum sw_code signing_public_read(const char *path, struct sw_key **ret,
                                              struct sw_error *err);
#define SIGNING_KEY SW_CLEANUP(sw_key_freep)

/* A signed statement (DSSE) about subjects; predicate is JSON. */
SW_NODISCARD enum sw_code signing_seal(struct sw_arena *a, const char *key_path,
                                       const char *predicate_type,
                                       const struct sw_statement_subject *subjects,
                                       size_t n_subjects, struct sw_str predicate,
                                       struct sw_str *ret, struct sw_error *err);
/* Whether the envelope in a file is a statement of this type by one of this key about this digest.
 * SW_DENIED where it is not, SW_NOT_FOUND where there is no file. */
SW_NODISCARD enum sw_code signing_check(struct sw_arena *a, const char *key_path,
                                        const char *envelope_path, const char *predicate_type,
                                        const struct sw_digest *digest, struct sw_error *err);

#endif
