/* rpm's databases. Each form is a container of the same header blobs:
 *
 *     header    count u32 BE, data length u32 BE, count x {tag, type, offset, n: u32 BE}, data
 *     hash      BerkeleyDB: pages; hash pages hold keys and values, long values chain through
 *               overflow pages. Buckets need not be followed: every hash page is read.
 *     ndb       "RpmP"; 16-byte slots in the first pages point to blobs in 16-byte blocks
 *     sqlite    table Packages(hnum INTEGER PRIMARY KEY, blob BLOB); see sqlite.c
 *
 * docs/format/rpm-database.md has the details.
 */
#include <stdio.h>
#include <stdlib.h>

#include "distro/package.h"
#include "distro/sqlite_internal.h"

enum {
    TAG_NAME = 1000,
    TAG_VERSION = 1001,
    TAG_RELEASE = 1002,
    TAG_EPOCH = 1003,
    TAG_VENDOR = 1011,
    TAG_ARCH = 1022,
    TAG_SOURCE_RPM = 1044,
    TAG_MODULE_LABEL = 5096,
    TYPE_INT32 = 4,
    TYPE_STRING = 6,
    TYPE_STRING_ARRAY = 8,
    TYPE_I18N = 9,
};

static uint32_t be32(const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static uint32_t le32(const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

/* "bash-5.1.8-6.el9.src.rpm": the name is what stands before the last two hyphens. */
static void split_source_rpm(struct sw_arena *a, struct sw_str file, struct sw_package *p) {
    p->source = p->name;
    p->source_version = p->version;
    size_t arch = sw_str_find(file, SW_STR(".src.rpm"));
    if (arch == SIZE_MAX) arch = sw_str_find(file, SW_STR(".nosrc.rpm"));
    if (arch == SIZE_MAX) return;
    file = sw_str_sub(file, 0, arch);
    size_t release = sw_str_rfind_char(file, '-');
    if (release == SIZE_MAX || release == 0) return;
    size_t version = sw_str_rfind_char(sw_str_sub(file, 0, release), '-');
    if (version == SIZE_MAX || version == 0) return;
    p->source = sw_arena_str(a, sw_str_sub(file, 0, version));
    p->source_version = sw_arena_str(a, sw_str_from(file, version + 1));
}

struct header_fields {
    struct sw_str name, version, release, arch, vendor, source_rpm, module_label;
    uint32_t epoch;
};

static struct sw_str *string_field(struct header_fields *f, uint32_t tag) {
    switch (tag) {
    case TAG_NAME:
        return &f->name;
    case TAG_VERSION:
        return &f->version;
    case TAG_RELEASE:
        return &f->release;
    case TAG_ARCH:
        return &f->arch;
    case TAG_VENDOR:
        return &f->vendor;
    case TAG_SOURCE_RPM:
        return &f->source_rpm;
    case TAG_MODULE_LABEL:
        return &f->module_label;
    default:
        return NULL;
    }
}

static enum sw_code read_fields(struct sw_str blob, struct header_fields *f, struct sw_error *err) {
    if (blob.len < 8) return sw_fail(err, SW_CORRUPT, "an rpm header of %zu bytes", blob.len);
    uint32_t n = be32(blob.ptr), len = be32(blob.ptr + 4);
    if (n == 0 || n > SW_RPM_ENTRIES_MAX || blob.len - 8 < (size_t)n * 16 ||
        blob.len - 8 - (size_t)n * 16 < len)
        return sw_fail(err, SW_CORRUPT, "an rpm header of %u entries and %u bytes in %zu bytes", n,
                       len, blob.len);
    struct sw_str data = sw_str_sub(blob, 8 + (size_t)n * 16, len);
    for (uint32_t i = 0; i < n; i++) {
        const char *e = blob.ptr + 8 + (size_t)i * 16;
        uint32_t tag = be32(e), type = be32(e + 4), offset = be32(e + 8);
        struct sw_str *to = string_field(f, tag);
        if (!to && tag != TAG_EPOCH) continue;
        if (offset >= len || (tag == TAG_EPOCH && len - offset < 4))
            return sw_fail(err, SW_CORRUPT, "rpm tag %u stands after the header", tag);
        if (tag == TAG_EPOCH) {
            if (type != TYPE_INT32) return sw_fail(err, SW_CORRUPT, "an epoch of type %u", type);
            f->epoch = be32(data.ptr + offset);
            continue;
        }
        if (type != TYPE_STRING && type != TYPE_STRING_ARRAY && type != TYPE_I18N)
            return sw_fail(err, SW_CORRUPT, "rpm tag %u of type %u", tag, type);
        const char *nul = memchr(data.ptr + offset, 0, len - offset);
        if (!nul) return sw_fail(err, SW_CORRUPT, "rpm tag %u does not end", tag);
        *to = sw_str_n(data.ptr + offset, (size_t)(nul - data.ptr) - offset);
    }
    return SW_OK;
}

static enum sw_code take_header(struct sw_arena *a, struct sw_str blob, struct sw_packages *list,
                                struct sw_error *err) {
    struct header_fields f = {0};
    enum sw_code code = read_fields(blob, &f, err);
    if (code) return code;
    if (f.name.len == 0 || f.version.len == 0 || f.release.len == 0)
        return sw_fail(err, SW_CORRUPT, "an rpm header without %s",
                       f.name.len == 0      ? "name"
                       : f.version.len == 0 ? "version"
                                            : "release");
    if (sw_str_is(f.name, "gpg-pubkey")) return SW_OK;
    if (list->len == SW_PACKAGES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d packages", SW_PACKAGES_MAX);
    struct sw_package *p = sw_packages_add(a, list);
    p->name = sw_arena_str(a, f.name);
    char epoch[16] = "";
    if (f.epoch) snprintf(epoch, sizeof epoch, "%u:", f.epoch);
    p->version = sw_arena_printf(a, "%s%.*s-%.*s", epoch, SW_ARG(f.version), SW_ARG(f.release));
    p->arch = sw_arena_str(a, f.arch);
    p->vendor = sw_arena_str(a, f.vendor);
    p->module_label = sw_arena_str(a, f.module_label);
    split_source_rpm(a, f.source_rpm, p);
    return sw_arena_check(a, "the rpm database", err);
}

/* --- BerkeleyDB ------------------------------------------------------------------------------ */

enum {
    BDB_FREE = 0,
    BDB_PAGE_HEADER = 26,
    BDB_HASH_META = 8,
    BDB_HASH_UNSORTED = 2,
    BDB_HASH = 13,
    BDB_OVERFLOW = 7,
    BDB_ITEM_INLINE = 1,
    BDB_ITEM_OFFPAGE = 3,
};

struct bdb {
    struct sw_str file;
    size_t page_size, n_pages, n_values;
    bool big;
    struct sw_arena *a;
};

static uint32_t bdb32(const struct bdb *db, const char *p) { return db->big ? be32(p) : le32(p); }
static uint32_t bdb16(const struct bdb *db, const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return db->big ? (uint32_t)(b[0] << 8 | b[1]) : (uint32_t)(b[1] << 8 | b[0]);
}

/* Puts a value together from its chain of overflow pages. */
static enum sw_code bdb_chain(const struct bdb *db, uint32_t page, uint32_t len, struct sw_str *ret,
                              struct sw_error *err) {
    if (len > SW_RPM_HEADER_MAX || len > db->file.len)
        return sw_fail(err, SW_CORRUPT, "a value of %u bytes", len);
    char *to = sw_arena_alloc(db->a, (size_t)len + 1);
    size_t n = 0;
    /* Each page gives at least a byte, so that a chain in a circle ends at len. */
    while (n < len) {
        if (page == 0 || page >= db->n_pages)
            return sw_fail(err, SW_CORRUPT, "a value ends on page %u", page);
        const char *p = db->file.ptr + (size_t)page * db->page_size;
        size_t used = bdb16(db, p + 22);
        if (p[25] != BDB_OVERFLOW || used == 0 || used > db->page_size - BDB_PAGE_HEADER)
            return sw_fail(err, SW_CORRUPT, "page %u is no overflow page", page);
        if (used > len - n) return sw_fail(err, SW_CORRUPT, "page %u exceeds its value", page);
        memcpy(to + n, p + BDB_PAGE_HEADER, used);
        n += used;
        page = bdb32(db, p + 16);
    }
    if (page) return sw_fail(err, SW_CORRUPT, "a value goes on past its end on page %u", page);
    *ret = sw_str_n(to, len);
    return sw_arena_check(db->a, "the rpm database", err);
}

/* One value with its key. The key 0 has the highest number in use instead of a header. */
static enum sw_code bdb_value(const struct bdb *db, struct sw_str key, struct sw_str item,
                              struct sw_packages *list, struct sw_error *err) {
    static const char zero[] = {BDB_ITEM_INLINE, 0, 0, 0, 0};
    if (key.len != sizeof zero || key.ptr[0] != BDB_ITEM_INLINE)
        return sw_fail(err, SW_CORRUPT, "a key that is no package's number");
    if (memcmp(key.ptr, zero, sizeof zero) == 0) return SW_OK;
    struct sw_str blob = sw_str_from(item, 1);
    if (item.ptr[0] == BDB_ITEM_OFFPAGE) {
        if (item.len < 12) return sw_fail(err, SW_CORRUPT, "a value of %zu bytes", item.len);
        enum sw_code code =
            bdb_chain(db, bdb32(db, item.ptr + 4), bdb32(db, item.ptr + 8), &blob, err);
        if (code) return code;
    } else if (item.ptr[0] != BDB_ITEM_INLINE) {
        return sw_fail(err, SW_CORRUPT, "a value of type %d", item.ptr[0]);
    }
    return take_header(db->a, blob, list, err);
}

static enum sw_code bdb_hash_page(struct bdb *db, size_t number, struct sw_packages *list,
                                  struct sw_error *err) {
    const char *p = db->file.ptr + number * db->page_size;
    size_t n = bdb16(db, p + 20), end = db->page_size;
    struct sw_str key = {0};
    if (n % 2 || n > (db->page_size - BDB_PAGE_HEADER) / 2)
        return sw_fail(err, SW_CORRUPT, "page %zu of %zu entries", number, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = bdb16(db, p + BDB_PAGE_HEADER + 2 * i);
        if (at < BDB_PAGE_HEADER + 2 * n || at >= end)
            return sw_fail(err, SW_CORRUPT, "page %zu, entry %zu", number, i);
        struct sw_str item = sw_str_n(p + at, end - at);
        end = at; /* entries grow downwards from the page's end */
        if (i % 2 == 0) {
            key = item;
            continue;
        }
        db->n_values++;
        enum sw_code code = bdb_value(db, key, item, list, err);
        if (code) return code;
    }
    return SW_OK;
}

/* Every page says its number and its kind; free ones may be holes that were never written. */
static enum sw_code bdb_page(struct bdb *db, size_t number, struct sw_packages *list,
                             struct sw_error *err) {
    const char *p = db->file.ptr + number * db->page_size;
    if (p[25] == BDB_FREE) return SW_OK;
    if (p[25] != BDB_HASH && p[25] != BDB_HASH_UNSORTED && p[25] != BDB_OVERFLOW)
        return sw_fail(err, SW_CORRUPT, "page %zu of type %d", number, p[25]);
    if (bdb32(db, p + 8) != number)
        return sw_fail(err, SW_CORRUPT, "page %zu says that it is page %u", number,
                       bdb32(db, p + 8));
    return p[25] == BDB_OVERFLOW ? SW_OK : bdb_hash_page(db, number, list, err);
}

static enum sw_code bdb_parse(struct sw_arena *a, struct sw_str file, bool big,
                              struct sw_packages *list, struct sw_error *err) {
    struct bdb db = {.file = file, .big = big, .a = a};
    if (file.len < 512 || file.ptr[25] != BDB_HASH_META)
        return sw_fail(err, SW_CORRUPT, "the BerkeleyDB file has no hash header");
    db.page_size = bdb32(&db, file.ptr + 20);
    if (db.page_size < 512 || db.page_size > 65536 || (db.page_size & (db.page_size - 1)))
        return sw_fail(err, SW_CORRUPT, "BerkeleyDB pages of %zu bytes", db.page_size);
    db.n_pages = file.len / db.page_size;
    uint32_t last = bdb32(&db, file.ptr + 32), n_values = bdb32(&db, file.ptr + 88);
    if (file.len % db.page_size || last >= db.n_pages)
        return sw_fail(err, SW_CORRUPT, "the BerkeleyDB file is cut: %zu pages of %u", db.n_pages,
                       last + 1);
    for (size_t i = 1; i < db.n_pages; i++) {
        enum sw_code code = bdb_page(&db, i, list, err);
        if (code) return code;
    }
    if (db.n_values != n_values)
        return sw_fail(err, SW_CORRUPT, "the BerkeleyDB file has %zu values of %u", db.n_values,
                       n_values);
    return SW_OK;
}

/* --- ndb ------------------------------------------------------------------------------------- */

enum { NDB_PAGE = 4096, NDB_BLOCK = 16, NDB_FIRST_SLOT = 2, NDB_HEAD = 16, NDB_TAIL = 12 };

struct ndb_extent {
    size_t at, size;
};

static int by_place(const void *x, const void *y) {
    const struct ndb_extent *a = x, *b = y;
    return a->at < b->at ? -1 : a->at > b->at;
}

static uint32_t adler32(struct sw_str data) {
    uint32_t a = 1, b = 0;
    /* 5552 is the longest run after which neither sum has overflowed. */
    for (size_t i = 0; i < data.len;) {
        for (size_t end = data.len - i < 5552 ? data.len : i + 5552; i < end; i++) {
            a += (uint8_t)data.ptr[i];
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static enum sw_code ndb_blob(struct sw_str file, const char *slot, struct ndb_extent *ret,
                             struct sw_str *ret_blob, struct sw_error *err) {
    uint32_t index = le32(slot + 4);
    size_t at = (size_t)le32(slot + 8) * NDB_BLOCK, size = (size_t)le32(slot + 12) * NDB_BLOCK;
    if (at > file.len || size > file.len - at || size < NDB_HEAD + NDB_TAIL ||
        memcmp(file.ptr + at, "BlbS", 4) != 0 || le32(file.ptr + at + 4) != index)
        return sw_fail(err, SW_CORRUPT, "the ndb slot of package %u points to no blob", index);
    size_t len = le32(file.ptr + at + 12);
    const char *tail = file.ptr + at + size - NDB_TAIL;
    if (len > SW_RPM_HEADER_MAX || size - len < NDB_HEAD + NDB_TAIL ||
        size - len >= NDB_HEAD + NDB_TAIL + NDB_BLOCK || le32(tail + 4) != len ||
        memcmp(tail + 8, "BlbE", 4) != 0)
        return sw_fail(err, SW_CORRUPT, "the ndb blob of package %u is cut", index);
    if (adler32(sw_str_sub(file, at, size - NDB_TAIL)) != le32(tail))
        return sw_fail(err, SW_CORRUPT, "the ndb blob of package %u has another checksum", index);
    *ret = (struct ndb_extent){at, size};
    *ret_blob = sw_str_sub(file, at + NDB_HEAD, len);
    return SW_OK;
}

/* Space that no slot refers to is zero: anything else there is a blob or a page of slots that was
 * lost. */
static enum sw_code ndb_gaps(struct sw_str file, size_t start, struct ndb_extent *used, size_t n,
                             struct sw_error *err) {
    if (n) qsort(used, n, sizeof *used, by_place);
    for (size_t i = 0; i <= n; i++) {
        size_t end = i < n ? used[i].at : file.len;
        if (end < start) return sw_fail(err, SW_CORRUPT, "ndb blobs overlap at byte %zu", end);
        for (size_t at = start; at < end; at++)
            if (file.ptr[at])
                return sw_fail(err, SW_CORRUPT, "no ndb slot refers to what is at byte %zu", at);
        if (i < n) start = used[i].at + used[i].size;
    }
    return SW_OK;
}

static enum sw_code ndb_parse(struct sw_arena *a, struct sw_str file, struct sw_packages *list,
                              struct sw_error *err) {
    if (file.len < NDB_PAGE || file.len % NDB_BLOCK)
        return sw_fail(err, SW_CORRUPT, "an ndb file of %zu bytes", file.len);
    size_t pages = le32(file.ptr + 12), n_used = 0;
    if (pages == 0 || pages > file.len / NDB_PAGE)
        return sw_fail(err, SW_CORRUPT, "an ndb file of %zu bytes with %zu slot pages", file.len,
                       pages);
    size_t n_slots = pages * NDB_PAGE / NDB_BLOCK;
    struct ndb_extent *used = sw_arena_array(a, n_slots, sizeof *used);
    for (size_t i = NDB_FIRST_SLOT; i < n_slots; i++) {
        const char *slot = file.ptr + i * NDB_BLOCK;
        if (memcmp(slot, "Slot", 4) != 0) return sw_fail(err, SW_CORRUPT, "ndb slot %zu", i);
        if (le32(slot + 8) == 0) continue; /* free */
        struct sw_str blob = {0};
        enum sw_code code = ndb_blob(file, slot, &used[n_used], &blob, err);
        if (!code) code = take_header(a, blob, list, err);
        if (code) return code;
        n_used++;
    }
    return ndb_gaps(file, pages * NDB_PAGE, used, n_used, err);
}

/* --- SQLite ---------------------------------------------------------------------------------- */

struct sqlite_sink {
    struct sw_arena *a;
    struct sw_packages *list;
    size_t n_headers, n_names;
};

static enum sw_code sqlite_row(void *context, struct sw_str record, struct sw_error *err) {
    struct sqlite_sink *sink = context;
    struct sw_str blob;
    enum sw_code code = sw_sqlite_column(record, 1, &blob, err);
    sink->n_headers++;
    return code ? code : take_header(sink->a, blob, sink->list, err);
}

static enum sw_code sqlite_name(void *context, struct sw_str record, struct sw_error *err) {
    (void)record, (void)err;
    ((struct sqlite_sink *)context)->n_names++;
    return SW_OK;
}

/* SQLite has no checksums: a changed number of the table's first page may lead to another, empty
 * one. rpm's index of names has a row for every header and tells. */
static enum sw_code sqlite_parse(struct sw_arena *a, struct sw_str db, struct sw_str wal,
                                 struct sw_packages *list, struct sw_error *err) {
    struct sqlite_sink sink = {.a = a, .list = list};
    enum sw_code code = sw_sqlite_rows(a, db, wal, "Packages", sqlite_row, &sink, err);
    if (code) return code;
    code = sw_sqlite_rows(a, db, wal, "Name", sqlite_name, &sink, err);
    if (code) return code == SW_NOT_FOUND ? SW_OK : code;
    if (sink.n_names > sink.n_headers)
        return sw_fail(err, SW_CORRUPT, "the index has %zu packages, the table %zu", sink.n_names,
                       sink.n_headers);
    return SW_OK;
}

enum sw_code sw_rpm_parse(struct sw_arena *a, struct sw_str db, struct sw_str wal,
                          struct sw_packages *ret, struct sw_error *err) {
    struct sw_packages list = {0};
    enum sw_code code;
    if (sw_str_starts(db, SW_STR("SQLite format 3\0"))) {
        code = sqlite_parse(a, db, wal, &list, err);
    } else if (sw_str_starts(db, SW_STR("RpmP"))) {
        code = ndb_parse(a, db, &list, err);
    } else if (db.len >= 512 && (le32(db.ptr + 12) == 0x061561 || be32(db.ptr + 12) == 0x061561)) {
        code = bdb_parse(a, db, be32(db.ptr + 12) == 0x061561, &list, err);
    } else {
        code = sw_fail(err, SW_UNSUPPORTED, "not an rpm database of a known form");
    }
    if (!code) *ret = list;
    return code ? sw_context(err, "rpm database") : SW_OK;
}
