#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "registry/sql.h"

#define BUSY_MS 30000
#define STATEMENTS 128 /* slots of the table of prepared statements; a power of two */

struct statement {
    const char *text; /* the key: its address */
    sqlite3_stmt *stmt;
};

struct sw_sql {
    sqlite3 *db;
    struct statement cache[STATEMENTS];
    bool durable;
};

static enum sw_code failed(struct sw_sql *s, const char *what, struct sw_error *err) {
    int rc = sqlite3_extended_errcode(s->db);
    enum sw_code code = SW_IO;
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) code = SW_BUSY;
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB) code = SW_CORRUPT;
    if ((rc & 0xff) == SQLITE_CONSTRAINT) code = SW_EXISTS;
    return sw_fail(err, code, "%s: %s", what, sqlite3_errmsg(s->db));
}

static enum sw_code script(struct sw_sql *s, const char *text, struct sw_error *err) {
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return failed(s, "changing the metadata", err);
    return SW_OK;
}

static void close_db(struct sw_sql *s) {
    if (!s) return;
    for (size_t i = 0; i < STATEMENTS; i++) sqlite3_finalize(s->cache[i].stmt);
    sqlite3_close(s->db);
    free(s);
}

static enum sw_code open_db(const char *where, struct sw_sql **ret, struct sw_error *err) {
    struct sw_sql *s = sw_calloc(1, sizeof *s);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
#ifdef SQLITE_OPEN_NOFOLLOW
    flags |= SQLITE_OPEN_NOFOLLOW; /* a link in the data directory is somebody's trap */
#endif
    enum sw_code code = SW_OK;
    if (sqlite3_open_v2(where, &s->db, flags, NULL) != SQLITE_OK) {
        code = sw_fail(err, SW_IO, "opening %s: %s", where,
                       s->db ? sqlite3_errmsg(s->db) : "out of memory");
    } else {
        sqlite3_busy_timeout(s->db, BUSY_MS);
        code = script(s,
                      "PRAGMA journal_mode=WAL;"
                      "PRAGMA synchronous=FULL;"
                      "PRAGMA foreign_keys=ON;"
                      "PRAGMA cache_size=-2000;"
                      "PRAGMA journal_size_limit=67108864;",
                      err);
        s->durable = true;
    }
    if (code) {
        close_db(s);
        return code;
    }
    *ret = s;
    return SW_OK;
}

static enum sw_code prepare(struct sw_sql *s, const char *text, sqlite3_stmt **ret,
                            struct sw_error *err) {
    size_t slot = ((uintptr_t)text >> 3) % STATEMENTS;
    for (size_t i = 0; i < STATEMENTS; i++, slot = (slot + 1) % STATEMENTS) {
        struct statement *c = &s->cache[slot];
        if (c->text == text) {
            *ret = c->stmt;
            return SW_OK;
        }
        if (c->text) continue;
        if (sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &c->stmt, NULL) !=
            SQLITE_OK)
            return failed(s, text, err);
        c->text = text;
        *ret = c->stmt;
        return SW_OK;
    }
    return sw_fail(err, SW_LIMIT, "more than %d kinds of statements", STATEMENTS);
}

static void bind(sqlite3_stmt *st, const struct sw_sql_value *values, size_t n) {
    char name[24];
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "$%zu", i + 1);
        int at = sqlite3_bind_parameter_index(st, name);
        if (at == 0) continue;
        const struct sw_sql_value *v = &values[i];
        const char *ptr = v->text.ptr ? v->text.ptr : "";
        if (v->type == SW_SQL_INT)
            sqlite3_bind_int64(st, at, v->number);
        else if (v->type == SW_SQL_TEXT)
            sqlite3_bind_text64(st, at, ptr, v->text.len, SQLITE_STATIC, SQLITE_UTF8);
        else if (v->type == SW_SQL_BYTES)
            sqlite3_bind_blob64(st, at, ptr, v->text.len, SQLITE_STATIC);
        else
            sqlite3_bind_null(st, at);
    }
}

static struct sw_sql_value column(sqlite3_stmt *st, int i, struct sw_arena *a) {
    struct sw_sql_value v = {0};
    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        return sw_sql_int(sqlite3_column_int64(st, i));
    case SQLITE_NULL:
        return v;
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(st, i);
        v.type = SW_SQL_BYTES;
        v.text = sw_arena_str(a, sw_str_n(bytes, (size_t)sqlite3_column_bytes(st, i)));
        return v;
    }
    default: {
        const char *text = (const char *)sqlite3_column_text(st, i);
        v.type = SW_SQL_TEXT;
        v.text = sw_arena_str(a, sw_str_n(text, (size_t)sqlite3_column_bytes(st, i)));
        return v;
    }
    }
}

static enum sw_code run(struct sw_sql *s, struct sw_arena *a, const char *text,
                        const struct sw_sql_value *values, size_t n, struct sw_sql_rows *ret,
                        struct sw_error *err) {
    sqlite3_stmt *st = NULL;
    SW_VEC(struct sw_sql_value) cells = {0};
    enum sw_code code = prepare(s, text, &st, err);
    if (code) return code;
    bind(st, values, n);
    int n_cols = sqlite3_column_count(st), rc;
    size_t n_rows = 0;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        n_rows++;
        for (int i = 0; i < n_cols; i++) sw_vec_add(&cells, column(st, i, a));
    }
    if (rc != SQLITE_DONE)
        code = failed(s, "asking the metadata", err);
    else if (ret) {
        *ret = (struct sw_sql_rows){
            .n_rows = n_rows, .n_cols = (size_t)n_cols, .changes = sqlite3_changes(s->db)};
        if (cells.len) {
            ret->cells = sw_arena_array(a, cells.len, sizeof *ret->cells);
            memcpy(ret->cells, cells.ptr, cells.len * sizeof *ret->cells);
        }
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    sw_vec_done(&cells);
    return code;
}

static enum sw_code begin(struct sw_sql *s, bool durable, struct sw_error *err) {
    if (durable != s->durable) {
        /* A commit with FULL also syncs what NORMAL commits before it left in the log. */
        enum sw_code code =
            script(s, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err);
        if (code) return code;
        s->durable = durable;
    }
    return run(s, NULL, "BEGIN IMMEDIATE", NULL, 0, NULL, err);
}
static enum sw_code commit(struct sw_sql *s, struct sw_error *err) {
    return run(s, NULL, "COMMIT", NULL, 0, NULL, err);
}
static void rollback(struct sw_sql *s) {
    struct sw_error err;
    if (!sqlite3_get_autocommit(s->db)) (void)!run(s, NULL, "ROLLBACK", NULL, 0, NULL, &err);
}

const struct sw_sql_driver sw_sql_sqlite = {
    .name = "sqlite",
    .open = open_db,
    .close = close_db,
    .run = run,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .one_writer = true,
};
