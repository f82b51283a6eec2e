/* The advisory database: opening it, looking up packages, matching 500 of them. JSON lines out.
 * Usage: scan_db ADVISORIES.DB */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "scan/match.h"
#include "scan/update.h"

enum { RUNS = 200, LOOKUPS = 100000, PACKAGES = 500 };

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int by_number(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

static void print(const char *name, int64_t *ns, size_t n, double per) {
    qsort(ns, n, sizeof *ns, by_number);
    printf("{\"name\":\"%s\",\"n\":%zu,\"median_ns\":%.1f,\"p99_ns\":%.1f}\n", name, n,
           (double)ns[n / 2] / per, (double)ns[n * 99 / 100] / per);
}

static void fail(const struct sw_error *err) {
    fprintf(stderr, "scan_db: %s\n", err->text);
    exit(1);
}

int main(int argc, char **argv) {
    static int64_t open_ns[RUNS], find_ns[RUNS], cold_ns[RUNS], match_ns[RUNS];
    struct sw_error err;
    if (argc != 2) return 2;
    for (int run = 0; run < RUNS; run++) {
        struct sw_scan_db db = {0};
        SW_ARENA struct sw_arena a;
        struct sw_matches m;
        sw_arena_init(&a, (size_t)1 << 30);
        int64_t start = now_ns();
        if (sw_scan_db_open_file(argv[1], &db, &err)) fail(&err);
        open_ns[run] = now_ns() - start;
        /* A program of 500 modules out of the database, spread over it, of an old version. */
        uint64_t n = sw_advdb_count(&db.advdb, SW_ADVDB_PACKAGES);
        struct sw_scan_package *packages = sw_arena_array(&a, PACKAGES, sizeof *packages);
        struct sw_advdb_package *known = sw_arena_array(&a, PACKAGES, sizeof *known);
        struct sw_scan_db other = {0}; /* names from a mapping of its own: this one stays cold */
        if (sw_scan_db_open_file(argv[1], &other, &err)) fail(&err);
        for (uint32_t i = 0; i < PACKAGES; i++) {
            if (sw_advdb_package_at(&other.advdb, (uint32_t)(i * n / PACKAGES), &known[i], &err))
                fail(&err);
            packages[i].p.name = known[i].name;
            packages[i].p.version = SW_STR("v1.0.0");
        }
        struct sw_scan_artifact x = {.kind = SW_SCAN_GO_BINARY,
                                     .path = SW_STR("app"),
                                     .packages = packages,
                                     .n_packages = PACKAGES};
        struct sw_inventory inventory = {
            .target = SW_STR("app"), .target_kind = "binary", .artifacts = &x, .n_artifacts = 1};
        struct sw_match_options options = {.now = 0};
        start = now_ns();
        if (sw_match(&a, &db.advdb, &inventory, &options, &m, &err)) fail(&err);
        cold_ns[run] = now_ns() - start;
        start = now_ns();
        if (sw_match(&a, &db.advdb, &inventory, &options, &m, &err)) fail(&err);
        match_ns[run] = now_ns() - start;
        start = now_ns();
        for (int i = 0; i < LOOKUPS; i++) {
            struct sw_advdb_package p;
            const struct sw_advdb_package *k = &known[i % PACKAGES];
            if (sw_advdb_find(&db.advdb, k->ecosystem, k->name, &p, &err) || !p.rows.count)
                fail(&err);
        }
        find_ns[run] = now_ns() - start;
        sw_scan_db_close(&other);
        sw_scan_db_close(&db);
    }
    print("scan_db_open", open_ns, RUNS, 1);
    print("scan_db_lookup", find_ns, RUNS, LOOKUPS);
    print("scan_match_500_cold", cold_ns, RUNS, 1);
    print("scan_match_500", match_ns, RUNS, 1);
    return 0;
}
