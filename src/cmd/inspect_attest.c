#include "cmd/inspect_attest.h"

#include <stdio.h>
#include <string.h>

#include "build/attest.h"
#include "oci/index.h"
#include "store/blob.h"

/* ---- attestations: in-toto statements beside the image in its index, as BuildKit puts them ----
 */

#define STATEMENT_MAX ((size_t)64 << 20)

enum sw_code inspect_attested_find(struct sw_store *store, struct sw_arena *a,
                                   const struct sw_image_read *image, struct inspect_attested *ret,
                                   struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    struct sw_index index;
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str wanted = sw_digest_format(&image->manifest_descriptor.digest, text), about;
    *ret = (struct inspect_attested){0};
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    if (!image->image.is_index) return SW_OK;
    enum sw_code code =
        sw_blob_read(store, &image->image.target.digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code)
        code = sw_index_parse(a, sw_buf_str(&bytes), image->image.target.media_type, &index, err);
    for (size_t i = 0; !code && !ret->found && i < index.n_manifests; i++) {
        const struct sw_descriptor *d = &index.manifests[i];
        if (!sw_descriptor_is_attestation(d) ||
            !sw_pairs_get(&d->annotations, SW_STR(SW_ANN_ATTESTATION_DIGEST), &about) ||
            !sw_str_eq(about, wanted) || !sw_blob_exists(store, &d->digest, NULL))
            continue;
        sw_buf_reset(&bytes);
        code = sw_blob_read(store, &d->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
        if (!code) code = sw_manifest_parse(a, sw_buf_str(&bytes), d->media_type, &ret->m, err);
        ret->found = !code;
    }
    return code ? sw_context(err, "its attestations") : SW_OK;
}

static struct sw_str type_of(const struct sw_descriptor *d) {
    struct sw_str type = SW_STR("");
    sw_pairs_get(&d->annotations, SW_STR(SW_ANN_PREDICATE_TYPE), &type);
    return type;
}

static void put_attestations(struct sw_json_writer *w, const struct inspect_attested *list) {
    if (!list->found) return;
    sw_json_key(w, "Attestations");
    sw_json_begin_array(w);
    for (size_t i = 0; i < list->m.n_layers; i++) {
        sw_json_begin_object(w);
        sw_json_put_str(w, "PredicateType", type_of(&list->m.layers[i]));
        sw_json_put_digest(w, "Digest", &list->m.layers[i].digest);
        sw_json_put_int(w, "Size", list->m.layers[i].size);
        sw_json_end_object(w);
    }
    sw_json_end_array(w);
}

/* The predicate of one kind, for a --format that asks for it: {"SPDX": ...}, as docker has it. */
static enum sw_code put_predicate(struct sw_invocation *inv, struct sw_store *store,
                                  struct sw_json_writer *w, const struct inspect_attested *list,
                                  const char *field, const char *inner, const char *prefix,
                                  struct sw_error *err) {
    static const struct sw_json_limits limits = {.bytes = STATEMENT_MAX, .values = 20000000};
    SW_BUF struct sw_buf bytes;
    const struct sw_json *root;
    sw_buf_init(&bytes, STATEMENT_MAX);
    char wanted[32];
    snprintf(wanted, sizeof wanted, ".%s", field);
    if (!inv->format || !strstr(inv->format, wanted)) return SW_OK;
    for (size_t i = 0; i < list->m.n_layers; i++) {
        const struct sw_descriptor *d = &list->m.layers[i];
        if (!sw_str_starts(type_of(d), sw_str(prefix))) continue;
        enum sw_code code = sw_blob_read(store, &d->digest, STATEMENT_MAX, &bytes, err);
        if (!code) code = sw_json_parse(inv->arena, sw_buf_str(&bytes), &limits, &root, err);
        if (code) return sw_context(err, "%s", field);
        const struct sw_json *predicate = sw_json_get(root, "predicate");
        sw_json_key(w, field);
        sw_json_begin_object(w);
        if (predicate) {
            sw_json_key(w, inner);
            sw_json_tree(w, predicate);
        }
        sw_json_end_object(w);
        return SW_OK;
    }
    return SW_OK;
}

enum sw_code inspect_attested_put(struct sw_invocation *inv, struct sw_store *store,
                                  struct sw_json_writer *w, const struct inspect_attested *list,
                                  struct sw_error *err) {
    put_attestations(w, list);
    enum sw_code code =
        put_predicate(inv, store, w, list, "SBOM", "SPDX", "https://spdx.dev/", err);
    return code ? code
                : put_predicate(inv, store, w, list, "Provenance", "SLSA",
                                "https://slsa.dev/provenance/", err);
}
