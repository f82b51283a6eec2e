/* Tar archives: entries, and the deterministic writer of image layers.
 *
 * Floor 1. Pure. Reading is in codec/tar_reader.h. The bytes that the writer makes are a contract:
 * docs/format/layer-tar.md.
 */
#ifndef SW_CODEC_TAR_H
#define SW_CODEC_TAR_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/limits.h"

/* Part of every cache key that decides layer bytes. Raised with any change of the bytes. */
#define SW_TAR_FORMAT_VERSION 1

#define SW_TAR_BLOCK 512

enum sw_tar_type {
    SW_TAR_FILE = '0',
    SW_TAR_HARDLINK = '1',
    SW_TAR_SYMLINK = '2',
    SW_TAR_CHAR = '3',
    SW_TAR_BLOCKDEV = '4',
    SW_TAR_DIR = '5',
    SW_TAR_FIFO = '6',
};

struct sw_tar_xattr {
    struct sw_str name;  /* "user.x", "security.capability": without a SCHILY prefix */
    struct sw_str value; /* any bytes */
};

struct sw_tar_entry {
    struct sw_str path; /* as it stands in the archive; the writer ends directories with '/' */
    enum sw_tar_type type;
    uint32_t mode; /* permission bits with set-ID and sticky: 07777 */
    uint64_t uid, gid;
    int64_t mtime_sec;   /* since 1970, may be negative */
    uint32_t mtime_nsec; /* 0 .. 999999999, counts upwards from mtime_sec */
    uint64_t size;       /* content bytes; 0 unless SW_TAR_FILE */
    struct sw_str linkname;
    uint32_t devmajor, devminor;
    const struct sw_tar_xattr *xattrs; /* the writer sorts by name */
    size_t n_xattrs;
    struct sw_str uname,
        gname; /* empty in layers; the reader fills them, the writer ignores them */
};

/* Appends the header blocks of an entry (a pax extended header first, where ustar cannot say it)
 * to out. The content, e->size bytes, and sw_tar_pad() of it follow from the caller. Names are any
 * bytes but NUL. SW_SYNTAX where the entry cannot be archived (empty path, NUL in a name, content
 * of a type that has none), SW_LIMIT past SW_TAR_PAX_MAX. */
SW_NODISCARD enum sw_code sw_tar_write_header(struct sw_buf *out, const struct sw_tar_entry *e,
                                              struct sw_error *err);
/* Zero bytes after a content of size bytes: 0 .. 511. */
static inline size_t sw_tar_pad(uint64_t size) {
    return (size_t)((SW_TAR_BLOCK - size % SW_TAR_BLOCK) % SW_TAR_BLOCK);
}
/* Appends the padding after a content of size bytes; the two blocks that end an archive. */
void sw_tar_write_pad(struct sw_buf *out, uint64_t size);
void sw_tar_write_end(struct sw_buf *out);

/* The path of a layer entry relative to the root: "./a//b/" and "/a/./b" give "a/b", the root
 * itself gives "". *ret points into raw where that is possible, else into scratch (which is
 * reset). SW_SYNTAX on "..", on NUL and on paths longer than 4095 bytes. */
SW_NODISCARD enum sw_code sw_tar_clean_path(struct sw_str raw, struct sw_buf *scratch,
                                            struct sw_str *ret, struct sw_error *err);

#endif
