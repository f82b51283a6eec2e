#include "codec/base64.h"

static const char alphabet[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void sw_base64_encode(struct sw_buf *out, struct sw_str bytes, unsigned flags) {
    const char *letters = alphabet[flags & SW_BASE64_URL ? 1 : 0];
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    char *to = sw_buf_reserve(out, (bytes.len + 2) / 3 * 4);
    if (!to) return;
    char *start = to;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t word = (uint32_t)p[i] << 16;
        if (n > 1) word |= (uint32_t)p[i + 1] << 8;
        if (n > 2) word |= p[i + 2];
        for (size_t k = 0; k < 4; k++) {
            if (k <= n)
                *to++ = letters[word >> (18 - 6 * k) & 63];
            else if (!(flags & SW_BASE64_NO_PAD))
                *to++ = '=';
        }
    }
    out->len += (size_t)(to - start);
    out->ptr[out->len] = 0;
}

static int letter_value(char c, bool url) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    if (c == (url ? '_' : '/')) return 63;
    return -1;
}

enum sw_code sw_base64_decode(struct sw_arena *a, struct sw_str text, unsigned flags,
                              struct sw_str *ret_bytes, struct sw_error *err) {
    struct sw_str body = text;
    if (!(flags & SW_BASE64_NO_PAD)) {
        if (text.len % 4) return sw_fail(err, SW_SYNTAX, "base64 text is cut short");
        for (int i = 0; i < 2 && body.len && body.ptr[body.len - 1] == '='; i++) body.len--;
    }
    if (body.len % 4 == 1) return sw_fail(err, SW_SYNTAX, "base64 text is cut short");
    unsigned char *bytes = sw_arena_alloc(a, body.len / 4 * 3 + 3);
    size_t len = 0;
    uint32_t word = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < body.len; i++) {
        int value = letter_value(body.ptr[i], flags & SW_BASE64_URL);
        if (value < 0)
            return sw_fail(err, SW_SYNTAX, "byte %zu of the base64 text is not in its alphabet",
                           i + 1);
        word = word << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[len++] = (unsigned char)(word >> bits);
        }
    }
    if (word & ((1u << bits) - 1))
        return sw_fail(err, SW_SYNTAX, "the last letter of the base64 text has stray bits");
    *ret_bytes = sw_str_n((const char *)bytes, len);
    return SW_OK;
}
