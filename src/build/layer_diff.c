#include "build/layer_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "build/layer_read.h"
#include "codec/hex.h"

#define CONTENT_MAX ((size_t)256 << 20) /* of a file that is compared byte by byte */
#define CONTENTS_MAX 16                 /* files that are: each reads both layers again */
#define CONTEXT_BYTES 16                /* of each that are shown */

struct entry {
    struct sw_str path, link;
    enum sw_tar_type type;
    uint32_t mode;
    uint64_t uid, gid, size;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    struct sw_digest digest, xattrs;
};

struct layer {
    SW_VEC(struct entry) entries;
};

/* ---- reading ---- */

/* Takes an entry; may read its content from the reader. */
typedef enum sw_code (*visit_fn)(void *ctx, struct sw_tar_reader *r, const struct sw_tar_entry *e,
                                 struct sw_error *err);

static enum sw_code walk(struct sw_store *store, const struct sw_digest *blob, visit_fn visit,
                         void *ctx, struct sw_error *err) {
    SW_LAYER_READER struct sw_layer_reader *layer = NULL;
    struct sw_tar_reader r;
    enum sw_code code = sw_layer_reader_open(store, blob, &layer, err);
    if (code) return code;
    sw_tar_reader_init(&r, sw_layer_reader_source(layer), NULL);
    for (const struct sw_tar_entry *e; !code;) {
        code = sw_cancel_check(err);
        if (!code) code = sw_tar_next(&r, &e, err);
        if (code || !e) break;
        code = visit(ctx, &r, e, err);
    }
    sw_tar_reader_done(&r);
    return code;
}

struct collect {
    struct sw_arena *a;
    struct layer *layer;
    struct sw_buf scratch;
};

static enum sw_code collect_entry(void *ctx, struct sw_tar_reader *r, const struct sw_tar_entry *e,
                                  struct sw_error *err) {
    struct collect *c = ctx;
    struct sw_str path;
    enum sw_code code = sw_tar_clean_path(e->path, &c->scratch, &path, err);
    if (code) return code;
    struct entry *x = sw_vec_push(&c->layer->entries);
    *x = (struct entry){.path = sw_arena_str(c->a, path),
                        .link = sw_arena_str(c->a, e->linkname),
                        .type = e->type,
                        .mode = e->mode,
                        .uid = e->uid,
                        .gid = e->gid,
                        .size = e->size,
                        .mtime_sec = e->mtime_sec,
                        .mtime_nsec = e->mtime_nsec};
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        uint64_t sizes[2] = {e->xattrs[i].name.len, e->xattrs[i].value.len};
        sw_hasher_add(&h, sizes, sizeof sizes);
        sw_hasher_add_str(&h, e->xattrs[i].name);
        sw_hasher_add_str(&h, e->xattrs[i].value);
    }
    x->xattrs = sw_hasher_finish(&h);
    if (e->type != SW_TAR_FILE) return sw_arena_check(c->a, "the entries of a layer", err);
    for (struct sw_tar_piece piece; !code;) {
        code = sw_tar_read(r, &piece, err);
        if (code || !piece.bytes.len) break;
        sw_hasher_add_str(&h, piece.bytes);
    }
    x->digest = sw_hasher_finish(&h);
    return code ? code : sw_arena_check(c->a, "the entries of a layer", err);
}

static int by_path(const void *a, const void *b) {
    return sw_str_cmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static enum sw_code read_layer(struct sw_store *store, struct sw_arena *a,
                               const struct sw_digest *blob, struct layer *ret,
                               struct sw_error *err) {
    struct collect c = {.a = a, .layer = ret};
    sw_buf_init(&c.scratch, 65536);
    enum sw_code code = walk(store, blob, collect_entry, &c, err);
    sw_buf_done(&c.scratch);
    if (ret->entries.len)
        qsort(ret->entries.ptr, ret->entries.len, sizeof *ret->entries.ptr, by_path);
    return code;
}

struct want {
    struct sw_str path;
    struct sw_buf scratch, content;
};

static enum sw_code take_content(void *ctx, struct sw_tar_reader *r, const struct sw_tar_entry *e,
                                 struct sw_error *err) {
    struct want *w = ctx;
    struct sw_str path;
    enum sw_code code = sw_tar_clean_path(e->path, &w->scratch, &path, err);
    if (code || e->type != SW_TAR_FILE || !sw_str_eq(path, w->path)) return code;
    sw_buf_reset(&w->content);
    for (struct sw_tar_piece piece; !code;) {
        code = sw_tar_read(r, &piece, err);
        if (code || !piece.bytes.len) break;
        sw_buf_add(&w->content, piece.bytes);
    }
    return code;
}

/* ---- comparing ---- */

struct differ {
    struct sw_store *store;
    struct sw_arena *a;
    const struct sw_digest *blobs[2];
    SW_VEC(struct sw_layer_difference) list;
    unsigned n_contents;
};

static void add(struct differ *d, struct sw_str path, const char *what, struct sw_str from,
                struct sw_str to, uint64_t offset) {
    struct sw_layer_difference x = {path, what, from, to, offset};
    sw_vec_add(&d->list, x);
}

static struct sw_str type_name(enum sw_tar_type type) {
    return type == SW_TAR_FILE      ? SW_STR("file")
           : type == SW_TAR_DIR     ? SW_STR("directory")
           : type == SW_TAR_SYMLINK ? SW_STR("symbolic link")
                                    : SW_STR("link or device");
}

static struct sw_str some_hex(struct sw_arena *a, const struct sw_buf *b, uint64_t offset) {
    char digits[CONTEXT_BYTES * 2];
    struct sw_str part = sw_str_sub(sw_buf_str(b), offset, CONTEXT_BYTES);
    sw_hex_encode(part.ptr, part.len, digits);
    return part.len ? sw_arena_str(a, sw_str_n(digits, part.len * 2)) : SW_STR("(ends)");
}

/* Where the files part, and the bytes there. */
static enum sw_code compare_content(struct differ *d, const struct entry *x, const struct entry *y,
                                    struct sw_error *err) {
    struct want w[2];
    enum sw_code code = SW_OK;
    if (d->n_contents++ >= CONTENTS_MAX || x->size > CONTENT_MAX || y->size > CONTENT_MAX) {
        char from[SW_DIGEST_TEXT_MAX], to[SW_DIGEST_TEXT_MAX];
        add(d, x->path, "content", sw_arena_str(d->a, sw_digest_format(&x->digest, from)),
            sw_arena_str(d->a, sw_digest_format(&y->digest, to)), UINT64_MAX);
        return SW_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        w[i].path = x->path;
        sw_buf_init(&w[i].scratch, 65536);
        sw_buf_init(&w[i].content, CONTENT_MAX);
        if (!code) code = walk(d->store, d->blobs[i], take_content, &w[i], err);
    }
    if (!code) {
        struct sw_buf *p = &w[0].content, *q = &w[1].content;
        size_t at = 0;
        while (at < p->len && at < q->len && p->ptr[at] == q->ptr[at]) at++;
        add(d, x->path, "content", some_hex(d->a, p, at), some_hex(d->a, q, at), at);
    }
    for (size_t i = 0; i < 2; i++) {
        sw_buf_done(&w[i].scratch);
        sw_buf_done(&w[i].content);
    }
    return code;
}

static enum sw_code compare(struct differ *d, const struct entry *x, const struct entry *y,
                            struct sw_error *err) {
    struct sw_arena *a = d->a;
    if (x->type != y->type) {
        add(d, x->path, "type", type_name(x->type), type_name(y->type), 0);
        return SW_OK;
    }
    if (x->mode != y->mode)
        add(d, x->path, "mode", sw_arena_printf(a, "%04o", x->mode),
            sw_arena_printf(a, "%04o", y->mode), 0);
    if (x->uid != y->uid || x->gid != y->gid)
        add(d, x->path, "owner",
            sw_arena_printf(a, "%llu:%llu", (unsigned long long)x->uid, (unsigned long long)x->gid),
            sw_arena_printf(a, "%llu:%llu", (unsigned long long)y->uid, (unsigned long long)y->gid),
            0);
    if (x->mtime_sec != y->mtime_sec || x->mtime_nsec != y->mtime_nsec)
        add(d, x->path, "time",
            sw_arena_printf(a, "%lld.%09u", (long long)x->mtime_sec, x->mtime_nsec),
            sw_arena_printf(a, "%lld.%09u", (long long)y->mtime_sec, y->mtime_nsec), 0);
    if (!sw_str_eq(x->link, y->link)) add(d, x->path, "link", x->link, y->link, 0);
    if (!sw_digest_eq(&x->xattrs, &y->xattrs)) {
        char from[SW_DIGEST_TEXT_MAX], to[SW_DIGEST_TEXT_MAX];
        add(d, x->path, "xattr", sw_arena_str(a, sw_digest_format(&x->xattrs, from)),
            sw_arena_str(a, sw_digest_format(&y->xattrs, to)), 0);
    }
    if (!sw_digest_eq(&x->digest, &y->digest)) return compare_content(d, x, y, err);
    return SW_OK;
}

static enum sw_code merge(struct differ *d, const struct layer *p, const struct layer *q,
                          struct sw_error *err) {
    size_t i = 0, k = 0;
    enum sw_code code = SW_OK;
    struct sw_str none = {0};
    while (!code && (i < p->entries.len || k < q->entries.len)) {
        const struct entry *x = &p->entries.ptr[i], *y = &q->entries.ptr[k];
        int order = i == p->entries.len ? 1 : k == q->entries.len ? -1 : by_path(x, y);
        if (order < 0) {
            add(d, x->path, "entry", type_name(x->type), none, 0);
        } else if (order > 0) {
            add(d, y->path, "entry", none, type_name(y->type), 0);
        } else {
            code = compare(d, x, y, err);
        }
        i += order <= 0;
        k += order >= 0;
        if (!code && d->list.len > SW_LAYER_DIFFERENCES_MAX)
            code = sw_fail(err, SW_LIMIT, "more than %d differences", SW_LAYER_DIFFERENCES_MAX);
    }
    return code;
}

enum sw_code sw_layer_diff(struct sw_store *store, struct sw_arena *a, const struct sw_digest *from,
                           const struct sw_digest *to, struct sw_layer_difference **ret,
                           size_t *ret_n, struct sw_error *err) {
    struct layer p = {0}, q = {0};
    struct differ d = {.store = store, .a = a, .blobs = {from, to}};
    enum sw_code code = read_layer(store, a, from, &p, err);
    if (!code) code = read_layer(store, a, to, &q, err);
    if (!code) code = merge(&d, &p, &q, err);
    if (!code) {
        *ret = sw_arena_array(a, d.list.len + 1, sizeof **ret);
        *ret_n = d.list.len;
        if (d.list.len) memcpy(*ret, d.list.ptr, d.list.len * sizeof **ret);
    }
    sw_vec_done(&d.list);
    sw_vec_done(&p.entries);
    sw_vec_done(&q.entries);
    return code;
}
