/* How an exchange goes through libmicrohttpd, and the invariants that hold:
 *
 *   START --head--> HEAD --(reply)--> DRAIN | BODY --> END --> REPLIED --> (done, freed)
 *                     \--(defer)--> HEAD again, on resume
 *
 * 1. The reply is queued at the end of the body, or at once together with "Connection: close":
 *    libmicrohttpd must never read what is left of a body as the next request.
 * 2. A connection is in the list of its server as long as its descriptor is open, so that the
 *    watchdog can shut a descriptor down without meeting a reused one.
 * 3. While a job runs or a body is held the connection is suspended: libmicrohttpd does not touch
 *    the exchange.
 */
#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "net/http_server_internal.h"
#include "net/mhd_api.h"

#define CONNECTION_MEMORY ((size_t)96 << 10) /* headers at most, and the read buffer of uploads */
#define EXCHANGE_MEMORY ((size_t)64 << 20)   /* a manifest of 4 MiB read into a tree */
#define DRAIN_MAX ((uint64_t)1 << 20)        /* of a refused body, so that the reply is seen */
#define BACKLOG 1024
#define CONNECTIONS 4096

/* ---- replies ---- */

void sw_reply_header(struct sw_exchange *x, const char *name, struct sw_str value) {
    struct sw_exchange_internal *e = x->internal;
    if (e->n_headers == REPLY_HEADERS_MAX) return;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 127) return;
    e->headers[e->n_headers].name = sw_arena_cstr(&x->arena, sw_str(name));
    e->headers[e->n_headers++].value = sw_arena_cstr(&x->arena, value);
}

void sw_reply_close(struct sw_exchange *x) { x->internal->close = true; }

void set_response(struct sw_exchange *x, int status, uint64_t size, struct MHD_Response *r) {
    struct sw_exchange_internal *e = x->internal;
    if (e->response) MHD_destroy_response(e->response);
    e->response = r;
    x->status = status;
    x->reply_size = size;
}

void sw_reply_bytes(struct sw_exchange *x, int status, struct sw_str bytes) {
    set_response(x, status, bytes.len,
                 MHD_create_response_from_buffer(bytes.len, (void *)(uintptr_t)bytes.ptr,
                                                 MHD_RESPMEM_MUST_COPY));
}

void sw_reply_file(struct sw_exchange *x, int status, int fd, uint64_t offset, uint64_t len) {
    struct MHD_Response *r = NULL;
    if (len == 0) {
        close(fd);
        r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else {
        r = MHD_create_response_from_fd_at_offset64(len, fd, offset);
    }
    if (!r) close(fd);
    set_response(x, status, len, r);
}

static ptrdiff_t no_bytes(void *context, uint64_t offset, char *to, size_t len) {
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void sw_reply_length(struct sw_exchange *x, int status, uint64_t len) {
    set_response(x, status, len, MHD_create_response_from_callback(len, 1, no_bytes, NULL, NULL));
}

struct sw_str sw_exchange_header(const struct sw_exchange *x, const char *name) {
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(x->internal->connection, MHD_HEADER_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES)
        return (struct sw_str){NULL, 0};
    return sw_str_n(value ? value : "", len);
}

/* ---- one exchange ---- */

void conn_enter(struct conn *c, enum conn_phase phase) {
    if (!c) return;
    atomic_store_explicit(&c->since_ns, sw_now_mono_ns(), memory_order_relaxed);
    atomic_store_explicit(&c->phase, phase, memory_order_release);
}

/* Called with the request line, before the headers are read. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection) {
    struct sw_exchange_internal *e = sw_calloc(1, sizeof *e);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    e->x.internal = e;
    e->server = context;
    e->connection = connection;
    e->conn = info ? info->socket_context : NULL;
    sw_arena_init(&e->x.arena, EXCHANGE_MEMORY);
    struct sw_str whole = sw_arena_str(&e->x.arena, sw_str(uri));
    sw_str_cut(whole, '?', &e->x.path, &e->x.query);
    e->x.start_ns = sw_now_mono_ns();
    return e;
}

struct framing {
    unsigned lengths, codings, hosts;
    bool bad_coding;
    struct sw_str length;
};
static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *key,
                                    const char *value) {
    struct framing *f = context;
    struct sw_str k = sw_str(key);
    if (sw_str_ieq(k, SW_STR("content-length"))) f->lengths++, f->length = sw_str(value);
    if (sw_str_ieq(k, SW_STR("host"))) f->hosts++;
    if (sw_str_ieq(k, SW_STR("transfer-encoding"))) {
        f->codings++;
        if (!sw_str_ieq(sw_str(value), SW_STR("chunked"))) f->bad_coding = true;
    }
    return MHD_YES;
}

/* What a proxy in front might read differently than libmicrohttpd does (RFC 9112, 6.3). */
static bool framing_ok(struct sw_exchange *x, const char *version) {
    struct framing f = {0};
    struct sw_exchange_internal *e = x->internal;
    MHD_get_connection_values(e->connection, MHD_HEADER_KIND, count_header, &f);
    bool old = strcmp(version, "HTTP/1.1") != 0;
    if (f.lengths > 1 || f.codings > 1 || f.hosts > 1 || f.bad_coding) return false;
    if (f.lengths && f.codings) return false;
    if (old && f.codings) return false;
    if (!old && f.hosts == 0) return false;
    x->chunked = f.codings == 1;
    if (f.lengths) {
        if (f.length.len == 0 || f.length.ptr[0] < '0' || f.length.ptr[0] > '9') return false;
        if (!sw_str_u64(f.length, &x->body_size)) return false;
        x->has_length = true;
    }
    return true;
}

static void fill_client(struct sw_exchange *x) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->internal->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";
    if (info && info->client_addr) {
        const struct sockaddr *sa = info->client_addr;
        if (sa->sa_family == AF_INET) {
            const struct sockaddr_in *in = (const void *)sa;
            inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        } else if (sa->sa_family == AF_INET6) {
            const struct sockaddr_in6 *in6 = (const void *)sa;
            if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
                inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof text);
            else
                inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        }
    }
    x->client = sw_arena_str(&x->arena, sw_str(text));
}

static enum MHD_Result queue(struct sw_exchange_internal *e) {
    struct sw_exchange *x = &e->x;
    if (!e->response) {
        /* Only out of descriptors or a handler that forgot to reply. */
        sw_reply_close(x);
        sw_reply_bytes(x, 500, SW_STR(""));
    }
    for (unsigned i = 0; i < e->n_headers; i++)
        MHD_add_response_header(e->response, e->headers[i].name, e->headers[i].value);
    if (e->close) MHD_add_response_header(e->response, MHD_HTTP_HEADER_CONNECTION, "close");
    e->phase = PHASE_REPLIED;
    conn_enter(e->conn, CONN_SENDING);
    return MHD_queue_response(e->connection, (unsigned)x->status, e->response);
}

/* The headers are there; called again when a job that head asked for has ended. */
static enum MHD_Result on_head(struct sw_exchange_internal *e, const char *version) {
    struct sw_exchange *x = &e->x;
    if (!e->head_done) {
        e->head_done = true;
        x->tls = e->server->tls != NULL;
        fill_client(x);
        if (!framing_ok(x, version)) {
            sw_reply_close(x);
            sw_reply_bytes(x, 400, SW_STR("ambiguous request\n"));
            return queue(e);
        }
        e->server->handler.head(e->server->handler.context, x);
        if (work_deferred(e)) return MHD_YES;
    }
    e->phase = PHASE_BODY;
    conn_enter(e->conn, x->has_length || x->chunked ? CONN_RECEIVING : CONN_WORKING);
    bool has_body = x->chunked || x->body_size > 0;
    if (x->status && has_body && (x->chunked || x->body_size > DRAIN_MAX)) {
        e->close = true;
        return queue(e);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state) {
    struct sw_exchange_internal *e = *state;
    struct sw_server *s = context;
    if (e->phase == PHASE_START) {
        e->x.method = sw_arena_str(&e->x.arena, sw_str(method));
        e->phase = PHASE_HEAD;
    }
    if (e->phase == PHASE_HEAD) return on_head(e, version);
    if (e->phase == PHASE_BODY && *upload_size) {
        size_t taken = *upload_size;
        if (!e->x.status) taken = s->handler.body(s->handler.context, &e->x, upload, taken);
        e->x.body_received += taken;
        *upload_size -= taken;
        return MHD_YES;
    }
    if (e->phase == PHASE_BODY) {
        e->phase = PHASE_END;
        conn_enter(e->conn, CONN_WORKING);
        if (!e->x.status) s->handler.end(s->handler.context, &e->x);
        if (work_deferred(e)) return MHD_YES;
    }
    if (e->phase == PHASE_END) return queue(e);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why) {
    struct sw_exchange_internal *e = *state;
    struct sw_server *s = context;
    if (!e) return;
    bool kept = false, complete = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    struct conn *conn = e->conn;
    struct MHD_Response *response = e->response;
    *state = NULL;
    /* The handler may free a kept exchange before its done() returns. */
    if (e->head_done) kept = s->handler.done(s->handler.context, &e->x, complete);
    if (response) MHD_destroy_response(response);
    conn_enter(conn, CONN_HEAD);
    if (!kept) sw_exchange_free(&e->x);
}

void sw_exchange_free(struct sw_exchange *x) {
    sw_arena_done(&x->arena);
    free(x->internal);
}

/* ---- connections and the watchdog ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct sw_server *s = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct conn *c = sw_calloc(1, sizeof *c);
        c->server = s;
        c->fd = info ? info->connect_fd : -1;
        conn_enter(c, CONN_HEAD);
        pthread_mutex_lock(&s->lock);
        c->next = s->conns;
        if (c->next) c->next->prev = c;
        s->conns = c;
        s->n_conns++;
        pthread_mutex_unlock(&s->lock);
        *socket_context = c;
    } else {
        struct conn *c = *socket_context;
        *socket_context = NULL;
        if (!c) return;
        pthread_mutex_lock(&s->lock);
        if (c->prev)
            c->prev->next = c->next;
        else
            s->conns = c->next;
        if (c->next) c->next->prev = c->prev;
        s->n_conns--;
        pthread_mutex_unlock(&s->lock);
        free(c);
    }
}

/* Bytes that went over a connection, both ways, from the kernel's count. */
static uint64_t bytes_moved(int fd) {
    unsigned char raw[256] = {0};
    socklen_t len = sizeof raw;
    /* tcpi_bytes_acked and tcpi_bytes_received follow the fields that glibc declares. */
    const size_t acked = 120, received = 128;
    uint64_t a = 0, b = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, raw, &len) < 0 || len < received + 8)
        return UINT64_MAX;
    memcpy(&a, raw + acked, 8);
    memcpy(&b, raw + received, 8);
    return a + b;
}

/* True where a peer has held its connection too long for what it does with it. */
static bool too_slow(struct sw_server *s, struct conn *c, int64_t now_ns) {
    int phase = atomic_load_explicit(&c->phase, memory_order_acquire);
    int64_t since = atomic_load_explicit(&c->since_ns, memory_order_relaxed);
    if (phase == CONN_HEAD) return now_ns - since > s->head_timeout_ns;
    if (phase == CONN_WORKING) {
        c->window_ns = 0;
        return false;
    }
    if (c->window_ns < since) {
        c->window_ns = now_ns;
        c->window_bytes = bytes_moved(c->fd);
        return false;
    }
    if (now_ns - c->window_ns < s->window_ns) return false;
    uint64_t moved = bytes_moved(c->fd);
    if (moved == UINT64_MAX || c->window_bytes == UINT64_MAX) return false;
    bool slow = moved - c->window_bytes < s->window_bytes_min;
    c->window_ns = now_ns;
    c->window_bytes = moved;
    return slow;
}

static void *watchdog(void *context) {
    struct sw_server *s = context;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&s->stop_cond, &s->lock, &until);
        int64_t now_ns = sw_now_mono_ns();
        for (struct conn *c = s->conns; c; c = c->next)
            if (c->fd >= 0 && too_slow(s, c, now_ns)) shutdown(c->fd, SHUT_RDWR);
        if (!s->tls) continue;
        pthread_mutex_unlock(&s->lock);
        sw_server_tls_refresh(s->tls, now_ns / 1000000000);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- start and stop ---- */

static enum sw_code listen_on(const char *address, int *ret_fd, unsigned *ret_port,
                              struct sw_error *err) {
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1])
        return sw_fail(err, SW_USAGE, "address %s: write HOST:PORT or :PORT", address);
    char SW_FREE *host = sw_strndup(address, (size_t)(colon - address));
    char *name = host;
    size_t n = strlen(host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = 0;
        name++;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *list = NULL;
    if (!*name) hints.ai_family = AF_INET6; /* takes IPv4, too */
    int rc = getaddrinfo(*name ? name : NULL, colon + 1, &hints, &list);
    if (rc && !*name) {
        hints.ai_family = AF_INET;
        rc = getaddrinfo(NULL, colon + 1, &hints, &list);
    }
    if (rc) return sw_fail(err, SW_USAGE, "address %s: %s", address, gai_strerror(rc));
    SW_FD int fd = -1;
    int on = 1, off = 0, saved = 0;
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        sw_closep(&fd);
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            saved = errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (ai->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, *name ? &on : &off, sizeof on);
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) break;
        saved = errno;
        sw_closep(&fd);
    }
    freeaddrinfo(list);
    if (fd < 0) return sw_fail_sys(err, saved, "listening on %s", address);
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (void *)&bound, &len) < 0)
        return sw_fail_sys(err, errno, "listening on %s", address);
    *ret_port =
        ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&bound)->sin6_port
                                          : ((struct sockaddr_in *)(void *)&bound)->sin_port);
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static unsigned or_default(unsigned value, unsigned standard) { return value ? value : standard; }

SW_PRINTF(2, 0)
static void log_line(void *context, const char *fmt, va_list args) {
    char text[512];
    if (!sw_log_enabled("net", SW_LOG_DEBUG)) return;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\r\n")] = 0;
    sw_log_write("net", SW_LOG_DEBUG, "%s", text);
}

static struct MHD_Daemon *start_daemon(struct sw_server *s, const struct sw_server_options *o,
                                       int listen_fd) {
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_USE_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem items[16];
    unsigned n = 0;
#define ITEM(opt, val, pointer) items[n++] = (struct MHD_OptionItem){opt, (intptr_t)(val), pointer}
    ITEM(MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL);
    ITEM(MHD_OPTION_THREAD_POOL_SIZE, or_default(o->threads, 16), NULL);
    ITEM(MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL);
    ITEM(MHD_OPTION_CONNECTION_LIMIT, or_default(o->connections_max, CONNECTIONS), NULL);
    ITEM(MHD_OPTION_CONNECTION_TIMEOUT, or_default(o->idle_timeout_s, 120), NULL);
    ITEM(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    if (o->connections_per_ip)
        ITEM(MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_ip, NULL);
    if (s->tls) {
        flags |= MHD_USE_TLS;
        ITEM(MHD_OPTION_HTTPS_CERT_CALLBACK, 0, sw_server_tls_callback());
    }
    ITEM(MHD_OPTION_END, 0, NULL);
#undef ITEM
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, log_line, s,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

enum sw_code sw_server_start(const struct sw_server_options *o, struct sw_server **ret,
                             struct sw_error *err) {
    struct sw_server *s = sw_calloc(1, sizeof *s);
    SW_FD int fd = -1;
    enum sw_code code = SW_OK;
    pthread_condattr_t attr;
    s->handler = o->handler;
    s->head_timeout_ns = (int64_t)or_default(o->head_timeout_s, 60) * 1000000000;
    s->window_ns = (int64_t)or_default(o->speed_window_s, 60) * 1000000000;
    s->window_bytes_min =
        (uint64_t)or_default(o->speed_window_s, 60) * or_default(o->speed_min, 512);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->work.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    if (o->tls_cert) code = sw_server_tls_new(o->tls_cert, o->tls_key, &s->tls, err);
    if (!code) code = listen_on(o->address, &fd, &s->port, err);
    if (!code) {
        work_start(&s->work, or_default(o->slow_threads, 2), or_default(o->io_threads, 16),
                   2 * or_default(o->connections_max, CONNECTIONS) + 16);
        s->daemon = start_daemon(s, o, fd);
        if (!s->daemon)
            code = sw_fail(err, SW_IO, "starting the HTTP server on %s", o->address);
        else
            sw_take_fd(&fd); /* libmicrohttpd closes it */
    }
    if (!code && pthread_create(&s->watchdog, NULL, watchdog, s) != 0)
        code = sw_fail(err, SW_IO, "starting a thread of the HTTP server");
    else if (!code)
        s->watchdog_runs = true;
    if (code) {
        sw_server_stop(s, 0);
        return code;
    }
    *ret = s;
    return SW_OK;
}

struct sw_server *sw_exchange_server(const struct sw_exchange *x) {
    return x->internal->server;
}

unsigned sw_server_port(const struct sw_server *s) { return s->port; }

unsigned sw_server_connections(const struct sw_server *s) {
    struct sw_server *m = (struct sw_server *)(uintptr_t)s;
    pthread_mutex_lock(&m->lock);
    unsigned n = s->n_conns;
    pthread_mutex_unlock(&m->lock);
    return n;
}

static bool busy(struct sw_server *s) {
    bool is = false;
    pthread_mutex_lock(&s->lock);
    for (struct conn *c = s->conns; c && !is; c = c->next) is = atomic_load(&c->phase) != CONN_HEAD;
    pthread_mutex_unlock(&s->lock);
    return is;
}

void sw_server_stop(struct sw_server *s, unsigned grace_ms) {
    if (!s) return;
    if (s->daemon) {
        int64_t until = sw_now_mono_ns() + (int64_t)grace_ms * 1000000;
        MHD_socket fd = MHD_quiesce_daemon(s->daemon);
        if (fd != MHD_INVALID_SOCKET) close(fd);
        while (busy(s) && sw_now_mono_ns() < until)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (s->watchdog_runs) {
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_signal(&s->stop_cond);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->watchdog, NULL);
    }
    /* Jobs end first: libmicrohttpd refuses to stop with suspended connections. */
    work_end(&s->work);
    if (s->daemon) MHD_stop_daemon(s->daemon);
    sw_server_tls_free(s->tls);
    pthread_cond_destroy(&s->stop_cond);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->work.lock);
    free(s);
}
