#include "registry/hooks.h"

#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "registry/limits.h"
#include "registry/route.h"

#define FIRST_PAUSE_S 10 /* doubled each time: twelve tries are spread over about half a day */
#define BATCH 50
#define TIMEOUT_MS 10000
#define LEASE_S 60 /* while one server sends, the others leave a delivery alone */

enum sw_code sw_hook_put(struct sw_meta *m, struct sw_arena *a, struct sw_hook *h,
                         struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    if (!sw_str_starts(h->url, SW_STR("http://")) && !sw_str_starts(h->url, SW_STR("https://")))
        return sw_fail(err, SW_USAGE, "a webhook needs an http or https URL");
    if (!sw_repo_pattern_ok(h->pattern))
        return sw_fail(err, SW_USAGE, "no pattern of repositories");
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "INSERT INTO hooks(url, secret, pattern, events) VALUES($1, $2, $3, $4) "
                        "RETURNING id",
                        sw_sql_text(h->url), sw_sql_text(h->secret), sw_sql_text(h->pattern),
                        sw_sql_text(h->events));
    if (!code) code = sw_tx_commit(&tx, err);
    if (!code) h->id = sw_sql_row(&rows, 0)->number;
    return code;
}

enum sw_code sw_hook_remove(struct sw_meta *m, struct sw_arena *a, int64_t id,
                            struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code) code = sw_tx_do(&tx, &rows, err, "DELETE FROM hooks WHERE id = $1", sw_sql_int(id));
    if (!code && rows.changes == 0)
        return sw_fail(err, SW_NOT_FOUND, "no webhook %lld", (long long)id);
    if (!code)
        code = sw_tx_do(&tx, NULL, err, "DELETE FROM deliveries WHERE hook = $1", sw_sql_int(id));
    return code ? code : sw_tx_commit(&tx, err);
}

static bool wants(struct sw_str events, struct sw_str action) {
    struct sw_str word;
    if (sw_str_is(events, "*")) return true;
    while (sw_str_next(&events, ',', &word))
        if (sw_str_eq(sw_str_trim(word), action)) return true;
    return false;
}

enum sw_code sw_hooks_queue(struct sw_tx *tx, const struct sw_audit_entry *e,
                            struct sw_error *err) {
    struct sw_sql_rows hooks;
    enum sw_code code = sw_tx_ask(tx, &hooks, err, "SELECT id, pattern, events FROM hooks");
    for (size_t i = 0; !code && i < hooks.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&hooks, i);
        struct sw_buf b SW_BUF = {0};
        struct sw_json_writer w;
        if (!sw_repo_pattern_match(v[1].text, e->repo) || !wants(v[2].text, e->action)) continue;
        sw_buf_init(&b, 0);
        sw_json_writer_init(&w, &b, 0);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "action", e->action);
        sw_json_put_int(&w, "time", e->time_s);
        sw_json_put_str(&w, "repository", e->repo);
        sw_json_put_str(&w, "digest", e->digest);
        sw_json_put_str(&w, "tag", e->detail);
        sw_json_put_str(&w, "account", e->account);
        sw_json_end_object(&w);
        code = sw_tx_do(
            tx, NULL, err, "INSERT INTO deliveries(hook, body, due, tries) VALUES($1, $2, $3, 0)",
            sw_sql_int(v[0].number), sw_sql_text(sw_buf_str(&b)), sw_sql_int(e->time_s));
    }
    return code;
}

/* Claims what is due by moving it into the future: a server that dies while it sends only delays
 * it. Hooks are told at least once. */
static enum sw_code claim(struct sw_meta *m, struct sw_arena *a, int64_t now_s,
                          struct sw_sql_rows *ret, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows due;
    enum sw_code code = sw_tx_begin(m, a, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &due, err, "SELECT id FROM deliveries WHERE due <= $1 LIMIT 1",
                        sw_sql_int(now_s));
    sw_tx_end(&tx);
    *ret = (struct sw_sql_rows){0};
    if (code || due.n_rows == 0) return code;
    code = sw_tx_begin(m, a, SW_TX_RELAXED, &tx, err);
    if (!code)
        code = sw_tx_ask(&tx, NULL, err,
                         "DELETE FROM deliveries WHERE NOT EXISTS(SELECT 1 FROM hooks h "
                         "WHERE h.id = deliveries.hook)");
    if (!code)
        code = sw_tx_do(&tx, ret, err,
                        "UPDATE deliveries SET due = $2, tries = tries + 1 WHERE id IN (SELECT id "
                        "FROM deliveries WHERE due <= $1 ORDER BY due LIMIT $3) AND due <= $1 "
                        "RETURNING id, body, tries, (SELECT url FROM hooks h WHERE h.id = hook), "
                        "(SELECT secret FROM hooks h WHERE h.id = hook)",
                        sw_sql_int(now_s), sw_sql_int(now_s + LEASE_S), sw_sql_int(BATCH));
    return code ? code : sw_tx_commit(&tx, err);
}

static bool send(struct sw_http *http, struct sw_arena *a, const struct sw_sql_value *v) {
    struct sw_http_response r SW_HTTP_RESPONSE = {0};
    struct sw_error err;
    uint8_t mac[32];
    char hex[65] = "";
    sw_hmac_sha256(v[4].text, v[1].text, mac);
    sw_hex_encode(mac, 32, hex);
    struct sw_http_header headers[] = {
        {SW_STR("Content-Type"), SW_STR("application/json")},
        {SW_STR("X-Slipway-Signature"), sw_arena_printf(a, "sha256=%s", hex)},
        {SW_STR("X-Slipway-Delivery"), sw_arena_printf(a, "%lld", (long long)v[0].number)},
    };
    struct sw_http_request q = {
        .method = "POST",
        .url = sw_arena_cstr(a, v[3].text),
        .headers = headers,
        .n_headers = 3,
        .body = v[1].text,
        .flags = SW_HTTP_NO_REDIRECT | SW_HTTP_NO_STATUS_RETRY,
        .timeout_ms = TIMEOUT_MS,
        .max_body = 65536,
    };
    sw_http_response_init(&r);
    return sw_http_do(http, &q, &r, &err) == SW_OK && r.status >= 200 && r.status < 300;
}

static enum sw_code settle(struct sw_meta *m, struct sw_arena *a, const struct sw_sql_value *v,
                           bool sent, int64_t now_s, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    int64_t tries = v[2].number;
    enum sw_code code = sw_tx_begin(m, a, SW_TX_RELAXED, &tx, err);
    if (!code && (sent || tries >= SW_REG_HOOK_TRIES))
        code = sw_tx_do(&tx, NULL, err, "DELETE FROM deliveries WHERE id = $1",
                        sw_sql_int(v[0].number));
    else if (!code)
        code = sw_tx_do(&tx, NULL, err, "UPDATE deliveries SET due = $2 WHERE id = $1",
                        sw_sql_int(v[0].number),
                        sw_sql_int(now_s + ((int64_t)FIRST_PAUSE_S << (tries - 1))));
    return code ? code : sw_tx_commit(&tx, err);
}

enum sw_code sw_hooks_deliver(struct sw_meta *m, struct sw_http *http, int64_t now_s,
                              size_t *ret_sent, size_t *ret_failed, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_sql_rows rows;
    sw_arena_init(&a, 0);
    enum sw_code code = claim(m, &a, now_s, &rows, err);
    for (size_t i = 0; !code && i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        bool sent = v[3].type == SW_SQL_TEXT && send(http, &a, v);
        code = settle(m, &a, v, sent, now_s, err);
        if (sent)
            ++*ret_sent;
        else
            ++*ret_failed;
    }
    return code;
}
