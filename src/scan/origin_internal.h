/* Where the documents and layers of an image come from: the store, a layout, an archive or a
 * registry.
 *
 * Floor 5. Opening layers is safe from several threads at once; reading documents uses the arena
 * and is not.
 */
#ifndef SW_SCAN_ORIGIN_INTERNAL_H
#define SW_SCAN_ORIGIN_INTERNAL_H

#include "base/map.h"
#include "oci/descriptor.h"
#include "remote/remote.h"
#include "store/store.h"

struct origin {
    struct sw_store *store; /* or */
    int dir;                /* of a layout; -1 */
    int tar;                /* of an archive; -1 */
    struct sw_map files;    /* of the archive: path -> struct extent */
    struct sw_remote *remote;
    struct sw_repository repo;
    struct sw_digest known; /* a manifest that was fetched by its tag, */
    struct sw_str known_bytes;
    struct sw_arena *a;
};

/* The bytes of one layer. From a registry they come through a socket while they are downloaded,
 * and end where it does. */
struct blob {
    int fd; /* owned */
    uint64_t offset, size;
    struct download *download; /* NULL: fd is a file */
};

void origin_done(struct origin *p);
SW_NODISCARD enum sw_code origin_open_path(struct origin *p, struct sw_str path, struct blob *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code origin_open_blob(struct origin *p, const struct sw_digest *digest,
                                           uint64_t size, struct blob *ret, struct sw_error *err);
/* Ends what opening began. so_far: how reading went; a download that failed explains more than the
 * reader that missed its bytes. */
SW_NODISCARD enum sw_code blob_close(struct blob *b, enum sw_code so_far, struct sw_error *err);
/* By path (of an archive or a layout) or digest; verified where the digest is known. Arena. */
SW_NODISCARD enum sw_code origin_document(struct origin *p, struct sw_str path,
                                          const struct sw_descriptor *d, struct sw_str *ret,
                                          struct sw_error *err);
/* A manifest or an index: registries keep those apart from blobs. */
SW_NODISCARD enum sw_code origin_manifest(struct origin *p, const struct sw_descriptor *d,
                                          struct sw_str *ret, struct sw_error *err);
/* Makes an archive readable at random: unpacked if need be, its files listed in p->files. */
SW_NODISCARD enum sw_code origin_index_archive(struct origin *p, const char *temp_dir,
                                               struct sw_error *err);

/* origin_remote.c */
SW_NODISCARD enum sw_code origin_remote_open(struct origin *p, const struct sw_digest *digest,
                                             uint64_t size, struct blob *ret, struct sw_error *err);
SW_NODISCARD enum sw_code origin_remote_close(struct blob *b, enum sw_code so_far,
                                              struct sw_error *err);
SW_NODISCARD enum sw_code origin_remote_document(struct origin *p, const struct sw_descriptor *d,
                                                 struct sw_str *ret, struct sw_error *err);

#endif
