/* The registry: an OCI distribution server with accounts, rules and an audit trail.
 *
 * Floor 5. Thread-safe after _open. docs/design/registry.md, docs/format/registry-data.md.
 *
 *     sw_registry_open()  -- the data alone: management from the command line, also while a server
 *                            runs on the same data
 *     sw_registry_start() -- serves it
 */
#ifndef SW_REGISTRY_REGISTRY_H
#define SW_REGISTRY_REGISTRY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "registry/blobs.h"
#include "registry/meta.h"

struct sw_registry;

/* Zero stands for the default. Strings are copied. */
struct sw_registry_options {
    const char *data_dir;           /* DIR/meta.db, DIR/data; created where missing */
    const char *metadata;           /* NULL: SQLite in data_dir; or postgres://... */
    const struct sw_s3_options *s3; /* NULL: blobs in data_dir */
    const char *version;            /* of the program, for /metrics */
    uint64_t blob_max;              /* SW_REG_BLOB_MAX */
    unsigned gc_grace_s;            /* 3600: what was touched since is never collected */
    unsigned upload_expiry_s;       /* 86400 */

    /* For _start alone. */
    const char *address; /* "127.0.0.1:5000" */
    const char *tls_cert, *tls_key;
    const char *external_url; /* "https://registry.example.org"; NULL: what the client asked for */
    bool open;                /* everybody may do everything: for tests on a loopback address */
    bool trust_proxy;         /* X-Forwarded-For and -Proto are believed */
    unsigned threads;
    unsigned connections_max, connections_per_ip;
    unsigned address_rate;   /* requests a second of one address; 0: no limit */
    unsigned account_rate;   /* of one account */
    unsigned speed_min;      /* 512: bytes a second; who is slower for speed_window_s is let go */
    unsigned speed_window_s; /* 60 */
    unsigned gc_interval_s;  /* 0: only on request */
    bool audit_pulls;        /* record who pulled which manifest */
    int access_log_fd;       /* JSON lines; 0: none. Borrowed */
};

SW_NODISCARD enum sw_code sw_registry_open(const struct sw_registry_options *options,
                                           struct sw_registry **ret, struct sw_error *err);
void sw_registry_close(struct sw_registry *r);
struct sw_meta *sw_registry_meta(struct sw_registry *r);
struct sw_blobs *sw_registry_blobs(struct sw_registry *r);

/* Makes the first account (admin) on empty data, with a random password written to
 * data_dir/initial-admin-password (mode 0600); *ret_path is where, NULL where accounts exist. */
SW_NODISCARD enum sw_code sw_registry_bootstrap(struct sw_registry *r, struct sw_arena *a,
                                                const char **ret_path, struct sw_error *err);

SW_NODISCARD enum sw_code sw_registry_start(struct sw_registry *r, struct sw_error *err);
unsigned sw_registry_port(const struct sw_registry *r);
/* Lets requests end for grace_ms. */
void sw_registry_stop(struct sw_registry *r, unsigned grace_ms);

#endif
