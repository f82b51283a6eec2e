/* Management that the command line and the HTTP interface share: answers as JSON.
 *
 * Floor 5. Thread-safe. The shapes are those of docs/registry-openapi.json.
 */
#ifndef SW_REGISTRY_ADMIN_H
#define SW_REGISTRY_ADMIN_H

#include "base/buf.h"
#include "registry/meta.h"

SW_NODISCARD enum sw_code sw_admin_accounts(struct sw_meta *m, struct sw_buf *out,
                                            struct sw_error *err);
SW_NODISCARD enum sw_code sw_admin_rules(struct sw_meta *m, struct sw_buf *out,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code sw_admin_hooks(struct sw_meta *m, struct sw_buf *out,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code sw_admin_issuers(struct sw_meta *m, struct sw_buf *out,
                                           struct sw_error *err);
/* Repositories with their tags, manifests and bytes. */
SW_NODISCARD enum sw_code sw_admin_usage(struct sw_meta *m, struct sw_buf *out,
                                         struct sw_error *err);

struct sw_issuer {
    int64_t id;
    struct sw_str issuer, audience, claims, robot, keys_url;
};
SW_NODISCARD enum sw_code sw_issuer_put(struct sw_meta *m, struct sw_arena *a,
                                        struct sw_issuer *issuer, struct sw_error *err);
SW_NODISCARD enum sw_code sw_issuer_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                                           struct sw_error *err);
/* What runs somewhere is kept by retention. place: "cluster/namespace". */
SW_NODISCARD enum sw_code sw_deployed_set(struct sw_meta *m, struct sw_arena *a, struct sw_str repo,
                                          struct sw_str digest, struct sw_str place, bool remove,
                                          int64_t now_s, struct sw_error *err);

#endif
