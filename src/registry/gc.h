/* Giving space back while serving: retention, links, manifests, blobs, orphans.
 *
 * Floor 5. Any server, or the command line beside a running server, may collect at any time; pushes
 * are never stopped. Why that is safe: content.h, invariants 2 to 4.
 */
#ifndef SW_REGISTRY_GC_H
#define SW_REGISTRY_GC_H

#include "registry/blobs.h"
#include "registry/meta.h"

struct sw_gc_options {
    bool dry_run;
    int64_t now_s;
    unsigned grace_s;  /* younger than this is never collected */
    bool skip_orphans; /* does not walk the store for what no metadata names */
};

struct sw_gc_report {
    uint64_t tags, manifests; /* by rules of retention */
    uint64_t links;           /* blobs that a repository no longer needs */
    uint64_t blobs, bytes;    /* that no repository needs */
    uint64_t orphans, orphan_bytes;
    int64_t took_ms;
};

SW_NODISCARD enum sw_code sw_registry_gc(struct sw_meta *m, struct sw_blobs *b,
                                         const struct sw_gc_options *options,
                                         struct sw_gc_report *ret, struct sw_error *err);

#endif
