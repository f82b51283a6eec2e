#include "codec/gzip.h"

#include <assert.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

/* The trailer starts with an empty final block of fixed codes: BFINAL 1, BTYPE 01, end of block
 * (seven zero bits), padding. */
static const uint8_t final_block[2] = {0x03, 0x00};

static void put_le32(uint8_t *out, uint32_t v) {
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (8 * i));
}

uint32_t sw_crc32(uint32_t crc, const void *bytes, size_t len) {
    return len ? libdeflate_crc32(crc, bytes, len) : crc;
}

void sw_gzip_sum_add(struct sw_gzip_sum *sum, struct sw_gzip_sum next) {
    sum->crc = (uint32_t)crc32_combine64(sum->crc, next.crc, (z_off64_t)next.len);
    sum->len += next.len;
}

void sw_gzip_header(int level, uint8_t out[SW_GZIP_HEADER_SIZE]) {
    uint8_t extra_flags = level == 1 ? 4 : level >= SW_DEFLATE_LEVEL_MAX ? 2 : 0;
    const uint8_t header[SW_GZIP_HEADER_SIZE] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra_flags, 255};
    memcpy(out, header, sizeof(header));
}

size_t sw_gzip_block_bound(size_t len) { return sw_deflate_bound(len); }

size_t sw_gzip_block(struct sw_deflate *workspace, const void *in, size_t len, uint8_t *out,
                     size_t out_len, struct sw_gzip_sum *ret_sum) {
    assert(len <= SW_GZIP_BLOCK_SIZE);
    size_t n = sw_deflate_block(workspace, in, len, false, out, out_len);
    *ret_sum = (struct sw_gzip_sum){.crc = sw_crc32(0, in, len), .len = len};
    return n;
}

void sw_gzip_finish(struct sw_gzip_sum sum, uint8_t out[SW_GZIP_TRAILER_SIZE]) {
    memcpy(out, final_block, sizeof(final_block));
    put_le32(out + 2, sum.crc);
    put_le32(out + 6, (uint32_t)sum.len);
}
