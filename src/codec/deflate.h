/* A deflate (RFC 1951) encoder whose bytes depend on its input and its level, and on nothing else.
 *
 * Floor 1. Pure. Thread-safe: each thread has its own workspace.
 *
 * Layers are named by the digest of their compressed bytes, so the encoder is ours: a library may
 * find better matches in its next version, or on a processor with wider registers, and every
 * digest would change. This one is portable integer C, and SW_DEFLATE_FORMAT changes whenever its
 * output does (docs/format/layer-compression.md; a unit test pins the digests).
 */
#ifndef SW_CODEC_DEFLATE_H
#define SW_CODEC_DEFLATE_H

#include <stdbool.h>

#include "base/error.h"
#include "codec/codec_io.h"

/* The version of the bytes that this encoder writes. */
#define SW_DEFLATE_FORMAT 1

/* 0 stores, 1 is meant for layers (fast), 2 to 9 search longer for matches. */
#define SW_DEFLATE_LEVEL_MAX 9
#define SW_DEFLATE_LEVEL_DEFAULT 1

/* Inputs of one call, in bytes. Positions are kept in 32 bits; nothing needs more. */
#define SW_DEFLATE_INPUT_MAX ((size_t)1 << 30)

struct sw_deflate; /* workspace of one thread and one level */

/* Level is clamped to 0..9. Owned: sw_deflate_free(). Level 1 takes about 300 KiB, levels 2 to 9
 * about 550 KiB, whatever the input. */
struct sw_deflate *sw_deflate_new(int level);
void sw_deflate_free(struct sw_deflate *d);
void sw_deflate_freep(struct sw_deflate **d);
#define SW_DEFLATE SW_CLEANUP(sw_deflate_freep)

/* The most bytes that len bytes of input become. */
size_t sw_deflate_bound(size_t len);

/* Compresses in[0..len) without any reference to earlier input, ending on a byte boundary: with
 * an empty stored block (last = false), so that outputs may be concatenated, or with the end of
 * the stream (last = true). Returns the bytes written. Asserts len <= SW_DEFLATE_INPUT_MAX and
 * out_len >= sw_deflate_bound(len). in may be NULL where len is 0. */
size_t sw_deflate_block(struct sw_deflate *d, const void *in, size_t len, bool last, void *out,
                        size_t out_len);

#endif
