#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static char empty[1];

void sw_buf_init(struct sw_buf *b, size_t max) {
    *b = (struct sw_buf){.ptr = empty, .max = max ? max : (size_t)1 << 30};
}

void sw_buf_done(struct sw_buf *b) {
    if (b->cap) free(b->ptr);
    *b = (struct sw_buf){.ptr = empty, .max = b->max};
}

void sw_buf_reset(struct sw_buf *b) {
    sw_buf_truncate(b, 0);
    b->overflow = false;
}

char *sw_buf_reserve(struct sw_buf *b, size_t len) {
    if (len > b->max - b->len) {
        b->overflow = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        if (cap < need) cap = need;
        char *grown = sw_reallocarray(b->cap ? b->ptr : NULL, cap, 1);
        grown[b->len] = 0;
        b->ptr = grown;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void sw_buf_add_bytes(struct sw_buf *b, const void *bytes, size_t len) {
    if (len == 0) return;
    char *to = sw_buf_reserve(b, len);
    if (!to) return;
    memcpy(to, bytes, len);
    b->len += len;
    b->ptr[b->len] = 0;
}

void sw_buf_add(struct sw_buf *b, struct sw_str s) { sw_buf_add_bytes(b, s.ptr, s.len); }

void sw_buf_add_text(struct sw_buf *b, const char *text) { sw_buf_add(b, sw_str(text)); }

void sw_buf_add_char(struct sw_buf *b, char c) { sw_buf_add_bytes(b, &c, 1); }

void sw_buf_addf(struct sw_buf *b, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = n < 0 ? NULL : sw_buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void sw_buf_truncate(struct sw_buf *b, size_t len) {
    if (len >= b->len) return;
    b->len = len;
    b->ptr[len] = 0;
}

char *sw_buf_steal(struct sw_buf *b) {
    char *out = b->cap ? b->ptr : sw_strdup("");
    *b = (struct sw_buf){.ptr = empty, .max = b->max};
    return out;
}

enum sw_code sw_buf_check(const struct sw_buf *b, const char *what, struct sw_error *err) {
    if (!b->overflow) return SW_OK;
    return sw_fail(err, SW_LIMIT, "%s is larger than %zu bytes", what, b->max);
}
