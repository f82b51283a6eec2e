#include "sandbox/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/forward_internal.h"

#define EVENTS_MAX 256
#define BACKLOG 1024
#define RETRY_MS 25
#define PAUSE_MS 100
#define EXPIRE_NS INT64_C(5000000000)

int forward_watch(struct sw_forward *f, int fd, uint32_t events, struct endpoint *endpoint) {
    struct epoll_event event = {.events = events, .data.ptr = endpoint};
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* ---- listening ---- */

static socklen_t listen_address(const struct sw_port *p, bool v4, union address *ret) {
    *ret = (union address){0};
    if (v4 || (p->host_ip[0] && !strchr(p->host_ip, ':'))) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(p->host_port);
        if (p->host_ip[0]) (void)inet_pton(AF_INET, p->host_ip, &ret->v4.sin_addr);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons(p->host_port);
    if (p->host_ip[0]) (void)inet_pton(AF_INET6, p->host_ip, &ret->v6.sin6_addr);
    return sizeof ret->v6;
}

/* A listening socket; -1 and errno. */
static int try_listen(const struct sw_port *p, bool v4) {
    union address address;
    socklen_t len = listen_address(p, v4, &address);
    int one = 1, off = 0;
    int fd = socket(address.any.sa_family,
                    (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (!p->udp) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* "All addresses" is one socket for both families. */
    if (address.any.sa_family == AF_INET6 && !p->host_ip[0])
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, &address.any, len) == 0 && (p->udp || listen(fd, BACKLOG) == 0)) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static enum sw_code open_listener(struct listener *l, struct sw_error *err) {
    struct sw_port *p = &l->port;
    l->fd = try_listen(p, false);
    /* A host without IPv6. */
    if (l->fd < 0 && !p->host_ip[0] && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        l->fd = try_listen(p, true);
    if (l->fd < 0) {
        int saved = errno;
        sw_fail_sys(err, saved, "listen on %s%sport %u/%s", p->host_ip, p->host_ip[0] ? " " : "",
                    p->host_port, p->udp ? "udp" : "tcp");
        if (saved == EADDRINUSE) sw_advise(err, "; another program listens there");
        if (saved == EACCES)
            sw_advise(err,
                      "; ports below 1024 are root's: take a higher one, or allow it with sysctl "
                      "-w net.ipv4.ip_unprivileged_port_start=%u",
                      p->host_port);
        return err->code;
    }
    union address bound = {0};
    socklen_t len = sizeof bound;
    if (getsockname(l->fd, &bound.any, &len) == 0)
        p->host_port =
            ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
    return SW_OK;
}

/* ---- the thread ---- */

static void pause_listeners(struct sw_forward *f) {
    for (size_t i = 0; i < f->n_listeners; i++) {
        struct listener *l = &f->listeners[i];
        if (l->fd < 0 || l->port.udp || l->paused) continue;
        (void)epoll_ctl(f->epoll, EPOLL_CTL_DEL, l->fd, NULL);
        l->paused = true;
    }
}

static void resume_listeners(struct sw_forward *f) {
    f->paused = false;
    for (size_t i = 0; i < f->n_listeners; i++) {
        struct listener *l = &f->listeners[i];
        if (l->paused && forward_watch(f, l->fd, EPOLLIN, &l->endpoint) == 0) l->paused = false;
    }
}

/* False when it is time to end. */
static bool handle(struct sw_forward *f, struct epoll_event *event) {
    struct endpoint *e = event->data.ptr;
    switch (e->kind) {
    case ENDPOINT_STOP:
        return false;
    case ENDPOINT_LISTENER: {
        struct listener *l = e->owner;
        if (l->port.udp) {
            forward_udp_receive(f, l);
        } else {
            forward_accept(f, l);
        }
        break;
    }
    case ENDPOINT_CLIENT:
        forward_connection_event(f, e->owner, false, event->events);
        break;
    case ENDPOINT_INSIDE:
        forward_connection_event(f, e->owner, true, event->events);
        break;
    case ENDPOINT_UDP:
        forward_udp_reply(f, e->owner);
        break;
    }
    return true;
}

/* Peers are dropped to make room while events of the same round may point to them, so datagrams of
 * new peers are handled after the replies. */
static bool handle_all(struct sw_forward *f, struct epoll_event *events, int n) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            struct endpoint *e = events[i].data.ptr;
            if (!e) continue;
            if (pass == 0 && e->kind == ENDPOINT_LISTENER) continue;
            events[i].data.ptr = NULL;
            if (!handle(f, &(struct epoll_event){.events = events[i].events, .data.ptr = e}))
                return false;
        }
    return true;
}

static void serve(struct sw_forward *f) {
    struct epoll_event events[EVENTS_MAX];
    int64_t expired = sw_now_mono_ns();
    for (;;) {
        int timeout = f->n_waiting ? RETRY_MS : f->paused ? PAUSE_MS : 5000;
        int n = epoll_wait(f->epoll, events, EVENTS_MAX, timeout);
        if (n < 0 && errno != EINTR) return;
        if (n > 0 && !handle_all(f, events, n)) return;
        forward_free_dead(f);
        int64_t now = sw_now_mono_ns();
        if (f->n_waiting) forward_retry(f, now);
        forward_free_dead(f);
        if (now - expired > EXPIRE_NS) {
            forward_udp_expire(f, now);
            expired = now;
        }
        if (f->paused) {
            pause_listeners(f);
            if (n <= 0 || f->n_connections < SW_FORWARD_CONNECTIONS_MAX / 2) resume_listeners(f);
        }
    }
}

static void *run(void *argument) {
    struct sw_forward *f = argument;
    /* From here on this thread's sockets are inside. */
    if (f->netns >= 0 && setns(f->netns, CLONE_NEWNET) < 0) f->start_errno = errno;
    bool good = f->start_errno == 0;
    sem_post(&f->ready);
    if (good) serve(f);
    return NULL;
}

/* ---- start and end ---- */

static enum sw_code start(struct sw_forward *f, const struct sw_port *ports, size_t n, int netns,
                          struct sw_error *err) {
    f->listeners = sw_calloc(n + 1, sizeof *f->listeners);
    f->n_listeners = n;
    for (size_t i = 0; i < n; i++) {
        f->listeners[i].endpoint = (struct endpoint){ENDPOINT_LISTENER, &f->listeners[i]};
        f->listeners[i].port = ports[i];
        f->listeners[i].fd = -1;
    }
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        struct listener *l = &f->listeners[i];
        if (netns < 0 && (!l->port.host_port || l->port.host_port == l->port.port)) {
            l->port.host_port = l->port.port; /* it listens there by itself */
            continue;
        }
        enum sw_code code = open_listener(l, err);
        if (code) return code;
        any = true;
    }
    if (!any) return SW_OK;
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->epoll < 0 || f->stop < 0) return sw_fail_sys(err, errno, "make an epoll descriptor");
    if (netns >= 0 && (f->netns = fcntl(netns, F_DUPFD_CLOEXEC, 3)) < 0)
        return sw_fail_sys(err, errno, "keep the network namespace");
    f->stop_endpoint = (struct endpoint){ENDPOINT_STOP, f};
    int r = forward_watch(f, f->stop, EPOLLIN, &f->stop_endpoint);
    for (size_t i = 0; i < n; i++)
        if (f->listeners[i].fd >= 0 && r == 0)
            r = forward_watch(f, f->listeners[i].fd, EPOLLIN, &f->listeners[i].endpoint);
    if (r < 0) return sw_fail_sys(err, errno, "watch the published ports");
    f->started_ns = sw_now_mono_ns();
    /* Signals are for the program's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&f->thread, NULL, run, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r) return sw_fail_sys(err, r, "start a thread for the published ports");
    f->has_thread = true;
    while (sem_wait(&f->ready) < 0 && errno == EINTR) continue;
    if (f->start_errno) return sw_fail_sys(err, f->start_errno, "join the sandbox's network");
    return SW_OK;
}

enum sw_code sw_forward_start(const struct sw_port *ports, size_t n, int netns,
                              struct sw_forward **ret, struct sw_error *err) {
    if (n > SW_FORWARD_PORTS_MAX)
        return sw_fail(err, SW_LIMIT, "%zu published ports: at most %d", n, SW_FORWARD_PORTS_MAX);
    struct sw_forward *f = sw_calloc(1, sizeof *f);
    f->netns = f->epoll = f->stop = -1;
    sem_init(&f->ready, 0, 0);
    enum sw_code code = start(f, ports, n, netns, err);
    if (code) {
        sw_forward_free(f);
        return code;
    }
    *ret = f;
    return SW_OK;
}

uint16_t sw_forward_host_port(const struct sw_forward *f, size_t n) {
    return f->listeners[n].port.host_port;
}

void sw_forward_free(struct sw_forward *f) {
    if (!f) return;
    if (f->has_thread) {
        uint64_t one = 1;
        (void)!write(f->stop, &one, sizeof one);
        pthread_join(f->thread, NULL);
    }
    forward_udp_expire(f, INT64_MAX);
    forward_close_all(f);
    for (size_t i = 0; i < f->n_listeners; i++) sw_closep(&f->listeners[i].fd);
    sw_closep(&f->netns);
    sw_closep(&f->epoll);
    sw_closep(&f->stop);
    sem_destroy(&f->ready);
    free(f->listeners);
    free(f);
}

void sw_forward_freep(struct sw_forward **f) { sw_forward_free(*f); }
