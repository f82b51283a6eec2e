#include "store/layer_stream.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sys.h"
#include "codec/compress.h"

#define CHUNK_SIZE ((size_t)256 << 10)
#define INPUT_SIZE ((size_t)128 << 10)
/* Chunks in flight: 2 MiB for each layer that is being unpacked. */
#define N_CHUNKS 8
#define MAX_BYTES_DEFAULT ((uint64_t)256 << 30)

struct chunk {
    uint8_t *bytes; /* CHUNK_SIZE */
    size_t len;
};

struct sw_layer_stream {
    int fd;
    struct sw_layer_stream_options options;
    struct sw_decompressor *decompressor;
    struct sw_hasher hasher;
    uint8_t *input;
    struct sw_codec_io io;
    atomic_uint_fast64_t read_bytes;
    uint64_t out_bytes;
    bool ended; /* the producer has nothing more */

    struct chunk ring[N_CHUNKS];
    bool lent; /* the chunk at the tail is with the consumer */

    bool threaded; /* a thread was started */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned head, count; /* under the lock: chunks ready, the lent one included */
    bool stop, failed;
    struct sw_error error;
};

/* ---- producing ---- */

static enum sw_code fill_input(struct sw_layer_stream *s, struct sw_error *err) {
    ssize_t n = sw_sys_read(s->fd, s->input, INPUT_SIZE);
    if (n < 0) return sw_fail_sys(err, errno, "read the layer");
    s->io.in = s->input;
    s->io.in_len = (size_t)n;
    s->io.last = n == 0;
    atomic_fetch_add(&s->read_bytes, (uint64_t)n);
    return SW_OK;
}

/* Fills a chunk; a short one (or an empty one) is the last. */
static enum sw_code produce(struct sw_layer_stream *s, struct chunk *c, struct sw_error *err) {
    s->io.out = c->bytes;
    s->io.out_len = CHUNK_SIZE;
    while (s->io.out_len && !s->io.done) {
        enum sw_code code = SW_OK;
        if (!s->io.in_len && !s->io.last) code = fill_input(s, err);
        if (!code) code = sw_decompress(s->decompressor, &s->io, err);
        if (code) return code;
    }
    c->len = CHUNK_SIZE - s->io.out_len;
    sw_hasher_add(&s->hasher, c->bytes, c->len);
    s->out_bytes += c->len;
    return SW_OK;
}

static void *run(void *argument) {
    struct sw_layer_stream *s = argument;
    struct sw_error err = {0};
    for (bool more = true; more;) {
        pthread_mutex_lock(&s->lock);
        while (s->count == N_CHUNKS && !s->stop) pthread_cond_wait(&s->moved, &s->lock);
        bool stop = s->stop;
        unsigned at = (s->head + s->count) % N_CHUNKS;
        pthread_mutex_unlock(&s->lock);
        if (stop) break;
        enum sw_code code = produce(s, &s->ring[at], &err);
        pthread_mutex_lock(&s->lock);
        if (code) {
            s->failed = true;
            s->error = err;
        } else {
            s->count++;
        }
        more = !code && s->ring[at].len == CHUNK_SIZE;
        s->ended = !more;
        pthread_cond_signal(&s->moved);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

static void start_thread(struct sw_layer_stream *s) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s->threaded = pthread_create(&s->thread, NULL, run, s) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ---- consuming ---- */

static enum sw_code next_from_thread(struct sw_layer_stream *s, struct sw_str *ret,
                                     struct sw_error *err) {
    pthread_mutex_lock(&s->lock);
    if (s->lent) {
        s->head = (s->head + 1) % N_CHUNKS;
        s->count--;
        s->lent = false;
        pthread_cond_signal(&s->moved);
    }
    while (!s->count && !s->ended) pthread_cond_wait(&s->moved, &s->lock);
    bool ready = s->count > 0, failed = s->failed;
    if (ready) {
        *ret = sw_str_n((const char *)s->ring[s->head].bytes, s->ring[s->head].len);
        s->lent = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (!ready && failed) {
        *err = s->error;
        return err->code;
    }
    if (!ready) *ret = SW_STR("");
    return SW_OK;
}

enum sw_code sw_layer_stream_next(struct sw_layer_stream *s, struct sw_str *ret,
                                  struct sw_error *err) {
    enum sw_code code = SW_OK;
    if (s->threaded) {
        code = next_from_thread(s, ret, err);
    } else if (s->ended) {
        *ret = SW_STR("");
    } else {
        code = produce(s, &s->ring[0], err);
        s->ended = code || s->ring[0].len < CHUNK_SIZE;
        if (!code) *ret = sw_str_n((const char *)s->ring[0].bytes, s->ring[0].len);
    }
    if (!code && s->options.progress)
        s->options.progress(s->options.ctx, atomic_load(&s->read_bytes));
    return code;
}

static enum sw_code next(void *ctx, struct sw_str *ret_chunk, struct sw_error *err) {
    return sw_layer_stream_next(ctx, ret_chunk, err);
}

struct sw_tar_source sw_layer_stream_source(struct sw_layer_stream *s) {
    return (struct sw_tar_source){.next = next, .ctx = s};
}

enum sw_code sw_layer_stream_finish(struct sw_layer_stream *s, struct sw_digest *ret_digest,
                                    uint64_t *ret_bytes, struct sw_error *err) {
    struct sw_str chunk;
    do {
        enum sw_code code = sw_layer_stream_next(s, &chunk, err);
        if (code) return code;
    } while (chunk.len);
    /* An empty chunk means that the producer has ended and touches nothing any more. */
    if (s->threaded) pthread_join(s->thread, NULL);
    s->threaded = false;
    s->ended = true;
    if (ret_bytes) *ret_bytes = s->out_bytes;
    *ret_digest = sw_hasher_finish(&s->hasher);
    return SW_OK;
}

enum sw_code sw_layer_stream_verify(struct sw_layer_stream *s, const struct sw_digest *diff_id,
                                    struct sw_error *err) {
    struct sw_digest actual;
    enum sw_code code = sw_layer_stream_finish(s, &actual, NULL, err);
    if (code || sw_digest_eq(&actual, diff_id)) return code;
    char want[SW_DIGEST_TEXT_MAX], got[SW_DIGEST_TEXT_MAX];
    sw_digest_format(diff_id, want);
    sw_digest_format(&actual, got);
    return sw_fail(err, SW_CORRUPT, "the layer unpacks to %s, but its diff ID is %s", got, want);
}

/* ---- life ---- */

struct sw_layer_stream *sw_layer_stream_new(int fd, const struct sw_layer_stream_options *options) {
    struct sw_layer_stream *s = sw_calloc(1, sizeof *s);
    s->fd = fd;
    if (options) s->options = *options;
    if (!s->options.max_bytes) s->options.max_bytes = MAX_BYTES_DEFAULT;
    s->decompressor = sw_decompressor_new(s->options.max_bytes);
    sw_hasher_init(&s->hasher, s->options.alg ? s->options.alg : SW_SHA256);
    s->input = sw_malloc(INPUT_SIZE);
    for (unsigned i = 0; i < (s->options.threaded ? N_CHUNKS : 1); i++)
        s->ring[i].bytes = sw_malloc(CHUNK_SIZE);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    if (s->options.threaded) start_thread(s);
    return s;
}

void sw_layer_stream_free(struct sw_layer_stream *s) {
    if (!s) return;
    if (s->threaded) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_broadcast(&s->moved);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    for (unsigned i = 0; i < N_CHUNKS; i++) free(s->ring[i].bytes);
    sw_decompressor_free(s->decompressor);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->moved);
    free(s->input);
    free(s);
}

void sw_layer_stream_freep(struct sw_layer_stream **s) { sw_layer_stream_free(*s); }
