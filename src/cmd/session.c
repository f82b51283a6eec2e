#include "cmd/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"

static bool has_option(const struct sw_command *c, const char *name) {
    for (const struct sw_option *o = c->options; o && o->name; o++)
        if (!strcmp(o->name, name)) return true;
    return false;
}

enum sw_code sw_session_progress(const struct sw_invocation *inv, struct sw_progress **ret,
                                 struct sw_error *err) {
    enum sw_progress_mode mode = SW_PROGRESS_AUTO;
    const char *text = has_option(inv->command, "progress") ? sw_opt(inv, "progress") : NULL;
    if (!text) text = getenv("BUILDKIT_PROGRESS");
    if (text && *text && !sw_progress_mode_parse(sw_str(text), &mode))
        return sw_fail(err, SW_USAGE, "--progress %s: want auto, plain, tty, rawjson or quiet",
                       text);
    if (has_option(inv->command, "quiet") && sw_opt_flag(inv, "quiet")) mode = SW_PROGRESS_QUIET;
    *ret = sw_progress_new(mode, STDERR_FILENO, inv->color_err);
    return SW_OK;
}

/* --store-cap, else SLIPWAY_STORE_CAP. */
static enum sw_code read_cap(const struct sw_invocation *inv, uint64_t *ret, struct sw_error *err) {
    const char *text = has_option(inv->command, "store-cap") ? sw_opt(inv, "store-cap") : NULL;
    if (!text) text = getenv("SLIPWAY_STORE_CAP");
    if (!text || !*text || sw_str_size(sw_str(text), ret)) return SW_OK;
    return sw_fail(err, SW_USAGE, "a store cap of \"%s\": want a size such as 20g", text);
}

enum sw_code sw_session_open(const struct sw_invocation *inv, unsigned flags,
                             struct sw_session *ret, struct sw_error *err) {
    SW_BUF struct sw_buf root;
    sw_buf_init(&root, 4096);
    *ret = (struct sw_session){0};
    /* Whose store it is does not depend on who we are inside a namespace: decide before. */
    enum sw_code code = SW_OK;
    if (inv->root) {
        sw_buf_add_text(&root, inv->root);
    } else {
        code = sw_store_default_root(getenv, geteuid(), &root, err);
    }
    sw_cancel_install();
    if (!code && (flags & SW_SESSION_ROOT)) code = sw_userns_enter(&ret->userns, err);
    if (code) return code;
    struct sw_store_options options = {.root = root.ptr};
    code = read_cap(inv, &options.cap_bytes, err);
    if (!code) code = sw_store_open(&options, &ret->store, err);
    /* Looking is possible where writing is not. */
    if (code && (flags & SW_SESSION_READ_ONLY)) {
        struct sw_error second = {0};
        options.read_only = true;
        if (!sw_store_open(&options, &ret->store, &second)) code = SW_OK;
    }
    if (!code && (flags & SW_SESSION_PROGRESS))
        code = sw_session_progress(inv, &ret->progress, err);
    if (code) {
        sw_session_close(ret);
        return code;
    }
    if (flags & SW_SESSION_POOL) ret->pool = sw_pool_new(0, 0);
    return SW_OK;
}

void sw_session_close(struct sw_session *s) {
    sw_progress_free(s->progress);
    sw_pool_free(s->pool);
    sw_store_free(s->store);
    *s = (struct sw_session){0};
}
