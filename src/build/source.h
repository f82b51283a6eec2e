/* Where COPY and ADD take files from: a build context, the root of a stage or image, memory.
 *
 * Floor 5. Thread-safe: one source may serve several stages.
 *
 * Paths are clean and relative to the source's root ("" is the root), symbolic links are not
 * followed by any function but sw_source_resolve().
 */
#ifndef SW_BUILD_SOURCE_H
#define SW_BUILD_SOURCE_H

#include <sys/stat.h>

#include "base/arena.h"
#include "base/pool.h"
#include "codec/digest.h"
#include "codec/tar.h"
#include "dockerfile/ignore.h"
#include "store/store.h"

struct sw_node {
    enum sw_tar_type type;
    uint32_t mode; /* 07777 */
    uint32_t uid, gid;
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    bool linked; /* a file with several names */
    uint64_t size;
    /* Of the file itself, where there is one: with the size, the key of remembered hashes. (The
     * times above are the archive's and may be cut to the epoch.) */
    uint64_t dev, ino;
    int64_t changed_ns, modified_ns;
    uint32_t devmajor, devminor;
    struct sw_str link;                /* symbolic link's target; in the caller's arena */
    const struct sw_tar_xattr *xattrs; /* in the caller's arena */
    size_t n_xattrs;
};

struct sw_source;

struct sw_source_ops {
    /* SW_NOT_FOUND is normal. Strings of ret go to arena. listed: the path came from list(), so
     * it need not be held against the ignore file again. */
    enum sw_code (*stat)(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                         bool listed, struct sw_node *ret, struct sw_error *err);
    /* Names in a directory, sorted bytewise, in arena. */
    enum sw_code (*list)(struct sw_source *s, struct sw_arena *arena, struct sw_str path,
                         struct sw_str **ret_names, size_t *ret_n, struct sw_error *err);
    /* Opens a regular file for reading; *ret_st is its fstat. */
    enum sw_code (*open)(struct sw_source *s, struct sw_str path, int *ret_fd, struct stat *ret_st,
                         struct sw_error *err);
    /* The sha256 that is remembered for a file with this stat; may be NULL. */
    bool (*recall)(struct sw_source *s, const struct stat *st, struct sw_digest *ret);
    /* node: as stat made it, with its extended attributes. */
    void (*remember)(struct sw_source *s, const struct sw_node *node, const struct stat *st,
                     int64_t started_ns, const struct sw_digest *digest);
    /* Why a path is not there, for errors: "excluded by .dockerignore line 3 (*.txt)", or the
     * nearest name. In arena; may be NULL or return an empty text. */
    struct sw_str (*explain)(struct sw_source *s, struct sw_arena *arena, struct sw_str path);
    void (*free)(struct sw_source *s);
};

struct sw_source {
    const struct sw_source_ops *ops;
    struct sw_str name; /* for messages: "the build context", "stage builder" */
    bool clear_owners;  /* files of a context belong to 0:0 */
    bool clear_times;   /* and carry the epoch's time */
    bool has_excludes;  /* an ignore file hides paths: a whole directory cannot be taken blindly */
};

/* A directory of the host. ignore may be NULL. Hashes are remembered in the store. name: borrowed.
 */
SW_NODISCARD enum sw_code sw_source_directory(struct sw_store *store, const char *path,
                                              const struct sw_ignore *ignore,
                                              const char *ignore_name, struct sw_str name,
                                              struct sw_source **ret, struct sw_error *err);
/* Saves what was remembered. Takes NULL. */
void sw_source_free(struct sw_source *s);

/* Resolves symbolic links in path inside the source; the result is clean. missing_ok: a path of
 * which the end does not exist resolves to where it would be. */
SW_NODISCARD enum sw_code sw_source_resolve(struct sw_source *s, struct sw_arena *arena,
                                            struct sw_str path, bool follow_last, bool missing_ok,
                                            struct sw_str *ret, struct sw_error *err);

/* The sha256 of a file's content where it is remembered; node is its stat. */
bool sw_source_recall(struct sw_source *s, const struct sw_node *node, struct sw_digest *ret);
struct sw_source_file {
    struct sw_source *source;
    struct sw_str path;
    const struct sw_node *node;
    struct sw_digest *ret;
};
/* Reads one or two files, and remembers what they hash to; two at once take less time. */
SW_NODISCARD enum sw_code sw_source_hash(const struct sw_source_file *files, size_t n,
                                         struct sw_error *err);
/* Opens a file that was hashed, for copying: SW_BUSY when it is not the same any more. */
SW_NODISCARD enum sw_code sw_source_open_same(struct sw_source *s, struct sw_str path,
                                              const struct sw_node *node, int *ret_fd,
                                              struct sw_error *err);

/* Extended attributes of an open file or (path in /proc/self/fd form) anything else that belong in
 * an archive: all but the overlay's, SELinux's and system ones. Into arena, sorted. */
SW_NODISCARD enum sw_code sw_read_xattrs(struct sw_arena *arena, int dirfd, const char *name,
                                         struct sw_node *node, struct sw_error *err);
void sw_node_from_stat(struct sw_node *node, const struct stat *st);
/* The owner that a file of a snapshot could not be given: SW_UNPACK_OWNER_XATTR. */
void sw_node_remembered_owner(const char *path, struct sw_node *node);
/* Joins two clean relative paths. */
struct sw_str sw_path_join(struct sw_arena *arena, struct sw_str dir, struct sw_str name);

#endif
