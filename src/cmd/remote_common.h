/* What the commands that talk to registries share. Floor 7. */
#ifndef SW_CMD_REMOTE_COMMON_H
#define SW_CMD_REMOTE_COMMON_H

#include <pthread.h>

#include "cmd/command.h"
#include "remote/copy.h"

#define REMOTE_OPTIONS                                                                             \
    {                                                                                              \
        "insecure-registry", 0, "HOST",                                                            \
            "certificates of HOST unchecked, http where it has no https", SW_OPT_LIST, NULL, NULL  \
    }

/* A session with what the options say. */
SW_NODISCARD enum sw_code remote_open(struct sw_invocation *inv, struct sw_remote **ret,
                                      struct sw_error *err);
#define REMOTE SW_CLEANUP(sw_remote_freep)
/* A reference as users type it (docker:// may stand before it), and the same with ":latest" where
 * nothing is said. */
SW_NODISCARD enum sw_code remote_exact_reference(struct sw_invocation *inv, const char *text,
                                                 struct sw_reference *ret, struct sw_error *err);
SW_NODISCARD enum sw_code remote_reference(struct sw_invocation *inv, const char *text,
                                           struct sw_reference *ret, struct sw_error *err);
/* "host", "host:port", "https://host/": the domain of a registry; NULL is docker.io. */
SW_NODISCARD enum sw_code remote_domain(struct sw_invocation *inv, const char *text,
                                        struct sw_str *ret, struct sw_error *err);
/* This machine's platform, or what --platform says; "all" gives NULL. */
SW_NODISCARD enum sw_code remote_platform(struct sw_invocation *inv, const char *text,
                                          const struct sw_platform **ret, struct sw_error *err);
/* The digest, and to stderr, unless the command's --quiet was given, "sent 3 blobs (12.3 MB), 2
 * were there". */
void remote_report(const struct sw_invocation *inv, const struct sw_copy_result *result,
                   const char *verb);

/* Pulls for commands that may not need it: the session is made at the first call, so that a build
 * from the cache does not load a network library. The command declares REMOTE_OPTIONS. Locked. */
struct remote_lazy {
    struct sw_invocation *inv;
    pthread_mutex_t lock;
    struct sw_remote *remote;               /* owned */
    const char *insecure;                   /* a further host; NULL */
    const struct sw_credential *credential; /* for every registry; NULL: from the files */
};
void remote_lazy_init(struct remote_lazy *l, struct sw_invocation *inv);
/* The session itself, made at the first call; it stays l's. */
SW_NODISCARD enum sw_code remote_lazy_session(void *ctx, struct sw_remote **ret,
                                              struct sw_error *err);
void remote_lazy_done(struct remote_lazy *l);
#define REMOTE_LAZY SW_CLEANUP(remote_lazy_done)
/* The pull function of struct sw_build_registry; ctx is a struct remote_lazy. */
SW_NODISCARD enum sw_code remote_lazy_pull(void *ctx, struct sw_store *store,
                                           struct sw_str reference,
                                           const struct sw_platform *platform,
                                           struct sw_progress *progress, unsigned step,
                                           struct sw_error *err);
/* An image of the store, under its own name. */
SW_NODISCARD enum sw_code remote_push(struct sw_invocation *inv, struct sw_remote *r,
                                      struct sw_store *store, struct sw_str image,
                                      const char *target, struct sw_progress *progress,
                                      struct sw_copy_result *ret, struct sw_error *err);

SW_NODISCARD enum sw_code remote_pull(struct sw_remote *r, struct sw_store *store,
                                      struct sw_str reference, const struct sw_platform *platform,
                                      struct sw_progress *progress, unsigned step,
                                      struct sw_copy_result *ret, struct sw_error *err);

#endif
