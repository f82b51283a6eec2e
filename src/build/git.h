/* Git repositories as contexts and as sources of ADD, through the git program.
 *
 * Floor 5. Thread-safe.
 */
#ifndef SW_BUILD_GIT_H
#define SW_BUILD_GIT_H

#include "base/arena.h"
#include "build/build.h"
#include "store/store.h"

/* "https://host/repo.git#ref:subdir", "git@host:repo#...", "ssh://", "git://"; each also with
 * "?ref=..&branch=..&tag=..&commit=..&subdir=..&keep-git-dir=..&submodules=..". */
struct sw_git_url {
    struct sw_str remote; /* for git */
    struct sw_str shown;  /* the same without user and password, for others to see */
    struct sw_str ref;    /* branch, tag or commit; "" for the remote's HEAD */
    struct sw_str subdir; /* "" for the root */
    struct sw_str commit; /* that the ref must mean; "" for any */
    bool has_keep_git_dir, keep_git_dir;
    bool no_submodules;
};
/* *ret_is false for what is no repository; *ret is untouched then. local_names:
 * "github.com/user/repo" is one, too, as for a context. Strings in arena or views of text.
 * SW_SYNTAX: a repository whose query makes no sense. */
SW_NODISCARD enum sw_code sw_git_url_parse(struct sw_arena *arena, struct sw_str text,
                                           bool local_names, struct sw_git_url *ret, bool *ret_is,
                                           struct sw_error *err);

/* The same question alone; also true where the query makes no sense. */
bool sw_git_is_url(struct sw_str text, bool local_names);

struct sw_git_options {
    struct sw_git_url url;
    struct sw_str commit;    /* --checksum: the commit that must come, or its beginning; "" */
    bool keep_git_dir;       /* with .git */
    struct sw_str ssh_agent; /* socket; "" for the one of the environment */
    /* For http(s), the first that is there: GIT_AUTH_HEADER.HOST, GIT_AUTH_TOKEN.HOST,
     * GIT_AUTH_HEADER, GIT_AUTH_TOKEN. */
    const struct sw_build_secret *secrets;
    size_t n_secrets;
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
