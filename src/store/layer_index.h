/* What a layer contains, without unpacking it: a compact index of its archive's entries.
 *
 * Floor 3. Thread-safe once opened: it is mapped and never changes. slipway/index/<diff ID>,
 * docs/format/layer-index.md. Built in one decompression pass that verifies the diff ID.
 */
#ifndef SW_STORE_LAYER_INDEX_H
#define SW_STORE_LAYER_INDEX_H

#include "codec/tar.h"
#include "store/store.h"
#include "store/unpack.h"

struct sw_layer_index;

/* An entry; views point into the mapping. The path is clean ("etc/passwd", "" for the root). */
struct sw_layer_entry {
    struct sw_str path;
    enum sw_tar_type type; /* of a hard link: that of its target, where the layer has it */
    uint32_t mode;         /* 07777 */
    uint64_t uid, gid, size;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    struct sw_str linkname; /* symbolic link: its target; other hard link: a clean path */
    bool hardlink;
    bool whiteout;         /* the path is hidden from lower layers; nothing else is meant */
    bool opaque;           /* a directory whose lower content is hidden */
    bool implicit;         /* a directory that only follows from paths: attributes unknown */
    struct sw_str content; /* ptr set for small files of interest: see below */
};

/* Files whose content is kept, where they are at most 1 MiB: etc/passwd, etc/group,
 * etc/os-release, usr/lib/os-release, etc/mime.types. */

/* Opens the index of a layer, building it where it is missing. Owned: _free. */
SW_NODISCARD enum sw_code sw_layer_index_open(struct sw_store *store,
                                              const struct sw_unpack_layer *layer,
                                              struct sw_layer_index **ret, struct sw_error *err);
void sw_layer_index_free(struct sw_layer_index *index);
size_t sw_layer_index_count(const struct sw_layer_index *index);
/* Entries sorted by path, bytewise; i < count. */
void sw_layer_index_at(const struct sw_layer_index *index, size_t i, struct sw_layer_entry *ret);
/* The first entry whose path is not less; count where there is none. */
size_t sw_layer_index_lower_bound(const struct sw_layer_index *index, struct sw_str path);
bool sw_layer_index_find(const struct sw_layer_index *index, struct sw_str path,
                         struct sw_layer_entry *ret);

/* The root filesystem that a stack of layers makes, as overlay would show it. */
struct sw_rootfs;
/* All layers of an image, lowest first; missing indexes are built (in parallel where pool allows;
 * it may be NULL). n 0 is an empty root. Owned: _free. */
SW_NODISCARD enum sw_code sw_rootfs_open(struct sw_store *store, struct sw_pool *pool,
                                         const struct sw_unpack_layer *layers, size_t n,
                                         struct sw_rootfs **ret, struct sw_error *err);
void sw_rootfs_free(struct sw_rootfs *fs);
void sw_rootfs_freep(struct sw_rootfs **fs);

/* What a path is, resolved inside the root: symbolic links on the way are followed (at most 40),
 * ".." stops at the root. follow: a link at the end, too. ret_path (may be NULL): the clean path
 * that was reached. SW_NOT_FOUND: ret_path then is where it would be created, with every link on
 * the way followed. SW_DENIED for a file on the way ("not a directory"). */
SW_NODISCARD enum sw_code sw_rootfs_stat(const struct sw_rootfs *fs, struct sw_str path,
                                         bool follow, struct sw_layer_entry *ret,
                                         struct sw_buf *ret_path, struct sw_error *err);
/* The content of one of the files listed above. SW_NOT_FOUND; SW_LIMIT where it is there but its
 * content was not kept. The view lives as long as fs. */
SW_NODISCARD enum sw_code sw_rootfs_read(const struct sw_rootfs *fs, struct sw_str path,
                                         struct sw_str *ret, struct sw_error *err);
/* The names in a directory, sorted, merged over the layers; views live as long as fs. Stops early
 * and returns what each returns other than SW_OK. */
SW_NODISCARD enum sw_code sw_rootfs_list(const struct sw_rootfs *fs, struct sw_str dir,
                                         enum sw_code (*each)(void *ctx, struct sw_str name,
                                                              const struct sw_layer_entry *entry,
                                                              struct sw_error *err),
                                         void *ctx, struct sw_error *err);

#endif
