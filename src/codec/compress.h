/* The compressions of layers behind one interface: none, gzip, zstd.
 *
 * Floor 1. Pure. Threads: a struct sw_compressor is read-only after _init and may be shared; a
 * worker or a decompressor belongs to one thread.
 *
 * Writing is laid out for a pipeline that lives in a higher room:
 *
 *     sw_compressor_init(&c, options)           once
 *     sw_compress_header(&c, out)               before the first block
 *     sw_compress_block(worker, block, out)     any thread, any order; written in order
 *     sw_compress_sum_add(&sum, part.sum)       in order
 *     sw_compress_trailer(&c, sum, out)         after the last block
 *
 * Every block but the last has exactly c.block_size bytes; an empty input has no block.
 */
#ifndef SW_CODEC_COMPRESS_H
#define SW_CODEC_COMPRESS_H

#include "base/error.h"
#include "base/str.h"
#include "codec/codec_io.h"
#include "codec/gzip.h"

enum sw_compression {
    SW_COMPRESS_NONE = 0,
    SW_COMPRESS_GZIP,
    SW_COMPRESS_ZSTD,
    SW_COMPRESS_XZ,    /* recognised, never read here */
    SW_COMPRESS_BZIP2, /* recognised, never read here */
};

/* "none", "gzip", "zstd" ... Static. */
const char *sw_compression_name(enum sw_compression kind);
/* The reverse, for options and configuration; false on any other word. */
bool sw_compression_parse(struct sw_str name, enum sw_compression *ret);
/* By the first bytes of a stream: SW_COMPRESS_MAGIC_SIZE, or fewer where it is shorter. NONE where
 * they are no known magic. */
#define SW_COMPRESS_MAGIC_SIZE 6
enum sw_compression sw_compression_detect(const void *bytes, size_t len);

#define SW_COMPRESS_LEVEL_DEFAULT (-1)
#define SW_COMPRESS_TAG_MAX 64
/* Header and trailer never have more bytes than this. */
#define SW_COMPRESS_FRAME_MAX 16

struct sw_compressor {
    enum sw_compression kind;
    int level;
    size_t block_size; /* bytes; part of the format */
    /* Names everything that decides bytes, for cache keys and provenance: "gzip/1/l1/b1048576",
     * "zstd/1/l3/b2097152/libzstd-1.5.4", "none". */
    char tag[SW_COMPRESS_TAG_MAX];
};

/* SW_USAGE: a level outside of the kind's range; SW_UNSUPPORTED: xz, bzip2. */
SW_NODISCARD enum sw_code sw_compressor_init(struct sw_compressor *c, enum sw_compression kind,
                                             int level, struct sw_error *err);

struct sw_compress_part {
    size_t len;             /* bytes written to out */
    struct sw_gzip_sum sum; /* of the input; the checksum is 0 where the kind needs none */
};

/* The most bytes that a block of len bytes becomes. */
size_t sw_compress_bound(const struct sw_compressor *c, size_t len);

struct sw_compress_worker;
/* Owned: sw_compress_worker_free(). Keeps no pointer to c. */
struct sw_compress_worker *sw_compress_worker_new(const struct sw_compressor *c);
void sw_compress_worker_free(struct sw_compress_worker *w);
void sw_compress_worker_freep(struct sw_compress_worker **w);
/* out has room for sw_compress_bound(len). Cannot fail. */
struct sw_compress_part sw_compress_block(struct sw_compress_worker *w, const void *in, size_t len,
                                          uint8_t *out, size_t out_len);
/* Return the bytes written, at most SW_COMPRESS_FRAME_MAX. */
size_t sw_compress_header(const struct sw_compressor *c, uint8_t *out);
size_t sw_compress_trailer(const struct sw_compressor *c, struct sw_gzip_sum sum, uint8_t *out);

/* Reading: the kind is found by magic; what has none passes through unchanged. */
struct sw_decompressor;
/* max_output: bytes that may come out in all; one more is SW_LIMIT. Owned: _free. */
struct sw_decompressor *sw_decompressor_new(uint64_t max_output);
void sw_decompressor_free(struct sw_decompressor *d);
void sw_decompressor_freep(struct sw_decompressor **d);
/* Reads and writes as much as io allows (see codec_io.h); the caller goes on until io->done, which
 * comes at the earliest when it has set io->last. SW_UNSUPPORTED for xz and bzip2, SW_CORRUPT,
 * SW_LIMIT. */
SW_NODISCARD enum sw_code sw_decompress(struct sw_decompressor *d, struct sw_codec_io *io,
                                        struct sw_error *err);
/* What was found; NONE until enough bytes were seen. */
enum sw_compression sw_decompressor_kind(const struct sw_decompressor *d);

#endif
