#include "scan/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "scan/match_internal.h"

/* --- what would clear an image --------------------------------------------------------------- */

static bool is_program(const struct sw_scan_artifact *x) { return x->kind == SW_SCAN_GO_BINARY; }

/* A copy whose packages may be changed. */
static struct sw_inventory hypothetical(struct sw_arena *a, const struct sw_inventory *from) {
    struct sw_inventory to = *from;
    to.artifacts = sw_arena_array(a, from->n_artifacts, sizeof *to.artifacts);
    to.n_artifacts = 0;
    for (size_t i = 0; i < from->n_artifacts; i++) {
        if (!is_program(&from->artifacts[i])) continue;
        struct sw_scan_artifact *x = &to.artifacts[to.n_artifacts++];
        *x = from->artifacts[i];
        x->packages = sw_arena_array(a, x->n_packages, sizeof *x->packages);
        if (x->n_packages)
            memcpy(x->packages, from->artifacts[i].packages, x->n_packages * sizeof *x->packages);
    }
    return to;
}

static bool is_stdlib(const struct sw_scan_package *p) { return p->stdlib; }

static void set_version(struct sw_inventory *h, struct sw_str module, struct sw_str version) {
    for (size_t i = 0; i < h->n_artifacts; i++)
        for (size_t j = 0; j < h->artifacts[i].n_packages; j++)
            if (sw_str_eq(h->artifacts[i].packages[j].p.name, module))
                h->artifacts[i].packages[j].p.version = version;
}

/* The bump of a module, made when it is first needed. */
static struct sw_audit_bump *bump_of(struct sw_audit_row *row, const struct sw_finding *f) {
    for (size_t i = 0; i < row->n_bumps; i++)
        if (sw_str_eq(row->bumps[i].module, f->package->p.name)) return &row->bumps[i];
    struct sw_audit_bump *b = &row->bumps[row->n_bumps++];
    *b = (struct sw_audit_bump){f->package->p.name, f->package->p.version, SW_STR("")};
    return b;
}

/* Raises versions until nothing is left that a known version fixes. Each round raises at least
 * one, and there are finitely many fixes; the bound is a net. */
static enum sw_code clear_findings(struct sw_arena *a, const struct sw_advdb *db,
                                   struct sw_inventory *h, struct sw_audit_row *row,
                                   const struct sw_match_options *options, struct sw_error *err) {
    enum { ROUNDS_MAX = 32 };
    struct sw_matches m = {0};
    for (int round = 0; round < ROUNDS_MAX; round++) {
        enum sw_code code = sw_match(a, db, h, options, &m, err);
        if (code) return code;
        bool raised = false;
        for (size_t i = 0; i < m.n_findings; i++) {
            const struct sw_finding *f = &m.findings[i];
            if (is_stdlib(f->package)) continue;
            struct sw_audit_bump *b = bump_of(row, f);
            if (!f->fixed.len) continue;
            struct sw_str to = sw_arena_printf(a, "v%.*s", SW_ARG(f->fixed));
            if (b->to.len && sw_version_cmp(SW_VERSION_SEMVER, to, b->to) <= 0) continue;
            b->to = to;
            raised = true;
        }
        if (!raised) break;
        for (size_t i = 0; i < row->n_bumps; i++)
            if (row->bumps[i].to.len) set_version(h, row->bumps[i].module, row->bumps[i].to);
    }
    for (size_t i = 0; i < m.n_findings; i++)
        sw_strs_add(a, &row->remaining,
                    sw_arena_printf(a, "%.*s %.*s %.*s", SW_ARG(m.findings[i].vuln.id),
                                    SW_ARG(m.findings[i].package->p.name),
                                    SW_ARG(m.findings[i].package->p.version)));
    return SW_OK;
}

static enum sw_code plan(struct sw_arena *a, const struct sw_advdb *db,
                         const struct sw_go_releases *releases,
                         const struct sw_inventory *inventory, int64_t now,
                         struct sw_audit_row *row, struct sw_error *err) {
    struct sw_inventory h = hypothetical(a, inventory);
    struct sw_match_options options = {.now = now};
    size_t modules = 0;
    for (size_t i = 0; i < h.n_artifacts; i++) modules += h.artifacts[i].n_packages;
    row->bumps = sw_arena_array(a, modules, sizeof *row->bumps);
    if (!h.n_artifacts) return SW_OK;
    struct sw_matches m;
    enum sw_code code = sw_match(a, db, &h, &options, &m, err);
    if (code) return code;
    bool rebuild = row->go_state == SW_GO_ENDED;
    for (size_t i = 0; i < m.n_findings; i++) rebuild = rebuild || is_stdlib(m.findings[i].package);
    if (rebuild) row->go_target = releases->lowest;
    if (row->go_target.len) {
        struct sw_str tag = sw_arena_printf(a, "go%.*s", SW_ARG(row->go_target));
        for (size_t i = 0; i < h.n_artifacts; i++)
            for (size_t j = 0; j < h.artifacts[i].n_packages; j++) {
                struct sw_scan_package *p = &h.artifacts[i].packages[j];
                char buffer[64];
                struct sw_str v;
                if (!is_stdlib(p)) continue;
                /* A program that is newer already stays what it is. */
                if (sw_version_from_go_tag(p->p.version, buffer, sizeof buffer, &v) &&
                    sw_version_cmp(SW_VERSION_SEMVER, v, row->go_target) >= 0)
                    continue;
                p->p.version = tag;
            }
    }
    return clear_findings(a, db, &h, row, &options, err);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void oldest_go(const struct sw_inventory *inventory, const struct sw_go_releases *releases,
                      struct sw_audit_row *row) {
    char best_buffer[64], buffer[64];
    struct sw_str best = {0}, v;
    for (size_t i = 0; i < inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &inventory->artifacts[i];
        if (!is_program(x)) continue;
        if (!sw_version_from_go_tag(x->go_version, buffer, sizeof buffer, &v)) {
            /* What cannot be ordered is what must be looked at first. */
            row->go_version = x->go_version.len ? x->go_version : SW_STR("unknown");
            row->go_state = SW_GO_UNKNOWN;
            return;
        }
        if (best.len && sw_version_cmp(SW_VERSION_SEMVER, v, best) >= 0) continue;
        memcpy(best_buffer, buffer, sizeof buffer);
        best = sw_str_n(best_buffer, v.len);
        row->go_version = x->go_version;
        row->go_state = sw_go_releases_state(releases, x->go_version);
    }
}

static void describe(struct sw_arena *a, struct sw_audit_row *row) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    size_t helped = 0, helpless = 0;
    for (size_t i = 0; i < row->n_bumps; i++) {
        if (row->bumps[i].to.len)
            helped++;
        else
            helpless++;
    }
    if (row->go_state == SW_GO_ENDED)
        sw_buf_addf(&b, "%.*s is past its end; ", SW_ARG(row->go_version));
    if (row->go_target.len)
        sw_buf_addf(&b, "rebuild with Go %.*s", SW_ARG(row->go_target));
    else if (row->go_findings && !helped)
        sw_buf_addf(&b, "no release is known that helps");
    if (helped == 1)
        for (size_t i = 0; i < row->n_bumps; i++) {
            if (row->bumps[i].to.len)
                sw_buf_addf(&b, "%sraise %.*s to %.*s", b.len ? ", " : "",
                            SW_ARG(row->bumps[i].module), SW_ARG(row->bumps[i].to));
        }
    else if (helped)
        sw_buf_addf(&b, "%sraise %zu modules", b.len ? ", " : "", helped);
    if (row->remaining.len)
        sw_buf_addf(&b, "%s%zu Go findings would be left", b.len ? "; " : "", row->remaining.len);
    (void)helpless;
    row->action = sw_arena_str(a, sw_buf_str(&b));
}

enum sw_code sw_audit_image(struct sw_arena *a, const struct sw_advdb *db,
                            const struct sw_go_releases *releases,
                            const struct sw_inventory *inventory, const struct sw_policy *policy,
                            int64_t data_time, int64_t now, struct sw_audit_row *ret,
                            struct sw_error *err) {
    struct sw_audit_row row = {.image = inventory->target};
    struct sw_match_options options = {.now = now, .releases = releases};
    struct sw_matches m;
    struct sw_decision d;
    enum sw_code code = sw_match(a, db, inventory, &options, &m, err);
    if (code) return code;
    for (size_t i = 0; i < m.n_findings; i++) row.go_findings += is_program(m.findings[i].artifact);
    sw_policy_decide(a, policy, inventory, &m, data_time, now, &d);
    memcpy(row.counts, d.counts, sizeof row.counts);
    row.verdict = d.verdict;
    row.reasons = d.reasons;
    oldest_go(inventory, releases, &row);
    code = plan(a, db, releases, inventory, now, &row, err);
    if (code) return code;
    describe(a, &row);
    *ret = row;
    return sw_arena_check(a, "the audit", err);
}
