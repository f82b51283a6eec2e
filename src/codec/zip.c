#include "codec/zip.h"

#include <libdeflate.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

enum {
    END_SIZE = 22,       /* end of central directory record (4.3.16) */
    COMMENT_MAX = 65535, /* its comment */
    LOCATOR_SIZE = 20,   /* zip64 locator (4.3.15) */
    END64_SIZE = 56,     /* zip64 end record (4.3.14) */
    FILE_SIZE = 46,      /* a file in the directory (4.3.12) */
    LOCAL_SIZE = 30,     /* a local header (4.3.7) */
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_STRONG = 1 << 6,
    FLAG_MASKED = 1 << 13,
    HOST_UNIX = 3,
};

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }
static uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

struct directory {
    uint64_t offset, size, entries;
};

/* The end record of large archives, found through its locator right before the small one. */
static enum sw_code find_end64(const struct sw_source *s, uint64_t end, struct directory *d,
                               struct sw_error *err) {
    uint8_t locator[LOCATOR_SIZE], record[END64_SIZE];
    if (end < LOCATOR_SIZE) return SW_OK;
    enum sw_code code = s->read(s->context, end - LOCATOR_SIZE, locator, sizeof locator, err);
    if (code || get32(locator) != 0x07064b50) return code;
    uint64_t at = get64(locator + 8);
    if (get32(locator + 4) != 0 || get32(locator + 16) > 1 || at > end - LOCATOR_SIZE ||
        end - LOCATOR_SIZE - at < END64_SIZE)
        return sw_fail(err, SW_CORRUPT, "malformed zip64 locator");
    code = s->read(s->context, at, record, sizeof record, err);
    if (code) return code;
    if (get32(record) != 0x06064b50) return sw_fail(err, SW_CORRUPT, "malformed zip64 end record");
    d->entries = get64(record + 32);
    d->size = get64(record + 40);
    d->offset = get64(record + 48);
    return SW_OK;
}

static enum sw_code find_directory(const struct sw_source *s, struct directory *ret,
                                   struct sw_error *err) {
    uint64_t tail_size = s->size < END_SIZE + COMMENT_MAX ? s->size : END_SIZE + COMMENT_MAX;
    if (tail_size < END_SIZE) return sw_fail(err, SW_CORRUPT, "too short for a zip archive");
    /* Nearly every archive has no comment: its last 22 bytes are enough. */
    SW_FREE uint8_t *tail = sw_malloc((size_t)tail_size);
    for (uint64_t len = END_SIZE;; len = tail_size) {
        enum sw_code code = s->read(s->context, s->size - len, tail, (size_t)len, err);
        if (code) return code;
        for (uint64_t i = len - END_SIZE + 1; i-- > 0;) {
            const uint8_t *p = tail + i;
            if (get32(p) != 0x06054b50 || get16(p + 20) != len - i - END_SIZE) continue;
            if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != get16(p + 10))
                return sw_fail(err, SW_UNSUPPORTED, "a zip archive in several parts");
            uint64_t end = s->size - len + i;
            struct directory d = {get32(p + 16), get32(p + 12), get16(p + 10)};
            code = find_end64(s, end, &d, err);
            if (code) return code;
            if (d.offset > end || d.size > end - d.offset)
                return sw_fail(err, SW_CORRUPT, "the zip directory lies outside of the archive");
            *ret = d;
            return SW_OK;
        }
        if (len == tail_size) return sw_fail(err, SW_CORRUPT, "not a zip archive: no end record");
    }
}

static enum sw_code check_name(struct sw_str name, struct sw_error *err) {
    struct sw_str rest = name, part;
    bool ok = name.len > 0 && name.len < 4096 && sw_str_is_utf8(name) &&
              !memchr(name.ptr, 0, name.len) && !memchr(name.ptr, '\\', name.len);
    while (ok && sw_str_next(&rest, '/', &part))
        ok = part.len > 0 && part.len <= 255 && !sw_str_is(part, ".") && !sw_str_is(part, "..");
    if (ok) return SW_OK;
    return sw_fail(err, SW_DENIED, "the archive has an entry with the unsafe name \"%.*s\"",
                   SW_ARG(sw_str_sub(name, 0, 200)));
}

/* Sizes beyond 32 bits stand in an extra field, in this order, where the small field is full. */
static bool read_zip64(struct sw_str extra, struct sw_zip_entry *e) {
    const uint8_t *p = (const uint8_t *)extra.ptr;
    size_t left = extra.len;
    while (left >= 4) {
        size_t size = get16(p + 2);
        if (size > left - 4) return false;
        if (get16(p) == 1) {
            uint64_t *fields[] = {&e->size, &e->compressed, &e->header};
            const uint8_t *q = p + 4;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX) continue;
                if (size < 8) return false;
                *fields[i] = get64(q);
                q += 8;
                size -= 8;
            }
            return true;
        }
        p += 4 + size;
        left -= 4 + size;
    }
    return true;
}

/* Reads one file header; *ret_used 0 where it does not fit. */
static enum sw_code read_file(const uint8_t *p, size_t left, struct sw_zip_entry *e,
                              bool *ret_directory, size_t *ret_used, struct sw_error *err) {
    if (left < FILE_SIZE || get32(p) != 0x02014b50)
        return sw_fail(err, SW_CORRUPT, "malformed zip directory");
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    if (left - FILE_SIZE < name + extra + comment)
        return sw_fail(err, SW_CORRUPT, "malformed zip directory");
    uint32_t flags = get16(p + 8), attributes = get32(p + 38);
    *e = (struct sw_zip_entry){
        .name = {(const char *)p + FILE_SIZE, name},
        .header = get32(p + 42),
        .compressed = get32(p + 20),
        .size = get32(p + 24),
        .crc = get32(p + 16),
        .method = (uint16_t)get16(p + 10),
    };
    if (!read_zip64(sw_str_n((const char *)p + FILE_SIZE + name, extra), e))
        return sw_fail(err, SW_CORRUPT, "malformed zip64 field");
    *ret_directory = sw_str_ends(e->name, SW_STR("/"));
    if (*ret_directory) e->name.len--;
    enum sw_code code = check_name(e->name, err);
    if (code) return code;
    if (p[5] == HOST_UNIX) {
        uint32_t kind = (attributes >> 16) & 0170000;
        e->mode = (attributes >> 16) & 07777;
        if (kind && kind != 0100000 && kind != 0040000)
            return sw_fail(err, SW_DENIED, "the archive has a link or special file \"%.*s\"",
                           SW_ARG(e->name));
    }
    if (flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
        return sw_fail(err, SW_DENIED, "\"%.*s\" is encrypted", SW_ARG(e->name));
    if (e->method != 0 && e->method != 8)
        return sw_fail(err, SW_UNSUPPORTED, "\"%.*s\" is compressed with method %u",
                       SW_ARG(e->name), e->method);
    *ret_used = FILE_SIZE + name + extra + comment;
    return SW_OK;
}

static int by_header(const void *a, const void *b) {
    const struct sw_zip_entry *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

/* No path twice, and no file where another entry needs a directory. */
static enum sw_code check_tree(const struct sw_zip *z, struct sw_error *err) {
    SW_MAP struct sw_map files = {0};
    for (size_t i = 0; i < z->n; i++)
        if (sw_map_put(&files, z->entries[i].name, &z->entries[i]))
            return sw_fail(err, SW_DENIED, "the archive has \"%.*s\" twice",
                           SW_ARG(z->entries[i].name));
    for (size_t i = 0; i < z->n; i++) {
        struct sw_str dir = z->entries[i].name;
        size_t slash;
        while ((slash = sw_str_rfind_char(dir, '/')) != SIZE_MAX) {
            dir.len = slash;
            if (sw_map_has(&files, dir))
                return sw_fail(err, SW_DENIED, "\"%.*s\" is a file and a directory in the archive",
                               SW_ARG(dir));
        }
    }
    return SW_OK;
}

/* Each entry owns the bytes from its header to the next one's: bombs overlap them. */
static enum sw_code check_layout(struct sw_zip *z, struct sw_error *err) {
    if (z->n) qsort(z->entries, z->n, sizeof *z->entries, by_header);
    for (size_t i = 0; i < z->n; i++) {
        struct sw_zip_entry *e = &z->entries[i];
        e->end = i + 1 < z->n ? z->entries[i + 1].header : z->directory;
        if (e->header > e->end || e->end - e->header < LOCAL_SIZE + e->name.len ||
            e->end - e->header - LOCAL_SIZE - e->name.len < e->compressed)
            return sw_fail(err, SW_DENIED, "\"%.*s\" overlaps another entry of the archive",
                           SW_ARG(e->name));
        if (e->method == 0 && e->compressed != e->size)
            return sw_fail(err, SW_CORRUPT, "\"%.*s\" is stored with two sizes", SW_ARG(e->name));
    }
    return check_tree(z, err);
}

enum sw_code sw_zip_open(struct sw_arena *a, const struct sw_source *source,
                         const struct sw_zip_limits *limits, struct sw_zip *ret,
                         struct sw_error *err) {
    struct sw_zip_limits max = limits ? *limits : (struct sw_zip_limits){0};
    if (!max.entries) max.entries = 100000;
    if (!max.entry_bytes) max.entry_bytes = 512u << 20;
    if (!max.total_bytes) max.total_bytes = 4ull << 30;
    if (!max.directory) max.directory = 64u << 20;
    struct directory d = {0};
    enum sw_code code = find_directory(source, &d, err);
    if (code) return code;
    if (d.entries > max.entries || d.size > max.directory)
        return sw_fail(err, SW_LIMIT, "the archive has more than %zu entries", max.entries);
    if (d.entries > d.size / FILE_SIZE) return sw_fail(err, SW_CORRUPT, "malformed zip directory");
    uint8_t *bytes = sw_arena_alloc(a, (size_t)d.size + 1);
    code = source->read(source->context, d.offset, bytes, (size_t)d.size, err);
    if (code) return code;
    struct sw_zip z = {.directory = d.offset};
    z.entries = sw_arena_array(a, (size_t)d.entries + 1, sizeof *z.entries);
    size_t at = 0;
    for (uint64_t i = 0; i < d.entries; i++) {
        bool is_directory = false;
        size_t used = 0;
        struct sw_zip_entry *e = &z.entries[z.n];
        code = read_file(bytes + at, (size_t)d.size - at, e, &is_directory, &used, err);
        if (code) return code;
        at += used;
        if (is_directory) continue;
        if (e->size > max.entry_bytes)
            return sw_fail(err, SW_LIMIT, "\"%.*s\" unpacks to more than %llu bytes",
                           SW_ARG(e->name), (unsigned long long)max.entry_bytes);
        z.total_bytes += e->size;
        if (z.total_bytes > max.total_bytes)
            return sw_fail(err, SW_LIMIT, "the archive unpacks to more than %llu bytes",
                           (unsigned long long)max.total_bytes);
        z.n++;
    }
    code = check_layout(&z, err);
    if (code) return code;
    *ret = z;
    return SW_OK;
}

struct sw_zip_inflater {
    struct libdeflate_decompressor *d;
    uint8_t *in, *out; /* owned */
    size_t in_cap, out_cap;
};

struct sw_zip_inflater *sw_zip_inflater_new(void) {
    struct sw_zip_inflater *z = sw_calloc(1, sizeof *z);
    z->d = libdeflate_alloc_decompressor();
    if (!z->d) abort(); /* only memory can be lacking */
    return z;
}

void sw_zip_inflater_free(struct sw_zip_inflater *z) {
    if (!z) return;
    libdeflate_free_decompressor(z->d);
    free(z->in);
    free(z->out);
    free(z);
}

static void make_room(uint8_t **p, size_t *cap, uint64_t len) {
    if (len <= *cap) return;
    free(*p);
    *cap = (size_t)(len < 1 << 20 ? 1 << 20 : len);
    *p = sw_malloc(*cap);
}

enum sw_code sw_zip_read(struct sw_zip_inflater *z, const struct sw_source *source,
                         const struct sw_zip_entry *e, struct sw_str *ret_bytes,
                         struct sw_error *err) {
    /* The header and the data in one read; what follows the data is a descriptor that repeats the
     * directory. */
    uint64_t want = e->end - e->header;
    uint64_t enough = LOCAL_SIZE + e->name.len + e->compressed + 1024;
    if (want > enough) want = enough;
    make_room(&z->in, &z->in_cap, want);
    make_room(&z->out, &z->out_cap, e->size + 1);
    enum sw_code code = source->read(source->context, e->header, z->in, (size_t)want, err);
    if (code) return code;
    size_t name = get16(z->in + 26), extra = get16(z->in + 28);
    uint64_t data = LOCAL_SIZE + name + extra;
    if (get32(z->in) != 0x04034b50 || name != e->name.len ||
        memcmp(z->in + LOCAL_SIZE, e->name.ptr, name) != 0 || get16(z->in + 8) != e->method ||
        data > want || want - data < e->compressed)
        return sw_fail(err, SW_CORRUPT, "\"%.*s\" differs from the zip directory", SW_ARG(e->name));
    const uint8_t *out = z->in + data;
    if (e->method == 8) {
        size_t n = 0;
        enum libdeflate_result result = libdeflate_deflate_decompress(
            z->d, z->in + data, (size_t)e->compressed, z->out, (size_t)e->size, &n);
        if (result != LIBDEFLATE_SUCCESS || n != e->size)
            return sw_fail(err, SW_CORRUPT, "\"%.*s\" does not unpack to its %llu bytes",
                           SW_ARG(e->name), (unsigned long long)e->size);
        out = z->out;
    }
    if (libdeflate_crc32(0, out, (size_t)e->size) != e->crc)
        return sw_fail(err, SW_CORRUPT, "\"%.*s\" does not have its CRC", SW_ARG(e->name));
    *ret_bytes = sw_str_n((const char *)out, (size_t)e->size);
    return SW_OK;
}
