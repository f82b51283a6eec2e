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
/* --chown: like a user, but a user without a group gets the group of the same number. */
SW_NODISCARD enum sw_code sw_owner_find(struct sw_source *view, struct sw_arena *arena,
                                        struct sw_str text, uint32_t *ret_uid, uint32_t *ret_gid,
                                        struct sw_error *err);

#endif
