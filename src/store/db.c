#include "store/db.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"

/* How long another process may hold the database before we give up. Transactions are short; only a
 * stopped process holds it for seconds. */
#define BUSY_TIMEOUT_MS 60000

struct sw_db_stmt {
    struct sw_db *db;
    const char *sql; /* borrowed literal; its address is the key */
    sqlite3_stmt *handle;
};

struct sw_db {
    sqlite3 *handle;
    pthread_mutex_t lock;
    SW_VEC(struct sw_db_stmt *) statements; /* owned */
    int64_t busy_ms;                        /* waited since the last call that succeeded */
    bool in_transaction;
    int synchronous; /* 0 not set yet, 1 NORMAL, 2 FULL */
};

/* One element a version of the schema, each leading from the one before. Never edited, only added
 * to. docs/format/store.md explains the columns. */
static const char *const migrations[] = {
    "CREATE TABLE snapshots("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " form INTEGER NOT NULL,"
    " key BLOB NOT NULL,"
    " size INTEGER NOT NULL,"
    " entries INTEGER NOT NULL,"
    " created INTEGER NOT NULL,"
    " last_use INTEGER NOT NULL,"
    " boot TEXT NOT NULL,"
    " UNIQUE(key, kind, form));"
    "CREATE TABLE cache("
    " id INTEGER PRIMARY KEY,"
    " key BLOB NOT NULL UNIQUE,"
    " value BLOB NOT NULL,"
    " refs BLOB NOT NULL,"
    " created INTEGER NOT NULL,"
    " last_use INTEGER NOT NULL);",
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

/* ---- errors ---- */

static enum sw_code fail_db(struct sw_db *db, struct sw_error *err, const char *what) {
    int code = sqlite3_errcode(db->handle);
    const char *text = sqlite3_errmsg(db->handle);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        if (sw_cancelled()) return sw_fail(err, SW_CANCELLED, "%s: interrupted", what);
        return sw_fail(err, SW_BUSY, "%s: another process has held state.db for %d seconds", what,
                       BUSY_TIMEOUT_MS / 1000);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return sw_fail(err, SW_CORRUPT,
                       "%s: slipway/state.db is damaged (%s); it holds caches only: move it away, "
                       "then run `slipway prune`",
                       what, text);
    case SQLITE_FULL:
        return sw_fail(err, SW_IO, "%s: no space left on the device", what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return sw_fail(err, SW_DENIED, "%s: state.db is not writable (%s)", what, text);
    default:
        return sw_fail(err, SW_IO, "%s: state.db: %s", what, text);
    }
}

static int on_busy(void *ctx, int tries) {
    struct sw_db *db = ctx;
    if (db->busy_ms >= BUSY_TIMEOUT_MS || sw_cancelled()) return 0;
    int ms = tries < 10 ? 1 : tries < 50 ? 5 : 20;
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
    db->busy_ms += ms;
    return 1;
}

static enum sw_code exec(struct sw_db *db, const char *sql, const char *what,
                         struct sw_error *err) {
    db->busy_ms = 0;
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK) return fail_db(db, err, what);
    return SW_OK;
}

/* ---- opening ---- */

static enum sw_code read_version(struct sw_db *db, int *ret, struct sw_error *err) {
    sqlite3_stmt *st;
    db->busy_ms = 0;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
        return fail_db(db, err, "open");
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW) *ret = sqlite3_column_int(st, 0);
    enum sw_code code = r == SQLITE_ROW ? SW_OK : fail_db(db, err, "read the schema's version");
    sqlite3_finalize(st);
    return code;
}

static enum sw_code migrate(struct sw_db *db, struct sw_error *err) {
    /* Changing the journal mode does not wait by the busy handler in every case. */
    enum sw_code code = SW_OK;
    for (int tries = 0; tries < 200; tries++) {
        code = exec(db, "PRAGMA journal_mode=WAL", "set the journal mode", err);
        if (code != SW_BUSY) break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    if (code || (code = sw_db_begin(db, true, err))) return code;
    int version = 0;
    code = read_version(db, &version, err);
    for (; !code && version < SCHEMA_VERSION; version++)
        code = exec(db, migrations[version], "create tables", err);
    if (!code) {
        SW_FREE char *sql = sw_asprintf("PRAGMA user_version=%d", SCHEMA_VERSION);
        code = exec(db, sql, "set the schema's version", err);
    }
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    return code;
}

static enum sw_code set_up(struct sw_db *db, bool read_only, struct sw_error *err) {
    sqlite3_extended_result_codes(db->handle, 0);
    sqlite3_busy_handler(db->handle, on_busy, db);
#ifdef SQLITE_FCNTL_PERSIST_WAL
    /* The log file stays when the last process leaves, which would otherwise cost two syncs at the
     * end of every command. */
    int on = 1;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
#endif
#ifdef SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
#endif
    int version = 0;
    enum sw_code code = read_version(db, &version, err);
    if (code) return code;
    if (version > SCHEMA_VERSION)
        return sw_fail(err, SW_UNSUPPORTED,
                       "state.db has schema version %d, this slipway knows up to %d: use a newer "
                       "slipway",
                       version, SCHEMA_VERSION);
    if (version == SCHEMA_VERSION) return SW_OK;
    if (read_only) return sw_fail(err, SW_NOT_FOUND, "state.db has no tables yet");
    return migrate(db, err);
}

enum sw_code sw_db_open(const char *path, bool read_only, struct sw_db **ret,
                        struct sw_error *err) {
    struct sw_db *db = sw_calloc(1, sizeof *db);
    pthread_mutex_init(&db->lock, NULL);
    int flags = SQLITE_OPEN_NOMUTEX |
                (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    enum sw_code code;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        code = db->handle ? fail_db(db, err, "open") : sw_fail(err, SW_IO, "open state.db");
    } else {
        code = set_up(db, read_only, err);
    }
    if (code) {
        sw_db_close(db);
        return sw_context(err, "%s", path);
    }
    *ret = db;
    return SW_OK;
}

void sw_db_close(struct sw_db *db) {
    if (!db) return;
    sw_db_rollback(db);
    for (size_t i = 0; i < db->statements.len; i++) {
        sqlite3_finalize(db->statements.ptr[i]->handle);
        free(db->statements.ptr[i]);
    }
    sw_vec_done(&db->statements);
    sqlite3_close(db->handle);
    pthread_mutex_destroy(&db->lock);
    free(db);
}

void sw_db_lock(struct sw_db *db) { pthread_mutex_lock(&db->lock); }
void sw_db_unlock(struct sw_db *db) { pthread_mutex_unlock(&db->lock); }

/* ---- statements ---- */

enum sw_code sw_db_prepare(struct sw_db *db, const char *sql, struct sw_db_stmt **ret,
                           struct sw_error *err) {
    for (size_t i = 0; i < db->statements.len; i++) {
        if (db->statements.ptr[i]->sql != sql) continue;
        sw_db_reset(db->statements.ptr[i]);
        *ret = db->statements.ptr[i];
        return SW_OK;
    }
    sqlite3_stmt *handle;
    db->busy_ms = 0;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &handle, NULL) != SQLITE_OK)
        return fail_db(db, err, "prepare");
    struct sw_db_stmt *st = sw_calloc(1, sizeof *st);
    *st = (struct sw_db_stmt){.db = db, .sql = sql, .handle = handle};
    sw_vec_add(&db->statements, st);
    *ret = st;
    return SW_OK;
}

/* Binding fails only on a wrong index or out of memory: a bug, or the end. */
static void bound(int result) {
    assert(result == SQLITE_OK);
    (void)result;
}

void sw_db_bind_int(struct sw_db_stmt *st, int index, int64_t value) {
    bound(sqlite3_bind_int64(st->handle, index, value));
}

void sw_db_bind_bytes(struct sw_db_stmt *st, int index, const void *bytes, size_t len) {
    bound(sqlite3_bind_blob(st->handle, index, len ? bytes : "", (int)len, SQLITE_STATIC));
}

void sw_db_bind_text(struct sw_db_stmt *st, int index, const char *text) {
    bound(sqlite3_bind_text(st->handle, index, text, -1, SQLITE_STATIC));
}

enum sw_code sw_db_step(struct sw_db_stmt *st, bool *ret_row, struct sw_error *err) {
    st->db->busy_ms = 0;
    int r = sqlite3_step(st->handle);
    if (r != SQLITE_ROW && r != SQLITE_DONE) {
        enum sw_code code = fail_db(st->db, err, "query");
        sw_db_reset(st);
        return code;
    }
    *ret_row = r == SQLITE_ROW;
    return SW_OK;
}

enum sw_code sw_db_run(struct sw_db_stmt *st, struct sw_error *err) {
    bool row;
    enum sw_code code = sw_db_step(st, &row, err);
    sw_db_reset(st);
    return code;
}

void sw_db_reset(struct sw_db_stmt *st) {
    sqlite3_reset(st->handle);
    sqlite3_clear_bindings(st->handle);
}

int64_t sw_db_int(struct sw_db_stmt *st, int column) {
    return sqlite3_column_int64(st->handle, column);
}

struct sw_str sw_db_bytes(struct sw_db_stmt *st, int column) {
    const char *p = sqlite3_column_blob(st->handle, column);
    return sw_str_n(p ? p : "", (size_t)sqlite3_column_bytes(st->handle, column));
}

int64_t sw_db_last_id(struct sw_db *db) { return sqlite3_last_insert_rowid(db->handle); }

/* ---- transactions ---- */

enum sw_code sw_db_begin(struct sw_db *db, bool durable, struct sw_error *err) {
    assert(!db->in_transaction);
    /* FULL syncs the log at every commit, NORMAL only at checkpoints. */
    int synchronous = durable ? 2 : 1;
    if (db->synchronous != synchronous) {
        enum sw_code code = exec(
            db, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", "begin", err);
        if (code) return code;
        db->synchronous = synchronous;
    }
    enum sw_code code = exec(db, "BEGIN IMMEDIATE", "begin", err);
    if (!code) db->in_transaction = true;
    return code;
}

enum sw_code sw_db_commit(struct sw_db *db, struct sw_error *err) {
    assert(db->in_transaction);
    enum sw_code code = exec(db, "COMMIT", "commit", err);
    if (code)
        sw_db_rollback(db);
    else
        db->in_transaction = false;
    return code;
}

void sw_db_rollback(struct sw_db *db) {
    if (!db->in_transaction) return;
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->in_transaction = false;
}

enum sw_code sw_db_check(struct sw_db *db, struct sw_error *err) {
    struct sw_db_stmt *st;
    enum sw_code code = sw_db_prepare(db, "PRAGMA quick_check(1)", &st, err);
    if (code) return code;
    bool row = false;
    if ((code = sw_db_step(st, &row, err))) return code;
    struct sw_str text = row ? sw_db_bytes(st, 0) : SW_STR("no answer");
    if (!sw_str_is(text, "ok")) code = sw_fail(err, SW_CORRUPT, "state.db: %.*s", SW_ARG(text));
    sw_db_reset(st);
    return code;
}
