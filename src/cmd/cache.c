/* slipway cache list, du, prune. */
#include <string.h>

#include "base/clock.h"
#include "cmd/age.h"
#include "cmd/render.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "store/cache.h"
#include "store/cache_mounts.h"
#include "store/gc.h"

/* ---- list ---- */

struct listing {
    struct sw_invocation *inv;
    struct sw_json_writer w;
    struct sw_table *t;
    int64_t now;
};

static void list_mount(struct listing *l, const struct sw_cache_mount *m) {
    struct sw_arena *a = l->inv->arena;
    if (l->inv->format) {
        sw_json_begin_object(&l->w);
        sw_json_put_text(&l->w, "Kind", "mount");
        sw_json_put_str(&l->w, "ID", m->id);
        sw_json_put_str(&l->w, "Name", m->name);
        sw_json_put_int(&l->w, "Size", (int64_t)m->size_bytes);
        sw_json_put_int(&l->w, "Entries", (int64_t)m->n_entries);
        sw_json_put_int(&l->w, "LastUse", m->last_use);
        sw_json_put_bool(&l->w, "InUse", m->in_use);
        sw_json_end_object(&l->w);
        return;
    }
    sw_table_add(
        l->t, (const char *[]){"mount", sw_arena_cstr(a, m->id), sw_render_size(a, m->size_bytes),
                               m->in_use ? "in use" : sw_render_ago(a, m->last_use, l->now)});
}

static enum sw_code list_record(void *ctx, const struct sw_cache_record *r, struct sw_error *err) {
    struct listing *l = ctx;
    struct sw_arena *a = l->inv->arena;
    struct sw_digest d = {.alg = SW_SHA256};
    char hex[SW_DIGEST_TEXT_MAX];
    memcpy(d.bytes, r->key, SW_CACHE_KEY_SIZE);
    sw_digest_hex(&d, hex);
    if (l->inv->format) {
        sw_json_begin_object(&l->w);
        sw_json_put_text(&l->w, "Kind", "step");
        sw_json_put_text(&l->w, "ID", hex);
        sw_json_put_int(&l->w, "Created", r->created);
        sw_json_put_int(&l->w, "LastUse", r->last_use);
        sw_json_end_object(&l->w);
    } else {
        hex[12] = '\0';
        sw_table_add(l->t, (const char *[]){"step", sw_arena_cstr(a, sw_str(hex)), "",
                                            sw_render_ago(a, r->last_use, l->now)});
    }
    return sw_arena_check(a, "the list", err);
}

static enum sw_code run_list(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    SW_BUF struct sw_buf json;
    struct sw_cache_mounts mounts;
    struct listing l = {.inv = inv, .now = sw_now_unix_s()};
    sw_buf_init(&json, 0);
    sw_json_writer_init(&l.w, &json, 0);
    l.t = sw_table_new(inv->arena, 4);
    sw_table_add(l.t, (const char *[]){"KIND", "ID", "SIZE", "LAST USE"});
    enum sw_code code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code) code = sw_cache_mounts_list(session.store, inv->arena, true, &mounts, err);
    if (code) return code;
    sw_json_begin_array(&l.w);
    for (size_t i = 0; i < mounts.len; i++) list_mount(&l, &mounts.ptr[i]);
    if (sw_opt_flag(inv, "all")) code = sw_cache_list(session.store, list_record, &l, err);
    sw_json_end_array(&l.w);
    if (code) return code;
    if (inv->format) return sw_render_rows(inv, sw_buf_str(&json), err);
    sw_table_print(l.t, stdout);
    return SW_OK;
}

static const struct sw_option list_options[] = {
    {"all", 'a', NULL, "records of steps, too", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_cache_list = {
    .name = "cache list",
    .aliases = "ls",
    .args = "[OPTIONS]",
    .summary = "List cache mounts with their sizes and last use",
    .options = list_options,
    .run = run_list,
};

/* ---- du ---- */

static enum sw_code run_du(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    struct sw_du du;
    enum sw_code code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code) code = sw_du_read(session.store, &du, err);
    if (code) return code;
    const struct {
        const char *name;
        uint64_t count, bytes;
    } kinds[] = {{"Cache mounts", du.mounts.count, du.mounts.bytes},
                 {"Steps", du.cache.count, du.cache.bytes},
                 {"Unpacked layers", du.snapshots.count, du.snapshots.bytes}};
    SW_BUF struct sw_buf json;
    struct sw_json_writer w;
    sw_buf_init(&json, 0);
    sw_json_writer_init(&w, &json, 0);
    sw_json_begin_array(&w);
    struct sw_table *t = sw_table_new(inv->arena, 3);
    sw_table_add(t, (const char *[]){"KIND", "COUNT", "SIZE"});
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sw_json_begin_object(&w);
        sw_json_put_text(&w, "Kind", kinds[i].name);
        sw_json_put_int(&w, "Count", (int64_t)kinds[i].count);
        sw_json_put_int(&w, "Size", (int64_t)kinds[i].bytes);
        sw_json_end_object(&w);
        sw_table_add(
            t, (const char *[]){
                   kinds[i].name,
                   sw_arena_printf(inv->arena, "%llu", (unsigned long long)kinds[i].count).ptr,
                   sw_render_size(inv->arena, kinds[i].bytes)});
    }
    sw_json_end_array(&w);
    if (inv->format) return sw_render_rows(inv, sw_buf_str(&json), err);
    sw_table_print(t, stdout);
    return SW_OK;
}

const struct sw_command sw_cmd_cache_du = {
    .name = "cache du",
    .args = "",
    .summary = "Show what the build cache takes on disk",
    .run = run_du,
};

/* ---- prune ---- */

static bool is_named(const char *const *ids, size_t n, const struct sw_cache_mount *m) {
    for (size_t i = 0; i < n; i++)
        if (sw_cache_mount_is(m, sw_str(ids[i]))) return true;
    return n == 0;
}

static enum sw_code prune_mounts(struct sw_invocation *inv, struct sw_store *store, int64_t age_s,
                                 uint64_t keep_bytes, struct sw_error *err) {
    struct sw_cache_mounts mounts;
    size_t n_ids, n = 0, busy = 0;
    uint64_t total = 0, freed = 0;
    int64_t now = sw_now_unix_s();
    const char *const *ids = sw_opt_list(inv, "id", &n_ids);
    bool dry = sw_opt_flag(inv, "dry-run");
    enum sw_code code = sw_cache_mounts_list(store, inv->arena, true, &mounts, err);
    if (code) return code;
    for (size_t i = 0; i < mounts.len; i++) total += mounts.ptr[i].size_bytes;
    bool *done = sw_arena_array(inv->arena, mounts.len + 1, sizeof *done);
    for (size_t round = 0; round < mounts.len; round++) {
        /* The one that was not used for the longest time. */
        size_t at = mounts.len;
        for (size_t i = 0; i < mounts.len; i++)
            if (!done[i] && (at == mounts.len || mounts.ptr[i].last_use < mounts.ptr[at].last_use))
                at = i;
        const struct sw_cache_mount *m = &mounts.ptr[at];
        done[at] = true;
        if (!is_named(ids, n_ids, m) || now - m->last_use < age_s) continue;
        if (keep_bytes && total <= keep_bytes) break;
        if (!dry) code = sw_cache_mount_remove(store, m, err);
        if (code == SW_BUSY || (dry && m->in_use)) {
            busy++;
            code = SW_OK;
            sw_error_clear(err);
            continue;
        }
        if (code) return code;
        n++;
        total -= m->size_bytes;
        freed += m->size_bytes;
        if (dry || sw_opt_flag(inv, "verbose"))
            printf("mount %.*s %s\n", SW_ARG(m->id), sw_render_size(inv->arena, m->size_bytes));
    }
    printf("%s: %s (%zu cache mounts", dry ? "Would free" : "Freed",
           sw_render_size(inv->arena, freed), n);
    if (busy) printf("; %zu in use", busy);
    printf("); %s left\n", sw_render_size(inv->arena, total));
    return SW_OK;
}

static enum sw_code run_prune(struct sw_invocation *inv, struct sw_error *err) {
    SW_SESSION struct sw_session session = {0};
    int64_t age_s = 0;
    uint64_t keep_bytes = 0;
    const char *age = sw_opt(inv, "unused-for");
    enum sw_code code = age ? sw_parse_age(age, &age_s, err) : SW_OK;
    if (!code) code = sw_opt_size(inv, "keep-storage", &keep_bytes, err);
    if (!code) code = sw_session_open(inv, SW_SESSION_ROOT, &session, err);
    if (!code) code = prune_mounts(inv, session.store, age_s, keep_bytes, err);
    return code;
}

static const struct sw_option prune_options[] = {
    {"id", 0, "ID", "only the mounts of this id", SW_OPT_LIST, NULL, NULL},
    {"unused-for", 0, "AGE", "only what was not used for so long: 24h, 7d", 0, NULL, NULL},
    {"keep-storage", 0, "SIZE", "stop once all mounts together are this small", 0, NULL, NULL},
    {"dry-run", 'n', NULL, "say what would be removed", 0, NULL, NULL},
    {"verbose", 'v', NULL, "say what is removed", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_cache_prune = {
    .name = "cache prune",
    .args = "[OPTIONS]",
    .summary = "Empty cache mounts, those unused for longest first",
    .description = "Mounts that a build uses at this moment are left alone. Records of steps and "
                   "unpacked layers are `slipway prune`'s.",
    .examples = "  slipway cache prune --id gomod\n"
                "  slipway cache prune --unused-for 7d\n"
                "  slipway cache prune --keep-storage 5g",
    .options = prune_options,
    .run = run_prune,
};
