/* The verdict: pass, fail or cannot tell, and why.
 *
 * Floor 5. Pure. docs/format/scan-policy.md describes the file. Failing goes before not being able
 * to tell, and that before passing: what is not known is never read as good.
 */
#ifndef SW_SCAN_POLICY_H
#define SW_SCAN_POLICY_H

#include "scan/match.h"

enum sw_verdict { SW_VERDICT_PASS, SW_VERDICT_CANNOT_TELL, SW_VERDICT_FAIL };
/* "pass", "cannot-tell", "fail". Static. */
const char *sw_verdict_name(enum sw_verdict v);

enum { SW_POLICY_DOUBTS = SW_DOUBT_KINDS };

struct sw_policy_go {
    struct sw_str repository; /* a pattern: "registry.example/team/" + "*"; "*" all */
    struct sw_str lowest;     /* "1.25.0": programs built with less fail; "" none */
    struct sw_strs allow;     /* release lines or releases ("1.26", "1.25.7"); empty: all */
};

struct sw_policy {
    bool severities[SW_SEVERITY_COUNT]; /* findings that fail */
    bool kev;                           /* known to be exploited: fails whatever its severity */
    bool fixed_only;                    /* findings without a fix do not fail */
    enum sw_reach reach; /* with SW_REACH_PACKAGE or _FUNCTION: what is proved not to be linked so
                            closely does not fail */
    int64_t grace_days;  /* findings published less than so long ago do not fail yet */
    int64_t stale_days;  /* data older than this raises SW_DOUBT_STALE; 0 never */
    enum sw_verdict doubts[SW_POLICY_DOUBTS]; /* what each kind of doubt leads to */
    struct sw_policy_go *go;                  /* arena; the first that matches counts */
    size_t n_go;
    struct sw_strs labels; /* that the image must have */
};

/* HIGH and CRITICAL fail, and all that is known to be exploited; every doubt is "cannot tell",
 * but for a Go line past its end, which is only named; data
 * is stale after 7 days. */
void sw_policy_default(struct sw_policy *p);
/* What is not said stays as it is in *p. SW_SYNTAX with line and column. */
SW_NODISCARD enum sw_code sw_policy_parse(struct sw_arena *a, struct sw_str text,
                                          struct sw_policy *p, struct sw_error *err);
/* "HIGH,CRITICAL" */
SW_NODISCARD enum sw_code sw_policy_severities(struct sw_str list, bool ret[SW_SEVERITY_COUNT],
                                               struct sw_error *err);

struct sw_decision {
    enum sw_verdict verdict;
    struct sw_strs reasons;           /* arena; why it is not "pass" */
    struct sw_strs notes;             /* arena; doubts that the policy lets pass */
    size_t counts[SW_SEVERITY_COUNT]; /* open findings */
    size_t failing;                   /* open findings that fail */
};

/* data_time: when the advisories were last fetched. Adds SW_DOUBT_STALE and SW_DOUBT_SEVERITY to m
 * where they apply. */
void sw_policy_decide(struct sw_arena *a, const struct sw_policy *p,
                      const struct sw_inventory *inventory, struct sw_matches *m, int64_t data_time,
                      int64_t now, struct sw_decision *ret);
/* Whether an open finding fails by itself. */
bool sw_policy_fails(const struct sw_policy *p, const struct sw_finding *f, int64_t now);

#endif
