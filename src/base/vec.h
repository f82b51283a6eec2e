/* A growing array of any type.
 *
 * Floor 0. Declare with SW_VEC(struct thing) things = {0}; use things.ptr[i] and things.len;
 * release with free(things.ptr) or sw_vec_done(&things).
 */
#ifndef SW_BASE_VEC_H
#define SW_BASE_VEC_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SW_VEC(type)                                                                               \
    struct {                                                                                       \
        type *ptr;                                                                                 \
        size_t len, cap;                                                                           \
    }

/* Appends a zeroed element and yields a pointer to it, valid until the next push. */
#define sw_vec_push(v)                                                                             \
    (((v)->len == (v)->cap                                                                         \
          ? (void)((v)->cap = (v)->cap ? (v)->cap * 2 : 8,                                         \
                   (v)->ptr = sw_reallocarray((v)->ptr, (v)->cap, sizeof *(v)->ptr))               \
          : (void)0),                                                                              \
     memset(&(v)->ptr[(v)->len], 0, sizeof *(v)->ptr), &(v)->ptr[(v)->len++])
#define sw_vec_add(v, value) ((void)(*sw_vec_push(v) = (value)))
#define sw_vec_done(v) (free((v)->ptr), (void)((v)->ptr = NULL, (v)->len = (v)->cap = 0))

#endif
