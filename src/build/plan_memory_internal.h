/* What planning a COPY, ADD or WORKDIR came to, found again by the inputs that it was planned from.
 * Private to the room.
 *
 * A plan says exactly which entries a layer gets, and takes looking at both sides: unpacking an
 * archive, cloning a repository, listing a stage, fetching the layers below the destination. Its
 * inputs have names that cost next to nothing: the content of stacks of layers, the digest of an
 * archive, a commit, the flags. The same inputs come to the same plan, so the key of the layer is
 * remembered under a key of theirs, and where the layer is in the cache nothing is looked at.
 *
 * A plain COPY from the context is planned each time: that takes a stat of each file. Where the
 * cache is taken along, its plan is remembered, too, because its destination may be elsewhere.
 */
#ifndef SW_BUILD_PLAN_MEMORY_INTERNAL_H
#define SW_BUILD_PLAN_MEMORY_INTERNAL_H

#include "build/room_internal.h"

/* A COPY or ADD with everything expanded that needs no look at files. */
struct sw_copy_inputs {
    struct sw_copy_spec spec;
    struct sw_str *paths;
    size_t n_paths;
    struct sw_copy_fetched *fetched;
    struct sw_add_repository *repositories; /* one for each of fetched; commit.ptr NULL: a file */
    size_t n_fetched;
    struct sw_copy_file *files;
    struct sw_str owner, mode; /* of --chown and --chmod, expanded */
    struct sw_df_chmod chmod;
    struct sw_ignore *exclude;
    struct sw_copy
        *outline; /* the files of a directory, where the key is made of them; else empty */
    bool has_key; /* the inputs have all names, and it is worth a memory */
    struct sw_digest key;
};

/* Fills has_key and key. */
SW_NODISCARD enum sw_code sw_plan_inputs(struct sw_stage *s, const struct sw_df_instruction *in,
                                         unsigned step, struct sw_copy_inputs *c,
                                         struct sw_error *err);
/* The same for WORKDIR; false where there is none. */
bool sw_plan_workdir_inputs(struct sw_stage *s, struct sw_str dir, struct sw_digest *ret);
/* False where it is not remembered, here or in what --cache-from names, or not to be used. */
bool sw_plan_recall(struct sw_stage *s, const struct sw_digest *inputs, struct sw_cache_plan *ret);
SW_NODISCARD enum sw_code sw_plan_remember(struct sw_stage *s, const struct sw_digest *inputs,
                                           const struct sw_cache_plan *plan, struct sw_error *err);

#endif
