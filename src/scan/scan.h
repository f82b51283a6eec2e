/* Scanning: from what a user names to an inventory.
 *
 * Floor 5. Thread-safe. Layers are read in parallel, in one pass each, and their inventories are
 * kept under their diff IDs, so that a second image on the same base costs only its own layers.
 */
#ifndef SW_SCAN_SCAN_H
#define SW_SCAN_SCAN_H

#include "base/pool.h"
#include "base/progress.h"
#include "oci/descriptor.h"
#include "remote/remote.h"
#include "scan/inventory.h"
#include "store/store.h"

enum sw_scan_target_kind {
    SW_SCAN_IMAGE,     /* in the local store, by name, digest or id, else in its registry */
    SW_SCAN_ARCHIVE,   /* a file (docker or OCI archive, compressed or not) or an OCI layout */
    SW_SCAN_ROOTFS,    /* a directory */
    SW_SCAN_PROGRAM,   /* one file */
    SW_SCAN_SBOM_FILE, /* CycloneDX or SPDX JSON */
};

/* Before a name: in its registry, whatever the local store has. */
#define SW_SCAN_REGISTRY_PREFIX "docker://"

/* Gives a session with registries when one is needed; it stays the giver's. */
typedef enum sw_code sw_scan_remote(void *context, struct sw_remote **ret, struct sw_error *err);

struct sw_scan_options {
    enum sw_scan_target_kind kind;
    const char *target;
    const struct sw_descriptor *descriptor; /* of SW_SCAN_IMAGE: this one, by whatever name */
    const char *name;                       /* of the image within an archive; NULL: the only one */
    const char *platform;                   /* "linux/arm64"; NULL: this host's */
    struct sw_store *store;                 /* of SW_SCAN_IMAGE; NULL: registries only */
    sw_scan_remote *remote;                 /* of SW_SCAN_IMAGE; NULL: the store only */
    void *remote_context;
    const char *cache_dir;        /* of layers' inventories; NULL: none are kept */
    const char *temp_dir;         /* where large files are spooled */
    struct sw_pool *pool;         /* NULL: one layer after the other */
    struct sw_progress *progress; /* may be NULL */
};

struct sw_scan_stats {
    size_t layers, cached; /* layers in all; those whose inventory was known */
    uint64_t bytes;        /* of archives that were read, uncompressed */
};

/* The inventory is in the arena. Whatever cannot be read whole is an error or an artifact with a
 * problem, never less than there is. stats may be NULL. */
SW_NODISCARD enum sw_code sw_scan_inventory(struct sw_arena *a,
                                            const struct sw_scan_options *options,
                                            struct sw_inventory *ret, struct sw_scan_stats *stats,
                                            struct sw_error *err);
/* The inventory of an image of the store by its manifest, from kept layers alone: SW_NOT_FOUND
 * where one of them is not known. For questions that must not read layers. */
SW_NODISCARD enum sw_code sw_scan_known(struct sw_arena *a, struct sw_store *store,
                                        const char *cache_dir, const struct sw_descriptor *image,
                                        struct sw_inventory *ret, struct sw_error *err);
/* Packages of a CycloneDX or SPDX document (JSON) as one artifact. */
SW_NODISCARD enum sw_code sw_scan_sbom(struct sw_arena *a, struct sw_str text, struct sw_str path,
                                       struct sw_inventory *ret, struct sw_error *err);
/* The packages of Bitnami in an SPDX document, as its images carry one for each of them. What they
 * are made of is left out: Bitnami's advisories are about the packages. */
SW_NODISCARD enum sw_code sw_scan_bitnami(struct sw_arena *a, struct sw_str text,
                                          struct sw_scan_package **ret, size_t *ret_n,
                                          struct sw_error *err);

#endif
