/* OCI image layouts: oci-layout and index.json as bytes, names in annotations.
 *
 * Floor 2. Pure. OCI image specification, image-layout.md. Paths: blobs/<algorithm>/<digits>.
 */
#ifndef SW_OCI_IMAGE_LAYOUT_H
#define SW_OCI_IMAGE_LAYOUT_H

#include "oci/index.h"
#include "oci/reference.h"

#define SW_LAYOUT_FILE "oci-layout"
#define SW_LAYOUT_INDEX "index.json"
#define SW_LAYOUT_VERSION "1.0.0"

/* The content of oci-layout. */
void sw_layout_write(struct sw_buf *out);
/* SW_UNSUPPORTED for a version other than 1.x. */
SW_NODISCARD enum sw_code sw_layout_check(struct sw_str bytes, struct sw_error *err);
/* "blobs/sha256/<digits>", NUL-terminated. */
#define SW_LAYOUT_PATH_MAX (6 + 7 + 128 + 1)
struct sw_str sw_layout_blob_path(const struct sw_digest *d, char ret_path[SW_LAYOUT_PATH_MAX]);

/* The characters that the specification allows in org.opencontainers.image.ref.name. */
bool sw_layout_is_ref_name(struct sw_str name);
/* The entry that name means: by ref.name or io.containerd.image.name as written; then, for a name
 * that is a reference, by its full form or its tag alone. An empty name means the only entry.
 * SW_NOT_FOUND lists what there is; SW_USAGE where several would do. */
SW_NODISCARD enum sw_code sw_layout_find(struct sw_arena *a, const struct sw_index *index,
                                         struct sw_str name, const struct sw_descriptor **ret,
                                         struct sw_error *err);
/* Puts d under the name (annotation ref.name), taking the name from any entry that had it. Entries
 * without a name and with the same digest are replaced, too. Strings are copied. */
void sw_layout_tag(struct sw_arena *a, struct sw_index *index, struct sw_str name,
                   const struct sw_descriptor *d);
/* Removes the name; false where no entry has it. */
bool sw_layout_untag(struct sw_index *index, struct sw_str name);

#endif
