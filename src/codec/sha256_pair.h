/* SHA-256's compression function for two streams at once; for digest.c alone.
 *
 * Floor 1. Pure, but for asking the processor once what it can. Thread-safe.
 */
#ifndef SW_CODEC_SHA256_PAIR_H
#define SW_CODEC_SHA256_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Whether this processor has what it takes. */
bool sw_sha256_pair_works(void);
/* Takes n_blocks of 64 bytes into each state (eight words, a to h). */
void sw_sha256_pair(uint32_t state_x[8], const uint8_t *x, uint32_t state_y[8], const uint8_t *y,
                    size_t n_blocks);

#endif
