#include "registry/manifest.h"

#include "codec/json_writer.h"
#include "oci/media_type.h"
#include "registry/limits.h"

static bool is_foreign(struct sw_str type) {
    return sw_str_starts(type, SW_STR("application/vnd.oci.image.layer.nondistributable.")) ||
           sw_str_starts(type, SW_STR("application/vnd.docker.image.rootfs.foreign."));
}

static enum sw_code read_ref(const struct sw_json *node, enum sw_ref_kind kind, struct sw_ref *ret,
                             struct sw_error *err) {
    struct sw_ref r = {.kind = kind};
    enum sw_code code = sw_json_expect(node, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_need_digest(node, "digest", &r.digest, err);
    if (!code) code = sw_json_need_int(node, "size", &r.size, err);
    if (!code) code = sw_json_opt_str(node, "mediaType", &r.media_type, err);
    if (!code && r.size < 0) code = sw_json_fail(node, err, "a size below zero");
    if (code) return code;
    if (kind == SW_REF_BLOB && is_foreign(r.media_type)) r.kind = SW_REF_FOREIGN;
    *ret = r;
    return SW_OK;
}

static enum sw_code read_list(const struct sw_json *root, const char *name, enum sw_ref_kind kind,
                              struct sw_pushed *p, struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_opt_node(root, name, SW_JSON_ARRAY, &list, err);
    for (size_t i = 0; !code && list && i < list->len; i++) {
        if (p->n_refs == SW_REG_REFS_MAX)
            return sw_fail(err, SW_LIMIT, "it refers to more than %d things", SW_REG_REFS_MAX);
        code = read_ref(&list->items[i], kind, &p->refs[p->n_refs++], err);
    }
    return code;
}

static void write_descriptor(struct sw_arena *a, const struct sw_json *root, size_t size,
                             struct sw_pushed *p) {
    struct sw_buf out SW_BUF = {0};
    struct sw_json_writer w;
    const struct sw_json *annotations = sw_json_get(root, "annotations");
    sw_buf_init(&out, 2 * SW_REG_MANIFEST_MAX);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "mediaType", p->media_type);
    sw_json_put_digest(&w, "digest", &p->digest);
    sw_json_put_int(&w, "size", (int64_t)size);
    sw_json_put_str_opt(&w, "artifactType", p->artifact_type);
    if (annotations && annotations->type == SW_JSON_OBJECT && annotations->len) {
        sw_json_key(&w, "annotations");
        sw_json_tree(&w, annotations);
    }
    sw_json_end_object(&w);
    p->descriptor = sw_arena_str(a, sw_buf_str(&out));
}

/* The media type: the document's own, which the request must not contradict. */
static enum sw_code settle_type(const struct sw_json *root, struct sw_str content_type,
                                struct sw_pushed *p, struct sw_error *err) {
    struct sw_str own = {0}, rest;
    sw_str_cut(content_type, ';', &content_type, &rest);
    content_type = sw_str_trim(content_type);
    enum sw_code code = sw_json_opt_str(root, "mediaType", &own, err);
    if (code) return code;
    if (own.len && content_type.len && !sw_str_eq(own, content_type))
        return sw_fail(err, SW_SYNTAX, "it is a %.*s, but was sent as %.*s", SW_ARG(own),
                       SW_ARG(content_type));
    p->media_type = own.len ? own : content_type;
    if (p->media_type.len == 0) {
        bool index = sw_json_get(root, "manifests") != NULL;
        p->media_type = index ? SW_STR(SW_MT_OCI_INDEX) : SW_STR(SW_MT_OCI_MANIFEST);
    }
    if (p->media_type.len > 255) return sw_fail(err, SW_SYNTAX, "a media type of such length");
    if (sw_str_starts(p->media_type, SW_STR(SW_MT_DOCKER_SCHEMA1)) ||
        sw_str_is(p->media_type, SW_MT_DOCKER_SCHEMA1_SIGNED))
        return sw_fail(err, SW_UNSUPPORTED, "Docker's schema 1 is not taken: use a newer client");
    return SW_OK;
}

static enum sw_code read_refs(struct sw_arena *a, const struct sw_json *root, struct sw_pushed *p,
                              struct sw_error *err) {
    const struct sw_json *config = NULL, *subject = NULL;
    struct sw_ref ref;
    enum sw_media_kind kind = sw_media_type_of(p->media_type).kind;
    bool has_manifests = sw_json_get(root, "manifests") != NULL;
    bool has_layers = sw_json_get(root, "layers") != NULL;
    p->refs = sw_arena_array(a, SW_REG_REFS_MAX + 1, sizeof *p->refs);
    p->is_index = kind == SW_MEDIA_INDEX || (kind == SW_MEDIA_OTHER && has_manifests);
    /* CVE-2021-41190: one document must not be a manifest to some and an index to others. */
    if (has_manifests && has_layers)
        return sw_fail(err, SW_SYNTAX, "it has both layers and manifests");
    if (kind == SW_MEDIA_INDEX && !has_manifests)
        return sw_fail(err, SW_SYNTAX, "an index without manifests");
    if (kind == SW_MEDIA_MANIFEST && has_manifests)
        return sw_fail(err, SW_SYNTAX, "a manifest with manifests");
    enum sw_code code = sw_json_opt_node(root, "config", SW_JSON_OBJECT, &config, err);
    if (!code && kind == SW_MEDIA_MANIFEST && !config)
        code = sw_fail(err, SW_SYNTAX, "a manifest without config");
    if (!code && config) {
        code = read_ref(config, SW_REF_BLOB, &p->refs[p->n_refs++], err);
        if (!code && p->artifact_type.len == 0) p->artifact_type = p->refs[0].media_type;
    }
    if (!code) code = read_list(root, "layers", SW_REF_BLOB, p, err);
    if (!code) code = read_list(root, "blobs", SW_REF_BLOB, p, err);
    if (!code) code = read_list(root, "manifests", SW_REF_MANIFEST, p, err);
    if (!code) code = sw_json_opt_node(root, "subject", SW_JSON_OBJECT, &subject, err);
    if (!code && subject) {
        code = read_ref(subject, SW_REF_MANIFEST, &ref, err);
        if (!code) p->subject = ref.digest;
    }
    return code;
}

enum sw_code sw_pushed_parse(struct sw_arena *a, struct sw_str bytes, struct sw_str content_type,
                             enum sw_digest_alg alg, struct sw_pushed *ret, struct sw_error *err) {
    struct sw_json_limits limits = {.bytes = SW_REG_MANIFEST_MAX, .depth = SW_REG_MANIFEST_DEPTH};
    const struct sw_json *root = NULL;
    struct sw_pushed p = {0};
    int64_t version = 0;
    enum sw_code code = sw_json_parse(a, bytes, &limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_opt_int(root, "schemaVersion", &version, err);
    if (!code && sw_json_get(root, "fsLayers"))
        code = sw_fail(err, SW_UNSUPPORTED, "Docker's schema 1 is not taken: use a newer client");
    if (!code && version != 2) code = sw_fail(err, SW_SYNTAX, "schemaVersion is not 2");
    if (!code) code = settle_type(root, content_type, &p, err);
    if (!code) code = sw_json_opt_str(root, "artifactType", &p.artifact_type, err);
    if (!code) code = read_refs(a, root, &p, err);
    if (!code) code = sw_arena_check(a, "a manifest", err);
    if (code) return sw_context(err, "manifest");
    p.digest = sw_digest_of(alg, bytes);
    write_descriptor(a, root, bytes.len, &p);
    *ret = p;
    return SW_OK;
}
