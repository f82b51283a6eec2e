/* Raw inflate for the gzip reader, over whichever library the build found.
 *
 * Floor 1, private to gzip*.c. What comes out of an inflater does not depend on the processor, so
 * the fastest one is used: ISA-L (gzip_inflate_isal.c) where present, else zlib
 * (gzip_inflate_zlib.c). docs/design/compression.md has the measurements.
 */
#ifndef SW_CODEC_GZIP_INTERNAL_H
#define SW_CODEC_GZIP_INTERNAL_H

#include "codec/codec_io.h"

struct inflater;

enum inflate_status { INFLATE_MORE, INFLATE_END, INFLATE_BAD };

struct inflater *sw_inflater_new(void);
void sw_inflater_free(struct inflater *i);
void sw_inflater_reset(struct inflater *i);
/* Reads and writes as much as io allows; io->out_len is not 0. */
enum inflate_status sw_inflater_run(struct inflater *i, struct sw_codec_io *io);
/* After INFLATE_END: bytes behind the stream that were read already. Returns their number, at
 * most 8, which a member's trailer always has. */
size_t sw_inflater_surplus(struct inflater *i, uint8_t bytes[8]);

#endif
