#include "registry/audit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "registry/route.h"

#define BATCH 500       /* entries moved in one transaction */
#define QUEUE_MAX 20000 /* entries without a transaction that wait; more are counted */
#define ENTRY_MAX ((size_t)16 << 10)
#define HASH_LEN 64

static const char first_hash[HASH_LEN + 1] =
    "0000000000000000000000000000000000000000000000000000000000000000";

static void entry_json(const struct sw_audit_entry *e, struct sw_buf *out) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, 0);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "time", e->time_s);
    sw_json_put_str(&w, "account", e->account);
    sw_json_put_str(&w, "address", e->address);
    sw_json_put_str(&w, "action", e->action);
    sw_json_put_str(&w, "repository", e->repo);
    sw_json_put_str(&w, "digest", e->digest);
    sw_json_put_str(&w, "detail", sw_str_sub(e->detail, 0, 1024));
    sw_json_put_bool(&w, "allowed", e->allowed);
    sw_json_end_object(&w);
}

static enum sw_code add_text(struct sw_tx *tx, struct sw_str text, struct sw_error *err) {
    return sw_tx_do(tx, NULL, err, "INSERT INTO audit_inbox(entry) VALUES($1)", sw_sql_text(text));
}

enum sw_code sw_audit_add(struct sw_tx *tx, const struct sw_audit_entry *e, struct sw_error *err) {
    struct sw_buf text SW_BUF = {0};
    sw_buf_init(&text, ENTRY_MAX);
    entry_json(e, &text);
    return add_text(tx, sw_buf_str(&text), err);
}

static void next_hash(const char previous[HASH_LEN + 1], struct sw_str entry,
                      char ret[HASH_LEN + 1]) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add(&h, previous, HASH_LEN);
    sw_hasher_add(&h, "\n", 1);
    sw_hasher_add_str(&h, entry);
    struct sw_digest d = sw_hasher_finish(&h);
    sw_hex_encode(d.bytes, 32, ret);
    ret[HASH_LEN] = 0;
}

static struct sw_str text_of(const struct sw_json *root, const char *key) {
    const struct sw_json *v = sw_json_get(root, key);
    return v && v->type == SW_JSON_STRING ? v->text : SW_STR("");
}

/* One entry from the inbox to the end of the chain. */
static enum sw_code append(struct sw_tx *tx, int64_t seq, struct sw_str entry, struct sw_str hash,
                           struct sw_error *err) {
    const struct sw_json *root = NULL;
    int64_t time = 0;
    bool allowed = false;
    enum sw_code code = sw_json_parse(tx->arena, entry, NULL, &root, err);
    if (!code) code = sw_json_opt_int(root, "time", &time, err);
    if (!code) code = sw_json_opt_bool(root, "allowed", &allowed, err);
    if (code) return sw_context(err, "audit entry");
    return sw_tx_do(tx, NULL, err,
                    "INSERT INTO audit(seq, time, account, action, repo, digest, allowed, entry, "
                    "hash) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    sw_sql_int(seq), sw_sql_int(time), sw_sql_text(text_of(root, "account")),
                    sw_sql_text(text_of(root, "action")), sw_sql_text(text_of(root, "repository")),
                    sw_sql_text(text_of(root, "digest")), sw_sql_int(allowed), sw_sql_text(entry),
                    sw_sql_text(hash));
}

static enum sw_code move_batch(struct sw_tx *tx, size_t *ret_n, struct sw_error *err) {
    struct sw_sql_rows inbox, last;
    char hash[HASH_LEN + 1], next[HASH_LEN + 1];
    int64_t seq = 0;
    /* The row is locked until the end: one writer extends the chain, on any number of servers. */
    enum sw_code code = sw_tx_ask(tx, NULL, err,
                                  "INSERT INTO counters(name, value) VALUES('audit', 1) "
                                  "ON CONFLICT(name) DO UPDATE SET value = counters.value + 1");
    if (!code)
        code = sw_tx_do(tx, &inbox, err, "SELECT id, entry FROM audit_inbox ORDER BY id LIMIT $1",
                        sw_sql_int(BATCH));
    if (!code)
        code = sw_tx_ask(tx, &last, err, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
    if (code) return code;
    memcpy(hash, first_hash, sizeof hash);
    if (last.n_rows) {
        seq = sw_sql_row(&last, 0)[0].number;
        struct sw_str h = sw_sql_row(&last, 0)[1].text;
        if (h.len != HASH_LEN)
            return sw_fail(err, SW_CORRUPT, "audit: entry %lld has no hash", (long long)seq);
        memcpy(hash, h.ptr, HASH_LEN);
    }
    for (size_t i = 0; !code && i < inbox.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&inbox, i);
        next_hash(hash, v[1].text, next);
        code = append(tx, ++seq, v[1].text, sw_str(next), err);
        if (!code)
            code = sw_tx_do(tx, NULL, err, "DELETE FROM audit_inbox WHERE id = $1",
                            sw_sql_int(v[0].number));
        memcpy(hash, next, sizeof hash);
    }
    *ret_n = inbox.n_rows;
    return code;
}

static enum sw_code inbox_empty(struct sw_meta *m, bool *ret, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_tx_begin(m, &a, SW_TX_READ, &tx, err);
    if (!code) code = sw_tx_ask(&tx, &rows, err, "SELECT id FROM audit_inbox LIMIT 1");
    if (!code) *ret = rows.n_rows == 0;
    return code;
}

enum sw_code sw_audit_seal(struct sw_meta *m, size_t *ret_n, struct sw_error *err) {
    size_t total = 0, n = 0;
    bool empty = false;
    enum sw_code code = inbox_empty(m, &empty, err);
    if (code) return code;
    while (!empty) {
        struct sw_arena a SW_ARENA = {0};
        struct sw_tx tx SW_TX = {0};
        sw_arena_init(&a, 0);
        code = sw_tx_begin(m, &a, SW_TX_DURABLE, &tx, err);
        if (!code) code = move_batch(&tx, &n, err);
        if (!code) code = sw_tx_commit(&tx, err);
        if (code) return sw_context(err, "writing the audit trail");
        total += n;
        empty = n < BATCH;
    }
    if (ret_n) *ret_n = total;
    return SW_OK;
}

enum sw_code sw_audit_list(struct sw_meta *m, const struct sw_audit_filter *f,
                           enum sw_code (*visit)(void *, int64_t, struct sw_str, struct sw_str,
                                                 struct sw_error *),
                           void *context, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    size_t max = f->max ? f->max : 1000;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_audit_seal(m, NULL, err);
    if (!code) code = sw_tx_begin(m, &a, SW_TX_READ, &tx, err);
    if (!code)
        code =
            sw_tx_do(&tx, &rows, err,
                     "SELECT seq, entry, hash, repo FROM audit WHERE ($1 = '' OR account = $1) AND "
                     "($2 = '' OR action = $2) AND ($3 = '' OR digest = $3) AND time >= $4 AND "
                     "time <= $5 AND allowed <= $6 ORDER BY seq DESC LIMIT $7",
                     sw_sql_text(f->account), sw_sql_text(f->action), sw_sql_text(f->digest),
                     sw_sql_int(f->since_s), sw_sql_int(f->until_s ? f->until_s : INT64_MAX),
                     sw_sql_int(f->only_refused ? 0 : 1), sw_sql_int((int64_t)max));
    for (size_t i = code ? 0 : rows.n_rows; !code && i > 0; i--) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i - 1);
        if (f->repo_pattern.len && !sw_repo_pattern_match(f->repo_pattern, v[3].text)) continue;
        code = visit(context, v[0].number, v[1].text, v[2].text, err);
    }
    return code;
}

enum sw_code sw_audit_verify(struct sw_meta *m, int64_t *ret_n, char *ret_head,
                             struct sw_error *err) {
    char hash[HASH_LEN + 1], next[HASH_LEN + 1];
    int64_t seq = 0;
    enum sw_code code = sw_audit_seal(m, NULL, err);
    memcpy(hash, first_hash, sizeof hash);
    for (bool more = true; !code && more;) {
        struct sw_arena a SW_ARENA = {0};
        struct sw_tx tx SW_TX = {0};
        struct sw_sql_rows rows;
        sw_arena_init(&a, 0);
        code = sw_tx_begin(m, &a, SW_TX_READ, &tx, err);
        if (!code)
            code = sw_tx_do(&tx, &rows, err,
                            "SELECT seq, entry, hash FROM audit WHERE seq > $1 ORDER BY seq "
                            "LIMIT $2",
                            sw_sql_int(seq), sw_sql_int(BATCH));
        for (size_t i = 0; !code && i < rows.n_rows; i++) {
            const struct sw_sql_value *v = sw_sql_row(&rows, i);
            next_hash(hash, v[1].text, next);
            if (v[0].number != seq + 1)
                code = sw_fail(err, SW_CORRUPT, "audit: entry %lld is missing", (long long)seq + 1);
            else if (!sw_str_is(v[2].text, next))
                code = sw_fail(err, SW_CORRUPT, "audit: entry %lld is not what was written",
                               (long long)v[0].number);
            seq = v[0].number;
            memcpy(hash, next, sizeof hash);
        }
        more = !code && rows.n_rows == BATCH;
    }
    if (code) return code;
    if (ret_n) *ret_n = seq;
    if (ret_head) memcpy(ret_head, hash, sizeof hash);
    return SW_OK;
}

/* ---- the queue of what has no transaction ---- */

struct sw_audit_queue {
    struct sw_meta *meta;
    pthread_mutex_t lock;
    SW_VEC(char *) waiting; /* JSON */
    uint64_t dropped;
};

struct sw_audit_queue *sw_audit_queue_new(struct sw_meta *m) {
    struct sw_audit_queue *q = sw_calloc(1, sizeof *q);
    q->meta = m;
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void sw_audit_queue_push(struct sw_audit_queue *q, const struct sw_audit_entry *e) {
    struct sw_buf text SW_BUF = {0};
    sw_buf_init(&text, ENTRY_MAX);
    entry_json(e, &text);
    pthread_mutex_lock(&q->lock);
    if (q->waiting.len < QUEUE_MAX)
        sw_vec_add(&q->waiting, sw_buf_steal(&text));
    else
        q->dropped++; /* an attacker must not fill the disk; that there were more is recorded */
    pthread_mutex_unlock(&q->lock);
}

enum sw_code sw_audit_queue_flush(struct sw_audit_queue *q, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    enum sw_code code = SW_OK;
    sw_arena_init(&a, 0);
    pthread_mutex_lock(&q->lock);
    char **list = q->waiting.ptr;
    size_t n = q->waiting.len;
    uint64_t dropped = q->dropped;
    q->waiting.ptr = NULL;
    q->waiting.len = q->waiting.cap = 0;
    q->dropped = 0;
    pthread_mutex_unlock(&q->lock);
    if (n || dropped) code = sw_tx_begin(q->meta, &a, SW_TX_DURABLE, &tx, err);
    for (size_t i = 0; i < n; i++) {
        if (!code) code = add_text(&tx, sw_str(list[i]), err);
        free(list[i]);
    }
    if (!code && dropped) {
        struct sw_audit_entry e = {.time_s = sw_now_unix_s(), .action = SW_STR("dropped")};
        e.detail = sw_arena_printf(&a, "%llu entries came too fast to be recorded one by one",
                                   (unsigned long long)dropped);
        code = sw_audit_add(&tx, &e, err);
    }
    if (!code && (n || dropped)) code = sw_tx_commit(&tx, err);
    free(list);
    return code ? code : sw_audit_seal(q->meta, NULL, err);
}

void sw_audit_queue_free(struct sw_audit_queue *q) {
    struct sw_error err;
    if (!q) return;
    (void)!sw_audit_queue_flush(q, &err);
    pthread_mutex_destroy(&q->lock);
    free(q->waiting.ptr);
    free(q);
}
