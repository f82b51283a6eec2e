/* Attestations that a rule requires before a digest may be in a repository.
 *
 * An attestation is a manifest whose subject is the digest, with a layer that is a DSSE envelope
 * around an in-toto statement (attest/dsse.h). It may be in the repository itself or, where the
 * rule says "from", in a repository that this pattern covers. The verdict of a scan is such a
 * statement: {"predicate": TYPE, "where": {"verdict": "pass"}}.
 *
 * It fails closed: what cannot be read or verified does not count. A verdict that was once signed
 * stays while an image is scanned again, because attestations are never taken away by a scan.
 */
#include <stdlib.h>

#include "attest/dsse.h"
#include "codec/json_writer.h"
#include "registry/server_internal.h"

#define ATTESTATIONS_MAX 200 /* looked at for one digest */

struct gate {
    struct request *q;
    struct sw_str repo, digest_text;
    const struct sw_digest *digest;
    struct sw_error *err;
    enum sw_code code;
};

/* {"verdict":"pass"} holds of a predicate that has this member with this value. */
static bool where_holds(const struct sw_json *where, const struct sw_json *predicate) {
    if (!where) return true;
    if (!predicate || predicate->type != SW_JSON_OBJECT) return false;
    for (size_t i = 0; i < where->len; i++) {
        const struct sw_json *want = &where->items[i];
        char name[128];
        if (want->key.len >= sizeof name) return false;
        memcpy(name, want->key.ptr, want->key.len);
        name[want->key.len] = 0;
        const struct sw_json *got = sw_json_get(predicate, name);
        if (!got || got->type != want->type) return false;
        if (want->type == SW_JSON_STRING && !sw_str_eq(want->text, got->text)) return false;
        if (want->type == SW_JSON_BOOL && want->boolean != got->boolean) return false;
        if (want->type == SW_JSON_INT && want->integer != got->integer) return false;
        if (want->type != SW_JSON_STRING && want->type != SW_JSON_BOOL && want->type != SW_JSON_INT)
            return false;
    }
    return true;
}

static bool envelope_counts(struct sw_arena *a, struct sw_str envelope, struct gate *g,
                            struct sw_key *key, struct sw_str type, const struct sw_json *where) {
    struct sw_statement s;
    struct sw_error err;
    struct sw_key *keys[] = {key};
    return sw_dsse_open(a, envelope, keys, 1, &s, &err) == SW_OK &&
           sw_str_eq(s.predicate_type, type) && sw_statement_is_about(&s, g->digest) &&
           where_holds(where, s.predicate);
}

/* The layers of one attestation manifest. */
static bool manifest_counts(struct gate *g, struct sw_str repo, struct sw_str body,
                            struct sw_key *key, struct sw_str type, const struct sw_json *where) {
    struct sw_blobs *b = g->q->r->blobs;
    struct sw_arena a SW_ARENA = {0};
    struct sw_pushed p;
    struct sw_error err;
    bool counts = false;
    sw_arena_init(&a, (size_t)128 << 20);
    if (sw_pushed_parse(&a, body, SW_STR(""), SW_SHA256, &p, &err)) return false;
    for (size_t i = 0; !counts && i < p.n_refs; i++) {
        struct sw_tx tx SW_TX = {0};
        struct sw_blob_row row;
        if (!sw_str_is(p.refs[i].media_type, SW_MT_DSSE)) continue;
        if (p.refs[i].size > (int64_t)SW_ATTEST_BYTES_MAX) continue;
        if (sw_tx_begin(g->q->r->meta, &a, SW_TX_READ, &tx, &err) ||
            sw_blob_find(&tx, repo, &p.refs[i].digest, &row, &err) ||
            row.size > (int64_t)SW_ATTEST_BYTES_MAX)
            continue;
        char *bytes = sw_arena_alloc(&a, (size_t)row.size + 1);
        if (b->ops->read(b, sw_arena_cstr(&a, row.location), 0, bytes, (size_t)row.size, &err))
            continue;
        counts = envelope_counts(&a, sw_str_n(bytes, (size_t)row.size), g, key, type, where);
    }
    return counts;
}

static bool satisfied(struct gate *g, struct sw_str from, struct sw_key *key, struct sw_str type,
                      const struct sw_json *where) {
    struct sw_arena *a = &g->q->x->arena;
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows;
    struct sw_error err;
    if (sw_tx_begin(g->q->r->meta, a, SW_TX_READ, &tx, &err) ||
        sw_tx_do(&tx, &rows, &err,
                 "SELECT r.name, m.body FROM repo_manifests l JOIN repos r ON r.id = l.repo "
                 "JOIN manifests m ON m.digest = l.digest WHERE l.subject = $1 "
                 "ORDER BY l.pushed DESC LIMIT $2",
                 sw_sql_text(g->digest_text), sw_sql_int(ATTESTATIONS_MAX)))
        return false;
    sw_tx_end(&tx);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        bool here = sw_str_eq(v[0].text, g->repo);
        if (!here && !(from.len && sw_repo_pattern_match(from, v[0].text))) continue;
        if (manifest_counts(g, v[0].text, v[1].text, key, type, where)) return true;
    }
    return false;
}

static bool visit(void *context, const struct sw_rule *rule) {
    struct gate *g = context;
    struct sw_arena *a = &g->q->x->arena;
    const struct sw_json *root = NULL, *where = NULL;
    struct sw_str type, pem, from = SW_STR("");
    struct sw_key *key SW_CLEANUP(sw_key_freep) = NULL;
    enum sw_code code = sw_json_parse(a, rule->value, NULL, &root, g->err);
    if (!code) code = sw_json_need_str(root, "predicate", &type, g->err);
    if (!code) code = sw_json_need_str(root, "key", &pem, g->err);
    if (!code) code = sw_json_opt_str(root, "from", &from, g->err);
    if (!code) code = sw_json_opt_node(root, "where", SW_JSON_OBJECT, &where, g->err);
    if (!code) code = sw_key_from_pem(pem, &key, g->err);
    if (!code && !satisfied(g, from, key, type, where))
        code = sw_fail(g->err, SW_DENIED,
                       "%.*s may not enter %.*s: no attestation of type %.*s verifies (rule %lld)",
                       SW_ARG(g->digest_text), SW_ARG(g->repo), SW_ARG(type), (long long)rule->id);
    g->code = code ? SW_DENIED : SW_OK;
    if (code) g->err->code = SW_DENIED;
    return code == SW_OK;
}

enum sw_code gate_check(struct request *q, struct sw_str repo, const struct sw_digest *digest,
                        struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    if (!q->policy) return SW_OK;
    struct gate g = {.q = q, .repo = repo, .digest = digest, .err = err};
    g.digest_text = sw_digest_format(digest, text);
    sw_policy_rules(q->policy, SW_RULE_ATTEST, repo, visit, &g);
    return g.code;
}
