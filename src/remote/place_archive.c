/* Archives as places: read in any order; written at known offsets, without a second copy.
 *
 * A target's file has no name until the copy is complete. Its plan (store/archive_plan.h) says
 * where every blob will stand, so blobs arrive in parallel and go straight to their place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "oci/image_layout.h"
#include "oci/manifest.h"
#include "remote/place_internal.h"
#include "store/archive_docker.h"
#include "store/archive_plan.h"

struct sw_place_archive {
    struct sw_arena arena;
    /* reading */
    struct sw_archive_source src;
    bool is_layout;
    struct sw_index index;              /* of a layout */
    struct sw_docker_archive docker;    /* n_images 0: no manifest.json */
    struct sw_archive_docker described; /* the image, where no layout has it */
    const struct sw_docker_image *image;
    /* writing */
    struct sw_archive_plan plan;
    struct sw_atomic_file file;
    int dir; /* the file will be in it */
    const char *name;
};

void archive_close(struct sw_place_archive *ar) {
    if (!ar) return;
    sw_archive_source_done(&ar->src);
    sw_archive_plan_done(&ar->plan);
    sw_atomic_done(&ar->file);
    sw_closep(&ar->dir);
    sw_arena_done(&ar->arena);
    free(ar);
}

/* ---- reading ---- */

static enum sw_code read_layout(struct sw_place_archive *ar, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, PLACE_INDEX_MAX);
    ar->is_layout = true;
    enum sw_code code = sw_archive_source_read(&ar->src, SW_STR(SW_LAYOUT_FILE), 65536, &text, err);
    if (!code) code = sw_layout_check(sw_buf_str(&text), err);
    sw_buf_reset(&text);
    if (!code)
        code = sw_archive_source_read(&ar->src, SW_STR(SW_LAYOUT_INDEX), PLACE_INDEX_MAX - 1, &text,
                                      err);
    if (!code)
        code = sw_index_parse(&ar->arena, sw_arena_str(&ar->arena, sw_buf_str(&text)),
                              SW_STR(SW_MT_OCI_INDEX), &ar->index, err);
    return code;
}

/* The image that is meant is not in a layout: its documents are made. */
static enum sw_code read_docker(struct sw_place_archive *ar, struct sw_str name,
                                struct sw_error *err) {
    enum sw_code code = sw_docker_archive_find(&ar->arena, &ar->docker, name, &ar->image, err);
    if (code) return code;
    return sw_archive_docker_describe(&ar->src, &ar->arena, ar->image, &ar->described, err);
}

static enum sw_code open_source(struct sw_place_archive *ar, const char *path, struct sw_str name,
                                struct sw_error *err) {
    const struct sw_descriptor *found;
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (!code) code = sw_archive_source_open(NULL, fd, &ar->src, err);
    if (!code) code = sw_archive_docker_read(&ar->src, &ar->arena, &ar->docker, err);
    if (code) return code;
    bool layout = sw_archive_source_has(&ar->src, SW_STR(SW_LAYOUT_FILE));
    if (!layout && !ar->docker.n_images)
        return sw_fail(err, SW_SYNTAX, "no image archive (neither oci-layout nor manifest.json)");
    if (layout) code = read_layout(ar, err);
    if (code) return code;
    if (layout) code = sw_layout_find(&ar->arena, &ar->index, name, &found, err);
    if (!layout || (code == SW_NOT_FOUND && ar->docker.n_images)) code = read_docker(ar, name, err);
    return code;
}

enum sw_code archive_find(const struct sw_place *p, struct sw_arena *a, struct sw_descriptor *ret,
                          struct sw_error *err) {
    const struct sw_descriptor *found = NULL;
    if (p->archive->image) {
        *ret = p->archive->described.target;
        return SW_OK;
    }
    enum sw_code code = sw_layout_find(a, &p->archive->index, p->name, &found, err);
    if (!code) *ret = *found;
    return code;
}

const struct sw_index *archive_index(const struct sw_place *p) { return &p->archive->index; }

/* The member that has a blob; ptr NULL where none has. */
static struct sw_str member_of(const struct sw_place_archive *ar, const struct sw_digest *d,
                               char path[SW_LAYOUT_PATH_MAX]) {
    for (size_t i = 0; ar->image && i < ar->described.manifest.n_layers; i++)
        if (sw_digest_eq(&ar->described.manifest.layers[i].digest, d))
            return ar->image->layers.ptr[i];
    return ar->is_layout ? sw_layout_blob_path(d, path) : (struct sw_str){0};
}

/* Documents that were made here: bytes, or a view with ptr NULL. */
static struct sw_str made(const struct sw_place_archive *ar, const struct sw_digest *d) {
    if (!ar->image) return (struct sw_str){0};
    if (sw_digest_eq(&ar->described.target.digest, d)) return ar->described.manifest_bytes;
    if (sw_digest_eq(&ar->described.manifest.config.digest, d)) return ar->described.config;
    return (struct sw_str){0};
}

bool archive_has(const struct sw_place *p, const struct sw_digest *d) {
    char path[SW_LAYOUT_PATH_MAX];
    struct sw_str member = member_of(p->archive, d, path);
    if (made(p->archive, d).ptr) return true;
    return member.ptr && sw_archive_source_has(&p->archive->src, member);
}

enum sw_code archive_blob_open(const struct sw_place *p, const struct sw_digest *d, int *ret_fd,
                               uint64_t *ret_offset, uint64_t *ret_size, struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX], text[SW_DIGEST_TEXT_MAX];
    struct sw_str bytes = made(p->archive, d), member = member_of(p->archive, d, path);
    if (bytes.ptr) {
        SW_FD int fd = -1;
        enum sw_code code = sw_temporary_file(&fd, err);
        if (!code) code = sw_write_full(fd, bytes.ptr, bytes.len, err);
        if (code) return code;
        *ret_fd = sw_take_fd(&fd);
        *ret_offset = 0;
        *ret_size = bytes.len;
        return SW_OK;
    }
    if (!member.ptr)
        return sw_fail(err, SW_NOT_FOUND, "the archive has no %.*s",
                       SW_ARG(sw_digest_format(d, text)));
    return sw_archive_source_locate(&p->archive->src, member, ret_fd, ret_offset, ret_size, err);
}

/* ---- writing ---- */

static enum sw_code open_target(struct sw_place_archive *ar, const char *path,
                                struct sw_error *err) {
    const char *slash = strrchr(path, '/');
    const char *parent = "/";
    if (!slash)
        parent = ".";
    else if (slash != path)
        parent = sw_arena_cstr(&ar->arena, sw_str_n(path, (size_t)(slash - path)));
    ar->name = sw_arena_cstr(&ar->arena, sw_str(slash ? slash + 1 : path));
    if (!*ar->name) return sw_fail(err, SW_USAGE, "a directory is no archive");
    enum sw_code code = sw_open_at(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0, &ar->dir, err);
    return code ? code : sw_atomic_open(&ar->file, ar->dir, 0644, err);
}

enum sw_code archive_open(struct sw_place *p, struct sw_arena *a, bool target,
                          struct sw_error *err) {
    const char *path = sw_arena_cstr(a, p->path);
    struct sw_place_archive *ar = p->archive = sw_calloc(1, sizeof *ar);
    sw_arena_init(&ar->arena, 0);
    ar->src.fd = ar->file.fd = ar->dir = -1;
    enum sw_code code = target ? open_target(ar, path, err) : open_source(ar, path, p->name, err);
    return code ? sw_context(err, "archive %s", path) : SW_OK;
}

static struct sw_str path_of(struct sw_arena *a, const struct sw_digest *d) {
    char path[SW_LAYOUT_PATH_MAX];
    return sw_arena_str(a, sw_layout_blob_path(d, path));
}

/* docker's manifest.json of the one image. */
static enum sw_code docker_manifest(const struct sw_place *p, struct sw_arena *a,
                                    const struct place_content *content, struct sw_buf *out,
                                    struct sw_error *err) {
    struct sw_manifest m;
    struct sw_docker_image image = {0};
    struct sw_docker_archive docker = {.images = &image, .n_images = 1};
    struct sw_reference ref;
    enum sw_code code = SW_NOT_FOUND;
    for (size_t i = 0; i < content->n_documents; i++)
        if (sw_digest_eq(&content->documents[i].d.digest, &content->target->digest))
            code = sw_manifest_parse(a, content->documents[i].bytes, content->target->media_type,
                                     &m, err);
    if (code) return sw_context(err, "a docker archive holds one platform");
    image.config = path_of(a, &m.config.digest);
    for (size_t i = 0; i < m.n_layers; i++)
        sw_strs_add(a, &image.layers, path_of(a, &m.layers[i].digest));
    if (p->name.len) {
        code = sw_reference_parse(a, p->name, &ref, err);
        if (code) return code;
        sw_reference_default_tag(&ref);
        sw_strs_add(a, &image.repo_tags, sw_reference_familiar(a, &ref));
    }
    sw_docker_archive_write(out, &docker);
    return SW_OK;
}

/* What stands in index.json: docker's tools look for both names. */
static enum sw_code fill_index(const struct sw_place *p, struct sw_arena *a,
                               const struct place_content *content, struct sw_index *index,
                               struct sw_error *err) {
    struct sw_reference ref;
    struct sw_descriptor named = *content->target;
    struct place_content c = *content;
    struct sw_str name = p->name;
    if (p->docker && name.len) {
        enum sw_code code = sw_reference_parse(a, name, &ref, err);
        if (code) return code;
        sw_reference_default_tag(&ref);
        named.annotations = sw_pairs_copy(a, &named.annotations);
        sw_pairs_set(a, &named.annotations, SW_STR(SW_ANN_CONTAINERD_NAME),
                     sw_reference_format(a, &ref));
        name = sw_reference_familiar(a, &ref);
    }
    c.target = &named;
    layout_add(a, index, name, &c);
    return SW_OK;
}

static enum sw_code write_at(int fd, const void *bytes, size_t len, uint64_t at,
                             struct sw_error *err) {
    for (size_t done = 0; done < len;) {
        ssize_t n = sw_sys_pwrite(fd, (const char *)bytes + done, len - done, (off_t)(at + done));
        if (n < 0) return sw_fail_sys(err, errno, "write the archive");
        done += (size_t)n;
    }
    return SW_OK;
}

enum sw_code archive_prepare(const struct sw_place *p, struct sw_arena *a,
                             const struct place_content *content, struct sw_error *err) {
    struct sw_place_archive *ar = p->archive;
    struct sw_index index = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    SW_BUF struct sw_buf index_text;
    SW_BUF struct sw_buf docker_text;
    sw_buf_init(&index_text, PLACE_INDEX_MAX);
    sw_buf_init(&docker_text, PLACE_INDEX_MAX);
    enum sw_code code = fill_index(p, a, content, &index, err);
    if (!code && p->docker) code = docker_manifest(p, a, content, &docker_text, err);
    if (code) return code;
    sw_index_write(&index_text, &index);
    size_t n = 0;
    struct sw_archive_blob *blobs =
        sw_arena_array(a, content->n_documents + content->n_blobs + 1, sizeof *blobs);
    for (size_t i = 0; i < content->n_documents; i++)
        blobs[n++] = (struct sw_archive_blob){content->documents[i].d.digest,
                                              content->documents[i].bytes.len};
    for (size_t i = 0; i < content->n_blobs; i++)
        blobs[n++] =
            (struct sw_archive_blob){content->blobs[i].digest, (uint64_t)content->blobs[i].size};
    code = sw_archive_plan_make(&ar->plan, sw_buf_str(&index_text), sw_buf_str(&docker_text), blobs,
                                n, err);
    if (!code && sw_sys_ftruncate(ar->file.fd, (off_t)ar->plan.size) < 0)
        code = sw_fail_sys(err, errno, "make the archive %llu bytes long",
                           (unsigned long long)ar->plan.size);
    for (size_t i = 0; !code && i < ar->plan.pieces.len; i++) {
        const struct sw_archive_piece *piece = &ar->plan.pieces.ptr[i];
        code = write_at(ar->file.fd, ar->plan.text.ptr + piece->text_at, piece->text_len,
                        piece->offset, err);
    }
    return code;
}

enum sw_code archive_write(const struct sw_place *p, const struct sw_digest *d, uint64_t offset,
                           const void *bytes, size_t len, struct sw_error *err) {
    const struct sw_archive_piece *piece = sw_archive_plan_find(&p->archive->plan, d);
    if (!piece || offset > piece->size || len > piece->size - offset)
        return sw_fail(err, SW_CORRUPT, "a blob is larger than its descriptor says");
    return write_at(p->archive->file.fd, bytes, len, piece->offset + piece->text_len + offset, err);
}

enum sw_code archive_finish(const struct sw_place *p, struct sw_error *err) {
    return sw_atomic_commit(&p->archive->file, p->archive->name, err);
}
