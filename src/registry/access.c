/* The policy: a snapshot of the rules and of the accounts met so far, thrown away as soon as the
 * epoch in the metadata has moved. A request asks for the epoch once, so that a revocation counts
 * at the next request on every server, and costs one lookup by primary key. */
#include "registry/access.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/limits.h"
#include "registry/route.h"

#define POLICY_BYTES ((size_t)64 << 20)
#define ACCOUNTS_KEPT 10000 /* more accounts than that are read again and again, not an error */

unsigned sw_action_of(struct sw_str name) {
    if (sw_str_is(name, "pull")) return SW_ACT_PULL;
    if (sw_str_is(name, "push")) return SW_ACT_PUSH;
    if (sw_str_is(name, "delete")) return SW_ACT_DELETE;
    if (sw_str_is(name, "*")) return SW_ACT_ALL;
    return 0;
}

static const char *const role_names[] = {"", "viewer", "developer", "releaser", "admin"};
enum sw_role sw_role_of(struct sw_str name) {
    for (int i = 1; i <= SW_ROLE_ADMIN; i++)
        if (sw_str_is(name, role_names[i])) return (enum sw_role)i;
    return SW_ROLE_NONE;
}
const char *sw_role_name(enum sw_role role) { return role_names[role]; }

static const char *const kind_names[] = {"anonymous", "production", "immutable", "retention",
                                         "quota",     "delete",     "attest"};
const char *sw_rule_kind_name(enum sw_rule_kind kind) { return kind_names[kind]; }
enum sw_code sw_rule_kind_of(struct sw_str name, enum sw_rule_kind *ret, struct sw_error *err) {
    for (int i = 0; i < SW_RULE_KINDS; i++)
        if (sw_str_is(name, kind_names[i])) {
            *ret = (enum sw_rule_kind)i;
            return SW_OK;
        }
    return sw_fail(err, SW_USAGE,
                   "no kind of rule \"%.*s\": anonymous, production, immutable, retention, quota, "
                   "delete, attest",
                   SW_ARG(name));
}

struct sw_policy {
    _Atomic int refs;
    struct sw_meta *meta;
    int64_t epoch;
    const struct sw_rule *rules;
    size_t n_rules;
    pthread_mutex_t lock; /* of what follows */
    struct sw_arena arena;
    struct sw_map principals;
};

struct sw_policy_cache {
    struct sw_meta *meta;
    pthread_mutex_t lock;
    struct sw_policy *current;
};

struct sw_policy_cache *sw_policy_cache_new(struct sw_meta *meta) {
    struct sw_policy_cache *c = sw_calloc(1, sizeof *c);
    c->meta = meta;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}
void sw_policy_cache_free(struct sw_policy_cache *c) {
    if (!c) return;
    sw_policy_unref(c->current);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void sw_policy_unref(struct sw_policy *p) {
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1) return;
    sw_map_done(&p->principals);
    sw_arena_done(&p->arena);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static enum sw_code load_rules(struct sw_policy *p, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_begin(p->meta, &p->arena, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_ask(&tx, &rows, err, "SELECT id, kind, pattern, value FROM rules ORDER BY id");
    if (code) return code;
    struct sw_rule *rules = sw_arena_array(&p->arena, rows.n_rows + 1, sizeof *rules);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        struct sw_rule r = {.id = v[0].number, .pattern = v[2].text, .value = v[3].text};
        code = sw_rule_kind_of(v[1].text, &r.kind, err);
        if (code) return code;
        rules[p->n_rules++] = r;
    }
    p->rules = rules;
    return SW_OK;
}

static enum sw_code policy_new(struct sw_meta *meta, int64_t epoch, struct sw_policy **ret,
                               struct sw_error *err) {
    struct sw_policy *p = sw_calloc(1, sizeof *p);
    p->meta = meta;
    p->epoch = epoch;
    atomic_store(&p->refs, 1);
    pthread_mutex_init(&p->lock, NULL);
    sw_arena_init(&p->arena, POLICY_BYTES);
    enum sw_code code = load_rules(p, err);
    if (code) {
        sw_policy_unref(p);
        return code;
    }
    *ret = p;
    return SW_OK;
}

enum sw_code sw_policy_ref(struct sw_policy_cache *c, struct sw_arena *a, struct sw_policy **ret,
                           struct sw_error *err) {
    int64_t epoch = 0;
    enum sw_code code = sw_meta_epoch(c->meta, a, &epoch, err);
    if (code) return code;
    pthread_mutex_lock(&c->lock);
    struct sw_policy *old = NULL;
    /* Accounts that were met stay in the arena: past its cap it starts anew. */
    bool full = c->current && c->current->arena.used > POLICY_BYTES / 2;
    if (!c->current || c->current->epoch != epoch || full) {
        struct sw_policy *fresh = NULL;
        code = policy_new(c->meta, epoch, &fresh, err);
        if (!code) {
            old = c->current;
            c->current = fresh;
        }
    }
    if (!code) {
        *ret = c->current;
        atomic_fetch_add(&c->current->refs, 1);
    }
    pthread_mutex_unlock(&c->lock);
    sw_policy_unref(old);
    return code;
}

/* The account with its roles, into the policy's arena (the caller holds the lock). */
static enum sw_code load_principal(struct sw_policy *p, struct sw_str name,
                                   struct sw_principal **ret, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows, roles;
    struct sw_sql_value key = sw_sql_text(name);
    enum sw_code code = sw_tx_begin(p->meta, &p->arena, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "SELECT robot, disabled, expires, generation FROM accounts WHERE name = $1",
                        key);
    if (!code)
        code = sw_tx_do(&tx, &roles, err,
                        "SELECT role, pattern FROM roles WHERE account = $1 ORDER BY role, pattern",
                        key);
    if (code) return code;
    if (!rows.n_rows) return sw_fail(err, SW_NOT_FOUND, "no account %.*s", SW_ARG(name));
    const struct sw_sql_value *v = sw_sql_row(&rows, 0);
    struct sw_principal *who = SW_NEW(&p->arena, struct sw_principal);
    struct sw_binding *b = sw_arena_array(&p->arena, roles.n_rows + 1, sizeof *b);
    *who = (struct sw_principal){.name = sw_arena_str(&p->arena, name),
                                 .robot = v[0].number != 0,
                                 .disabled = v[1].number != 0,
                                 .expires = v[2].number,
                                 .generation = v[3].number,
                                 .bindings = b};
    for (size_t i = 0; i < roles.n_rows; i++)
        b[who->n_bindings++] = (struct sw_binding){sw_role_of(sw_sql_row(&roles, i)[0].text),
                                                   sw_sql_row(&roles, i)[1].text};
    if (!who->robot) {
        /* People push to their own. */
        struct sw_str own = sw_arena_printf(&p->arena, "%.*s/**", SW_ARG(name));
        b[who->n_bindings++] = (struct sw_binding){SW_ROLE_DEVELOPER, own};
    }
    *ret = who;
    return SW_OK;
}

enum sw_code sw_policy_principal(struct sw_policy *p, struct sw_str name,
                                 const struct sw_principal **ret, struct sw_error *err) {
    static const struct sw_principal anonymous = {.anonymous = true};
    enum sw_code code = SW_OK;
    struct sw_principal *who;
    if (name.len == 0) {
        *ret = &anonymous;
        return SW_OK;
    }
    pthread_mutex_lock(&p->lock);
    who = sw_map_get(&p->principals, name);
    if (!who) {
        code = load_principal(p, name, &who, err);
        if (!code && sw_map_count(&p->principals) < ACCOUNTS_KEPT)
            sw_map_put(&p->principals, who->name, who);
    }
    pthread_mutex_unlock(&p->lock);
    if (!code) *ret = who;
    return code;
}

void sw_policy_rules(const struct sw_policy *p, enum sw_rule_kind kind, struct sw_str repo,
                     bool (*visit)(void *, const struct sw_rule *), void *context) {
    for (size_t i = 0; i < p->n_rules; i++)
        if (p->rules[i].kind == kind && sw_repo_pattern_match(p->rules[i].pattern, repo) &&
            !visit(context, &p->rules[i]))
            return;
}

const struct sw_rule *sw_policy_rule(const struct sw_policy *p, enum sw_rule_kind kind,
                                     struct sw_str repo) {
    for (size_t i = 0; i < p->n_rules; i++)
        if (p->rules[i].kind == kind && sw_repo_pattern_match(p->rules[i].pattern, repo))
            return &p->rules[i];
    return NULL;
}

static bool list_has(struct sw_str list, struct sw_str word) {
    struct sw_str field;
    while (sw_str_next(&list, ',', &field))
        if (sw_str_eq(sw_str_trim(field), word)) return true;
    return false;
}

static bool alive(const struct sw_principal *who, int64_t now_s) {
    return !who->disabled && (who->expires == 0 || now_s < who->expires);
}

static enum sw_role best_role(const struct sw_principal *who, struct sw_str repo) {
    enum sw_role best = SW_ROLE_NONE;
    for (size_t i = 0; i < who->n_bindings; i++)
        if (who->bindings[i].role > best && sw_repo_pattern_match(who->bindings[i].pattern, repo))
            best = who->bindings[i].role;
    return best;
}

unsigned sw_policy_actions(const struct sw_policy *p, const struct sw_principal *who,
                           struct sw_str repo, int64_t now_s) {
    static const unsigned of_role[] = {
        [SW_ROLE_NONE] = 0,
        [SW_ROLE_VIEWER] = SW_ACT_PULL,
        [SW_ROLE_DEVELOPER] = SW_ACT_PULL | SW_ACT_PUSH,
        [SW_ROLE_RELEASER] = SW_ACT_PULL | SW_ACT_PUSH | SW_ACT_DELETE,
        [SW_ROLE_ADMIN] = SW_ACT_ALL,
    };
    unsigned actions = 0;
    if (sw_policy_rule(p, SW_RULE_ANONYMOUS, repo)) actions |= SW_ACT_PULL;
    if (who->anonymous) return actions;
    if (!alive(who, now_s)) return 0;
    enum sw_role role = best_role(who, repo);
    actions |= of_role[role];
    const struct sw_rule *production = sw_policy_rule(p, SW_RULE_PRODUCTION, repo);
    if (production) {
        bool releaser = who->robot && role == SW_ROLE_RELEASER;
        bool admin = role == SW_ROLE_ADMIN && sw_str_is(production->value, "admin");
        if (!releaser && !admin) actions &= ~(unsigned)SW_ACT_PUSH;
        if (!releaser && role != SW_ROLE_ADMIN) actions &= ~(unsigned)SW_ACT_DELETE;
    }
    const struct sw_rule *delete = sw_policy_rule(p, SW_RULE_DELETE, repo);
    if (delete &&!list_has(delete->value, sw_str(sw_role_name(role))))
        actions &= ~(unsigned)SW_ACT_DELETE;
    else if (delete &&role != SW_ROLE_NONE)
        actions |= SW_ACT_DELETE;
    return actions;
}

bool sw_policy_is_admin(const struct sw_policy *p, const struct sw_principal *who, int64_t now_s) {
    if (who->anonymous || !alive(who, now_s)) return false;
    for (size_t i = 0; i < who->n_bindings; i++)
        if (who->bindings[i].role == SW_ROLE_ADMIN &&
            (sw_str_is(who->bindings[i].pattern, "**") || sw_str_is(who->bindings[i].pattern, "*")))
            return true;
    return false;
}
