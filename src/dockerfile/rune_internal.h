/* UTF-8 and the character classes that the language uses, as Go defines them.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_RUNE_INTERNAL_H
#define SW_DOCKERFILE_RUNE_INTERNAL_H

#include "base/buf.h"
#include "base/str.h"

#define SW_RUNE_BAD 0xFFFDu  /* what a malformed byte decodes to */
#define SW_RUNE_MARK 0xFEFFu /* the byte order mark */

/* Decodes one rune at s (not empty) and says how many bytes it takes: 1 for a malformed byte, as
 * for overlong forms, surrogates and what lies above U+10FFFF. */
uint32_t sw_rune_decode(struct sw_str s, size_t *ret_len);
/* Appends the rune in UTF-8. */
void sw_rune_add(struct sw_buf *buf, uint32_t rune);

bool sw_rune_is_space(uint32_t rune);
bool sw_rune_is_letter(uint32_t rune);
bool sw_rune_is_digit(uint32_t rune);

/* Trims white space, beyond ASCII too, as strings.TrimSpace. */
struct sw_str sw_rune_trim(struct sw_str s);
struct sw_str sw_rune_trim_left(struct sw_str s);

#endif
