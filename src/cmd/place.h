/* Places as commands name them: registry references, "oci:DIR", "store:IMAGE" (remote/place.h).
 *
 * Floor 7. The store and the session with registries are opened when a place needs them.
 */
#ifndef SW_CMD_PLACE_H
#define SW_CMD_PLACE_H

#include "cmd/remote_common.h"
#include "cmd/session.h"

struct cmd_places {
    struct sw_invocation *inv;
    unsigned flags;           /* of the store's session */
    struct sw_session store;  /* store NULL until it is needed */
    struct sw_remote *remote; /* owned; NULL until it is needed */
    struct sw_progress *progress;
};

/* The command declares REMOTE_OPTIONS. flags: SW_SESSION_PROGRESS, SW_SESSION_READ_ONLY. */
SW_NODISCARD enum sw_code cmd_places_init(struct cmd_places *places, struct sw_invocation *inv,
                                          unsigned flags, struct sw_error *err);
void cmd_places_done(struct cmd_places *places);
#define CMD_PLACES SW_CLEANUP(cmd_places_done)

/* bare: what a name without a prefix means, _REGISTRY or _STORE. */
SW_NODISCARD enum sw_code cmd_place_open(struct cmd_places *places, const char *text,
                                         enum sw_place_kind bare, bool target, struct sw_place *ret,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code cmd_place_open_name(struct cmd_places *places,
                                              const struct sw_place_name *name, bool target,
                                              struct sw_place *ret, struct sw_error *err);
/* Copies as one step of the progress: "push docker.io/library/app:1". */
SW_NODISCARD enum sw_code cmd_copy(struct cmd_places *places, const char *verb,
                                   const struct sw_place *from, const struct sw_place *to,
                                   const struct sw_copy_options *options,
                                   struct sw_copy_result *ret, struct sw_error *err);

#endif
