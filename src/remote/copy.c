#include "remote/copy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/proc.h"
#include "base/vec.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "remote/place_internal.h"

#define PARALLEL 4
#define NESTING_MAX 8
#define MANIFESTS_MAX 4096

struct document {
    struct sw_descriptor d;
    struct sw_str bytes;
};

struct copy {
    struct sw_arena *a;
    const struct sw_place *from, *to;
    const struct sw_copy_options *o;
    SW_VEC(struct document) documents;  /* children before parents */
    SW_VEC(struct sw_descriptor) blobs; /* each once */
    struct sw_map seen;
    struct sw_copy_result result;
    pthread_mutex_t lock; /* of result and failure, while blobs are copied */
    struct sw_error failure;
};

/* ---- what there is to copy ---- */

static bool first_time(struct copy *c, const struct sw_digest *d) {
    struct sw_digest *key = SW_NEW(c->a, struct sw_digest);
    *key = *d;
    if (sw_map_has(&c->seen, sw_digest_key(key))) return false;
    sw_map_put(&c->seen, sw_digest_key(key), c);
    return true;
}

static void add_blob(struct copy *c, const struct sw_descriptor *d) {
    /* What may not be distributed stays where its URLs say. */
    if (sw_media_type_of(d->media_type).foreign && d->urls.len) return;
    if (first_time(c, &d->digest)) sw_vec_add(&c->blobs, *d);
}

static enum sw_code walk(struct copy *c, struct sw_str reference, unsigned depth,
                         struct sw_descriptor *ret, struct sw_error *err);

static enum sw_code walk_index(struct copy *c, const struct document *doc, unsigned depth,
                               struct sw_error *err) {
    struct sw_index index;
    struct sw_descriptor ignored;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = sw_index_parse(c->a, doc->bytes, doc->d.media_type, &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++) {
        struct sw_str digest =
            sw_arena_str(c->a, sw_digest_format(&index.manifests[i].digest, text));
        code = walk(c, digest, depth - 1, &ignored, err);
    }
    return code;
}

static enum sw_code walk_manifest(struct copy *c, const struct document *doc,
                                  struct sw_error *err) {
    struct sw_manifest m;
    enum sw_code code = sw_manifest_parse(c->a, doc->bytes, doc->d.media_type, &m, err);
    if (code) return code;
    add_blob(c, &m.config);
    for (size_t i = 0; i < m.n_layers && !c->o->documents; i++) add_blob(c, &m.layers[i]);
    return SW_OK;
}

/* The manifest of an index for one platform, in place of the index. */
static enum sw_code choose(struct copy *c, const struct document *doc, struct sw_str *ret,
                           struct sw_error *err) {
    struct sw_index index;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = sw_index_parse(c->a, doc->bytes, doc->d.media_type, &index, err);
    if (code) return code;
    const struct sw_descriptor *d = sw_index_choose(&index, c->o->platform);
    if (!d)
        return sw_fail(err, SW_NOT_FOUND, "no image for %.*s; there is %.*s",
                       SW_ARG(sw_platform_format(c->a, c->o->platform)),
                       SW_ARG(sw_index_platforms(c->a, &index)));
    *ret = sw_arena_str(c->a, sw_digest_format(&d->digest, text));
    return SW_OK;
}

static enum sw_code walk(struct copy *c, struct sw_str reference, unsigned depth,
                         struct sw_descriptor *ret, struct sw_error *err) {
    struct document doc;
    if (depth == 0) return sw_fail(err, SW_LIMIT, "indexes are nested too deeply");
    if (c->documents.len >= MANIFESTS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d manifests", MANIFESTS_MAX);
    enum sw_code code = place_manifest(c->from, c->a, reference, &doc.d, &doc.bytes, err);
    if (code) return code;
    enum sw_media_kind kind = sw_media_type_of(doc.d.media_type).kind;
    if (kind != SW_MEDIA_INDEX && kind != SW_MEDIA_MANIFEST)
        kind = sw_manifest_sniff(c->a, doc.bytes);
    if (!sw_media_type_of(doc.d.media_type).kind)
        doc.d.media_type =
            kind == SW_MEDIA_INDEX ? SW_STR(SW_MT_OCI_INDEX) : SW_STR(SW_MT_OCI_MANIFEST);
    if (kind == SW_MEDIA_INDEX && c->o->platform) {
        struct sw_str chosen;
        code = choose(c, &doc, &chosen, err);
        return code ? code : walk(c, chosen, depth - 1, ret, err);
    }
    if (first_time(c, &doc.d.digest)) {
        code =
            kind == SW_MEDIA_INDEX ? walk_index(c, &doc, depth, err) : walk_manifest(c, &doc, err);
        if (code) return code;
        sw_vec_add(&c->documents, doc);
    }
    code = sw_arena_check(c->a, "an image's documents", err);
    *ret = doc.d;
    return code;
}

static enum sw_code walk_referrers(struct copy *c, struct sw_error *err) {
    size_t n_first = c->documents.len;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = SW_OK;
    if (!c->o->referrers || c->from->kind != SW_PLACE_REGISTRY) return SW_OK;
    for (size_t i = 0; !code && i < n_first; i++) {
        struct sw_descriptor *list = NULL, ignored;
        size_t n = 0;
        code = sw_remote_referrers(c->from->remote, c->a, sw_repository_of(&c->from->ref),
                                   &c->documents.ptr[i].d.digest, SW_STR(""), &list, &n, err);
        for (size_t j = 0; !code && j < n; j++)
            code = walk(c, sw_arena_str(c->a, sw_digest_format(&list[j].digest, text)), NESTING_MAX,
                        &ignored, err);
    }
    return code;
}

/* ---- blobs ---- */

struct job {
    struct copy *c;
    const struct sw_descriptor *d;
    struct sw_str part; /* for progress: "sha256:0123456789ab" */
};

static void on_progress(void *context, uint64_t done, uint64_t total) {
    struct job *j = context;
    sw_progress_bytes(j->c->o->progress, j->c->o->step, j->part, done, (uint64_t)j->d->size);
}

static enum sw_code copy_blob(struct job *j, struct sw_error *err) {
    struct copy *c = j->c;
    const struct sw_place *from = c->from, *to = c->to;
    bool there = false;
    SW_FD int fd = -1;
    enum sw_code code = place_has_blob(to, &j->d->digest, &there, err);
    if (code || there) {
        pthread_mutex_lock(&c->lock);
        c->result.present += there;
        pthread_mutex_unlock(&c->lock);
        return code;
    }
    if (from->kind == SW_PLACE_REGISTRY && to->kind == SW_PLACE_REGISTRY &&
        sw_str_eq(from->ref.domain, to->ref.domain)) {
        code = sw_remote_blob_mount(to->remote, sw_repository_of(&to->ref), &j->d->digest,
                                    from->ref.path, &there, err);
        if (code || there) {
            pthread_mutex_lock(&c->lock);
            c->result.mounted += there;
            pthread_mutex_unlock(&c->lock);
            return code;
        }
    }
    if (from->kind == SW_PLACE_REGISTRY && to->kind != SW_PLACE_REGISTRY) {
        code = place_download(from, to, j->d, on_progress, j, err);
    } else {
        code = place_open_blob(from, j->d, NULL, NULL, &fd, err);
        if (!code) code = place_put_blob(to, j->d, fd, on_progress, j, err);
    }
    if (code) return code;
    on_progress(j, (uint64_t)j->d->size, 0);
    pthread_mutex_lock(&c->lock);
    c->result.blobs++;
    c->result.bytes += (uint64_t)j->d->size;
    pthread_mutex_unlock(&c->lock);
    return SW_OK;
}

static void run_job(void *argument) {
    struct job *j = argument;
    struct sw_error err = {0};
    pthread_mutex_lock(&j->c->lock);
    bool failed = j->c->failure.code != SW_OK;
    pthread_mutex_unlock(&j->c->lock);
    if (failed) return;
    if (sw_cancel_check(&err) || copy_blob(j, &err)) {
        sw_context(&err, "%.*s", SW_ARG(j->part));
        pthread_mutex_lock(&j->c->lock);
        if (!j->c->failure.code) j->c->failure = err;
        pthread_mutex_unlock(&j->c->lock);
    }
}

static enum sw_code copy_blobs(struct copy *c, struct sw_error *err) {
    if (!c->blobs.len) return SW_OK;
    unsigned n = c->o->parallel ? c->o->parallel : PARALLEL;
    struct sw_pool *pool = sw_pool_new(n, (unsigned)c->blobs.len);
    struct sw_group *group = sw_group_new(pool);
    struct job *jobs = sw_arena_array(c->a, c->blobs.len, sizeof *jobs);
    char text[SW_DIGEST_TEXT_MAX];
    for (size_t i = 0; i < c->blobs.len; i++) {
        struct sw_str digest = sw_digest_format(&c->blobs.ptr[i].digest, text);
        jobs[i] = (struct job){c, &c->blobs.ptr[i], sw_arena_str(c->a, sw_str_sub(digest, 0, 19))};
    }
    for (size_t i = 0; i < c->blobs.len; i++) sw_group_submit(group, run_job, &jobs[i]);
    sw_group_wait(group);
    sw_group_free(group);
    sw_pool_free(pool);
    if (!c->failure.code) return SW_OK;
    *err = c->failure;
    return err->code;
}

/* ---- all of it ---- */

static enum sw_code run(struct copy *c, struct sw_error *err) {
    struct sw_str top_bytes = SW_STR("");
    enum sw_code code = walk(c, SW_STR(""), NESTING_MAX, &c->result.target, err);
    if (!code) code = walk_referrers(c, err);
    if (code) return sw_context(err, "reading %.*s", SW_ARG(place_text(c->from, c->a)));
    code = copy_blobs(c, err);
    for (size_t i = 0; !code && i < c->documents.len; i++) {
        const struct document *doc = &c->documents.ptr[i];
        bool top = sw_digest_eq(&doc->d.digest, &c->result.target.digest);
        if (top) top_bytes = doc->bytes;
        /* A registry gets the tagged one once, under its tag. */
        if (top && c->to->kind == SW_PLACE_REGISTRY && c->to->ref.tag.len) continue;
        code = place_put_manifest(c->to, &doc->d, doc->bytes, err);
    }
    if (!code && !c->o->documents) code = place_tag(c->to, c->a, &c->result.target, top_bytes, err);
    return code ? sw_context(err, "writing %.*s", SW_ARG(place_text(c->to, c->a))) : SW_OK;
}

static void done(struct copy *c) {
    pthread_mutex_destroy(&c->lock);
    sw_vec_done(&c->documents);
    sw_vec_done(&c->blobs);
    sw_map_done(&c->seen);
}

enum sw_code sw_copy_image(struct sw_arena *a, const struct sw_place *from,
                           const struct sw_place *to, const struct sw_copy_options *options,
                           struct sw_copy_result *ret, struct sw_error *err) {
    struct copy c = {.a = a, .from = from, .to = to, .o = options};
    pthread_mutex_init(&c.lock, NULL);
    enum sw_code code = run(&c, err);
    done(&c);
    if (!code) *ret = c.result;
    return code;
}

enum sw_code sw_copy_blobs(struct sw_arena *a, const struct sw_place *from,
                           const struct sw_place *to, const struct sw_descriptor *blobs, size_t n,
                           const struct sw_copy_options *options, struct sw_copy_result *ret,
                           struct sw_error *err) {
    struct copy c = {.a = a, .from = from, .to = to, .o = options};
    pthread_mutex_init(&c.lock, NULL);
    for (size_t i = 0; i < n; i++) add_blob(&c, &blobs[i]);
    enum sw_code code = copy_blobs(&c, err);
    done(&c);
    if (!code && ret) *ret = c.result;
    return code ? sw_context(err, "reading %.*s", SW_ARG(place_text(from, a))) : SW_OK;
}
