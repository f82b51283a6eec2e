/* The audit trail: an append-only list whose entries hold the hash of what came before.
 *
 * Floor 5. Thread-safe.
 *
 * A deed is written to audit_inbox in the transaction that does it: both happen or none. Entries
 * move from there into the chain, in batches, by one writer at a time, so that the chain never
 * makes pushes wait for each other.
 *
 *     hash(n) = sha256(hash(n - 1) "\n" entry(n)), in hexadecimal; hash(0) = 64 times '0'
 */
#ifndef SW_REGISTRY_AUDIT_H
#define SW_REGISTRY_AUDIT_H

#include "registry/meta.h"

struct sw_audit_entry {
    int64_t time_s;
    struct sw_str account; /* "" for anonymous */
    struct sw_str address;
    struct sw_str action; /* "push", "delete", "login", "rule.add" ... */
    struct sw_str repo, digest, detail;
    bool allowed;
};

SW_NODISCARD enum sw_code sw_audit_add(struct sw_tx *tx, const struct sw_audit_entry *entry,
                                       struct sw_error *err);
/* Moves the inbox into the chain. *ret_n (may be NULL) entries were moved. */
SW_NODISCARD enum sw_code sw_audit_seal(struct sw_meta *m, size_t *ret_n, struct sw_error *err);

struct sw_audit_filter {
    struct sw_str account, action, repo_pattern, digest; /* empty: any */
    int64_t since_s, until_s;                            /* 0: open */
    int only_refused;
    size_t max; /* the newest so many; 0: 1000 */
};
/* Calls visit with each entry (JSON), oldest first. */
SW_NODISCARD enum sw_code sw_audit_list(struct sw_meta *m, const struct sw_audit_filter *filter,
                                        enum sw_code (*visit)(void *context, int64_t seq,
                                                              struct sw_str entry,
                                                              struct sw_str hash,
                                                              struct sw_error *err),
                                        void *context, struct sw_error *err);
/* SW_CORRUPT names the first entry that was changed, removed or added by other means. *ret_n:
 * entries verified; ret_head (65 bytes): the last hash, to be kept elsewhere. */
SW_NODISCARD enum sw_code sw_audit_verify(struct sw_meta *m, int64_t *ret_n, char *ret_head,
                                          struct sw_error *err);

/* For what has no transaction of its own (refusals, pulls): a queue that a thread empties. */
struct sw_audit_queue;
struct sw_audit_queue *sw_audit_queue_new(struct sw_meta *m);
void sw_audit_queue_push(struct sw_audit_queue *q, const struct sw_audit_entry *entry);
/* Writes what waits, durably, then moves the inbox. Called by the maintenance thread. */
SW_NODISCARD enum sw_code sw_audit_queue_flush(struct sw_audit_queue *q, struct sw_error *err);
void sw_audit_queue_free(struct sw_audit_queue *q);

#endif
