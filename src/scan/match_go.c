#include "scan/match_internal.h"

bool sw_match_go_version(struct sw_arena *a, const struct sw_scan_package *p, struct sw_str *ret) {
    if (p->stdlib) {
        char buffer[128];
        struct sw_str v;
        if (!sw_version_from_go_tag(p->p.version, buffer, sizeof buffer, &v)) return false;
        *ret = sw_arena_str(a, v);
        return true;
    }
    struct sw_str v = p->p.version;
    if (!v.len || !sw_version_valid(SW_VERSION_SEMVER, v)) return false;
    *ret = v.ptr[0] == 'v' ? sw_str_from(v, 1) : v;
    return true;
}

/* Whether a list of systems or architectures is empty or has the word. */
static enum sw_code lists(const struct sw_advdb *db, struct sw_advdb_run run, struct sw_str word,
                          bool *ret, struct sw_error *err) {
    *ret = run.count == 0 || word.len == 0;
    for (uint32_t i = 0; i < run.count && !*ret; i++) {
        struct sw_str entry = {0};
        enum sw_code code = sw_advdb_ref_at(db, run.first + i, &entry, err);
        if (code) return code;
        *ret = sw_str_eq(entry, word);
    }
    return SW_OK;
}

/* One vulnerable package. A list of functions that is empty stands for all of them. undecided is
 * set where the package is linked and a table that may lack inlined functions has none of them. */
static enum sw_code import_reach(struct sw_arena *a, const struct sw_advdb *db,
                                 const struct sw_advdb_import *import,
                                 const struct sw_scan_functions *f, enum sw_reach *reach,
                                 bool *undecided, struct sw_strs *symbols, struct sw_error *err) {
    if (!sw_scan_has_package(f, import->path)) return SW_OK;
    size_t found = 0;
    for (uint32_t i = 0; i < import->symbols.count; i++) {
        struct sw_str symbol = {0};
        enum sw_code code = sw_advdb_ref_at(db, import->symbols.first + i, &symbol, err);
        if (code) return code;
        if (!sw_scan_has_function(f, import->path, symbol)) continue;
        sw_strs_add(a, symbols,
                    sw_arena_printf(a, "%.*s.%.*s", SW_ARG(import->path), SW_ARG(symbol)));
        found++;
    }
    if (import->symbols.count == 0) sw_strs_add(a, symbols, import->path);
    if (found || import->symbols.count == 0)
        *reach = SW_REACH_FUNCTION;
    else if (!f->complete)
        *undecided = true;
    else if (*reach < SW_REACH_PACKAGE)
        *reach = SW_REACH_PACKAGE;
    return SW_OK;
}

enum sw_code sw_match_reach(struct sw_arena *a, const struct sw_advdb *db,
                            const struct sw_advdb_row *row, const struct sw_scan_artifact *artifact,
                            enum sw_reach *ret, bool *ret_applies, struct sw_strs *symbols,
                            struct sw_error *err) {
    const struct sw_scan_functions *f = &artifact->functions;
    bool judge = artifact->kind == SW_SCAN_GO_BINARY && f->known;
    enum sw_reach reach = judge && row->imports.count ? SW_REACH_NOT_LINKED : SW_REACH_UNKNOWN;
    bool applies = row->imports.count == 0, undecided = false;
    for (uint32_t i = 0; i < row->imports.count; i++) {
        struct sw_advdb_import import;
        bool os = false, arch = false;
        enum sw_code code = sw_advdb_import_at(db, row->imports.first + i, &import, err);
        if (!code) code = lists(db, import.goos, artifact->goos, &os, err);
        if (!code) code = lists(db, import.goarch, artifact->goarch, &arch, err);
        if (code) return code;
        if (!os || !arch) continue;
        applies = true;
        if (judge) code = import_reach(a, db, &import, f, &reach, &undecided, symbols, err);
        if (code) return code;
    }
    *ret = undecided && reach != SW_REACH_FUNCTION ? SW_REACH_UNKNOWN : reach;
    *ret_applies = applies;
    return SW_OK;
}
