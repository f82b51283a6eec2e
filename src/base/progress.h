/* What the user sees while work is going on: steps with names, logs, byte counts.
 *
 * Floor 0. Thread-safe. Domain rooms report to an abstract sink; cmd/ picks one: terminal
 * (redrawn), plain lines as BuildKit's ("#4 [build 2/5] RUN ...", "#4 0.312 text", "#4 DONE 0.3s"),
 * JSON lines (rawjson) or none (quiet). All sinks write to stderr.
 */
#ifndef SW_BASE_PROGRESS_H
#define SW_BASE_PROGRESS_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum sw_progress_mode {
    SW_PROGRESS_AUTO, /* terminal if stderr is one, plain otherwise */
    SW_PROGRESS_TTY,
    SW_PROGRESS_PLAIN,
    SW_PROGRESS_RAWJSON,
    SW_PROGRESS_QUIET,
};

struct sw_progress;

/* fd: where to write, borrowed (normally 2). color: whether ANSI colours may be used. */
struct sw_progress *sw_progress_new(enum sw_progress_mode mode, int fd, bool color);
/* Draws the last state and ends the redrawing thread, if any. */
void sw_progress_free(struct sw_progress *p);
/* "auto", "tty", "plain", "rawjson", "quiet" or "none". */
bool sw_progress_mode_parse(struct sw_str text, enum sw_progress_mode *ret_mode);

/* A step; numbers count from 1. The name is copied. p NULL is allowed everywhere: nothing happens
 * and the step is 0. */
unsigned sw_progress_step(struct sw_progress *p, struct sw_str name);
/* The clock of a step starts (or goes on after a pause). */
void sw_progress_start(struct sw_progress *p, unsigned step);
/* Output of a step's program, any bytes, any cuts: lines are put together here. */
void sw_progress_log(struct sw_progress *p, unsigned step, struct sw_str bytes);
/* One line about the step. */
void sw_progress_note(struct sw_progress *p, unsigned step, const char *fmt, ...) SW_PRINTF(3, 4);
/* done of total bytes (total 0: unknown) of the named part ("sha256:ab12 pulling"). */
void sw_progress_bytes(struct sw_progress *p, unsigned step, struct sw_str part, uint64_t done,
                       uint64_t total);
/* How much of a part is done, as it is shown. */
struct sw_progress_amount {
    uint64_t done, total; /* bytes; total 0: unknown */
    uint64_t from;        /* what was there when it began: not transferred, and not in the rate */
    int64_t elapsed_ns;   /* since then; 0: there is no rate to tell */
};
#define SW_PROGRESS_AMOUNT_MAX 128
/* "12.30MB / 40.00MB 30% 5.21MB/s", without what is not known. */
const char *sw_progress_amount_text(const struct sw_progress_amount *amount,
                                    char to[SW_PROGRESS_AMOUNT_MAX]);
void sw_progress_cached(struct sw_progress *p, unsigned step);
void sw_progress_done(struct sw_progress *p, unsigned step);
void sw_progress_fail(struct sw_progress *p, unsigned step, const struct sw_error *err);
/* A warning of the whole run, shown at once in plain mode and kept on screen on a terminal. */
void sw_progress_warn(struct sw_progress *p, const char *fmt, ...) SW_PRINTF(2, 3);

#endif
