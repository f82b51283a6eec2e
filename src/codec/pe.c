/* PE headers ("PE Format" of the Windows documentation): image base and sections. */
#include "codec/object_internal.h"

#define PE_SECTION_SIZE 40
#define PE_EXEC 0x20000000u
#define PE_WRITE 0x80000000u

static uint64_t le(const uint8_t *p, unsigned n) { return sw_object_uint(p, n, false); }

enum sw_code sw_pe_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                        struct sw_error *err) {
    uint8_t dos[64], coff[24], optional[32], b[PE_SECTION_SIZE];
    /* MZ alone is a DOS program, or text: then it is none of our formats. */
    if (s->size < sizeof dos) return sw_fail(err, SW_NOT_FOUND, "not an executable file");
    enum sw_code code = sw_source_read(s, 0, dos, sizeof dos, err);
    if (code) return code;
    uint64_t at = le(dos + 60, 4);
    if (at > s->size || s->size - at < sizeof coff)
        return sw_fail(err, SW_NOT_FOUND, "not an executable file");
    code = sw_source_read(s, at, coff, sizeof coff, err);
    if (code) return code;
    if (memcmp(coff, "PE\0\0", 4) != 0) return sw_fail(err, SW_NOT_FOUND, "not an executable file");
    ret->machine = (uint32_t)le(coff + 4, 2);
    size_t n = (size_t)le(coff + 6, 2);
    ret->has_symbols = le(coff + 12, 4) != 0; /* number of symbols */
    size_t optional_size = (size_t)le(coff + 20, 2);
    if (optional_size < sizeof optional)
        return sw_fail(err, SW_CORRUPT, "a PE file without an optional header");
    at += sizeof coff;
    code = sw_source_read(s, at, optional, sizeof optional, err);
    if (code) return code;
    bool wide = le(optional, 2) == 0x20b;
    if (!wide && le(optional, 2) != 0x10b)
        return sw_fail(err, SW_CORRUPT, "a PE file with optional header 0x%x",
                       (unsigned)le(optional, 2));
    uint64_t base = wide ? le(optional + 24, 8) : le(optional + 28, 4);
    ret->bits = wide ? 64 : 32;
    at += optional_size;
    ret->sections = sw_arena_array(a, n, sizeof *ret->sections);
    for (size_t i = 0; i < n; i++, at += PE_SECTION_SIZE) {
        code = sw_source_read(s, at, b, sizeof b, err);
        if (code) return sw_context(err, "PE section %zu", i);
        struct sw_object_part *p = &ret->sections[ret->n_sections++];
        p->name = sw_arena_str(a, sw_str_n((char *)b, strnlen((char *)b, 8)));
        uint64_t mem_size = le(b + 8, 4);
        p->addr = base + le(b + 12, 4);
        p->file_size = le(b + 16, 4);
        if (mem_size && p->file_size > mem_size) p->file_size = mem_size; /* padding */
        p->offset = le(b + 20, 4);
        uint64_t flags = le(b + 36, 4);
        p->flags =
            (flags & PE_WRITE ? SW_OBJECT_WRITE : 0u) | (flags & PE_EXEC ? SW_OBJECT_EXEC : 0u);
        if (sw_object_clamp(p, s->size)) ret->cut = true;
    }
    return SW_OK;
}
