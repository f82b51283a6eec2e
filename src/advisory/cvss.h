/* CVSS: from vectors to scores, versions 2.0, 3.0, 3.1 and 4.0.
 *
 * Floor 2. Pure. FIRST's specifications: "A Complete Guide to CVSS 2.0", "CVSS v3.1 Specification"
 * section 7, "CVSS v4.0 Specification" section 8.
 */
#ifndef SW_ADVISORY_CVSS_H
#define SW_ADVISORY_CVSS_H

#include "base/error.h"
#include "base/str.h"

enum sw_severity {
    SW_SEVERITY_UNKNOWN = 0,
    SW_SEVERITY_NONE, /* rated, and without impact */
    SW_SEVERITY_LOW,
    SW_SEVERITY_MEDIUM,
    SW_SEVERITY_HIGH,
    SW_SEVERITY_CRITICAL,
    SW_SEVERITY_COUNT,
};

/* "UNKNOWN", "LOW" ... Static. */
const char *sw_severity_name(enum sw_severity s);
/* Any case; "moderate" and "important" (Red Hat), "negligible" (Ubuntu), "not yet assigned" and
 * the like are understood. False on other words. */
bool sw_severity_parse(struct sw_str word, enum sw_severity *ret);

struct sw_cvss {
    unsigned version; /* 20, 30, 31 or 40 */
    unsigned score;   /* tenths: 98 for 9.8 */
    enum sw_severity severity;
};

/* Versions 2 and 3: the base score; temporal and environmental metrics are checked and left out,
 * since they describe a day or a place. Version 4: the score of all the metrics that are given.
 * SW_SYNTAX: unknown, missing, repeated or wrong metrics. */
SW_NODISCARD enum sw_code sw_cvss_score(struct sw_str vector, struct sw_cvss *ret,
                                        struct sw_error *err);

#endif
