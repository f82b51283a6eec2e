#include "store/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/blob.h"
#include "store/cache.h"
#include "store/layer_stream.h"
#include "store/store_internal.h"
#include "store/unpack_internal.h"

/* Smaller blobs are unpacked before a thread has started. */
#define THREAD_MIN_BYTES ((uint64_t)256 << 10)

struct sw_digest sw_chain_id(const struct sw_digest *diff_ids, size_t n) {
    struct sw_digest chain = {0};
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            chain = diff_ids[0];
            continue;
        }
        char a[SW_DIGEST_TEXT_MAX], b[SW_DIGEST_TEXT_MAX];
        struct sw_hasher h;
        sw_hasher_init(&h, SW_SHA256);
        sw_hasher_add_str(&h, sw_digest_format(&chain, a));
        sw_hasher_add(&h, " ", 1);
        sw_hasher_add_str(&h, sw_digest_format(&diff_ids[i], b));
        chain = sw_hasher_finish(&h);
    }
    return chain;
}

/* One layer on its way. */
struct job {
    struct sw_store *store;
    const struct sw_unpack_layer *layer;
    const struct sw_unpack_options *options;
    size_t index;
    uint64_t total; /* bytes of the blob */
    struct sw_digest chain_id;
    bool present; /* ret has it already */
    bool threaded;
    struct sw_store_lock lock;
    struct sw_snapshot_draft draft;
    struct sw_unpacker unpacker;
    bool has_unpacker;
    enum sw_code code;
    struct sw_error error;
};

struct work {
    struct sw_store *store;
    const struct sw_unpack_options *options;
    struct job *jobs;
    size_t n;
    int *lower; /* directories of the layers, opened on demand */
    struct sw_snapshot *ret;
};

/* ---- finding what is there ---- */

static enum sw_code find_layer(struct job *j, struct sw_snapshot *ret, struct sw_error *err) {
    struct sw_snapshot_key key = {SW_SNAPSHOT_LAYER, j->options->form, j->layer->diff_id};
    enum sw_code code = sw_snapshot_find(j->store, &key, ret, err);
    if (code == SW_NOT_FOUND && j->index > 0) {
        key.digest = j->chain_id;
        code = sw_snapshot_find(j->store, &key, ret, err);
    }
    j->present = code == SW_OK;
    return code == SW_NOT_FOUND ? SW_OK : code;
}

/* Locks are taken from the lowest layer up, by chain ID: two images have a common prefix of these,
 * or none, so nobody waits in a circle. */
static enum sw_code lock_layer(struct job *j, struct sw_error *err) {
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("unpack"));
    sw_hasher_add(&h, &j->chain_id, sizeof j->chain_id);
    uint8_t form = (uint8_t)j->options->form;
    sw_hasher_add(&h, &form, 1);
    struct sw_digest key = sw_hasher_finish(&h);
    return sw_store_lock(j->store, key.bytes, true, NULL, NULL, &j->lock, err);
}

/* ---- unpacking ---- */

static void on_progress(void *ctx, uint64_t read_bytes) {
    struct job *j = ctx;
    j->options->progress(j->options->ctx, j->index, read_bytes, j->total);
}

static enum sw_code unpack(struct job *j, struct sw_error *err) {
    SW_FD int fd = -1;
    enum sw_code code = sw_blob_open(j->store, &j->layer->blob, &fd, &j->total, err);
    if (!code) code = sw_store_reserve(j->store, j->total, err);
    if (!code) code = sw_snapshot_begin(j->store, &j->draft, err);
    if (code) return code;
    struct sw_layer_stream_options options = {
        .max_bytes = j->options->max_bytes,
        .alg = (enum sw_digest_alg)j->layer->diff_id.alg,
        .threaded = j->threaded && j->total >= THREAD_MIN_BYTES,
        .progress = j->options->progress ? on_progress : NULL,
        .ctx = j,
    };
    SW_LAYER_STREAM struct sw_layer_stream *stream = sw_layer_stream_new(fd, &options);
    sw_unpacker_init(&j->unpacker, j->options, j->draft.fs_fd);
    j->has_unpacker = true;
    code = sw_unpacker_tree(&j->unpacker, sw_layer_stream_source(stream), err);
    if (!code) code = sw_layer_stream_verify(stream, &j->layer->diff_id, err);
    return code;
}

static void run_job(void *argument) {
    struct job *j = argument;
    j->code = unpack(j, &j->error);
    if (!j->code) return;
    char text[SW_DIGEST_TEXT_MAX];
    sw_digest_format(&j->layer->blob, text);
    sw_context(&j->error, "unpacking layer %zu (%s)", j->index + 1, text);
}

/* ---- finishing, from the lowest layer up ---- */

static enum sw_code open_lower(struct work *w, size_t n, struct sw_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (w->lower[i] >= 0) continue;
        char name[24];
        snprintf(name, sizeof name, "%lld", (long long)w->ret[i].id);
        enum sw_code code = sw_open_at(w->store->snapshots_fd, name,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &w->lower[i], err);
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code finish_job(struct work *w, struct job *j, struct sw_error *err) {
    struct sw_unpacker *u = &j->unpacker;
    bool depends = sw_unpacker_depends(u) && j->index > 0;
    enum sw_code code = depends ? open_lower(w, j->index, err) : SW_OK;
    if (!code) code = sw_unpacker_finish(u, w->lower, j->index, err);
    if (code) return code;
    struct sw_snapshot_key key = {SW_SNAPSHOT_LAYER, j->options->form,
                                  depends ? j->chain_id : j->layer->diff_id};
    uint64_t bytes = u->bytes, entries = u->entries;
    return sw_snapshot_commit(&j->draft, &key, bytes, entries, &w->ret[j->index], err);
}

static void add_notes(struct sw_unpack_notes *sum, const struct sw_unpack_notes *one) {
    sum->devices += one->devices;
    sum->xattrs += one->xattrs;
    sum->owners += one->owners;
    if (!sum->first[0]) memcpy(sum->first, one->first, sizeof sum->first);
}

static enum sw_code find_missing(struct work *w, struct sw_error *err) {
    for (size_t i = 0; i < w->n; i++) {
        struct job *j = &w->jobs[i];
        enum sw_code code = find_layer(j, &w->ret[i], err);
        if (!code && !j->present) code = lock_layer(j, err);
        if (!code && !j->present) code = find_layer(j, &w->ret[i], err);
        if (code) return code;
        if (j->present) sw_store_unlock(&j->lock);
    }
    return SW_OK;
}

static enum sw_code run_all(struct work *w, struct sw_pool *pool, struct sw_error *err) {
    size_t missing = 0;
    for (size_t i = 0; i < w->n; i++) missing += !w->jobs[i].present;
    struct sw_group *group = pool && missing > 1 ? sw_group_new(pool) : NULL;
    for (size_t i = 0; i < w->n; i++) {
        struct job *j = &w->jobs[i];
        if (j->present) continue;
        j->threaded = sw_cpu_count() > 1 && (!group || missing < sw_cpu_count());
        if (group)
            sw_group_submit(group, run_job, j);
        else
            run_job(j);
        if (!group && j->code) break;
    }
    sw_group_free(group);
    for (size_t i = 0; i < w->n; i++) {
        if (!w->jobs[i].code) continue;
        *err = w->jobs[i].error;
        return err->code;
    }
    return SW_OK;
}

static void work_done(struct work *w) {
    for (size_t i = 0; i < w->n; i++) {
        struct job *j = &w->jobs[i];
        if (j->has_unpacker) sw_unpacker_done(&j->unpacker);
        sw_snapshot_abort(&j->draft);
        sw_store_unlock(&j->lock);
        sw_closep(&w->lower[i]);
    }
    free(w->jobs);
    free(w->lower);
    free(w->ret);
}

enum sw_code sw_unpack_layers(struct sw_store *store, struct sw_pool *pool,
                              const struct sw_unpack_layer *layers, size_t n,
                              const struct sw_unpack_options *options, struct sw_snapshot *ret,
                              struct sw_unpack_notes *notes, struct sw_error *err) {
    struct work w = {.store = store, .options = options, .n = n};
    w.jobs = sw_calloc(n + 1, sizeof *w.jobs);
    w.lower = sw_calloc(n + 1, sizeof *w.lower);
    w.ret = sw_calloc(n + 1, sizeof *w.ret);
    struct sw_digest *diff_ids = sw_calloc(n + 1, sizeof *diff_ids);
    for (size_t i = 0; i < n; i++) {
        diff_ids[i] = layers[i].diff_id;
        w.lower[i] = -1;
        w.jobs[i] = (struct job){
            .store = store,
            .layer = &layers[i],
            .options = options,
            .index = i,
            .chain_id = sw_chain_id(diff_ids, i + 1),
            .lock = SW_STORE_LOCK_NONE,
            .draft = SW_SNAPSHOT_DRAFT_NONE,
        };
    }
    free(diff_ids);
    enum sw_code code = find_missing(&w, err);
    if (!code) code = run_all(&w, pool, err);
    for (size_t i = 0; !code && i < n; i++) {
        struct job *j = &w.jobs[i];
        if (j->present) continue;
        code = finish_job(&w, j, err);
        if (code) sw_context(err, "unpacking layer %zu", i + 1);
        if (!code && notes) add_notes(notes, &j->unpacker.notes);
    }
    if (!code) memcpy(ret, w.ret, n * sizeof *ret);
    work_done(&w);
    return code;
}
