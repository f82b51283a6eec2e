#include "cmd/image_read.h"

#include <sys/utsname.h>

#include "oci/index.h"
#include "store/blob.h"

static enum sw_code read_blob(struct sw_store *store, const struct sw_digest *digest,
                              struct sw_buf *to, struct sw_error *err) {
    sw_buf_reset(to);
    return sw_blob_read(store, digest, SW_OCI_DOCUMENT_MAX, to, err);
}

/* An image with attestations is an index; where it has but one image, that one is meant, whatever
 * machine it is for. */
static const struct sw_descriptor *only_image(const struct sw_index *index) {
    const struct sw_descriptor *found = NULL;
    for (size_t i = 0; i < index->n_manifests; i++) {
        if (sw_descriptor_is_attestation(&index->manifests[i])) continue;
        if (found) return NULL;
        found = &index->manifests[i];
    }
    return found;
}

enum sw_code sw_image_read(struct sw_store *store, struct sw_arena *arena, struct sw_str what,
                           struct sw_image_read *ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = sw_tags_resolve(store, arena, what, &ret->image, err);
    if (code) return code;
    ret->manifest_descriptor = ret->image.target;
    code = read_blob(store, &ret->manifest_descriptor.digest, &bytes, err);
    if (!code && ret->image.is_index) {
        struct utsname host;
        struct sw_index index;
        uname(&host);
        struct sw_platform here = sw_platform_of_machine(sw_str(host.machine));
        code = sw_index_parse(arena, sw_buf_str(&bytes), ret->image.target.media_type, &index, err);
        if (code) return code;
        const struct sw_descriptor *best = sw_index_choose(&index, &here);
        if (!best) best = only_image(&index);
        if (!best)
            return sw_fail(err, SW_NOT_FOUND, "%.*s has no image for this machine, only for %.*s",
                           SW_ARG(what), SW_ARG(sw_index_platforms(arena, &index)));
        ret->manifest_descriptor = *best;
        code = read_blob(store, &best->digest, &bytes, err);
    }
    if (!code)
        code = sw_manifest_parse(arena, sw_buf_str(&bytes), ret->manifest_descriptor.media_type,
                                 &ret->manifest, err);
    if (!code) code = read_blob(store, &ret->manifest.config.digest, &bytes, err);
    if (!code) code = sw_image_config_parse(arena, sw_buf_str(&bytes), &ret->config, err);
    if (!code && ret->config.n_diff_ids != ret->manifest.n_layers)
        code =
            sw_fail(err, SW_CORRUPT, "its configuration speaks of %zu layers, its manifest of %zu",
                    ret->config.n_diff_ids, ret->manifest.n_layers);
    return code ? sw_context(err, "image %.*s", SW_ARG(what)) : SW_OK;
}
