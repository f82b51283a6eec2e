#include <stdlib.h>

#include "store/store.h"

enum sw_code sw_store_default_root(char *(*getenv_fn)(const char *), unsigned euid,
                                   struct sw_buf *to, struct sw_error *err) {
    sw_buf_reset(to);
    const char *root = getenv_fn("SLIPWAY_ROOT");
    if (root && *root) {
        sw_buf_add_text(to, root);
        return sw_buf_check(to, "SLIPWAY_ROOT", err);
    }
    if (euid == 0) {
        sw_buf_add_text(to, "/var/lib/slipway");
        return SW_OK;
    }
    /* The base directory specification: a relative XDG_DATA_HOME is to be ignored. */
    const char *data = getenv_fn("XDG_DATA_HOME");
    if (data && *data == '/') {
        sw_buf_addf(to, "%s/slipway", data);
        return sw_buf_check(to, "XDG_DATA_HOME", err);
    }
    const char *home = getenv_fn("HOME");
    if (home && *home == '/') {
        sw_buf_addf(to, "%s/.local/share/slipway", home);
        return sw_buf_check(to, "HOME", err);
    }
    return sw_fail(err, SW_USAGE,
                   "finding the store: neither SLIPWAY_ROOT, XDG_DATA_HOME nor HOME is set; "
                   "give --root DIRECTORY");
}
