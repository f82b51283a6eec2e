/* Git repositories as contexts and as sources of ADD, through the git program.
 *
 * Floor 5. Thread-safe.
 */
#ifndef SW_BUILD_GIT_H
#define SW_BUILD_GIT_H

#include "base/arena.h"
#include "store/store.h"

/* "https://host/repo.git#ref:subdir", "git@host:repo#...", "ssh://", "git://"; for http and https
 * also "?ref=..&tag=..&branch=..&commit=..&subdir=..". */
struct sw_git_url {
    struct sw_str remote; /* for git */
    struct sw_str ref;    /* branch, tag or commit; "" for the remote's HEAD */
    struct sw_str subdir; /* "" for the root */
    struct sw_str commit; /* that the ref must mean; "" for any */
};
/* False for what is no repository. local_names: "github.com/user/repo" is one, too, as for a
 * context. Strings in arena or views of text. */
bool sw_git_url_parse(struct sw_arena *arena, struct sw_str text, bool local_names,
                      struct sw_git_url *ret);

struct sw_git_options {
    struct sw_git_url url;
    struct sw_str commit;    /* --checksum: the commit that must come, or its beginning; "" */
    bool keep_git_dir;       /* with .git */
    struct sw_str ssh_agent; /* socket; "" for the one of the environment */
    struct sw_str token;     /* for http(s); "" for none */
};

struct sw_git_checkout {
    struct sw_str temp; /* relative to the store's root: sw_store_temp_remove() it */
    struct sw_str path; /* absolute, of the subdirectory */
    struct sw_str commit;
    int64_t time_s; /* of the commit */
};
/* The commit that will come, for one question to the server (none where the URL names it). ""
 * where only fetching can tell: an abbreviated commit, a server that does not answer. SW_CORRUPT
 * where it is not the one that is wanted. */
SW_NODISCARD enum sw_code sw_git_resolve(const struct sw_git_options *options,
                                         struct sw_arena *arena, struct sw_str *ret,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code sw_git_fetch(struct sw_store *store, const struct sw_git_options *options,
                                       struct sw_arena *arena, struct sw_git_checkout *ret,
                                       struct sw_error *err);

#endif
