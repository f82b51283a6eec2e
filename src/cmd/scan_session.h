/* One run of `slipway scan`: what its files share. Floor 7. */
#ifndef SW_CMD_SCAN_SESSION_H
#define SW_CMD_SCAN_SESSION_H

#include "cmd/remote_common.h"
#include "scan/report.h"
#include "scan/scan.h"
#include "scan/update.h"

/* Verdicts have exit statuses of their own; errors have the program's. */
enum { SW_EXIT_FAIL = 10, SW_EXIT_CANNOT_TELL = 11 };

struct scan_session {
    struct sw_invocation *inv;
    const char *root, *dir;
    bool trivy; /* called by that name: its words, its habits */
    int64_t now;
    struct sw_policy policy;
    enum sw_report_format format;
    struct sw_report report;
    struct sw_scan_db db;
    struct sw_scan_db_status status;
    enum sw_scan_target_kind kind;
    struct sw_go_releases releases;
    struct sw_inventory inventory;
    struct sw_matches matches;
    struct sw_decision decision;
    struct sw_store *store;
    struct remote_lazy remote;
    struct sw_credential credential; /* of --username */
    const char *const *severity_order;
};

/* scan_target.c: what is to be scanned, read. */
SW_NODISCARD enum sw_code scan_read_target(struct scan_session *s, struct sw_error *err);
/* scan_attest.c: the verdict written, signed and attached as the options say. */
SW_NODISCARD enum sw_code scan_attest(struct scan_session *s, struct sw_error *err);

#endif
