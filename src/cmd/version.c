#include <string.h>
#include <sys/utsname.h>

#include "cmd/table.h"
#include "cmd/version.h"
#include "commit.h"

#ifdef __clang__
#define SW_COMPILER __VERSION__
#else
#define SW_COMPILER "gcc " __VERSION__
#endif

const char *sw_version_text(void) { return SW_VERSION; }

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    (void)err;
    struct utsname host;
    uname(&host);
    if (inv->format && !strcmp(inv->format, "json")) {
        printf("{\"version\":\"%s\",\"commit\":\"%s\",\"compiler\":\"%s\",\"os\":\"linux\","
               "\"machine\":\"%s\"}\n",
               SW_VERSION, SW_COMMIT, SW_COMPILER, host.machine);
    } else {
        printf("slipway %s (commit %s, %s, linux/%s)\n", SW_VERSION, SW_COMMIT, SW_COMPILER,
               host.machine);
    }
    return SW_OK;
}

const struct sw_command sw_cmd_version = {
    .name = "version",
    .args = "[--format json]",
    .summary = "Say which slipway this is",
    .run = run,
};
