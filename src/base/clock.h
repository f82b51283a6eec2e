/* Time and randomness, read here and passed on as parameters.
 *
 * Floor 0. Thread-safe.
 */
#ifndef SW_BASE_CLOCK_H
#define SW_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic, for durations. */
int64_t sw_now_mono_ns(void);
/* Seconds and nanoseconds since 1970, UTC. */
int64_t sw_now_unix_s(void);
int64_t sw_now_unix_ns(void);
/* Bytes from the kernel's generator; aborts where there is none. */
void sw_random_bytes(void *to, size_t len);
/* len - 1 characters of [0-9a-z] and a NUL, for temporary names. */
void sw_random_name(char *to, size_t len);

#endif
