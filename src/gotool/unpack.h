/* A toolchain's tree as it is written: every file hashed, files that another version has shared.
 *
 * Floor 5. Files are added by any number of threads at once.
 */
#ifndef SW_GOTOOL_UNPACK_H
#define SW_GOTOOL_UNPACK_H

#include "golang/toolchain.h"
#include "gotool/fetch.h"
#include "gotool/store.h"

struct sw_go_tree; /* being written */

enum {
    SW_GO_TREE_FILES_MAX = 100000,   /* a toolchain has 9,000 to 16,000 */
    SW_GO_TREE_FILE_MAX = 512 << 20, /* the largest program has 30 MiB */
};
#define SW_GO_TREE_BYTES_MAX (4ull << 30) /* a toolchain has 200 to 500 MiB */
#define SW_GO_ARCHIVE_MAX (1ull << 30)    /* an archive has 60 to 180 MiB */

/* Creates versions/.NAME-XXXX. Other versions' lists of files are read, to share with them. */
SW_NODISCARD enum sw_code sw_go_tree_new(const struct sw_go_store *store, const char *name,
                                         struct sw_go_tree **ret, struct sw_error *err);
/* Removes what was not committed. */
void sw_go_tree_free(struct sw_go_tree *t);
void sw_go_tree_freep(struct sw_go_tree **t);

/* Unpacks a module's zip whose names start with "golang.org/toolchain@VERSION/". */
SW_NODISCARD enum sw_code sw_go_tree_unzip(struct sw_go_tree *t, struct sw_go_fetch *archive,
                                           struct sw_str module_version, struct sw_error *err);
/* Unpacks a .tar.gz whose names start with "go/". */
SW_NODISCARD enum sw_code sw_go_tree_untar(struct sw_go_tree *t, struct sw_go_fetch *archive,
                                           struct sw_error *err);

struct sw_go_tree_stat {
    size_t files, shared_files;
    uint64_t bytes, shared_bytes;
};
void sw_go_tree_stat(const struct sw_go_tree *t, struct sw_go_tree_stat *ret);
/* "h1:..." of the module that these files are. */
void sw_go_tree_hash(const struct sw_go_tree *t, struct sw_str module_version, struct sw_buf *to);
/* SW_CORRUPT unless VERSION says this version and there is a bin/go. */
SW_NODISCARD enum sw_code sw_go_tree_check(const struct sw_go_tree *t,
                                           const struct sw_go_version *v, struct sw_error *err);
/* Makes it read-only, writes its list of files and the record, syncs, and gives it its name. */
SW_NODISCARD enum sw_code sw_go_tree_commit(struct sw_go_tree *t, struct sw_str record,
                                            struct sw_error *err);

#endif
