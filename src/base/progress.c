/* One lock guards all steps. The plain and JSON sinks write as things happen; the terminal sink is
 * redrawn by a thread ten times a second, so that a fast build draws once.
 */
#include "base/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

#define LINE_MAX_BYTES 4096        /* a log line longer than this is cut into several */
#define TTY_LOG_LINES 6            /* of each running step, what a terminal shows */
#define TTY_WIDTH_MAX 512          /* columns */
#define REDRAW_NS (100 * 1000000L) /* between two drawings */
#define RATE_NS_MIN 1000000LL      /* a rate over less time is chance */
#define BYTES_NS (500 * 1000000LL) /* between two lines about the same part in plain mode */

enum state { WAITING, RUNNING, DONE, CACHED, FAILED };

struct part {
    char *name; /* owned */
    struct sw_progress_amount amount;
    int64_t start_ns;
    int64_t said_ns; /* when plain mode spoke of it last */
};

struct step {
    char *name; /* owned */
    enum state state;
    int64_t start_ns, end_ns;
    struct sw_buf line;          /* the unfinished last line */
    char *recent[TTY_LOG_LINES]; /* owned; ring of finished lines */
    unsigned n_recent;
    SW_VEC(struct part) parts;
    char *error; /* owned */
};

struct sw_progress {
    enum sw_progress_mode mode;
    int fd;
    bool color;
    pthread_mutex_t lock;
    SW_VEC(struct step) steps;
    int64_t start_ns;
    /* terminal only */
    pthread_t thread;
    bool has_thread, ending;
    pthread_cond_t wake;
    unsigned drawn_lines;
    size_t n_settled; /* leading steps that are final and were written above the moving part */
    SW_VEC(char *) warnings;
};

bool sw_progress_mode_parse(struct sw_str text, enum sw_progress_mode *ret_mode) {
    static const struct {
        const char *name;
        enum sw_progress_mode mode;
    } modes[] = {{"auto", SW_PROGRESS_AUTO},   {"tty", SW_PROGRESS_TTY},
                 {"plain", SW_PROGRESS_PLAIN}, {"rawjson", SW_PROGRESS_RAWJSON},
                 {"quiet", SW_PROGRESS_QUIET}, {"none", SW_PROGRESS_QUIET}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (!sw_str_is(text, modes[i].name)) continue;
        *ret_mode = modes[i].mode;
        return true;
    }
    return false;
}

static void emit(struct sw_progress *p, struct sw_str text) {
    while (text.len) {
        ssize_t n = write(p->fd, text.ptr, text.len);
        if (n <= 0) return; /* progress is not worth failing for */
        text = sw_str_from(text, (size_t)n);
    }
}

/* ---- JSON lines ---- */

static void json_text(struct sw_buf *b, struct sw_str s) {
    sw_buf_add_char(b, '"');
    bool utf8 = sw_str_is_utf8(s);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            sw_buf_addf(b, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            sw_buf_addf(b, "\\u%04x", c);
        } else if (c >= 0x80 && !utf8) {
            sw_buf_add_text(b, "\\ufffd");
        } else {
            sw_buf_add_char(b, (char)c);
        }
    }
    sw_buf_add_char(b, '"');
}

/* {"step":3,"event":"log","time_ns":123,"text":"..."} */
static void json_event(struct sw_progress *p, unsigned step, const char *event, const char *key,
                       struct sw_str text) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    sw_buf_addf(&b, "{\"step\":%u,\"event\":\"%s\",\"time_ns\":%lld", step, event,
                (long long)(sw_now_mono_ns() - p->start_ns));
    if (key) {
        sw_buf_addf(&b, ",\"%s\":", key);
        json_text(&b, text);
    }
    sw_buf_add_text(&b, "}\n");
    emit(p, sw_buf_str(&b));
}

/* ---- plain lines ---- */

static void plain(struct sw_progress *p, const char *fmt, ...) SW_PRINTF(2, 3);

static void plain(struct sw_progress *p, const char *fmt, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n > 0) emit(p, sw_str_n(text, (size_t)n));
    free(text);
}

static double seconds(int64_t ns) { return (double)ns / 1e9; }

static void size_text(char to[32], uint64_t bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit < 4) value /= 1000, unit++;
    snprintf(to, 32, unit ? "%.2f%s" : "%.0f%s", value, units[unit]);
}

const char *sw_progress_amount_text(const struct sw_progress_amount *a,
                                    char to[SW_PROGRESS_AMOUNT_MAX]) {
    char done[32], total[32], rate[32], percent[32] = "";
    size_text(done, a->done);
    size_text(total, a->total);
    if (a->total && a->done < a->total)
        snprintf(percent, sizeof percent, " %d%%", (int)((double)a->done * 100 / (double)a->total));
    uint64_t moved = a->done > a->from ? a->done - a->from : 0;
    bool has_rate = moved && a->elapsed_ns >= RATE_NS_MIN;
    if (has_rate) size_text(rate, (uint64_t)((double)moved / seconds(a->elapsed_ns)));
    snprintf(to, SW_PROGRESS_AMOUNT_MAX, "%s%s%s%s%s%s%s", done, a->total ? " / " : "",
             a->total ? total : "", percent, has_rate ? " " : "", has_rate ? rate : "",
             has_rate ? "/s" : "");
    return to;
}

/* ---- terminal ---- */

static unsigned tty_width(const struct sw_progress *p) {
    struct winsize size;
    if (ioctl(p->fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 20) return 80;
    return size.ws_col > TTY_WIDTH_MAX ? TTY_WIDTH_MAX : size.ws_col;
}

static unsigned tty_height(const struct sw_progress *p) {
    struct winsize size;
    return ioctl(p->fd, TIOCGWINSZ, &size) < 0 || size.ws_row < 5 ? 24 : size.ws_row;
}

/* Adds text cut to width columns (bytes of UTF-8 sequences beyond the first count nothing), control
 * characters replaced, so that a program's output cannot move our cursor. */
static unsigned add_columns(struct sw_buf *b, struct sw_str text, unsigned width) {
    unsigned used = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == 0x1b) { /* an escape sequence is dropped whole */
            if (i + 1 < text.len && text.ptr[i + 1] == '[')
                for (i += 2; i < text.len && (text.ptr[i] < '@' || text.ptr[i] > '~'); i++) {
                }
            continue;
        }
        if ((c & 0xc0) != 0x80 && used++ == width) {
            used--;
            break;
        }
        sw_buf_add_char(b, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    return used;
}

static void tty_line(struct sw_progress *p, struct sw_buf *b, const char *color, struct sw_str left,
                     const char *right) {
    unsigned width = tty_width(p), reserved = (unsigned)strlen(right) + 1;
    if (p->color && color) sw_buf_add_text(b, color);
    unsigned used = add_columns(b, left, width > reserved ? width - reserved : 1);
    while (used + reserved <= width) {
        sw_buf_add_char(b, ' ');
        used++;
    }
    sw_buf_add_text(b, right);
    if (p->color && color) sw_buf_add_text(b, "\033[0m");
    sw_buf_add_text(b, "\033[K\n");
}

static void tty_step(struct sw_progress *p, struct sw_buf *b, const struct step *s) {
    static const char *const colors[] = {NULL, NULL, "\033[34m", "\033[32m", "\033[31m"};
    char right[32];
    int64_t end = s->state == RUNNING ? sw_now_mono_ns() : s->end_ns;
    snprintf(right, sizeof right, "%.1fs", s->start_ns ? seconds(end - s->start_ns) : 0.0);
    SW_FREE char *left = sw_asprintf(" => %s%s%s", s->state == CACHED ? "CACHED " : "",
                                     s->state == FAILED ? "ERROR " : "", s->name);
    tty_line(p, b, colors[s->state], sw_str(left), right);
}

/* Writes the moving part anew: cursor up over what was drawn, final steps once, then running ones.
 */
static void tty_draw(struct sw_progress *p) {
    SW_BUF struct sw_buf b;
    sw_buf_init(&b, 0);
    if (p->drawn_lines) sw_buf_addf(&b, "\033[%uA\r", p->drawn_lines);
    sw_buf_add_text(&b, "\033[J");
    for (size_t i = 0; i < p->warnings.len; i++) {
        tty_line(p, &b, "\033[33m", sw_str(p->warnings.ptr[i]), "");
        free(p->warnings.ptr[i]);
    }
    p->warnings.len = 0;
    while (p->n_settled < p->steps.len && p->steps.ptr[p->n_settled].state >= DONE)
        tty_step(p, &b, &p->steps.ptr[p->n_settled++]);
    unsigned lines = 0, room = tty_height(p) - 2;
    for (size_t i = p->n_settled; i < p->steps.len && lines < room; i++) {
        const struct step *s = &p->steps.ptr[i];
        if (s->state == WAITING) continue;
        tty_step(p, &b, s);
        lines++;
        if (s->state != RUNNING) continue;
        for (size_t k = 0; k < s->parts.len && lines < room; k++) {
            char right[SW_PROGRESS_AMOUNT_MAX];
            SW_FREE char *left = sw_asprintf(" => => %s", s->parts.ptr[k].name);
            tty_line(p, &b, NULL, sw_str(left),
                     sw_progress_amount_text(&s->parts.ptr[k].amount, right));
            lines++;
        }
        unsigned n = s->n_recent < TTY_LOG_LINES ? s->n_recent : TTY_LOG_LINES;
        for (unsigned k = 0; k < n && lines < room; k++, lines++) {
            SW_FREE char *left =
                sw_asprintf(" => => # %s", s->recent[(s->n_recent - n + k) % TTY_LOG_LINES]);
            tty_line(p, &b, "\033[2m", sw_str(left), "");
        }
    }
    p->drawn_lines = lines;
    emit(p, sw_buf_str(&b));
}

static void *tty_loop(void *argument) {
    struct sw_progress *p = argument;
    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        tty_draw(p);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += REDRAW_NS;
        if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
    }
    tty_draw(p);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- the interface ---- */

struct sw_progress *sw_progress_new(enum sw_progress_mode mode, int fd, bool color) {
    struct sw_progress *p = sw_calloc(1, sizeof *p);
    if (mode == SW_PROGRESS_AUTO) mode = isatty(fd) ? SW_PROGRESS_TTY : SW_PROGRESS_PLAIN;
    p->mode = mode;
    p->fd = fd;
    p->color = color;
    p->start_ns = sw_now_mono_ns();
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    return p;
}

static void step_done(struct step *s) {
    free(s->name);
    free(s->error);
    sw_buf_done(&s->line);
    for (size_t i = 0; i < TTY_LOG_LINES; i++) free(s->recent[i]);
    for (size_t i = 0; i < s->parts.len; i++) free(s->parts.ptr[i].name);
    sw_vec_done(&s->parts);
}

void sw_progress_free(struct sw_progress *p) {
    if (!p) return;
    if (p->has_thread) {
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    } else if (p->mode == SW_PROGRESS_TTY && (p->steps.len || p->warnings.len)) {
        tty_draw(p);
    }
    for (size_t i = 0; i < p->steps.len; i++) step_done(&p->steps.ptr[i]);
    sw_vec_done(&p->steps);
    for (size_t i = 0; i < p->warnings.len; i++) free(p->warnings.ptr[i]);
    sw_vec_done(&p->warnings);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct step *step_of(struct sw_progress *p, unsigned step) {
    return step && step <= p->steps.len ? &p->steps.ptr[step - 1] : NULL;
}

unsigned sw_progress_step(struct sw_progress *p, struct sw_str name) {
    if (!p) return 0;
    pthread_mutex_lock(&p->lock);
    struct step *s = sw_vec_push(&p->steps);
    s->name = sw_strndup(name.ptr, name.len);
    sw_buf_init(&s->line, LINE_MAX_BYTES);
    unsigned number = (unsigned)p->steps.len;

    if (p->mode == SW_PROGRESS_TTY && !p->has_thread)
        p->has_thread = pthread_create(&p->thread, NULL, tty_loop, p) == 0;
    pthread_mutex_unlock(&p->lock);
    return number;
}

/* Says the step's name once, when something is first said about it. */
static void announce(struct sw_progress *p, unsigned number, struct step *s) {
    if (s->start_ns) return;
    s->start_ns = sw_now_mono_ns();
    if (p->mode == SW_PROGRESS_PLAIN) plain(p, "#%u %s\n", number, s->name);
    if (p->mode == SW_PROGRESS_RAWJSON) json_event(p, number, "start", "name", sw_str(s->name));
}

void sw_progress_start(struct sw_progress *p, unsigned step) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    struct step *s = step_of(p, step);
    if (s) {
        announce(p, step, s);
        s->state = RUNNING;
    }
    pthread_mutex_unlock(&p->lock);
}

static void say_line(struct sw_progress *p, unsigned number, struct step *s, struct sw_str line) {
    if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
    if (p->mode == SW_PROGRESS_PLAIN) {
        plain(p, "#%u %.3f %.*s\n", number, seconds(sw_now_mono_ns() - s->start_ns), SW_ARG(line));
    } else if (p->mode == SW_PROGRESS_RAWJSON) {
        json_event(p, number, "log", "text", line);
    } else if (p->mode == SW_PROGRESS_TTY) {
        char **slot = &s->recent[s->n_recent++ % TTY_LOG_LINES];
        free(*slot);
        *slot = sw_strndup(line.ptr, line.len);
    }
}

void sw_progress_log(struct sw_progress *p, unsigned step, struct sw_str bytes) {
    if (!p || p->mode == SW_PROGRESS_QUIET) return;
    pthread_mutex_lock(&p->lock);
    struct step *s = step_of(p, step);
    while (s && bytes.len) {
        announce(p, step, s);
        size_t end = sw_str_find_char(bytes, '\n');
        struct sw_str part = sw_str_sub(bytes, 0, end);
        if (part.len > LINE_MAX_BYTES - s->line.len) {
            part.len = LINE_MAX_BYTES - s->line.len;
            end = SIZE_MAX;
        }
        sw_buf_add(&s->line, part);
        bool whole = end != SIZE_MAX || s->line.len == LINE_MAX_BYTES;
        bytes = sw_str_from(bytes, part.len + (end != SIZE_MAX));
        if (!whole) break;
        say_line(p, step, s, sw_buf_str(&s->line));
        sw_buf_reset(&s->line);
    }
    pthread_mutex_unlock(&p->lock);
}

void sw_progress_note(struct sw_progress *p, unsigned step, const char *fmt, ...) {
    if (!p || p->mode == SW_PROGRESS_QUIET) return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text - 1, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len > sizeof text - 2) len = sizeof text - 2;
    text[len++] = '\n';
    sw_progress_log(p, step, sw_str_n(text, len));
}

void sw_progress_bytes(struct sw_progress *p, unsigned step, struct sw_str name, uint64_t done,
                       uint64_t total) {
    if (!p || p->mode == SW_PROGRESS_QUIET) return;
    pthread_mutex_lock(&p->lock);
    struct step *s = step_of(p, step);
    struct part *part = NULL;
    if (s) {
        announce(p, step, s);
        for (size_t i = 0; i < s->parts.len && !part; i++)
            if (sw_str_is(name, s->parts.ptr[i].name)) part = &s->parts.ptr[i];
        int64_t now = sw_now_mono_ns();
        if (!part) {
            part = sw_vec_push(&s->parts);
            part->name = sw_strndup(name.ptr, name.len);
            part->start_ns = now;
            /* What comes at once and whole says nothing of how it came. */
            part->amount.from = done;
        }
        part->amount.done = done;
        part->amount.total = total;
        part->amount.elapsed_ns = now - part->start_ns;
        if (p->mode != SW_PROGRESS_TTY && (done == total || now - part->said_ns > BYTES_NS)) {
            part->said_ns = now;
            char amount[SW_PROGRESS_AMOUNT_MAX];
            sw_progress_amount_text(&part->amount, amount);
            SW_FREE char *text = sw_asprintf("%s %s", part->name, amount);
            say_line(p, step, s, sw_str(text));
        }
    }
    pthread_mutex_unlock(&p->lock);
}

static void finish(struct sw_progress *p, unsigned number, enum state state, const char *error) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    struct step *s = step_of(p, number);
    if (s && s->state < DONE) {
        announce(p, number, s);
        if (s->line.len) say_line(p, number, s, sw_buf_str(&s->line));
        s->end_ns = sw_now_mono_ns();
        s->state = state;
        if (p->mode == SW_PROGRESS_PLAIN) {
            if (state == CACHED) plain(p, "#%u CACHED\n\n", number);
            if (state == DONE)
                plain(p, "#%u DONE %.1fs\n\n", number, seconds(s->end_ns - s->start_ns));
            if (state == FAILED) plain(p, "#%u ERROR: %s\n\n", number, error);
        } else if (p->mode == SW_PROGRESS_RAWJSON) {
            static const char *const events[] = {"", "", "done", "cached", "error"};
            json_event(p, number, events[state], error ? "text" : NULL, sw_str(error));
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void sw_progress_cached(struct sw_progress *p, unsigned step) { finish(p, step, CACHED, NULL); }

void sw_progress_done(struct sw_progress *p, unsigned step) { finish(p, step, DONE, NULL); }

void sw_progress_fail(struct sw_progress *p, unsigned step, const struct sw_error *err) {
    finish(p, step, FAILED, err->text);
}

void sw_progress_warn(struct sw_progress *p, const char *fmt, ...) {
    if (!p || p->mode == SW_PROGRESS_QUIET) return;
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) return;
    pthread_mutex_lock(&p->lock);
    if (p->mode == SW_PROGRESS_TTY) {
        sw_vec_add(&p->warnings, sw_asprintf(" ! %s", text));
    } else if (p->mode == SW_PROGRESS_RAWJSON) {
        json_event(p, 0, "warning", "text", sw_str(text));
    } else {
        plain(p, "WARNING: %s\n", text);
    }
    pthread_mutex_unlock(&p->lock);
    free(text);
}
