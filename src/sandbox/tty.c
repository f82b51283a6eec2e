#include "sandbox/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"

#define CHUNK 16384
#define SIZE_CHECK_MS 200 /* how often the size of the window is looked at */

bool sw_tty_size(int fd, unsigned short *ret_rows, unsigned short *ret_cols) {
    struct winsize size;
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0) return false;
    *ret_rows = size.ws_row;
    *ret_cols = size.ws_col;
    return true;
}

struct relay {
    struct sw_sandbox *sandbox;
    int in, out, master;
    struct termios saved;
    bool raw;
    unsigned short rows, cols;
    char pending[CHUNK]; /* typed, and not taken by the sandbox yet */
    size_t n_pending;
};

static void relay_done(struct relay *r) {
    if (r->raw) (void)tcsetattr(r->in, TCSADRAIN, &r->saved);
}

static void make_raw(struct relay *r) {
    struct termios raw;
    if (r->in < 0 || tcgetattr(r->in, &r->saved) < 0) return;
    raw = r->saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; /* our own messages still end their lines */
    r->raw = tcsetattr(r->in, TCSADRAIN, &raw) == 0;
}

/* Asking now and then needs no handler for SIGWINCH, which would be the whole program's. */
static void follow_size(struct relay *r) {
    unsigned short rows, cols;
    if (!sw_tty_size(r->out, &rows, &cols) || (rows == r->rows && cols == r->cols)) return;
    struct winsize size = {.ws_row = rows, .ws_col = cols};
    (void)ioctl(r->master, TIOCSWINSZ, &size);
    r->rows = rows;
    r->cols = cols;
}

/* False at the end of the terminal. */
static bool copy_out(struct relay *r, enum sw_code *code, struct sw_error *err) {
    char block[CHUNK];
    ssize_t n = read(r->master, block, sizeof block);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n <= 0) return false; /* EIO: the last process closed its side */
    *code = sw_write_full(r->out, block, (size_t)n, err);
    return *code == SW_OK;
}

static void copy_in(struct relay *r) {
    ssize_t n = read(r->in, r->pending + r->n_pending, sizeof r->pending - r->n_pending);
    if (n > 0) {
        r->n_pending += (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        /* The end of the input is what Ctrl-D types. */
        if (r->n_pending < sizeof r->pending) r->pending[r->n_pending++] = 4;
        r->in = -1;
    }
}

static void give_pending(struct relay *r) {
    ssize_t n = write(r->master, r->pending, r->n_pending);
    if (n > 0) {
        memmove(r->pending, r->pending + n, r->n_pending - (size_t)n);
        r->n_pending -= (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        r->n_pending = 0; /* nobody reads any more */
    }
}

enum sw_code sw_tty_relay(struct sw_sandbox *s, int in, int out, int cancel_fd,
                          struct sw_error *err) {
    SW_CLEANUP(relay_done)
    struct relay r = {.sandbox = s, .in = in, .out = out, .master = sw_sandbox_tty(s)};
    enum sw_code code = SW_OK;
    int flags = fcntl(r.master, F_GETFL);
    if (flags < 0 || fcntl(r.master, F_SETFL, flags | O_NONBLOCK) < 0)
        return sw_fail_sys(err, errno, "use the sandbox's terminal");
    int saved_in = in;
    make_raw(&r);
    for (;;) {
        bool room = r.in >= 0 && r.n_pending < sizeof r.pending;
        struct pollfd fds[4] = {
            {.fd = r.master, .events = (short)(POLLIN | (r.n_pending ? POLLOUT : 0))},
            {.fd = room ? r.in : -1, .events = POLLIN},
            {.fd = sw_sandbox_exit_fd(s), .events = POLLIN},
            {.fd = cancel_fd, .events = POLLIN},
        };
        follow_size(&r);
        int n = poll(fds, 4, SIZE_CHECK_MS);
        if (n < 0 && errno != EINTR) code = sw_fail_sys(err, errno, "poll");
        if (code) break;
        if (n <= 0) continue;
        if (fds[3].revents) {
            sw_sandbox_kill(s);
            cancel_fd = -1;
        }
        if (fds[1].revents) copy_in(&r);
        if (r.n_pending) give_pending(&r);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
            if (!copy_out(&r, &code, err)) break;
        } else if (fds[2].revents) {
            break; /* it ended, and all it wrote was copied */
        }
    }
    r.in = saved_in;
    return code;
}
