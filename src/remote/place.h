/* Places that hold images: registries, the local store, image layouts, archives.
 *
 * Floor 4. A place that was opened may be read by any number of threads.
 *
 *     docker://REFERENCE                a registry
 *     store:IMAGE, containers-storage:  the local store
 *     oci:DIR[:NAME], oci-layout://     an image layout; NAME may also be a digest after "@"
 *     oci-archive:FILE[:NAME]           the same in a tar archive
 *     docker-archive:FILE[:REFERENCE]   docker save's archive (both kinds are told apart when read)
 */
#ifndef SW_REMOTE_PLACE_H
#define SW_REMOTE_PLACE_H

#include "oci/platform.h"
#include "remote/remote.h"
#include "store/store.h"

enum sw_place_kind { SW_PLACE_REGISTRY, SW_PLACE_STORE, SW_PLACE_LAYOUT, SW_PLACE_ARCHIVE };

/* What a user wrote, taken apart; views of the text. */
struct sw_place_name {
    enum sw_place_kind kind;
    bool bare;          /* no prefix: the command says what that means; kind is _REGISTRY */
    bool docker;        /* an archive of docker's kind */
    struct sw_str path; /* of the layout or archive */
    struct sw_str name; /* the reference; of layouts and archives the image in it, may be empty */
};
/* SW_USAGE for a missing path, SW_UNSUPPORTED for prefixes of others (docker-daemon:, dir:). */
SW_NODISCARD enum sw_code sw_place_parse(struct sw_str text, struct sw_place_name *ret,
                                         struct sw_error *err);

struct sw_place_archive;

struct sw_place {
    enum sw_place_kind kind;
    bool docker;
    struct sw_reference ref;            /* registry */
    struct sw_remote *remote;           /* registry; borrowed */
    struct sw_store *store;             /* store; borrowed */
    struct sw_str name;                 /* store, layout, archive: the image; borrowed */
    struct sw_str path;                 /* layout, archive: for messages; borrowed */
    int dir;                            /* layout: owned */
    const struct sw_descriptor *target; /* store: this manifest, whatever its name; NULL */
    struct sw_place_archive *archive;   /* owned */
};

/* remote and store are needed for the kinds that use them. A target is made where it is missing; an
 * archive appears (or is replaced) when the copy into it is complete. */
SW_NODISCARD enum sw_code sw_place_open(struct sw_arena *a, const struct sw_place_name *name,
                                        bool target, struct sw_remote *remote,
                                        struct sw_store *store, struct sw_place *ret,
                                        struct sw_error *err);
/* Safe on a zeroed struct. */
void sw_place_close(struct sw_place *p);
#define SW_PLACE SW_CLEANUP(sw_place_close)
/* "docker.io/library/app:1", "oci:DIR:1", for messages. */
struct sw_str sw_place_text(const struct sw_place *p, struct sw_arena *a);

/* The manifest or index of a digest's text, or "" for what the place itself names. Verified. Never
 * without a media type: it is read from the document where nobody says. */
SW_NODISCARD enum sw_code sw_place_manifest(const struct sw_place *p, struct sw_arena *a,
                                            struct sw_str reference, struct sw_descriptor *ret,
                                            struct sw_str *ret_bytes, struct sw_error *err);
/* The manifest to take for a platform: itself, or the one that an index has for it, at any depth.
 * SW_NOT_FOUND says what there is. */
SW_NODISCARD enum sw_code sw_place_choose(const struct sw_place *p, struct sw_arena *a,
                                          const struct sw_platform *platform,
                                          struct sw_descriptor *ret, struct sw_str *ret_bytes,
                                          struct sw_error *err);
/* A small blob (a configuration) as a whole. Verified. */
SW_NODISCARD enum sw_code sw_place_document(const struct sw_place *p, struct sw_arena *a,
                                            const struct sw_descriptor *d, struct sw_str *ret,
                                            struct sw_error *err);
/* The bytes of a blob: a file, from an offset, d->size long. A registry's blob is downloaded to a
 * file without a name and verified; others are not verified. */
SW_NODISCARD enum sw_code sw_place_blob(const struct sw_place *p, const struct sw_descriptor *d,
                                        sw_remote_progress *progress, void *progress_context,
                                        int *ret_fd, uint64_t *ret_offset, struct sw_error *err);

#endif
