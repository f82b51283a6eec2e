/* The marks that fuse-overlayfs leaves, made those that a kernel's overlay would have left.
 *
 * Floor 5. fuse-overlayfs marks every directory that it makes as opaque, in two ways, also where
 * there is nothing below; a layer would then depend on the host that it was made on.
 */
#ifndef SW_BUILD_FUSE_MARKS_H
#define SW_BUILD_FUSE_MARKS_H

#include "build/source.h"

/* dir_fd: the upper directory after the mount is gone; below: what it lay upon. One mark,
 * .wh..wh..opq, stays in a directory that replaces something. Times of directories are kept. */
SW_NODISCARD enum sw_code sw_fuse_marks_tidy(int dir_fd, struct sw_source *below,
                                             struct sw_error *err);

#endif
