#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p) {
    if (!p) {
        fputs("slipway: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *sw_malloc(size_t size) { return checked(malloc(size ? size : 1)); }

void *sw_calloc(size_t n, size_t size) { return checked(calloc(n ? n : 1, size ? size : 1)); }

void *sw_reallocarray(void *p, size_t n, size_t size) {
    return checked(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *sw_strdup(const char *s) { return checked(strdup(s)); }

char *sw_strndup(const char *s, size_t len) {
    char *copy = sw_malloc(len + 1);
    if (len) memcpy(copy, s, len);
    copy[len] = 0;
    return copy;
}

char *sw_asprintf(const char *fmt, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return checked(n < 0 ? NULL : text);
}

void sw_freep(void *pointer_to_pointer) {
    int saved = errno; /* a cleanup must not disturb the errno that a caller is about to report */
    free(*(void **)pointer_to_pointer);
    errno = saved;
}
