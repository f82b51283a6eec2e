#include "store/image.h"

#include "oci/config.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/blob.h"
#include "store/store_internal.h"
#include "store/tags.h"

/* ---- walking ---- */

struct walk {
    struct sw_store *store;
    const struct sw_image_visitor *visitor;
};

static enum sw_code walk_document(struct walk *w, const struct sw_descriptor *d, int depth,
                                  struct sw_error *err);

static enum sw_code visit_leaf(struct walk *w, const struct sw_descriptor *d,
                               enum sw_media_kind kind, struct sw_error *err) {
    return w->visitor->visit(w->visitor->ctx, d, kind, sw_blob_stat(w->store, &d->digest, NULL),
                             err);
}

static enum sw_code walk_manifest(struct walk *w, struct sw_arena *a, struct sw_str bytes,
                                  struct sw_str media_type, struct sw_error *err) {
    struct sw_manifest m;
    enum sw_code code = sw_manifest_parse(a, bytes, media_type, &m, err);
    if (!code) code = visit_leaf(w, &m.config, SW_MEDIA_CONFIG, err);
    for (size_t i = 0; !code && i < m.n_layers; i++)
        code = visit_leaf(w, &m.layers[i], SW_MEDIA_LAYER, err);
    return code;
}

static enum sw_code walk_index(struct walk *w, struct sw_arena *a, struct sw_str bytes,
                               struct sw_str media_type, int depth, struct sw_error *err) {
    struct sw_index index;
    enum sw_code code = sw_index_parse(a, bytes, media_type, &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++)
        code = walk_document(w, &index.manifests[i], depth + 1, err);
    return code;
}

static bool may_be_document(enum sw_media_kind kind) {
    return kind == SW_MEDIA_INDEX || kind == SW_MEDIA_MANIFEST || kind == SW_MEDIA_OTHER;
}

static enum sw_code walk_document(struct walk *w, const struct sw_descriptor *d, int depth,
                                  struct sw_error *err) {
    enum sw_media_kind kind = sw_media_type_of(d->media_type).kind;
    uint64_t size = 0;
    bool present = sw_blob_stat(w->store, &d->digest, &size);
    if (depth > SW_IMAGE_DEPTH_MAX)
        return sw_fail(err, SW_LIMIT, "indexes are nested deeper than %d", SW_IMAGE_DEPTH_MAX);
    bool read =
        present && may_be_document(kind) && (kind != SW_MEDIA_OTHER || size <= SW_OCI_DOCUMENT_MAX);
    if (!read) return w->visitor->visit(w->visitor->ctx, d, kind, present, err);
    SW_ARENA struct sw_arena a;
    SW_BUF struct sw_buf bytes;
    sw_arena_init(&a, 0);
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    enum sw_code code =
        sw_blob_read_unpinned(w->store, &d->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (code) return code;
    struct sw_str media_type = d->media_type;
    if (kind == SW_MEDIA_OTHER) {
        kind = sw_manifest_sniff(&a, sw_buf_str(&bytes));
        media_type = SW_STR("");
    }
    code = w->visitor->visit(w->visitor->ctx, d, kind, true, err);
    if (!code && kind == SW_MEDIA_MANIFEST)
        code = walk_manifest(w, &a, sw_buf_str(&bytes), media_type, err);
    if (!code && kind == SW_MEDIA_INDEX)
        code = walk_index(w, &a, sw_buf_str(&bytes), media_type, depth, err);
    if (code) {
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_format(&d->digest, text);
        return sw_context(err, "%s", text);
    }
    return SW_OK;
}

enum sw_code sw_image_walk(struct sw_store *s, const struct sw_descriptor *target,
                           const struct sw_image_visitor *visitor, struct sw_error *err) {
    struct walk w = {.store = s, .visitor = visitor};
    return walk_document(&w, target, 0, err);
}

/* ---- collecting ---- */

struct collect {
    struct sw_store *store;
    struct sw_arena *a;
    struct sw_map seen;
    SW_VEC(struct sw_digest) found;
    uint64_t bytes;
};

static enum sw_code collect_one(void *ctx, const struct sw_descriptor *d, enum sw_media_kind kind,
                                bool present, struct sw_error *err) {
    struct collect *c = ctx;
    uint64_t size = 0;
    (void)kind;
    if (!present || !sw_blob_stat(c->store, &d->digest, &size)) return SW_OK;
    struct sw_str key = sw_arena_str(c->a, sw_digest_key(&d->digest));
    if (sw_map_put(&c->seen, key, c)) return SW_OK;
    sw_vec_add(&c->found, d->digest);
    c->bytes += size;
    return sw_arena_check(c->a, "the list of an image's blobs", err);
}

enum sw_code sw_image_blobs(struct sw_store *s, struct sw_arena *a,
                            const struct sw_descriptor *target, struct sw_digest **ret,
                            size_t *ret_n, struct sw_error *err) {
    struct collect c = {.store = s, .a = a};
    struct sw_image_visitor visitor = {collect_one, &c};
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = sw_image_walk(s, target, &visitor, err);
    if (!code) code = sw_pin_digest(s, SW_PIN_IMAGE, &target->digest, err);
    sw_pin_end(s);
    if (!code) {
        *ret = sw_arena_array(a, c.found.len ? c.found.len : 1, sizeof **ret);
        if (c.found.len) memcpy(*ret, c.found.ptr, c.found.len * sizeof **ret);
        *ret_n = c.found.len;
    }
    sw_map_done(&c.seen);
    sw_vec_done(&c.found);
    return code;
}

/* ---- describing ---- */

static enum sw_code describe_manifest(struct sw_store *s, struct sw_arena *a,
                                      const struct sw_descriptor *target,
                                      struct sw_image_facts *ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    struct sw_manifest m;
    enum sw_code code = sw_blob_read_unpinned(s, &target->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_manifest_parse(a, sw_buf_str(&bytes), target->media_type, &m, err);
    if (code) return code;
    ret->id = m.config.digest;
    enum sw_media_kind kind = sw_media_type_of(m.config.media_type).kind;
    if (kind != SW_MEDIA_CONFIG) return SW_OK; /* an artifact: nothing more to know */
    sw_buf_reset(&bytes);
    struct sw_image_config config;
    code = sw_blob_read_unpinned(s, &m.config.digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_image_config_parse(a, sw_buf_str(&bytes), &config, err);
    if (code) return code;
    if (config.created.set) ret->created = config.created.sec;
    ret->platform = config.platform;
    return SW_OK;
}

/* An index that holds one image, beside what was attested of it, is as old as that. */
static enum sw_code describe_index(struct sw_store *s, struct sw_arena *a,
                                   const struct sw_descriptor *target, struct sw_image_facts *ret,
                                   struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    struct sw_index index;
    const struct sw_descriptor *only = NULL;
    struct sw_image_facts facts = {.created = INT64_MIN};
    ret->is_index = true;
    enum sw_code code = sw_blob_read_unpinned(s, &target->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_index_parse(a, sw_buf_str(&bytes), target->media_type, &index, err);
    if (code) return code;
    for (size_t i = 0; i < index.n_manifests; i++) {
        if (sw_descriptor_is_attestation(&index.manifests[i])) continue;
        if (only) return SW_OK;
        only = &index.manifests[i];
    }
    if (!only || sw_media_type_of(only->media_type).kind != SW_MEDIA_MANIFEST ||
        !sw_blob_stat(s, &only->digest, NULL))
        return SW_OK;
    code = describe_manifest(s, a, only, &facts, err);
    if (!code) ret->created = facts.created;
    return code;
}

enum sw_code sw_image_describe(struct sw_store *s, struct sw_arena *a,
                               const struct sw_descriptor *target, struct sw_image_facts *ret,
                               struct sw_error *err) {
    struct collect c = {.store = s, .a = a};
    struct sw_image_visitor visitor = {collect_one, &c};
    struct sw_image_facts facts = {.id = target->digest, .created = INT64_MIN};
    enum sw_code code = sw_image_walk(s, target, &visitor, err);
    sw_map_done(&c.seen);
    sw_vec_done(&c.found);
    if (code) return code;
    facts.size = c.bytes;
    switch (sw_media_type_of(target->media_type).kind) {
    case SW_MEDIA_INDEX:
        if ((code = describe_index(s, a, target, &facts, err))) return code;
        break;
    case SW_MEDIA_MANIFEST:
        if ((code = describe_manifest(s, a, target, &facts, err))) return code;
        break;
    default:
        break;
    }
    *ret = facts;
    return SW_OK;
}

/* ---- wholeness ---- */

struct whole {
    size_t manifests, present_manifests;
};

static enum sw_code check_one(void *ctx, const struct sw_descriptor *d, enum sw_media_kind kind,
                              bool present, struct sw_error *err) {
    struct whole *w = ctx;
    if (kind == SW_MEDIA_MANIFEST) {
        w->manifests++;
        w->present_manifests += present;
        return SW_OK;
    }
    if (present || kind == SW_MEDIA_INDEX) return SW_OK;
    if (kind == SW_MEDIA_LAYER && (d->urls.len || sw_media_type_of(d->media_type).foreign))
        return SW_OK;
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(&d->digest, text);
    return sw_fail(err, SW_NOT_FOUND, "the image's %s %s is not in the store",
                   kind == SW_MEDIA_CONFIG ? "config" : "layer", text);
}

enum sw_code sw_image_check_whole(struct sw_store *s, const struct sw_descriptor *target,
                                  struct sw_error *err) {
    struct whole w = {0};
    struct sw_image_visitor visitor = {check_one, &w};
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(&target->digest, text);
    if (!sw_blob_stat(s, &target->digest, NULL))
        return sw_fail(err, SW_NOT_FOUND, "the manifest %s is not in the store", text);
    enum sw_code code = sw_image_walk(s, target, &visitor, err);
    if (!code && w.manifests && !w.present_manifests)
        code = sw_fail(err, SW_NOT_FOUND, "none of the manifests of %s is in the store", text);
    return code;
}
