#include "build/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/blob.h"
#include "store/cache.h"

#define HEADER_MAX 1024 /* bytes of an ETag or a date that are remembered */

bool sw_is_http_url(struct sw_str text) {
    return sw_str_starts(text, SW_STR("http://")) || sw_str_starts(text, SW_STR("https://"));
}

/* ---- blobs as a source ---- */

struct blobs {
    struct sw_source source;
    struct sw_store *store;
};

static enum sw_code blobs_open(struct sw_source *s, struct sw_str path, int *ret_fd,
                               struct stat *ret_st, struct sw_error *err) {
    struct sw_digest digest;
    SW_FD int fd = -1;
    enum sw_code code = sw_digest_parse(path, &digest, err);
    if (!code) code = sw_blob_open(((struct blobs *)s)->store, &digest, &fd, NULL, err);
    if (code) return code;
    if (fstat(fd, ret_st) < 0) return sw_fail_sys(err, errno, "stat a blob");
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static enum sw_code blobs_stat(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                               bool listed, struct sw_node *ret, struct sw_error *err) {
    struct stat st;
    SW_FD int fd = -1;
    (void)arena, (void)listed;
    enum sw_code code = blobs_open(s, path, &fd, &st, err);
    if (!code) sw_node_from_stat(ret, &st);
    return code;
}

static enum sw_code blobs_list(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                               struct sw_str **ret_names, size_t *ret_n, struct sw_error *err) {
    (void)s, (void)path, (void)err;
    *ret_names = sw_arena_array(arena, 1, sizeof **ret_names);
    *ret_n = 0;
    return SW_OK;
}

static void blobs_free(struct sw_source *s) { free(s); }

static const struct sw_source_ops blobs_ops = {
    .stat = blobs_stat, .list = blobs_list, .open = blobs_open, .free = blobs_free};

struct sw_source *sw_source_blobs(struct sw_store *store) {
    struct blobs *b = sw_calloc(1, sizeof *b);
    b->source = (struct sw_source){.ops = &blobs_ops, .name = SW_STR("what was fetched")};
    b->store = store;
    return &b->source;
}

/* ---- what is remembered of a URL ---- */

struct memory {
    struct sw_str etag, modified; /* "" where the server gave none */
    struct sw_digest digest;
};

static void memory_key(struct sw_str url, uint8_t key[SW_CACHE_KEY_SIZE]) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("slipway url 1\n"));
    sw_hasher_add_str(&h, url);
    struct sw_digest d = sw_hasher_finish(&h);
    memcpy(key, d.bytes, SW_CACHE_KEY_SIZE);
}

static bool recall(const struct sw_fetch *f, struct sw_arena *arena, struct sw_str url,
                   struct memory *ret) {
    struct sw_error ignored = {0};
    struct sw_cache_record record;
    uint8_t key[SW_CACHE_KEY_SIZE];
    struct sw_str digest = {0};
    memory_key(url, key);
    if (sw_cache_get(f->store, arena, key, &record, &ignored)) return false;
    struct sw_str rest = record.value;
    return sw_str_next(&rest, '\n', &ret->etag) && sw_str_next(&rest, '\n', &ret->modified) &&
           sw_str_next(&rest, '\n', &digest) && !sw_digest_parse(digest, &ret->digest, &ignored);
}

static enum sw_code remember(const struct sw_fetch *f, struct sw_arena *arena, struct sw_str url,
                             const struct memory *m, struct sw_error *err) {
    char digest[SW_DIGEST_TEXT_MAX];
    struct sw_cache_ref ref = {.blob = m->digest};
    struct sw_cache_record record = {.refs = &ref, .n_refs = 1};
    sw_digest_format(&m->digest, digest);
    record.value =
        sw_arena_printf(arena, "%.*s\n%.*s\n%s", SW_ARG(m->etag), SW_ARG(m->modified), digest);
    memory_key(url, record.key);
    return sw_cache_put(f->store, &record, err);
}

/* ---- fetching ---- */

static enum sw_code sink(void *context, const void *bytes, size_t len, struct sw_error *err) {
    return sw_blob_write(context, bytes, len, err);
}

static void show(void *context, uint64_t done, uint64_t total) {
    const struct sw_fetch *f = context;
    sw_progress_bytes(f->progress, f->step, SW_STR("fetching"), done, total);
}

static struct sw_str header(struct sw_arena *arena, const struct sw_http_response *r,
                            const char *name) {
    struct sw_str value = sw_http_header(r, name);
    if (!value.ptr || value.len > HEADER_MAX || sw_str_find_char(value, '\n') != SIZE_MAX)
        return SW_STR("");
    return sw_arena_str(arena, value);
}

/* Fetches, or learns that what is remembered still holds. known NULL: nothing is. */
static enum sw_code transfer(const struct sw_fetch *f, struct sw_arena *arena, struct sw_str url,
                             const struct memory *known, struct memory *ret, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response;
    SW_BLOB_WRITER struct sw_blob_writer blob = SW_BLOB_WRITER_NONE;
    struct sw_http_header headers[2];
    size_t n = 0;
    sw_http_response_init(&response);
    if (known && known->etag.len)
        headers[n++] = (struct sw_http_header){SW_STR("If-None-Match"), known->etag};
    if (known && known->modified.len)
        headers[n++] = (struct sw_http_header){SW_STR("If-Modified-Since"), known->modified};
    enum sw_code code = sw_blob_begin(f->store, true, &blob, err);
    if (code) return code;
    struct sw_http_request request = {.url = sw_arena_cstr(arena, url),
                                      .headers = headers,
                                      .n_headers = n,
                                      .sink = sink,
                                      .sink_context = &blob,
                                      .progress = show,
                                      .progress_context = (void *)(uintptr_t)f};
    code = sw_http_do(f->http, &request, &response, err);
    if (!code && n && response.status == 304) {
        *ret = *known;
        return SW_OK;
    }
    if (!code) code = sw_http_check(&response, err);
    if (code) return code;
    ret->etag = header(arena, &response, "etag");
    ret->modified = header(arena, &response, "last-modified");
    code = sw_blob_commit(&blob, NULL, SW_BLOB_SIZE_UNKNOWN, &ret->digest, NULL, err);
    return code ? code : remember(f, arena, url, ret, err);
}

/* Without "user:password@", "?query" and "#fragment". */
static struct sw_str base_name(struct sw_str url) {
    size_t scheme = sw_str_find(url, SW_STR("://"));
    struct sw_str rest = sw_str_from(url, scheme + 3);
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] == '?' || rest.ptr[i] == '#') rest = sw_str_sub(rest, 0, i);
    size_t slash = sw_str_find_char(rest, '/');
    if (slash == SIZE_MAX) return SW_STR("__unnamed__");
    rest = sw_str_from(rest, slash);
    while (rest.len && rest.ptr[rest.len - 1] == '/') rest.len--;
    rest = sw_str_from(rest, rest.len ? sw_str_rfind_char(rest, '/') + 1 : 0);
    return rest.len && !sw_str_is(rest, ".") && !sw_str_is(rest, "..") ? rest
                                                                       : SW_STR("__unnamed__");
}

/* "%20" is a blank in a file's name; what would be a slash or a NUL stays as it is. */
static struct sw_str decode(struct sw_arena *arena, struct sw_str text) {
    char *out = sw_arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned value = 0;
        if (text.ptr[i] == '%' && i + 2 < text.len &&
            sscanf((char[]){text.ptr[i + 1], text.ptr[i + 2], 0}, "%2x", &value) == 1 && value &&
            value != '/') {
            out[n++] = (char)value;
            i += 2;
        } else {
            out[n++] = text.ptr[i];
        }
    }
    return sw_str_n(out, n);
}

static bool http_time(struct sw_arena *arena, struct sw_str text, int64_t *ret) {
    struct tm tm = {0};
    const char *end =
        text.len ? strptime(sw_arena_cstr(arena, text), "%a, %d %b %Y %H:%M:%S", &tm) : NULL;
    if (!end) return false;
    *ret = timegm(&tm);
    return true;
}

static enum sw_code check_sum(const struct sw_fetch *f, const struct sw_digest *have,
                              const struct sw_digest *want, struct sw_error *err) {
    struct sw_digest found = *have;
    if (want->alg != SW_SHA256) {
        SW_FD int fd = -1;
        struct sw_hasher h;
        char block[65536];
        ssize_t n;
        enum sw_code code = sw_blob_open(f->store, have, &fd, NULL, err);
        if (code) return code;
        sw_hasher_init(&h, want->alg);
        while ((n = read(fd, block, sizeof block)) > 0) sw_hasher_add(&h, block, (size_t)n);
        if (n < 0) return sw_fail_sys(err, errno, "read a blob");
        found = sw_hasher_finish(&h);
    }
    if (sw_digest_eq(&found, want)) return SW_OK;
    char a[SW_DIGEST_TEXT_MAX], b[SW_DIGEST_TEXT_MAX];
    return sw_fail(err, SW_CORRUPT, "digest mismatch: the file is %s, --checksum wants %s",
                   sw_digest_format(&found, a).ptr, sw_digest_format(want, b).ptr);
}

enum sw_code sw_fetch_file(const struct sw_fetch *f, struct sw_str url, struct sw_str checksum,
                           bool refresh, struct sw_arena *arena, struct sw_fetched *ret,
                           struct sw_error *err) {
    struct memory known = {0}, now = {0};
    struct sw_digest want = {0};
    if (checksum.len && sw_digest_parse(checksum, &want, err)) return sw_context(err, "--checksum");
    bool has = recall(f, arena, url, &known);
    enum sw_code code = SW_OK;
    if (has && !refresh && checksum.len && sw_digest_eq(&known.digest, &want)) {
        now = known;
    } else {
        code = transfer(f, arena, url, has && !refresh ? &known : NULL, &now, err);
    }
    if (!code && checksum.len) code = check_sum(f, &now.digest, &want, err);
    if (code) return sw_context(err, "fetching %.*s", SW_ARG(url));
    char text[SW_DIGEST_TEXT_MAX];
    SW_FD int fd = -1;
    struct stat st;
    code = sw_blob_open(f->store, &now.digest, &fd, NULL, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "stat a blob");
    *ret = (struct sw_fetched){.digest = now.digest,
                               .name = decode(arena, base_name(url)),
                               .path = sw_arena_str(arena, sw_digest_format(&now.digest, text))};
    sw_node_from_stat(&ret->node, &st);
    ret->node.mode = 0600;
    ret->node.uid = ret->node.gid = 0;
    ret->node.linked = false;
    ret->node.mtime_nsec = 0;
    if (!http_time(arena, now.modified, &ret->node.mtime_sec)) ret->node.mtime_sec = INT64_MAX;
    return SW_OK;
}
