/* Results for people and for programs: tables, JSON, templates.
 *
 * Floor 7.
 */
#ifndef SW_CMD_RENDER_H
#define SW_CMD_RENDER_H

#include "cmd/command.h"
#include "codec/json.h"

/* A table of text, columns as wide as their widest cell. */
struct sw_table;
struct sw_table *sw_table_new(struct sw_arena *arena, size_t n_columns);
void sw_table_add(struct sw_table *t, const char *const *cells); /* copied */
void sw_table_print(const struct sw_table *t, FILE *to);

/* "12.3MB" (units of 1000, as docker), "3 weeks ago". In the arena. */
const char *sw_render_size(struct sw_arena *arena, uint64_t bytes);
const char *sw_render_ago(struct sw_arena *arena, int64_t then_s, int64_t now_s);

/* Prints rows (a JSON array of objects) as --format asks: "json" gives an object a line, a Go
 * template is rendered for each ("table TEMPLATE" with a heading made of the field names). */
SW_NODISCARD enum sw_code sw_render_rows(const struct sw_invocation *inv, struct sw_str json_array,
                                         struct sw_error *err);
/* One document the same way: "json" or no format prints it indented. */
SW_NODISCARD enum sw_code sw_render_document(const struct sw_invocation *inv, struct sw_str json,
                                             struct sw_error *err);

#endif
