/* From the upper directory of a RUN to a layer: what the command changed, as an archive.
 *
 * Floor 5. Only the upper directory is walked, never the root file system.
 *
 * Overlay's marks become the archive's (OCI image specification, layer.md): a 0/0 character device
 * NAME is the whiteout .wh.NAME, an opaque directory holds .wh..wh..opq. Files that are one inode
 * are hard links to the first of them in the order of paths. Times younger than the epoch are the
 * epoch.
 */
#ifndef SW_BUILD_DIFF_H
#define SW_BUILD_DIFF_H

#include "build/layer_writer.h"
#include "store/snapshot.h"

/* dir_fd: the upper directory. Times that are exactly clamped_s become the epoch, too: they were
 * clamped once, when the directory was archived for another epoch; INT64_MAX for none. */
SW_NODISCARD enum sw_code sw_diff_archive(int dir_fd, enum sw_overlay_form form, int64_t epoch_s,
                                          int64_t clamped_s, struct sw_layer_writer *w,
                                          struct sw_error *err);
/* Whether nothing changed at all. */
SW_NODISCARD enum sw_code sw_diff_is_empty(int dir_fd, bool *ret, struct sw_error *err);

#endif
