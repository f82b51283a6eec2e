#include "oci/docker_archive.h"

#include "codec/hex.h"
#include "codec/tar.h"
#include "oci/document_internal.h"

static enum sw_code clean(struct sw_arena *a, const struct sw_json *node, struct sw_str raw,
                          struct sw_str *ret, struct sw_error *err) {
    SW_BUF struct sw_buf scratch;
    struct sw_str path;
    sw_buf_init(&scratch, 8192);
    enum sw_code code = sw_tar_clean_path(raw, &scratch, &path, err);
    if (!code && path.len == 0) code = sw_fail(err, SW_SYNTAX, "a path is empty");
    if (code) return sw_json_fail(node, err, "%.300s", err->text);
    *ret = sw_arena_str(a, path);
    return SW_OK;
}

static enum sw_code read_image(struct sw_arena *a, const struct sw_json *node,
                               struct sw_docker_image *image, struct sw_error *err) {
    struct sw_str config = {0};
    enum sw_code code = sw_json_expect(node, SW_JSON_OBJECT, err);
    if (!code) code = sw_json_need_str(node, "Config", &config, err);
    if (!code) code = clean(a, node, config, &image->config, err);
    if (!code) code = sw_json_opt_strs(a, node, "RepoTags", &image->repo_tags, err);
    if (!code) code = sw_json_opt_strs(a, node, "Layers", &image->layers, err);
    for (size_t i = 0; !code && i < image->layers.len; i++)
        code = clean(a, node, image->layers.ptr[i], &image->layers.ptr[i], err);
    return code;
}

enum sw_code sw_docker_archive_parse(struct sw_arena *a, struct sw_str bytes,
                                     struct sw_docker_archive *ret, struct sw_error *err) {
    struct sw_docker_archive archive = {0};
    const struct sw_json *root;
    enum sw_code code = sw_json_parse(a, bytes, &oci_limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_ARRAY, err);
    if (!code) {
        archive.images = sw_arena_array(a, root->len, sizeof *archive.images);
        archive.n_images = root->len;
        for (size_t i = 0; !code && i < root->len; i++)
            code = read_image(a, &root->items[i], &archive.images[i], err);
    }
    if (!code) code = sw_arena_check(a, "the archive's manifest", err);
    if (code) return sw_context(err, SW_DOCKER_ARCHIVE_MANIFEST);
    *ret = archive;
    return SW_OK;
}

void sw_docker_archive_write(struct sw_buf *out, const struct sw_docker_archive *archive) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_HTML);
    sw_json_begin_array(&w);
    for (size_t i = 0; i < archive->n_images; i++) {
        const struct sw_docker_image *image = &archive->images[i];
        sw_json_begin_object(&w);
        sw_json_put_str(&w, "Config", image->config);
        sw_json_put_strs(&w, "RepoTags", &image->repo_tags);
        sw_json_put_strs(&w, "Layers", &image->layers);
        sw_json_end_object(&w);
    }
    sw_json_end_array(&w);
}

static bool sha256_of_hex(struct sw_str hex, struct sw_digest *ret) {
    struct sw_digest d = {.alg = SW_SHA256};
    if (hex.len != 64 || !sw_hex_decode(hex, false, d.bytes)) return false;
    *ret = d;
    return true;
}

bool sw_docker_archive_digest(struct sw_str path, struct sw_digest *ret, bool *ret_is_layer_dir) {
    static const char *const suffixes[] = {"/layer.tar", ".json", ".tar"};
    struct sw_str rest = path, directory, algorithm, hex;
    *ret_is_layer_dir = false;
    if (sw_str_starts(path, SW_STR("blobs/"))) {
        char text[SW_DIGEST_TEXT_MAX];
        struct sw_error ignored;
        sw_str_cut(rest, '/', &directory, &rest);
        if (!sw_str_cut(rest, '/', &algorithm, &hex)) return false;
        if (algorithm.len + hex.len + 2 > sizeof text) return false;
        memcpy(text, algorithm.ptr, algorithm.len);
        text[algorithm.len] = ':';
        memcpy(text + algorithm.len + 1, hex.ptr, hex.len);
        return !sw_digest_parse(sw_str_n(text, algorithm.len + 1 + hex.len), ret, &ignored);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        struct sw_str suffix = sw_str(suffixes[i]);
        if (!sw_str_ends(path, suffix)) continue;
        *ret_is_layer_dir = i == 0;
        return sha256_of_hex(sw_str_sub(path, 0, path.len - suffix.len), ret);
    }
    return sha256_of_hex(path, ret);
}

enum sw_code sw_docker_repositories_parse(struct sw_arena *a, struct sw_str bytes,
                                          struct sw_docker_repository_tag **ret_tags, size_t *ret_n,
                                          struct sw_error *err) {
    const struct sw_json *root;
    size_t n = 0;
    enum sw_code code = sw_json_parse(a, bytes, &oci_limits, &root, err);
    if (!code) code = sw_json_expect(root, SW_JSON_OBJECT, err);
    for (size_t i = 0; !code && i < root->len; i++) {
        code = sw_json_expect(&root->items[i], SW_JSON_OBJECT, err);
        n += root->items[i].len;
    }
    if (code) return sw_context(err, SW_DOCKER_ARCHIVE_REPOSITORIES);
    struct sw_docker_repository_tag *tags = sw_arena_array(a, n, sizeof *tags);
    n = 0;
    for (size_t i = 0; i < root->len; i++) {
        const struct sw_json *repository = &root->items[i];
        for (size_t k = 0; k < repository->len; k++) {
            const struct sw_json *tag = &repository->items[k];
            code = sw_json_expect(tag, SW_JSON_STRING, err);
            if (code) return sw_context(err, SW_DOCKER_ARCHIVE_REPOSITORIES);
            tags[n++] = (struct sw_docker_repository_tag){repository->key, tag->key, tag->text};
        }
    }
    *ret_tags = tags;
    *ret_n = n;
    return SW_OK;
}

void sw_docker_repositories_write(struct sw_buf *out, const struct sw_docker_repository_tag *tags,
                                  size_t n) {
    struct sw_json_writer w;
    sw_json_writer_init(&w, out, SW_JSON_HTML);
    sw_json_begin_object(&w);
    for (size_t i = 0; i < n; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = sw_str_eq(tags[k].repository, tags[i].repository);
        if (seen) continue;
        sw_json_key_str(&w, tags[i].repository);
        sw_json_begin_object(&w);
        for (size_t k = i; k < n; k++) {
            if (!sw_str_eq(tags[k].repository, tags[i].repository)) continue;
            sw_json_key_str(&w, tags[k].tag);
            sw_json_str(&w, tags[k].layer_id);
        }
        sw_json_end_object(&w);
    }
    sw_json_end_object(&w);
}

static void list_names(const struct sw_docker_archive *archive, struct sw_buf *out) {
    for (size_t i = 0; i < archive->n_images; i++)
        for (size_t k = 0; k < archive->images[i].repo_tags.len; k++)
            sw_buf_addf(out, "%s%.*s", out->len ? ", " : "",
                        SW_ARG(archive->images[i].repo_tags.ptr[k]));
    if (!out->len) sw_buf_add(out, SW_STR("(they have no names)"));
}

/* Whether one of the image's tags means the same as name. */
static bool has_name(struct sw_arena *a, const struct sw_docker_image *image, struct sw_str name) {
    struct sw_reference wanted, ref;
    struct sw_error ignored;
    if (sw_strs_has(&image->repo_tags, name)) return true;
    if (sw_reference_parse(a, name, &wanted, &ignored)) return false;
    sw_reference_default_tag(&wanted);
    for (size_t i = 0; i < image->repo_tags.len; i++) {
        if (sw_reference_parse(a, image->repo_tags.ptr[i], &ref, &ignored)) continue;
        sw_reference_default_tag(&ref);
        if (sw_reference_eq(&ref, &wanted)) return true;
    }
    return false;
}

enum sw_code sw_docker_archive_find(struct sw_arena *a, const struct sw_docker_archive *archive,
                                    struct sw_str name, const struct sw_docker_image **ret,
                                    struct sw_error *err) {
    SW_BUF struct sw_buf names;
    sw_buf_init(&names, 512);
    if (archive->n_images == 0) return sw_fail(err, SW_NOT_FOUND, "the archive has no image");
    if (name.len == 0 && archive->n_images == 1) {
        *ret = &archive->images[0];
        return SW_OK;
    }
    for (size_t i = 0; name.len && i < archive->n_images; i++) {
        if (!has_name(a, &archive->images[i], name)) continue;
        *ret = &archive->images[i];
        return SW_OK;
    }
    list_names(archive, &names);
    if (name.len == 0)
        return sw_fail(err, SW_USAGE, "the archive has %zu images; name one of: %s",
                       archive->n_images, names.ptr);
    return sw_fail(err, SW_NOT_FOUND, "the archive has no \"%.*s\"; it has: %s", SW_ARG(name),
                   names.ptr);
}
