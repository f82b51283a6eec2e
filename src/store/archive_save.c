/* Images out: archives and layout directories. The bytes depend on images and names alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"
#include "store/archive.h"
#include "store/archive_plan.h"
#include "store/image.h"
#include "store/index_file.h"
#include "store/store_internal.h"

/* Bytes copied at a time; their way to the device begins before the next are copied, so that the
 * caller's sync finds little left to do. */
#define COPY_STEP ((size_t)8 << 20)

struct save {
    struct sw_store *store;
    struct sw_arena a;
    SW_VEC(struct sw_digest) blobs; /* sorted, each once */
    struct sw_buf index, docker;    /* index.json, manifest.json */
};

/* ---- what goes in ---- */

static int by_digest(const void *x, const void *y) { return sw_digest_cmp(x, y); }

static enum sw_code gather(struct save *s, const struct sw_save_image *images, size_t n,
                           struct sw_error *err) {
    for (size_t i = 0; i < n; i++) {
        struct sw_digest *list;
        size_t len;
        enum sw_code code = sw_image_check_whole(s->store, &images[i].target, err);
        if (!code) code = sw_image_blobs(s->store, &s->a, &images[i].target, &list, &len, err);
        if (code) return code;
        for (size_t j = 0; j < len; j++) sw_vec_add(&s->blobs, list[j]);
    }
    if (!s->blobs.len) return SW_OK;
    qsort(s->blobs.ptr, s->blobs.len, sizeof *s->blobs.ptr, by_digest);
    size_t kept = 1;
    for (size_t i = 1; i < s->blobs.len; i++)
        if (!sw_digest_eq(&s->blobs.ptr[i], &s->blobs.ptr[kept - 1]))
            s->blobs.ptr[kept++] = s->blobs.ptr[i];
    s->blobs.len = kept;
    return SW_OK;
}

/* An entry without what only the store has a use for. */
static struct sw_descriptor entry_of(struct save *s, const struct sw_descriptor *target,
                                     struct sw_str name) {
    struct sw_descriptor d = *target;
    d.annotations = sw_pairs_copy(&s->a, &target->annotations);
    sw_pairs_remove(&d.annotations, SW_STR(SW_ANN_IMAGE_ID));
    sw_pairs_remove(&d.annotations, SW_STR(SW_ANN_IMAGE_SIZE));
    sw_pairs_remove(&d.annotations, SW_STR(SW_ANN_CONTAINERD_NAME));
    sw_pairs_remove(&d.annotations, SW_STR(SW_ANN_REF_NAME));
    if (name.len) {
        sw_pairs_set(&s->a, &d.annotations, SW_STR(SW_ANN_CONTAINERD_NAME), name);
        sw_pairs_set(&s->a, &d.annotations, SW_STR(SW_ANN_REF_NAME),
                     sw_index_familiar(&s->a, name));
    }
    return d;
}

static void fill_index(struct save *s, struct sw_index *index, const struct sw_save_image *images,
                       size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < images[i].names.len; j++) {
            struct sw_descriptor d = entry_of(s, &images[i].target, images[i].names.ptr[j]);
            sw_index_add(&s->a, index, &d);
        }
        if (images[i].names.len) continue;
        struct sw_descriptor d = entry_of(s, &images[i].target, SW_STR(""));
        sw_index_add(&s->a, index, &d);
    }
}

/* ---- docker's manifest.json ---- */

static struct sw_str path_of(struct save *s, const struct sw_digest *d) {
    char path[SW_LAYOUT_PATH_MAX];
    return sw_arena_str(&s->a, sw_layout_blob_path(d, path));
}

/* A docker archive has one manifest an image: of an index, the one that runs here. */
static enum sw_code choose_manifest(struct save *s, struct sw_descriptor *target,
                                    struct sw_error *err) {
    if (sw_media_type_of(target->media_type).kind != SW_MEDIA_INDEX) return SW_OK;
    SW_BUF struct sw_buf bytes;
    struct sw_index index;
    struct utsname host;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    enum sw_code code = sw_blob_read(s->store, &target->digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code) code = sw_index_parse(&s->a, sw_buf_str(&bytes), target->media_type, &index, err);
    if (code) return code;
    if (uname(&host) < 0) return sw_fail_sys(err, errno, "ask for the host's platform");
    struct sw_platform want = sw_platform_of_machine(sw_str(host.machine));
    const struct sw_descriptor *chosen = sw_index_choose(&index, &want);
    if (!chosen || !sw_blob_stat(s->store, &chosen->digest, NULL)) {
        struct sw_str have = sw_index_platforms(&s->a, &index);
        return sw_fail(err, SW_UNSUPPORTED,
                       "a docker archive holds one platform, and the image has none for this host "
                       "(it has %.*s); save it as an OCI archive",
                       SW_ARG(have));
    }
    *target = *chosen;
    return SW_OK;
}

static enum sw_code describe_docker(struct save *s, const struct sw_save_image *image,
                                    struct sw_docker_image *ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    struct sw_manifest m;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX + 1);
    enum sw_code code =
        sw_blob_read(s->store, &image->target.digest, SW_OCI_DOCUMENT_MAX, &bytes, err);
    if (!code)
        code = sw_manifest_parse(&s->a, sw_buf_str(&bytes), image->target.media_type, &m, err);
    if (code) return code;
    *ret = (struct sw_docker_image){.config = path_of(s, &m.config.digest)};
    for (size_t i = 0; i < image->names.len; i++)
        sw_strs_add(&s->a, &ret->repo_tags, sw_index_familiar(&s->a, image->names.ptr[i]));
    for (size_t i = 0; i < m.n_layers; i++)
        sw_strs_add(&s->a, &ret->layers, path_of(s, &m.layers[i].digest));
    return SW_OK;
}

static enum sw_code prepare(struct save *s, enum sw_save_format format,
                            const struct sw_save_image *images, size_t n, struct sw_error *err) {
    struct sw_save_image *chosen = sw_arena_array(&s->a, n + 1, sizeof *chosen);
    struct sw_docker_archive docker = {.images =
                                           sw_arena_array(&s->a, n + 1, sizeof *docker.images)};
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < n; i++) {
        chosen[i] = images[i];
        if (format != SW_SAVE_DOCKER) continue;
        code = choose_manifest(s, &chosen[i].target, err);
        if (!code) code = describe_docker(s, &chosen[i], &docker.images[docker.n_images++], err);
    }
    if (!code) code = gather(s, chosen, n, err);
    if (code) return code;
    struct sw_index index = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    fill_index(s, &index, chosen, n);
    sw_index_write(&s->index, &index);
    if (format == SW_SAVE_DOCKER) sw_docker_archive_write(&s->docker, &docker);
    if ((code = sw_buf_check(&s->index, "index.json", err))) return code;
    return sw_buf_check(&s->docker, "manifest.json", err);
}

/* ---- writing ---- */

/* Of the last n bytes written; fails where the output is no file, which does not matter. */
static void flush_hint(int fd, ssize_t n) {
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (end >= n) sync_file_range(fd, end - n, n, SYNC_FILE_RANGE_WRITE);
}

static enum sw_code copy_blob(struct save *s, const struct sw_digest *digest, int to,
                              uint64_t expected, struct sw_error *err) {
    SW_FD int fd = -1;
    char path[SW_LAYOUT_PATH_MAX];
    uint64_t size;
    sw_layout_blob_path(digest, path);
    enum sw_code code = sw_blob_open(s->store, digest, &fd, &size, err);
    if (!code && size != expected) code = sw_fail(err, SW_CORRUPT, "%s has changed its size", path);
    for (uint64_t left = size; !code && left;) {
        ssize_t n = sw_sys_copy(fd, to, left < COPY_STEP ? (size_t)left : COPY_STEP);
        if (n < 0) return sw_fail_sys(err, errno, "copy %s", path);
        if (n == 0) return sw_fail(err, SW_CORRUPT, "%s is shorter than it was", path);
        left -= (uint64_t)n;
        if ((size_t)n == COPY_STEP) flush_hint(to, n);
        code = sw_cancel_check(err);
    }
    return code;
}

static enum sw_code write_archive(struct save *s, int fd, struct sw_error *err) {
    SW_ARCHIVE_PLAN struct sw_archive_plan plan = {0};
    struct sw_archive_blob *blobs = sw_arena_array(&s->a, s->blobs.len + 1, sizeof *blobs);
    for (size_t i = 0; i < s->blobs.len; i++) {
        blobs[i].digest = s->blobs.ptr[i];
        if (!sw_blob_stat(s->store, &s->blobs.ptr[i], &blobs[i].size))
            return sw_fail(err, SW_NOT_FOUND, "a blob has gone from %s", s->store->root);
    }
    enum sw_code code = sw_archive_plan_make(&plan, sw_buf_str(&s->index), sw_buf_str(&s->docker),
                                             blobs, s->blobs.len, err);
    for (size_t i = 0; !code && i < plan.pieces.len; i++) {
        const struct sw_archive_piece *p = &plan.pieces.ptr[i];
        code = sw_write_full(fd, plan.text.ptr + p->text_at, p->text_len, err);
        if (!code && sw_digest_is_set(&p->digest))
            code = copy_blob(s, &p->digest, fd, p->size, err);
    }
    return code;
}

static void save_init(struct save *s, struct sw_store *store) {
    *s = (struct save){.store = store};
    sw_arena_init(&s->a, 0);
    sw_buf_init(&s->index, SW_INDEX_FILE_MAX);
    sw_buf_init(&s->docker, SW_INDEX_FILE_MAX);
}

static void save_done(struct save *s) {
    sw_buf_done(&s->index);
    sw_buf_done(&s->docker);
    sw_vec_done(&s->blobs);
    sw_arena_done(&s->a);
}

enum sw_code sw_archive_save(struct sw_store *store, int fd, enum sw_save_format format,
                             const struct sw_save_image *images, size_t n, struct sw_error *err) {
    struct save s;
    save_init(&s, store);
    enum sw_code code = prepare(&s, format, images, n, err);
    if (!code) code = write_archive(&s, fd, err);
    save_done(&s);
    return code ? sw_context(err, "saving images") : SW_OK;
}

/* ---- directories ---- */

static enum sw_code export_blobs(struct save *s, int dir_fd, struct sw_error *err) {
    for (size_t i = 0; i < s->blobs.len; i++) {
        char path[SW_LAYOUT_PATH_MAX];
        struct stat st;
        uint64_t size = 0;
        sw_layout_blob_path(&s->blobs.ptr[i], path);
        if (!sw_blob_stat(s->store, &s->blobs.ptr[i], &size))
            return sw_fail(err, SW_NOT_FOUND, "a blob has gone from %s", s->store->root);
        if (fstatat(dir_fd, path, &st, 0) == 0 && (uint64_t)st.st_size == size) continue;
        SW_FD int sub = -1;
        SW_ATOMIC struct sw_atomic_file f = {.fd = -1};
        size_t slash = sw_str_rfind_char(sw_str(path), '/');
        path[slash] = 0;
        enum sw_code code = sw_mkdirs_beneath(dir_fd, path, 0755, err);
        if (!code) code = sw_open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY, 0, &sub, err);
        if (!code) code = sw_atomic_open(&f, sub, 0644, err);
        if (!code) code = copy_blob(s, &s->blobs.ptr[i], f.fd, size, err);
        if (!code) code = sw_atomic_commit(&f, path + slash + 1, err);
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code export_index(struct save *s, int dir_fd, const struct sw_save_image *images,
                                 size_t n, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_index index = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    sw_buf_init(&text, SW_INDEX_FILE_MAX);
    enum sw_code code = sw_read_file_at(dir_fd, SW_LAYOUT_INDEX, SW_INDEX_FILE_MAX - 1, &text, err);
    if (!code)
        code = sw_index_parse(&s->a, sw_buf_str(&text), SW_STR(SW_MT_OCI_INDEX), &index, err);
    if (code && code != SW_NOT_FOUND) return sw_context(err, "index.json");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < images[i].names.len; j++) {
            struct sw_str name = sw_index_familiar(&s->a, images[i].names.ptr[j]);
            struct sw_descriptor d = entry_of(s, &images[i].target, images[i].names.ptr[j]);
            sw_layout_tag(&s->a, &index, name, &d);
        }
        if (images[i].names.len) continue;
        struct sw_descriptor d = entry_of(s, &images[i].target, SW_STR(""));
        bool there = false;
        for (size_t j = 0; j < index.n_manifests; j++)
            there = there || sw_digest_eq(&index.manifests[j].digest, &d.digest);
        if (!there) sw_index_add(&s->a, &index, &d);
    }
    sw_buf_reset(&text);
    sw_layout_write(&text);
    if ((code = sw_write_file_at(dir_fd, SW_LAYOUT_FILE, 0644, sw_buf_str(&text), err)))
        return code;
    sw_buf_reset(&text);
    sw_index_write(&text, &index);
    return sw_write_file_at(dir_fd, SW_LAYOUT_INDEX, 0644, sw_buf_str(&text), err);
}

enum sw_code sw_archive_export(struct sw_store *store, int dir_fd,
                               const struct sw_save_image *images, size_t n, struct sw_error *err) {
    struct save s;
    save_init(&s, store);
    enum sw_code code = gather(&s, images, n, err);
    if (!code) code = export_blobs(&s, dir_fd, err);
    if (!code) code = export_index(&s, dir_fd, images, n, err);
    save_done(&s);
    return code ? sw_context(err, "exporting images") : SW_OK;
}
