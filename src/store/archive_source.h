/* An OCI layout directory or a tar archive, as a set of named files to read from.
 *
 * Floor 3. Once opened, any number of threads may read. An archive that is compressed or comes
 * through a pipe is first written, plain, to an unnamed temporary file: memory stays bounded and
 * members can be read in any order.
 */
#ifndef SW_STORE_ARCHIVE_SOURCE_H
#define SW_STORE_ARCHIVE_SOURCE_H

#include "base/arena.h"
#include "base/map.h"
#include "store/store.h"

struct sw_archive_source {
    struct sw_store *store;
    struct sw_arena arena;
    int fd; /* owned: the directory or the plain archive */
    bool is_dir;
    struct sw_map members; /* clean path -> struct sw_archive_member, in the arena */
};
#define SW_ARCHIVE_SOURCE SW_CLEANUP(sw_archive_source_done)

struct sw_archive_member {
    uint64_t offset, size;
    struct sw_str link; /* clean path of another member; "" for a file */
};

/* fd is borrowed. store says where temporary files go; NULL: TMPDIR. SW_SYNTAX where it is neither
 * a directory nor an archive. */
SW_NODISCARD enum sw_code sw_archive_source_open(struct sw_store *store, int fd,
                                                 struct sw_archive_source *ret,
                                                 struct sw_error *err);
void sw_archive_source_done(struct sw_archive_source *src);
bool sw_archive_source_has(struct sw_archive_source *src, struct sw_str path);
/* Where a file's bytes are: a descriptor (owned by the caller) positioned nowhere in particular,
 * an offset and a size. Links are followed inside the archive. SW_NOT_FOUND. */
SW_NODISCARD enum sw_code sw_archive_source_locate(struct sw_archive_source *src,
                                                   struct sw_str path, int *ret_fd,
                                                   uint64_t *ret_offset, uint64_t *ret_size,
                                                   struct sw_error *err);
/* A small file as a whole. SW_LIMIT beyond max. */
SW_NODISCARD enum sw_code sw_archive_source_read(struct sw_archive_source *src, struct sw_str path,
                                                 size_t max, struct sw_buf *to,
                                                 struct sw_error *err);

#endif
