#include "oci/descriptor.h"

#include "codec/base64.h"

static enum sw_code read_data(struct sw_arena *a, const struct sw_json *node,
                              struct sw_descriptor *d, struct sw_error *err) {
    struct sw_str text = {0};
    enum sw_code code = sw_json_opt_str(node, "data", &text, err);
    if (code || !text.ptr) return code;
    code = sw_base64_decode(a, text, 0, &d->data, err);
    if (code) return sw_json_fail(sw_json_get(node, "data"), err, "%s", err->text);
    struct sw_digest digest = sw_digest_of((enum sw_digest_alg)d->digest.alg, d->data);
    if (d->data.len == (uint64_t)d->size && sw_digest_eq(&digest, &d->digest)) return SW_OK;
    sw_json_fail(node, err, "the embedded data is not what size and digest say");
    err->code = SW_CORRUPT;
    return SW_CORRUPT;
}

enum sw_code sw_descriptor_from_json(struct sw_arena *a, const struct sw_json *node,
                                     const char *media_type_default, struct sw_descriptor *ret,
                                     struct sw_error *err) {
    struct sw_descriptor d = {.media_type = sw_str(media_type_default)};
    const struct sw_json *platform = NULL;
    enum sw_code code = sw_json_expect(node, SW_JSON_OBJECT, err);
    if (!code)
        code = media_type_default ? sw_json_opt_str(node, "mediaType", &d.media_type, err)
                                  : sw_json_need_str(node, "mediaType", &d.media_type, err);
    if (!code) code = sw_json_need_digest(node, "digest", &d.digest, err);
    if (!code) code = sw_json_need_int(node, "size", &d.size, err);
    if (!code && d.size < 0)
        code = sw_json_fail(sw_json_get(node, "size"), err, "must not be negative");
    if (!code) code = sw_json_opt_strs(a, node, "urls", &d.urls, err);
    if (!code) code = sw_json_opt_pairs(a, node, "annotations", &d.annotations, err);
    if (!code) code = sw_json_opt_str(node, "artifactType", &d.artifact_type, err);
    if (!code) code = sw_json_opt_node(node, "platform", SW_JSON_OBJECT, &platform, err);
    if (!code && platform) {
        d.platform = SW_NEW(a, struct sw_platform);
        code = sw_platform_from_json(a, platform, d.platform, err);
    }
    if (!code) code = read_data(a, node, &d, err);
    if (!code) *ret = d;
    return code;
}

void sw_descriptor_to_json(struct sw_json_writer *w, const struct sw_descriptor *d) {
    sw_json_begin_object(w);
    sw_json_put_str(w, "mediaType", d->media_type);
    sw_json_put_digest(w, "digest", &d->digest);
    sw_json_put_int(w, "size", d->size);
    sw_json_put_strs_opt(w, "urls", &d->urls);
    sw_json_put_pairs_opt(w, "annotations", &d->annotations);
    if (d->data.ptr && d->data.len) {
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, 2 * SW_OCI_DOCUMENT_MAX);
        sw_base64_encode(&text, d->data, 0);
        sw_json_put_str(w, "data", sw_buf_str(&text));
    }
    if (d->platform) {
        sw_json_key(w, "platform");
        sw_platform_to_json(w, d->platform);
    }
    sw_json_put_str_opt(w, "artifactType", d->artifact_type);
    sw_json_end_object(w);
}

struct sw_descriptor sw_descriptor_of(const char *media_type, struct sw_str bytes) {
    return (struct sw_descriptor){
        .media_type = sw_str(media_type),
        .digest = sw_digest_of(SW_SHA256, bytes),
        .size = (int64_t)bytes.len,
    };
}
