/* build: words of option values. Floor 7. */
#ifndef SW_CMD_BUILD_WORDS_H
#define SW_CMD_BUILD_WORDS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

/* The next field of comma-separated values, as --output and --attest take them: a field in double
 * quotes may hold commas, and quotes that are written twice. *ret_more false: there is none.
 * SW_USAGE for a quote that does not end. In the arena or a view of the text. */
SW_NODISCARD enum sw_code build_csv_next(struct sw_arena *a, struct sw_str *rest,
                                         struct sw_str *ret_field, bool *ret_more,
                                         struct sw_error *err);
/* "1", "t", "true", "True" and their opposites; false for other words. */
bool build_word_bool(struct sw_str word, bool *ret);

#endif
