/* A growing byte buffer with a maximum.
 *
 * Floor 0. Appending never fails at once: passing the maximum sets a sticky flag and drops what
 * does not fit, and sw_buf_check() turns it into an error where the caller is done. The content is
 * always followed by a NUL that len does not count, so ptr can be handed to a system call.
 */
#ifndef SW_BASE_BUF_H
#define SW_BASE_BUF_H

#include "base/error.h"
#include "base/str.h"

struct sw_buf {
    char *ptr;     /* owned; "" (not owned) while empty and never NULL after _init */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated, the NUL included; 0 while nothing is */
    size_t max;    /* bytes that len may reach */
    bool overflow; /* something was dropped */
};

/* max in bytes; 0 stands for 1 GiB. */
void sw_buf_init(struct sw_buf *b, size_t max);
void sw_buf_done(struct sw_buf *b);
#define SW_BUF SW_CLEANUP(sw_buf_done)
/* Empties, keeps the memory, clears the overflow. */
void sw_buf_reset(struct sw_buf *b);

void sw_buf_add(struct sw_buf *b, struct sw_str s);
void sw_buf_add_text(struct sw_buf *b, const char *text);
void sw_buf_add_char(struct sw_buf *b, char c);
void sw_buf_add_bytes(struct sw_buf *b, const void *bytes, size_t len);
void sw_buf_addf(struct sw_buf *b, const char *fmt, ...) SW_PRINTF(2, 3);
/* Makes room for len more bytes and returns where to write them; NULL (and overflow) when the
 * maximum forbids it. The caller then raises len by what it wrote. */
char *sw_buf_reserve(struct sw_buf *b, size_t len);
/* Cuts to len bytes (no effect where it is shorter). */
void sw_buf_truncate(struct sw_buf *b, size_t len);

static inline struct sw_str sw_buf_str(const struct sw_buf *b) {
    return (struct sw_str){b->ptr, b->len};
}
/* Hands the memory over as a NUL-terminated string (free() it); the buffer is empty afterwards. */
char *sw_buf_steal(struct sw_buf *b);
/* SW_LIMIT "WHAT is larger than N bytes" where something was dropped. */
SW_NODISCARD enum sw_code sw_buf_check(const struct sw_buf *b, const char *what,
                                       struct sw_error *err);

#endif
