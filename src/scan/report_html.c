/* One HTML file that needs nothing else: sortable by a click, printable. */
#include "scan/report_internal.h"

static const char style[] =
    "<style>:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:2rem;"
    "max-width:110rem}h1{font-size:1.4rem}table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #8884;vertical-align:top;"
    "overflow-wrap:anywhere}th{cursor:pointer;white-space:nowrap}th[aria-sort=ascending]::after"
    "{content:' \\2191'}th[aria-sort=descending]::after{content:' \\2193'}.CRITICAL{color:#b00020;"
    "font-weight:700}.HIGH{color:#d43d1a;font-weight:600}.MEDIUM{color:#a86b00}.LOW{color:#2a6fb0}"
    ".UNKNOWN{color:#777}.verdict{display:inline-block;padding:.2rem .7rem;border-radius:.3rem;"
    "color:#fff}.pass{background:#1c7c3c}.fail{background:#b00020}.cannot-tell{background:#8a6100}"
    ".off{opacity:.55}@media print{body{margin:0}th{cursor:auto}}</style>\n";

static const char script[] =
    "<script>document.querySelectorAll('th').forEach((h,i)=>h.onclick=()=>{const b=h.closest("
    "'table').tBodies[0],d=h.getAttribute('aria-sort')==='ascending'?-1:1;h.parentNode"
    ".querySelectorAll('th').forEach(x=>x.removeAttribute('aria-sort'));h.setAttribute('aria-sort',"
    "d>0?'ascending':'descending');const k=r=>r.cells[i].dataset.k??r.cells[i].textContent;"
    "[...b.rows].sort((x,y)=>d*k(x).localeCompare(k(y),undefined,{numeric:true})).forEach(r=>"
    "b.append(r))})</script>\n";

static void put_cell(struct sw_buf *out, struct sw_str text) {
    sw_buf_add_text(out, "<td>");
    sw_report_escape(out, text);
    sw_buf_add_text(out, "</td>");
}

/* Links only where they can do no harm. */
static void put_id(struct sw_buf *out, struct sw_arena *a, const struct sw_finding *f) {
    struct sw_str url = f->vuln.url, cve = sw_report_cve(f);
    bool link = sw_str_starts(url, SW_STR("https://")) || sw_str_starts(url, SW_STR("http://"));
    sw_buf_add_text(out, "<td>");
    if (link) {
        sw_buf_add_text(out, "<a href=\"");
        sw_report_escape(out, url);
        sw_buf_add_text(out, "\">");
    }
    sw_report_escape(out, cve);
    if (link) sw_buf_add_text(out, "</a>");
    if (!sw_str_eq(cve, f->vuln.id))
        sw_report_escape(out, sw_arena_printf(a, " (%.*s)", SW_ARG(f->vuln.id)));
    sw_buf_add_text(out, "</td>");
}

static void put_row(const struct sw_report *r, struct sw_arena *a, const struct sw_finding *f,
                    struct sw_buf *out) {
    struct sw_str score = sw_report_score(a, f);
    sw_buf_addf(out, "<tr%s>", f->state == SW_FINDING_OPEN ? "" : " class=\"off\"");
    sw_buf_addf(out, "<td class=\"%s\" data-k=\"%d%03u\">", sw_severity_name(f->severity),
                f->severity, f->n_severities ? f->severities[0].score : 0);
    sw_buf_addf(out, "%s %.*s", sw_severity_name(f->severity), SW_ARG(score));
    if (f->n_severities && f->severity != SW_SEVERITY_UNKNOWN) {
        sw_buf_add_text(out, " <small>");
        sw_report_escape(out, f->severities[0].source);
        sw_buf_add_text(out, "</small>");
    }
    if (f->vuln.flags & SW_ADVDB_KEV) sw_buf_add_text(out, " <b>exploited</b>");
    sw_buf_add_text(out, "</td>");
    put_id(out, a, f);
    put_cell(out, f->package->p.name);
    put_cell(out, f->package->p.version);
    put_cell(out, f->fixed);
    put_cell(out,
             f->artifact->kind == SW_SCAN_GO_BINARY ? sw_str(sw_reach_name(f->reach)) : SW_STR(""));
    put_cell(out, f->artifact->path);
    put_cell(out, sw_report_origin(r, f));
    put_cell(out, f->state == SW_FINDING_OPEN ? f->vuln.summary
                                              : sw_arena_printf(a, "(%.*s) %.*s", SW_ARG(f->reason),
                                                                SW_ARG(f->vuln.summary)));
    sw_buf_add_text(out, "</tr>\n");
}

void sw_report_html(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out) {
    sw_buf_add_text(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    sw_report_escape(out, r->inventory->target);
    sw_buf_add_text(out, "</title>\n");
    sw_buf_add_text(out, style);
    sw_buf_add_text(out, "</head><body>\n<h1>");
    sw_report_escape(out, r->inventory->target);
    const char *verdict = sw_verdict_name(r->decision->verdict);
    sw_buf_addf(out, " <span class=\"verdict %s\">%s</span></h1>\n<p>", verdict, verdict);
    sw_report_escape(out, r->inventory->os_text);
    sw_buf_addf(out,
                " &middot; scanned %.*s &middot; advisories of %.*s &middot; %zu packages</p>\n",
                SW_ARG(sw_report_day(a, r->now)), SW_ARG(sw_report_day(a, r->data_time)),
                r->matches->n_packages);
    if (r->decision->reasons.len) sw_buf_add_text(out, "<ul>\n");
    for (size_t i = 0; i < r->decision->reasons.len; i++) {
        sw_buf_add_text(out, "<li>");
        sw_report_escape(out, r->decision->reasons.ptr[i]);
        sw_buf_add_text(out, "</li>\n");
    }
    if (r->decision->reasons.len) sw_buf_add_text(out, "</ul>\n");
    sw_buf_add_text(out, "<table><thead><tr><th>Severity</th><th>Vulnerability</th><th>Package</th>"
                         "<th>Installed</th><th>Fixed in</th><th>Linked</th><th>File</th>"
                         "<th>Layer</th><th>Title</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < r->matches->n_findings; i++)
        if (sw_report_shows(r, &r->matches->findings[i]))
            put_row(r, a, &r->matches->findings[i], out);
    sw_buf_add_text(out, "</tbody></table>\n");
    sw_buf_add_text(out, script);
    sw_buf_add_text(out, "</body></html>\n");
}
