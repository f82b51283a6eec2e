/* DESIGN
 *
 *     slot:  FREE -> filling (by the owner) -> FULL -> compressed; through all lines -> FREE
 *
 * Slots are used in rotation: sequence number n lives in slot n % n_slots. Three things happen to
 * the blocks in their order, each in a line of its own: the input goes into the diff ID, the output
 * goes into the blob's digest, the output is written. They are apart because each alone is slower
 * than compressing noise: together they would keep one processor busy and the others waiting. Under
 * the lock:
 *     filled          blocks handed over so far
 *     lines[i].done   blocks that are through it; busy says that somebody is at the next
 * Invariants: lines[i].done <= filled, filled - min(lines[].done) <= n_slots; only what is
 * compressed is in the lines of the output.
 *
 * A worker takes whatever is next and goes on until nothing is left to do; the owner does the same
 * while it waits for a free slot. Writing comes first, since it frees slots. Two hashes at once
 * cost little more than one (sw_hasher_add_two), so a hash alone comes last, when no block is left
 * to compress. A failure is kept, further blocks are dropped, and the owner reports it.
 */
#include "build/layer_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"

struct slot {
    uint8_t *in;  /* owned; block_size bytes */
    uint8_t *out; /* owned; bound bytes */
    size_t in_len;
    bool claimed;    /* somebody compresses it */
    bool compressed; /* part is valid */
    struct sw_compress_part part;
};

enum line_name { WRITE, HASH_OUTPUT, HASH_INPUT, N_LINES };

struct line {
    uint64_t done;
    bool busy;
};

struct sw_layer_writer {
    struct sw_pool *pool; /* borrowed */
    struct sw_group *group;
    struct sw_compressor compressor;
    struct sw_blob_writer blob;
    struct slot *slots;
    size_t n_slots;
    struct sw_compress_worker **workers; /* spare ones, under the lock */
    size_t n_workers;
    struct slot *current; /* being filled by the owner; NULL for none */
    struct sw_buf header; /* of the entry being written */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled;
    struct line lines[N_LINES];
    struct sw_error failure; /* code SW_OK: none */

    struct sw_hasher archive, output;
    struct sw_gzip_sum sum;
    uint64_t archive_size, output_size;
};

static struct slot *slot_of(struct sw_layer_writer *w, uint64_t n) {
    return &w->slots[n % w->n_slots];
}

enum sw_code sw_layer_open(struct sw_store *store, struct sw_pool *pool,
                           enum sw_compression compression, int level, struct sw_layer_writer **ret,
                           struct sw_error *err) {
    struct sw_layer_writer *w = sw_calloc(1, sizeof *w);
    enum sw_code code = sw_compressor_init(&w->compressor, compression, level, err);
    w->blob.fd = -1;
    if (!code) code = sw_blob_begin(store, false, &w->blob, err);
    if (code) {
        free(w);
        return code;
    }
    w->pool = pool;
    w->group = sw_group_new(pool);
    /* Twice as many as can be worked on at once: what takes long and what does not even out. */
    w->n_slots = 2 * (sw_pool_threads(pool) + 1);
    w->slots = sw_calloc(w->n_slots, sizeof *w->slots);
    w->workers = sw_calloc(w->n_slots + 1, sizeof *w->workers);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    sw_buf_init(&w->header, SW_TAR_PAX_MAX * 2);
    sw_hasher_init(&w->archive, SW_SHA256);
    sw_hasher_init(&w->output, SW_SHA256);
    uint8_t frame[SW_COMPRESS_FRAME_MAX];
    size_t n = sw_compress_header(&w->compressor, frame);
    sw_hasher_add(&w->output, frame, n);
    w->output_size = n;
    code = sw_write_full(w->blob.fd, frame, n, err);
    if (code) {
        sw_layer_free(w);
        return code;
    }
    *ret = w;
    return SW_OK;
}

/* ---- what happens to a block; called and returning with the lock held ---- */

static void fail(struct sw_layer_writer *w, const struct sw_error *err) {
    if (!w->failure.code) w->failure = *err;
}

static void write_out(struct sw_layer_writer *w, const struct slot *s) {
    struct sw_error err = {0};
    bool skip = w->failure.code != SW_OK;
    pthread_mutex_unlock(&w->lock);
    if (!skip && !sw_write_full(w->blob.fd, s->out, s->part.len, &err))
        sw_blob_flush_hint(&w->blob, w->output_size + s->part.len);
    pthread_mutex_lock(&w->lock);
    if (err.code) fail(w, &err);
    sw_gzip_sum_add(&w->sum, s->part.sum);
    w->output_size += s->part.len;
}

static void write_next(struct sw_layer_writer *w) {
    struct line *line = &w->lines[WRITE];
    line->busy = true;
    write_out(w, slot_of(w, line->done));
    line->busy = false;
    line->done++;
}

/* Takes the next blocks through one or both of the lines that hash. */
static void hash_next(struct sw_layer_writer *w, bool input, bool output) {
    struct line *in_line = &w->lines[HASH_INPUT], *out_line = &w->lines[HASH_OUTPUT];
    struct sw_str in = SW_STR(""), out = SW_STR("");
    if (input) {
        const struct slot *s = slot_of(w, in_line->done);
        in = sw_str_n((const char *)s->in, s->in_len);
        in_line->busy = true;
    }
    if (output) {
        const struct slot *s = slot_of(w, out_line->done);
        out = sw_str_n((const char *)s->out, s->part.len);
        out_line->busy = true;
    }
    pthread_mutex_unlock(&w->lock);
    /* One alone leaves the other's hasher to whoever is at it. */
    if (input && output) {
        sw_hasher_add_two(&w->archive, in, &w->output, out);
    } else {
        sw_hasher_add_str(input ? &w->archive : &w->output, input ? in : out);
    }
    pthread_mutex_lock(&w->lock);
    if (input) {
        in_line->busy = false;
        in_line->done++;
    }
    if (output) {
        out_line->busy = false;
        out_line->done++;
    }
}

static void compress(struct sw_layer_writer *w, struct slot *s) {
    s->claimed = true;
    struct sw_compress_worker *worker = w->n_workers ? w->workers[--w->n_workers] : NULL;
    pthread_mutex_unlock(&w->lock);
    if (!worker) worker = sw_compress_worker_new(&w->compressor);
    size_t bound = sw_compress_bound(&w->compressor, s->in_len);
    if (!s->out) s->out = sw_malloc(sw_compress_bound(&w->compressor, w->compressor.block_size));
    struct sw_compress_part part = sw_compress_block(worker, s->in, s->in_len, s->out, bound);
    pthread_mutex_lock(&w->lock);
    s->part = part;
    s->compressed = true;
    w->workers[w->n_workers++] = worker;
}

/* Whether the line's next block is there and nobody is at it. */
static bool is_ready(struct sw_layer_writer *w, enum line_name name) {
    const struct line *line = &w->lines[name];
    return !line->busy && line->done < w->filled &&
           (name == HASH_INPUT || slot_of(w, line->done)->compressed);
}

static struct slot *next_to_compress(struct sw_layer_writer *w) {
    for (uint64_t n = w->lines[WRITE].done; n < w->filled; n++)
        if (!slot_of(w, n)->claimed) return slot_of(w, n);
    return NULL;
}

/* Does one thing if there is one to do. */
static bool do_something(struct sw_layer_writer *w) {
    bool input = is_ready(w, HASH_INPUT), output = is_ready(w, HASH_OUTPUT);
    struct slot *s;
    if (is_ready(w, WRITE)) {
        write_next(w);
    } else if (input && output) {
        hash_next(w, true, true);
    } else if ((s = next_to_compress(w))) {
        compress(w, s);
    } else if (input || output) {
        hash_next(w, input, output);
    } else {
        return false;
    }
    return true;
}

/* Blocks that are through all lines: their slots are free. */
static uint64_t finished(const struct sw_layer_writer *w) {
    uint64_t least = w->filled;
    for (int i = 0; i < N_LINES; i++)
        if (w->lines[i].done < least) least = w->lines[i].done;
    return least;
}

static void work(void *argument) {
    struct sw_layer_writer *w = argument;
    pthread_mutex_lock(&w->lock);
    while (do_something(w)) pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* ---- the owner's side ---- */

/* The slot that is being filled; helps with the work until the next one is free. */
static struct slot *current_slot(struct sw_layer_writer *w) {
    if (w->current) return w->current;
    struct slot *s = slot_of(w, w->filled);
    pthread_mutex_lock(&w->lock);
    while (w->filled - finished(w) >= w->n_slots) {
        if (do_something(w)) {
            pthread_cond_broadcast(&w->changed);
        } else {
            pthread_cond_wait(&w->changed, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    if (!s->in) s->in = sw_malloc(w->compressor.block_size);
    s->in_len = 0;
    s->claimed = s->compressed = false;
    w->current = s;
    return s;
}

static enum sw_code hand_over(struct sw_layer_writer *w, struct sw_error *err) {
    pthread_mutex_lock(&w->lock);
    w->archive_size += w->current->in_len;
    w->current = NULL;
    w->filled++;
    bool failed = w->failure.code != SW_OK;
    if (failed) *err = w->failure;
    pthread_mutex_unlock(&w->lock);
    if (failed) return sw_context(err, "writing a layer");
    sw_group_submit(w->group, work, w);
    return SW_OK;
}

enum sw_code sw_layer_write(struct sw_layer_writer *w, const void *bytes, size_t len,
                            struct sw_error *err) {
    const uint8_t *p = bytes;
    while (len) {
        struct slot *s = current_slot(w);
        size_t n = w->compressor.block_size - s->in_len;
        if (n > len) n = len;
        memcpy(s->in + s->in_len, p, n);
        s->in_len += n;
        p += n;
        len -= n;
        if (s->in_len < w->compressor.block_size) continue;
        enum sw_code code = hand_over(w, err);
        if (code) return code;
    }
    return SW_OK;
}

enum sw_code sw_layer_entry(struct sw_layer_writer *w, const struct sw_tar_entry *e,
                            struct sw_error *err) {
    sw_buf_reset(&w->header);
    if (sw_tar_write_header(&w->header, e, err))
        return sw_context(err, "archiving \"%.*s\"", SW_ARG(e->path));
    return sw_layer_write(w, w->header.ptr, w->header.len, err);
}

static enum sw_code pad(struct sw_layer_writer *w, uint64_t size, struct sw_error *err) {
    static const char zeros[SW_TAR_BLOCK];
    return sw_layer_write(w, zeros, sw_tar_pad(size), err);
}

enum sw_code sw_layer_content(struct sw_layer_writer *w, int fd, uint64_t size,
                              struct sw_error *err) {
    uint64_t left = size;
    while (left) {
        struct slot *s = current_slot(w);
        size_t n = w->compressor.block_size - s->in_len;
        if (n > left) n = (size_t)left;
        ssize_t got = sw_sys_read(fd, s->in + s->in_len, n);
        if (got < 0) return sw_fail_sys(err, errno, "read");
        if (got == 0)
            return sw_fail(err, SW_CORRUPT, "it became shorter while it was read; build again");
        s->in_len += (size_t)got;
        left -= (uint64_t)got;
        if (s->in_len < w->compressor.block_size) continue;
        enum sw_code code = hand_over(w, err);
        if (code) return code;
    }
    return pad(w, size, err);
}

enum sw_code sw_layer_content_bytes(struct sw_layer_writer *w, struct sw_str bytes,
                                    struct sw_error *err) {
    enum sw_code code = sw_layer_write(w, bytes.ptr, bytes.len, err);
    return code ? code : pad(w, bytes.len, err);
}

static enum sw_code drain(struct sw_layer_writer *w, struct sw_error *err) {
    sw_group_wait(w->group);
    work(w);
    pthread_mutex_lock(&w->lock);
    while (finished(w) < w->filled) {
        if (!do_something(w)) pthread_cond_wait(&w->changed, &w->lock);
    }
    bool failed = w->failure.code != SW_OK;
    if (failed) *err = w->failure;
    pthread_mutex_unlock(&w->lock);
    return failed ? sw_context(err, "writing a layer") : SW_OK;
}

enum sw_code sw_layer_finish(struct sw_layer_writer *w, struct sw_layer_blob *ret,
                             struct sw_error *err) {
    static const char end[2 * SW_TAR_BLOCK];
    enum sw_code code = sw_layer_write(w, end, sizeof end, err);
    return code ? code : sw_layer_finish_raw(w, ret, err);
}

enum sw_code sw_layer_finish_raw(struct sw_layer_writer *w, struct sw_layer_blob *ret,
                                 struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (w->current && w->current->in_len) code = hand_over(w, err);
    if (!code) code = drain(w, err);
    if (code) return code;
    uint8_t frame[SW_COMPRESS_FRAME_MAX];
    size_t n = sw_compress_trailer(&w->compressor, w->sum, frame);
    sw_hasher_add(&w->output, frame, n);
    w->output_size += n;
    code = sw_write_full(w->blob.fd, frame, n, err);
    if (code) return sw_context(err, "writing a layer");
    ret->diff_id = sw_hasher_finish(&w->archive);
    ret->digest = sw_hasher_finish(&w->output);
    ret->size = w->output_size;
    ret->archive_size = w->archive_size;
    ret->compression = w->compressor.kind;
    return sw_blob_commit(&w->blob, &ret->digest, ret->size, NULL, NULL, err);
}

void sw_layer_free(struct sw_layer_writer *w) {
    if (!w) return;
    sw_group_free(w->group);
    for (size_t i = 0; i < w->n_slots; i++) {
        free(w->slots[i].in);
        free(w->slots[i].out);
    }
    for (size_t i = 0; i < w->n_workers; i++) sw_compress_worker_free(w->workers[i]);
    free(w->slots);
    free(w->workers);
    sw_buf_done(&w->header);
    sw_blob_abort(&w->blob);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}

void sw_layer_freep(struct sw_layer_writer **w) { sw_layer_free(*w); }
