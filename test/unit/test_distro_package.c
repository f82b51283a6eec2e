/* Package databases: dpkg, apk, and rpm's three forms, whole and damaged. */
#include "base/buf.h"
#include "base/map.h"
#include "distro/package.h"
#include "unit.h"

static void dpkg_status_leaves_out_what_is_removed(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_packages p;
    struct sw_error err;
    sw_arena_init(&a, 0);
    assert_ok(sw_dpkg_parse(&a,
                            SW_STR("Package: libc6\nStatus: install ok installed\n"
                                   "Architecture: amd64\nSource: glibc (2.36-9)\nDescription: x\n"
                                   " Package: not a field\nVersion: 2.36-9+deb12u4\n\n"
                                   "Package: gone\nStatus: deinstall ok config-files\n"
                                   "Version: 1\n\n\nPackage: half\nStatus: install reinstreq "
                                   "half-installed\nVersion: 2\n"),
                            &p, &err),
              err);
    assert_int_equal(p.len, 2);
    assert_str(p.ptr[0].name, "libc6");
    assert_str(p.ptr[0].source, "glibc");
    assert_str(p.ptr[0].source_version, "2.36-9");
    assert_str(p.ptr[1].name, "half");
    assert_str(p.ptr[1].source, "half");
}

static void damaged_lists_are_refused_whole(void **state) {
    (void)state;
    static const char *const dpkg[] = {"Package: a\nVersion: 1", "Version: 1\n", "Package: a\n",
                                       "nonsense\n", " continued\n"};
    static const char *const apk[] = {"P:a\nV:1", "V:1\n", "P:a\n", "Pa\n"};
    SW_ARENA struct sw_arena a;
    struct sw_packages p;
    struct sw_error err;
    sw_arena_init(&a, 0);
    for (size_t i = 0; i < sizeof dpkg / sizeof *dpkg; i++)
        assert_refused(sw_dpkg_parse(&a, sw_str(dpkg[i]), &p, &err), SW_SYNTAX, err);
    for (size_t i = 0; i < sizeof apk / sizeof *apk; i++)
        assert_refused(sw_apk_parse(&a, sw_str(apk[i]), &p, &err), SW_SYNTAX, err);
    assert_refused(sw_dpkg_parse(&a, SW_STR("Package: a\0\n"), &p, &err), SW_SYNTAX, err);
}

static void apk_packages_know_their_origin(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_packages p;
    struct sw_error err;
    sw_arena_init(&a, 0);
    assert_ok(sw_apk_parse(&a,
                           SW_STR("C:Q1x\nP:libssl3\nV:3.1.4-r5\nA:x86_64\no:openssl\nF:lib\n\n"
                                  "P:musl\nV:1.2.4-r2\n\n"),
                           &p, &err),
              err);
    assert_int_equal(p.len, 2);
    assert_str(p.ptr[0].source, "openssl");
    assert_str(p.ptr[0].version, "3.1.4-r5");
    assert_str(p.ptr[1].source, "musl");
}

static void os_release_reads_quotes_as_a_shell(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_os_release r;
    sw_arena_init(&a, 0);
    sw_os_release_parse(
        &a, SW_STR("# x\nID=alpine\nVERSION_ID='3.18.4'\nPRETTY_NAME=\"A \\\"B\\\"\"\nbad\n"), &r);
    assert_str(r.id, "alpine");
    assert_str(r.version_id, "3.18.4");
    assert_str(r.pretty_name, "A \"B\"");
}

/* --- rpm ------------------------------------------------------------------------------------- */

static void be32(struct sw_buf *b, uint32_t v) {
    for (int i = 3; i >= 0; i--) sw_buf_add_char(b, (char)(v >> (8 * i)));
}
static void le32(struct sw_buf *b, uint32_t v) {
    for (int i = 0; i < 4; i++) sw_buf_add_char(b, (char)(v >> (8 * i)));
}
static void pad(struct sw_buf *b, size_t size) {
    while (b->len < size) sw_buf_add_char(b, 0);
}
static void put_at(struct sw_buf *b, size_t at, uint32_t v, unsigned n) {
    for (unsigned i = 0; i < n; i++) b->ptr[at + i] = (char)(v >> (8 * i));
}

/* A header blob of a package; filler makes it as long as one wants. */
static void header(struct sw_buf *b, const char *name, uint32_t epoch, size_t filler) {
    struct sw_buf data;
    sw_buf_init(&data, 0);
    const char *texts[] = {name, "1.2", "3.el7", "x86_64", "thing-1.2-3.el7.src.rpm"};
    static const uint32_t tags[] = {1000, 1001, 1002, 1022, 1044};
    sw_buf_reset(b);
    be32(b, 7);
    size_t length_at = b->len;
    be32(b, 0);
    for (int i = 0; i < 5; i++) {
        be32(b, tags[i]);
        be32(b, 6);
        be32(b, (uint32_t)data.len);
        be32(b, 1);
        sw_buf_add_bytes(&data, texts[i], strlen(texts[i]) + 1);
    }
    while (data.len % 4) sw_buf_add_char(&data, 0);
    be32(b, 1003);
    be32(b, 4);
    be32(b, (uint32_t)data.len);
    be32(b, 1);
    be32(&data, epoch);
    be32(b, 1005); /* a description of filler bytes */
    be32(b, 6);
    be32(b, (uint32_t)data.len);
    be32(b, 1);
    for (size_t i = 0; i < filler; i++) sw_buf_add_char(&data, 'x');
    sw_buf_add_char(&data, 0);
    for (int i = 0; i < 4; i++) b->ptr[length_at + (size_t)i] = (char)(data.len >> (8 * (3 - i)));
    sw_buf_add(b, sw_buf_str(&data));
    sw_buf_done(&data);
}

static void expect_two(struct sw_str db) {
    SW_ARENA struct sw_arena a;
    struct sw_packages p = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    assert_ok(sw_rpm_parse(&a, db, SW_STR(""), &p, &err), err);
    assert_int_equal(p.len, 2);
    assert_str(p.ptr[0].name, "small");
    assert_str(p.ptr[0].version, "1.2-3.el7");
    assert_str(p.ptr[0].source, "thing");
    assert_str(p.ptr[0].source_version, "1.2-3.el7");
    assert_str(p.ptr[1].name, "large");
    assert_str(p.ptr[1].version, "4:1.2-3.el7");
}

/* No change of a byte may crash; what it gives is either two packages or an error, or packages with
 * a changed text, but never fewer in silence. */
static void change_every_byte(struct sw_buf *db) {
    for (size_t i = 0; i < db->len; i++) {
        SW_ARENA struct sw_arena a;
        struct sw_packages p = {0};
        struct sw_error err;
        sw_arena_init(&a, 0);
        db->ptr[i] ^= 0x41;
        if (!sw_rpm_parse(&a, sw_buf_str(db), SW_STR(""), &p, &err) && p.len < 2)
            fail_msg("with byte %zu changed it gave %zu packages", i, p.len);
        db->ptr[i] ^= 0x41;
    }
    for (size_t len = 0; len < db->len; len += 61) {
        SW_ARENA struct sw_arena a;
        struct sw_packages p = {0};
        struct sw_error err;
        sw_arena_init(&a, 0);
        if (!sw_rpm_parse(&a, sw_str_n(db->ptr, len), SW_STR(""), &p, &err) && p.len < 2)
            fail_msg("cut to %zu bytes it gave %zu packages", len, p.len);
    }
}

static uint32_t adler32(const char *p, size_t len) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < len; i++) {
        a = (a + (uint8_t)p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void build_ndb(struct sw_buf *db) {
    SW_BUF struct sw_buf blob;
    sw_buf_init(&blob, 0);
    sw_buf_add_text(db, "RpmP");
    le32(db, 0);
    le32(db, 1);
    le32(db, 1); /* slot pages */
    pad(db, 32);
    static const size_t fillers[] = {0, 9000};
    size_t at = 4096;
    struct sw_buf blobs;
    sw_buf_init(&blobs, 0);
    for (uint32_t i = 0; i < 2; i++) {
        header(&blob, i ? "large" : "small", i ? 4 : 0, fillers[i]);
        size_t size = (blob.len + 16 + 12 + 15) / 16 * 16;
        sw_buf_add_text(db, "Slot");
        le32(db, i + 1);
        le32(db, (uint32_t)(at / 16));
        le32(db, (uint32_t)(size / 16));
        size_t start = blobs.len;
        sw_buf_add_text(&blobs, "BlbS");
        le32(&blobs, i + 1);
        le32(&blobs, 1);
        le32(&blobs, (uint32_t)blob.len);
        sw_buf_add(&blobs, sw_buf_str(&blob));
        pad(&blobs, start + size - 12);
        le32(&blobs, adler32(blobs.ptr + start, size - 12));
        le32(&blobs, (uint32_t)blob.len);
        sw_buf_add_text(&blobs, "BlbE");
        at += size;
    }
    while (db->len < 4096) {
        sw_buf_add_text(db, "Slot");
        le32(db, 0);
        le32(db, 0);
        le32(db, 0);
    }
    sw_buf_add(db, sw_buf_str(&blobs));
    sw_buf_done(&blobs);
}

/* A meta page, a hash page with a short and a long value, overflow pages. */
static void build_bdb(struct sw_buf *db) {
    enum { PAGE = 512 };
    SW_BUF struct sw_buf small, large;
    sw_buf_init(&small, 0);
    sw_buf_init(&large, 0);
    header(&small, "small", 0, 0);
    header(&large, "large", 4, 1500);
    pad(db, PAGE);
    put_at(db, 12, 0x061561, 4);
    put_at(db, 20, PAGE, 4);
    db->ptr[25] = 8;
    size_t pages = 2 + (large.len + PAGE - 27) / (PAGE - 26);
    put_at(db, 32, (uint32_t)pages - 1, 4);
    put_at(db, 88, 2, 4); /* values */
    pad(db, 2 * PAGE);
    put_at(db, PAGE + 8, 1, 4);
    size_t page = PAGE, end = PAGE;
    db->ptr[page + 25] = 13;
    put_at(db, page + 20, 4, 2);
    for (size_t i = 0; i < 4; i++) {
        size_t len = i % 2 == 0 ? 5 : i == 1 ? small.len + 1 : 12;
        end -= len;
        put_at(db, page + 26 + 2 * i, (uint32_t)end, 2);
        db->ptr[page + end] = i == 3 ? 3 : 1;
        if (i % 2 == 0) put_at(db, page + end + 1, (uint32_t)i / 2 + 1, 4);
        if (i == 1) memcpy(db->ptr + page + end + 1, small.ptr, small.len);
        if (i == 3) {
            put_at(db, page + end + 4, 2, 4);
            put_at(db, page + end + 8, (uint32_t)large.len, 4);
        }
    }
    for (size_t n = 0, number = 2; n < large.len; number++) {
        size_t part = large.len - n < PAGE - 26 ? large.len - n : PAGE - 26;
        size_t at = number * PAGE;
        pad(db, at + PAGE);
        put_at(db, at + 8, (uint32_t)number, 4);
        put_at(db, at + 16, n + part < large.len ? (uint32_t)number + 1 : 0, 4);
        put_at(db, at + 22, (uint32_t)part, 2);
        db->ptr[at + 25] = 7;
        memcpy(db->ptr + at + 26, large.ptr + n, part);
        n += part;
    }
}

static void ndb_files_are_read_and_damage_is_refused(void **state) {
    (void)state;
    SW_BUF struct sw_buf db;
    sw_buf_init(&db, 0);
    build_ndb(&db);
    expect_two(sw_buf_str(&db));
    change_every_byte(&db);
}

/* The slot of a package is free all at once, its blob is still there. */
static void ndb_blobs_without_a_slot_are_refused(void **state) {
    (void)state;
    SW_BUF struct sw_buf db;
    SW_ARENA struct sw_arena a;
    struct sw_packages p = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    sw_buf_init(&db, 0);
    build_ndb(&db);
    memset(db.ptr + 3 * 16 + 4, 0, 12);
    assert_refused(sw_rpm_parse(&a, sw_buf_str(&db), SW_STR(""), &p, &err), SW_CORRUPT, err);
}

static void berkeley_files_are_read_and_damage_is_refused(void **state) {
    (void)state;
    SW_BUF struct sw_buf db;
    sw_buf_init(&db, 0);
    build_bdb(&db);
    expect_two(sw_buf_str(&db));
    change_every_byte(&db);
    /* A chain that runs in a circle ends. */
    put_at(&db, 2 * 512 + 16, 2, 4);
    SW_ARENA struct sw_arena a;
    struct sw_packages p = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    (void)!sw_rpm_parse(&a, sw_buf_str(&db), SW_STR(""), &p, &err);
}

/* --- SQLite ---------------------------------------------------------------------------------- */

enum { SQLITE_PAGE = 512 };

static void put_be16(struct sw_buf *b, size_t at, size_t v) {
    b->ptr[at] = (char)(v >> 8);
    b->ptr[at + 1] = (char)v;
}

/* A leaf of cells that stand at the end of the page, the first one last. */
static void sqlite_leaf(struct sw_buf *db, size_t page, const struct sw_buf *cells, size_t n) {
    size_t start = page == 0 ? 100 : page, end = page + SQLITE_PAGE;
    db->ptr[start] = 0x0d;
    put_be16(db, start + 3, n);
    for (size_t i = 0; i < n; i++) {
        end -= cells[i].len;
        memcpy(db->ptr + end, cells[i].ptr, cells[i].len);
        put_be16(db, start + 8 + 2 * i, end - page);
    }
    put_be16(db, start + 5, end - page);
}

/* A row: its number, a text or blob for each column but those that are an integer of a byte. */
static void sqlite_row(struct sw_buf *b, int id, const struct sw_str *columns, size_t n) {
    SW_BUF struct sw_buf types, values;
    sw_buf_init(&types, 0);
    sw_buf_init(&values, 0);
    for (size_t i = 0; i < n; i++) {
        size_t type =
            columns[i].len == 1 ? 1 : columns[i].len * 2 + (columns[i].len > 64 ? 12 : 13);
        if (type > 127) sw_buf_add_char(&types, (char)(0x80 | type >> 7));
        sw_buf_add_char(&types, (char)(type & 127));
        sw_buf_add(&values, columns[i]);
    }
    sw_buf_init(b, 0);
    size_t len = 1 + types.len + values.len;
    if (len > 127) sw_buf_add_char(b, (char)(0x80 | len >> 7));
    sw_buf_add_char(b, (char)(len & 127));
    sw_buf_add_char(b, (char)id);
    sw_buf_add_char(b, (char)(1 + types.len));
    sw_buf_add(b, sw_buf_str(&types));
    sw_buf_add(b, sw_buf_str(&values));
}

/* The schema, Packages (root 2) with two headers, Name (root 3), an empty table (root 4). */
static void build_sqlite(struct sw_buf *db) {
    struct sw_buf cells[3], blob;
    sw_buf_add_bytes(db, "SQLite format 3", 16);
    pad(db, (size_t)4 * SQLITE_PAGE);
    put_be16(db, 16, SQLITE_PAGE);
    db->ptr[31] = 4;
    const char *names[] = {"Packages", "Name", "Other"};
    for (int i = 0; i < 3; i++) {
        char root = (char)(i + 2);
        struct sw_str columns[] = {SW_STR("table"), sw_str(names[i]), sw_str(names[i]),
                                   sw_str_n(&root, 1), SW_STR("sql")};
        sqlite_row(&cells[i], i + 1, columns, 5);
    }
    sqlite_leaf(db, 0, cells, 3);
    for (int i = 0; i < 3; i++) sw_buf_done(&cells[i]);
    sw_buf_init(&blob, 0);
    for (int i = 0; i < 2; i++) {
        header(&blob, i ? "large" : "small", i ? 4 : 0, 10);
        sqlite_row(&cells[i], i + 1, (struct sw_str[]){SW_STR(""), sw_buf_str(&blob)}, 2);
    }
    sqlite_leaf(db, SQLITE_PAGE, cells, 2);
    for (int i = 0; i < 2; i++) {
        sw_buf_done(&cells[i]);
        sqlite_row(&cells[i], i + 1, (struct sw_str[]){SW_STR("small"), SW_STR("\1")}, 2);
    }
    sqlite_leaf(db, (size_t)2 * SQLITE_PAGE, cells, 2);
    sqlite_leaf(db, (size_t)3 * SQLITE_PAGE, NULL, 0);
    for (int i = 0; i < 2; i++) sw_buf_done(&cells[i]);
    sw_buf_done(&blob);
}

static void sqlite_files_are_read_and_damage_is_refused(void **state) {
    (void)state;
    SW_BUF struct sw_buf db;
    sw_buf_init(&db, 0);
    build_sqlite(&db);
    expect_two(sw_buf_str(&db));
    change_every_byte(&db);
    /* Packages leads to the empty table: the index of names knows better. */
    char *name = memmem(db.ptr, SQLITE_PAGE, "PackagesPackages", 16);
    assert_non_null(name);
    assert_int_equal(name[16], 2);
    name[16] = 4;
    SW_ARENA struct sw_arena a;
    struct sw_packages p = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    assert_refused(sw_rpm_parse(&a, sw_buf_str(&db), SW_STR(""), &p, &err), SW_CORRUPT, err);
    name[16] = 2;
    assert_refused(sw_rpm_parse(&a, sw_buf_str(&db), SW_STR("cut log"), &p, &err), SW_CORRUPT, err);
}

static void other_files_are_no_rpm_database(void **state) {
    (void)state;
    SW_ARENA struct sw_arena a;
    struct sw_packages p = {0};
    struct sw_error err;
    sw_arena_init(&a, 0);
    assert_refused(sw_rpm_parse(&a, SW_STR("hello"), SW_STR(""), &p, &err), SW_UNSUPPORTED, err);
    assert_refused(sw_rpm_parse(&a, SW_STR(""), SW_STR(""), &p, &err), SW_UNSUPPORTED, err);
    assert_refused(sw_rpm_parse(&a, SW_STR("SQLite format 3\0"), SW_STR(""), &p, &err), SW_CORRUPT,
                   err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dpkg_status_leaves_out_what_is_removed),
        cmocka_unit_test(damaged_lists_are_refused_whole),
        cmocka_unit_test(apk_packages_know_their_origin),
        cmocka_unit_test(os_release_reads_quotes_as_a_shell),
        cmocka_unit_test(ndb_files_are_read_and_damage_is_refused),
        cmocka_unit_test(ndb_blobs_without_a_slot_are_refused),
        cmocka_unit_test(berkeley_files_are_read_and_damage_is_refused),
        cmocka_unit_test(sqlite_files_are_read_and_damage_is_refused),
        cmocka_unit_test(other_files_are_no_rpm_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
