/* Between update.c, fetch.c and compile.c. Private to scan. */
#ifndef SW_SCAN_UPDATE_INTERNAL_H
#define SW_SCAN_UPDATE_INTERNAL_H

#include "advisory/db_build.h"
#include "net/http_client.h"
#include "scan/update.h"

enum sw_source_kind {
    SW_SOURCE_OSV,    /* a zip or a directory */
    SW_SOURCE_VULNDB, /* the Go database's HTTP layout; fetched as a zip or entry by entry */
    SW_SOURCE_MODULE, /* a module of the Go proxy */
    SW_SOURCE_KEV,
    SW_SOURCE_EPSS,
};

struct sw_source_spec {
    enum sw_source_kind kind;
    struct sw_str name;     /* of the source: "go", "debian" ... and of its file in the state */
    struct sw_str location; /* path, URL or module path; as it is written in the manifest */
    struct sw_str version;  /* of a module; "" newest */
    bool local;             /* a path */
    /* Filled by fetching. */
    struct sw_str path; /* where the bytes are: file or directory; arena */
    struct sw_str etag; /* or the module's version, or the database's own time */
    int64_t fetched;
    struct sw_str digest; /* of the input, hex; arena */
    /* Filled by compiling. */
    struct sw_advdb_counts counts;
    int64_t date;
};

struct sw_specs {
    struct sw_source_spec *ptr; /* arena */
    size_t len;
};

struct sw_updater {
    struct sw_arena *a;
    const struct sw_scan_update *options;
    struct sw_http *http; /* NULL while offline */
    int dir;              /* descriptor of the sources' directory */
    const char *dir_path;
    struct sw_specs specs;
};

/* Parses what the user wrote. */
enum sw_code sw_source_parse(struct sw_arena *a, const char *text, struct sw_source_spec *ret,
                             struct sw_error *err);
/* Brings the source's bytes to spec->path. */
enum sw_code sw_source_fetch(struct sw_updater *u, struct sw_source_spec *spec,
                             struct sw_error *err);
/* Hashes the input into spec->digest. */
enum sw_code sw_source_digest(struct sw_updater *u, struct sw_source_spec *spec,
                              struct sw_error *err);
/* Adds all that the source holds to the builder. */
enum sw_code sw_source_compile(struct sw_updater *u, struct sw_source_spec *spec,
                               struct sw_advdb_builder *b, struct sw_error *err);
/* Whose data it is, where that is known: "CC-BY-4.0, The Go Authors". Static. */
const char *sw_source_licence(struct sw_str name);

#endif
