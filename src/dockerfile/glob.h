/* Wildcards of COPY and ADD sources: Go's filepath.Match.
 *
 * Floor 2, pure.
 *
 * term: '*' (no '/'), '?' (one rune but '/'), '[' ['^'] ranges ']', '\\' c, any rune. "**" is not
 * special here (--exclude, --parents and .dockerignore: dockerfile/ignore.h).
 */
#ifndef SW_DOCKERFILE_GLOB_H
#define SW_DOCKERFILE_GLOB_H

#include "base/error.h"
#include "base/str.h"

/* SW_SYNTAX for a malformed pattern (also where the name would not need that part). */
SW_NODISCARD enum sw_code sw_glob_match(struct sw_str pattern, struct sw_str name, bool *ret_match,
                                        struct sw_error *err);
/* The pattern is well-formed. */
SW_NODISCARD enum sw_code sw_glob_check(struct sw_str pattern, struct sw_error *err);
/* Is there an unescaped * ? or [ in it? Only then a COPY source is a pattern and may match nothing
 * without an error. */
bool sw_glob_has_wildcards(struct sw_str path);
/* Splits a cleaned path before its first component with a wildcard: "a/b/c*" gives "a/b" and "c*".
 * The pattern is then matched against paths relative to *ret_dir; a directory that matches is taken
 * whole. *ret_pattern is empty where there is no wildcard. */
void sw_glob_split(struct sw_str path, struct sw_str *ret_dir, struct sw_str *ret_pattern);

#endif
