#include "store/archive_plan.h"

#include <stdlib.h>

#include "codec/tar.h"
#include "oci/docker_archive.h"
#include "oci/image_layout.h"

/* Headers of a million blobs. */
#define PLAN_TEXT_MAX ((size_t)1 << 30)

static int by_digest(const void *x, const void *y) {
    const struct sw_archive_blob *a = x, *b = y;
    return sw_digest_cmp(&a->digest, &b->digest);
}

static size_t sort_unique(struct sw_archive_blob *blobs, size_t n) {
    size_t kept = 0;
    if (n) qsort(blobs, n, sizeof *blobs, by_digest);
    for (size_t i = 0; i < n; i++)
        if (!i || !sw_digest_eq(&blobs[i].digest, &blobs[kept - 1].digest))
            blobs[kept++] = blobs[i];
    return kept;
}

static enum sw_code add_header(struct sw_archive_plan *p, const char *path, enum sw_tar_type type,
                               uint64_t size, struct sw_error *err) {
    struct sw_tar_entry e = {
        .path = sw_str(path), .type = type, .mode = type == SW_TAR_DIR ? 0755 : 0644, .size = size};
    return sw_tar_write_header(&p->text, &e, err);
}

static enum sw_code add_text(struct sw_archive_plan *p, const char *path, struct sw_str text,
                             struct sw_error *err) {
    enum sw_code code = add_header(p, path, SW_TAR_FILE, text.len, err);
    if (code) return code;
    sw_buf_add(&p->text, text);
    sw_tar_write_pad(&p->text, text.len);
    return SW_OK;
}

/* Closes the piece that began at text_at with a blob, or with none. */
static void end_piece(struct sw_archive_plan *p, size_t text_at,
                      const struct sw_archive_blob *blob) {
    struct sw_archive_piece *piece = sw_vec_push(&p->pieces);
    *piece = (struct sw_archive_piece){
        .text_at = text_at, .text_len = p->text.len - text_at, .offset = p->size};
    p->size += piece->text_len;
    if (!blob) return;
    piece->digest = blob->digest;
    piece->size = blob->size;
    p->size += blob->size;
}

static enum sw_code add_head(struct sw_archive_plan *p, struct sw_str index, struct sw_str docker,
                             struct sw_error *err) {
    SW_BUF struct sw_buf layout;
    sw_buf_init(&layout, 0);
    sw_layout_write(&layout);
    /* The small documents first: who reads from a pipe knows what comes. */
    enum sw_code code = add_text(p, SW_LAYOUT_FILE, sw_buf_str(&layout), err);
    if (!code) code = add_text(p, SW_LAYOUT_INDEX, index, err);
    if (!code && docker.len) code = add_text(p, SW_DOCKER_ARCHIVE_MANIFEST, docker, err);
    return code ? code : add_header(p, "blobs/", SW_TAR_DIR, 0, err);
}

enum sw_code sw_archive_plan_make(struct sw_archive_plan *p, struct sw_str index,
                                  struct sw_str docker, struct sw_archive_blob *blobs, size_t n,
                                  struct sw_error *err) {
    char path[SW_LAYOUT_PATH_MAX];
    unsigned alg = 0;
    size_t at = 0;
    *p = (struct sw_archive_plan){0};
    sw_buf_init(&p->text, PLAN_TEXT_MAX);
    enum sw_code code = add_head(p, index, docker, err);
    n = sort_unique(blobs, n);
    for (size_t i = 0; !code && i < n; i++) {
        if (blobs[i].digest.alg != alg) {
            alg = blobs[i].digest.alg;
            code = add_header(p, alg == SW_SHA256 ? "blobs/sha256/" : "blobs/sha512/", SW_TAR_DIR,
                              0, err);
        }
        sw_layout_blob_path(&blobs[i].digest, path);
        if (!code) code = add_header(p, path, SW_TAR_FILE, blobs[i].size, err);
        if (code) return code;
        end_piece(p, at, &blobs[i]);
        at = p->text.len;
        sw_tar_write_pad(&p->text, blobs[i].size);
    }
    if (code) return code;
    sw_tar_write_end(&p->text);
    end_piece(p, at, NULL);
    return sw_buf_check(&p->text, "the archive's headers", err);
}

void sw_archive_plan_done(struct sw_archive_plan *p) {
    sw_buf_done(&p->text);
    sw_vec_done(&p->pieces);
}

const struct sw_archive_piece *sw_archive_plan_find(const struct sw_archive_plan *p,
                                                    const struct sw_digest *digest) {
    /* The last piece has no blob; the others are sorted. */
    for (size_t low = 0, high = p->pieces.len ? p->pieces.len - 1 : 0; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = sw_digest_cmp(digest, &p->pieces.ptr[middle].digest);
        if (order == 0) return &p->pieces.ptr[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
