/* The go command's settings: files of KEY=VALUE lines (go.env, `go env -w`), the lists in GOPROXY,
 * the patterns of GOPRIVATE and its like, GOTOOLCHAIN.
 *
 * Floor 2. Pure. What is returned points into the text.
 */
#ifndef SW_GOLANG_GOENV_H
#define SW_GOLANG_GOENV_H

#include "golang/version.h"

/* The value of key in a go.env file; ptr NULL where it has none. Lines that start with # and lines
 * without = are passed over, the first occurrence counts, as in the go command. */
struct sw_str sw_goenv_get(struct sw_str text, const char *key);

enum sw_goproxy_kind { SW_GOPROXY_URL, SW_GOPROXY_DIRECT, SW_GOPROXY_OFF };

struct sw_goproxy {
    enum sw_goproxy_kind kind;
    struct sw_str url; /* without a final slash */
    /* The next entry is tried after any failure ('|'); otherwise (',') only after 404 and 410. */
    bool fall_back_on_error;
};

enum { SW_GOPROXY_MAX = 16 };

/* *ret_n at most SW_GOPROXY_MAX. What follows direct or off is dropped. SW_USAGE on an address
 * that is neither http, https nor file, on an empty list. */
SW_NODISCARD enum sw_code sw_goproxy_parse(struct sw_str text, struct sw_goproxy *ret_list,
                                           size_t *ret_n, struct sw_error *err);

/* Whether a comma-separated list of globs (path.Match) has a pattern that matches a prefix of
 * path, element by element: GOPRIVATE, GONOPROXY, GONOSUMDB. */
bool sw_goprivate_match(struct sw_str patterns, struct sw_str path);
/* Whether GOFLAGS holds the flag ("-insecure"), alone or as -insecure=true. */
bool sw_goflags_has(struct sw_str flags, const char *flag);

/* GOTOOLCHAIN: local | auto | path | NAME | NAME+auto | NAME+path. */
struct sw_gotoolchain {
    struct sw_str name; /* "local", "go1.21.3" */
    bool may_switch;    /* go.mod and go.work are looked at */
    bool path_only;     /* and only PATH is searched */
};
SW_NODISCARD enum sw_code sw_gotoolchain_parse(struct sw_str text, struct sw_gotoolchain *ret,
                                               struct sw_error *err);

#endif
