/* Contexts that are no directory of this host: archives, URLs, git repositories. They become one.
 *
 * Floor 5. Thread-safe.
 */
#ifndef SW_BUILD_INPUT_H
#define SW_BUILD_INPUT_H

#include "base/arena.h"
#include "base/progress.h"
#include "base/str.h"
#include "build/attest.h"
#include "store/store.h"

struct sw_http;
struct sw_build_secret;

struct sw_input_options {
    struct sw_store *store;
    struct sw_http *http;         /* NULL: one is made where it is needed */
    struct sw_progress *progress; /* may be NULL */
    unsigned step;
    struct sw_str ssh_agent; /* see build/git.h */
    const struct sw_build_secret *secrets;
    size_t n_secrets;
    bool keep_git_dir; /* of a repository */
};

struct sw_input {
    const char *dir;             /* absolute; NULL: it was a single file, a Dockerfile */
    struct sw_str dockerfile;    /* its bytes then */
    int64_t time_s;              /* of the commit; 0 for other sources */
    struct sw_material material; /* what the URL led to; nothing of a file of this host */
    struct sw_str temp;          /* to be given to sw_store_temp_remove(); "" for none */
};

/* A git repository or an http(s) URL: what a build takes in place of PATH. */
bool sw_input_is_remote(struct sw_str text);
SW_NODISCARD enum sw_code sw_input_open(const struct sw_input_options *o, struct sw_str url,
                                        struct sw_arena *arena, struct sw_input *ret,
                                        struct sw_error *err);
/* An open file or pipe: a tar archive (compressed or not), or a Dockerfile. */
SW_NODISCARD enum sw_code sw_input_read(const struct sw_input_options *o, int fd,
                                        struct sw_str name, struct sw_arena *arena,
                                        struct sw_input *ret, struct sw_error *err);

#endif
