#include <limits.h>

#include <isa-l/igzip_lib.h>

#include "base/mem.h"
#include "codec/gzip_internal.h"

struct inflater {
    struct inflate_state state;
};

struct inflater *sw_inflater_new(void) {
    /* Zeroed: isal_inflate_init() leaves the window as it was. */
    struct inflater *i = sw_calloc(1, sizeof(*i));
    isal_inflate_init(&i->state);
    return i;
}

void sw_inflater_free(struct inflater *i) { sw_freep(&i); }

void sw_inflater_reset(struct inflater *i) { isal_inflate_reset(&i->state); }

enum inflate_status sw_inflater_run(struct inflater *i, struct sw_codec_io *io) {
    static uint8_t nothing[1];
    struct inflate_state *s = &i->state;
    uint32_t in_len = io->in_len < INT32_MAX ? (uint32_t)io->in_len : INT32_MAX;
    uint32_t out_len = io->out_len < INT32_MAX ? (uint32_t)io->out_len : INT32_MAX;
    s->next_in = in_len ? (uint8_t *)(uintptr_t)io->in : nothing;
    s->avail_in = in_len;
    s->next_out = io->out;
    s->avail_out = out_len;
    int status = isal_inflate(s);
    io->in += in_len - s->avail_in;
    io->in_len -= in_len - s->avail_in;
    io->out += out_len - s->avail_out;
    io->out_len -= out_len - s->avail_out;
    if (s->block_state == ISAL_BLOCK_FINISH) return INFLATE_END;
    return status == ISAL_DECOMP_OK || status == ISAL_END_INPUT ? INFLATE_MORE : INFLATE_BAD;
}

/* ISA-L reads 8 bytes ahead into a bit buffer. What remains of the last byte of the stream is
 * padding. */
size_t sw_inflater_surplus(struct inflater *i, uint8_t bytes[8]) {
    struct inflate_state *s = &i->state;
    uint64_t bits = s->read_in >> (s->read_in_length % 8);
    size_t n = s->read_in_length > 0 ? (size_t)s->read_in_length / 8 : 0;
    for (size_t k = 0; k < n && k < 8; k++) bytes[k] = (uint8_t)(bits >> (8 * k));
    return n;
}
