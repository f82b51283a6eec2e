/* The reader of archives: blocks and entries. Extended headers are in tar_pax.c, sparse files in
 * tar_sparse.c.
 *
 *     START --x, L, K, g--> EXTENDED (collects) --header--> ENTRY --_read--> CONTENT
 *       ^                                                                        |
 *       +------------------- _next skips the rest of it <------------------------+
 *
 * Invariants:
 *  1. Everything that an entry's views point to is in the state, never in a chunk.
 *  2. stored_left + pad bytes of the archive come before the next header, always.
 *  3. r->offset counts what was taken from the source, so errors can say where.
 */
#include "codec/tar_reader.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/tar_internal.h"

#define ZEROS_SIZE 16384 /* of one piece of a hole */

static const char zeros[ZEROS_SIZE];

void sw_tar_reader_init(struct sw_tar_reader *reader, struct sw_tar_source source,
                        const struct sw_tar_limits *limits) {
    struct sw_tar_reader_state *r = sw_calloc(1, sizeof *r);
    r->source = source;
    if (limits) r->limits = *limits;
    if (!r->limits.entries) r->limits.entries = SW_TAR_ENTRIES_DEFAULT;
    if (!r->limits.pax_bytes) r->limits.pax_bytes = SW_TAR_PAX_MAX;
    if (!r->limits.sparse_map) r->limits.sparse_map = SW_TAR_REGIONS_DEFAULT;
    sw_buf_init(&r->local, r->limits.pax_bytes);
    sw_buf_init(&r->global, SW_TAR_GLOBAL_MAX);
    sw_buf_init(&r->long_name, r->limits.pax_bytes);
    sw_buf_init(&r->long_link, r->limits.pax_bytes);
    sw_arena_init(&r->decoded, 2 * r->limits.pax_bytes);
    reader->state = r;
}

void sw_tar_reader_done(struct sw_tar_reader *reader) {
    struct sw_tar_reader_state *r = reader->state;
    if (!r) return;
    sw_buf_done(&r->local);
    sw_buf_done(&r->global);
    sw_buf_done(&r->long_name);
    sw_buf_done(&r->long_link);
    sw_arena_done(&r->decoded);
    free(r->xattrs.ptr);
    free(r->global_xattrs.ptr);
    free(r->regions);
    free(r);
    reader->state = NULL;
}

/* Makes sure that the chunk has something, unless the source ended. */
static enum sw_code fill(struct sw_tar_reader_state *r, struct sw_error *err) {
    if (r->chunk.len || r->source_ended) return SW_OK;
    struct sw_str chunk = {0};
    enum sw_code code = r->source.next(r->source.ctx, &chunk, err);
    if (code) return code;
    r->chunk = chunk;
    r->source_ended = chunk.len == 0;
    return SW_OK;
}

/* At most max bytes from the chunk; none only at the source's end. */
static enum sw_code take(struct sw_tar_reader_state *r, uint64_t max, struct sw_str *ret,
                         struct sw_error *err) {
    enum sw_code code = fill(r, err);
    if (code) return code;
    size_t len = r->chunk.len < max ? r->chunk.len : (size_t)max;
    *ret = sw_str_sub(r->chunk, 0, len);
    r->chunk = sw_str_from(r->chunk, len);
    r->offset += len;
    return SW_OK;
}

static enum sw_code truncated(const struct sw_tar_reader_state *r, struct sw_error *err) {
    return sw_fail(err, SW_CORRUPT, "the archive ends in the middle of an entry, after %llu bytes",
                   (unsigned long long)r->offset);
}

enum sw_code tar_take_block(struct sw_tar_reader_state *r, const unsigned char **ret,
                            struct sw_error *err) {
    enum sw_code code = fill(r, err);
    if (code) return code;
    if (r->chunk.len >= SW_TAR_BLOCK) {
        *ret = (const unsigned char *)r->chunk.ptr;
        r->chunk = sw_str_from(r->chunk, SW_TAR_BLOCK);
        r->offset += SW_TAR_BLOCK;
        return SW_OK;
    }
    for (size_t have = 0; have < SW_TAR_BLOCK;) {
        struct sw_str piece;
        code = take(r, SW_TAR_BLOCK - have, &piece, err);
        if (code) return code;
        if (piece.len == 0) {
            if (have) return truncated(r, err);
            *ret = NULL;
            return SW_OK;
        }
        memcpy(r->block + have, piece.ptr, piece.len);
        have += piece.len;
    }
    *ret = r->block;
    return SW_OK;
}

/* Skips content and its padding. Writers exist that leave out the padding at the end of the
 * archive; nothing is lost then. */
static enum sw_code skip(struct sw_tar_reader_state *r, struct sw_error *err) {
    uint64_t left = r->stored_left;
    for (int part = 0; part < 2; part++) {
        while (left) {
            struct sw_str piece;
            enum sw_code code = take(r, left, &piece, err);
            if (code) return code;
            if (piece.len == 0) {
                if (part == 0) return truncated(r, err);
                break;
            }
            left -= piece.len;
        }
        left = r->pad;
    }
    r->stored_left = 0;
    r->pad = 0;
    return SW_OK;
}

enum sw_code tar_number(const unsigned char *field, size_t size, int64_t *ret, const char *what,
                        struct sw_error *err) {
    if (field[0] & 0x80) {
        /* Two's complement in the bits after the first. */
        bool negative = field[0] & 0x40;
        uint64_t value = negative ? UINT64_MAX : 0;
        for (size_t i = 0; i < size; i++) {
            unsigned char c = field[i];
            if (i == 0) c = negative ? c | 0x80 : c & 0x7f;
            /* What is shifted out must be nothing but sign. */
            if (value >> 55 != (negative ? 0x1ff : 0))
                return sw_fail(err, SW_SYNTAX, "the %s is out of range", what);
            value = value << 8 | c;
        }
        *ret = (int64_t)value;
        return SW_OK;
    }
    struct sw_str text = sw_str_n((const char *)field, size);
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == 0)) text = sw_str_from(text, 1);
    size_t end = 0;
    while (end < text.len && text.ptr[end] != ' ' && text.ptr[end] != 0) end++;
    uint64_t value = 0;
    if (end && (!sw_str_octal(sw_str_sub(text, 0, end), &value) || value > INT64_MAX))
        return sw_fail(err, SW_SYNTAX, "the %s is not an octal number", what);
    *ret = (int64_t)value;
    return SW_OK;
}

static enum sw_code positive(const unsigned char *field, size_t size, uint64_t *ret,
                             const char *what, struct sw_error *err) {
    int64_t value;
    enum sw_code code = tar_number(field, size, &value, what, err);
    if (code) return code;
    if (value < 0) return sw_fail(err, SW_SYNTAX, "the %s is negative", what);
    *ret = (uint64_t)value;
    return SW_OK;
}

static bool is_zero_block(const unsigned char *block) {
    return block[0] == 0 && memcmp(block, zeros, SW_TAR_BLOCK) == 0;
}

/* The sum over the header, with blanks in place of the sum itself. Some old writers summed signed
 * bytes, where each byte from 0x80 on counts for 256 less. */
static bool checksum_matches(const unsigned char *block, int64_t stored) {
    unsigned sum = 8 * ' ', high = 0;
    for (size_t i = 0; i < SW_TAR_BLOCK; i++) sum += block[i];
    for (size_t i = 148; i < 156; i++) sum -= block[i];
    if (stored == sum) return true;
    for (size_t i = 0; i < SW_TAR_BLOCK; i++) high += (i < 148 || i >= 156) && block[i] >= 0x80;
    return stored == (int64_t)sum - 256 * (int64_t)high;
}

/* The next header into r->header; *ret_end at the end of the archive. What follows the end is
 * read and dropped, so that a source that hashes or decompresses sees all of it. */
static enum sw_code next_header(struct sw_tar_reader_state *r, bool *ret_end,
                                struct sw_error *err) {
    const unsigned char *block;
    enum sw_code code = tar_take_block(r, &block, err);
    if (code) return code;
    if (block && is_zero_block(block)) {
        code = tar_take_block(r, &block, err);
        if (code) return code;
        if (block && !is_zero_block(block))
            return sw_fail(err, SW_SYNTAX, "a single block of zeros among the entries");
        while (block && !r->source_ended) {
            r->offset += r->chunk.len;
            r->chunk.len = 0;
            code = fill(r, err);
            if (code) return code;
        }
        block = NULL;
    }
    *ret_end = block == NULL;
    if (!block) return SW_OK;
    int64_t checksum;
    code = tar_number(block + 148, 8, &checksum, "checksum", err);
    if (code) return sw_fail(err, SW_SYNTAX, "this is not a tar header");
    if (!checksum_matches(block, checksum))
        return sw_fail(err, SW_CORRUPT, "the header's checksum does not match");
    memcpy(r->header, block, SW_TAR_BLOCK);
    return SW_OK;
}

/* A special entry's content into a buffer, which is emptied unless it is to be continued. */
static enum sw_code read_special(struct sw_tar_reader_state *r, struct sw_buf *to,
                                 struct sw_error *err) {
    const struct tar_header *h = (const struct tar_header *)r->header;
    uint64_t size;
    enum sw_code code = positive(h->size, sizeof h->size, &size, "size", err);
    if (code) return code;
    if (size > to->max - to->len)
        return sw_fail(err, SW_LIMIT, "an extended header of %llu bytes; at most %zu are read",
                       (unsigned long long)size, to->max);
    r->stored_left = size;
    r->pad = sw_tar_pad(size);
    while (r->stored_left) {
        struct sw_str piece;
        code = take(r, r->stored_left, &piece, err);
        if (code) return code;
        if (piece.len == 0) return truncated(r, err);
        sw_buf_add(to, piece);
        r->stored_left -= piece.len;
    }
    return skip(r, err);
}

static struct sw_str field_text(const unsigned char *field, size_t size) {
    return sw_str_n((const char *)field, strnlen((const char *)field, size));
}

/* A name of GNU's L and K entries: up to the first NUL. */
static struct sw_str long_text(const struct sw_buf *b) {
    return sw_str_n(b->ptr, strnlen(b->ptr, b->len));
}

static void joined_path(struct sw_tar_reader_state *r, struct sw_str *ret) {
    const struct tar_header *h = (const struct tar_header *)r->header;
    struct sw_str name = field_text(h->name, sizeof h->name);
    *ret = name;
    if (memcmp(h->magic, "ustar\0", 6) != 0) return;
    /* Schilling's star keeps times in the last 24 bytes and says so at the very end. */
    size_t size = memcmp(h->unused + 8, "tar\0", 4) == 0 ? 131 : sizeof h->prefix;
    struct sw_str prefix = field_text(h->prefix, size);
    if (prefix.len == 0) return;
    memcpy(r->joined, prefix.ptr, prefix.len);
    r->joined[prefix.len] = '/';
    memcpy(r->joined + prefix.len + 1, name.ptr, name.len);
    *ret = sw_str_n(r->joined, prefix.len + 1 + name.len);
}

static enum sw_code header_numbers(struct sw_tar_reader_state *r, uint64_t *ret_size,
                                   struct sw_error *err) {
    const struct tar_header *h = (const struct tar_header *)r->header;
    struct sw_tar_entry *e = &r->entry;
    uint64_t mode, major = 0, minor = 0;
    enum sw_code code = positive(h->mode, sizeof h->mode, &mode, "mode", err);
    if (!code) code = positive(h->uid, sizeof h->uid, &e->uid, "user ID", err);
    if (!code) code = positive(h->gid, sizeof h->gid, &e->gid, "group ID", err);
    if (!code) code = positive(h->size, sizeof h->size, ret_size, "size", err);
    if (!code) code = tar_number(h->mtime, sizeof h->mtime, &e->mtime_sec, "time", err);
    bool device = h->type == SW_TAR_CHAR || h->type == SW_TAR_BLOCKDEV;
    if (!code && device) {
        code = positive(h->devmajor, sizeof h->devmajor, &major, "device number", err);
        if (!code) code = positive(h->devminor, sizeof h->devminor, &minor, "device number", err);
        if (!code && (major > UINT32_MAX || minor > UINT32_MAX))
            code = sw_fail(err, SW_SYNTAX, "the device number is out of range");
    }
    if (code) return code;
    e->mode = (uint32_t)(mode & 07777);
    e->devmajor = (uint32_t)major;
    e->devminor = (uint32_t)minor;
    return SW_OK;
}

static void apply_pax(struct sw_tar_entry *e, const struct tar_pax *pax, uint64_t *size) {
    if (pax->path.len) e->path = pax->path;
    if (pax->linkpath.len) e->linkname = pax->linkpath;
    if (pax->uname.len) e->uname = pax->uname;
    if (pax->gname.len) e->gname = pax->gname;
    if (pax->has_uid) e->uid = pax->uid;
    if (pax->has_gid) e->gid = pax->gid;
    if (pax->has_size) *size = pax->size;
    if (pax->has_mtime) {
        e->mtime_sec = pax->mtime_sec;
        e->mtime_nsec = pax->mtime_nsec;
    }
}

static enum sw_code header_type(struct sw_tar_reader_state *r, struct sw_error *err) {
    unsigned char type = ((const struct tar_header *)r->header)->type;
    struct sw_tar_entry *e = &r->entry;
    switch (type) {
    case 0:   /* v7 */
    case '7': /* contiguous: a wish about the disk */
    case 'S': /* GNU sparse */
    case SW_TAR_FILE:
        e->type = SW_TAR_FILE;
        /* v7 has no type for directories. */
        if (type != 'S' && e->path.len && e->path.ptr[e->path.len - 1] == '/') e->type = SW_TAR_DIR;
        return SW_OK;
    case SW_TAR_HARDLINK:
    case SW_TAR_SYMLINK:
    case SW_TAR_CHAR:
    case SW_TAR_BLOCKDEV:
    case SW_TAR_DIR:
    case SW_TAR_FIFO:
        e->type = (enum sw_tar_type)type;
        return SW_OK;
    default:
        return sw_fail(err, SW_UNSUPPORTED, "an entry of type \"%c\" cannot be unpacked",
                       type >= ' ' && type < 127 ? type : '?');
    }
}

/* Names by precedence: GNU's long names, pax, the header (as Go's archive/tar has it, so that
 * nobody who looks at the same archive sees another name). */
static enum sw_code finish_entry(struct sw_tar_reader_state *r, const struct tar_pax *pax,
                                 bool long_name, bool long_link, struct sw_error *err) {
    const struct tar_header *h = (const struct tar_header *)r->header;
    struct sw_tar_entry *e = &r->entry;
    uint64_t size;
    *e = (struct sw_tar_entry){0};
    enum sw_code code = header_numbers(r, &size, err);
    if (code) return code;
    joined_path(r, &e->path);
    e->linkname = field_text(h->linkname, sizeof h->linkname);
    if (memcmp(h->magic, "ustar", 5) == 0) {
        e->uname = field_text(h->uname, sizeof h->uname);
        e->gname = field_text(h->gname, sizeof h->gname);
    }
    apply_pax(e, pax, &size);
    if (long_name) e->path = long_text(&r->long_name);
    if (long_link) e->linkname = long_text(&r->long_link);
    e->xattrs = r->xattrs.ptr;
    e->n_xattrs = r->xattrs.len;
    code = header_type(r, err);
    if (code) return code;
    if (e->type != SW_TAR_HARDLINK && e->type != SW_TAR_SYMLINK) e->linkname = SW_STR("");
    if (e->type != SW_TAR_FILE) size = 0; /* a size here is an old writer's; no content follows */
    r->stored_left = size;
    r->pad = sw_tar_pad(size);
    e->size = size;
    bool pax_sparse =
        e->type == SW_TAR_FILE && (pax->has_sparse_size || pax->sparse_1 || pax->sparse_00);
    if (h->type == 'S') {
        code = tar_sparse_gnu(r, &e->size, err);
    } else if (pax_sparse) {
        e->size = pax->sparse_size;
        if (pax->sparse_name.len) e->path = pax->sparse_name;
        code = tar_sparse_pax(r, pax, err);
    }
    if (code) return code;
    r->sparse = h->type == 'S' || pax_sparse;
    if (r->sparse) code = tar_sparse_check(r, e->size, err);
    if (code) return code;
    if (e->path.len == 0) e->path = SW_STR("."); /* as tar and the builders read it */
    if ((e->type == SW_TAR_HARDLINK || e->type == SW_TAR_SYMLINK) && e->linkname.len == 0)
        return sw_fail(err, SW_SYNTAX, "a link without a target");
    return SW_OK;
}

static void reset_entry(struct sw_tar_reader_state *r) {
    sw_buf_reset(&r->local);
    sw_buf_reset(&r->long_name);
    sw_buf_reset(&r->long_link);
    if (r->decoded.blocks) sw_arena_done(&r->decoded);
    r->xattrs.len = 0;
    r->n_regions = r->region = 0;
    r->file_offset = 0;
    r->sparse = false;
}

static void start_xattrs(struct sw_tar_reader_state *r) {
    r->xattrs.len = 0;
    if (r->global_xattrs.len == 0) return;
    if (r->xattrs.cap < r->global_xattrs.len) {
        r->xattrs.cap = r->global_xattrs.len;
        r->xattrs.ptr = sw_reallocarray(r->xattrs.ptr, r->xattrs.cap, sizeof *r->xattrs.ptr);
    }
    memcpy(r->xattrs.ptr, r->global_xattrs.ptr, r->global_xattrs.len * sizeof *r->xattrs.ptr);
    r->xattrs.len = r->global_xattrs.len;
}

/* Extended headers up to the header that they are about. *ret_end is set only between entries. */
static enum sw_code read_entry(struct sw_tar_reader_state *r, bool *ret_end, struct sw_error *err) {
    bool pax_seen = false, long_name = false, long_link = false;
    struct tar_pax pax = r->global_pax;
    for (;;) {
        enum sw_code code = next_header(r, ret_end, err);
        if (code) return code;
        if (*ret_end) return pax_seen || long_name || long_link ? truncated(r, err) : SW_OK;
        if (++r->n_entries > r->limits.entries)
            return sw_fail(err, SW_LIMIT, "the archive has more than %llu entries",
                           (unsigned long long)r->limits.entries);
        switch (((const struct tar_header *)r->header)->type) {
        case 'x':
        case 'X': /* Solaris */
            sw_buf_reset(&r->local);
            code = read_special(r, &r->local, err);
            pax_seen = true;
            break;
        case 'g':
            code = read_special(r, &r->global, err);
            r->global_xattrs.len = 0;
            r->global_pax = (struct tar_pax){0};
            if (!code) code = tar_pax_parse(r, &r->global, &r->global_pax, &r->global_xattrs, err);
            r->n_regions = 0;
            break;
        case 'L':
            sw_buf_reset(&r->long_name);
            code = read_special(r, &r->long_name, err);
            long_name = true;
            break;
        case 'K':
            sw_buf_reset(&r->long_link);
            code = read_special(r, &r->long_link, err);
            long_link = true;
            break;
        default:
            pax = r->global_pax;
            start_xattrs(r);
            if (pax_seen) code = tar_pax_parse(r, &r->local, &pax, &r->xattrs, err);
            return code ? code : finish_entry(r, &pax, long_name, long_link, err);
        }
        if (code) return code;
    }
}

enum sw_code sw_tar_next(struct sw_tar_reader *reader, const struct sw_tar_entry **ret_entry,
                         struct sw_error *err) {
    struct sw_tar_reader_state *r = reader->state;
    if (r->ended) {
        *ret_entry = NULL;
        return SW_OK;
    }
    enum sw_code code = skip(r, err);
    if (code) return code;
    reset_entry(r);
    uint64_t at = r->offset;
    code = read_entry(r, &r->ended, err);
    if (code) return sw_context(err, "archive entry at byte %llu", (unsigned long long)at);
    *ret_entry = r->ended ? NULL : &r->entry;
    return SW_OK;
}

enum sw_code sw_tar_read(struct sw_tar_reader *reader, struct sw_tar_piece *ret_piece,
                         struct sw_error *err) {
    struct sw_tar_reader_state *r = reader->state;
    struct sw_tar_piece piece = {.offset = r->file_offset, .bytes = SW_STR("")};
    uint64_t left = r->ended ? 0 : r->entry.size - r->file_offset, stored = left;
    if (r->sparse && left) {
        /* Up to the next border between data and hole. */
        while (r->region < r->n_regions &&
               r->file_offset >= r->regions[r->region].offset + r->regions[r->region].len)
            r->region++;
        const struct tar_region *next = r->region < r->n_regions ? &r->regions[r->region] : NULL;
        piece.hole = !next || r->file_offset < next->offset;
        if (next) stored = (piece.hole ? 0 : next->len) + next->offset - r->file_offset;
    }
    if (piece.hole) {
        piece.bytes = sw_str_n(zeros, stored < ZEROS_SIZE ? (size_t)stored : ZEROS_SIZE);
    } else if (left) {
        enum sw_code code = take(r, stored, &piece.bytes, err);
        if (code) return code;
        if (piece.bytes.len == 0) return truncated(r, err);
        r->stored_left -= piece.bytes.len;
    }
    r->file_offset += piece.bytes.len;
    *ret_piece = piece;
    return SW_OK;
}
