/* Images and their names: index.json of the layout.
 *
 * Floor 3. Thread-safe; changes are made under a lock that processes share, and the file is
 * replaced atomically. docs/format/store.md, "index.json".
 *
 * Names are given as users type them ("app", "app:1.0", "ghcr.io/a/b:2") and normalised with
 * oci/reference.h; a missing tag is "latest". An entry carries org.opencontainers.image.ref.name
 * (the familiar form, so that `skopeo inspect oci:ROOT:app:1.0` works) and
 * io.containerd.image.name (the full form). An image that lost its last name stays, unnamed, until
 * it is pruned or removed.
 */
#ifndef SW_STORE_TAGS_H
#define SW_STORE_TAGS_H

#include "oci/descriptor.h"
#include "oci/reference.h"
#include "store/store.h"

#define SW_IMAGE_ID_PREFIX_MIN 2 /* digits of an image ID that may stand for it */

/* Annotations of ours on an entry, so that listing reads one file. */
#define SW_ANN_IMAGE_ID "slipway.image.id"     /* digest of the config (of the index, for one) */
#define SW_ANN_IMAGE_SIZE "slipway.image.size" /* bytes of all its blobs, decimal */

struct sw_image {
    struct sw_str name;     /* full form, "docker.io/library/app:1.0"; "" for an unnamed image */
    struct sw_str familiar; /* "app:1.0"; "" for an unnamed image */
    struct sw_descriptor target; /* the manifest or index; annotations as stored */
    struct sw_digest id;         /* the config's digest; for an index the index's own */
    uint64_t size;               /* bytes of its blobs that are in the store, each counted once */
    int64_t created;             /* seconds since 1970; INT64_MIN where unknown */
    struct sw_platform platform; /* of a manifest; os "" for an index */
    bool is_index;
};

struct sw_images {
    struct sw_image *ptr; /* arena; sorted by name, unnamed ones last */
    size_t len;
};

/* Names an image whose blobs are all in the store (config and layers of a manifest; an index needs
 * at least one of its manifests): SW_NOT_FOUND says which one is missing. name "" adds an unnamed
 * image. An image that had the name keeps its entry without it, unless it has another name.
 * Nothing is written where the name means this digest already. */
SW_NODISCARD enum sw_code sw_tags_set(struct sw_store *store, struct sw_str name,
                                      const struct sw_descriptor *target, struct sw_error *err);
/* Several names for one image in one write. */
SW_NODISCARD enum sw_code sw_tags_set_all(struct sw_store *store, const struct sw_strs *names,
                                          const struct sw_descriptor *target, struct sw_error *err);
/* What was removed, for a command's output. ret_* may be NULL; ret_digest: the manifest's.
 * The name alone goes; *ret_last says whether it was the last one. The image then stays, unnamed,
 * unless drop_image. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_tags_remove(struct sw_store *store, struct sw_str name,
                                         bool drop_image, struct sw_digest *ret_digest,
                                         bool *ret_last, struct sw_error *err);
/* Removes every entry of a manifest or index digest, named or not. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_tags_drop(struct sw_store *store, const struct sw_digest *target,
                                       struct sw_error *err);

/* What a user means: a name; a name with a digest; "sha256:..." of a manifest, index or config; a
 * prefix of an image ID or manifest digest (at least SW_IMAGE_ID_PREFIX_MIN digits). A name wins
 * over a prefix. Pins the image. SW_NOT_FOUND suggests the nearest name; SW_USAGE lists the
 * candidates of an ambiguous prefix. Everything is in the arena. */
SW_NODISCARD enum sw_code sw_tags_resolve(struct sw_store *store, struct sw_arena *a,
                                          struct sw_str what, struct sw_image *ret,
                                          struct sw_error *err);
/* By name alone, the quick way (one scan of the file). SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_tags_get(struct sw_store *store, struct sw_arena *a,
                                      struct sw_str name, struct sw_descriptor *ret,
                                      struct sw_error *err);
/* All entries. */
SW_NODISCARD enum sw_code sw_tags_list(struct sw_store *store, struct sw_arena *a,
                                       struct sw_images *ret, struct sw_error *err);
/* Every blob that an image consists of and that is in the store (itself, manifests, configs,
 * layers), each once; pins them. Vector of digests in the arena. */
SW_NODISCARD enum sw_code sw_image_blobs(struct sw_store *store, struct sw_arena *a,
                                         const struct sw_descriptor *target, struct sw_digest **ret,
                                         size_t *ret_n, struct sw_error *err);

#endif
