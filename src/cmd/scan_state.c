#include "cmd/scan_state.h"

#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"

enum sw_code sw_scan_state_dir(const struct sw_invocation *inv, const char **ret_root,
                               const char **ret_dir, struct sw_error *err) {
    SW_BUF struct sw_buf root;
    sw_buf_init(&root, 0);
    if (inv->root) {
        sw_buf_add_text(&root, inv->root);
    } else {
        enum sw_code code = sw_store_default_root(getenv, geteuid(), &root, err);
        if (code) return code;
    }
    *ret_root = sw_arena_cstr(inv->arena, sw_buf_str(&root));
    *ret_dir = sw_arena_printf(inv->arena, "%s/slipway/scan", *ret_root).ptr;
    return SW_OK;
}

const char *sw_scan_temp_dir(void) {
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/tmp";
}
