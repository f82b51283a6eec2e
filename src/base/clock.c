#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t sw_now_mono_ns(void) { return now_ns(CLOCK_MONOTONIC); }

int64_t sw_now_unix_s(void) { return now_ns(CLOCK_REALTIME) / 1000000000; }

int64_t sw_now_unix_ns(void) { return now_ns(CLOCK_REALTIME); }

/* Kernels before 3.17 have no getrandom(2); their /dev/urandom is what there is. */
static bool read_urandom(unsigned char *to, size_t len) {
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    while (len) {
        ssize_t n = read(fd, to, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        to += n;
        len -= (size_t)n;
    }
    close(fd);
    return len == 0;
}

void sw_random_bytes(void *to, size_t len) {
    unsigned char *p = to;
    while (len) {
        long n = syscall(SYS_getrandom, p, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            if (read_urandom(p, len)) return;
            fputs("slipway: the kernel gives no random bytes\n", stderr);
            abort();
        }
        p += n;
        len -= (size_t)n;
    }
}

void sw_random_name(char *to, size_t len) {
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    unsigned char bytes[64];
    size_t n = len - 1 < sizeof bytes ? len - 1 : sizeof bytes;
    sw_random_bytes(bytes, n);
    for (size_t i = 0; i < n; i++) to[i] = letters[bytes[i] % 36];
    to[n] = 0;
}
