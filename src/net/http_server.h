/* HTTP/1.1 server: epoll and a pool of threads, TLS, zero-copy files, bounded everywhere.
 *
 * Floor 3. libmicrohttpd behind this file alone. The handler's functions are called on any thread
 * that serves connections, but never at once for one exchange. Such a thread serves many
 * connections, so they must not wait: what waits for a disk, a lock or a peer, or computes for
 * long, goes to other threads with sw_exchange_defer() or sw_exchange_run().
 *
 *     head --> body* --> end --> (the reply is sent) --> done
 *
 * head may reply at once: a small body is then read and dropped so that the client sees the reply,
 * a large one ends the connection after it. Requests that could be understood in two ways (two
 * lengths, a length and a transfer coding, two hosts) are refused before the handler sees them.
 */
#ifndef SW_NET_HTTP_SERVER_H
#define SW_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

struct sw_server;
struct sw_exchange_internal;

/* One request and its response. Views last until done. */
struct sw_exchange {
    struct sw_str method;
    struct sw_str path;     /* as sent, not decoded, without the query */
    struct sw_str query;    /* as sent, without '?' */
    struct sw_str client;   /* numeric address, no port */
    bool tls;               /* this connection is encrypted */
    bool has_length;        /* Content-Length was sent */
    bool chunked;           /* the body comes without a length */
    uint64_t body_size;     /* of the request, where has_length */
    uint64_t body_received; /* so far */
    int64_t start_ns;       /* monotonic */
    int status;             /* of the reply; 0 while there is none */
    uint64_t reply_size;    /* bytes of the reply's body */
    struct sw_arena arena;  /* for the handler; ends after done */
    void *state;            /* the handler's */
    struct sw_exchange_internal *internal;
};

struct sw_server_handler {
    void *context;
    /* The headers are there. Replying here refuses the body. */
    void (*head)(void *context, struct sw_exchange *x);
    /* A piece of the body; not called after a reply. Returns how much of it was taken: less than
     * len after sw_exchange_hold() alone. */
    size_t (*body)(void *context, struct sw_exchange *x, const void *bytes, size_t len);
    /* The body is complete. Replies, or defers to a job that does. Not called after a reply. */
    void (*end)(void *context, struct sw_exchange *x);
    /* The exchange is over; complete says whether everything was received and sent. True keeps x
     * and its arena (not its headers) until sw_exchange_free(). */
    bool (*done)(void *context, struct sw_exchange *x, bool complete);
};

/* Zero stands for the default. Strings are copied. */
struct sw_server_options {
    const char *address;         /* "127.0.0.1:5000", "[::1]:0", ":5000" */
    const char *tls_cert;        /* PEM chain; NULL: no TLS. Read again when it changes */
    const char *tls_key;         /* PEM */
    unsigned threads;            /* 16: some wait for the disk while others work */
    unsigned connections_max;    /* 4096 */
    unsigned connections_per_ip; /* no limit */
    unsigned head_timeout_s;     /* 60: from connection or last reply to the end of the headers */
    unsigned idle_timeout_s;     /* 120: without any byte */
    unsigned speed_window_s;     /* 60: after so long below speed_min, the peer is let go */
    unsigned speed_min;          /* 512 bytes a second */
    unsigned slow_threads;       /* 2, for SW_WORK_SLOW */
    unsigned io_threads;         /* 16, for SW_WORK_IO */
    struct sw_server_handler handler;
};

SW_NODISCARD enum sw_code sw_server_start(const struct sw_server_options *options,
                                          struct sw_server **ret, struct sw_error *err);
/* The port that was bound (of use with port 0). */
unsigned sw_server_port(const struct sw_server *s);
/* Connections that are open now. */
unsigned sw_server_connections(const struct sw_server *s);
/* Accepts nothing more, lets requests end for at most grace_ms, then closes what is left. */
void sw_server_stop(struct sw_server *s, unsigned grace_ms);

/* Who serves it: known before sw_server_start() has returned. */
struct sw_server *sw_exchange_server(const struct sw_exchange *x);
/* A request header, any case; ptr NULL when it was not sent. */
struct sw_str sw_exchange_header(const struct sw_exchange *x, const char *name);

/* Threads besides those that serve connections: some that compute (password hashes), some that
 * wait (for disks, stores, databases), so that neither waits for the other. */
enum sw_work { SW_WORK_SLOW, SW_WORK_IO };
/* Runs job(context, x) on such a thread, then goes on: with end or the body where the job did not
 * reply. One at a time, from head, end, or such a job. */
void sw_exchange_defer(struct sw_exchange *x, enum sw_work kind,
                       void (*job)(void *context, struct sw_exchange *x));
/* Runs job(argument) on such a thread besides the exchange; it must end before x is freed. */
void sw_exchange_run(struct sw_exchange *x, enum sw_work kind, void (*job)(void *argument),
                     void *argument);
/* From body: nothing more is received until sw_exchange_go_on(), which any thread may call, but
 * only after this returned. */
void sw_exchange_hold(struct sw_exchange *x);
void sw_exchange_go_on(struct sw_exchange *x);
/* An exchange that done() kept. */
void sw_exchange_free(struct sw_exchange *x);

/* Headers come before the reply; name and value are copied. A value that no header may have (line
 * breaks) is left out. */
void sw_reply_header(struct sw_exchange *x, const char *name, struct sw_str value);
/* The bytes are copied. For HEAD they give the length only. */
void sw_reply_bytes(struct sw_exchange *x, int status, struct sw_str bytes);
/* Takes the descriptor. Sent by the kernel (sendfile) where there is no TLS. */
void sw_reply_file(struct sw_exchange *x, int status, int fd, uint64_t offset, uint64_t len);
/* No body, but the length that one would have had (HEAD of what is not opened). */
void sw_reply_length(struct sw_exchange *x, int status, uint64_t len);
/* A body that is made while it is sent: read (on a thread of SW_WORK_IO) returns bytes at offset,
 * 0 or less to break off. free is called in the end, always. */
struct sw_reply_source {
    void *context;
    ptrdiff_t (*read)(void *context, uint64_t offset, char *to, size_t len);
    void (*free)(void *context);
};
void sw_reply_stream(struct sw_exchange *x, int status, uint64_t len,
                     const struct sw_reply_source *source);
/* The connection ends after this reply. */
void sw_reply_close(struct sw_exchange *x);

#endif
