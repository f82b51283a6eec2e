/* Becoming root without being root: one user and mount namespace around the whole process.
 *
 * Floor 3. Not thread-safe: sw_userns_enter() is called once, early in main, while the process has
 * one thread. Afterwards every room acts as root and asks struct sw_userns where it matters.
 */
#ifndef SW_SANDBOX_USERNS_H
#define SW_SANDBOX_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum sw_userns_mode {
    /* Really root, with CAP_SYS_ADMIN: nothing was entered. */
    SW_USERNS_NATIVE,
    /* Root of a user namespace, ours or one around us, with other IDs: chown works. */
    SW_USERNS_RANGE,
    /* The same with one ID: chown cannot work. */
    SW_USERNS_SINGLE,
};

struct sw_userns {
    enum sw_userns_mode mode;
    uid_t outer_uid; /* who we are outside */
    gid_t outer_gid;
    uid_t n_uids; /* IDs from 0 that exist inside: UINT32_MAX for native, 1 for single */
    gid_t n_gids;
    bool user_xattr; /* overlay marks are user.overlay.*, not trusted.overlay.* */
    char why[256]; /* why the mode is not a better one, with advice; "" where nothing is missing */
};

/* Enters what is needed. Fails with SW_DENIED, and advice, where user namespaces are forbidden;
 * commands that need no root may go on then, as if nothing had been called. */
SW_NODISCARD enum sw_code sw_userns_enter(struct sw_userns *ret, struct sw_error *err);
/* Whether this process is in the first user namespace, where root is really root. */
bool sw_userns_is_first(void);
/* "native", "range" or "single". */
const char *sw_userns_mode_name(enum sw_userns_mode mode);

#endif
