/* Allocation that cannot fail: running out of memory aborts the program with a message.
 *
 * Floor 0. Inputs are bounded by named limits, so that exhaustion means the host is out of memory
 * and not that an input was large; unwinding from there would be untested code.
 */
#ifndef SW_BASE_MEM_H
#define SW_BASE_MEM_H

#include <stddef.h>

void *sw_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *sw_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
/* Resizes to n * size bytes; the product is checked. */
void *sw_reallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *sw_strdup(const char *s) __attribute__((returns_nonnull));
char *sw_strndup(const char *s, size_t len) __attribute__((returns_nonnull));
char *sw_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* For SW_CLEANUP on a char * or void * that came from malloc. */
void sw_freep(void *pointer_to_pointer);
#define SW_FREE SW_CLEANUP(sw_freep)

#endif
