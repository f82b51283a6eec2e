/* ELF headers (System V ABI, chapters 4 and 5), 32 and 64 bits, both byte orders. */
#include "codec/object_internal.h"

enum {
    SHT_SYMTAB_TYPE = 2,
    SHT_NOBITS_TYPE = 8,
    SHN_XINDEX_VALUE = 0xffff,
    PT_LOAD_TYPE = 1,
    SHF_WRITE_FLAG = 1,
    SHF_EXEC_FLAG = 4,
    PF_X_FLAG = 1,
    PF_W_FLAG = 2,
};

struct elf {
    const struct sw_source *s;
    bool big, wide;
    uint64_t phoff, shoff;
    uint32_t phentsize, phnum, shentsize, shnum, shstrndx;
};

struct section_header {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link;
};

static uint64_t uint_at(const struct elf *e, const uint8_t *p, unsigned n) {
    return sw_object_uint(p, n, e->big);
}

static enum sw_code read_section(const struct elf *e, uint32_t index, struct section_header *ret,
                                 struct sw_error *err) {
    uint8_t b[64] = {0};
    enum sw_code code =
        sw_source_read(e->s, e->shoff + (uint64_t)index * e->shentsize, b, e->wide ? 64 : 40, err);
    if (code) return sw_context(err, "section %u", index);
    struct section_header h = {(uint32_t)uint_at(e, b, 4), (uint32_t)uint_at(e, b + 4, 4)};
    if (e->wide) {
        h.flags = uint_at(e, b + 8, 8);
        h.addr = uint_at(e, b + 16, 8);
        h.offset = uint_at(e, b + 24, 8);
        h.size = uint_at(e, b + 32, 8);
        h.link = (uint32_t)uint_at(e, b + 40, 4);
    } else {
        h.flags = uint_at(e, b + 8, 4);
        h.addr = uint_at(e, b + 12, 4);
        h.offset = uint_at(e, b + 16, 4);
        h.size = uint_at(e, b + 20, 4);
        h.link = (uint32_t)uint_at(e, b + 24, 4);
    }
    *ret = h;
    return SW_OK;
}

static enum sw_code read_header(struct elf *e, struct sw_object *o, struct sw_error *err) {
    uint8_t b[64] = {0};
    enum sw_code code = sw_source_read(e->s, 0, b, 52, err);
    if (code) return code;
    if ((b[4] != 1 && b[4] != 2) || (b[5] != 1 && b[5] != 2))
        return sw_fail(err, SW_CORRUPT, "an ELF file of class %u and byte order %u", b[4], b[5]);
    e->wide = b[4] == 2;
    e->big = b[5] == 2;
    if (e->wide) code = sw_source_read(e->s, 0, b, 64, err);
    if (code) return code;
    o->bits = e->wide ? 64 : 32;
    o->big_endian = e->big;
    o->machine = (uint32_t)uint_at(e, b + 18, 2);
    unsigned w = e->wide ? 8 : 4;
    e->phoff = uint_at(e, b + 24 + w, w);
    e->shoff = uint_at(e, b + 24 + 2 * w, w);
    const uint8_t *t = b + 24 + 3 * w + 4; /* e_flags skipped: e_ehsize and what follows */
    e->phentsize = (uint32_t)uint_at(e, t + 2, 2);
    e->phnum = (uint32_t)uint_at(e, t + 4, 2);
    e->shentsize = (uint32_t)uint_at(e, t + 6, 2);
    e->shnum = (uint32_t)uint_at(e, t + 8, 2);
    e->shstrndx = (uint32_t)uint_at(e, t + 10, 2);
    if (e->shoff == 0) e->shnum = 0;
    if (e->phnum && e->phentsize < (e->wide ? 56 : 32))
        return sw_fail(err, SW_CORRUPT, "ELF program headers of %u bytes", e->phentsize);
    if (e->shoff && e->shentsize < (e->wide ? 64 : 40))
        return sw_fail(err, SW_CORRUPT, "ELF section headers of %u bytes", e->shentsize);
    if (e->shoff && (e->shnum == 0 || e->shstrndx == SHN_XINDEX_VALUE)) {
        /* Numbers that do not fit stand in the first section header. */
        struct section_header first = {0};
        code = read_section(e, 0, &first, err);
        if (code) return code;
        if (e->shnum == 0) {
            if (first.size > SW_OBJECT_SECTIONS_MAX)
                return sw_fail(err, SW_LIMIT, "an ELF file of more than %d sections",
                               SW_OBJECT_SECTIONS_MAX);
            e->shnum = (uint32_t)first.size;
        }
        if (e->shstrndx == SHN_XINDEX_VALUE) e->shstrndx = first.link;
    }
    return SW_OK;
}

static enum sw_code read_segments(struct sw_arena *a, struct elf *e, struct sw_object *o,
                                  struct sw_error *err) {
    if (e->phnum > SW_OBJECT_SEGMENTS_MAX)
        return sw_fail(err, SW_LIMIT, "an ELF file of more than %d segments",
                       SW_OBJECT_SEGMENTS_MAX);
    o->segments = sw_arena_array(a, e->phnum, sizeof *o->segments);
    for (uint32_t i = 0; i < e->phnum; i++) {
        uint8_t b[56] = {0};
        enum sw_code code =
            sw_source_read(e->s, e->phoff + (uint64_t)i * e->phentsize, b, e->wide ? 56 : 32, err);
        if (code) return sw_context(err, "program header %u", i);
        if (uint_at(e, b, 4) != PT_LOAD_TYPE) continue;
        struct sw_object_part p = {.name = SW_STR("")};
        uint64_t flags = uint_at(e, b + (e->wide ? 4 : 24), 4);
        p.offset = e->wide ? uint_at(e, b + 8, 8) : uint_at(e, b + 4, 4);
        p.addr = e->wide ? uint_at(e, b + 16, 8) : uint_at(e, b + 8, 4);
        p.file_size = e->wide ? uint_at(e, b + 32, 8) : uint_at(e, b + 16, 4);
        p.flags =
            (flags & PF_W_FLAG ? SW_OBJECT_WRITE : 0u) | (flags & PF_X_FLAG ? SW_OBJECT_EXEC : 0u);
        /* What was split off as debug data keeps its segments, but not their bytes; its sections
         * tell. */
        if (sw_object_clamp(&p, e->s->size) && e->shnum == 0) o->cut = true;
        o->segments[o->n_segments++] = p;
    }
    return SW_OK;
}

/* The name at an offset of the string table; "" where it has none. */
static enum sw_code section_name(struct sw_arena *a, struct elf *e, const struct section_header *t,
                                 uint32_t at, struct sw_str *ret, struct sw_error *err) {
    char text[SW_OBJECT_NAME_MAX];
    *ret = SW_STR("");
    if (at >= t->size || t->offset >= e->s->size || t->size > e->s->size - t->offset) return SW_OK;
    size_t len = t->size - at < sizeof text ? (size_t)(t->size - at) : sizeof text;
    enum sw_code code = sw_source_read(e->s, t->offset + at, text, len, err);
    if (code) return code;
    *ret = sw_arena_str(a, sw_str_n(text, strnlen(text, len)));
    return SW_OK;
}

static enum sw_code read_sections(struct sw_arena *a, struct elf *e, struct sw_object *o,
                                  struct sw_error *err) {
    if (e->shnum > SW_OBJECT_SECTIONS_MAX)
        return sw_fail(err, SW_LIMIT, "an ELF file of more than %d sections",
                       SW_OBJECT_SECTIONS_MAX);
    /* A cut file must not make us allocate for headers that it does not hold. */
    if (e->shnum &&
        (e->shoff > e->s->size || (uint64_t)e->shnum * e->shentsize > e->s->size - e->shoff))
        return sw_fail(err, SW_CORRUPT, "the ELF section headers end after the file");
    struct section_header names = {0}, h = {0};
    enum sw_code code = SW_OK;
    if (e->shstrndx < e->shnum) code = read_section(e, e->shstrndx, &names, err);
    if (code) return code;
    o->sections = sw_arena_array(a, e->shnum, sizeof *o->sections);
    for (uint32_t i = 0; i < e->shnum; i++) {
        code = read_section(e, i, &h, err);
        if (code) return code;
        if (h.type == SHT_SYMTAB_TYPE) o->has_symbols = true;
        struct sw_object_part *p = &o->sections[o->n_sections];
        code = section_name(a, e, &names, h.name, &p->name, err);
        if (code) return code;
        p->addr = h.addr;
        p->offset = h.offset;
        p->file_size = h.type == SHT_NOBITS_TYPE ? 0 : h.size;
        p->flags = (h.flags & SHF_WRITE_FLAG ? SW_OBJECT_WRITE : 0u) |
                   (h.flags & SHF_EXEC_FLAG ? SW_OBJECT_EXEC : 0u);
        if (sw_object_clamp(p, e->s->size)) o->cut = true;
        o->n_sections++;
    }
    return SW_OK;
}

enum sw_code sw_elf_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                         struct sw_error *err) {
    struct elf e = {.s = s};
    enum sw_code code = read_header(&e, ret, err);
    if (!code) code = read_segments(a, &e, ret, err);
    if (!code) code = read_sections(a, &e, ret, err);
    return code;
}
