#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sandbox/forward.h"
#include "sandbox_box.h"

static struct box box;
static struct sw_sandbox *service;
static struct sw_forward *forward;
static pid_t server = -1; /* echoes, inside the sandbox's network */

static int setup(void **state) {
    struct sw_userns userns;
    struct sw_error err;
    signal(SIGPIPE, SIG_IGN);
    if (sw_userns_enter(&userns, &err)) return -1;
    box_make(&box, "/tmp", &userns);
    return 0;
}

static int teardown(void **state) {
    box_done(&box);
    return 0;
}

/* A server that gives back what it gets, a process for each connection. */
_Noreturn static void echo_server(int netns, bool udp, uint16_t port, unsigned delay_us) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    static char block[65536];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    if (setns(netns, CLONE_NEWNET) < 0) _exit(1);
    usleep(delay_us);
    int fd = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || (!udp && listen(fd, 100) < 0)) _exit(2);
    while (udp) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, block, sizeof block, 0, (struct sockaddr *)&from, &len);
        if (n >= 0 && sendto(fd, block, (size_t)n, 0, (struct sockaddr *)&from, len) < 0) _exit(3);
    }
    for (;;) {
        int one = accept(fd, NULL, NULL);
        if (fork() == 0) {
            ssize_t n;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(fd);
            while ((n = read(one, block, sizeof block)) > 0)
                for (ssize_t at_byte = 0; at_byte < n;) {
                    ssize_t w = write(one, block + at_byte, (size_t)(n - at_byte));
                    if (w < 0) _exit(4);
                    at_byte += w;
                }
            _exit(0);
        }
        close(one);
    }
}

/* A network of its own, with one published port and a server. */
static void serve(unsigned delay_us, const char *word) {
    const char *argv[] = {"/bin/sleep", "1000", NULL};
    struct sw_port port;
    size_t n = 0;
    box_fresh(&box);
    sw_sandbox_spec_init(&box.spec, &box.userns);
    box.spec.overlay = &box.overlay;
    box.spec.overlay_mode = &box.mode;
    box.spec.argv = argv;
    box.spec.envp = box.envp;
    box.spec.network = SW_NETWORK_NONE;
    box.spec.stdin_fd = box.spec.stdout_fd = -1;
    assert_ok(sw_port_parse(sw_str(word), &port, 1, &n, &box.err), box.err);
    assert_ok(sw_sandbox_start(&box.spec, &service, &box.err), box.err);
    server = fork();
    if (server == 0) echo_server(sw_sandbox_netns(service), port.udp, port.port, delay_us);
    assert_ok(sw_forward_start(&port, 1, sw_sandbox_netns(service), &forward, &box.err), box.err);
    assert_true(sw_forward_host_port(forward, 0) != 0);
}

static void stop(void) {
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    sw_forward_free(forward);
    sw_sandbox_free(service);
}

static int reach(int type) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(sw_forward_host_port(forward, 0)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 5000) == 1;
}

/* Sends and receives at once, then ends the sending side only. */
static void echo(int fd, size_t total) {
    char *block = malloc(65536);
    size_t sent = 0, received = 0;
    for (size_t i = 0; i < 65536; i++) block[i] = (char)(i * 7);
    while (received < total) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < total ? POLLOUT : 0))};
        assert_int_equal(poll(&p, 1, 5000), 1);
        if ((p.revents & POLLOUT) && sent < total) {
            size_t at = sent % 65536, len = 65536 - at;
            if (len > total - sent) len = total - sent;
            ssize_t n = send(fd, block + at, len, MSG_DONTWAIT);
            assert_true(n > 0 || errno == EAGAIN);
            if (n > 0) sent += (size_t)n;
            if (sent == total) assert_int_equal(shutdown(fd, SHUT_WR), 0);
        }
        if (p.revents & POLLIN) {
            static char back[65536];
            size_t at = received % 65536;
            ssize_t n = recv(fd, back, 65536 - at, MSG_DONTWAIT);
            assert_true(n > 0);
            assert_memory_equal(back, block + at, (size_t)n);
            received += (size_t)n;
        }
    }
    char end;
    assert_true(readable(fd));
    assert_int_equal(recv(fd, &end, 1, 0), 0);
    free(block);
}

static void bytes_and_half_closes_pass(void **state) {
    serve(0, "127.0.0.1::80");
    int fd = reach(SOCK_STREAM);
    echo(fd, (size_t)3 << 20);
    close(fd);
    stop();
}

static void many_connections_at_once(void **state) {
    int fds[40];
    serve(0, "80");
    for (int i = 0; i < 40; i++) fds[i] = reach(SOCK_STREAM);
    for (int i = 0; i < 40; i++) assert_int_equal(send(fds[i], &i, sizeof i, 0), sizeof i);
    for (int i = 39; i >= 0; i--) {
        int back = -1;
        assert_true(readable(fds[i]));
        assert_int_equal(recv(fds[i], &back, sizeof back, 0), sizeof back);
        assert_int_equal(back, i);
    }
    for (int i = 0; i < 40; i++) close(fds[i]);
    stop();
}

static void waits_for_a_service_that_starts(void **state) {
    serve(300000, "80/tcp");
    int fd = reach(SOCK_STREAM);
    echo(fd, 10);
    close(fd);
    stop();
}

static void datagrams_find_their_way_back(void **state) {
    char back[8] = "";
    serve(0, "53/udp");
    int fd = reach(SOCK_DGRAM);
    /* The service may still be starting, and a datagram may be lost. */
    for (int i = 0; i < 50 && back[0] != 'x'; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(send(fd, "x", 1, 0), 1);
        if (poll(&p, 1, 100) == 1) assert_true(recv(fd, back, sizeof back, 0) >= 1);
    }
    assert_int_equal(back[0], 'x');
    close(fd);
    stop();
}

static void end_of_the_forwarder_ends_connections(void **state) {
    char c;
    serve(0, "80");
    int fd = reach(SOCK_STREAM);
    assert_int_equal(send(fd, "a", 1, 0), 1);
    assert_true(readable(fd));
    assert_int_equal(recv(fd, &c, 1, 0), 1);
    stop();
    assert_true(recv(fd, &c, 1, 0) <= 0);
    close(fd);
}

static void taken_port_is_refused(void **state) {
    struct sw_port ports[2] = {{.port = 80}, {.port = 81}};
    struct sw_forward *first, *second = NULL;
    struct sw_error err;
    ports[0].host_port = 0;
    ports[0].port = 1;
    serve(0, "80");
    ports[0].host_port = sw_forward_host_port(forward, 0);
    first = forward;
    assert_refused(sw_forward_start(ports, 1, sw_sandbox_netns(service), &second, &err), SW_IO,
                   err);
    assert_non_null(strstr(err.text, "another program"));
    assert_ptr_equal(first, forward);
    stop();
}

static void equal_ports_on_the_hosts_network_are_nothing_to_do(void **state) {
    struct sw_port port = {.host_port = 80, .port = 80};
    struct sw_forward *f;
    struct sw_error err;
    assert_ok(sw_forward_start(&port, 1, -1, &f, &err), err);
    assert_int_equal(sw_forward_host_port(f, 0), 80);
    sw_forward_free(f);
}

static void words_of_ports(void **state) {
    static const struct {
        const char *word, *ip;
        int host, inside, n;
        bool udp;
    } good[] = {
        {"80", "", 0, 80, 1, false},
        {"8080:80", "", 8080, 80, 1, false},
        {"8080:80/udp", "", 8080, 80, 1, true},
        {"127.0.0.1:8080:80", "127.0.0.1", 8080, 80, 1, false},
        {"127.0.0.1::80/TCP", "127.0.0.1", 0, 80, 1, false},
        {"[::1]:8080:80", "::1", 8080, 80, 1, false},
        {"8000-8002:80-82", "", 8000, 80, 3, false},
    };
    static const char *const bad[] = {
        "",        "0",         "65536",        "a:b",         "1:2:3",
        "80/sctp", "[::1]80:1", "8000-8002:80", "90-80:90-80", "1.2.3.4.5:1:1",
        ":80:"};
    struct sw_port ports[4];
    struct sw_error err;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t n = 0;
        assert_ok(sw_port_parse(sw_str(good[i].word), ports, 4, &n, &err), err);
        assert_int_equal(n, good[i].n);
        assert_string_equal(ports[0].host_ip, good[i].ip);
        assert_int_equal(ports[0].host_port, good[i].host);
        assert_int_equal(ports[0].port, good[i].inside);
        assert_int_equal(ports[0].udp, good[i].udp);
        assert_int_equal(ports[n - 1].port, good[i].inside + good[i].n - 1);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n = 0;
        assert_refused(sw_port_parse(sw_str(bad[i]), ports, 4, &n, &err), SW_USAGE, err);
    }
    size_t n = 0;
    assert_refused(sw_port_parse(SW_STR("1-5"), ports, 4, &n, &err), SW_LIMIT, err);
}

int main(void) {
    if (!box_possible()) {
        printf("1..0 # SKIP no static busybox\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_half_closes_pass),
        cmocka_unit_test(many_connections_at_once),
        cmocka_unit_test(waits_for_a_service_that_starts),
        cmocka_unit_test(datagrams_find_their_way_back),
        cmocka_unit_test(end_of_the_forwarder_ends_connections),
        cmocka_unit_test(taken_port_is_refused),
        cmocka_unit_test(equal_ports_on_the_hosts_network_are_nothing_to_do),
        cmocka_unit_test(words_of_ports),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
