/* SQLite, behind one file: state.db with its schema, busy handling and transactions.
 *
 * Floor 3, private to the room. A struct sw_db is one connection; sw_db_lock() serialises threads
 * and is held around every use of it and of its statements. Syntax stays within SQLite 3.7.17
 * (no UPSERT, no RETURNING, no WITHOUT ROWID).
 */
#ifndef SW_STORE_DB_H
#define SW_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct sw_db;
struct sw_db_stmt;

/* Opens (creating) the database of this absolute path. Owned: sw_db_close(). SW_UNSUPPORTED where a
 * newer slipway wrote it; SW_CORRUPT where it is no database. */
SW_NODISCARD enum sw_code sw_db_open(const char *path, bool read_only, struct sw_db **ret,
                                     struct sw_error *err);
void sw_db_close(struct sw_db *db);

void sw_db_lock(struct sw_db *db);
void sw_db_unlock(struct sw_db *db);

/* A statement of a string literal, compiled once per connection, reset and without bindings.
 * Borrowed. The caller resets it with sw_db_reset() when done. */
SW_NODISCARD enum sw_code sw_db_prepare(struct sw_db *db, const char *sql, struct sw_db_stmt **ret,
                                        struct sw_error *err);
void sw_db_bind_int(struct sw_db_stmt *st, int index, int64_t value);
/* The bytes must live until the statement is reset. */
void sw_db_bind_bytes(struct sw_db_stmt *st, int index, const void *bytes, size_t len);
void sw_db_bind_text(struct sw_db_stmt *st, int index, const char *text);
/* *ret_row: whether there is a row to read. */
SW_NODISCARD enum sw_code sw_db_step(struct sw_db_stmt *st, bool *ret_row, struct sw_error *err);
/* Runs a statement that returns no rows, and resets it. */
SW_NODISCARD enum sw_code sw_db_run(struct sw_db_stmt *st, struct sw_error *err);
void sw_db_reset(struct sw_db_stmt *st);
int64_t sw_db_int(struct sw_db_stmt *st, int column);
/* Valid until the next step or reset. */
struct sw_str sw_db_bytes(struct sw_db_stmt *st, int column);
int64_t sw_db_last_id(struct sw_db *db);

/* A write transaction (BEGIN IMMEDIATE). durable: the commit is synced; otherwise a power cut may
 * lose it (whole), never damage the database. */
SW_NODISCARD enum sw_code sw_db_begin(struct sw_db *db, bool durable, struct sw_error *err);
SW_NODISCARD enum sw_code sw_db_commit(struct sw_db *db, struct sw_error *err);
/* Safe after a commit. */
void sw_db_rollback(struct sw_db *db);

/* PRAGMA quick_check; SW_CORRUPT with its first line. */
SW_NODISCARD enum sw_code sw_db_check(struct sw_db *db, struct sw_error *err);

#endif
