/* Uploads of blobs. The identity of an upload is the location where its bytes go (blobs.h).
 *
 *        POST ?digest= (whole body) ---------------------------> sealed + linked
 *        POST ?mount=  -----------> linked, or as POST
 *        POST --> open --PATCH*--> open --PUT ?digest=---------> sealed + linked
 *                   \--DELETE or expiry--> gone
 *
 * Invariants:
 * 1. What a PATCH acknowledged is there after the process ends: the store has the bytes, and the
 *    row in uploads has their number and the state of the hash.
 * 2. One request at a time works on an upload: busy_uploads in this process, the row's version
 *    between servers.
 * 3. 201 is sent after bytes, directory entry and metadata are durable.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/server_internal.h"

#define CATCH_UP_STEP ((size_t)256 << 10)
#define MOUNT_SOURCES 64 /* repositories looked at for a mount that names no source */

struct upload {
    struct sw_blob_upload *store; /* NULL once sealed, paused or discarded */
    struct sw_intake *intake;     /* while a body arrives: the bytes that the store lacks */
    char id[SW_LOCATION_LEN + 1];
    bool has_row, busy, failed, sealed;
    int64_t version;
    struct sw_hasher hash;
    uint64_t size, max;
    struct sw_digest expected; /* of the request's digest=, where it has one */
    bool has_expected;
};

static void take_busy(struct request *q, struct upload *u, bool *ret_taken) {
    struct sw_registry *r = q->r;
    pthread_mutex_lock(&r->busy_lock);
    *ret_taken = !sw_map_has(&r->busy_uploads, sw_str(u->id));
    if (*ret_taken) sw_map_put(&r->busy_uploads, sw_str(u->id), u);
    pthread_mutex_unlock(&r->busy_lock);
    u->busy = *ret_taken;
}

static void release(struct request *q) {
    struct sw_registry *r = q->r;
    struct upload *u = q->upload;
    if (!u) return;
    q->upload = NULL;
    if (!u->busy) return;
    pthread_mutex_lock(&r->busy_lock);
    sw_map_remove(&r->busy_uploads, sw_str(u->id));
    /* Removed entries keep their slot; an empty map starts anew. */
    if (sw_map_count(&r->busy_uploads) == 0) sw_map_done(&r->busy_uploads);
    pthread_mutex_unlock(&r->busy_lock);
    atomic_fetch_sub(&r->metrics[METRIC_UPLOADS_OPEN], 1);
}

static struct sw_str upload_url(struct request *q, const char *id) {
    return sw_arena_printf(&q->x->arena, "/v2/%.*s/blobs/uploads/%s", SW_ARG(q->route.name), id);
}

static void reply_progress(struct request *q, int status, const char *id, uint64_t size) {
    struct sw_exchange *x = q->x;
    sw_reply_header(x, "Location", upload_url(q, id));
    sw_reply_header(x, "Docker-Upload-UUID", sw_str(id));
    sw_reply_header(
        x, "Range",
        sw_arena_printf(&x->arena, "0-%llu", (unsigned long long)(size ? size - 1 : 0)));
    if (status == 416)
        reply_error(q, 416, "BLOB_UPLOAD_INVALID", "the upload has %llu bytes",
                    (unsigned long long)size);
    else
        sw_reply_bytes(x, status, SW_STR(""));
}

static void reply_created(struct request *q, const struct sw_digest *d) {
    struct sw_exchange *x = q->x;
    char text[SW_DIGEST_TEXT_MAX];
    q->digest = sw_arena_str(&x->arena, sw_digest_format(d, text));
    sw_reply_header(x, "Location",
                    sw_arena_printf(&x->arena, "/v2/%.*s/blobs/%s", SW_ARG(q->route.name), text));
    sw_reply_header(x, "Docker-Content-Digest", q->digest);
    sw_reply_bytes(x, 201, SW_STR(""));
}

/* ---- the row ---- */

static enum sw_code save_row(struct request *q, struct upload *u, struct sw_str state) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_str hash = sw_str_n((const char *)&u->hash, sizeof u->hash);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_RELAXED, &tx, &q->err);
    if (!code)
        code =
            sw_tx_do(&tx, &rows, &q->err,
                     "UPDATE uploads SET size = $2, hash = $3, state = $4, updated = $5, "
                     "version = version + 1 WHERE id = $1 AND version = $6",
                     sw_sql_text(sw_str(u->id)), sw_sql_int((int64_t)u->size), sw_sql_bytes(hash),
                     sw_sql_text(state), sw_sql_int(sw_now_unix_s()), sw_sql_int(u->version));
    if (!code && rows.changes != 1)
        code = sw_fail(&q->err, SW_NOT_FOUND, "the upload was changed by somebody else");
    return code ? code : sw_tx_commit(&tx, &q->err);
}

static enum sw_code drop_row(struct request *q, const char *id) {
    struct sw_tx tx SW_TX = {0};
    struct sw_error err;
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_RELAXED, &tx, &err);
    if (!code)
        code =
            sw_tx_do(&tx, NULL, &err, "DELETE FROM uploads WHERE id = $1", sw_sql_text(sw_str(id)));
    return code ? code : sw_tx_commit(&tx, &err);
}

/* Bytes and row go: after a bad digest, a full disk. */
static void drop(struct request *q, struct upload *u) {
    struct sw_error ignored;
    if (u->store)
        u->store->blobs->ops->discard(u->store);
    else if (u->sealed)
        (void)!q->r->blobs->ops->remove(q->r->blobs, u->id, &ignored);
    u->store = NULL;
    if (u->has_row) (void)!drop_row(q, u->id);
}

/* Puts the bytes aside for the next request. */
static enum sw_code put_aside(struct request *q, struct upload *u) {
    struct sw_str state = SW_STR("");
    struct sw_blob_upload *store = u->store;
    u->store = NULL;
    enum sw_code code = store->blobs->ops->pause(store, &q->x->arena, &state, &q->err);
    return code ? code : save_row(q, u, state);
}

/* ---- beginning ---- */

/* On one thread at a time, in order (intake.h). */
static void put_bytes(void *context, const void *bytes, size_t len) {
    struct request *q = context;
    struct upload *u = q->upload;
    if (u->failed) return;
    if (len > u->max - u->size) {
        sw_fail(&q->err, SW_LIMIT, "a blob has at most %llu bytes here",
                (unsigned long long)u->max);
    } else {
        /* The hash first: it fetches from the other thread's cache, which is slow, while it
         * computes; the store then finds the bytes in its own. */
        sw_hasher_add(&u->hash, bytes, len);
        u->size += len;
        if (!u->store->blobs->ops->append(u->store, bytes, len, &q->err)) return;
    }
    /* The space is given back now, the client hears of it at the end of its body. */
    u->failed = true;
    drop(q, u);
}

static bool expected_digest(struct request *q, struct upload *u) {
    struct sw_str text;
    struct sw_error err;
    if (!sw_query_get(&q->x->arena, q->x->query, "digest", &text)) return true;
    if (sw_digest_parse(text, &u->expected, &err)) {
        reply_error(q, 400, "DIGEST_INVALID", "digest: %s", err.text);
        return false;
    }
    u->has_expected = true;
    return true;
}

static bool limits_ok(struct request *q, struct upload *u) {
    u->max = q->r->options.blob_max;
    if (q->x->has_length && (q->x->body_size > u->max || u->size > u->max - q->x->body_size)) {
        reply_error(q, 413, "SIZE_INVALID", "a blob has at most %llu bytes here",
                    (unsigned long long)u->max);
        return false;
    }
    uint64_t open = atomic_fetch_add(&q->r->metrics[METRIC_UPLOADS_OPEN], 1);
    if (open >= SW_REG_UPLOADS_MAX) {
        atomic_fetch_sub(&q->r->metrics[METRIC_UPLOADS_OPEN], 1);
        sw_reply_header(q->x, "Retry-After", SW_STR("2"));
        reply_error(q, 429, "TOOMANYREQUESTS", "more than %d uploads at once", SW_REG_UPLOADS_MAX);
        return false;
    }
    return true;
}

void uploads_post_head(struct request *q) {
    struct upload *u = SW_NEW(&q->x->arena, struct upload);
    bool taken;
    if (!expected_digest(q, u) || !u->has_expected) return;
    sw_random_name(u->id, sizeof u->id);
    if (!limits_ok(q, u)) return;
    take_busy(q, u, &taken);
    q->upload = u;
    sw_hasher_init(&u->hash, (enum sw_digest_alg)u->expected.alg);
    if (q->r->blobs->ops->create(q->r->blobs, u->id, &u->store, &q->err)) {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
        release(q);
        return;
    }
    u->intake = sw_intake_new(q->r->intake, q->x, put_bytes, q);
}

/* Hashes what the store has beyond the state that was saved: after a crash, or a broken request. */
static enum sw_code catch_up(struct request *q, struct upload *u) {
    enum sw_code code = SW_OK;
    char *piece = NULL;
    while (!code && u->hash.n_bytes < u->size) {
        size_t n = 0;
        if (!piece) piece = sw_malloc(CATCH_UP_STEP);
        code = u->store->blobs->ops->read_back(u->store, u->hash.n_bytes, piece, CATCH_UP_STEP, &n,
                                               &q->err);
        if (!code && n == 0) code = sw_fail(&q->err, SW_CORRUPT, "the upload shrank");
        if (!code) sw_hasher_add(&u->hash, piece, n);
    }
    free(piece);
    return code;
}

/* The state of a hash is kept as it is in memory: it is of use only if it is of this shape. */
static void take_hash(struct upload *u, struct sw_str saved) {
    struct sw_hasher h;
    sw_hasher_init(&u->hash, SW_SHA256);
    if (saved.len != sizeof h) return;
    memcpy(&h, saved.ptr, sizeof h);
    if ((h.alg == SW_SHA256 || h.alg == SW_SHA512) && h.n_bytes <= u->size) u->hash = h;
}

static enum sw_code load(struct request *q, struct upload *u, bool open_store) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_blobs *b = q->r->blobs;
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &q->err);
    if (!code)
        code =
            sw_tx_do(&tx, &rows, &q->err,
                     "SELECT version, hash, state, size FROM uploads WHERE id = $1 AND repo = $2",
                     sw_sql_text(sw_str(u->id)), sw_sql_text(q->route.name));
    sw_tx_end(&tx);
    if (code) return code;
    if (rows.n_rows == 0) return sw_fail(&q->err, SW_NOT_FOUND, "no such upload");
    const struct sw_sql_value *v = sw_sql_row(&rows, 0);
    u->version = v[0].number;
    u->size = (uint64_t)v[3].number;
    u->has_row = true;
    if (!open_store) return SW_OK;
    code = b->ops->resume(b, u->id, v[2].text, &u->store, &u->size, &q->err);
    if (!code) take_hash(u, v[1].text);
    return code;
}

static bool copy_id(struct request *q, struct upload *u) {
    if (q->route.reference.len != SW_LOCATION_LEN) {
        reply_error(q, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        return false;
    }
    memcpy(u->id, q->route.reference.ptr, SW_LOCATION_LEN);
    return true;
}

/* Content-Range of a chunk must begin where the upload ends (distribution-spec, "Pushing a blob in
 * chunks"). */
static bool chunk_fits(struct request *q, struct upload *u) {
    struct sw_str header = sw_exchange_header(q->x, "Content-Range");
    uint64_t first, last;
    if (!header.ptr) return true;
    if (!sw_content_range_parse(header, &first, &last)) {
        reply_error(q, 400, "BLOB_UPLOAD_INVALID", "Content-Range cannot be understood");
        return false;
    }
    if (first != u->size) {
        reply_progress(q, 416, u->id, u->size);
        return false;
    }
    if (q->x->has_length && q->x->body_size != last - first + 1) {
        reply_error(q, 400, "SIZE_INVALID", "Content-Range and Content-Length disagree");
        return false;
    }
    return true;
}

void upload_head(struct request *q) {
    struct upload *u = SW_NEW(&q->x->arena, struct upload);
    bool taken;
    if (!copy_id(q, u) || !expected_digest(q, u)) return;
    if (sw_str_is(q->x->method, "PUT") && !u->has_expected) {
        reply_error(q, 400, "DIGEST_INVALID", "the digest is missing");
        return;
    }
    if (!limits_ok(q, u)) return;
    take_busy(q, u, &taken);
    if (!taken) {
        atomic_fetch_sub(&q->r->metrics[METRIC_UPLOADS_OPEN], 1);
        sw_reply_header(q->x, "Retry-After", SW_STR("1"));
        reply_error(q, 409, "BLOB_UPLOAD_INVALID", "another request works on this upload");
        return;
    }
    q->upload = u;
    if (load(q, u, true) || catch_up(q, u)) {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
        if (u->store) (void)!put_aside(q, u);
        release(q);
        return;
    }
    if (!chunk_fits(q, u)) {
        (void)!put_aside(q, u);
        release(q);
        return;
    }
    u->intake = sw_intake_new(q->r->intake, q->x, put_bytes, q);
}

size_t upload_body(struct request *q, const void *bytes, size_t len) {
    struct sw_exchange *x = q->x;
    bool small = x->has_length && x->body_size <= SW_REG_SMALL_BODY;
    return sw_intake_take(q->upload->intake, bytes, len, small);
}

void upload_body_end(struct request *q) {
    sw_intake_finish(q->upload->intake);
    q->upload->intake = NULL;
}

/* ---- ending ---- */

static bool failed_before(struct request *q) {
    struct upload *u = q->upload;
    if (!u->failed) return false;
    reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
    release(q);
    return true;
}

void upload_patch(struct request *q) {
    struct upload *u = q->upload;
    char id[SW_LOCATION_LEN + 1];
    if (failed_before(q)) return;
    memcpy(id, u->id, sizeof id);
    uint64_t size = u->size;
    enum sw_code code = put_aside(q, u);
    release(q);
    if (code)
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
    else
        reply_progress(q, 202, id, size);
}

/* Of a blob that is sealed already. */
static enum sw_code digest_sealed(struct request *q, struct upload *u) {
    struct sw_blobs *b = q->r->blobs;
    struct sw_blob_upload *store = u->store;
    char *piece = sw_malloc(CATCH_UP_STEP);
    u->store = NULL;
    u->sealed = true;
    enum sw_code code = b->ops->seal(store, &q->err);
    while (!code && u->hash.n_bytes < u->size) {
        uint64_t left = u->size - u->hash.n_bytes;
        size_t n = left < CATCH_UP_STEP ? (size_t)left : CATCH_UP_STEP;
        code = b->ops->read(b, u->id, u->hash.n_bytes, piece, n, &q->err);
        if (!code) sw_hasher_add(&u->hash, piece, n);
    }
    free(piece);
    return code;
}

/* Where the algorithm was not known when the bytes arrived, they are read once more. */
static enum sw_code digest_again(struct request *q, struct upload *u, struct sw_digest *ret) {
    sw_hasher_init(&u->hash, (enum sw_digest_alg)u->expected.alg);
    enum sw_code code = q->r->blobs->ops->opaque_uploads ? digest_sealed(q, u) : catch_up(q, u);
    if (!code) *ret = sw_hasher_finish(&u->hash);
    return code;
}

static enum sw_code quota_check(struct request *q, struct sw_tx *tx, int64_t repo, uint64_t size) {
    const struct sw_rule *rule =
        q->policy ? sw_policy_rule(q->policy, SW_RULE_QUOTA, q->route.name) : NULL;
    uint64_t quota;
    int64_t used = 0;
    if (!rule || !sw_str_size(rule->value, &quota)) return SW_OK;
    enum sw_code code = sw_repo_bytes(tx, repo, &used, &q->err);
    if (!code && ((uint64_t)used > quota || size > quota - (uint64_t)used))
        code = sw_fail(&q->err, SW_DENIED, "the quota of %.*s is %llu bytes, %lld are used",
                       SW_ARG(q->route.name), (unsigned long long)quota, (long long)used);
    return code;
}

static enum sw_code link_tx(struct request *q, struct upload *u, const struct sw_digest *d,
                            bool exists, bool *ret_used) {
    struct sw_tx tx SW_TX = {0};
    int64_t repo = 0;
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_DURABLE, &tx, &q->err);
    if (!code) code = sw_repo_id(&tx, q->route.name, true, q->now_s, &repo, &q->err);
    if (!code) code = quota_check(q, &tx, repo, u->size);
    if (!code && exists)
        code = sw_blob_mount(&tx, repo, d, q->now_s, &q->err);
    else if (!code)
        code = sw_blob_add(&tx, repo, d, u->size, sw_str(u->id), q->now_s, ret_used, &q->err);
    if (!code && u->has_row)
        code = sw_tx_do(&tx, NULL, &q->err, "DELETE FROM uploads WHERE id = $1",
                        sw_sql_text(sw_str(u->id)));
    return code ? code : sw_tx_commit(&tx, &q->err);
}

/* The registry may have these bytes already: then nothing needs to be synced. */
static bool link_existing(struct request *q, struct upload *u, const struct sw_digest *d) {
    bool used;
    struct sw_error ignored;
    if (link_tx(q, u, d, true, &used)) return false;
    if (u->store)
        u->store->blobs->ops->discard(u->store);
    else if (u->sealed)
        (void)!q->r->blobs->ops->remove(q->r->blobs, u->id, &ignored);
    u->store = NULL;
    return true;
}

static bool known(struct request *q, const struct sw_digest *d) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_error err;
    char text[SW_DIGEST_TEXT_MAX];
    if (sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &err)) return false;
    return !sw_tx_do(&tx, &rows, &err, "SELECT size FROM blobs WHERE digest = $1",
                     sw_sql_text(sw_digest_format(d, text))) &&
           rows.n_rows == 1;
}

static enum sw_code seal_and_link(struct request *q, struct upload *u, const struct sw_digest *d) {
    struct sw_blobs *b = q->r->blobs;
    struct sw_blob_upload *store = u->store;
    struct sw_error ignored;
    bool used = true;
    u->store = NULL;
    enum sw_code code = u->sealed ? SW_OK : b->ops->seal(store, &q->err);
    if (!code) code = link_tx(q, u, d, false, &used);
    /* A commit whose answer was lost may have happened: then the collector decides. */
    bool sure = !code || code == SW_DENIED || !sw_meta_is_shared(q->r->meta);
    if ((code || !used) && sure) (void)!b->ops->remove(b, u->id, &ignored);
    return code;
}

static void finish(struct request *q) {
    struct upload *u = q->upload;
    struct sw_digest d;
    enum sw_code code = SW_OK;
    if (failed_before(q)) return;
    if (u->hash.alg == u->expected.alg)
        d = sw_hasher_finish(&u->hash);
    else
        code = digest_again(q, u, &d);
    if (code) {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
        drop(q, u);
    } else if (!sw_digest_eq(&d, &u->expected)) {
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_format(&d, text);
        reply_error(q, 400, "DIGEST_INVALID", "the bytes have the digest %s", text);
        drop(q, u);
    } else if ((known(q, &d) && link_existing(q, u, &d)) || !seal_and_link(q, u, &d)) {
        sw_count(q->r, METRIC_BLOBS_PUSHED, 1);
        reply_created(q, &d);
    } else {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
        u->sealed = false; /* seal_and_link() decided what becomes of the bytes */
        drop(q, u);
    }
    release(q);
}

void upload_put(struct request *q) { finish(q); }

/* ---- POST ---- */

/* The blob exists where the caller may pull it: then it becomes part of this repository. */
static bool may_mount_from(struct request *q, struct sw_str from, const struct sw_digest *d) {
    struct sw_tx tx SW_TX = {0};
    struct sw_blob_row row;
    struct sw_error err;
    if (!(rights_on(q, from) & SW_ACT_PULL)) return false;
    if (sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &err)) return false;
    return sw_blob_find(&tx, from, d, &row, &err) == SW_OK;
}

static bool may_mount(struct request *q, const struct sw_digest *d) {
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    struct sw_str from;
    struct sw_error err;
    if (sw_query_get(&q->x->arena, q->x->query, "from", &from) && from.len)
        return may_mount_from(q, from, d);
    if (sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_READ, &tx, &err) ||
        sw_blob_repos(&tx, d, MOUNT_SOURCES, &rows, &err))
        return false;
    for (size_t i = 0; i < rows.n_rows; i++)
        if (rights_on(q, sw_sql_row(&rows, i)->text) & SW_ACT_PULL) return true;
    return false;
}

static bool mount(struct request *q) {
    struct upload u = {0};
    struct sw_str text;
    struct sw_digest d;
    struct sw_error err;
    bool used;
    if (!sw_query_get(&q->x->arena, q->x->query, "mount", &text)) return false;
    if (sw_digest_parse(text, &d, &err)) {
        reply_error(q, 400, "DIGEST_INVALID", "mount: %s", err.text);
        return true;
    }
    if (!may_mount(q, &d) || link_tx(q, &u, &d, true, &used)) return false;
    sw_count(q->r, METRIC_BLOBS_MOUNTED, 1);
    reply_created(q, &d);
    return true;
}

static enum sw_code open_row(struct request *q, struct upload *u) {
    struct sw_tx tx SW_TX = {0};
    struct sw_str hash = sw_str_n((const char *)&u->hash, sizeof u->hash);
    enum sw_code code = sw_tx_begin(q->r->meta, &q->x->arena, SW_TX_RELAXED, &tx, &q->err);
    if (!code)
        code = sw_tx_do(&tx, NULL, &q->err,
                        "INSERT INTO uploads(id, repo, account, started, updated, size, version, "
                        "hash, state) VALUES($1, $2, $3, $4, $4, 0, 1, $5, '')",
                        sw_sql_text(sw_str(u->id)), sw_sql_text(q->route.name),
                        sw_sql_text(q->who->name), sw_sql_int(q->now_s), sw_sql_bytes(hash));
    return code ? code : sw_tx_commit(&tx, &q->err);
}

void uploads_post(struct request *q) {
    struct upload u = {.version = 1, .has_row = true};
    struct sw_str alg;
    struct sw_blobs *b = q->r->blobs;
    if (q->upload) {
        finish(q);
        return;
    }
    if (mount(q)) return;
    sw_random_name(u.id, sizeof u.id);
    bool sha512 = sw_query_get(&q->x->arena, q->x->query, "digest-algorithm", &alg) &&
                  sw_str_is(alg, "sha512");
    sw_hasher_init(&u.hash, sha512 ? SW_SHA512 : SW_SHA256);
    struct sw_str state;
    enum sw_code code = b->ops->create(b, u.id, &u.store, &q->err);
    if (!code) {
        struct sw_blob_upload *store = u.store;
        code = b->ops->pause(store, &q->x->arena, &state, &q->err);
    }
    if (!code) code = open_row(q, &u);
    if (code)
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
    else
        reply_progress(q, 202, u.id, 0);
}

/* ---- the rest ---- */

void upload_get(struct request *q) {
    struct upload u = {0};
    bool opaque = q->r->blobs->ops->opaque_uploads;
    if (!copy_id(q, &u)) return;
    if (load(q, &u, !opaque)) {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
        return;
    }
    if (opaque) {
        reply_progress(q, 204, u.id, u.size);
        return;
    }
    /* Only looked at: nothing is saved, so that a request that works on it is not disturbed. */
    struct sw_str state;
    struct sw_error err;
    (void)!u.store->blobs->ops->pause(u.store, &q->x->arena, &state, &err);
    reply_progress(q, 204, u.id, u.size);
}

void upload_delete(struct request *q) {
    struct upload *u = SW_NEW(&q->x->arena, struct upload);
    bool taken;
    if (!copy_id(q, u)) return;
    take_busy(q, u, &taken);
    if (!taken) {
        reply_error(q, 409, "BLOB_UPLOAD_INVALID", "another request works on this upload");
        return;
    }
    atomic_fetch_add(&q->r->metrics[METRIC_UPLOADS_OPEN], 1);
    q->upload = u;
    if (load(q, u, true)) {
        reply_failure(q, "BLOB_UPLOAD_UNKNOWN");
    } else {
        drop(q, u);
        sw_reply_bytes(q->x, 204, SW_STR(""));
    }
    release(q);
}

void upload_abandon(struct request *q) {
    struct upload *u = q->upload;
    upload_body_end(q);
    if (u->store && u->has_row)
        (void)!put_aside(q, u);
    else if (u->store)
        drop(q, u);
    release(q);
}

enum sw_code uploads_expire(struct sw_registry *r, int64_t now_s, struct sw_error *err) {
    struct sw_arena a SW_ARENA = {0};
    struct sw_tx tx SW_TX = {0};
    struct sw_sql_rows rows = {0};
    sw_arena_init(&a, 0);
    enum sw_code code = sw_tx_begin(r->meta, &a, SW_TX_RELAXED, &tx, err);
    if (!code)
        code = sw_tx_do(&tx, &rows, err,
                        "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE "
                        "updated < $1 LIMIT 1000) RETURNING id",
                        sw_sql_int(now_s - r->options.upload_expiry_s));
    if (!code) code = sw_tx_commit(&tx, err);
    /* The rows are gone: what cannot be removed now is found as an orphan later. */
    for (size_t i = 0; !code && i < rows.n_rows; i++) {
        char *location = sw_arena_cstr(&a, sw_sql_row(&rows, i)->text);
        enum sw_code one = r->blobs->ops->purge(r->blobs, location, err);
        if (one) sw_warn("registry", "an expired upload: %s", err->text);
    }
    return code;
}
