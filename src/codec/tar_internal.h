/* What the reading and the writing half of tar share, and the parts of the reader.
 *
 * Floor 1, private to codec.
 */
#ifndef SW_CODEC_TAR_INTERNAL_H
#define SW_CODEC_TAR_INTERNAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/tar_reader.h"

#define TAR_NAME_LEN 100
#define TAR_PREFIX_LEN 155
#define TAR_XATTR_SCHILY "SCHILY.xattr."
#define TAR_XATTR_LIBARCHIVE "LIBARCHIVE.xattr."

/* POSIX ustar. */
struct tar_header {
    unsigned char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    unsigned char linkname[100], magic[8], uname[32], gname[32], devmajor[8], devminor[8];
    unsigned char prefix[155], unused[12];
};
_Static_assert(sizeof(struct tar_header) == SW_TAR_BLOCK, "a header is one block");

/* GNU's use of the prefix field. */
#define TAR_GNU_SPARSE_AT 386 /* four regions: 12 bytes of offset, 12 of length each */
#define TAR_GNU_EXTENDED_AT 482
#define TAR_GNU_REALSIZE_AT 483
#define TAR_GNU_MORE_REGIONS 21 /* in each block that follows */
#define TAR_GNU_MORE_EXTENDED_AT 504

struct tar_region {
    uint64_t offset, len;
};

/* What pax records say; views into the records. */
struct tar_pax {
    struct sw_str path, linkpath, uname, gname;
    bool has_size, has_uid, has_gid, has_mtime;
    uint64_t size, uid, gid;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    /* GNU sparse files; offsets of 0.0 come one record each. */
    struct sw_str sparse_name, sparse_map;
    bool has_sparse_size, sparse_00, sparse_1;
    bool sparse_pending; /* sparse_offset waits for its length */
    uint64_t sparse_size, sparse_offset;
};

struct tar_xattr_list {
    struct sw_tar_xattr *ptr; /* owned */
    size_t len, cap;
};

struct sw_tar_reader_state {
    struct sw_tar_source source;
    struct sw_tar_limits limits;
    struct sw_str chunk; /* what is left of the chunk that the source lent */
    uint64_t offset;     /* bytes of the archive that were consumed */
    bool source_ended, ended;
    uint64_t n_entries;

    struct sw_tar_entry entry; /* what _next returned last */
    unsigned char header[SW_TAR_BLOCK];
    unsigned char block[SW_TAR_BLOCK]; /* a block that lay in two chunks */
    char joined[TAR_PREFIX_LEN + 1 + TAR_NAME_LEN];
    struct sw_buf local, global; /* pax records */
    struct sw_buf long_name, long_link;
    struct tar_pax global_pax;
    struct tar_xattr_list xattrs, global_xattrs;
    struct sw_arena decoded; /* extended attributes of libarchive's form */

    uint64_t stored_left; /* content of the entry that is still in the archive */
    size_t pad;           /* zeros that follow it */
    uint64_t file_offset; /* of the next piece */
    bool sparse;
    struct tar_region *regions; /* owned */
    size_t n_regions, cap_regions, region;
};

/* tar_reader.c: the next block, in the chunk or in r->block; *ret is NULL where the source ended
 * before it. Valid until the next call. */
SW_NODISCARD enum sw_code tar_take_block(struct sw_tar_reader_state *r, const unsigned char **ret,
                                         struct sw_error *err);
/* Octal with blanks around it, or base 256 (GNU). */
SW_NODISCARD enum sw_code tar_number(const unsigned char *field, size_t size, int64_t *ret,
                                     const char *what, struct sw_error *err);

/* tar_pax.c: reads records and lets them override what pax and xattrs hold. Regions of the sparse
 * form 0.0 go to r->regions. */
SW_NODISCARD enum sw_code tar_pax_parse(struct sw_tar_reader_state *r, struct sw_buf *records,
                                        struct tar_pax *pax, struct tar_xattr_list *xattrs,
                                        struct sw_error *err);

/* tar_sparse.c: collects the regions of the entry in each of the four forms, then checks that they
 * ascend, stay in the file and cover what is stored. */
SW_NODISCARD enum sw_code tar_sparse_add(struct sw_tar_reader_state *r, uint64_t offset,
                                         uint64_t len, struct sw_error *err);
SW_NODISCARD enum sw_code tar_sparse_gnu(struct sw_tar_reader_state *r, uint64_t *ret_size,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code tar_sparse_pax(struct sw_tar_reader_state *r, const struct tar_pax *pax,
                                         struct sw_error *err);
SW_NODISCARD enum sw_code tar_sparse_check(const struct sw_tar_reader_state *r, uint64_t size,
                                           struct sw_error *err);

#endif
