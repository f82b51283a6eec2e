/* Pax records: "LEN KEY=VALUE\n", where LEN counts the whole record. POSIX.1-2017, pax, "pax
 * Extended Header"; GNU tar manual, "Storing Sparse Files"; star's and libarchive's attributes. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/tar_internal.h"

static enum sw_code bad_value(struct sw_str key, struct sw_str value, struct sw_error *err) {
    key = sw_str_sub(key, 0, 100);
    value = sw_str_sub(value, 0, 100);
    return sw_fail(err, SW_SYNTAX, "extended header: %.*s=%.*s is malformed", SW_ARG(key),
                   SW_ARG(value));
}

/* A record off the front of *rest. */
static bool take_record(struct sw_str *rest, struct sw_str *ret_key, struct sw_str *ret_value) {
    struct sw_str length, after;
    uint64_t len;
    if (!sw_str_cut(sw_str_sub(*rest, 0, 21), ' ', &length, &after)) return false;
    if (!sw_str_u64(length, &len) || len > rest->len || len < length.len + 4) return false;
    struct sw_str record = sw_str_sub(*rest, length.len + 1, (size_t)len - length.len - 1);
    if (record.ptr[record.len - 1] != '\n') return false;
    record.len--;
    if (!sw_str_cut(record, '=', ret_key, ret_value) || ret_key->len == 0) return false;
    *rest = sw_str_from(*rest, (size_t)len);
    return true;
}

/* Seconds with any number of decimals; nanoseconds are rounded towards the past. */
static bool parse_time(struct sw_str text, int64_t *ret_sec, uint32_t *ret_nsec) {
    struct sw_str whole, decimals;
    bool negative = text.len && text.ptr[0] == '-';
    uint64_t sec;
    uint32_t nsec = 0, scale = 100000000;
    bool point = sw_str_cut(sw_str_from(text, negative ? 1 : 0), '.', &whole, &decimals);
    if (whole.len == 0 && (!point || decimals.len == 0)) return false;
    if (whole.len == 0) whole = SW_STR("0");
    if (!sw_str_u64(whole, &sec) || sec > (uint64_t)INT64_MAX + negative) return false;
    bool more = false;
    for (size_t i = 0; i < decimals.len; i++, scale /= 10) {
        unsigned digit = (unsigned)(decimals.ptr[i] - '0');
        if (digit > 9) return false;
        nsec += digit * scale;
        if (scale == 0 && digit) more = true;
    }
    if (negative) {
        nsec += more;
        if (nsec && sec > INT64_MAX) return false;
        sec = 0 - sec - (nsec ? 1 : 0);
        nsec = nsec ? 1000000000u - nsec : 0;
    }
    *ret_sec = (int64_t)sec;
    *ret_nsec = nsec;
    return true;
}

static struct sw_tar_xattr *xattr_slot(struct tar_xattr_list *list, struct sw_str name) {
    for (size_t i = 0; i < list->len; i++)
        if (sw_str_eq(list->ptr[i].name, name)) return &list->ptr[i];
    if (list->len == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->ptr = sw_reallocarray(list->ptr, list->cap, sizeof *list->ptr);
    }
    struct sw_tar_xattr *slot = &list->ptr[list->len++];
    *slot = (struct sw_tar_xattr){.name = name};
    return slot;
}

static enum sw_code put_xattr(struct tar_xattr_list *list, struct sw_str name, struct sw_str value,
                              struct sw_error *err) {
    if (name.len == 0 || memchr(name.ptr, 0, name.len))
        return sw_fail(err, SW_SYNTAX, "extended header: an attribute without a proper name");
    xattr_slot(list, name)->value = value;
    if (list->len > SW_TAR_XATTRS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d extended attributes", SW_TAR_XATTRS_MAX);
    return SW_OK;
}

static int letter_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* libarchive's form: the name with %XX, the value in base64, mostly without padding. It comes
 * beside SCHILY's, which wins because it is exact. */
static enum sw_code put_encoded_xattr(struct sw_tar_reader_state *r, struct tar_xattr_list *list,
                                      struct sw_str name, struct sw_str value,
                                      struct sw_error *err) {
    char *plain_name = sw_arena_alloc(&r->decoded, name.len + 1);
    char *bytes = sw_arena_alloc(&r->decoded, value.len + 1);
    size_t name_len = 0, len = 0;
    for (size_t i = 0; i < name.len; i++) {
        int high = i + 2 < name.len ? hex_value(name.ptr[i + 1]) : -1;
        int low = i + 2 < name.len ? hex_value(name.ptr[i + 2]) : -1;
        bool escaped = name.ptr[i] == '%' && high >= 0 && low >= 0;
        plain_name[name_len++] = escaped ? (char)(high << 4 | low) : name.ptr[i];
        if (escaped) i += 2;
    }
    struct sw_str plain = sw_str_n(plain_name, name_len);
    for (size_t i = 0; i < list->len; i++)
        if (sw_str_eq(list->ptr[i].name, plain)) return SW_OK;
    uint32_t word = 0;
    unsigned bits = 0;
    while (value.len && value.ptr[value.len - 1] == '=') value.len--;
    for (size_t i = 0; i < value.len; i++) {
        int v = letter_value(value.ptr[i]);
        if (v < 0) return bad_value(plain, value, err);
        word = word << 6 | (uint32_t)v;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes[len++] = (char)(word >> bits);
    }
    enum sw_code code = sw_arena_check(&r->decoded, "the attributes of an archive entry", err);
    return code ? code : put_xattr(list, plain, sw_str_n(bytes, len), err);
}

/* One number of a sparse map 0.0; a region is complete with its length. */
static enum sw_code put_sparse_00(struct sw_tar_reader_state *r, struct tar_pax *pax, bool offset,
                                  uint64_t number, struct sw_error *err) {
    if (offset == pax->sparse_pending)
        return sw_fail(err, SW_SYNTAX, "extended header: the sparse map is out of order");
    pax->sparse_00 = true;
    pax->sparse_pending = offset;
    if (!offset) return tar_sparse_add(r, pax->sparse_offset, number, err);
    pax->sparse_offset = number;
    return SW_OK;
}

static enum sw_code put_sparse(struct sw_tar_reader_state *r, struct tar_pax *pax,
                               struct sw_str key, struct sw_str value, struct sw_error *err) {
    struct sw_str name = sw_str_from(key, strlen("GNU.sparse."));
    uint64_t number = 0;
    bool ok = sw_str_u64(value, &number) && number <= INT64_MAX;
    if (sw_str_is(name, "name")) {
        pax->sparse_name = value;
        return memchr(value.ptr, 0, value.len) ? bad_value(key, value, err) : SW_OK;
    }
    if (sw_str_is(name, "map")) {
        pax->sparse_map = value;
        return SW_OK;
    }
    if (!ok) return bad_value(key, value, err);
    if (sw_str_is(name, "size") || sw_str_is(name, "realsize")) {
        pax->has_sparse_size = true;
        pax->sparse_size = number;
    } else if (sw_str_is(name, "major")) {
        if (number > 1)
            return sw_fail(err, SW_UNSUPPORTED, "sparse files of format %llu are not known",
                           (unsigned long long)number);
        pax->sparse_1 = number == 1;
    } else if (sw_str_is(name, "offset") || sw_str_is(name, "numbytes")) {
        return put_sparse_00(r, pax, sw_str_is(name, "offset"), number, err);
    }
    return SW_OK;
}

static enum sw_code put_number(uint64_t *ret, bool *ret_has, struct sw_str key, struct sw_str value,
                               struct sw_error *err) {
    uint64_t number;
    *ret_has = value.len > 0; /* an empty value takes the record back */
    if (!value.len) return SW_OK;
    if (!sw_str_u64(value, &number) || number > INT64_MAX) return bad_value(key, value, err);
    *ret = number;
    return SW_OK;
}

static enum sw_code put_name(struct sw_str *ret, struct sw_str key, struct sw_str value,
                             struct sw_error *err) {
    if (value.len && memchr(value.ptr, 0, value.len)) return bad_value(key, value, err);
    *ret = value;
    return SW_OK;
}

static enum sw_code put_record(struct sw_tar_reader_state *r, struct tar_pax *pax,
                               struct tar_xattr_list *xattrs, struct sw_str key,
                               struct sw_str value, struct sw_error *err) {
    if (sw_str_is(key, "path")) return put_name(&pax->path, key, value, err);
    if (sw_str_is(key, "linkpath")) return put_name(&pax->linkpath, key, value, err);
    if (sw_str_is(key, "uname")) return put_name(&pax->uname, key, value, err);
    if (sw_str_is(key, "gname")) return put_name(&pax->gname, key, value, err);
    if (sw_str_is(key, "size")) return put_number(&pax->size, &pax->has_size, key, value, err);
    if (sw_str_is(key, "uid")) return put_number(&pax->uid, &pax->has_uid, key, value, err);
    if (sw_str_is(key, "gid")) return put_number(&pax->gid, &pax->has_gid, key, value, err);
    if (sw_str_is(key, "mtime")) {
        pax->has_mtime = value.len > 0;
        if (value.len && !parse_time(value, &pax->mtime_sec, &pax->mtime_nsec))
            return bad_value(key, value, err);
        return SW_OK;
    }
    if (sw_str_starts(key, SW_STR(TAR_XATTR_SCHILY)))
        return put_xattr(xattrs, sw_str_from(key, strlen(TAR_XATTR_SCHILY)), value, err);
    if (sw_str_starts(key, SW_STR("GNU.sparse.")) && pax != &r->global_pax)
        return put_sparse(r, pax, key, value, err);
    return SW_OK; /* access times, comments, other vendors' */
}

enum sw_code tar_pax_parse(struct sw_tar_reader_state *r, struct sw_buf *records,
                           struct tar_pax *pax, struct tar_xattr_list *xattrs,
                           struct sw_error *err) {
    struct sw_str key, value;
    bool encoded = false;
    for (struct sw_str rest = sw_buf_str(records); rest.len;) {
        if (!take_record(&rest, &key, &value))
            return sw_fail(err, SW_SYNTAX, "malformed record in an extended header");
        /* Decoded values live as long as an entry, so they cannot be the whole archive's. */
        if (pax != &r->global_pax) encoded |= sw_str_starts(key, SW_STR(TAR_XATTR_LIBARCHIVE));
        enum sw_code code = put_record(r, pax, xattrs, key, value, err);
        if (code) return code;
    }
    if (pax->sparse_pending)
        return sw_fail(err, SW_SYNTAX, "extended header: the sparse map is cut short");
    for (struct sw_str rest = sw_buf_str(records); encoded && rest.len;) {
        if (!take_record(&rest, &key, &value)) break;
        if (!sw_str_starts(key, SW_STR(TAR_XATTR_LIBARCHIVE))) continue;
        enum sw_code code = put_encoded_xattr(
            r, xattrs, sw_str_from(key, strlen(TAR_XATTR_LIBARCHIVE)), value, err);
        if (code) return code;
    }
    return SW_OK;
}
