/* Base64 (RFC 4648), both alphabets.
 *
 * Floor 1. Pure.
 */
#ifndef SW_CODEC_BASE64_H
#define SW_CODEC_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

enum sw_base64_flags {
    SW_BASE64_URL = 1 << 0,    /* - and _ in place of + and / */
    SW_BASE64_NO_PAD = 1 << 1, /* without = (as in JWT) */
};

void sw_base64_encode(struct sw_buf *out, struct sw_str bytes, unsigned flags);
/* Strict: the alphabet and the padding that flags name, no white space, unused bits zero. The
 * bytes are in the arena. SW_SYNTAX names the offending position. */
SW_NODISCARD enum sw_code sw_base64_decode(struct sw_arena *a, struct sw_str text, unsigned flags,
                                           struct sw_str *ret_bytes, struct sw_error *err);

#endif
