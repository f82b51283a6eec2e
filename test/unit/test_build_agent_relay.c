/* build/agent_relay.h: an agent's socket with another owner and mode. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "build/agent_relay.h"
#include "unit.h"

#define LARGE ((size_t)1 << 20)

static char dir[] = "/tmp/slipway-relay.XXXXXX";
static int dir_fd, agent = -1;
static pthread_t agent_thread;

static struct sockaddr_un at(const char *name) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", dir, name);
    return a;
}

/* An agent that gives back what it gets, and ends a connection when its client has ended. */
static void *echo(void *unused) {
    for (;;) {
        int fd = accept(agent, NULL, NULL);
        if (fd < 0) return NULL;
        char *block = malloc(LARGE);
        size_t n = 0;
        for (ssize_t got; n < LARGE && (got = read(fd, block + n, LARGE - n)) > 0;
             n += (size_t)got) {
        }
        for (size_t i = 0; i < n;) {
            ssize_t put = send(fd, block + i, n - i, MSG_NOSIGNAL);
            if (put <= 0) break;
            i += (size_t)put;
        }
        free(block);
        close(fd);
    }
}

static int setup(void **state) {
    struct sockaddr_un a;
    assert_non_null(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    a = at("agent");
    agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(agent, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(agent, 8), 0);
    return pthread_create(&agent_thread, NULL, echo, NULL);
}

static int teardown(void **state) {
    shutdown(agent, SHUT_RDWR);
    pthread_join(agent_thread, NULL);
    close(agent);
    unlinkat(dir_fd, "agent", 0);
    close(dir_fd);
    return rmdir(dir);
}

static struct sw_agent_relay *start(const char *name, const char *target, uint32_t mode) {
    struct sw_error err = {0};
    struct sockaddr_un a = at(target);
    struct sw_agent_relay *relay = NULL;
    struct sw_agent_relay_options o = {.dir_fd = dir_fd,
                                       .name = name,
                                       .path = sw_str(a.sun_path),
                                       .uid = geteuid(),
                                       .gid = getegid(),
                                       .mode = mode};
    if (sw_agent_relay_start(&o, &relay, &err)) fail_msg("%s", err.text);
    return relay;
}

static int connect_to(const char *name) {
    struct sockaddr_un a = at(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void passes_bytes_on_in_both_directions(void **state) {
    struct sw_agent_relay *relay = start("r", "agent", 0640);
    struct stat st;
    assert_int_equal(fstatat(dir_fd, "r", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0640);
    char *sent = malloc(LARGE), *back = malloc(LARGE);
    for (int turn = 0; turn < 3; turn++) {
        /* More than any buffer on the way holds, and a few bytes. */
        size_t size = turn == 1 ? 5 : LARGE, n = 0;
        int fd = connect_to("r");
        for (size_t i = 0; i < size; i++) sent[i] = (char)(i * 7 + (size_t)turn);
        for (size_t i = 0; i < size;) {
            ssize_t put = write(fd, sent + i, size - i);
            assert_true(put > 0);
            i += (size_t)put;
        }
        shutdown(fd, SHUT_WR);
        for (ssize_t got; n < size && (got = read(fd, back + n, size - n)) > 0; n += (size_t)got) {
        }
        assert_int_equal(n, size);
        assert_memory_equal(sent, back, size);
        assert_int_equal(read(fd, back, 1), 0);
        close(fd);
    }
    free(sent);
    free(back);
    sw_agent_relay_free(relay);
    unlinkat(dir_fd, "r", 0);
}

static void ends_what_is_open(void **state) {
    struct sw_agent_relay *relay = start("r", "agent", 0600);
    char byte;
    int fd = connect_to("r");
    assert_int_equal(write(fd, "x", 1), 1);
    sw_agent_relay_free(relay);
    assert_true(read(fd, &byte, 1) <= 0);
    close(fd);
    unlinkat(dir_fd, "r", 0);
}

static void without_an_agent_connections_end(void **state) {
    struct sw_agent_relay *relay = start("r", "nobody", 0600);
    char byte;
    int fd = connect_to("r");
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    sw_agent_relay_free(relay);
    unlinkat(dir_fd, "r", 0);
}

static void a_path_that_no_address_holds_is_an_error(void **state) {
    struct sw_error err = {0};
    struct sw_agent_relay *relay = NULL;
    char path[200];
    memset(path, 'x', sizeof path);
    struct sw_agent_relay_options o = {
        .dir_fd = dir_fd, .name = "r", .path = sw_str_n(path, sizeof path), .mode = 0600};
    assert_int_equal(sw_agent_relay_start(&o, &relay, &err), SW_LIMIT);
    assert_null(relay);
    sw_agent_relay_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_bytes_on_in_both_directions),
        cmocka_unit_test(ends_what_is_open),
        cmocka_unit_test(without_an_agent_connections_end),
        cmocka_unit_test(a_path_that_no_address_holds_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
