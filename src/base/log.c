#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

/* The one piece of global state: what is logged. Written before threads start. */
#define RULES_MAX 16
static struct {
    char subsystem[16];
    enum sw_log_level level;
} rules[RULES_MAX];
static size_t n_rules;
static enum sw_log_level default_level = SW_LOG_WARN;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static bool parse_level(struct sw_str text, enum sw_log_level *ret) {
    for (int i = 0; i < 4; i++) {
        if (!sw_str_is(text, level_names[i])) continue;
        *ret = (enum sw_log_level)i;
        return true;
    }
    return false;
}

enum sw_code sw_log_configure(const char *spec, struct sw_error *err) {
    struct sw_str rest = sw_str(spec), word;
    while (sw_str_next(&rest, ',', &word)) {
        struct sw_str name, level_text;
        enum sw_log_level level;
        if (!sw_str_cut(word, '=', &name, &level_text)) {
            level_text = name;
            name.len = 0;
        }
        if (!parse_level(level_text, &level))
            return sw_fail(err, SW_USAGE, "log level \"%.*s\": use error, warn, info or debug",
                           SW_ARG(level_text));
        if (name.len == 0) {
            default_level = level;
            continue;
        }
        if (n_rules == RULES_MAX || name.len >= sizeof rules[0].subsystem)
            return sw_fail(err, SW_USAGE, "log levels: cannot take \"%.*s\"", SW_ARG(word));
        memcpy(rules[n_rules].subsystem, name.ptr, name.len);
        rules[n_rules].subsystem[name.len] = 0;
        rules[n_rules++].level = level;
    }
    return SW_OK;
}

bool sw_log_enabled(const char *subsystem, enum sw_log_level level) {
    for (size_t i = n_rules; i-- > 0;)
        if (!strcmp(rules[i].subsystem, subsystem)) return level <= rules[i].level;
    return level <= default_level;
}

void sw_log_write(const char *subsystem, enum sw_log_level level, const char *fmt, ...) {
    char line[1024];
    int64_t ms = sw_now_mono_ns() / 1000000;
    int n = snprintf(line, sizeof line, "%lld.%03lld %s %s: ", (long long)(ms / 1000),
                     (long long)(ms % 1000), level_names[level], subsystem);
    va_list args;
    va_start(args, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (len > sizeof line - 2) len = sizeof line - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0) return; /* nowhere left to say it */
}
