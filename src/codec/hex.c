#include "codec/hex.h"

void sw_hex_encode(const void *bytes, size_t len, char *ret_text) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[p[i] >> 4];
        ret_text[2 * i + 1] = digits[p[i] & 15];
    }
}

static int digit_value(char c, bool allow_upper) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (allow_upper && c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool sw_hex_decode(struct sw_str text, bool allow_upper, void *ret_bytes) {
    unsigned char *to = ret_bytes;
    if (text.len % 2) return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = digit_value(text.ptr[i], allow_upper);
        int low = digit_value(text.ptr[i + 1], allow_upper);
        if (high < 0 || low < 0) return false;
        to[i / 2] = (unsigned char)(high << 4 | low);
    }
    return true;
}
