/* OSV documents compiled and read back; CVSS vectors; database files as they come. */
#include <stdlib.h>

#include "advisory/db_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that can be reached from the packages. */
static void walk(const struct sw_advdb *db) {
    struct sw_error err;
    for (uint32_t i = 0; i < sw_advdb_count(db, SW_ADVDB_PACKAGES) && i < 1000; i++) {
        struct sw_advdb_package p, again;
        if (sw_advdb_package_at(db, i, &p, &err)) return;
        if (sw_advdb_find(db, p.ecosystem, p.name, &again, &err)) return;
        for (uint32_t j = 0; j < p.rows.count && j < 1000; j++) {
            struct sw_advdb_row row;
            struct sw_advdb_vuln v;
            struct sw_advdb_event e;
            if (sw_advdb_row_at(db, p.rows.first + j, &row, &err)) return;
            if (sw_advdb_vuln_at(db, row.vuln, &v, &err)) return;
            for (uint32_t k = 0; k < row.events.count && k < 1000; k++)
                if (sw_advdb_event_at(db, row.events.first + k, &e, &err)) return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf file;
    struct sw_error err;
    struct sw_osv osv;
    struct sw_cvss cvss;
    struct sw_advdb db = {0};
    struct sw_advdb_counts counts = {0};
    struct sw_str text = sw_str_n((const char *)data, size);
    sw_arena_init(&a, 64 << 20);
    sw_buf_init(&file, 64 << 20);
    if (!sw_cvss_score(text, &cvss, &err) && cvss.score > 100) abort();
    if (!sw_advdb_open(&db, text, &err)) {
        walk(&db);
        sw_advdb_done(&db);
    }
    if (sw_osv_parse(&a, text, &osv, &err)) return 0;
    struct sw_advdb_builder *b = sw_advdb_builder_new();
    if (!sw_advdb_add(b, SW_STR("fuzz"), &osv, &counts, &err) &&
        !sw_advdb_build(b, 1, SW_STR("{}"), &file, &err)) {
        if (sw_advdb_open(&db, sw_buf_str(&file), &err) || sw_advdb_verify(&db, &err)) abort();
        walk(&db);
        sw_advdb_done(&db);
    }
    sw_advdb_builder_free(b);
    return 0;
}
