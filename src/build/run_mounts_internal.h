/* The mounts of RUN. Private to the room build. */
#ifndef SW_BUILD_RUN_MOUNTS_INTERNAL_H
#define SW_BUILD_RUN_MOUNTS_INTERNAL_H

#include "build/agent_relay.h"
#include "build/room_internal.h"
#include "dockerfile/mount.h"

#define SW_RUN_MOUNTS_MAX 64

/* What --mount flags became: mounts of the sandbox, variables, locks that are held meanwhile. */
struct sw_run_mounts {
    struct sw_mount mounts[SW_RUN_MOUNTS_MAX];
    size_t n;
    struct sw_overlay overlays[SW_RUN_MOUNTS_MAX]; /* of bind mounts */
    int fds[SW_RUN_MOUNTS_MAX * 2];                /* locks and directories; closed by _done */
    size_t n_fds;
    struct sw_strs env;                     /* NAME=value of secrets and the agent's socket */
    SW_VEC(char *) temps;                   /* scratch directories; removed by _done */
    SW_VEC(struct sw_agent_relay *) relays; /* ended by _done */
    struct sw_store *store;
};

void sw_run_mounts_init(struct sw_run_mounts *m, struct sw_store *store);
void sw_run_mounts_done(struct sw_run_mounts *m);

/* Adds what decides the result to the key; makes nothing that lasts but snapshots of sources. */
SW_NODISCARD enum sw_code sw_run_mounts_plan(struct sw_stage *s, const struct sw_df_run *run,
                                             unsigned step, struct sw_df_mount **ret_parsed,
                                             struct sw_key *key, struct sw_error *err);
/* Opens, locks and fills. */
SW_NODISCARD enum sw_code sw_run_mounts_open(struct sw_stage *s, const struct sw_df_mount *parsed,
                                             size_t n, unsigned step, struct sw_run_mounts *m,
                                             struct sw_error *err);

#endif
