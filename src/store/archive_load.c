#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "oci/image_layout.h"
#include "store/archive.h"
#include "store/archive_docker.h"
#include "store/image.h"
#include "store/index_file.h"
#include "store/store_internal.h"

#define COPY_STEP ((size_t)256 << 10)

struct load {
    struct sw_store *store;
    struct sw_arena *a; /* the caller's: results */
    const struct sw_load_options *options;
    struct sw_archive_source src;
    struct sw_docker_archive docker; /* n_images 0 where there is no manifest.json */
    SW_VEC(struct sw_loaded) loaded;
};

/* ---- blobs ---- */

/* Copies a member into the store. */
static enum sw_code ingest(struct load *l, struct sw_str path, const struct sw_digest *expected,
                           uint64_t expected_size, struct sw_error *err) {
    SW_BLOB_WRITER struct sw_blob_writer w = SW_BLOB_WRITER_NONE;
    SW_FD int fd = -1;
    uint64_t offset, size;
    enum sw_code code = sw_archive_source_locate(&l->src, path, &fd, &offset, &size, err);
    if (code) return code;
    if ((code = sw_store_reserve(l->store, size, err))) return code;
    if ((code = sw_blob_begin(l->store, true, &w, err))) return code;
    SW_FREE char *block = sw_malloc(COPY_STEP);
    for (uint64_t done = 0; done < size;) {
        size_t want = size - done < COPY_STEP ? (size_t)(size - done) : COPY_STEP;
        ssize_t n = sw_sys_pread(fd, block, want, (off_t)(offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "read %.*s", SW_ARG(path));
        if (n == 0) return sw_fail(err, SW_CORRUPT, "%.*s ends early", SW_ARG(path));
        if ((code = sw_blob_write(&w, block, (size_t)n, err)) || (code = sw_cancel_check(err)))
            return code;
        done += (uint64_t)n;
    }
    code = sw_blob_commit(&w, expected, expected_size, NULL, NULL, err);
    return code ? sw_context(err, "%.*s", SW_ARG(path)) : SW_OK;
}

static enum sw_code ingest_known(struct load *l, const struct sw_descriptor *d,
                                 struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    uint64_t size;
    if (sw_blob_exists(l->store, &d->digest, &size) && size == (uint64_t)d->size) return SW_OK;
    struct sw_str name = sw_layout_blob_path(&d->digest, path);
    /* The writer hashes with SHA-256; any other algorithm is verified afterwards. */
    enum sw_code code = ingest(l, name, &d->digest, (uint64_t)d->size, err);
    if (!code && d->digest.alg != SW_SHA256) code = sw_blob_verify(l->store, &d->digest, err);
    return code;
}

/* ---- OCI layouts ---- */

static enum sw_code load_document(struct load *l, const struct sw_descriptor *d, int depth,
                                  struct sw_error *err);

static enum sw_code load_manifest(struct load *l, const struct sw_descriptor *d,
                                  struct sw_str bytes, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    struct sw_manifest m;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_manifest_parse(&a, bytes, d->media_type, &m, err);
    if (!code) code = ingest_known(l, &m.config, err);
    for (size_t i = 0; !code && i < m.n_layers; i++) {
        char path[SW_LAYOUT_PATH_MAX];
        bool foreign = m.layers[i].urls.len || sw_media_type_of(m.layers[i].media_type).foreign;
        struct sw_str name = sw_layout_blob_path(&m.layers[i].digest, path);
        if (foreign && !sw_archive_source_has(&l->src, name)) continue;
        code = ingest_known(l, &m.layers[i], err);
    }
    return code;
}

static enum sw_code load_index(struct load *l, const struct sw_descriptor *d, struct sw_str bytes,
                               int depth, struct sw_error *err) {
    SW_ARENA struct sw_arena a;
    struct sw_index index;
    sw_arena_init(&a, 0);
    enum sw_code code = sw_index_parse(&a, bytes, d->media_type, &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++) {
        char path[SW_LAYOUT_PATH_MAX];
        struct sw_str name = sw_layout_blob_path(&index.manifests[i].digest, path);
        /* An archive may carry some platforms only. */
        if (sw_archive_source_has(&l->src, name))
            code = load_document(l, &index.manifests[i], depth + 1, err);
    }
    return code;
}

static enum sw_code load_document(struct load *l, const struct sw_descriptor *d, int depth,
                                  struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    if (depth > SW_IMAGE_DEPTH_MAX)
        return sw_fail(err, SW_LIMIT, "indexes are nested deeper than %d", SW_IMAGE_DEPTH_MAX);
    enum sw_code code = ingest_known(l, d, err);
    if (!code) code = sw_blob_read(l->store, &d->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (code) return code;
    switch (sw_media_type_of(d->media_type).kind) {
    case SW_MEDIA_MANIFEST:
        return load_manifest(l, d, sw_buf_str(&bytes), err);
    case SW_MEDIA_INDEX:
        return load_index(l, d, sw_buf_str(&bytes), depth, err);
    case SW_MEDIA_OTHER:
        return SW_OK;
    default:
        return sw_fail(err, SW_UNSUPPORTED, "an image of the type %.*s", SW_ARG(d->media_type));
    }
}

/* ---- names ---- */

static void add_name(struct load *l, struct sw_strs *names, struct sw_str name) {
    struct sw_str full;
    struct sw_error ignored;
    if (!sw_index_full_name(l->a, name, &full, &ignored) && !sw_strs_has(names, full))
        sw_strs_add(l->a, names, full);
}

/* manifest.json says the names of images that index.json leaves without. */
static void add_docker_names(struct load *l, const struct sw_descriptor *d, struct sw_strs *names) {
    struct sw_image_facts facts;
    struct sw_error ignored;
    if (!l->docker.n_images || sw_image_describe(l->store, l->a, d, &facts, &ignored)) return;
    for (size_t i = 0; i < l->docker.n_images; i++) {
        struct sw_digest config;
        bool legacy;
        if (!sw_docker_archive_digest(l->docker.images[i].config, &config, &legacy) ||
            !sw_digest_eq(&config, &facts.id))
            continue;
        for (size_t j = 0; j < l->docker.images[i].repo_tags.len; j++)
            add_name(l, names, l->docker.images[i].repo_tags.ptr[j]);
    }
}

static struct sw_strs names_of(struct load *l, const struct sw_descriptor *d) {
    struct sw_strs names = {0};
    struct sw_str name;
    if (sw_pairs_get(&d->annotations, SW_STR(SW_ANN_CONTAINERD_NAME), &name))
        add_name(l, &names, name);
    if (!names.len) add_docker_names(l, d, &names);
    if (!names.len && sw_pairs_get(&d->annotations, SW_STR(SW_ANN_REF_NAME), &name))
        add_name(l, &names, name);
    return names;
}

static enum sw_code finish_image(struct load *l, const struct sw_descriptor *target,
                                 const struct sw_strs *names, struct sw_error *err) {
    struct sw_str given[1] = {l->options->tag};
    struct sw_strs one = {.ptr = given, .len = 1}, use = *names;
    if (l->options->tag.len || l->options->no_tags || !names->len) use = one;
    if (l->options->no_tags) given[0] = SW_STR("");
    enum sw_code code = sw_tags_set_all(l->store, &use, target, err);
    if (code) return code;
    struct sw_loaded *out = NULL;
    for (size_t i = 0; i < l->loaded.len; i++)
        if (sw_digest_eq(&l->loaded.ptr[i].target.digest, &target->digest)) out = &l->loaded.ptr[i];
    if (!out) {
        out = sw_vec_push(&l->loaded);
        *out = (struct sw_loaded){.target = *target};
    }
    for (size_t i = 0; i < use.len; i++)
        if (use.ptr[i].len) add_name(l, &out->names, use.ptr[i]);
    return SW_OK;
}

/* One name cannot be given to several images. */
static enum sw_code check_single(struct load *l, size_t n, bool chosen, struct sw_error *err) {
    if (!l->options->tag.len || chosen || n <= 1) return SW_OK;
    return sw_fail(err, SW_USAGE, "the archive has %zu images; say which one gets the name", n);
}

/* Entries that name different images. */
static size_t distinct(const struct sw_index *index) {
    size_t n = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        bool again = false;
        for (size_t j = 0; j < i && !again; j++)
            again = sw_digest_eq(&index->manifests[i].digest, &index->manifests[j].digest);
        n += !again;
    }
    return n;
}

static enum sw_code load_layout(struct load *l, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_index index;
    sw_buf_init(&text, SW_INDEX_FILE_MAX);
    enum sw_code code = sw_archive_source_read(&l->src, SW_STR(SW_LAYOUT_FILE), 65536, &text, err);
    if (!code) code = sw_layout_check(sw_buf_str(&text), err);
    if (code) return code;
    sw_buf_reset(&text);
    code =
        sw_archive_source_read(&l->src, SW_STR(SW_LAYOUT_INDEX), SW_OCI_DOCUMENT_MAX, &text, err);
    if (!code) code = sw_index_parse(l->a, sw_buf_str(&text), SW_STR(SW_MT_OCI_INDEX), &index, err);
    if (code) return sw_context(err, "index.json");
    const struct sw_descriptor *only = NULL;
    if (l->options->name.len && (code = sw_layout_find(l->a, &index, l->options->name, &only, err)))
        return code;
    if ((code = check_single(l, distinct(&index), only, err))) return code;
    for (size_t i = 0; i < index.n_manifests; i++) {
        const struct sw_descriptor *d = &index.manifests[i];
        if (only && only != d) continue;
        if ((code = load_document(l, d, 0, err))) return code;
        struct sw_strs names = names_of(l, d);
        struct sw_descriptor target = *d;
        target.annotations = (struct sw_pairs){0};
        if ((code = finish_image(l, &target, &names, err))) return code;
    }
    return SW_OK;
}

/* ---- docker archives ---- */

static enum sw_code load_docker_image(struct load *l, const struct sw_docker_image *image,
                                      struct sw_error *err) {
    struct sw_archive_docker d;
    enum sw_code code = sw_archive_docker_describe(&l->src, l->a, image, &d, err);
    if (!code) code = sw_blob_put(l->store, d.config, NULL, err);
    for (size_t i = 0; !code && i < image->layers.len; i++) {
        const struct sw_descriptor *layer = &d.manifest.layers[i];
        uint64_t size;
        if (sw_blob_exists(l->store, &layer->digest, &size) && size == (uint64_t)layer->size)
            continue;
        code = ingest(l, image->layers.ptr[i], &layer->digest, (uint64_t)layer->size, err);
    }
    if (!code) code = sw_blob_put(l->store, d.manifest_bytes, NULL, err);
    if (code) return code;
    struct sw_strs names = {0};
    for (size_t i = 0; i < image->repo_tags.len; i++) add_name(l, &names, image->repo_tags.ptr[i]);
    return finish_image(l, &d.target, &names, err);
}

static enum sw_code load_docker(struct load *l, struct sw_error *err) {
    const struct sw_docker_image *only = NULL;
    enum sw_code code = SW_OK;
    if (l->options->name.len)
        code = sw_docker_archive_find(l->a, &l->docker, l->options->name, &only, err);
    if (!code) code = check_single(l, l->docker.n_images, only, err);
    for (size_t i = 0; !code && i < l->docker.n_images; i++)
        if (!only || only == &l->docker.images[i])
            code = load_docker_image(l, &l->docker.images[i], err);
    return code;
}

/* ---- either ---- */

static enum sw_code load_any(struct load *l, struct sw_error *err) {
    bool layout = sw_archive_source_has(&l->src, SW_STR(SW_LAYOUT_FILE)) &&
                  sw_archive_source_has(&l->src, SW_STR(SW_LAYOUT_INDEX));
    enum sw_code code = sw_archive_docker_read(&l->src, l->a, &l->docker, err);
    if (code) return code;
    if (!layout && !l->docker.n_images)
        return sw_fail(err, SW_SYNTAX,
                       "neither an OCI layout (oci-layout, index.json) nor a docker archive "
                       "(manifest.json); a root filesystem is taken in with `slipway import`");
    return layout ? load_layout(l, err) : load_docker(l, err);
}

enum sw_code sw_archive_load(struct sw_store *store, struct sw_arena *a, int fd,
                             const struct sw_load_options *options, struct sw_load_result *ret,
                             struct sw_error *err) {
    static const struct sw_load_options none;
    struct load l = {.store = store, .a = a, .options = options ? options : &none};
    enum sw_code code = sw_store_writable(store, err);
    if (!code) code = sw_archive_source_open(store, fd, &l.src, err);
    if (code) return sw_context(err, "loading images");
    code = load_any(&l, err);
    if (!code) {
        ret->ptr = sw_arena_array(a, l.loaded.len + 1, sizeof *ret->ptr);
        if (l.loaded.len) memcpy(ret->ptr, l.loaded.ptr, l.loaded.len * sizeof *ret->ptr);
        ret->len = l.loaded.len;
    }
    sw_vec_done(&l.loaded);
    sw_archive_source_done(&l.src);
    return code ? sw_context(err, "loading images") : SW_OK;
}
