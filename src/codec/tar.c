/* The writer of layer archives. Grammar and reasons: docs/format/layer-tar.md. Any change of a byte
 * that comes out of here raises SW_TAR_FORMAT_VERSION. */
#include "codec/tar.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/tar_internal.h"

#define OCTAL_MAX(digits) ((UINT64_C(1) << (3 * (digits))) - 1)

/* What a plain ustar header cannot say about an entry. */
struct extras {
    bool path, linkpath, size, uid, gid, mtime;
    struct sw_str prefix, name; /* how the path goes into the header, where it does */
};

static bool is_ascii(struct sw_str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80) return false;
    return true;
}

/* Splits a path of more than 100 bytes at the last '/' that leaves a prefix of at most 155. */
static bool split_path(struct sw_str path, struct sw_str *ret_prefix, struct sw_str *ret_name) {
    *ret_prefix = SW_STR("");
    *ret_name = path;
    if (path.len <= TAR_NAME_LEN) return true;
    struct sw_str head = sw_str_sub(path, 0, TAR_PREFIX_LEN + 1);
    if (head.len == path.len && head.ptr[head.len - 1] == '/') head.len--;
    size_t at = sw_str_rfind_char(head, '/');
    if (at == SIZE_MAX || at == 0) return false;
    *ret_prefix = sw_str_sub(path, 0, at);
    *ret_name = sw_str_from(path, at + 1);
    return ret_name->len > 0 && ret_name->len <= TAR_NAME_LEN;
}

static void put_bytes(unsigned char *field, size_t size, struct sw_str s) {
    assert(s.len <= size);
    if (s.len) memcpy(field, s.ptr, s.len);
}

/* size - 1 octal digits and a NUL. */
static void put_octal(unsigned char *field, size_t size, uint64_t value) {
    for (size_t i = size - 1; i-- > 0; value >>= 3) field[i] = (unsigned char)('0' + (value & 7));
}

/* A name for the readers that do not know pax: what fits, with '_' for what is not ASCII. */
static void put_fallback_name(unsigned char *field, size_t size, struct sw_str s, bool directory) {
    size_t len = s.len < size ? s.len : size;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        field[i] = c < 0x80 ? c : '_';
    }
    /* A cut at a '/' must not turn a file into a directory. */
    if (len && !directory && field[len - 1] == '/') field[len - 1] = '_';
}

static void put_checksum(struct tar_header *h) {
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;
    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < SW_TAR_BLOCK; i++) sum += bytes[i];
    put_octal(h->checksum, 7, sum);
    h->checksum[6] = 0;
}

static void put_magic(struct tar_header *h) {
    memcpy(h->magic,
           "ustar\0"
           "00",
           8);
}

static struct tar_header *add_block(struct sw_buf *out) {
    char *block = sw_buf_reserve(out, SW_TAR_BLOCK);
    if (!block) return NULL;
    memset(block, 0, SW_TAR_BLOCK + 1);
    out->len += SW_TAR_BLOCK;
    return (struct tar_header *)(void *)block;
}

/* "LEN KEY=VALUE\n", where LEN counts its own digits, too. */
static void add_record(struct sw_buf *out, const char *prefix, struct sw_str key,
                       struct sw_str value) {
    size_t rest = strlen(prefix) + key.len + value.len + 3;
    size_t digits = 1, total;
    for (;; digits++) {
        char text[24];
        total = rest + digits;
        if ((size_t)snprintf(text, sizeof text, "%zu", total) == digits) break;
    }
    sw_buf_addf(out, "%zu %s", total, prefix);
    sw_buf_add(out, key);
    sw_buf_add_char(out, '=');
    sw_buf_add(out, value);
    sw_buf_add_char(out, '\n');
}

static void add_number_record(struct sw_buf *out, struct sw_str key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    add_record(out, "", key, sw_str(text));
}

/* Seconds with the fraction that is needed and no more; "-0.5" is half a second before 1970. */
static void add_time_record(struct sw_buf *out, int64_t sec, uint32_t nsec) {
    char text[48];
    bool negative = sec < 0;
    uint64_t whole = negative ? 0 - (uint64_t)sec : (uint64_t)sec;
    if (negative && nsec) {
        whole--;
        nsec = 1000000000u - nsec;
    }
    int len = snprintf(text, sizeof text, "%s%" PRIu64, negative ? "-" : "", whole);
    if (nsec) {
        len += snprintf(text + len, sizeof text - (size_t)len, ".%09u", nsec);
        while (text[len - 1] == '0') len--;
    }
    add_record(out, "", SW_STR("mtime"), sw_str_n(text, (size_t)len));
}

static int xattr_order(const void *x, const void *y) {
    const struct sw_tar_xattr *a = x, *b = y;
    return sw_str_cmp(a->name, b->name);
}

static void add_xattr_records(struct sw_buf *out, const struct sw_tar_entry *e) {
    if (e->n_xattrs == 0) return;
    SW_FREE struct sw_tar_xattr *sorted = sw_calloc(e->n_xattrs, sizeof *sorted);
    memcpy(sorted, e->xattrs, e->n_xattrs * sizeof *sorted);
    qsort(sorted, e->n_xattrs, sizeof *sorted, xattr_order);
    for (size_t i = 0; i < e->n_xattrs; i++)
        add_record(out, TAR_XATTR_SCHILY, sorted[i].name, sorted[i].value);
}

static void add_records(struct sw_buf *out, const struct sw_tar_entry *e, struct sw_str path,
                        const struct extras *x) {
    /* Values are UTF-8 by definition of the format; this record says that they are not. */
    if ((x->path && !sw_str_is_utf8(path)) || (x->linkpath && !sw_str_is_utf8(e->linkname)))
        add_record(out, "", SW_STR("hdrcharset"), SW_STR("BINARY"));
    if (x->path) add_record(out, "", SW_STR("path"), path);
    if (x->linkpath) add_record(out, "", SW_STR("linkpath"), e->linkname);
    if (x->size) add_number_record(out, SW_STR("size"), e->size);
    if (x->uid) add_number_record(out, SW_STR("uid"), e->uid);
    if (x->gid) add_number_record(out, SW_STR("gid"), e->gid);
    if (x->mtime) add_time_record(out, e->mtime_sec, e->mtime_nsec);
    add_xattr_records(out, e);
}

static enum sw_code check_xattrs(const struct sw_tar_entry *e, struct sw_error *err) {
    struct sw_str shown = sw_str_sub(e->path, 0, 200);
    if (e->n_xattrs > SW_TAR_XATTRS_MAX)
        return sw_fail(err, SW_LIMIT, "%.*s: %zu extended attributes, at most %d are archived",
                       SW_ARG(shown), e->n_xattrs, SW_TAR_XATTRS_MAX);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        struct sw_str name = e->xattrs[i].name;
        if (name.len == 0 || memchr(name.ptr, 0, name.len) || memchr(name.ptr, '=', name.len))
            return sw_fail(err, SW_SYNTAX,
                           "%.*s: a tar archive cannot name the extended attribute \"%.*s\"",
                           SW_ARG(shown), SW_ARG(name));
    }
    return SW_OK;
}

static enum sw_code check_entry(const struct sw_tar_entry *e, struct sw_error *err) {
    struct sw_str shown = sw_str_sub(e->path, 0, 200);
    bool link = e->type == SW_TAR_HARDLINK || e->type == SW_TAR_SYMLINK;
    if (e->path.len == 0) return sw_fail(err, SW_SYNTAX, "an archive entry needs a path");
    if (memchr(e->path.ptr, 0, e->path.len) ||
        (e->linkname.len && memchr(e->linkname.ptr, 0, e->linkname.len)))
        return sw_fail(err, SW_SYNTAX, "%.*s: a name in an archive has no NUL", SW_ARG(shown));
    if (e->type != SW_TAR_DIR && e->path.ptr[e->path.len - 1] == '/')
        return sw_fail(err, SW_SYNTAX, "%.*s: only a directory's path ends with /", SW_ARG(shown));
    if (link != (e->linkname.len > 0))
        return sw_fail(err, SW_SYNTAX, "%.*s: %s", SW_ARG(shown),
                       link ? "a link needs a target" : "only links have a target");
    if (e->size && e->type != SW_TAR_FILE)
        return sw_fail(err, SW_SYNTAX, "%.*s: only regular files have content", SW_ARG(shown));
    if (e->mtime_nsec > 999999999)
        return sw_fail(err, SW_SYNTAX, "%.*s: %u nanoseconds", SW_ARG(shown), e->mtime_nsec);
    if (e->devmajor > OCTAL_MAX(7) || e->devminor > OCTAL_MAX(7))
        return sw_fail(err, SW_UNSUPPORTED, "%.*s: device %u:%u does not fit in a tar header",
                       SW_ARG(shown), e->devmajor, e->devminor);
    return check_xattrs(e, err);
}

static void put_header(struct tar_header *h, const struct sw_tar_entry *e, struct sw_str path,
                       const struct extras *x) {
    if (x->path) {
        put_fallback_name(h->name, sizeof h->name, path, e->type == SW_TAR_DIR);
    } else {
        put_bytes(h->name, sizeof h->name, x->name);
        put_bytes(h->prefix, sizeof h->prefix, x->prefix);
    }
    if (x->linkpath)
        put_fallback_name(h->linkname, sizeof h->linkname, e->linkname, false);
    else
        put_bytes(h->linkname, sizeof h->linkname, e->linkname);
    put_octal(h->mode, sizeof h->mode, e->mode & 07777);
    put_octal(h->uid, sizeof h->uid, x->uid ? 0 : e->uid);
    put_octal(h->gid, sizeof h->gid, x->gid ? 0 : e->gid);
    put_octal(h->size, sizeof h->size, x->size ? 0 : e->size);
    bool whole = e->mtime_sec >= 0 && (uint64_t)e->mtime_sec <= OCTAL_MAX(11);
    put_octal(h->mtime, sizeof h->mtime, whole ? (uint64_t)e->mtime_sec : 0);
    h->type = (unsigned char)e->type;
    put_magic(h);
    if (e->type == SW_TAR_CHAR || e->type == SW_TAR_BLOCKDEV) {
        put_octal(h->devmajor, sizeof h->devmajor, e->devmajor);
        put_octal(h->devminor, sizeof h->devminor, e->devminor);
    }
    put_checksum(h);
}

/* The extended header: an entry of type x whose content is the records. */
static enum sw_code add_pax_entry(struct sw_buf *out, const struct sw_tar_entry *e,
                                  struct sw_str path, const struct extras *x,
                                  struct sw_error *err) {
    SW_BUF struct sw_buf records;
    sw_buf_init(&records, SW_TAR_PAX_MAX);
    add_records(&records, e, path, x);
    enum sw_code code = sw_buf_check(&records, "the extended header of an archive entry", err);
    if (code) return code;
    struct tar_header *h = add_block(out);
    if (!h) return SW_OK; /* the caller's sw_buf_check reports it */
    put_bytes(h->name, sizeof h->name, SW_STR("././@PaxHeader"));
    put_octal(h->mode, sizeof h->mode, 0644);
    put_octal(h->uid, sizeof h->uid, 0);
    put_octal(h->gid, sizeof h->gid, 0);
    put_octal(h->size, sizeof h->size, records.len);
    put_octal(h->mtime, sizeof h->mtime, 0);
    h->type = 'x';
    put_magic(h);
    put_checksum(h);
    sw_buf_add_bytes(out, records.ptr, records.len);
    sw_tar_write_pad(out, records.len);
    return SW_OK;
}

enum sw_code sw_tar_write_header(struct sw_buf *out, const struct sw_tar_entry *e,
                                 struct sw_error *err) {
    SW_BUF struct sw_buf with_slash;
    sw_buf_init(&with_slash, SW_TAR_PAX_MAX);
    enum sw_code code = check_entry(e, err);
    if (code) return code;
    struct sw_str path = e->path;
    if (e->type == SW_TAR_DIR && path.ptr[path.len - 1] != '/') {
        sw_buf_add(&with_slash, path);
        sw_buf_add_char(&with_slash, '/');
        code = sw_buf_check(&with_slash, "the path of an archive entry", err);
        if (code) return code;
        path = sw_buf_str(&with_slash);
    }
    struct extras x = {0};
    x.path = !is_ascii(path) || !split_path(path, &x.prefix, &x.name);
    x.linkpath = e->linkname.len > TAR_NAME_LEN || !is_ascii(e->linkname);
    x.size = e->size > OCTAL_MAX(11);
    x.uid = e->uid > OCTAL_MAX(7);
    x.gid = e->gid > OCTAL_MAX(7);
    x.mtime = e->mtime_nsec || e->mtime_sec < 0 || (uint64_t)e->mtime_sec > OCTAL_MAX(11);
    if (x.path || x.linkpath || x.size || x.uid || x.gid || x.mtime || e->n_xattrs) {
        code = add_pax_entry(out, e, path, &x, err);
        if (code) return code;
    }
    struct tar_header *h = add_block(out);
    if (h) put_header(h, e, path, &x);
    return sw_buf_check(out, "the archive's buffer", err);
}

static void add_zeros(struct sw_buf *out, size_t n) {
    char *to = n ? sw_buf_reserve(out, n) : NULL;
    if (!to) return;
    memset(to, 0, n + 1);
    out->len += n;
}

void sw_tar_write_pad(struct sw_buf *out, uint64_t size) { add_zeros(out, sw_tar_pad(size)); }

void sw_tar_write_end(struct sw_buf *out) { add_zeros(out, 2 * SW_TAR_BLOCK); }

/* Whether the path is as it should come out: no empty, "." or ".." component, no '/' at the ends.
 */
static bool is_clean(struct sw_str path) {
    struct sw_str rest = path, part;
    while (path.len && sw_str_next(&rest, '/', &part))
        if (part.len == 0 || sw_str_is(part, ".") || sw_str_is(part, "..")) return false;
    return true;
}

enum sw_code sw_tar_clean_path(struct sw_str raw, struct sw_buf *scratch, struct sw_str *ret,
                               struct sw_error *err) {
    struct sw_str shown = sw_str_sub(raw, 0, 200);
    if (raw.len && memchr(raw.ptr, 0, raw.len))
        return sw_fail(err, SW_SYNTAX, "path \"%.*s\" in the archive has a NUL", SW_ARG(shown));
    struct sw_str path = raw;
    while (path.len && path.ptr[0] == '/') path = sw_str_from(path, 1);
    while (path.len && path.ptr[path.len - 1] == '/') path.len--;
    while (path.len > 2 && path.ptr[0] == '.' && path.ptr[1] == '/') path = sw_str_from(path, 2);
    if (!is_clean(path)) {
        struct sw_str rest = path, part;
        sw_buf_reset(scratch);
        while (sw_str_next(&rest, '/', &part)) {
            if (part.len == 0 || sw_str_is(part, ".")) continue;
            if (sw_str_is(part, ".."))
                return sw_fail(err, SW_SYNTAX, "path \"%.*s\" in the archive leads out of it",
                               SW_ARG(shown));
            if (scratch->len) sw_buf_add_char(scratch, '/');
            sw_buf_add(scratch, part);
        }
        enum sw_code code = sw_buf_check(scratch, "a path in the archive", err);
        if (code) return code;
        path = sw_buf_str(scratch);
    }
    if (path.len > SW_TAR_PATH_MAX)
        return sw_fail(err, SW_SYNTAX,
                       "path \"%.*s...\" in the archive has %zu bytes; %d are allowed",
                       SW_ARG(shown), path.len, SW_TAR_PATH_MAX);
    *ret = path;
    return SW_OK;
}
