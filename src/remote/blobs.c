/* Blobs: down with ranges, up in one PATCH that goes on where it broke.
 *
 *     POST uploads/ --202, Location--> PATCH bytes --202--> PUT ?digest= --201-->
 *                                        | broken
 *                                        +--> GET Location: Range --> PATCH the rest
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/proc.h"
#include "remote/remote_internal.h"

#define UPLOAD_TRIES 6
#define UPLOAD_PAUSE_MS 300 /* doubled each time */
#define UPLOAD_END_MS 300000

static struct sw_str blob_path(struct sw_arena *a, struct sw_repository repo,
                               const struct sw_digest *d) {
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(d, text);
    return sw_arena_printf(a, "/v2/%.*s/blobs/%s", SW_ARG(repo.path), text);
}

/* ---- down ---- */

/* Counts what the sink took: there the next try goes on. */
struct get {
    sw_remote_sink *sink;
    void *context;
    uint64_t have;
    bool refused; /* the sink has failed: no other host can help */
};

static enum sw_code counting_sink(void *context, const void *bytes, size_t len,
                                  struct sw_error *err) {
    struct get *g = context;
    enum sw_code code = g->sink(g->context, bytes, len, err);
    if (code)
        g->refused = true;
    else
        g->have += len;
    return code;
}

static enum sw_code get_from(struct sw_remote *r, const struct call *call, struct host *host,
                             struct get *g, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    SW_ARENA struct sw_arena a = {0};
    struct call c = *call;
    uint64_t size = c.http.max_body;
    c.host = host;
    sw_arena_init(&a, 0);
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, &a, &c, &response, err);
    if (!code && response.status == 416)
        return sw_fail(err, SW_CORRUPT, "the registry has less of the blob than we do");
    if (!code) code = remote_check(&a, &c, &response, err);
    if (!code && g->have != size)
        code = sw_fail(err, SW_CORRUPT, "the blob has %llu bytes, not %llu",
                       (unsigned long long)g->have, (unsigned long long)size);
    return code;
}

enum sw_code sw_remote_blob_get(struct sw_remote *r, struct sw_repository repo,
                                const struct sw_digest *digest, uint64_t size, uint64_t start,
                                sw_remote_sink *sink, void *sink_context,
                                sw_remote_progress *progress, void *progress_context,
                                struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct get g = {.sink = sink, .context = sink_context, .have = start};
    struct host *h = NULL;
    if (start == size) return SW_OK;
    sw_arena_init(&a, 0);
    struct call c = {
        .repo = repo, .path = blob_path(&a, repo, digest), .actions = "pull", .have = &g.have};
    c.http = (struct sw_http_request){.sink = counting_sink,
                                      .sink_context = &g,
                                      .progress = progress,
                                      .progress_context = progress_context,
                                      .max_body = size};
    enum sw_code code = remote_host(r, repo.domain, &h, err);
    if (code) return code;
    for (size_t i = 0;; i++) {
        struct host *mirror = NULL;
        code = remote_mirror(r, h, i, &mirror, err);
        if (!code && !mirror) break;
        if (!code) code = get_from(r, &c, mirror, &g, err);
        if (!code || code == SW_CANCELLED || g.refused) return code;
        sw_debug("remote", "mirror %.*s: %s", SW_ARG(h->setting.mirrors[i]), err->text);
        if (g.have == size) return SW_OK;
    }
    return get_from(r, &c, h, &g, err);
}

/* ---- up ---- */

enum sw_code sw_remote_blob_exists(struct sw_remote *r, struct sw_repository repo,
                                   const struct sw_digest *digest, bool *ret,
                                   struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    SW_ARENA struct sw_arena a = {0};
    sw_arena_init(&a, 0);
    struct call c = {.repo = repo,
                     .method = "HEAD",
                     .path = blob_path(&a, repo, digest),
                     .actions = "pull,push"};
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, &a, &c, &response, err);
    if (!code && response.status == 404) {
        *ret = false;
        return SW_OK;
    }
    if (!code) code = remote_check(&a, &c, &response, err);
    if (!code) *ret = true;
    return code;
}

/* POST; *ret_location is where the upload goes on, "" where the blob was mounted. */
static enum sw_code begin(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                          const struct sw_digest *mount, struct sw_str from,
                          struct sw_str *ret_location, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct call c = {.repo = repo, .method = "POST", .actions = "pull,push", .from = from};
    char text[SW_DIGEST_TEXT_MAX];
    if (mount) {
        sw_digest_format(mount, text);
        c.path = sw_arena_printf(a, "/v2/%.*s/blobs/uploads/?mount=%s&from=%.*s", SW_ARG(repo.path),
                                 text, SW_ARG(from));
    } else {
        c.path = sw_arena_printf(a, "/v2/%.*s/blobs/uploads/", SW_ARG(repo.path));
    }
    c.http.flags = SW_HTTP_IDEMPOTENT; /* at worst an upload is begun twice, and expires */
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, a, &c, &response, err);
    if (!code) code = remote_check(a, &c, &response, err);
    if (code) return code;
    if (mount && response.status == 201) {
        *ret_location = SW_STR("");
        return SW_OK;
    }
    *ret_location = sw_arena_str(a, sw_http_header(&response, "location"));
    if (!ret_location->len)
        return sw_fail(err, SW_NETWORK, "%.*s: an upload without a location", SW_ARG(repo.domain));
    return SW_OK;
}

enum sw_code sw_remote_blob_mount(struct sw_remote *r, struct sw_repository repo,
                                  const struct sw_digest *digest, struct sw_str from, bool *ret,
                                  struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_str location;
    sw_arena_init(&a, 0);
    enum sw_code code = begin(r, &a, repo, digest, from, &location, err);
    if (code) return code;
    *ret = location.len == 0;
    if (*ret) return SW_OK;
    /* Not mounted: the upload that began instead is given back. Whether that works is no matter. */
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct sw_error ignored;
    struct call c = {.repo = repo, .method = "DELETE", .path = location, .actions = "pull,push"};
    c.http.flags = SW_HTTP_NO_STATUS_RETRY;
    sw_http_response_init(&response);
    (void)!remote_call(r, &a, &c, &response, &ignored);
    return SW_OK;
}

struct upload {
    struct sw_remote *r;
    struct sw_repository repo;
    struct sw_arena *a;
    struct sw_str location;
    uint64_t offset, size;
    sw_remote_source *source;
    void *source_context;
    sw_remote_progress *progress;
    void *progress_context;
};

static enum sw_code read_source(void *context, uint64_t offset, void *to, size_t len,
                                size_t *ret_len, struct sw_error *err) {
    struct upload *u = context;
    uint64_t at = u->offset + offset;
    if (at >= u->size) {
        *ret_len = 0;
        return SW_OK;
    }
    if (len > u->size - at) len = (size_t)(u->size - at);
    enum sw_code code = u->source(u->source_context, at, to, len, ret_len, err);
    if (!code && u->progress) u->progress(u->progress_context, at + *ret_len, u->size);
    return code;
}

static void take_location(struct upload *u, const struct sw_http_response *response) {
    struct sw_str l = sw_http_header(response, "location");
    if (l.len) u->location = sw_arena_str(u->a, l);
}

static enum sw_code patch(struct upload *u, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct sw_http_header headers[2] = {
        {SW_STR("Content-Type"), SW_STR("application/octet-stream")}};
    struct call c = {.repo = u->repo,
                     .method = "PATCH",
                     .path = u->location,
                     .actions = "pull,push",
                     .headers = headers,
                     .n_headers = 1};
    if (u->offset)
        headers[c.n_headers++] = (struct sw_http_header){
            SW_STR("Content-Range"),
            sw_arena_printf(u->a, "%llu-%llu", (unsigned long long)u->offset,
                            (unsigned long long)(u->size - 1))};
    c.http = (struct sw_http_request){.body_source = read_source,
                                      .body_context = u,
                                      .body_size = u->size - u->offset,
                                      .flags = SW_HTTP_NO_STATUS_RETRY};
    sw_http_response_init(&response);
    enum sw_code code = remote_call(u->r, u->a, &c, &response, err);
    if (!code) code = remote_check(u->a, &c, &response, err);
    if (code) return code;
    take_location(u, &response);
    u->offset = u->size;
    return SW_OK;
}

/* How much of it the registry has. */
static enum sw_code ask(struct upload *u, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct call c = {.repo = u->repo, .path = u->location, .actions = "pull,push"};
    uint64_t last;
    sw_http_response_init(&response);
    enum sw_code code = remote_call(u->r, u->a, &c, &response, err);
    if (!code) code = remote_check(u->a, &c, &response, err);
    if (code) return code;
    take_location(u, &response);
    struct sw_str range = sw_http_header(&response, "range"), first;
    if (sw_str_starts(range, SW_STR("bytes="))) range = sw_str_from(range, 6);
    sw_str_cut(range, '-', &first, &range);
    /* "0-0" is what registries say of an empty upload, and of one byte. */
    if (!sw_str_u64(range, &last) || last >= u->size)
        u->offset = 0;
    else
        u->offset = last ? last + 1 : 0;
    return SW_OK;
}

static enum sw_code finish(struct upload *u, const struct sw_digest *digest, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(digest, text);
    bool has_query = sw_str_find_char(u->location, '?') != SIZE_MAX;
    struct sw_http_header type = {SW_STR("Content-Type"), SW_STR("application/octet-stream")};
    struct call c = {
        .repo = u->repo, .method = "PUT", .actions = "pull,push", .headers = &type, .n_headers = 1};
    /* A registry over an object store may put the pieces together now. */
    c.http.stall_timeout_ms = UPLOAD_END_MS;
    c.path =
        sw_arena_printf(u->a, "%.*s%cdigest=%s", SW_ARG(u->location), has_query ? '&' : '?', text);
    sw_http_response_init(&response);
    enum sw_code code = remote_call(u->r, u->a, &c, &response, err);
    return code ? code : remote_check(u->a, &c, &response, err);
}

enum sw_code sw_remote_blob_put(struct sw_remote *r, struct sw_repository repo,
                                const struct sw_digest *digest, uint64_t size,
                                sw_remote_source *source, void *source_context,
                                sw_remote_progress *progress, void *progress_context,
                                struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    sw_arena_init(&a, 0);
    struct upload u = {.r = r,
                       .repo = repo,
                       .a = &a,
                       .size = size,
                       .source = source,
                       .source_context = source_context,
                       .progress = progress,
                       .progress_context = progress_context};
    bool begun = false;
    enum sw_code code = SW_OK;
    uint64_t reached = 0;
    for (unsigned i = 0; i < UPLOAD_TRIES; i++) {
        if (i) {
            unsigned ms = UPLOAD_PAUSE_MS << i;
            sw_debug("remote", "upload: %s; trying again", err->text);
            nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
            if (sw_cancel_check(err)) return SW_CANCELLED;
            /* The upload may be gone with the server that had it: then it begins anew. */
            if (begun && ask(&u, err)) begun = false;
            /* One that moves on, however haltingly, is not given up. */
            if (begun && u.offset > reached) {
                reached = u.offset;
                i = 1;
            }
        }
        if (!begun) {
            u.offset = 0;
            code = begin(r, &a, repo, NULL, SW_STR(""), &u.location, err);
            begun = !code;
        }
        if (begun && u.offset < size)
            code = patch(&u, err);
        else if (begun)
            code = SW_OK;
        if (!code) {
            code = finish(&u, digest, err);
            begun = false; /* whatever it said, these bytes are not gone on with */
        }
        if (!code || (code != SW_NETWORK && code != SW_BUSY)) return code;
    }
    return code;
}
