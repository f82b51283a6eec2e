/* The JSON that scripts written for Trivy read: its schema 2, as far as it is about packages and
 * vulnerabilities. What it has no place for, the verdict, is in the member "Slipway".
 */
#include "scan/report_internal.h"

/* Trivy has no word for "rated, and harmless". */
static const char *severity_name(enum sw_severity s) {
    return s == SW_SEVERITY_NONE ? "UNKNOWN" : sw_severity_name(s);
}

static bool is_system(const struct sw_scan_artifact *x) {
    return x->kind == SW_SCAN_DPKG || x->kind == SW_SCAN_APK || x->kind == SW_SCAN_RPM;
}

static struct sw_str type_of(const struct sw_report *r, const struct sw_scan_artifact *x) {
    if (is_system(x)) return r->inventory->os.id.len ? r->inventory->os.id : SW_STR("unknown");
    return x->kind == SW_SCAN_GO_BINARY ? SW_STR("gobinary")
           : x->kind == SW_SCAN_SBOM    ? SW_STR("sbom")
                                        : SW_STR("gomod");
}

static void put_layer(struct sw_json_writer *w, const struct sw_report *r, unsigned layer) {
    sw_json_key(w, "Layer");
    sw_json_begin_object(w);
    if (layer < r->inventory->n_layers)
        sw_json_put_digest(w, "DiffID", &r->inventory->layers[layer].diff_id);
    sw_json_end_object(w);
}

static struct sw_str package_id(struct sw_arena *a, const struct sw_scan_package *p) {
    return sw_arena_printf(a, "%.*s@%.*s", SW_ARG(p->p.name), SW_ARG(p->p.version));
}

static void put_identifier(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                           const char *key, const struct sw_scan_artifact *x,
                           const struct sw_scan_package *p) {
    sw_json_key(w, key);
    sw_json_begin_object(w);
    sw_json_put_str(w, "PURL", sw_report_purl(r, a, x, p));
    sw_json_end_object(w);
}

static void put_packages(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                         const struct sw_scan_artifact *x) {
    sw_json_key(w, "Packages");
    sw_json_begin_array(w);
    for (size_t i = 0; i < x->n_packages; i++) {
        const struct sw_scan_package *p = &x->packages[i];
        sw_json_begin_object(w);
        sw_json_put_str(w, "ID", package_id(a, p));
        sw_json_put_str(w, "Name", p->p.name);
        put_identifier(w, r, a, "Identifier", x, p);
        sw_json_put_str(w, "Version", p->p.version);
        sw_json_put_str_opt(w, "Arch", p->p.arch);
        sw_json_put_str_opt(w, "SrcName", p->p.source);
        sw_json_put_str_opt(w, "SrcVersion", p->p.source_version);
        put_layer(w, r, p->layer);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

/* "CVSS": {SOURCE: {V2Vector, V2Score, V3Vector, V3Score, V40Vector, V40Score}} */
static void put_cvss(struct sw_json_writer *w, const struct sw_finding *f) {
    static const struct {
        unsigned low, high;
        const char *vector, *score;
    } kinds[] = {{20, 20, "V2Vector", "V2Score"},
                 {30, 31, "V3Vector", "V3Score"},
                 {40, 40, "V40Vector", "V40Score"}};
    bool any = false;
    for (size_t i = 0; i < f->n_severities; i++) any = any || f->severities[i].version;
    if (!any) return;
    sw_json_key(w, "CVSS");
    sw_json_begin_object(w);
    for (size_t i = 0; i < f->n_severities; i++) {
        struct sw_str source = f->severities[i].source;
        bool said = !f->severities[i].version, done[3] = {false};
        for (size_t j = 0; j < i && !said; j++)
            said = f->severities[j].version && sw_str_eq(f->severities[j].source, source);
        if (said) continue;
        sw_json_key_str(w, source);
        sw_json_begin_object(w);
        for (size_t j = i; j < f->n_severities; j++)
            for (int k = 0; k < 3; k++) {
                const struct sw_advdb_severity *s = &f->severities[j];
                if (done[k] || !sw_str_eq(s->source, source) || s->version < kinds[k].low ||
                    s->version > kinds[k].high)
                    continue;
                done[k] = true;
                sw_json_put_str(w, kinds[k].vector, s->vector);
                sw_json_key(w, kinds[k].score);
                sw_json_real(w, s->score / 10.0);
            }
        sw_json_end_object(w);
    }
    sw_json_end_object(w);
}

static void put_vulnerability(struct sw_json_writer *w, const struct sw_report *r,
                              struct sw_arena *a, const struct sw_finding *f) {
    struct sw_str cve = sw_report_cve(f);
    sw_json_begin_object(w);
    sw_json_put_str(w, "VulnerabilityID", cve);
    if (!sw_str_eq(cve, f->vuln.id)) {
        sw_json_key(w, "VendorIDs");
        sw_json_begin_array(w);
        sw_json_str(w, f->vuln.id);
        sw_json_end_array(w);
    }
    sw_json_put_str(w, "PkgID", package_id(a, f->package));
    sw_json_put_str(w, "PkgName", f->package->p.name);
    if (!is_system(f->artifact)) sw_json_put_str(w, "PkgPath", f->artifact->path);
    put_identifier(w, r, a, "PkgIdentifier", f->artifact, f->package);
    sw_json_put_str(w, "InstalledVersion", f->package->p.version);
    sw_json_put_str_opt(w, "FixedVersion", f->fixed);
    sw_json_put_text(w, "Status", f->fixed.len ? "fixed" : "affected");
    put_layer(w, r, f->package->layer);
    if (f->n_severities && f->severity != SW_SEVERITY_UNKNOWN)
        sw_json_put_str(w, "SeveritySource", f->severities[0].source);
    sw_json_put_str_opt(w, "PrimaryURL", f->vuln.url);
    sw_json_key(w, "DataSource");
    sw_json_begin_object(w);
    sw_json_put_str(w, "ID", f->vuln.source);
    sw_json_put_str(w, "Name", f->vuln.source);
    sw_json_end_object(w);
    sw_json_put_str_opt(w, "Title", f->vuln.summary);
    sw_json_put_text(w, "Severity", severity_name(f->severity));
    put_cvss(w, f);
    sw_json_put_str_opt(w, "PublishedDate", sw_report_time(a, f->vuln.published));
    sw_json_put_str_opt(w, "LastModifiedDate", sw_report_time(a, f->vuln.modified));
    sw_json_end_object(w);
}

/* Findings that were ignored or cleared. */
static void put_modified(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                         size_t first, size_t end) {
    sw_json_key(w, "ExperimentalModifiedFindings");
    sw_json_begin_array(w);
    for (size_t i = first; i < end; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (f->state == SW_FINDING_OPEN || !sw_report_shows(r, f)) continue;
        sw_json_begin_object(w);
        sw_json_put_text(w, "Type", "vulnerability");
        sw_json_put_text(w, "Status", f->state == SW_FINDING_IGNORED ? "ignored" : "not_affected");
        sw_json_put_str_opt(w, "Statement", f->reason);
        sw_json_key(w, "Finding");
        put_vulnerability(w, r, a, f);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

/* The findings of one file stand together. */
static void put_result(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                       const struct sw_scan_artifact *x, size_t first, size_t end) {
    struct sw_str os =
        sw_arena_printf(a, "%.*s (%.*s %.*s)", SW_ARG(r->inventory->target),
                        SW_ARG(r->inventory->os.id), SW_ARG(r->inventory->os.version_id));
    sw_json_begin_object(w);
    sw_json_put_str(w, "Target", is_system(x) ? os : x->path);
    sw_json_put_text(w, "Class", is_system(x) ? "os-pkgs" : "lang-pkgs");
    sw_json_put_str(w, "Type", type_of(r, x));
    if (r->all_packages) put_packages(w, r, a, x);
    sw_json_key(w, "Vulnerabilities");
    sw_json_begin_array(w);
    for (size_t i = first; i < end; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (f->state == SW_FINDING_OPEN && sw_report_shows(r, f)) put_vulnerability(w, r, a, f);
    }
    sw_json_end_array(w);
    if (r->suppressed) put_modified(w, r, a, first, end);
    sw_json_end_object(w);
}

static void put_metadata(struct sw_json_writer *w, const struct sw_report *r) {
    const struct sw_inventory *v = r->inventory;
    sw_json_key(w, "Metadata");
    sw_json_begin_object(w);
    if (v->os.id.len) {
        sw_json_key(w, "OS");
        sw_json_begin_object(w);
        sw_json_put_str(w, "Family", v->os.id);
        sw_json_put_str(w, "Name", v->os.version_id);
        if (r->matches->os_eol && r->now >= r->matches->os_eol) sw_json_put_bool(w, "EOSL", true);
        sw_json_end_object(w);
    }
    if (v->n_layers) {
        sw_json_key(w, "DiffIDs");
        sw_json_begin_array(w);
        for (size_t i = 0; i < v->n_layers; i++) sw_json_digest(w, &v->layers[i].diff_id);
        sw_json_end_array(w);
    }
    sw_json_end_object(w);
}

static void put_verdict(struct sw_json_writer *w, const struct sw_report *r) {
    sw_json_key(w, "Slipway");
    sw_json_begin_object(w);
    sw_json_put_text(w, "Version", r->program_version);
    sw_json_put_text(w, "Verdict", sw_verdict_name(r->decision->verdict));
    sw_json_put_strs(w, "Reasons", &r->decision->reasons);
    sw_json_end_object(w);
}

void sw_report_trivy(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    static const struct {
        const char *kind, *name;
    } kinds[] = {{"image", "container_image"}, {"sbom", "cyclonedx"}};
    const char *type = "filesystem";
    for (int i = 0; i < 2; i++)
        if (!strcmp(r->inventory->target_kind, kinds[i].kind)) type = kinds[i].name;
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "SchemaVersion", 2);
    sw_json_put_str(&w, "CreatedAt", sw_report_time(a, r->now));
    sw_json_put_str(&w, "ArtifactName", r->inventory->target);
    sw_json_put_text(&w, "ArtifactType", type);
    put_metadata(&w, r);
    sw_json_key(&w, "Results");
    sw_json_begin_array(&w);
    for (size_t i = 0, first = 0; i < r->inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &r->inventory->artifacts[i];
        size_t end = first;
        while (end < r->matches->n_findings && r->matches->findings[end].artifact == x) end++;
        if (x->kind != SW_SCAN_OS) put_result(&w, r, a, x, first, end);
        first = end;
    }
    sw_json_end_array(&w);
    put_verdict(&w, r);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}
