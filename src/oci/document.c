#include "oci/document_internal.h"

#include "oci/manifest.h"

const struct sw_json_limits oci_limits = {
    .bytes = SW_OCI_DOCUMENT_MAX,
    .depth = SW_OCI_DEPTH_MAX,
    .values = SW_OCI_VALUES_MAX,
};

enum sw_code oci_read_descriptors(struct sw_arena *a, const struct sw_json *root, const char *key,
                                  struct sw_descriptor **ret, size_t *ret_n, struct sw_error *err) {
    const struct sw_json *list = NULL;
    enum sw_code code = sw_json_opt_node(root, key, SW_JSON_ARRAY, &list, err);
    if (code || !list) return code;
    if (list->len > SW_OCI_ITEMS_MAX)
        return sw_fail(err, SW_LIMIT, "%s: %zu entries, at most %d are read", key, list->len,
                       SW_OCI_ITEMS_MAX);
    struct sw_descriptor *items = sw_arena_array(a, list->len, sizeof *items);
    for (size_t i = 0; i < list->len; i++) {
        code = sw_descriptor_from_json(a, &list->items[i], NULL, &items[i], err);
        if (code) return code;
    }
    *ret = items;
    *ret_n = list->len;
    return SW_OK;
}

enum sw_code oci_read_subject(struct sw_arena *a, const struct sw_json *root,
                              struct sw_descriptor **ret, struct sw_error *err) {
    const struct sw_json *node = NULL;
    enum sw_code code = sw_json_opt_node(root, "subject", SW_JSON_OBJECT, &node, err);
    if (code || !node) return code;
    *ret = SW_NEW(a, struct sw_descriptor);
    return sw_descriptor_from_json(a, node, NULL, *ret, err);
}

static bool is_set(const struct sw_json *root, const char *key) {
    const struct sw_json *node = sw_json_get(root, key);
    return node && node->type != SW_JSON_NULL;
}

/* What the members say that a document is, whatever its mediaType claims. */
static enum sw_media_kind kind_of_members(const struct sw_json *root) {
    const struct sw_json *version = sw_json_get(root, "schemaVersion");
    if (version && version->type == SW_JSON_INT && version->integer == 1) return SW_MEDIA_SCHEMA1;
    if (is_set(root, "fsLayers")) return SW_MEDIA_SCHEMA1;
    if (is_set(root, "manifests")) return SW_MEDIA_INDEX;
    if (is_set(root, "layers") || is_set(root, "config")) return SW_MEDIA_MANIFEST;
    return SW_MEDIA_OTHER;
}

enum sw_media_kind sw_manifest_sniff(struct sw_arena *a, struct sw_str bytes) {
    const struct sw_json *root;
    struct sw_error ignored;
    struct sw_str media_type = SW_STR("");
    if (sw_json_parse(a, bytes, &oci_limits, &root, &ignored)) return SW_MEDIA_OTHER;
    if (root->type != SW_JSON_OBJECT) return SW_MEDIA_OTHER;
    if (sw_json_opt_str(root, "mediaType", &media_type, &ignored)) return SW_MEDIA_OTHER;
    enum sw_media_kind kind = sw_media_type_of(media_type).kind;
    return kind == SW_MEDIA_OTHER ? kind_of_members(root) : kind;
}

enum sw_code sw_manifest_media_type(struct sw_arena *a, struct sw_str bytes, struct sw_str *ret,
                                    struct sw_error *err) {
    const struct sw_json *root;
    struct sw_str own = SW_STR("");
    enum sw_code code = sw_json_parse(a, bytes, &oci_limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_opt_str(root, "mediaType", &own, err);
    if (code) return code;
    enum sw_media_kind kind = kind_of_members(root);
    if (kind == SW_MEDIA_OTHER)
        return sw_fail(err, SW_SYNTAX, "neither an image manifest nor an index");
    if (!own.len && kind == SW_MEDIA_SCHEMA1) own = SW_STR(SW_MT_DOCKER_SCHEMA1);
    if (!own.len)
        own = kind == SW_MEDIA_INDEX ? SW_STR(SW_MT_OCI_INDEX) : SW_STR(SW_MT_OCI_MANIFEST);
    *ret = own;
    return SW_OK;
}

/* A type from the transport counts where it names a kind of document; "application/json" does
 * not. Bytes that are an index to one reader and a manifest to another are an attack
 * (CVE-2021-41190), so both the type and the members must agree. */
static enum sw_code check_kind(const struct sw_json *root, struct sw_str transport,
                               enum sw_media_kind wanted, struct sw_str media_type,
                               struct sw_error *err) {
    const char *name = wanted == SW_MEDIA_INDEX ? "an image index" : "an image manifest";
    struct sw_str from_transport, parameters;
    sw_str_cut(transport, ';', &from_transport, &parameters);
    from_transport = sw_str_trim(from_transport);
    enum sw_media_kind said = sw_media_type_of(from_transport).kind;
    enum sw_media_kind written = sw_media_type_of(media_type).kind;
    if (said == SW_MEDIA_SCHEMA1 || written == SW_MEDIA_SCHEMA1 ||
        kind_of_members(root) == SW_MEDIA_SCHEMA1)
        return sw_fail(err, SW_UNSUPPORTED,
                       "this is a Docker manifest of schema 1, which cannot be verified; push the "
                       "image again with a current tool");
    if (said != SW_MEDIA_OTHER && media_type.len && !sw_str_ieq(from_transport, media_type))
        return sw_json_fail(root, err, "mediaType is %.*s, but it was announced as %.*s",
                            SW_ARG(media_type), SW_ARG(from_transport));
    if ((said != SW_MEDIA_OTHER && said != wanted) || (media_type.len && written != wanted))
        return sw_json_fail(root, err, "mediaType %.*s is not that of %s",
                            SW_ARG(media_type.len ? media_type : from_transport), name);
    bool mixed = wanted == SW_MEDIA_INDEX ? is_set(root, "layers") || is_set(root, "config")
                                          : is_set(root, "manifests");
    if (mixed) return sw_json_fail(root, err, "has members that %s does not have", name);
    return SW_OK;
}

enum sw_code oci_open(struct sw_arena *a, struct sw_str bytes, struct sw_str transport,
                      enum sw_media_kind wanted, struct sw_str *ret_media_type,
                      const struct sw_json **ret_root, struct sw_error *err) {
    const struct sw_json *root;
    int64_t version;
    *ret_media_type = SW_STR("");
    enum sw_code code = sw_json_parse(a, bytes, &oci_limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_opt_str(root, "mediaType", ret_media_type, err);
    if (!code) code = check_kind(root, transport, wanted, *ret_media_type, err);
    if (!code) code = sw_json_need_int(root, "schemaVersion", &version, err);
    if (!code && version != 2)
        code = sw_json_fail(root, err, "schemaVersion must be 2, is %lld", (long long)version);
    if (!code) *ret_root = root;
    return code;
}
