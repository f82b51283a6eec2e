/* Reading tar archives, entry by entry, from chunks that a source lends.
 *
 * Floor 1. Pure: the source is the caller's. One thread at a time. Reads v7, ustar, pax (global
 * and local), GNU long names, base-256 numbers, GNU sparse files (old and pax 0.0, 0.1, 1.0),
 * extended attributes as SCHILY.xattr and LIBARCHIVE.xattr.
 *
 *     struct sw_tar_reader r;
 *     sw_tar_reader_init(&r, source, NULL);
 *     while (!(code = sw_tar_next(&r, &entry, err)) && entry)
 *         while (!(code = sw_tar_read(&r, &piece, err)) && piece.bytes.len) ...
 *     sw_tar_reader_done(&r);
 */
#ifndef SW_CODEC_TAR_READER_H
#define SW_CODEC_TAR_READER_H

#include "codec/tar.h"

/* Lends the next chunk of the archive: any length, an empty one at the end. A chunk must stay
 * valid until the next call. Its errors are passed on unchanged. */
struct sw_tar_source {
    enum sw_code (*next)(void *ctx, struct sw_str *ret_chunk, struct sw_error *err);
    void *ctx;
};

struct sw_tar_limits {
    uint64_t entries;  /* 0 stands for 10 million */
    size_t pax_bytes;  /* of one extended header or long name; 0 stands for SW_TAR_PAX_MAX */
    size_t sparse_map; /* regions of one sparse file; 0 stands for 1 million */
};

/* A part of a file's content, in order and without gaps. */
struct sw_tar_piece {
    uint64_t offset;     /* in the file */
    struct sw_str bytes; /* lent until the next call; empty at the end of the content */
    bool hole; /* the bytes are zeros that the archive does not store; may be seeked over */
};

struct sw_tar_reader {
    struct sw_tar_reader_state *state; /* owned, private */
};

/* limits may be NULL. */
void sw_tar_reader_init(struct sw_tar_reader *r, struct sw_tar_source source,
                        const struct sw_tar_limits *limits);
void sw_tar_reader_done(struct sw_tar_reader *r);
#define SW_TAR_READER SW_CLEANUP(sw_tar_reader_done)

/* The next entry, skipping what is left of the last one; *ret_entry is NULL at the end. Its views
 * live until the next call. entry->size is the expanded size of a sparse file. Entries of types
 * that a file system has no use for (volume labels, multi-volume parts) are SW_UNSUPPORTED.
 * SW_SYNTAX on damage, SW_CORRUPT on a wrong checksum and on an archive that stops in an entry. */
SW_NODISCARD enum sw_code sw_tar_next(struct sw_tar_reader *r,
                                      const struct sw_tar_entry **ret_entry, struct sw_error *err);
/* The next part of the entry's content; an empty one at its end (and then always). */
SW_NODISCARD enum sw_code sw_tar_read(struct sw_tar_reader *r, struct sw_tar_piece *ret_piece,
                                      struct sw_error *err);

#endif
