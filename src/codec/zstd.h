/* zstd (RFC 8878): independent frames of fixed-size blocks, and a streaming reader.
 *
 * Floor 1. Pure. Thread-safe: a workspace or a reader belongs to one thread.
 *
 * Writing. The input is cut into blocks of SW_ZSTD_BLOCK_SIZE bytes; each becomes one frame (size
 * and checksum recorded), and the frames are concatenated, which every reader accepts. The bytes
 * depend on the input, the level and the version of libzstd, which promises the same output for
 * the same version only: sw_zstd_version() is part of what names the format.
 */
#ifndef SW_CODEC_ZSTD_H
#define SW_CODEC_ZSTD_H

#include "base/error.h"
#include "codec/codec_io.h"

#define SW_ZSTD_FORMAT 1
#define SW_ZSTD_BLOCK_SIZE ((size_t)2 << 20)
#define SW_ZSTD_LEVEL_DEFAULT 3
#define SW_ZSTD_LEVEL_MIN 1
#define SW_ZSTD_LEVEL_MAX 19
/* Readers refuse frames that need a larger window: 2^27 is libzstd's own default, reached by
 * `zstd --long`, and is what a reader may have to allocate. */
#define SW_ZSTD_WINDOW_LOG_MAX 27

struct sw_zstd;

/* "1.5.4": the library in use, not the header it was compiled with. Static. */
const char *sw_zstd_version(void);

/* Level is clamped to SW_ZSTD_LEVEL_MIN.._MAX. Owned: sw_zstd_free(). */
struct sw_zstd *sw_zstd_new(int level);
void sw_zstd_free(struct sw_zstd *z);
void sw_zstd_freep(struct sw_zstd **z);
#define SW_ZSTD SW_CLEANUP(sw_zstd_freep)

/* The most bytes that a block of len bytes becomes. */
size_t sw_zstd_block_bound(size_t len);
/* Compresses a block of at most SW_ZSTD_BLOCK_SIZE bytes into one frame. out has room for
 * sw_zstd_block_bound(len). Returns the bytes written. An empty input is one empty frame. */
size_t sw_zstd_block(struct sw_zstd *z, const void *in, size_t len, uint8_t *out, size_t out_len);

/* Reading: any number of frames, skippable ones included. */
struct sw_unzstd;

/* max_output: bytes that may come out in all; one more is SW_LIMIT. Owned: sw_unzstd_free(). */
struct sw_unzstd *sw_unzstd_new(uint64_t max_output);
void sw_unzstd_free(struct sw_unzstd *u);
void sw_unzstd_freep(struct sw_unzstd **u);
#define SW_UNZSTD SW_CLEANUP(sw_unzstd_freep)
void sw_unzstd_reset(struct sw_unzstd *u, uint64_t max_output);
/* As sw_gunzip_run(). */
SW_NODISCARD enum sw_code sw_unzstd_run(struct sw_unzstd *u, struct sw_codec_io *io,
                                        struct sw_error *err);

#endif
