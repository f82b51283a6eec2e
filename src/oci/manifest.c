#include "oci/manifest.h"

#include "oci/document_internal.h"

static enum sw_code read_manifest(struct sw_arena *a, struct sw_str bytes, struct sw_str media_type,
                                  struct sw_manifest *m, struct sw_error *err) {
    const struct sw_json *root, *config;
    enum sw_code code =
        oci_open(a, bytes, media_type, SW_MEDIA_MANIFEST, &m->media_type, &root, err);
    if (!code) code = sw_json_opt_str(root, "artifactType", &m->artifact_type, err);
    if (!code) code = sw_json_need_node(root, "config", SW_JSON_OBJECT, &config, err);
    if (!code) code = sw_descriptor_from_json(a, config, NULL, &m->config, err);
    if (!code) code = oci_read_descriptors(a, root, "layers", &m->layers, &m->n_layers, err);
    if (!code) code = oci_read_subject(a, root, &m->subject, err);
    if (!code) code = sw_json_opt_pairs(a, root, "annotations", &m->annotations, err);
    if (!code) code = sw_arena_check(a, "the manifest", err);
    return code;
}

enum sw_code sw_manifest_parse(struct sw_arena *a, struct sw_str bytes, struct sw_str media_type,
                               struct sw_manifest *ret, struct sw_error *err) {
    struct sw_manifest m = {0};
    enum sw_code code = read_manifest(a, bytes, media_type, &m, err);
    if (code) return sw_context(err, "image manifest");
    m.cap_layers = m.n_layers;
    *ret = m;
    return SW_OK;
}

void sw_manifest_write(struct sw_buf *out, const struct sw_manifest *m) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_HTML);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "schemaVersion", 2);
    sw_json_put_str_opt(&w, "mediaType", m->media_type);
    sw_json_put_str_opt(&w, "artifactType", m->artifact_type);
    sw_json_key(&w, "config");
    sw_descriptor_to_json(&w, &m->config);
    sw_json_key(&w, "layers");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < m->n_layers; i++) sw_descriptor_to_json(&w, &m->layers[i]);
    sw_json_end_array(&w);
    if (m->subject) {
        sw_json_key(&w, "subject");
        sw_descriptor_to_json(&w, m->subject);
    }
    sw_json_put_pairs_opt(&w, "annotations", &m->annotations);
    sw_json_end_object(&w);
}

void sw_manifest_add_layer(struct sw_arena *a, struct sw_manifest *m,
                           const struct sw_descriptor *layer) {
    if (m->n_layers == m->cap_layers) {
        size_t cap = m->cap_layers ? m->cap_layers * 2 : 8;
        struct sw_descriptor *grown = sw_arena_array(a, cap, sizeof *grown);
        if (m->n_layers) memcpy(grown, m->layers, m->n_layers * sizeof *grown);
        m->layers = grown;
        m->cap_layers = cap;
    }
    m->layers[m->n_layers++] = *layer;
}
