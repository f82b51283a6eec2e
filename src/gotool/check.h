/* Looking after installed toolchains: verifying trees, finding faults, clearing up.
 *
 * Floor 5.
 */
#ifndef SW_GOTOOL_CHECK_H
#define SW_GOTOOL_CHECK_H

#include "base/buf.h"
#include "gotool/store.h"

struct sw_go_tree_report {
    size_t files, changed, missing, extra;
    const char *first;       /* the first fault, "src/fmt/print.go: changed"; "" none; arena */
    const char *module_hash; /* recomputed from the files; arena */
    bool hash_matches;       /* the recorded one */
};
/* Reads every file of an installed tree, on all processors, and compares it with the list that was
 * written when it was verified. SW_NOT_FOUND when there is no list. */
SW_NODISCARD enum sw_code sw_go_tree_verify(const struct sw_go_store *store,
                                            const struct sw_go_installed *it, struct sw_arena *a,
                                            struct sw_go_tree_report *ret, struct sw_error *err);
/* The record (JSON) of an installed version; SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_go_record_read(const struct sw_go_store *store, const char *name,
                                            struct sw_buf *to, struct sw_error *err);

struct sw_go_prune {
    unsigned trees, downloads;
    uint64_t bytes;
};
/* Removes what interrupted installs left and downloads that nobody goes on with (locks are
 * respected). */
SW_NODISCARD enum sw_code sw_go_store_prune(const struct sw_go_store *store,
                                            struct sw_go_prune *ret, struct sw_error *err);
/* Whether the store's bin directory is in PATH. */
bool sw_go_on_path(const struct sw_go_store *store, const char *path);

#endif
