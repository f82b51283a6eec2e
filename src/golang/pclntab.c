/* The function table that every Go program carries (runtime.pclntab), for the names in it.
 *
 *     header   magic u32, 0, 0, instruction quantum (1, 2, 4), pointer size (4, 8)
 *     1.2      0xfffffffb   n functions; then n pairs (pc, offset of the function's record)
 *     1.16     0xfffffffa   n functions, n files, then offsets of: names, CUs, files, pcs, records
 *     1.18     0xfffffff0   the same with the start of the text before the offsets
 *     1.20     0xfffffff1   the same as 1.18
 *
 * From 1.16 on the names are one block of NUL-terminated strings, which holds those of functions
 * that were inlined everywhere as well; reading the block gives exactly what was linked. Before,
 * names stand between other data and are found through the records, which only functions with a
 * body of their own have.
 */
#include "golang/buildinfo.h"

#include "base/mem.h"

enum {
    HEADER_MAX = 8 + 8 * 8,
    SCAN_CHUNK = 1 << 20,
    FUNCTIONS_MAX = 8 << 20, /* functions of one program; the largest known have 600,000 */
    NAME_MAX_BYTES = 64 << 10,
};

struct table {
    const struct sw_source *s;
    uint64_t offset, size; /* in the source */
    uint32_t version;      /* 2, 16, 18, 20 */
    unsigned word;
    bool big;
};

static uint64_t word_at(const struct table *t, const uint8_t *p, unsigned n) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * (t->big ? n - 1 - i : i));
    return v;
}

/* Whether the eight bytes begin a table; fills version, word and byte order. */
static bool is_header(const uint8_t *p, struct table *t) {
    if (p[4] != 0 || p[5] != 0 || (p[6] != 1 && p[6] != 2 && p[6] != 4) || (p[7] != 4 && p[7] != 8))
        return false;
    static const struct {
        uint32_t magic, version;
    } known[] = {{0xfffffffb, 2}, {0xfffffffa, 16}, {0xfffffff0, 18}, {0xfffffff1, 20}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int big = 0; big < 2; big++) {
            t->big = big;
            if (word_at(t, p, 4) != known[i].magic) continue;
            t->version = known[i].version;
            t->word = p[7];
            return true;
        }
    return false;
}

/* The offsets after the header must lie within the part, in their order. */
static bool plausible(const struct table *t) {
    uint8_t b[HEADER_MAX];
    struct sw_error ignored;
    if (t->size < HEADER_MAX || sw_source_read(t->s, t->offset, b, sizeof b, &ignored))
        return false;
    uint64_t n = word_at(t, b + 8, t->word);
    if (n == 0 || n > FUNCTIONS_MAX) return false;
    if (t->version == 2) return n * 2 * t->word < t->size;
    unsigned first = t->version == 16 ? 2 : 3;
    uint64_t names = word_at(t, b + 8 + first * t->word, t->word);
    uint64_t units = word_at(t, b + 8 + (first + 1) * t->word, t->word);
    return names >= 8 + t->word && names < units && units <= t->size;
}

/* Looks for a table in a part that also holds other things. */
static bool search(const struct sw_object_part *p, struct table *t) {
    SW_FREE uint8_t *chunk = sw_malloc(SCAN_CHUNK);
    struct sw_error ignored;
    uint64_t skip = (8 - p->addr % 8) % 8;
    uint64_t size = p->file_size < SW_GO_SEARCH_MAX ? p->file_size : SW_GO_SEARCH_MAX;
    for (uint64_t at = skip; at + HEADER_MAX <= size; at += SCAN_CHUNK) {
        size_t len = size - at < SCAN_CHUNK ? (size_t)(size - at) : SCAN_CHUNK;
        if (sw_source_read(t->s, p->offset + at, chunk, len, &ignored)) return false;
        for (size_t i = 0; i + 8 <= len; i += 8) {
            if ((chunk[i] < 0xf0 && chunk[i] != 0xff) || !is_header(chunk + i, t)) continue;
            t->offset = p->offset + at + i;
            t->size = p->file_size - at - i;
            if (plausible(t)) return true;
        }
    }
    return false;
}

static bool find_table(const struct sw_object *o, struct table *t) {
    static const char *const names[] = {".gopclntab", "__gopclntab", ".data.rel.ro.gopclntab"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct sw_object_part *p = sw_object_section(o, names[i]);
        uint8_t b[8];
        struct sw_error ignored;
        if (!p || p->file_size < HEADER_MAX) continue;
        t->offset = p->offset;
        t->size = p->file_size;
        if (!sw_source_read(t->s, p->offset, b, sizeof b, &ignored) && is_header(b, t) &&
            plausible(t))
            return true;
        /* PIE by an external linker may put the table behind others in the section. */
        if (search(p, t)) return true;
    }
    for (size_t i = 0; i < o->n_sections; i++)
        if (o->sections[i].file_size >= HEADER_MAX && search(&o->sections[i], t)) return true;
    for (size_t i = 0; o->n_sections == 0 && i < o->n_segments; i++)
        if (search(&o->segments[i], t)) return true;
    return false;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sw_go_symbol_split(struct sw_str name, char *buffer, size_t size, struct sw_str *ret_package,
                        struct sw_str *ret_symbol) {
    if (name.len == 0 || name.len + 2 > size) return false;
    /* Type parameters may hold slashes and dots of other packages. */
    size_t bracket = sw_str_find_char(name, '[');
    size_t head = bracket == SIZE_MAX ? name.len : bracket;
    if (sw_str_starts(name, SW_STR("type:")) || sw_str_starts(name, SW_STR("type..")) ||
        sw_str_starts(name, SW_STR("go:")) || sw_str_starts(name, SW_STR("go.")))
        if (!memchr(name.ptr, '/', head)) return false;
    size_t slash = 0;
    for (size_t i = 0; i < head; i++)
        if (name.ptr[i] == '/') slash = i + 1;
    size_t dot = slash;
    while (dot < head && name.ptr[dot] != '.') dot++;
    if (dot == 0 || dot + 1 >= head) return false;
    size_t n = 0;
    for (size_t i = 0; i < dot; i++) {
        char c = name.ptr[i];
        if (c == '%' && i + 2 < dot && hex_digit(name.ptr[i + 1]) >= 0 &&
            hex_digit(name.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(name.ptr[i + 1]) * 16 + hex_digit(name.ptr[i + 2]));
            i += 2;
        }
        buffer[n++] = c;
    }
    *ret_package = sw_str_n(buffer, n);
    size_t start = n;
    /* "(*Decoder).Decode" becomes "Decoder.Decode"; type arguments are cut out. */
    int depth = 0;
    for (size_t i = dot + 1; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '[')
            depth++;
        else if (c == ']' && depth > 0)
            depth--;
        else if (depth == 0 && c != '(' && c != ')' && c != '*')
            buffer[n++] = c;
    }
    *ret_symbol = sw_str_n(buffer + start, n - start);
    return n > start;
}

struct sink {
    void (*name)(void *context, struct sw_str package, struct sw_str symbol);
    void *context;
    char buffer[NAME_MAX_BYTES];
};

static void emit(struct sink *sink, struct sw_str name) {
    struct sw_str package, symbol;
    if (sw_go_symbol_split(name, sink->buffer, sizeof sink->buffer, &package, &symbol))
        sink->name(sink->context, package, symbol);
}

/* 1.16 and later: the block of names. */
static enum sw_code read_block(const struct table *t, struct sink *sink, struct sw_error *err) {
    uint8_t b[HEADER_MAX];
    enum sw_code code = sw_source_read(t->s, t->offset, b, sizeof b, err);
    if (code) return code;
    unsigned first = t->version == 16 ? 2 : 3;
    uint64_t start = word_at(t, b + 8 + first * t->word, t->word);
    uint64_t end = word_at(t, b + 8 + (first + 1) * t->word, t->word);
    if (end - start > SW_GO_NAMES_MAX)
        return sw_fail(err, SW_LIMIT, "function names of more than %d bytes", SW_GO_NAMES_MAX);
    SW_FREE char *chunk = sw_malloc(SCAN_CHUNK);
    size_t kept = 0; /* the beginning of a name whose end is in the next chunk */
    for (uint64_t at = start; at < end;) {
        size_t len = SCAN_CHUNK - kept;
        if (len > end - at) len = (size_t)(end - at);
        code = sw_source_read(t->s, t->offset + at, chunk + kept, len, err);
        if (code) return code;
        at += len;
        len += kept;
        size_t from = 0;
        for (const char *nul; (nul = memchr(chunk + from, 0, len - from));) {
            size_t n = (size_t)(nul - chunk) - from;
            emit(sink, sw_str_n(chunk + from, n));
            from += n + 1;
        }
        kept = len - from;
        if (kept > NAME_MAX_BYTES)
            return sw_fail(err, SW_CORRUPT, "a function name of more than %d bytes",
                           NAME_MAX_BYTES);
        memmove(chunk, chunk + from, kept);
    }
    return SW_OK;
}

/* Before 1.16: the name of each record, by its offset after the function's entry. */
static enum sw_code read_records(const struct table *t, struct sink *sink, struct sw_error *err) {
    if (t->size > SW_GO_NAMES_MAX)
        return sw_fail(err, SW_LIMIT, "a function table of more than %d bytes", SW_GO_NAMES_MAX);
    SW_FREE uint8_t *all = sw_malloc((size_t)t->size);
    enum sw_code code = sw_source_read(t->s, t->offset, all, (size_t)t->size, err);
    if (code) return code;
    size_t n = (size_t)word_at(t, all + 8, t->word), start = 8 + t->word, size = (size_t)t->size;
    for (size_t i = 0; i < n; i++) {
        size_t pair = start + i * 2 * t->word;
        if (pair + 2 * t->word > size) return sw_fail(err, SW_CORRUPT, "the function table is cut");
        uint64_t record = word_at(t, all + pair + t->word, t->word);
        if (record > size || size - record < t->word + 4)
            return sw_fail(err, SW_CORRUPT, "function %zu stands after its table", i);
        uint64_t name = word_at(t, all + record + t->word, 4);
        if (name >= size) return sw_fail(err, SW_CORRUPT, "the name of function %zu is cut", i);
        size_t len = strnlen((char *)all + name, size - (size_t)name);
        emit(sink, sw_str_n((char *)all + name, len));
    }
    return SW_OK;
}

enum sw_code sw_go_functions_read(const struct sw_object *o, const struct sw_source *s,
                                  void (*name)(void *context, struct sw_str package,
                                               struct sw_str symbol),
                                  void *context, bool *ret_complete, struct sw_error *err) {
    struct table t = {.s = s};
    if (!find_table(o, &t)) return sw_fail(err, SW_NOT_FOUND, "no Go function table");
    SW_FREE struct sink *sink = sw_malloc(sizeof *sink);
    sink->name = name;
    sink->context = context;
    enum sw_code code = t.version == 2 ? read_records(&t, sink, err) : read_block(&t, sink, err);
    if (code) return code;
    *ret_complete = t.version != 2;
    return SW_OK;
}
