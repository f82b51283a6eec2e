/* Advisories in the Open Source Vulnerability format (ossf.github.io/osv-schema, 1.x).
 *
 * Floor 2. Pure. What is not needed to match, to rate and to explain is not kept.
 */
#ifndef SW_ADVISORY_OSV_H
#define SW_ADVISORY_OSV_H

#include "advisory/cvss.h"
#include "codec/lists.h"

enum sw_osv_limits {
    SW_OSV_DOCUMENT_MAX = 64 << 20, /* bytes; the kernel's entries list 100,000 versions */
    SW_OSV_ITEMS_MAX = 1000000,     /* events, versions, packages of one entry */
};

enum sw_osv_event_kind {
    SW_OSV_INTRODUCED = 1,
    SW_OSV_FIXED,
    SW_OSV_LAST_AFFECTED,
    SW_OSV_LIMIT,
    SW_OSV_EXACT, /* one of "versions" */
    SW_OSV_RANGE, /* another range begins */
};

struct sw_osv_event {
    enum sw_osv_event_kind kind;
    struct sw_str version;
};

struct sw_osv_severity {
    struct sw_str type, score; /* "CVSS_V3" and the vector; "Ubuntu" and a word ... */
};

/* A vulnerable package of a Go module. */
struct sw_osv_import {
    struct sw_str path;
    struct sw_strs symbols, goos, goarch;
};

struct sw_osv_affected {
    struct sw_str ecosystem, name;
    struct sw_osv_event *events; /* of each range that is not of type GIT, SW_OSV_RANGE before */
    size_t n_events;
    struct sw_strs versions; /* only where there are no such ranges */
    bool only_git;           /* neither: it cannot be matched by version */
    struct sw_osv_import *imports;
    size_t n_imports;
    struct sw_osv_severity *severities;
    size_t n_severities;
    struct sw_str rating; /* a word: ecosystem_specific or database_specific severity */
};

struct sw_osv {
    struct sw_str id, summary, details, url; /* url: where people read about it */
    struct sw_strs aliases;      /* "upstream" entries (Debian, Ubuntu) count as aliases */
    int64_t published, modified; /* seconds; 0 unknown */
    bool withdrawn;
    bool unreviewed; /* Go: imported without review */
    struct sw_osv_severity *severities;
    size_t n_severities;
    struct sw_str rating; /* database_specific.severity */
    struct sw_osv_affected *affected;
    size_t n_affected;
};

/* Everything is in the arena; text may go away. SW_SYNTAX with the path of what is wrong. */
SW_NODISCARD enum sw_code sw_osv_parse(struct sw_arena *a, struct sw_str text, struct sw_osv *ret,
                                       struct sw_error *err);

#endif
