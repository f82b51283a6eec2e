/* Diagnostics for people who look for a fault; not the program's output.
 *
 * Floor 0. Thread-safe: a line is one write(2). Libraries log only at debug level; what a user must
 * know is an error or a progress message. Levels are set per subsystem (the room's name):
 * --log-level debug, or SLIPWAY_LOG=warn,store=debug.
 */
#ifndef SW_BASE_LOG_H
#define SW_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum sw_log_level { SW_LOG_ERROR, SW_LOG_WARN, SW_LOG_INFO, SW_LOG_DEBUG };

/* "debug" or "warn,store=debug,net=info". SW_USAGE names the word that is wrong. */
SW_NODISCARD enum sw_code sw_log_configure(const char *spec, struct sw_error *err);
bool sw_log_enabled(const char *subsystem, enum sw_log_level level);
/* The format is a literal; subsystem the name of a room. */
void sw_log_write(const char *subsystem, enum sw_log_level level, const char *fmt, ...)
    SW_PRINTF(3, 4);
#define sw_log(subsystem, level, ...)                                                              \
    (sw_log_enabled(subsystem, level) ? sw_log_write(subsystem, level, __VA_ARGS__) : (void)0)
#define sw_debug(subsystem, ...) sw_log(subsystem, SW_LOG_DEBUG, __VA_ARGS__)
#define sw_warn(subsystem, ...) sw_log(subsystem, SW_LOG_WARN, __VA_ARGS__)

#endif
