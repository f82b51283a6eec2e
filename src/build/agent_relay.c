#include "build/agent_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

/* A build has a few connections at once; more wait in the backlog. */
#define CONNECTIONS_MAX 32
#define BACKLOG 64

/* Bytes on their way from one side to the other. */
struct way {
    char bytes[16384];
    size_t at, len;
    bool eof;  /* the source has ended */
    bool done; /* and the sink was told */
};

struct connection {
    int fd[2];         /* the build's, the agent's; owned */
    struct way way[2]; /* from fd[0] to fd[1], and back */
};

struct sw_agent_relay {
    struct sockaddr_un agent;
    int listener, stop; /* owned */
    pthread_t thread;
    bool has_thread;
    struct connection *connections[CONNECTIONS_MAX]; /* owned; the first n */
    size_t n;
};

static void drop(struct sw_agent_relay *r, size_t i) {
    close(r->connections[i]->fd[0]);
    close(r->connections[i]->fd[1]);
    free(r->connections[i]);
    r->connections[i] = r->connections[--r->n];
}

static void add(struct sw_agent_relay *r) {
    int type = SOCK_STREAM | SOCK_CLOEXEC;
    int from = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (from < 0) return;
    /* To a local socket this does not take long, or fails. */
    int to = socket(AF_UNIX, type, 0);
    if (to < 0 || connect(to, (struct sockaddr *)&r->agent, sizeof r->agent) < 0 ||
        fcntl(to, F_SETFL, O_NONBLOCK) < 0) {
        if (to >= 0) close(to);
        close(from);
        return;
    }
    struct connection *c = sw_calloc(1, sizeof *c);
    c->fd[0] = from;
    c->fd[1] = to;
    r->connections[r->n++] = c;
}

static bool again(void) { return errno == EAGAIN || errno == EINTR; }

/* Moves what can be moved now; false: this way is broken. */
static bool move(struct way *w, int from, int to) {
    if (!w->len && !w->eof) {
        ssize_t got = read(from, w->bytes, sizeof w->bytes);
        if (got < 0) return again();
        w->at = 0;
        w->len = (size_t)got;
        w->eof = got == 0;
    }
    if (w->len) {
        ssize_t put = send(to, w->bytes + w->at, w->len, MSG_NOSIGNAL);
        if (put < 0) return again();
        w->at += (size_t)put;
        w->len -= (size_t)put;
    }
    if (!w->len && w->eof && !w->done) {
        (void)shutdown(to, SHUT_WR);
        w->done = true;
    }
    return true;
}

/* A side that has nothing to say or to hear is not watched: poll would report its end for ever. */
static struct pollfd wanted(const struct connection *c, int side) {
    const struct way *out = &c->way[side], *in = &c->way[!side];
    short events = 0;
    if (!out->len && !out->eof) events |= POLLIN;
    if (in->len) events |= POLLOUT;
    return (struct pollfd){.fd = events ? c->fd[side] : -1, .events = events};
}

static void *serve(void *argument) {
    struct sw_agent_relay *r = argument;
    struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
    for (;;) {
        fds[0] = (struct pollfd){.fd = r->stop, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = r->n < CONNECTIONS_MAX ? r->listener : -1, .events = POLLIN};
        for (size_t i = 0; i < r->n; i++)
            for (int side = 0; side < 2; side++)
                fds[2 + 2 * i + (size_t)side] = wanted(r->connections[i], side);
        if (poll(fds, 2 + 2 * r->n, -1) < 0 && errno != EINTR) break;
        if (fds[0].revents) break;
        /* From the back, because what is dropped is replaced by the last one. */
        for (size_t i = r->n; i-- > 0;) {
            struct connection *c = r->connections[i];
            bool good =
                move(&c->way[0], c->fd[0], c->fd[1]) && move(&c->way[1], c->fd[1], c->fd[0]);
            if (!good || (c->way[0].done && c->way[1].done)) drop(r, i);
        }
        if (fds[1].revents) add(r);
    }
    while (r->n) drop(r, r->n - 1);
    return NULL;
}

static enum sw_code listen_on(struct sw_agent_relay *r, const struct sw_agent_relay_options *o,
                              struct sw_error *err) {
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    /* By descriptor: the store's own path may be longer than such an address can be. */
    snprintf(own.sun_path, sizeof own.sun_path, "/proc/self/fd/%d/%s", o->dir_fd, o->name);
    r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&own, sizeof own) < 0)
        return sw_fail_sys(err, errno, "make a socket for the ssh agent");
    if (fchownat(o->dir_fd, o->name, o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(o->dir_fd, o->name, o->mode, 0) < 0)
        return sw_fail_sys(err, errno, "give the ssh agent's socket to %u:%u", o->uid, o->gid);
    if (listen(r->listener, BACKLOG) < 0)
        return sw_fail_sys(err, errno, "listen for the ssh agent");
    return SW_OK;
}

enum sw_code sw_agent_relay_start(const struct sw_agent_relay_options *o,
                                  struct sw_agent_relay **ret, struct sw_error *err) {
    struct sw_agent_relay *r = sw_calloc(1, sizeof *r);
    enum sw_code code = SW_OK;
    r->agent.sun_family = AF_UNIX;
    r->listener = r->stop = -1;
    if (o->path.len >= sizeof r->agent.sun_path) {
        code = sw_fail(err, SW_LIMIT, "%.*s is too long for a socket's path", SW_ARG(o->path));
    } else {
        memcpy(r->agent.sun_path, o->path.ptr, o->path.len);
        code = listen_on(r, o, err);
    }
    if (!code && (r->stop = eventfd(0, EFD_CLOEXEC)) < 0)
        code = sw_fail_sys(err, errno, "make an event");
    int failed = code ? 0 : pthread_create(&r->thread, NULL, serve, r);
    if (failed) code = sw_fail_sys(err, failed, "start a thread for the ssh agent");
    r->has_thread = !code;
    if (code) {
        sw_agent_relay_free(r);
        return code;
    }
    *ret = r;
    return SW_OK;
}

void sw_agent_relay_free(struct sw_agent_relay *r) {
    if (!r) return;
    if (r->has_thread) {
        uint64_t one = 1;
        while (write(r->stop, &one, sizeof one) < 0 && errno == EINTR) {
        }
        pthread_join(r->thread, NULL);
    }
    sw_closep(&r->listener);
    sw_closep(&r->stop);
    free(r);
}
