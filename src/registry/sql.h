/* One SQL dialect over two engines: SQLite for one machine, PostgreSQL beyond it.
 *
 * Floor 5. A connection belongs to one thread at a time. Statements use $1, $2 ... and the part of
 * SQL that both engines share: bigint, text, bytea ("blob" in SQLite by affinity), ON CONFLICT,
 * RETURNING. Rows come back whole, in an arena.
 */
#ifndef SW_REGISTRY_SQL_H
#define SW_REGISTRY_SQL_H

#include "base/arena.h"
#include "base/error.h"

enum sw_sql_type { SW_SQL_NULL, SW_SQL_INT, SW_SQL_TEXT, SW_SQL_BYTES };

struct sw_sql_value {
    enum sw_sql_type type;
    int64_t number;
    struct sw_str text; /* TEXT and BYTES; arena in results, borrowed in parameters */
};

static inline struct sw_sql_value sw_sql_int(int64_t n) {
    return (struct sw_sql_value){.type = SW_SQL_INT, .number = n};
}
static inline struct sw_sql_value sw_sql_text(struct sw_str s) {
    return (struct sw_sql_value){.type = SW_SQL_TEXT, .text = s};
}
static inline struct sw_sql_value sw_sql_bytes(struct sw_str s) {
    return (struct sw_sql_value){.type = SW_SQL_BYTES, .text = s};
}

struct sw_sql_rows {
    struct sw_sql_value *cells; /* arena; row by row */
    size_t n_rows, n_cols;
    int64_t changes; /* rows that a statement without result changed */
};
static inline const struct sw_sql_value *sw_sql_row(const struct sw_sql_rows *r, size_t row) {
    return r->cells + row * r->n_cols;
}

struct sw_sql;
struct sw_sql_driver {
    const char *name;
    /* where: a path, or a connection string. */
    enum sw_code (*open)(const char *where, struct sw_sql **ret, struct sw_error *err);
    void (*close)(struct sw_sql *db);
    /* text is a string literal or lives as long as the connection: prepared statements are kept
     * by its address. */
    enum sw_code (*run)(struct sw_sql *db, struct sw_arena *a, const char *text,
                        const struct sw_sql_value *values, size_t n, struct sw_sql_rows *ret,
                        struct sw_error *err);
    /* Several statements without parameters or results. */
    enum sw_code (*script)(struct sw_sql *db, const char *text, struct sw_error *err);
    /* durable: what is committed survives a power cut; otherwise only the end of the process. */
    enum sw_code (*begin)(struct sw_sql *db, bool durable, struct sw_error *err);
    enum sw_code (*commit)(struct sw_sql *db, struct sw_error *err);
    void (*rollback)(struct sw_sql *db);
    bool one_writer; /* writes exclude each other: one connection makes them */
};

extern const struct sw_sql_driver sw_sql_sqlite, sw_sql_postgres;

#endif
