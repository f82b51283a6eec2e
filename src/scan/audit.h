/* A fleet at a glance: one row per image, what would clear it, and proof by matching again.
 *
 * Floor 5. Pure over its inputs but for the index file. docs/design/scan.md, "Go governance".
 */
#ifndef SW_SCAN_AUDIT_H
#define SW_SCAN_AUDIT_H

#include "scan/policy.h"

struct sw_audit_bump {
    struct sw_str module, from, to; /* to "": no version is known to help */
};

struct sw_audit_row {
    struct sw_str image, digest;
    struct sw_str go_version; /* the oldest among its programs; "" where it has none */
    enum sw_go_state go_state;
    size_t counts[SW_SEVERITY_COUNT];
    size_t go_findings; /* in programs: standard library and modules */
    enum sw_verdict verdict;
    struct sw_strs reasons;
    /* What clears every Go finding that can be cleared; proved by matching again. */
    struct sw_str go_target; /* the lowest supported release; "" where none is needed or known */
    struct sw_audit_bump *bumps; /* arena */
    size_t n_bumps;
    struct sw_strs remaining; /* Go findings that would be left: "ID module version" */
    struct sw_str action;     /* one line for people */
};

SW_NODISCARD enum sw_code sw_audit_image(struct sw_arena *a, const struct sw_advdb *db,
                                         const struct sw_go_releases *releases,
                                         const struct sw_inventory *inventory,
                                         const struct sw_policy *policy, int64_t data_time,
                                         int64_t now, struct sw_audit_row *ret,
                                         struct sw_error *err);

/* --- the index from packages to images: docs/format/scan-index.md ---------------------------- */

struct sw_audit_index;
/* Reads PATH; a missing file is an empty index. SW_CORRUPT: remove it, it is made again. */
SW_NODISCARD enum sw_code sw_audit_index_open(const char *path, struct sw_audit_index **ret,
                                              struct sw_error *err);
void sw_audit_index_free(struct sw_audit_index *x);
/* Notes what an image is made of and what is known about it today. */
SW_NODISCARD enum sw_code sw_audit_index_put(struct sw_audit_index *x, const struct sw_advdb *db,
                                             struct sw_str digest,
                                             const struct sw_inventory *inventory,
                                             struct sw_error *err);
/* Whether anything that is known about the image's packages differs from when it was put. */
SW_NODISCARD enum sw_code sw_audit_index_changed(const struct sw_audit_index *x,
                                                 const struct sw_advdb *db, struct sw_str digest,
                                                 bool *ret_known, bool *ret_changed,
                                                 struct sw_error *err);
SW_NODISCARD enum sw_code sw_audit_index_save(const struct sw_audit_index *x, const char *dir,
                                              const char *name, struct sw_error *err);

#endif
