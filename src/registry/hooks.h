/* Webhooks: what happened, posted as JSON and signed, from a queue that survives restarts.
 *
 * Floor 5. Thread-safe. The body is a CloudEvents-like object; the header
 * "X-Slipway-Signature: sha256=<hex>" is the HMAC-SHA-256 of the body with the hook's secret.
 */
#ifndef SW_REGISTRY_HOOKS_H
#define SW_REGISTRY_HOOKS_H

#include "net/http_client.h"
#include "registry/audit.h"

struct sw_hook {
    int64_t id;
    struct sw_str url, secret, pattern, events; /* events: "push,delete,promote" or "*" */
};
SW_NODISCARD enum sw_code sw_hook_put(struct sw_meta *m, struct sw_arena *a, struct sw_hook *hook,
                                      struct sw_error *err);
SW_NODISCARD enum sw_code sw_hook_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                                         struct sw_error *err);
/* In the transaction of the deed: a delivery for every hook that wants it. */
SW_NODISCARD enum sw_code sw_hooks_queue(struct sw_tx *tx, const struct sw_audit_entry *entry,
                                         struct sw_error *err);
/* Sends what is due; what fails waits twice as long each time. ret_sent and ret_failed count. */
SW_NODISCARD enum sw_code sw_hooks_deliver(struct sw_meta *m, struct sw_http *http, int64_t now_s,
                                           size_t *ret_sent, size_t *ret_failed,
                                           struct sw_error *err);

#endif
