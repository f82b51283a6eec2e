/* The registry's metadata: connections and transactions over sql.h, and the schema.
 *
 * Floor 5. struct sw_meta is thread-safe; a transaction belongs to one thread.
 * docs/format/registry-data.md describes the tables.
 *
 * "sqlite:PATH" or "postgres://..." (libpq's connection strings).
 */
#ifndef SW_REGISTRY_META_H
#define SW_REGISTRY_META_H

#include "registry/sql.h"

struct sw_meta;

SW_NODISCARD enum sw_code sw_meta_open(const char *where, struct sw_meta **ret,
                                       struct sw_error *err);
void sw_meta_close(struct sw_meta *m);
bool sw_meta_is_shared(const struct sw_meta *m); /* several servers may use it */

struct sw_tx {
    struct sw_meta *meta; /* NULL once ended */
    struct sw_sql *db;
    struct sw_arena *arena; /* borrowed; results go there */
    bool writing;
};
enum sw_tx_kind {
    SW_TX_READ,    /* each statement sees what is committed */
    SW_TX_RELAXED, /* survives the end of the process, not always a power cut */
    SW_TX_DURABLE,
};
SW_NODISCARD enum sw_code sw_tx_begin(struct sw_meta *m, struct sw_arena *a, enum sw_tx_kind kind,
                                      struct sw_tx *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_tx_commit(struct sw_tx *tx, struct sw_error *err);
/* Rolls back what was not committed. Safe on an ended or zeroed transaction. */
void sw_tx_end(struct sw_tx *tx);
#define SW_TX SW_CLEANUP(sw_tx_end)

/* text: a literal (prepared statements are kept by its address). ret may be NULL. */
SW_NODISCARD enum sw_code sw_tx_run(struct sw_tx *tx, const char *text,
                                    const struct sw_sql_value *values, size_t n,
                                    struct sw_sql_rows *ret, struct sw_error *err);
/* sw_tx_do(&tx, &rows, &err, "SELECT ... $1", sw_sql_int(1), ...): with one value at least. */
#define SW_VALUES(...) ((struct sw_sql_value[]){__VA_ARGS__})
#define sw_tx_do(tx, ret, err, text, ...)                                                          \
    sw_tx_run(tx, text, SW_VALUES(__VA_ARGS__),                                                    \
              sizeof SW_VALUES(__VA_ARGS__) / sizeof(struct sw_sql_value), ret, err)
/* The same without values. */
#define sw_tx_ask(tx, ret, err, text) sw_tx_run(tx, text, NULL, 0, ret, err)

/* A number that every server sees, raised by whoever changes accounts or rules. */
SW_NODISCARD enum sw_code sw_meta_epoch(struct sw_meta *m, struct sw_arena *a, int64_t *ret,
                                        struct sw_error *err);
SW_NODISCARD enum sw_code sw_tx_bump_epoch(struct sw_tx *tx, struct sw_error *err);
/* A secret of the installation, made on first use: len random bytes, in the arena. */
SW_NODISCARD enum sw_code sw_meta_secret(struct sw_meta *m, struct sw_arena *a, const char *name,
                                         size_t len, struct sw_str *ret, struct sw_error *err);

#endif
