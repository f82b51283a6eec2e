/* Files of other tools that name a Go version: read as text, never as numbers (1.20 is not 1.2).
 *
 * Floor 2. Pure. Results are views into the text; ptr NULL where the file names no version.
 */
#ifndef SW_GOLANG_FILES_H
#define SW_GOLANG_FILES_H

#include "base/str.h"

/* .go-version: the first line that is neither empty nor a comment. */
struct sw_str sw_go_version_of_file(struct sw_str text);
/* .tool-versions: the first version behind "golang" or "go"; "system" names none. */
struct sw_str sw_go_version_of_tool_versions(struct sw_str text);
/* mise.toml: go or golang under [tools]: a string, the first of a list, or version of a table. */
struct sw_str sw_go_version_of_mise(struct sw_str text);
/* A YAML file's top-level key: a scalar, or "version" one level below it. Reads that much of YAML
 * and no more, so that anything else in the file (anchors, tags) is no matter. */
struct sw_str sw_go_version_of_yaml(struct sw_str text, const char *key);

#endif
