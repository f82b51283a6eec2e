/* For the tests of tar: a source over bytes in memory, fixtures, and an archive as lines of text.
 */
#ifndef SW_TEST_TAR_HELPERS_H
#define SW_TEST_TAR_HELPERS_H

#include <stdlib.h>

#include "base/buf.h"
#include "codec/tar_reader.h"
#include "unit.h"

/* A view in the initialiser of a static object, where SW_STR() is not constant enough for gcc. */
#define VIEW(literal)                                                                              \
    { literal, sizeof(literal) - 1 }

/* Lends at most step bytes at a time, in a block of memory of its own, so that a sanitizer sees
 * whoever reads a chunk after its time. */
struct memory_source {
    struct sw_str rest;
    size_t step;
    char *lent;
};

static inline enum sw_code memory_next(void *ctx, struct sw_str *ret, struct sw_error *err) {
    struct memory_source *s = ctx;
    size_t len = s->rest.len < s->step ? s->rest.len : s->step;
    free(s->lent);
    s->lent = malloc(len ? len : 1);
    if (len) memcpy(s->lent, s->rest.ptr, len);
    s->rest = sw_str_from(s->rest, len);
    *ret = sw_str_n(s->lent, len);
    return SW_OK;
}

static inline void read_fixture(struct sw_buf *out, const char *path) {
    char full[512], bytes[4096];
    snprintf(full, sizeof full, "%s/%s", SW_TEST_SOURCE, path);
    FILE *f = fopen(full, "rb");
    if (!f) fail_msg("cannot open %s", full);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;) sw_buf_add_bytes(out, bytes, n);
    fclose(f);
}

static inline void add_name(struct sw_buf *out, struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < ' ' || c >= 0x7f)
            sw_buf_addf(out, "\\x%02x", c);
        else
            sw_buf_add_char(out, (char)c);
    }
}

/* "TYPE MODE UID/GID SIZE SEC.NSEC PATH -> LINK [MAJOR,MINOR] {XATTR=VALUE} content-hash". */
static inline void describe(struct sw_buf *out, const struct sw_tar_entry *e, uint64_t hash) {
    sw_buf_addf(out, "%c %04o %llu/%llu %llu %lld.%u ", (char)e->type, e->mode,
                (unsigned long long)e->uid, (unsigned long long)e->gid, (unsigned long long)e->size,
                (long long)e->mtime_sec, e->mtime_nsec);
    add_name(out, e->path);
    if (e->linkname.len) {
        sw_buf_add(out, SW_STR(" -> "));
        add_name(out, e->linkname);
    }
    if (e->type == SW_TAR_CHAR || e->type == SW_TAR_BLOCKDEV)
        sw_buf_addf(out, " [%u,%u]", e->devmajor, e->devminor);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        sw_buf_add(out, SW_STR(" {"));
        add_name(out, e->xattrs[i].name);
        sw_buf_add_char(out, '=');
        add_name(out, e->xattrs[i].value);
        sw_buf_add_char(out, '}');
    }
    if (e->size) sw_buf_addf(out, " %08llx", (unsigned long long)(hash & 0xffffffff));
    sw_buf_add_char(out, '\n');
}

/* Fails with the first line that differs. */
static inline void expect_lines(const struct sw_buf *actual, const char *expected) {
    struct sw_str got = sw_buf_str(actual), want = sw_str(expected), got_line, want_line;
    while (got.ptr && want.ptr) {
        sw_str_next(&got, '\n', &got_line);
        sw_str_next(&want, '\n', &want_line);
        if (!sw_str_eq(got_line, want_line))
            fail_msg("expected \"%.*s\"\n       got \"%.*s\"", SW_ARG(want_line), SW_ARG(got_line));
    }
    assert_true(!got.ptr && !want.ptr);
}

static inline uint64_t hash_more(uint64_t h, struct sw_str s) {
    for (size_t i = 0; i < s.len; i++) h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* The whole archive; an error ends it. */
static inline enum sw_code list_archive(struct sw_str bytes, size_t step,
                                        const struct sw_tar_limits *limits, struct sw_buf *out,
                                        struct sw_error *err) {
    struct memory_source source = {.rest = bytes, .step = step};
    struct sw_tar_reader r;
    const struct sw_tar_entry *e = NULL;
    enum sw_code code;
    sw_tar_reader_init(&r, (struct sw_tar_source){memory_next, &source}, limits);
    while (!(code = sw_tar_next(&r, &e, err)) && e) {
        struct sw_tar_piece piece;
        uint64_t hash = UINT64_C(0xcbf29ce484222325), size = 0;
        while (!(code = sw_tar_read(&r, &piece, err)) && piece.bytes.len) {
            assert_true(piece.offset == size);
            hash = hash_more(hash, piece.bytes);
            size += piece.bytes.len;
        }
        if (code) break;
        assert_true(size == e->size);
        describe(out, e, hash);
    }
    sw_tar_reader_done(&r);
    free(source.lent);
    return code;
}

#endif
