#include "tar_helpers.h"

#include "codec/digest.h"

#ifdef SW_TEST_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

static char long_path[4001], long_link[300];

static const struct sw_tar_xattr xattrs[] = {
    {VIEW("user.b"), VIEW("two\0bytes=\n")},
    {VIEW("security.capability"), VIEW("\x01\x00\x00\x02\x00\x20")},
    {VIEW("user.a"), VIEW("")},
};

/* Every corner of the writer: what fits in ustar, and each reason for an extended header. */
static const struct sw_tar_entry samples[] = {
    {.path = VIEW("./"), .type = SW_TAR_DIR, .mode = 0755},
    {.path = VIEW("bin"), .type = SW_TAR_DIR, .mode = 01777, .mtime_sec = 1},
    {.path = VIEW("bin/app"), .type = SW_TAR_FILE, .mode = 0755, .size = 5, .mtime_sec = 86400},
    {.path = VIEW("bin/hard"), .type = SW_TAR_HARDLINK, .mode = 0755, .linkname = VIEW("bin/app")},
    {.path = VIEW("bin/soft"), .type = SW_TAR_SYMLINK, .mode = 0777, .linkname = VIEW("app")},
    {.path = VIEW("dev/null"), .type = SW_TAR_CHAR, .mode = 0666, .devmajor = 1, .devminor = 3},
    {.path = VIEW("dev/big"),
     .type = SW_TAR_BLOCKDEV,
     .mode = 0600,
     .devmajor = 4095,
     .devminor = 1048575},
    {.path = VIEW("pipe"), .type = SW_TAR_FIFO, .mode = 0644},
    {.path = VIEW("owner"), .type = SW_TAR_FILE, .uid = 2097151, .gid = 2097151},
    {.path = VIEW("bigowner"), .type = SW_TAR_FILE, .uid = 2097152, .gid = 4294967294u},
    {.path = VIEW("subsecond"), .type = SW_TAR_FILE, .mtime_sec = 7, .mtime_nsec = 120000000},
    {.path = VIEW("before"), .type = SW_TAR_FILE, .mtime_sec = -2, .mtime_nsec = 750000000},
    {.path = VIEW("longbefore"), .type = SW_TAR_FILE, .mtime_sec = -62135596800},
    {.path = VIEW("future"), .type = SW_TAR_FILE, .mtime_sec = 8589934592},
    {.path = VIEW("attributes"), .type = SW_TAR_FILE, .xattrs = xattrs, .n_xattrs = 3},
    {.path = VIEW("gr\xc3\xbc\xc3\x9f"), .type = SW_TAR_DIR, .mode = 0755},
    {.path = VIEW("new\nline and \xff\xfe"), .type = SW_TAR_FILE, .mode = 0644, .size = 513},
    {.path = VIEW("link to bytes"), .type = SW_TAR_SYMLINK, .linkname = VIEW("\xe2\x82")},
};
#define N_SAMPLES (sizeof samples / sizeof samples[0])

/* Deterministic content. */
static void add_content(struct sw_buf *out, uint64_t size) {
    for (uint64_t i = 0; i < size; i++) sw_buf_add_char(out, (char)('a' + i % 26));
    sw_tar_write_pad(out, size);
}

static void add_sample(struct sw_buf *archive, struct sw_buf *text,
                       const struct sw_tar_entry *entry) {
    struct sw_error err;
    SW_BUF struct sw_buf content, path;
    struct sw_tar_entry e = *entry;
    sw_buf_init(&content, 0);
    sw_buf_init(&path, 0);
    assert_ok(sw_tar_write_header(archive, &e, &err), err);
    add_content(archive, e.size);
    add_content(&content, e.size);
    sw_buf_truncate(&content, e.size);
    /* As the reader will see it: directories end with a slash, attributes are sorted. */
    sw_buf_add(&path, e.path);
    if (e.type == SW_TAR_DIR && !sw_str_ends(e.path, SW_STR("/"))) sw_buf_add_char(&path, '/');
    e.path = sw_buf_str(&path);
    const struct sw_tar_xattr sorted[] = {xattrs[1], xattrs[2], xattrs[0]};
    if (e.n_xattrs) e.xattrs = sorted;
    describe(text, &e, hash_more(UINT64_C(0xcbf29ce484222325), sw_buf_str(&content)));
}

static void write_all(struct sw_buf *archive, struct sw_buf *text) {
    for (size_t i = 0; i < N_SAMPLES; i++) add_sample(archive, text, &samples[i]);
    /* Paths and targets of every length around the borders of the header's fields. */
    memset(long_path, 'p', sizeof long_path);
    for (size_t i = 60; i < sizeof long_path; i += 61) long_path[i] = '/';
    memset(long_link, 'l', sizeof long_link);
    static const size_t lengths[] = {99,  100, 101, 154, 155, 156, 157,
                                     200, 254, 255, 256, 257, 4000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct sw_tar_entry e = {.path = sw_str_n(long_path, lengths[i]), .type = SW_TAR_FILE};
        add_sample(archive, text, &e);
        e.type = SW_TAR_DIR;
        add_sample(archive, text, &e);
        e.type = SW_TAR_SYMLINK;
        e.path = SW_STR("s");
        e.linkname = sw_str_n(long_link, lengths[i] < sizeof long_link ? lengths[i] : 299);
        add_sample(archive, text, &e);
    }
    sw_tar_write_end(archive);
}

static void what_is_written_is_read_back(void **state) {
    SW_BUF struct sw_buf archive, expected;
    struct sw_error err;
    static const size_t steps[] = {3, 512, 65536};
    sw_buf_init(&archive, 0);
    sw_buf_init(&expected, 0);
    write_all(&archive, &expected);
    for (size_t i = 0; i < 3; i++) {
        SW_BUF struct sw_buf actual;
        sw_buf_init(&actual, 0);
        assert_ok(list_archive(sw_buf_str(&archive), steps[i], NULL, &actual, &err), err);
        expect_lines(&actual, expected.ptr);
    }
}

/* docs/format/layer-tar.md: a change of these bytes needs a new SW_TAR_FORMAT_VERSION. */
static void bytes_are_those_of_format_version_1(void **state) {
    SW_BUF struct sw_buf archive, text;
    char hex[SW_DIGEST_TEXT_MAX];
    sw_buf_init(&archive, 0);
    sw_buf_init(&text, 0);
    write_all(&archive, &text);
    struct sw_digest d = sw_digest_of(SW_SHA256, sw_buf_str(&archive));
    assert_int_equal(SW_TAR_FORMAT_VERSION, 1);
    assert_str(sw_digest_format(&d, hex),
               "sha256:a3efad3da3dae16c863f2cbb9ec57fed40bf88c3bb556874ca4f8aba40c19f4c");
}

static void plain_entries_are_one_ustar_block(void **state) {
    SW_BUF struct sw_buf out;
    struct sw_error err;
    sw_buf_init(&out, 0);
    struct sw_tar_entry e = {.path = SW_STR("etc/passwd"),
                             .type = SW_TAR_FILE,
                             .mode = 0644,
                             .uid = 1,
                             .gid = 2,
                             .size = 100,
                             .mtime_sec = 3};
    assert_ok(sw_tar_write_header(&out, &e, &err), err);
    assert_int_equal(out.len, 512);
    assert_string_equal(out.ptr, "etc/passwd");
    assert_memory_equal(out.ptr + 100,
                        "0000644\0"
                        "0000001\0"
                        "0000002\0"
                        "00000000144\0"
                        "00000000003\0",
                        48);
    assert_memory_equal(out.ptr + 154, "\0 0", 3);
    assert_memory_equal(out.ptr + 257,
                        "ustar\0"
                        "00",
                        8);
    for (size_t i = 265; i < 512; i++) assert_int_equal(out.ptr[i], 0);
}

static void records_come_in_fixed_order(void **state) {
    SW_BUF struct sw_buf out;
    struct sw_error err;
    sw_buf_init(&out, 0);
    struct sw_tar_entry e = {.path = SW_STR("\xff"),
                             .type = SW_TAR_FILE,
                             .uid = 9999999999,
                             .gid = 8888888888,
                             .size = 9000000000,
                             .mtime_sec = 1,
                             .mtime_nsec = 5,
                             .xattrs = xattrs,
                             .n_xattrs = 3};
    assert_ok(sw_tar_write_header(&out, &e, &err), err);
    assert_string_equal(out.ptr, "././@PaxHeader");
    static const char records[] = "21 hdrcharset=BINARY\n"
                                  "9 path=\xff\n"
                                  "19 size=9000000000\n"
                                  "18 uid=9999999999\n"
                                  "18 gid=8888888888\n"
                                  "21 mtime=1.000000005\n"
                                  "43 SCHILY.xattr.security.capability=\x01\x00\x00\x02\x00\x20\n"
                                  "24 SCHILY.xattr.user.a=\n"
                                  "35 SCHILY.xattr.user.b=two\0bytes=\n\n";
    assert_memory_equal(out.ptr + 512, records, sizeof records - 1);
    assert_int_equal(out.len, 512 + 512 + 512);
    assert_string_equal(out.ptr + 1024, "_");
}

static void what_cannot_be_archived_is_refused(void **state) {
    static const struct sw_tar_xattr bad_name[] = {{VIEW("user.a=b"), VIEW("x")}};
    static const struct {
        struct sw_tar_entry e;
        enum sw_code code;
    } cases[] = {
        {{.path = VIEW(""), .type = SW_TAR_FILE}, SW_SYNTAX},
        {{.path = VIEW("a\0b"), .type = SW_TAR_FILE}, SW_SYNTAX},
        {{.path = VIEW("a/"), .type = SW_TAR_FILE}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_SYMLINK}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_FILE, .linkname = VIEW("b")}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_SYMLINK, .linkname = VIEW("b\0")}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_DIR, .size = 1}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_FILE, .mtime_nsec = 1000000000}, SW_SYNTAX},
        {{.path = VIEW("a"), .type = SW_TAR_CHAR, .devmajor = 1u << 21}, SW_UNSUPPORTED},
        {{.path = VIEW("a"), .type = SW_TAR_FILE, .xattrs = bad_name, .n_xattrs = 1}, SW_SYNTAX},
    };
    SW_BUF struct sw_buf out;
    struct sw_error err;
    sw_buf_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(sw_tar_write_header(&out, &cases[i].e, &err), cases[i].code, err);
    assert_int_equal(out.len, 0);
    SW_BUF struct sw_buf value;
    sw_buf_init(&value, 0);
    for (size_t i = 0; i < SW_TAR_PAX_MAX; i++) sw_buf_add_char(&value, 'v');
    struct sw_tar_xattr huge = {SW_STR("user.x"), sw_buf_str(&value)};
    struct sw_tar_entry e = {
        .path = SW_STR("a"), .type = SW_TAR_FILE, .xattrs = &huge, .n_xattrs = 1};
    assert_refused(sw_tar_write_header(&out, &e, &err), SW_LIMIT, err);
}

static void paths_are_cleaned_or_refused(void **state) {
    static const char *const cases[][2] = {
        {"a", "a"},
        {"./a", "a"},
        {"/a", "a"},
        {"a/", "a"},
        {"./a//b/", "a/b"},
        {"/a/./b", "a/b"},
        {"a/b/.", "a/b"},
        {".", ""},
        {"./", ""},
        {"/", ""},
        {"", ""},
        {"././.", ""},
        {"//a///b", "a/b"},
        {"..a", "..a"},
        {"a../b", "a../b"},
        {"...", "..."},
        {".a", ".a"},
        {"./.a", ".a"},
        {".//a", "a"},
        {"a/.b/..c", "a/.b/..c"},
        {"..", NULL},
        {"a/..", NULL},
        {"../a", NULL},
        {"a/../b", NULL},
        {"/..", NULL},
        {"./../a", NULL},
        {"a/b/../../..", NULL},
    };
    SW_BUF struct sw_buf scratch;
    struct sw_error err;
    struct sw_str path;
    sw_buf_init(&scratch, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum sw_code code = sw_tar_clean_path(sw_str(cases[i][0]), &scratch, &path, &err);
        if (!cases[i][1]) {
            assert_refused(code, SW_SYNTAX, err);
            continue;
        }
        assert_ok(code, err);
        assert_str(path, cases[i][1]);
    }
    assert_refused(sw_tar_clean_path(SW_STR("a\0b"), &scratch, &path, &err), SW_SYNTAX, err);
    char longest[4097];
    memset(longest, 'x', sizeof longest);
    assert_ok(sw_tar_clean_path(sw_str_n(longest, 4095), &scratch, &path, &err), err);
    assert_refused(sw_tar_clean_path(sw_str_n(longest, 4096), &scratch, &path, &err), SW_SYNTAX,
                   err);
}

#ifdef SW_TEST_LIBARCHIVE
static void libarchive_reads_the_same_entries(void **state) {
    SW_BUF struct sw_buf archive, expected, actual;
    sw_buf_init(&archive, 0);
    sw_buf_init(&expected, 0);
    sw_buf_init(&actual, 0);
    write_all(&archive, &expected);
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_memory(a, archive.ptr, archive.len), ARCHIVE_OK);
    int status;
    while ((status = archive_read_next_header(a, &e)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
        struct sw_tar_xattr found[8];
        struct sw_tar_entry x = {.path = sw_str(archive_entry_pathname(e)), .xattrs = found};
        unsigned type = archive_entry_filetype(e);
        x.type = archive_entry_hardlink(e) ? SW_TAR_HARDLINK
                 : type == AE_IFDIR        ? SW_TAR_DIR
                 : type == AE_IFLNK        ? SW_TAR_SYMLINK
                 : type == AE_IFCHR        ? SW_TAR_CHAR
                 : type == AE_IFBLK        ? SW_TAR_BLOCKDEV
                 : type == AE_IFIFO        ? SW_TAR_FIFO
                                           : SW_TAR_FILE;
        x.linkname = sw_str(archive_entry_hardlink(e) ? archive_entry_hardlink(e)
                                                      : archive_entry_symlink(e));
        x.mode = archive_entry_perm(e);
        x.uid = (uint64_t)archive_entry_uid(e);
        x.gid = (uint64_t)archive_entry_gid(e);
        x.size = (uint64_t)archive_entry_size(e);
        x.mtime_sec = archive_entry_mtime(e);
        x.mtime_nsec = (uint32_t)archive_entry_mtime_nsec(e);
        /* libarchive reads -1.25 as -1 s and 0.25 s after it; POSIX and Go mean -1.25. */
        if (x.mtime_sec < 0 && x.mtime_nsec) {
            x.mtime_sec--;
            x.mtime_nsec = 1000000000 - x.mtime_nsec;
        }
        x.devmajor = (uint32_t)archive_entry_rdevmajor(e);
        x.devminor = (uint32_t)archive_entry_rdevminor(e);
        const char *name;
        const void *value;
        size_t len;
        archive_entry_xattr_reset(e);
        while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK)
            found[x.n_xattrs++] = (struct sw_tar_xattr){sw_str(name), sw_str_n(value, len)};
        /* libarchive hands attributes out last first. */
        if (x.n_xattrs == 3) {
            struct sw_tar_xattr first = found[0];
            found[0] = found[2];
            found[2] = first;
        }
        char content[4096];
        la_ssize_t n = archive_read_data(a, content, sizeof content);
        assert_true(n >= 0);
        describe(&actual, &x,
                 hash_more(UINT64_C(0xcbf29ce484222325), sw_str_n(content, (size_t)n)));
    }
    assert_int_equal(status, ARCHIVE_EOF);
    archive_read_free(a);
    expect_lines(&actual, expected.ptr);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(bytes_are_those_of_format_version_1),
        cmocka_unit_test(plain_entries_are_one_ustar_block),
        cmocka_unit_test(records_come_in_fixed_order),
        cmocka_unit_test(what_cannot_be_archived_is_refused),
        cmocka_unit_test(paths_are_cleaned_or_refused),
#ifdef SW_TEST_LIBARCHIVE
        cmocka_unit_test(libarchive_reads_the_same_entries),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
