/* The checksum database as a client sees it: look up, prove, remember.
 *
 * Floor 5. One thread a call; several processes share the remembered tree head under a lock.
 *
 * Rules (https://go.dev/ref/mod#checksum-database): the record must be in the newest signed tree
 * that this store has ever accepted, and of any two signed trees the smaller must be the beginning
 * of the larger. A head older than the remembered one is normal (caches answer lookups); it never
 * replaces it, and the record must be proven in the newer tree all the same.
 */
#ifndef SW_GOTOOL_CHECKSUM_H
#define SW_GOTOOL_CHECKSUM_H

#include "gotool/settings.h"
#include "gotool/store.h"
#include "net/http_client.h"

struct sw_go_sum {
    char hash[64];      /* "h1:..." */
    char database[128]; /* "sum.golang.org" */
    uint64_t tree_size; /* of the signed tree that it was proven in */
    uint64_t record;
    bool remembered; /* nothing was asked: proven earlier, kept in the store */
};

/* The hash of golang.org/toolchain at version. SW_NOT_FOUND when the database has no such record;
 * SW_CORRUPT when a signature or a proof fails, in which case nothing is remembered. */
SW_NODISCARD enum sw_code sw_go_checksum_lookup(struct sw_http *http,
                                                const struct sw_go_store *store,
                                                const struct sw_go_settings *settings,
                                                struct sw_str version, struct sw_go_sum *ret,
                                                struct sw_error *err);

#endif
