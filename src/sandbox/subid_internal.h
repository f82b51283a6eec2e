/* Subordinate IDs: /etc/subuid and /etc/subgid.
 *
 * Floor 3, private.
 */
#ifndef SW_SANDBOX_SUBID_INTERNAL_H
#define SW_SANDBOX_SUBID_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Kernels before 4.15 take five lines in a map, and one is for the user. */
#define SW_SUBIDS_MAX 4

struct sw_subids {
    struct {
        uint32_t start, count;
    } ranges[SW_SUBIDS_MAX];
    size_t n;
};

/* The ranges that the file gives to a user, by name or number; none where it cannot be read. */
void sw_subids_read(const char *path, uid_t uid, struct sw_subids *ret);

#endif
