/* The JSON array of the exec form.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_JSON_INTERNAL_H
#define SW_DOCKERFILE_JSON_INTERNAL_H

#include "base/arena.h"
#include "dockerfile/ast.h"

enum sw_df_json {
    SW_DF_JSON_NOT, /* not a JSON array: the instruction is in shell form */
    SW_DF_JSON_STRINGS /* an array of strings: *ret_words */,
    SW_DF_JSON_OTHERS, /* an array with something else in it, which is an error everywhere */
};
/* Reads text, which may have white space around it, by the rules of RFC 8259 as Go's encoding/json
 * takes them: malformed UTF-8 and lone surrogates become U+FFFD. */
enum sw_df_json sw_df_json_array(struct sw_arena *arena, struct sw_str text,
                                 struct sw_df_words *ret_words);

#endif
