/* Where the scanner's state is, and what several commands make of it. Floor 7. */
#ifndef SW_CMD_SCAN_STATE_H
#define SW_CMD_SCAN_STATE_H

#include "cmd/command.h"
#include "scan/update.h"

/* In the state's directory: a public key (PEM) by which databases from elsewhere must be signed. */
#define SW_SCAN_DB_KEY_NAME "advisories.pub"
/* A database's signature stands beside it under its name and this. */
#define SW_SCAN_DB_SIGNATURE ".sig"

/* Of the commands that open databases: sw_scan_database_open() reads them. */
#define SCAN_DB_OPTIONS                                                                            \
    {"db", 0, "FILE", "use this advisory database", 0, NULL, NULL}, {                              \
        "db-key", 0, "FILE", "the public key that signed it (SLIPWAY_DB_KEY)", 0, NULL, NULL       \
    }

/* ROOT/slipway/scan, in the invocation's arena. */
SW_NODISCARD enum sw_code sw_scan_state_dir(const struct sw_invocation *inv, const char **ret_root,
                                            const char **ret_dir, struct sw_error *err);
/* $TMPDIR, or /tmp. */
const char *sw_scan_temp_dir(void);

/* `slipway db update` with the sources of last time. */
SW_NODISCARD enum sw_code sw_db_update_usual(struct sw_invocation *inv, struct sw_error *err);

/* The key that was configured: what is given, else SLIPWAY_DB_KEY, else the one in the state's
 * directory; NULL where there is none. Arena. */
const char *sw_scan_db_key(const struct sw_invocation *inv, const char *given, const char *dir);
/* Whether the database at path is signed by the key: its bytes against path.sig. SW_DENIED. */
SW_NODISCARD enum sw_code sw_scan_db_check_signature(const struct sw_invocation *inv,
                                                     const struct sw_scan_db *db, const char *path,
                                                     const char *signature, const char *key,
                                                     struct sw_error *err);
/* The database that --db names, else that of the state's directory. A file from elsewhere must be
 * signed where a key is configured. */
SW_NODISCARD enum sw_code sw_scan_database_open(const struct sw_invocation *inv, const char *dir,
                                                struct sw_scan_db *ret, struct sw_error *err);

#endif
