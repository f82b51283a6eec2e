/* What the go commands share: a session of store, settings, HTTP and progress. Floor 7. */
#ifndef SW_CMD_GO_COMMON_H
#define SW_CMD_GO_COMMON_H

#include "cmd/command.h"
#include "gotool/install.h"
#include "gotool/policy.h"

struct go_session {
    struct sw_go_store store;
    struct sw_go_settings settings;
    struct sw_http *http;
    struct sw_progress *progress;
    struct sw_go_install_options install;
};

enum { GO_READ_ONLY = 0, GO_CREATE = 1 << 0, GO_NETWORK = 1 << 1 };

/* Options that every command with a network has. */
#define GO_NETWORK_OPTIONS                                                                         \
    {"offline", 0, NULL, "use only what is here (SLIPWAY_OFFLINE)", 0, NULL, NULL},                \
        {"source", 0,    "LIST", "mirror, proxy, site in this order (SLIPWAY_GO_SOURCES)",         \
         0,        NULL, NULL},                                                                    \
        {"mirror", 0, "DIR|URL", "where a mirror is (SLIPWAY_GO_MIRROR)", 0, NULL, NULL}, {        \
        "progress", 0, "MODE", "auto, tty, plain, rawjson or quiet", 0, NULL,                      \
            "auto|tty|plain|rawjson|quiet|none"                                                    \
    }

SW_NODISCARD enum sw_code go_session_open(struct go_session *s, struct sw_invocation *inv,
                                          unsigned flags, struct sw_error *err);
void go_session_close(struct go_session *s);
#define GO_SESSION SW_CLEANUP(go_session_close)

/* Parses VERSION|CONSTRAINT, finds the newest release that matches, installs it unless it is
 * there. */
SW_NODISCARD enum sw_code go_session_install(struct go_session *s, struct sw_invocation *inv,
                                             const char *text, struct sw_go_version *ret,
                                             struct sw_go_install_result *ret_result,
                                             struct sw_error *err);
/* The newest installed version that a constraint allows; SW_NOT_FOUND says how to install one. */
SW_NODISCARD enum sw_code go_session_find(struct go_session *s, struct sw_invocation *inv,
                                          const char *text, struct sw_go_installed *ret,
                                          struct sw_error *err);
/* What the policy says of a version: nothing, a warning on stderr, or SW_DENIED. word: allow, warn,
 * refuse; NULL: SLIPWAY_GO_POLICY, else warn. */
SW_NODISCARD enum sw_code go_apply_policy(struct go_session *s, struct sw_invocation *inv,
                                          const struct sw_go_version *v, const char *word,
                                          struct sw_error *err);
/* What is supported, by all that is known here: also the scanner's advisories name new lines. */
void go_support(struct go_session *s, struct sw_invocation *inv, struct sw_go_support *ret);
/* The newest line of Go that is known here, 27 for Go 1.27: built in, installed, or listed before.
 */
unsigned go_newest_line(struct sw_invocation *inv);
/* The scanner's database as a source for sw_go_policy_check(): what `slipway db update` fetched.
 * Nothing is known where there is none; a damaged one is an error. */
struct sw_go_advisories go_advisories(struct sw_invocation *inv);
/* One line about an install, to stderr: what vouches for it, what it shares. */
void go_report_install(const struct sw_go_version *v, const struct sw_go_install_result *result);

#endif
