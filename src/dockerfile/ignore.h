/* .dockerignore, --exclude and --parents patterns, as moby/patternmatcher matches them.
 *
 * Floor 2, pure. A compiled set is read-only: threads may share it.
 *
 * A path is ignored when the last pattern that matches it, or a directory above it, is not a
 * "!" pattern. Paths are relative to the context's root, with "/" and without "." or "..".
 */
#ifndef SW_DOCKERFILE_IGNORE_H
#define SW_DOCKERFILE_IGNORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

struct sw_ignore; /* arena */

/* Compiles the text of an ignore file (byte order mark, comments and blank lines allowed; a
 * leading slash means nothing). SW_SYNTAX ".dockerignore:3: ..." for a pattern that is malformed.
 */
SW_NODISCARD enum sw_code sw_ignore_parse(struct sw_arena *arena, struct sw_str text,
                                          struct sw_str name, struct sw_ignore **ret,
                                          struct sw_error *err);
/* Compiles a list of patterns (--exclude, --parents); line is then the index plus 1. */
SW_NODISCARD enum sw_code sw_ignore_compile(struct sw_arena *arena, const struct sw_str *patterns,
                                            size_t n, struct sw_ignore **ret, struct sw_error *err);

size_t sw_ignore_count(const struct sw_ignore *ignore);
/* Are there "!" patterns? Without them an ignored directory can be skipped whole. */
bool sw_ignore_has_exceptions(const struct sw_ignore *ignore);
/* The pattern as matched (cleaned, without "!") and its line; index < count. */
struct sw_ignore_pattern {
    struct sw_str text;
    struct sw_str as_written;
    uint32_t line;
    bool exception; /* "!" */
};
struct sw_ignore_pattern sw_ignore_pattern_at(const struct sw_ignore *ignore, size_t index);

#define SW_IGNORE_NONE ((size_t)-1)
/* For one path alone (looks at its parents by itself). *ret_index, where not NULL, is the pattern
 * that decided (for "hidden by .dockerignore line 3"), or SW_IGNORE_NONE. */
bool sw_ignore_match(const struct sw_ignore *ignore, struct sw_str path, size_t *ret_index);

/* For a walk: every directory keeps one row of match bits, which its entries take as parent.
 *     uint64_t *row = alloc(sw_ignore_row_words(ig) * sizeof *row);
 *     bool ignored = sw_ignore_step(ig, parent_row, path, row, &index);
 *     if (ignored && !sw_ignore_may_reenter(ig, path, row)) do not descend;
 * parent_row is NULL for entries of the root; row may be NULL for what is not a directory. */
size_t sw_ignore_row_words(const struct sw_ignore *ignore);
bool sw_ignore_step(const struct sw_ignore *ignore, const uint64_t *parent_row, struct sw_str path,
                    uint64_t *row, size_t *ret_index);
/* May something beneath the ignored directory be wanted after all because of a "!" pattern? */
bool sw_ignore_may_reenter(const struct sw_ignore *ignore, struct sw_str directory,
                           const uint64_t *row);
/* For patterns that select (--parents): may something beneath this directory match? */
bool sw_ignore_may_match_below(const struct sw_ignore *ignore, struct sw_str directory);

#endif
