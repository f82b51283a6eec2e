#include "cmd/inspect_place.h"

#include "cmd/render.h"
#include "codec/json_writer.h"
#include "codec/rfc3339.h"
#include "oci/config.h"
#include "oci/manifest.h"

struct found {
    struct sw_descriptor top, image; /* what the name means; the manifest for the platform */
    struct sw_str top_bytes, image_bytes, config_bytes;
    struct sw_manifest manifest;
    bool has_config; /* artifacts have something else, or nothing */
    struct sw_image_config config;
};

static enum sw_code read_image(struct sw_invocation *inv, const struct sw_place *p,
                               const struct cmd_inspect_options *o, struct found *f,
                               struct sw_error *err) {
    struct sw_error ignored;
    enum sw_code code = sw_place_manifest(p, inv->arena, SW_STR(""), &f->top, &f->top_bytes, err);
    if (code || (o->raw && !o->config)) return code;
    f->image = f->top;
    f->image_bytes = f->top_bytes;
    if (sw_media_type_of(f->top.media_type).kind == SW_MEDIA_INDEX)
        code = sw_place_choose(p, inv->arena, o->platform, &f->image, &f->image_bytes, err);
    if (!code)
        code =
            sw_manifest_parse(inv->arena, f->image_bytes, f->image.media_type, &f->manifest, err);
    if (!code) code = sw_place_document(p, inv->arena, &f->manifest.config, &f->config_bytes, err);
    if (code) return code;
    f->has_config = sw_media_type_of(f->manifest.config.media_type).kind == SW_MEDIA_CONFIG &&
                    !sw_image_config_parse(inv->arena, f->config_bytes, &f->config, &ignored);
    return SW_OK;
}

/* Tags of the repository, or of the file. A registry that does not say them to us has none. */
static struct sw_strs tags_of(struct sw_invocation *inv, const struct sw_place *p, bool ask) {
    struct sw_strs tags = {0};
    struct sw_error ignored;
    if (p->kind == SW_PLACE_REGISTRY && ask)
        (void)!sw_remote_tags(p->remote, inv->arena, sw_repository_of(&p->ref), &tags, &ignored);
    return tags;
}

static void put_layers(struct sw_json_writer *w, const struct sw_manifest *m) {
    char text[SW_DIGEST_TEXT_MAX];
    sw_json_key(w, "Layers");
    sw_json_begin_array(w);
    for (size_t i = 0; i < m->n_layers; i++)
        sw_json_str(w, sw_digest_format(&m->layers[i].digest, text));
    sw_json_end_array(w);
    sw_json_key(w, "LayersData");
    sw_json_begin_array(w);
    for (size_t i = 0; i < m->n_layers; i++) {
        sw_json_begin_object(w);
        sw_json_put_str(w, "MIMEType", m->layers[i].media_type);
        sw_json_put_digest(w, "Digest", &m->layers[i].digest);
        sw_json_put_int(w, "Size", m->layers[i].size);
        sw_json_put_pairs(w, "Annotations", &m->layers[i].annotations);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

static void put_config(struct sw_json_writer *w, const struct sw_image_config *c) {
    char text[SW_RFC3339_MAX];
    if (c->created.set)
        sw_json_put_str(w, "Created", sw_rfc3339_format(c->created.sec, c->created.nsec, text));
    sw_json_put_pairs(w, "Labels", &c->config.labels);
    sw_json_put_str(w, "Architecture", c->platform.architecture);
    sw_json_put_str_opt(w, "Variant", c->platform.variant);
    sw_json_put_str(w, "Os", c->platform.os);
    sw_json_put_strs(w, "Env", &c->config.env);
}

static enum sw_code summary(struct sw_invocation *inv, const struct sw_place *p,
                            const struct cmd_inspect_options *o, const struct found *f,
                            struct sw_error *err) {
    SW_BUF struct sw_buf out;
    struct sw_json_writer w;
    struct sw_strs tags = tags_of(inv, p, !o->no_tags);
    sw_buf_init(&out, 0);
    sw_json_writer_init(&w, &out, 0);
    sw_json_begin_object(&w);
    sw_json_put_str(&w, "Name",
                    p->kind == SW_PLACE_REGISTRY ? sw_reference_name(inv->arena, &p->ref)
                                                 : sw_place_text(p, inv->arena));
    sw_json_put_digest(&w, "Digest", &f->top.digest);
    sw_json_put_str(&w, "MediaType", f->top.media_type);
    sw_json_put_strs(&w, "RepoTags", &tags);
    if (f->has_config) put_config(&w, &f->config);
    sw_json_put_str_opt(&w, "ArtifactType", f->manifest.artifact_type);
    put_layers(&w, &f->manifest);
    sw_json_put_pairs(&w, "Annotations", &f->manifest.annotations);
    sw_json_end_object(&w);
    return sw_render_document(inv, sw_buf_str(&out), err);
}

static enum sw_code put_bytes(struct sw_str bytes, struct sw_error *err) {
    if (fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len) return SW_OK;
    return sw_fail(err, SW_IO, "writing to standard output");
}

enum sw_code cmd_inspect_place(struct sw_invocation *inv, const struct sw_place *p,
                               const struct cmd_inspect_options *o, struct sw_error *err) {
    struct found f = {0};
    enum sw_code code = read_image(inv, p, o, &f, err);
    if (code) return sw_context(err, "%.*s", SW_ARG(sw_place_text(p, inv->arena)));
    if (o->raw) return put_bytes(o->config ? f.config_bytes : f.top_bytes, err);
    if (o->config) return sw_render_document(inv, f.config_bytes, err);
    return summary(inv, p, o, &f, err);
}
