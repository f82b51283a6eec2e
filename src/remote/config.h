/* Credentials and registries' settings, from the files that docker, podman and we share.
 *
 * Floor 4. Thread-safe for reading; _store and _erase replace the file in one step.
 *
 * Credentials: $DOCKER_CONFIG/config.json (~/.docker/config.json), with credsStore and
 * credHelpers; then, read only, $REGISTRY_AUTH_FILE and podman's auth.json.
 * Settings: $SLIPWAY_REGISTRIES, else $XDG_CONFIG_HOME/slipway/registries.json, else
 * /etc/slipway/registries.json:
 *     {"registries":{"docker.io":{"mirrors":["https://mirror.example.org"],"insecure":false}}}
 * Certificates: certs.d/HOST/{ca.crt,client.cert,client.key} of docker and containers.
 */
#ifndef SW_REMOTE_CONFIG_H
#define SW_REMOTE_CONFIG_H

#include "base/arena.h"
#include "base/error.h"

struct sw_credential {
    struct sw_str user, password;
    struct sw_str refresh_token; /* "identitytoken": instead of a password */
};
static inline bool sw_credential_is_set(const struct sw_credential *c) {
    return c->user.len > 0 || c->refresh_token.len > 0;
}

/* The credential for a registry ("docker.io", "host:port"); zeroed where there is none. A path
 * beneath it ("host/team") is looked for first, as podman does. */
SW_NODISCARD enum sw_code sw_credential_find(struct sw_arena *a, struct sw_str domain,
                                             struct sw_str path, struct sw_credential *ret,
                                             struct sw_error *err);
/* ret_where says where it went ("the helper pass", a path), for a message. */
SW_NODISCARD enum sw_code sw_credential_store(struct sw_arena *a, struct sw_str domain,
                                              const struct sw_credential *c,
                                              struct sw_str *ret_where, struct sw_error *err);
/* SW_NOT_FOUND where there was none. */
SW_NODISCARD enum sw_code sw_credential_erase(struct sw_arena *a, struct sw_str domain,
                                              struct sw_error *err);

struct sw_registry_setting {
    const struct sw_str *mirrors; /* URLs without a trailing slash; arena */
    size_t n_mirrors;
    bool insecure; /* certificates unchecked, http where https is not spoken */
    const char *ca_file, *client_cert, *client_key; /* arena; NULL where there is none */
};
SW_NODISCARD enum sw_code sw_registry_setting_find(struct sw_arena *a, struct sw_str domain,
                                                   struct sw_registry_setting *ret,
                                                   struct sw_error *err);

#endif
