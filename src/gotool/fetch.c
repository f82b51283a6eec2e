#include "gotool/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"

enum {
    TAIL_BYTES = 2 << 20, /* the directory of a toolchain's zip has 1.3 to 2 MiB */
    TAIL_WORTH = 8 << 20, /* where less than this is to come, waiting costs nothing */
    HASH_PIECE = 1 << 20,
};

static void move_on(struct sw_go_fetch *f, uint64_t arrived, uint64_t total) {
    pthread_mutex_lock(&f->lock);
    f->arrived = arrived;
    if (total) f->total = total;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
}

struct sink {
    struct sw_go_fetch *f;
    struct sw_http_response *r;
    uint64_t at;
};

static enum sw_code take(void *context, const void *bytes, size_t len, struct sw_error *err) {
    struct sink *s = context;
    struct sw_go_fetch *f = s->f;
    pthread_mutex_lock(&f->lock);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->lock);
    if (stop) return sw_fail(err, SW_CANCELLED, "stopped");
    const char *p = bytes;
    uint64_t at = s->at;
    /* The byte that was asked for again to make every range request satisfiable. */
    uint64_t again = f->arrived > at ? f->arrived - at : 0;
    if (again > len) again = len;
    if (f->want_sha256) sw_hasher_add(&f->hasher, p + again, len - (size_t)again);
    while (len) {
        ssize_t n = pwrite(f->fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sw_fail_sys(err, errno, "write the download");
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    s->at = at;
    move_on(f, at, s->r->total_size);
    return SW_OK;
}

static void show(void *context, uint64_t done, uint64_t total) {
    struct sw_go_fetch *f = context;
    sw_progress_bytes(f->progress, f->step, SW_STR("download"), done, total);
}

/* Hashes what an earlier run left. */
static enum sw_code hash_prefix(struct sw_go_fetch *f, uint64_t len, struct sw_error *err) {
    sw_hasher_init(&f->hasher, SW_SHA256);
    SW_FREE char *piece = sw_malloc(HASH_PIECE);
    for (uint64_t at = 0; at < len && f->want_sha256;) {
        uint64_t want = len - at < HASH_PIECE ? len - at : HASH_PIECE;
        ssize_t n = sw_sys_pread(f->fd, piece, (size_t)want, (off_t)at);
        if (n < 0) return sw_fail_sys(err, errno, "read the download");
        if (n == 0) return sw_fail(err, SW_CORRUPT, "the download became shorter");
        sw_hasher_add(&f->hasher, piece, (size_t)n);
        at += (uint64_t)n;
    }
    return SW_OK;
}

static enum sw_code transfer(struct sw_go_fetch *f, struct sw_error *err) {
    SW_HTTP_RESPONSE struct sw_http_response r;
    sw_http_response_init(&r);
    struct sink s = {.f = f, .r = &r, .at = f->arrived ? f->arrived - 1 : 0};
    struct sw_http_request q = {
        .url = f->url,
        .flags = SW_HTTP_ALLOW_FILE,
        .range_start = s.at,
        .sink = take,
        .sink_context = &s,
        .max_body = f->max_bytes,
        .progress = show,
        .progress_context = f,
    };
    enum sw_code code = hash_prefix(f, f->arrived, err);
    if (!code) code = sw_http_get(f->http, &q, &r, err);
    if (code) return code;
    if (r.total_size && s.at != r.total_size)
        return sw_fail(err, SW_NETWORK, "%s: %llu of %llu bytes came", f->url,
                       (unsigned long long)s.at, (unsigned long long)r.total_size);
    move_on(f, s.at, s.at);
    return SW_OK;
}

static void finish(struct sw_go_fetch *f, enum sw_code code) {
    if (!code && f->want_sha256) f->sha256 = sw_hasher_finish(&f->hasher);
    pthread_mutex_lock(&f->lock);
    f->code = code;
    f->finished = true;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
}

static void *run(void *context) {
    struct sw_go_fetch *f = context;
    finish(f, transfer(f, &f->err));
    return NULL;
}

static void prepare(struct sw_go_fetch *f) {
    *f = (struct sw_go_fetch){.fd = -1};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->moved, NULL);
    f->started = true;
    f->joined = true;
}

enum sw_code sw_go_fetch_start(struct sw_go_fetch *f, const struct sw_go_fetch_options *o,
                               struct sw_error *err) {
    struct stat st;
    prepare(f);
    int flags = O_RDWR | O_CREAT | O_NOFOLLOW | (o->fresh ? O_TRUNC : 0);
    enum sw_code code = sw_open_at(o->dirfd, o->name, flags, 0644, &f->fd, err);
    if (code) return code;
    if (fstat(f->fd, &st) < 0) return sw_fail_sys(err, errno, "stat %s", o->name);
    f->http = o->http;
    f->url = sw_strdup(o->url);
    f->progress = o->progress;
    f->step = o->step;
    f->max_bytes = o->max_bytes;
    f->want_sha256 = o->want_sha256;
    f->arrived = f->resumed = (uint64_t)st.st_size;
    int failed = pthread_create(&f->thread, NULL, run, f);
    if (failed) return sw_fail_sys(err, failed, "start a thread");
    f->joined = false;
    return SW_OK;
}

enum sw_code sw_go_fetch_local(struct sw_go_fetch *f, int fd, bool want_sha256,
                               struct sw_error *err) {
    struct stat st;
    prepare(f);
    f->fd = fd;
    f->want_sha256 = want_sha256;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "stat the archive");
    if (!S_ISREG(st.st_mode)) return sw_fail(err, SW_USAGE, "the archive is not a file");
    f->arrived = f->total = (uint64_t)st.st_size;
    enum sw_code code = hash_prefix(f, f->total, err);
    finish(f, code);
    return code;
}

/* Fetches the end of the archive on a second connection. It may fail: then its bytes are waited
 * for like all others. */
static void fetch_tail(struct sw_go_fetch *f, uint64_t total) {
    SW_HTTP_RESPONSE struct sw_http_response r;
    struct sw_error ignored;
    sw_http_response_init(&r);
    struct sw_http_request q = {
        .url = f->url,
        .flags = SW_HTTP_EXACT_RANGE,
        .range_start = total - TAIL_BYTES,
        .max_body = TAIL_BYTES,
    };
    if (sw_http_get(f->http, &q, &r, &ignored) || r.status != 206 || r.total_size != total ||
        r.body.len != TAIL_BYTES) {
        sw_debug("gotool", "the archive's end was not fetched ahead");
        return;
    }
    f->tail_start = total - TAIL_BYTES;
    f->tail_len = r.body.len;
    f->tail = sw_buf_steal(&r.body);
}

/* Waits until `until` bytes are there; returns what is there. */
static enum sw_code wait_for(struct sw_go_fetch *f, uint64_t until, uint64_t *ret_arrived,
                             struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&f->lock);
    while (f->arrived < until && !f->finished) pthread_cond_wait(&f->moved, &f->lock);
    *ret_arrived = f->arrived;
    if (f->finished && f->code && f->arrived < until) {
        *err = f->err;
        code = f->code;
    }
    pthread_mutex_unlock(&f->lock);
    return code;
}

static enum sw_code read_source(void *context, uint64_t offset, void *to, size_t len,
                                struct sw_error *err) {
    struct sw_go_fetch *f = context;
    if (f->tail && offset >= f->tail_start && offset - f->tail_start <= f->tail_len &&
        len <= f->tail_len - (offset - f->tail_start)) {
        memcpy(to, f->tail + (offset - f->tail_start), len);
        return SW_OK;
    }
    char *p = to;
    while (len) {
        size_t n;
        enum sw_code code = sw_go_fetch_read(f, offset, p, len, &n, err);
        if (code) return code;
        if (!n) return sw_fail(err, SW_CORRUPT, "the archive ends too early");
        p += n;
        offset += n;
        len -= n;
    }
    return SW_OK;
}

enum sw_code sw_go_fetch_source(struct sw_go_fetch *f, bool ahead, struct sw_source *ret,
                                struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&f->lock);
    while (!f->finished && !f->total) pthread_cond_wait(&f->moved, &f->lock);
    if (f->finished && f->code) {
        *err = f->err;
        code = f->code;
    }
    uint64_t total = f->total;
    bool far = total > TAIL_WORTH && total - f->arrived > TAIL_WORTH && !f->finished;
    pthread_mutex_unlock(&f->lock);
    if (code) return code;
    if (ahead && far && strncmp(f->url, "file:", 5) != 0) fetch_tail(f, total);
    *ret = (struct sw_source){read_source, f, total};
    return SW_OK;
}

enum sw_code sw_go_fetch_read(struct sw_go_fetch *f, uint64_t offset, void *to, size_t len,
                              size_t *ret_len, struct sw_error *err) {
    uint64_t arrived;
    enum sw_code code = wait_for(f, offset + len, &arrived, err);
    if (code) return code;
    ssize_t n = sw_sys_pread(f->fd, to, len, (off_t)offset);
    if (n < 0) return sw_fail_sys(err, errno, "read the archive");
    *ret_len = (size_t)n;
    return SW_OK;
}

enum sw_code sw_go_fetch_wait(struct sw_go_fetch *f, struct sw_error *err) {
    if (!f->joined) {
        pthread_join(f->thread, NULL);
        f->joined = true;
    }
    if (f->code) *err = f->err;
    return f->code;
}

bool sw_go_fetch_failed(struct sw_go_fetch *f) {
    pthread_mutex_lock(&f->lock);
    bool failed = f->finished && f->code;
    pthread_mutex_unlock(&f->lock);
    return failed;
}

void sw_go_fetch_done(struct sw_go_fetch *f) {
    if (f->started) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_mutex_unlock(&f->lock);
        if (!f->joined) pthread_join(f->thread, NULL);
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->moved);
    }
    sw_closep(&f->fd);
    free(f->url);
    free(f->tail);
    *f = (struct sw_go_fetch){.fd = -1};
}
