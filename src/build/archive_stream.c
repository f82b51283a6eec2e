#include "build/archive_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>

#include "base/mem.h"
#include "base/sys.h"

#ifndef SW_ARCHIVE_LINKED
#include <dlfcn.h>
#include <pthread.h>
#endif

#define BLOCK ((size_t)128 << 10)

struct sw_archive_stream {
    int fd;
    struct archive *archive; /* NULL: the file is not compressed */
    char *block;             /* owned; of a file that is not compressed */
};

/* ---- the library ---- */

#define FUNCTIONS(X)                                                                               \
    X(archive_read_new)                                                                            \
    X(archive_read_free)                                                                           \
    X(archive_read_support_filter_gzip)                                                            \
    X(archive_read_support_filter_bzip2)                                                           \
    X(archive_read_support_filter_xz)                                                              \
    X(archive_read_support_filter_zstd)                                                            \
    X(archive_read_support_format_raw)                                                             \
    X(archive_read_support_format_empty)                                                           \
    X(archive_read_open_fd)                                                                        \
    X(archive_read_next_header)                                                                    \
    X(archive_read_data_block)                                                                     \
    X(archive_error_string)

static struct {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;

#ifdef SW_ARCHIVE_LINKED
static enum sw_code load_library(struct sw_error *err) {
    (void)err;
#define TAKE(name) lib.name = name;
    FUNCTIONS(TAKE)
#undef TAKE
    return SW_OK;
}
#else
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

static void load(void) {
    void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
#define FIND(name)                                                                                 \
    {                                                                                              \
        void *found = dlsym(library, #name);                                                       \
        if (!found) return;                                                                        \
        memcpy(&lib.name, &found, sizeof found);                                                   \
    }
    FUNCTIONS(FIND)
#undef FIND
    loaded = true;
}

static enum sw_code load_library(struct sw_error *err) {
    pthread_once(&once, load);
    if (loaded) return SW_OK;
    return sw_fail(err, SW_UNSUPPORTED,
                   "compressed archives need libarchive.so.13, which was not found");
}
#endif

/* ---- the stream ---- */

static bool is_compressed(int fd) {
    static const struct {
        const char *magic;
        size_t len;
    } kinds[] = {{"\x1f\x8b", 2},
                 {"BZh", 3},
                 {"\xfd"
                  "7zXZ\0",
                  6},
                 {"\x28\xb5\x2f\xfd", 4}};
    unsigned char head[8];
    ssize_t n = sw_sys_pread(fd, head, sizeof head, 0);
    if (n < 4) return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if ((size_t)n >= kinds[i].len && !memcmp(head, kinds[i].magic, kinds[i].len)) return true;
    /* zstd's skippable frames, which may come first. */
    return (head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3);
}

static enum sw_code open_library(struct sw_archive_stream *s, struct sw_error *err) {
    struct archive_entry *entry;
    enum sw_code code = load_library(err);
    if (code) return code;
    s->archive = lib.archive_read_new();
    if (!s->archive) return sw_fail(err, SW_LIMIT, "libarchive has no memory");
    lib.archive_read_support_filter_gzip(s->archive);
    lib.archive_read_support_filter_bzip2(s->archive);
    lib.archive_read_support_filter_xz(s->archive);
    lib.archive_read_support_filter_zstd(s->archive);
    lib.archive_read_support_format_raw(s->archive);
    lib.archive_read_support_format_empty(s->archive);
    int r = lib.archive_read_open_fd(s->archive, s->fd, BLOCK);
    if (r == ARCHIVE_OK) r = lib.archive_read_next_header(s->archive, &entry);
    if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
        return sw_fail(err, SW_CORRUPT, "decompressing: %s",
                       lib.archive_error_string(s->archive) ? lib.archive_error_string(s->archive)
                                                            : "damaged");
    return SW_OK;
}

enum sw_code sw_archive_stream_open(int fd, struct sw_archive_stream **ret, struct sw_error *err) {
    SW_ARCHIVE_STREAM struct sw_archive_stream *s = sw_calloc(1, sizeof *s);
    s->fd = fd;
    if (lseek(fd, 0, SEEK_SET) < 0) return sw_fail_sys(err, errno, "rewind the archive");
    if (is_compressed(fd)) {
        enum sw_code code = open_library(s, err);
        if (code) return code;
    } else {
        s->block = sw_malloc(BLOCK);
    }
    *ret = s;
    s = NULL;
    return SW_OK;
}

void sw_archive_stream_free(struct sw_archive_stream *s) {
    if (!s) return;
    if (s->archive) lib.archive_read_free(s->archive);
    free(s->block);
    free(s);
}

void sw_archive_stream_freep(struct sw_archive_stream **s) { sw_archive_stream_free(*s); }

static enum sw_code next(void *ctx, struct sw_str *ret_chunk, struct sw_error *err) {
    struct sw_archive_stream *s = ctx;
    if (!s->archive) {
        ssize_t n = sw_sys_read(s->fd, s->block, BLOCK);
        if (n < 0) return sw_fail_sys(err, errno, "read the archive");
        *ret_chunk = sw_str_n(s->block, (size_t)n);
        return SW_OK;
    }
    const void *bytes;
    size_t len;
    la_int64_t offset;
    int r = lib.archive_read_data_block(s->archive, &bytes, &len, &offset);
    if (r == ARCHIVE_EOF) {
        *ret_chunk = SW_STR("");
        return SW_OK;
    }
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return sw_fail(err, SW_CORRUPT, "decompressing: %s",
                       lib.archive_error_string(s->archive) ? lib.archive_error_string(s->archive)
                                                            : "damaged");
    *ret_chunk = sw_str_n(bytes, len);
    return SW_OK;
}

struct sw_tar_source sw_archive_stream_source(struct sw_archive_stream *s) {
    return (struct sw_tar_source){next, s};
}

bool sw_archive_stream_probe(int fd) {
    struct sw_error ignored = {0};
    SW_ARCHIVE_STREAM struct sw_archive_stream *s = NULL;
    SW_TAR_READER struct sw_tar_reader reader = {0};
    const struct sw_tar_entry *entry = NULL;
    if (sw_archive_stream_open(fd, &s, &ignored)) return false;
    sw_tar_reader_init(&reader, sw_archive_stream_source(s), NULL);
    enum sw_code code = sw_tar_next(&reader, &entry, &ignored);
    /* Entries that no file system has a use for still are a tar header. */
    return code == SW_UNSUPPORTED || (!code && entry);
}
