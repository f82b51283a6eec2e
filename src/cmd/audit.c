#include "scan/audit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/vec.h"
#include "cmd/audit_session.h"
#include "cmd/go_common.h"
#include "cmd/scan_session.h"
#include "cmd/scan_state.h"
#include "cmd/table.h"
#include "codec/json_writer.h"
#include "scan/scan.h"
#include "scan/update.h"
#include "store/tags.h"

static const struct sw_option options[] = {
    {"plan", 0, NULL, "group the images by what clears them"},
    {"changed", 0, NULL, "only images whose advisories changed since they were last judged"},
    {"policy", 0, "FILE", "the rules of the verdict (YAML)"},
    SCAN_DB_OPTIONS,
    {"platform", 0, "OS/ARCH", "which image of several"},
    REMOTE_OPTIONS,
    {"go-newest", 0, "N", "the newest Go line that exists (27 for 1.27), if the advisories lag"},
    {NULL},
};

/* A name, or the beginning of one before a star, against names with and without registry and tag.
 */
static bool is_wanted(const struct audit_session *s, const struct sw_image *image) {
    if (s->inv->n_args == 0) return true;
    for (int i = 0; i < s->inv->n_args; i++) {
        struct sw_str pattern = sw_str(s->inv->args[i]);
        if (audit_is_registry(s->inv->args[i])) continue;
        bool open = sw_str_ends(pattern, SW_STR("*"));
        if (open) pattern.len--;
        const struct sw_str names[] = {image->name, image->familiar};
        for (int n = 0; n < 2; n++) {
            struct sw_str name = names[n];
            if (!sw_str_starts(name, pattern)) continue;
            char next = name.len == pattern.len ? 0 : name.ptr[pattern.len];
            if (open || next == 0 || next == ':' || next == '@') return true;
        }
    }
    return false;
}

static enum sw_code read_inventory(struct audit_session *s, struct sw_arena *a,
                                   const struct audit_target *image, const char *layers,
                                   struct sw_inventory *ret, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str digest = sw_digest_format(&image->target.digest, text);
    struct sw_scan_options o = {.kind = SW_SCAN_IMAGE,
                                .cache_dir = layers,
                                .temp_dir = sw_scan_temp_dir(),
                                .platform = sw_opt(s->inv, "platform"),
                                .pool = s->pool};
    if (image->repository.len) {
        o.target = sw_arena_printf(a, SW_SCAN_REGISTRY_PREFIX "%.*s@%.*s",
                                   SW_ARG(image->repository), SW_ARG(digest))
                       .ptr;
        o.remote = remote_lazy_session;
        o.remote_context = &s->remote;
        return sw_scan_inventory(a, &o, ret, NULL, err);
    }
    enum sw_code code = SW_NOT_FOUND;
    if (!o.platform) code = sw_scan_known(a, s->store, layers, &image->target, ret, err);
    if (code != SW_NOT_FOUND) return code;
    o.target = sw_arena_cstr(a, digest);
    o.store = s->store;
    return sw_scan_inventory(a, &o, ret, NULL, err);
}

enum sw_code audit_judge(struct audit_session *s, const struct audit_target *image,
                         struct sw_error *err) {
    struct sw_arena *a = s->inv->arena;
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_inventory inventory = {0};
    struct sw_str digest = sw_arena_str(a, sw_digest_format(&image->target.digest, text));
    struct sw_str name = image->name.len ? image->name : digest;
    bool known = false, changed = true;
    enum sw_code code =
        sw_audit_index_changed(s->index, &s->db.advdb, digest, &known, &changed, err);
    if (code) return code;
    s->seen++;
    if (sw_opt_flag(s->inv, "changed") && known && !changed) {
        s->skipped++;
        return SW_OK;
    }
    struct sw_audit_row *row = sw_vec_push(&s->rows);
    const char *layers = sw_arena_printf(a, "%s/layers", s->dir).ptr;
    code = read_inventory(s, a, image, layers, &inventory, err);
    if (!code) {
        inventory.target = name;
        code = sw_audit_image(a, &s->db.advdb, &s->releases, &inventory, &s->policy,
                              s->status.oldest_fetch, s->now, row, err);
    }
    if (!code) code = sw_audit_index_put(s->index, &s->db.advdb, digest, &inventory, err);
    row->digest = digest;
    return code ? audit_cannot(s, row, name, code, err) : SW_OK;
}

enum sw_code audit_cannot(struct audit_session *s, struct sw_audit_row *row, struct sw_str name,
                          enum sw_code code, const struct sw_error *err) {
    if (code == SW_CANCELLED) return code;
    row->image = name;
    row->verdict = SW_VERDICT_CANNOT_TELL;
    row->action = sw_arena_printf(s->inv->arena, "cannot be scanned: %s", err->text);
    sw_strs_add(s->inv->arena, &row->reasons, row->action);
    return SW_OK;
}

/* --- output ---------------------------------------------------------------------------------- */

static const char *state_name(enum sw_go_state s) {
    static const char *const names[] = {"-", "unknown", "supported", "ended"};
    return names[s];
}

static void print_table(const struct audit_session *s) {
    size_t width = 5;
    for (size_t i = 0; i < s->rows.len; i++)
        if (s->rows.ptr[i].image.len > width) width = s->rows.ptr[i].image.len;
    if (width > 48) width = 48;
    printf("%-*s  %-10s  %-9s  %4s %4s %4s %4s %4s  %-11s  %s\n", (int)width, "IMAGE", "GO",
           "SUPPORT", "CRIT", "HIGH", "MED", "LOW", "UNKN", "VERDICT", "ACTION");
    for (size_t i = 0; i < s->rows.len; i++) {
        const struct sw_audit_row *r = &s->rows.ptr[i];
        const size_t *c = r->counts;
        printf("%-*.*s  %-10.*s  %-9s  %4zu %4zu %4zu %4zu %4zu  %-11s  %.*s\n", (int)width,
               SW_ARG(r->image), SW_ARG(r->go_version.len ? r->go_version : SW_STR("-")),
               state_name(r->go_state), c[SW_SEVERITY_CRITICAL], c[SW_SEVERITY_HIGH],
               c[SW_SEVERITY_MEDIUM], c[SW_SEVERITY_LOW], c[SW_SEVERITY_UNKNOWN],
               sw_verdict_name(r->verdict), SW_ARG(r->action));
    }
    if (s->skipped) printf("%zu of %zu images: nothing changed\n", s->skipped, s->seen);
}

static void put_row(struct sw_json_writer *w, const struct sw_audit_row *r) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "image", r->image);
    sw_json_put_str(w, "digest", r->digest);
    sw_json_put_str_opt(w, "goVersion", r->go_version);
    if (r->go_state) sw_json_put_text(w, "goSupport", state_name(r->go_state));
    sw_json_key(w, "counts");
    sw_json_begin_object(w);
    for (int i = SW_SEVERITY_COUNT - 1; i >= 0; i--)
        sw_json_put_int(w, sw_severity_name((enum sw_severity)i), (int64_t)r->counts[i]);
    sw_json_end_object(w);
    sw_json_put_int(w, "goFindings", (int64_t)r->go_findings);
    sw_json_put_text(w, "verdict", sw_verdict_name(r->verdict));
    sw_json_put_strs_opt(w, "reasons", &r->reasons);
    sw_json_put_str_opt(w, "goTarget", r->go_target);
    sw_json_key(w, "modules");
    sw_json_begin_array(w);
    for (size_t i = 0; i < r->n_bumps; i++) {
        sw_json_begin_object(w);
        sw_json_put_str(w, "module", r->bumps[i].module);
        sw_json_put_str(w, "from", r->bumps[i].from);
        sw_json_put_str_opt(w, "to", r->bumps[i].to);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
    sw_json_put_strs_opt(w, "remaining", &r->remaining);
    sw_json_put_str_opt(w, "action", r->action);
    sw_json_end_object(w);
}

static void print_json(const struct audit_session *s) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, SW_JSON_INDENT);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < s->rows.len; i++) put_row(&w, &s->rows.ptr[i]);
    sw_json_end_array(&w);
    printf("%.*s\n", SW_ARG(sw_buf_str(&out)));
}

/* Whether an earlier row has the same need. */
static bool seen_release(const struct audit_session *s, size_t row) {
    for (size_t i = 0; i < row; i++)
        if (sw_str_eq(s->rows.ptr[i].go_target, s->rows.ptr[row].go_target)) return true;
    return false;
}

static void print_plan(const struct audit_session *s) {
    for (size_t i = 0; i < s->rows.len; i++) {
        const struct sw_audit_row *r = &s->rows.ptr[i];
        if (!r->go_target.len || seen_release(s, i)) continue;
        printf("rebuild with Go %.*s:\n", SW_ARG(r->go_target));
        for (size_t j = i; j < s->rows.len; j++)
            if (sw_str_eq(s->rows.ptr[j].go_target, r->go_target))
                printf("  %.*s (%.*s)\n", SW_ARG(s->rows.ptr[j].image),
                       SW_ARG(s->rows.ptr[j].go_version));
    }
    for (size_t i = 0; i < s->rows.len; i++) {
        const struct sw_audit_row *r = &s->rows.ptr[i];
        if (r->n_bumps) printf("modules of %.*s:\n", SW_ARG(r->image));
        for (size_t j = 0; j < r->n_bumps; j++) {
            const struct sw_audit_bump *b = &r->bumps[j];
            printf("  %.*s %.*s -> %.*s\n", SW_ARG(b->module), SW_ARG(b->from),
                   SW_ARG(b->to.len ? b->to : SW_STR("no version is known to help")));
        }
        for (size_t j = 0; j < r->remaining.len; j++)
            printf("  left after that: %.*s\n", SW_ARG(r->remaining.ptr[j]));
    }
    for (size_t i = 0; i < s->rows.len; i++) {
        const struct sw_audit_row *r = &s->rows.ptr[i];
        if (r->verdict == SW_VERDICT_CANNOT_TELL && r->reasons.len)
            printf("cannot tell about %.*s: %.*s\n", SW_ARG(r->image), SW_ARG(r->reasons.ptr[0]));
    }
}

/* --- the command ----------------------------------------------------------------------------- */

static enum sw_code open_all(struct audit_session *s, struct sw_error *err) {
    const char *policy = sw_opt(s->inv, "policy");
    uint64_t newest = go_newest_line(s->inv);
    enum sw_code code = sw_scan_state_dir(s->inv, &s->root, &s->dir, err);
    if (!code) code = sw_opt_u64(s->inv, "go-newest", &newest, err);
    sw_policy_default(&s->policy);
    if (!code && policy) {
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, 0);
        code = sw_read_file_at(AT_FDCWD, policy, 1 << 20, &text, err);
        if (!code)
            code = sw_policy_parse(s->inv->arena, sw_arena_str(s->inv->arena, sw_buf_str(&text)),
                                   &s->policy, err);
    }
    if (!code) code = sw_scan_database_open(s->inv, s->dir, &s->db, err);
    if (!code) code = sw_scan_db_status(s->inv->arena, &s->db, &s->status, err);
    if (!code)
        code =
            sw_go_releases_read(s->inv->arena, &s->db.advdb, (unsigned)newest, &s->releases, err);
    struct sw_store_options store = {.root = s->root};
    if (!code) code = sw_store_open(&store, &s->store, err);
    const char *index = sw_arena_printf(s->inv->arena, "%s/" INDEX_NAME, s->dir).ptr;
    return code ? code : sw_audit_index_open(index, &s->index, err);
}

static enum sw_code audit_store(struct audit_session *s, struct sw_error *err) {
    struct sw_images images;
    enum sw_code code = sw_tags_list(s->store, s->inv->arena, &images, err);
    for (size_t i = 0; !code && i < images.len; i++) {
        struct audit_target target = {.name = images.ptr[i].familiar,
                                      .target = images.ptr[i].target};
        if (is_wanted(s, &images.ptr[i])) code = audit_judge(s, &target, err);
    }
    return code;
}

static enum sw_code audit(struct audit_session *s, struct sw_error *err) {
    enum sw_code code = open_all(s, err);
    bool local = s->inv->n_args == 0;
    if (code) return code;
    s->pool = sw_pool_new(0, 0);
    for (int i = 0; i < s->inv->n_args && !code; i++) {
        if (audit_is_registry(s->inv->args[i]))
            code = audit_registry(s, s->inv->args[i], err);
        else
            local = true;
    }
    if (!code && local) code = audit_store(s, err);
    if (!code) code = sw_audit_index_save(s->index, s->dir, INDEX_NAME, err);
    if (code) return code;
    if (s->inv->n_args && !s->seen)
        return sw_fail(err, SW_NOT_FOUND, "no image is named so: %s", s->inv->args[0]);
    if (s->inv->format && !strcmp(s->inv->format, "json"))
        print_json(s);
    else if (sw_opt_flag(s->inv, "plan"))
        print_plan(s);
    else
        print_table(s);
    for (size_t i = 0; i < s->rows.len; i++) {
        enum sw_verdict v = s->rows.ptr[i].verdict;
        if (v == SW_VERDICT_FAIL)
            s->inv->exit_status = SW_EXIT_FAIL;
        else if (v == SW_VERDICT_CANNOT_TELL && !s->inv->exit_status)
            s->inv->exit_status = SW_EXIT_CANNOT_TELL;
    }
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct audit_session s = {.inv = inv, .now = sw_now_unix_s()};
    remote_lazy_init(&s.remote, inv);
    inv->arena->cap = (size_t)8 << 30;
    enum sw_code code = audit(&s, err);
    sw_vec_done(&s.rows);
    sw_audit_index_free(s.index);
    sw_pool_free(s.pool);
    sw_store_free(s.store);
    sw_scan_db_close(&s.db);
    remote_lazy_done(&s.remote);
    return code;
}

const struct sw_command sw_cmd_audit = {
    .name = "audit",
    .args = "[REPOSITORY|REGISTRY...]",
    .summary = "One row per image: Go version, support, findings, what to do",
    .description =
        "Judges every image of the store (or of the repositories that are named; a final * "
        "stands for anything) by the policy. Images whose layers were scanned before are not "
        "read again.\n\nA registry (HOST:PORT, registry.example.org) stands for all tags of all "
        "its "
        "repositories, docker://HOST/PATTERN[:TAGS] for some of them; layers are read as they "
        "arrive, and only those that were never scanned.\n\n--plan groups the work: which images "
        "are rebuilt with which Go release, "
        "which modules are raised to which version; the result is proved by comparing the "
        "planned versions with the advisories again, and what would be left is listed.\n\n"
        "--changed judges again only those images about whose packages something new is known. "
        "The exit status is that of the worst verdict: 0 pass, 11 cannot tell, 10 fail.",
    .examples = "slipway audit\n"
                "slipway audit --plan registry.example/team/*\n"
                "slipway audit registry.example 'docker://other.example/prod/*:v*'\n"
                "slipway db update && slipway audit --changed",
    .options = options,
    .max_args = -1,
    .run = run,
};
