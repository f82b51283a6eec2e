/* A server thread on the loopback interface gives the answers that a test has written down. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/http_client.h"

enum { ANSWERS_MAX = 16 };

struct server {
    int fd;
    unsigned port;
    pthread_t thread;
    const char *answers[ANSWERS_MAX]; /* one a connection; NULL ends */
    char requests[ANSWERS_MAX][4096];
    int n;
    bool hold; /* keeps the first connection open until the end */
};

static void *serve(void *context) {
    struct server *s = context;
    int held = -1;
    for (s->n = 0; s->answers[s->n]; s->n++) {
        int c = accept(s->fd, NULL, NULL);
        if (c < 0) return NULL;
        char *request = s->requests[s->n];
        size_t len = 0;
        ssize_t n;
        while (len < sizeof s->requests[0] - 1 && !strstr(request, "\r\n\r\n") &&
               (n = read(c, request + len, sizeof s->requests[0] - 1 - len)) > 0)
            len += (size_t)n;
        const char *answer = s->answers[s->n];
        if (write(c, answer, strlen(answer)) < 0) fail();
        if (s->hold && s->n == 0)
            held = c;
        else
            close(c);
    }
    if (held >= 0) close(held);
    return NULL;
}

static void start(struct server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    getsockname(s->fd, (struct sockaddr *)&a, &len);
    s->port = ntohs(a.sin_port);
    pthread_create(&s->thread, NULL, serve, s);
}

static void stop(struct server *s) {
    shutdown(s->fd, SHUT_RDWR);
    close(s->fd);
    pthread_join(s->thread, NULL);
}

static enum sw_code collect(void *context, const void *bytes, size_t len, struct sw_error *err) {
    sw_buf_add_bytes(context, bytes, len);
    return SW_OK;
}

/* One request to the server; the body goes to a sink. */
struct outcome {
    enum sw_code code;
    struct sw_error err;
    struct sw_http_response r;
    struct sw_buf got;
};

static void ask(struct server *s, struct sw_http_request q, struct outcome *o) {
    const struct sw_http_options options = {
        .backoff_ms = 1, .stall_timeout_ms = 300, .proxy = "", .retry_after_max_ms = 2000};
    struct sw_http *http = sw_http_new(&options);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", s->port);
    sw_buf_init(&o->got, 0);
    sw_http_response_init(&o->r);
    if (!q.url) q.url = url;
    q.sink = collect;
    q.sink_context = &o->got;
    o->code = sw_http_do(http, &q, &o->r, &o->err);
    sw_http_free(http);
}

static void done(struct outcome *o) {
    sw_buf_done(&o->got);
    sw_http_response_done(&o->r);
}

static void temporary_statuses_are_tried_again(void **state) {
    struct server s = {.answers = {"HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy",
                                   "HTTP/1.1 429 x\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
                                   "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nok"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_ok(o.code, o.err);
    assert_int_equal(o.r.status, 200);
    assert_int_equal(o.r.tries, 3);
    assert_str(sw_buf_str(&o.got), "ok");
    stop(&s);
    done(&o);
}

static void a_long_retry_after_is_returned(void **state) {
    struct server s = {
        .answers = {"HTTP/1.1 503 x\r\nRetry-After: 99\r\nContent-Length: 0\r\n\r\n"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_ok(o.code, o.err);
    assert_int_equal(o.r.status, 503);
    assert_refused(sw_http_check(&o.r, &o.err), SW_BUSY, o.err);
    stop(&s);
    done(&o);
}

static void a_post_is_not_sent_twice(void **state) {
    struct server s = {.answers = {"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){.method = "POST", .body = SW_STR("body")}, &o);
    assert_ok(o.code, o.err);
    assert_int_equal(o.r.status, 500);
    assert_int_equal(o.r.tries, 1);
    stop(&s);
    done(&o);
}

static void a_broken_transfer_goes_on_where_it_was(void **state) {
    struct server s = {
        .answers = {"HTTP/1.1 200 x\r\nETag: \"e\"\r\nContent-Length: 10\r\n\r\n0123",
                    "HTTP/1.1 206 x\r\nETag: \"e\"\r\nContent-Range: bytes 4-9/10\r\n"
                    "Content-Length: 6\r\n\r\n456789"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_ok(o.code, o.err);
    assert_str(sw_buf_str(&o.got), "0123456789");
    assert_non_null(strstr(s.requests[1], "Range: bytes=4-\r\n"));
    assert_non_null(strstr(s.requests[1], "If-Range: \"e\"\r\n"));
    assert_int_equal(o.r.total_size, 10);
    stop(&s);
    done(&o);
}

static void a_server_without_ranges_is_skipped_through(void **state) {
    struct server s = {.answers = {"HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n0123",
                                   "HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n0123456789"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_ok(o.code, o.err);
    assert_str(sw_buf_str(&o.got), "0123456789");
    stop(&s);
    done(&o);
}

static void a_resource_that_changed_is_not_mixed(void **state) {
    struct server s = {
        .answers = {"HTTP/1.1 200 x\r\nETag: \"e\"\r\nContent-Length: 10\r\n\r\n0123",
                    "HTTP/1.1 200 x\r\nETag: \"f\"\r\nContent-Length: 10\r\n\r\nabcdefghij"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_refused(o.code, SW_CORRUPT, o.err);
    assert_str(sw_buf_str(&o.got), "0123");
    stop(&s);
    done(&o);
}

static void a_wrong_range_is_refused(void **state) {
    struct server s = {.answers = {"HTTP/1.1 206 x\r\nContent-Range: bytes 3-9/10\r\n"
                                   "Content-Length: 7\r\n\r\n3456789"}};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){.range_start = 4, .flags = SW_HTTP_NO_STATUS_RETRY}, &o);
    assert_int_not_equal(o.code, SW_OK);
    assert_int_equal(o.got.len, 0);
    stop(&s);
    done(&o);
}

static void a_body_beyond_the_maximum_is_refused(void **state) {
    struct server s = {.answers = {"HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n0123456789",
                                   "HTTP/1.1 200 x\r\nConnection: close\r\n\r\n0123456789"}};
    struct outcome o;
    start(&s);
    for (int i = 0; i < 2; i++) { /* announced, and not */
        ask(&s, (struct sw_http_request){.max_body = 5}, &o);
        assert_refused(o.code, SW_LIMIT, o.err);
        done(&o);
    }
    stop(&s);
}

static void a_stalled_transfer_is_broken_off(void **state) {
    struct server s = {.answers = {"HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n0123",
                                   "HTTP/1.1 206 x\r\nContent-Range: bytes 4-9/10\r\n"
                                   "Content-Length: 6\r\n\r\n456789"},
                       .hold = true};
    struct outcome o;
    start(&s);
    ask(&s, (struct sw_http_request){0}, &o);
    assert_ok(o.code, o.err);
    assert_str(sw_buf_str(&o.got), "0123456789");
    assert_int_equal(o.r.tries, 2);
    stop(&s);
    done(&o);
}

static void credentials_stay_with_their_host(void **state) {
    struct server other = {.answers = {"HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nok"}};
    start(&other);
    char redirect[256];
    snprintf(redirect, sizeof redirect,
             "HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:%u/y\r\nContent-Length: 0\r\n\r\n",
             other.port);
    struct server s = {.answers = {redirect}};
    struct outcome o;
    const struct sw_http_header header = {SW_STR("Authorization"), SW_STR("Bearer secret")};
    start(&s);
    ask(&s, (struct sw_http_request){.headers = &header, .n_headers = 1}, &o);
    assert_ok(o.code, o.err);
    assert_str(sw_buf_str(&o.got), "ok");
    assert_non_null(strstr(s.requests[0], "Bearer secret"));
    assert_null(strstr(other.requests[0], "Bearer secret"));
    stop(&s);
    stop(&other);
    done(&o);
}

static void files_answer_as_a_server_would(void **state) {
    char path[] = "/tmp/slipway-http-XXXXXX", url[80];
    int fd = mkstemp(path);
    struct server s = {.port = 1};
    struct outcome o;
    assert_int_equal(write(fd, "0123456789", 10), 10);
    close(fd);
    snprintf(url, sizeof url, "file://%s", path);
    ask(&s, (struct sw_http_request){.url = url}, &o);
    assert_refused(o.code, SW_DENIED, o.err);
    done(&o);
    ask(&s, (struct sw_http_request){.url = url, .flags = SW_HTTP_ALLOW_FILE, .range_start = 4},
        &o);
    assert_ok(o.code, o.err);
    assert_str(sw_buf_str(&o.got), "456789");
    assert_int_equal(o.r.status, 206);
    done(&o);
    unlink(path);
    ask(&s, (struct sw_http_request){.url = url, .flags = SW_HTTP_ALLOW_FILE}, &o);
    assert_ok(o.code, o.err);
    assert_int_equal(o.r.status, 404);
    done(&o);
}

static void other_protocols_are_refused(void **state) {
    static const char *const urls[] = {"ftp://127.0.0.1/x", "gopher://x", "x", "", "http://"};
    struct server s = {.port = 1};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct outcome o;
        ask(&s, (struct sw_http_request){.url = urls[i]}, &o);
        assert_refused(o.code, SW_USAGE, o.err);
        done(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temporary_statuses_are_tried_again),
        cmocka_unit_test(a_long_retry_after_is_returned),
        cmocka_unit_test(a_post_is_not_sent_twice),
        cmocka_unit_test(a_broken_transfer_goes_on_where_it_was),
        cmocka_unit_test(a_server_without_ranges_is_skipped_through),
        cmocka_unit_test(a_resource_that_changed_is_not_mixed),
        cmocka_unit_test(a_wrong_range_is_refused),
        cmocka_unit_test(a_body_beyond_the_maximum_is_refused),
        cmocka_unit_test(a_stalled_transfer_is_broken_off),
        cmocka_unit_test(credentials_stay_with_their_host),
        cmocka_unit_test(files_answer_as_a_server_would),
        cmocka_unit_test(other_protocols_are_refused),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
