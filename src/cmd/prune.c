#include <string.h>

#include "cmd/age.h"
#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "store/gc.h"

static void show(void *ctx, const char *kind, const char *name, uint64_t bytes) {
    struct sw_invocation *inv = ctx;
    printf("%s %s %s\n", kind, name, sw_render_size(inv->arena, bytes));
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_gc_options o = {.dry_run = sw_opt_flag(inv, "dry-run"), .untagged = true, .ctx = inv};
    const char *age = sw_opt(inv, "unused-for");
    if (!age) age = sw_opt(inv, "filter");
    enum sw_code code = age ? sw_parse_age(age, &o.unused_s, err) : SW_OK;
    if (!code) code = sw_opt_size(inv, "keep-storage", &o.keep_bytes, err);
    if (code) return code;
    o.keep_cache = sw_opt_flag(inv, "images-only");
    o.mounts = o.keep_bytes != 0;
    if (o.dry_run || sw_opt_flag(inv, "verbose")) o.each = show;
    SW_SESSION struct sw_session session = {0};
    struct sw_gc_result result;
    code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code) code = sw_gc_run(session.store, &o, &result, err);
    if (code) return code;
    printf("%s: %s (%llu images, %llu cache records, %llu unpacked layers, %llu blobs, %llu cache "
           "mounts); %s left\n",
           o.dry_run ? "Would free" : "Freed", sw_render_size(inv->arena, result.freed_bytes),
           (unsigned long long)result.images, (unsigned long long)result.records,
           (unsigned long long)result.snapshots, (unsigned long long)result.blobs,
           (unsigned long long)result.mounts, sw_render_size(inv->arena, result.kept_bytes));
    return SW_OK;
}

static const struct sw_option options[] = {
    {"unused-for", 0, "AGE", "only what was not used for so long: 24h, 7d", 0, NULL, NULL},
    {"filter", 0, "until=AGE", "the same, as docker writes it", 0, NULL, NULL},
    {"keep-storage", 0, "SIZE", "stop once the store is this small", 0, NULL, NULL},
    {"images-only", 0, NULL, "leave the build cache alone", 0, NULL, NULL},
    {"dry-run", 'n', NULL, "say what would be removed", 0, NULL, NULL},
    {"verbose", 'v', NULL, "say what is removed", 0, NULL, NULL},
    {"all", 'a', NULL, "docker's: all unused cache is always meant", SW_OPT_IGNORED, NULL, NULL},
    {"force", 'f', NULL, "docker's: nothing is asked", SW_OPT_IGNORED, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_prune = {
    .name = "prune",
    .args = "[OPTIONS]",
    .summary = "Remove what is not needed: images without a name, cache, unpacked layers",
    .description =
        "What has a name or is in use by a running build or container is never removed. Cache "
        "mounts go with --keep-storage only, when it is their turn; see also `slipway cache "
        "prune`.",
    .examples = "  slipway prune --unused-for 7d\n  slipway prune --keep-storage 10g",
    .options = options,
    .run = run,
};
