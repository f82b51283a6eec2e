#include "scan/releases.h"

#include <stdlib.h>

#include "golang/toolchain.h"
#include "scan/match.h"

/* Under which names advisories are about Go itself. Bitnami's are about the toolchain as a whole.
 */
static const struct {
    const char *ecosystem, *name;
} subjects[] = {{"Go", "stdlib"}, {"Go", "toolchain"}, {"Bitnami", "golang"}};
enum { N_GO = 2, N_SUBJECTS = sizeof subjects / sizeof *subjects };

static enum sw_code rows_of(const struct sw_advdb *db, size_t subject, struct sw_advdb_run *ret,
                            struct sw_error *err) {
    struct sw_advdb_package p = {0};
    bool found;
    uint32_t number = 0;
    enum sw_code code =
        sw_advdb_ecosystem(db, sw_str(subjects[subject].ecosystem), &found, &number, err);
    if (!code && found) code = sw_advdb_find(db, number, sw_str(subjects[subject].name), &p, err);
    if (!code) *ret = p.rows;
    return code;
}

/* The line of "1.26.3": 26. False for pre-releases and for what is no Go version. */
static bool line_of(struct sw_str v, unsigned *ret) {
    uint64_t line;
    struct sw_str major, minor, rest;
    if (!sw_version_valid(SW_VERSION_SEMVER, v) || sw_str_find_char(v, '-') != SIZE_MAX)
        return false;
    sw_str_cut(v, '.', &major, &rest);
    sw_str_cut(rest, '.', &minor, &rest);
    if (!sw_str_is(major, "1") || !sw_str_u64(minor, &line) || line > 10000) return false;
    *ret = (unsigned)line;
    return true;
}

static int by_version(const void *x, const void *y) {
    return sw_version_cmp(SW_VERSION_SEMVER, *(const struct sw_str *)x, *(const struct sw_str *)y);
}

/* Every release that brought a fix, ascending, each once. Bitnami is asked where nobody else says
 * anything: it names releases that were yet to come (1.27.0 for 1.27rc2). */
static enum sw_code collect_fixes(struct sw_arena *a, const struct sw_advdb *db,
                                  struct sw_strs *ret, struct sw_error *err) {
    struct sw_strs all = {0};
    for (size_t s = 0; s < N_SUBJECTS && (s < N_GO || !all.len); s++) {
        struct sw_advdb_run rows = {0};
        enum sw_code code = rows_of(db, s, &rows, err);
        for (uint32_t i = 0; i < rows.count && !code; i++) {
            struct sw_advdb_row row = {0};
            code = sw_advdb_row_at(db, rows.first + i, &row, err);
            for (uint32_t j = 0; j < row.events.count && !code; j++) {
                struct sw_advdb_event e = {0};
                unsigned line;
                code = sw_advdb_event_at(db, row.events.first + j, &e, err);
                if (!code && e.kind == SW_OSV_FIXED && line_of(e.version, &line))
                    sw_strs_add(a, &all, e.version);
            }
        }
        if (code) return code;
    }
    if (all.len) qsort(all.ptr, all.len, sizeof *all.ptr, by_version);
    for (size_t i = 0; i < all.len; i++)
        if (!ret->len || !sw_str_eq(ret->ptr[ret->len - 1], all.ptr[i]))
            sw_strs_add(a, ret, all.ptr[i]);
    return SW_OK;
}

/* Whether any advisory is about a release; visits those that are where count is wanted. */
static enum sw_code affected(const struct sw_advdb *db, struct sw_str version, size_t n_subjects,
                             bool *ret, struct sw_error *err) {
    *ret = false;
    for (size_t s = 0; s < n_subjects; s++) {
        struct sw_advdb_run rows = {0};
        enum sw_code code = rows_of(db, s, &rows, err);
        for (uint32_t i = 0; i < rows.count && !code && !*ret; i++) {
            struct sw_advdb_row row = {0};
            struct sw_range_result r = {0};
            code = sw_advdb_row_at(db, rows.first + i, &row, err);
            if (!code) code = sw_match_row(db, &row, SW_VERSION_SEMVER, version, &r, err);
            *ret = r.affected;
        }
        if (code || *ret) return code;
    }
    return SW_OK;
}

enum sw_code sw_go_releases_read(struct sw_arena *a, const struct sw_advdb *db,
                                 unsigned newest_line, struct sw_go_releases *ret,
                                 struct sw_error *err) {
    struct sw_strs all = {0};
    struct sw_go_releases s = {.newest_line = sw_go_known_minor(), .lowest = SW_STR("")};
    enum sw_code code = collect_fixes(a, db, &all, err);
    if (code) return code;
    unsigned line;
    if (newest_line > s.newest_line) s.newest_line = newest_line;
    for (size_t i = 0; i < all.len; i++)
        if (line_of(all.ptr[i], &line) && line > s.newest_line) s.newest_line = line;
    s.fixes = sw_arena_array(a, all.len, sizeof *s.fixes);
    for (size_t i = 0; i < all.len; i++)
        if (line_of(all.ptr[i], &line) && line + 1 >= s.newest_line)
            s.fixes[s.n_fixes++] = all.ptr[i];
    /* What runs is the library: a fault of the tools alone is not in the programs. */
    for (size_t i = 0; i < s.n_fixes && !code && !s.lowest.len; i++) {
        bool bad = true;
        code = affected(db, s.fixes[i], 1, &bad, err);
        if (!bad) s.lowest = sw_arena_str(a, s.fixes[i]);
    }
    if (!code) *ret = s;
    return code;
}

enum sw_go_state sw_go_releases_state(const struct sw_go_releases *s, struct sw_str go_version) {
    char buffer[64];
    struct sw_str v, core, rest;
    unsigned line;
    if (!sw_version_from_go_tag(go_version, buffer, sizeof buffer, &v)) return SW_GO_UNKNOWN;
    sw_str_cut(v, '-', &core, &rest);
    if (!line_of(core, &line)) return SW_GO_UNKNOWN;
    return line + 1 >= s->newest_line ? SW_GO_SUPPORTED : SW_GO_ENDED;
}

/* --- one release ----------------------------------------------------------------------------- */

/* Counts a vulnerability once, under whichever of its names it was seen. */
static enum sw_code count(struct sw_arena *a, const struct sw_advdb *db, uint32_t index,
                          struct sw_strs *seen, struct sw_go_known *known, struct sw_error *err) {
    struct sw_advdb_vuln v = {0};
    enum sw_code code = sw_advdb_vuln_at(db, index, &v, err);
    if (code) return code;
    bool is_new = !sw_strs_has(seen, v.id);
    sw_strs_add(a, seen, v.id);
    for (uint32_t i = 0; i < v.aliases.count; i++) {
        struct sw_str alias = {0};
        code = sw_advdb_ref_at(db, v.aliases.first + i, &alias, err);
        if (code) return code;
        is_new = is_new && !sw_strs_has(seen, alias);
        sw_strs_add(a, seen, alias);
    }
    if (is_new && !known->vulnerabilities++) known->first = v.id;
    return SW_OK;
}

enum sw_code sw_go_releases_known(struct sw_arena *a, const struct sw_advdb *db,
                                  struct sw_str version, struct sw_go_known *ret,
                                  struct sw_error *err) {
    struct sw_go_known known = {.first = SW_STR(""), .fixed = SW_STR("")};
    struct sw_strs seen = {0}, fixes = {0};
    for (size_t s = 0; s < N_SUBJECTS; s++) {
        struct sw_advdb_run rows = {0};
        enum sw_code code = rows_of(db, s, &rows, err);
        for (uint32_t i = 0; i < rows.count && !code; i++) {
            struct sw_advdb_row row = {0};
            struct sw_range_result r = {0};
            code = sw_advdb_row_at(db, rows.first + i, &row, err);
            if (!code) code = sw_match_row(db, &row, SW_VERSION_SEMVER, version, &r, err);
            if (!code && r.affected) code = count(a, db, row.vuln, &seen, &known, err);
        }
        if (code) return code;
    }
    enum sw_code code = known.vulnerabilities ? collect_fixes(a, db, &fixes, err) : SW_OK;
    for (size_t i = 0; i < fixes.len && !code && !known.fixed.len; i++) {
        bool bad = true;
        if (sw_version_cmp(SW_VERSION_SEMVER, fixes.ptr[i], version) <= 0) continue;
        code = affected(db, fixes.ptr[i], N_SUBJECTS, &bad, err);
        if (!bad) known.fixed = fixes.ptr[i];
    }
    if (!code) *ret = known;
    return code;
}
