/* The child's parts. Everything declared here is async-signal-safe: no allocation, no stdio.
 *
 * Floor 3, private. One thread.
 */
#ifndef SW_SANDBOX_CHILD_INTERNAL_H
#define SW_SANDBOX_CHILD_INTERNAL_H

#include "sandbox/plan_internal.h"

struct child {
    struct plan *plan;
    int root;             /* O_PATH of the sandbox's root while it is built */
    struct report report; /* scratch for messages */
    char real[PATH_MAX];  /* scratch of sw_child_walk */
    char rest[PATH_MAX];
    char link[PATH_MAX];
};

/* Reports "WHAT PATH: errnum" to the parent and ends. path may be NULL. */
_Noreturn void sw_child_fail(struct child *c, int errnum, const char *what, const char *path);
void sw_child_send(struct child *c, int fd_to_pass);

/* Writes a, b and c (any may be NULL) one after the other; false when it does not fit. */
bool sw_child_join(char *to, size_t size, const char *a, const char *b, const char *c);
char *sw_child_number(char *to, unsigned long value);

/* Resolves path inside c->root: c->real becomes the path without links, relative to the root ("" is
 * the root itself); *ret_missing is the offset in it where components begin that do not exist
 * (strlen where all do). 0 or -errno. */
int sw_child_walk(struct child *c, const char *path, size_t *ret_missing);
/* Opens a path (O_PATH) whose links lead nowhere out of dir. -errno on failure. */
int sw_child_open_in(struct child *c, int dir, const char *path);
/* A descriptor as a path, for mount(2). */
char *sw_child_fd_path(char *to, int fd);

/* The stage, the root and everything mounted in it; ends with the root as "/". */
void sw_child_build_root(struct child *c);
/* /proc, /sys and /dev as runc makes them; then what of them is hidden or protected. */
void sw_child_mount_system(struct child *c);
void sw_child_mask_paths(struct child *c);
/* Mounts on a target that exists inside the root, or fails. */
void sw_child_mount_on(struct child *c, const char *source, const char *target, const char *type,
                       unsigned long flags, const char *data);
/* Makes what is mounted there, and beneath it, read-only. */
void sw_child_read_only_on(struct child *c, const char *target);
/* Makes a mount point that is missing in the root itself, and reports it. */
void sw_child_make_target(struct child *c, const char *target, bool is_dir);

#endif
