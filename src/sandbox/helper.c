#include "sandbox/helper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/sys.h"
#include "sandbox/guard_internal.h"

#define READY_TIMEOUT_MS 10000
#define TABLE_MAX ((size_t)1 << 20)

/* slirp4netns writes to its standard output when it is ready, and ends when its standard input
 * does. */
static enum sw_code start_slirp(pid_t pid, struct sw_net_helper *ret, struct sw_error *err) {
    char netns[64];
    SW_FD int ready_read = -1, ready_write = -1, exit_read = -1, exit_write = -1;
    int pair[2];
    snprintf(netns, sizeof netns, "/proc/%d/ns/net", (int)pid);
    const char *const argv[] = {
        "slirp4netns",   "--configure",  "--mtu=65520", "--disable-host-loopback",
        "--enable-ipv6", "--ready-fd=1", "--exit-fd=0", "--netns-type=path",
        netns,           "tap0",         NULL};
    if (pipe2(pair, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    ready_read = pair[0], ready_write = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0) return sw_fail_sys(err, errno, "make a pipe");
    exit_read = pair[0], exit_write = pair[1];
    SW_FD int errors = -1;
    enum sw_code code = sw_open_at(AT_FDCWD, "/dev/null", O_WRONLY, 0, &errors, err);
    if (code) return code;
    struct sw_proc_options options = {
        .argv = argv, .stdin_fd = exit_read, .stdout_fd = ready_write, .stderr_fd = errors};
    code = sw_proc_start(&ret->proc, &options, err);
    if (code) return code;
    ret->exit_fd = sw_take_fd(&exit_write);
    sw_closep(&ready_write);
    struct pollfd ready = {.fd = ready_read, .events = POLLIN};
    char one;
    int n;
    do n = poll(&ready, 1, READY_TIMEOUT_MS);
    while (n < 0 && errno == EINTR);
    if (n > 0 && sw_sys_read(ready_read, &one, 1) == 1) return SW_OK;
    sw_net_helper_stop(ret);
    return sw_fail(err, SW_UNSUPPORTED,
                   "slirp4netns did not connect the sandbox; is /dev/net/tun there and usable?");
}

/* A default route in the process's network namespace. */
static bool has_route(pid_t pid) {
    SW_BUF struct sw_buf table;
    struct sw_error ignored;
    char path[64];
    sw_buf_init(&table, TABLE_MAX);
    snprintf(path, sizeof path, "/proc/%d/net/route", (int)pid);
    if (sw_read_file_at(AT_FDCWD, path, TABLE_MAX, &table, &ignored)) return false;
    return sw_str_find(sw_buf_str(&table), SW_STR("\t00000000\t")) != SIZE_MAX;
}

/* The namespace is handed over as a descriptor: pasta gives its privileges away before it opens the
 * path, and then may not look into /proc/PID/ns of the sandbox any more. It also forgets its parent
 * in doing so, hence the guard. */
static enum sw_code start_pasta(pid_t pid, struct sw_net_helper *ret, struct sw_error *err) {
    char path[64];
    SW_FD int netns = -1, nowhere = -1;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    /* No ports in either direction: publishing them is sandbox/forward.h's, and the host's own
     * services on loopback are none of the sandbox's business. */
    const char *const argv[] = {"pasta",
                                "--foreground",
                                "--quiet",
                                "--config-net",
                                "-t",
                                "none",
                                "-u",
                                "none",
                                "-T",
                                "none",
                                "-U",
                                "none",
                                "--dns-forward",
                                "169.254.1.1",
                                "--no-map-gw",
                                "--no-netns-quit",
                                "--netns",
                                "/proc/self/fd/0",
                                NULL};
    enum sw_code code = sw_open_at(AT_FDCWD, path, O_RDONLY, 0, &netns, err);
    if (!code) code = sw_open_at(AT_FDCWD, "/dev/null", O_WRONLY, 0, &nowhere, err);
    if (code) return code;
    struct sw_proc_options options = {
        .argv = argv, .stdin_fd = netns, .stdout_fd = nowhere, .stderr_fd = nowhere};
    code = sw_proc_start(&ret->proc, &options, err);
    if (!code) code = sw_guard_add(ret->proc.pid, -1, err);
    if (code) return code;
    int64_t until = sw_now_mono_ns() + (int64_t)READY_TIMEOUT_MS * 1000000;
    /* It has no way to say that it is ready, but its work can be seen. */
    while (sw_now_mono_ns() < until && kill(ret->proc.pid, 0) == 0) {
        if (has_route(pid)) return SW_OK;
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
    }
    sw_net_helper_stop(ret);
    return sw_fail(err, SW_UNSUPPORTED,
                   "pasta did not connect the sandbox; is /dev/net/tun there and usable?");
}

enum sw_code sw_net_helper_start(pid_t pid, struct sw_net_helper *ret, struct sw_error *err) {
    SW_BUF struct sw_buf why;
    sw_buf_init(&why, 1024);
    switch (sw_network_helper(&why)) {
    case SW_NETHELP_PASTA:
        return start_pasta(pid, ret, err);
    case SW_NETHELP_SLIRP:
        return start_slirp(pid, ret, err);
    case SW_NETHELP_NONE:
        break;
    }
    return sw_fail(err, SW_UNSUPPORTED, "no private network: %s", why.ptr);
}

void sw_net_helper_stop(struct sw_net_helper *h) {
    int status;
    struct sw_error ignored;
    sw_closep(&h->exit_fd);
    if (h->proc.pid <= 0) return;
    (void)kill(h->proc.pid, SIGKILL);
    if (sw_proc_wait(&h->proc, &status, &ignored)) status = 0;
    sw_guard_remove(h->proc.pid);
    h->proc.pid = 0;
}
