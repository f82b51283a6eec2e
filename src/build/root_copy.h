/* RUN where the host has no overlay: a copy of the whole root, and afterwards what differs.
 *
 * Floor 5. One thread.
 *
 *     view --copy--> DRAFT/root --the command--> DRAFT/root --diff--> DRAFT/fs
 *
 * What moves to fs is what an overlay's upper directory would hold: files of which anything
 * changed, the directories above them, whiteouts; in SW_OVERLAY_FILES form, so that the layer's
 * bytes are the same. A file counts as changed by its inode and change time, which no program can
 * set; a directory by its attributes and by what is in it.
 */
#ifndef SW_BUILD_ROOT_COPY_H
#define SW_BUILD_ROOT_COPY_H

#include "build/copy.h"
#include "sandbox/overlay.h"

struct sw_root_copy {
    struct sw_copy copy;
    struct sw_map *before; /* path -> what it was, in the copy's arena */
    int root_fd;           /* owned */
    unsigned stubs;        /* mount points in etc that we made: 1 << index */
};

void sw_root_copy_init(struct sw_root_copy *r);
void sw_root_copy_done(struct sw_root_copy *r);
#define SW_ROOT_COPY SW_CLEANUP(sw_root_copy_done)

/* Copies the view to "root" in the draft's directory. Its layers must be snapshots. */
SW_NODISCARD enum sw_code sw_root_copy_make(struct sw_root_copy *r, struct sw_source *view,
                                            int draft_dir, bool remember_owner,
                                            struct sw_pool *pool, struct sw_error *err);
/* Moves what changed since to fs. */
SW_NODISCARD enum sw_code sw_root_copy_diff(struct sw_root_copy *r, int fs, struct sw_error *err);

/* The overlay that this host can mount for this store, and the form of snapshots that goes with it.
 * Asked once for a boot where the kernel can do it; SLIPWAY_FAULT=overlay:1+:ENOSYS denies it. */
SW_NODISCARD enum sw_code sw_overlay_choose(struct sw_store *store, const struct sw_userns *userns,
                                            struct sw_overlay_mode *ret, enum sw_overlay_form *form,
                                            struct sw_error *err);

#endif
