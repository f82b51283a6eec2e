/* What writers ask for: manifests by tag and digest, deletions. */
#include <stdlib.h>

#include "attest/dsse.h"
#include "base/clock.h"
#include "oci/media_type.h"
#include "registry/hooks.h"
#include "registry/server_internal.h"

/* ---- rules about tags ---- */

struct immutable {
    struct sw_str tag;
    bool hit;
};
static bool visit_immutable(void *context, const struct sw_rule *rule) {
    struct immutable *i = context;
    i->hit = sw_tag_pattern_match(rule->value, i->tag);
    return !i->hit;
}
static bool is_immutable(struct request *q, struct sw_str repo, struct sw_str tag) {
    struct immutable i = {.tag = tag};
    sw_policy_rules(q->policy, SW_RULE_IMMUTABLE, repo, visit_immutable, &i);
    return i.hit;
}

static enum sw_code set_tags(struct request *q, struct sw_tx *tx, int64_t id, struct sw_str repo,
                             const struct sw_pushed *p, struct sw_str const *tags, size_t n) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str digest = sw_digest_format(&p->digest, text), old;
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < n; i++) {
        code = sw_tag_get(tx, id, tags[i], &old, &q->err);
        if (!code && old.len && !sw_str_eq(old, digest) && is_immutable(q, repo, tags[i]))
            return sw_fail(&q->err, SW_DENIED, "the tag %.*s of %.*s is immutable", SW_ARG(tags[i]),
                           SW_ARG(repo));
        if (!code) code = sw_tag_set(tx, id, tags[i], &p->digest, q->now_s, &q->err);
    }
    return code;
}

static enum sw_code store_tx(struct request *q, struct sw_str repo, struct sw_str body,
                             const struct sw_pushed *p, struct sw_str const *tags, size_t n_tags,
                             const char *action) {
    struct sw_tx tx SW_TX = {0};
    int64_t id = 0;
    struct sw_str tag = n_tags ? tags[0] : SW_STR("");
    struct sw_audit_entry entry = audit_entry(q, action, repo, q->digest, tag, true);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_DURABLE, &tx, &q->err);
    if (!code) code = sw_repo_id(&tx, repo, true, q->now_s, &id, &q->err);
    if (!code) code = sw_manifest_add(&tx, id, p, body, q->who->name, q->now_s, &q->err);
    if (!code) code = set_tags(q, &tx, id, repo, p, tags, n_tags);
    if (!code) code = sw_audit_add(&tx, &entry, &q->err);
    if (!code) code = sw_hooks_queue(&tx, &entry, &q->err);
    return code ? code : sw_tx_commit(&tx, &q->err);
}

/* An attestation is about a digest and holds nothing that could run: it may come before or with
 * what it is about. */
static bool is_attestation(const struct sw_pushed *p) {
    if (!sw_digest_is_set(&p->subject) || p->is_index) return false;
    for (size_t i = 0; i < p->n_refs; i++)
        if (!sw_str_is(p->refs[i].media_type, SW_MT_DSSE) &&
            !sw_str_is(p->refs[i].media_type, SW_MT_OCI_EMPTY))
            return false;
    return true;
}

bool store_manifest(struct request *q, struct sw_str repo, struct sw_str body, struct sw_pushed *p,
                    struct sw_str const *tags, size_t n_tags, const char *action) {
    char text[SW_DIGEST_TEXT_MAX];
    q->digest = sw_arena_str(&q->x->arena, sw_digest_format(&p->digest, text));
    if ((!is_attestation(p) && gate_check(q, repo, &p->digest, &q->err)) ||
        store_tx(q, repo, body, p, tags, n_tags, action)) {
        if (q->err.code == SW_DENIED)
            audit_now(q, action, repo, q->digest, sw_str(q->err.text), false);
        if (q->err.code == SW_NOT_FOUND)
            reply_error(q, 404, "MANIFEST_BLOB_UNKNOWN", "%s", q->err.text);
        else
            reply_failure(q, "MANIFEST_UNKNOWN");
        return false;
    }
    sw_count(q->r, METRIC_MANIFESTS_PUSHED, 1);
    return true;
}

/* The tags of a request: its reference, or ?tag= (any number) beside a digest. */
static bool tags_of(struct request *q, struct sw_str *tags, size_t *ret_n) {
    struct sw_str rest = q->x->query, tag;
    size_t n = 0;
    if (!sw_digest_is_set(&q->route.digest)) tags[n++] = q->route.reference;
    while (sw_query_next(&q->x->arena, &rest, "tag", &tag)) {
        struct sw_route r = sw_route_parse(
            &q->x->arena, sw_arena_printf(&q->x->arena, "/v2/a/manifests/%.*s", SW_ARG(tag)));
        if (r.kind != SW_ROUTE_MANIFEST || sw_digest_is_set(&r.digest)) {
            reply_error(q, 400, "TAG_INVALID", "\"%.*s\" is no tag", SW_ARG(tag));
            return false;
        }
        if (n == SW_REG_PUT_TAGS_MAX) {
            reply_error(q, 414, "TAG_INVALID", "at most %d tags at once", SW_REG_PUT_TAGS_MAX);
            return false;
        }
        tags[n++] = tag;
    }
    *ret_n = n;
    return true;
}

/* The algorithm of the digest: the path's, ?digest='s, else sha256. */
static bool digest_asked(struct request *q, struct sw_digest *ret) {
    struct sw_str text;
    struct sw_error err;
    *ret = q->route.digest;
    if (sw_digest_is_set(ret) || !sw_query_get(&q->x->arena, q->x->query, "digest", &text))
        return true;
    if (sw_digest_parse(text, ret, &err) == SW_OK) return true;
    reply_error(q, 400, "DIGEST_INVALID", "digest: %s", err.text);
    return false;
}

void manifest_put(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_pushed p;
    struct sw_digest asked;
    struct sw_str tags[SW_REG_PUT_TAGS_MAX + 1];
    char text[SW_DIGEST_TEXT_MAX];
    size_t n_tags = 0;
    if (!tags_of(q, tags, &n_tags) || !digest_asked(q, &asked)) return;
    struct sw_str type = sw_exchange_header(x, "Content-Type");
    enum sw_digest_alg alg = sw_digest_is_set(&asked) ? (enum sw_digest_alg)asked.alg : SW_SHA256;
    if (sw_pushed_parse(&x->arena, sw_buf_str(&q->body), type, alg, &p, &q->err)) {
        int status = q->err.code == SW_LIMIT ? 413 : 400;
        reply_error(q, status, "MANIFEST_INVALID", "%s", q->err.text);
        return;
    }
    if (sw_digest_is_set(&asked) && !sw_digest_eq(&asked, &p.digest)) {
        sw_digest_format(&p.digest, text);
        reply_error(q, 400, "DIGEST_INVALID", "the manifest has the digest %s", text);
        return;
    }
    if (!store_manifest(q, q->route.name, sw_buf_str(&q->body), &p, tags, n_tags, "push")) return;
    sw_reply_header(x, "Docker-Content-Digest", q->digest);
    sw_reply_header(x, "Location",
                    sw_arena_printf(&x->arena, "/v2/%.*s/manifests/%.*s", SW_ARG(q->route.name),
                                    SW_ARG(q->digest)));
    if (sw_digest_is_set(&p.subject))
        sw_reply_header(x, "OCI-Subject", sw_digest_format(&p.subject, text));
    if (sw_digest_is_set(&q->route.digest))
        for (size_t i = 0; i < n_tags && i < 16; i++) sw_reply_header(x, "OCI-Tag", tags[i]);
    sw_reply_bytes(x, 201, SW_STR(""));
}

/* ---- deletions ---- */

static enum sw_code delete_tag(struct request *q, struct sw_tx *tx, int64_t id) {
    if (is_immutable(q, q->route.name, q->route.reference))
        return sw_fail(&q->err, SW_DENIED, "the tag %.*s is immutable", SW_ARG(q->route.reference));
    return sw_tag_delete(tx, id, q->route.reference, &q->digest, &q->err);
}

static enum sw_code delete_digest(struct request *q, struct sw_tx *tx, int64_t id) {
    struct sw_sql_rows tags = {0};
    q->digest = q->route.reference;
    enum sw_code code = sw_manifest_tags(tx, id, q->route.reference, &tags, &q->err);
    for (size_t i = 0; !code && i < tags.n_rows; i++) {
        struct sw_str tag = sw_sql_row(&tags, i)->text;
        if (is_immutable(q, q->route.name, tag))
            code = sw_fail(&q->err, SW_DENIED, "it has the immutable tag %.*s", SW_ARG(tag));
    }
    return code ? code : sw_manifest_delete(tx, id, q->route.reference, &q->err);
}

void manifest_delete(struct request *q) {
    struct sw_tx tx SW_TX = {0};
    int64_t id = 0;
    bool by_digest = sw_digest_is_set(&q->route.digest);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_DURABLE, &tx, &q->err);
    if (!code) code = sw_repo_id(&tx, q->route.name, false, 0, &id, &q->err);
    if (!code) code = by_digest ? delete_digest(q, &tx, id) : delete_tag(q, &tx, id);
    if (!code) {
        struct sw_str tag = by_digest ? SW_STR("") : q->route.reference;
        struct sw_audit_entry e = audit_entry(q, "delete", q->route.name, q->digest, tag, true);
        code = sw_audit_add(&tx, &e, &q->err);
        if (!code) code = sw_hooks_queue(&tx, &e, &q->err);
    }
    if (!code) code = sw_tx_commit(&tx, &q->err);
    sw_tx_end(&tx);
    if (code == SW_DENIED)
        audit_now(q, "delete", q->route.name, q->route.reference, sw_str(q->err.text), false);
    if (code)
        reply_failure(q, "MANIFEST_UNKNOWN");
    else
        sw_reply_bytes(q->x, 202, SW_STR(""));
}

void blob_delete(struct request *q) {
    struct sw_tx tx SW_TX = {0};
    char text[SW_DIGEST_TEXT_MAX];
    q->digest = sw_arena_str(&q->x->arena, sw_digest_format(&q->route.digest, text));
    struct sw_audit_entry e =
        audit_entry(q, "delete.blob", q->route.name, q->digest, SW_STR(""), true);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_DURABLE, &tx, &q->err);
    if (!code) code = sw_blob_unlink(&tx, q->route.name, &q->route.digest, &q->err);
    if (!code) code = sw_audit_add(&tx, &e, &q->err);
    if (!code) code = sw_tx_commit(&tx, &q->err);
    sw_tx_end(&tx);
    if (code == SW_BUSY)
        reply_error(q, 405, "UNSUPPORTED", "%s", q->err.text);
    else if (code)
        reply_failure(q, "BLOB_UNKNOWN");
    else
        sw_reply_bytes(q->x, 202, SW_STR(""));
}
