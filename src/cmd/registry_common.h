/* What the registry's commands share: where the data is, passwords, output. Floor 7. */
#ifndef SW_CMD_REGISTRY_COMMON_H
#define SW_CMD_REGISTRY_COMMON_H

#include "base/buf.h"
#include "cmd/command.h"
#include "registry/registry.h"

/* Options that say where the data is, for every command. */
#define REGISTRY_DATA_OPTIONS                                                                       \
    {"data", 0, "DIR", "the registry's directory (ROOT/registry)", 0, NULL, NULL},                  \
        {"metadata", 0, "URL", "postgres://... instead of SQLite in the directory", 0, NULL, NULL}, \
        {"s3-endpoint", 0, "URL", "blobs in an S3 store instead of the directory", 0, NULL, NULL},  \
        {"s3-bucket", 0, "NAME", "bucket of the S3 store", 0, NULL, NULL},                          \
        {"s3-prefix", 0, "TEXT", "what every key in the bucket begins with", 0, NULL, NULL},        \
        {"s3-region", 0, "NAME", "region of the S3 store (us-east-1)", 0, NULL, NULL}, {            \
        "s3-credentials", 0, "FILE",                                                                \
            "access key and secret key, a line each (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",    \
            0, NULL, NULL                                                                           \
    }

/* Fills what the options say. Strings are in the arena. */
SW_NODISCARD enum sw_code registry_options(struct sw_invocation *inv,
                                           struct sw_registry_options *ret, struct sw_error *err);
/* Opens the data for management. */
SW_NODISCARD enum sw_code registry_open(struct sw_invocation *inv, struct sw_registry **ret,
                                        struct sw_error *err);
void registry_closep(struct sw_registry **r);
#define REGISTRY SW_CLEANUP(registry_closep)
/* From standard input (--password-stdin) or a file (--password-file): the first line. ptr NULL
 * where neither was given. Never from the command line, which others can read. */
SW_NODISCARD enum sw_code registry_password(struct sw_invocation *inv, struct sw_str *ret,
                                            struct sw_error *err);
#define REGISTRY_PASSWORD_OPTIONS                                                                  \
    {"password-stdin", 0, NULL, "read the password from standard input", 0, NULL, NULL}, {         \
        "password-file", 0, "FILE", "read the password from a file", 0, NULL, NULL                 \
    }
/* Prints {"NAME":[{...}]} as a table of the columns ("name role:roles"), or as it is with
 * --format json. */
SW_NODISCARD enum sw_code registry_print(struct sw_invocation *inv, struct sw_str json,
                                         const char *const *columns, struct sw_error *err);
/* Writes what was done to the audit trail; the account is the user of this machine. */
SW_NODISCARD enum sw_code registry_audit(struct sw_registry *r, struct sw_invocation *inv,
                                         const char *action, struct sw_str detail,
                                         struct sw_error *err);

#endif
