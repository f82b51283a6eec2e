/* Reports: what was found, for people and for machines.
 *
 * Floor 5. Pure: the same findings give the same bytes. Times and names come in as parameters.
 */
#ifndef SW_SCAN_REPORT_H
#define SW_SCAN_REPORT_H

#include "scan/policy.h"

enum sw_report_format {
    SW_REPORT_TABLE,
    SW_REPORT_JSON,      /* docs/format/scan-report.md */
    SW_REPORT_SARIF,     /* 2.1.0 */
    SW_REPORT_CYCLONEDX, /* 1.5, with vulnerabilities */
    SW_REPORT_SPDX,      /* 2.3 */
    SW_REPORT_JUNIT,
    SW_REPORT_GITLAB, /* container scanning report 15 */
    SW_REPORT_HTML,
    SW_REPORT_OPENVEX, /* 0.2.0 */
    SW_REPORT_TRIVY,   /* Trivy's JSON, schema 2 */
};
/* "table", "json" ... false on other words. */
bool sw_report_format_parse(struct sw_str word, enum sw_report_format *ret);
/* "table|json|..." for options. */
#define SW_REPORT_FORMATS "table|json|sarif|cyclonedx|spdx|junit|gitlab|html|openvex|trivy"

struct sw_report {
    const struct sw_inventory *inventory;
    const struct sw_matches *matches;
    const struct sw_decision *decision;
    const struct sw_policy *policy;
    bool severities[SW_SEVERITY_COUNT]; /* which findings are listed */
    bool fixed_only;                    /* only those with a fix */
    bool all_packages;      /* also without findings, where the format may leave them out */
    bool suppressed;        /* those that were ignored or cleared, too */
    int64_t data_time, now; /* seconds; data_time 0: no advisories were asked */
    const char *program_version;
    struct sw_str action;        /* what clears the Go findings, in one line; "" */
    struct sw_str policy_sha256; /* of the policy's file; "" where there was none */
    struct sw_str data_sha256;   /* of the advisory database */
    bool compact;                /* SPDX without line breaks */
    bool color;
    unsigned width; /* columns of the terminal; 0: no limit */
};

/* Whether a finding is listed. */
bool sw_report_shows(const struct sw_report *r, const struct sw_finding *f);
void sw_report_write(enum sw_report_format format, const struct sw_report *r, struct sw_arena *a,
                     struct sw_buf *out);
/* The predicate of an in-toto attestation about the verdict (type below): JSON. */
#define SW_SCAN_PREDICATE_TYPE "https://slipway.dev/attestation/scan/v1"
void sw_report_predicate(const struct sw_report *r, struct sw_buf *out);

#endif
