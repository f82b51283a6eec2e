#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "cmd/remote_common.h"
#include "cmd/session.h"
#include "cmd/table.h"

static const struct sw_option options[] = {
    {"platform", 0, "PLATFORM", "take one platform of an image for several", 0, NULL, NULL},
    {"referrers", 0, NULL, "signatures and attestations, too", 0, NULL, NULL},
    {"jobs", 'j', "N", "blobs at once (4)", 0, NULL, NULL},
    REMOTE_OPTIONS,
    {NULL},
};

static enum sw_code parse_place(struct sw_invocation *inv, const char *text, bool target,
                                struct sw_remote *r, struct sw_store **store, struct sw_place *ret,
                                int *ret_dir, struct sw_error *err) {
    struct sw_str s = sw_str(text), path;
    struct sw_place p = {.kind = SW_PLACE_REGISTRY, .remote = r};
    if (sw_str_starts(s, SW_STR("oci:"))) {
        p.kind = SW_PLACE_LAYOUT;
        sw_str_cut(sw_str_from(s, 4), ':', &path, &p.name);
        enum sw_code code = sw_layout_open(sw_arena_cstr(inv->arena, path), target, ret_dir, err);
        p.dir = *ret_dir;
        *ret = p;
        return code;
    }
    if (sw_str_starts(s, SW_STR("store:"))) {
        struct sw_store_options o = {.root = inv->root};
        p.kind = SW_PLACE_STORE;
        p.name = sw_str_from(s, 6);
        enum sw_code code = *store ? SW_OK : sw_store_open(&o, store, err);
        p.store = *store;
        *ret = p;
        return code;
    }
    enum sw_code code = remote_reference(inv, text, &p.ref, err);
    *ret = p;
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_remote *r REMOTE = NULL;
    struct sw_store *store = NULL;
    struct sw_place from, to;
    struct sw_copy_options o = {.referrers = sw_opt_flag(inv, "referrers")};
    struct sw_copy_result result;
    uint64_t jobs = 0;
    SW_FD int from_dir = -1;
    SW_FD int to_dir = -1;
    const char *platform = sw_opt(inv, "platform");
    sw_cancel_install();
    enum sw_code code = sw_opt_u64(inv, "jobs", &jobs, err);
    if (!code && jobs > 64) code = sw_fail(err, SW_USAGE, "--jobs: at most 64");
    if (!code && platform) code = remote_platform(inv, platform, &o.platform, err);
    if (!code) code = remote_open(inv, &r, err);
    if (!code) code = parse_place(inv, inv->args[0], false, r, &store, &from, &from_dir, err);
    if (!code) code = parse_place(inv, inv->args[1], true, r, &store, &to, &to_dir, err);
    if (!code) {
        o.parallel = (unsigned)jobs;
        code = sw_copy_image(inv->arena, &from, &to, &o, &result, err);
    }
    if (!code) remote_report(&result, "copied");
    sw_store_free(store);
    return code;
}

const struct sw_command sw_cmd_copy = {
    .name = "copy",
    .args = "[OPTIONS] FROM TO",
    .summary = "Copy an image between registries, layouts and the store",
    .description = "FROM and TO are names in a registry, oci:DIRECTORY[:TAG] or store:IMAGE. All "
                   "platforms are copied unless --platform names one. Within one registry blobs "
                   "are linked, not sent.",
    .examples =
        "slipway copy docker.io/library/busybox:1.36 registry.example.org/base/busybox:1.36\n"
        "slipway copy registry.example.org/app:1 oci:image:1",
    .options = options,
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
