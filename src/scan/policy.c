#include "scan/policy.h"

#include "base/vec.h"
#include "codec/yaml.h"

const char *sw_verdict_name(enum sw_verdict v) {
    static const char *const names[] = {"pass", "cannot-tell", "fail"};
    return names[v];
}

void sw_policy_default(struct sw_policy *p) {
    *p = (struct sw_policy){.kev = true, .stale_days = 7};
    p->severities[SW_SEVERITY_HIGH] = p->severities[SW_SEVERITY_CRITICAL] = true;
    for (int i = 0; i < SW_POLICY_DOUBTS; i++) p->doubts[i] = SW_VERDICT_CANNOT_TELL;
    /* Advisories are about old lines, too: what is wrong with them is told as findings. */
    p->doubts[SW_DOUBT_GO_EOL] = SW_VERDICT_PASS;
}

enum sw_code sw_policy_severities(struct sw_str list, bool ret[SW_SEVERITY_COUNT],
                                  struct sw_error *err) {
    bool set[SW_SEVERITY_COUNT] = {false};
    struct sw_str word;
    while (sw_str_next(&list, ',', &word)) {
        enum sw_severity s = SW_SEVERITY_COUNT;
        word = sw_str_trim(word);
        for (int i = 0; i < SW_SEVERITY_COUNT; i++)
            if (sw_str_ieq(word, sw_str(sw_severity_name((enum sw_severity)i))))
                s = (enum sw_severity)i;
        if (s == SW_SEVERITY_COUNT)
            return sw_fail(err, SW_USAGE,
                           "\"%.*s\" is no severity: UNKNOWN, NONE, LOW, MEDIUM, HIGH, CRITICAL",
                           SW_ARG(word));
        set[s] = true;
    }
    memcpy(ret, set, sizeof set);
    return SW_OK;
}

/* --- the file -------------------------------------------------------------------------------- */

static enum sw_code read_verdict(const struct sw_yaml *map, const char *key, enum sw_verdict *to,
                                 struct sw_error *err) {
    struct sw_str word = {0};
    enum sw_code code = sw_yaml_opt_str(map, key, &word, err);
    if (code || !word.len) return code;
    for (int i = 0; i <= SW_VERDICT_FAIL; i++)
        if (sw_str_is(word, sw_verdict_name((enum sw_verdict)i))) {
            *to = (enum sw_verdict)i;
            return SW_OK;
        }
    return sw_yaml_fail(sw_yaml_get(map, key), err, "must be pass, cannot-tell or fail");
}

static enum sw_code read_fail(struct sw_arena *a, const struct sw_yaml *map, struct sw_policy *p,
                              struct sw_error *err) {
    static const char *const names[] = {"severity", "kev", "fixed-only", "reach", "grace-days"};
    struct sw_strs severities = {0};
    struct sw_str reach = {0};
    enum sw_code code = sw_yaml_only(map, names, 5, err);
    if (!code) code = sw_yaml_opt_strs(a, map, "severity", &severities, err);
    if (!code && sw_yaml_get(map, "severity")) {
        memset(p->severities, 0, sizeof p->severities);
        for (size_t i = 0; i < severities.len && !code; i++) {
            bool one[SW_SEVERITY_COUNT];
            code = sw_policy_severities(severities.ptr[i], one, err);
            for (int s = 0; s < SW_SEVERITY_COUNT && !code; s++)
                p->severities[s] = p->severities[s] || one[s];
        }
        if (code) return sw_yaml_fail(sw_yaml_get(map, "severity"), err, "%s", err->text);
    }
    if (!code) code = sw_yaml_opt_bool(map, "kev", &p->kev, err);
    if (!code) code = sw_yaml_opt_bool(map, "fixed-only", &p->fixed_only, err);
    if (!code) code = sw_yaml_opt_int(map, "grace-days", &p->grace_days, err);
    if (!code) code = sw_yaml_opt_str(map, "reach", &reach, err);
    if (code || !reach.len) return code;
    if (sw_str_is(reach, "any"))
        p->reach = SW_REACH_UNKNOWN;
    else if (sw_str_is(reach, "package"))
        p->reach = SW_REACH_PACKAGE;
    else if (sw_str_is(reach, "function"))
        p->reach = SW_REACH_FUNCTION;
    else
        return sw_yaml_fail(sw_yaml_get(map, "reach"), err, "must be any, package or function");
    return SW_OK;
}

static enum sw_code read_doubts(const struct sw_yaml *map, struct sw_policy *p,
                                struct sw_error *err) {
    const char *names[SW_POLICY_DOUBTS];
    for (int i = 0; i < SW_POLICY_DOUBTS; i++) names[i] = sw_doubt_name((enum sw_doubt_kind)i);
    enum sw_code code = sw_yaml_only(map, names, SW_POLICY_DOUBTS, err);
    for (int i = 0; i < SW_POLICY_DOUBTS && !code; i++)
        code = read_verdict(map, names[i], &p->doubts[i], err);
    return code;
}

static enum sw_code read_go(struct sw_arena *a, const struct sw_yaml *list, struct sw_policy *p,
                            struct sw_error *err) {
    static const char *const names[] = {"repository", "lowest", "allow"};
    enum sw_code code = SW_OK;
    p->go = sw_arena_array(a, list->len, sizeof *p->go);
    for (size_t i = 0; i < list->len && !code; i++) {
        struct sw_policy_go *g = &p->go[p->n_go++];
        g->repository = SW_STR("*");
        code = sw_yaml_expect(&list->items[i], SW_YAML_MAP, err);
        if (!code) code = sw_yaml_only(&list->items[i], names, 3, err);
        if (!code) code = sw_yaml_opt_str(&list->items[i], "repository", &g->repository, err);
        if (!code) code = sw_yaml_opt_str(&list->items[i], "lowest", &g->lowest, err);
        if (!code) code = sw_yaml_opt_strs(a, &list->items[i], "allow", &g->allow, err);
        if (!code && g->lowest.len && !sw_version_valid(SW_VERSION_SEMVER, g->lowest))
            code =
                sw_yaml_fail(&list->items[i], err,
                             "lowest: \"%.*s\" is no Go version such as 1.25.3", SW_ARG(g->lowest));
    }
    return code;
}

enum sw_code sw_policy_parse(struct sw_arena *a, struct sw_str text, struct sw_policy *p,
                             struct sw_error *err) {
    static const char *const names[] = {"version", "fail", "doubts", "stale-days", "go", "labels"};
    const struct sw_yaml *root, *node = NULL;
    int64_t version = 1;
    enum sw_code code = sw_yaml_parse(a, text, NULL, &root, err);
    if (!code) code = sw_yaml_expect(root, SW_YAML_MAP, err);
    if (!code) code = sw_yaml_only(root, names, 6, err);
    if (!code) code = sw_yaml_opt_int(root, "version", &version, err);
    if (!code && version != 1) code = sw_yaml_fail(root, err, "this program reads version 1");
    if (!code) code = sw_yaml_opt_node(root, "fail", SW_YAML_MAP, &node, err);
    if (!code && node) code = read_fail(a, node, p, err);
    node = NULL;
    if (!code) code = sw_yaml_opt_node(root, "doubts", SW_YAML_MAP, &node, err);
    if (!code && node) code = read_doubts(node, p, err);
    node = NULL;
    if (!code) code = sw_yaml_opt_node(root, "go", SW_YAML_LIST, &node, err);
    if (!code && node) code = read_go(a, node, p, err);
    if (!code) code = sw_yaml_opt_int(root, "stale-days", &p->stale_days, err);
    if (!code) code = sw_yaml_opt_strs(a, root, "labels", &p->labels, err);
    return code ? sw_context(err, "scan policy") : SW_OK;
}

/* --- the verdict ----------------------------------------------------------------------------- */

static void conclude(struct sw_arena *a, struct sw_decision *d, enum sw_verdict v,
                     struct sw_str reason) {
    if (v == SW_VERDICT_PASS) return;
    if (v > d->verdict) d->verdict = v;
    sw_strs_add(a, &d->reasons, reason);
}

bool sw_policy_fails(const struct sw_policy *p, const struct sw_finding *f, int64_t now) {
    if (f->state != SW_FINDING_OPEN) return false;
    if (p->reach >= SW_REACH_PACKAGE && f->reach != SW_REACH_UNKNOWN && f->reach < p->reach)
        return false;
    if (p->kev && (f->vuln.flags & SW_ADVDB_KEV)) return true;
    if (!p->severities[f->severity]) return false;
    if (p->fixed_only && !f->fixed.len) return false;
    return !(p->grace_days && f->vuln.published && now - f->vuln.published < p->grace_days * 86400);
}

static bool is_allowed(const struct sw_policy_go *g, struct sw_str version) {
    if (g->allow.len == 0) return true;
    for (size_t i = 0; i < g->allow.len; i++) {
        struct sw_str v = g->allow.ptr[i];
        if (sw_str_eq(v, version) ||
            (sw_str_starts(version, v) && version.len > v.len && version.ptr[v.len] == '.'))
            return true;
    }
    return false;
}

static void judge_go(struct sw_arena *a, const struct sw_policy *p,
                     const struct sw_inventory *inventory, struct sw_decision *d) {
    const struct sw_policy_go *g = NULL;
    for (size_t i = 0; i < p->n_go && !g; i++)
        if (sw_str_glob(p->go[i].repository, inventory->target)) g = &p->go[i];
    if (!g) return;
    for (size_t i = 0; i < inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &inventory->artifacts[i];
        char buffer[64];
        struct sw_str version;
        if (x->kind != SW_SCAN_GO_BINARY || x->problem.len) continue;
        if (!sw_version_from_go_tag(x->go_version, buffer, sizeof buffer, &version)) {
            conclude(a, d, SW_VERDICT_CANNOT_TELL,
                     sw_arena_printf(a, "%.*s was built with \"%.*s\", which is no release",
                                     SW_ARG(x->path), SW_ARG(x->go_version)));
            continue;
        }
        if (g->lowest.len && sw_version_cmp(SW_VERSION_SEMVER, version, g->lowest) < 0)
            conclude(a, d, SW_VERDICT_FAIL,
                     sw_arena_printf(a,
                                     "%.*s was built with %.*s; the policy wants Go %.*s or newer",
                                     SW_ARG(x->path), SW_ARG(x->go_version), SW_ARG(g->lowest)));
        if (!is_allowed(g, version))
            conclude(a, d, SW_VERDICT_FAIL,
                     sw_arena_printf(a, "%.*s was built with %.*s, which the policy does not allow",
                                     SW_ARG(x->path), SW_ARG(x->go_version)));
    }
}

static void judge_findings(struct sw_arena *a, const struct sw_policy *p, struct sw_matches *m,
                           int64_t now, struct sw_decision *d) {
    size_t unknown = 0, exploited = 0;
    for (size_t i = 0; i < m->n_findings; i++) {
        const struct sw_finding *f = &m->findings[i];
        if (f->state != SW_FINDING_OPEN) continue;
        d->counts[f->severity]++;
        if (sw_policy_fails(p, f, now)) {
            d->failing++;
            exploited += (f->vuln.flags & SW_ADVDB_KEV) != 0;
        } else if (f->severity == SW_SEVERITY_UNKNOWN &&
                   !(p->reach >= SW_REACH_PACKAGE && f->reach == SW_REACH_NOT_LINKED)) {
            unknown++;
        }
    }
    if (d->failing)
        conclude(a, d, SW_VERDICT_FAIL,
                 sw_arena_printf(a, "%zu findings that the policy does not let through%s",
                                 d->failing,
                                 exploited ? ", some of them known to be exploited" : ""));
    if (unknown)
        sw_matches_doubt(
            a, m, SW_DOUBT_SEVERITY, SW_STR(""),
            sw_arena_printf(a, "%zu findings have no severity from any source", unknown));
}

void sw_policy_decide(struct sw_arena *a, const struct sw_policy *p,
                      const struct sw_inventory *inventory, struct sw_matches *m, int64_t data_time,
                      int64_t now, struct sw_decision *ret) {
    struct sw_decision d = {0};
    judge_findings(a, p, m, now, &d);
    if (p->stale_days && now - data_time > p->stale_days * 86400)
        sw_matches_doubt(a, m, SW_DOUBT_STALE, SW_STR(""),
                         sw_arena_printf(a,
                                         "the advisories were fetched %lld days ago; run `slipway "
                                         "db update`",
                                         (long long)((now - data_time) / 86400)));
    judge_go(a, p, inventory, &d);
    for (size_t i = 0; i < p->labels.len; i++) {
        struct sw_str value;
        if (!sw_pairs_get(&inventory->labels, p->labels.ptr[i], &value))
            conclude(a, &d, SW_VERDICT_FAIL,
                     sw_arena_printf(a, "the image has no label %.*s", SW_ARG(p->labels.ptr[i])));
    }
    for (size_t i = 0; i < m->n_doubts; i++) {
        const struct sw_doubt *x = &m->doubts[i];
        struct sw_str text =
            sw_arena_printf(a, "%s: %.*s%s%.*s", sw_doubt_name(x->kind), SW_ARG(x->path),
                            x->path.len ? ": " : "", SW_ARG(x->text));
        if (p->doubts[x->kind] == SW_VERDICT_PASS)
            sw_strs_add(a, &d.notes, text);
        else
            conclude(a, &d, p->doubts[x->kind], text);
    }
    *ret = d;
}
