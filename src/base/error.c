#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void sw_error_clear(struct sw_error *err) { *err = (struct sw_error){0}; }

const char *sw_code_name(enum sw_code code) {
    static const char *const names[] = {
        [SW_OK] = "ok",
        [SW_USAGE] = "usage",
        [SW_SYNTAX] = "syntax",
        [SW_NOT_FOUND] = "not-found",
        [SW_EXISTS] = "exists",
        [SW_CORRUPT] = "corrupt",
        [SW_DENIED] = "denied",
        [SW_LIMIT] = "limit",
        [SW_UNSUPPORTED] = "unsupported",
        [SW_BUSY] = "busy",
        [SW_CANCELLED] = "cancelled",
        [SW_NETWORK] = "network",
        [SW_CHILD] = "child",
        [SW_IO] = "io",
    };
    if ((size_t)code >= sizeof names / sizeof names[0]) return "unknown";
    return names[code];
}

static enum sw_code code_of_errno(int errnum) {
    switch (errnum) {
    case ENOENT:
        return SW_NOT_FOUND;
    case EEXIST:
        return SW_EXISTS;
    case EACCES:
    case EPERM:
        return SW_DENIED;
    case ENOSYS:
    case EOPNOTSUPP:
        return SW_UNSUPPORTED;
    case EINTR:
    case ECANCELED:
        return SW_CANCELLED;
    default:
        return SW_IO;
    }
}

enum sw_code sw_fail_at(struct sw_error *err, enum sw_code code, int errnum, const char *file,
                        int line, const char *fmt, ...) {
    va_list args;
    err->code = code;
    err->sys_errno = errnum;
    err->child_status = 0;
    err->file = file;
    err->line = line;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

static SW_PRINTF(2, 0) void append(struct sw_error *err, const char *fmt, va_list args) {
    size_t len = strlen(err->text);
    vsnprintf(err->text + len, sizeof err->text - len, fmt, args);
}

enum sw_code sw_fail_sys_at(struct sw_error *err, int errnum, const char *file, int line,
                            const char *fmt, ...) {
    char reason[128];
    va_list args;
    err->code = code_of_errno(errnum);
    err->sys_errno = errnum;
    err->child_status = 0;
    err->file = file;
    err->line = line;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    /* GNU strerror_r: thread-safe, may return a static string. */
#ifdef __GLIBC__
    const char *text = strerror_r(errnum, reason, sizeof reason);
#else
    const char *text = strerror_r(errnum, reason, sizeof reason) ? "unknown error" : reason;
#endif
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len, ": %s", text);
    return err->code;
}

enum sw_code sw_context(struct sw_error *err, const char *fmt, ...) {
    char old[SW_ERROR_TEXT_MAX];
    va_list args;
    memcpy(old, err->text, sizeof old);
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len, ": %s", old);
    return err->code;
}

enum sw_code sw_advise(struct sw_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    append(err, fmt, args);
    va_end(args);
    return err->code;
}
