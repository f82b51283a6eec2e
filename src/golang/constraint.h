/* What people and files write when they ask for a Go version.
 *
 * Floor 2. Pure. Values; no memory behind them.
 *
 *     constraint = "latest" | "stable" | "oldstable" | "rc" | "tip" | terms
 *     terms      = term { (" " | ",") term }          every term must hold
 *     term       = [ op ] version
 *     op         = "=" | "==" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "^"
 *     version    = "1.21.3" | "1.22rc1" | "1.21" | "1.21.x" | "1.x" | "1.27rc" | "1.27.tip"
 *
 * 1.21 and 1.21.x mean the newest release of that line; so does 1.20, while go1.20, with the "go",
 * is the release of that name. 1.27rc is the newest prerelease or release of a line, as is
 * 1.27.tip; rc and tip are the same for the newest line. ~1.21.3 stays in the line, ^1.21 below
 * 2. A prerelease is only ever chosen where the text names prereleases.
 */
#ifndef SW_GOLANG_CONSTRAINT_H
#define SW_GOLANG_CONSTRAINT_H

#include "golang/version.h"

enum sw_go_want {
    SW_GO_WANT_EXACT,     /* one release: bounds[0] */
    SW_GO_WANT_RANGE,     /* the newest within the bounds */
    SW_GO_WANT_LATEST,    /* the newest release (latest, stable) */
    SW_GO_WANT_OLDSTABLE, /* the newest release of the line before */
    SW_GO_WANT_TIP,       /* the newest of all, prereleases included (rc, tip) */
};

enum sw_go_bound_op { SW_GO_EQ, SW_GO_NE, SW_GO_LT, SW_GO_LE, SW_GO_GT, SW_GO_GE, SW_GO_IN_LINE };

struct sw_go_bound {
    enum sw_go_bound_op op;
    struct sw_go_version version;
};

enum { SW_GO_BOUNDS_MAX = 8 };

struct sw_go_constraint {
    enum sw_go_want want;
    bool prereleases; /* may be chosen */
    unsigned n_bounds;
    struct sw_go_bound bounds[SW_GO_BOUNDS_MAX];
};

/* SW_USAGE with the part that is wrong. */
SW_NODISCARD enum sw_code sw_go_constraint_parse(struct sw_str text, struct sw_go_constraint *ret,
                                                 struct sw_error *err);
/* Exactly this release; a language version gives its line. */
struct sw_go_constraint sw_go_constraint_of(const struct sw_go_version *v);
/* Whether v is allowed. latest and oldstable depend on a list: see _pick. */
bool sw_go_constraint_match(const struct sw_go_constraint *c, const struct sw_go_version *v);
/* Index of the newest of n versions that the constraint allows, SIZE_MAX when there is none. For
 * latest and oldstable the list should hold every known release. */
size_t sw_go_constraint_pick(const struct sw_go_constraint *c, const struct sw_go_version *versions,
                             size_t n);
/* Writes it in a canonical form ("1.21.x", ">=1.21 <1.23", "latest"). */
void sw_go_constraint_format(const struct sw_go_constraint *c, struct sw_buf *to);

#endif
