/* One logical line taken apart: keyword, flags, and the words after them.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_WORDS_INTERNAL_H
#define SW_DOCKERFILE_WORDS_INTERNAL_H

#include "base/error.h"
#include "dockerfile/list_internal.h"

struct sw_df_split {
    struct sw_str keyword;
    struct sw_df_words flags; /* "--name=value" without quotes and escapes */
    struct sw_str rest;       /* everything after them, without white space at the ends */
};
void sw_df_split(struct sw_arena *arena, struct sw_str line, char escape, struct sw_df_split *ret);

/* Words between white space, without regard to quotes: EXPOSE, FROM, COPY. */
struct sw_df_words sw_df_fields(struct sw_arena *arena, struct sw_str s);
/* Words in which quotes and escapes protect white space, all of it kept: ENV, LABEL, ARG. */
struct sw_df_words sw_df_raw_words(struct sw_arena *arena, struct sw_str s, char escape);
/* Cuts at the first run of white space; false where there is none. */
bool sw_df_cut_blank(struct sw_str s, struct sw_str *ret_head, struct sw_str *ret_tail);
/* The fields of one CSV record, as encoding/csv reads them. SW_SYNTAX for stray quotes. */
SW_NODISCARD enum sw_code sw_df_csv(struct sw_arena *arena, struct sw_str s,
                                    struct sw_df_words *ret, struct sw_error *err);

enum sw_df_flag_type { SW_DF_FLAG_BOOL, SW_DF_FLAG_TEXT, SW_DF_FLAG_LIST };
struct sw_df_flag {
    const char *name;
    enum sw_df_flag_type type;
    /* Filled in: */
    bool used, truth;
    struct sw_str text;
    struct sw_df_list list;
};
/* Reads flags into the n descriptions. SW_SYNTAX for unknown, repeated and malformed ones. */
SW_NODISCARD enum sw_code sw_df_flags(struct sw_arena *arena, const struct sw_df_words *words,
                                      const char *instruction, struct sw_df_flag *flags, size_t n,
                                      struct sw_error *err);

#endif
