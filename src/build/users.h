/* Users and groups of an image, from its own /etc/passwd and /etc/group.
 *
 * Floor 5. Pure but for reading the view.
 */
#ifndef SW_BUILD_USERS_H
#define SW_BUILD_USERS_H

#include "build/limits.h"
#include "build/source.h"

struct sw_user {
    uint32_t uid, gid;
    struct sw_str name;             /* "" where the image does not name the uid */
    struct sw_str home;             /* "/" where it does not say */
    uint32_t groups[SW_GROUPS_MAX]; /* supplementary, the primary one first */
    size_t n_groups;
};

/* USER's or --user's "name", "uid", "name:group", "uid:gid"; "" is 0:0. Strings go to arena. A name
 * that the image does not know is SW_NOT_FOUND; a number need not be known. view NULL: nothing is
 * known. With a group given there are no supplementary ones (as Docker does). */
SW_NODISCARD enum sw_code sw_user_find(struct sw_source *view, struct sw_arena *arena,
                                       struct sw_str text, struct sw_user *ret,
                                       struct sw_error *err);
/* The owner of what COPY, ADD and WORKDIR make, which is not the user that RUN would have: a number
 * is taken as it is and stands for the group of that number, too; a user's name brings the group of
 * passwd; "root" is 0:0; without a user it is 0. A name that the image does not know counts as 0,
 * as BuildKit has it, and is in *ret_unknown for a warning (ptr NULL: all were known). view NULL,
 * the empty image: names are SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_owner_find(struct sw_source *view, struct sw_arena *arena,
                                        struct sw_str text, uint32_t *ret_uid, uint32_t *ret_gid,
                                        struct sw_str *ret_unknown, struct sw_error *err);

#endif
