/* The writers behind sw_report_write(). Private to scan. */
#ifndef SW_SCAN_REPORT_INTERNAL_H
#define SW_SCAN_REPORT_INTERNAL_H

#include "codec/json_writer.h"
#include "scan/report.h"
#include "scan/triage.h"

typedef void sw_report_writer(const struct sw_report *r, struct sw_arena *a, struct sw_buf *out);

sw_report_writer sw_report_table, sw_report_json, sw_report_sarif, sw_report_cyclonedx,
    sw_report_spdx, sw_report_junit, sw_report_gitlab, sw_report_html, sw_report_openvex,
    sw_report_trivy;

/* "9.8", or "" without a score. */
struct sw_str sw_report_score(struct sw_arena *a, const struct sw_finding *f);
/* The vector that decided, or "". */
struct sw_str sw_report_vector(const struct sw_finding *f);
/* "2026-08-21", "" for 0. */
struct sw_str sw_report_day(struct sw_arena *a, int64_t sec);
/* RFC 3339. */
struct sw_str sw_report_time(struct sw_arena *a, int64_t sec);
/* The CVE among the names, else the id. */
struct sw_str sw_report_cve(const struct sw_finding *f);
/* The instruction that brought the finding's package, cut to what fits a line; "" if unknown. */
struct sw_str sw_report_origin(const struct sw_report *r, const struct sw_finding *f);
/* One line: what is wrong and what to do about it. */
struct sw_str sw_report_advice(struct sw_arena *a, const struct sw_finding *f);
/* A version 5 UUID of the parts, so that reports are the same for the same findings. */
struct sw_str sw_report_uuid(struct sw_arena *a, struct sw_str x, struct sw_str y, struct sw_str z);
/* Text of XML and HTML. */
void sw_report_escape(struct sw_buf *out, struct sw_str text);
struct sw_str sw_report_purl(const struct sw_report *r, struct sw_arena *a,
                             const struct sw_scan_artifact *x, const struct sw_scan_package *p);

#endif
