#include "cmd/scan_state.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/signing.h"
#include "codec/digest.h"
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

const char *sw_scan_db_key(const struct sw_invocation *inv, const char *given, const char *dir) {
    const char *set = getenv("SLIPWAY_DB_KEY");
    if (given) return given;
    if (set && *set) return set;
    const char *kept = sw_arena_printf(inv->arena, "%s/%s", dir, SW_SCAN_DB_KEY_NAME).ptr;
    return access(kept, F_OK) == 0 ? kept : NULL;
}

enum sw_code sw_scan_db_check_signature(const struct sw_invocation *inv,
                                        const struct sw_scan_db *db, const char *path,
                                        const char *signature, const char *key,
                                        struct sw_error *err) {
    struct sw_digest digest = sw_digest_of(SW_SHA256, sw_str_n(db->map, db->size));
    if (!signature) signature = sw_arena_printf(inv->arena, "%s%s", path, SW_SCAN_DB_SIGNATURE).ptr;
    enum sw_code code = signing_check(inv->arena, key, signature, SW_PREDICATE_DB, &digest, err);
    if (code == SW_NOT_FOUND)
        code = sw_fail(err, SW_DENIED, "it is not signed: there is no %s", signature);
    return code ? sw_context(err, "%s", path) : SW_OK;
}

enum sw_code sw_scan_database_open(const struct sw_invocation *inv, const char *dir,
                                   struct sw_scan_db *ret, struct sw_error *err) {
    const char *file = sw_opt(inv, "db");
    if (!file) return sw_scan_db_open(dir, ret, err);
    const char *key = sw_scan_db_key(inv, sw_opt(inv, "db-key"), dir);
    enum sw_code code = sw_scan_db_open_file(file, ret, err);
    if (code || !key) return code;
    code = sw_scan_db_check_signature(inv, ret, file, NULL, key, err);
    if (code) sw_scan_db_close(ret);
    return code;
}
