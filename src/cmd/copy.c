#include "base/proc.h"
#include "cmd/place.h"
#include "cmd/table.h"

static const struct sw_option options[] = {
    {"platform", 0, "PLATFORM", "take one platform of an image for several", 0, NULL, NULL},
    {"all", 'a', NULL, "all platforms: the default", 0, NULL, NULL},
    {"referrers", 0, NULL, "signatures, attestations and SBOMs, too", 0, NULL, NULL},
    {"jobs", 'j', "N", "blobs at once (4)", 0, NULL, NULL},
    {"quiet", 'q', NULL, "print the digest alone", 0, NULL, NULL},
    {"progress", 0, "MODE", "how progress is shown", 0, NULL, "auto|plain|tty|rawjson|quiet"},
    REMOTE_OPTIONS,
    {NULL},
};

/* A docker archive has one platform: this machine's, where none is named. */
static enum sw_code choose_platform(struct sw_invocation *inv, const struct sw_place *to,
                                    const struct sw_platform **ret, struct sw_error *err) {
    const char *platform = sw_opt(inv, "platform");
    bool docker = to->kind == SW_PLACE_ARCHIVE && to->docker;
    if (platform && sw_opt_flag(inv, "all"))
        return sw_fail(err, SW_USAGE, "--all and --platform exclude each other");
    if (!platform && !docker) return SW_OK;
    return remote_platform(inv, platform, ret, err);
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    CMD_PLACES struct cmd_places places = {0};
    SW_PLACE struct sw_place from = {0};
    SW_PLACE struct sw_place to = {0};
    struct sw_copy_options o = {.referrers = sw_opt_flag(inv, "referrers")};
    struct sw_copy_result result;
    uint64_t jobs = 0;
    sw_cancel_install();
    enum sw_code code = sw_opt_u64(inv, "jobs", &jobs, err);
    if (!code && jobs > 64) code = sw_fail(err, SW_USAGE, "--jobs: at most 64");
    if (!code) code = cmd_places_init(&places, inv, SW_SESSION_PROGRESS, err);
    if (!code) code = cmd_place_open(&places, inv->args[0], SW_PLACE_REGISTRY, false, &from, err);
    if (!code) code = cmd_place_open(&places, inv->args[1], SW_PLACE_REGISTRY, true, &to, err);
    if (!code) code = choose_platform(inv, &to, &o.platform, err);
    if (code) return code;
    o.parallel = (unsigned)jobs;
    code = cmd_copy(&places, "copy", &from, &to, &o, &result, err);
    if (!code) remote_report(inv, &result, "copied");
    return code;
}

const struct sw_command sw_cmd_copy = {
    .name = "copy",
    .args = "[OPTIONS] FROM TO",
    .summary = "Copy an image between registries, layouts, archives and the store",
    .description =
        "FROM and TO are names in a registry (docker:// may stand before them), an image layout "
        "(oci:DIRECTORY[:TAG]), an archive (oci-archive:FILE[:TAG], docker-archive:FILE[:NAME]) or "
        "an image of the store (store:IMAGE). Nothing goes through the store on the way, and "
        "digests stay what they are. All platforms are copied unless --platform names one; a "
        "docker archive holds one. Within one registry blobs are linked, not sent.",
    .examples =
        "slipway copy docker.io/library/busybox:1.36 registry.example.org/base/busybox:1.36\n"
        "slipway copy registry.example.org/app:1 oci-archive:app.tar:1\n"
        "slipway copy --referrers registry.example.org/app:1 oci:image:1",
    .options = options,
    .min_args = 2,
    .max_args = 2,
    .run = run,
};
