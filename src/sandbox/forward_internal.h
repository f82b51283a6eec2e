/* The parts of the port forwarder: one thread, one epoll descriptor.
 *
 * Floor 3, private. Everything but the fields written before the thread starts belongs to it.
 */
#ifndef SW_SANDBOX_FORWARD_INTERNAL_H
#define SW_SANDBOX_FORWARD_INTERNAL_H

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>

#include "sandbox/forward.h"

enum endpoint_kind {
    ENDPOINT_STOP,
    ENDPOINT_LISTENER,
    ENDPOINT_CLIENT,
    ENDPOINT_INSIDE,
    ENDPOINT_UDP
};

/* What an epoll event points to. */
struct endpoint {
    enum endpoint_kind kind;
    void *owner;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct listener {
    struct endpoint endpoint;
    int fd; /* owned; -1: nothing to do */
    struct sw_port port;
    bool paused;
    struct udp_peer *newest; /* UDP: by last use */
    size_t n_peers;
};

/* One direction of a connection. Bytes travel through a pipe that is borrowed from the pool only
 * while some are in flight, so that an idle connection holds two descriptors. */
struct flow {
    int pipe[2];
    size_t held; /* bytes in the pipe */
    bool eof;    /* the source has ended */
    bool done;   /* and the sink was told */
};

struct connection {
    struct endpoint client, inside;
    int fd[2];           /* client, inside; -1 */
    uint32_t events[2];  /* what epoll watches */
    struct flow flow[2]; /* from fd[0] to fd[1], and back */
    struct listener *listener;
    bool connecting, dead;
    bool v6;             /* the address that is being tried */
    int64_t retry_at_ns; /* 0: no */
    struct connection *next, *previous;
};

struct udp_peer {
    struct endpoint endpoint;
    int fd;
    union address address;
    socklen_t address_len;
    struct listener *listener;
    int64_t used_ns;
    struct udp_peer *newer, *older;
};

#define PIPES_KEPT 64

struct sw_forward {
    struct listener *listeners; /* owned */
    size_t n_listeners;
    int netns; /* owned; -1 */
    int epoll, stop;
    struct endpoint stop_endpoint;
    pthread_t thread;
    bool has_thread;
    sem_t ready;
    int start_errno; /* set before ready */
    int64_t started_ns;

    struct connection *connections, *dead;
    size_t n_connections, n_waiting; /* waiting: with retry_at_ns */
    int pipes[PIPES_KEPT][2];
    size_t n_pipes;
    bool paused; /* listeners wait for a connection to end */
};

int forward_watch(struct sw_forward *f, int fd, uint32_t events, struct endpoint *endpoint);
/* TCP. */
void forward_accept(struct sw_forward *f, struct listener *l);
void forward_connection_event(struct sw_forward *f, struct connection *c, bool inside,
                              uint32_t events);
void forward_retry(struct sw_forward *f, int64_t now);
void forward_free_dead(struct sw_forward *f);
void forward_close_all(struct sw_forward *f);
/* UDP. */
void forward_udp_receive(struct sw_forward *f, struct listener *l);
void forward_udp_reply(struct sw_forward *f, struct udp_peer *p);
void forward_udp_expire(struct sw_forward *f, int64_t now);

#endif
