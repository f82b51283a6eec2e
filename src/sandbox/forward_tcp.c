/* Connections of published ports.
 *
 * A client is accepted, then the service inside is tried on both loopback addresses. While the
 * sandbox is young a refusal is tried again, because its service may not listen yet; after that the
 * client is refused too (by a reset: TCP has no other way once it was accepted).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/forward_internal.h"

#define CHUNK ((size_t)65536)
#define TURNS_MAX 16 /* chunks for one connection before the others have their turn */
#define YOUNG_NS INT64_C(3000000000)
#define RETRY_NS INT64_C(50000000)

/* ---- pipes ---- */

static bool take_pipe(struct sw_forward *f, int to[2]) {
    if (f->n_pipes) {
        f->n_pipes--;
        memcpy(to, f->pipes[f->n_pipes], sizeof f->pipes[0]);
        return true;
    }
    return pipe2(to, O_CLOEXEC | O_NONBLOCK) == 0;
}

/* Gives an empty pipe back. */
static void give_pipe(struct sw_forward *f, int from[2]) {
    if (from[0] < 0) return;
    if (f->n_pipes < PIPES_KEPT) {
        memcpy(f->pipes[f->n_pipes++], from, sizeof f->pipes[0]);
    } else {
        close(from[0]);
        close(from[1]);
    }
    from[0] = from[1] = -1;
}

/* ---- the life of a connection ---- */

static void bury(struct sw_forward *f, struct connection *c, bool reset) {
    if (c->dead) return;
    struct linger now = {.l_onoff = 1};
    for (int i = 0; i < 2; i++) {
        if (c->fd[i] < 0) continue;
        if (reset) (void)setsockopt(c->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(c->fd[i]);
    }
    for (int i = 0; i < 2; i++) {
        struct flow *flow = &c->flow[i];
        if (flow->held) { /* what is in it belongs to nobody else */
            close(flow->pipe[0]);
            close(flow->pipe[1]);
        } else {
            give_pipe(f, flow->pipe);
        }
    }
    if (c->retry_at_ns) f->n_waiting--;
    if (c->previous) {
        c->previous->next = c->next;
    } else {
        f->connections = c->next;
    }
    if (c->next) c->next->previous = c->previous;
    c->dead = true;
    c->next = f->dead; /* events of this round may still point to it */
    f->dead = c;
    f->n_connections--;
}

void forward_free_dead(struct sw_forward *f) {
    while (f->dead) {
        struct connection *next = f->dead->next;
        free(f->dead);
        f->dead = next;
    }
}

void forward_close_all(struct sw_forward *f) {
    while (f->connections) bury(f, f->connections, true);
    forward_free_dead(f);
    while (f->n_pipes) {
        f->n_pipes--;
        close(f->pipes[f->n_pipes][0]);
        close(f->pipes[f->n_pipes][1]);
    }
}

/* Watches a side for what its flows can use; for nothing at all it leaves epoll, which would report
 * a hang-up again and again. */
static void watch(struct sw_forward *f, struct connection *c, int side) {
    const struct flow *out = &c->flow[side], *in = &c->flow[!side];
    struct epoll_event event = {.data.ptr = side ? &c->inside : &c->client};
    if (c->connecting) {
        event.events = side ? EPOLLOUT : 0;
    } else {
        if (!out->eof && out->held == 0) event.events |= EPOLLIN;
        if (in->held) event.events |= EPOLLOUT;
    }
    if (event.events == c->events[side]) return;
    int op = !c->events[side] ? EPOLL_CTL_ADD : event.events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    c->events[side] = event.events;
    (void)epoll_ctl(f->epoll, op, c->fd[side], &event);
}

/* ---- bytes ---- */

/* Moves what can be moved now. False: the connection is broken. */
static bool pump(struct sw_forward *f, struct flow *flow, int from, int to) {
    for (int turn = 0; turn < TURNS_MAX && !flow->done; turn++) {
        if (flow->held == 0 && !flow->eof) {
            if (flow->pipe[0] < 0 && !take_pipe(f, flow->pipe)) return false;
            ssize_t n =
                splice(from, NULL, flow->pipe[1], NULL, CHUNK, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (n < 0 && errno == EAGAIN) break;
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return false;
            flow->eof = n == 0;
            flow->held = (size_t)n;
        }
        if (flow->held) {
            ssize_t n = splice(flow->pipe[0], NULL, to, NULL, flow->held,
                               SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (n < 0 && errno == EAGAIN) return true;
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return false;
            flow->held -= (size_t)n;
        }
        if (flow->held == 0 && flow->eof) {
            (void)shutdown(to, SHUT_WR);
            flow->done = true;
        }
    }
    if (flow->held == 0) give_pipe(f, flow->pipe);
    return true;
}

static void move_bytes(struct sw_forward *f, struct connection *c) {
    for (int i = 0; i < 2; i++) {
        if (!pump(f, &c->flow[i], c->fd[i], c->fd[!i])) {
            bury(f, c, true);
            return;
        }
    }
    if (c->flow[0].done && c->flow[1].done) {
        bury(f, c, false);
        return;
    }
    watch(f, c, 0);
    watch(f, c, 1);
}

/* ---- connecting ---- */

static void connect_inside(struct sw_forward *f, struct connection *c);

static void refused(struct sw_forward *f, struct connection *c, int errnum) {
    int64_t now = sw_now_mono_ns();
    close(c->fd[1]);
    c->fd[1] = -1;
    c->events[1] = 0;
    c->connecting = false;
    bool again = errnum == ECONNREFUSED || errnum == EADDRNOTAVAIL || errnum == EAFNOSUPPORT ||
                 errnum == ENETUNREACH;
    if (again && !c->v6) {
        c->v6 = true;
        connect_inside(f, c);
    } else if (again && now - f->started_ns < YOUNG_NS) {
        c->v6 = false;
        c->retry_at_ns = now + RETRY_NS;
        f->n_waiting++;
    } else {
        bury(f, c, true);
    }
}

static void connect_inside(struct sw_forward *f, struct connection *c) {
    union address to = {0};
    socklen_t len;
    if (c->v6) {
        to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                      .sin6_port = htons(c->listener->port.port),
                                      .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        len = sizeof to.v6;
    } else {
        to.v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_port = htons(c->listener->port.port),
                                     .sin_addr = {htonl(INADDR_LOOPBACK)}};
        len = sizeof to.v4;
    }
    int one = 1;
    c->fd[1] = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd[1] < 0) {
        if (errno == EAFNOSUPPORT) {
            refused(f, c, errno);
        } else {
            bury(f, c, true);
        }
        return;
    }
    (void)setsockopt(c->fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->connecting = connect(c->fd[1], &to.any, len) < 0;
    if (c->connecting && errno != EINPROGRESS) {
        refused(f, c, errno);
    } else if (c->connecting) {
        watch(f, c, 1);
    } else {
        move_bytes(f, c);
    }
}

static void add_connection(struct sw_forward *f, struct listener *l, int fd) {
    struct connection *c = sw_calloc(1, sizeof *c);
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->client = (struct endpoint){ENDPOINT_CLIENT, c};
    c->inside = (struct endpoint){ENDPOINT_INSIDE, c};
    c->fd[0] = fd;
    c->fd[1] = -1;
    c->flow[0].pipe[0] = c->flow[1].pipe[0] = -1;
    c->listener = l;
    c->next = f->connections;
    if (c->next) c->next->previous = c;
    f->connections = c;
    f->n_connections++;
    connect_inside(f, c);
}

void forward_accept(struct sw_forward *f, struct listener *l) {
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if (f->n_connections >= SW_FORWARD_CONNECTIONS_MAX) {
            f->paused = true;
            return;
        }
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            add_connection(f, l, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            f->paused = true;
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

void forward_retry(struct sw_forward *f, int64_t now) {
    struct connection *next;
    for (struct connection *c = f->connections; c && f->n_waiting; c = next) {
        next = c->next;
        if (!c->retry_at_ns || c->retry_at_ns > now) continue;
        c->retry_at_ns = 0;
        f->n_waiting--;
        connect_inside(f, c);
    }
}

void forward_connection_event(struct sw_forward *f, struct connection *c, bool inside,
                              uint32_t events) {
    if (c->dead) return;
    if (c->connecting) {
        int reason = 0;
        socklen_t len = sizeof reason;
        if (!inside) return;
        if (getsockopt(c->fd[1], SOL_SOCKET, SO_ERROR, &reason, &len) < 0) reason = errno;
        if (reason) {
            refused(f, c, reason);
            return;
        }
        c->connecting = false;
    }
    if ((events & EPOLLERR) && !(events & (EPOLLIN | EPOLLOUT))) {
        bury(f, c, true);
        return;
    }
    move_bytes(f, c);
}
