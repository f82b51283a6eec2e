/* Blobs in a store that speaks S3. Keys: PREFIX "data/" ab "/" location.
 *
 * An object is written under its location from the first byte (multipart), so that committing
 * copies nothing. S3 wants parts of 5 MiB and more, all but the last: what is not enough for a part
 * waits in a local file, and between two requests of an upload as an object of its own,
 * "LOCATION.tail", so that any server can go on:
 *
 *     append --> spool --(SW_REG_S3_PART bytes)--> part N
 *     pause: spool --> LOCATION.tail      resume: LOCATION.tail --> spool
 *     seal: no part yet: spool is the object; else the last part, CompleteMultipartUpload
 *
 * The state of an upload is JSON: {"upload":ID,"parts":[ETAG...],"flushed":BYTES,"tail":BYTES}.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "net/http_client.h"
#include "registry/blobs.h"
#include "registry/limits.h"

#define WINDOW ((size_t)2 << 20) /* bytes asked for at once while a blob is sent on */
#define URL_MAX_BYTES 4096

struct s3_blobs {
    struct sw_blobs base;
    struct sw_http *http;
    struct sw_arena strings;
    const char *bucket_url; /* ENDPOINT/BUCKET */
    struct sw_str host;     /* of the endpoint, with its port */
    const char *prefix, *access_key, *secret_key, *region, *spool_dir;
};

struct s3_upload {
    struct sw_blob_upload base;
    struct sw_arena arena; /* etags, the upload's ID */
    int fd;                /* spool */
    uint64_t spooled, flushed;
    const char *upload_id; /* NULL until the first part */
    struct sw_strs etags;
    bool has_tail; /* LOCATION.tail exists */
    bool resumed;
};

static struct s3_blobs *s3_of(struct sw_blobs *b) { return (struct s3_blobs *)b; }

/* ---- requests ---- */

struct ask {
    const char *method;
    const char *key;   /* below the prefix; NULL: the bucket */
    const char *query; /* sorted, encoded; NULL: none */
    struct sw_str body;
    int body_fd; /* -1: body */
    uint64_t body_size;
    uint64_t offset, len; /* of a range; len 0: all */
    sw_http_sink *sink;
    void *sink_context;
    bool missing_ok;
};

static enum sw_code read_body(void *context, uint64_t offset, void *to, size_t len, size_t *ret_len,
                              struct sw_error *err) {
    ssize_t n = sw_sys_pread(*(const int *)context, to, len, (off_t)offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading the spool");
    *ret_len = (size_t)n;
    return SW_OK;
}

/* Signature version 4, made here: the libcurl of stable distributions signs requests with a body or
 * a range in a way that S3 stores refuse. The payload is not signed; blobs have digests, which are
 * checked when they are sealed, and TLS protects the way. */
static void sign(const struct s3_blobs *s, const char *method, const char *url, struct sw_arena *a,
                 struct sw_http_header headers[3]) {
    struct sw_str rest = sw_str_from(sw_str(url), sw_str_find(sw_str(url), SW_STR("://")) + 3);
    struct sw_str path, query, ignored;
    char date[SW_RFC3339_MAX], stamp[17], hex[65] = "";
    uint8_t mac[32];
    sw_str_cut(rest, '/', &ignored, &path);
    sw_str_cut(path, '?', &path, &query);
    sw_rfc3339_format(sw_now_unix_s(), 0, date); /* 2006-01-02T15:04:05Z -> 20060102T150405Z */
    size_t n = 0;
    for (const char *p = date; *p && n < 16; p++)
        if (*p != '-' && *p != ':') stamp[n++] = *p;
    stamp[n] = 0;
    struct sw_str canonical = sw_arena_printf(
        a,
        "%s\n/%.*s\n%.*s\nhost:%.*s\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\n\n"
        "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
        method, SW_ARG(path), SW_ARG(query), SW_ARG(s->host), stamp);
    struct sw_digest d = sw_digest_of(SW_SHA256, canonical);
    sw_hex_encode(d.bytes, 32, hex);
    struct sw_str to_sign = sw_arena_printf(a, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/s3/aws4_request\n%s",
                                            stamp, stamp, s->region, hex);
    sw_hmac_sha256(sw_arena_printf(a, "AWS4%s", s->secret_key), sw_str_n(stamp, 8), mac);
    sw_hmac_sha256(sw_str_n((char *)mac, 32), sw_str(s->region), mac);
    sw_hmac_sha256(sw_str_n((char *)mac, 32), SW_STR("s3"), mac);
    sw_hmac_sha256(sw_str_n((char *)mac, 32), SW_STR("aws4_request"), mac);
    sw_hmac_sha256(sw_str_n((char *)mac, 32), to_sign, mac);
    sw_hex_encode(mac, 32, hex);
    headers[0] = (struct sw_http_header){SW_STR("x-amz-date"), sw_arena_str(a, sw_str(stamp))};
    headers[1] =
        (struct sw_http_header){SW_STR("x-amz-content-sha256"), SW_STR("UNSIGNED-PAYLOAD")};
    headers[2] = (struct sw_http_header){
        SW_STR("Authorization"),
        sw_arena_printf(a,
                        "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/s3/aws4_request,SignedHeaders=host;"
                        "x-amz-content-sha256;x-amz-date,Signature=%s",
                        s->access_key, stamp, s->region, hex)};
}

/* *ret_missing may be NULL where a missing object is an error. */
static enum sw_code ask(struct s3_blobs *s, const struct ask *a, struct sw_http_response *r,
                        bool *ret_missing, struct sw_error *err) {
    char url[URL_MAX_BYTES];
    struct sw_http_request q = {
        .method = a->method,
        .url = url,
        .flags = SW_HTTP_IDEMPOTENT | SW_HTTP_NO_REDIRECT | (a->len ? SW_HTTP_EXACT_RANGE : 0),
        .body = a->body,
        .range_start = a->offset,
        .range_len = a->len,
        .sink = a->sink,
        .sink_context = a->sink_context,
    };
    int n = snprintf(url, sizeof url, "%s%s%s%s%s%s", s->bucket_url, a->key ? "/" : "",
                     a->key ? s->prefix : "", a->key ? a->key : "", a->query ? "?" : "",
                     a->query ? a->query : "");
    if (n < 0 || (size_t)n >= sizeof url) return sw_fail(err, SW_LIMIT, "S3: a URL too long");
    if (a->body_fd >= 0) {
        q.body_source = read_body;
        q.body_context = (void *)(uintptr_t)&a->body_fd;
        q.body_size = a->body_size;
    }
    SW_ARENA struct sw_arena arena = {0};
    struct sw_http_header headers[3];
    sw_arena_init(&arena, 0);
    sign(s, a->method, url, &arena, headers);
    q.headers = headers;
    q.n_headers = 3;
    enum sw_code code = sw_http_do(s->http, &q, r, err);
    if (code) return sw_context(err, "S3");
    if (ret_missing) *ret_missing = r->status == 404;
    if (ret_missing && *ret_missing) return SW_OK;
    code = sw_http_check(r, err);
    return code ? sw_context(err, "S3 %s %s", a->method, a->key ? a->key : "") : SW_OK;
}

static const char *key_of(const char *location, const char *suffix, char ret[64]) {
    snprintf(ret, 64, "data/%.2s/%s%s", location, location, suffix);
    return ret;
}

static enum sw_code simple(struct s3_blobs *s, const char *method, const char *key,
                           const char *query, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    bool missing;
    sw_http_response_init(&r);
    return ask(s, &(struct ask){.method = method, .key = key, .query = query, .body_fd = -1}, &r,
               &missing, err);
}

/* What stands between <name> and </name>: the answers are flat and made by machines. */
static bool element(struct sw_str *rest, const char *name, struct sw_str *ret) {
    char open[64], close[64];
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    size_t from = sw_str_find(*rest, sw_str(open));
    if (from == SIZE_MAX) return false;
    struct sw_str tail = sw_str_from(*rest, from + strlen(open));
    size_t to = sw_str_find(tail, sw_str(close));
    if (to == SIZE_MAX) return false;
    *ret = sw_str_sub(tail, 0, to);
    *rest = sw_str_from(tail, to);
    return true;
}

/* ---- uploads ---- */

static enum sw_code upload_new(struct sw_blobs *b, const char *location, struct s3_upload **ret,
                               struct sw_error *err) {
    int fd = open(s3_of(b)->spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) fd = memfd_create("spool", MFD_CLOEXEC);
    if (fd < 0) return sw_fail_sys(err, errno, "making a file in %s", s3_of(b)->spool_dir);
    struct s3_upload *u = sw_calloc(1, sizeof *u);
    u->base.blobs = b;
    snprintf(u->base.location, sizeof u->base.location, "%s", location);
    u->fd = fd;
    sw_arena_init(&u->arena, 0);
    *ret = u;
    return SW_OK;
}

static void upload_free(struct s3_upload *u) {
    sw_closep(&u->fd);
    sw_arena_done(&u->arena);
    free(u);
}

static enum sw_code create(struct sw_blobs *b, const char *location, struct sw_blob_upload **ret,
                           struct sw_error *err) {
    struct s3_upload *u = NULL;
    enum sw_code code = upload_new(b, location, &u, err);
    if (!code) *ret = &u->base;
    return code;
}

/* Multipart uploads of a location that were begun and neither completed nor aborted: their parts
 * cost space and show up nowhere else. Some stores list them only for the whole key. */
static enum sw_code abort_uploads(struct s3_blobs *s, const char *location, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    SW_BUF struct sw_buf query = {0};
    char key[64];
    struct sw_str item, rest, id;
    sw_buf_init(&query, 0);
    sw_http_response_init(&r);
    sw_buf_add_text(&query, "prefix=");
    sw_http_encode(&query, sw_str(s->prefix), "");
    sw_http_encode(&query, sw_str(key_of(location, "", key)), "");
    sw_buf_add_text(&query, "&uploads=");
    struct ask a = {.method = "GET", .query = query.ptr, .body_fd = -1};
    enum sw_code code = ask(s, &a, &r, NULL, err);
    rest = sw_buf_str(&r.body);
    while (!code && element(&rest, "Upload", &item)) {
        if (!element(&item, "UploadId", &id)) continue;
        sw_buf_reset(&query);
        sw_buf_add_text(&query, "uploadId=");
        sw_http_encode(&query, id, "");
        code = simple(s, "DELETE", key, query.ptr, err);
    }
    return code;
}

static enum sw_code begin_multipart(struct s3_upload *u, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    char key[64];
    struct sw_str id;
    sw_http_response_init(&r);
    /* A process that was killed may have begun one that nobody knows of. */
    if (u->resumed) {
        enum sw_code aborted = abort_uploads(s3_of(u->base.blobs), u->base.location, err);
        if (aborted) return aborted;
    }
    struct ask a = {.method = "POST",
                    .key = key_of(u->base.location, "", key),
                    .query = "uploads=",
                    .body_fd = -1};
    enum sw_code code = ask(s3_of(u->base.blobs), &a, &r, NULL, err);
    if (code) return code;
    struct sw_str rest = sw_buf_str(&r.body);
    if (!element(&rest, "UploadId", &id)) return sw_fail(err, SW_NETWORK, "S3: no UploadId");
    u->upload_id = sw_arena_cstr(&u->arena, id);
    return SW_OK;
}

static struct sw_str part_query(struct s3_upload *u, size_t number) {
    SW_BUF struct sw_buf b = {0};
    sw_buf_init(&b, 0);
    if (number) sw_buf_addf(&b, "partNumber=%zu&", number);
    sw_buf_add_text(&b, "uploadId=");
    sw_http_encode(&b, sw_str(u->upload_id), "");
    return sw_arena_str(&u->arena, sw_buf_str(&b));
}

/* The spool becomes the next part. */
static enum sw_code flush(struct s3_upload *u, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    char key[64];
    enum sw_code code = u->upload_id ? SW_OK : begin_multipart(u, err);
    if (code) return code;
    if (u->etags.len == SW_REG_S3_PARTS_MAX)
        return sw_fail(err, SW_LIMIT, "S3: more than %d parts", SW_REG_S3_PARTS_MAX);
    sw_http_response_init(&r);
    struct ask a = {.method = "PUT",
                    .key = key_of(u->base.location, "", key),
                    .query = part_query(u, u->etags.len + 1).ptr,
                    .body_fd = u->fd,
                    .body_size = u->spooled};
    code = ask(s3_of(u->base.blobs), &a, &r, NULL, err);
    if (code) return code;
    struct sw_str etag = sw_http_header(&r, "etag");
    if (!etag.len) return sw_fail(err, SW_NETWORK, "S3: a part without an ETag");
    sw_strs_add(&u->arena, &u->etags, sw_arena_str(&u->arena, etag));
    u->flushed += u->spooled;
    u->spooled = 0;
    if (sw_sys_ftruncate(u->fd, 0) < 0 || lseek(u->fd, 0, SEEK_SET) < 0)
        return sw_fail_sys(err, errno, "emptying the spool");
    return SW_OK;
}

static enum sw_code append(struct sw_blob_upload *base, const void *bytes, size_t len,
                           struct sw_error *err) {
    struct s3_upload *u = (struct s3_upload *)base;
    enum sw_code code = sw_write_full(u->fd, bytes, len, err);
    if (code) return code;
    u->spooled += len;
    return u->spooled >= SW_REG_S3_PART ? flush(u, err) : SW_OK;
}

static enum sw_code read_back(struct sw_blob_upload *u, uint64_t offset, void *to, size_t len,
                              size_t *ret_len, struct sw_error *err) {
    return sw_fail(err, SW_UNSUPPORTED, "an S3 store cannot read an unfinished upload");
}

static struct sw_str state_text(struct s3_upload *u, struct sw_arena *a, uint64_t tail) {
    SW_BUF struct sw_buf b = {0};
    struct sw_json_writer w;
    sw_buf_init(&b, 0);
    sw_json_writer_init(&w, &b, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "upload", sw_str(u->upload_id));
    sw_json_put_strs(&w, "parts", &u->etags);
    sw_json_put_int(&w, "flushed", (int64_t)u->flushed);
    sw_json_put_int(&w, "tail", (int64_t)tail);
    sw_json_end_object(&w);
    return sw_arena_str(a, sw_buf_str(&b));
}

static enum sw_code put_spool(struct s3_upload *u, const char *suffix, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    char key[64];
    sw_http_response_init(&r);
    struct ask a = {.method = "PUT",
                    .key = key_of(u->base.location, suffix, key),
                    .body_fd = u->fd,
                    .body_size = u->spooled};
    return ask(s3_of(u->base.blobs), &a, &r, NULL, err);
}

static enum sw_code pause_upload(struct sw_blob_upload *base, struct sw_arena *a,
                                 struct sw_str *ret_state, struct sw_error *err) {
    struct s3_upload *u = (struct s3_upload *)base;
    enum sw_code code = u->spooled ? put_spool(u, ".tail", err) : SW_OK;
    if (!code) *ret_state = state_text(u, a, u->spooled);
    upload_free(u);
    return code;
}

static enum sw_code read_state(struct s3_upload *u, struct sw_str state, uint64_t *ret_tail,
                               struct sw_error *err) {
    const struct sw_json *root = NULL;
    struct sw_str id = SW_STR("");
    int64_t flushed = 0, tail = 0;
    if (!state.len) return SW_OK;
    enum sw_code code = sw_json_parse(&u->arena, state, NULL, &root, err);
    if (!code) code = sw_json_opt_str(root, "upload", &id, err);
    if (!code) code = sw_json_opt_strs(&u->arena, root, "parts", &u->etags, err);
    if (!code) code = sw_json_opt_int(root, "flushed", &flushed, err);
    if (!code) code = sw_json_opt_int(root, "tail", &tail, err);
    if (code) return code;
    if (id.len) u->upload_id = sw_arena_cstr(&u->arena, id);
    u->flushed = (uint64_t)flushed;
    *ret_tail = (uint64_t)tail;
    return SW_OK;
}

static enum sw_code write_sink(void *context, const void *bytes, size_t len, struct sw_error *err) {
    return sw_write_full(*(int *)context, bytes, len, err);
}

static enum sw_code resume(struct sw_blobs *b, const char *location, struct sw_str state,
                           struct sw_blob_upload **ret, uint64_t *ret_size, struct sw_error *err) {
    struct s3_upload *u = NULL;
    uint64_t tail = 0;
    char key[64];
    enum sw_code code = upload_new(b, location, &u, err);
    if (code) return code;
    code = read_state(u, state, &tail, err);
    if (!code && tail) {
        SW_HTTP_RESPONSE struct sw_http_response r = {0};
        sw_http_response_init(&r);
        struct ask a = {.method = "GET",
                        .key = key_of(location, ".tail", key),
                        .body_fd = -1,
                        .sink = write_sink,
                        .sink_context = &u->fd};
        code = ask(s3_of(b), &a, &r, NULL, err);
        if (!code && r.body_size != tail)
            code = sw_fail(err, SW_CORRUPT, "S3: the rest of the upload %s was changed", location);
        u->spooled = tail;
        u->has_tail = true;
    }
    if (code) {
        upload_free(u);
        return code;
    }
    u->resumed = true;
    *ret_size = u->flushed + u->spooled;
    *ret = &u->base;
    return SW_OK;
}

static enum sw_code buf_sink(void *context, const void *bytes, size_t len, struct sw_error *err) {
    sw_buf_add_bytes(context, bytes, len);
    return SW_OK;
}

static enum sw_code fetch(struct s3_blobs *s, const char *location, uint64_t offset, size_t len,
                          struct sw_buf *to, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    char key[64];
    sw_http_response_init(&r);
    struct ask a = {.method = "GET",
                    .key = key_of(location, "", key),
                    .body_fd = -1,
                    .offset = offset,
                    .len = len,
                    .sink = buf_sink,
                    .sink_context = to};
    enum sw_code code = ask(s, &a, &r, NULL, err);
    if (!code && to->len != len)
        code = sw_fail(err, SW_CORRUPT, "S3: %zu bytes of %s, not %zu", to->len, location, len);
    return code;
}

static enum sw_code complete(struct s3_upload *u, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    SW_BUF struct sw_buf xml = {0};
    char key[64];
    sw_buf_init(&xml, 0);
    sw_buf_add_text(&xml, "<CompleteMultipartUpload>");
    for (size_t i = 0; i < u->etags.len; i++)
        sw_buf_addf(&xml, "<Part><PartNumber>%zu</PartNumber><ETag>%.*s</ETag></Part>", i + 1,
                    SW_ARG(u->etags.ptr[i]));
    sw_buf_add_text(&xml, "</CompleteMultipartUpload>");
    sw_http_response_init(&r);
    struct ask a = {.method = "POST",
                    .key = key_of(u->base.location, "", key),
                    .query = part_query(u, 0).ptr,
                    .body = sw_buf_str(&xml),
                    .body_fd = -1};
    bool missing = false;
    enum sw_code code = ask(s3_of(u->base.blobs), &a, &r, &missing, err);
    /* An answer that was lost made us ask again: then the upload is no more, and the blob is. */
    if (!code && missing) {
        SW_BUF struct sw_buf last = {0};
        sw_buf_init(&last, 2);
        return fetch(s3_of(u->base.blobs), u->base.location, u->flushed - 1, 1, &last, err);
    }
    /* An error may come with status 200, after the answer began. */
    if (!code && sw_str_find(sw_buf_str(&r.body), SW_STR("<Error>")) != SIZE_MAX)
        code = sw_fail(err, SW_NETWORK, "S3: completing the upload failed");
    return code;
}

static enum sw_code seal(struct sw_blob_upload *base, struct sw_error *err) {
    struct s3_upload *u = (struct s3_upload *)base;
    struct sw_error ignored;
    char key[64];
    enum sw_code code = SW_OK;
    if (!u->upload_id) {
        code = put_spool(u, "", err);
    } else {
        if (u->spooled) code = flush(u, err);
        if (!code) code = complete(u, err);
    }
    if (!code && u->has_tail)
        (void)!simple(s3_of(base->blobs), "DELETE", key_of(base->location, ".tail", key), NULL,
                      &ignored);
    upload_free(u);
    return code;
}

static void drop_parts(struct s3_upload *u) {
    struct s3_blobs *s = s3_of(u->base.blobs);
    struct sw_error ignored;
    char key[64];
    if (u->upload_id)
        (void)!simple(s, "DELETE", key_of(u->base.location, "", key), part_query(u, 0).ptr,
                      &ignored);
    (void)!simple(s, "DELETE", key_of(u->base.location, ".tail", key), NULL, &ignored);
}

static void discard(struct sw_blob_upload *base) {
    drop_parts((struct s3_upload *)base);
    upload_free((struct s3_upload *)base);
}

static enum sw_code remove_at(struct sw_blobs *b, const char *location, struct sw_error *err) {
    char key[64];
    return simple(s3_of(b), "DELETE", key_of(location, "", key), NULL, err);
}

static enum sw_code purge(struct sw_blobs *b, const char *location, struct sw_error *err) {
    char key[64];
    struct s3_blobs *s = s3_of(b);
    enum sw_code code = abort_uploads(s, location, err);
    if (!code) code = simple(s, "DELETE", key_of(location, ".tail", key), NULL, err);
    return code ? code : remove_at(b, location, err);
}

/* ---- reading ---- */

struct sending {
    struct s3_blobs *s;
    char location[SW_LOCATION_LEN + 1];
    uint64_t first, len; /* of the blob */
    struct sw_buf window;
    uint64_t window_at; /* offset in the reply */
};

static ptrdiff_t sending_read(void *context, uint64_t offset, char *to, size_t len) {
    struct sending *d = context;
    struct sw_error err;
    if (offset >= d->len) return 0;
    if (offset < d->window_at || offset >= d->window_at + d->window.len) {
        size_t want = d->len - offset < WINDOW ? (size_t)(d->len - offset) : WINDOW;
        sw_buf_reset(&d->window);
        d->window_at = offset;
        if (fetch(d->s, d->location, d->first + offset, want, &d->window, &err)) return -1;
    }
    size_t at = (size_t)(offset - d->window_at), n = d->window.len - at;
    if (n > len) n = len;
    memcpy(to, d->window.ptr + at, n);
    return (ptrdiff_t)n;
}

static void sending_free(void *context) {
    struct sending *d = context;
    sw_buf_done(&d->window);
    free(d);
}

static enum sw_code reply(struct sw_blobs *b, struct sw_exchange *x, int status,
                          const char *location, uint64_t offset, uint64_t len,
                          struct sw_error *err) {
    struct sending *d = sw_calloc(1, sizeof *d);
    d->s = s3_of(b);
    snprintf(d->location, sizeof d->location, "%s", location);
    d->first = offset;
    d->len = len;
    sw_buf_init(&d->window, WINDOW + 1);
    if (len == 0) {
        sending_free(d);
        sw_reply_bytes(x, status, SW_STR(""));
        return SW_OK;
    }
    struct sw_reply_source source = {d, sending_read, sending_free};
    sw_reply_stream(x, status, len, &source);
    return SW_OK;
}

static enum sw_code read_at(struct sw_blobs *b, const char *location, uint64_t offset, void *to,
                            size_t len, struct sw_error *err) {
    SW_BUF struct sw_buf bytes = {0};
    sw_buf_init(&bytes, len + 1);
    if (len == 0) return SW_OK;
    enum sw_code code = fetch(s3_of(b), location, offset, len, &bytes, err);
    if (!code) memcpy(to, bytes.ptr, len);
    return code;
}

/* ---- looking around ---- */

static enum sw_code visit_page(struct sw_str page, const char *list, const char *time,
                               enum sw_code (*visit)(void *, const char *, int64_t, uint64_t,
                                                     struct sw_error *),
                               void *context, struct sw_error *err) {
    struct sw_str item, rest = page;
    enum sw_code code = SW_OK;
    while (!code && element(&rest, list, &item)) {
        struct sw_str key, when, size, part = item;
        char location[SW_LOCATION_LEN + 1] = "";
        int64_t changed = 0;
        uint32_t ns;
        uint64_t bytes = 0;
        if (!element(&part, "Key", &key)) continue;
        part = item;
        if (!element(&part, time, &when) || sw_rfc3339_parse(when, &changed, &ns, err)) continue;
        part = item;
        if (element(&part, "Size", &size) && !sw_str_u64(size, &bytes)) bytes = 0;
        struct sw_str name = sw_str_from(key, sw_str_rfind_char(key, '/') + 1);
        if (sw_str_ends(name, SW_STR(".tail"))) name.len -= 5;
        if (name.len != SW_LOCATION_LEN) continue;
        memcpy(location, name.ptr, name.len);
        code = visit(context, location, changed, bytes, err);
    }
    return code;
}

/* The oldest thousand multipart uploads: what is done with them makes room for the next. */
static enum sw_code list_uploads(struct s3_blobs *s,
                                 enum sw_code (*visit)(void *, const char *, int64_t, uint64_t,
                                                       struct sw_error *),
                                 void *context, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    SW_BUF struct sw_buf query = {0};
    sw_buf_init(&query, 0);
    sw_http_response_init(&r);
    sw_buf_add_text(&query, "prefix=");
    sw_http_encode(&query, sw_str(s->prefix), "");
    sw_http_encode(&query, SW_STR("data/"), "");
    sw_buf_add_text(&query, "&uploads=");
    struct ask a = {.method = "GET", .query = query.ptr, .body_fd = -1};
    enum sw_code code = ask(s, &a, &r, NULL, err);
    return code ? code
                : visit_page(sw_buf_str(&r.body), "Upload", "Initiated", visit, context, err);
}

static enum sw_code list(struct sw_blobs *b,
                         enum sw_code (*visit)(void *, const char *, int64_t, uint64_t,
                                               struct sw_error *),
                         void *context, struct sw_error *err) {
    struct s3_blobs *s = s3_of(b);
    SW_BUF struct sw_buf query = {0};
    SW_BUF struct sw_buf token = {0};
    bool more = true;
    enum sw_code code = SW_OK;
    sw_buf_init(&query, 0);
    sw_buf_init(&token, 0);
    while (!code && more) {
        SW_HTTP_RESPONSE struct sw_http_response r = {0};
        struct sw_str next;
        sw_http_response_init(&r);
        sw_buf_reset(&query); /* sorted by name, as the signature wants it */
        if (token.len) {
            sw_buf_add_text(&query, "continuation-token=");
            sw_http_encode(&query, sw_buf_str(&token), "");
            sw_buf_add_char(&query, '&');
        }
        sw_buf_add_text(&query, "list-type=2&prefix=");
        sw_http_encode(&query, sw_str(s->prefix), "");
        sw_http_encode(&query, SW_STR("data/"), "");
        struct ask a = {.method = "GET", .query = query.ptr, .body_fd = -1};
        code = ask(s, &a, &r, NULL, err);
        if (code) break;
        struct sw_str page = sw_buf_str(&r.body), rest = page;
        code = visit_page(page, "Contents", "LastModified", visit, context, err);
        more = element(&rest, "NextContinuationToken", &next);
        sw_buf_reset(&token);
        if (more) sw_buf_add(&token, next);
    }
    return code ? code : list_uploads(s, visit, context, err);
}

static enum sw_code ready(struct sw_blobs *b, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r = {0};
    sw_http_response_init(&r);
    struct ask a = {.method = "GET", .query = "list-type=2&max-keys=1", .body_fd = -1};
    return ask(s3_of(b), &a, &r, NULL, err);
}

static void close_store(struct sw_blobs *b) {
    struct s3_blobs *s = s3_of(b);
    sw_http_free(s->http);
    sw_arena_done(&s->strings);
    free(s);
}

static const struct sw_blobs_ops ops = {
    .name = "s3",
    .opaque_uploads = true,
    .close = close_store,
    .create = create,
    .resume = resume,
    .append = append,
    .read_back = read_back,
    .pause = pause_upload,
    .seal = seal,
    .discard = discard,
    .remove = remove_at,
    .purge = purge,
    .reply = reply,
    .read = read_at,
    .list = list,
    .ready = ready,
};

enum sw_code sw_blobs_open_s3(const struct sw_s3_options *o, struct sw_blobs **ret,
                              struct sw_error *err) {
    struct sw_str endpoint = sw_str(o->endpoint);
    struct s3_blobs *s = sw_calloc(1, sizeof *s);
    while (sw_str_ends(endpoint, SW_STR("/"))) endpoint.len--;
    sw_arena_init(&s->strings, 0);
    s->base.ops = &ops;
    s->bucket_url = sw_arena_printf(&s->strings, "%.*s/%s", SW_ARG(endpoint), o->bucket).ptr;
    s->prefix = sw_arena_cstr(&s->strings, sw_str(o->prefix));
    s->access_key = sw_arena_cstr(&s->strings, sw_str(o->access_key));
    s->secret_key = sw_arena_cstr(&s->strings, sw_str(o->secret_key));
    s->region = sw_arena_cstr(&s->strings, sw_str(o->region));
    size_t scheme = sw_str_find(endpoint, SW_STR("://"));
    struct sw_str rest;
    sw_str_cut(scheme == SIZE_MAX ? endpoint : sw_str_from(endpoint, scheme + 3), '/', &s->host,
               &rest);
    s->host = sw_arena_str(&s->strings, s->host);
    s->spool_dir = sw_arena_cstr(&s->strings, sw_str(o->spool_dir));
    s->http = sw_http_new(NULL);
    enum sw_code code = sw_mkdirs_at(AT_FDCWD, o->spool_dir, 0700, err);
    if (!code) code = ready(&s->base, err);
    if (code) {
        close_store(&s->base);
        return code;
    }
    *ret = &s->base;
    return SW_OK;
}
