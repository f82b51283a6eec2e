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
#define MANIFESTS_MAX 4096

struct copy {
    struct sw_arena *a;
    const struct sw_place *from, *to;
    const struct sw_copy_options *o;
    SW_VEC(struct place_document) documents; /* children before parents */
    SW_VEC(struct sw_descriptor) blobs;      /* each once */
    SW_VEC(struct sw_descriptor) referrers;
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

static enum sw_code walk_index(struct copy *c, const struct place_document *doc, unsigned depth,
                               struct sw_error *err) {
    struct sw_index index;
    struct sw_descriptor ignored;
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = sw_index_parse(c->a, doc->bytes, doc->d.media_type, &index, err);
    for (size_t i = 0; !code && i < index.n_manifests; i++) {
        struct sw_str digest =
            sw_arena_str(c->a, sw_digest_format(&index.manifests[i].digest, text));
        code = walk(c, digest, depth - 1, &ignored, err);
        if (code != SW_NOT_FOUND || c->from->kind == SW_PLACE_REGISTRY) continue;
        /* What came with some of its platforms only is passed on so; no registry takes that. */
        if (c->to->kind == SW_PLACE_REGISTRY)
            return sw_context(err, "%.*s has not all of its platforms; choose one (--platform)",
                              SW_ARG(sw_place_text(c->from, c->a)));
        code = SW_OK;
    }
    return code;
}

static enum sw_code walk_manifest(struct copy *c, const struct place_document *doc,
                                  struct sw_error *err) {
    struct sw_manifest m;
    enum sw_code code = sw_manifest_parse(c->a, doc->bytes, doc->d.media_type, &m, err);
    if (code) return code;
    add_blob(c, &m.config);
    for (size_t i = 0; i < m.n_layers && !c->o->documents; i++) add_blob(c, &m.layers[i]);
    return SW_OK;
}

static enum sw_code walk(struct copy *c, struct sw_str reference, unsigned depth,
                         struct sw_descriptor *ret, struct sw_error *err) {
    struct place_document doc;
    if (depth == 0) return sw_fail(err, SW_LIMIT, "indexes are nested too deeply");
    if (c->documents.len >= MANIFESTS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d manifests", MANIFESTS_MAX);
    enum sw_code code = SW_OK;
    if (c->o->platform && !reference.len)
        code = sw_place_choose(c->from, c->a, c->o->platform, &doc.d, &doc.bytes, err);
    else
        code = sw_place_manifest(c->from, c->a, reference, &doc.d, &doc.bytes, err);
    if (code) return code;
    enum sw_media_kind kind = sw_media_type_of(doc.d.media_type).kind;
    if (first_time(c, &doc.d.digest)) {
        code =
            kind == SW_MEDIA_INDEX ? walk_index(c, &doc, depth, err) : walk_manifest(c, &doc, err);
        if (code) return code;
        sw_vec_add(&c->documents, doc);
    }
    *ret = doc.d;
    return SW_OK;
}

/* Of everything that was found so far, and of the referrers themselves: a signature of an SBOM. */
static enum sw_code walk_referrers(struct copy *c, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX];
    enum sw_code code = SW_OK;
    if (!c->o->referrers) return SW_OK;
    for (size_t i = 0; !code && i < c->documents.len; i++) {
        struct sw_descriptor *list = NULL, found;
        size_t n = 0;
        code = place_referrers(c->from, c->a, &c->documents.ptr[i].d.digest, &list, &n, err);
        for (size_t j = 0; !code && j < n; j++) {
            size_t before = c->documents.len;
            struct sw_str digest = sw_arena_str(c->a, sw_digest_format(&list[j].digest, text));
            code = walk(c, digest, PLACE_NESTING_MAX, &found, err);
            if (code || c->documents.len == before) continue;
            found.artifact_type = list[j].artifact_type;
            sw_vec_add(&c->referrers, found);
        }
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
    code = place_transfer(from, to, j->d, on_progress, j, err);
    if (code) return code;
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

static enum sw_code write_all(struct copy *c, struct sw_error *err) {
    struct place_content content = {.target = &c->result.target,
                                    .documents = c->documents.ptr,
                                    .n_documents = c->documents.len,
                                    .blobs = c->blobs.ptr,
                                    .n_blobs = c->blobs.len,
                                    .referrers = c->referrers.ptr,
                                    .n_referrers = c->referrers.len};
    enum sw_code code = place_prepare(c->to, c->a, &content, err);
    if (!code) code = copy_blobs(c, err);
    for (size_t i = 0; !code && i < c->documents.len; i++) {
        const struct place_document *doc = &c->documents.ptr[i];
        bool top = sw_digest_eq(&doc->d.digest, &c->result.target.digest);
        /* A registry gets the tagged one once, under its tag. */
        if (top && c->to->kind == SW_PLACE_REGISTRY && c->to->ref.tag.len) continue;
        code = place_put_manifest(c->to, doc, err);
    }
    if (code || c->o->documents) return code;
    return place_finish(c->to, c->a, &content, err);
}

static enum sw_code run(struct copy *c, struct sw_error *err) {
    enum sw_code code = walk(c, SW_STR(""), PLACE_NESTING_MAX, &c->result.target, err);
    if (!code) code = walk_referrers(c, err);
    if (code) return sw_context(err, "reading %.*s", SW_ARG(sw_place_text(c->from, c->a)));
    code = write_all(c, err);
    return code ? sw_context(err, "writing %.*s", SW_ARG(sw_place_text(c->to, c->a))) : SW_OK;
}

static void done(struct copy *c) {
    pthread_mutex_destroy(&c->lock);
    sw_vec_done(&c->documents);
    sw_vec_done(&c->blobs);
    sw_vec_done(&c->referrers);
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
    return code ? sw_context(err, "reading %.*s", SW_ARG(sw_place_text(from, a))) : SW_OK;
}
