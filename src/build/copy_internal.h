/* What the planner of COPY and ADD and its part for archives share. Private to the room build. */
#ifndef SW_BUILD_COPY_INTERNAL_H
#define SW_BUILD_COPY_INTERNAL_H

#include "base/vec.h"
#include "build/copy.h"

struct sw_copy_planner {
    struct sw_copy *copy;
    const struct sw_copy_spec *spec;
    struct sw_source *source; /* of what is being added; borrowed */
    bool unpacking;           /* an archive's destination: --chmod is not for the way to it */
    SW_VEC(struct sw_item) items;
};

/* Appends an item, its time not younger than the epoch. ret may be NULL. */
SW_NODISCARD enum sw_code sw_copy_add_item(struct sw_copy_planner *p, struct sw_str path,
                                           const struct sw_node *node, struct sw_item **ret,
                                           struct sw_error *err);
/* What the stage has at a path; type 0 where there is nothing. */
SW_NODISCARD enum sw_code sw_copy_look_at_dest(struct sw_copy_planner *p, struct sw_str path,
                                               struct sw_node *ret, struct sw_error *err);
/* The directories above a path: as they are, or new ones of the owner asked for. */
SW_NODISCARD enum sw_code sw_copy_add_parents(struct sw_copy_planner *p, struct sw_str path,
                                              struct sw_error *err);

/* Sorts the items into the copy, each path once. */
SW_NODISCARD enum sw_code sw_copy_finish(struct sw_copy_planner *p, struct sw_error *err);

/* copy_archive.c: ADD's unpacking. *ret_done false: the file is no archive. dest is a directory,
 * there or to be made. */
SW_NODISCARD enum sw_code sw_copy_add_archive(struct sw_copy_planner *p, struct sw_str source_path,
                                              const struct sw_node *node, struct sw_str dest,
                                              bool *ret_done, struct sw_error *err);

#endif
