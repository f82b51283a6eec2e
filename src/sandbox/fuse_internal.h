/* fuse-overlayfs where the kernel's overlayfs cannot be had.
 *
 * Floor 3, private. Async-signal-safe.
 */
#ifndef SW_SANDBOX_FUSE_INTERNAL_H
#define SW_SANDBOX_FUSE_INTERNAL_H

/* Mounts on target in this process's mount namespace. program and data (its -o) are paths as seen
 * from root, a directory that becomes the program's root ("/": none). The program's server stays
 * behind as a child of this process's namespace of processes and ends with it. 0 or -errno. */
int sw_fuse_mount(const char *program, const char *data, const char *root, const char *target);

#endif
