/* Connections are handed out one to a transaction. Readers never wait for writers. With an engine
 * that has one writer at a time, a mutex queues the writers here: waiting in the engine would be
 * polling. */
#include "registry/meta.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define IDLE_MAX 24
#define SCHEMA_VERSION 1

struct sw_meta {
    const struct sw_sql_driver *driver;
    char *where;
    pthread_mutex_t lock; /* of idle */
    struct sw_sql *idle[IDLE_MAX];
    size_t n_idle;
    pthread_mutex_t writer_lock;
    struct sw_sql *writer; /* where the engine has one writer */
};

/* {bytes}, {serial} and {text} (in byte order) are what the engines call differently. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS secrets(name TEXT PRIMARY KEY, value {bytes} NOT NULL);"
    "CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS repos(id {serial}, name {text} NOT NULL UNIQUE,"
    " created BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS blobs(digest TEXT PRIMARY KEY, size BIGINT NOT NULL,"
    " location TEXT NOT NULL, touched BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS blobs_location ON blobs(location);"
    "CREATE TABLE IF NOT EXISTS repo_blobs(repo BIGINT NOT NULL, digest TEXT NOT NULL,"
    " touched BIGINT NOT NULL, PRIMARY KEY(repo, digest));"
    "CREATE INDEX IF NOT EXISTS repo_blobs_digest ON repo_blobs(digest);"
    "CREATE TABLE IF NOT EXISTS manifests(digest TEXT PRIMARY KEY, media_type TEXT NOT NULL,"
    " body {bytes} NOT NULL, touched BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS manifest_refs(manifest TEXT NOT NULL, child TEXT NOT NULL,"
    " kind BIGINT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY(manifest, child));"
    "CREATE INDEX IF NOT EXISTS manifest_refs_child ON manifest_refs(child);"
    "CREATE TABLE IF NOT EXISTS repo_manifests(repo BIGINT NOT NULL, digest TEXT NOT NULL,"
    " pushed BIGINT NOT NULL, account TEXT NOT NULL, subject TEXT, artifact_type TEXT,"
    " descriptor TEXT, PRIMARY KEY(repo, digest));"
    "CREATE INDEX IF NOT EXISTS repo_manifests_subject ON repo_manifests(repo, subject);"
    "CREATE INDEX IF NOT EXISTS repo_manifests_digest ON repo_manifests(digest);"
    "CREATE TABLE IF NOT EXISTS tags(repo BIGINT NOT NULL, name {text} NOT NULL,"
    " digest TEXT NOT NULL, updated BIGINT NOT NULL, PRIMARY KEY(repo, name));"
    "CREATE INDEX IF NOT EXISTS tags_digest ON tags(repo, digest);"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, repo TEXT NOT NULL,"
    " account TEXT NOT NULL, started BIGINT NOT NULL, updated BIGINT NOT NULL,"
    " size BIGINT NOT NULL, version BIGINT NOT NULL, hash {bytes}, state TEXT);"
    "CREATE TABLE IF NOT EXISTS accounts(name TEXT PRIMARY KEY, robot BIGINT NOT NULL,"
    " password TEXT NOT NULL, disabled BIGINT NOT NULL, expires BIGINT NOT NULL,"
    " created BIGINT NOT NULL, generation BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS roles(account TEXT NOT NULL, role TEXT NOT NULL,"
    " pattern TEXT NOT NULL, PRIMARY KEY(account, role, pattern));"
    "CREATE TABLE IF NOT EXISTS refresh_tokens(hash TEXT PRIMARY KEY, account TEXT NOT NULL,"
    " expires BIGINT NOT NULL, generation BIGINT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS rules(id {serial}, pattern TEXT NOT NULL, kind TEXT NOT NULL,"
    " value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS issuers(id {serial}, issuer TEXT NOT NULL,"
    " audience TEXT NOT NULL, claims TEXT NOT NULL, robot TEXT NOT NULL, keys_url TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS deployed(repo TEXT NOT NULL, digest TEXT NOT NULL,"
    " place TEXT NOT NULL, since BIGINT NOT NULL, PRIMARY KEY(repo, digest, place));"
    "CREATE TABLE IF NOT EXISTS audit_inbox(id {serial}, entry TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS audit(seq BIGINT PRIMARY KEY, time BIGINT NOT NULL,"
    " account TEXT NOT NULL, action TEXT NOT NULL, repo TEXT NOT NULL, digest TEXT NOT NULL,"
    " allowed BIGINT NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS hooks(id {serial}, url TEXT NOT NULL, secret TEXT NOT NULL,"
    " pattern TEXT NOT NULL, events TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS deliveries(id {serial}, hook BIGINT NOT NULL, body TEXT NOT NULL,"
    " due BIGINT NOT NULL, tries BIGINT NOT NULL);"
    "INSERT INTO counters(name, value) VALUES('epoch', 1) ON CONFLICT DO NOTHING;"
    "INSERT INTO counters(name, value) VALUES('schema', 1) ON CONFLICT DO NOTHING;";

static void schema_text(struct sw_buf *to, bool sqlite) {
    static const struct {
        const char *word, *sqlite, *postgres;
    } words[] = {
        {"{bytes}", "BLOB", "BYTEA"},
        {"{serial}", "INTEGER PRIMARY KEY", "BIGSERIAL PRIMARY KEY"},
        {"{text}", "TEXT", "TEXT COLLATE \"C\""},
    };
    struct sw_str rest = sw_str(schema);
    while (rest.len) {
        size_t at = sw_str_find_char(rest, '{');
        sw_buf_add(to, sw_str_sub(rest, 0, at));
        rest = at == SIZE_MAX ? SW_STR("") : sw_str_from(rest, at);
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (!sw_str_starts(rest, sw_str(words[i].word))) continue;
            sw_buf_add_text(to, sqlite ? words[i].sqlite : words[i].postgres);
            rest = sw_str_from(rest, strlen(words[i].word));
        }
    }
}

static enum sw_code prepare_schema(struct sw_meta *m, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    struct sw_arena a SW_ARENA = {0};
    struct sw_buf text SW_BUF = {0};
    sw_arena_init(&a, 0);
    sw_buf_init(&text, 0);
    schema_text(&text, m->driver->one_writer);
    enum sw_code code = sw_tx_begin(m, &a, SW_TX_DURABLE, &tx, err);
    /* Two servers that start at once on an empty database must not both create the tables. */
    if (!code && !m->driver->one_writer)
        code = m->driver->script(tx.db, "SELECT pg_advisory_xact_lock(7310562)", err);
    if (!code) code = m->driver->script(tx.db, text.ptr, err);
    if (!code)
        code = sw_tx_ask(&tx, &rows, err, "SELECT value FROM counters WHERE name = 'schema'");
    if (!code && (rows.n_rows != 1 || sw_sql_row(&rows, 0)->number > SCHEMA_VERSION))
        code = sw_fail(err, SW_UNSUPPORTED, "the metadata was written by a newer slipway");
    return code ? code : sw_tx_commit(&tx, err);
}

enum sw_code sw_meta_open(const char *where, struct sw_meta **ret, struct sw_error *err) {
    struct sw_meta *m = sw_calloc(1, sizeof *m);
    struct sw_str w = sw_str(where);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->writer_lock, NULL);
    if (sw_str_starts(w, SW_STR("postgres://")) || sw_str_starts(w, SW_STR("postgresql://"))) {
        m->driver = &sw_sql_postgres;
        m->where = sw_strdup(where);
    } else {
        m->driver = &sw_sql_sqlite;
        m->where = sw_strdup(sw_str_starts(w, SW_STR("sqlite:")) ? where + 7 : where);
        mode_t old = umask(077); /* it holds password hashes and the signing key */
        enum sw_code code = m->driver->open(m->where, &m->writer, err);
        umask(old);
        if (code) {
            sw_meta_close(m);
            return code;
        }
    }
    enum sw_code code = prepare_schema(m, err);
    if (code) {
        sw_meta_close(m);
        return sw_context(err, "opening the registry's metadata");
    }
    *ret = m;
    return SW_OK;
}

void sw_meta_close(struct sw_meta *m) {
    if (!m) return;
    for (size_t i = 0; i < m->n_idle; i++) m->driver->close(m->idle[i]);
    m->driver->close(m->writer);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->writer_lock);
    free(m->where);
    free(m);
}

bool sw_meta_is_shared(const struct sw_meta *m) { return !m->driver->one_writer; }

static enum sw_code take(struct sw_meta *m, struct sw_sql **ret, struct sw_error *err) {
    struct sw_sql *db = NULL;
    pthread_mutex_lock(&m->lock);
    if (m->n_idle) db = m->idle[--m->n_idle];
    pthread_mutex_unlock(&m->lock);
    if (!db) return m->driver->open(m->where, ret, err);
    *ret = db;
    return SW_OK;
}

static void give_back(struct sw_meta *m, struct sw_sql *db) {
    pthread_mutex_lock(&m->lock);
    if (m->n_idle < IDLE_MAX) {
        m->idle[m->n_idle++] = db;
        db = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    m->driver->close(db);
}

enum sw_code sw_tx_begin(struct sw_meta *m, struct sw_arena *a, enum sw_tx_kind kind,
                         struct sw_tx *ret, struct sw_error *err) {
    struct sw_sql *db = NULL;
    enum sw_code code = SW_OK;
    bool writing = kind != SW_TX_READ;
    if (writing && m->driver->one_writer) {
        pthread_mutex_lock(&m->writer_lock);
        db = m->writer;
    } else {
        code = take(m, &db, err);
        if (code) return code;
    }
    if (writing) code = m->driver->begin(db, kind == SW_TX_DURABLE, err);
    *ret = (struct sw_tx){.meta = m, .db = db, .arena = a, .writing = writing};
    if (code) sw_tx_end(ret);
    return code;
}

static void release(struct sw_tx *tx) {
    struct sw_meta *m = tx->meta;
    tx->meta = NULL;
    if (tx->db == m->writer)
        pthread_mutex_unlock(&m->writer_lock);
    else
        give_back(m, tx->db);
}

enum sw_code sw_tx_commit(struct sw_tx *tx, struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (tx->writing) {
        code = tx->meta->driver->commit(tx->db, err);
        if (code) tx->meta->driver->rollback(tx->db);
    }
    release(tx);
    return code;
}

void sw_tx_end(struct sw_tx *tx) {
    if (!tx->meta) return;
    if (tx->writing) tx->meta->driver->rollback(tx->db);
    release(tx);
}

enum sw_code sw_tx_run(struct sw_tx *tx, const char *text, const struct sw_sql_value *values,
                       size_t n, struct sw_sql_rows *ret, struct sw_error *err) {
    struct sw_sql_rows unused;
    return tx->meta->driver->run(tx->db, tx->arena, text, values, n, ret ? ret : &unused, err);
}

enum sw_code sw_meta_epoch(struct sw_meta *m, struct sw_arena *a, int64_t *ret,
                           struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    enum sw_code code = sw_tx_begin(m, a, SW_TX_READ, &tx, err);
    if (!code) code = sw_tx_ask(&tx, &rows, err, "SELECT value FROM counters WHERE name = 'epoch'");
    if (code) return code;
    *ret = rows.n_rows ? sw_sql_row(&rows, 0)->number : 0;
    return SW_OK;
}

enum sw_code sw_tx_bump_epoch(struct sw_tx *tx, struct sw_error *err) {
    return sw_tx_ask(tx, NULL, err, "UPDATE counters SET value = value + 1 WHERE name = 'epoch'");
}

enum sw_code sw_meta_secret(struct sw_meta *m, struct sw_arena *a, const char *name, size_t len,
                            struct sw_str *ret, struct sw_error *err) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    struct sw_sql_value key = sw_sql_text(sw_str(name));
    char *fresh = sw_arena_alloc(a, len);
    sw_random_bytes(fresh, len);
    enum sw_code code = sw_tx_begin(m, a, SW_TX_DURABLE, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, NULL, err,
                        "INSERT INTO secrets(name, value) VALUES($1, $2) ON CONFLICT DO NOTHING",
                        key, sw_sql_bytes(sw_str_n(fresh, len)));
    if (!code) code = sw_tx_do(&tx, &rows, err, "SELECT value FROM secrets WHERE name = $1", key);
    if (!code) code = sw_tx_commit(&tx, err);
    if (code) return code;
    if (rows.n_rows != 1 || sw_sql_row(&rows, 0)->text.len != len)
        return sw_fail(err, SW_CORRUPT, "the secret %s has a wrong size", name);
    *ret = sw_sql_row(&rows, 0)->text;
    return SW_OK;
}
