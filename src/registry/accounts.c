#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "attest/key.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "registry/access.h"
#include "registry/limits.h"
#include "registry/route.h"

enum sw_code sw_password_hash(struct sw_str password, unsigned cost, struct sw_buf *ret_hash,
                              struct sw_error *err) {
    char salt[CRYPT_GENSALT_OUTPUT_SIZE], random[16], text[SW_REG_PASSWORD_MAX + 1];
    if (password.len < SW_REG_PASSWORD_MIN)
        return sw_fail(err, SW_USAGE, "the password is shorter than %d bytes", SW_REG_PASSWORD_MIN);
    if (password.len > SW_REG_PASSWORD_MAX)
        return sw_fail(err, SW_USAGE, "the password is longer than the %d bytes that bcrypt reads",
                       SW_REG_PASSWORD_MAX);
    if (memchr(password.ptr, 0, password.len))
        return sw_fail(err, SW_USAGE, "the password contains a NUL");
    struct crypt_data *data = sw_calloc(1, sizeof *data);
    memcpy(text, password.ptr, password.len);
    text[password.len] = 0;
    sw_random_bytes(random, sizeof random);
    const char *hash = NULL;
    if (crypt_gensalt_rn("$2b$", cost, random, sizeof random, salt, sizeof salt))
        hash = crypt_r(text, salt, data);
    bool ok = hash && hash[0] == '$';
    if (ok) sw_buf_add_text(ret_hash, hash);
    explicit_bzero(text, sizeof text);
    explicit_bzero(data, sizeof *data);
    free(data);
    return ok ? SW_OK : sw_fail(err, SW_UNSUPPORTED, "this system's crypt(3) has no bcrypt");
}

bool sw_password_verify(struct sw_str password, const char *hash) {
    /* bcrypt of nothing in particular, for accounts that do not exist: the same cost. */
    static const char dummy[] = "$2b$10$C6UzMDM.H6dfI/f/IKxGhuG8Gq5c9lS2s2Fj7fX0aXqM3a8y3nJ6e";
    char text[SW_REG_PASSWORD_MAX + 1];
    bool usable = hash != NULL && password.len <= SW_REG_PASSWORD_MAX &&
                  (password.len == 0 || !memchr(password.ptr, 0, password.len));
    size_t len = password.len <= SW_REG_PASSWORD_MAX ? password.len : 0;
    if (len) memcpy(text, password.ptr, len);
    text[len] = 0;
    struct crypt_data *data = sw_calloc(1, sizeof *data);
    const char *expected = hash ? hash : dummy;
    const char *got = crypt_r(text, expected, data);
    size_t n = strlen(expected);
    bool same = got && strlen(got) == n && sw_bytes_eq_secret(got, expected, n);
    explicit_bzero(text, sizeof text);
    explicit_bzero(data, sizeof *data);
    free(data);
    return same && usable;
}

static enum sw_code create_account(struct sw_tx *tx, const struct sw_account_change *c,
                                   struct sw_str hash, int64_t now_s, struct sw_error *err) {
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_do(
        tx, &rows, err,
        "INSERT INTO accounts(name, robot, password, disabled, expires, created, generation) "
        "VALUES($1, $2, $3, $4, $5, $6, 1) ON CONFLICT DO NOTHING",
        sw_sql_text(c->name), sw_sql_int(c->robot), sw_sql_text(hash), sw_sql_int(c->disabled),
        sw_sql_int(c->expires), sw_sql_int(now_s));
    if (!code && rows.changes != 1)
        return sw_fail(err, SW_EXISTS, "the account %.*s exists", SW_ARG(c->name));
    return code;
}

static enum sw_code change_account(struct sw_tx *tx, const struct sw_account_change *c,
                                   struct sw_str hash, struct sw_error *err) {
    struct sw_sql_rows rows = {0};
    struct sw_sql_value key = sw_sql_text(c->name);
    enum sw_code code = sw_tx_do(tx, &rows, err, "SELECT name FROM accounts WHERE name = $1", key);
    if (!code && rows.n_rows == 0)
        return sw_fail(err, SW_NOT_FOUND, "no account %.*s", SW_ARG(c->name));
    if (!code && c->password.ptr)
        code = sw_tx_do(tx, NULL, err,
                        "UPDATE accounts SET password = $2, generation = generation + 1 "
                        "WHERE name = $1",
                        key, sw_sql_text(hash));
    if (!code && c->set_disabled)
        code = sw_tx_do(tx, NULL, err,
                        "UPDATE accounts SET disabled = $2, generation = generation + 1 "
                        "WHERE name = $1",
                        key, sw_sql_int(c->disabled));
    if (!code && c->set_expires)
        code = sw_tx_do(tx, NULL, err, "UPDATE accounts SET expires = $2 WHERE name = $1", key,
                        sw_sql_int(c->expires));
    return code;
}

enum sw_code sw_account_put(struct sw_meta *m, struct sw_arena *a,
                            const struct sw_account_change *c, bool create, int64_t now_s,
                            struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_buf hash SW_BUF = {0};
    sw_buf_init(&hash, 256);
    if (!sw_account_name_ok(c->name))
        return sw_fail(err, SW_USAGE, "\"%.*s\" is no name of an account: a-z 0-9 . _ -",
                       SW_ARG(c->name));
    if (c->robot != sw_str_starts(c->name, SW_STR("robot$")))
        return sw_fail(err, SW_USAGE, "names of robots, and only those, begin with robot$");
    enum sw_code code = SW_OK;
    if (create && !c->password.ptr) return sw_fail(err, SW_USAGE, "an account needs a password");
    if (c->password.ptr) code = sw_password_hash(c->password, SW_BCRYPT_COST, &hash, err);
    if (!code) code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code) {
        code = create ? create_account(&tx, c, sw_buf_str(&hash), now_s, err)
                      : change_account(&tx, c, sw_buf_str(&hash), err);
    }
    if (!code) code = sw_tx_bump_epoch(&tx, err);
    return code ? code : sw_tx_commit(&tx, err);
}

enum sw_code sw_account_remove(struct sw_meta *m, struct sw_arena *a, struct sw_str name,
                               struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_sql_value key = sw_sql_text(name);
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code) code = sw_tx_do(&tx, &rows, err, "DELETE FROM accounts WHERE name = $1", key);
    if (!code && rows.changes == 0)
        return sw_fail(err, SW_NOT_FOUND, "no account %.*s", SW_ARG(name));
    if (!code) code = sw_tx_do(&tx, NULL, err, "DELETE FROM roles WHERE account = $1", key);
    if (!code)
        code = sw_tx_do(&tx, NULL, err, "DELETE FROM refresh_tokens WHERE account = $1", key);
    if (!code) code = sw_tx_bump_epoch(&tx, err);
    return code ? code : sw_tx_commit(&tx, err);
}

enum sw_code sw_role_put(struct sw_meta *m, struct sw_arena *a, struct sw_str account,
                         enum sw_role role, struct sw_str pattern, bool remove,
                         struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_sql_value v[] = {sw_sql_text(account), sw_sql_text(sw_str(sw_role_name(role))),
                               sw_sql_text(pattern)};
    if (!sw_repo_pattern_ok(pattern))
        return sw_fail(err, SW_USAGE, "\"%.*s\" is no pattern of repositories", SW_ARG(pattern));
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code) code = sw_tx_do(&tx, &rows, err, "SELECT name FROM accounts WHERE name = $1", v[0]);
    if (!code && rows.n_rows == 0)
        return sw_fail(err, SW_NOT_FOUND, "no account %.*s", SW_ARG(account));
    if (!code && remove) {
        code = sw_tx_run(&tx, "DELETE FROM roles WHERE account = $1 AND role = $2 AND pattern = $3",
                         v, 3, &rows, err);
        if (!code && rows.changes == 0)
            return sw_fail(err, SW_NOT_FOUND, "%.*s does not have this role", SW_ARG(account));
    } else if (!code) {
        code = sw_tx_run(&tx,
                         "INSERT INTO roles(account, role, pattern) VALUES($1, $2, $3) "
                         "ON CONFLICT DO NOTHING",
                         v, 3, &rows, err);
    }
    if (!code) code = sw_tx_bump_epoch(&tx, err);
    return code ? code : sw_tx_commit(&tx, err);
}

/* A value that cannot be understood later would be a rule that silently does nothing. */
static enum sw_code check_value(struct sw_arena *a, const struct sw_rule *r, struct sw_error *err) {
    const struct sw_json *root = NULL, *where = NULL;
    struct sw_str text = {0};
    struct sw_key *key SW_CLEANUP(sw_key_freep) = NULL;
    uint64_t bytes;
    int64_t n = 0;
    bool b;
    enum sw_code code = SW_OK;
    switch (r->kind) {
    case SW_RULE_QUOTA:
        return sw_str_size(r->value, &bytes) ? SW_OK : sw_fail(err, SW_USAGE, "a quota is a size");
    case SW_RULE_IMMUTABLE:
        return r->value.len ? SW_OK : sw_fail(err, SW_USAGE, "which tags? \"*\" for all");
    case SW_RULE_RETENTION:
        code = sw_json_parse(a, r->value, NULL, &root, err);
        if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
        if (!code) code = sw_json_opt_int(root, "keep_last", &n, err);
        if (!code) code = sw_json_opt_int(root, "keep_days", &n, err);
        if (!code) code = sw_json_opt_int(root, "untagged_days", &n, err);
        if (!code) code = sw_json_opt_str(root, "keep", &text, err);
        if (!code) code = sw_json_opt_bool(root, "keep_deployed", &b, err);
        return code;
    case SW_RULE_ATTEST:
        code = sw_json_parse(a, r->value, NULL, &root, err);
        if (!code) code = sw_json_need_str(root, "predicate", &text, err);
        if (!code) code = sw_json_opt_node(root, "where", SW_JSON_OBJECT, &where, err);
        if (!code) code = sw_json_need_str(root, "key", &text, err);
        if (!code) code = sw_key_from_pem(text, &key, err);
        return code;
    default:
        return SW_OK;
    }
}

enum sw_code sw_rule_put(struct sw_meta *m, struct sw_arena *a, struct sw_rule *rule,
                         struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    if (!sw_repo_pattern_ok(rule->pattern))
        return sw_fail(err, SW_USAGE, "\"%.*s\" is no pattern of repositories",
                       SW_ARG(rule->pattern));
    enum sw_code code = check_value(a, rule, err);
    if (code) return sw_context(err, "rule %s", sw_rule_kind_name(rule->kind));
    code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code)
        code =
            sw_tx_do(&tx, &rows, err,
                     "INSERT INTO rules(pattern, kind, value) VALUES($1, $2, $3) RETURNING id",
                     sw_sql_text(rule->pattern), sw_sql_text(sw_str(sw_rule_kind_name(rule->kind))),
                     sw_sql_text(rule->value));
    if (!code) code = sw_tx_bump_epoch(&tx, err);
    if (!code) code = sw_tx_commit(&tx, err);
    if (!code) rule->id = sw_sql_row(&rows, 0)->number;
    return code;
}

enum sw_code sw_rule_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                            struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code) code = sw_tx_do(&tx, &rows, err, "DELETE FROM rules WHERE id = $1", sw_sql_int(id));
    if (!code && rows.changes == 0)
        return sw_fail(err, SW_NOT_FOUND, "no rule %lld", (long long)id);
    if (!code) code = sw_tx_bump_epoch(&tx, err);
    return code ? code : sw_tx_commit(&tx, err);
}
