/* Datagrams of published ports: a socket inside for each peer outside, until it was idle too
 * long. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/forward_internal.h"

#define IDLE_NS INT64_C(60000000000)
#define TURNS_MAX 64
#define DATAGRAM_MAX 65536

static void unlink_peer(struct udp_peer *p) {
    if (p->newer) {
        p->newer->older = p->older;
    } else {
        p->listener->newest = p->older;
    }
    if (p->older) p->older->newer = p->newer;
    p->newer = p->older = NULL;
}

static void link_newest(struct listener *l, struct udp_peer *p) {
    p->older = l->newest;
    if (p->older) p->older->newer = p;
    l->newest = p;
}

static void drop_peer(struct udp_peer *p) {
    unlink_peer(p);
    p->listener->n_peers--;
    close(p->fd);
    free(p);
}

/* Busy peers are near the front, so the search is short. */
static struct udp_peer *find_peer(struct listener *l, const union address *a, socklen_t len) {
    struct udp_peer *p = l->newest;
    while (p && (p->address_len != len || memcmp(&p->address, a, len) != 0)) p = p->older;
    return p;
}

static struct udp_peer *add_peer(struct sw_forward *f, struct listener *l, const union address *a,
                                 socklen_t len) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(l->port.port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (l->n_peers >= SW_FORWARD_UDP_PEERS_MAX) {
        struct udp_peer *oldest = l->newest;
        while (oldest->older) oldest = oldest->older;
        drop_peer(oldest);
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return NULL;
    struct udp_peer *p = sw_calloc(1, sizeof *p);
    p->endpoint = (struct endpoint){ENDPOINT_UDP, p};
    p->fd = fd;
    p->address = *a;
    p->address_len = len;
    p->listener = l;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        forward_watch(f, fd, EPOLLIN, &p->endpoint) < 0) {
        close(fd);
        free(p);
        return NULL;
    }
    l->n_peers++;
    link_newest(l, p);
    return p;
}

void forward_udp_receive(struct sw_forward *f, struct listener *l) {
    static _Thread_local char datagram[DATAGRAM_MAX];
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        union address from = {0};
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(l->fd, datagram, sizeof datagram, 0, &from.any, &len);
        if (n < 0) return;
        struct udp_peer *p = find_peer(l, &from, len);
        if (p) {
            unlink_peer(p);
            link_newest(l, p);
        } else {
            p = add_peer(f, l, &from, len);
        }
        if (!p) continue; /* as any router without room: the datagram is lost */
        p->used_ns = sw_now_mono_ns();
        (void)!send(p->fd, datagram, (size_t)n, MSG_NOSIGNAL);
    }
}

void forward_udp_reply(struct sw_forward *f, struct udp_peer *p) {
    static _Thread_local char datagram[DATAGRAM_MAX];
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        ssize_t n = recv(p->fd, datagram, sizeof datagram, 0);
        if (n < 0)
            return; /* also "refused": nobody listens inside, the peer's own time limit ends it */
        p->used_ns = sw_now_mono_ns();
        (void)!sendto(p->listener->fd, datagram, (size_t)n, MSG_NOSIGNAL, &p->address.any,
                      p->address_len);
    }
}

void forward_udp_expire(struct sw_forward *f, int64_t now) {
    for (size_t i = 0; i < f->n_listeners; i++) {
        struct udp_peer *older;
        for (struct udp_peer *p = f->listeners[i].newest; p; p = older) {
            older = p->older;
            if (now - p->used_ns > IDLE_NS) drop_peer(p);
        }
    }
}
