/* Bills of materials: CycloneDX 1.5 with vulnerabilities, SPDX 2.3. */
#include "scan/report_internal.h"

static bool is_component(const struct sw_scan_artifact *x) {
    return x->kind != SW_SCAN_OS && x->n_packages;
}

static struct sw_str component_ref(struct sw_arena *a, const struct sw_report *r,
                                   const struct sw_scan_artifact *x,
                                   const struct sw_scan_package *p) {
    return sw_arena_printf(a, "%.*s#%.*s", SW_ARG(sw_report_purl(r, a, x, p)), SW_ARG(x->path));
}

static void put_component(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                          const struct sw_scan_artifact *x, const struct sw_scan_package *p) {
    sw_json_begin_object(w);
    sw_json_put_text(w, "type", "library");
    sw_json_put_str(w, "bom-ref", component_ref(a, r, x, p));
    sw_json_put_str(w, "name", p->p.name);
    sw_json_put_str_opt(w, "version", p->p.version);
    sw_json_put_str(w, "purl", sw_report_purl(r, a, x, p));
    sw_json_key(w, "properties");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    sw_json_put_text(w, "name", "slipway:path");
    sw_json_put_str(w, "value", x->path);
    sw_json_end_object(w);
    sw_json_end_array(w);
    sw_json_end_object(w);
}

static void put_vulnerability(struct sw_json_writer *w, const struct sw_report *r,
                              struct sw_arena *a, const struct sw_finding *f) {
    static const char *const words[] = {"unknown", "none", "low", "medium", "high", "critical"};
    sw_json_begin_object(w);
    sw_json_put_str(w, "bom-ref",
                    sw_report_uuid(a, f->vuln.id, f->package->p.name, f->artifact->path));
    sw_json_put_str(w, "id", f->vuln.id);
    sw_json_key(w, "source");
    sw_json_begin_object(w);
    sw_json_put_str(w, "name", f->vuln.source);
    sw_json_put_str_opt(w, "url", f->vuln.url);
    sw_json_end_object(w);
    sw_json_key(w, "ratings");
    sw_json_begin_array(w);
    for (size_t i = 0; i < f->n_severities; i++) {
        const struct sw_advdb_severity *s = &f->severities[i];
        sw_json_begin_object(w);
        sw_json_key(w, "source");
        sw_json_begin_object(w);
        sw_json_put_str(w, "name", s->source);
        sw_json_end_object(w);
        if (s->version) {
            sw_json_key(w, "score");
            sw_json_real(w, s->score / 10.0);
        }
        sw_json_put_text(w, "severity", words[s->severity]);
        if (s->version) {
            sw_json_put_text(w, "method",
                             s->version == 40   ? "CVSSv4"
                             : s->version == 31 ? "CVSSv31"
                             : s->version == 30 ? "CVSSv3"
                                                : "CVSSv2");
            sw_json_put_str(w, "vector", s->vector);
        }
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
    sw_json_put_str_opt(w, "description", f->vuln.summary);
    sw_json_put_str(w, "recommendation", sw_report_advice(a, f));
    sw_json_put_str_opt(w, "published", sw_report_time(a, f->vuln.published));
    if (f->state != SW_FINDING_OPEN || f->reach == SW_REACH_NOT_LINKED) {
        sw_json_key(w, "analysis");
        sw_json_begin_object(w);
        sw_json_put_text(w, "state", "not_affected");
        if (f->state == SW_FINDING_OPEN) sw_json_put_text(w, "justification", "code_not_present");
        sw_json_put_str_opt(w, "detail", f->reason);
        sw_json_end_object(w);
    }
    sw_json_key(w, "affects");
    sw_json_begin_array(w);
    sw_json_begin_object(w);
    sw_json_put_str(w, "ref", component_ref(a, r, f->artifact, f->package));
    sw_json_end_object(w);
    sw_json_end_array(w);
    sw_json_end_object(w);
}

void sw_report_cyclonedx(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "bomFormat", "CycloneDX");
    sw_json_put_text(&w, "specVersion", "1.5");
    sw_json_put_str(
        &w, "serialNumber",
        sw_arena_printf(a, "urn:uuid:%.*s",
                        SW_ARG(sw_report_uuid(a, r->inventory->target, SW_STR("cyclonedx"),
                                              sw_report_time(a, r->now)))));
    sw_json_put_int(&w, "version", 1);
    sw_json_key(&w, "metadata");
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "timestamp", sw_report_time(a, r->now));
    sw_json_key(&w, "component");
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "type",
                     strcmp(r->inventory->target_kind, "image") ? "application" : "container");
    sw_json_put_str(&w, "bom-ref", r->inventory->target);
    sw_json_put_str(&w, "name", r->inventory->target);
    sw_json_end_object(&w);
    sw_json_end_object(&w);
    sw_json_key(&w, "components");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &r->inventory->artifacts[i];
        for (size_t j = 0; is_component(x) && j < x->n_packages; j++)
            put_component(&w, r, a, x, &x->packages[j]);
    }
    sw_json_end_array(&w);
    sw_json_key(&w, "vulnerabilities");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < r->matches->n_findings; i++)
        if (sw_report_shows(r, &r->matches->findings[i]))
            put_vulnerability(&w, r, a, &r->matches->findings[i]);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}

/* --- SPDX ------------------------------------------------------------------------------------ */

static void put_external(struct sw_json_writer *w, const char *category, const char *type,
                         struct sw_str locator) {
    sw_json_begin_object(w);
    sw_json_put_text(w, "referenceCategory", category);
    sw_json_put_text(w, "referenceType", type);
    sw_json_put_str(w, "referenceLocator", locator);
    sw_json_end_object(w);
}

static void put_package(struct sw_json_writer *w, const struct sw_report *r, struct sw_arena *a,
                        const struct sw_scan_artifact *x, const struct sw_scan_package *p,
                        struct sw_str id) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "SPDXID", id);
    sw_json_put_str(w, "name", p->p.name);
    sw_json_put_str_opt(w, "versionInfo", p->p.version);
    sw_json_put_text(w, "downloadLocation", "NOASSERTION");
    sw_json_put_bool(w, "filesAnalyzed", false);
    sw_json_put_str(w, "sourceInfo", sw_arena_printf(a, "found in %.*s", SW_ARG(x->path)));
    sw_json_key(w, "externalRefs");
    sw_json_begin_array(w);
    put_external(w, "PACKAGE-MANAGER", "purl", sw_report_purl(r, a, x, p));
    for (size_t i = 0; i < r->matches->n_findings; i++) {
        const struct sw_finding *f = &r->matches->findings[i];
        if (f->package == p && sw_report_shows(r, f) && f->vuln.url.len)
            put_external(w, "SECURITY", "advisory", f->vuln.url);
    }
    sw_json_end_array(w);
    sw_json_end_object(w);
}

static void put_relation(struct sw_json_writer *w, struct sw_str from, const char *what,
                         struct sw_str to) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "spdxElementId", from);
    sw_json_put_text(w, "relationshipType", what);
    sw_json_put_str(w, "relatedSpdxElement", to);
    sw_json_end_object(w);
}

/* What was scanned, by its digest where it has one. */
static void put_root(struct sw_json_writer *w, const struct sw_report *r, struct sw_str id) {
    const struct sw_inventory *inventory = r->inventory;
    char hex[SW_DIGEST_TEXT_MAX];
    sw_json_begin_object(w);
    sw_json_put_str(w, "SPDXID", id);
    sw_json_put_str(w, "name", inventory->target);
    sw_json_put_text(w, "downloadLocation", "NOASSERTION");
    sw_json_put_bool(w, "filesAnalyzed", false);
    if (sw_digest_is_set(&inventory->digest)) {
        sw_json_key(w, "checksums");
        sw_json_begin_array(w);
        sw_json_begin_object(w);
        sw_json_put_text(w, "algorithm", inventory->digest.alg == SW_SHA256 ? "SHA256" : "SHA512");
        sw_json_put_str(w, "checksumValue", sw_digest_hex(&inventory->digest, hex));
        sw_json_end_object(w);
        sw_json_end_array(w);
    }
    if (!strcmp(inventory->target_kind, "image"))
        sw_json_put_text(w, "primaryPackagePurpose", "CONTAINER");
    sw_json_end_object(w);
}

/* The distribution itself, which no package database names. */
static bool put_distribution(struct sw_json_writer *w, const struct sw_report *r) {
    const struct sw_os_release *os = &r->inventory->os;
    if (!os->id.len) return false;
    sw_json_begin_object(w);
    sw_json_put_text(w, "SPDXID", "SPDXRef-OperatingSystem");
    sw_json_put_str(w, "name", os->id);
    sw_json_put_str_opt(w, "versionInfo", os->version_id);
    sw_json_put_text(w, "downloadLocation", "NOASSERTION");
    sw_json_put_bool(w, "filesAnalyzed", false);
    sw_json_put_text(w, "primaryPackagePurpose", "OPERATING-SYSTEM");
    sw_json_end_object(w);
    return true;
}

/* A document that leaves something out says so. */
static void put_incomplete(struct sw_json_writer *w, const struct sw_report *r) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < r->inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &r->inventory->artifacts[i];
        if (x->problem.len)
            sw_buf_addf(&text, "%s/%.*s: %.*s", text.len ? "; " : "not complete: ", SW_ARG(x->path),
                        SW_ARG(x->problem));
    }
    sw_json_put_str_opt(w, "comment", sw_buf_str(&text));
}

/* Two documents never have one: the same target at the same time has another digest. */
static struct sw_str namespace_of(const struct sw_report *r, struct sw_arena *a) {
    char text[SW_DIGEST_TEXT_MAX] = "";
    struct sw_str when = sw_report_time(a, r->now);
    if (sw_digest_is_set(&r->inventory->digest)) {
        sw_digest_format(&r->inventory->digest, text);
        when = sw_arena_printf(a, "%.*s %s", SW_ARG(when), text);
    }
    return sw_arena_printf(a, "urn:uuid:%.*s",
                           SW_ARG(sw_report_uuid(a, r->inventory->target, SW_STR("spdx"), when)));
}

void sw_report_spdx(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    struct sw_json_writer w;
    struct sw_str root = SW_STR("SPDXRef-Target");
    /* 0 is a time here: that of a build that was given none. */
    struct sw_str created = r->now ? sw_report_time(a, r->now) : SW_STR("1970-01-01T00:00:00Z");
    sw_json_writer_init(&w, out, r->compact ? SW_JSON_HTML : SW_JSON_INDENT);
    sw_json_begin_object(&w);
    sw_json_put_text(&w, "spdxVersion", "SPDX-2.3");
    sw_json_put_text(&w, "dataLicense", "CC0-1.0");
    sw_json_put_text(&w, "SPDXID", "SPDXRef-DOCUMENT");
    sw_json_put_str(&w, "name", r->inventory->target);
    sw_json_put_str(&w, "documentNamespace", namespace_of(r, a));
    put_incomplete(&w, r);
    sw_json_key(&w, "creationInfo");
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "created", created);
    sw_json_key(&w, "creators");
    sw_json_begin_array(&w);
    sw_json_str(&w, sw_arena_printf(a, "Tool: slipway-%s", r->program_version));
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_json_key(&w, "packages");
    sw_json_begin_array(&w);
    put_root(&w, r, root);
    bool distribution = put_distribution(&w, r);
    size_t number = 0;
    for (size_t i = 0; i < r->inventory->n_artifacts; i++) {
        const struct sw_scan_artifact *x = &r->inventory->artifacts[i];
        for (size_t j = 0; is_component(x) && j < x->n_packages; j++)
            put_package(&w, r, a, x, &x->packages[j],
                        sw_arena_printf(a, "SPDXRef-Package-%zu", ++number));
    }
    sw_json_end_array(&w);
    sw_json_key(&w, "relationships");
    sw_json_begin_array(&w);
    put_relation(&w, SW_STR("SPDXRef-DOCUMENT"), "DESCRIBES", root);
    if (distribution) put_relation(&w, root, "CONTAINS", SW_STR("SPDXRef-OperatingSystem"));
    for (size_t i = 1; i <= number; i++)
        put_relation(&w, root, "CONTAINS", sw_arena_printf(a, "SPDXRef-Package-%zu", i));
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    sw_buf_add_char(out, '\n');
}
