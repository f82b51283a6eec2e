/* Whether a version is still cared for: end of its line, known vulnerabilities, and the fix.
 *
 * Floor 5. No network: what is known is built in, kept from earlier listings, or in a file of
 * advisories in the OSV format.
 */
#ifndef SW_GOTOOL_POLICY_H
#define SW_GOTOOL_POLICY_H

#include "gotool/settings.h"
#include "gotool/store.h"

struct sw_go_support {
    uint32_t newest_minor; /* of the newest line with a release */
};
/* From what is built in, installed, and kept of the sources' lists. */
void sw_go_support_init(struct sw_go_support *s, const struct sw_go_store *store,
                        const struct sw_go_settings *settings, struct sw_arena *a);
/* A release that exists, for lists that are newer than all that. */
void sw_go_support_seen(struct sw_go_support *s, const struct sw_go_version *v);
/* A line is supported until two newer lines exist. */
bool sw_go_support_alive(const struct sw_go_support *s, const struct sw_go_version *v);

struct sw_go_verdict {
    bool ended;
    unsigned vulnerabilities;
    bool has_fix;
    struct sw_go_version
        fix; /* the first release of the line, or else beyond, without any of them */
    const char
        *text; /* "go1.19.13 is past its end ...; use go1.26.4"; "" when all is well; arena */
};
/* What another room knows of one release; the commands fill it in with the scanner's database. */
struct sw_go_asked {
    unsigned vulnerabilities;
    struct sw_str first; /* id of one; arena */
    struct sw_str fixed; /* "1.22.5": the lowest release after it without any; "" unknown */
};
struct sw_go_advisories {
    /* version: "1.22.3" */
    enum sw_code (*ask)(void *context, struct sw_arena *a, struct sw_str version,
                        struct sw_go_asked *ret, struct sw_error *err);
    void *context;
};
/* advisories: a file with one OSV document, an array of them or one a line, or a directory of such
 * files; NULL: SLIPWAY_GO_ADVISORIES, else known is asked (NULL: nobody is). A file that cannot be
 * read is an error. */
SW_NODISCARD enum sw_code sw_go_policy_check(const struct sw_go_support *s, const char *advisories,
                                             const struct sw_go_advisories *known,
                                             const struct sw_go_version *v, struct sw_arena *a,
                                             struct sw_go_verdict *ret, struct sw_error *err);

#endif
