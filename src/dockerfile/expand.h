/* Words of a Dockerfile: quotes, escapes and variables, as BuildKit's shell lexer treats them.
 *
 * Floor 2, pure. Thread-safe as far as the environment's callback is.
 *
 * $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r}
 * ${v//p/r}; w, p and r are expanded too. Patterns know * and ? (not the newline). Input bytes that
 * are not UTF-8 come out as U+FFFD. docs/format/dockerfile.md lists the odd corners.
 */
#ifndef SW_DOCKERFILE_EXPAND_H
#define SW_DOCKERFILE_EXPAND_H

#include "base/arena.h"
#include "base/error.h"
#include "dockerfile/ast.h"

/* Where variables come from: true and *ret_value where name is set (maybe to ""). The value must
 * stay valid as long as the results of the expansion are used. */
struct sw_df_env {
    bool (*get)(void *context, struct sw_str name, struct sw_str *ret_value);
    void *context;
};

enum sw_df_lex_flags {
    SW_DF_KEEP_QUOTES = 1 << 0,   /* quotes group but stay in the result */
    SW_DF_KEEP_ESCAPES = 1 << 1,  /* the escape character stays in front of what it escapes */
    SW_DF_IGNORE_QUOTES = 1 << 2, /* quotes are ordinary characters (heredoc bodies) */
    SW_DF_KEEP_UNSET = 1 << 3,    /* an unset variable stays as it was written */
    SW_DF_NO_WORDS = 1 << 4,      /* sw_df_expand need not split */
};

struct sw_df_lex {
    struct sw_df_env env; /* .get NULL: no variable is set */
    char escape;          /* the file's escape character; 0 stands for '\\' */
    unsigned flags;
};

struct sw_df_expansion {
    struct sw_str text;       /* the word, expanded and unquoted */
    struct sw_df_words words; /* the same, split at unquoted blanks after substitution */
    struct sw_df_words used;  /* variables that were set, each once, in order of use ... */
    struct sw_df_words unset; /* ... and those that were not (UndefinedVar); the first 1,024 */
};

/* Expands one raw word or line. Results are in the arena. SW_SYNTAX `cannot expand "...": ...` for
 * an open quote or brace, an unknown modifier, an unset variable under :? and a bad pattern. */
SW_NODISCARD enum sw_code sw_df_expand(struct sw_arena *arena, const struct sw_df_lex *lex,
                                       struct sw_str word, struct sw_df_expansion *ret,
                                       struct sw_error *err);
/* The same where only the text matters. */
SW_NODISCARD enum sw_code sw_df_expand_word(struct sw_arena *arena, const struct sw_df_lex *lex,
                                            struct sw_str word, struct sw_str *ret_text,
                                            struct sw_error *err);
/* The same where the words matter (EXPOSE): appends nothing, returns a fresh list. */
SW_NODISCARD enum sw_code sw_df_expand_words(struct sw_arena *arena, const struct sw_df_lex *lex,
                                             struct sw_str word, struct sw_df_words *ret_words,
                                             struct sw_error *err);
/* Expands names and values of ENV or LABEL. All of them see lex's environment as it was before the
 * instruction: in ENV a=1 b=$a, b gets the old a. *ret_pairs is a new array of pairs->n;
 * *ret_unset, where not NULL, gets the unset variables of all of them. */
SW_NODISCARD enum sw_code sw_df_expand_pairs(struct sw_arena *arena, const struct sw_df_lex *lex,
                                             const struct sw_df_pairs *pairs,
                                             struct sw_df_pairs *ret_pairs,
                                             struct sw_df_words *ret_unset, struct sw_error *err);
/* Expands the body of a heredoc of COPY or ADD ($variables; quotes are text; the escape is always
 * a backslash). Returns the body itself where expansion is off. */
SW_NODISCARD enum sw_code sw_df_expand_heredoc(struct sw_arena *arena, struct sw_df_env env,
                                               const struct sw_df_heredoc *heredoc,
                                               struct sw_str *ret_body, struct sw_error *err);

/* An ordinary environment: names and values in order; a later value replaces an earlier one. */
struct sw_df_vars {
    struct sw_df_pair *items; /* arena; .name and .value */
    size_t n, cap;
    struct sw_arena *arena;
};
/* Sets (copies neither name nor value). */
void sw_df_vars_set(struct sw_df_vars *vars, struct sw_str name, struct sw_str value);
void sw_df_vars_unset(struct sw_df_vars *vars, struct sw_str name);
bool sw_df_vars_get(const struct sw_df_vars *vars, struct sw_str name, struct sw_str *ret_value);
/* The callback over a struct sw_df_vars. */
struct sw_df_env sw_df_vars_env(const struct sw_df_vars *vars);

#endif
