#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "registry/pq_api.h"
#include "registry/sql.h"

#define PARAMS_MAX 24
#define STATEMENTS 128 /* a power of two */

/* Type numbers of PostgreSQL's catalogue, which never change. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_INT4 = 23, OID_INT2 = 21, OID_BOOL = 16 };

struct sw_sql {
    PGconn *conn;
    const char *prepared[STATEMENTS];
    bool in_transaction;
};

static enum sw_code failed(struct sw_sql *s, const PGresult *r, struct sw_error *err) {
    const char *state = r ? PQ(PQresultErrorField)(r, PG_DIAG_SQLSTATE) : NULL;
    struct sw_str text =
        sw_str_trim(sw_str(r ? PQ(PQresultErrorMessage)(r) : PQ(PQerrorMessage)(s->conn)));
    enum sw_code code = SW_IO;
    if (PQ(PQstatus)(s->conn) != CONNECTION_OK)
        code = SW_NETWORK;
    else if (state && strncmp(state, "23", 2) == 0)
        code = SW_EXISTS;
    else if (state && (strncmp(state, "40", 2) == 0 || strncmp(state, "55", 2) == 0))
        code = SW_BUSY;
    return sw_fail(err, code, "asking the metadata: %.*s", SW_ARG(text));
}

static void close_db(struct sw_sql *s) {
    if (!s) return;
    PQ(PQfinish)(s->conn);
    free(s);
}

static void no_notice(void *context, const char *text) {}

static enum sw_code open_db(const char *where, struct sw_sql **ret, struct sw_error *err) {
    enum sw_code loaded = sw_pq_load(err);
    if (loaded) return loaded;
    struct sw_sql *s = sw_calloc(1, sizeof *s);
    s->conn = PQ(PQconnectdb)(where);
    if (PQ(PQstatus)(s->conn) != CONNECTION_OK) {
        struct sw_str text = sw_str_trim(sw_str(PQ(PQerrorMessage)(s->conn)));
        enum sw_code code = sw_fail(err, SW_NETWORK, "PostgreSQL: %.*s", SW_ARG(text));
        close_db(s);
        return code;
    }
    PQ(PQsetNoticeProcessor)(s->conn, no_notice, NULL);
    *ret = s;
    return SW_OK;
}

/* A connection that broke is made again, but never in the middle of a transaction. */
static void revive(struct sw_sql *s) {
    if (PQ(PQstatus)(s->conn) == CONNECTION_OK || s->in_transaction) return;
    PQ(PQreset)(s->conn);
    memset(s->prepared, 0, sizeof s->prepared);
}

static enum sw_code script(struct sw_sql *s, const char *text, struct sw_error *err) {
    revive(s);
    PGresult *r = PQ(PQexec)(s->conn, text);
    enum sw_code code = SW_OK;
    if (PQ(PQresultStatus)(r) != PGRES_COMMAND_OK && PQ(PQresultStatus)(r) != PGRES_TUPLES_OK)
        code = failed(s, r, err);
    PQ(PQclear)(r);
    return code;
}

static enum sw_code prepare(struct sw_sql *s, const char *text, char name[24],
                            struct sw_error *err) {
    size_t slot = ((uintptr_t)text >> 3) % STATEMENTS;
    for (size_t i = 0; i < STATEMENTS; i++, slot = (slot + 1) % STATEMENTS)
        if (!s->prepared[slot] || s->prepared[slot] == text) break;
    if (s->prepared[slot] && s->prepared[slot] != text)
        return sw_fail(err, SW_LIMIT, "more than %d kinds of statements", STATEMENTS);
    snprintf(name, 24, "s%zu", slot);
    if (s->prepared[slot]) return SW_OK;
    PGresult *r = PQ(PQprepare)(s->conn, name, text, 0, NULL);
    enum sw_code code = PQ(PQresultStatus)(r) == PGRES_COMMAND_OK ? SW_OK : failed(s, r, err);
    PQ(PQclear)(r);
    if (code) return sw_context(err, "%.60s", text);
    s->prepared[slot] = text;
    return SW_OK;
}

static struct sw_sql_value cell(const PGresult *r, int row, int col, struct sw_arena *a) {
    struct sw_sql_value v = {0};
    if (PQ(PQgetisnull)(r, row, col)) return v;
    struct sw_str text =
        sw_str_n(PQ(PQgetvalue)(r, row, col), (size_t)PQ(PQgetlength)(r, row, col));
    switch (PQ(PQftype)(r, col)) {
    case OID_INT8:
    case OID_INT4:
    case OID_INT2:
        v.type = SW_SQL_INT;
        if (!sw_str_i64(text, &v.number)) v.number = 0;
        return v;
    case OID_BOOL:
        return sw_sql_int(sw_str_is(text, "t"));
    case OID_BYTEA: {
        size_t len = 0;
        unsigned char *bytes = PQ(PQunescapeBytea)((const unsigned char *)text.ptr, &len);
        v.type = SW_SQL_BYTES;
        v.text = sw_arena_str(a, sw_str_n((const char *)bytes, len));
        PQ(PQfreemem)(bytes);
        return v;
    }
    default: /* numeric sums come as text of digits */
        v.type = SW_SQL_TEXT;
        v.text = sw_arena_str(a, text);
        if (PQ(PQftype)(r, col) == 1700 && sw_str_i64(text, &v.number)) v.type = SW_SQL_INT;
        return v;
    }
}

static enum sw_code run(struct sw_sql *s, struct sw_arena *a, const char *text,
                        const struct sw_sql_value *values, size_t n, struct sw_sql_rows *ret,
                        struct sw_error *err) {
    const char *params[PARAMS_MAX] = {0};
    int lengths[PARAMS_MAX] = {0}, formats[PARAMS_MAX] = {0};
    char numbers[PARAMS_MAX][24], name[24];
    if (n > PARAMS_MAX) return sw_fail(err, SW_LIMIT, "more than %d parameters", PARAMS_MAX);
    struct sw_arena scratch SW_CLEANUP(sw_arena_done) = {0};
    sw_arena_init(&scratch, 0);
    for (size_t i = 0; i < n; i++) {
        const struct sw_sql_value *v = &values[i];
        if (v->type == SW_SQL_INT) {
            snprintf(numbers[i], sizeof numbers[i], "%lld", (long long)v->number);
            params[i] = numbers[i];
        } else if (v->type == SW_SQL_TEXT) {
            params[i] = sw_arena_cstr(&scratch, v->text);
        } else if (v->type == SW_SQL_BYTES) {
            params[i] = v->text.ptr ? v->text.ptr : "";
            lengths[i] = (int)v->text.len;
            formats[i] = 1;
        }
    }
    revive(s);
    enum sw_code code = prepare(s, text, name, err);
    if (code) return code;
    PGresult *r = PQ(PQexecPrepared)(s->conn, name, (int)n, params, lengths, formats, 0);
    ExecStatusType status = PQ(PQresultStatus)(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        code = failed(s, r, err);
    else if (ret) {
        int rows = PQ(PQntuples)(r), cols = PQ(PQnfields)(r);
        *ret = (struct sw_sql_rows){
            .n_rows = (size_t)rows, .n_cols = (size_t)cols, .changes = atoll(PQ(PQcmdTuples)(r))};
        if (rows && cols)
            ret->cells = sw_arena_array(a, (size_t)rows * (size_t)cols, sizeof *ret->cells);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++) ret->cells[i * cols + j] = cell(r, i, j, a);
    }
    PQ(PQclear)(r);
    return code;
}

static enum sw_code begin(struct sw_sql *s, bool durable, struct sw_error *err) {
    enum sw_code code =
        script(s, durable ? "BEGIN" : "BEGIN; SET LOCAL synchronous_commit TO off", err);
    s->in_transaction = !code;
    return code;
}
static enum sw_code commit(struct sw_sql *s, struct sw_error *err) {
    enum sw_code code = script(s, "COMMIT", err);
    s->in_transaction = false;
    return code;
}
static void rollback(struct sw_sql *s) {
    struct sw_error err;
    if (s->in_transaction) (void)!script(s, "ROLLBACK", &err);
    s->in_transaction = false;
}

const struct sw_sql_driver sw_sql_postgres = {
    .name = "postgres",
    .open = open_db,
    .close = close_db,
    .run = run,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .one_writer = false,
};
