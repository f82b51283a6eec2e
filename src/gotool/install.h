/* Installing a version: sources in turn, verification, one rename.
 *
 * Floor 5. Any number of threads and processes at once: the first to lock a version fetches it,
 * the others wait and find it there. docs/design/go-toolchains.md has the state diagram.
 */
#ifndef SW_GOTOOL_INSTALL_H
#define SW_GOTOOL_INSTALL_H

#include "base/progress.h"
#include "golang/constraint.h"
#include "gotool/checksum.h"
#include "gotool/remote.h"

struct sw_go_install_options {
    struct sw_http *http;
    const struct sw_go_store *store; /* opened with create */
    const struct sw_go_settings *settings;
    struct sw_progress *progress; /* may be NULL */
    const char *source;           /* "mirror", "proxy", "site", or NULL for the settings' order */
    const char *file;             /* import: a local archive; NULL none */
    const char *sha256;           /* of that archive, in hex, as its user knows it; NULL none */
    bool again;                   /* also when it is installed: replaces it */
};

struct sw_go_install_result {
    const char *path;        /* GOROOT; arena */
    bool installed;          /* now; false: it was there */
    const char *source;      /* "proxy https://..."; "" when it was there; arena */
    const char *verified_by; /* "sum.golang.org (tree of 71999284), index sha256"; arena */
    uint64_t bytes, shared_bytes;
    size_t files, shared_files;
};

SW_NODISCARD enum sw_code sw_go_install(const struct sw_go_install_options *options,
                                        const struct sw_go_version *v, struct sw_arena *a,
                                        struct sw_go_install_result *ret, struct sw_error *err);

/* The release that a constraint means now: an exact one as it is; else the newest that the sources
 * list. offline or unreachable sources: the newest installed. */
SW_NODISCARD enum sw_code sw_go_resolve(const struct sw_go_install_options *options,
                                        const struct sw_go_constraint *constraint,
                                        struct sw_arena *a, struct sw_go_version *ret,
                                        struct sw_error *err);
/* Imports a local archive (.tar.gz, .zip of the module): the version is read from its name or
 * content. */
SW_NODISCARD enum sw_code sw_go_import(const struct sw_go_install_options *options,
                                       struct sw_arena *a, struct sw_go_version *ret_version,
                                       struct sw_go_install_result *ret, struct sw_error *err);

#endif
