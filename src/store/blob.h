/* Blobs: immutable bytes, named by their digest: blobs/<algorithm>/<digits>.
 *
 * Floor 3. A writer belongs to one thread at a time; several may be open. A blob is complete and
 * named, or absent: it is written in slipway/tmp, synced, then renamed.
 */
#ifndef SW_STORE_BLOB_H
#define SW_STORE_BLOB_H

#include "codec/digest.h"
#include "store/store.h"

#define SW_BLOB_SIZE_UNKNOWN UINT64_MAX

struct sw_blob_writer {
    struct sw_store *store; /* borrowed */
    int fd;                 /* write here, or with sw_blob_write(); -1 when closed */
    bool hashing;           /* sw_blob_write() hashes (sha256) */
    uint64_t written;       /* bytes that went through sw_blob_write() */
    uint64_t flushed;       /* bytes whose writing to the device was started */
    struct sw_hasher hasher;
    char temp[80]; /* name in slipway/tmp or /partial; "" when there is none left to remove */
    bool partial;  /* the latter: what _keep leaves for the next one */
};

/* hash: whether sw_blob_write() computes the digest. Without it the caller hashes and says the
 * digest when committing; it may then also write to w->fd directly. */
SW_NODISCARD enum sw_code sw_blob_begin(struct sw_store *store, bool hash, struct sw_blob_writer *w,
                                        struct sw_error *err);
SW_NODISCARD enum sw_code sw_blob_write(struct sw_blob_writer *w, const void *bytes, size_t len,
                                        struct sw_error *err);
/* Goes on with the bytes of this digest (sha256) that an earlier writer left with sw_blob_keep() or
 * by being killed: they are hashed here, *ret_have says how many there are. Nothing says that they
 * are right until the commit has. While another process writes the same blob, this is
 * sw_blob_begin(). */
SW_NODISCARD enum sw_code sw_blob_resume(struct sw_store *store, const struct sw_digest *digest,
                                         struct sw_blob_writer *w, uint64_t *ret_have,
                                         struct sw_error *err);
/* Leaves what was written for sw_blob_resume(); one that did not begin so is aborted. */
void sw_blob_keep(struct sw_blob_writer *w);
/* Forgets what was written; the writer begins anew. */
SW_NODISCARD enum sw_code sw_blob_rewind(struct sw_blob_writer *w, struct sw_error *err);
/* Tells the kernel to start writing what the file has so far, so that the final sync is short. For
 * callers that write to w->fd; every few MiB. */
void sw_blob_flush_hint(struct sw_blob_writer *w, uint64_t written);
/* Syncs and names the blob. expected may be NULL when hashing; with hashing on it is compared
 * (SW_CORRUPT), without it is believed. size: SW_BLOB_SIZE_UNKNOWN or the exact number of bytes
 * (SW_CORRUPT). A blob that exists already is success. ret_digest, ret_size may be NULL. The
 * writer is closed in every case. */
SW_NODISCARD enum sw_code sw_blob_commit(struct sw_blob_writer *w, const struct sw_digest *expected,
                                         uint64_t size, struct sw_digest *ret_digest,
                                         uint64_t *ret_size, struct sw_error *err);
/* Removes what was not committed. Safe after commit, and on a zeroed writer with fd -1. */
void sw_blob_abort(struct sw_blob_writer *w);
#define SW_BLOB_WRITER SW_CLEANUP(sw_blob_abort)
#define SW_BLOB_WRITER_NONE                                                                        \
    { .fd = -1 }

/* Several at once: every file is synced and named, the directory is synced once. digests[i] and
 * sizes[i] as above (digests[i] unset: the computed one, which is then filled in). All writers are
 * closed; blobs named before a failure stay (they are valid). */
SW_NODISCARD enum sw_code sw_blob_commit_all(struct sw_blob_writer *const *writers, size_t n,
                                             struct sw_digest *digests, const uint64_t *sizes,
                                             struct sw_error *err);
/* A small document. ret_digest may be NULL. Nothing is written where it exists already. */
SW_NODISCARD enum sw_code sw_blob_put(struct sw_store *store, struct sw_str bytes,
                                      struct sw_digest *ret_digest, struct sw_error *err);

/* Opens for reading and pins. SW_NOT_FOUND. ret_size may be NULL. The content is not verified. */
SW_NODISCARD enum sw_code sw_blob_open(struct sw_store *store, const struct sw_digest *digest,
                                       int *ret_fd, uint64_t *ret_size, struct sw_error *err);
/* Whether it is there; pins it if so. */
bool sw_blob_exists(struct sw_store *store, const struct sw_digest *digest, uint64_t *ret_size);
/* The whole content, at most max bytes, verified against the digest (SW_CORRUPT). */
SW_NODISCARD enum sw_code sw_blob_read(struct sw_store *store, const struct sw_digest *digest,
                                       size_t max, struct sw_buf *to, struct sw_error *err);
/* Hashes the stored bytes: SW_CORRUPT where they do not match. */
SW_NODISCARD enum sw_code sw_blob_verify(struct sw_store *store, const struct sw_digest *digest,
                                         struct sw_error *err);
/* "blobs/sha256/<digits>" relative to the root, for messages and for handing on. */
void sw_blob_path(const struct sw_digest *digest, struct sw_buf *to);

#endif
