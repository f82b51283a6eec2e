/* Base images: found in the store, or brought there. */
#include <fcntl.h>

#include "base/fs.h"
#include "build/room_internal.h"
#include "oci/image_layout.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "store/archive.h"
#include "store/blob.h"
#include "store/tags.h"

/* The manifest of an index that fits the platform. */
static enum sw_code choose(struct sw_build *b, struct sw_arena *arena,
                           const struct sw_platform *platform, struct sw_descriptor *target,
                           struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    struct sw_index index;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code =
        sw_blob_read(b->tools->store, &target->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_index_parse(arena, sw_buf_str(&bytes), target->media_type, &index, err);
    if (code) return code;
    const struct sw_descriptor *best = sw_index_choose(&index, platform);
    if (!best)
        return sw_fail(err, SW_NOT_FOUND, "it has no image for %.*s, only for %.*s",
                       SW_ARG(sw_platform_format(arena, platform)),
                       SW_ARG(sw_index_platforms(arena, &index)));
    *target = *best;
    return SW_OK;
}

/* With caches from elsewhere most layers of a base may never be asked for: its documents alone. */
static enum sw_code find_remote(struct sw_build *b, struct sw_arena *arena, struct sw_str name,
                                const struct sw_platform *platform, unsigned step,
                                struct sw_descriptor *ret, bool *ret_lazy, struct sw_error *err) {
    const struct sw_build_registry *r = b->options->registry;
    if (b->options->n_cache_from) {
        *ret_lazy = true;
        return r->documents(r->ctx, b->tools->store, arena, name, platform, ret, err);
    }
    enum sw_code code =
        r->pull(r->ctx, b->tools->store, name, platform, b->tools->progress, step, err);
    return code ? code : sw_tags_get(b->tools->store, arena, name, ret, err);
}

/* Whether a registry is asked although the store may have the image. A digest needs no asking. */
static bool asks_first(const struct sw_build *b, const struct sw_reference *ref) {
    enum sw_pull_policy policy = b->options->tweaks.pull;
    return b->options->registry && !sw_digest_is_set(&ref->digest) &&
           (policy == SW_PULL_ALWAYS || policy == SW_PULL_NEWER);
}

static enum sw_code find(struct sw_build *b, struct sw_arena *arena, struct sw_str name,
                         const struct sw_platform *platform, unsigned step,
                         struct sw_descriptor *ret, bool *ret_lazy, struct sw_error *err) {
    struct sw_reference ref;
    struct sw_image image;
    enum sw_code code = sw_reference_parse(arena, name, &ref, err);
    if (code) return code;
    if (asks_first(b, &ref)) {
        code = find_remote(b, arena, name, platform, step, ret, ret_lazy, err);
        if (!code || code == SW_CANCELLED) return code;
        if (b->options->tweaks.pull == SW_PULL_ALWAYS) return sw_context(err, "--pull");
        sw_error_clear(err);
    }
    code = sw_tags_get(b->tools->store, arena, name, ret, err);
    if (code != SW_NOT_FOUND) return code;
    code = sw_tags_resolve(b->tools->store, arena, name, &image, err);
    if (!code) {
        *ret = image.target;
        return SW_OK;
    }
    if (code != SW_NOT_FOUND || !b->options->registry || b->options->tweaks.pull == SW_PULL_NEVER) {
        return sw_advise(err, "; `slipway images` lists what there is, `slipway load` and "
                              "`slipway import` add to it");
    }
    sw_error_clear(err);
    return find_remote(b, arena, name, platform, step, ret, ret_lazy, err);
}

/* ---- bases in pieces ---- */

static struct sw_origin *origin_of(struct sw_arena *arena, struct sw_str name) {
    struct sw_origin *o = SW_NEW(arena, struct sw_origin);
    *o = (struct sw_origin){.reference = sw_arena_str(arena, name), .dir = -1, .is_base = true};
    o->name = o->reference;
    return o;
}

/* layers and what they point to live as long as the stage or the build whose arena it is. */
static void remember(struct sw_build *b, struct sw_str name, const struct sw_descriptor *target,
                     const struct sw_blayer *layers, size_t n) {
    struct sw_lazy_base base = {name, *target, layers, n};
    pthread_mutex_lock(&b->base_lock);
    sw_vec_add(&b->bases, base);
    pthread_mutex_unlock(&b->base_lock);
}

void sw_bases_finish(struct sw_build *b) {
    for (size_t i = 0; i < b->bases.len; i++) {
        const struct sw_lazy_base *base = &b->bases.ptr[i];
        struct sw_error ignored = {0};
        bool whole = true;
        for (size_t k = 0; k < base->n && whole; k++)
            whole = sw_blob_exists(b->tools->store, &base->layers[k].blob, NULL);
        if (whole && sw_tags_set(b->tools->store, base->name, &base->target, &ignored))
            sw_progress_warn(b->tools->progress, "%.*s is not kept: %s", SW_ARG(base->name),
                             ignored.text);
    }
}

/* The only entry whose name ends with the tag: "1" means "app:1". */
static enum sw_code find_by_tag(const struct sw_index *index, struct sw_str tag,
                                const struct sw_descriptor **ret, struct sw_error *err) {
    const struct sw_descriptor *found = NULL;
    for (size_t i = 0; tag.len && i < index->n_manifests; i++) {
        struct sw_str name;
        if (!sw_pairs_get(&index->manifests[i].annotations, SW_STR(SW_ANN_REF_NAME), &name) &&
            !sw_pairs_get(&index->manifests[i].annotations, SW_STR(SW_ANN_CONTAINERD_NAME), &name))
            continue;
        size_t colon = sw_str_rfind_char(name, ':');
        if (colon == SIZE_MAX || !sw_str_eq(sw_str_from(name, colon + 1), tag)) continue;
        if (found) return err->code; /* several: what the exact search said stands */
        found = &index->manifests[i];
    }
    if (!found) return err->code;
    sw_error_clear(err);
    *ret = found;
    return SW_OK;
}

/* "DIR", "DIR:TAG", "DIR@DIGEST": an image of an OCI layout, brought into the store. */
static enum sw_code from_layout(struct sw_build *b, struct sw_arena *arena, struct sw_str text,
                                struct sw_descriptor *ret, struct sw_error *err) {
    SW_FD int dir = -1;
    struct sw_str path = text, digest = SW_STR(""), tag = SW_STR("");
    size_t at = sw_str_rfind_char(text, '@'), slash = sw_str_rfind_char(text, '/');
    if (at != SIZE_MAX && (slash == SIZE_MAX || at > slash)) {
        path = sw_str_sub(text, 0, at);
        digest = sw_str_from(text, at + 1);
    } else {
        size_t colon = sw_str_rfind_char(text, ':');
        if (colon != SIZE_MAX && (slash == SIZE_MAX || colon > slash)) {
            path = sw_str_sub(text, 0, colon);
            tag = sw_str_from(text, colon + 1);
        }
    }
    SW_BUF struct sw_buf bytes;
    struct sw_load_options options = {.no_tags = true};
    struct sw_load_result loaded;
    struct sw_index index;
    const struct sw_descriptor *found = NULL;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code =
        sw_open_at(AT_FDCWD, sw_arena_cstr(arena, path), O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_read_file_at(dir, SW_LAYOUT_INDEX, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_index_parse(arena, sw_buf_str(&bytes), SW_STR(""), &index, err);
    for (size_t i = 0; !code && digest.len && i < index.n_manifests; i++) {
        char have[SW_DIGEST_TEXT_MAX];
        if (sw_str_eq(sw_digest_format(&index.manifests[i].digest, have), digest))
            found = &index.manifests[i];
    }
    if (!code && digest.len && !found)
        code = sw_fail(err, SW_NOT_FOUND, "the layout has no image %.*s", SW_ARG(digest));
    if (!code && !found && sw_layout_find(arena, &index, tag, &found, err))
        code = find_by_tag(&index, tag, &found, err);
    if (!code) code = sw_archive_load(b->tools->store, arena, dir, &options, &loaded, err);
    if (!code) *ret = *found;
    return code;
}

static enum sw_code read_manifest(struct sw_build *b, struct sw_arena *arena,
                                  const struct sw_descriptor *target, struct sw_manifest *ret,
                                  struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code =
        sw_blob_read(b->tools->store, &target->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    return code ? code : sw_manifest_parse(arena, sw_buf_str(&bytes), target->media_type, ret, err);
}

static enum sw_code read_config(struct sw_build *b, struct sw_arena *arena,
                                const struct sw_manifest *m, struct sw_image_config *ret,
                                struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code =
        sw_blob_read(b->tools->store, &m->config.digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_image_config_parse(arena, sw_buf_str(&bytes), ret, err);
    if (!code && ret->n_diff_ids != m->n_layers)
        code =
            sw_fail(err, SW_CORRUPT, "its configuration speaks of %zu layers, its manifest of %zu",
                    ret->n_diff_ids, m->n_layers);
    return code;
}

enum sw_code sw_base_load(struct sw_build *b, struct sw_arena *arena, struct sw_str name,
                          const struct sw_platform *platform, unsigned step,
                          struct sw_image_config *ret_config, struct sw_blayer **ret_layers,
                          size_t *ret_n, struct sw_error *err) {
    struct sw_descriptor target;
    struct sw_manifest m;
    struct sw_str prefix = SW_STR("docker-image://"), layout = SW_STR("oci-layout://");
    bool lazy = false;
    struct sw_str asked = name;
    if (sw_str_starts(name, prefix)) name = sw_str_from(name, prefix.len);
    *ret_layers = NULL;
    *ret_n = 0;
    if (sw_str_is(name, "scratch")) {
        sw_scratch_config(arena, platform, ret_config);
        return SW_OK;
    }
    enum sw_code code = sw_str_starts(name, layout)
                            ? from_layout(b, arena, sw_str_from(name, layout.len), &target, err)
                            : find(b, arena, name, platform, step, &target, &lazy, err);
    if (!code && sw_media_type_of(target.media_type).kind == SW_MEDIA_INDEX)
        code = choose(b, arena, platform, &target, err);
    if (!code) sw_provenance_image(b, asked, platform, &target.digest);
    if (!code) code = read_manifest(b, arena, &target, &m, err);
    if (!code) code = read_config(b, arena, &m, ret_config, err);
    if (code) return sw_context(err, "base image %.*s", SW_ARG(name));
    struct sw_blayer *layers = sw_arena_array(arena, m.n_layers + 1, sizeof *layers);
    struct sw_origin *origin = lazy ? origin_of(arena, name) : NULL;
    for (size_t i = 0; i < m.n_layers; i++) {
        layers[i] = (struct sw_blayer){
            .identity = ret_config->diff_ids[i],
            .content = ret_config->diff_ids[i],
            .origin = origin,
            .has_blob = true,
            .blob = m.layers[i].digest,
            .diff_id = ret_config->diff_ids[i],
            .size = (uint64_t)m.layers[i].size,
            .media_type = sw_arena_cstr(arena, m.layers[i].media_type),
            .annotations = m.layers[i].annotations,
        };
    }
    if (lazy) remember(b, origin->reference, &target, layers, m.n_layers);
    *ret_layers = layers;
    *ret_n = m.n_layers;
    return SW_OK;
}
