/* Where everything stands in an image archive, known before a byte of it is written.
 *
 * Floor 3. Pure. An archive is texts (headers, small documents, padding) with blobs between them.
 * Their sizes are known, so a plan can be written from the front into a pipe (archive_save.c) as
 * well as at any offset in any order into a file (remote/place_archive.c): both give the same
 * bytes.
 *
 *     piece: text, then the blob; the last piece is the end of the archive and has no blob
 */
#ifndef SW_STORE_ARCHIVE_PLAN_H
#define SW_STORE_ARCHIVE_PLAN_H

#include "base/buf.h"
#include "base/vec.h"
#include "codec/digest.h"

struct sw_archive_piece {
    size_t text_at, text_len; /* in the plan's text */
    uint64_t offset;          /* of the text in the archive; the blob follows it */
    struct sw_digest digest;  /* unset: no blob */
    uint64_t size;            /* of the blob */
};

struct sw_archive_plan {
    struct sw_buf text;
    SW_VEC(struct sw_archive_piece) pieces;
    uint64_t size; /* of the archive */
};
#define SW_ARCHIVE_PLAN SW_CLEANUP(sw_archive_plan_done)

struct sw_archive_blob {
    struct sw_digest digest;
    uint64_t size;
};

/* index is index.json, docker manifest.json ("" for none). blobs are sorted and made unique here.
 * plan is zeroed by the caller. */
SW_NODISCARD enum sw_code sw_archive_plan_make(struct sw_archive_plan *plan, struct sw_str index,
                                               struct sw_str docker, struct sw_archive_blob *blobs,
                                               size_t n, struct sw_error *err);
void sw_archive_plan_done(struct sw_archive_plan *plan);
/* The piece that holds a blob; NULL where the archive has no such. */
const struct sw_archive_piece *sw_archive_plan_find(const struct sw_archive_plan *plan,
                                                    const struct sw_digest *digest);

#endif
