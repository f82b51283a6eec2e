/* From the bytes of a Dockerfile to stages and typed instructions.
 *
 * Floor 2, pure. Thread-safe: everything lives in the caller's arena.
 *
 * Accepts what BuildKit's frontend accepts: parser directives (syntax, escape, check), a byte order
 * mark, CRLF, continuation lines with comments and blank lines between them, heredocs, JSON and
 * shell forms (JSON that does not parse is shell form), global ARGs. See docs/format/dockerfile.md.
 */
#ifndef SW_DOCKERFILE_PARSE_H
#define SW_DOCKERFILE_PARSE_H

#include "base/arena.h"
#include "base/error.h"
#include "dockerfile/ast.h"

struct sw_df_stage {
    size_t index;                         /* number of the FROM, from 0; what --from=0 means */
    struct sw_str name;                   /* lower case; .ptr NULL where it has none */
    struct sw_str comment;                /* its description in the comment above; NULL if none */
    const struct sw_df_instruction *from; /* its FROM instruction */
    const struct sw_df_instruction *body; /* the instructions after it */
    size_t n_body;
};

struct sw_df_directive {
    struct sw_str name; /* lower case: "syntax", "escape", "check" */
    struct sw_str value;
    uint32_t line;
};

/* Something that the grammar allows but that a check reports (NoEmptyContinuation). */
struct sw_df_remark {
    uint32_t line;
};

struct sw_dockerfile {
    struct sw_str name;   /* for messages: "Dockerfile" */
    struct sw_str source; /* the bytes that were parsed (borrowed) */
    char escape;          /* '\\' or '`' */
    struct sw_df_directive *directives;
    size_t n_directives;
    struct sw_df_instruction *instructions; /* all, in the order of the file */
    size_t n_instructions;
    size_t n_globals; /* the first so many are the ARGs before the first FROM */
    struct sw_df_stage *stages;
    size_t n_stages; /* at least 1 */
    struct sw_df_remark *empty_continuations;
    size_t n_empty_continuations;
};

/* Parses a whole file. source is borrowed and must outlive the result; name is how messages call
 * the file. Everything else is in the arena.
 * SW_SYNTAX "Dockerfile:7: ..." with the nearest instruction, flag or key where a word is unknown;
 * SW_UNSUPPORTED for a "# syntax=" other than docker/dockerfile and docker/dockerfile-upstream;
 * SW_LIMIT past a limit of dockerfile/limits.h. */
SW_NODISCARD enum sw_code sw_dockerfile_parse(struct sw_arena *arena, struct sw_str source,
                                              struct sw_str name, struct sw_dockerfile **ret,
                                              struct sw_error *err);

/* Parses the text of one instruction: an ONBUILD trigger (of this file or of a base image's
 * config). at: the position that errors and progress should name, usually that of the FROM; its
 * span is what ret_instruction gets. FROM, ONBUILD and MAINTAINER are refused (SW_SYNTAX), as are
 * several instructions. text is borrowed. */
SW_NODISCARD enum sw_code sw_df_parse_trigger(struct sw_arena *arena, struct sw_str text,
                                              struct sw_str name, const struct sw_df_span *at,
                                              struct sw_df_instruction *ret_instruction,
                                              struct sw_error *err);

/* The stage with this name (any case; the last one of that name), or NULL. */
const struct sw_df_stage *sw_df_stage_by_name(const struct sw_dockerfile *file, struct sw_str name);
/* The stage that --target or --from mean by a name or a number, looking only at the first n
 * stages (for --from: those before the current one). NULL where there is none. */
const struct sw_df_stage *sw_df_stage_find(const struct sw_dockerfile *file, struct sw_str word,
                                           size_t n);

/* Whether the --from of an instruction in the stage `index` may mean what it says: SW_SYNTAX where
 * it names this stage or a later one, or is the number of none. Anything else is a stage before, an
 * image or a context. */
SW_NODISCARD enum sw_code sw_df_from_check(const struct sw_dockerfile *file, struct sw_str from,
                                           size_t index, struct sw_error *err);

/* The stage that FROM means by an expanded base: of the first n stages the last one with exactly
 * this name, which is lower case. NULL: base is an image. */
const struct sw_df_stage *sw_df_stage_of_base(const struct sw_dockerfile *file, struct sw_str base,
                                              size_t n);

/* "RUN", "COPY" ... Static. */
const char *sw_df_kind_name(enum sw_df_kind kind);
/* True for the instruction's keyword in any case. */
bool sw_df_kind_parse(struct sw_str word, enum sw_df_kind *ret);

/* The value of the "# syntax=" directive as BuildKit's client detects it (after a #! line, or in
 * // comments too), or .ptr NULL. A view of source. */
struct sw_str sw_df_detect_syntax(struct sw_str source);
/* Is this frontend reference one whose language this parser speaks? */
bool sw_df_syntax_supported(struct sw_str reference);

#endif
