/* What copying needs of a place, and what the files that implement places share. Floor 4. */
#ifndef SW_REMOTE_PLACE_INTERNAL_H
#define SW_REMOTE_PLACE_INTERNAL_H

#include "oci/index.h"
#include "remote/place.h"

#define PLACE_INDEX_MAX ((size_t)64 << 20) /* an index.json with a hundred thousand images */
#define PLACE_NESTING_MAX 8                /* indexes within indexes */

struct place_document {
    struct sw_descriptor d;
    struct sw_str bytes;
};

/* All that a copy will write, known before the first byte. */
struct place_content {
    const struct sw_descriptor *target;
    const struct place_document *documents; /* children before parents */
    size_t n_documents;
    const struct sw_descriptor *blobs; /* each once */
    size_t n_blobs;
    const struct sw_descriptor *referrers; /* among the documents */
    size_t n_referrers;
};

/* ---- place.c, place_write.c ---- */

SW_NODISCARD enum sw_code place_has_blob(const struct sw_place *p, const struct sw_digest *d,
                                         bool *ret, struct sw_error *err);
/* Manifests with this subject, of a registry, a layout or an archive. */
SW_NODISCARD enum sw_code place_referrers(const struct sw_place *p, struct sw_arena *a,
                                          const struct sw_digest *subject,
                                          struct sw_descriptor **ret, size_t *ret_n,
                                          struct sw_error *err);
/* Before anything is written. */
SW_NODISCARD enum sw_code place_prepare(const struct sw_place *to, struct sw_arena *a,
                                        const struct place_content *content, struct sw_error *err);
/* One blob from place to place; verified on the way, or by the registry that gets it. */
SW_NODISCARD enum sw_code place_transfer(const struct sw_place *from, const struct sw_place *to,
                                         const struct sw_descriptor *d,
                                         sw_remote_progress *progress, void *progress_context,
                                         struct sw_error *err);
/* A registry's blob into a file, verified. */
SW_NODISCARD enum sw_code place_download(const struct sw_place *from, const struct sw_descriptor *d,
                                         int fd, sw_remote_progress *progress,
                                         void *progress_context, struct sw_error *err);
/* A manifest, under its digest. */
SW_NODISCARD enum sw_code place_put_manifest(const struct sw_place *p,
                                             const struct place_document *document,
                                             struct sw_error *err);
/* The name of the place now means the target. */
SW_NODISCARD enum sw_code place_finish(const struct sw_place *p, struct sw_arena *a,
                                       const struct place_content *content, struct sw_error *err);

/* ---- place_layout.c ---- */

SW_NODISCARD enum sw_code layout_open(const char *path, bool create, int *ret_dir,
                                      struct sw_error *err);
SW_NODISCARD enum sw_code layout_index(int dir, struct sw_arena *a, struct sw_index *ret,
                                       struct sw_error *err);
SW_NODISCARD enum sw_code layout_blob_dir(int dir, const struct sw_digest *d, int *ret,
                                          struct sw_error *err);
SW_NODISCARD enum sw_code layout_blob_open(int dir, const struct sw_digest *d, int *ret,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code layout_tag(const struct sw_place *p, struct sw_arena *a,
                                     const struct place_content *content, struct sw_error *err);
/* The target under a name ("" for none), and its referrers without one. */
void layout_add(struct sw_arena *a, struct sw_index *index, struct sw_str name,
                const struct place_content *content);

/* ---- place_archive.c ---- */

SW_NODISCARD enum sw_code archive_open(struct sw_place *p, struct sw_arena *a, bool target,
                                       struct sw_error *err);
void archive_close(struct sw_place_archive *ar);
/* What the place's name means. */
SW_NODISCARD enum sw_code archive_find(const struct sw_place *p, struct sw_arena *a,
                                       struct sw_descriptor *ret, struct sw_error *err);
const struct sw_index *archive_index(const struct sw_place *p);
bool archive_has(const struct sw_place *p, const struct sw_digest *d);
/* A file and where in it the bytes are. */
SW_NODISCARD enum sw_code archive_blob_open(const struct sw_place *p, const struct sw_digest *d,
                                            int *ret_fd, uint64_t *ret_offset, uint64_t *ret_size,
                                            struct sw_error *err);
SW_NODISCARD enum sw_code archive_prepare(const struct sw_place *p, struct sw_arena *a,
                                          const struct place_content *content,
                                          struct sw_error *err);
/* Bytes of a blob that is being written, at an offset in it. */
SW_NODISCARD enum sw_code archive_write(const struct sw_place *p, const struct sw_digest *d,
                                        uint64_t offset, const void *bytes, size_t len,
                                        struct sw_error *err);
SW_NODISCARD enum sw_code archive_finish(const struct sw_place *p, struct sw_error *err);

#endif
