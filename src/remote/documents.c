/* Manifests, tags, the catalog, referrers. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "codec/json.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "remote/remote_internal.h"

static struct sw_str accept_all(void) {
    return SW_STR(SW_MT_OCI_INDEX ", " SW_MT_OCI_MANIFEST ", " SW_MT_DOCKER_LIST
                                  ", " SW_MT_DOCKER_MANIFEST ", */*;q=0.1");
}

static struct sw_str manifest_path(struct sw_arena *a, struct sw_repository repo,
                                   struct sw_str reference) {
    return sw_arena_printf(a, "/v2/%.*s/manifests/%.*s", SW_ARG(repo.path), SW_ARG(reference));
}

static struct sw_str media_type(struct sw_arena *a, const struct sw_http_response *r) {
    struct sw_str type, rest;
    sw_str_cut(sw_http_header(r, "content-type"), ';', &type, &rest);
    return sw_arena_str(a, sw_str_trim(type));
}

/* The digest that the document must have: asked for, else what the header says, else computed. */
static enum sw_code settle_digest(struct sw_str reference, const struct sw_http_response *r,
                                  struct sw_str bytes, struct sw_digest *ret,
                                  struct sw_error *err) {
    struct sw_digest want = {0}, got;
    struct sw_str header = sw_http_header(r, "docker-content-digest");
    struct sw_error ignored;
    enum sw_code code = SW_OK;
    if (sw_str_find_char(reference, ':') != SIZE_MAX)
        code = sw_digest_parse(reference, &want, err);
    else if (header.len && sw_digest_parse(header, &want, &ignored))
        want = (struct sw_digest){0};
    if (code) return code;
    got = sw_digest_of(sw_digest_is_set(&want) ? (enum sw_digest_alg)want.alg : SW_SHA256, bytes);
    if (sw_digest_is_set(&want) && !sw_digest_eq(&want, &got)) {
        char a[SW_DIGEST_TEXT_MAX], b[SW_DIGEST_TEXT_MAX];
        sw_digest_format(&want, a);
        sw_digest_format(&got, b);
        return sw_fail(err, SW_CORRUPT, "the manifest has the digest %s, not %s", b, a);
    }
    *ret = got;
    return SW_OK;
}

static enum sw_code get_from(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                             struct host *host, struct sw_str reference,
                             struct sw_descriptor *ret_descriptor, struct sw_str *ret_bytes,
                             struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct sw_http_header accept = {SW_STR("Accept"), accept_all()};
    struct call c = {.repo = repo,
                     .host = host,
                     .path = manifest_path(a, repo, reference),
                     .actions = "pull",
                     .headers = &accept,
                     .n_headers = 1};
    struct sw_descriptor d = {0};
    c.http.max_body = SW_OCI_DOCUMENT_MAX;
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, a, &c, &response, err);
    if (!code) code = remote_check(a, &c, &response, err);
    if (code) return code;
    struct sw_str bytes = sw_arena_str(a, sw_buf_str(&response.body));
    code = settle_digest(reference, &response, bytes, &d.digest, err);
    if (code) return code;
    d.media_type = media_type(a, &response);
    d.size = (int64_t)bytes.len;
    *ret_descriptor = d;
    *ret_bytes = bytes;
    return SW_OK;
}

enum sw_code sw_remote_manifest_get(struct sw_remote *r, struct sw_arena *a,
                                    struct sw_repository repo, struct sw_str reference,
                                    struct sw_descriptor *ret_descriptor, struct sw_str *ret_bytes,
                                    struct sw_error *err) {
    struct host *h = NULL;
    enum sw_code code = remote_host(r, repo.domain, &h, err);
    if (code) return code;
    for (size_t i = 0;; i++) {
        struct host *mirror = NULL;
        code = remote_mirror(r, h, i, &mirror, err);
        if (!code && !mirror) break;
        if (!code) code = get_from(r, a, repo, mirror, reference, ret_descriptor, ret_bytes, err);
        if (!code || code == SW_CANCELLED) return code;
        sw_debug("remote", "mirror %.*s: %s", SW_ARG(h->setting.mirrors[i]), err->text);
    }
    return get_from(r, a, repo, h, reference, ret_descriptor, ret_bytes, err);
}

enum sw_code sw_remote_manifest_head(struct sw_remote *r, struct sw_arena *a,
                                     struct sw_repository repo, struct sw_str reference,
                                     struct sw_descriptor *ret, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct sw_http_header accept = {SW_STR("Accept"), accept_all()};
    struct call c = {.repo = repo,
                     .method = "HEAD",
                     .path = manifest_path(a, repo, reference),
                     .actions = "pull",
                     .headers = &accept,
                     .n_headers = 1};
    struct sw_descriptor d = {0};
    struct sw_str bytes;
    uint64_t size = 0;
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, a, &c, &response, err);
    if (!code) code = remote_check(a, &c, &response, err);
    if (code) return code;
    struct sw_str header = sw_http_header(&response, "docker-content-digest");
    /* A registry that does not say: the whole document says. */
    if (!header.len || !sw_str_u64(sw_http_header(&response, "content-length"), &size))
        return sw_remote_manifest_get(r, a, repo, reference, ret, &bytes, err);
    code = sw_digest_parse(header, &d.digest, err);
    if (code) return code;
    d.size = (int64_t)size;
    d.media_type = media_type(a, &response);
    *ret = d;
    return SW_OK;
}

static enum sw_code put(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                        struct sw_str reference, struct sw_str type, struct sw_str bytes,
                        bool *ret_subject, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    struct sw_http_header header = {SW_STR("Content-Type"), type};
    struct call c = {.repo = repo,
                     .method = "PUT",
                     .path = manifest_path(a, repo, reference),
                     .actions = "pull,push",
                     .headers = &header,
                     .n_headers = 1};
    c.http.body = bytes;
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, a, &c, &response, err);
    if (!code) code = remote_check(a, &c, &response, err);
    if (!code) *ret_subject = sw_http_header(&response, "oci-subject").len > 0;
    return code;
}

/* Registries before 1.1 keep no referrers: there an index under the tag "sha256-<hex>" lists them,
 * and whoever pushes one adds it (distribution-spec, "Pushing Manifests with Subject"). */
static struct sw_str fallback_tag(struct sw_arena *a, const struct sw_digest *digest) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str hex = sw_digest_hex(digest, text);
    return sw_arena_printf(a, "%s-%.*s", sw_digest_alg_name((enum sw_digest_alg)digest->alg),
                           SW_ARG(sw_str_sub(hex, 0, 64)));
}

static enum sw_code fallback(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                             const struct sw_digest *digest, struct sw_str *ret_bytes,
                             struct sw_error *err) {
    struct sw_descriptor d;
    enum sw_code code =
        sw_remote_manifest_get(r, a, repo, fallback_tag(a, digest), &d, ret_bytes, err);
    if (code != SW_NOT_FOUND) return code;
    *ret_bytes = SW_STR("");
    return SW_OK;
}

static enum sw_code add_to_fallback(struct sw_remote *r, struct sw_arena *a,
                                    struct sw_repository repo, const struct sw_digest *subject,
                                    const struct sw_descriptor *d, struct sw_error *err) {
    struct sw_index index = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    SW_BUF struct sw_buf text;
    struct sw_str bytes;
    bool ignored;
    sw_buf_init(&text, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = fallback(r, a, repo, subject, &bytes, err);
    if (!code && bytes.len) code = sw_index_parse(a, bytes, SW_STR(SW_MT_OCI_INDEX), &index, err);
    if (code) return code;
    for (size_t i = 0; i < index.n_manifests; i++)
        if (sw_digest_eq(&index.manifests[i].digest, &d->digest)) return SW_OK;
    sw_index_add(a, &index, d);
    sw_index_write(&text, &index);
    code = sw_buf_check(&text, "the list of referrers", err);
    if (code) return code;
    return put(r, a, repo, fallback_tag(a, subject), SW_STR(SW_MT_OCI_INDEX), sw_buf_str(&text),
               &ignored, err);
}

/* What a list of referrers says of a document; false where it refers to nothing. */
static bool as_referrer(struct sw_arena *a, struct sw_str type, struct sw_str bytes,
                        struct sw_digest *ret_subject, struct sw_descriptor *ret) {
    struct sw_error ignored;
    struct sw_manifest m;
    struct sw_index index;
    const struct sw_descriptor *subject = NULL;
    struct sw_descriptor d = sw_descriptor_of("", bytes);
    d.media_type = type;
    if (sw_media_type_of(type).kind == SW_MEDIA_INDEX) {
        if (sw_index_parse(a, bytes, type, &index, &ignored)) return false;
        subject = index.subject;
        d.artifact_type = index.artifact_type;
        d.annotations = index.annotations;
    } else {
        if (sw_manifest_parse(a, bytes, type, &m, &ignored)) return false;
        subject = m.subject;
        d.artifact_type = m.artifact_type.len ? m.artifact_type : m.config.media_type;
        d.annotations = m.annotations;
    }
    if (!subject) return false;
    *ret_subject = subject->digest;
    *ret = d;
    return true;
}

enum sw_code sw_remote_manifest_put(struct sw_remote *r, struct sw_repository repo,
                                    struct sw_str reference, struct sw_str type,
                                    struct sw_str bytes, struct sw_error *err) {
    SW_ARENA struct sw_arena a = {0};
    struct sw_digest subject;
    struct sw_descriptor d;
    bool known = false;
    sw_arena_init(&a, 0);
    enum sw_code code = put(r, &a, repo, reference, type, bytes, &known, err);
    if (code || known || !as_referrer(&a, type, bytes, &subject, &d)) return code;
    return add_to_fallback(r, &a, repo, &subject, &d, err);
}

enum sw_code sw_remote_manifest_delete(struct sw_remote *r, struct sw_repository repo,
                                       struct sw_str reference, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response response = {0};
    SW_ARENA struct sw_arena a = {0};
    sw_arena_init(&a, 0);
    struct call c = {.repo = repo,
                     .method = "DELETE",
                     .path = manifest_path(&a, repo, reference),
                     .actions = "delete"};
    sw_http_response_init(&response);
    enum sw_code code = remote_call(r, &a, &c, &response, err);
    return code ? code : remote_check(&a, &c, &response, err);
}

/* ---- pages ---- */

/* Link: <URL>; rel="next" (RFC 8288). */
static bool next_page(struct sw_arena *a, const struct sw_http_response *r, struct sw_str *ret) {
    struct sw_str header = sw_http_header(r, "link");
    size_t from = sw_str_find_char(header, '<'), to = sw_str_find_char(header, '>');
    if (from == SIZE_MAX || to == SIZE_MAX || to < from) return false;
    if (sw_str_find(sw_str_from(header, to), SW_STR("next")) == SIZE_MAX) return false;
    *ret = sw_arena_str(a, sw_str_sub(header, from + 1, to - from - 1));
    return true;
}

static enum sw_code list(struct sw_remote *r, struct sw_arena *a, struct call *c, const char *name,
                         struct sw_strs *ret, struct sw_error *err) {
    struct sw_strs all = {0};
    bool more = true;
    for (unsigned pages = 0; more; pages++) {
        SW_HTTP_RESPONSE struct sw_http_response response = {0};
        const struct sw_json *root = NULL, *items = NULL;
        if (pages == REMOTE_PAGES_MAX) return sw_fail(err, SW_LIMIT, "more than %d pages", pages);
        sw_http_response_init(&response);
        enum sw_code code = remote_call(r, a, c, &response, err);
        if (!code) code = remote_check(a, c, &response, err);
        if (!code)
            code = sw_json_parse(a, sw_arena_str(a, sw_buf_str(&response.body)), NULL, &root, err);
        if (!code) code = sw_json_opt_node(root, name, SW_JSON_ARRAY, &items, err);
        for (size_t i = 0; !code && items && i < items->len; i++) {
            code = sw_json_expect(&items->items[i], SW_JSON_STRING, err);
            if (!code) sw_strs_add(a, &all, items->items[i].text);
        }
        if (!code) code = sw_arena_check(a, "the list", err);
        if (code) return code;
        more = next_page(a, &response, &c->path);
    }
    *ret = all;
    return SW_OK;
}

enum sw_code sw_remote_tags(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                            struct sw_strs *ret, struct sw_error *err) {
    struct call c = {.repo = repo, .actions = "pull"};
    c.path = sw_arena_printf(a, "/v2/%.*s/tags/list?n=1000", SW_ARG(repo.path));
    return list(r, a, &c, "tags", ret, err);
}

enum sw_code sw_remote_catalog(struct sw_remote *r, struct sw_arena *a, struct sw_str domain,
                               struct sw_strs *ret, struct sw_error *err) {
    struct call c = {.repo = {domain, SW_STR("")},
                     .scope = SW_STR("registry:catalog:*"),
                     .path = SW_STR("/v2/_catalog?n=1000")};
    return list(r, a, &c, "repositories", ret, err);
}

/* ---- referrers ---- */

struct sw_str remote_fallback_tag(struct sw_arena *a, const struct sw_digest *digest) {
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str hex = sw_digest_hex(digest, text);
    return sw_arena_printf(a, "%s-%.*s", sw_digest_alg_name((enum sw_digest_alg)digest->alg),
                           SW_ARG(sw_str_sub(hex, 0, 64)));
}

enum sw_code sw_remote_referrers(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                                 const struct sw_digest *digest, struct sw_str artifact_type,
                                 struct sw_descriptor **ret, size_t *ret_n, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    struct call c = {.repo = repo, .actions = "pull"};
    struct sw_index all = {0};
    sw_digest_format(digest, text);
    c.path = sw_arena_printf(a, "/v2/%.*s/referrers/%s", SW_ARG(repo.path), text);
    bool more = true;
    for (unsigned pages = 0; more; pages++) {
        SW_HTTP_RESPONSE struct sw_http_response response = {0};
        struct sw_index page = {0};
        if (pages == REMOTE_PAGES_MAX) return sw_fail(err, SW_LIMIT, "more than %d pages", pages);
        sw_http_response_init(&response);
        enum sw_code code = remote_call(r, a, &c, &response, err);
        struct sw_str bytes = sw_arena_str(a, sw_buf_str(&response.body));
        more = !code && next_page(a, &response, &c.path);
        if (!code && response.status == 404)
            code = fallback(r, a, repo, digest, &bytes, err);
        else if (!code)
            code = remote_check(a, &c, &response, err);
        if (!code && bytes.len)
            code = sw_index_parse(a, bytes, SW_STR(SW_MT_OCI_INDEX), &page, err);
        if (code) return code;
        for (size_t i = 0; i < page.n_manifests; i++) {
            /* A registry may ignore the filter; then it is ours to apply. */
            if (artifact_type.len && !sw_str_eq(page.manifests[i].artifact_type, artifact_type))
                continue;
            sw_index_add(a, &all, &page.manifests[i]);
        }
    }
    *ret = all.manifests;
    *ret_n = all.n_manifests;
    return SW_OK;
}
