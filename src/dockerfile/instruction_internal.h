/* From one logical line to a typed instruction.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_INSTRUCTION_INTERNAL_H
#define SW_DOCKERFILE_INSTRUCTION_INTERNAL_H

#include "dockerfile/line_internal.h"

/* Reads the instruction of a line, and the bodies of its heredocs from the reader. Fills in
 * everything but stages. Errors have their line in front. */
SW_NODISCARD enum sw_code sw_df_parse_instruction(struct sw_df_reader *reader,
                                                  const struct sw_df_line *line,
                                                  struct sw_df_instruction *ret,
                                                  struct sw_error *err);

/* The description of a name in the comments above: "NAME what it is for"; NULL where none. */
struct sw_str sw_df_description(const struct sw_df_words *comments, struct sw_str name);

#endif
