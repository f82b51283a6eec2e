#include "registry/gc.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/vec.h"
#include "codec/json.h"
#include "registry/access.h"
#include "registry/audit.h"
#include "registry/route.h"

#define BATCH 200                     /* rows of one transaction: others wait that long */
#define ORPHAN_AGE_S ((int64_t)86400) /* an upload that began outside the metadata has ended */
#define DAY_S ((int64_t)86400)

struct gc {
    struct sw_meta *m;
    struct sw_blobs *b;
    const struct sw_gc_options *o;
    struct sw_gc_report *report;
    int64_t before_s; /* what was touched later stays */
};

/* ---- retention ---- */

struct keep {
    int64_t last, days, untagged_days;
    struct sw_str pattern;
    bool deployed;
};

static enum sw_code read_keep(struct sw_arena *a, struct sw_str value, struct keep *ret,
                              struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct keep k = {.last = -1, .days = -1, .untagged_days = -1, .deployed = true};
    enum sw_code code = sw_json_parse(a, value, NULL, &root, err);
    if (!code) code = sw_json_opt_int(root, "keep_last", &k.last, err);
    if (!code) code = sw_json_opt_int(root, "keep_days", &k.days, err);
    if (!code) code = sw_json_opt_int(root, "untagged_days", &k.untagged_days, err);
    if (!code) code = sw_json_opt_str(root, "keep", &k.pattern, err);
    if (!code) code = sw_json_opt_bool(root, "keep_deployed", &k.deployed, err);
    if (!code) *ret = k;
    return code;
}

static enum sw_code note(struct gc *g, struct sw_tx *tx, const char *action, struct sw_str repo,
                         struct sw_str digest, struct sw_str detail, struct sw_error *err) {
    struct sw_audit_entry e = {.time_s = g->o->now_s,
                               .account = SW_STR("retention"),
                               .action = sw_str(action),
                               .repo = repo,
                               .digest = digest,
                               .detail = detail,
                               .allowed = true};
    return sw_audit_add(tx, &e, err);
}

/* Tags go when every condition that the rule names lets them go. A rule that names neither a
 * number nor days keeps all tags. */
static enum sw_code retain_tags(struct gc *g, struct sw_tx *tx, int64_t id, struct sw_str repo,
                                const struct keep *k, struct sw_error *err) {
    struct sw_sql_rows rows;
    if (k->last < 0 && k->days < 0) return SW_OK;
    enum sw_code code =
        sw_tx_do(tx, &rows, err,
                 "SELECT t.name, t.digest, t.updated, "
                 "CASE WHEN EXISTS(SELECT 1 FROM deployed d WHERE d.repo = $2 AND "
                 "d.digest = t.digest) THEN 1 ELSE 0 END "
                 "FROM tags t WHERE t.repo = $1 ORDER BY t.updated DESC, t.name DESC",
                 sw_sql_int(id), sw_sql_text(repo));
    for (size_t i = 0; !code && i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        if (k->last >= 0 && (int64_t)i < k->last) continue;
        if (k->days >= 0 && v[2].number > g->o->now_s - k->days * DAY_S) continue;
        if (k->pattern.len && sw_tag_pattern_match(k->pattern, v[0].text)) continue;
        if (k->deployed && v[3].number) continue;
        g->report->tags++;
        if (g->o->dry_run) continue;
        code = sw_tx_do(tx, NULL, err,
                        "DELETE FROM tags WHERE repo = $1 AND name = $2 AND updated = $3",
                        sw_sql_int(id), sw_sql_text(v[0].text), sw_sql_int(v[2].number));
        if (!code) code = note(g, tx, "retention.tag", repo, v[1].text, v[0].text, err);
    }
    return code;
}

/* Manifests without a tag, that no index of the repository names and that are about nothing that
 * is still there. */
static enum sw_code retain_untagged(struct gc *g, struct sw_tx *tx, int64_t id, struct sw_str repo,
                                    const struct keep *k, struct sw_error *err) {
    struct sw_sql_rows rows;
    if (k->untagged_days < 0) return SW_OK;
    int64_t before = g->o->now_s - k->untagged_days * DAY_S;
    if (before > g->before_s) before = g->before_s;
    enum sw_code code = sw_tx_do(
        tx, &rows, err,
        "SELECT m.digest FROM repo_manifests m WHERE m.repo = $1 AND m.pushed < $2 AND "
        "NOT EXISTS(SELECT 1 FROM tags t WHERE t.repo = $1 AND t.digest = m.digest) AND "
        "NOT EXISTS(SELECT 1 FROM manifest_refs f WHERE f.child = m.digest AND "
        "EXISTS(SELECT 1 FROM repo_manifests p WHERE p.repo = $1 AND p.digest = f.manifest)) AND "
        "(m.subject IS NULL OR NOT EXISTS(SELECT 1 FROM repo_manifests s WHERE s.repo = $1 AND "
        "s.digest = m.subject)) AND "
        "NOT EXISTS(SELECT 1 FROM deployed d WHERE d.repo = $3 AND d.digest = m.digest) LIMIT $4",
        sw_sql_int(id), sw_sql_int(before), sw_sql_text(repo), sw_sql_int(BATCH * 10));
    for (size_t i = 0; !code && i < rows.n_rows; i++) {
        struct sw_str digest = sw_sql_row(&rows, i)->text;
        g->report->manifests++;
        if (g->o->dry_run) continue;
        code = sw_tx_do(tx, NULL, err, "DELETE FROM repo_manifests WHERE repo = $1 AND digest = $2",
                        sw_sql_int(id), sw_sql_text(digest));
        if (!code) code = note(g, tx, "retention.manifest", repo, digest, SW_STR(""), err);
    }
    return code;
}

static enum sw_code retain_repo(struct gc *g, int64_t id, struct sw_str repo, struct sw_str value,
                                struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct keep k;
    sw_arena_init(&a, 0);
    enum sw_code code = read_keep(&a, value, &k, err);
    if (!code) code = sw_tx_begin(g->m, &a, g->o->dry_run ? SW_TX_READ : SW_TX_DURABLE, &tx, err);
    if (!code) code = retain_tags(g, &tx, id, repo, &k, err);
    if (!code) code = retain_untagged(g, &tx, id, repo, &k, err);
    return code ? code : sw_tx_commit(&tx, err);
}

static enum sw_code retention(struct gc *g, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rules, repos;
    sw_arena_init(&a, (size_t)1 << 30);
    enum sw_code code = sw_tx_begin(g->m, &a, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_ask(&tx, &rules, err,
                         "SELECT pattern, value FROM rules WHERE kind = 'retention' ORDER BY id");
    if (!code && rules.n_rows) code = sw_tx_ask(&tx, &repos, err, "SELECT id, name FROM repos");
    sw_tx_end(&tx);
    if (code || !rules.n_rows) return code;
    for (size_t i = 0; !code && i < repos.n_rows; i++) {
        const struct sw_sql_value *repo = sw_sql_row(&repos, i);
        for (size_t j = 0; j < rules.n_rows; j++) {
            const struct sw_sql_value *rule = sw_sql_row(&rules, j);
            if (!sw_repo_pattern_match(rule[0].text, repo[1].text)) continue;
            code = retain_repo(g, repo[0].number, repo[1].text, rule[1].text, err);
            break; /* the first rule that covers a repository is its rule */
        }
    }
    return code;
}

/* ---- links, manifests, blobs ---- */

/* One statement finds and deletes, with the conditions checked under its locks: whoever touched the
 * row meanwhile keeps it. Repeated until a batch is not full. */
static enum sw_code sweep(struct gc *g, const char *find, const char *delete, uint64_t *count,
                          struct sw_error *err) {
    for (bool more = true; more;) {
        struct sw_arena a SW_ARENA = {0};
        struct sw_tx tx SW_TX = {0};
        struct sw_sql_rows rows;
        struct sw_sql_value v[] = {sw_sql_int(g->before_s), sw_sql_int(BATCH)};
        sw_arena_init(&a, 0);
        enum sw_code code =
            sw_tx_begin(g->m, &a, g->o->dry_run ? SW_TX_READ : SW_TX_RELAXED, &tx, err);
        if (!code && g->o->dry_run) {
            code = sw_tx_run(&tx, find, v, 1, &rows, err);
            if (!code) *count += (uint64_t)sw_sql_row(&rows, 0)->number;
            return code;
        }
        if (!code) code = sw_tx_run(&tx, delete, v, 2, &rows, err);
        if (!code) code = sw_tx_commit(&tx, err);
        if (code) return code;
        *count += (uint64_t)rows.changes;
        more = rows.changes >= BATCH;
    }
    return SW_OK;
}

/* Nested, not joined: a planner that is free to choose may begin with all manifests of the
 * repository, once for each of its blobs, and the sweep of a large one takes hours. */
#define LINKS_CONDITION                                                                            \
    "touched <= $1 AND NOT EXISTS(SELECT 1 FROM manifest_refs f "                                  \
    "WHERE f.child = repo_blobs.digest AND EXISTS(SELECT 1 FROM repo_manifests m "                 \
    "WHERE m.repo = repo_blobs.repo AND m.digest = f.manifest))"
#define MANIFESTS_CONDITION                                                                        \
    "touched <= $1 AND NOT EXISTS(SELECT 1 FROM repo_manifests m "                                 \
    "WHERE m.digest = manifests.digest)"
#define BLOBS_CONDITION                                                                            \
    "touched <= $1 AND NOT EXISTS(SELECT 1 FROM repo_blobs l WHERE l.digest = blobs.digest)"

static enum sw_code sweep_links(struct gc *g, struct sw_error *err) {
    return sweep(g, "SELECT count(*) FROM repo_blobs WHERE " LINKS_CONDITION,
                 "DELETE FROM repo_blobs WHERE (repo, digest) IN (SELECT repo, digest "
                 "FROM repo_blobs WHERE " LINKS_CONDITION " LIMIT $2) AND touched <= $1",
                 &g->report->links, err);
}

static enum sw_code sweep_manifests(struct gc *g, struct sw_error *err) {
    uint64_t refs = 0, documents = 0;
    enum sw_code code = sweep(g, "SELECT count(*) FROM manifests WHERE " MANIFESTS_CONDITION,
                              "DELETE FROM manifests WHERE digest IN (SELECT digest FROM manifests "
                              "WHERE " MANIFESTS_CONDITION " LIMIT $2) AND " MANIFESTS_CONDITION,
                              &documents, err);
    if (code || g->o->dry_run) return code;
    /* What these manifests referred to. A push that stores one again now writes both anew, after
     * its row: it cannot lose references here, because the row exists by then. */
    return sweep(g, "SELECT 0 WHERE $1 < 0",
                 "DELETE FROM manifest_refs WHERE (manifest, child) IN (SELECT manifest, child "
                 "FROM manifest_refs WHERE $1 > 0 AND NOT EXISTS(SELECT 1 FROM manifests m "
                 "WHERE m.digest = manifest_refs.manifest) LIMIT $2) AND NOT EXISTS(SELECT 1 FROM "
                 "manifests m WHERE m.digest = manifest_refs.manifest)",
                 &refs, err);
}

static enum sw_code sweep_blobs(struct gc *g, struct sw_error *err) {
    struct sw_error ignored;
    for (bool more = true; more;) {
        struct sw_arena a SW_ARENA = {0};
        struct sw_tx tx SW_TX = {0};
        struct sw_sql_rows rows;
        sw_arena_init(&a, 0);
        enum sw_code code =
            sw_tx_begin(g->m, &a, g->o->dry_run ? SW_TX_READ : SW_TX_DURABLE, &tx, err);
        if (!code && g->o->dry_run) {
            code = sw_tx_do(&tx, &rows, err,
                            "SELECT count(*), COALESCE(SUM(size), 0) FROM blobs "
                            "WHERE " BLOBS_CONDITION,
                            sw_sql_int(g->before_s));
            if (code) return code;
            g->report->blobs = (uint64_t)sw_sql_row(&rows, 0)[0].number;
            g->report->bytes = (uint64_t)sw_sql_row(&rows, 0)[1].number;
            return SW_OK;
        }
        if (!code)
            code = sw_tx_do(
                &tx, &rows, err,
                "DELETE FROM blobs WHERE digest IN (SELECT digest FROM blobs WHERE " BLOBS_CONDITION
                " LIMIT $2) AND " BLOBS_CONDITION " RETURNING location, size",
                sw_sql_int(g->before_s), sw_sql_int(BATCH));
        if (!code) code = sw_tx_commit(&tx, err);
        if (code) return code;
        for (size_t i = 0; i < rows.n_rows; i++) {
            const struct sw_sql_value *v = sw_sql_row(&rows, i);
            char location[SW_LOCATION_LEN + 1] = "";
            memcpy(location, v[0].text.ptr,
                   v[0].text.len < SW_LOCATION_LEN ? v[0].text.len : SW_LOCATION_LEN);
            /* What cannot be removed now is an orphan, and found as one later. */
            (void)!g->b->ops->remove(g->b, location, &ignored);
            g->report->blobs++;
            g->report->bytes += (uint64_t)v[1].number;
        }
        more = rows.n_rows == BATCH;
    }
    return SW_OK;
}

/* ---- orphans ---- */

static enum sw_code visit(void *context, const char *location, int64_t changed, uint64_t size,
                          struct sw_error *err) {
    struct gc *g = context;
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    int64_t age = g->o->grace_s < ORPHAN_AGE_S ? ORPHAN_AGE_S : (int64_t)g->o->grace_s;
    if (changed > g->o->now_s - age) return SW_OK;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_tx_begin(g->m, &a, SW_TX_READ, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "SELECT 1 FROM blobs WHERE location = $1 UNION ALL "
                        "SELECT 1 FROM uploads WHERE id = $1",
                        sw_sql_text(sw_str(location)));
    if (code || rows.n_rows) return code;
    g->report->orphans++;
    g->report->orphan_bytes += size;
    return g->o->dry_run ? SW_OK : g->b->ops->purge(g->b, location, err);
}

enum sw_code sw_registry_gc(struct sw_meta *m, struct sw_blobs *b, const struct sw_gc_options *o,
                            struct sw_gc_report *ret, struct sw_error *err) {
    struct sw_gc_report report = {0};
    struct gc g = {m, b, o, &report, o->now_s - o->grace_s};
    int64_t start = sw_now_mono_ns();
    enum sw_code code = retention(&g, err);
    if (!code) code = sweep_links(&g, err);
    if (!code) code = sweep_manifests(&g, err);
    if (!code) code = sweep_blobs(&g, err);
    if (!code && !o->skip_orphans) code = b->ops->list(b, visit, &g, err);
    if (code) return sw_context(err, "collecting");
    report.took_ms = (sw_now_mono_ns() - start) / 1000000;
    *ret = report;
    return SW_OK;
}
