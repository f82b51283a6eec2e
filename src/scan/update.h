/* Fetching advisories and compiling them; where the compiled file lives and how it is opened.
 *
 * Floor 5. Any number of processes may read while one updates: the file is replaced whole. Updates
 * take turns (a lock file). docs/format/advisory-db.md, docs/design/scan.md.
 */
#ifndef SW_SCAN_UPDATE_H
#define SW_SCAN_UPDATE_H

#include "advisory/db.h"
#include "base/progress.h"
#include "codec/lists.h"

#define SW_SCAN_DB_NAME "advisories.db"
/* One zip of advisories; the largest published (all of Red Hat's) has 300 MB. */
#define SW_SCAN_SOURCE_MAX ((uint64_t)2 << 30)

/* The database as a mapping. */
struct sw_scan_db {
    struct sw_advdb advdb;
    void *map;
    size_t size;
    int64_t checked; /* when it was last found up to date, seconds; 0: when it was built */
};
#define SW_SCAN_DB SW_CLEANUP(sw_scan_db_close)

/* Opens DIR/advisories.db. SW_NOT_FOUND: "there is no advisory database; run `slipway db update`";
 * SW_CORRUPT, SW_UNSUPPORTED: never an empty database. */
SW_NODISCARD enum sw_code sw_scan_db_open(const char *dir, struct sw_scan_db *ret,
                                          struct sw_error *err);
/* The same by file name. */
SW_NODISCARD enum sw_code sw_scan_db_open_file(const char *path, struct sw_scan_db *ret,
                                               struct sw_error *err);
/* A database that knows nothing, for scans that ask no advisories (SW_DOUBT_NO_DATA). */
SW_NODISCARD enum sw_code sw_scan_db_none(struct sw_scan_db *ret, struct sw_error *err);
void sw_scan_db_close(struct sw_scan_db *db);
/* Verifies every byte of an open database and puts a copy in the place of the one in dir. */
SW_NODISCARD enum sw_code sw_scan_db_install(const char *dir, const struct sw_scan_db *db,
                                             struct sw_error *err);

/* What a source is, from how it is written:
 *
 *     [NAME=]FILE.zip, [NAME=]DIR          OSV documents on disk
 *     [NAME=]URL.zip                       the same by http, https or file
 *     [NAME=]URL                           the layout of the Go vulnerability database
 *     [NAME=]golang.org/x/vulndb[@VERSION] that module, through GOPROXY
 *     osv:ECOSYSTEM                        the ecosystem's zip of osv.dev: osv:Debian, osv:Go
 *     kev[=FILE|URL], epss[=FILE|URL]      CISA's catalogue (JSON), FIRST's scores (CSV, also .gz)
 */
struct sw_scan_update {
    const char *dir;            /* state: the database and the sources as fetched */
    const char *const *sources; /* NULL-terminated; none: those of last time, else the Go module */
    const char *goproxy;        /* "https://proxy.example,direct" */
    const char *const *insecure;
    int64_t now;                  /* seconds since 1970 */
    bool offline;                 /* use what was fetched before */
    struct sw_progress *progress; /* may be NULL */
};

struct sw_scan_update_result {
    bool unchanged; /* the sources had nothing new: the database was left as it is */
    uint64_t advisories, rows, withdrawn, skipped, size_bytes;
};

/* Fetches what changed, compiles, replaces. A source that cannot be fetched or understood fails
 * the whole update, and what was there stays. */
SW_NODISCARD enum sw_code sw_scan_update(const struct sw_scan_update *options,
                                         struct sw_scan_update_result *ret, struct sw_error *err);

/* The manifest of an open database. */
struct sw_scan_source_status {
    struct sw_str name, location, version, licence, digest;
    int64_t fetched, date; /* when we got it; the newest change in it; seconds */
    int64_t advisories, rows;
};
struct sw_scan_db_status {
    int64_t built;
    struct sw_scan_source_status *sources; /* arena */
    size_t n_sources;
    int64_t oldest_fetch; /* of all sources */
};
SW_NODISCARD enum sw_code sw_scan_db_status(struct sw_arena *a, const struct sw_scan_db *db,
                                            struct sw_scan_db_status *ret, struct sw_error *err);

#endif
