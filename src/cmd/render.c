#include "cmd/render.h"

#include <ctype.h>
#include <string.h>

#include "base/vec.h"
#include "cmd/template.h"
#include "codec/json_writer.h"

struct sw_table {
    struct sw_arena *arena;
    size_t n_columns, n_rows, cap;
    const char **cells;
};

struct sw_table *sw_table_new(struct sw_arena *arena, size_t n_columns) {
    struct sw_table *t = SW_NEW(arena, struct sw_table);
    t->arena = arena;
    t->n_columns = n_columns;
    return t;
}

void sw_table_add(struct sw_table *t, const char *const *cells) {
    if (t->n_rows == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        const char **grown = sw_arena_array(t->arena, cap * t->n_columns, sizeof *grown);
        if (t->n_rows) memcpy(grown, t->cells, t->n_rows * t->n_columns * sizeof *grown);
        t->cells = grown;
        t->cap = cap;
    }
    for (size_t i = 0; i < t->n_columns; i++)
        t->cells[t->n_rows * t->n_columns + i] = sw_arena_cstr(t->arena, sw_str(cells[i]));
    t->n_rows++;
}

void sw_table_print(const struct sw_table *t, FILE *to) {
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const char *cell = t->cells[r * t->n_columns + c];
            if (c + 1 == t->n_columns) {
                fprintf(to, "%s\n", cell);
                continue;
            }
            size_t width = 0;
            for (size_t k = 0; k < t->n_rows; k++) {
                size_t len = strlen(t->cells[k * t->n_columns + c]);
                if (len > width) width = len;
            }
            fprintf(to, "%-*s   ", (int)width, cell);
        }
    }
}

const char *sw_render_size(struct sw_arena *arena, uint64_t bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit < 5) value /= 1000, unit++;
    const char *format = unit == 0 || value >= 99.95 ? "%.0f%s"
                         : value >= 9.995            ? "%.1f%s"
                                                     : "%.2f%s";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return sw_arena_printf(arena, format, value, units[unit]).ptr;
#pragma GCC diagnostic pop
}

const char *sw_render_ago(struct sw_arena *arena, int64_t then_s, int64_t now_s) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{365 * 86400, "year"}, {30 * 86400, "month"}, {7 * 86400, "week"}, {86400, "day"},
                 {3600, "hour"},        {60, "minute"},        {1, "second"}};
    if (then_s == INT64_MIN) return "N/A";
    int64_t age = now_s - then_s;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        /* As docker: two of a unit before it is used. */
        if (age < 2 * units[i].seconds && i + 1 < sizeof units / sizeof units[0]) continue;
        int64_t n = age < 0 ? 0 : age / units[i].seconds;
        return sw_arena_printf(arena, "%lld %s%s ago", (long long)n, units[i].name,
                               n == 1 ? "" : "s")
            .ptr;
    }
    return "N/A";
}

/* "table {{.Repository}}\t{{.Tag}}": the names of the fields, in capitals, as the heading. */
static const char *heading(struct sw_arena *arena, struct sw_str text) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    for (size_t i = 0; i < text.len;) {
        if (!sw_str_starts(sw_str_from(text, i), SW_STR("{{"))) {
            sw_buf_add_char(&b, text.ptr[i++]);
            continue;
        }
        size_t end = sw_str_find(sw_str_from(text, i), SW_STR("}}"));
        struct sw_str action = sw_str_sub(text, i + 2, end == SIZE_MAX ? 0 : end - 2);
        size_t dot = sw_str_rfind_char(action, '.');
        for (size_t k = dot == SIZE_MAX ? 0 : dot + 1; k < action.len; k++)
            if (isalnum((unsigned char)action.ptr[k]))
                sw_buf_add_char(&b, (char)toupper((unsigned char)action.ptr[k]));
        i += end == SIZE_MAX ? 2 : end + 2;
    }
    return sw_arena_cstr(arena, sw_buf_str(&b));
}

/* Rows of tab-separated cells as a table. */
static void print_cells(struct sw_arena *arena, const struct sw_str *lines, size_t n) {
    size_t columns = 1;
    struct sw_str rest, cell;
    for (size_t i = 0; i < lines[0].len; i++) columns += lines[0].ptr[i] == '\t';
    struct sw_table *t = sw_table_new(arena, columns);
    for (size_t i = 0; i < n; i++) {
        const char **cells = sw_arena_array(arena, columns, sizeof *cells);
        rest = lines[i];
        for (size_t c = 0; c < columns; c++)
            cells[c] = sw_str_next(&rest, '\t', &cell) ? sw_arena_cstr(arena, cell) : "";
        sw_table_add(t, cells);
    }
    sw_table_print(t, stdout);
}

enum sw_code sw_render_rows(const struct sw_invocation *inv, struct sw_str json_array,
                            struct sw_error *err) {
    const struct sw_json *rows;
    enum sw_code code = sw_json_parse(inv->arena, json_array, NULL, &rows, err);
    if (code) return code;
    struct sw_str format = sw_str(inv->format);
    bool table = sw_str_starts(format, SW_STR("table "));
    if (table) format = sw_str_from(format, 6);
    struct sw_str *lines = sw_arena_array(inv->arena, rows->len + 1, sizeof *lines);
    size_t n = 0;
    /* A person writes \t in the shell's quotes; the template turns it into a tab. */
    if (table) {
        SW_BUF struct sw_buf b;
        sw_buf_init(&b, 0);
        code = sw_template_render(inv->arena, sw_str(heading(inv->arena, format)), rows, &b, err);
        lines[n++] = sw_arena_str(inv->arena, sw_buf_str(&b));
    }
    for (size_t i = 0; i < rows->len && !code; i++) {
        SW_BUF struct sw_buf b;
        struct sw_json_writer w;
        sw_buf_init(&b, 0);
        if (sw_str_is(format, "json")) {
            sw_json_writer_init(&w, &b, 0);
            sw_json_tree(&w, &rows->items[i]);
        } else {
            code = sw_template_render(inv->arena, format, &rows->items[i], &b, err);
        }
        if (table) {
            lines[n++] = sw_arena_str(inv->arena, sw_buf_str(&b));
        } else if (!code) {
            printf("%s\n", b.ptr);
        }
    }
    if (!code && table) print_cells(inv->arena, lines, n);
    return code;
}

enum sw_code sw_render_document(const struct sw_invocation *inv, struct sw_str json,
                                struct sw_error *err) {
    const struct sw_json *tree;
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    enum sw_code code = sw_json_parse(inv->arena, json, NULL, &tree, err);
    if (code) return code;
    if (!inv->format || !strcmp(inv->format, "json")) {
        struct sw_json_writer w;
        sw_json_writer_init(&w, &b, SW_JSON_INDENT);
        sw_json_tree(&w, tree);
    } else {
        code = sw_template_render(inv->arena, sw_str(inv->format), tree, &b, err);
    }
    if (!code) printf("%s\n", b.ptr);
    return code;
}
