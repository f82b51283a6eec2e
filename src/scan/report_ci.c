/* What continuous integration reads: SARIF, JUnit, GitLab. */
#include "base/map.h"
#include "scan/report_internal.h"

/* --- SARIF 2.1.0 ----------------------------------------------------------------------------- */

static const char *level_of(enum sw_severity s) {
    return s >= SW_SEVERITY_HIGH                                 ? "error"
           : s == SW_SEVERITY_MEDIUM || s == SW_SEVERITY_UNKNOWN ? "warning"
                                                                 : "note";
}

static void put_message(struct sw_json_writer *w, const char *key, struct sw_str text) {
    sw_json_key(w, key);
    sw_json_begin_object(w);
    sw_json_put_str(w, "text", text);
    sw_json_end_object(w);
}

static void put_rule(struct sw_json_writer *w, struct sw_arena *a, const struct sw_finding *f) {
    struct sw_str score = sw_report_score(a, f);
    sw_json_begin_object(w);
    sw_json_put_str(w, "id", f->vuln.id);
    put_message(w, "shortDescription", f->vuln.summary.len ? f->vuln.summary : f->vuln.id);
    sw_json_put_str_opt(w, "helpUri", f->vuln.url);
    sw_json_key(w, "properties");
    sw_json_begin_object(w);
    /* GitHub sorts by this number. */
    static const char *const usual[] = {"", "0.0", "2.0", "5.5", "8.0", "9.5"};
    if (!score.len) score = sw_str(usual[f->severity]);
    sw_json_put_str_opt(w, "security-severity", score);
    sw_json_put_strs_opt(w, "tags", &f->aliases);
    sw_json_end_object(w);
    sw_json_end_object(w);
}

/* Numbers the advisories in the order of their first finding, which becomes their rule. */
static void number_rules(const struct sw_report *r, size_t *rules, bool *first) {
    struct sw_map seen = {0};
    uintptr_t n = 0;
    for (size_t i = 0; i < r->matches->n_findings; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (!sw_report_shows(r, f)) continue;
        uintptr_t number = (uintptr_t)sw_map_get(&seen, f->vuln.id);
        first[i] = number == 0;
        if (first[i]) sw_map_put(&seen, f->vuln.id, (void *)(number = ++n));
        rules[i] = number - 1;
    }
    sw_map_done(&seen);
}

static void put_result(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                       const struct sw_finding *f, size_t rule) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "ruleId", f->vuln.id);
    sw_json_put_int(w, "ruleIndex", (int64_t)rule);
    sw_json_put_text(w, "level", level_of(f->severity));
    put_message(w, "message",
                sw_arena_printf(a, "%.*s %.*s in %.*s: %s. %.*s", SW_ARG(f->package->p.name),
                                SW_ARG(f->package->p.version), SW_ARG(f->artifact->path),
                                sw_severity_name(f->severity), SW_ARG(sw_report_advice(a, f))));
    sw_json_key(w, "locations");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    sw_json_key(w, "physicalLocation");
    sw_json_begin_object(w);
    sw_json_key(w, "artifactLocation");
    sw_json_begin_object(w);
    sw_json_put_str(w, "uri", f->artifact->path);
    sw_json_end_object(w);
    sw_json_key(w, "region");
    sw_json_begin_object(w);
    sw_json_put_int(w, "startLine", 1);
    sw_json_end_object(w);
    sw_json_end_object(w);
    sw_json_end_object(w);
    sw_json_end_array(w);
    sw_json_key(w, "partialFingerprints");
    sw_json_begin_object(w);
    sw_json_put_str(w, "finding/v1",
                    sw_report_uuid(a, f->vuln.id, f->package->p.name, f->artifact->path));
    sw_json_end_object(w);
    if (f->state != SW_FINDING_OPEN) {
        sw_json_key(w, "suppressions");
        sw_json_begin_array(w);
        sw_json_begin_object(w);
        sw_json_put_text(w, "kind", "external");
        sw_json_put_str(w, "justification", f->reason);
        sw_json_end_object(w);
        sw_json_end_array(w);
    }
    (void)r;
    sw_json_end_object(w);
}

/* Whether something was not seen: a rating that nobody gave, or a release that is old, was. */
static bool is_gap(const struct sw_report *r, const struct sw_doubt *d) {
    return d->kind != SW_DOUBT_SEVERITY && d->kind != SW_DOUBT_GO_EOL &&
           r->policy->doubts[d->kind] != SW_VERDICT_PASS;
}

void sw_report_sarif(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    size_t n = r->matches->n_findings;
    size_t *rules = sw_arena_array(a, n, sizeof *rules);
    bool *first = sw_arena_array(a, n, sizeof *first);
    number_rules(r, rules, first);
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "version", "2.1.0");
    sw_json_put_text(&w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    sw_json_key(&w, "runs");
    sw_json_begin_array(&w);
    sw_json_begin_object(&w);
    sw_json_key(&w, "tool");
    sw_json_begin_object(&w);
    sw_json_key(&w, "driver");
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "name", "slipway");
    sw_json_put_text(&w, "version", r->program_version);
    sw_json_key(&w, "rules");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        if (first[i]) put_rule(&w, a, &r->matches->findings[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_json_end_object(&w);
    sw_json_key(&w, "invocations");
    sw_json_begin_array(&w);
    sw_json_begin_object(&w);
    /* A scan that could not read everything was not successful. */
    bool whole = true;
    for (size_t i = 0; i < r->matches->n_doubts; i++)
        whole = whole && !is_gap(r, &r->matches->doubts[i]);
    sw_json_put_bool(&w, "executionSuccessful", whole);
    sw_json_key(&w, "toolExecutionNotifications");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_doubts; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "level", "warning");
        put_message(&w, "message",
                    sw_arena_printf(a, "%s: %.*s %.*s", sw_doubt_name(r->matches->doubts[i].kind),
                                    SW_ARG(r->matches->doubts[i].path),
                                    SW_ARG(r->matches->doubts[i].text)));
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_json_end_array(&w);
    sw_json_key(&w, "results");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        if (sw_report_shows(r, &r->matches->findings[i]))
            put_result(&w, r, a, &r->matches->findings[i], rules[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}

/* --- JUnit ----------------------------------------------------------------------------------- */

static void put_attribute(struct sw_buf *out, const char *name, struct sw_str value) {
    sw_buf_addf(out, " %s=\"", name);
    sw_report_escape(out, value);
    sw_buf_add_char(out, '"');
}

static void put_case(struct sw_arena *a, struct sw_buf *out, struct sw_str class,
                     struct sw_str name, const char *tag, struct sw_str message) {
    (void)a;
    sw_buf_add_text(out, "    <testcase");
    put_attribute(out, "classname", class);
    put_attribute(out, "name", name);
    sw_buf_addf(out, ">\n      <%s", tag);
    put_attribute(out, "message", message);
    sw_buf_addf(out, "/>\n    </testcase>\n");
}

/* Failures are findings that fail; errors are doubts that count; the rest is skipped. */
void sw_report_junit(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    size_t tests = 0, failures = 0, skipped = 0, errors = 0;
    for (size_t i = 0; i < r->matches->n_doubts; i++)
        errors += r->policy->doubts[r->matches->doubts[i].kind] != SW_VERDICT_PASS;
    skipped = r->matches->n_doubts - errors;
    for (size_t i = 0; i < r->matches->n_findings; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (!sw_report_shows(r, f)) continue;
        tests++;
        if (sw_policy_fails(r->policy, f, r->now))
            failures++;
        else
            skipped++;
    }
    sw_buf_add_text(out,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"slipway\">\n");
    sw_buf_add_text(out, "  <testsuite");
    put_attribute(out, "name", r->inventory->target);
    sw_buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
                tests + r->matches->n_doubts, failures, errors, skipped);
    for (size_t i = 0; i < r->matches->n_findings; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (!sw_report_shows(r, f)) continue;
        struct sw_str name =
            sw_arena_printf(a, "[%s] %.*s", sw_severity_name(f->severity), SW_ARG(f->vuln.id));
        struct sw_str class = sw_arena_printf(a, "%.*s-%.*s", SW_ARG(f->package->p.name),
                                              SW_ARG(f->package->p.version));
        struct sw_str message =
            sw_arena_printf(a, "%.*s: %.*s; %.*s", SW_ARG(f->artifact->path),
                            SW_ARG(f->vuln.summary), SW_ARG(sw_report_advice(a, f)));
        put_case(a, out, class, name, sw_policy_fails(r->policy, f, r->now) ? "failure" : "skipped",
                 message);
    }
    for (size_t i = 0; i < r->matches->n_doubts; i++) {
        const struct sw_doubt *d = &r->matches->doubts[i];
        put_case(a, out, d->path.len ? d->path : r->inventory->target,
                 sw_str(sw_doubt_name(d->kind)),
                 r->policy->doubts[d->kind] == SW_VERDICT_PASS ? "skipped" : "error", d->text);
    }
    sw_buf_add_text(out, "  </testsuite>\n</testsuites>\n");
}

/* --- GitLab ---------------------------------------------------------------------------------- */

static struct sw_str gitlab_time(struct sw_arena *a, int64_t sec) {
    return sw_str_sub(sw_report_time(a, sec), 0, 19); /* without the Z */
}

static void put_tool(struct sw_json_writer *w, const struct sw_report *r, const char *key) {
    sw_json_key(w, key);
    sw_json_begin_object(w);
    sw_json_put_text(w, "id", "slipway");
    sw_json_put_text(w, "name", "slipway");
    sw_json_put_text(w, "version", r->program_version);
    sw_json_key(w, "vendor");
    sw_json_begin_object(w);
    sw_json_put_text(w, "name", "slipway");
    sw_json_end_object(w);
    sw_json_end_object(w);
}

static void put_vulnerability(struct sw_json_writer *w, const struct sw_report *r,
                              struct sw_arena *a, const struct sw_finding *f) {
    static const char *const words[] = {"Unknown", "Info", "Low", "Medium", "High", "Critical"};
    sw_json_begin_object(w);
    sw_json_put_str(w, "id", sw_report_uuid(a, f->vuln.id, f->package->p.name, f->artifact->path));
    sw_json_put_str_opt(w, "name", f->vuln.summary);
    sw_json_put_str_opt(w, "description", f->vuln.summary);
    sw_json_put_text(w, "severity", words[f->severity]);
    sw_json_put_str(w, "solution", sw_report_advice(a, f));
    sw_json_key(w, "identifiers");
    sw_json_begin_array(w);
    struct sw_str cve = sw_report_cve(f);
    for (int i = 0; i < (sw_str_eq(cve, f->vuln.id) ? 1 : 2); i++) {
        struct sw_str id = i ? f->vuln.id : cve;
        sw_json_begin_object(w);
        sw_json_put_text(w, "type", sw_str_starts(id, SW_STR("CVE-")) ? "cve" : "osv");
        sw_json_put_str(w, "name", id);
        sw_json_put_str(w, "value", id);
        if (i || sw_str_eq(cve, f->vuln.id)) sw_json_put_str_opt(w, "url", f->vuln.url);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
    sw_json_key(w, "location");
    sw_json_begin_object(w);
    sw_json_key(w, "dependency");
    sw_json_begin_object(w);
    sw_json_key(w, "package");
    sw_json_begin_object(w);
    sw_json_put_str(w, "name", f->package->p.name);
    sw_json_end_object(w);
    sw_json_put_str(w, "version", f->package->p.version);
    sw_json_end_object(w);
    sw_json_put_str(w, "operating_system",
                    r->inventory->os_text.len ? r->inventory->os_text : SW_STR("unknown"));
    sw_json_put_str(w, "image", r->inventory->target);
    sw_json_end_object(w);
    sw_json_end_object(w);
}

void sw_report_gitlab(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "version", "15.0.7");
    sw_json_key(&w, "scan");
    sw_json_begin_object(&w);
    put_tool(&w, r, "analyzer");
    put_tool(&w, r, "scanner");
    sw_json_put_text(&w, "type", "container_scanning");
    sw_json_put_str(&w, "start_time", gitlab_time(a, r->now));
    sw_json_put_str(&w, "end_time", gitlab_time(a, r->now));
    bool whole = true;
    sw_json_key(&w, "messages");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_doubts; i++) {
        const struct sw_doubt *d = &r->matches->doubts[i];
        whole = whole && d->kind != SW_DOUBT_UNREADABLE && d->kind != SW_DOUBT_EMPTY;
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "level", "warn");
        sw_json_put_str(&w, "value",
                        sw_arena_printf(a, "%s: %.*s %.*s", sw_doubt_name(d->kind), SW_ARG(d->path),
                                        SW_ARG(d->text)));
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_put_text(&w, "status", whole ? "success" : "failure");
    sw_json_end_object(&w);
    sw_json_key(&w, "vulnerabilities");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_findings; i++)
        if (sw_report_shows(r, &r->matches->findings[i]))
            put_vulnerability(&w, r, a, &r->matches->findings[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}
