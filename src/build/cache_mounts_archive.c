/* Cache mounts as an archive: tar, compressed or not; for each mount
 *     NAME/id        a file: the id
 *     NAME/data      the directory, then everything in it in the order of names
 * Names of directories are made from the ids, so an archive cannot name anything else. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "build/cache_mounts.h"
#include "build/limits.h"
#include "codec/tar.h"
#include "codec/tar_reader.h"
#include "store/layer_stream.h"

#define READ_SIZE ((size_t)256 << 10)
#define ARCHIVE_MAX                                                                                \
    ((uint64_t)1 << 40) /* bytes, unpacked: no cache that is worth keeping has more */

/* ---- writing ---- */

struct writer {
    struct sw_compressor compressor;
    struct sw_compress_worker *worker;
    struct sw_gzip_sum sum;
    struct sw_buf block; /* archive bytes that wait for a whole block */
    uint8_t *out;
    size_t out_len;
    int fd;
};

static enum sw_code write_block(struct writer *w, size_t len, struct sw_error *err) {
    struct sw_compress_part part =
        sw_compress_block(w->worker, w->block.ptr, len, w->out, w->out_len);
    sw_gzip_sum_add(&w->sum, part.sum);
    size_t rest = w->block.len - len;
    enum sw_code code = sw_write_full(w->fd, w->out, part.len, err);
    memmove(w->block.ptr, w->block.ptr + len, rest);
    sw_buf_truncate(&w->block, rest);
    return code;
}

static enum sw_code flush(struct writer *w, struct sw_error *err) {
    enum sw_code code = sw_buf_check(&w->block, "a block of an archive", err);
    while (!code && w->block.len >= w->compressor.block_size)
        code = write_block(w, w->compressor.block_size, err);
    return code;
}

static enum sw_code writer_init(struct writer *w, enum sw_compression kind, int fd,
                                struct sw_error *err) {
    *w = (struct writer){.fd = fd};
    enum sw_code code = sw_compressor_init(&w->compressor, kind, SW_COMPRESS_LEVEL_DEFAULT, err);
    sw_buf_init(&w->block, 0);
    if (code) return code;
    w->worker = sw_compress_worker_new(&w->compressor);
    w->out_len = sw_compress_bound(&w->compressor, w->compressor.block_size);
    w->out = sw_malloc(w->out_len + SW_COMPRESS_FRAME_MAX);
    size_t n = sw_compress_header(&w->compressor, w->out);
    return sw_write_full(fd, w->out, n, err);
}

static enum sw_code writer_finish(struct writer *w, struct sw_error *err) {
    sw_tar_write_end(&w->block);
    enum sw_code code = flush(w, err);
    if (!code && w->block.len) code = write_block(w, w->block.len, err);
    if (code) return code;
    size_t n = sw_compress_trailer(&w->compressor, w->sum, w->out);
    return sw_write_full(w->fd, w->out, n, err);
}

static void writer_done(struct writer *w) {
    sw_compress_worker_free(w->worker);
    sw_buf_done(&w->block);
    free(w->out);
}

/* Exactly the bytes that the header promised, whatever happens to the file meanwhile: nothing
 * does, as the mount is locked, but a short archive would be silent damage. */
static enum sw_code put_content(struct writer *w, int fd, uint64_t size, struct sw_error *err) {
    enum sw_code code = SW_OK;
    for (uint64_t left = size; left && !code;) {
        size_t n = left < READ_SIZE ? (size_t)left : READ_SIZE;
        char *to = sw_buf_reserve(&w->block, n);
        if (!to) return sw_buf_check(&w->block, "a block of an archive", err);
        code = sw_read_full(fd, to, n, err);
        if (code) return code;
        w->block.len += n;
        left -= n;
        code = flush(w, err);
    }
    if (!code) sw_tar_write_pad(&w->block, size);
    return code;
}

struct walk {
    struct writer *w;
    struct sw_buf path; /* in the archive */
};

static enum sw_code put_tree(struct walk *k, int dir_fd, const char *name, unsigned depth,
                             struct sw_error *err);

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum sw_code put_directory(struct walk *k, int fd, unsigned depth, struct sw_error *err) {
    SW_VEC(char *) names = {0};
    enum sw_code code = SW_OK;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        code = sw_fail_sys(err, errno, "read a directory");
        if (copy >= 0) close(copy);
        return code;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            sw_vec_add(&names, sw_strdup(e->d_name));
    closedir(dir);
    if (names.len) qsort(names.ptr, names.len, sizeof *names.ptr, by_text);
    for (size_t i = 0; i < names.len; i++) {
        if (!code) code = put_tree(k, fd, names.ptr[i], depth + 1, err);
        free(names.ptr[i]);
    }
    sw_vec_done(&names);
    return code;
}

static enum sw_code describe(int dir_fd, const char *name, struct sw_tar_entry *e, struct stat *st,
                             char *link, struct sw_error *err) {
    if (fstatat(dir_fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return sw_fail_sys(err, errno, "look at %s", name);
    *e = (struct sw_tar_entry){.mode = st->st_mode & 07777,
                               .uid = st->st_uid,
                               .gid = st->st_gid,
                               .mtime_sec = st->st_mtim.tv_sec,
                               .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec};
    if (S_ISREG(st->st_mode)) {
        e->type = SW_TAR_FILE;
        e->size = (uint64_t)st->st_size;
    } else if (S_ISDIR(st->st_mode)) {
        e->type = SW_TAR_DIR;
    } else if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlinkat(dir_fd, name, link, 4096);
        if (n < 0) return sw_fail_sys(err, errno, "read the link %s", name);
        e->type = SW_TAR_SYMLINK;
        e->linkname = sw_str_n(link, (size_t)n);
    } else {
        return sw_fail(err, SW_UNSUPPORTED, "%s is a socket or device", name);
    }
    return SW_OK;
}

static enum sw_code put_tree(struct walk *k, int dir_fd, const char *name, unsigned depth,
                             struct sw_error *err) {
    struct sw_tar_entry e;
    struct stat st;
    char link[4096];
    size_t before = k->path.len;
    enum sw_code code = sw_cancel_check(err);
    if (!code && depth > SW_TREE_DEPTH_MAX)
        code = sw_fail(err, SW_LIMIT, "more than %d directories deep", SW_TREE_DEPTH_MAX);
    if (!code) code = describe(dir_fd, name, &e, &st, link, err);
    /* A socket that a tool left behind is no loss. */
    if (code == SW_UNSUPPORTED) return SW_OK;
    if (code) return code;
    sw_buf_addf(&k->path, "/%s", name);
    e.path = sw_buf_str(&k->path);
    SW_FD int fd = -1;
    code = sw_tar_write_header(&k->w->block, &e, err);
    if (!code && e.type != SW_TAR_SYMLINK)
        code = sw_open_at(dir_fd, name,
                          O_RDONLY | O_NOFOLLOW | (e.type == SW_TAR_DIR ? O_DIRECTORY : 0), 0, &fd,
                          err);
    if (!code && e.type == SW_TAR_FILE) code = put_content(k->w, fd, e.size, err);
    if (!code) code = flush(k->w, err);
    if (!code && e.type == SW_TAR_DIR) code = put_directory(k, fd, depth, err);
    sw_buf_truncate(&k->path, before);
    return code;
}

static enum sw_code put_mount(struct writer *w, int root, const struct sw_cache_mount *m,
                              struct sw_error *err) {
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    char name[SW_CACHE_MOUNT_NAME_MAX];
    struct walk k = {.w = w};
    sw_cache_mount_name(m->id, name);
    enum sw_code code = sw_open_at(root, m->name.ptr, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_lock_file_at(dir, "lock", true, false, &lock, err);
    if (code) return code;
    sw_buf_init(&k.path, 65536);
    sw_buf_add_text(&k.path, name);
    code = put_tree(&k, dir, "id", 0, err);
    if (!code) code = put_tree(&k, dir, "data", 0, err);
    sw_buf_done(&k.path);
    return code;
}

enum sw_code sw_cache_mounts_export(struct sw_store *store,
                                    const struct sw_cache_mount *const *mounts, size_t n,
                                    enum sw_compression compression, int fd, struct sw_error *err) {
    SW_FD int root = -1;
    struct writer w;
    enum sw_code code = sw_cache_mounts_root(store, &root, err);
    if (code) return code;
    code = writer_init(&w, compression, fd, err);
    for (size_t i = 0; i < n && !code; i++) {
        code = put_mount(&w, root, mounts[i], err);
        if (code) sw_context(err, "exporting cache mount %.*s", SW_ARG(mounts[i]->id));
    }
    if (!code) code = writer_finish(&w, err);
    writer_done(&w);
    return code;
}

/* ---- reading ---- */

/* A directory's mode and time, given at the end: modules of Go are read-only. */
struct late {
    char *path;
    uint32_t mode;
    struct timespec mtime;
};

struct import {
    struct sw_store *store;
    struct sw_tar_reader *reader;
    struct sw_arena *arena;
    struct sw_strs *ids;
    int root, temp;
    char name[SW_CACHE_MOUNT_NAME_MAX]; /* the mount at hand; "" before the first */
    struct sw_str id;
    SW_VEC(struct late) late;
};

static enum sw_code write_content(struct import *m, int fd, struct sw_error *err) {
    for (;;) {
        struct sw_tar_piece piece;
        enum sw_code code = sw_tar_read(m->reader, &piece, err);
        if (code || !piece.bytes.len) return code;
        code = sw_write_full(fd, piece.bytes.ptr, piece.bytes.len, err);
        if (code) return code;
    }
}

static enum sw_code make_entry(struct import *m, const struct sw_tar_entry *e, const char *path,
                               struct sw_error *err) {
    SW_FD int dir = -1;
    SW_FD int fd = -1;
    char name[NAME_MAX + 1];
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = e->mtime_sec, .tv_nsec = e->mtime_nsec}};
    enum sw_code code = sw_open_parent_beneath(m->temp, path, &dir, name, sizeof name, err);
    if (code) return code;
    if (e->type == SW_TAR_DIR) {
        if (mkdirat(dir, name, 0700) < 0) return sw_fail_sys(err, errno, "make %s", path);
        struct late late = {sw_strdup(path), e->mode & 07777, times[1]};
        sw_vec_add(&m->late, late);
    } else if (e->type == SW_TAR_SYMLINK) {
        if (symlinkat(sw_arena_cstr(m->arena, e->linkname), dir, name) < 0)
            return sw_fail_sys(err, errno, "make the link %s", path);
    } else if (e->type == SW_TAR_FILE) {
        code = sw_open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, err);
        if (!code) code = write_content(m, fd, err);
        if (code) return code;
    } else {
        return sw_fail(err, SW_SYNTAX, "%s: an entry that no cache mount has", path);
    }
    /* Without rights (one ID in the namespace) everything is ours anyway. */
    if (fchownat(dir, name, (uid_t)e->uid, (gid_t)e->gid, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno != EPERM && errno != EINVAL)
        return sw_fail_sys(err, errno, "give %s to its owner", path);
    if (e->type == SW_TAR_FILE && fchmod(fd, e->mode & 07777) < 0)
        return sw_fail_sys(err, errno, "set the mode of %s", path);
    if (e->type != SW_TAR_DIR) utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
    return SW_OK;
}

static enum sw_code set_late(struct import *m, struct sw_error *err) {
    enum sw_code code = SW_OK;
    while (m->late.len) {
        struct late *l = &m->late.ptr[--m->late.len];
        SW_FD int fd = -1;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, l->mtime};
        if (!code) code = sw_open_beneath(m->temp, l->path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (!code && (fchmod(fd, l->mode) < 0 || futimens(fd, times) < 0))
            code = sw_fail_sys(err, errno, "set the mode of %s", l->path);
        free(l->path);
    }
    return code;
}

/* The mount that was read takes its place. */
static enum sw_code settle(struct import *m, struct sw_error *err) {
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    if (!m->name[0]) return SW_OK;
    enum sw_code code = set_late(m, err);
    if (!code) code = sw_mkdirs_at(m->root, m->name, 0755, err);
    if (!code) code = sw_open_at(m->root, m->name, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_lock_file_at(dir, "lock", true, false, &lock, err);
    if (!code) code = sw_write_file_at(dir, "id", 0644, m->id, err);
    if (!code) code = sw_cache_mount_drop(m->store, dir, err);
    if (!code && renameat(m->temp, "data", dir, "data") < 0)
        code = sw_fail_sys(err, errno, "give a cache mount its content");
    if (code) return sw_context(err, "importing cache mount %.*s", SW_ARG(m->id));
    sw_strs_add(m->arena, m->ids, m->id);
    m->name[0] = '\0';
    return SW_OK;
}

/* NAME/id begins a mount. */
static enum sw_code begin(struct import *m, struct sw_str dir, struct sw_error *err) {
    SW_BUF struct sw_buf id;
    sw_buf_init(&id, SW_CACHE_MOUNT_ID_MAX);
    enum sw_code code = settle(m, err);
    for (struct sw_tar_piece piece = {.bytes = SW_STR("")}; !code;) {
        code = sw_tar_read(m->reader, &piece, err);
        if (code || !piece.bytes.len) break;
        sw_buf_add(&id, piece.bytes);
    }
    if (!code) code = sw_buf_check(&id, "the id of a cache mount", err);
    if (code) return code;
    sw_cache_mount_name(sw_buf_str(&id), m->name);
    if (!sw_str_is(dir, m->name)) {
        m->name[0] = '\0';
        return sw_fail(err, SW_SYNTAX, "the archive has an id that is not its directory's");
    }
    m->id = sw_arena_str(m->arena, sw_buf_str(&id));
    return SW_OK;
}

static enum sw_code take(struct import *m, const struct sw_tar_entry *e, struct sw_error *err) {
    SW_BUF struct sw_buf scratch;
    struct sw_str path, dir, rest;
    sw_buf_init(&scratch, 65536);
    enum sw_code code = sw_tar_clean_path(e->path, &scratch, &path, err);
    if (code) return code;
    if (sw_str_cut(path, '/', &dir, &rest)) {
        if (sw_str_is(rest, "id") && e->type == SW_TAR_FILE) return begin(m, dir, err);
        bool is_data = sw_str_is(rest, "data") || sw_str_starts(rest, SW_STR("data/"));
        if (is_data && m->name[0] && sw_str_is(dir, m->name)) {
            SW_FREE char *text = sw_asprintf("%.*s", SW_ARG(rest));
            return make_entry(m, e, text, err);
        }
    }
    return sw_fail(err, SW_SYNTAX,
                   "%.*s: this is no archive of cache mounts; `slipway cache export` makes one",
                   SW_ARG(path));
}

static enum sw_code read_all(struct import *m, struct sw_layer_stream *stream,
                             struct sw_error *err) {
    struct sw_tar_reader reader;
    sw_tar_reader_init(&reader, sw_layer_stream_source(stream), NULL);
    m->reader = &reader;
    enum sw_code code = SW_OK;
    while (!code) {
        const struct sw_tar_entry *e;
        code = sw_cancel_check(err);
        if (!code) code = sw_tar_next(&reader, &e, err);
        if (code || !e) break;
        code = take(m, e, err);
    }
    if (!code) code = settle(m, err);
    sw_tar_reader_done(&reader);
    return code;
}

enum sw_code sw_cache_mounts_import(struct sw_store *store, int fd, struct sw_arena *a,
                                    struct sw_strs *ret_ids, struct sw_error *err) {
    SW_FD int root = -1;
    SW_FD int temp = -1;
    SW_BUF struct sw_buf path;
    struct import m = {.store = store, .arena = a, .ids = ret_ids};
    sw_buf_init(&path, 4096);
    enum sw_code code = sw_cache_mounts_root(store, &root, err);
    if (!code) code = sw_store_temp_dir(store, &path, &temp, err);
    if (code) return code;
    m.root = root;
    m.temp = temp;
    struct sw_layer_stream_options options = {.max_bytes = ARCHIVE_MAX};
    SW_LAYER_STREAM struct sw_layer_stream *stream = sw_layer_stream_new(fd, &options);
    code = read_all(&m, stream, err);
    for (size_t i = 0; i < m.late.len; i++) free(m.late.ptr[i].path);
    sw_vec_done(&m.late);
    sw_store_temp_remove(store, path.ptr);
    return code;
}
