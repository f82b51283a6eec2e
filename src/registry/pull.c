/* What readers ask for: blobs, manifests, tags, the catalog, referrers. */
#include <stdlib.h>

#include "base/vec.h"
#include "codec/json_writer.h"
#include "oci/media_type.h"
#include "registry/server_internal.h"

static struct sw_str etag(struct request *q, struct sw_str digest) {
    return sw_arena_printf(&q->x->arena, "\"%.*s\"", SW_ARG(digest));
}

/* If-None-Match (RFC 9110, 13.1.2): content named by a digest never changes, a tag's may. */
static bool not_modified(struct request *q, struct sw_str tag) {
    struct sw_str rest = sw_exchange_header(q->x, "If-None-Match"), field;
    while (rest.ptr && sw_str_next(&rest, ',', &field)) {
        field = sw_str_trim(field);
        if (sw_str_starts(field, SW_STR("W/"))) field = sw_str_from(field, 2);
        if (sw_str_eq(field, tag) || sw_str_is(field, "*")) return true;
        if (tag.len > 2 && sw_str_eq(field, sw_str_sub(tag, 1, tag.len - 2))) return true;
    }
    return false;
}

/* A client that may push asks in order not to upload: what it found must not be collected before
 * its manifest arrives. */
static void keep_found_blob(struct request *q, const struct sw_blob_row *row) {
    struct sw_tx tx SW_TX = {0};
    struct sw_error err;
    if (q->now_s - row->touched < q->r->options.gc_grace_s / 4) return;
    if (!(rights_on(q, q->route.name) & SW_ACT_PUSH)) return;
    if (sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_RELAXED, &tx, &err)) return;
    if (!sw_blob_touch(&tx, q->route.name, &q->route.digest, q->now_s, &err))
        (void)!sw_tx_commit(&tx, &err);
}

static enum sw_code find_blob(struct request *q, struct sw_blob_row *ret) {
    struct sw_tx tx SW_TX = {0};
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &q->err);
    if (!code) code = sw_blob_find(&tx, q->route.name, &q->route.digest, ret, &q->err);
    return code;
}

void blob_get(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_blob_row row;
    char text[SW_DIGEST_TEXT_MAX];
    uint64_t offset = 0, len;
    int status = 200;
    q->digest = sw_arena_str(&x->arena, sw_digest_format(&q->route.digest, text));
    if (find_blob(q, &row)) {
        reply_failure(q, "BLOB_UNKNOWN");
        return;
    }
    struct sw_str tag = etag(q, q->digest);
    len = (uint64_t)row.size;
    sw_reply_header(x, "Docker-Content-Digest", q->digest);
    sw_reply_header(x, "ETag", tag);
    sw_reply_header(x, "Accept-Ranges", SW_STR("bytes"));
    sw_reply_header(x, "Cache-Control", SW_STR("private, max-age=31536000, immutable"));
    if (sw_str_is(x->method, "HEAD")) {
        keep_found_blob(q, &row);
        sw_reply_header(x, "Content-Type", SW_STR("application/octet-stream"));
        sw_reply_length(x, 200, len);
        return;
    }
    if (not_modified(q, tag)) {
        sw_reply_bytes(x, 304, SW_STR(""));
        return;
    }
    struct sw_str range = sw_exchange_header(x, "Range");
    struct sw_str if_range = sw_exchange_header(x, "If-Range");
    if (range.ptr && (!if_range.ptr || sw_str_eq(if_range, tag))) {
        enum sw_range kind = sw_range_parse(range, (uint64_t)row.size, &offset, &len);
        if (kind == SW_RANGE_BAD) {
            sw_reply_header(x, "Content-Range",
                            sw_arena_printf(&x->arena, "bytes */%lld", (long long)row.size));
            reply_error(q, 416, "SIZE_INVALID", "the blob has %lld bytes", (long long)row.size);
            return;
        }
        if (kind == SW_RANGE_OK) {
            status = 206;
            sw_reply_header(
                x, "Content-Range",
                sw_arena_printf(&x->arena, "bytes %llu-%llu/%lld", (unsigned long long)offset,
                                (unsigned long long)(offset + len - 1), (long long)row.size));
        }
    }
    sw_reply_header(x, "Content-Type", SW_STR("application/octet-stream"));
    struct sw_blobs *b = q->r->blobs;
    sw_count(q->r, METRIC_BLOBS_PULLED, 1);
    char *location = sw_arena_cstr(&x->arena, row.location);
    if (b->ops->reply(b, x, status, location, offset, len, &q->err)) {
        /* The metadata has it and the store does not: that is our fault, not a 404. */
        q->err.code = SW_CORRUPT;
        reply_failure(q, "BLOB_UNKNOWN");
    }
}

void manifest_get(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_tx tx SW_TX = {0};
    struct sw_manifest_row row = {0};
    bool head = sw_str_is(x->method, "HEAD");
    enum sw_code code = sw_tx_begin(q->r->meta, &x->arena, SW_TX_READ, &tx, &q->err);
    if (!code)
        code = sw_manifest_find(&tx, q->route.name, q->route.reference, !head, &row, &q->err);
    sw_tx_end(&tx);
    if (code) {
        reply_failure(q, "MANIFEST_UNKNOWN");
        return;
    }
    q->digest = row.digest;
    struct sw_str tag = etag(q, row.digest);
    sw_reply_header(x, "Docker-Content-Digest", row.digest);
    sw_reply_header(x, "Docker-Distribution-API-Version", SW_STR("registry/2.0"));
    sw_reply_header(x, "ETag", tag);
    if (!head && not_modified(q, tag)) {
        sw_reply_bytes(x, 304, SW_STR(""));
        return;
    }
    sw_reply_header(x, "Content-Type", row.media_type);
    if (head) {
        sw_reply_length(x, 200, (uint64_t)row.size);
        return;
    }
    sw_count(q->r, METRIC_MANIFESTS_PULLED, 1);
    if (q->r->options.audit_pulls) {
        bool by_digest = sw_digest_is_set(&q->route.digest);
        audit_now(q, "pull", q->route.name, q->digest, by_digest ? SW_STR("") : q->route.reference,
                  true);
    }
    sw_reply_bytes(x, 200, row.body);
}

void tags_get(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_json_writer w;
    struct sw_buf out SW_BUF = {0};
    struct sw_str last;
    int64_t id = 0;
    size_t n;
    if (!page_of(q, &n, &last)) return;
    enum sw_code code = sw_tx_begin(q->r->meta, &x->arena, SW_TX_READ, &tx, &q->err);
    if (!code) code = sw_repo_id(&tx, q->route.name, false, 0, &id, &q->err);
    if (!code) code = sw_tags_page(&tx, id, last, n + 1, &rows, &q->err);
    sw_tx_end(&tx);
    if (code) {
        reply_failure(q, "NAME_UNKNOWN");
        return;
    }
    size_t shown = rows.n_rows > n ? n : rows.n_rows;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "name", q->route.name);
    sw_json_key(&w, "tags");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < shown; i++) sw_json_str(&w, sw_sql_row(&rows, i)->text);
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    if (shown < rows.n_rows && shown > 0)
        add_next_link(q, x->path, n, sw_sql_row(&rows, shown - 1)->text, SW_STR(""));
    reply_json(q, 200, sw_buf_str(&out));
}

/* Only what the caller may pull: pages are read until one is full. */
void catalog_get(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_tx tx SW_TX = {0};
    struct sw_json_writer w;
    struct sw_buf out SW_BUF = {0};
    struct sw_str last, shown_last = SW_STR("");
    size_t n, shown = 0;
    bool more = true, further = false;
    if (!page_of(q, &n, &last)) return;
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_key(&w, "repositories");
    sw_json_begin_array(&w);
    enum sw_code code = sw_tx_begin(q->r->meta, &x->arena, SW_TX_READ, &tx, &q->err);
    while (!code && more && !further) {
        struct sw_sql_rows rows;
        code = sw_repos_page(&tx, last, SW_REG_PAGE_DEFAULT, &rows, &q->err);
        if (code) break;
        for (size_t i = 0; i < rows.n_rows; i++) {
            last = sw_sql_row(&rows, i)->text;
            if (!(sw_policy_actions(q->policy, q->who, last, q->now_s) & SW_ACT_PULL) &&
                !q->r->options.open)
                continue;
            if (shown == n) {
                further = true;
                break;
            }
            sw_json_str(&w, last);
            shown_last = last;
            shown++;
        }
        more = rows.n_rows == SW_REG_PAGE_DEFAULT;
        if (!code) code = sw_arena_check(&x->arena, "the catalog", &q->err);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    if (code) {
        reply_failure(q, "UNKNOWN");
        return;
    }
    if (further && shown) add_next_link(q, x->path, n, shown_last, SW_STR(""));
    reply_json(q, 200, sw_buf_str(&out));
}

void referrers_get(struct request *q) {
    struct sw_exchange *x = q->x;
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_json_writer w;
    struct sw_buf out SW_BUF = {0};
    struct sw_str last, type = SW_STR(""), next = SW_STR("");
    char text[SW_DIGEST_TEXT_MAX];
    size_t n;
    if (!page_of(q, &n, &last)) return;
    bool filtered = sw_query_get(&x->arena, x->query, "artifactType", &type) && type.len > 0;
    enum sw_code code = sw_tx_begin(q->r->meta, &x->arena, SW_TX_READ, &tx, &q->err);
    if (!code)
        code = sw_referrers_page(&tx, q->route.name, sw_digest_format(&q->route.digest, text), type,
                                 last, n + 1, &rows, &q->err);
    sw_tx_end(&tx);
    if (code) {
        reply_failure(q, "NAME_UNKNOWN");
        return;
    }
    sw_buf_init(&out, 2 * SW_REG_MANIFEST_MAX);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "schemaVersion", 2);
    sw_json_put_text(&w, "mediaType", SW_MT_OCI_INDEX);
    sw_json_key(&w, "manifests");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct sw_sql_value *v = sw_sql_row(&rows, i);
        /* A response is an index: it must stay below the size that clients read. */
        if (i == n || (i > 0 && out.len + v[2].text.len > SW_REG_REFERRERS_BYTES)) {
            next = sw_sql_row(&rows, i - 1)->text;
            break;
        }
        sw_json_raw(&w, v[2].text);
    }
    sw_json_end_array(&w);
    sw_json_end_object(&w);
    if (next.len) {
        struct sw_buf more SW_BUF = {0};
        sw_buf_init(&more, 0);
        if (filtered) {
            sw_buf_add_text(&more, "&artifactType=");
            sw_http_encode(&more, type, "");
        }
        add_next_link(q, x->path, n, next, sw_buf_str(&more));
    }
    if (filtered) sw_reply_header(x, "OCI-Filters-Applied", SW_STR("artifactType"));
    sw_reply_header(x, "Content-Type", SW_STR(SW_MT_OCI_INDEX));
    sw_reply_bytes(x, 200, sw_buf_str(&out));
}
