/* .tar.gz archives: unpacked as they arrive; one thread inflates, the others hash and write. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/proc.h"
#include "codec/compress.h"
#include "codec/hex.h"
#include "codec/tar_reader.h"
#include "gotool/unpack_internal.h"

enum {
    IN_PIECE = 128 << 10,
    OUT_PIECE = 512 << 10,
};

/* Lends the inflated archive piece by piece. */
struct stream {
    struct sw_go_fetch *archive;
    struct sw_decompressor *d;
    uint64_t offset;
    struct sw_codec_io io;
    uint8_t in[IN_PIECE], out[OUT_PIECE];
};

static enum sw_code next_chunk(void *context, struct sw_str *ret, struct sw_error *err) {
    struct stream *s = context;
    s->io.out = s->out;
    s->io.out_len = OUT_PIECE;
    while (s->io.out_len == OUT_PIECE && !s->io.done) {
        if (!s->io.in_len && !s->io.last) {
            size_t n = 0;
            enum sw_code code = sw_go_fetch_read(s->archive, s->offset, s->in, IN_PIECE, &n, err);
            if (code) return code;
            s->offset += n;
            s->io.in = s->in;
            s->io.in_len = n;
            s->io.last = n == 0;
        }
        enum sw_code code = sw_decompress(s->d, &s->io, err);
        if (code) return code;
    }
    *ret = sw_str_n((char *)s->out, OUT_PIECE - s->io.out_len);
    return SW_OK;
}

struct job {
    struct untar *u;
    struct sw_str path; /* arena of the tree */
    bool executable;
    char *bytes; /* owned */
    size_t len;
};

struct untar {
    struct sw_go_tree *t;
    struct sw_group *group;
    pthread_mutex_t lock;
    enum sw_code code;
    struct sw_error *err;
};

static void add(void *context) {
    struct job *j = context;
    struct sw_error err;
    enum sw_code code =
        go_tree_add(j->u->t, j->path, j->executable, sw_str_n(j->bytes, j->len), &err);
    if (code) {
        pthread_mutex_lock(&j->u->lock);
        if (!j->u->code) {
            j->u->code = code;
            *j->u->err = err;
        }
        pthread_mutex_unlock(&j->u->lock);
    }
    free(j->bytes);
    free(j);
}

/* The path in the tree of "go/src/x"; false where the name is not safe. */
static bool tree_path(struct sw_str name, struct sw_str *ret) {
    while (sw_str_ends(name, SW_STR("/"))) name.len--;
    if (sw_str_starts(name, SW_STR("./"))) name = sw_str_from(name, 2);
    if (sw_str_is(name, "go")) {
        *ret = SW_STR("");
        return true;
    }
    if (!sw_str_starts(name, SW_STR("go/")) || !sw_str_is_utf8(name) ||
        memchr(name.ptr, 0, name.len) || memchr(name.ptr, '\\', name.len) || name.len > 4000)
        return false;
    struct sw_str rest = sw_str_from(name, 3), part;
    *ret = rest;
    while (sw_str_next(&rest, '/', &part))
        if (!part.len || part.len > 255 || sw_str_is(part, ".") || sw_str_is(part, ".."))
            return false;
    return true;
}

/* The workers add to the same arena. */
static enum sw_code mkdirs_locked(struct sw_go_tree *t, struct sw_str path, struct sw_error *err) {
    pthread_mutex_lock(&t->lock);
    enum sw_code code = go_tree_mkdirs(t, path, err);
    pthread_mutex_unlock(&t->lock);
    return code;
}

static enum sw_code one_file(struct untar *u, struct sw_tar_reader *r, const struct sw_tar_entry *e,
                             struct sw_str path, struct sw_error *err) {
    if (e->size > SW_GO_TREE_FILE_MAX)
        return sw_fail(err, SW_LIMIT, "%.*s has more than %d bytes", SW_ARG(path),
                       SW_GO_TREE_FILE_MAX);
    size_t slash = sw_str_rfind_char(path, '/');
    enum sw_code code = SW_OK;
    if (slash != SIZE_MAX) code = mkdirs_locked(u->t, sw_str_sub(path, 0, slash), err);
    if (code) return code;
    struct job *j = sw_calloc(1, sizeof *j);
    pthread_mutex_lock(&u->t->lock);
    *j = (struct job){u, sw_arena_str(&u->t->arena, path), (e->mode & 0111) != 0, NULL, 0};
    pthread_mutex_unlock(&u->t->lock);
    uint64_t size = e->size;
    j->bytes = sw_malloc((size_t)size + 1);
    struct sw_tar_piece piece = {0};
    while (!(code = sw_tar_read(r, &piece, err)) && piece.bytes.len) {
        if (piece.bytes.len > size - j->len) {
            code = sw_fail(err, SW_CORRUPT, "%.*s is longer than its header says", SW_ARG(path));
            break;
        }
        memcpy(j->bytes + j->len, piece.bytes.ptr, piece.bytes.len);
        j->len += piece.bytes.len;
    }
    if (code) {
        free(j->bytes);
        free(j);
        return code;
    }
    sw_group_submit(u->group, add, j);
    return SW_OK;
}

static enum sw_code all_files(struct untar *u, struct sw_tar_reader *r, struct sw_error *err) {
    const struct sw_tar_entry *e = NULL;
    uint64_t bytes = 0;
    size_t files = 0;
    enum sw_code code;
    while (!(code = sw_tar_next(r, &e, err)) && e) {
        struct sw_str path;
        if ((code = sw_cancel_check(err))) return code;
        pthread_mutex_lock(&u->lock);
        bool failed = u->code != SW_OK;
        pthread_mutex_unlock(&u->lock);
        if (failed) return SW_OK; /* the caller reports it */
        if (!tree_path(e->path, &path))
            return sw_fail(err, SW_DENIED, "the archive has an entry with the unsafe name \"%.*s\"",
                           SW_ARG(sw_str_sub(e->path, 0, 200)));
        if (e->type == SW_TAR_DIR) {
            if (path.len) code = mkdirs_locked(u->t, path, err);
        } else if (e->type == SW_TAR_FILE && path.len) {
            bytes += e->size;
            if (++files > SW_GO_TREE_FILES_MAX || bytes > SW_GO_TREE_BYTES_MAX)
                return sw_fail(err, SW_LIMIT, "the archive unpacks to more than a toolchain");
            code = one_file(u, r, e, path, err);
        } else {
            return sw_fail(err, SW_DENIED, "the archive has a link or special file \"%.*s\"",
                           SW_ARG(sw_str_sub(e->path, 0, 200)));
        }
        if (code) return code;
    }
    return code;
}

enum sw_code sw_go_tree_untar(struct sw_go_tree *t, struct sw_go_fetch *archive,
                              struct sw_error *err) {
    struct stream *s = sw_calloc(1, sizeof *s);
    struct untar u = {.t = t, .lock = PTHREAD_MUTEX_INITIALIZER, .err = err};
    struct sw_error local = {0};
    struct sw_pool *pool = sw_pool_new(sw_cpu_count(), 16);
    struct sw_tar_reader r;
    s->archive = archive;
    s->d = sw_decompressor_new(SW_GO_TREE_BYTES_MAX + (256u << 20));
    u.group = sw_group_new(pool);
    const struct sw_tar_limits limits = {.entries = 2 * SW_GO_TREE_FILES_MAX};
    sw_tar_reader_init(&r, (struct sw_tar_source){next_chunk, s}, &limits);
    enum sw_code code = all_files(&u, &r, &local);
    sw_tar_reader_done(&r);
    sw_group_wait(u.group);
    sw_group_free(u.group);
    sw_pool_free(pool);
    sw_decompressor_free(s->d);
    free(s);
    pthread_mutex_destroy(&u.lock);
    if (code) *err = local;
    return code ? code : u.code;
}

bool go_files_line(struct sw_str line, struct sw_go_file *ret) {
    struct sw_str hex, rest, kind, size;
    struct sw_go_file f = {.digest = {.alg = SW_SHA256}};
    if (!sw_str_cut(line, ' ', &hex, &rest) || hex.len != 64 ||
        !sw_hex_decode(hex, false, f.digest.bytes) || !sw_str_cut(rest, ' ', &kind, &rest) ||
        !sw_str_cut(rest, ' ', &size, &f.path) || !sw_str_u64(size, &f.size) || !f.path.len)
        return false;
    f.executable = sw_str_is(kind, "x");
    *ret = f;
    return f.executable || sw_str_is(kind, "-");
}
