/* What the environment and the go command's settings say about toolchains.
 *
 * Floor 5. Reads the environment and the user's go env file once; a value is read-only afterwards
 * and may be shared by threads.
 */
#ifndef SW_GOTOOL_SETTINGS_H
#define SW_GOTOOL_SETTINGS_H

#include "base/arena.h"
#include "golang/goenv.h"
#include "golang/toolchain.h"

/* A setting and where it comes from, for people. */
struct sw_go_setting {
    struct sw_str value;
    const char *origin; /* "environment", "go env file", "go.env of go1.21.3", "default"; arena */
};

struct sw_go_settings {
    struct sw_go_setting goproxy, gosumdb, gotoolchain;
    struct sw_str gonosumdb, gonoproxy, goflags;
    struct sw_str site;    /* base address of archives and index, no final slash */
    struct sw_str mirror;  /* directory or address; "" none */
    struct sw_str sources; /* "mirror,proxy,site" */
    struct sw_go_platform platform;
    bool offline;
};

#define SW_GO_SITE_DEFAULT "https://go.dev/dl"

/* goroot (may be NULL): the toolchain whose go.env counts where nothing else sets a value. The
 * values are in the arena. SW_UNSUPPORTED on a machine that Go has no name for. */
SW_NODISCARD enum sw_code sw_go_settings_read(struct sw_arena *a, const char *goroot,
                                              struct sw_go_settings *ret, struct sw_error *err);

/* Whether the checksum database is not to be asked for toolchains, and why ("GOSUMDB=off"); NULL
 * where it is. */
const char *sw_go_settings_nosumdb(const struct sw_go_settings *s);
/* GOFLAGS=-insecure: certificates of the proxy are not checked either. */
bool sw_go_settings_insecure(const struct sw_go_settings *s);

#endif
