/* The advisory database: one file, sorted, mapped and never changed.
 *
 * Floor 2. Pure: the file's bytes in, records out. A struct sw_advdb may be shared by threads.
 * docs/format/advisory-db.md is the contract.
 *
 * Opening checks the header and the table of page checksums, not the pages: each page is checked
 * when it is first read. Nothing damaged is ever read as "no advisory": it is SW_CORRUPT.
 */
#ifndef SW_ADVISORY_DB_H
#define SW_ADVISORY_DB_H

#include "advisory/osv.h"

#define SW_ADVDB_VERSION 1
#define SW_ADVDB_PAGE 4096u
/* Largest file that is opened; all known ecosystems together make 120 MB. */
#define SW_ADVDB_SIZE_MAX ((uint64_t)4 << 30)

enum sw_advdb_section {
    SW_ADVDB_STRINGS,    /* bytes */
    SW_ADVDB_ECOSYSTEMS, /* string */
    SW_ADVDB_SLOTS,      /* hash table: package index + 1, 0 free */
    SW_ADVDB_PACKAGES,
    SW_ADVDB_ROWS,
    SW_ADVDB_EVENTS,
    SW_ADVDB_IMPORTS,
    SW_ADVDB_VULNS,
    SW_ADVDB_SEVERITIES,
    SW_ADVDB_REFS,     /* strings that others refer to in runs: aliases, symbols, sources */
    SW_ADVDB_MANIFEST, /* JSON */
    SW_ADVDB_SUMS,     /* a checksum per page before it */
    SW_ADVDB_N_SECTIONS,
};

struct sw_advdb {
    const uint8_t *base; /* borrowed */
    uint64_t size;
    struct {
        uint64_t offset, count;
    } sections[SW_ADVDB_N_SECTIONS];
    int64_t built;      /* seconds since 1970 */
    uint8_t digest[32]; /* SHA-256 of everything after the header's page, as the header says */
    uint8_t *checked;   /* owned; a byte per page: it was compared with its checksum */
};

/* A run of records of another section. */
struct sw_advdb_run {
    uint32_t first, count;
};

struct sw_advdb_package {
    struct sw_str name;
    uint32_t ecosystem;
    struct sw_advdb_run rows; /* count 0: no advisory names this package */
    uint64_t content;         /* changes when anything that is known about the package does */
};

enum sw_advdb_row_flags {
    SW_ADVDB_UNVERSIONED = 1 << 0, /* only commits are known: the version decides nothing */
};

/* One advisory about one package. */
struct sw_advdb_row {
    uint32_t vuln;
    uint32_t flags;
    struct sw_advdb_run events, imports, severities; /* severities: for this package */
};

struct sw_advdb_event {
    enum sw_osv_event_kind kind;
    struct sw_str version;
};

struct sw_advdb_import {
    struct sw_str path;
    struct sw_advdb_run symbols, goos, goarch; /* refs */
};

struct sw_advdb_severity {
    struct sw_str source; /* the database that says so */
    struct sw_str vector; /* CVSS, or the word it was */
    unsigned version;     /* of CVSS: 20, 30, 31, 40; 0 for a word */
    unsigned score;       /* tenths; 0 for a word */
    enum sw_severity severity;
};

enum sw_advdb_vuln_flags {
    SW_ADVDB_KEV = 1 << 0,        /* known to be exploited */
    SW_ADVDB_RANSOMWARE = 1 << 1, /* by ransomware */
    SW_ADVDB_UNREVIEWED = 1 << 2, /* Go: not reviewed */
    SW_ADVDB_EPSS = 1 << 3,       /* epss and percentile are known */
};

struct sw_advdb_vuln {
    struct sw_str id, summary, url, source;
    struct sw_advdb_run aliases /* refs */, severities;
    int64_t published, modified; /* seconds; 0 unknown */
    uint32_t kev_added, kev_due; /* days since 1970; 0 unknown */
    uint32_t epss, percentile;   /* millionths */
    uint32_t flags;
};

/* bytes are borrowed for as long as the database is open and aligned to 8. SW_CORRUPT, SW_LIMIT,
 * SW_UNSUPPORTED (another version: "run `slipway db update`"). */
SW_NODISCARD enum sw_code sw_advdb_open(struct sw_advdb *db, struct sw_str bytes,
                                        struct sw_error *err);
void sw_advdb_done(struct sw_advdb *db);
#define SW_ADVDB SW_CLEANUP(sw_advdb_done)
/* Compares every page, and the digest, with what was written. */
SW_NODISCARD enum sw_code sw_advdb_verify(const struct sw_advdb *db, struct sw_error *err);

static inline uint64_t sw_advdb_count(const struct sw_advdb *db, enum sw_advdb_section section) {
    return db->sections[section].count;
}
/* The number of an ecosystem ("Debian:12"); false where no advisory is about it. */
SW_NODISCARD enum sw_code sw_advdb_ecosystem(const struct sw_advdb *db, struct sw_str name,
                                             bool *ret_found, uint32_t *ret, struct sw_error *err);
/* A package by name; rows.count is 0 where nothing is known about it. */
SW_NODISCARD enum sw_code sw_advdb_find(const struct sw_advdb *db, uint32_t ecosystem,
                                        struct sw_str name, struct sw_advdb_package *ret,
                                        struct sw_error *err);
/* The ith record of a section; SW_CORRUPT beyond its end. */
SW_NODISCARD enum sw_code sw_advdb_ecosystem_at(const struct sw_advdb *db, uint32_t i,
                                                struct sw_str *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_package_at(const struct sw_advdb *db, uint32_t i,
                                              struct sw_advdb_package *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_row_at(const struct sw_advdb *db, uint32_t i,
                                          struct sw_advdb_row *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_event_at(const struct sw_advdb *db, uint32_t i,
                                            struct sw_advdb_event *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_import_at(const struct sw_advdb *db, uint32_t i,
                                             struct sw_advdb_import *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_vuln_at(const struct sw_advdb *db, uint32_t i,
                                           struct sw_advdb_vuln *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_severity_at(const struct sw_advdb *db, uint32_t i,
                                               struct sw_advdb_severity *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_advdb_ref_at(const struct sw_advdb *db, uint32_t i, struct sw_str *ret,
                                          struct sw_error *err);
/* The manifest: JSON, docs/format/advisory-db.md. */
SW_NODISCARD enum sw_code sw_advdb_manifest(const struct sw_advdb *db, struct sw_str *ret,
                                            struct sw_error *err);

#endif
