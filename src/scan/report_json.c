/* The JSON report (docs/format/scan-report.md), the predicate of the attestation, OpenVEX. */
#include "scan/report_internal.h"

static void put_severities(struct sw_json_writer *w, const struct sw_finding *f) {
    sw_json_key(w, "ratings");
    sw_json_begin_array(w);
    for (size_t i = 0; i < f->n_severities; i++) {
        const struct sw_advdb_severity *s = &f->severities[i];
        sw_json_begin_object(w);
        sw_json_put_str(w, "source", s->source);
        sw_json_put_text(w, "severity", sw_severity_name(s->severity));
        if (s->version) {
            sw_json_key(w, "score");
            sw_json_real(w, s->score / 10.0);
            sw_json_put_int(w, "cvss", s->version);
        }
        sw_json_put_str(w, s->version ? "vector" : "word", s->vector);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

static void put_marks(struct sw_json_writer *w, struct sw_arena *a, const struct sw_finding *f) {
    if (f->vuln.flags & SW_ADVDB_KEV) {
        sw_json_key(w, "kev");
        sw_json_begin_object(w);
        sw_json_put_str_opt(w, "added", sw_report_day(a, (int64_t)f->vuln.kev_added * 86400));
        sw_json_put_str_opt(w, "due", sw_report_day(a, (int64_t)f->vuln.kev_due * 86400));
        sw_json_put_bool(w, "ransomware", f->vuln.flags & SW_ADVDB_RANSOMWARE);
        sw_json_end_object(w);
    }
    if (f->vuln.flags & SW_ADVDB_EPSS) {
        sw_json_key(w, "epss");
        sw_json_begin_object(w);
        sw_json_key(w, "score");
        sw_json_real(w, f->vuln.epss / 1e6);
        sw_json_key(w, "percentile");
        sw_json_real(w, f->vuln.percentile / 1e6);
        sw_json_end_object(w);
    }
}

static void put_finding(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                        const struct sw_finding *f) {
    static const char *const states[] = {"open", "ignored", "not-affected"};
    sw_json_begin_object(w);
    sw_json_put_str(w, "id", f->vuln.id);
    sw_json_put_strs_opt(w, "aliases", &f->aliases);
    sw_json_put_text(w, "severity", sw_severity_name(f->severity));
    if (f->n_severities && f->severity != SW_SEVERITY_UNKNOWN)
        sw_json_put_str(w, "severitySource", f->severities[0].source);
    put_severities(w, f);
    sw_json_put_str_opt(w, "title", f->vuln.summary);
    sw_json_put_str_opt(w, "url", f->vuln.url);
    sw_json_put_str(w, "source", f->vuln.source);
    sw_json_put_str(w, "ecosystem", f->ecosystem);
    sw_json_put_str(w, "package", f->package->p.name);
    if (!sw_str_eq(f->name, f->package->p.name)) sw_json_put_str(w, "sourcePackage", f->name);
    sw_json_put_str(w, "installed", f->package->p.version);
    sw_json_put_str_opt(w, "fixed", f->fixed);
    sw_json_put_str(w, "purl", sw_report_purl(r, a, f->artifact, f->package));
    sw_json_put_str(w, "path", f->artifact->path);
    if (f->package->layer < r->inventory->n_layers) {
        sw_json_key(w, "layer");
        sw_json_begin_object(w);
        sw_json_put_int(w, "index", f->package->layer);
        sw_json_put_digest(w, "diffID", &r->inventory->layers[f->package->layer].diff_id);
        sw_json_put_str_opt(w, "createdBy", r->inventory->layers[f->package->layer].created_by);
        sw_json_end_object(w);
    }
    if (f->artifact->kind == SW_SCAN_GO_BINARY) {
        sw_json_put_text(w, "linked", sw_reach_name(f->reach));
        sw_json_put_strs_opt(w, "symbols", &f->symbols);
    }
    sw_json_put_str_opt(w, "published", sw_report_time(a, f->vuln.published));
    if (f->vuln.flags & SW_ADVDB_UNREVIEWED) sw_json_put_bool(w, "unreviewed", true);
    put_marks(w, a, f);
    sw_json_put_text(w, "state", states[f->state]);
    sw_json_put_str_opt(w, "reason", f->reason);
    sw_json_end_object(w);
}

static void put_artifact(struct sw_json_writer *w, const struct sw_scan_artifact *x) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "path", x->path);
    sw_json_put_text(w, "kind", sw_scan_kind_name(x->kind));
    sw_json_put_int(w, "packages", (int64_t)x->n_packages);
    sw_json_put_int(w, "layer", x->layer);
    sw_json_put_str_opt(w, "goVersion", x->go_version);
    sw_json_put_str_opt(w, "main", x->main_path);
    sw_json_put_str_opt(w, "format", x->format);
    sw_json_put_pairs_opt(w, "settings", &x->settings);
    sw_json_put_str_opt(w, "problem", x->problem);
    sw_json_end_object(w);
}

static void put_decision(struct sw_json_writer *w, const struct sw_decision *d) {
    sw_json_put_text(w, "verdict", sw_verdict_name(d->verdict));
    struct sw_strs reasons = d->reasons;
    sw_json_key(w, "reasons");
    sw_json_begin_array(w);
    for (size_t i = 0; i < reasons.len; i++) sw_json_str(w, reasons.ptr[i]);
    sw_json_end_array(w);
    sw_json_put_strs_opt(w, "notes", &d->notes);
    sw_json_key(w, "counts");
    sw_json_begin_object(w);
    for (int s = SW_SEVERITY_COUNT - 1; s >= 0; s--)
        sw_json_put_int(w, sw_severity_name((enum sw_severity)s), (int64_t)d->counts[s]);
    sw_json_end_object(w);
}

static void put_target(struct sw_json_writer *w, const struct sw_report *r) {
    sw_json_put_str(w, "target", r->inventory->target);
    sw_json_put_text(w, "kind", r->inventory->target_kind);
    if (sw_digest_is_set(&r->inventory->digest))
        sw_json_put_digest(w, "digest", &r->inventory->digest);
}

void sw_report_json(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "version", 1);
    put_target(&w, r);
    sw_json_put_str_opt(&w, "os", r->inventory->os_text);
    if (r->matches->os_eol)
        sw_json_put_str(&w, "osEndOfLife", sw_report_day(a, r->matches->os_eol));
    sw_json_put_str(&w, "advisories", sw_report_time(a, r->data_time));
    put_decision(&w, r->decision);
    sw_json_put_str_opt(&w, "action", r->action);
    sw_json_put_int(&w, "packages", (int64_t)r->matches->n_packages);
    sw_json_key(&w, "findings");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_findings; i++)
        if (sw_report_shows(r, &r->matches->findings[i]))
            put_finding(&w, r, a, &r->matches->findings[i]);
    sw_json_end_array(&w);
    sw_json_key(&w, "doubts");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_doubts; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "kind", sw_doubt_name(r->matches->doubts[i].kind));
        sw_json_put_str_opt(&w, "path", r->matches->doubts[i].path);
        sw_json_put_str(&w, "text", r->matches->doubts[i].text);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_key(&w, "artifacts");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->inventory->n_artifacts; i++)
        put_artifact(&w, &r->inventory->artifacts[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}

/* By which rules: a verdict is worth what they are, and the command line can loosen them. */
static void put_rules(struct sw_json_writer *w, const struct sw_report *r) {
    size_t suppressed = 0;
    for (size_t i = 0; i < r->matches->n_findings; i++)
        suppressed += r->matches->findings[i].state != SW_FINDING_OPEN;
    sw_json_key(w, "policy");
    sw_json_begin_object(w);
    sw_json_put_str_opt(w, "sha256", r->policy_sha256);
    sw_json_key(w, "severities");
    sw_json_begin_array(w);
    for (int s = SW_SEVERITY_COUNT - 1; s >= 0; s--)
        if (r->policy->severities[s]) sw_json_str(w, sw_str(sw_severity_name((enum sw_severity)s)));
    sw_json_end_array(w);
    sw_json_put_bool(w, "fixedOnly", r->policy->fixed_only);
    sw_json_put_bool(w, "kev", r->policy->kev);
    sw_json_end_object(w);
    sw_json_put_int(w, "suppressed", (int64_t)suppressed);
}

void sw_report_predicate(const struct sw_report *r, struct sw_buf *out) {
    SW_ARENA struct sw_arena a;
    struct sw_json_writer w;
    sw_arena_init(&a, 0);
    sw_json_writer_init(&w, out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "scannedOn", sw_report_time(&a, r->now));
    sw_json_put_text(&w, "scannerVersion", r->program_version);
    sw_json_put_str(&w, "advisories", sw_report_time(&a, r->data_time));
    sw_json_put_str_opt(&w, "advisoriesSha256", r->data_sha256);
    put_target(&w, r);
    put_decision(&w, r->decision);
    put_rules(&w, r);
    sw_json_end_object(&w);
}

/* --- OpenVEX --------------------------------------------------------------------------------- */

void sw_report_openvex(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "@context", "https://openvex.dev/ns/v0.2.0");
    sw_json_put_str(&w, "@id",
                    sw_arena_printf(a, "urn:uuid:%.*s",
                                    SW_ARG(sw_report_uuid(a, r->inventory->target, SW_STR("vex"),
                                                          sw_report_time(a, r->now)))));
    sw_json_put_text(&w, "author", "slipway");
    sw_json_put_str(&w, "timestamp", sw_report_time(a, r->now));
    sw_json_put_int(&w, "version", 1);
    sw_json_key(&w, "statements");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_findings; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        bool absent = f->reach == SW_REACH_NOT_LINKED;
        sw_json_begin_object(&w);
        sw_json_key(&w, "vulnerability");
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "name", f->vuln.id);
        sw_json_put_strs_opt(&w, "aliases", &f->aliases);
        sw_json_end_object(&w);
        sw_json_key(&w, "products");
        sw_json_begin_array(&w);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "@id", r->inventory->target);
        sw_json_key(&w, "subcomponents");
        sw_json_begin_array(&w);
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "@id", sw_report_purl(r, a, f->artifact, f->package));
        sw_json_end_object(&w);
        sw_json_end_array(&w);
        sw_json_end_object(&w);
        sw_json_end_array(&w);
        sw_json_put_text(&w, "status",
                         absent || f->state != SW_FINDING_OPEN ? "not_affected"
                         : f->reach == SW_REACH_FUNCTION       ? "affected"
                                                               : "under_investigation");
        if (absent && f->state == SW_FINDING_OPEN)
            sw_json_put_text(&w, "justification", "vulnerable_code_not_present");
        else if (f->state != SW_FINDING_OPEN)
            sw_json_put_str(&w, "impact_statement", f->reason);
        else if (f->reach == SW_REACH_FUNCTION)
            sw_json_put_str(&w, "action_statement", sw_report_advice(a, f));
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}
