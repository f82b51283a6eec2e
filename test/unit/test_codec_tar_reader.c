#include "tar_helpers.h"

#define LONG10 "longlonglonglonglonglonglonglonglonglong"
#define LONG40 LONG10 LONG10 LONG10 LONG10
#define FILE_SUM "a21f28b3"
#define DEEP_SUM "c8f776df"

static const size_t steps[] = {1, 7, 511, 512, 513, 4096, 1 << 20};

/* Reads a fixture in chunks of every size; the result must be this text each time. */
static void expect_listing(const char *fixture, const char *expected) {
    SW_BUF struct sw_buf bytes;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    read_fixture(&bytes, fixture);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, 0);
        assert_ok(list_archive(sw_buf_str(&bytes), steps[i], NULL, &text, &err), err);
        expect_lines(&text, expected);
    }
}

#define COMMON_HEAD                                                                                \
    "5 0755 0/0 0 1609459200.0 ./\n"                                                               \
    "5 0755 0/0 0 1609459200.0 ./dir/\n"

static void gnu_long_names_are_joined(void **state) {
    expect_listing("test/fuzz/corpus/tar/gnu.tar", COMMON_HEAD
                   "0 4755 0/0 6 1580702706.0 ./dir/file " FILE_SUM "\n"
                   "6 0644 0/0 0 1609459200.0 ./fifo\n"
                   "1 4755 0/0 0 1580702706.0 ./hard -> ./dir/file\n"
                   "2 0777 0/0 0 1609459200.0 ./link -> dir/file\n"
                   "2 0777 0/0 0 1609459200.0 ./longlink -> " LONG40 "/" LONG40 "name\n"
                   "5 0755 0/0 0 1609459200.0 ./" LONG40 "/\n"
                   "0 0644 0/0 5 1609459200.0 ./" LONG40 "/" LONG40 "name " DEEP_SUM "\n"
                   "3 0644 3000000/70000 0 1609459200.0 ./null [1,3]\n");
}

static void pax_records_carry_times_and_attributes(void **state) {
    expect_listing("test/fuzz/corpus/tar/pax-gnu.tar", COMMON_HEAD
                   "0 4755 0/0 6 1580702706.789000000 ./dir/file {user.colour=green} " FILE_SUM "\n"
                   "6 0644 0/0 0 1609459200.0 ./fifo\n"
                   "1 4755 0/0 0 1580702706.789000000 ./hard -> ./dir/file\n"
                   "2 0777 0/0 0 1609459200.0 ./link -> dir/file\n"
                   "2 0777 0/0 0 1609459200.0 ./longlink -> " LONG40 "/" LONG40 "name\n"
                   "5 0755 0/0 0 1609459200.0 ./" LONG40 "/\n"
                   "0 0644 0/0 5 1609459200.0 ./" LONG40 "/" LONG40 "name " DEEP_SUM "\n"
                   "3 0644 3000000/70000 0 1609459200.0 ./null [1,3]\n");
}

static void libarchive_attributes_are_decoded(void **state) {
    expect_listing("test/fuzz/corpus/tar/pax-bsd.tar",
                   "5 0755 0/0 0 1609459200.0 dir/\n"
                   "0 4755 0/0 6 1580702706.789000000 dir/file {user.colour=green} " FILE_SUM "\n"
                   "1 4755 0/0 0 1580702706.789000000 hard -> dir/file {user.colour=green}\n"
                   "2 0777 0/0 0 1609459200.0 link -> dir/file\n"
                   "6 0644 0/0 0 1609459200.0 fifo\n"
                   "5 0755 0/0 0 1609459200.0 " LONG40 "/\n"
                   "0 0644 0/0 5 1609459200.0 " LONG40 "/" LONG40 "name " DEEP_SUM "\n"
                   "2 0777 0/0 0 1609459200.0 longlink -> " LONG40 "/" LONG40 "name\n");
}

static void old_dialects_are_read(void **state) {
    expect_listing("test/fuzz/corpus/tar/ustar.tar",
                   "5 0755 0/0 0 1609459200.0 dir/\n"
                   "0 4755 0/0 6 1580702706.0 dir/file " FILE_SUM "\n"
                   "1 4755 0/0 0 1580702706.0 hard -> dir/file\n"
                   "2 0777 0/0 0 1609459200.0 link -> dir/file\n"
                   "6 0644 0/0 0 1609459200.0 fifo\n");
    expect_listing("test/fuzz/corpus/tar/v7.tar",
                   "5 0755 0/0 0 1609459200.0 dir/\n"
                   "0 4755 0/0 6 1580702706.0 dir/file " FILE_SUM "\n"
                   "1 4755 0/0 0 1580702706.0 hard -> dir/file\n"
                   "2 0777 0/0 0 1609459200.0 link -> dir/file\n");
}

static void binary_numbers_may_be_huge_and_negative(void **state) {
    expect_listing("test/fuzz/corpus/tar/base256.tar",
                   "0 0644 1099511627776/3000000 1 -5.0 big 86021707\n"
                   "0 0644 0/0 0 0.0 name\\x0awith\\xff\n");
}

static void global_records_hold_until_the_end(void **state) {
    expect_listing("test/fuzz/corpus/tar/pax-global.tar", "0 0644 77/0 3 1.0 a 0541574b\n");
}

/* The content of both sparse files, built anew. */
static void expand_sparse(struct sw_buf *out) {
    static char many[16 * 8192], sparse[300000];
    for (int i = 0; i < 16; i += 2) many[i * 8192] = 'x';
    memcpy(sparse, "begin", 5);
    for (int i = 0; i < 10; i++) memcpy(sparse + 65536 + 6 * i, "middle", 6);
    memcpy(sparse + 200000, "late", 4);
    uint64_t seed = UINT64_C(0xcbf29ce484222325);
    struct sw_tar_entry e = {.type = SW_TAR_FILE, .mode = 0644, .mtime_sec = 1609459200};
    e.path = SW_STR("many");
    e.size = sizeof many;
    describe(out, &e, hash_more(seed, sw_str_n(many, sizeof many)));
    e.path = SW_STR("sparse");
    e.size = sizeof sparse;
    describe(out, &e, hash_more(seed, sw_str_n(sparse, sizeof sparse)));
}

static void sparse_files_of_all_forms_are_expanded(void **state) {
    SW_BUF struct sw_buf expected;
    sw_buf_init(&expected, 0);
    expand_sparse(&expected);
    expect_listing("test/fuzz/corpus/tar/sparse-gnu.tar", expected.ptr);
    expect_listing("test/fuzz/corpus/tar/sparse-pax-0.0.tar", expected.ptr);
    expect_listing("test/fuzz/corpus/tar/sparse-pax-0.1.tar", expected.ptr);
    expect_listing("test/fuzz/corpus/tar/sparse-pax-1.0.tar", expected.ptr);
}

static void unread_content_is_skipped(void **state) {
    SW_BUF struct sw_buf bytes;
    struct sw_error err;
    const struct sw_tar_entry *e;
    struct sw_tar_reader r;
    sw_buf_init(&bytes, 0);
    read_fixture(&bytes, "test/fuzz/corpus/tar/sparse-pax-1.0.tar");
    struct memory_source source = {.rest = sw_buf_str(&bytes), .step = 1000};
    sw_tar_reader_init(&r, (struct sw_tar_source){memory_next, &source}, NULL);
    assert_ok(sw_tar_next(&r, &e, &err), err);
    assert_str(e->path, "many");
    assert_ok(sw_tar_next(&r, &e, &err), err);
    assert_str(e->path, "sparse");
    assert_ok(sw_tar_next(&r, &e, &err), err);
    assert_null(e);
    assert_ok(sw_tar_next(&r, &e, &err), err);
    assert_null(e);
    sw_tar_reader_done(&r);
    free(source.lent);
}

/* A header, then the same megabyte of zeros again and again. */
struct huge_source {
    struct sw_buf header;
    char zeros[1 << 20];
    uint64_t left;
    bool started;
};

static enum sw_code huge_next(void *ctx, struct sw_str *ret, struct sw_error *err) {
    struct huge_source *s = ctx;
    if (!s->started) {
        s->started = true;
        *ret = sw_buf_str(&s->header);
        return SW_OK;
    }
    size_t len = s->left < sizeof s->zeros ? (size_t)s->left : sizeof s->zeros;
    s->left -= len;
    *ret = sw_str_n(s->zeros, len);
    return SW_OK;
}

static void files_beyond_8_gib_are_streamed(void **state) {
    static struct huge_source s;
    struct sw_error err;
    struct sw_tar_reader r;
    struct sw_tar_piece piece;
    const struct sw_tar_entry *e;
    const uint64_t size = (UINT64_C(9) << 30) + 1;
    for (int read = 0; read < 2; read++) {
        uint64_t got = 0;
        s.started = false;
        s.left = size + sw_tar_pad(size) + 1024;
        sw_buf_init(&s.header, 0);
        assert_ok(
            sw_tar_write_header(
                &s.header,
                &(struct sw_tar_entry){.path = SW_STR("huge"), .type = SW_TAR_FILE, .size = size},
                &err),
            err);
        sw_tar_reader_init(&r, (struct sw_tar_source){huge_next, &s}, NULL);
        assert_ok(sw_tar_next(&r, &e, &err), err);
        assert_true(e->size == size);
        while (read && !sw_tar_read(&r, &piece, &err) && piece.bytes.len) got += piece.bytes.len;
        assert_true(got == (read ? size : 0));
        assert_ok(sw_tar_next(&r, &e, &err), err);
        assert_null(e);
        sw_tar_reader_done(&r);
        sw_buf_done(&s.header);
    }
}

static void truncation_is_refused_everywhere_but_between_entries(void **state) {
    SW_BUF struct sw_buf bytes, text;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    sw_buf_init(&text, 0);
    read_fixture(&bytes, "test/fuzz/corpus/tar/pax-gnu.tar");
    size_t accepted = 0;
    for (size_t len = 0; len < bytes.len - 1024; len++) {
        enum sw_code code = list_archive(sw_str_n(bytes.ptr, len), 4096, NULL, &text, &err);
        if (code == SW_OK)
            accepted++;
        else
            assert_refused(code, SW_CORRUPT, err);
    }
    /* Ten entries: the borders between them, and (two files) everywhere in the padding. */
    assert_true(accepted < 10 + 2 * 512);
}

static void damage_is_found_by_the_checksum(void **state) {
    SW_BUF struct sw_buf bytes, text;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    sw_buf_init(&text, 0);
    read_fixture(&bytes, "test/fuzz/corpus/tar/ustar.tar");
    for (size_t at = 0; at < 500; at += 13) {
        bytes.ptr[at] ^= 1;
        enum sw_code code = list_archive(sw_buf_str(&bytes), 4096, NULL, &text, &err);
        if (code != SW_CORRUPT && code != SW_SYNTAX)
            fail_msg("byte %zu changed: %s", at, sw_code_name(code));
        bytes.ptr[at] ^= 1;
    }
}

/* An archive of one file "f" with these pax records in front. */
static void with_records(struct sw_buf *out, struct sw_str records, struct sw_str content) {
    struct sw_error err;
    struct sw_tar_entry e = {.path = SW_STR("f"), .type = SW_TAR_FILE, .mode = 0644};
    sw_buf_reset(out);
    e.size = records.len;
    assert_ok(sw_tar_write_header(out, &e, &err), err);
    /* The file becomes an extended header; the checksum follows the type. */
    unsigned sum = 8 * ' ';
    out->ptr[156] = 'x';
    for (size_t i = 0; i < 512; i++)
        if (i < 148 || i >= 156) sum += (unsigned char)out->ptr[i];
    char digits[8];
    snprintf(digits, sizeof digits, "%06o", sum);
    memcpy(out->ptr + 148, digits, 6);
    sw_buf_add(out, records);
    sw_tar_write_pad(out, records.len);
    e.size = content.len;
    assert_ok(sw_tar_write_header(out, &e, &err), err);
    sw_buf_add(out, content);
    sw_tar_write_pad(out, content.len);
    sw_tar_write_end(out);
}

static void malformed_records_are_refused(void **state) {
    static const struct {
        const char *records;
        enum sw_code code;
    } cases[] = {
        {"11 path=abc\n", SW_SYNTAX}, /* too short by one */
        {"13 path=abc\n", SW_SYNTAX}, /* too long by one */
        {"12 path=abcd", SW_SYNTAX},  /* no newline */
        {"12 path-abc\n", SW_SYNTAX}, /* no = */
        {"9 =abcd\n", SW_SYNTAX},     /* no key */
        {"x path=abc\n", SW_SYNTAX},  /* no length */
        {"99999999999999999999 path=a\n", SW_SYNTAX},
        {"4 =\n", SW_SYNTAX},
        {"0 path=abc\n", SW_SYNTAX},
        {"11 size=-1\n", SW_SYNTAX},
        {"11 uid=0x1\n", SW_SYNTAX},
        {"13 mtime=1.x\n", SW_SYNTAX},
        {"11 mtime=.\n", SW_SYNTAX},
        {"20 size=99999999999\n", SW_CORRUPT}, /* promises more than there is */
        {"18 SCHILY.xattr.=\n", SW_SYNTAX},
        {"22 GNU.sparse.major=2\n", SW_UNSUPPORTED},
        {"22 GNU.sparse.size=10\n", SW_SYNTAX},   /* no map for the three bytes */
        {"24 GNU.sparse.offset=10\n", SW_SYNTAX}, /* no length for it */
        {"25 GNU.sparse.numbytes=1\n", SW_SYNTAX},
        {"22 GNU.sparse.size=10\n26 GNU.sparse.map=8,3,0,0\n", SW_SYNTAX},
        {"22 GNU.sparse.size=10\n22 GNU.sparse.map=8,3\n", SW_SYNTAX}, /* past the end */
        {"22 GNU.sparse.size=10\n22 GNU.sparse.map=0,2\n", SW_SYNTAX}, /* 3 are stored */
    };
    SW_BUF struct sw_buf bytes, text;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    sw_buf_init(&text, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        with_records(&bytes, sw_str(cases[i].records), SW_STR("abc"));
        enum sw_code code = list_archive(sw_buf_str(&bytes), 4096, NULL, &text, &err);
        if (code != cases[i].code)
            fail_msg("%s: expected %s, got %s (%s)", cases[i].records, sw_code_name(cases[i].code),
                     sw_code_name(code), code ? err.text : "");
    }
    with_records(&bytes, SW_STR("11 path=a\0b\n"), SW_STR("abc"));
    assert_refused(list_archive(sw_buf_str(&bytes), 4096, NULL, &text, &err), SW_SYNTAX, err);
}

static void records_override_the_header(void **state) {
    static const struct {
        const char *records, *listing;
    } cases[] = {
        {"12 path=abc\n", "0 0644 0/0 3 0.0 abc 0541574b\n"},
        {"12 path=abc\n8 path=\n", "0 0644 0/0 3 0.0 f 0541574b\n"}, /* taken back */
        {"12 mtime=-1\n", "0 0644 0/0 3 -1.0 f 0541574b\n"},
        {"14 mtime=-1.5\n", "0 0644 0/0 3 -2.500000000 f 0541574b\n"},
        {"25 mtime=1.0000000001234\n", "0 0644 0/0 3 1.0 f 0541574b\n"},
        {"12 mtime=.5\n", "0 0644 0/0 3 0.500000000 f 0541574b\n"},
        {"22 GNU.sparse.size=10\n22 GNU.sparse.map=7,3\n", "0 0644 0/0 10 0.0 f b7f40c09\n"},
        {"17 comment=hello\n", "0 0644 0/0 3 0.0 f 0541574b\n"},
        {"25 SCHILY.xattr.user.a=b\n25 SCHILY.xattr.user.a=c\n",
         "0 0644 0/0 3 0.0 f {user.a=c} 0541574b\n"},
        {"32 LIBARCHIVE.xattr.user.a=QUI=\n", "0 0644 0/0 3 0.0 f {user.a=AB} 0541574b\n"},
        {"33 LIBARCHIVE.xattr.user%2ea=QUI\n", "0 0644 0/0 3 0.0 f {user.a=AB} 0541574b\n"},
    };
    SW_BUF struct sw_buf bytes, text;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    sw_buf_init(&text, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sw_buf_reset(&text);
        with_records(&bytes, sw_str(cases[i].records), SW_STR("abc"));
        assert_ok(list_archive(sw_buf_str(&bytes), 4096, NULL, &text, &err), err);
        expect_lines(&text, cases[i].listing);
    }
}

/* Found by the fuzzer: a time that base-256 can say was written as a record that was not read. */
static void any_time_is_written_and_read(void **state) {
    static const struct {
        int64_t sec;
        uint32_t nsec;
    } times[] = {{INT64_MIN, 0}, {INT64_MIN, 1}, {-1, 999999999}, {INT64_MAX, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        SW_BUF struct sw_buf out, text;
        struct sw_error err;
        char expected[80];
        struct sw_tar_entry e = {.path = SW_STR("f"),
                                 .type = SW_TAR_FILE,
                                 .mode = 0644,
                                 .mtime_sec = times[i].sec,
                                 .mtime_nsec = times[i].nsec};
        sw_buf_init(&out, 0);
        sw_buf_init(&text, 0);
        assert_ok(sw_tar_write_header(&out, &e, &err), err);
        assert_ok(list_archive(sw_buf_str(&out), 512, NULL, &text, &err), err);
        (void)snprintf(expected, sizeof expected, "0 0644 0/0 0 %lld.%u f", (long long)times[i].sec,
                       times[i].nsec);
        assert_memory_equal(text.ptr, expected, strlen(expected));
    }
}

static void limits_hold(void **state) {
    SW_BUF struct sw_buf bytes, text;
    struct sw_error err;
    sw_buf_init(&bytes, 0);
    sw_buf_init(&text, 0);
    read_fixture(&bytes, "test/fuzz/corpus/tar/pax-gnu.tar");
    assert_refused(
        list_archive(sw_buf_str(&bytes), 4096, &(struct sw_tar_limits){.entries = 5}, &text, &err),
        SW_LIMIT, err);
    assert_refused(list_archive(sw_buf_str(&bytes), 4096, &(struct sw_tar_limits){.pax_bytes = 64},
                                &text, &err),
                   SW_LIMIT, err);
    sw_buf_reset(&bytes);
    read_fixture(&bytes, "test/fuzz/corpus/tar/sparse-gnu.tar");
    assert_refused(list_archive(sw_buf_str(&bytes), 4096, &(struct sw_tar_limits){.sparse_map = 3},
                                &text, &err),
                   SW_LIMIT, err);
}

static void what_is_no_archive_is_refused(void **state) {
    SW_BUF struct sw_buf text;
    struct sw_error err;
    char junk[1024];
    sw_buf_init(&text, 0);
    assert_ok(list_archive(SW_STR(""), 1, NULL, &text, &err), err);
    memset(junk, 'j', sizeof junk);
    assert_refused(list_archive(sw_str_n(junk, sizeof junk), 512, NULL, &text, &err), SW_SYNTAX,
                   err);
    /* A lone block of zeros is not an end. */
    memset(junk, 0, 512);
    assert_refused(list_archive(sw_str_n(junk, sizeof junk), 512, NULL, &text, &err), SW_SYNTAX,
                   err);
}

static enum sw_code failing_next(void *ctx, struct sw_str *ret, struct sw_error *err) {
    return sw_fail(err, SW_NETWORK, "the peer went away");
}

static void errors_of_the_source_are_passed_on(void **state) {
    struct sw_error err;
    const struct sw_tar_entry *e;
    struct sw_tar_reader r;
    sw_tar_reader_init(&r, (struct sw_tar_source){failing_next, NULL}, NULL);
    assert_refused(sw_tar_next(&r, &e, &err), SW_NETWORK, err);
    sw_tar_reader_done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gnu_long_names_are_joined),
        cmocka_unit_test(pax_records_carry_times_and_attributes),
        cmocka_unit_test(libarchive_attributes_are_decoded),
        cmocka_unit_test(old_dialects_are_read),
        cmocka_unit_test(binary_numbers_may_be_huge_and_negative),
        cmocka_unit_test(global_records_hold_until_the_end),
        cmocka_unit_test(sparse_files_of_all_forms_are_expanded),
        cmocka_unit_test(unread_content_is_skipped),
        cmocka_unit_test(files_beyond_8_gib_are_streamed),
        cmocka_unit_test(truncation_is_refused_everywhere_but_between_entries),
        cmocka_unit_test(damage_is_found_by_the_checksum),
        cmocka_unit_test(malformed_records_are_refused),
        cmocka_unit_test(records_override_the_header),
        cmocka_unit_test(any_time_is_written_and_read),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(what_is_no_archive_is_refused),
        cmocka_unit_test(errors_of_the_source_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
