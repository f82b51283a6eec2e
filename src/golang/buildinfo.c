#include "golang/buildinfo.h"

#include "base/mem.h"

enum {
    HEADER_SIZE = 32,
    HEADER_ALIGN = 16,
    MAGIC_SIZE = 14,
    FRAME_SIZE = 16, /* sentinels around the module text */
    CHUNK_SIZE = 1 << 20,
    FLAG_BIG_ENDIAN = 1,
    FLAG_INLINE = 2,
};

static const char magic[] = "\xff Go buildinf:";

static const struct sw_object_part *own_part(const struct sw_object *o) {
    const char *own = o->format == SW_OBJECT_MACHO ? "__go_buildinfo" : ".go.buildinfo";
    const struct sw_object_part *p = sw_object_section(o, own);
    return p && p->file_size ? p : NULL;
}

/* Where the header is looked for: its own section, else the first writable data segment. */
static const struct sw_object_part *data_part(const struct sw_object *o) {
    const struct sw_object_part *p = own_part(o);
    if (p) return p;
    const struct sw_object_part *parts = o->n_segments ? o->segments : o->sections;
    size_t n = o->n_segments ? o->n_segments : o->n_sections;
    for (size_t i = 0; i < n; i++)
        if ((parts[i].flags & SW_OBJECT_WRITE) && !(parts[i].flags & SW_OBJECT_EXEC) &&
            parts[i].file_size)
            return &parts[i];
    return NULL;
}

/* Finds the aligned header in a part of the file; its place in the source, or SW_NOT_FOUND. */
static enum sw_code find_header(const struct sw_source *s, const struct sw_object_part *p,
                                uint64_t *ret, struct sw_error *err) {
    SW_FREE char *chunk = sw_malloc(CHUNK_SIZE);
    /* Alignment is that of the address, which sections keep modulo the page in the file. */
    uint64_t skip = (HEADER_ALIGN - p->addr % HEADER_ALIGN) % HEADER_ALIGN;
    uint64_t size = p->file_size < SW_GO_SEARCH_MAX ? p->file_size : SW_GO_SEARCH_MAX;
    for (uint64_t at = skip; at + HEADER_SIZE <= size; at += CHUNK_SIZE) {
        size_t len = size - at < CHUNK_SIZE ? (size_t)(size - at) : CHUNK_SIZE;
        enum sw_code code = sw_source_read(s, p->offset + at, chunk, len, err);
        if (code) return code;
        for (size_t i = 0; i + MAGIC_SIZE <= len; i += HEADER_ALIGN) {
            if (chunk[i] != magic[0] || memcmp(chunk + i, magic, MAGIC_SIZE) != 0) continue;
            if (size - at - i < HEADER_SIZE) break;
            *ret = p->offset + at + i;
            return SW_OK;
        }
    }
    return sw_fail(err, SW_NOT_FOUND, "not a Go program: no build information");
}

/* A string with its length before it as a varint, at *at within [.., end); advances *at. */
static enum sw_code read_inline(struct sw_arena *a, const struct sw_source *s, uint64_t *at,
                                uint64_t end, size_t max, struct sw_str *ret,
                                struct sw_error *err) {
    uint64_t len = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t b;
        if (shift > 56 || *at >= end)
            return sw_fail(err, SW_CORRUPT, "the Go build information is cut");
        enum sw_code code = sw_source_read(s, *at, &b, 1, err);
        if (code) return code;
        ++*at;
        len |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) break;
    }
    if (len > end - *at) return sw_fail(err, SW_CORRUPT, "the Go build information is cut");
    if (len > max)
        return sw_fail(err, SW_LIMIT, "Go build information of more than %zu bytes", max);
    char *text = sw_arena_alloc(a, (size_t)len + 1);
    enum sw_code code = sw_source_read(s, *at, text, (size_t)len, err);
    if (code) return code;
    *at += len;
    *ret = sw_str_n(text, (size_t)len);
    return SW_OK;
}

/* A Go string header (address, length) at a virtual address, as before 1.18. */
static enum sw_code read_pointed(struct sw_arena *a, const struct sw_object *o,
                                 const struct sw_source *s, uint64_t addr, unsigned word, bool big,
                                 size_t max, struct sw_str *ret, struct sw_error *err) {
    uint8_t head[16];
    *ret = SW_STR("");
    /* An empty string stands with the variables that are zero, of which the file has no bytes. */
    if (addr == 0 || (!sw_object_at(o, addr) && !o->cut)) return SW_OK;
    enum sw_code code = sw_object_read_at(o, s, addr, head, 2 * word, err);
    if (code) return code;
    uint64_t v[2] = {0, 0};
    for (unsigned i = 0; i < 2 * word; i++)
        v[i / word] |= (uint64_t)head[i] << (8 * (big ? word - 1 - i % word : i % word));
    if (v[1] == 0) return SW_OK;
    if (v[1] > max)
        return sw_fail(err, SW_LIMIT, "Go build information of more than %zu bytes", max);
    const struct sw_object_part *part = sw_object_at(o, v[0]);
    if (!part || v[1] > part->file_size)
        return sw_fail(err, SW_CORRUPT, "the Go build information points outside of the file");
    char *text = sw_arena_alloc(a, (size_t)v[1] + 1);
    code = sw_object_read_at(o, s, v[0], text, (size_t)v[1], err);
    if (code) return code;
    *ret = sw_str_n(text, (size_t)v[1]);
    return SW_OK;
}

static enum sw_code read_strings(struct sw_arena *a, const struct sw_object *o,
                                 const struct sw_source *s, uint64_t at, uint64_t end,
                                 struct sw_str *version, struct sw_str *modules,
                                 struct sw_error *err) {
    uint8_t head[HEADER_SIZE];
    enum sw_code code = sw_source_read(s, at, head, sizeof head, err);
    if (code) return code;
    unsigned flags = head[15], word = head[14];
    if (flags & FLAG_INLINE) {
        at += HEADER_SIZE;
        code = read_inline(a, s, &at, end, SW_GO_VERSION_TEXT_MAX, version, err);
        return code ? code : read_inline(a, s, &at, end, SW_GO_MODULES_TEXT_MAX, modules, err);
    }
    if (word != 4 && word != 8)
        return sw_fail(err, SW_CORRUPT, "Go build information with pointers of %u bytes", word);
    uint64_t pointers[2] = {0, 0};
    bool big = flags & FLAG_BIG_ENDIAN;
    for (unsigned i = 0; i < 2 * word; i++)
        pointers[i / word] |= (uint64_t)head[16 + i]
                              << (8 * (big ? word - 1 - i % word : i % word));
    code = read_pointed(a, o, s, pointers[0], word, big, SW_GO_VERSION_TEXT_MAX, version, err);
    if (code) return code;
    return read_pointed(a, o, s, pointers[1], word, big, SW_GO_MODULES_TEXT_MAX, modules, err);
}

struct sw_str sw_go_version_clean(struct sw_str raw) {
    raw = sw_str_trim(raw);
    if (sw_str_starts(raw, SW_STR("devel "))) return raw;
    size_t end = 0;
    while (end < raw.len && raw.ptr[end] != ' ' && raw.ptr[end] != '\t' && raw.ptr[end] != '(')
        end++;
    raw = sw_str_sub(raw, 0, end);
    size_t x = sw_str_find(raw, SW_STR("-X:"));
    return x == SIZE_MAX ? raw : sw_str_sub(raw, 0, x);
}

/* False where there is more than a path, a version and a sum: a line that was not ended; and where
 * a byte is in it that no path has. */
static bool take_module(struct sw_str rest, struct sw_str *path, struct sw_str *version,
                        struct sw_str *sum) {
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] < ' ' && rest.ptr[i] != '\t') return false;
    sw_str_cut(rest, '\t', path, &rest);
    sw_str_cut(rest, '\t', version, &rest);
    return !sw_str_cut(rest, '\t', sum, &rest) && path->len;
}

/* The number of the escape \xNN, \uNNNN, \UNNNNNNNN or \NNN whose letter is at *i, which moves to
 * its last byte. */
static bool escaped_number(struct sw_str v, size_t *i, uint32_t *ret) {
    char kind = v.ptr[*i];
    bool octal = kind >= '0' && kind <= '7';
    size_t n = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : octal ? 3 : 0;
    size_t at = octal ? *i : *i + 1;
    if (n == 0 || at + n >= v.len) return false;
    uint64_t value = 0;
    for (size_t k = at; k < at + n; k++) {
        char c = v.ptr[k];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit >= (octal ? 8u : 16u)) return false;
        value = value * (octal ? 8 : 16) + digit;
    }
    if (value > 0x10ffff) return false;
    *i = at + n - 1;
    *ret = (uint32_t)value;
    return true;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n) | c);
    return n;
}

/* Names and values of settings may be quoted as Go strings. */
static struct sw_str unquote(struct sw_arena *a, struct sw_str v) {
    static const char letters[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";
    if (v.len < 2 || v.ptr[0] != v.ptr[v.len - 1]) return v;
    if (v.ptr[0] == '`') return sw_str_sub(v, 1, v.len - 2);
    if (v.ptr[0] != '"') return v;
    char *out = sw_arena_alloc(a, v.len);
    size_t n = 0;
    for (size_t i = 1; i + 1 < v.len; i++) {
        uint32_t number;
        if (v.ptr[i] != '\\' || i + 2 >= v.len) {
            out[n++] = v.ptr[i];
            continue;
        }
        char c = v.ptr[++i];
        const char *letter = memchr(letters, c, sizeof letters - 1);
        if (letter)
            out[n++] = bytes[letter - letters];
        else if (!escaped_number(v, &i, &number))
            out[n++] = c;
        else if (c == 'u' || c == 'U')
            n += put_utf8(out + n, number);
        else
            out[n++] = (char)number;
    }
    return sw_str_n(out, n);
}

/* NAME=VALUE, where a quoted name may hold the sign. */
static bool take_setting(struct sw_arena *a, struct sw_str text, struct sw_pairs *settings) {
    size_t at = 0;
    if (text.len && (text.ptr[0] == '"' || text.ptr[0] == '`'))
        for (at = 1; at < text.len && text.ptr[at] != text.ptr[0]; at++)
            if (text.ptr[at] == '\\' && text.ptr[0] == '"') at++;
    while (at < text.len && text.ptr[at] != '=') at++;
    if (at >= text.len) return false;
    sw_pairs_set(a, settings, unquote(a, sw_str_sub(text, 0, at)),
                 unquote(a, sw_str_from(text, at + 1)));
    return true;
}

/* One line; false where it is none of this format. *last is the module that "=>" replaces. */
static bool take_line(struct sw_arena *a, struct sw_str word, struct sw_str value,
                      struct sw_go_buildinfo *info, struct sw_go_module **last) {
    if (sw_str_is(word, "path")) {
        info->path = value;
        return sw_str_find(value, SW_STR("\t")) == SIZE_MAX;
    }
    if (sw_str_is(word, "mod") || sw_str_is(word, "dep")) {
        struct sw_go_module *m = sw_str_is(word, "mod") ? &info->main : &info->deps[info->n_deps++];
        *last = m;
        return take_module(value, &m->path, &m->version, &m->sum);
    }
    if (sw_str_is(word, "=>")) {
        struct sw_go_module *m = *last;
        if (!m || m->replaced) return false;
        m->replaced = true;
        return take_module(value, &m->replace_path, &m->replace_version, &m->replace_sum);
    }
    return sw_str_is(word, "build") && take_setting(a, value, &info->settings);
}

enum sw_code sw_go_buildinfo_parse(struct sw_arena *a, struct sw_str text,
                                   struct sw_go_buildinfo *info, struct sw_error *err) {
    size_t n_deps = 0;
    struct sw_str rest = text, line;
    while (sw_str_next(&rest, '\n', &line))
        if (sw_str_starts(line, SW_STR("dep\t"))) n_deps++;
    if (n_deps > SW_GO_MODULES_MAX)
        return sw_fail(err, SW_LIMIT, "a Go program of more than %d modules", SW_GO_MODULES_MAX);
    info->deps = sw_arena_array(a, n_deps, sizeof *info->deps);
    info->n_deps = 0;
    struct sw_go_module *last = NULL;
    rest = text;
    for (unsigned number = 1; sw_str_next(&rest, '\n', &line); number++) {
        struct sw_str word, value;
        if (line.len == 0) continue;
        /* Of a newer format or damaged: what was read counts, and more may have been there. */
        if ((!sw_str_cut(line, '\t', &word, &value) || !take_line(a, word, value, info, &last)) &&
            info->doubt.len == 0)
            info->doubt = sw_arena_printf(
                a, "line %u of the Go module text cannot be read: modules may be missing", number);
        enum sw_code code = sw_arena_check(a, "the Go module text", err);
        if (code) return code;
    }
    /* Commands of the Go distribution itself have neither and need none. */
    info->has_modules =
        info->main.path.len != 0 || info->n_deps != 0 || sw_str_starts(info->path, SW_STR("cmd/"));
    return SW_OK;
}

static void no_name(void *context, struct sw_str package, struct sw_str symbol) {
    (void)context, (void)package, (void)symbol;
}

/* PE files have no section that says whether they should hold build information. */
static bool has_functions(const struct sw_object *o, const struct sw_source *s) {
    struct sw_error ignored;
    bool complete;
    return sw_go_functions_read(o, s, no_name, NULL, &complete, &ignored) == SW_OK;
}

enum sw_code sw_go_buildinfo_read(struct sw_arena *a, const struct sw_object *o,
                                  const struct sw_source *s, struct sw_go_buildinfo *ret,
                                  struct sw_error *err) {
    struct sw_go_buildinfo info = {0};
    const struct sw_object_part *part = data_part(o);
    uint64_t at = 0;
    enum sw_code code = SW_NOT_FOUND;
    if (part)
        code = find_header(s, part, &at, err);
    else
        sw_fail(err, SW_NOT_FOUND, "not a Go program: no data segment");
    if (code == SW_NOT_FOUND && o->packed)
        return sw_fail(err, SW_UNSUPPORTED,
                       "the program is packed by UPX; scan it before it is packed");
    if (code == SW_NOT_FOUND && own_part(o))
        return sw_fail(err, SW_CORRUPT, "the section of Go build information holds none");
    if (code == SW_NOT_FOUND && o->format == SW_OBJECT_PE && has_functions(o, s))
        return sw_fail(err, SW_CORRUPT, "a Go program without build information");
    if (code == SW_NOT_FOUND && o->cut)
        return sw_fail(err, SW_CORRUPT,
                       "the file is cut: it ends before the parts that its headers name");
    if (code) return code;
    struct sw_str modules = {0};
    code = read_strings(a, o, s, at, part->offset + part->file_size, &info.go_version_raw, &modules,
                        err);
    if (code) return code;
    if (info.go_version_raw.len == 0 || !sw_str_is_utf8(info.go_version_raw))
        return sw_fail(err, SW_CORRUPT, "the Go build information holds no version");
    info.go_version = sw_go_version_clean(info.go_version_raw);
    if (modules.len) {
        if (modules.len < 2 * FRAME_SIZE + 1 || modules.ptr[modules.len - FRAME_SIZE - 1] != '\n')
            return sw_fail(err, SW_CORRUPT, "the Go module text is not framed as the linker does");
        modules = sw_str_sub(modules, FRAME_SIZE, modules.len - 2 * FRAME_SIZE);
        if (!sw_str_is_utf8(modules))
            return sw_fail(err, SW_CORRUPT, "the Go module text is not UTF-8");
        code = sw_go_buildinfo_parse(a, modules, &info, err);
        if (code) return code;
    }
    *ret = info;
    return sw_arena_check(a, "the Go build information", err);
}
