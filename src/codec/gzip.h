/* gzip (RFC 1952): one member written in independent blocks, and a streaming reader.
 *
 * Floor 1. Pure. Thread-safe: a workspace or a reader belongs to one thread; the other functions
 * keep no state.
 *
 * Writing. The input is cut into blocks of SW_GZIP_BLOCK_SIZE bytes (the last one may be shorter;
 * an empty input has no block). Each is compressed on its own, on any thread, in any order; the
 * member is header, blocks in order, trailer. The bytes depend on the input and the level only.
 *
 *     header := 10 bytes, no name, time 0, system 255
 *     block  := deflate blocks ending in an empty stored block (byte boundary)
 *     trailer := final empty deflate block, CRC-32, length mod 2^32
 */
#ifndef SW_CODEC_GZIP_H
#define SW_CODEC_GZIP_H

#include "base/error.h"
#include "codec/codec_io.h"
#include "codec/deflate.h"

/* Part of the format: changing it changes every digest. */
#define SW_GZIP_FORMAT 1
#define SW_GZIP_BLOCK_SIZE ((size_t)1 << 20)
#define SW_GZIP_HEADER_SIZE 10
#define SW_GZIP_TRAILER_SIZE 10

/* Checksum and length of a part of the input; {0, 0} for the empty part. */
struct sw_gzip_sum {
    uint32_t crc;
    uint64_t len;
};

uint32_t sw_crc32(uint32_t crc, const void *bytes, size_t len);
/* *sum becomes the sum of its own part followed by next's. */
void sw_gzip_sum_add(struct sw_gzip_sum *sum, struct sw_gzip_sum next);

/* Writes SW_GZIP_HEADER_SIZE bytes. The level is recorded as RFC 1952's XFL (fastest, best). */
void sw_gzip_header(int level, uint8_t out[SW_GZIP_HEADER_SIZE]);
/* The most bytes that a block of len bytes becomes. */
size_t sw_gzip_block_bound(size_t len);
/* Compresses a block of 1..SW_GZIP_BLOCK_SIZE bytes into out, which has room for
 * sw_gzip_block_bound(len), and reports its sum. Returns the bytes written. */
size_t sw_gzip_block(struct sw_deflate *workspace, const void *in, size_t len, uint8_t *out,
                     size_t out_len, struct sw_gzip_sum *ret_sum);
/* Writes SW_GZIP_TRAILER_SIZE bytes for the sum of all blocks. */
void sw_gzip_finish(struct sw_gzip_sum sum, uint8_t out[SW_GZIP_TRAILER_SIZE]);

/* Reading: any number of members one after another; their checksums and lengths are verified.
 * Zero bytes may follow the last member (padding of tapes and block devices); anything else after
 * a member is SW_CORRUPT. Header fields (name, comment, extra) are skipped, at most
 * SW_GZIP_HEADER_MAX bytes a member. */
#define SW_GZIP_HEADER_MAX ((size_t)256 << 10)
/* A stream of empty members costs time and gives nothing; no writer makes this many. */
#define SW_GZIP_EMPTY_MEMBERS_MAX 4096

struct sw_gunzip;

/* max_output: bytes that may come out in all; one more is SW_LIMIT. Owned: sw_gunzip_free(). About
 * 100 KiB whatever the input. */
struct sw_gunzip *sw_gunzip_new(uint64_t max_output);
void sw_gunzip_free(struct sw_gunzip *g);
void sw_gunzip_freep(struct sw_gunzip **g);
#define SW_GUNZIP SW_CLEANUP(sw_gunzip_freep)
/* Back to the start, for another stream. */
void sw_gunzip_reset(struct sw_gunzip *g, uint64_t max_output);

/* Reads and writes as much as io allows. Not an error when nothing could be done (no input, no
 * room). SW_CORRUPT: malformed, cut short (io->last), or checksums that differ; SW_LIMIT. After an
 * error, only _reset and _free may follow; what was written before it is not to be trusted. */
SW_NODISCARD enum sw_code sw_gunzip_run(struct sw_gunzip *g, struct sw_codec_io *io,
                                        struct sw_error *err);

#endif
