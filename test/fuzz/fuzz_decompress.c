/* Any bytes: the reader ends, stays within its limit, and says the same whether it is fed at once
 * or in pieces. The first two bytes choose the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/compress.h"

#define LIMIT 200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum sw_code run(const uint8_t *data, size_t size, size_t in_step, size_t out_step,
                        uint8_t *out, size_t *ret_len) {
    struct sw_decompressor *d = sw_decompressor_new(LIMIT);
    struct sw_error err;
    struct sw_codec_io io = {0};
    size_t pos = 0, len = 0, idle = 0;
    enum sw_code code = SW_OK;
    while (!io.done && !code) {
        size_t in_len = size - pos < in_step ? size - pos : in_step;
        size_t out_len = LIMIT + 1 - len < out_step ? LIMIT + 1 - len : out_step;
        io.in = data + pos;
        io.in_len = in_len;
        io.last = pos + in_len == size;
        io.out = out + len;
        io.out_len = out_len;
        code = sw_decompress(d, &io, &err);
        pos += in_len - io.in_len;
        len += out_len - io.out_len;
        idle = io.in_len == in_len && io.out_len == out_len ? idle + 1 : 0;
        if (idle > 2) abort();
        if (len > LIMIT) abort();
    }
    sw_decompressor_free(d);
    *ret_len = len;
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t whole[LIMIT + 1], pieces[LIMIT + 1];
    if (size < 2) return 0;
    size_t in_step = 1 + data[0] % 64, out_step = 1 + data[1] % 64 * 16, n = 0, m = 0;
    enum sw_code a = run(data + 2, size - 2, SIZE_MAX, SIZE_MAX, whole, &n);
    enum sw_code b = run(data + 2, size - 2, in_step, out_step, pieces, &m);
    if ((a == SW_OK) != (b == SW_OK)) abort();
    if (a == SW_OK && (n != m || memcmp(whole, pieces, n) != 0)) abort();
    return 0;
}
