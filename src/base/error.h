/* Errors with an origin and a trail of context.
 *
 * Floor 0. Thread-safe: a struct sw_error belongs to one caller.
 *
 * A function that can fail returns enum sw_code, is marked SW_NODISCARD and fills the caller's
 * struct sw_error. Where the failure happens, sw_fail() or sw_fail_sys() record the origin; every
 * layer above prepends what it was doing with sw_context(), so that the text reads from the
 * general to the particular: "building app:1.0: reading Dockerfile: permission denied".
 */
#ifndef SW_BASE_ERROR_H
#define SW_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#define SW_NODISCARD __attribute__((warn_unused_result))
#define SW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* Runs fn(&variable) when the variable leaves its scope. */
#define SW_CLEANUP(fn) __attribute__((cleanup(fn)))

enum sw_code {
    SW_OK = 0,
    SW_USAGE,       /* the caller's words cannot be understood: command line, malformed reference */
    SW_SYNTAX,      /* an input document is malformed: Dockerfile, JSON, archive */
    SW_NOT_FOUND,   /* the thing that was named does not exist */
    SW_EXISTS,      /* it exists already and may not be replaced */
    SW_CORRUPT,     /* stored bytes do not match their digest or their structure */
    SW_DENIED,      /* permission, policy or credentials refuse it */
    SW_LIMIT,       /* a named maximum was passed */
    SW_UNSUPPORTED, /* this host or this version cannot do it */
    SW_BUSY,        /* somebody else holds it; trying again may succeed */
    SW_CANCELLED,   /* the user, a signal or a time limit ended it */
    SW_NETWORK,     /* a peer could not be reached or broke the protocol */
    SW_CHILD,       /* a child program ended with a status other than 0 */
    SW_IO,          /* the system refused: see sys_errno */
};

#define SW_ERROR_TEXT_MAX 2048

struct sw_error {
    enum sw_code code;
    int sys_errno;    /* errno at the origin, 0 where none applies */
    int child_status; /* exit status for SW_CHILD (128 + signal where a signal ended it) */
    const char *file; /* origin in our source; static strings */
    int line;
    char text[SW_ERROR_TEXT_MAX]; /* UTF-8, NUL-terminated, cut (never overrun) when too long */
};

/* Forgets an error so that the struct can be used again. */
void sw_error_clear(struct sw_error *err);
/* The code's name for logs and JSON: "not-found", "io" ... Static. */
const char *sw_code_name(enum sw_code code);

/* Records a failure and returns its code. Text: what was attempted, lower case, no full stop; then
 * what to do about it if we know. */
#define sw_fail(err, code, ...) sw_fail_at(err, code, 0, __FILE__, __LINE__, __VA_ARGS__)
/* The same for a system call that left errno; appends ": strerror". The code follows the errno
 * (ENOENT: SW_NOT_FOUND, EACCES and EPERM: SW_DENIED, ENOSPC and the rest: SW_IO ...). */
#define sw_fail_sys(err, errnum, ...) sw_fail_sys_at(err, errnum, __FILE__, __LINE__, __VA_ARGS__)

enum sw_code sw_fail_at(struct sw_error *err, enum sw_code code, int errnum, const char *file,
                        int line, const char *fmt, ...) SW_PRINTF(6, 7);
enum sw_code sw_fail_sys_at(struct sw_error *err, int errnum, const char *file, int line,
                            const char *fmt, ...) SW_PRINTF(5, 6);
/* Prepends "what: " to the text. Returns err->code, so that "return sw_context(...)" reads well. */
enum sw_code sw_context(struct sw_error *err, const char *fmt, ...) SW_PRINTF(2, 3);
/* Appends text, for advice that a higher layer knows: "; run `slipway doctor`". */
enum sw_code sw_advise(struct sw_error *err, const char *fmt, ...) SW_PRINTF(2, 3);

#endif
