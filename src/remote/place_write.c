/* Blobs on their way into a place, and what ends a copy.
 *
 *     registry --> registry       a file without a name between the two
 *     files    --> registry       read where they are
 *     any      --> files          hashed while written; named when whole
 *
 * A download into the store that breaks leaves its bytes (store/blob.h, sw_blob_keep), and the next
 * one asks for the rest. When the whole then has another digest, it starts once more from nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "remote/place_internal.h"
#include "store/blob.h"
#include "store/tags.h"

#define PIECE ((size_t)256 << 10)
/* A download that broke is kept from this size on; less is sooner fetched again than found. */
#define KEEP_MIN ((uint64_t)1 << 20)

/* ---- where bytes go ---- */

struct spool {
    const struct sw_place *to;
    const struct sw_descriptor *d;
    uint64_t at; /* bytes so far */
    struct sw_hasher hash;
    struct sw_blob_writer writer; /* store */
    int fd;                       /* layout, or a file of the caller's; not owned */
    int dir;                      /* layout: of the file */
    struct sw_atomic_file file;
};
#define SPOOL_NONE                                                                                 \
    {                                                                                              \
        .writer = SW_BLOB_WRITER_NONE, .fd = -1, .dir = -1, .file = {.fd = -1 }                    \
    }

static void spool_done(struct spool *s) {
    sw_blob_abort(&s->writer);
    sw_atomic_done(&s->file);
    sw_closep(&s->dir);
}
#define SPOOL SW_CLEANUP(spool_done)

/* resume: bytes that an earlier download left are taken over. */
static enum sw_code spool_begin(struct spool *s, const struct sw_place *to,
                                const struct sw_descriptor *d, bool resume, struct sw_error *err) {
    enum sw_code code = SW_OK;
    s->to = to;
    s->d = d;
    sw_hasher_init(&s->hash, (enum sw_digest_alg)d->digest.alg);
    if (to->kind == SW_PLACE_STORE) {
        if (d->digest.alg != SW_SHA256)
            return sw_fail(err, SW_UNSUPPORTED, "the local store takes sha256 digests only");
        if (resume && (uint64_t)d->size > KEEP_MIN)
            return sw_blob_resume(to->store, &d->digest, &s->writer, &s->at, err);
        return sw_blob_begin(to->store, true, &s->writer, err);
    }
    if (to->kind == SW_PLACE_LAYOUT) {
        code = layout_blob_dir(to->dir, &d->digest, &s->dir, err);
        if (!code) code = sw_atomic_open(&s->file, s->dir, 0644, err);
        s->fd = s->file.fd;
    }
    return code;
}

static enum sw_code spool_write(void *context, const void *bytes, size_t len,
                                struct sw_error *err) {
    struct spool *s = context;
    enum sw_code code;
    if (s->writer.store) {
        code = sw_blob_write(&s->writer, bytes, len, err);
    } else {
        sw_hasher_add(&s->hash, bytes, len);
        if (s->to && s->to->kind == SW_PLACE_ARCHIVE)
            code = archive_write(s->to, &s->d->digest, s->at, bytes, len, err);
        else
            code = sw_write_full(s->fd, bytes, len, err);
    }
    if (!code) s->at += len;
    return code;
}

static enum sw_code spool_check(struct spool *s, struct sw_error *err) {
    struct sw_digest got = sw_hasher_finish(&s->hash);
    if (s->at != (uint64_t)s->d->size)
        return sw_fail(err, SW_CORRUPT, "the blob has %llu bytes, not %lld",
                       (unsigned long long)s->at, (long long)s->d->size);
    if (sw_digest_eq(&got, &s->d->digest)) return SW_OK;
    return sw_fail(err, SW_CORRUPT, "the blob that came does not have its digest");
}

static enum sw_code spool_commit(struct spool *s, struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX];
    if (s->writer.store)
        return sw_blob_commit(&s->writer, &s->d->digest, (uint64_t)s->d->size, NULL, NULL, err);
    enum sw_code code = spool_check(s, err);
    if (code || s->file.fd < 0) return code;
    return sw_atomic_commit(&s->file, sw_digest_hex(&s->d->digest, hex).ptr, err);
}

/* ---- where they come from ---- */

static enum sw_code download(const struct sw_place *from, struct spool *s,
                             sw_remote_progress *progress, void *context, struct sw_error *err) {
    enum sw_code code =
        sw_remote_blob_get(from->remote, sw_repository_of(&from->ref), &s->d->digest,
                           (uint64_t)s->d->size, s->at, spool_write, s, progress, context, err);
    /* What a broken connection left is of use to the next one; what does not fit is not. */
    if (code && code != SW_CORRUPT && s->writer.store && s->at > KEEP_MIN) sw_blob_keep(&s->writer);
    return code;
}

enum sw_code place_download(const struct sw_place *from, const struct sw_descriptor *d, int fd,
                            sw_remote_progress *progress, void *progress_context,
                            struct sw_error *err) {
    struct spool s = SPOOL_NONE;
    s.d = d;
    s.fd = fd;
    sw_hasher_init(&s.hash, (enum sw_digest_alg)d->digest.alg);
    enum sw_code code = download(from, &s, progress, progress_context, err);
    return code ? code : spool_check(&s, err);
}

static enum sw_code fetch(const struct sw_place *from, const struct sw_place *to,
                          const struct sw_descriptor *d, sw_remote_progress *progress,
                          void *context, bool resume, bool *ret_resumed, struct sw_error *err) {
    SPOOL struct spool s = SPOOL_NONE;
    enum sw_code code = spool_begin(&s, to, d, resume, err);
    if (!code && s.at > (uint64_t)d->size) {
        s.at = 0;
        code = sw_blob_rewind(&s.writer, err);
    }
    *ret_resumed = !code && s.at > 0;
    if (*ret_resumed)
        sw_debug("remote", "going on at byte %llu of %lld", (unsigned long long)s.at,
                 (long long)d->size);
    if (!code) code = download(from, &s, progress, context, err);
    return code ? code : spool_commit(&s, err);
}

static enum sw_code copy_file(const struct sw_place *from, const struct sw_place *to,
                              const struct sw_descriptor *d, sw_remote_progress *progress,
                              void *context, struct sw_error *err) {
    SPOOL struct spool s = SPOOL_NONE;
    SW_FD int fd = -1;
    uint64_t offset;
    SW_FREE char *piece = sw_malloc(PIECE);
    enum sw_code code = sw_place_blob(from, d, NULL, NULL, &fd, &offset, err);
    if (!code) code = spool_begin(&s, to, d, false, err);
    while (!code && s.at < (uint64_t)d->size) {
        uint64_t left = (uint64_t)d->size - s.at;
        ssize_t n =
            sw_sys_pread(fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)(offset + s.at));
        if (n < 0) return sw_fail_sys(err, errno, "reading a blob");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "the blob ends early");
        code = spool_write(&s, piece, (size_t)n, err);
        if (!code) code = sw_cancel_check(err);
        if (!code && progress) progress(context, s.at, (uint64_t)d->size);
    }
    return code ? code : spool_commit(&s, err);
}

struct file_range {
    int fd;
    uint64_t offset;
};

static enum sw_code range_source(void *context, uint64_t offset, void *to, size_t len,
                                 size_t *ret_len, struct sw_error *err) {
    const struct file_range *f = context;
    ssize_t n = sw_sys_pread(f->fd, to, len, (off_t)(f->offset + offset));
    if (n < 0) return sw_fail_sys(err, errno, "reading a blob");
    if (n == 0 && len) return sw_fail(err, SW_CORRUPT, "the blob ends early");
    *ret_len = (size_t)n;
    return SW_OK;
}

enum sw_code place_transfer(const struct sw_place *from, const struct sw_place *to,
                            const struct sw_descriptor *d, sw_remote_progress *progress,
                            void *progress_context, struct sw_error *err) {
    if (to->kind == SW_PLACE_REGISTRY) {
        struct file_range f = {.fd = -1};
        SW_FD int fd = -1;
        enum sw_code code = sw_place_blob(from, d, NULL, NULL, &fd, &f.offset, err);
        f.fd = fd;
        if (code) return code;
        return sw_remote_blob_put(to->remote, sw_repository_of(&to->ref), &d->digest,
                                  (uint64_t)d->size, range_source, &f, progress, progress_context,
                                  err);
    }
    if (from->kind != SW_PLACE_REGISTRY)
        return copy_file(from, to, d, progress, progress_context, err);
    bool resumed = false;
    enum sw_code code = fetch(from, to, d, progress, progress_context, true, &resumed, err);
    if (code != SW_CORRUPT || !resumed) return code;
    sw_debug("remote", "%s; from the beginning", err->text);
    return fetch(from, to, d, progress, progress_context, false, &resumed, err);
}

/* ---- documents and names ---- */

enum sw_code place_prepare(const struct sw_place *to, struct sw_arena *a,
                           const struct place_content *content, struct sw_error *err) {
    if (to->kind == SW_PLACE_ARCHIVE) return archive_prepare(to, a, content, err);
    if (to->kind == SW_PLACE_STORE && content->n_referrers)
        return sw_fail(err, SW_UNSUPPORTED,
                       "the local store keeps no referrers; copy them to a registry or a layout");
    return SW_OK;
}

enum sw_code place_put_manifest(const struct sw_place *p, const struct place_document *document,
                                struct sw_error *err) {
    const struct sw_descriptor *d = &document->d;
    char text[SW_DIGEST_TEXT_MAX];
    if (p->kind == SW_PLACE_REGISTRY)
        return sw_remote_manifest_put(p->remote, sw_repository_of(&p->ref),
                                      sw_digest_format(&d->digest, text), d->media_type,
                                      document->bytes, err);
    if (p->kind == SW_PLACE_STORE) return sw_blob_put(p->store, document->bytes, NULL, err);
    if (p->kind == SW_PLACE_ARCHIVE)
        return archive_write(p, &d->digest, 0, document->bytes.ptr, document->bytes.len, err);
    SW_FD int dir = -1;
    enum sw_code code = layout_blob_dir(p->dir, &d->digest, &dir, err);
    if (code) return code;
    return sw_write_file_at(dir, sw_digest_hex(&d->digest, text).ptr, 0644, document->bytes, err);
}

enum sw_code place_finish(const struct sw_place *p, struct sw_arena *a,
                          const struct place_content *content, struct sw_error *err) {
    const struct sw_descriptor *d = content->target;
    if (p->kind == SW_PLACE_STORE) return sw_tags_set(p->store, p->name, d, err);
    if (p->kind == SW_PLACE_LAYOUT) return layout_tag(p, a, content, err);
    if (p->kind == SW_PLACE_ARCHIVE) return archive_finish(p, err);
    if (!p->ref.tag.len) return SW_OK; /* pushed by digest: it is there already */
    for (size_t i = 0; i < content->n_documents; i++)
        if (sw_digest_eq(&content->documents[i].d.digest, &d->digest))
            return sw_remote_manifest_put(p->remote, sw_repository_of(&p->ref), p->ref.tag,
                                          d->media_type, content->documents[i].bytes, err);
    return SW_OK;
}
