/* What the files of the server share: its connections and exchanges (http_server.c), the threads
 * that work besides (http_server_work.c), certificates that are read again when they change
 * (http_server_tls.c).
 *
 * Floor 3. Thread-safe.
 */
#ifndef SW_NET_HTTP_SERVER_INTERNAL_H
#define SW_NET_HTTP_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "net/http_server.h"
#include "net/mhd_api.h"

#define REPLY_HEADERS_MAX 24

enum conn_phase { CONN_HEAD, CONN_RECEIVING, CONN_WORKING, CONN_SENDING };

struct conn {
    struct sw_server *server;
    struct conn *prev, *next;
    int fd;
    _Atomic int phase;        /* enum conn_phase */
    _Atomic int64_t since_ns; /* when the phase began */
    uint64_t window_bytes;    /* the watchdog's: the kernel's count when its window began */
    int64_t window_ns;
};
void conn_enter(struct conn *c, enum conn_phase phase);

enum phase { PHASE_START, PHASE_HEAD, PHASE_BODY, PHASE_END, PHASE_REPLIED };

struct sw_exchange_internal {
    struct sw_exchange x;
    struct sw_server *server;
    struct conn *conn;
    struct MHD_Connection *connection;
    enum phase phase;
    struct MHD_Response *response;
    struct {
        const char *name;
        char *value;
    } headers[REPLY_HEADERS_MAX];
    unsigned n_headers;
    bool close;
    void (*job)(void *context, struct sw_exchange *x);
    enum sw_work job_kind;
    bool head_done;
};
void set_response(struct sw_exchange *x, int status, uint64_t size, struct MHD_Response *r);

/* Threads for enum sw_work. */
struct work {
    struct sw_pool *pool[2];
    struct sw_group *group[2];
    pthread_mutex_t lock; /* of ended */
    bool ended;
};
/* queue: more than the jobs that there can be at once, so that asking for one never waits. */
void work_start(struct work *w, unsigned slow_threads, unsigned io_threads, unsigned queue);
/* Waits for the jobs; later ones run at once, on the thread that asks. */
void work_end(struct work *w);
/* Suspends the connection and runs the job that the handler asked for, if it did. */
bool work_deferred(struct sw_exchange_internal *e);

struct sw_server {
    struct sw_server_handler handler;
    struct MHD_Daemon *daemon;
    struct sw_server_tls *tls;
    struct work work;
    unsigned port;
    int64_t head_timeout_ns, window_ns;
    uint64_t window_bytes_min;
    pthread_mutex_t lock; /* of the list */
    struct conn *conns;
    unsigned n_conns;
    pthread_t watchdog;
    pthread_cond_t stop_cond;
    bool stopping, watchdog_runs;
};

struct sw_server_tls;

SW_NODISCARD enum sw_code sw_server_tls_new(const char *cert, const char *key,
                                            struct sw_server_tls **ret, struct sw_error *err);
void sw_server_tls_free(struct sw_server_tls *t);
/* Reads the files again where they have changed. What cannot be read leaves the old pair in use
 * and is logged. */
void sw_server_tls_refresh(struct sw_server_tls *t, int64_t now_s);
/* The daemon's certificate callback (gnutls_certificate_retrieve_function2), and the object that
 * it serves; one of each in a process. */
void *sw_server_tls_callback(void);

#endif
