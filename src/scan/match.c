#include "scan/match.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "scan/eol.h"
#include "scan/match_internal.h"

const char *sw_reach_name(enum sw_reach r) {
    static const char *const names[] = {"unknown", "not-linked", "package", "function"};
    return names[r];
}

const char *sw_doubt_name(enum sw_doubt_kind kind) {
    static const char *const names[] = {
        "unreadable-file", "unknown-version", "unknown-modules",  "unknown-distribution",
        "end-of-life",     "stale-data",      "unknown-severity", "nothing-found",
        "go-end-of-life",  "no-advisories"};
    return names[kind];
}

bool sw_match_scheme(struct sw_str ecosystem, enum sw_version_scheme *ret) {
    static const struct {
        const char *family;
        enum sw_version_scheme scheme;
    } families[] = {
        {"Go", SW_VERSION_SEMVER},      {"Bitnami", SW_VERSION_SEMVER},
        {"Debian", SW_VERSION_DPKG},    {"Ubuntu", SW_VERSION_DPKG},
        {"Alpine", SW_VERSION_APK},     {"Wolfi", SW_VERSION_APK},
        {"Chainguard", SW_VERSION_APK}, {"Red Hat", SW_VERSION_RPM},
        {"AlmaLinux", SW_VERSION_RPM},  {"Rocky Linux", SW_VERSION_RPM},
        {"openSUSE", SW_VERSION_RPM},   {"SUSE", SW_VERSION_RPM},
        {"Photon OS", SW_VERSION_RPM},  {"Mageia", SW_VERSION_RPM},
        {"openEuler", SW_VERSION_RPM},
    };
    struct sw_str family, release;
    sw_str_cut(ecosystem, ':', &family, &release);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (sw_str_is(family, families[i].family)) {
            *ret = families[i].scheme;
            return true;
        }
    return false;
}

size_t sw_match_os_ecosystems(struct sw_arena *a, const struct sw_os_release *os,
                              enum sw_scan_kind kind, struct sw_str ret[4]) {
    struct sw_str v = os->version_id, major, rest;
    sw_str_cut(v, '.', &major, &rest);
    struct sw_str minor;
    sw_str_cut(rest, '.', &minor, &rest);
    size_t n = 0;
    if (kind == SW_SCAN_DPKG && sw_str_is(os->id, "debian"))
        ret[n++] = sw_arena_printf(a, "Debian:%.*s", SW_ARG(major));
    else if (kind == SW_SCAN_DPKG && sw_str_is(os->id, "ubuntu"))
        ret[n++] = sw_arena_printf(a, "Ubuntu:%.*s", SW_ARG(v));
    else if (kind == SW_SCAN_APK && sw_str_is(os->id, "alpine"))
        ret[n++] = sw_arena_printf(a, "Alpine:v%.*s.%.*s", SW_ARG(major), SW_ARG(minor));
    else if (kind == SW_SCAN_APK && sw_str_is(os->id, "wolfi"))
        ret[n++] = SW_STR("Wolfi");
    else if (kind == SW_SCAN_APK && sw_str_is(os->id, "chainguard"))
        ret[n++] = SW_STR("Chainguard");
    else if (kind == SW_SCAN_RPM && (sw_str_is(os->id, "rhel") || sw_str_is(os->id, "centos")))
        ret[n++] = sw_arena_printf(a, "Red Hat:%.*s", SW_ARG(major));
    else if (kind == SW_SCAN_RPM && sw_str_is(os->id, "almalinux"))
        ret[n++] = sw_arena_printf(a, "AlmaLinux:%.*s", SW_ARG(major));
    else if (kind == SW_SCAN_RPM && sw_str_is(os->id, "rocky"))
        ret[n++] = sw_arena_printf(a, "Rocky Linux:%.*s", SW_ARG(major));
    else if (kind == SW_SCAN_RPM && sw_str_is(os->id, "opensuse-leap"))
        ret[n++] = sw_arena_printf(a, "openSUSE:Leap %.*s", SW_ARG(v));
    else if (kind == SW_SCAN_RPM && sw_str_is(os->id, "photon"))
        ret[n++] = sw_arena_printf(a, "Photon OS:%.*s", SW_ARG(v));
    return n;
}

/* --- one row --------------------------------------------------------------------------------- */

struct range {
    enum sw_version_scheme scheme;
    struct sw_str version;
    bool introduced;    /* something at or below the version opens the range */
    struct sw_str from; /* the latest such bound; "0" before everything */
    bool from_start, any;
    bool undecided;
};

static int bound_cmp(struct range *r, struct sw_str bound, struct sw_str other) {
    bool valid;
    int d = sw_version_cmp_bound(r->scheme, bound, other, &valid);
    if (!valid) r->undecided = true;
    return d;
}

/* The latest "introduced" that is not above the version. */
static void open_at(struct range *r, struct sw_str bound) {
    r->any = true;
    if (sw_str_is(bound, "0")) {
        if (!r->introduced) r->from_start = true;
        r->introduced = true;
        return;
    }
    if (bound_cmp(r, bound, r->version) > 0) return;
    if (!r->introduced || r->from_start || bound_cmp(r, bound, r->from) > 0) r->from = bound;
    r->introduced = true;
    r->from_start = false;
}

static bool after_opening(struct range *r, struct sw_str bound, bool or_equal) {
    if (r->from_start) return true;
    int d = bound_cmp(r, bound, r->from);
    return d > 0 || (or_equal && d == 0);
}

/* Events of one range. Twice over: which bound opens it, then whether anything between that and the
 * version closes it. */
static void judge_range(const struct sw_advdb_event *events, size_t n, struct range *r,
                        struct sw_range_result *ret) {
    bool closed = false;
    struct sw_str fixed = SW_STR("");
    for (size_t i = 0; i < n; i++)
        if (events[i].kind == SW_OSV_INTRODUCED) open_at(r, events[i].version);
    for (size_t i = 0; i < n; i++) {
        const struct sw_advdb_event *e = &events[i];
        if (e->kind != SW_OSV_FIXED && e->kind != SW_OSV_LAST_AFFECTED && e->kind != SW_OSV_LIMIT)
            continue;
        bool zero = sw_str_is(e->version, "0"); /* "fixed in 0": never affected */
        if (e->kind == SW_OSV_LIMIT && sw_str_is(e->version, "*")) continue;
        int d = zero ? -1 : bound_cmp(r, e->version, r->version);
        bool inclusive = e->kind == SW_OSV_LAST_AFFECTED;
        if (d < 0 || (d == 0 && !inclusive)) {
            if (!r->introduced || after_opening(r, e->version, !inclusive)) closed = true;
        } else if (e->kind == SW_OSV_FIXED && (!fixed.len || bound_cmp(r, e->version, fixed) < 0)) {
            fixed = e->version;
        }
    }
    if (r->undecided) ret->undecided = true;
    if (r->introduced && !closed) {
        ret->affected = true;
        /* Out of several ranges the highest fix is the one that leaves them all. */
        if (!fixed.len)
            ret->fixed = SW_STR("");
        else if (!ret->fixed.len || sw_version_cmp(r->scheme, fixed, ret->fixed) > 0)
            ret->fixed = fixed;
    }
}

static void judge_events(const struct sw_advdb_event *events, size_t n,
                         enum sw_version_scheme scheme, struct sw_str version,
                         struct sw_range_result *ret) {
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (events[i].kind == SW_OSV_EXACT) {
            struct sw_str v = events[i].version;
            if (sw_str_eq(v, version) ||
                (sw_version_valid(scheme, v) && sw_version_cmp(scheme, v, version) == 0))
                ret->affected = true;
            continue;
        }
        while (end < n && events[end].kind != SW_OSV_RANGE && events[end].kind != SW_OSV_EXACT)
            end++;
        struct range r = {.scheme = scheme, .version = version};
        judge_range(events + i, end - i, &r, ret);
    }
}

enum sw_code sw_match_row(const struct sw_advdb *db, const struct sw_advdb_row *row,
                          enum sw_version_scheme scheme, struct sw_str version,
                          struct sw_range_result *ret, struct sw_error *err) {
    enum { FEW = 32 }; /* nearly all rows */
    struct sw_range_result result = {.fixed = SW_STR("")};
    struct sw_advdb_event few[FEW];
    SW_FREE struct sw_advdb_event *many = NULL;
    struct sw_advdb_event *events = few;
    if (row->events.count > FEW) events = many = sw_calloc(row->events.count, sizeof *many);
    for (uint32_t i = 0; i < row->events.count; i++) {
        enum sw_code code = sw_advdb_event_at(db, row->events.first + i, &events[i], err);
        if (code) return code;
    }
    result.undecided = row->flags & SW_ADVDB_UNVERSIONED;
    judge_events(events, row->events.count, scheme, version, &result);
    *ret = result;
    return SW_OK;
}

/* --- severities ------------------------------------------------------------------------------ */

/* Of two ratings by one source, the newer standard says more. */
static unsigned standard_rank(const struct sw_advdb_severity *s) {
    return s->version == 40   ? 5
           : s->version == 31 ? 4
           : s->version == 30 ? 3
           : s->version == 0  ? 2
                              : 1;
}

static unsigned source_rank(const struct sw_match_options *o, const struct sw_finding *f,
                            const struct sw_advdb_severity *s) {
    static const char *const usual[] = {"nvd", "ghsa", "bitnami", NULL};
    const char *const *order = o->severity_order ? o->severity_order : usual;
    if (!o->severity_order && sw_str_eq(s->source, f->vuln.source)) return 0;
    for (unsigned i = 0; order[i]; i++)
        if (sw_str_is(s->source, order[i]) ||
            (strcmp(order[i], "own") == 0 && sw_str_eq(s->source, f->vuln.source)))
            return i + 1;
    return UINT16_MAX;
}

static bool better(const struct sw_match_options *o, const struct sw_finding *f,
                   const struct sw_advdb_severity *a, const struct sw_advdb_severity *b) {
    bool rated_a = a->severity != SW_SEVERITY_UNKNOWN, rated_b = b->severity != SW_SEVERITY_UNKNOWN;
    if (rated_a != rated_b) return rated_a;
    unsigned ra = source_rank(o, f, a), rb = source_rank(o, f, b);
    if (ra != rb) return ra < rb;
    if (standard_rank(a) != standard_rank(b)) return standard_rank(a) > standard_rank(b);
    return a->severity > b->severity;
}

static enum sw_code rate(struct sw_arena *a, const struct sw_advdb *db,
                         const struct sw_match_options *o, const struct sw_advdb_row *row,
                         struct sw_finding *f, struct sw_error *err) {
    const struct sw_advdb_run runs[] = {row->severities, f->vuln.severities};
    f->severities = sw_arena_array(a, (size_t)runs[0].count + runs[1].count, sizeof *f->severities);
    for (int r = 0; r < 2; r++)
        for (uint32_t i = 0; i < runs[r].count; i++) {
            struct sw_advdb_severity s = {0};
            enum sw_code code = sw_advdb_severity_at(db, runs[r].first + i, &s, err);
            if (code) return code;
            bool there = false;
            for (size_t j = 0; j < f->n_severities; j++)
                there = there || (sw_str_eq(f->severities[j].source, s.source) &&
                                  sw_str_eq(f->severities[j].vector, s.vector));
            if (there) continue;
            /* What the advisory says of this very package (first run) goes before its general
             * rating of the same source and standard: insertion is stable. */
            size_t at = f->n_severities++;
            while (at > 0 && better(o, f, &s, &f->severities[at - 1])) {
                f->severities[at] = f->severities[at - 1];
                at--;
            }
            f->severities[at] = s;
        }
    f->severity = f->n_severities ? f->severities[0].severity : SW_SEVERITY_UNKNOWN;
    return SW_OK;
}

/* --- packages -------------------------------------------------------------------------------- */

struct matcher {
    struct sw_arena *a;
    const struct sw_advdb *db;
    const struct sw_match_options *options;
    struct sw_matches *out;
    size_t cap_findings;
    struct sw_str ecosystem; /* that was looked for last, and its number if it was found */
    uint32_t ecosystem_number;
    bool ecosystem_found;
    struct sw_error *err;
};

void sw_matches_doubt(struct sw_arena *a, struct sw_matches *m, enum sw_doubt_kind kind,
                      struct sw_str path, struct sw_str text) {
    /* Grown by one power of two after the other, without a field for the capacity. */
    if ((m->n_doubts & (m->n_doubts - 1)) == 0) {
        struct sw_doubt *more = sw_arena_array(a, m->n_doubts ? m->n_doubts * 2 : 1, sizeof *more);
        if (m->n_doubts) memcpy(more, m->doubts, m->n_doubts * sizeof *more);
        m->doubts = more;
    }
    m->doubts[m->n_doubts++] = (struct sw_doubt){kind, path, text};
}

static struct sw_finding *add_finding(struct matcher *m) {
    struct sw_matches *out = m->out;
    if (out->n_findings == m->cap_findings) {
        m->cap_findings = m->cap_findings ? m->cap_findings * 2 : 64;
        struct sw_finding *more = sw_arena_array(m->a, m->cap_findings, sizeof *more);
        if (out->n_findings) memcpy(more, out->findings, out->n_findings * sizeof *more);
        out->findings = more;
    }
    return &out->findings[out->n_findings++]; /* which the arena has zeroed */
}

struct subject {
    const struct sw_scan_artifact *artifact;
    const struct sw_scan_package *package;
    struct sw_str ecosystem, name, version;
    uint32_t ecosystem_number;
    enum sw_version_scheme scheme;
    bool comparable;
};

static enum sw_code take_row(struct matcher *m, const struct subject *s, uint32_t index,
                             bool *ret_undecided) {
    struct sw_advdb_row row = {0};
    struct sw_range_result range = {0};
    struct sw_strs symbols = {0};
    enum sw_reach reach = SW_REACH_UNKNOWN;
    bool applies = true;
    enum sw_code code = sw_advdb_row_at(m->db, index, &row, m->err);
    if (!code) code = sw_match_row(m->db, &row, s->scheme, s->version, &range, m->err);
    if (code) return code;
    if (range.undecided) *ret_undecided = true;
    if (!range.affected) return SW_OK;
    if (row.imports.count)
        code = sw_match_reach(m->a, m->db, &row, s->artifact, &reach, &applies, &symbols, m->err);
    if (code || !applies) return code;
    struct sw_finding *f = add_finding(m);
    code = sw_advdb_vuln_at(m->db, row.vuln, &f->vuln, m->err);
    for (uint32_t i = 0; i < f->vuln.aliases.count && !code; i++) {
        struct sw_str alias = {0};
        code = sw_advdb_ref_at(m->db, f->vuln.aliases.first + i, &alias, m->err);
        sw_strs_add(m->a, &f->aliases, alias);
    }
    if (code) return code;
    f->artifact = s->artifact;
    f->package = s->package;
    f->ecosystem = s->ecosystem;
    f->name = s->name;
    f->installed = s->version;
    f->fixed = range.fixed;
    f->reach = reach;
    f->symbols = symbols;
    return rate(m->a, m->db, m->options, &row, f, m->err);
}

static enum sw_code take_subject(struct matcher *m, const struct subject *s) {
    struct sw_advdb_package known;
    enum sw_code code = sw_advdb_find(m->db, s->ecosystem_number, s->name, &known, m->err);
    if (code || known.rows.count == 0) return code;
    if (!s->comparable) {
        sw_matches_doubt(m->a, m->out, SW_DOUBT_VERSION, s->artifact->path,
                         sw_arena_printf(m->a,
                                         "%.*s has version \"%.*s\", which cannot be compared "
                                         "with %u known advisories",
                                         SW_ARG(s->name), SW_ARG(s->package->p.version),
                                         known.rows.count));
        return SW_OK;
    }
    bool undecided = false;
    for (uint32_t i = 0; i < known.rows.count && !code; i++)
        code = take_row(m, s, known.rows.first + i, &undecided);
    if (!code && undecided)
        sw_matches_doubt(m->a, m->out, SW_DOUBT_VERSION, s->artifact->path,
                         sw_arena_printf(m->a,
                                         "%.*s %.*s: an advisory names no versions that "
                                         "compare",
                                         SW_ARG(s->name), SW_ARG(s->version)));
    return code ? code : sw_arena_check(m->a, "the findings", m->err);
}

/* CentOS rebuilds what Red Hat has: the tag that says so is no newer version. */
static struct sw_str without_centos(struct sw_arena *a, struct sw_str v) {
    size_t at = sw_str_find(v, SW_STR(".centos"));
    if (at == SIZE_MAX) return v;
    return sw_arena_printf(a, "%.*s%.*s", SW_ARG(sw_str_sub(v, 0, at)),
                           SW_ARG(sw_str_from(v, at + strlen(".centos"))));
}

/* Under which name advisories know the package, in which version. */
static void describe(struct matcher *m, const struct sw_scan_artifact *x,
                     const struct sw_scan_package *p, struct subject *s) {
    s->artifact = x;
    s->package = p;
    s->name = p->p.name;
    s->version = p->p.version;
    switch (s->scheme) {
    case SW_VERSION_DPKG:
        if (p->p.source.len) {
            s->name = p->p.source;
            s->version = p->p.source_version.len ? p->p.source_version : p->p.version;
        }
        break;
    case SW_VERSION_APK:
        if (p->p.source.len) s->name = p->p.source;
        break;
    case SW_VERSION_RPM:
        s->version = without_centos(m->a, s->version);
        break;
    case SW_VERSION_SEMVER:
        s->comparable = sw_match_go_version(m->a, p, &s->version);
        return;
    }
    s->comparable = sw_version_valid(s->scheme, s->version);
}

static enum sw_code take_in_ecosystem(struct matcher *m, const struct sw_scan_artifact *x,
                                      const struct sw_scan_package *p, struct sw_str ecosystem,
                                      bool *ret_found) {
    struct subject s = {.ecosystem = ecosystem};
    if (!sw_match_scheme(ecosystem, &s.scheme)) return SW_OK;
    enum sw_code code = SW_OK;
    if (!sw_str_eq(m->ecosystem, ecosystem)) {
        code =
            sw_advdb_ecosystem(m->db, ecosystem, &m->ecosystem_found, &m->ecosystem_number, m->err);
        if (code) return code;
        m->ecosystem = ecosystem;
    }
    *ret_found = m->ecosystem_found;
    if (!*ret_found) return SW_OK;
    s.ecosystem_number = m->ecosystem_number;
    describe(m, x, p, &s);
    m->out->n_packages++;
    return take_subject(m, &s);
}

static enum sw_code take_os_packages(struct matcher *m, const struct sw_inventory *inventory,
                                     const struct sw_scan_artifact *x) {
    struct sw_str names[4];
    size_t n = sw_match_os_ecosystems(m->a, &inventory->os, x->kind, names);
    bool known = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t number;
        enum sw_code code = sw_advdb_ecosystem(m->db, names[i], &known, &number, m->err);
        if (code) return code;
        if (!known) continue;
        for (size_t j = 0; j < x->n_packages && !code; j++)
            code = take_in_ecosystem(m, x, &x->packages[j], names[i], &known);
        return code;
    }
    if (x->n_packages)
        sw_matches_doubt(
            m->a, m->out, SW_DOUBT_OS, x->path,
            sw_arena_printf(m->a,
                            "%zu packages of %.*s (%.*s): the database has no "
                            "advisories for it",
                            x->n_packages,
                            SW_ARG(inventory->os_text.len ? inventory->os_text
                                                          : SW_STR("an unnamed distribution")),
                            SW_ARG(n ? names[0] : SW_STR("no known ecosystem"))));
    return SW_OK;
}

static enum sw_code take_artifact(struct matcher *m, const struct sw_inventory *inventory,
                                  const struct sw_scan_artifact *x) {
    enum sw_code code = SW_OK;
    bool found = true;
    if (x->problem.len) sw_matches_doubt(m->a, m->out, SW_DOUBT_UNREADABLE, x->path, x->problem);
    if (x->modules_unknown)
        sw_matches_doubt(
            m->a, m->out, SW_DOUBT_MODULES, x->path,
            SW_STR("a Go program built without modules: what it is made of is unknown"));
    switch (x->kind) {
    case SW_SCAN_DPKG:
    case SW_SCAN_APK:
    case SW_SCAN_RPM:
        return take_os_packages(m, inventory, x);
    case SW_SCAN_OS:
        return SW_OK;
    case SW_SCAN_GO_BINARY:
    case SW_SCAN_GO_MOD:
    case SW_SCAN_GO_SDK:
    case SW_SCAN_SBOM:
        break;
    }
    for (size_t i = 0; i < x->n_packages && !code; i++) {
        const struct sw_scan_package *p = &x->packages[i];
        struct sw_str ecosystem = p->ecosystem.len ? p->ecosystem : SW_STR("Go");
        if (x->kind != SW_SCAN_SBOM && p->p.source.len && !p->p.version.len) {
            /* Replaced by a directory: whatever that holds, it has no version. */
            struct sw_scan_package *asked = SW_NEW(m->a, struct sw_scan_package);
            *asked = *p;
            asked->p.name = p->p.source;
            asked->p.source = SW_STR("");
            p = asked;
        }
        code = take_in_ecosystem(m, x, p, ecosystem, &found);
        if (!code && !found)
            sw_matches_doubt(m->a, m->out, SW_DOUBT_OS, x->path,
                             sw_arena_printf(m->a, "the database has no advisories for %.*s",
                                             SW_ARG(ecosystem)));
        if (!found) break;
    }
    return code;
}

/* --- one vulnerability, several databases ---------------------------------------------------- */

static bool same_subject(const struct sw_finding *a, const struct sw_finding *b) {
    return a->artifact == b->artifact && a->package == b->package;
}

/* Who speaks first: the database that knows functions, then single vulnerabilities before the
 * bulletins that list several. */
static int speaker(struct sw_str id) {
    static const char *const first[] = {"GO-", "DEBIAN-CVE-", "UBUNTU-CVE-", "CVE-", "GHSA-"};
    for (int i = 0; i < 5; i++)
        if (sw_str_starts(id, sw_str(first[i]))) return i;
    return 5;
}

static bool names_it(const struct sw_finding *f, struct sw_str id) {
    return sw_str_eq(f->vuln.id, id) || sw_strs_has(&f->aliases, id);
}

/* Whether all that a finding is about is said by others on the same package: those from first to
 * before end, since the findings of a package are made one after the other. */
static bool covered(const struct sw_matches *m, size_t index, size_t first, size_t end,
                    const bool *dropped, size_t *ret_by) {
    const struct sw_finding *f = &m->findings[index];
    size_t named = 0, said = 0;
    int rank = speaker(f->vuln.id);
    if (rank == 0) return false; /* nobody speaks before it */
    for (size_t n = 0; n <= f->aliases.len; n++) {
        struct sw_str id = n ? f->aliases.ptr[n - 1] : f->vuln.id;
        if (n && !sw_str_starts(id, SW_STR("CVE-"))) continue;
        bool own = n == 0;
        bool found = false;
        for (size_t j = first; j < end && !found; j++) {
            const struct sw_finding *g = &m->findings[j];
            if (j == index || dropped[j]) continue;
            if (speaker(g->vuln.id) >= rank || !names_it(g, id)) continue;
            found = true;
            *ret_by = j;
        }
        if (own && found) return true; /* it is itself an alias of another */
        if (own) continue;
        named++;
        said += found;
    }
    return named && named == said;
}

static void merge_duplicates(struct matcher *m) {
    struct sw_matches *out = m->out;
    bool *dropped = sw_arena_array(m->a, out->n_findings, sizeof *dropped);
    size_t first = 0, end = 0;
    for (size_t i = 0; i < out->n_findings; i++) {
        size_t by = 0;
        if (i == end)
            for (first = i;
                 end < out->n_findings && same_subject(&out->findings[first], &out->findings[end]);)
                end++;
        if (!covered(out, i, first, end, dropped, &by)) continue;
        dropped[i] = true;
        struct sw_finding *keeper = &out->findings[by];
        if (!keeper->fixed.len) keeper->fixed = out->findings[i].fixed;
    }
    size_t kept = 0;
    for (size_t i = 0; i < out->n_findings; i++)
        if (!dropped[i]) out->findings[kept++] = out->findings[i];
    out->n_findings = kept;
}

static int finding_order(const void *x, const void *y) {
    const struct sw_finding *a = *(struct sw_finding *const *)x,
                            *b = *(struct sw_finding *const *)y;
    int d = 0;
    if (a->artifact != b->artifact) {
        d = sw_str_cmp(a->artifact->path, b->artifact->path);
        if (!d) d = a->artifact > b->artifact ? 1 : -1;
    }
    if (!d) d = sw_str_cmp(a->name, b->name);
    if (!d) d = (int)b->severity - (int)a->severity;
    if (!d) d = sw_str_cmp(a->vuln.id, b->vuln.id);
    return d ? d : sw_str_cmp(a->package->p.name, b->package->p.name);
}

/* By pointers: a finding has hundreds of bytes. */
static void sort_findings(struct matcher *m) {
    size_t n = m->out->n_findings;
    if (n < 2) return;
    struct sw_finding **order = sw_arena_array(m->a, n, sizeof *order);
    struct sw_finding *sorted = sw_arena_array(m->a, n, sizeof *sorted);
    for (size_t i = 0; i < n; i++) order[i] = &m->out->findings[i];
    qsort(order, n, sizeof *order, finding_order);
    for (size_t i = 0; i < n; i++) sorted[i] = *order[i];
    m->out->findings = sorted;
}

static void judge_os(struct matcher *m, const struct sw_inventory *inventory) {
    int64_t end = sw_eol_of(&inventory->os);
    m->out->os_eol = end;
    if (end && m->options->now >= end)
        sw_matches_doubt(m->a, m->out, SW_DOUBT_EOL, SW_STR(""),
                         sw_arena_printf(m->a,
                                         "%.*s is past its end of life: new vulnerabilities "
                                         "are not published for it",
                                         SW_ARG(inventory->os_text)));
    else if (sw_eol_is_missing(&inventory->os))
        sw_matches_doubt(m->a, m->out, SW_DOUBT_EOL, SW_STR(""),
                         sw_arena_printf(m->a, "when the support of %.*s ends is not known here",
                                         SW_ARG(inventory->os_text)));
}

/* Programs of Go lines that get no fixes any more, one doubt for each release. */
static void judge_go(struct matcher *m, const struct sw_inventory *inventory) {
    const struct sw_go_releases *r = m->options->releases;
    struct sw_strs seen = {0};
    for (size_t i = 0; r && i < inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &inventory->artifacts[i];
        if (x->kind != SW_SCAN_GO_BINARY || x->problem.len || sw_strs_has(&seen, x->go_version) ||
            sw_go_releases_state(r, x->go_version) != SW_GO_ENDED)
            continue;
        sw_strs_add(m->a, &seen, x->go_version);
        struct sw_str way = r->lowest.len
                                ? sw_arena_printf(m->a, "rebuild with Go %.*s", SW_ARG(r->lowest))
                                : sw_arena_printf(m->a, "rebuild with Go 1.%u or 1.%u",
                                                  r->newest_line - 1, r->newest_line);
        sw_matches_doubt(m->a, m->out, SW_DOUBT_GO_EOL, x->path,
                         sw_arena_printf(m->a, "%.*s is past its end; %.*s", SW_ARG(x->go_version),
                                         SW_ARG(way)));
    }
}

enum sw_code sw_match(struct sw_arena *a, const struct sw_advdb *db,
                      const struct sw_inventory *inventory, const struct sw_match_options *options,
                      struct sw_matches *ret, struct sw_error *err) {
    struct sw_matches out = {0};
    struct matcher m = {.a = a, .db = db, .options = options, .out = &out, .err = err};
    size_t files = 0;
    for (size_t i = 0; i < inventory->n_artifacts; i++) {
        enum sw_code code = take_artifact(&m, inventory, &inventory->artifacts[i]);
        if (code) return code;
        files += inventory->artifacts[i].kind != SW_SCAN_OS;
    }
    if (!files)
        sw_matches_doubt(
            a, &out, SW_DOUBT_EMPTY, SW_STR(""),
            SW_STR("no package database and no Go program was found: there was nothing "
                   "to compare"));
    judge_os(&m, inventory);
    judge_go(&m, inventory);
    merge_duplicates(&m);
    sort_findings(&m);
    *ret = out;
    return sw_arena_check(a, "the findings", err);
}
