/* From bytes to logical lines: directives, comments, continuations, heredoc bodies.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_LINE_INTERNAL_H
#define SW_DOCKERFILE_LINE_INTERNAL_H

#include "base/buf.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/parse.h"

/* One pass over a file. Set arena, name and source, and escape to '\\'; done by _done. */
struct sw_df_reader {
    struct sw_arena *arena;
    struct sw_str name, source;
    size_t at;     /* bytes of source read */
    uint32_t line; /* lines read */
    char escape;
    bool directives_over; /* something else than a directive was seen */
    struct sw_df_directive *directives;
    size_t n_directives, cap_directives;
    struct sw_df_remark *remarks; /* lines that end an instruction with an empty continuation */
    size_t n_remarks, cap_remarks;
    struct sw_df_list comments; /* above the next instruction */
};

/* An instruction's text with its continuation lines joined. */
struct sw_df_line {
    struct sw_str text; /* without white space in front; arena */
    struct sw_df_words comments;
    size_t offset; /* of its first line in the source */
    uint32_t line, end_line, column;
};

/* Reads up to the end of the next instruction's line; *ret_more is false at the end of the file. */
SW_NODISCARD enum sw_code sw_df_read_line(struct sw_df_reader *reader, struct sw_df_line *ret,
                                          bool *ret_more, struct sw_error *err);
/* Reads the body of a heredoc whose name and chomp are set, and its terminator. Errors have no line
 * in front. */
SW_NODISCARD enum sw_code sw_df_read_heredoc(struct sw_df_reader *reader,
                                             struct sw_df_heredoc *heredoc, struct sw_error *err);

/* Splits "name = value" of a comment (without its sign and the blanks after that). */
bool sw_df_split_directive(struct sw_str s, struct sw_str *ret_name, struct sw_str *ret_value);

/* Prepends "Dockerfile:7: ". */
enum sw_code sw_df_at_line(struct sw_error *err, struct sw_str name, uint32_t line);

/* Finds "<<EOF" words. words: the raw words of a line; one heredoc from one word, false where it is
 * none. Bodies are not filled in. */
SW_NODISCARD enum sw_code sw_df_heredoc_word(struct sw_arena *arena, struct sw_str word,
                                             struct sw_df_heredoc *ret, bool *ret_found,
                                             struct sw_error *err);
SW_NODISCARD enum sw_code sw_df_heredocs_in(struct sw_arena *arena, struct sw_str line,
                                            struct sw_df_heredoc **ret, size_t *ret_n,
                                            struct sw_error *err);

#endif
