#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/http_server.h"

/* A server that answers with what it was asked, and a client made of one socket. */
static void reply_line(struct sw_exchange *x) {
    struct sw_str s =
        sw_arena_printf(&x->arena, "%.*s %.*s?%.*s %llu", SW_ARG(x->method), SW_ARG(x->path),
                        SW_ARG(x->query), (unsigned long long)x->body_received);
    sw_reply_bytes(x, 200, s);
}
static void job(void *context, struct sw_exchange *x) { reply_line(x); }
static void job_before(void *context, struct sw_exchange *x) {
    sw_exchange_defer(x, SW_WORK_IO, job);
}
static void head(void *context, struct sw_exchange *x) {
    if (sw_str_is(x->path, "/refuse")) sw_reply_bytes(x, 401, SW_STR("no"));
    if (sw_str_is(x->path, "/last")) sw_exchange_defer(x, SW_WORK_SLOW, job_before);
    if (sw_str_is(x->path, "/later")) sw_exchange_defer(x, SW_WORK_SLOW, job);
}
/* Takes a "/hold" three bytes at a time, each time when another thread says so. */
static void go_on(void *argument) { sw_exchange_go_on(argument); }
static size_t body(void *context, struct sw_exchange *x, const void *bytes, size_t len) {
    if (!sw_str_is(x->path, "/hold") || len <= 3) return len;
    sw_exchange_hold(x);
    sw_exchange_run(x, SW_WORK_IO, go_on, x);
    return 3;
}
/* Three million bytes, each the low byte of its place divided by 1,000. */
#define STREAM_SIZE 3000000
static ptrdiff_t stream_read(void *context, uint64_t offset, char *to, size_t len) {
    const bool *broken = context;
    if (len > 700000) len = 700000;
    for (size_t i = 0; i < len; i++) to[i] = (char)((offset + i) / 1000);
    return *broken && offset > 1000000 ? -1 : (ptrdiff_t)len;
}
static void end(void *context, struct sw_exchange *x) {
    if (sw_str_is(x->path, "/stream") || sw_str_is(x->path, "/broken")) {
        static bool is[] = {false, true};
        struct sw_reply_source source = {&is[sw_str_is(x->path, "/broken")], stream_read, NULL};
        sw_reply_stream(x, 200, STREAM_SIZE, &source);
        return;
    }
    if (sw_str_is(x->path, "/file")) {
        sw_reply_file(x, 206, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 1, 3);
        return;
    }
    if (sw_str_is(x->path, "/header")) sw_reply_header(x, "X-Bad", sw_str("a\r\nSet-Cookie: b"));
    reply_line(x);
}
static bool done(void *context, struct sw_exchange *x, bool complete) { return false; }

static struct sw_server *server;

static int start(void **state) {
    struct sw_error err;
    struct sw_server_options o = {.address = "127.0.0.1:0",
                                  .threads = 2,
                                  .head_timeout_s = 1,
                                  .handler = {NULL, head, body, end, done}};
    return sw_server_start(&o, &server, &err) ? -1 : 0;
}
static int stop(void **state) {
    sw_server_stop(server, 100);
    return 0;
}

static int dial(unsigned port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (void *)&to, sizeof to), 0);
    return fd;
}

/* Sends the text and reads until the other side closes, or until all of want has been seen. */
static struct sw_str talk(const char *request, const char *want) {
    static char answer[STREAM_SIZE + 65536];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)sw_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (void *)&to, sizeof to), 0);
    assert_true(write(fd, request, strlen(request)) > 0);
    for (ssize_t n; (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0;) {
        len += (size_t)n;
        answer[len] = 0;
        if (want && strstr(answer, want)) break;
    }
    answer[len] = 0;
    close(fd);
    return sw_str_n(answer, len);
}
static bool has(struct sw_str s, const char *needle) {
    return sw_str_find(s, sw_str(needle)) != SIZE_MAX;
}

static void path_and_query_arrive_undecoded(void **state) {
    assert_true(has(talk("GET /a%2f..%2Fb/../c?x=%41 HTTP/1.1\r\nHost: h\r\n\r\n", " 0"),
                    "GET /a%2f..%2Fb/../c?x=%41 0"));
}
static void bodies_are_counted_and_connections_kept(void **state) {
    struct sw_str s = talk("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                           "PATCH /y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\nabc\r\n0\r\n\r\n",
                           "PATCH /y? 3");
    assert_true(has(s, "PUT /x? 5"));
    assert_true(has(s, "PATCH /y? 3"));
}
static void refusals_never_make_a_body_a_request(void **state) {
    struct sw_str s =
        talk("PATCH /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 29\r\n\r\n"
             "GET /sneak HTTP/1.1\r\nHost:h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n",
             "/next");
    assert_true(has(s, "401"));
    assert_false(has(s, "/sneak"));
    assert_true(has(s, "/next"));
    s = talk("PATCH /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n"
             "GET /sneak HTTP/1.1\r\nHost:h\r\n\r\n",
             NULL);
    assert_true(has(s, "401"));
    assert_false(has(s, "/sneak"));
}
static void ambiguous_framing_is_refused(void **state) {
    static const char *const bad[] = {
        ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "GET /x HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sw_str s = talk(bad[i], NULL);
        if (!has(s, " 400 ") || has(s, "200 OK")) fail_msg("request %zu: %.*s", i, SW_ARG(s));
    }
}
static void deferred_work_replies(void **state) {
    assert_true(has(talk("GET /later HTTP/1.1\r\nHost: h\r\n\r\n", " 0"), "GET /later? 0"));
}
static void a_job_may_defer_to_another(void **state) {
    assert_true(has(talk("GET /last HTTP/1.1\r\nHost: h\r\n\r\n", " 0"), "GET /last? 0"));
}
static void a_held_body_arrives_whole(void **state) {
    struct sw_str s = talk("PUT /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n"
                           "01234567890123456789GET /next HTTP/1.1\r\nHost: h\r\n\r\n",
                           "/next?");
    assert_true(has(s, "PUT /hold? 20"));
    assert_true(has(s, "GET /next? 0"));
}
static void replies_are_made_while_they_are_sent(void **state) {
    struct sw_str s = talk("GET /stream HTTP/1.0\r\nHost: h\r\n\r\n", NULL);
    size_t head = sw_str_find(s, SW_STR("\r\n\r\n"));
    assert_true(head != SIZE_MAX);
    s = sw_str_from(s, head + 4);
    assert_int_equal(s.len, STREAM_SIZE);
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != (char)(i / 1000)) fail_msg("byte %zu is %d", i, s.ptr[i]);
    s = talk("GET /broken HTTP/1.0\r\nHost: h\r\n\r\n", NULL);
    assert_true(s.len < STREAM_SIZE);
}
static void files_are_sent_in_part(void **state) {
    assert_true(has(talk("GET /file HTTP/1.1\r\nHost: h\r\n\r\n", "ELF"), "\r\n\r\nELF"));
}
static void header_values_cannot_add_headers(void **state) {
    assert_false(has(talk("GET /header HTTP/1.1\r\nHost: h\r\n\r\n", " 0"), "Set-Cookie"));
}
static void a_head_that_never_ends_is_cut_off(void **state) {
    struct sw_str s = talk("GET /slow HTTP/1.1\r\nHost: h\r\nX-A", NULL);
    assert_false(has(s, "200"));
}

/* Who neither sends nor reads is let go; the test waits for that, whenever it is. */
static void slow_peers_do_not_keep_their_connections(void **state) {
    static const char *const requests[] = {
        "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nab",
        "PATCH /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    struct sw_error err;
    struct sw_server *s = NULL;
    struct sw_server_options o = {.address = "127.0.0.1:0",
                                  .threads = 2,
                                  .speed_window_s = 1,
                                  .handler = {NULL, head, body, end, done}};
    int fds[3];
    assert_ok(sw_server_start(&o, &s, &err), err);
    for (size_t i = 0; i < 3; i++) {
        fds[i] = dial(sw_server_port(s));
        assert_true(write(fds[i], requests[i], strlen(requests[i])) > 0);
    }
    struct timespec pause = {.tv_nsec = 50000000};
    for (int i = 0; i < 1200 && sw_server_connections(s) == 0; i++) nanosleep(&pause, NULL);
    for (int i = 0; i < 1200 && sw_server_connections(s) > 0; i++) nanosleep(&pause, NULL);
    assert_int_equal(sw_server_connections(s), 0);
    for (size_t i = 0; i < 3; i++) close(fds[i]);
    sw_server_stop(s, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_and_query_arrive_undecoded),
        cmocka_unit_test(bodies_are_counted_and_connections_kept),
        cmocka_unit_test(refusals_never_make_a_body_a_request),
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(deferred_work_replies),
        cmocka_unit_test(a_job_may_defer_to_another),
        cmocka_unit_test(a_held_body_arrives_whole),
        cmocka_unit_test(replies_are_made_while_they_are_sent),
        cmocka_unit_test(files_are_sent_in_part),
        cmocka_unit_test(header_values_cannot_add_headers),
        cmocka_unit_test(a_head_that_never_ends_is_cut_off),
        cmocka_unit_test(slow_peers_do_not_keep_their_connections),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
