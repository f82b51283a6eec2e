/* One step of a streaming decoder: what it may read and where it may write.
 *
 * Floor 1. Pure. Plain data, borrowed for one call.
 */
#ifndef SW_CODEC_CODEC_IO_H
#define SW_CODEC_CODEC_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The decoder advances the pointers and lowers the lengths by what it used. */
struct sw_codec_io {
    const uint8_t *in; /* borrowed */
    size_t in_len;
    uint8_t *out; /* borrowed */
    size_t out_len;
    bool last; /* no input follows what `in` holds now */
    bool done; /* set by the decoder: last was given, all input was read and all output written */
};

#endif
