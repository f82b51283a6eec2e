/* What most commands work with: the store, threads, progress, and the user namespace around it all.
 *
 * Floor 7. One per process.
 */
#ifndef SW_CMD_SESSION_H
#define SW_CMD_SESSION_H

#include "base/pool.h"
#include "cmd/command.h"
#include "sandbox/userns.h"
#include "store/store.h"

struct sw_session {
    struct sw_store *store;
    struct sw_pool *pool;         /* NULL unless SW_SESSION_POOL */
    struct sw_progress *progress; /* NULL unless SW_SESSION_PROGRESS */
    struct sw_userns userns;
};

enum sw_session_flags {
    SW_SESSION_ROOT = 1 << 0,      /* act as root: enter a user namespace where that is needed */
    SW_SESSION_POOL = 1 << 1,      /* worker threads */
    SW_SESSION_PROGRESS = 1 << 2,  /* mode from --progress where the command has it */
    SW_SESSION_READ_ONLY = 1 << 3, /* a store that cannot be written is good enough */
};

/* Opens what the flags ask for. Must come before anything starts a thread. */
SW_NODISCARD enum sw_code sw_session_open(const struct sw_invocation *inv, unsigned flags,
                                          struct sw_session *ret, struct sw_error *err);
/* What --progress, --quiet and the environment ask for, for commands without a session. Owned. */
SW_NODISCARD enum sw_code sw_session_progress(const struct sw_invocation *inv,
                                              struct sw_progress **ret, struct sw_error *err);
/* Safe on a zeroed struct. */
void sw_session_close(struct sw_session *s);
#define SW_SESSION SW_CLEANUP(sw_session_close)

#endif
