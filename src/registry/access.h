/* Who may do what: accounts, roles, rules, and the policy that a request is judged by.
 *
 * Floor 5. Thread-safe.
 *
 *   viewer     pulls
 *   developer  pulls, pushes (not to production repositories)
 *   releaser   pulls, pushes, deletes; a robot with this role is who writes production repositories
 *   admin      everything, the management interface included
 *
 * A role is bound to a pattern of repositories. A person has, besides, the role of a developer on
 * NAME/ and below. Rules (rules.h) narrow what roles give.
 */
#ifndef SW_REGISTRY_ACCESS_H
#define SW_REGISTRY_ACCESS_H

#include "base/buf.h"
#include "registry/meta.h"

enum sw_action {
    SW_ACT_PULL = 1 << 0,
    SW_ACT_PUSH = 1 << 1,
    SW_ACT_DELETE = 1 << 2,
    SW_ACT_ADMIN = 1 << 3, /* "*" */
    SW_ACT_ALL = 15,
};
/* "pull", "push", "delete", "*" (all); 0 for others. Pure. */
unsigned sw_action_of(struct sw_str name);

enum sw_role { SW_ROLE_NONE, SW_ROLE_VIEWER, SW_ROLE_DEVELOPER, SW_ROLE_RELEASER, SW_ROLE_ADMIN };
enum sw_role sw_role_of(struct sw_str name);
const char *sw_role_name(enum sw_role role);

struct sw_binding {
    enum sw_role role;
    struct sw_str pattern;
};

struct sw_principal {
    struct sw_str name; /* "" for anonymous */
    bool anonymous, robot, disabled;
    int64_t expires;    /* Unix seconds; 0: never */
    int64_t generation; /* of the password: what was issued before a change is void */
    const struct sw_binding *bindings;
    size_t n_bindings;
};

enum sw_rule_kind {
    SW_RULE_ANONYMOUS,  /* everybody may pull */
    SW_RULE_PRODUCTION, /* only robots that are releasers write (and admins, with the value "admin")
                         */
    SW_RULE_IMMUTABLE,  /* tags that match the value are set once */
    SW_RULE_RETENTION,  /* JSON: {"keep_last":N,"keep_days":N,"keep":"v*","keep_deployed":true,
                           "untagged_days":N} */
    SW_RULE_QUOTA,      /* bytes */
    SW_RULE_DELETE,     /* roles that may delete, "releaser,admin" */
    SW_RULE_ATTEST,     /* JSON: {"predicate":TYPE,"key":PEM,"where":{...},"from":PATTERN} */
    SW_RULE_KINDS,
};
const char *sw_rule_kind_name(enum sw_rule_kind kind);
/* SW_USAGE lists what there is. */
SW_NODISCARD enum sw_code sw_rule_kind_of(struct sw_str name, enum sw_rule_kind *ret,
                                          struct sw_error *err);

struct sw_rule {
    int64_t id;
    enum sw_rule_kind kind;
    struct sw_str pattern, value;
};

/* All rules, and the accounts met so far, of one epoch. Counted; never changes but for accounts
 * that are added. */
struct sw_policy;
struct sw_policy_cache;
struct sw_policy_cache *sw_policy_cache_new(struct sw_meta *meta);
void sw_policy_cache_free(struct sw_policy_cache *c);
/* The policy of now: one small query a request, so that a change counts at once on every server.
 * Release with _unref. */
SW_NODISCARD enum sw_code sw_policy_ref(struct sw_policy_cache *c, struct sw_arena *a,
                                        struct sw_policy **ret, struct sw_error *err);
void sw_policy_unref(struct sw_policy *p);
/* *ret lives as long as the policy. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_policy_principal(struct sw_policy *p, struct sw_str name,
                                              const struct sw_principal **ret,
                                              struct sw_error *err);
/* Calls visit for every rule of a kind that covers the repository, until it returns false. */
void sw_policy_rules(const struct sw_policy *p, enum sw_rule_kind kind, struct sw_str repo,
                     bool (*visit)(void *context, const struct sw_rule *rule), void *context);
const struct sw_rule *sw_policy_rule(const struct sw_policy *p, enum sw_rule_kind kind,
                                     struct sw_str repo); /* the first, or NULL */
/* What a principal may do with a repository, rules included. Expired and disabled: nothing. */
unsigned sw_policy_actions(const struct sw_policy *p, const struct sw_principal *who,
                           struct sw_str repo, int64_t now_s);
bool sw_policy_is_admin(const struct sw_policy *p, const struct sw_principal *who, int64_t now_s);

/* ---- accounts ---- */

/* bcrypt through crypt(3), "$2b$" with this cost. SW_USAGE for lengths that bcrypt would cut. */
#define SW_BCRYPT_COST 10
SW_NODISCARD enum sw_code sw_password_hash(struct sw_str password, unsigned cost,
                                           struct sw_buf *ret_hash, struct sw_error *err);
/* Takes as long for an account that does not exist (hash NULL). */
bool sw_password_verify(struct sw_str password, const char *hash);

struct sw_account_change {
    struct sw_str name;
    bool robot;
    struct sw_str password; /* ptr NULL: unchanged */
    bool set_disabled, disabled;
    bool set_expires;
    int64_t expires;
};
SW_NODISCARD enum sw_code sw_account_put(struct sw_meta *m, struct sw_arena *a,
                                         const struct sw_account_change *change, bool create,
                                         int64_t now_s, struct sw_error *err);
SW_NODISCARD enum sw_code sw_account_remove(struct sw_meta *m, struct sw_arena *a,
                                            struct sw_str name, struct sw_error *err);
SW_NODISCARD enum sw_code sw_role_put(struct sw_meta *m, struct sw_arena *a, struct sw_str account,
                                      enum sw_role role, struct sw_str pattern, bool remove,
                                      struct sw_error *err);
/* *ret_id may be NULL. The value is checked as its kind asks. */
SW_NODISCARD enum sw_code sw_rule_put(struct sw_meta *m, struct sw_arena *a, struct sw_rule *rule,
                                      struct sw_error *err);
SW_NODISCARD enum sw_code sw_rule_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                                         struct sw_error *err);

#endif
