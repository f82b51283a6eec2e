/* The content-addressed store: an OCI image layout with slipway's own state beside it.
 *
 * Floor 3. A struct sw_store may be used by several threads; any number of processes may use one
 * root at once. docs/format/store.md has the layout and the numbered invariants.
 *
 * Everything that a handle creates or looks up is pinned: no garbage collection, by whatever
 * process, removes it before the handle is freed or its process has ended (however it ended).
 * Opening is cheap: the database, the lease and the lock files come with their first use.
 */
#ifndef SW_STORE_STORE_H
#define SW_STORE_STORE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define SW_STORE_FORMAT_VERSION 1

struct sw_store;

struct sw_store_options {
    const char *root;   /* NULL: sw_store_default_root() */
    bool read_only;     /* refuse every change; the root must exist */
    uint64_t cap_bytes; /* hard limit on the bytes kept; 0 for none: see sw_store_reserve() */
};

/* SLIPWAY_ROOT, else /var/lib/slipway for root, else $XDG_DATA_HOME/slipway, else
 * ~/.local/share/slipway. getenv_fn is normally getenv; euid normally geteuid(). SW_USAGE where
 * none can be told. */
SW_NODISCARD enum sw_code sw_store_default_root(char *(*getenv_fn)(const char *), unsigned euid,
                                                struct sw_buf *to, struct sw_error *err);

/* Opens the root, creating what is missing. options may be NULL. SW_DENIED and SW_IO (read-only
 * file system) say what to do; SW_UNSUPPORTED where a newer slipway wrote the store. Owned:
 * sw_store_free(). */
SW_NODISCARD enum sw_code sw_store_open(const struct sw_store_options *options,
                                        struct sw_store **ret, struct sw_error *err);
/* Writes what was gathered (last uses), releases the pins. */
void sw_store_free(struct sw_store *store);
void sw_store_freep(struct sw_store **store);
#define SW_STORE SW_CLEANUP(sw_store_freep)

/* Absolute path of the root; lives as long as the handle. */
const char *sw_store_root(const struct sw_store *store);
/* Descriptor of the root, borrowed. */
int sw_store_root_fd(const struct sw_store *store);

/* A new empty directory under slipway/tmp that belongs to this handle: after a crash the next user
 * of the store removes it. ret_path: relative to the root. Remove it with sw_store_temp_remove().
 */
SW_NODISCARD enum sw_code sw_store_temp_dir(struct sw_store *store, struct sw_buf *ret_path,
                                            int *ret_fd, struct sw_error *err);
/* Best effort: what cannot be removed now goes with a later cleanup. */
void sw_store_temp_remove(struct sw_store *store, const char *path);

/* Forgets what this handle has pinned so far. For processes that live long. */
void sw_store_unpin(struct sw_store *store);

/* A hint of bytes about to be written. Without a cap: checks the free space only. With a cap: once
 * it would be passed, evicts what was not used for the longest time, never what is tagged or in
 * use; SW_LIMIT, naming the cap and the use, where that is not enough. */
SW_NODISCARD enum sw_code sw_store_reserve(struct sw_store *store, uint64_t bytes,
                                           struct sw_error *err);

/* Verifies the invariants. Every violation is passed to report (may be NULL); *ret_bad counts
 * them. verify_blobs also hashes every blob. Errors are those of the checking itself. */
struct sw_store_check_options {
    bool verify_blobs;
    void (*report)(void *ctx, const char *text);
    void *ctx;
};
SW_NODISCARD enum sw_code sw_store_check(struct sw_store *store,
                                         const struct sw_store_check_options *options,
                                         unsigned *ret_bad, struct sw_error *err);

#endif
