/* The three readers behind sw_object_read(). Floor 1, pure; private to codec. */
#ifndef SW_CODEC_OBJECT_INTERNAL_H
#define SW_CODEC_OBJECT_INTERNAL_H

#include "codec/object.h"

enum sw_code sw_elf_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                         struct sw_error *err);
enum sw_code sw_pe_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                        struct sw_error *err);
enum sw_code sw_macho_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                           struct sw_error *err);

/* Integers of either byte order. */
static inline uint64_t sw_object_uint(const uint8_t *p, unsigned n_bytes, bool big_endian) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        v |= (uint64_t)p[i] << (8 * (big_endian ? n_bytes - 1 - i : i));
    return v;
}

/* Cuts a part's bytes to what the file holds, so that no reader has to think of it again. True
 * where some were missing. */
static inline bool sw_object_clamp(struct sw_object_part *p, uint64_t source_size) {
    bool missing =
        p->file_size && (p->offset > source_size || p->file_size > source_size - p->offset);
    if (p->offset >= source_size) {
        p->offset = source_size;
        p->file_size = 0;
    } else if (p->file_size > source_size - p->offset) {
        p->file_size = source_size - p->offset;
    }
    return missing;
}

#endif
