/* Unpacking one archive into one directory; finishing it against the layers below.
 *
 * Floor 3, private to the room. An unpacker belongs to one thread at a time.
 *
 *     init --tree (archive into fs/)--> unpacked --finish (lower layers)--> complete
 *
 * Whatever the archive says, every name is created in a directory that was opened beneath the
 * root of the tree, with O_NOFOLLOW and O_EXCL; content never goes through a path.
 */
#ifndef SW_STORE_UNPACK_INTERNAL_H
#define SW_STORE_UNPACK_INTERNAL_H

#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/tar_reader.h"
#include "store/unpack.h"

#define SW_DIR_CACHE_SIZE 64

struct sw_file_id {
    uint64_t dev, ino;
};

struct sw_cached_dir {
    char *path; /* owned; NULL for an empty place */
    int fd;
};

/* A directory whose mode and times are set at the end, because creating entries changes them. Told
 * apart by inode: through links of the layer one directory may have several paths. */
struct sw_late_dir {
    struct sw_file_id id;
    struct sw_str path; /* arena */
    uint32_t mode;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    bool implicit; /* only follows from paths so far: its attributes come from below */
};

struct sw_late_link {
    struct sw_str path, target; /* arena; the target is in a lower layer */
};

struct sw_unpacker {
    const struct sw_unpack_options *options; /* borrowed */
    int root;                                /* borrowed; fs/ */
    struct sw_arena arena;
    struct sw_cached_dir dirs[SW_DIR_CACHE_SIZE];
    struct sw_map late_index;             /* path -> position in late_dirs plus 1 */
    SW_VEC(struct sw_late_dir) late_dirs; /* implicit parents before their children */
    SW_VEC(struct sw_late_link) late_links;
    struct sw_unpack_notes notes;
    uint64_t bytes, entries;
    struct sw_buf path, link, scratch;
    struct sw_buf root_path, dir_path; /* as the kernel names them; root_path ends with '/' */
};

void sw_unpacker_init(struct sw_unpacker *u, const struct sw_unpack_options *options, int root);
void sw_unpacker_done(struct sw_unpacker *u);
/* Everything from the source, up to the end of the archive. */
SW_NODISCARD enum sw_code sw_unpacker_tree(struct sw_unpacker *u, struct sw_tar_source source,
                                           struct sw_error *err);
/* Whether the result depends on the layers below. */
bool sw_unpacker_depends(const struct sw_unpacker *u);
/* Copies up what comes from below (lower: directories, lowest layer first), then sets the late
 * modes and times. */
SW_NODISCARD enum sw_code sw_unpacker_finish(struct sw_unpacker *u, const int *lower,
                                             size_t n_lower, struct sw_error *err);

/* ---- shared by unpack_tree.c and unpack_lower.c ---- */

/* Where an entry goes: a directory (borrowed from the cache until the next call) and a name. */
struct sw_place {
    int dir;
    char name[256];
};
SW_NODISCARD enum sw_code sw_unpacker_place(struct sw_unpacker *u, struct sw_str path,
                                            struct sw_place *ret, struct sw_error *err);
/* Makes room for an entry that is not a directory, by removing what the archive put there. */
SW_NODISCARD enum sw_code sw_unpacker_clear(struct sw_unpacker *u, const struct sw_place *at,
                                            struct sw_error *err);

/* Owner, extended attributes, mode and times, in the order in which the kernel keeps them. fd is
 * the open file or directory, or -1 for an entry that cannot be opened (links, nodes). A
 * directory's mode and times are set late. */
struct sw_unpack_attributes {
    bool is_dir, is_link;
    uint32_t mode;
    uint64_t uid, gid;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    const struct sw_tar_xattr *xattrs;
    size_t n_xattrs;
};
/* Records a directory, open at fd, to be settled in the end. */
SW_NODISCARD enum sw_code sw_unpacker_late_dir(struct sw_unpacker *u, struct sw_str path, int fd,
                                               const struct sw_unpack_attributes *attr,
                                               bool implicit, struct sw_error *err);
SW_NODISCARD enum sw_code sw_unpacker_attributes(struct sw_unpacker *u, const struct sw_place *at,
                                                 int fd, const struct sw_unpack_attributes *attr,
                                                 struct sw_error *err);
/* Marks a directory so that overlay hides what is below it. */
SW_NODISCARD enum sw_code sw_unpacker_set_opaque(struct sw_unpacker *u, int dir, const char *name,
                                                 struct sw_error *err);
/* Overlay's sign for a name that is hidden. */
bool sw_is_whiteout_node(const struct stat *st);
/* Name of the attribute of an opaque directory; NULL for SW_OVERLAY_FILES. */
const char *sw_overlay_opaque_xattr(enum sw_overlay_form form);

#endif
