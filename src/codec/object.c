#include "codec/object.h"

#include "codec/object_internal.h"

static enum sw_code memory_read(void *context, uint64_t offset, void *to, size_t len,
                                struct sw_error *err) {
    const struct sw_str *bytes = context;
    memcpy(to, bytes->ptr + offset, len);
    return SW_OK;
}

struct sw_source sw_source_memory(const struct sw_str *bytes) {
    return (struct sw_source){memory_read, (void *)bytes, bytes->len};
}

enum sw_code sw_source_read(const struct sw_source *s, uint64_t offset, void *to, size_t len,
                            struct sw_error *err) {
    if (len > s->size || offset > s->size - len)
        return sw_fail(err, SW_CORRUPT, "the file ends before byte %llu",
                       (unsigned long long)offset + len);
    if (len == 0) return SW_OK;
    return s->read(s->context, offset, to, len, err);
}

enum sw_object_format sw_object_sniff(const void *bytes, size_t len) {
    const uint8_t *p = bytes;
    if (len < 16) return 0;
    if (memcmp(p,
               "\x7f"
               "ELF",
               4) == 0)
        return SW_OBJECT_ELF;
    if (p[0] == 'M' && p[1] == 'Z') return SW_OBJECT_PE;
    uint32_t be = (uint32_t)sw_object_uint(p, 4, true);
    if (be == 0xfeedface || be == 0xfeedfacf || be == 0xcefaedfe || be == 0xcffaedfe)
        return SW_OBJECT_MACHO;
    /* Java classes share the magic of universal files; there the next word is a version of 45 and
     * more, here a number of architectures. */
    uint32_t n = (uint32_t)sw_object_uint(p + 4, 4, true);
    if ((be == 0xcafebabe || be == 0xcafebabf) && n > 0 && n < 32) return SW_OBJECT_MACHO;
    return 0;
}

/* UPX leaves its mark in the first page, beside the headers that it writes. */
static enum sw_code find_packer(const struct sw_source *s, struct sw_object *o,
                                struct sw_error *err) {
    char page[4096];
    size_t len = s->size < sizeof page ? (size_t)s->size : sizeof page;
    enum sw_code code = sw_source_read(s, 0, page, len, err);
    if (code) return code;
    o->packed = sw_str_find(sw_str_n(page, len), SW_STR("UPX!")) != SIZE_MAX;
    return SW_OK;
}

enum sw_code sw_object_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                            struct sw_error *err) {
    uint8_t ident[16];
    if (s->size < sizeof ident) return sw_fail(err, SW_NOT_FOUND, "not an executable file");
    enum sw_code code = sw_source_read(s, 0, ident, sizeof ident, err);
    if (code) return code;
    struct sw_object o = {.format = sw_object_sniff(ident, sizeof ident)};
    switch (o.format) {
    case SW_OBJECT_ELF:
        code = sw_elf_read(a, s, &o, err);
        break;
    case SW_OBJECT_PE:
        code = sw_pe_read(a, s, &o, err);
        break;
    case SW_OBJECT_MACHO:
        code = sw_macho_read(a, s, &o, err);
        break;
    default:
        return sw_fail(err, SW_NOT_FOUND, "not an executable file");
    }
    if (code) return code;
    code = find_packer(s, &o, err);
    if (code) return code;
    *ret = o;
    return sw_arena_check(a, "the executable's headers", err);
}

const struct sw_object_part *sw_object_section(const struct sw_object *o, const char *name) {
    for (size_t i = 0; i < o->n_sections; i++)
        if (sw_str_is(o->sections[i].name, name)) return &o->sections[i];
    return NULL;
}

static const struct sw_object_part *part_at(const struct sw_object_part *parts, size_t n,
                                            uint64_t addr) {
    for (size_t i = 0; i < n; i++)
        if (addr >= parts[i].addr && addr - parts[i].addr < parts[i].file_size) return &parts[i];
    return NULL;
}

const struct sw_object_part *sw_object_at(const struct sw_object *o, uint64_t addr) {
    const struct sw_object_part *p = part_at(o->segments, o->n_segments, addr);
    return p ? p : part_at(o->sections, o->n_sections, addr);
}

enum sw_code sw_object_read_at(const struct sw_object *o, const struct sw_source *s, uint64_t addr,
                               void *to, size_t len, struct sw_error *err) {
    const struct sw_object_part *p = sw_object_at(o, addr);
    if (!p || len > p->file_size - (addr - p->addr))
        return sw_fail(err, SW_CORRUPT, "the file does not hold the address 0x%llx",
                       (unsigned long long)addr);
    return sw_source_read(s, p->offset + (addr - p->addr), to, len, err);
}
