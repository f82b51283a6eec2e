#include "store/archive_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/sys.h"
#include "codec/compress.h"
#include "codec/tar_reader.h"
#include "store/layer_stream.h"
#include "store/store_internal.h"

/* Files of one archive: thousands of blobs, with room. */
#define MEMBERS_MAX 1000000
#define ARENA_MAX ((size_t)512 << 20)
#define LINKS_MAX 8

/* ---- a plain, seekable archive ---- */

/* A file without a name: beside the store's, else where temporary files go. */
static enum sw_code temporary(struct sw_store *s, int *ret, struct sw_error *err) {
    char temp[48];
    if (!s) return sw_temporary_file(ret, err);
    enum sw_code code = sw_store_temp_name(s, temp, sizeof temp, err);
    if (!code) code = sw_open_at(s->tmp_fd, temp, O_RDWR | O_CREAT | O_EXCL, 0600, ret, err);
    if (!code) unlinkat(s->tmp_fd, temp, 0);
    return code;
}

/* Everything from fd, decompressed, into a file without a name. */
static enum sw_code spool(struct sw_store *s, int fd, int *ret, struct sw_error *err) {
    SW_FD int out = -1;
    enum sw_code code = temporary(s, &out, err);
    if (code) return code;
    struct sw_layer_stream_options options = {.threaded = true};
    SW_LAYER_STREAM struct sw_layer_stream *stream = sw_layer_stream_new(fd, &options);
    struct sw_str chunk;
    do {
        code = sw_layer_stream_next(stream, &chunk, err);
        if (!code) code = sw_write_full(out, chunk.ptr, chunk.len, err);
        if (code) return sw_context(err, "unpacking the archive into a temporary file");
    } while (chunk.len);
    *ret = sw_take_fd(&out);
    return SW_OK;
}

static bool is_plain_file(int fd) {
    struct stat st;
    unsigned char magic[SW_COMPRESS_MAGIC_SIZE];
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0) return false;
    ssize_t n = sw_sys_pread(fd, magic, sizeof magic, 0);
    return n >= 0 && sw_compression_detect(magic, (size_t)n) == SW_COMPRESS_NONE;
}

/* Headers are read through a mapping, so that the reader skips contents without touching them. The
 * contents themselves are read with pread(2). */
struct mapped {
    const char *ptr;
    size_t len;
    bool given;
};

static enum sw_code lend(void *ctx, struct sw_str *ret_chunk, struct sw_error *err) {
    struct mapped *m = ctx;
    (void)err;
    *ret_chunk = m->given ? SW_STR("") : sw_str_n(m->ptr, m->len);
    m->given = true;
    return SW_OK;
}

/* A symbolic link (docker save wrote them for equal layers) or a hard link within the archive. */
static enum sw_code link_target(struct sw_archive_source *src, const struct sw_tar_entry *e,
                                struct sw_str path, struct sw_str *ret, struct sw_error *err) {
    SW_BUF struct sw_buf joined;
    SW_BUF struct sw_buf parts;
    sw_buf_init(&joined, PATH_MAX);
    sw_buf_init(&parts, PATH_MAX);
    size_t slash = sw_str_rfind_char(path, '/');
    if (e->type == SW_TAR_SYMLINK && slash != SIZE_MAX && !sw_str_starts(e->linkname, SW_STR("/")))
        sw_buf_add(&joined, sw_str_sub(path, 0, slash + 1));
    sw_buf_add(&joined, e->linkname);
    struct sw_str rest = sw_buf_str(&joined), part;
    while (sw_str_next(&rest, '/', &part)) {
        if (!part.len || sw_str_is(part, ".")) continue;
        if (sw_str_is(part, "..")) {
            if (!parts.len) return sw_fail(err, SW_SYNTAX, "a link leads out of the archive");
            size_t up = sw_str_rfind_char(sw_buf_str(&parts), '/');
            sw_buf_truncate(&parts, up == SIZE_MAX ? 0 : up);
            continue;
        }
        if (parts.len) sw_buf_add_char(&parts, '/');
        sw_buf_add(&parts, part);
    }
    *ret = sw_arena_str(&src->arena, sw_buf_str(&parts));
    return SW_OK;
}

/* The reader lends a file's content as one piece of the mapping: where that is, is the offset. */
static enum sw_code locate_content(struct sw_tar_reader *r, const struct mapped *map,
                                   const struct sw_tar_entry *e, struct sw_archive_member *m,
                                   struct sw_error *err) {
    struct sw_tar_piece piece;
    m->size = e->size;
    if (!e->size) return SW_OK;
    enum sw_code code = sw_tar_read(r, &piece, err);
    if (code) return code;
    if (piece.hole || piece.bytes.ptr < map->ptr || piece.bytes.ptr > map->ptr + map->len)
        return sw_fail(err, SW_UNSUPPORTED, "a sparse member in an image archive");
    m->offset = (uint64_t)(piece.bytes.ptr - map->ptr);
    if (piece.bytes.len == m->size) return SW_OK;
    if (m->offset + piece.bytes.len == map->len)
        return sw_fail(err, SW_CORRUPT, "the archive ends within it");
    return sw_fail(err, SW_UNSUPPORTED, "a sparse member in an image archive");
}

static enum sw_code add_member(struct sw_archive_source *src, struct sw_tar_reader *r,
                               const struct mapped *map, const struct sw_tar_entry *e,
                               struct sw_error *err) {
    SW_BUF struct sw_buf scratch;
    struct sw_str path;
    sw_buf_init(&scratch, PATH_MAX);
    enum sw_code code = sw_tar_clean_path(e->path, &scratch, &path, err);
    if (code) return code;
    bool link = e->type == SW_TAR_SYMLINK || e->type == SW_TAR_HARDLINK;
    if (e->type != SW_TAR_FILE && !link) return SW_OK;
    struct sw_archive_member *m = SW_NEW(&src->arena, struct sw_archive_member);
    path = sw_arena_str(&src->arena, path);
    code = link ? link_target(src, e, path, &m->link, err) : locate_content(r, map, e, m, err);
    if (code) return code;
    sw_map_put(&src->members, path, m);
    return sw_arena_check(&src->arena, "the list of an archive's members", err);
}

static enum sw_code read_members(struct sw_archive_source *src, struct mapped *map,
                                 struct sw_error *err) {
    struct sw_tar_limits limits = {.entries = MEMBERS_MAX};
    SW_TAR_READER struct sw_tar_reader r;
    sw_tar_reader_init(&r, (struct sw_tar_source){lend, map}, &limits);
    for (;;) {
        const struct sw_tar_entry *e;
        enum sw_code code = sw_tar_next(&r, &e, err);
        if (code || !e) return code;
        code = add_member(src, &r, map, e, err);
        if (code) return sw_context(err, "%.*s", SW_ARG(e->path));
    }
}

static enum sw_code index_archive(struct sw_archive_source *src, struct sw_error *err) {
    struct stat st;
    if (fstat(src->fd, &st) < 0) return sw_fail_sys(err, errno, "look at the archive");
    if (st.st_size < SW_TAR_BLOCK) return sw_fail(err, SW_SYNTAX, "not an image archive");
    struct mapped m = {.len = (size_t)st.st_size};
    void *map = mmap(NULL, m.len, PROT_READ, MAP_PRIVATE, src->fd, 0);
    if (map == MAP_FAILED) return sw_fail_sys(err, errno, "map the archive");
    m.ptr = map;
    enum sw_code code = read_members(src, &m, err);
    munmap(map, m.len);
    return code;
}

/* ---- the interface ---- */

enum sw_code sw_archive_source_open(struct sw_store *store, int fd, struct sw_archive_source *ret,
                                    struct sw_error *err) {
    struct stat st;
    enum sw_code code = SW_OK;
    *ret = (struct sw_archive_source){.store = store, .fd = -1};
    sw_arena_init(&ret->arena, ARENA_MAX);
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at the archive");
    if (S_ISDIR(st.st_mode)) {
        ret->is_dir = true;
        code = sw_open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0, &ret->fd, err);
    } else {
        if (is_plain_file(fd)) {
            ret->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            if (ret->fd < 0) code = sw_fail_sys(err, errno, "read the archive");
        } else {
            code = spool(store, fd, &ret->fd, err);
        }
        if (!code) code = index_archive(ret, err);
    }
    if (code) sw_archive_source_done(ret);
    return code;
}

void sw_archive_source_done(struct sw_archive_source *src) {
    sw_closep(&src->fd);
    sw_map_done(&src->members);
    sw_arena_done(&src->arena);
}

static const struct sw_archive_member *find(struct sw_archive_source *src, struct sw_str path) {
    for (int links = 0; links <= LINKS_MAX; links++) {
        const struct sw_archive_member *m = sw_map_get(&src->members, path);
        if (!m || !m->link.len) return m;
        path = m->link;
    }
    return NULL;
}

bool sw_archive_source_has(struct sw_archive_source *src, struct sw_str path) {
    if (!src->is_dir) return find(src, path) != NULL;
    SW_FREE char *text = sw_strndup(path.ptr, path.len);
    struct sw_error ignored;
    SW_FD int fd = -1;
    return !sw_open_beneath(src->fd, text, O_PATH, 0, &fd, &ignored);
}

enum sw_code sw_archive_source_locate(struct sw_archive_source *src, struct sw_str path,
                                      int *ret_fd, uint64_t *ret_offset, uint64_t *ret_size,
                                      struct sw_error *err) {
    if (!src->is_dir) {
        const struct sw_archive_member *m = find(src, path);
        if (!m) return sw_fail(err, SW_NOT_FOUND, "the archive has no %.*s", SW_ARG(path));
        int fd = fcntl(src->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) return sw_fail_sys(err, errno, "read the archive");
        *ret_fd = fd;
        *ret_offset = m->offset;
        *ret_size = m->size;
        return SW_OK;
    }
    SW_FREE char *text = sw_strndup(path.ptr, path.len);
    SW_FD int fd = -1;
    struct stat st;
    enum sw_code code = sw_open_beneath(src->fd, text, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (code) return code;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at %s", text);
    if (!S_ISREG(st.st_mode)) return sw_fail(err, SW_SYNTAX, "%s is not a file", text);
    *ret_fd = sw_take_fd(&fd);
    *ret_offset = 0;
    *ret_size = (uint64_t)st.st_size;
    return SW_OK;
}

enum sw_code sw_archive_source_read(struct sw_archive_source *src, struct sw_str path, size_t max,
                                    struct sw_buf *to, struct sw_error *err) {
    SW_FD int fd = -1;
    uint64_t offset, size;
    enum sw_code code = sw_archive_source_locate(src, path, &fd, &offset, &size, err);
    if (code) return code;
    if (size > max)
        return sw_fail(err, SW_LIMIT, "%.*s has %llu bytes, at most %zu are read", SW_ARG(path),
                       (unsigned long long)size, max);
    char *space = sw_buf_reserve(to, (size_t)size);
    if (!space) return sw_buf_check(to, "a document", err);
    for (uint64_t done = 0; done < size;) {
        ssize_t n = sw_sys_pread(fd, space + done, (size_t)(size - done), (off_t)(offset + done));
        if (n < 0) return sw_fail_sys(err, errno, "read %.*s", SW_ARG(path));
        if (n == 0) return sw_fail(err, SW_CORRUPT, "%.*s ends early", SW_ARG(path));
        done += (uint64_t)n;
    }
    to->len += (size_t)size;
    to->ptr[to->len] = 0;
    return SW_OK;
}
