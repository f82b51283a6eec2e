/* An archive that arrives while it is being unpacked.
 *
 * Floor 5. A fetch has a thread of its own that writes to a file; any thread reads what has arrived
 * and waits for what has not. A file that is there in part is gone on with.
 */
#ifndef SW_GOTOOL_FETCH_H
#define SW_GOTOOL_FETCH_H

#include <pthread.h>

#include "base/progress.h"
#include "codec/digest.h"
#include "codec/object.h"
#include "net/http_client.h"

struct sw_go_fetch {
    struct sw_http *http;         /* borrowed */
    char *url;                    /* owned; NULL for a local file */
    int fd;                       /* owned */
    struct sw_progress *progress; /* borrowed; may be NULL */
    unsigned step;
    uint64_t max_bytes;
    bool want_sha256;

    pthread_t thread;
    bool started, joined;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* Under the lock. */
    uint64_t arrived; /* bytes from the start that are in the file */
    uint64_t total;   /* 0 unknown */
    bool finished, stop;
    enum sw_code code;
    struct sw_error err;

    uint64_t resumed; /* bytes that an earlier run had fetched */
    struct sw_hasher hasher;
    struct sw_digest sha256; /* of the whole file, once finished */
    char *tail;              /* owned; the end of the archive, fetched ahead */
    uint64_t tail_start, tail_len;
};

struct sw_go_fetch_options {
    struct sw_http *http;
    const char *url;
    int dirfd;        /* where the file is kept until it is done */
    const char *name; /* "go1.21.3.zip.part" */
    uint64_t max_bytes;
    bool want_sha256;
    bool fresh; /* drops what is there */
    struct sw_progress *progress;
    unsigned step;
};

/* Starts. The struct must not move until _done. */
SW_NODISCARD enum sw_code sw_go_fetch_start(struct sw_go_fetch *f,
                                            const struct sw_go_fetch_options *options,
                                            struct sw_error *err);
/* A file that is there whole; takes the descriptor. */
SW_NODISCARD enum sw_code sw_go_fetch_local(struct sw_go_fetch *f, int fd, bool want_sha256,
                                            struct sw_error *err);
/* Waits until the size is known and returns a source over the archive; with ahead set, fetches the
 * archive's end first where that helps (zip directories stand there). */
SW_NODISCARD enum sw_code sw_go_fetch_source(struct sw_go_fetch *f, bool ahead,
                                             struct sw_source *ret, struct sw_error *err);
/* Reads up to len bytes from offset, waiting for at least one; *ret_len 0 is the end. */
SW_NODISCARD enum sw_code sw_go_fetch_read(struct sw_go_fetch *f, uint64_t offset, void *to,
                                           size_t len, size_t *ret_len, struct sw_error *err);
/* Waits for the end. */
SW_NODISCARD enum sw_code sw_go_fetch_wait(struct sw_go_fetch *f, struct sw_error *err);
/* Whether the transfer itself has failed. */
bool sw_go_fetch_failed(struct sw_go_fetch *f);
/* Stops what still runs. Safe on a zeroed struct with fd -1. */
void sw_go_fetch_done(struct sw_go_fetch *f);

#endif
