/* Where toolchains are kept: trees, how each was verified, links, the chosen default.
 *
 * Floor 5. Any number of processes use one store at once; a struct sw_go_store belongs to one
 * thread unless it is only read. Layout and invariants: docs/format/go-store.md.
 *
 *     versions/go1.21.3/       a tree, read-only; there whole or not at all (rename)
 *     versions/.go1.21.3-XXXX  being unpacked; removed by whoever next holds the version's lock
 *     records/go1.21.3.json    what it was verified by; .files: each file's hash
 *     bin/go1.21.3             links, for PATH (the go command looks for these names)
 *     current                  link to versions/goV: the default; switched by rename
 *     locks/ downloads/ sumdb/ cache/
 */
#ifndef SW_GOTOOL_STORE_H
#define SW_GOTOOL_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "golang/version.h"

struct sw_go_store {
    char *root;   /* owned; absolute */
    char *system; /* owned; another store that is only read ("/var/lib/slipway/go"), or NULL */
    int fd;       /* of root; -1 while it does not exist and was not asked for */
};

/* root NULL: SLIPWAY_GO_ROOT, else state_root/go (--root, SLIPWAY_ROOT), else
 * /var/lib/slipway/go for root, $XDG_DATA_HOME/slipway/go for others. create: make the directories
 * (installing); otherwise a store that does not exist is an empty one. */
SW_NODISCARD enum sw_code sw_go_store_open(struct sw_go_store *s, const char *root,
                                           const char *state_root, bool create,
                                           struct sw_error *err);
void sw_go_store_close(struct sw_go_store *s);
#define SW_GO_STORE SW_CLEANUP(sw_go_store_close)

struct sw_go_installed {
    struct sw_go_version version;
    const char *name; /* "go1.21.3"; arena */
    const char *path; /* GOROOT, absolute; arena */
    bool system;      /* of the other store */
    bool current;     /* the default */
};
/* Newest first. */
SW_NODISCARD enum sw_code sw_go_store_list(const struct sw_go_store *s, struct sw_arena *a,
                                           struct sw_go_installed **ret, size_t *ret_n,
                                           struct sw_error *err);
/* False when that version is not there. */
bool sw_go_store_find(const struct sw_go_store *s, struct sw_arena *a,
                      const struct sw_go_version *v, struct sw_go_installed *ret);
/* "go1.21.3" */
const char *sw_go_store_name(struct sw_arena *a, const struct sw_go_version *v);

/* The version that `current` points to; false when there is none. */
bool sw_go_store_current(const struct sw_go_store *s, struct sw_go_version *ret);
bool sw_go_store_system_current(const struct sw_go_store *s, struct sw_go_version *ret);
/* One rename. The version must be installed here or in the system's store. */
SW_NODISCARD enum sw_code sw_go_store_switch(const struct sw_go_store *s,
                                             const struct sw_go_version *v, struct sw_error *err);
/* Makes bin/goV for every installed version and removes those whose version is gone. */
SW_NODISCARD enum sw_code sw_go_store_link(const struct sw_go_store *s, struct sw_error *err);

/* Waits for the version's lock, at most until interrupted; notes once that it waits. The lock ends
 * with the descriptor. */
SW_NODISCARD enum sw_code sw_go_store_lock(const struct sw_go_store *s, const char *name,
                                           void (*waiting)(void *context), void *context,
                                           int *ret_fd, struct sw_error *err);
/* Removes a tree and what is recorded about it; the caller holds its lock. */
SW_NODISCARD enum sw_code sw_go_store_remove(const struct sw_go_store *s, const char *name,
                                             struct sw_error *err);
/* Trees that an interrupted install left, of this version (NULL: any whose lock is free). Returns
 * how many were removed. */
unsigned sw_go_store_sweep(const struct sw_go_store *s, const char *name);

#endif
