/* The streaming reader: a state machine over members.
 *
 *     START --magic--> HEADER --fields--> BODY --end--> TRAILER --checked--> START
 *       |                                                                      |
 *       +--- zero byte after a member ---> PADDING (zero bytes to the end) <---+
 *
 * The input may end in START after at least one member, or in PADDING, and nowhere else.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/gzip_internal.h"

enum state { START, HEADER, BODY, TRAILER, PADDING, FAILED };

/* The parts of a header (RFC 1952 2.3), in their order. */
enum field { FIXED, EXTRA_LEN, EXTRA, NAME, COMMENT, HEADER_CRC, NO_FIELD };

#define FLAG_HEADER_CRC 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xe0
#define FIXED_SIZE 10
#define TRAILER_SIZE 8

struct sw_gunzip {
    struct inflater *inflater; /* owned */
    enum state state;
    uint64_t left;    /* bytes that may still come out */
    uint64_t allowed; /* what left was in the beginning */
    struct sw_gzip_sum sum;
    unsigned members, empty_members;
    bool has_pending; /* a byte that came out while the caller had no room */
    uint8_t pending;
    /* header and trailer */
    enum field field;
    uint8_t flags;
    uint32_t header_crc;
    size_t header_len, extra_left;
    uint8_t fixed[FIXED_SIZE];
    size_t fixed_len; /* bytes of the current fixed-size part */
};

struct sw_gunzip *sw_gunzip_new(uint64_t max_output) {
    struct sw_gunzip *g = sw_calloc(1, sizeof(*g));
    g->inflater = sw_inflater_new();
    sw_gunzip_reset(g, max_output);
    return g;
}

void sw_gunzip_free(struct sw_gunzip *g) {
    if (!g) return;
    sw_inflater_free(g->inflater);
    sw_freep(&g);
}

void sw_gunzip_freep(struct sw_gunzip **g) { sw_gunzip_free(*g); }

void sw_gunzip_reset(struct sw_gunzip *g, uint64_t max_output) {
    struct inflater *inflater = g->inflater;
    *g = (struct sw_gunzip){.inflater = inflater, .left = max_output, .allowed = max_output};
}

static uint32_t get_le32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void take(struct sw_codec_io *io, size_t n) {
    io->in += n;
    io->in_len -= n;
}

/* ---- headers ---- */

static void begin_field(struct sw_gunzip *g, enum field field) {
    if (field == EXTRA_LEN && !(g->flags & FLAG_EXTRA)) field = NAME;
    if (field == NAME && !(g->flags & FLAG_NAME)) field = COMMENT;
    if (field == COMMENT && !(g->flags & FLAG_COMMENT)) field = HEADER_CRC;
    if (field == HEADER_CRC && !(g->flags & FLAG_HEADER_CRC)) field = NO_FIELD;
    g->field = field;
    g->fixed_len = 0;
}

static enum sw_code fixed_header(struct sw_gunzip *g, struct sw_error *err) {
    if (g->fixed[0] != 0x1f || g->fixed[1] != 0x8b)
        return sw_fail(err, SW_CORRUPT,
                       g->members ? "unexpected bytes after the end of the gzip stream"
                                  : "not a gzip stream");
    if (g->fixed[2] != 8 || g->fixed[3] & FLAGS_RESERVED)
        return sw_fail(err, SW_CORRUPT, "gzip header with unknown method %u or flags 0x%02x",
                       g->fixed[2], g->fixed[3]);
    g->flags = g->fixed[3];
    begin_field(g, EXTRA_LEN);
    return SW_OK;
}

static enum sw_code header_byte(struct sw_gunzip *g, uint8_t c, struct sw_error *err) {
    if (++g->header_len > SW_GZIP_HEADER_MAX)
        return sw_fail(err, SW_LIMIT, "gzip header is larger than %zu bytes", SW_GZIP_HEADER_MAX);
    /* The checksum is of everything before it. */
    if (g->field != HEADER_CRC) g->header_crc = sw_crc32(g->header_crc, &c, 1);
    switch (g->field) {
    case FIXED:
        g->fixed[g->fixed_len++] = c;
        return g->fixed_len == FIXED_SIZE ? fixed_header(g, err) : SW_OK;
    case EXTRA_LEN:
        g->fixed[g->fixed_len++] = c;
        if (g->fixed_len < 2) return SW_OK;
        g->extra_left = (size_t)(g->fixed[0] | g->fixed[1] << 8);
        begin_field(g, g->extra_left ? EXTRA : NAME);
        return SW_OK;
    case EXTRA:
        if (--g->extra_left == 0) begin_field(g, NAME);
        return SW_OK;
    case NAME:
    case COMMENT:
        if (c == 0) begin_field(g, g->field + 1);
        return SW_OK;
    case HEADER_CRC:
        g->fixed[g->fixed_len++] = c;
        if (g->fixed_len < 2) return SW_OK;
        if ((g->fixed[0] | (unsigned)g->fixed[1] << 8) != (g->header_crc & 0xffff))
            return sw_fail(err, SW_CORRUPT, "gzip header does not match its checksum");
        begin_field(g, NO_FIELD);
        return SW_OK;
    case NO_FIELD:
        break;
    }
    assert(!"a header byte after the header");
    return SW_OK;
}

static enum sw_code run_start(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    if (g->members && io->in[0] == 0) {
        g->state = PADDING;
        return SW_OK;
    }
    g->flags = 0;
    g->header_crc = 0;
    g->header_len = 0;
    g->field = FIXED;
    g->fixed_len = 0;
    g->state = HEADER;
    return SW_OK;
}

static enum sw_code run_header(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    while (io->in_len && g->field != NO_FIELD) {
        uint8_t c = io->in[0];
        take(io, 1);
        if (header_byte(g, c, err)) return err->code;
    }
    if (g->field != NO_FIELD) return SW_OK;
    sw_inflater_reset(g->inflater);
    g->sum = (struct sw_gzip_sum){0};
    g->state = BODY;
    return SW_OK;
}

/* ---- body and trailer ---- */

static enum sw_code limit_passed(const struct sw_gunzip *g, struct sw_error *err) {
    return sw_fail(err, SW_LIMIT, "decompressed data is larger than %llu bytes",
                   (unsigned long long)g->allowed);
}

/* Without room for output the stream may still end, and a byte too many must be noticed: the
 * inflater then gets room for one byte of ours. */
static enum sw_code run_body(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    uint8_t spare;
    bool use_spare = io->out_len == 0 || g->left == 0;
    struct sw_codec_io inner = *io;
    if (use_spare) {
        inner.out = &spare;
        inner.out_len = 1;
    } else if (inner.out_len > g->left) {
        inner.out_len = (size_t)g->left;
    }
    uint8_t *from = inner.out;
    enum inflate_status status = sw_inflater_run(g->inflater, &inner);
    size_t n = (size_t)(inner.out - from);
    io->in = inner.in;
    io->in_len = inner.in_len;
    if (n > g->left) return limit_passed(g, err);
    g->sum.crc = sw_crc32(g->sum.crc, from, n);
    g->sum.len += n;
    g->left -= n;
    if (use_spare && n) {
        g->has_pending = true;
        g->pending = spare;
    } else if (!use_spare) {
        io->out += n;
        io->out_len -= n;
    }
    if (status == INFLATE_BAD) return sw_fail(err, SW_CORRUPT, "malformed deflate data");
    if (status == INFLATE_END) {
        g->fixed_len = sw_inflater_surplus(g->inflater, g->fixed);
        if (g->fixed_len > TRAILER_SIZE) return sw_fail(err, SW_CORRUPT, "malformed deflate data");
        g->state = TRAILER;
    }
    return SW_OK;
}

static enum sw_code run_trailer(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    while (io->in_len && g->fixed_len < TRAILER_SIZE) {
        g->fixed[g->fixed_len++] = io->in[0];
        take(io, 1);
    }
    if (g->fixed_len < TRAILER_SIZE) return SW_OK;
    uint32_t crc = get_le32(g->fixed), len = get_le32(g->fixed + 4);
    if (crc != g->sum.crc)
        return sw_fail(err, SW_CORRUPT, "gzip checksum is %08x, expected %08x", g->sum.crc, crc);
    if (len != (uint32_t)g->sum.len)
        return sw_fail(err, SW_CORRUPT, "gzip length is %u modulo 2^32, expected %u",
                       (uint32_t)g->sum.len, len);
    g->empty_members = g->sum.len ? 0 : g->empty_members + 1;
    if (g->empty_members > SW_GZIP_EMPTY_MEMBERS_MAX)
        return sw_fail(err, SW_LIMIT, "more than %d empty gzip members in a row",
                       SW_GZIP_EMPTY_MEMBERS_MAX);
    g->members = 1;
    g->state = START;
    return SW_OK;
}

static enum sw_code run_padding(struct sw_codec_io *io, struct sw_error *err) {
    while (io->in_len) {
        if (io->in[0] != 0)
            return sw_fail(err, SW_CORRUPT, "unexpected bytes after the end of the gzip stream");
        take(io, 1);
    }
    return SW_OK;
}

static enum sw_code run_state(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    switch (g->state) {
    case START:
        return io->in_len ? run_start(g, io, err) : SW_OK;
    case HEADER:
        return run_header(g, io, err);
    case BODY:
        return run_body(g, io, err);
    case TRAILER:
        return run_trailer(g, io, err);
    case PADDING:
        return run_padding(io, err);
    case FAILED:
        break;
    }
    return sw_fail(err, SW_CORRUPT, "gzip stream failed before");
}

enum sw_code sw_gunzip_run(struct sw_gunzip *g, struct sw_codec_io *io, struct sw_error *err) {
    bool progress = true;
    while (progress) {
        if (g->has_pending) {
            if (io->out_len == 0) return SW_OK;
            *io->out++ = g->pending;
            io->out_len--;
            g->has_pending = false;
        }
        size_t in_len = io->in_len, out_len = io->out_len;
        enum state state = g->state;
        if (run_state(g, io, err)) {
            g->state = FAILED;
            return err->code;
        }
        progress = io->in_len != in_len || io->out_len != out_len || g->state != state;
    }
    if (io->in_len || !io->last || g->has_pending) return SW_OK;
    if (g->state == PADDING || (g->state == START && g->members)) {
        io->done = true;
        return SW_OK;
    }
    g->state = FAILED;
    return sw_fail(err, SW_CORRUPT, "gzip stream is cut short");
}
