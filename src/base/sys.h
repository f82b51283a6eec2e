/* The system calls that can fail in the field, behind one shim.
 *
 * Floor 0. Thread-safe. In a build with -Dfaults=true the environment variable
 *     SLIPWAY_FAULT=CALL:N:ACTION[,CALL:N:ACTION...]
 * makes the Nth use (from 1) of CALL take ACTION: the name of an errno (ENOSPC, EIO, ENOSYS ...),
 * "short" (a write or read of half the bytes) or "kill" (SIGKILL to the process, before the call).
 * N may be "N+": the Nth and all that follow. Without the option the shim costs nothing.
 *
 * Each function is its namesake: same arguments, -1 and errno on failure, EINTR retried where a
 * retry is safe. errno does not travel further than the caller, who reports it with sw_fail_sys().
 */
#ifndef SW_BASE_SYS_H
#define SW_BASE_SYS_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

int sw_sys_openat(int dirfd, const char *path, int flags, mode_t mode);
ssize_t sw_sys_read(int fd, void *to, size_t len);
ssize_t sw_sys_pread(int fd, void *to, size_t len, off_t offset);
ssize_t sw_sys_write(int fd, const void *from, size_t len);
ssize_t sw_sys_pwrite(int fd, const void *from, size_t len, off_t offset);
int sw_sys_fsync(int fd);
int sw_sys_fdatasync(int fd);
int sw_sys_ftruncate(int fd, off_t size);
int sw_sys_renameat(int from_dir, const char *from, int to_dir, const char *to);
/* renameat2(2) with RENAME_NOREPLACE; where the kernel or file system lacks it, link and unlink
 * (files) or rename (directories, which only replaces an empty one). EEXIST when taken. */
int sw_sys_renameat_new(int from_dir, const char *from, int to_dir, const char *to);
int sw_sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int sw_sys_symlinkat(const char *target, int dirfd, const char *path);
int sw_sys_unlinkat(int dirfd, const char *path, int flags);
int sw_sys_mkdirat(int dirfd, const char *path, mode_t mode);
int sw_sys_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev);
int sw_sys_fchownat(int dirfd, const char *path, uid_t uid, gid_t gid, int flags);
int sw_sys_fchmodat(int dirfd, const char *path, mode_t mode);
int sw_sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
/* Bytes moved inside the kernel (copy_file_range, else sendfile, else read and write); 0 at the
 * end. */
ssize_t sw_sys_copy(int from, int to, size_t len);

/* True when this use of the named call is to fail: sets errno (or does not return). For the few
 * calls that are made elsewhere (clone, sqlite's files). */
bool sw_sys_fault(const char *call);

#endif
