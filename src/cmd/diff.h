/* What two images do not have in common, in words. Floor 7. */
#ifndef SW_CMD_DIFF_H
#define SW_CMD_DIFF_H

#include <stdio.h>

#include "cmd/image_read.h"

/* Prints to `to`; *ret_n: the number of differences found. */
SW_NODISCARD enum sw_code sw_diff_images(struct sw_store *store, struct sw_arena *arena,
                                         const struct sw_image_read *from,
                                         const struct sw_image_read *to_image, FILE *to,
                                         size_t *ret_n, struct sw_error *err);

#endif
