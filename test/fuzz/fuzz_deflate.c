/* What the encoder writes, zlib reads back as the input; two workspaces write the same. The first
 * byte chooses level and repetition, and whether noise follows each repetition, as long as the
 * second byte says: the fuzzer's inputs are short, blocks are not. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "codec/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *out, size_t n, const uint8_t *in, size_t len) {
    uint8_t *again = malloc(len + 1);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)out,
                  .avail_in = (uInt)n,
                  .next_out = again,
                  .avail_out = (uInt)len + 1};
    if (!again || inflateInit2(&z, -15) != Z_OK) abort();
    if (inflate(&z, Z_FINISH) != Z_STREAM_END || z.avail_in || z.total_out != len) abort();
    if (len && memcmp(again, in, len) != 0) abort();
    inflateEnd(&z);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    int level = data[0] % 10;
    size_t repeat = (size_t)1 << (data[0] / 10 % 10), piece = size - 2;
    size_t noise = data[0] >= 100 ? data[1] * 150u : 0, len = (piece + noise) * repeat;
    if (len > (size_t)1 << 20) return 0;
    uint8_t *in = malloc(len + 1), *out = malloc(sw_deflate_bound(len));
    uint8_t *twice = malloc(sw_deflate_bound(len));
    if (!in || !out || !twice) abort();
    uint64_t random = size;
    for (size_t i = 0; i < repeat; i++) {
        uint8_t *at = in + i * (piece + noise);
        memcpy(at, data + 2, piece);
        /* Not quite the same every time. */
        if (piece) at[i * data[1] % piece] += (uint8_t)i;
        for (size_t k = 0; k < noise; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            at[piece + k] = (uint8_t)(random >> 56);
        }
    }
    struct sw_deflate *a = sw_deflate_new(level), *b = sw_deflate_new(level);
    size_t n = sw_deflate_block(a, in, len, true, out, sw_deflate_bound(len));
    check(out, n, in, len);
    (void)sw_deflate_block(b, in, len / 2, false, twice, sw_deflate_bound(len));
    size_t m = sw_deflate_block(b, in, len, true, twice, sw_deflate_bound(len));
    if (n != m || memcmp(out, twice, n) != 0) abort();
    sw_deflate_free(a);
    sw_deflate_free(b);
    free(in);
    free(out);
    free(twice);
    return 0;
}
