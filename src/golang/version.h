/* Go versions: reading, ordering, writing.
 *
 * Floor 2. Pure. Values; no memory behind them. The rules are those of the go command (package
 * internal/gover): 1.21 < 1.21rc1 < 1.21.0 < 1.21.1; before 1.21 a missing patch is .0, so that
 * 1.20rc1 < 1.20 = 1.20.0; alpha < beta < rc. "go" in front and a "-suffix" behind do not order.
 */
#ifndef SW_GOLANG_VERSION_H
#define SW_GOLANG_VERSION_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum sw_go_stage { SW_GO_FINAL, SW_GO_ALPHA, SW_GO_BETA, SW_GO_RC };

#define SW_GO_PATCH_NONE (-1)
/* Longest text of a version: "go" and four numbers of 9 digits. */
#define SW_GO_VERSION_SIZE 48

struct sw_go_version {
    uint32_t major, minor;
    int32_t patch; /* SW_GO_PATCH_NONE: 1.21 (a language version), 1.21rc1 */
    enum sw_go_stage stage;
    uint32_t pre; /* the 1 of rc1 */
};

/* Strict: "1.21.3", "1.21rc2", "1.20", "1", each with or without "go" in front. No leading zeros,
 * no prerelease of a patch, nothing behind. SW_USAGE shows what was wrong. */
SW_NODISCARD enum sw_code sw_go_version_parse(struct sw_str text, struct sw_go_version *ret,
                                              struct sw_error *err);
/* The same without an error text. */
bool sw_go_version_read(struct sw_str text, struct sw_go_version *ret);
/* A toolchain's name: "go1.21.3", also with a suffix ("go1.21.3-vendor", "go1.21.3 X:flag"),
 * which is ignored. */
bool sw_go_toolchain_read(struct sw_str name, struct sw_go_version *ret);

/* <0, 0, >0 */
int sw_go_version_cmp(const struct sw_go_version *a, const struct sw_go_version *b);
static inline bool sw_go_version_eq(const struct sw_go_version *a, const struct sw_go_version *b) {
    return sw_go_version_cmp(a, b) == 0;
}
/* 1.21.3 and 1.21rc1 are releases; 1.21 names the language. Before 1.21 both are one: 1.20. */
bool sw_go_version_is_release(const struct sw_go_version *v);
bool sw_go_version_is_prerelease(const struct sw_go_version *v);
/* The language version: 1.21 for 1.21.3. */
struct sw_go_version sw_go_version_line(const struct sw_go_version *v);
static inline bool sw_go_version_same_line(const struct sw_go_version *a,
                                           const struct sw_go_version *b) {
    return a->major == b->major && a->minor == b->minor;
}

/* As releases are named, without "go": "1.20" (never 1.20.0), "1.21.0", "1.22rc1". */
struct sw_str sw_go_version_format(const struct sw_go_version *v,
                                   char ret_text[SW_GO_VERSION_SIZE]);
/* As advisories write it: 1.21.0-rc.2, 1.20.0. */
struct sw_str sw_go_version_format_semver(const struct sw_go_version *v,
                                          char ret_text[SW_GO_VERSION_SIZE]);
/* The reverse: "1.21.0-rc.2", "1.21.0-0" (before every prerelease of 1.21). */
bool sw_go_version_read_semver(struct sw_str text, struct sw_go_version *ret);

#endif
