/* Lower-case hexadecimal text.
 *
 * Floor 1. Pure.
 */
#ifndef SW_CODEC_HEX_H
#define SW_CODEC_HEX_H

#include "base/str.h"

/* Writes 2 * len digits, without a NUL. */
void sw_hex_encode(const void *bytes, size_t len, char *ret_text);
/* Reads text.len / 2 bytes. False on an odd length and on anything but digits; upper case is
 * refused unless allowed, because digests are compared as text elsewhere. */
bool sw_hex_decode(struct sw_str text, bool allow_upper, void *ret_bytes);

#endif
