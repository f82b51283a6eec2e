/* Repositories' content as the metadata has it: blobs' links, manifests, tags, referrers.
 *
 * Floor 5. Every function runs inside the caller's transaction; results are in its arena.
 *
 * Invariants (with gc.h, they are why collecting never stops a push):
 * 1. A blob is readable in a repository only through a link in repo_blobs.
 * 2. A link to a blob raises blobs.touched in the same transaction; the collector deletes a blob
 *    only if it was not touched for the grace time and has no link, in one statement. Whoever
 *    comes second finds no row, and fails or uploads again.
 * 3. A manifest raises the links of all blobs it names in the transaction that stores it; the
 *    collector deletes a link likewise.
 * 4. A location is used once (blobs.h), so removing a file after its row can hit no other blob.
 */
#ifndef SW_REGISTRY_CONTENT_H
#define SW_REGISTRY_CONTENT_H

#include "registry/manifest.h"
#include "registry/meta.h"

SW_NODISCARD enum sw_code sw_repo_id(struct sw_tx *tx, struct sw_str name, bool create,
                                     int64_t now_s, int64_t *ret, struct sw_error *err);

struct sw_blob_row {
    int64_t size, touched;
    struct sw_str location;
};
/* SW_NOT_FOUND where the repository has no link to it. */
SW_NODISCARD enum sw_code sw_blob_find(struct sw_tx *tx, struct sw_str repo,
                                       const struct sw_digest *d, struct sw_blob_row *ret,
                                       struct sw_error *err);
/* A client that found it there will refer to it soon: keeps the collector away. */
SW_NODISCARD enum sw_code sw_blob_touch(struct sw_tx *tx, struct sw_str repo,
                                        const struct sw_digest *d, int64_t now_s,
                                        struct sw_error *err);
/* A sealed upload becomes a blob of the repository. *ret_used is false where the registry had the
 * digest already: the caller then removes the location after the commit. */
SW_NODISCARD enum sw_code sw_blob_add(struct sw_tx *tx, int64_t repo, const struct sw_digest *d,
                                      uint64_t size, struct sw_str location, int64_t now_s,
                                      bool *ret_used, struct sw_error *err);
/* Links a blob that exists. from NULL: from anywhere (the caller may pull where it is).
 * SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_blob_mount(struct sw_tx *tx, int64_t repo, const struct sw_digest *d,
                                        int64_t now_s, struct sw_error *err);
/* Repositories that have a link to it, for mounts without a source. Names in the arena. */
SW_NODISCARD enum sw_code sw_blob_repos(struct sw_tx *tx, const struct sw_digest *d, size_t max,
                                        struct sw_sql_rows *ret, struct sw_error *err);
/* SW_NOT_FOUND; SW_BUSY where a manifest of the repository needs it. */
SW_NODISCARD enum sw_code sw_blob_unlink(struct sw_tx *tx, struct sw_str repo,
                                         const struct sw_digest *d, struct sw_error *err);
SW_NODISCARD enum sw_code sw_repo_bytes(struct sw_tx *tx, int64_t repo, int64_t *ret,
                                        struct sw_error *err);

struct sw_manifest_row {
    struct sw_str digest, media_type;
    struct sw_str body; /* empty where with_body was false */
    int64_t size;
};
/* reference: a tag, or the text of a digest. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_manifest_find(struct sw_tx *tx, struct sw_str repo,
                                           struct sw_str reference, bool with_body,
                                           struct sw_manifest_row *ret, struct sw_error *err);
/* SW_NOT_FOUND names what the manifest refers to and the repository lacks. */
SW_NODISCARD enum sw_code sw_manifest_add(struct sw_tx *tx, int64_t repo, const struct sw_pushed *p,
                                          struct sw_str body, struct sw_str account, int64_t now_s,
                                          struct sw_error *err);
/* What a tag points to now; empty where it does not exist. */
SW_NODISCARD enum sw_code sw_tag_get(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                                     struct sw_str *ret_digest, struct sw_error *err);
SW_NODISCARD enum sw_code sw_tag_set(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                                     const struct sw_digest *d, int64_t now_s,
                                     struct sw_error *err);
/* SW_NOT_FOUND. *ret_digest is what it pointed to. */
SW_NODISCARD enum sw_code sw_tag_delete(struct sw_tx *tx, int64_t repo, struct sw_str tag,
                                        struct sw_str *ret_digest, struct sw_error *err);
/* Tags of a manifest; then the manifest with its tags goes. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_manifest_tags(struct sw_tx *tx, int64_t repo, struct sw_str digest,
                                           struct sw_sql_rows *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_manifest_delete(struct sw_tx *tx, int64_t repo, struct sw_str digest,
                                             struct sw_error *err);
/* One column: names after last, in byte order. */
SW_NODISCARD enum sw_code sw_tags_page(struct sw_tx *tx, int64_t repo, struct sw_str last, size_t n,
                                       struct sw_sql_rows *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_repos_page(struct sw_tx *tx, struct sw_str last, size_t n,
                                        struct sw_sql_rows *ret, struct sw_error *err);
/* digest, artifact type, descriptor; in byte order of the digests after last. artifact_type "":
 * all. */
SW_NODISCARD enum sw_code sw_referrers_page(struct sw_tx *tx, struct sw_str repo,
                                            struct sw_str subject, struct sw_str artifact_type,
                                            struct sw_str last, size_t n, struct sw_sql_rows *ret,
                                            struct sw_error *err);

#endif
