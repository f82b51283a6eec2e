/* Images: finding the manifest, the configuration and the layers, and reading these. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "oci/config.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"
#include "scan/origin_internal.h"
#include "scan/read.h"
#include "scan/scan.h"
#include "store/tags.h"

/* --- from a name to layers ------------------------------------------------------------------- */

struct layer {
    struct sw_digest blob, diff_id;
    uint64_t size;
    struct sw_str path; /* in a docker archive */
};

struct image {
    struct sw_digest digest;
    struct sw_descriptor named; /* what was asked for: the manifest or an index */
    bool whole;                 /* that holds no other image */
    struct sw_image_config config;
    struct layer *layers; /* arena */
    size_t n_layers;
};

static enum sw_code read_config(struct origin *p, struct sw_str path, const struct sw_descriptor *d,
                                struct image *image, struct sw_error *err) {
    struct sw_str bytes;
    enum sw_code code = origin_document(p, path, d, &bytes, err);
    if (!code) code = sw_image_config_parse(p->a, bytes, &image->config, err);
    if (code) return sw_context(err, "the image's configuration");
    if (image->config.n_diff_ids != image->n_layers)
        return sw_fail(err, SW_CORRUPT, "the image has %zu layers and %zu diff IDs",
                       image->n_layers, image->config.n_diff_ids);
    for (size_t i = 0; i < image->n_layers; i++)
        image->layers[i].diff_id = image->config.diff_ids[i];
    return SW_OK;
}

/* A platform that was asked for must be the image's, also where it is the only one. */
static enum sw_code check_platform(struct origin *p, const char *text, const struct image *image,
                                   struct sw_error *err) {
    const struct sw_platform *is = &image->config.platform;
    struct sw_platform want;
    if (!text || !is->os.len || !is->architecture.len) return SW_OK;
    enum sw_code code = sw_platform_parse(p->a, sw_str(text), is, &want, err);
    if (code || (sw_str_eq(want.os, is->os) && sw_str_eq(want.architecture, is->architecture)))
        return code;
    return sw_fail(err, SW_NOT_FOUND, "the image is for %.*s/%.*s, not for %s", SW_ARG(is->os),
                   SW_ARG(is->architecture), text);
}

static enum sw_code choose_platform(struct origin *p, const char *text,
                                    const struct sw_index *index, const struct sw_descriptor **ret,
                                    struct sw_error *err) {
    struct utsname uts;
    struct sw_platform want;
    if (uname(&uts) != 0) return sw_fail_sys(err, errno, "asking for this machine's kind");
    struct sw_platform host = sw_platform_of_machine(sw_arena_str(p->a, sw_str(uts.machine)));
    want = host;
    if (text) {
        enum sw_code code = sw_platform_parse(p->a, sw_str(text), &host, &want, err);
        if (code) return code;
    }
    *ret = sw_index_choose(index, &want);
    if (*ret) return SW_OK;
    struct sw_str have = sw_index_platforms(p->a, index);
    return sw_fail(err, SW_NOT_FOUND, "the image is not for this platform; it is for %.*s",
                   SW_ARG(have));
}

static enum sw_code read_manifest(struct origin *p, const struct sw_descriptor *d,
                                  const char *platform, unsigned depth, struct image *image,
                                  struct sw_error *err) {
    struct sw_str bytes;
    enum sw_code code = origin_manifest(p, d, &bytes, err);
    if (code) return sw_context(err, "the image's manifest");
    if (depth == 0) {
        image->named = *d;
        image->named.size = (int64_t)bytes.len;
        image->whole = true;
    }
    enum sw_media_kind kind = sw_media_type_of(d->media_type).kind;
    if (kind == SW_MEDIA_OTHER) kind = sw_manifest_sniff(p->a, bytes);
    if (kind == SW_MEDIA_INDEX) {
        struct sw_index index;
        const struct sw_descriptor *chosen = NULL;
        if (depth > 4) return sw_fail(err, SW_LIMIT, "indexes within indexes");
        code = sw_index_parse(p->a, bytes, d->media_type, &index, err);
        if (!code) code = choose_platform(p, platform, &index, &chosen, err);
        for (size_t i = 0; i < index.n_manifests && !code; i++)
            if (&index.manifests[i] != chosen && !sw_descriptor_is_attestation(&index.manifests[i]))
                image->whole = false;
        return code ? code : read_manifest(p, chosen, platform, depth + 1, image, err);
    }
    struct sw_manifest m;
    code = sw_manifest_parse(p->a, bytes, d->media_type, &m, err);
    if (code) return code;
    image->digest = d->digest;
    image->n_layers = m.n_layers;
    image->layers = sw_arena_array(p->a, m.n_layers, sizeof *image->layers);
    for (size_t i = 0; i < m.n_layers; i++) {
        image->layers[i].blob = m.layers[i].digest;
        image->layers[i].size = (uint64_t)m.layers[i].size;
    }
    code = read_config(p, SW_STR(""), &m.config, image, err);
    return code ? code : check_platform(p, platform, image, err);
}

static enum sw_code read_layout(struct origin *p, const char *name, const char *platform,
                                struct image *image, struct sw_error *err) {
    struct sw_str bytes;
    struct sw_index index;
    const struct sw_descriptor *d;
    enum sw_code code = origin_document(p, SW_STR(SW_LAYOUT_INDEX), NULL, &bytes, err);
    if (!code) code = sw_index_parse(p->a, bytes, SW_STR(SW_MT_OCI_INDEX), &index, err);
    if (!code) code = sw_layout_find(p->a, &index, sw_str(name ? name : ""), &d, err);
    return code ? code : read_manifest(p, d, platform, 0, image, err);
}

static enum sw_code read_docker(struct origin *p, const char *name, struct image *image,
                                struct sw_error *err) {
    struct sw_str bytes;
    struct sw_docker_archive archive;
    const struct sw_docker_image *found;
    enum sw_code code = origin_document(p, SW_STR(SW_DOCKER_ARCHIVE_MANIFEST), NULL, &bytes, err);
    if (!code) code = sw_docker_archive_parse(p->a, bytes, &archive, err);
    if (!code) code = sw_docker_archive_find(p->a, &archive, sw_str(name ? name : ""), &found, err);
    if (code) return code;
    image->n_layers = found->layers.len;
    image->layers = sw_arena_array(p->a, image->n_layers, sizeof *image->layers);
    for (size_t i = 0; i < image->n_layers; i++) image->layers[i].path = found->layers.ptr[i];
    code = origin_document(p, found->config, NULL, &bytes, err);
    if (code) return code;
    image->digest = sw_digest_of(SW_SHA256, bytes);
    return read_config(p, found->config, NULL, image, err);
}

/* --- layers ---------------------------------------------------------------------------------- */

struct job {
    const struct sw_scan_options *options;
    struct origin *origin;
    const struct layer *layer;
    struct sw_buf file; /* the inventory as it is kept */
    uint64_t bytes;
    bool cached;
    enum sw_code code;
    struct sw_error err;
};

static char *cache_path(const char *dir, const struct sw_digest *diff_id) {
    char hex[SW_DIGEST_TEXT_MAX];
    struct sw_str text = sw_digest_hex(diff_id, hex);
    return sw_asprintf("%s/%.*s", dir, SW_ARG(text));
}

/* A kept inventory that is whole, of this version and of this layer. */
static bool read_cached(const char *dir, const struct sw_digest *diff_id, struct sw_buf *to) {
    struct sw_error ignored;
    struct sw_scan_layer layer;
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, (size_t)1 << 30);
    if (!dir) return false;
    SW_FREE char *path = cache_path(dir, diff_id);
    sw_buf_reset(to);
    return !sw_read_file_at(AT_FDCWD, path, (size_t)1 << 30, to, &ignored) &&
           !sw_scan_layer_read(&a, sw_buf_str(to), &layer, &ignored) &&
           sw_digest_eq(&layer.diff_id, diff_id);
}

/* Keeping is a help, not a duty: a full disk must not fail a scan. */
static void keep(const char *dir, const struct sw_digest *diff_id, const struct sw_buf *file) {
    struct sw_error ignored;
    SW_FD int fd = -1;
    char hex[SW_DIGEST_TEXT_MAX];
    if (!dir || sw_mkdirs_at(AT_FDCWD, dir, 0755, &ignored) ||
        sw_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &fd, &ignored))
        return;
    struct sw_str name = sw_digest_hex(diff_id, hex);
    char *text = sw_strndup(name.ptr, name.len);
    if (sw_write_file_at(fd, text, 0644, sw_buf_str(file), &ignored)) sw_error_clear(&ignored);
    free(text);
}

static void run_job(void *argument) {
    struct job *j = argument;
    struct sw_scan_layer layer;
    struct blob b = {.fd = -1};
    if (read_cached(j->options->cache_dir, &j->layer->diff_id, &j->file)) {
        j->cached = true;
        return;
    }
    sw_buf_reset(&j->file);
    struct sw_arena a;
    sw_arena_init(&a, (size_t)1 << 30);
    j->code = j->layer->path.len
                  ? origin_open_path(j->origin, j->layer->path, &b, &j->err)
                  : origin_open_blob(j->origin, &j->layer->blob, j->layer->size, &b, &j->err);
    if (!j->code)
        j->code = sw_scan_read_layer(&a, b.fd, b.offset, b.download ? SW_SCAN_TO_END : b.size,
                                     &j->layer->diff_id, j->options->temp_dir, &layer, &j->err);
    j->code = blob_close(&b, j->code, &j->err);
    if (!j->code) {
        sw_scan_layer_write(&layer, &j->file);
        j->bytes = layer.bytes;
        j->code = sw_buf_check(&j->file, "the layer's inventory", &j->err);
    }
    if (!j->code) keep(j->options->cache_dir, &j->layer->diff_id, &j->file);
    sw_arena_done(&a);
}

/* Which instruction made each layer: the history's entries that are not empty, in order. */
static void describe_layers(struct sw_arena *a, const struct image *image,
                            struct sw_inventory *inventory) {
    inventory->n_layers = image->n_layers;
    inventory->layers = sw_arena_array(a, image->n_layers, sizeof *inventory->layers);
    size_t h = 0;
    bool fits = sw_image_config_history_fits(&image->config) && image->config.n_history;
    for (size_t i = 0; i < image->n_layers; i++) {
        inventory->layers[i].diff_id = image->layers[i].diff_id;
        inventory->layers[i].created_by = SW_STR("");
        while (fits && h < image->config.n_history && image->config.history[h].empty_layer) h++;
        if (fits && h < image->config.n_history)
            inventory->layers[i].created_by = image->config.history[h++].created_by;
    }
    inventory->labels = image->config.config.labels;
    inventory->digest = image->digest;
    inventory->named = image->named;
    inventory->whole = image->whole;
}

static enum sw_code read_layers(struct sw_arena *a, const struct sw_scan_options *options,
                                struct origin *origin, const struct image *image,
                                struct sw_inventory *ret, struct sw_scan_stats *stats,
                                struct sw_error *err) {
    struct job *jobs = sw_arena_array(a, image->n_layers, sizeof *jobs);
    struct sw_group *group = options->pool ? sw_group_new(options->pool) : NULL;
    unsigned step = sw_progress_step(options->progress, SW_STR("read layers"));
    sw_progress_start(options->progress, step);
    for (size_t i = 0; i < image->n_layers; i++) {
        jobs[i] = (struct job){.options = options, .origin = origin, .layer = &image->layers[i]};
        sw_buf_init(&jobs[i].file, (size_t)1 << 30);
        if (group)
            sw_group_submit(group, run_job, &jobs[i]);
        else
            run_job(&jobs[i]);
    }
    if (group) sw_group_free(group);
    struct sw_scan_layer *layers = sw_arena_array(a, image->n_layers, sizeof *layers);
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < image->n_layers; i++) {
        if (!code && jobs[i].code) {
            *err = jobs[i].err;
            char text[SW_DIGEST_TEXT_MAX];
            struct sw_str id = sw_digest_format(&image->layers[i].diff_id, text);
            code = sw_context(err, "layer %zu (%.*s)", i + 1, SW_ARG(id));
        }
        if (!code)
            code =
                sw_scan_layer_read(a, sw_arena_str(a, sw_buf_str(&jobs[i].file)), &layers[i], err);
        if (stats) {
            stats->layers++;
            stats->cached += jobs[i].cached;
            stats->bytes += jobs[i].bytes;
        }
        sw_buf_done(&jobs[i].file);
    }
    if (code) {
        sw_progress_fail(options->progress, step, err);
        return code;
    }
    sw_progress_done(options->progress, step);
    describe_layers(a, image, ret);
    sw_inventory_merge(a, layers, image->n_layers, ret);
    return sw_arena_check(a, "the image's inventory", err);
}

/* --- targets --------------------------------------------------------------------------------- */

static enum sw_code scan_archive(struct sw_arena *a, const struct sw_scan_options *options,
                                 struct origin *p, struct sw_inventory *ret,
                                 struct sw_scan_stats *stats, struct sw_error *err) {
    struct stat st;
    struct image image = {0};
    int fd;
    enum sw_code code = sw_open_at(AT_FDCWD, options->target, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        p->dir = fd;
        code = read_layout(p, options->name, options->platform, &image, err);
    } else {
        p->tar = fd;
        code = origin_index_archive(p, options->temp_dir, err);
        if (!code && sw_map_has(&p->files, SW_STR(SW_DOCKER_ARCHIVE_MANIFEST)))
            code = read_docker(p, options->name, &image, err);
        else if (!code && sw_map_has(&p->files, SW_STR(SW_LAYOUT_INDEX)))
            code = read_layout(p, options->name, options->platform, &image, err);
        else if (!code)
            code = sw_fail(err, SW_SYNTAX, "neither a docker archive nor an OCI layout");
    }
    if (!code) code = read_layers(a, options, p, &image, ret, stats, err);
    return code;
}

static enum sw_code scan_registry(struct sw_arena *a, const struct sw_scan_options *options,
                                  struct origin *p, struct sw_inventory *ret,
                                  struct sw_scan_stats *stats, struct sw_error *err) {
    struct sw_reference ref;
    struct sw_descriptor target = {0};
    struct image image = {0};
    char text[SW_DIGEST_TEXT_MAX];
    struct sw_str name = sw_str(options->target);
    if (sw_str_starts(name, SW_STR(SW_SCAN_REGISTRY_PREFIX)))
        name = sw_str_from(name, strlen(SW_SCAN_REGISTRY_PREFIX));
    enum sw_code code = sw_reference_parse(a, name, &ref, err);
    if (!code) code = options->remote(options->remote_context, &p->remote, err);
    if (code) return code;
    sw_reference_default_tag(&ref);
    p->repo = sw_repository_of(&ref);
    struct sw_str what =
        sw_digest_is_set(&ref.digest) ? sw_digest_format(&ref.digest, text) : ref.tag;
    code = sw_remote_manifest_get(p->remote, a, p->repo, what, &target, &p->known_bytes, err);
    p->known = target.digest;
    if (!code) code = read_manifest(p, &target, options->platform, 0, &image, err);
    return code ? code : read_layers(a, options, p, &image, ret, stats, err);
}

/* As trivy does: what is here goes before what is elsewhere, unless the name says otherwise. */
static enum sw_code scan_image(struct sw_arena *a, const struct sw_scan_options *options,
                               struct origin *p, struct sw_inventory *ret,
                               struct sw_scan_stats *stats, struct sw_error *err) {
    struct sw_image found;
    struct image image = {0};
    bool named = sw_str_starts(sw_str(options->target), SW_STR(SW_SCAN_REGISTRY_PREFIX));
    if (options->remote && (named || !options->store))
        return scan_registry(a, options, p, ret, stats, err);
    p->store = options->store;
    enum sw_code code = SW_OK;
    if (options->descriptor)
        found.target = *options->descriptor;
    else
        code = sw_tags_resolve(options->store, a, sw_str(options->target), &found, err);
    if (code == SW_NOT_FOUND && options->remote) {
        p->store = NULL;
        code = scan_registry(a, options, p, ret, stats, err);
        return code ? sw_context(err, "it is not in the local store; from its registry") : SW_OK;
    }
    if (!code) code = read_manifest(p, &found.target, options->platform, 0, &image, err);
    return code ? code : read_layers(a, options, p, &image, ret, stats, err);
}

static enum sw_code scan_tree(struct sw_arena *a, const struct sw_scan_options *options,
                              struct sw_inventory *ret, struct sw_error *err) {
    SW_FD int fd = -1;
    struct sw_scan_layer layer;
    bool program = options->kind == SW_SCAN_PROGRAM;
    enum sw_code code =
        sw_open_at(AT_FDCWD, options->target, O_RDONLY | (program ? 0 : O_DIRECTORY), 0, &fd, err);
    if (!code && program)
        code = sw_scan_read_program(a, fd, sw_arena_str(a, sw_str(options->target)), &layer, err);
    else if (!code)
        code = sw_scan_read_tree(a, fd, NULL, &layer, err);
    if (!code) sw_inventory_merge(a, &layer, 1, ret);
    return code;
}

static enum sw_code scan_sbom_file(struct sw_arena *a, const struct sw_scan_options *options,
                                   struct sw_inventory *ret, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_SCAN_DOCUMENT_MAX);
    enum sw_code code =
        sw_read_file_at(AT_FDCWD, options->target, SW_SCAN_DOCUMENT_MAX, &text, err);
    if (code) return code;
    return sw_scan_sbom(a, sw_arena_str(a, sw_buf_str(&text)),
                        sw_arena_str(a, sw_str(options->target)), ret, err);
}

enum sw_code sw_scan_inventory(struct sw_arena *a, const struct sw_scan_options *options,
                               struct sw_inventory *ret, struct sw_scan_stats *stats,
                               struct sw_error *err) {
    static const char *const kinds[] = {"image", "image", "rootfs", "binary", "sbom"};
    struct sw_inventory inventory = {.target = sw_arena_str(a, sw_str(options->target)),
                                     .target_kind = kinds[options->kind]};
    struct origin p = {.dir = -1, .tar = -1, .a = a};
    enum sw_code code = SW_OK;
    switch (options->kind) {
    case SW_SCAN_IMAGE:
        code = scan_image(a, options, &p, &inventory, stats, err);
        break;
    case SW_SCAN_ARCHIVE:
        code = scan_archive(a, options, &p, &inventory, stats, err);
        break;
    case SW_SCAN_ROOTFS:
    case SW_SCAN_PROGRAM:
        code = scan_tree(a, options, &inventory, err);
        break;
    case SW_SCAN_SBOM_FILE:
        code = scan_sbom_file(a, options, &inventory, err);
        break;
    }
    origin_done(&p);
    if (code) return sw_context(err, "scanning %s", options->target);
    *ret = inventory;
    return SW_OK;
}

enum sw_code sw_scan_known(struct sw_arena *a, struct sw_store *store, const char *cache_dir,
                           const struct sw_descriptor *target, struct sw_inventory *ret,
                           struct sw_error *err) {
    struct origin p = {.store = store, .dir = -1, .tar = -1, .a = a};
    struct image image = {0};
    struct sw_inventory inventory = {.target_kind = "image"};
    enum sw_code code = read_manifest(&p, target, NULL, 0, &image, err);
    if (code) return code;
    struct sw_scan_layer *layers = sw_arena_array(a, image.n_layers, sizeof *layers);
    for (size_t i = 0; i < image.n_layers && !code; i++) {
        SW_BUF struct sw_buf file;
        sw_buf_init(&file, (size_t)1 << 30);
        if (!read_cached(cache_dir, &image.layers[i].diff_id, &file))
            return sw_fail(err, SW_NOT_FOUND, "layer %zu was not scanned yet", i + 1);
        code = sw_scan_layer_read(a, sw_arena_str(a, sw_buf_str(&file)), &layers[i], err);
    }
    if (code) return code;
    describe_layers(a, &image, &inventory);
    sw_inventory_merge(a, layers, image.n_layers, &inventory);
    *ret = inventory;
    return sw_arena_check(a, "the image's inventory", err);
}
