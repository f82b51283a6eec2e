/* An inventory against the advisory database: findings, and what could not be decided.
 *
 * Floor 5. Pure over its inputs; one thread at a time, any number of matches on one database.
 */
#ifndef SW_SCAN_MATCH_H
#define SW_SCAN_MATCH_H

#include "advisory/db.h"
#include "distro/version.h"
#include "scan/inventory.h"
#include "scan/releases.h"

/* How close a Go program is to the vulnerable code. */
enum sw_reach {
    SW_REACH_UNKNOWN,    /* not a program, or it does not say */
    SW_REACH_NOT_LINKED, /* the module is there, none of the vulnerable packages is */
    SW_REACH_PACKAGE,    /* a vulnerable package is linked, none of the vulnerable functions is */
    SW_REACH_FUNCTION,   /* a vulnerable function is linked */
};
/* "unknown", "not-linked", "package", "function". Static. */
const char *sw_reach_name(enum sw_reach r);

enum sw_finding_state {
    SW_FINDING_OPEN,
    SW_FINDING_IGNORED,      /* by a line of an ignore file */
    SW_FINDING_NOT_AFFECTED, /* by a VEX statement: not_affected or fixed */
};

struct sw_finding {
    struct sw_advdb_vuln vuln;
    struct sw_strs aliases;
    const struct sw_scan_artifact *artifact;
    const struct sw_scan_package *package;
    struct sw_str ecosystem; /* "Go", "Debian:12" */
    struct sw_str name;      /* the package as the advisory names it: source package, module */
    struct sw_str installed; /* the version that was compared */
    struct sw_str fixed;     /* the lowest version that has the fix; "" where there is none */
    enum sw_reach reach;
    struct sw_strs symbols;               /* the vulnerable functions or packages that are linked */
    struct sw_advdb_severity *severities; /* of every source, the deciding one first */
    size_t n_severities;
    enum sw_severity severity; /* severities[0]'s, or SW_SEVERITY_UNKNOWN */
    enum sw_finding_state state;
    struct sw_str reason; /* why it is not open */
};

enum sw_doubt_kind {
    SW_DOUBT_UNREADABLE, /* a file of interest could not be read */
    SW_DOUBT_VERSION,    /* a version that cannot be compared, where advisories exist */
    SW_DOUBT_MODULES,    /* a Go program that does not say what it is made of */
    SW_DOUBT_OS,         /* a distribution that no advisory is about */
    SW_DOUBT_EOL,        /* a distribution past its end: nobody publishes advisories any more */
    SW_DOUBT_STALE,      /* the database is old */
    SW_DOUBT_SEVERITY,   /* findings of unknown severity */
    SW_DOUBT_EMPTY,      /* nothing at all was found to look at */
    SW_DOUBT_GO_EOL,     /* a program of a Go line past its end */
    SW_DOUBT_NO_DATA,    /* no advisories were asked */
    SW_DOUBT_KINDS
};
const char *sw_doubt_name(enum sw_doubt_kind kind);

/* Something that could not be decided. */
struct sw_doubt {
    enum sw_doubt_kind kind;
    struct sw_str path, text;
};

struct sw_match_options {
    const char *const *severity_order; /* NULL-terminated names of sources, first wins; NULL: what
                                          the ecosystem itself says, then nvd, ghsa, bitnami */
    int64_t now;                       /* seconds since 1970; for ends of life */
    const struct sw_go_releases *releases; /* for SW_DOUBT_GO_EOL; NULL: that is not asked */
};

struct sw_matches {
    struct sw_finding *findings; /* by path, package, severity (highest first), id */
    size_t n_findings;
    struct sw_doubt *doubts;
    size_t n_doubts;
    size_t n_packages; /* compared */
    int64_t os_eol;    /* the day the distribution's support ended or ends, seconds; 0 unknown */
};

/* Everything is in the arena, or borrowed from the database and the inventory. Errors are those of
 * the database (SW_CORRUPT) and limits; nothing that was read is lost in silence. */
SW_NODISCARD enum sw_code sw_match(struct sw_arena *a, const struct sw_advdb *db,
                                   const struct sw_inventory *inventory,
                                   const struct sw_match_options *options, struct sw_matches *ret,
                                   struct sw_error *err);
/* Adds a doubt that others found. */
void sw_matches_doubt(struct sw_arena *a, struct sw_matches *m, enum sw_doubt_kind kind,
                      struct sw_str path, struct sw_str text);

/* Whether a version lies in a row's ranges, and the lowest version that leaves them. */
struct sw_range_result {
    bool affected;
    bool undecided; /* the version or a bound cannot be compared */
    struct sw_str fixed;
};
SW_NODISCARD enum sw_code sw_match_row(const struct sw_advdb *db, const struct sw_advdb_row *row,
                                       enum sw_version_scheme scheme, struct sw_str version,
                                       struct sw_range_result *ret, struct sw_error *err);
/* How versions of an ecosystem compare, by its family ("Debian:12": dpkg). */
bool sw_match_scheme(struct sw_str ecosystem, enum sw_version_scheme *ret);
/* The ecosystems whose advisories are about this distribution, best first; at most 4. */
size_t sw_match_os_ecosystems(struct sw_arena *a, const struct sw_os_release *os,
                              enum sw_scan_kind kind, struct sw_str ret[4]);

#endif
