/* Running a command over an image: what `slipway run` does.
 *
 * Floor 5. The container lives as long as the call; what it changed goes with it.
 */
#ifndef SW_BUILD_CONTAINER_H
#define SW_BUILD_CONTAINER_H

#include "build/build.h"
#include "oci/manifest.h"
#include "sandbox/forward.h"

struct sw_container_options {
    const struct sw_manifest *manifest;
    const struct sw_image_config *config;
    struct sw_strs command;    /* replaces CMD where not empty */
    struct sw_strs entrypoint; /* replaces ENTRYPOINT (and drops CMD) where has_entrypoint */
    bool has_entrypoint;
    struct sw_strs env;            /* NAME=value, over the image's */
    struct sw_str user, workdir;   /* "" for the image's */
    const char *hostname;          /* NULL: a name of its own */
    const struct sw_mount *mounts; /* -v, --mount, --tmpfs */
    size_t n_mounts;
    const struct sw_port *ports;
    size_t n_ports;
    enum sw_network network;
    const struct sw_host_entry *add_hosts;
    size_t n_add_hosts;
    const char *const *dns;
    size_t n_dns;
    const struct sw_rlimit *rlimits;
    size_t n_rlimits;
    struct sw_limits limits;
    uint64_t shm_bytes, capabilities;
    bool read_only, privileged, no_new_privs, unconfined, init, tty, interactive;
};

/* Runs to the end. *ret_status is the command's: 126 and 127 where it could not be executed. Where
 * stderr is a terminal's, nothing of ours is printed. Signals that end us are passed on. */
SW_NODISCARD enum sw_code sw_container_run(const struct sw_build_tools *tools,
                                           const struct sw_container_options *options,
                                           struct sw_arena *arena, int *ret_status,
                                           struct sw_error *err);

#endif
