/* From a finished stage to a configuration and a manifest in the store. */
#include "build/platforms.h"
#include "build/room_internal.h"
#include "oci/manifest.h"
#include "store/blob.h"

/* Labels of the command line, the result's platform and time; diff IDs in place of the pending
 * ones. */
static void finish_config(struct sw_build *b, struct sw_stage *s, struct sw_image_config *c,
                          struct sw_arena *a) {
    const struct sw_build_options *o = b->options;
    for (size_t i = 0; i < o->tweaks.unset_env.len; i++)
        sw_config_unset_env(&c->config.env, o->tweaks.unset_env.ptr[i]);
    if (o->tweaks.omit_history) c->n_history = 0;
    for (size_t i = 0; i < o->labels.len; i++)
        sw_pairs_set(a, &c->config.labels, o->labels.ptr[i].name, o->labels.ptr[i].value);
    c->created = (struct sw_time){.set = true, .sec = o->epoch_s};
    if (!c->platform.os.len) c->platform = s->platform;
    if (o->tweaks.os_version.len) c->platform.os_version = o->tweaks.os_version;
    for (size_t i = 0; i < o->tweaks.os_features.len; i++)
        sw_config_add_unique(a, &c->platform.os_features, o->tweaks.os_features.ptr[i]);
    c->diff_ids = sw_arena_array(a, s->layers.len + 1, sizeof *c->diff_ids);
    c->n_diff_ids = c->cap_diff_ids = s->layers.len;
    for (size_t i = 0; i < s->layers.len; i++) c->diff_ids[i] = s->layers.ptr[i].diff_id;
}

struct sw_str sw_layer_media_type(const char *type, bool docker) {
    struct sw_media_type t = sw_media_type_of(sw_str(type));
    if (t.kind != SW_MEDIA_LAYER || t.foreign || t.docker == docker) return sw_str(type);
    return sw_str(sw_media_type_layer(t.compression, docker));
}

static enum sw_code put(struct sw_build *b, const char *type, struct sw_buf *bytes,
                        struct sw_descriptor *ret, struct sw_error *err) {
    enum sw_code code = sw_buf_check(bytes, "an image document", err);
    if (!code) code = sw_blob_put(b->tools->store, sw_buf_str(bytes), NULL, err);
    if (!code) *ret = sw_descriptor_of(type, sw_buf_str(bytes));
    return code;
}

/* The manifest over the stage's layers. */
static enum sw_code write_manifest(struct sw_build *b, struct sw_stage *s, struct sw_buf *config,
                                   struct sw_build_result *ret, struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    struct sw_arena *a = b->arena;
    SW_BUF struct sw_buf manifest;
    sw_buf_init(&manifest, SW_OCI_DOCUMENT_MAX);
    struct sw_manifest m = {
        .media_type = sw_str(o->docker_format ? SW_MT_DOCKER_MANIFEST : SW_MT_OCI_MANIFEST)};
    enum sw_code code =
        put(b, o->docker_format ? SW_MT_DOCKER_CONFIG : SW_MT_OCI_CONFIG, config, &m.config, err);
    if (code) return code;
    for (size_t i = 0; i < s->layers.len; i++) {
        const struct sw_blayer *l = &s->layers.ptr[i];
        struct sw_descriptor d = {.media_type =
                                      sw_layer_media_type(l->media_type, o->docker_format),
                                  .digest = l->blob,
                                  .size = (int64_t)l->size};
        if (!o->docker_format) d.annotations = l->annotations;
        sw_manifest_add_layer(a, &m, &d);
    }
    if (!o->docker_format)
        m.annotations = sw_annotations_for(a, &o->annotations, SW_ANNOTATE_MANIFEST, &o->platform);
    struct sw_str records;
    code = sw_cache_inline(b, s, a, &records, err);
    if (code) return code;
    if (records.len) sw_pairs_set(a, &m.annotations, SW_STR(SW_ANN_CACHE), records);
    sw_manifest_write(&manifest, &m);
    code = put(b, o->docker_format ? SW_MT_DOCKER_MANIFEST : SW_MT_OCI_MANIFEST, &manifest,
               &ret->manifest, err);
    if (code) return code;
    ret->manifest.platform = SW_NEW(a, struct sw_platform);
    *ret->manifest.platform = o->platform;
    ret->manifest.annotations =
        sw_annotations_for(a, &o->annotations, SW_ANNOTATE_MANIFEST_DESCRIPTOR, &o->platform);
    ret->target = ret->manifest;
    ret->config = m.config.digest;
    return SW_OK;
}

enum sw_code sw_image_finish(struct sw_build *b, struct sw_stage *s, struct sw_build_result *ret,
                             struct sw_error *err) {
    const struct sw_build_options *o = b->options;
    struct sw_arena *a = b->arena;
    bool archived = sw_makes_image(b);
    struct sw_image_config image = sw_image_config_copy(a, &s->config);
    finish_config(b, s, &image, a);
    if (!archived) image.n_diff_ids = image.n_history = 0;
    SW_BUF struct sw_buf config;
    sw_buf_init(&config, SW_OCI_DOCUMENT_MAX);
    sw_image_config_write(&config, &image);
    /* Read back, because the stage's memory ends before the result's. */
    enum sw_code code = sw_buf_check(&config, "the image's configuration", err);
    if (!code) code = sw_image_config_parse(a, sw_buf_str(&config), &ret->image, err);
    if (!code && archived) code = write_manifest(b, s, &config, ret, err);
    if (code || (!o->skip_layers && !o->want_files)) return code;
    ret->snapshots = sw_arena_array(a, s->layers.len + 1, sizeof *ret->snapshots);
    ret->n_snapshots = s->layers.len;
    code = sw_layers_snapshots(b, s->layers.ptr, s->layers.len, err);
    for (size_t i = 0; i < s->layers.len; i++) ret->snapshots[i] = s->layers.ptr[i].snapshot;
    return code;
}
