#include "oci/index.h"

#include "oci/document_internal.h"

static enum sw_code read_index(struct sw_arena *a, struct sw_str bytes, struct sw_str media_type,
                               struct sw_index *x, struct sw_error *err) {
    const struct sw_json *root;
    enum sw_code code = oci_open(a, bytes, media_type, SW_MEDIA_INDEX, &x->media_type, &root, err);
    if (!code) code = sw_json_opt_str(root, "artifactType", &x->artifact_type, err);
    if (!code)
        code = oci_read_descriptors(a, root, "manifests", &x->manifests, &x->n_manifests, err);
    if (!code) code = oci_read_subject(a, root, &x->subject, err);
    if (!code) code = sw_json_opt_pairs(a, root, "annotations", &x->annotations, err);
    if (!code) code = sw_arena_check(a, "the index", err);
    return code;
}

enum sw_code sw_index_parse(struct sw_arena *a, struct sw_str bytes, struct sw_str media_type,
                            struct sw_index *ret, struct sw_error *err) {
    struct sw_index x = {0};
    enum sw_code code = read_index(a, bytes, media_type, &x, err);
    if (code) return sw_context(err, "image index");
    x.cap_manifests = x.n_manifests;
    *ret = x;
    return SW_OK;
}

void sw_index_write(struct sw_buf *out, const struct sw_index *x) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_HTML);
    sw_json_begin_object(&w);
    sw_json_put_int(&w, "schemaVersion", 2);
    sw_json_put_str_opt(&w, "mediaType", x->media_type);
    sw_json_put_str_opt(&w, "artifactType", x->artifact_type);
    sw_json_key(&w, "manifests");
    sw_json_begin_array(&w);
    for (size_t i = 0; i < x->n_manifests; i++) sw_descriptor_to_json(&w, &x->manifests[i]);
    sw_json_end_array(&w);
    if (x->subject) {
        sw_json_key(&w, "subject");
        sw_descriptor_to_json(&w, x->subject);
    }
    sw_json_put_pairs_opt(&w, "annotations", &x->annotations);
    sw_json_end_object(&w);
}

void sw_index_add(struct sw_arena *a, struct sw_index *x, const struct sw_descriptor *d) {
    if (x->n_manifests == x->cap_manifests) {
        size_t cap = x->cap_manifests ? x->cap_manifests * 2 : 8;
        struct sw_descriptor *grown = sw_arena_array(a, cap, sizeof *grown);
        if (x->n_manifests) memcpy(grown, x->manifests, x->n_manifests * sizeof *grown);
        x->manifests = grown;
        x->cap_manifests = cap;
    }
    x->manifests[x->n_manifests++] = *d;
}

bool sw_descriptor_is_attestation(const struct sw_descriptor *d) {
    struct sw_str type;
    if (sw_pairs_get(&d->annotations, SW_STR(SW_ANN_ATTESTATION_TYPE), &type)) return true;
    return d->platform && sw_str_is(d->platform->os, "unknown") &&
           sw_str_is(d->platform->architecture, "unknown");
}

const struct sw_descriptor *sw_index_choose(const struct sw_index *x,
                                            const struct sw_platform *want) {
    const struct sw_descriptor *best = NULL, *without_platform = NULL;
    unsigned best_score = 0;
    for (size_t i = 0; i < x->n_manifests; i++) {
        const struct sw_descriptor *d = &x->manifests[i];
        if (sw_descriptor_is_attestation(d)) continue;
        if (!d->platform) {
            if (!without_platform) without_platform = d;
            continue;
        }
        unsigned score = sw_platform_score(want, d->platform);
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    return best ? best : without_platform;
}

struct sw_str sw_index_platforms(struct sw_arena *a, const struct sw_index *x) {
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 1024);
    for (size_t i = 0; i < x->n_manifests; i++) {
        const struct sw_descriptor *d = &x->manifests[i];
        if (!d->platform || sw_descriptor_is_attestation(d)) continue;
        struct sw_str text = sw_platform_format(a, d->platform);
        sw_buf_addf(&out, "%s%.*s", out.len ? ", " : "", SW_ARG(text));
    }
    return sw_arena_str(a, sw_buf_str(&out));
}
