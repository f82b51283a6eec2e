#include "registry/admin.h"

#include "codec/json_writer.h"

/* One JSON array of objects: the columns of a query, by name. A column "x?" is a boolean, "x{}"
 * is JSON already. */
static enum sw_code list(struct sw_meta *m, const char *what, const char *query,
                         const char *const *names, struct sw_buf *out, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    struct sw_json_writer w;
    char name[64];
    sw_arena_init(&a, 0);
    enum sw_code code = sw_tx_begin(m, &a, SW_TX_READ, &tx, err);
    if (!code) code = sw_tx_run(&tx, query, NULL, 0, &rows, err);
    if (code) return code;
    sw_json_writer_init(&w, out, 0);
    sw_json_begin_object(&w);
    sw_json_key(&w, what);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < rows.n_rows; i++) {
        sw_json_begin_object(&w);
        for (size_t j = 0; j < rows.n_cols; j++) {
            const struct sw_sql_value *v = sw_sql_row(&rows, i) + j;
            size_t n = strcspn(names[j], "?{");
            memcpy(name, names[j], n);
            name[n] = 0;
            sw_json_key(&w, name);
            if (v->type == SW_SQL_NULL)
                sw_json_null(&w);
            else if (names[j][n] == '?')
                sw_json_bool(&w, v->number != 0);
            else if (names[j][n] == '{')
                sw_json_raw(&w, v->text);
            else if (v->type == SW_SQL_INT)
                sw_json_int(&w, v->number);
            else
                sw_json_str(&w, v->text);
        }
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    return sw_buf_check(out, "the list", err);
}

enum sw_code sw_admin_accounts(struct sw_meta *m, struct sw_buf *out, struct sw_error *err) {
    /* Roles are joined here rather than by a function that only one engine has. */
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows, roles;
    struct sw_json_writer w;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_tx_begin(m, &a, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_ask(&tx, &rows, err,
                         "SELECT name, robot, disabled, expires, created FROM accounts");
    if (!code)
        code =
            sw_tx_ask(&tx, &roles, err,
                      "SELECT account, role, pattern FROM roles ORDER BY account, role, pattern");
    if (code) return code;
    sw_json_writer_init(&w, out, 0);
    sw_json_begin_object(&w);
    sw_json_key(&w, "accounts");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", v[0].text);
        sw_json_put_bool(&w, "robot", v[1].number != 0);
        sw_json_put_bool(&w, "disabled", v[2].number != 0);
        sw_json_put_int(&w, "expires", v[3].number);
        sw_json_put_int(&w, "created", v[4].number);
        sw_json_key(&w, "roles");
        sw_json_begin_array(&w);
        for (size_t j = 0; j < roles.n_rows; j++) {
            const struct sw_sql_value *r = sw_sql_row(&roles, j);
            if (!sw_str_eq(r[0].text, v[0].text)) continue;
            sw_json_begin_object(&w);
            sw_json_put_str(&w, "role", r[1].text);
            sw_json_put_str(&w, "repositories", r[2].text);
            sw_json_end_object(&w);
        }
        sw_json_end_array(&w);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    return sw_buf_check(out, "the list", err);
}

enum sw_code sw_admin_rules(struct sw_meta *m, struct sw_buf *out, struct sw_error *err) {
    static const char *const names[] = {"id", "kind", "repositories", "value"};
    return list(m, "rules", "SELECT id, kind, pattern, value FROM rules ORDER BY id", names, out,
                err);
}
enum sw_code sw_admin_hooks(struct sw_meta *m, struct sw_buf *out, struct sw_error *err) {
    static const char *const names[] = {"id", "url", "repositories", "events", "waiting"};
    return list(m, "hooks",
                "SELECT id, url, pattern, events, (SELECT count(*) FROM deliveries d "
                "WHERE d.hook = hooks.id) FROM hooks ORDER BY id",
                names, out, err);
}
enum sw_code sw_admin_issuers(struct sw_meta *m, struct sw_buf *out, struct sw_error *err) {
    static const char *const names[] = {"id",       "issuer", "audience",
                                        "claims{}", "robot",  "keys_url"};
    return list(m, "issuers",
                "SELECT id, issuer, audience, claims, robot, keys_url FROM issuers ORDER BY id",
                names, out, err);
}
enum sw_code sw_admin_usage(struct sw_meta *m, struct sw_buf *out, struct sw_error *err) {
    static const char *const names[] = {"repository", "tags", "manifests", "bytes"};
    return list(m, "repositories",
                "SELECT r.name, (SELECT count(*) FROM tags t WHERE t.repo = r.id), "
                "(SELECT count(*) FROM repo_manifests m WHERE m.repo = r.id), "
                "(SELECT COALESCE(SUM(b.size), 0) FROM repo_blobs l JOIN blobs b "
                "ON b.digest = l.digest WHERE l.repo = r.id) FROM repos r ORDER BY r.name",
                names, out, err);
}

enum sw_code sw_issuer_put(struct sw_meta *m, struct sw_arena *a, struct sw_issuer *i,
                           struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    const struct sw_json *claims = NULL;
    if (!sw_str_starts(i->issuer, SW_STR("https://")) &&
        !sw_str_starts(i->issuer, SW_STR("http://127.0.0.1")))
        return sw_fail(err, SW_USAGE, "an issuer is an https URL");
    if (!i->audience.len) return sw_fail(err, SW_USAGE, "an issuer needs an audience");
    enum sw_code code = sw_json_parse(a, i->claims, NULL, &claims, err);
    if (!code) code = sw_json_expect(claims, SW_JSON_OBJECT, err);
    /* Without any claim every user of a public CI system would be the robot. */
    if (!code && claims->len == 0)
        code = sw_fail(err, SW_USAGE, "name at least one claim, such as the repository");
    if (!code) code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err, "SELECT name FROM accounts WHERE name = $1 AND robot = 1",
                        sw_sql_text(i->robot));
    if (!code && rows.n_rows == 0)
        return sw_fail(err, SW_NOT_FOUND, "no robot %.*s", SW_ARG(i->robot));
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "INSERT INTO issuers(issuer, audience, claims, robot, keys_url) "
                        "VALUES($1, $2, $3, $4, $5) RETURNING id",
                        sw_sql_text(i->issuer), sw_sql_text(i->audience), sw_sql_text(i->claims),
                        sw_sql_text(i->robot), sw_sql_text(i->keys_url));
    if (!code) code = sw_tx_commit(&tx, err);
    if (!code) i->id = sw_sql_row(&rows, 0)->number;
    return code;
}

enum sw_code sw_issuer_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                              struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err, "DELETE FROM issuers WHERE id = $1", sw_sql_int(id));
    if (!code && rows.changes == 0)
        return sw_fail(err, SW_NOT_FOUND, "no issuer %lld", (long long)id);
    return code ? code : sw_tx_commit(&tx, err);
}

enum sw_code sw_deployed_set(struct sw_meta *m, struct sw_arena *a, struct sw_str repo,
                             struct sw_str digest, struct sw_str place, bool remove, int64_t now_s,
                             struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_value v[] = {sw_sql_text(repo), sw_sql_text(digest), sw_sql_text(place),
                               sw_sql_int(now_s)};
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code && remove)
        code = sw_tx_run(&tx, "DELETE FROM deployed WHERE repo = $1 AND digest = $2 AND place = $3",
                         v, 3, NULL, err);
    else if (!code)
        code = sw_tx_run(&tx,
                         "INSERT INTO deployed(repo, digest, place, since) VALUES($1, $2, $3, $4) "
                         "ON CONFLICT DO NOTHING",
                         v, 4, NULL, err);
    return code ? code : sw_tx_commit(&tx, err);
}
