#include "remote/attach.h"

#include <string.h>

#include "codec/json_writer.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "remote/remote_internal.h"

/* The configuration of what has none (image-spec, manifest.md). */
#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define EMPTY "{}"

static enum sw_code read_memory(void *context, uint64_t offset, void *to, size_t len,
                                size_t *ret_len, struct sw_error *err) {
    const struct sw_str *bytes = context;
    (void)err;
    size_t left = offset < bytes->len ? bytes->len - (size_t)offset : 0;
    *ret_len = len < left ? len : left;
    if (*ret_len) memcpy(to, bytes->ptr + offset, *ret_len);
    return SW_OK;
}

static enum sw_code put_blob(struct sw_remote *r, struct sw_repository repo,
                             const struct sw_descriptor *d, struct sw_str bytes,
                             struct sw_error *err) {
    bool there = false;
    enum sw_code code = sw_remote_blob_exists(r, repo, &d->digest, &there, err);
    if (code || there) return code;
    return sw_remote_blob_put(r, repo, &d->digest, bytes.len, read_memory, &bytes, NULL, NULL, err);
}

static struct sw_str manifest_text(struct sw_arena *a, const struct sw_attachment *x,
                                   const struct sw_descriptor *config,
                                   const struct sw_descriptor *layer) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    sw_buf_init(&out, SW_OCI_DOCUMENT_MAX);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "schemaVersion", 2);
    sw_json_put_text(&w, "mediaType", SW_MT_OCI_MANIFEST);
    sw_json_put_text(&w, "artifactType", x->artifact_type);
    sw_json_key(&w, "config");
    sw_descriptor_to_json(&w, config);
    sw_json_key(&w, "layers");
    sw_json_begin_array(&w);
    sw_descriptor_to_json(&w, layer);
    sw_json_end_array(&w);
    sw_json_key(&w, "subject");
    sw_descriptor_to_json(&w, &x->subject);
    sw_json_put_pairs_opt(&w, "annotations", &x->annotations);
    sw_json_end_object(&w);
    return sw_arena_str(a, sw_buf_str(&out));
}

/* Adds the manifest to the index under "sha256-<hex>", where the registry does not do it itself. */
static enum sw_code keep_fallback(struct sw_remote *r, struct sw_arena *a,
                                  struct sw_repository repo, const struct sw_attachment *x,
                                  struct sw_descriptor *manifest, struct sw_error *err) {
    struct sw_descriptor *list = NULL, is;
    struct sw_index index = {0};
    struct sw_str bytes;
    size_t n = 0;
    enum sw_code code =
        sw_remote_referrers(r, a, repo, &x->subject.digest, SW_STR(""), &list, &n, err);
    for (size_t i = 0; i < n && !code; i++)
        if (sw_digest_eq(&list[i].digest, &manifest->digest)) return SW_OK;
    if (code) return code;
    struct sw_str tag = remote_fallback_tag(a, &x->subject.digest);
    code = sw_remote_manifest_get(r, a, repo, tag, &is, &bytes, err);
    if (!code)
        code = sw_index_parse(a, bytes, SW_STR(SW_MT_OCI_INDEX), &index, err);
    else if (code == SW_NOT_FOUND)
        code = SW_OK;
    if (code) return code;
    manifest->artifact_type = sw_str(x->artifact_type);
    sw_index_add(a, &index, manifest);
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, SW_OCI_DOCUMENT_MAX);
    sw_index_write(&out, &index);
    code = sw_buf_check(&out, "the index of referrers", err);
    if (code) return code;
    return sw_remote_manifest_put(r, repo, tag, SW_STR(SW_MT_OCI_INDEX), sw_buf_str(&out), err);
}

enum sw_code sw_remote_attach(struct sw_remote *r, struct sw_arena *a, struct sw_repository repo,
                              const struct sw_attachment *x, struct sw_descriptor *ret,
                              struct sw_error *err) {
    struct sw_descriptor config = sw_descriptor_of(EMPTY_TYPE, SW_STR(EMPTY));
    struct sw_descriptor layer = sw_descriptor_of(x->layer_type, x->bytes);
    char digest[SW_DIGEST_TEXT_MAX];
    layer.annotations = x->layer_annotations;
    struct sw_str text = manifest_text(a, x, &config, &layer);
    struct sw_descriptor manifest = sw_descriptor_of(SW_MT_OCI_MANIFEST, text);
    enum sw_code code = put_blob(r, repo, &config, SW_STR(EMPTY), err);
    if (!code) code = put_blob(r, repo, &layer, x->bytes, err);
    if (!code)
        code = sw_remote_manifest_put(r, repo, sw_digest_format(&manifest.digest, digest),
                                      SW_STR(SW_MT_OCI_MANIFEST), text, err);
    if (!code && x->tag.len)
        code = sw_remote_manifest_put(r, repo, x->tag, SW_STR(SW_MT_OCI_MANIFEST), text, err);
    if (!code) code = keep_fallback(r, a, repo, x, &manifest, err);
    if (code) return sw_context(err, "attaching to the image");
    *ret = manifest;
    return SW_OK;
}
