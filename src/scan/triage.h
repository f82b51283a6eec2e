/* What people decided about findings: ignore files and OpenVEX.
 *
 * Floor 5. Pure over its inputs. A finding is never removed: its state and the reason say what was
 * decided, and reports can show both.
 */
#ifndef SW_SCAN_TRIAGE_H
#define SW_SCAN_TRIAGE_H

#include "scan/match.h"

/* Lines
 *
 *     ID [pkg:NAME] [path:PATH] [exp:YYYY-MM-DD] [# reason]
 *
 * ID is an id or an alias; a line without pkg and path is for all. A line past its day does
 * nothing but raise a note. This is what Trivy reads, too, as far as it goes. SW_SYNTAX names the
 * line. notes: what the user should know; in the arena. */
SW_NODISCARD enum sw_code sw_triage_ignore(struct sw_arena *a, struct sw_str text,
                                           const struct sw_os_release *os, struct sw_matches *m,
                                           int64_t now, struct sw_strs *notes,
                                           struct sw_error *err);
/* The same as YAML: vulnerabilities: [{id, paths, purls, expired_at, statement}]. Paths may have
 * stars. */
SW_NODISCARD enum sw_code sw_triage_ignore_yaml(struct sw_arena *a, struct sw_str text,
                                                const struct sw_os_release *os,
                                                struct sw_matches *m, int64_t now,
                                                struct sw_strs *notes, struct sw_error *err);
/* An OpenVEX document (openvex.dev, 0.2.0): statements not_affected and fixed, for this target or
 * for one of its packages. */
SW_NODISCARD enum sw_code sw_triage_vex(struct sw_arena *a, struct sw_str text,
                                        struct sw_str target, struct sw_matches *m,
                                        struct sw_error *err);
/* The package URL of a finding's package, as documents of others name it. */
struct sw_str sw_triage_purl(struct sw_arena *a, const struct sw_scan_artifact *artifact,
                             const struct sw_scan_package *p, const struct sw_os_release *os);
/* "2026-01-31" as seconds; false on anything else. */
bool sw_triage_date(struct sw_str text, int64_t *ret);

#endif
