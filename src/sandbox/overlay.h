/* Overlay mounts: what this host can do, and the description of one.
 *
 * Floor 3. Thread-safe. Nothing here is mounted in our own mount namespace: a sandbox mounts its
 * overlays in its private one, so that none outlives it.
 */
#ifndef SW_SANDBOX_OVERLAY_H
#define SW_SANDBOX_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "sandbox/userns.h"

/* The kernel's own maximum (OVL_MAX_STACK). */
#define SW_OVERLAY_LOWERS_MAX 500

enum sw_overlay_kind {
    SW_OVERLAY_NONE = 0, /* neither: the caller copies */
    SW_OVERLAY_KERNEL,   /* overlayfs */
    SW_OVERLAY_FUSE,     /* fuse-overlayfs, inside the sandbox's mount namespace */
};

/* What sw_overlay_probe() found for one directory; the caller keeps it and passes it on. */
struct sw_overlay_mode {
    enum sw_overlay_kind kind;
    bool user_xattr;  /* marks are user.overlay.opaque, not trusted.overlay.opaque */
    bool is_volatile; /* "volatile" is known: no sync of the upper directory at unmount */
    bool no_extras;   /* metacopy, redirect_dir and index are known, and turned off */
    /* FUSE: marks may be files as in layers, .wh.NAME, .wh..wh..opq and .wh..opq, beside or instead
     * of character devices and xattrs. */
    bool wh_files;
    char fuse_path[256];
    char why[256]; /* why the kind is not a better one, with advice; "" for SW_OVERLAY_KERNEL */
};

/* Names are relative to the directory they belong to, may contain '/', and no component of them is
 * a symbolic link. Top layer first, as in overlayfs's own lowerdir=. */
struct sw_overlay {
    int lower_dir; /* borrowed; holds the lower directories */
    const char *const *lowers;
    size_t n_lowers;
    /* upper and work lie in scratch_dir (one file system), work is empty and is not used again.
     * Both NULL: read-only. A sandbox may make the directory WORK.stub beside work, for mount
     * points that the image lacks, and removes it; after a kill -9 it is the caller's to remove
     * with the rest of scratch_dir. */
    int scratch_dir; /* borrowed */
    const char *upper, *work;
};

/* Tries, in a child's mount namespace, an overlay with its upper directory in dir: that it mounts,
 * that removing leaves a whiteout, and that a replaced directory is marked opaque. About 1 ms;
 * leaves nothing in dir. Fails only where dir cannot be written; a host without overlays is a
 * result. */
SW_NODISCARD enum sw_code sw_overlay_probe(int dir, const struct sw_userns *userns,
                                           struct sw_overlay_mode *ret, struct sw_error *err);

#endif
