#include "scan/report.h"

#include "codec/hex.h"
#include "codec/rfc3339.h"
#include "scan/report_internal.h"

static const struct {
    const char *name;
    sw_report_writer *write;
} formats[] = {
    [SW_REPORT_TABLE] = {"table", sw_report_table},
    [SW_REPORT_JSON] = {"json", sw_report_json},
    [SW_REPORT_SARIF] = {"sarif", sw_report_sarif},
    [SW_REPORT_CYCLONEDX] = {"cyclonedx", sw_report_cyclonedx},
    [SW_REPORT_SPDX] = {"spdx", sw_report_spdx},
    [SW_REPORT_JUNIT] = {"junit", sw_report_junit},
    [SW_REPORT_GITLAB] = {"gitlab", sw_report_gitlab},
    [SW_REPORT_HTML] = {"html", sw_report_html},
    [SW_REPORT_OPENVEX] = {"openvex", sw_report_openvex},
    [SW_REPORT_TRIVY] = {"trivy", sw_report_trivy},
};

bool sw_report_format_parse(struct sw_str word, enum sw_report_format *ret) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (sw_str_is(word, formats[i].name)) {
            *ret = (enum sw_report_format)i;
            return true;
        }
    /* Trivy's name for it. */
    if (!sw_str_is(word, "spdx-json")) return false;
    *ret = SW_REPORT_SPDX;
    return true;
}

bool sw_report_shows(const struct sw_report *r, const struct sw_finding *f) {
    if (f->state != SW_FINDING_OPEN && !r->suppressed) return false;
    return r->severities[f->severity] && (!r->fixed_only || f->fixed.len);
}

void sw_report_write(enum sw_report_format format, const struct sw_report *r, struct sw_arena *a,
                     struct sw_buf *out) {
    formats[format].write(r, a, out);
}

struct sw_str sw_report_score(struct sw_arena *a, const struct sw_finding *f) {
    if (!f->n_severities || !f->severities[0].version) return SW_STR("");
    return sw_arena_printf(a, "%u.%u", f->severities[0].score / 10, f->severities[0].score % 10);
}

struct sw_str sw_report_vector(const struct sw_finding *f) {
    return f->n_severities && f->severities[0].version ? f->severities[0].vector : SW_STR("");
}

struct sw_str sw_report_time(struct sw_arena *a, int64_t sec) {
    char text[SW_RFC3339_MAX];
    return sec ? sw_arena_str(a, sw_rfc3339_format(sec, 0, text)) : SW_STR("");
}

struct sw_str sw_report_day(struct sw_arena *a, int64_t sec) {
    return sw_str_sub(sw_report_time(a, sec), 0, 10);
}

struct sw_str sw_report_cve(const struct sw_finding *f) {
    if (sw_str_starts(f->vuln.id, SW_STR("CVE-"))) return f->vuln.id;
    for (size_t i = 0; i < f->aliases.len; i++)
        if (sw_str_starts(f->aliases.ptr[i], SW_STR("CVE-"))) return f->aliases.ptr[i];
    return f->vuln.id;
}

struct sw_str sw_report_origin(const struct sw_report *r, const struct sw_finding *f) {
    unsigned layer = f->package->layer;
    if (layer >= r->inventory->n_layers) return SW_STR("");
    struct sw_str text = r->inventory->layers[layer].created_by, rest;
    struct sw_str noise = SW_STR("/bin/sh -c #(nop) "); /* of builders that wrote no words */
    if (sw_str_starts(text, noise)) text = sw_str_trim(sw_str_from(text, noise.len));
    sw_str_cut(text, '\n', &text, &rest);
    return text;
}

struct sw_str sw_report_advice(struct sw_arena *a, const struct sw_finding *f) {
    if (!f->fixed.len) return sw_arena_printf(a, "no fix is known for %.*s", SW_ARG(f->name));
    if (f->package->stdlib)
        return sw_arena_printf(a, "rebuild with Go %.*s or newer", SW_ARG(f->fixed));
    return sw_arena_printf(a, "upgrade %.*s to %.*s", SW_ARG(f->name), SW_ARG(f->fixed));
}

struct sw_str sw_report_uuid(struct sw_arena *a, struct sw_str x, struct sw_str y,
                             struct sw_str z) {
    struct sw_hasher h;
    const struct sw_str parts[] = {x, y, z};
    sw_hasher_init(&h, SW_SHA256);
    for (int i = 0; i < 3; i++) {
        sw_hasher_add_str(&h, parts[i]);
        sw_hasher_add(&h, "", 1);
    }
    struct sw_digest d = sw_hasher_finish(&h);
    char t[32];
    d.bytes[6] = (uint8_t)((d.bytes[6] & 0x0f) | 0x80); /* version 8: a hash of our own choice */
    d.bytes[8] = (uint8_t)((d.bytes[8] & 0x3f) | 0x80);
    sw_hex_encode(d.bytes, 16, t);
    return sw_arena_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s", t, t + 8, t + 12, t + 16, t + 20);
}

void sw_report_escape(struct sw_buf *out, struct sw_str text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '<')
            sw_buf_add_text(out, "&lt;");
        else if (c == '>')
            sw_buf_add_text(out, "&gt;");
        else if (c == '&')
            sw_buf_add_text(out, "&amp;");
        else if (c == '"')
            sw_buf_add_text(out, "&quot;");
        else if (c == '\'')
            sw_buf_add_text(out, "&#39;");
        else if (c >= 32 || c == '\n' || c == '\t')
            sw_buf_add_char(out, (char)c);
        else
            sw_buf_add_char(out, '?'); /* not allowed in XML */
    }
}

struct sw_str sw_report_purl(const struct sw_report *r, struct sw_arena *a,
                             const struct sw_scan_artifact *x, const struct sw_scan_package *p) {
    return sw_triage_purl(a, x, p, &r->inventory->os);
}
