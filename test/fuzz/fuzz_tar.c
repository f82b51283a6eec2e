/* The reader on any bytes, in chunks of two sizes, which must see the same; and what it reads as an
 * entry that the writer accepts must come back from the writer's bytes. The first byte chooses the
 * chunk size. */
#include <stdlib.h>
#include <string.h>

#include "codec/digest.h"
#include "codec/tar_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT_MAX (4 << 20) /* of one archive: holes are cheap to claim and slow to hash */

struct chunks {
    struct sw_str rest;
    size_t step;
    char *lent; /* of its own, so that a late reader is found out */
};

static enum sw_code next_chunk(void *ctx, struct sw_str *ret, struct sw_error *err) {
    struct chunks *c = ctx;
    size_t len = c->rest.len < c->step ? c->rest.len : c->step;
    free(c->lent);
    c->lent = malloc(len + 1);
    if (!c->lent) abort();
    if (len) memcpy(c->lent, c->rest.ptr, len);
    c->rest = sw_str_from(c->rest, len);
    *ret = sw_str_n(c->lent, len);
    return SW_OK;
}

static void check_written(const struct sw_tar_entry *e) {
    SW_BUF struct sw_buf out;
    struct sw_error err;
    struct sw_tar_reader r;
    const struct sw_tar_entry *again;
    sw_buf_init(&out, 8 << 20);
    if (sw_tar_write_header(&out, e, &err)) return;
    struct chunks c = {.rest = sw_buf_str(&out), .step = SIZE_MAX};
    sw_tar_reader_init(&r, (struct sw_tar_source){next_chunk, &c}, NULL);
    if (sw_tar_next(&r, &again, &err) || !again) abort();
    bool slash = e->type == SW_TAR_DIR && !sw_str_ends(e->path, SW_STR("/"));
    if (again->type != e->type || again->mode != e->mode || again->uid != e->uid ||
        again->gid != e->gid || again->size != e->size || again->mtime_sec != e->mtime_sec ||
        again->mtime_nsec != e->mtime_nsec || !sw_str_starts(again->path, e->path) ||
        again->path.len != e->path.len + slash || !sw_str_eq(again->linkname, e->linkname) ||
        again->n_xattrs != e->n_xattrs || again->devmajor != e->devmajor ||
        again->devminor != e->devminor)
        abort();
    sw_tar_reader_done(&r);
    free(c.lent);
}

static void hash_entry(struct sw_hasher *h, const struct sw_tar_entry *e) {
    uint64_t numbers[] = {(uint64_t)e->type,      e->mode,     e->uid,      e->gid,
                          (uint64_t)e->mtime_sec, e->devmajor, e->devminor, e->mtime_nsec};
    sw_hasher_add(h, numbers, sizeof numbers);
    sw_hasher_add_str(h, e->path);
    sw_hasher_add_str(h, e->linkname);
    sw_hasher_add_str(h, e->uname);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        sw_hasher_add_str(h, e->xattrs[i].name);
        sw_hasher_add_str(h, e->xattrs[i].value);
    }
}

static struct sw_digest read_all(struct sw_str archive, size_t step, bool write) {
    static const struct sw_tar_limits limits = {.entries = 1000, .sparse_map = 1000};
    struct chunks c = {.rest = archive, .step = step};
    struct sw_tar_reader r;
    struct sw_hasher h;
    struct sw_error err;
    const struct sw_tar_entry *e;
    enum sw_code code;
    uint64_t total = 0;
    sw_hasher_init(&h, SW_SHA256);
    sw_tar_reader_init(&r, (struct sw_tar_source){next_chunk, &c}, &limits);
    while (!(code = sw_tar_next(&r, &e, &err)) && e) {
        struct sw_tar_piece piece;
        uint64_t offset = 0;
        hash_entry(&h, e);
        if (write) check_written(e);
        while (total < CONTENT_MAX && !(code = sw_tar_read(&r, &piece, &err)) && piece.bytes.len) {
            if (piece.offset != offset) abort();
            struct sw_str kept = sw_str_sub(piece.bytes, 0, (size_t)(CONTENT_MAX - total));
            offset += piece.bytes.len;
            total += kept.len;
            sw_hasher_add_str(&h, kept);
        }
        if (code) break;
        if (total < CONTENT_MAX && offset != e->size) abort();
    }
    sw_hasher_add(&h, &code, sizeof code);
    sw_tar_reader_done(&r);
    free(c.lent);
    return sw_hasher_finish(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct sw_str bytes = sw_str_n((const char *)data, size);
    struct sw_digest whole = read_all(bytes, SIZE_MAX, true);
    struct sw_digest pieces = read_all(bytes, 1 + (size_t)data[0] * 5, false);
    if (sw_digest_cmp(&whole, &pieces) != 0) abort();
    return 0;
}
