/* Which Go releases exist, which are still cared for, and which help.
 *
 * Floor 5. Pure over its inputs. What the advisories say (each fix names the releases that got it)
 * together with what the program knows (golang/toolchain.h). docs/design/scan.md, "Go governance".
 */
#ifndef SW_SCAN_RELEASES_H
#define SW_SCAN_RELEASES_H

#include "advisory/db.h"
#include "base/arena.h"

/* A line is supported until two newer lines exist. */
struct sw_go_releases {
    unsigned newest_line; /* 26 for Go 1.26 */
    struct sw_str *fixes; /* arena; releases of supported lines that brought a fix, ascending */
    size_t n_fixes;
    struct sw_str
        lowest; /* the lowest of these that no advisory is about; "" where none is known */
};
/* newest_line: a line that is known to exist from elsewhere, or 0. */
SW_NODISCARD enum sw_code sw_go_releases_read(struct sw_arena *a, const struct sw_advdb *db,
                                              unsigned newest_line, struct sw_go_releases *ret,
                                              struct sw_error *err);

enum sw_go_state { SW_GO_NONE, SW_GO_UNKNOWN, SW_GO_SUPPORTED, SW_GO_ENDED };
/* go_version: "go1.22.3". Pre-releases count as their line; what is no release is unknown. */
enum sw_go_state sw_go_releases_state(const struct sw_go_releases *r, struct sw_str go_version);

/* What is known about one release of Go itself, its library and its tools. */
struct sw_go_known {
    unsigned vulnerabilities;
    struct sw_str first; /* id of one of them; "" where there is none */
    struct sw_str fixed; /* the lowest release after it that no advisory is about; "" unknown */
};
/* version: "1.22.3". */
SW_NODISCARD enum sw_code sw_go_releases_known(struct sw_arena *a, const struct sw_advdb *db,
                                               struct sw_str version, struct sw_go_known *ret,
                                               struct sw_error *err);

#endif
