/* SQLite's file format (sqlite.org/fileformat2.html), as far as table B-trees go.
 *
 * A library would want a file, a lock and a writable directory for the log; here the file is a few
 * bytes of a layer, from a source that nobody vouches for.
 */
#include "distro/sqlite_internal.h"

#include <assert.h>

enum {
    FILE_HEADER = 100,
    LEAF = 0x0d,
    INTERIOR = 0x05,
    DEPTH_MAX = 20, /* SQLite's own limit for a cursor */
    WAL_HEADER = 32,
    WAL_FRAME = 24,
};

struct sqlite {
    struct sw_arena *a;
    struct sw_str file;
    size_t page_size, usable, n_pages;
    const char **pages; /* arena; by number from 1: in the file, or in the log where it is newer */
    size_t visited;     /* pages walked, so that a circle ends */
    bool any;           /* a row was seen: rows come in the order of their numbers */
    int64_t row_id;
    enum sw_code (*row)(void *context, struct sw_str record, struct sw_error *err);
    void *context;
};

static uint32_t be(const char *p, unsigned n) {
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}

/* A varint of 1 to 9 bytes; false at the end of the text. */
static bool varint(struct sw_str *s, uint64_t *ret) {
    uint64_t v = 0;
    for (unsigned i = 0; i < 9; i++) {
        if (i >= s->len) return false;
        uint8_t b = (uint8_t)s->ptr[i];
        v = i == 8 ? v << 8 | b : v << 7 | (b & 0x7f);
        if (i == 8 || !(b & 0x80)) {
            *ret = v;
            *s = sw_str_from(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* The log's running checksum over pairs of words, in the byte order that its magic says. */
static void wal_sum(const char *p, size_t len, bool big, uint32_t sum[2]) {
    for (size_t i = 0; i < len; i += 8)
        for (unsigned j = 0; j < 2; j++) {
            uint32_t word = be(p + i + 4 * (size_t)j, 4);
            if (!big) word = __builtin_bswap32(word);
            sum[j] += word + sum[!j];
        }
}

/* Counts the frames up to the last commit. Frames of an earlier use of the log (other salts) end
 * it. SQLite takes a frame that does not hold together for the end, too; here it may be the damage
 * that hides packages. */
static enum sw_code check_wal(const struct sqlite *db, struct sw_str wal, size_t *ret_commit,
                              size_t *ret_pages, struct sw_error *err) {
    size_t each = WAL_FRAME + db->page_size, n = (wal.len - WAL_HEADER) / each, i = 0;
    bool big = be(wal.ptr, 4) & 1;
    uint32_t sum[2] = {0};
    wal_sum(wal.ptr, 24, big, sum);
    if (sum[0] != be(wal.ptr + 24, 4) || sum[1] != be(wal.ptr + 28, 4))
        return sw_fail(err, SW_CORRUPT, "the write-ahead log's header has another checksum");
    if ((wal.len - WAL_HEADER) % each)
        return sw_fail(err, SW_CORRUPT, "the write-ahead log is cut after %zu frames", n);
    *ret_commit = 0;
    for (; i < n; i++) {
        const char *f = wal.ptr + WAL_HEADER + i * each;
        if (memcmp(f + 8, wal.ptr + 16, 8) != 0) break;
        wal_sum(f, 8, big, sum);
        wal_sum(f + WAL_FRAME, db->page_size, big, sum);
        if (sum[0] != be(f + 16, 4) || sum[1] != be(f + 20, 4) || be(f, 4) == 0)
            return sw_fail(err, SW_CORRUPT, "frame %zu of the write-ahead log is damaged", i);
        if (be(f + 4, 4) == 0) continue;
        *ret_commit = i + 1;
        *ret_pages = be(f + 4, 4);
    }
    if (i > *ret_commit)
        return sw_fail(err, SW_CORRUPT, "the write-ahead log ends within a transaction");
    for (; i < n; i++)
        if (memcmp(wal.ptr + WAL_HEADER + i * each + 8, wal.ptr + 16, 8) == 0)
            return sw_fail(err, SW_CORRUPT, "frame %zu of the write-ahead log stands alone", i);
    return SW_OK;
}

/* Frames of the log that were committed replace pages. */
static enum sw_code apply_wal(struct sqlite *db, struct sw_str wal, size_t *ret_commit,
                              struct sw_error *err) {
    *ret_commit = 0;
    if (wal.len == 0) return SW_OK;
    uint32_t magic = wal.len < WAL_HEADER ? 0 : be(wal.ptr, 4);
    if (magic != 0x377f0682 && magic != 0x377f0683)
        return sw_fail(err, SW_CORRUPT, "the write-ahead log has no header");
    if (be(wal.ptr + 8, 4) != db->page_size)
        return sw_fail(err, SW_CORRUPT, "the write-ahead log has pages of another size");
    size_t each = WAL_FRAME + db->page_size, commit = 0, n_pages = db->n_pages;
    enum sw_code code = check_wal(db, wal, &commit, &n_pages, err);
    if (code) return code;
    if (n_pages > db->n_pages + commit)
        return sw_fail(err, SW_CORRUPT, "the write-ahead log makes a file of %zu pages", n_pages);
    const char **pages = sw_arena_array(db->a, n_pages + 1, sizeof *pages);
    for (size_t i = 1; i <= n_pages && i <= db->n_pages; i++) pages[i] = db->pages[i];
    for (size_t i = 0; i < commit; i++) {
        const char *f = wal.ptr + WAL_HEADER + i * each;
        uint32_t number = be(f, 4);
        if (number <= n_pages) pages[number] = f + WAL_FRAME;
    }
    db->pages = pages;
    db->n_pages = n_pages;
    *ret_commit = commit;
    return SW_OK;
}

static enum sw_code open_file(struct sqlite *db, struct sw_str wal, struct sw_error *err) {
    if (db->file.len < 512)
        return sw_fail(err, SW_CORRUPT, "an SQLite file of %zu bytes", db->file.len);
    db->page_size = be(db->file.ptr + 16, 2);
    if (db->page_size == 1) db->page_size = 65536;
    size_t reserved = (uint8_t)db->file.ptr[20];
    if (db->page_size < 512 || (db->page_size & (db->page_size - 1)) ||
        db->page_size - reserved < 480)
        return sw_fail(err, SW_CORRUPT, "SQLite pages of %zu bytes", db->page_size);
    db->usable = db->page_size - reserved;
    if (db->file.len % db->page_size)
        return sw_fail(err, SW_CORRUPT, "the SQLite file ends within a page");
    db->n_pages = db->file.len / db->page_size;
    db->pages = sw_arena_array(db->a, db->n_pages + 1, sizeof *db->pages);
    for (size_t i = 1; i <= db->n_pages; i++) db->pages[i] = db->file.ptr + (i - 1) * db->page_size;
    size_t said = be(db->file.ptr + 28, 4), commit = 0;
    bool said_valid = memcmp(db->file.ptr + 24, db->file.ptr + 92, 4) == 0;
    enum sw_code code = apply_wal(db, wal, &commit, err);
    if (code) return code;
    if (said_valid && said > db->n_pages && commit == 0)
        return sw_fail(err, SW_CORRUPT, "the SQLite file is cut: %zu pages of %zu", db->n_pages,
                       said);
    return SW_OK;
}

static enum sw_code get_page(struct sqlite *db, uint64_t number, const char **ret,
                             struct sw_error *err) {
    *ret = db->file.ptr;
    if (number == 0 || number > db->n_pages || !db->pages[number])
        return sw_fail(err, SW_CORRUPT, "there is no SQLite page %llu", (unsigned long long)number);
    *ret = db->pages[number];
    return SW_OK;
}

/* The whole payload of a leaf's cell, overflow pages included, and what the cell takes of its
 * page. */
static enum sw_code cell_payload(struct sqlite *db, struct sw_str cell, struct sw_str *ret,
                                 size_t *ret_size, struct sw_error *err) {
    uint64_t len = 0, id = 0;
    size_t whole = cell.len;
    if (!varint(&cell, &len) || !varint(&cell, &id))
        return sw_fail(err, SW_CORRUPT, "an SQLite cell is cut");
    if (db->any && (int64_t)id <= db->row_id)
        return sw_fail(err, SW_CORRUPT, "SQLite row %lld follows row %lld", (long long)id,
                       (long long)db->row_id);
    db->any = true;
    db->row_id = (int64_t)id;
    if (len > (uint64_t)db->n_pages * db->page_size)
        return sw_fail(err, SW_CORRUPT, "an SQLite record of %llu bytes", (unsigned long long)len);
    size_t max = db->usable - 35, min = (db->usable - 12) * 32 / 255 - 23;
    size_t local = (size_t)len;
    if (len > max) {
        local = min + ((size_t)len - min) % (db->usable - 4);
        if (local > max) local = min;
    }
    if (cell.len < local + (len > max ? 4 : 0))
        return sw_fail(err, SW_CORRUPT, "an SQLite cell is cut");
    *ret_size = whole - cell.len + local + (local == len ? 0 : 4);
    if (local == len) {
        *ret = sw_str_sub(cell, 0, local);
        return SW_OK;
    }
    char *to = sw_arena_alloc(db->a, (size_t)len);
    memcpy(to, cell.ptr, local);
    uint32_t next = be(cell.ptr + local, 4);
    for (size_t n = local; n < len;) {
        const char *page = NULL;
        enum sw_code code = get_page(db, next, &page, err);
        if (code) return code;
        size_t part = db->usable - 4 < len - n ? db->usable - 4 : (size_t)len - n;
        memcpy(to + n, page + 4, part);
        n += part;
        next = be(page, 4);
    }
    *ret = sw_str_n(to, (size_t)len);
    return sw_arena_check(db->a, "the SQLite file", err);
}

/* The cells, the free blocks and the fragments fill a page's content exactly: where they do not,
 * a cell was lost. cells: bytes of those that were read. */
static enum sw_code check_content(const struct sqlite *db, const char *page, size_t start,
                                  size_t array_end, size_t cells, struct sw_error *err) {
    size_t content = be(page + start + 5, 2), sum = cells + (uint8_t)page[start + 7], last = 0;
    if (content == 0) content = 65536;
    if (content < array_end || content > db->usable)
        return sw_fail(err, SW_CORRUPT, "an SQLite page's content begins at %zu", content);
    for (size_t at = be(page + start + 1, 2); at; at = be(page + at, 2)) {
        if (at <= last || at < content || at + 4 > db->usable)
            return sw_fail(err, SW_CORRUPT, "an SQLite page's free space at %zu", at);
        last = at;
        sum += be(page + at + 2, 2);
    }
    if (sum != db->usable - content)
        return sw_fail(err, SW_CORRUPT, "an SQLite page has %zu bytes of content in %zu", sum,
                       db->usable - content);
    return SW_OK;
}

static enum sw_code walk(struct sqlite *db, uint64_t number, unsigned depth, struct sw_error *err);

/* cell: the page from the cell on. */
static enum sw_code walk_cell(struct sqlite *db, struct sw_str cell, uint8_t type, unsigned depth,
                              size_t *ret_size, struct sw_error *err) {
    struct sw_str record = {0};
    if (type == LEAF) {
        enum sw_code code = cell_payload(db, cell, &record, ret_size, err);
        if (*ret_size < 4) *ret_size = 4;
        return code ? code : db->row(db->context, record, err);
    }
    uint64_t id = 0;
    struct sw_str rest = sw_str_from(cell, 4);
    if (!varint(&rest, &id)) return sw_fail(err, SW_CORRUPT, "an SQLite cell is cut");
    *ret_size = cell.len - rest.len;
    return walk(db, be(cell.ptr, 4), depth + 1, err);
}

static enum sw_code walk(struct sqlite *db, uint64_t number, unsigned depth, struct sw_error *err) {
    const char *page = NULL;
    enum sw_code code = get_page(db, number, &page, err);
    if (code) return code;
    if (depth > DEPTH_MAX || ++db->visited > db->n_pages)
        return sw_fail(err, SW_CORRUPT, "the SQLite tree runs in a circle");
    size_t start = number == 1 ? FILE_HEADER : 0, cells = 0;
    uint8_t type = (uint8_t)page[start];
    if (type != LEAF && type != INTERIOR)
        return sw_fail(err, SW_CORRUPT, "SQLite page %llu is no table page",
                       (unsigned long long)number);
    size_t n = be(page + start + 3, 2), array = start + (type == LEAF ? 8 : 12);
    /* Only the first page of an empty table has no cells. */
    if (array + 2 * n > db->usable || (n == 0 && type == LEAF && depth > 0))
        return sw_fail(err, SW_CORRUPT, "SQLite page %llu has %zu cells",
                       (unsigned long long)number, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = be(page + array + 2 * i, 2), size = 0;
        if (at < array + 2 * n || at + 4 > db->usable)
            return sw_fail(err, SW_CORRUPT, "SQLite page %llu, cell %zu",
                           (unsigned long long)number, i);
        code = walk_cell(db, sw_str_n(page + at, db->usable - at), type, depth, &size, err);
        if (code) return code;
        cells += size;
    }
    code = check_content(db, page, start, array + 2 * n, cells, err);
    if (code) return code;
    return type == INTERIOR ? walk(db, be(page + start + 8, 4), depth + 1, err) : SW_OK;
}

/* Bytes of a value by its serial type. */
static uint64_t value_size(uint64_t type) {
    static const uint8_t fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? fixed[type] : (type - 12) / 2;
}

static enum sw_code find_column(struct sw_str record, unsigned index, uint64_t *ret_type,
                                struct sw_str *ret, struct sw_error *err) {
    struct sw_str types = record;
    uint64_t header = 0, type = 0, at;
    bool whole = varint(&types, &header);
    if (!whole || header > record.len || header < record.len - types.len)
        return sw_fail(err, SW_CORRUPT, "an SQLite record is cut");
    types = sw_str_sub(types, 0, (size_t)header - (record.len - types.len));
    at = header;
    for (unsigned i = 0;; i++) {
        if (!varint(&types, &type))
            return sw_fail(err, SW_CORRUPT, "an SQLite record of %u columns", i);
        uint64_t size = value_size(type);
        if (size > record.len - at) return sw_fail(err, SW_CORRUPT, "an SQLite record is cut");
        if (i == index) {
            *ret_type = type;
            *ret = sw_str_sub(record, (size_t)at, (size_t)size);
            return SW_OK;
        }
        at += size;
    }
}

enum sw_code sw_sqlite_column(struct sw_str record, unsigned index, struct sw_str *ret,
                              struct sw_error *err) {
    uint64_t type = 0;
    struct sw_str value = {0};
    enum sw_code code = find_column(record, index, &type, &value, err);
    if (code) return code;
    if (type < 12) return sw_fail(err, SW_CORRUPT, "SQLite column %u is no text or blob", index);
    *ret = value;
    return SW_OK;
}

enum sw_code sw_sqlite_integer(struct sw_str record, unsigned index, int64_t *ret,
                               struct sw_error *err) {
    uint64_t type = 0;
    struct sw_str value = {0};
    enum sw_code code = find_column(record, index, &type, &value, err);
    if (code) return code;
    if (type == 8 || type == 9) {
        *ret = type == 9;
        return SW_OK;
    }
    if (type < 1 || type > 6)
        return sw_fail(err, SW_CORRUPT, "SQLite column %u is no integer", index);
    uint64_t v = value.ptr[0] < 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < value.len; i++) v = v << 8 | (uint8_t)value.ptr[i];
    *ret = (int64_t)v;
    return SW_OK;
}

struct schema_search {
    const char *table;
    int64_t root;
};

static enum sw_code schema_row(void *context, struct sw_str record, struct sw_error *err) {
    struct schema_search *search = context;
    struct sw_str type = {0}, name = {0};
    enum sw_code code = sw_sqlite_column(record, 0, &type, err);
    if (!code) code = sw_sqlite_column(record, 1, &name, err);
    if (code || !sw_str_is(type, "table") || !sw_str_is(name, search->table)) return code;
    return sw_sqlite_integer(record, 3, &search->root, err);
}

enum sw_code sw_sqlite_rows(struct sw_arena *a, struct sw_str file, struct sw_str wal,
                            const char *table,
                            enum sw_code (*row)(void *context, struct sw_str record,
                                                struct sw_error *err),
                            void *context, struct sw_error *err) {
    struct sqlite db = {.a = a, .file = file};
    enum sw_code code = open_file(&db, wal, err);
    if (code) return code;
    assert(db.pages);
    struct schema_search search = {.table = table};
    db.row = schema_row;
    db.context = &search;
    code = walk(&db, 1, 0, err);
    if (code) return code;
    if (search.root <= 0)
        return sw_fail(err, SW_NOT_FOUND, "no table %s in the SQLite file", table);
    db.row = row;
    db.context = context;
    db.visited = 0;
    db.any = false;
    return walk(&db, (uint64_t)search.root, 0, err);
}
