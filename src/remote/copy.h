/* Whole images between places: registries, the local store, image layouts, archives.
 *
 * Floor 4. Nothing is sent that is there; blobs go in parallel, are verified while they arrive, and
 * are mounted where source and target are one registry. A manifest is written after everything
 * that it names, the one with the tag last.
 */
#ifndef SW_REMOTE_COPY_H
#define SW_REMOTE_COPY_H

#include "base/progress.h"
#include "remote/place.h"

struct sw_copy_options {
    const struct sw_platform *platform; /* the one to take of an index; NULL: all of it */
    bool referrers;                     /* signatures, attestations and the like, too */
    bool documents;                     /* manifests and configurations alone, and no name */
    unsigned parallel;                  /* blobs at once; 0: 4 */
    struct sw_progress *progress;       /* may be NULL */
    unsigned step;                      /* of progress */
};

struct sw_copy_result {
    struct sw_descriptor target; /* what was copied; arena */
    uint64_t blobs, bytes;       /* sent */
    uint64_t present, mounted;   /* blobs that were there, or linked */
};

/* SW_NOT_FOUND, SW_DENIED and so on name the place and the image. */
SW_NODISCARD enum sw_code sw_copy_image(struct sw_arena *a, const struct sw_place *from,
                                        const struct sw_place *to,
                                        const struct sw_copy_options *options,
                                        struct sw_copy_result *ret, struct sw_error *err);

/* Blobs that somebody knows of, without the manifest that names them. ret may be NULL. */
SW_NODISCARD enum sw_code sw_copy_blobs(struct sw_arena *a, const struct sw_place *from,
                                        const struct sw_place *to,
                                        const struct sw_descriptor *blobs, size_t n,
                                        const struct sw_copy_options *options,
                                        struct sw_copy_result *ret, struct sw_error *err);

#endif
