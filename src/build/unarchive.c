#include "build/unarchive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "build/archive_stream.h"
#include "build/limits.h"

/* ---- the source of contents ---- */

struct contents {
    struct sw_source source;
    int fd; /* the directory; owned */
};

static enum sw_code contents_open(struct sw_source *s, struct sw_str path, int *ret_fd,
                                  struct stat *ret_st, struct sw_error *err) {
    struct contents *c = (struct contents *)s;
    SW_FREE char *name = sw_strndup(path.ptr, path.len);
    SW_FD int fd = -1;
    enum sw_code code = sw_open_at(c->fd, name, O_RDONLY | O_NOFOLLOW, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, ret_st) < 0) return sw_fail_sys(err, errno, "stat %s", name);
    *ret_fd = sw_take_fd(&fd);
    return SW_OK;
}

static enum sw_code contents_stat(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                                  bool listed, struct sw_node *ret, struct sw_error *err) {
    struct stat st;
    int fd = -1;
    (void)arena, (void)listed;
    enum sw_code code = contents_open(s, path, &fd, &st, err);
    if (code) return code;
    close(fd);
    sw_node_from_stat(ret, &st);
    return SW_OK;
}

static enum sw_code contents_list(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                                  struct sw_str **ret_names, size_t *ret_n, struct sw_error *err) {
    (void)s, (void)path, (void)err;
    *ret_names = sw_arena_array(arena, 1, sizeof **ret_names);
    *ret_n = 0;
    return SW_OK;
}

static void contents_free(struct sw_source *s) {
    struct contents *c = (struct contents *)s;
    sw_closep(&c->fd);
    free(c);
}

static const struct sw_source_ops contents_ops = {
    .stat = contents_stat, .list = contents_list, .open = contents_open, .free = contents_free};

/* ---- reading ---- */

struct reader {
    struct sw_unarchived *u;
    struct sw_tar_reader tar;
    int dir; /* of the contents; borrowed */
    unsigned n_files;
    SW_VEC(struct sw_archive_entry) entries;
};

static enum sw_code write_piece(int fd, const struct sw_tar_piece *piece, struct sw_hasher *h,
                                struct sw_error *err) {
    sw_hasher_add_str(h, piece->bytes);
    /* A hole stays one: the file gets its size at the end. */
    if (piece->hole) return SW_OK;
    if (lseek(fd, (off_t)piece->offset, SEEK_SET) < 0) return sw_fail_sys(err, errno, "seek");
    return sw_write_full(fd, piece->bytes.ptr, piece->bytes.len, err);
}

static enum sw_code take_content(struct reader *r, struct sw_archive_entry *e,
                                 struct sw_error *err) {
    char name[16];
    struct sw_tar_piece piece;
    struct sw_hasher h;
    snprintf(name, sizeof name, "%u", r->n_files++);
    SW_FD int fd = sw_sys_openat(r->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return sw_fail_sys(err, errno, "create a temporary file");
    sw_hasher_init(&h, SW_SHA256);
    enum sw_code code;
    while (!(code = sw_tar_read(&r->tar, &piece, err)) && piece.bytes.len) {
        code = write_piece(fd, &piece, &h, err);
        if (!code) code = sw_cancel_check(err);
        if (code) return code;
    }
    if (code) return code;
    struct stat st;
    struct sw_node made;
    if (sw_sys_ftruncate(fd, (off_t)e->node.size) < 0 || fstat(fd, &st) < 0)
        return sw_fail_sys(err, errno, "write a temporary file");
    sw_node_from_stat(&made, &st);
    e->node.dev = made.dev;
    e->node.ino = made.ino;
    e->node.changed_ns = made.changed_ns;
    e->node.modified_ns = made.modified_ns;
    e->digest = sw_hasher_finish(&h);
    e->content = sw_arena_str(&r->u->arena, sw_str(name));
    return SW_OK;
}

/* "/../a//b/" is a/b: the archive's root is as far up as a name can lead, as in a chroot. */
static struct sw_str clean(struct sw_arena *arena, struct sw_str path) {
    struct sw_str rest = path, part, out = SW_STR("");
    while (sw_str_next(&rest, '/', &part)) {
        if (!part.len || sw_str_is(part, ".")) continue;
        if (sw_str_is(part, "..")) {
            size_t slash = sw_str_rfind_char(out, '/');
            out = slash == SIZE_MAX ? SW_STR("") : sw_str_sub(out, 0, slash);
        } else {
            out = sw_path_join(arena, out, part);
        }
    }
    return out;
}

static void take_xattrs(struct sw_arena *arena, const struct sw_tar_entry *t,
                        struct sw_node *node) {
    struct sw_tar_xattr *x = sw_arena_array(arena, t->n_xattrs + 1, sizeof *x);
    for (size_t i = 0; i < t->n_xattrs; i++) {
        /* Overlay's own marks would act on our snapshots. */
        if (sw_str_starts(t->xattrs[i].name, SW_STR("trusted.overlay.")) ||
            sw_str_starts(t->xattrs[i].name, SW_STR("user.overlay.")) ||
            sw_str_starts(t->xattrs[i].name, SW_STR("user.slipway.")))
            continue;
        x[node->n_xattrs].name = sw_arena_str(arena, t->xattrs[i].name);
        x[node->n_xattrs++].value = sw_arena_str(arena, t->xattrs[i].value);
    }
    node->xattrs = x;
}

static enum sw_code take_entry(struct reader *r, const struct sw_tar_entry *t,
                               struct sw_error *err) {
    struct sw_arena *arena = &r->u->arena;
    if (r->entries.len >= SW_COPY_ENTRIES_MAX)
        return sw_fail(err, SW_LIMIT, "more than %zu entries", SW_COPY_ENTRIES_MAX);
    if (t->path.len >= 4096) return sw_fail(err, SW_LIMIT, "a name of %zu bytes", t->path.len);
    if (t->uid > UINT32_MAX || t->gid > UINT32_MAX)
        return sw_fail(err, SW_LIMIT, "%.*s: an owner beyond 32 bits", SW_ARG(t->path));
    struct sw_archive_entry *e = sw_vec_push(&r->entries);
    e->path = clean(arena, t->path);
    e->node = (struct sw_node){
        .type = t->type,
        .mode = t->mode & 07777,
        .uid = (uint32_t)t->uid,
        .gid = (uint32_t)t->gid,
        .mtime_sec = t->mtime_sec,
        .mtime_nsec = t->mtime_nsec,
        .size = t->type == SW_TAR_FILE ? t->size : 0,
        .devmajor = t->devmajor,
        .devminor = t->devminor,
    };
    if (t->type == SW_TAR_SYMLINK) e->node.link = sw_arena_str(arena, t->linkname);
    if (t->type == SW_TAR_HARDLINK) e->node.link = clean(arena, t->linkname);
    take_xattrs(arena, t, &e->node);
    enum sw_code code = t->type == SW_TAR_FILE ? take_content(r, e, err) : SW_OK;
    if (code) return sw_context(err, "%.*s", SW_ARG(e->path));
    return sw_arena_check(arena, "the archive's entries", err);
}

static enum sw_code read_all(struct reader *r, int fd, struct sw_error *err) {
    SW_ARCHIVE_STREAM struct sw_archive_stream *stream = NULL;
    const struct sw_tar_entry *entry;
    enum sw_code code = sw_archive_stream_open(fd, &stream, err);
    if (code) return code;
    sw_tar_reader_init(&r->tar, sw_archive_stream_source(stream), NULL);
    for (;;) {
        code = sw_tar_next(&r->tar, &entry, err);
        if (code == SW_UNSUPPORTED) continue; /* a volume label */
        if (code || !entry) break;
        code = take_entry(r, entry, err);
        if (!code) code = sw_cancel_check(err);
        if (code) break;
    }
    sw_tar_reader_done(&r->tar);
    return code;
}

enum sw_code sw_unarchive(struct sw_store *store, int fd, struct sw_str name,
                          struct sw_unarchived **ret, struct sw_error *err) {
    struct sw_unarchived *u = sw_calloc(1, sizeof *u);
    struct reader r = {.u = u};
    struct contents *c = sw_calloc(1, sizeof *c);
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 4096);
    sw_arena_init(&u->arena, SW_COPY_ENTRIES_MAX * 600);
    c->fd = -1;
    c->source = (struct sw_source){.ops = &contents_ops, .name = sw_arena_str(&u->arena, name)};
    u->store = store;
    u->source = &c->source;
    enum sw_code code = sw_store_temp_dir(store, &path, &c->fd, err);
    if (!code) {
        u->temp = sw_buf_steal(&path);
        r.dir = c->fd;
        code = read_all(&r, fd, err);
    }
    if (!code && r.entries.len) {
        u->entries = sw_arena_array(&u->arena, r.entries.len, sizeof *u->entries);
        memcpy(u->entries, r.entries.ptr, r.entries.len * sizeof *u->entries);
        u->n = r.entries.len;
    }
    sw_vec_done(&r.entries);
    if (code) {
        sw_unarchived_free(u);
        return sw_context(err, "unpacking %.*s", SW_ARG(name));
    }
    *ret = u;
    return SW_OK;
}

void sw_unarchived_free(struct sw_unarchived *u) {
    if (!u) return;
    sw_source_free(u->source);
    if (u->temp) sw_store_temp_remove(u->store, u->temp);
    free(u->temp);
    sw_arena_done(&u->arena);
    free(u);
}
