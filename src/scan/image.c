/* Images: finding the manifest, the configuration and the layers, wherever they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sys.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "codec/tar_reader.h"
#include "oci/config.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"
#include "scan/read.h"
#include "scan/scan.h"
#include "store/blob.h"
#include "store/tags.h"

/* Where blobs come from: the store, a layout's directory, or the files of a tar archive. Opening
 * one is safe from several threads at once; reading documents uses the arena and is not. */
struct place {
    struct sw_store *store;
    int dir;             /* of a layout; -1 */
    int tar;             /* of an archive; -1 */
    struct sw_map files; /* of an archive: path -> struct extent */
    struct sw_arena *a;
};

struct extent {
    uint64_t offset, size;
};

/* Bytes of one blob. */
struct blob {
    int fd; /* owned */
    uint64_t offset, size;
};

static enum sw_code open_path(struct place *p, struct sw_str path, struct blob *ret,
                              struct sw_error *err) {
    struct stat st;
    if (p->tar >= 0) {
        const struct extent *e = sw_map_get(&p->files, path);
        if (!e) return sw_fail(err, SW_NOT_FOUND, "the archive has no %.*s", SW_ARG(path));
        int fd = fcntl(p->tar, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) return sw_fail_sys(err, errno, "opening the archive");
        *ret = (struct blob){fd, e->offset, e->size};
        return SW_OK;
    }
    int fd;
    SW_FREE char *name = sw_strndup(path.ptr, path.len);
    enum sw_code code = sw_open_beneath(p->dir, name, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return sw_fail(err, SW_CORRUPT, "%.*s is not a file", SW_ARG(path));
    }
    *ret = (struct blob){fd, 0, (uint64_t)st.st_size};
    return SW_OK;
}

static enum sw_code open_blob(struct place *p, const struct sw_digest *digest, struct blob *ret,
                              struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    if (p->store) {
        struct blob b = {.fd = -1};
        enum sw_code code = sw_blob_open(p->store, digest, &b.fd, &b.size, err);
        if (!code) *ret = b;
        return code;
    }
    return open_path(p, sw_layout_blob_path(digest, path), ret, err);
}

/* A document, verified where its digest is known. */
static enum sw_code read_document(struct place *p, struct sw_str path,
                                  const struct sw_digest *digest, struct sw_str *ret,
                                  struct sw_error *err) {
    struct blob b = {.fd = -1};
    enum sw_code code = path.len ? open_path(p, path, &b, err) : open_blob(p, digest, &b, err);
    if (code) return code;
    if (b.size > SW_OCI_DOCUMENT_MAX)
        code = sw_fail(err, SW_LIMIT, "a document of %llu bytes", (unsigned long long)b.size);
    if (!code) {
        struct sw_scan_file file = {b.fd, b.offset};
        struct sw_source source = sw_scan_file_source(&file, b.size);
        char *to = sw_arena_alloc(p->a, (size_t)b.size + 1);
        code = sw_source_read(&source, 0, to, (size_t)b.size, err);
        *ret = sw_str_n(to, (size_t)b.size);
    }
    close(b.fd);
    if (!code && sw_digest_is_set(digest)) {
        struct sw_digest is = sw_digest_of((enum sw_digest_alg)digest->alg, *ret);
        if (!sw_digest_eq(&is, digest))
            code = sw_fail(err, SW_CORRUPT, "a document does not match its digest");
    }
    return code;
}

/* --- archives -------------------------------------------------------------------------------- */

struct tar_stream {
    int fd;
    uint64_t start, offset; /* of the chunk, and behind it */
    char chunk[256 << 10];
};

static enum sw_code tar_chunk(void *context, struct sw_str *ret, struct sw_error *err) {
    struct tar_stream *s = context;
    ssize_t n = sw_sys_pread(s->fd, s->chunk, sizeof s->chunk, (off_t)s->offset);
    if (n < 0) return sw_fail_sys(err, errno, "reading the archive");
    s->start = s->offset;
    s->offset += (uint64_t)n;
    *ret = sw_str_n(s->chunk, (size_t)n);
    return SW_OK;
}

/* Unpacks a compressed archive into a file of its own, so that it can be read at random. */
static enum sw_code inflate(int *fd, const char *temp_dir, struct sw_error *err) {
    enum { CHUNK = 256 << 10 };
    uint8_t magic[SW_COMPRESS_MAGIC_SIZE];
    ssize_t n = sw_sys_pread(*fd, magic, sizeof magic, 0);
    if (n < 0) return sw_fail_sys(err, errno, "reading the archive");
    if (sw_compression_detect(magic, (size_t)n) == SW_COMPRESS_NONE) return SW_OK;
    SW_FD int to = open(temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (to < 0) return sw_fail_sys(err, errno, "making a file in %s", temp_dir);
    SW_FREE uint8_t *in = sw_malloc(CHUNK), *out = sw_malloc(CHUNK);
    struct sw_decompressor *d = sw_decompressor_new(SW_SCAN_LAYER_BYTES_MAX);
    struct sw_codec_io io = {0};
    enum sw_code code = SW_OK;
    off_t at = 0;
    while (!code && !io.done) {
        if (io.in_len == 0 && !io.last) {
            n = sw_sys_pread(*fd, in, CHUNK, at);
            if (n < 0)
                code = sw_fail_sys(err, errno, "reading the archive");
            else
                at += n;
            io.in = in;
            io.in_len = n > 0 ? (size_t)n : 0;
            io.last = n == 0;
        }
        io.out = out;
        io.out_len = CHUNK;
        if (!code) code = sw_decompress(d, &io, err);
        if (!code) code = sw_write_full(to, out, CHUNK - io.out_len, err);
    }
    sw_decompressor_free(d);
    if (code) return code;
    close(*fd);
    *fd = sw_take_fd(&to);
    return SW_OK;
}

/* Where an entry's content stands: its first piece is lent out of the chunk at hand. */
static enum sw_code find_content(const struct tar_stream *s, struct sw_tar_reader *r,
                                 const struct sw_tar_entry *entry, struct extent *ret,
                                 struct sw_error *err) {
    struct sw_tar_piece piece;
    ret->size = entry->size;
    if (entry->size == 0) return SW_OK;
    enum sw_code code = sw_tar_read(r, &piece, err);
    if (code) return code;
    uintptr_t at = (uintptr_t)piece.bytes.ptr, chunk = (uintptr_t)s->chunk;
    if (piece.hole || at < chunk || at >= chunk + sizeof s->chunk)
        return sw_fail(err, SW_UNSUPPORTED, "the archive holds %.*s as a sparse file",
                       SW_ARG(entry->path));
    ret->offset = s->start + (at - chunk);
    return SW_OK;
}

/* The places of all files in the archive. Legacy archives link equal layers. */
static enum sw_code index_archive(struct place *p, struct sw_error *err) {
    SW_FREE struct tar_stream *s = sw_calloc(1, sizeof *s);
    SW_TAR_READER struct sw_tar_reader r;
    SW_BUF struct sw_buf scratch;
    s->fd = p->tar;
    sw_buf_init(&scratch, 0);
    struct sw_tar_source source = {tar_chunk, s};
    struct sw_tar_limits limits = {.entries = 1000000};
    sw_tar_reader_init(&r, source, &limits);
    const struct sw_tar_entry *entry = NULL;
    enum sw_code code;
    while (!(code = sw_tar_next(&r, &entry, err)) && entry) {
        struct sw_str path, target;
        code = sw_tar_clean_path(entry->path, &scratch, &path, err);
        if (code) return code;
        path = sw_arena_str(p->a, path);
        if (entry->type == SW_TAR_FILE) {
            struct extent *e = SW_NEW(p->a, struct extent);
            code = find_content(s, &r, entry, e, err);
            if (code) return code;
            sw_map_put(&p->files, path, e);
            continue;
        }
        if (entry->type != SW_TAR_SYMLINK && entry->type != SW_TAR_HARDLINK) continue;
        target = entry->linkname;
        if (sw_str_starts(target, SW_STR("../"))) target = sw_str_from(target, 3);
        code = sw_tar_clean_path(target, &scratch, &target, err);
        if (code) return code;
        void *e = sw_map_get(&p->files, target);
        if (e) sw_map_put(&p->files, path, e);
    }
    if (code) return sw_context(err, "reading the archive");
    return sw_arena_check(p->a, "the archive's list of files", err);
}

/* --- from a name to layers ------------------------------------------------------------------- */

struct layer {
    struct sw_digest blob, diff_id;
    struct sw_str path; /* in a docker archive */
};

struct image {
    struct sw_digest digest;
    struct sw_image_config config;
    struct layer *layers; /* arena */
    size_t n_layers;
};

static enum sw_code read_config(struct place *p, struct sw_str path, const struct sw_digest *digest,
                                struct image *image, struct sw_error *err) {
    struct sw_str bytes;
    enum sw_code code = read_document(p, path, digest, &bytes, err);
    if (!code) code = sw_image_config_parse(p->a, bytes, &image->config, err);
    if (code) return sw_context(err, "the image's configuration");
    if (image->config.n_diff_ids != image->n_layers)
        return sw_fail(err, SW_CORRUPT, "the image has %zu layers and %zu diff IDs",
                       image->n_layers, image->config.n_diff_ids);
    for (size_t i = 0; i < image->n_layers; i++)
        image->layers[i].diff_id = image->config.diff_ids[i];
    return SW_OK;
}

static enum sw_code choose_platform(struct place *p, const char *text, const struct sw_index *index,
                                    const struct sw_descriptor **ret, struct sw_error *err) {
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

static enum sw_code read_manifest(struct place *p, const struct sw_descriptor *d,
                                  const char *platform, unsigned depth, struct image *image,
                                  struct sw_error *err) {
    struct sw_str bytes;
    enum sw_code code = read_document(p, SW_STR(""), &d->digest, &bytes, err);
    if (code) return sw_context(err, "the image's manifest");
    enum sw_media_kind kind = sw_media_type_of(d->media_type).kind;
    if (kind == SW_MEDIA_OTHER) kind = sw_manifest_sniff(p->a, bytes);
    if (kind == SW_MEDIA_INDEX) {
        struct sw_index index;
        const struct sw_descriptor *chosen = NULL;
        if (depth > 4) return sw_fail(err, SW_LIMIT, "indexes within indexes");
        code = sw_index_parse(p->a, bytes, d->media_type, &index, err);
        if (!code) code = choose_platform(p, platform, &index, &chosen, err);
        return code ? code : read_manifest(p, chosen, platform, depth + 1, image, err);
    }
    struct sw_manifest m;
    code = sw_manifest_parse(p->a, bytes, d->media_type, &m, err);
    if (code) return code;
    image->digest = d->digest;
    image->n_layers = m.n_layers;
    image->layers = sw_arena_array(p->a, m.n_layers, sizeof *image->layers);
    for (size_t i = 0; i < m.n_layers; i++) image->layers[i].blob = m.layers[i].digest;
    return read_config(p, SW_STR(""), &m.config.digest, image, err);
}

static enum sw_code read_layout(struct place *p, const char *name, const char *platform,
                                struct image *image, struct sw_error *err) {
    struct sw_digest none = {0};
    struct sw_str bytes;
    struct sw_index index;
    const struct sw_descriptor *d;
    enum sw_code code = read_document(p, SW_STR(SW_LAYOUT_INDEX), &none, &bytes, err);
    if (!code) code = sw_index_parse(p->a, bytes, SW_STR(SW_MT_OCI_INDEX), &index, err);
    if (!code) code = sw_layout_find(p->a, &index, sw_str(name ? name : ""), &d, err);
    return code ? code : read_manifest(p, d, platform, 0, image, err);
}

static enum sw_code read_docker(struct place *p, const char *name, struct image *image,
                                struct sw_error *err) {
    struct sw_digest none = {0};
    struct sw_str bytes;
    struct sw_docker_archive archive;
    const struct sw_docker_image *found;
    enum sw_code code = read_document(p, SW_STR(SW_DOCKER_ARCHIVE_MANIFEST), &none, &bytes, err);
    if (!code) code = sw_docker_archive_parse(p->a, bytes, &archive, err);
    if (!code) code = sw_docker_archive_find(p->a, &archive, sw_str(name ? name : ""), &found, err);
    if (code) return code;
    image->n_layers = found->layers.len;
    image->layers = sw_arena_array(p->a, image->n_layers, sizeof *image->layers);
    for (size_t i = 0; i < image->n_layers; i++) image->layers[i].path = found->layers.ptr[i];
    code = read_document(p, found->config, &none, &bytes, err);
    if (code) return code;
    image->digest = sw_digest_of(SW_SHA256, bytes);
    return read_config(p, found->config, &none, image, err);
}

/* --- layers ---------------------------------------------------------------------------------- */

struct job {
    const struct sw_scan_options *options;
    struct place *place;
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
    j->code = j->layer->path.len ? open_path(j->place, j->layer->path, &b, &j->err)
                                 : open_blob(j->place, &j->layer->blob, &b, &j->err);
    if (!j->code)
        j->code = sw_scan_read_layer(&a, b.fd, b.offset, b.size, &j->layer->diff_id,
                                     j->options->temp_dir, &layer, &j->err);
    if (!j->code) {
        sw_scan_layer_write(&layer, &j->file);
        j->bytes = layer.bytes;
        j->code = sw_buf_check(&j->file, "the layer's inventory", &j->err);
    }
    if (!j->code) keep(j->options->cache_dir, &j->layer->diff_id, &j->file);
    sw_closep(&b.fd);
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
}

static enum sw_code read_layers(struct sw_arena *a, const struct sw_scan_options *options,
                                struct place *place, const struct image *image,
                                struct sw_inventory *ret, struct sw_scan_stats *stats,
                                struct sw_error *err) {
    struct job *jobs = sw_arena_array(a, image->n_layers, sizeof *jobs);
    struct sw_group *group = options->pool ? sw_group_new(options->pool) : NULL;
    unsigned step = sw_progress_step(options->progress, SW_STR("read layers"));
    sw_progress_start(options->progress, step);
    for (size_t i = 0; i < image->n_layers; i++) {
        jobs[i] = (struct job){.options = options, .place = place, .layer = &image->layers[i]};
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
                                 struct place *p, struct sw_inventory *ret,
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
        code = inflate(&p->tar, options->temp_dir, err);
        if (!code) code = index_archive(p, err);
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

static enum sw_code scan_store(struct sw_arena *a, const struct sw_scan_options *options,
                               struct place *p, struct sw_inventory *ret,
                               struct sw_scan_stats *stats, struct sw_error *err) {
    struct sw_image found;
    struct image image = {0};
    p->store = options->store;
    enum sw_code code = sw_tags_resolve(options->store, a, sw_str(options->target), &found, err);
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
    struct place p = {.dir = -1, .tar = -1, .a = a};
    enum sw_code code = SW_OK;
    switch (options->kind) {
    case SW_SCAN_IMAGE:
        code = scan_store(a, options, &p, &inventory, stats, err);
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
    sw_closep(&p.dir);
    sw_closep(&p.tar);
    sw_map_done(&p.files);
    if (code) return sw_context(err, "scanning %s", options->target);
    *ret = inventory;
    return SW_OK;
}

enum sw_code sw_scan_known(struct sw_arena *a, struct sw_store *store, const char *cache_dir,
                           const struct sw_descriptor *target, struct sw_inventory *ret,
                           struct sw_error *err) {
    struct place p = {.store = store, .dir = -1, .tar = -1, .a = a};
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
