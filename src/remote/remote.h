/* Registries as a client: manifests, blobs, tags, with authentication.
 *
 * Floor 4. Thread-safe. OCI distribution-spec 1.1; tokens as docker's, containerd's and podman's
 * token services give them. Names are oci/reference.h's: a domain and a path.
 *
 * A token is asked for when a registry wants one, kept for its lifetime, and renewed whenever a
 * request is answered with 401, also between the pieces of a long push.
 */
#ifndef SW_REMOTE_REMOTE_H
#define SW_REMOTE_REMOTE_H

#include "oci/descriptor.h"
#include "oci/reference.h"
#include "remote/config.h"

struct sw_remote;

struct sw_remote_options {
    const char *const *insecure; /* NULL-terminated hosts: certificates unchecked, http allowed */
    const struct sw_credential *credential; /* for every registry; NULL: from the files */
    bool anonymous;                         /* no credentials at all */
};
struct sw_remote *sw_remote_new(const struct sw_remote_options *options);
void sw_remote_free(struct sw_remote *r);
void sw_remote_freep(struct sw_remote **r);

/* A repository: domain and path of a reference. Strings are borrowed for the call. */
struct sw_repository {
    struct sw_str domain, path;
};
static inline struct sw_repository sw_repository_of(const struct sw_reference *ref) {
    return (struct sw_repository){ref->domain, ref->path};
}

/* Checks a credential against a registry. c->refresh_token is filled where the registry gives one
 * (arena). SW_DENIED for a wrong one. */
SW_NODISCARD enum sw_code sw_remote_login(struct sw_remote *r, struct sw_arena *a,
                                          struct sw_str domain, struct sw_credential *c,
                                          struct sw_error *err);

/* reference: a tag or a digest's text. The bytes are verified where the digest is known, and are
 * in the arena with the descriptor. Mirrors are tried first. SW_NOT_FOUND, SW_DENIED. */
SW_NODISCARD enum sw_code sw_remote_manifest_get(struct sw_remote *r, struct sw_arena *a,
                                                 struct sw_repository repo, struct sw_str reference,
                                                 struct sw_descriptor *ret_descriptor,
                                                 struct sw_str *ret_bytes, struct sw_error *err);
/* Digest, size and type alone. */
SW_NODISCARD enum sw_code sw_remote_manifest_head(struct sw_remote *r, struct sw_arena *a,
                                                  struct sw_repository repo,
                                                  struct sw_str reference,
                                                  struct sw_descriptor *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_remote_manifest_put(struct sw_remote *r, struct sw_repository repo,
                                                 struct sw_str reference, struct sw_str media_type,
                                                 struct sw_str bytes, struct sw_error *err);
/* A tag, or a manifest with its tags. */
SW_NODISCARD enum sw_code sw_remote_manifest_delete(struct sw_remote *r, struct sw_repository repo,
                                                    struct sw_str reference, struct sw_error *err);

typedef enum sw_code sw_remote_sink(void *context, const void *bytes, size_t len,
                                    struct sw_error *err);
/* Bytes of a body from an offset; *ret_len 0 at the end. */
typedef enum sw_code sw_remote_source(void *context, uint64_t offset, void *to, size_t len,
                                      size_t *ret_len, struct sw_error *err);
typedef void sw_remote_progress(void *context, uint64_t done, uint64_t total);

/* From byte start on. A broken transfer goes on where it broke, also after a new token, and at the
 * registry itself where a mirror failed. The sink hashes (SW_CORRUPT is its to say). */
SW_NODISCARD enum sw_code sw_remote_blob_get(struct sw_remote *r, struct sw_repository repo,
                                             const struct sw_digest *digest, uint64_t size,
                                             uint64_t start, sw_remote_sink *sink,
                                             void *sink_context, sw_remote_progress *progress,
                                             void *progress_context, struct sw_error *err);
SW_NODISCARD enum sw_code sw_remote_blob_exists(struct sw_remote *r, struct sw_repository repo,
                                                const struct sw_digest *digest, bool *ret,
                                                struct sw_error *err);
/* from: the path of a repository of the same registry that may have it. *ret says whether. */
SW_NODISCARD enum sw_code sw_remote_blob_mount(struct sw_remote *r, struct sw_repository repo,
                                               const struct sw_digest *digest, struct sw_str from,
                                               bool *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_remote_blob_put(struct sw_remote *r, struct sw_repository repo,
                                             const struct sw_digest *digest, uint64_t size,
                                             sw_remote_source *source, void *source_context,
                                             sw_remote_progress *progress, void *progress_context,
                                             struct sw_error *err);

/* Lists, all pages. */
SW_NODISCARD enum sw_code sw_remote_tags(struct sw_remote *r, struct sw_arena *a,
                                         struct sw_repository repo, struct sw_strs *ret,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code sw_remote_catalog(struct sw_remote *r, struct sw_arena *a,
                                            struct sw_str domain, struct sw_strs *ret,
                                            struct sw_error *err);
/* Manifests whose subject is digest; through the fallback tag where the registry lacks the API. */
SW_NODISCARD enum sw_code sw_remote_referrers(struct sw_remote *r, struct sw_arena *a,
                                              struct sw_repository repo,
                                              const struct sw_digest *digest,
                                              struct sw_str artifact_type,
                                              struct sw_descriptor **ret, size_t *ret_n,
                                              struct sw_error *err);

#endif
