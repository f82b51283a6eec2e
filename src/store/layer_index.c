/* The file: a header, records sorted by path, then a pool of bytes that they point into. See
 * docs/format/layer-index.md. It is written once, synced and named; readers map it and check every
 * offset against the size before use, so a damaged file is an error and never a wild read.
 */
#include "store/layer_index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "codec/tar_reader.h"
#include "store/blob.h"
#include "store/cache.h"
#include "store/layer_stream.h"
#include "store/store_internal.h"

#define MAGIC "SWLI\1\0\0"
#define ENTRIES_MAX ((uint64_t)10 * 1000 * 1000)
#define POOL_MAX ((size_t)2 << 30)
#define CONTENT_MAX ((uint64_t)1 << 20)
/* Touching a file's time at every use would be a write a build. */
#define TOUCH_S 3600

enum {
    FLAG_HARDLINK = 1 << 0,
    FLAG_WHITEOUT = 1 << 1,
    FLAG_OPAQUE = 1 << 2,
    FLAG_IMPLICIT = 1 << 3,
    FLAG_CONTENT = 1 << 4,
};

struct header {
    char magic[8];
    uint64_t n_records, pool_bytes;
    uint64_t checksum; /* sw_hash_bytes of records and pool */
};

struct record {
    uint32_t path, path_len; /* in the pool */
    uint32_t link, link_len;
    uint32_t content, content_len;
    uint64_t size;
    int64_t mtime_sec;
    uint64_t uid, gid;
    uint32_t mtime_nsec;
    uint16_t mode;
    uint8_t type;
    uint8_t flags;
};
_Static_assert(sizeof(struct record) == 64, "the record is a file format");

struct sw_layer_index {
    void *map; /* owned mapping */
    size_t map_len;
    const struct record *records;
    size_t n;
    const char *pool;
    size_t pool_len;
};

static const char *const kept_files[] = {
    "etc/passwd", "etc/group", "etc/os-release", "usr/lib/os-release", "etc/mime.types",
};

/* ---- building ---- */

struct draft_entry {
    struct sw_layer_entry e; /* views in the arena */
    bool removed;
};

struct builder {
    struct sw_arena arena;
    struct sw_map by_path; /* path -> number plus 1 */
    SW_VEC(struct draft_entry) entries;
    struct sw_buf scratch, link;
};

static struct sw_layer_entry *find_entry(struct builder *b, struct sw_str path) {
    uintptr_t at = (uintptr_t)sw_map_get(&b->by_path, path);
    return at && !b->entries.ptr[at - 1].removed ? &b->entries.ptr[at - 1].e : NULL;
}

/* The entry of a path, made where it is missing; valid until the next call. */
static struct sw_layer_entry *need_entry(struct builder *b, struct sw_str path) {
    uintptr_t at = (uintptr_t)sw_map_get(&b->by_path, path);
    if (!at) {
        struct draft_entry *d = sw_vec_push(&b->entries);
        d->e.path = sw_arena_str(&b->arena, path);
        at = b->entries.len;
        sw_map_put(&b->by_path, d->e.path, (void *)at);
        d->e.implicit = true;
        d->e.type = SW_TAR_DIR;
        d->e.mode = 0755;
    } else if (b->entries.ptr[at - 1].removed) {
        struct sw_str kept = b->entries.ptr[at - 1].e.path;
        b->entries.ptr[at - 1] = (struct draft_entry){
            .e = {.path = kept, .implicit = true, .type = SW_TAR_DIR, .mode = 0755}};
    }
    return &b->entries.ptr[at - 1].e;
}

static struct sw_str parent_of(struct sw_str path) {
    size_t slash = sw_str_rfind_char(path, '/');
    return sw_str_sub(path, 0, slash == SIZE_MAX ? 0 : slash);
}

/* Where the layer's own links lead the parent of a path: what unpacking would do. Links are few;
 * the result is in *to. */
static void follow_parents(struct builder *b, struct sw_str path, struct sw_buf *to, int depth) {
    sw_buf_reset(to);
    struct sw_str rest = path, part;
    while (sw_str_next(&rest, '/', &part)) {
        bool last = !rest.ptr || !rest.len;
        if (!part.len || sw_str_is(part, ".")) continue;
        if (sw_str_is(part, "..")) {
            sw_buf_truncate(to, parent_of(sw_buf_str(to)).len);
            continue;
        }
        size_t before = to->len;
        if (to->len) sw_buf_add_char(to, '/');
        sw_buf_add(to, part);
        if (last) break;
        const struct sw_layer_entry *e = find_entry(b, sw_buf_str(to));
        if (!e || e->type != SW_TAR_SYMLINK || e->whiteout || depth >= 40) continue;
        SW_BUF struct sw_buf joined;
        sw_buf_init(&joined, PATH_MAX);
        if (!sw_str_starts(e->linkname, SW_STR("/")))
            sw_buf_add(&joined, sw_str_sub(sw_buf_str(to), 0, before));
        sw_buf_add_char(&joined, '/');
        sw_buf_add(&joined, e->linkname);
        sw_buf_add_char(&joined, '/');
        sw_buf_add(&joined, rest);
        follow_parents(b, sw_buf_str(&joined), to, depth + 1);
        return;
    }
}

static void need_parents(struct builder *b, struct sw_str path) {
    for (struct sw_str dir = parent_of(path); dir.len; dir = parent_of(dir)) {
        struct sw_layer_entry *e = find_entry(b, dir);
        if (e && e->type == SW_TAR_DIR && !e->whiteout) return;
        /* A directory takes the place of what is none; in that of a whiteout it hides. */
        bool hides = e && (e->whiteout || e->opaque);
        e = need_entry(b, dir);
        *e = (struct sw_layer_entry){.path = e->path, .implicit = true, .mode = 0755};
        e->type = SW_TAR_DIR;
        e->opaque = hides;
    }
}

/* A later entry that is no directory takes a directory's place with all below it. */
static void remove_below(struct builder *b, struct sw_str dir) {
    for (size_t i = 0; i < b->entries.len; i++) {
        struct sw_str path = b->entries.ptr[i].e.path;
        if (path.len > dir.len && sw_str_starts(path, dir) && path.ptr[dir.len] == '/')
            b->entries.ptr[i].removed = true;
    }
}

static enum sw_code keep_content(struct builder *b, struct sw_tar_reader *r,
                                 const struct sw_tar_entry *e, struct sw_str path,
                                 struct sw_str *ret, struct sw_error *err) {
    bool wanted = false;
    for (size_t i = 0; i < sizeof kept_files / sizeof kept_files[0]; i++)
        wanted = wanted || sw_str_is(path, kept_files[i]);
    if (!wanted || e->size > CONTENT_MAX) return SW_OK;
    SW_BUF struct sw_buf content;
    sw_buf_init(&content, CONTENT_MAX + 1);
    for (;;) {
        struct sw_tar_piece piece;
        enum sw_code code = sw_tar_read(r, &piece, err);
        if (code) return code;
        if (!piece.bytes.len) break;
        sw_buf_add(&content, piece.bytes);
    }
    *ret = sw_arena_str(&b->arena, sw_buf_str(&content));
    return SW_OK;
}

static enum sw_code add_whiteout(struct builder *b, struct sw_str path, struct sw_str name,
                                 struct sw_error *err) {
    struct sw_str dir = parent_of(path);
    if (sw_str_is(name, ".wh..wh..opq")) {
        need_entry(b, dir)->opaque = true;
        return SW_OK;
    }
    if (sw_str_starts(name, SW_STR(".wh..wh."))) return SW_OK;
    struct sw_str hidden = sw_str_from(name, 4);
    if (!hidden.len || sw_str_is(hidden, ".") || sw_str_is(hidden, ".."))
        return sw_fail(err, SW_SYNTAX, "the whiteout %.*s hides nothing", SW_ARG(name));
    SW_BUF struct sw_buf target;
    sw_buf_init(&target, PATH_MAX);
    if (dir.len) {
        sw_buf_add(&target, dir);
        sw_buf_add_char(&target, '/');
    }
    sw_buf_add(&target, hidden);
    struct sw_layer_entry *e = find_entry(b, sw_buf_str(&target));
    if (e) {
        /* A link whose target has not come yet is not there for unpacking: it remembers. */
        if ((e->type == SW_TAR_DIR || e->type == SW_TAR_HARDLINK) && !e->whiteout) e->opaque = true;
        return SW_OK;
    }
    e = need_entry(b, sw_buf_str(&target));
    e->implicit = false;
    e->whiteout = true;
    return SW_OK;
}

static enum sw_code add_entry(struct builder *b, struct sw_tar_reader *r,
                              const struct sw_tar_entry *e, struct sw_str path,
                              struct sw_error *err) {
    size_t slash = sw_str_rfind_char(path, '/');
    struct sw_str name = slash == SIZE_MAX ? path : sw_str_from(path, slash + 1);
    need_parents(b, path);
    if (sw_str_starts(name, SW_STR(".wh."))) return add_whiteout(b, path, name, err);
    struct sw_layer_entry made = {
        .type = e->type,
        .mode = e->mode & 07777,
        .uid = e->uid,
        .gid = e->gid,
        .size = e->size,
        .mtime_sec = e->mtime_sec,
        .mtime_nsec = e->mtime_nsec,
    };
    enum sw_code code = SW_OK;
    if (e->type == SW_TAR_HARDLINK) {
        struct sw_str target;
        if ((code = sw_tar_clean_path(e->linkname, &b->link, &target, err))) return code;
        if (sw_str_eq(target, path)) return SW_OK;
        SW_BUF struct sw_buf real;
        sw_buf_init(&real, PATH_MAX);
        follow_parents(b, target, &real, 0);
        const struct sw_layer_entry *t = find_entry(b, sw_buf_str(&real));
        if (t && !t->whiteout) made = *t;
        made.hardlink = true;
        /* Of a link to a symbolic link, what counts is where that one leads. */
        if (made.type != SW_TAR_SYMLINK) made.linkname = sw_arena_str(&b->arena, target);
    } else if (e->type == SW_TAR_SYMLINK) {
        made.linkname = sw_arena_str(&b->arena, e->linkname);
    } else if (e->type == SW_TAR_FILE) {
        code = keep_content(b, r, e, path, &made.content, err);
    }
    if (code) return code;
    struct sw_layer_entry *old = find_entry(b, path);
    bool hides = old && (old->whiteout || old->opaque);
    if (old && old->type == SW_TAR_DIR && !old->whiteout && made.type != SW_TAR_DIR)
        remove_below(b, old->path);
    struct sw_layer_entry *place = need_entry(b, path);
    made.path = place->path;
    made.opaque = made.type == SW_TAR_DIR && hides;
    *place = made;
    return SW_OK;
}

static enum sw_code read_layer(struct builder *b, struct sw_tar_source source,
                               struct sw_error *err) {
    struct sw_tar_limits limits = {.entries = ENTRIES_MAX};
    SW_TAR_READER struct sw_tar_reader r;
    SW_BUF struct sw_buf real;
    sw_buf_init(&real, PATH_MAX);
    sw_tar_reader_init(&r, source, &limits);
    for (uint64_t n = 0;; n++) {
        const struct sw_tar_entry *e;
        struct sw_str path;
        enum sw_code code = sw_tar_next(&r, &e, err);
        if (code || !e) return code;
        if (!(code = sw_tar_clean_path(e->path, &b->scratch, &path, err))) {
            follow_parents(b, path, &real, 0);
            code = sw_buf_check(&real, "a path", err);
        }
        if (!code) code = add_entry(b, &r, e, sw_buf_str(&real), err);
        if (code) return sw_context(err, "%.*s", SW_ARG(e->path));
        if ((code = sw_arena_check(&b->arena, "the index of a layer", err))) return code;
        if ((n & 1023) == 0 && (code = sw_cancel_check(err))) return code;
    }
}

/* ---- writing ---- */

static int by_path(const void *x, const void *y) {
    const struct draft_entry *a = x, *b = y;
    return sw_str_cmp(a->e.path, b->e.path);
}

static uint32_t pool_add(struct sw_buf *pool, struct sw_str s) {
    size_t at = pool->len;
    sw_buf_add(pool, s);
    return (uint32_t)at;
}

static void encode(const struct sw_layer_entry *e, struct record *r, struct sw_buf *pool) {
    *r = (struct record){
        .path = pool_add(pool, e->path),
        .path_len = (uint32_t)e->path.len,
        .link = pool_add(pool, e->linkname),
        .link_len = (uint32_t)e->linkname.len,
        .content = pool_add(pool, e->content),
        .content_len = (uint32_t)e->content.len,
        .size = e->size,
        .mtime_sec = e->mtime_sec,
        .uid = e->uid,
        .gid = e->gid,
        .mtime_nsec = e->mtime_nsec,
        .mode = (uint16_t)e->mode,
        .type = (uint8_t)e->type,
        .flags = (uint8_t)((e->hardlink ? FLAG_HARDLINK : 0) | (e->whiteout ? FLAG_WHITEOUT : 0) |
                           (e->opaque && e->type == SW_TAR_DIR ? FLAG_OPAQUE : 0) |
                           (e->implicit ? FLAG_IMPLICIT : 0) | (e->content.ptr ? FLAG_CONTENT : 0)),
    };
}

static enum sw_code write_index(struct sw_store *s, struct builder *b, const char *name,
                                struct sw_error *err) {
    SW_BUF struct sw_buf pool;
    SW_BUF struct sw_buf file;
    sw_buf_init(&pool, POOL_MAX);
    sw_buf_init(&file, POOL_MAX * 2);
    if (b->entries.len) qsort(b->entries.ptr, b->entries.len, sizeof *b->entries.ptr, by_path);
    struct header h = {.magic = MAGIC};
    sw_buf_add_bytes(&file, &h, sizeof h);
    for (size_t i = 0; i < b->entries.len; i++) {
        struct record r;
        if (b->entries.ptr[i].removed) continue;
        encode(&b->entries.ptr[i].e, &r, &pool);
        sw_buf_add_bytes(&file, &r, sizeof r);
        h.n_records++;
    }
    h.pool_bytes = pool.len;
    sw_buf_add(&file, sw_buf_str(&pool));
    enum sw_code code = sw_buf_check(&pool, "the index of a layer", err);
    if (code || (code = sw_buf_check(&file, "the index of a layer", err))) return code;
    h.checksum = sw_hash_bytes(file.ptr + sizeof h, file.len - sizeof h, 2);
    memcpy(file.ptr, &h, sizeof h);
    SW_FD int dir = -1;
    code = sw_open_at(s->state_fd, "index", O_RDONLY | O_DIRECTORY, 0, &dir, err);
    return code ? code : sw_store_replace_file(s, dir, name, sw_buf_str(&file), err);
}

static void builder_done(struct builder *b) {
    sw_map_done(&b->by_path);
    sw_vec_done(&b->entries);
    sw_buf_done(&b->scratch);
    sw_buf_done(&b->link);
    sw_arena_done(&b->arena);
}

static enum sw_code build(struct sw_store *s, const struct sw_unpack_layer *layer, const char *name,
                          struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t size;
    enum sw_code code = sw_blob_open(s, &layer->blob, &fd, &size, err);
    if (code) return code;
    struct sw_layer_stream_options options = {
        .alg = (enum sw_digest_alg)layer->diff_id.alg,
        .threaded = sw_cpu_count() > 1 && size > (1 << 18),
    };
    SW_LAYER_STREAM struct sw_layer_stream *stream = sw_layer_stream_new(fd, &options);
    struct builder b = {0};
    sw_arena_init(&b.arena, POOL_MAX);
    sw_buf_init(&b.scratch, PATH_MAX);
    sw_buf_init(&b.link, PATH_MAX);
    code = read_layer(&b, sw_layer_stream_source(stream), err);
    if (!code) code = sw_layer_stream_verify(stream, &layer->diff_id, err);
    if (!code) code = write_index(s, &b, name, err);
    builder_done(&b);
    return code;
}

/* ---- opening ---- */

static enum sw_code check_map(struct sw_layer_index *x, struct sw_error *err) {
    struct header h;
    if (x->map_len < sizeof h) return sw_fail(err, SW_CORRUPT, "the file is too short");
    memcpy(&h, x->map, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.n_records > ENTRIES_MAX * 2 ||
        h.pool_bytes > POOL_MAX ||
        x->map_len != sizeof h + h.n_records * sizeof(struct record) + h.pool_bytes)
        return sw_fail(err, SW_CORRUPT, "not a layer index of this version");
    x->n = h.n_records;
    x->records = (const struct record *)((const char *)x->map + sizeof h);
    x->pool = (const char *)(x->records + x->n);
    x->pool_len = h.pool_bytes;
    if (sw_hash_bytes(x->records, x->map_len - sizeof h, 2) != h.checksum)
        return sw_fail(err, SW_CORRUPT, "its checksum is wrong");
    return SW_OK;
}

static enum sw_code open_index(struct sw_store *s, const char *path, struct sw_layer_index **ret,
                               struct sw_error *err) {
    SW_FD int fd = -1;
    struct stat st;
    enum sw_code code = sw_open_at(s->state_fd, path, O_RDONLY, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at it");
    struct sw_layer_index *x = sw_calloc(1, sizeof *x);
    x->map_len = (size_t)st.st_size;
    /* Our own files are replaced by rename and never cut short, so the mapping is safe. */
    x->map = x->map_len ? mmap(NULL, x->map_len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (x->map == MAP_FAILED) {
        x->map = NULL;
        code = sw_fail(err, SW_CORRUPT, "the file cannot be mapped");
    } else {
        code = check_map(x, err);
    }
    if (code) {
        sw_layer_index_free(x);
        return code;
    }
    if (!s->read_only && sw_now_unix_s() - st.st_mtime > TOUCH_S) futimens(fd, NULL);
    *ret = x;
    return SW_OK;
}

enum sw_code sw_layer_index_open(struct sw_store *s, const struct sw_unpack_layer *layer,
                                 struct sw_layer_index **ret, struct sw_error *err) {
    char hex[SW_DIGEST_TEXT_MAX], path[SW_DIGEST_TEXT_MAX + 8];
    sw_digest_hex(&layer->diff_id, hex);
    snprintf(path, sizeof path, "index/%s", hex);
    enum sw_code code = open_index(s, path, ret, err);
    if (!code) return SW_OK;
    if (code != SW_NOT_FOUND) sw_debug("store", "%s: %s", path, err->text);
    if ((code = sw_store_writable(s, err))) return code;
    struct sw_hasher h;
    sw_hasher_init(&h, SW_SHA256);
    sw_hasher_add_str(&h, SW_STR("layer index"));
    sw_hasher_add(&h, &layer->diff_id, sizeof layer->diff_id);
    struct sw_digest key = sw_hasher_finish(&h);
    SW_STORE_LOCK struct sw_store_lock lock = SW_STORE_LOCK_NONE;
    code = sw_store_lock(s, key.bytes, true, NULL, NULL, &lock, err);
    if (code || !open_index(s, path, ret, err)) return code;
    code = build(s, layer, hex, err);
    if (!code) code = open_index(s, path, ret, err);
    if (code) {
        char text[SW_DIGEST_TEXT_MAX];
        sw_digest_format(&layer->blob, text);
        return sw_context(err, "indexing the layer %s", text);
    }
    return SW_OK;
}

void sw_layer_index_free(struct sw_layer_index *x) {
    if (!x) return;
    if (x->map) munmap(x->map, x->map_len);
    free(x);
}

/* ---- reading ---- */

size_t sw_layer_index_count(const struct sw_layer_index *x) { return x->n; }

static struct sw_str pool_str(const struct sw_layer_index *x, uint32_t at, uint32_t len) {
    if (at > x->pool_len || len > x->pool_len - at) return SW_STR("");
    return sw_str_n(x->pool + at, len);
}

void sw_layer_index_at(const struct sw_layer_index *x, size_t i, struct sw_layer_entry *ret) {
    const struct record *r = &x->records[i];
    *ret = (struct sw_layer_entry){
        .path = pool_str(x, r->path, r->path_len),
        .type = (enum sw_tar_type)r->type,
        .mode = r->mode,
        .uid = r->uid,
        .gid = r->gid,
        .size = r->size,
        .mtime_sec = r->mtime_sec,
        .mtime_nsec = r->mtime_nsec,
        .linkname = pool_str(x, r->link, r->link_len),
        .hardlink = r->flags & FLAG_HARDLINK,
        .whiteout = r->flags & FLAG_WHITEOUT,
        .opaque = r->flags & FLAG_OPAQUE,
        .implicit = r->flags & FLAG_IMPLICIT,
    };
    if (r->flags & FLAG_CONTENT) ret->content = pool_str(x, r->content, r->content_len);
}

size_t sw_layer_index_lower_bound(const struct sw_layer_index *x, struct sw_str path) {
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct record *r = &x->records[mid];
        if (sw_str_cmp(pool_str(x, r->path, r->path_len), path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool sw_layer_index_find(const struct sw_layer_index *x, struct sw_str path,
                         struct sw_layer_entry *ret) {
    size_t i = sw_layer_index_lower_bound(x, path);
    if (i == x->n) return false;
    sw_layer_index_at(x, i, ret);
    return sw_str_eq(ret->path, path);
}
