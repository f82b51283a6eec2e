/* Go build information: both forms of the header, in the smallest ELF files that hold one. */
#include "base/buf.h"
#include "golang/buildinfo.h"
#include "unit.h"

static const char text[] = "0123456789abcdef"
                           "path\texample.org/app\n"
                           "mod\texample.org/app\t(devel)\t\n"
                           "dep\texample.org/lib\tv1.2.3\th1:x=\n"
                           "dep\texample.org/old\tv1.0.0\n"
                           "=>\texample.org/fork\tv1.0.1\th1:y=\n"
                           "build\t-trimpath=true\n"
                           "build\tGOOS=linux\n"
                           "build\t\"-ldflags\"=\"-X main.v=\\\"1\\\"\"\n"
                           "fedcba9876543210";

static void put(struct sw_buf *b, uint64_t v, unsigned n, bool big) {
    for (unsigned i = 0; i < n; i++) sw_buf_add_char(b, (char)(v >> (8 * (big ? n - 1 - i : i))));
}
static void pad(struct sw_buf *b, size_t size) {
    while (b->len < size) sw_buf_add_char(b, 0);
}

enum { DATA_AT = 0x100, ADDRESS = 0x400100 };

/* An ELF header and one writable segment that holds data. */
static void elf(struct sw_buf *b, bool wide, bool big, struct sw_str data) {
    unsigned w = wide ? 8 : 4;
    sw_buf_reset(b);
    sw_buf_add_bytes(b,
                     "\x7f"
                     "ELF",
                     4);
    sw_buf_add_char(b, wide ? 2 : 1);
    sw_buf_add_char(b, big ? 2 : 1);
    pad(b, 16);
    put(b, 2, 2, big);
    put(b, 62, 2, big);
    put(b, 1, 4, big);
    put(b, 0, w, big);
    put(b, wide ? 64 : 52, w, big);
    put(b, 0, w, big);
    put(b, 0, 4, big);
    static const unsigned short sizes[2][6] = {{52, 32, 1, 40, 0, 0}, {64, 56, 1, 64, 0, 0}};
    for (int i = 0; i < 6; i++) put(b, sizes[wide][i], 2, big);
    put(b, 1, 4, big);
    if (wide) put(b, 6, 4, big);
    put(b, DATA_AT, w, big);
    put(b, ADDRESS, w, big);
    put(b, ADDRESS, w, big);
    put(b, data.len, w, big);
    put(b, data.len, w, big);
    if (!wide) put(b, 6, 4, big);
    put(b, 16, w, big);
    pad(b, DATA_AT);
    sw_buf_add(b, data);
}

static void inline_header(struct sw_buf *data, const char *version) {
    sw_buf_add_bytes(data, "\xff Go buildinf:\x08\x02", 16);
    pad(data, 32);
    sw_buf_add_char(data, (char)strlen(version));
    sw_buf_add_text(data, version);
    size_t len = sizeof text - 1;
    sw_buf_add_char(data, (char)(len | 0x80));
    sw_buf_add_char(data, (char)(len >> 7));
    sw_buf_add_bytes(data, text, len);
}

static void pointer_header(struct sw_buf *data, const char *version, unsigned word, bool big) {
    sw_buf_add_bytes(data, "\xff Go buildinf:", 14);
    sw_buf_add_char(data, (char)word);
    sw_buf_add_char(data, big ? 1 : 0);
    size_t strings = 32, texts = 32 + 4 * word;
    put(data, ADDRESS + strings, word, big);
    put(data, ADDRESS + strings + 2 * word, word, big);
    pad(data, strings);
    put(data, ADDRESS + texts, word, big);
    put(data, strlen(version), word, big);
    put(data, ADDRESS + texts + 32, word, big);
    put(data, sizeof text - 1, word, big);
    sw_buf_add_text(data, version);
    pad(data, texts + 32);
    sw_buf_add_bytes(data, text, sizeof text - 1);
}

static enum sw_code read_info(struct sw_arena *a, struct sw_str bytes, struct sw_go_buildinfo *info,
                              struct sw_error *err) {
    struct sw_source s = sw_source_memory(&bytes);
    struct sw_object o;
    enum sw_code code = sw_object_read(a, &s, &o, err);
    return code ? code : sw_go_buildinfo_read(a, &o, &s, info, err);
}

static void check(struct sw_str bytes) {
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info = {0};
    struct sw_error err;
    struct sw_str flags;
    sw_arena_init(&a, 0);
    assert_ok(read_info(&a, bytes, &info, &err), err);
    assert_str(info.go_version, "go1.20.12");
    assert_str(info.path, "example.org/app");
    assert_str(info.main.version, "(devel)");
    assert_int_equal(info.n_deps, 2);
    assert_str(info.deps[0].version, "v1.2.3");
    assert_true(info.deps[1].replaced);
    assert_str(info.deps[1].replace_path, "example.org/fork");
    assert_true(sw_pairs_get(&info.settings, SW_STR("-ldflags"), &flags));
    assert_str(flags, "-X main.v=\"1\"");
}

static void headers_of_every_era_are_read(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    inline_header(&data, "go1.20.12 X:nocoverageredesign");
    elf(&file, true, false, sw_buf_str(&data));
    check(sw_buf_str(&file));
    for (int i = 0; i < 4; i++) {
        bool wide = i & 1, big = i & 2;
        sw_buf_reset(&data);
        pointer_header(&data, "go1.20.12", wide ? 8 : 4, big);
        elf(&file, wide, big, sw_buf_str(&data));
        check(sw_buf_str(&file));
    }
}

static void a_misaligned_magic_is_passed_over(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data, real;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    sw_buf_init(&real, 0);
    sw_buf_add_text(&data, "x\xff Go buildinf:\x08\x02");
    pad(&data, 64);
    inline_header(&real, "go1.20.12");
    sw_buf_add(&data, sw_buf_str(&real));
    elf(&file, true, false, sw_buf_str(&data));
    check(sw_buf_str(&file));
}

static void every_cut_and_every_changed_byte_is_survived(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    pointer_header(&data, "go1.20.12", 8, false);
    elf(&file, true, false, sw_buf_str(&data));
    struct sw_error err;
    for (size_t i = 0; i < file.len; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_go_buildinfo info = {0};
        sw_arena_init(&a, 0);
        (void)!read_info(&a, sw_str_n(file.ptr, i), &info, &err);
        file.ptr[i] ^= 0x55;
        (void)!read_info(&a, sw_buf_str(&file), &info, &err);
        file.ptr[i] ^= 0x55;
    }
}

/* Cut behind the ELF headers, before the header, and with a header whose magic is damaged. */
static void a_cut_file_is_no_other_program(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    pad(&data, 4096);
    inline_header(&data, "go1.20.12");
    elf(&file, true, false, sw_buf_str(&data));
    for (size_t size = DATA_AT; size < file.len; size += 16) {
        SW_ARENA struct sw_arena a;
        struct sw_go_buildinfo info = {0};
        struct sw_error err;
        sw_arena_init(&a, 0);
        assert_refused(read_info(&a, sw_str_n(file.ptr, size), &info, &err), SW_CORRUPT, err);
    }
}

static void parse(struct sw_arena *a, const char *lines, struct sw_go_buildinfo *info) {
    struct sw_error err;
    *info = (struct sw_go_buildinfo){0};
    assert_ok(sw_go_buildinfo_parse(a, sw_str(lines), info, &err), err);
}

static void lines_that_cannot_be_read_are_doubted(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info;
    sw_arena_init(&a, 0);
    parse(&a, "path\tx\nmod\tx\t(devel)\t\ndep\ty\tv1.0.0\th1:z=\n=>\t./y\t(devel)\t\n", &info);
    assert_str(info.doubt, "");
    static const char *const damaged[] = {
        "path\tx\neep\ty\tv1.0.0\th1:z=\n", /* a word that is none */
        "path\tx\ndep?y\tv1.0.0\th1:z=\n",  /* a tab is gone */
        "path\tx?mod\tx\t(devel)\t\n",      /* an end of line is gone */
        "dep\ty\tv1.0.0\th1:z=?dep\tz\tv1.0.0\n",
        "dep\n",
        "=>\ty\tv1.0.0\th1:z=\n",
        "dep\ty\tv1.0.0\n=>\tz\tv1\n=>\tz\tv2\n",
        "dep\t\tv1.0.0\n",
        "build\tGOOS\n",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        parse(&a, damaged[i], &info);
        if (info.doubt.len == 0) fail_msg("nothing is doubted in: %s", damaged[i]);
    }
    parse(&a, "dep\ty\x0b\tv1.0.0\n", &info);
    assert_true(info.doubt.len != 0);
    /* GOPATH mode names the package that was built, and no modules. */
    parse(&a, "path\texample.org/app\nbuild\tGOOS=linux\n", &info);
    assert_false(info.has_modules);
    parse(&a, "path\tcmd/go\nbuild\tGOOS=linux\n", &info);
    assert_true(info.has_modules);
    /* What is whole in such a text counts. */
    parse(&a, "dep\ty\tv1.0.0\th1:z=\nnew\tword\ndep\tz\tv2.0.0\th1:z=\n", &info);
    assert_int_equal(info.n_deps, 2);
}

static void module_text_without_its_frame_is_refused(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data;
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info;
    struct sw_error err;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    sw_arena_init(&a, 0);
    inline_header(&data, "go1.20.12");
    data.ptr[data.len - 17] = '?';
    elf(&file, true, false, sw_buf_str(&data));
    assert_refused(read_info(&a, sw_buf_str(&file), &info, &err), SW_CORRUPT, err);
}

/* Before 1.18 the empty module text of GOPATH mode is a variable behind the bytes of the file. */
static void programs_without_modules_keep_their_version(void **state) {
    (void)state;
    SW_BUF struct sw_buf file, data, pointer;
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info;
    struct sw_error err;
    sw_buf_init(&file, 0);
    sw_buf_init(&data, 0);
    sw_buf_init(&pointer, 0);
    sw_arena_init(&a, 0);
    pointer_header(&data, "go1.13.15", 8, false);
    put(&pointer, ADDRESS + 0x10000, 8, false);
    memcpy(data.ptr + 24, pointer.ptr, 8);
    elf(&file, true, false, sw_buf_str(&data));
    assert_ok(read_info(&a, sw_buf_str(&file), &info, &err), err);
    assert_str(info.go_version, "go1.13.15");
    assert_false(info.has_modules);
}

static void settings_are_unquoted_as_go_strings(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info;
    struct sw_str value;
    sw_arena_init(&a, 0);
    parse(&a,
          "build\tA=\"a \\\"b\\\" \\\\ c\\t\\x01\\u00e9\\U0001f600\\101\\xzz\\\"\n"
          "build\t\"B=\\\"\"=`c\\d`\nbuild\tC=x=y\nbuild\tD=\"\\\"\n",
          &info);
    assert_str(info.doubt, "");
    assert_true(sw_pairs_get(&info.settings, SW_STR("B=\""), &value));
    assert_str(value, "c\\d");
    assert_true(sw_pairs_get(&info.settings, SW_STR("C"), &value));
    assert_str(value, "x=y");
    parse(&a, "build\tA=\"a \\\"b\\\" \\\\ c\\t\\x01\\u00e9\\U0001f600\\101\"\n", &info);
    assert_true(sw_pairs_get(&info.settings, SW_STR("A"), &value));
    assert_str(value, "a \"b\" \\ c\t\x01\xc3\xa9\xf0\x9f\x98\x80"
                      "A");
}

static void other_programs_and_packed_ones_are_told_apart(void **state) {
    (void)state;
    SW_BUF struct sw_buf file;
    SW_ARENA struct sw_arena a;
    struct sw_go_buildinfo info;
    struct sw_error err;
    sw_buf_init(&file, 0);
    sw_arena_init(&a, 0);
    elf(&file, true, false,
        SW_STR("no build information, only sixty-four or more bytes of data, so"));
    assert_refused(read_info(&a, sw_buf_str(&file), &info, &err), SW_NOT_FOUND, err);
    elf(&file, true, false,
        SW_STR("UPX! and sixty-four bytes more, which mean nothing to anybody..."));
    assert_refused(read_info(&a, sw_buf_str(&file), &info, &err), SW_UNSUPPORTED, err);
    assert_refused(read_info(&a, SW_STR("#!/bin/sh\nexit 0 and more"), &info, &err), SW_NOT_FOUND,
                   err);
}

static void suffixes_of_versions_are_cut(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"go1.21.3", "go1.21.3"},
                                           {"go1.22.1 X:loopvar,rangefunc", "go1.22.1"},
                                           {"go1.24.1-X:nodwarf5", "go1.24.1"},
                                           {"go1.19.4 (Red Hat 1.19.4-1.el9)", "go1.19.4"},
                                           {"devel go1.23-abc Mon", "devel go1.23-abc Mon"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_str(sw_go_version_clean(sw_str(cases[i][0])), cases[i][1]);
}

static void linker_symbols_split_into_package_and_symbol(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"net/http.(*Server).Serve", "net/http", "Server.Serve"},
        {"gopkg.in/yaml%2ev2.yaml_emitter_emit", "gopkg.in/yaml.v2", "yaml_emitter_emit"},
        {"main.main", "main", "main"},
        {"golang.org/x/text/language.Tag.String", "golang.org/x/text/language", "Tag.String"},
        {"slices.SortFunc[go.shape.[]example.org/a.T]", "slices", "SortFunc"},
        {"go.uber.org/zap.(*Logger).Info", "go.uber.org/zap", "Logger.Info"}};
    char buffer[256];
    struct sw_str package, symbol;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(
            sw_go_symbol_split(sw_str(cases[i][0]), buffer, sizeof buffer, &package, &symbol));
        assert_str(package, cases[i][1]);
        assert_str(symbol, cases[i][2]);
    }
    assert_false(
        sw_go_symbol_split(SW_STR("type:.eq.main.T"), buffer, sizeof buffer, &package, &symbol));
    assert_false(sw_go_symbol_split(SW_STR("_start"), buffer, sizeof buffer, &package, &symbol));
    assert_false(sw_go_symbol_split(SW_STR("main.main"), buffer, 4, &package, &symbol));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_every_era_are_read),
        cmocka_unit_test(a_misaligned_magic_is_passed_over),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_survived),
        cmocka_unit_test(a_cut_file_is_no_other_program),
        cmocka_unit_test(lines_that_cannot_be_read_are_doubted),
        cmocka_unit_test(module_text_without_its_frame_is_refused),
        cmocka_unit_test(programs_without_modules_keep_their_version),
        cmocka_unit_test(settings_are_unquoted_as_go_strings),
        cmocka_unit_test(other_programs_and_packed_ones_are_told_apart),
        cmocka_unit_test(suffixes_of_versions_are_cut),
        cmocka_unit_test(linker_symbols_split_into_package_and_symbol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
