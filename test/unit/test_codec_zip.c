#include "unit.h"

#include <libdeflate.h>

#include "base/buf.h"
#include "codec/zip.h"

/* One entry of an archive that is written here, honestly or not. */
struct entry {
    const char *name, *content;
    uint32_t mode;          /* with the file type; 0: no Unix attributes */
    uint16_t flags, method; /* method 0 or 8; 8 deflates */
    uint32_t false_size;    /* instead of the size */
    uint32_t false_crc;     /* added to the CRC */
    uint32_t false_offset;  /* plus one: the header's offset in the directory */
    const char *local_name; /* in the local header; NULL: the same */
};

static void put16(struct sw_buf *b, unsigned v) {
    sw_buf_add_char(b, (char)v);
    sw_buf_add_char(b, (char)(v >> 8));
}
static void put32(struct sw_buf *b, uint32_t v) {
    put16(b, v & 0xffff);
    put16(b, v >> 16);
}

static void write_zip(struct sw_buf *out, const struct entry *entries, unsigned n) {
    SW_BUF struct sw_buf directory;
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    sw_buf_init(&directory, 0);
    for (unsigned i = 0; i < n; i++) {
        const struct entry *e = &entries[i];
        char packed[4096];
        size_t size = strlen(e->content), len = size;
        uint32_t at = (uint32_t)out->len;
        uint32_t crc = libdeflate_crc32(0, e->content, size) + e->false_crc;
        if (e->method == 8)
            len = libdeflate_deflate_compress(c, e->content, size, packed, sizeof packed);
        else
            memcpy(packed, e->content, size);
        uint32_t shown = e->false_size ? e->false_size : (uint32_t)size;
        const char *local = e->local_name ? e->local_name : e->name;
        put32(out, 0x04034b50);
        put16(out, 20), put16(out, e->flags), put16(out, e->method), put32(out, 0);
        put32(out, crc), put32(out, (uint32_t)len), put32(out, shown);
        put16(out, (unsigned)strlen(local)), put16(out, 0);
        sw_buf_add_text(out, local);
        sw_buf_add_bytes(out, packed, len);
        put32(&directory, 0x02014b50);
        put16(&directory, e->mode ? 3 << 8 : 0), put16(&directory, 20);
        put16(&directory, e->flags), put16(&directory, e->method), put32(&directory, 0);
        put32(&directory, crc), put32(&directory, (uint32_t)len), put32(&directory, shown);
        put16(&directory, (unsigned)strlen(e->name)), put16(&directory, 0), put16(&directory, 0);
        put16(&directory, 0), put16(&directory, 0), put32(&directory, e->mode << 16);
        put32(&directory, e->false_offset ? e->false_offset - 1 : at);
        sw_buf_add_text(&directory, e->name);
    }
    libdeflate_free_compressor(c);
    uint32_t start = (uint32_t)out->len;
    sw_buf_add(out, sw_buf_str(&directory));
    put32(out, 0x06054b50);
    put16(out, 0), put16(out, 0), put16(out, n), put16(out, n);
    put32(out, (uint32_t)directory.len), put32(out, start), put16(out, 0);
}

static enum sw_code read_all(const struct entry *entries, unsigned n, struct sw_error *err) {
    SW_BUF struct sw_buf bytes;
    SW_ARENA struct sw_arena a;
    struct sw_zip zip = {0};
    const struct sw_zip_limits limits = {100, 1000, 2000, 0};
    sw_buf_init(&bytes, 0);
    sw_arena_init(&a, 0);
    write_zip(&bytes, entries, n);
    struct sw_str text = sw_buf_str(&bytes);
    struct sw_source source = sw_source_memory(&text);
    enum sw_code code = sw_zip_open(&a, &source, &limits, &zip, err);
    struct sw_zip_inflater *z = sw_zip_inflater_new();
    for (size_t i = 0; i < zip.n && !code; i++) {
        struct sw_str content = {0};
        code = sw_zip_read(z, &source, &zip.entries[i], &content, err);
        if (!code) assert_str(content, entries[i].content);
    }
    sw_zip_inflater_free(z);
    return code;
}

static void stored_and_deflated_entries_read_back(void **state) {
    const struct entry entries[] = {{"a/b", "hello hello hello hello", 0100644, .method = 8},
                                    {"a/c", "x", 0},
                                    {"empty", "", 0, .method = 8}};
    struct sw_error err;
    assert_ok(read_all(entries, 3, &err), err);
}

static void unsafe_names_are_refused(void **state) {
    static const char *const names[] = {"../x", "a/../../x", "/x", "a//b",   "./a", "a/.",
                                        "a\\b", "..",        "",   "a/../b", "\xff"};
    struct sw_error err;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct entry e = {names[i], "x"};
        enum sw_code code = read_all(&e, 1, &err);
        if (code != SW_DENIED)
            fail_msg("\"%s\": expected denied, got %s", names[i], sw_code_name(code));
    }
}

static void links_duplicates_and_encryption_are_refused(void **state) {
    struct sw_error err;
    const struct entry link = {"a", "/etc/passwd", 0120777}, device = {"a", "", 0020666};
    const struct entry locked = {"a", "x", .flags = 1}, twice[] = {{"a", "x"}, {"a", "y"}};
    const struct entry both[] = {{"a", "x"}, {"a/b", "y"}}, method = {"a", "x", .method = 12};
    assert_refused(read_all(&link, 1, &err), SW_DENIED, err);
    assert_refused(read_all(&device, 1, &err), SW_DENIED, err);
    assert_refused(read_all(&locked, 1, &err), SW_DENIED, err);
    assert_refused(read_all(twice, 2, &err), SW_DENIED, err);
    assert_refused(read_all(both, 2, &err), SW_DENIED, err);
    assert_refused(read_all(&method, 1, &err), SW_UNSUPPORTED, err);
}

static void lies_are_found(void **state) {
    struct sw_error err;
    const struct entry crc = {"a", "hello", .false_crc = 1};
    const struct entry small = {"a", "hello hello", .method = 8, .false_size = 3};
    const struct entry large = {"a", "hello hello", .method = 8, .false_size = 900};
    const struct entry name = {"a", "hello", .local_name = "b"};
    const struct entry stored = {"a", "hello", .false_size = 4};
    assert_refused(read_all(&crc, 1, &err), SW_CORRUPT, err);
    assert_refused(read_all(&small, 1, &err), SW_CORRUPT, err);
    assert_refused(read_all(&large, 1, &err), SW_CORRUPT, err);
    assert_refused(read_all(&name, 1, &err), SW_CORRUPT, err);
    assert_refused(read_all(&stored, 1, &err), SW_CORRUPT, err);
}

static void bombs_are_refused(void **state) {
    struct sw_error err;
    const struct entry large = {"a", "x", .method = 8, .false_size = 1001};
    const struct entry many[] = {{"a", "x", .method = 8, .false_size = 900},
                                 {"b", "x", .method = 8, .false_size = 900},
                                 {"c", "x", .method = 8, .false_size = 900}};
    /* Two entries that share their bytes. */
    const struct entry overlap[] = {{"a", "hello"}, {"b", "hello", .false_offset = 1}};
    assert_refused(read_all(&large, 1, &err), SW_LIMIT, err);
    assert_refused(read_all(many, 3, &err), SW_LIMIT, err);
    assert_refused(read_all(overlap, 2, &err), SW_DENIED, err);
}

static void every_truncation_is_refused(void **state) {
    const struct entry entries[] = {{"a/b", "hello hello hello", 0100644, .method = 8}, {"c", "x"}};
    SW_BUF struct sw_buf bytes;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    write_zip(&bytes, entries, 2);
    for (size_t len = 0; len < bytes.len; len++) {
        SW_ARENA struct sw_arena a;
        struct sw_zip zip;
        struct sw_str text = sw_str_n(bytes.ptr, len);
        struct sw_source source = sw_source_memory(&text);
        sw_arena_init(&a, 0);
        if (!sw_zip_open(&a, &source, NULL, &zip, &err)) fail_msg("accepted at %zu bytes", len);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_and_deflated_entries_read_back),
        cmocka_unit_test(unsafe_names_are_refused),
        cmocka_unit_test(links_duplicates_and_encryption_are_refused),
        cmocka_unit_test(lies_are_found),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
    };
    return cmocka_run_group_tests_name("codec_zip", tests, NULL, NULL);
}
