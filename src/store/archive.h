/* Images in and out: archives of docker and OCI tools, OCI layout directories, root filesystems.
 *
 * Floor 3. Thread-safe. Memory stays bounded whatever the size of an image: contents go through
 * the kernel or a fixed buffer. OCI image specification, image-layout.md; Docker image
 * specification 1.2.
 */
#ifndef SW_STORE_ARCHIVE_H
#define SW_STORE_ARCHIVE_H

#include "oci/config.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/tags.h"

/* An image that came in. */
struct sw_loaded {
    struct sw_descriptor target;
    struct sw_strs names; /* full forms it was tagged with; empty where it has none */
};

struct sw_load_result {
    struct sw_loaded *ptr; /* arena */
    size_t len;
};

struct sw_load_options {
    struct sw_str name; /* load this image only (of several), "" for all */
    struct sw_str tag;  /* name the (single) image so, instead of by its own names; "" */
    bool no_tags;       /* add it unnamed */
};

/* Loads from fd: a docker archive, an OCI archive (plain, gzip or zstd; a file or a pipe), or an
 * OCI layout directory. Every blob is verified. Layers stay as they are, byte for byte. options may
 * be NULL. SW_SYNTAX where it is none of them. */
SW_NODISCARD enum sw_code sw_archive_load(struct sw_store *store, struct sw_arena *a, int fd,
                                          const struct sw_load_options *options,
                                          struct sw_load_result *ret, struct sw_error *err);

enum sw_save_format {
    SW_SAVE_DOCKER, /* an OCI layout with docker's manifest.json: what docker save writes today */
    SW_SAVE_OCI,
};

struct sw_save_image {
    struct sw_descriptor target;
    struct sw_strs names; /* as they shall stand in the archive; full forms */
};

/* Writes an archive of one or several images to fd (a file or a pipe). The bytes depend on the
 * images and names alone. Shared blobs are written once. A docker archive of an index takes the
 * manifest for this host. */
SW_NODISCARD enum sw_code sw_archive_save(struct sw_store *store, int fd,
                                          enum sw_save_format format,
                                          const struct sw_save_image *images, size_t n,
                                          struct sw_error *err);
/* Writes (or adds to) an OCI layout directory: blobs that are there already are kept. */
SW_NODISCARD enum sw_code sw_archive_export(struct sw_store *store, int dir_fd,
                                            const struct sw_save_image *images, size_t n,
                                            struct sw_error *err);

struct sw_import_options {
    struct sw_image_config config; /* created, author, platform, config are taken over */
    struct sw_str message;         /* comment of the history entry */
    struct sw_str created_by;      /* of the history entry; "" for "slipway import" */
};

/* Makes a one-layer image of a root filesystem archive: tar, plain or compressed with gzip or zstd,
 * kept byte for byte. Adds manifest and config; does not tag. ret: in the arena. */
SW_NODISCARD enum sw_code sw_archive_import(struct sw_store *store, struct sw_arena *a, int fd,
                                            const struct sw_import_options *options,
                                            struct sw_descriptor *ret, struct sw_error *err);

#endif
