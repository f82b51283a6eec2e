#include "advisory/db.h"

#include <stdlib.h>

#include "advisory/db_internal.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/digest.h"

static inline uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t sw_advdb_checksum(const void *bytes, size_t len) {
    const uint8_t *p = bytes;
    uint64_t a = 0x9e3779b97f4a7c15u ^ len, b = 0xc2b2ae3d27d4eb4fu;
    for (; len >= 32; p += 32, len -= 32) {
        a = fold(a ^ sw_advdb_u64(p), 0xe7037ed1a0b428dbu ^ sw_advdb_u64(p + 8));
        b = fold(b ^ sw_advdb_u64(p + 16), 0x8ebc6af09c88c6e3u ^ sw_advdb_u64(p + 24));
    }
    for (; len; p++, len--) a = fold(a ^ *p, 0xa0761d6478bd642fu);
    return fold(a ^ 0x589965cc75374cc3u, b ^ 0x1d8e4e27c47d124fu);
}

uint64_t sw_advdb_package_hash(uint32_t ecosystem, struct sw_str name) {
    return sw_hash_bytes(name.ptr, name.len, ecosystem);
}

static enum sw_code damaged(struct sw_error *err, const char *what) {
    sw_fail(err, SW_CORRUPT, "the advisory database is damaged: %s", what);
    return sw_advise(err, "; run `slipway db update`");
}

static enum sw_code check_header(struct sw_advdb *db, struct sw_error *err) {
    const uint8_t *h = db->base;
    if (db->size < SW_ADVDB_PAGE) return damaged(err, "it is too short");
    if (memcmp(h, SW_ADVDB_MAGIC, 8) != 0) return damaged(err, "it does not begin as one");
    if (sw_advdb_u32(h + 8) != SW_ADVDB_VERSION) {
        sw_fail(err, SW_UNSUPPORTED, "the advisory database has format %u, this program reads %d",
                sw_advdb_u32(h + 8), SW_ADVDB_VERSION);
        return sw_advise(err, "; run `slipway db update`");
    }
    if (sw_advdb_checksum(h, SW_ADVDB_HEADER_CHECK) != sw_advdb_u64(h + SW_ADVDB_HEADER_CHECK))
        return damaged(err, "its header");
    if (sw_advdb_u64(h + 16) != db->size) return damaged(err, "it has not its full size");
    return SW_OK;
}

enum sw_code sw_advdb_open(struct sw_advdb *db, struct sw_str bytes, struct sw_error *err) {
    struct sw_advdb d = {.base = (const uint8_t *)bytes.ptr, .size = bytes.len};
    if (d.size > SW_ADVDB_SIZE_MAX)
        return sw_fail(err, SW_LIMIT, "an advisory database of more than 4 GiB");
    enum sw_code code = check_header(&d, err);
    if (code) return code;
    uint64_t end = SW_ADVDB_PAGE;
    for (int i = 0; i < SW_ADVDB_N_SECTIONS; i++) {
        const uint8_t *p = d.base + SW_ADVDB_HEADER_SECTIONS + 16 * i;
        d.sections[i].offset = sw_advdb_u64(p);
        d.sections[i].count = sw_advdb_u64(p + 8);
        if (d.sections[i].offset < end || d.sections[i].offset > d.size ||
            d.sections[i].count > (d.size - d.sections[i].offset) / sw_advdb_record_size[i])
            return damaged(err, "its sections");
        end = d.sections[i].offset + d.sections[i].count * sw_advdb_record_size[i];
    }
    uint64_t sums = d.sections[SW_ADVDB_SUMS].offset;
    uint64_t n_pages = (sums - SW_ADVDB_PAGE + SW_ADVDB_PAGE - 1) / SW_ADVDB_PAGE;
    uint64_t slots = d.sections[SW_ADVDB_SLOTS].count;
    if (d.sections[SW_ADVDB_SUMS].count != n_pages || (slots & (slots - 1)) || slots == 0)
        return damaged(err, "its sections");
    if (sw_advdb_checksum(d.base + sums, n_pages * 8) !=
        sw_advdb_u64(d.base + SW_ADVDB_HEADER_SUMS))
        return damaged(err, "its table of sums");
    d.built = (int64_t)sw_advdb_u64(d.base + 24);
    memcpy(d.digest, d.base + SW_ADVDB_HEADER_DIGEST, sizeof d.digest);
    d.checked = sw_calloc(n_pages + 1, 1);
    *db = d;
    return SW_OK;
}

void sw_advdb_done(struct sw_advdb *db) {
    free(db->checked);
    memset(db, 0, sizeof *db);
}

static enum sw_code check_page(const struct sw_advdb *db, uint64_t page, struct sw_error *err) {
    uint64_t at = SW_ADVDB_PAGE + page * SW_ADVDB_PAGE, end = db->sections[SW_ADVDB_SUMS].offset;
    size_t len = end - at < SW_ADVDB_PAGE ? (size_t)(end - at) : SW_ADVDB_PAGE;
    if (sw_advdb_checksum(db->base + at, len) != sw_advdb_u64(db->base + end + page * 8))
        return damaged(err, "a page");
    /* Threads may do this twice; the byte only ever becomes 1. */
    __atomic_store_n(&db->checked[page], 1, __ATOMIC_RELAXED);
    return SW_OK;
}

/* Bytes of the file, their pages checked. */
static inline enum sw_code touch(const struct sw_advdb *db, uint64_t offset, uint64_t len,
                                 struct sw_error *err) {
    if (len == 0) return SW_OK;
    uint64_t first = (offset - SW_ADVDB_PAGE) / SW_ADVDB_PAGE;
    uint64_t last = (offset + len - 1 - SW_ADVDB_PAGE) / SW_ADVDB_PAGE;
    for (uint64_t page = first; page <= last; page++) {
        if (__atomic_load_n(&db->checked[page], __ATOMIC_RELAXED)) continue;
        enum sw_code code = check_page(db, page, err);
        if (code) return code;
    }
    return SW_OK;
}

static inline enum sw_code record(const struct sw_advdb *db, enum sw_advdb_section section,
                                  uint64_t i, const uint8_t **ret, struct sw_error *err) {
    *ret = db->base;
    if (i >= db->sections[section].count) return damaged(err, "a record refers to none");
    uint64_t size = sw_advdb_record_size[section], at = db->sections[section].offset + i * size;
    *ret = db->base + at;
    return touch(db, at, size, err);
}

static enum sw_code string_at(const struct sw_advdb *db, const uint8_t *ref, struct sw_str *ret,
                              struct sw_error *err) {
    uint64_t offset = sw_advdb_u32(ref), len = sw_advdb_u32(ref + 4);
    uint64_t size = db->sections[SW_ADVDB_STRINGS].count;
    if (offset > size || len > size - offset) return damaged(err, "a string ends after the others");
    uint64_t at = db->sections[SW_ADVDB_STRINGS].offset + offset;
    *ret = sw_str_n((const char *)db->base + at, (size_t)len);
    return touch(db, at, len, err);
}

static struct sw_advdb_run run_at(const uint8_t *p) {
    return (struct sw_advdb_run){sw_advdb_u32(p), sw_advdb_u32(p + 4)};
}

enum sw_code sw_advdb_verify(const struct sw_advdb *db, struct sw_error *err) {
    for (uint64_t i = 0; i < db->sections[SW_ADVDB_SUMS].count; i++) {
        enum sw_code code = check_page(db, i, err);
        if (code) return code;
    }
    struct sw_digest d = sw_digest_of(
        SW_SHA256, sw_str_n((const char *)db->base + SW_ADVDB_PAGE, db->size - SW_ADVDB_PAGE));
    return memcmp(d.bytes, db->digest, sizeof db->digest) ? damaged(err, "its digest") : SW_OK;
}

enum sw_code sw_advdb_ecosystem_at(const struct sw_advdb *db, uint32_t i, struct sw_str *ret,
                                   struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_ECOSYSTEMS, i, &p, err);
    return code ? code : string_at(db, p, ret, err);
}

enum sw_code sw_advdb_ecosystem(const struct sw_advdb *db, struct sw_str name, bool *ret_found,
                                uint32_t *ret, struct sw_error *err) {
    *ret_found = false;
    for (uint32_t i = 0; i < sw_advdb_count(db, SW_ADVDB_ECOSYSTEMS); i++) {
        struct sw_str known = {0};
        enum sw_code code = sw_advdb_ecosystem_at(db, i, &known, err);
        if (code) return code;
        if (!sw_str_eq(known, name)) continue;
        *ret = i;
        *ret_found = true;
        break;
    }
    return SW_OK;
}

enum sw_code sw_advdb_package_at(const struct sw_advdb *db, uint32_t i,
                                 struct sw_advdb_package *ret, struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_PACKAGES, i, &p, err);
    if (!code) code = string_at(db, p, &ret->name, err);
    if (code) return code;
    ret->rows = run_at(p + 8);
    ret->ecosystem = sw_advdb_u32(p + 16);
    ret->content = sw_advdb_u64(p + 24);
    return SW_OK;
}

enum sw_code sw_advdb_find(const struct sw_advdb *db, uint32_t ecosystem, struct sw_str name,
                           struct sw_advdb_package *ret, struct sw_error *err) {
    uint64_t n = sw_advdb_count(db, SW_ADVDB_SLOTS);
    uint64_t at = sw_advdb_package_hash(ecosystem, name);
    *ret = (struct sw_advdb_package){.ecosystem = ecosystem, .name = name};
    for (uint64_t tries = 0; tries < n; tries++, at++) {
        const uint8_t *p = NULL;
        enum sw_code code = record(db, SW_ADVDB_SLOTS, at & (n - 1), &p, err);
        if (code) return code;
        uint32_t index = sw_advdb_u32(p);
        if (index == 0) return SW_OK;
        struct sw_advdb_package package;
        code = sw_advdb_package_at(db, index - 1, &package, err);
        if (code) return code;
        if (package.ecosystem != ecosystem || !sw_str_eq(package.name, name)) continue;
        *ret = package;
        return SW_OK;
    }
    return damaged(err, "its hash table is full");
}

enum sw_code sw_advdb_row_at(const struct sw_advdb *db, uint32_t i, struct sw_advdb_row *ret,
                             struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_ROWS, i, &p, err);
    if (code) return code;
    *ret = (struct sw_advdb_row){sw_advdb_u32(p), sw_advdb_u32(p + 4), run_at(p + 8),
                                 run_at(p + 16), run_at(p + 24)};
    return SW_OK;
}

enum sw_code sw_advdb_event_at(const struct sw_advdb *db, uint32_t i, struct sw_advdb_event *ret,
                               struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_EVENTS, i, &p, err);
    if (code) return code;
    ret->kind = (enum sw_osv_event_kind)sw_advdb_u32(p);
    return string_at(db, p + 4, &ret->version, err);
}

enum sw_code sw_advdb_import_at(const struct sw_advdb *db, uint32_t i, struct sw_advdb_import *ret,
                                struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_IMPORTS, i, &p, err);
    if (code) return code;
    ret->symbols = run_at(p + 8);
    ret->goos = run_at(p + 16);
    ret->goarch = run_at(p + 24);
    return string_at(db, p, &ret->path, err);
}

enum sw_code sw_advdb_vuln_at(const struct sw_advdb *db, uint32_t i, struct sw_advdb_vuln *ret,
                              struct sw_error *err) {
    const uint8_t *p = NULL;
    struct sw_advdb_vuln v = {0};
    enum sw_code code = record(db, SW_ADVDB_VULNS, i, &p, err);
    if (!code) code = string_at(db, p, &v.id, err);
    if (!code) code = string_at(db, p + 8, &v.summary, err);
    if (!code) code = string_at(db, p + 16, &v.url, err);
    if (code) return code;
    v.aliases = run_at(p + 24);
    v.severities = run_at(p + 32);
    v.published = (int64_t)sw_advdb_u64(p + 40);
    v.modified = (int64_t)sw_advdb_u64(p + 48);
    v.kev_added = sw_advdb_u32(p + 56);
    v.kev_due = sw_advdb_u32(p + 60);
    v.epss = sw_advdb_u32(p + 64);
    v.percentile = sw_advdb_u32(p + 68);
    v.flags = sw_advdb_u32(p + 72);
    *ret = v;
    return string_at(db, p + 76, &ret->source, err);
}

enum sw_code sw_advdb_severity_at(const struct sw_advdb *db, uint32_t i,
                                  struct sw_advdb_severity *ret, struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_SEVERITIES, i, &p, err);
    if (!code) code = string_at(db, p, &ret->source, err);
    if (!code) code = string_at(db, p + 8, &ret->vector, err);
    if (code) return code;
    ret->version = p[16];
    ret->score = p[17];
    ret->severity = p[18] < SW_SEVERITY_COUNT ? (enum sw_severity)p[18] : SW_SEVERITY_UNKNOWN;
    return SW_OK;
}

enum sw_code sw_advdb_ref_at(const struct sw_advdb *db, uint32_t i, struct sw_str *ret,
                             struct sw_error *err) {
    const uint8_t *p = NULL;
    enum sw_code code = record(db, SW_ADVDB_REFS, i, &p, err);
    return code ? code : string_at(db, p, ret, err);
}

enum sw_code sw_advdb_manifest(const struct sw_advdb *db, struct sw_str *ret,
                               struct sw_error *err) {
    uint64_t at = db->sections[SW_ADVDB_MANIFEST].offset;
    uint64_t len = db->sections[SW_ADVDB_MANIFEST].count;
    *ret = sw_str_n((const char *)db->base + at, (size_t)len);
    return touch(db, at, len, err);
}
