/* Which versions there are: from the download site's index, a proxy's list, a mirror.
 *
 * Floor 5. One thread a call. Answers are kept in the store's cache/ for an hour, and used beyond
 * that when nothing can be reached or --offline forbids asking.
 */
#ifndef SW_GOTOOL_REMOTE_H
#define SW_GOTOOL_REMOTE_H

#include "gotool/settings.h"
#include "gotool/store.h"
#include "net/http_client.h"

struct sw_go_remote {
    struct sw_go_version *versions; /* newest first, no duplicates; arena */
    size_t n;
    struct sw_go_archive *archives; /* of the index, where it was reached; arena */
    size_t n_archives;
    const char *origin; /* "proxy https://..., asked now", "site ..., kept 3 h ago"; arena */
};

/* Gathers what the configured sources list: their union. refresh: the kept answers do not count.
 * SW_NETWORK and the like only when no source answered and nothing is kept. */
SW_NODISCARD enum sw_code sw_go_remote_list(struct sw_http *http, const struct sw_go_store *store,
                                            const struct sw_go_settings *settings, bool refresh,
                                            struct sw_arena *a, struct sw_go_remote *ret,
                                            struct sw_error *err);
/* The index alone, for its hashes. SW_NOT_FOUND where the site is not among the sources and
 * nothing is kept. */
SW_NODISCARD enum sw_code sw_go_remote_index(struct sw_http *http, const struct sw_go_store *store,
                                             const struct sw_go_settings *settings,
                                             struct sw_arena *a, struct sw_go_archive **ret,
                                             size_t *ret_n, struct sw_error *err);
/* What is kept, whatever its age, without asking anybody; n 0 when there is nothing. */
void sw_go_remote_kept(const struct sw_go_store *store, const struct sw_go_settings *settings,
                       struct sw_arena *a, struct sw_go_remote *ret);

#endif
