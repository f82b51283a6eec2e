/* Layers straight from a registry: a thread downloads into a socket, the scanner reads from its
 * other end. Nothing is kept; a reader that stops early stops the download.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "scan/origin_internal.h"

/* What the downloader may be ahead of the reader. */
#define AHEAD_BYTES (1 << 20)

struct download {
    struct sw_remote *remote;
    struct sw_repository repo;
    struct sw_digest digest;
    uint64_t size;
    int fd; /* to write to; owned by the thread */
    struct sw_hasher hasher;
    pthread_t thread;
    bool unread; /* the reader stopped: no fault of the registry's */
    enum sw_code code;
    struct sw_error err;
};

static enum sw_code send_on(void *context, const void *bytes, size_t len, struct sw_error *err) {
    struct download *d = context;
    sw_hasher_add(&d->hasher, bytes, len);
    while (len) {
        ssize_t n = send(d->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            d->unread = errno == EPIPE || errno == ECONNRESET;
            return sw_fail_sys(err, errno, "handing on a layer");
        }
        bytes = (const char *)bytes + n;
        len -= (size_t)n;
    }
    return SW_OK;
}

static void *run_download(void *context) {
    struct download *d = context;
    d->code = sw_remote_blob_get(d->remote, d->repo, &d->digest, d->size, 0, send_on, d, NULL, NULL,
                                 &d->err);
    struct sw_digest is = sw_hasher_finish(&d->hasher);
    if (!d->code && !sw_digest_eq(&is, &d->digest))
        d->code = sw_fail(&d->err, SW_CORRUPT, "the registry sent other bytes than the digest's");
    sw_closep(&d->fd);
    return NULL;
}

enum sw_code origin_remote_open(struct origin *p, const struct sw_digest *digest, uint64_t size,
                                struct blob *ret, struct sw_error *err) {
    int ends[2], ahead = AHEAD_BYTES;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return sw_fail_sys(err, errno, "making a socket for a layer");
    /* A smaller buffer is slower, nothing else. */
    (void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &ahead, sizeof ahead);
    struct download *d = sw_calloc(1, sizeof *d);
    d->remote = p->remote;
    d->repo = p->repo;
    d->digest = *digest;
    d->size = size;
    d->fd = ends[1];
    sw_hasher_init(&d->hasher, (enum sw_digest_alg)digest->alg);
    int rc = pthread_create(&d->thread, NULL, run_download, d);
    if (rc) {
        close(ends[0]);
        close(ends[1]);
        free(d);
        return sw_fail_sys(err, rc, "starting a download");
    }
    *ret = (struct blob){ends[0], 0, size, d};
    return SW_OK;
}

enum sw_code origin_remote_close(struct blob *b, enum sw_code so_far, struct sw_error *err) {
    struct download *d = b->download;
    sw_closep(&b->fd);
    pthread_join(d->thread, NULL);
    b->download = NULL;
    enum sw_code code = so_far;
    /* Bytes that do not match their digest explain why they could not be read. */
    if (d->code && !(so_far && d->unread)) {
        *err = d->err;
        code = d->code;
    }
    free(d);
    return code;
}

static enum sw_code collect(void *context, const void *bytes, size_t len, struct sw_error *err) {
    struct sw_buf *b = context;
    sw_buf_add_bytes(b, bytes, len);
    return sw_buf_check(b, "a document of the registry", err);
}

enum sw_code origin_remote_document(struct origin *p, const struct sw_descriptor *d,
                                    struct sw_str *ret, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    sw_buf_init(&bytes, SW_OCI_DOCUMENT_MAX);
    enum sw_code code = sw_remote_blob_get(p->remote, p->repo, &d->digest, (uint64_t)d->size, 0,
                                           collect, &bytes, NULL, NULL, err);
    if (code) return code;
    struct sw_digest is = sw_digest_of((enum sw_digest_alg)d->digest.alg, sw_buf_str(&bytes));
    if (!sw_digest_eq(&is, &d->digest))
        return sw_fail(err, SW_CORRUPT, "a document does not match its digest");
    *ret = sw_arena_str(p->a, sw_buf_str(&bytes));
    return SW_OK;
}
