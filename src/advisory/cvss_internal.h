/* Metrics of one version of CVSS, and the values that a vector gives them. Private to advisory. */
#ifndef SW_ADVISORY_CVSS_INTERNAL_H
#define SW_ADVISORY_CVSS_INTERNAL_H

#include "advisory/cvss.h"

struct sw_cvss_metric {
    const char *name;
    const char *values; /* "N|A|L|P": the place of a value is its number */
    bool required;
};

#define SW_CVSS_METRICS_MAX 32
#define SW_CVSS_UNSET (-1)

/* Reads "A:B/C:D" into ret[i], the number of the value of metric i, or SW_CVSS_UNSET. */
enum sw_code sw_cvss_metrics(struct sw_str vector, const struct sw_cvss_metric *metrics, size_t n,
                             int *ret, struct sw_error *err);
/* The part after "CVSS:4.0/". */
enum sw_code sw_cvss4_score(struct sw_str metrics, unsigned *ret_tenths, struct sw_error *err);

#endif
