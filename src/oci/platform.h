/* Platforms: operating system, architecture, variant.
 *
 * Floor 2. Pure. The names are Go's GOOS and GOARCH; the rules are containerd/platforms'.
 */
#ifndef SW_OCI_PLATFORM_H
#define SW_OCI_PLATFORM_H

#include "base/arena.h"
#include "codec/json_writer.h"
#include "codec/lists.h"

struct sw_platform {
    struct sw_str architecture; /* "amd64" */
    struct sw_str os;           /* "linux" */
    struct sw_str os_version;   /* "10.0.17763.1817" or "" */
    struct sw_strs os_features;
    struct sw_str variant; /* "v7" or "" */
};

/* "linux/amd64", "linux/arm/v7", "linux", "arm64", "windows(10.0.17763)/amd64". What is left out
 * comes from host, which may be NULL only where os and architecture are given (else SW_USAGE).
 * The result is normalised; its strings are in the arena. */
SW_NODISCARD enum sw_code sw_platform_parse(struct sw_arena *a, struct sw_str text,
                                            const struct sw_platform *host, struct sw_platform *ret,
                                            struct sw_error *err);
/* x86_64 is amd64, aarch64 arm64, armhf arm/v7, macos darwin; arm without variant is v7; arm64/v8,
 * amd64/v1 lose theirs. Static strings or views of what was there. */
void sw_platform_normalize(struct sw_platform *p);
/* From uname's machine name ("armv7l"); the os is linux. */
struct sw_platform sw_platform_of_machine(struct sw_str machine);
/* "linux/arm/v7", with the version in parentheses where there is one. */
struct sw_str sw_platform_format(struct sw_arena *a, const struct sw_platform *p);
bool sw_platform_eq(const struct sw_platform *x, const struct sw_platform *y);

/* How well an image for have runs where want is asked for: 0 not at all, higher is better, an
 * exact match best. arm/v7 hosts run v6 and v5, arm64 hosts run arm v8 and below, amd64/v3 runs
 * v2 and v1. Both are normalised first. */
unsigned sw_platform_score(const struct sw_platform *want, const struct sw_platform *have);
/* Whether os and architecture are known GOOS and GOARCH values. */
bool sw_platform_is_known(const struct sw_platform *p);

SW_NODISCARD enum sw_code sw_platform_from_json(struct sw_arena *a, const struct sw_json *node,
                                                struct sw_platform *ret, struct sw_error *err);
void sw_platform_to_json(struct sw_json_writer *w, const struct sw_platform *p);
/* The members alone, as they stand in an image's configuration. */
void sw_platform_members_to_json(struct sw_json_writer *w, const struct sw_platform *p);

#endif
