/* What single options change: of the configuration, of bases, of where RUN runs.
 *
 * Floor 5. Plain data, borrowed; all zero changes nothing.
 */
#ifndef SW_BUILD_TWEAKS_H
#define SW_BUILD_TWEAKS_H

#include "codec/lists.h"
#include "sandbox/sandbox.h"

/* When a registry is asked for a base image. */
enum sw_pull_policy {
    SW_PULL_MISSING, /* where the store has none */
    SW_PULL_ALWAYS,
    SW_PULL_NEWER, /* always, but what the store has will do where that fails */
    SW_PULL_NEVER,
};

/* One layer instead of several. */
enum sw_squash {
    SW_SQUASH_NOT,
    SW_SQUASH_NEW, /* of all that this build made (docker, podman) */
    SW_SQUASH_ALL, /* of the base's, too (buildah) */
};

struct sw_build_tweaks {
    enum sw_pull_policy pull;
    struct sw_str from; /* in place of the first FROM's image; "" for none */

    struct sw_pairs env;            /* set in every stage that does not build on another one */
    struct sw_strs unset_env;       /* not in the result */
    struct sw_strs unset_labels;    /* not taken from the base */
    bool drop_labels, omit_history; /* none is taken from the base; there is none in the result */
    struct sw_str os_version;
    struct sw_strs os_features;

    const struct sw_mount *mounts; /* directories of the host in RUN; absolute targets */
    size_t n_mounts;
    const char *const *dns; /* servers in RUN; "none" alone: the image's own resolv.conf */
    size_t n_dns;
    struct sw_strs dns_search, dns_options;
    bool no_hosts; /* the image's own /etc/hosts */
    uint64_t caps_added, caps_dropped;
    bool unconfined; /* no seccomp filter in RUN */
};

#endif
