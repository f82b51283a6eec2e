/* Files: descriptors that close themselves, safe paths beneath a root, atomic replacement, trees.
 *
 * Floor 0. Thread-safe. Every descriptor is opened with O_CLOEXEC.
 *
 * "Beneath" functions resolve a path as if root were "/": absolute paths and symbolic links are
 * interpreted inside it, ".." stops at it, magic links are refused. They use openat2(2) with
 * RESOLVE_IN_ROOT, and walk the components themselves where the kernel is older than 5.6.
 */
#ifndef SW_BASE_FS_H
#define SW_BASE_FS_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"

/* For SW_CLEANUP(sw_closep) int fd = -1; keeps errno. */
void sw_closep(int *fd);
#define SW_FD SW_CLEANUP(sw_closep)
/* Gives the descriptor away: returns it and sets *fd to -1. */
int sw_take_fd(int *fd);

/* Opens with O_CLOEXEC added; the error names the path. */
SW_NODISCARD enum sw_code sw_open_at(int dirfd, const char *path, int flags, mode_t mode,
                                     int *ret_fd, struct sw_error *err);
/* Opens a path beneath root (see above). flags as openat; O_NOFOLLOW keeps a final link unfollowed
 * (with O_PATH it is the way to get the link itself). */
SW_NODISCARD enum sw_code sw_open_beneath(int root, const char *path, int flags, mode_t mode,
                                          int *ret_fd, struct sw_error *err);
/* Opens the directory that holds path beneath root and gives its last component, so that it can be
 * created, renamed or removed there. name_size is the size of ret_name (NAME_MAX + 1 is enough).
 * "" and "/" and a last component ".." are SW_USAGE. */
SW_NODISCARD enum sw_code sw_open_parent_beneath(int root, const char *path, int *ret_dir,
                                                 char *ret_name, size_t name_size,
                                                 struct sw_error *err);
/* mkdir -p beneath root, following links inside it; an existing directory is success. */
SW_NODISCARD enum sw_code sw_mkdirs_beneath(int root, const char *path, mode_t mode,
                                            struct sw_error *err);
/* mkdir -p on a trusted path (our own state directories), relative to dirfd. */
SW_NODISCARD enum sw_code sw_mkdirs_at(int dirfd, const char *path, mode_t mode,
                                       struct sw_error *err);
/* The path that fd was opened by, as the kernel knows it, from /proc/self/fd. Into a buffer. */
SW_NODISCARD enum sw_code sw_fd_path(int fd, struct sw_buf *to, struct sw_error *err);

/* Removes a tree without following links or crossing into what others race in; a missing one is
 * success. Makes directories writable where it has to. */
SW_NODISCARD enum sw_code sw_remove_tree_at(int dirfd, const char *name, struct sw_error *err);

/* All bytes from the current offset to the end, at most max (SW_LIMIT beyond). */
SW_NODISCARD enum sw_code sw_read_fd(int fd, size_t max, struct sw_buf *to, struct sw_error *err);
SW_NODISCARD enum sw_code sw_read_file_at(int dirfd, const char *path, size_t max,
                                          struct sw_buf *to, struct sw_error *err);
/* All bytes or an error. */
SW_NODISCARD enum sw_code sw_write_full(int fd, const void *bytes, size_t len,
                                        struct sw_error *err);
/* Exactly len bytes or SW_CORRUPT "ends after N bytes". */
SW_NODISCARD enum sw_code sw_read_full(int fd, void *to, size_t len, struct sw_error *err);
/* Copies from the current offset of one to the other until the end; *ret_bytes may be NULL. */
SW_NODISCARD enum sw_code sw_copy_fd(int from, int to, uint64_t *ret_bytes, struct sw_error *err);

/* A file that appears whole under its name or not at all: written beside it under a temporary
 * name, synced, renamed, directory synced. */
struct sw_atomic_file {
    int fd;        /* write here; -1 when closed */
    int dirfd;     /* borrowed; where the name will be */
    char temp[64]; /* temporary name in dirfd, "" when there is none left to remove */
};
SW_NODISCARD enum sw_code sw_atomic_open(struct sw_atomic_file *f, int dirfd, mode_t mode,
                                         struct sw_error *err);
/* Gives it its name, replacing what is there. */
SW_NODISCARD enum sw_code sw_atomic_commit(struct sw_atomic_file *f, const char *name,
                                           struct sw_error *err);
/* Removes what was not committed. Safe after commit and on a zeroed struct with fd -1. */
void sw_atomic_done(struct sw_atomic_file *f);
#define SW_ATOMIC SW_CLEANUP(sw_atomic_done)
/* The same at once; name may be a path, dirfd AT_FDCWD. */
SW_NODISCARD enum sw_code sw_write_file_at(int dirfd, const char *name, mode_t mode,
                                           struct sw_str content, struct sw_error *err);
/* Makes what was created in a directory survive a power cut. */
SW_NODISCARD enum sw_code sw_sync_dir(int dirfd, struct sw_error *err);

/* A file without a name in TMPDIR, else /var/tmp, else /tmp. */
SW_NODISCARD enum sw_code sw_temporary_file(int *ret_fd, struct sw_error *err);

/* flock(2) on a file that is created when missing. wait false: SW_BUSY when somebody holds it. */
SW_NODISCARD enum sw_code sw_lock_file_at(int dirfd, const char *name, bool exclusive, bool wait,
                                          int *ret_fd, struct sw_error *err);

#endif
