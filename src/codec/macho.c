/* Mach-O headers (mach-o/loader.h, mach-o/fat.h): segments and sections. */
#include "codec/object_internal.h"

enum {
    LC_SEGMENT_32 = 0x1,
    LC_SYMTAB_CMD = 0x2,
    LC_SEGMENT_64_CMD = 0x19,
    MACHO_COMMANDS_MAX = 4096, /* linkers write about 20 */
    MACHO_COMMANDS_BYTES_MAX = 4 << 20,
    VM_WRITE = 2,
    VM_EXEC = 4,
};

struct macho {
    const uint8_t *commands;
    size_t len;
    uint64_t start; /* of the architecture in a universal file */
    uint64_t size;  /* of the source */
    bool big;
};

static uint64_t uint_at(const struct macho *m, const uint8_t *p, unsigned n) {
    return sw_object_uint(p, n, m->big);
}

static struct sw_str fixed_name(struct sw_arena *a, const uint8_t *p) {
    return sw_arena_str(a, sw_str_n((const char *)p, strnlen((const char *)p, 16)));
}

/* One LC_SEGMENT or LC_SEGMENT_64 command of len bytes. */
static enum sw_code read_segment(struct sw_arena *a, const struct macho *m, const uint8_t *p,
                                 size_t len, bool wide, struct sw_object *o, struct sw_error *err) {
    size_t head = wide ? 72 : 56, each = wide ? 80 : 68;
    if (len < head) return sw_fail(err, SW_CORRUPT, "a Mach-O segment of %zu bytes", len);
    unsigned w = wide ? 8 : 4;
    struct sw_object_part *segment = &o->segments[o->n_segments++];
    segment->name = fixed_name(a, p + 8);
    segment->addr = uint_at(m, p + 24, w);
    segment->offset = m->start + uint_at(m, p + 24 + 2 * w, w);
    segment->file_size = uint_at(m, p + 24 + 3 * w, w);
    uint64_t prot = uint_at(m, p + 24 + 4 * w + 4, 4); /* initprot, after maxprot */
    segment->flags =
        (prot & VM_WRITE ? SW_OBJECT_WRITE : 0u) | (prot & VM_EXEC ? SW_OBJECT_EXEC : 0u);
    if (sw_object_clamp(segment, m->size)) o->cut = true;
    uint64_t n = uint_at(m, p + 24 + 4 * w + 8, 4);
    if (n > (len - head) / each)
        return sw_fail(err, SW_CORRUPT, "a Mach-O segment with more sections than it holds");
    struct sw_object_part *more = sw_arena_array(a, o->n_sections + n, sizeof *more);
    if (o->n_sections) memcpy(more, o->sections, o->n_sections * sizeof *more);
    o->sections = more;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *q = p + head + i * each;
        struct sw_object_part *part = &o->sections[o->n_sections++];
        part->name = fixed_name(a, q);
        part->addr = uint_at(m, q + 32, w);
        part->file_size = uint_at(m, q + 32 + w, w);
        part->offset = m->start + uint_at(m, q + 32 + 2 * w, 4);
        part->flags = segment->flags;
        /* Types 1, 12 and 18 are filled with zeros and have no bytes in the file. */
        uint64_t type = uint_at(m, q + 32 + 2 * w + 16, 4) & 0xff;
        if (type == 1 || type == 12 || type == 18) part->file_size = 0;
        (void)sw_object_clamp(part, m->size); /* dSYM files have sections without their bytes */
    }
    return SW_OK;
}

static enum sw_code read_commands(struct sw_arena *a, const struct macho *m, size_t n,
                                  struct sw_object *o, struct sw_error *err) {
    const uint8_t *p = m->commands;
    size_t left = m->len;
    o->segments = sw_arena_array(a, n, sizeof *o->segments);
    for (size_t i = 0; i < n; i++) {
        if (left < 8) return sw_fail(err, SW_CORRUPT, "Mach-O load command %zu is cut", i);
        uint64_t type = uint_at(m, p, 4), len = uint_at(m, p + 4, 4);
        if (len < 8 || len > left)
            return sw_fail(err, SW_CORRUPT, "Mach-O load command %zu has a wrong length", i);
        enum sw_code code = SW_OK;
        if (type == LC_SEGMENT_32 || type == LC_SEGMENT_64_CMD)
            code = read_segment(a, m, p, (size_t)len, type == LC_SEGMENT_64_CMD, o, err);
        else if (type == LC_SYMTAB_CMD && len >= 16)
            o->has_symbols = uint_at(m, p + 12, 4) != 0;
        if (!code) code = sw_arena_check(a, "the Mach-O sections", err);
        if (code) return code;
        p += len;
        left -= (size_t)len;
    }
    return SW_OK;
}

/* Where the first architecture of a universal file starts; 0 for a plain file. */
static enum sw_code first_slice(const struct sw_source *s, uint64_t *ret, struct sw_error *err) {
    uint8_t b[40];
    size_t len = s->size < sizeof b ? (size_t)s->size : sizeof b;
    memset(b, 0, sizeof b);
    enum sw_code code = sw_source_read(s, 0, b, len, err);
    if (code) return code;
    uint64_t magic = sw_object_uint(b, 4, true);
    *ret = magic == 0xcafebabe   ? sw_object_uint(b + 16, 4, true)
           : magic == 0xcafebabf ? sw_object_uint(b + 16, 8, true)
                                 : 0;
    return SW_OK;
}

enum sw_code sw_macho_read(struct sw_arena *a, const struct sw_source *s, struct sw_object *ret,
                           struct sw_error *err) {
    struct macho m = {.size = s->size};
    uint8_t b[32];
    enum sw_code code = first_slice(s, &m.start, err);
    if (!code) code = sw_source_read(s, m.start, b, 28, err);
    if (code) return code;
    uint32_t magic = (uint32_t)sw_object_uint(b, 4, true);
    m.big = magic == 0xfeedface || magic == 0xfeedfacf;
    bool wide = magic == 0xfeedfacf || magic == 0xcffaedfe;
    if (!m.big && magic != 0xcefaedfe && magic != 0xcffaedfe)
        return sw_fail(err, SW_CORRUPT, "a universal file without a Mach-O file in it");
    ret->bits = wide ? 64 : 32;
    ret->big_endian = m.big;
    ret->machine = (uint32_t)uint_at(&m, b + 4, 4);
    uint64_t n = uint_at(&m, b + 16, 4), len = uint_at(&m, b + 20, 4);
    if (n > MACHO_COMMANDS_MAX || len > MACHO_COMMANDS_BYTES_MAX)
        return sw_fail(err, SW_LIMIT, "a Mach-O file of %llu load commands, %llu bytes",
                       (unsigned long long)n, (unsigned long long)len);
    uint64_t at = m.start + (wide ? 32 : 28);
    if (at > s->size || len > s->size - at)
        return sw_fail(err, SW_CORRUPT, "the Mach-O load commands end after the file");
    uint8_t *commands = sw_arena_alloc(a, (size_t)len + 1);
    code = sw_source_read(s, at, commands, (size_t)len, err);
    if (code) return code;
    m.commands = commands;
    m.len = (size_t)len;
    return read_commands(a, &m, (size_t)n, ret, err);
}
