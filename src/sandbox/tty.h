/* The terminal of an interactive sandbox, seen from the user's side.
 *
 * Floor 3. Thread-safe; the relay changes the mode of the user's terminal while it runs.
 */
#ifndef SW_SANDBOX_TTY_H
#define SW_SANDBOX_TTY_H

#include "sandbox/sandbox.h"

/* Rows and columns of a terminal; false where fd is none. */
bool sw_tty_size(int fd, unsigned short *ret_rows, unsigned short *ret_cols);
/* Copies between the user's terminal (in, out; in may be -1) and the sandbox's until the sandbox
 * ends: raw mode (restored whatever happens), window size followed, signals of the keyboard travel
 * as bytes. cancel_fd (or -1): when it becomes readable the sandbox is killed. */
SW_NODISCARD enum sw_code sw_tty_relay(struct sw_sandbox *s, int in, int out, int cancel_fd,
                                       struct sw_error *err);

#endif
