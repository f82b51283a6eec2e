/* Reading one table of an SQLite file that is in memory. Floor 2, pure; private to distro. */
#ifndef SW_DISTRO_SQLITE_INTERNAL_H
#define SW_DISTRO_SQLITE_INTERNAL_H

#include "base/arena.h"

/* Calls row() for each record of a table, in the order of the rows. What the write-ahead log has
 * committed counts. SW_CORRUPT, SW_NOT_FOUND where there is no such table. */
enum sw_code sw_sqlite_rows(struct sw_arena *a, struct sw_str file, struct sw_str wal,
                            const char *table,
                            enum sw_code (*row)(void *context, struct sw_str record,
                                                struct sw_error *err),
                            void *context, struct sw_error *err);
/* A text or blob column of a record, counted from 0; SW_CORRUPT where it is of another type. */
enum sw_code sw_sqlite_column(struct sw_str record, unsigned index, struct sw_str *ret,
                              struct sw_error *err);
/* An integer column (1 to 8 bytes, or the constants 0 and 1). */
enum sw_code sw_sqlite_integer(struct sw_str record, unsigned index, int64_t *ret,
                               struct sw_error *err);

#endif
