/* What manifests and indexes have in common.
 *
 * Floor 2, private to oci.
 */
#ifndef SW_OCI_DOCUMENT_INTERNAL_H
#define SW_OCI_DOCUMENT_INTERNAL_H

#include "oci/descriptor.h"

extern const struct sw_json_limits oci_limits;

/* Parses, checks that it is a document of this kind, and reads its mediaType. */
SW_NODISCARD enum sw_code oci_open(struct sw_arena *a, struct sw_str bytes, struct sw_str transport,
                                   enum sw_media_kind wanted, struct sw_str *ret_media_type,
                                   const struct sw_json **ret_root, struct sw_error *err);
/* An array of descriptors, bounded; nothing where it is absent. */
SW_NODISCARD enum sw_code oci_read_descriptors(struct sw_arena *a, const struct sw_json *root,
                                               const char *key, struct sw_descriptor **ret,
                                               size_t *ret_n, struct sw_error *err);
SW_NODISCARD enum sw_code oci_read_subject(struct sw_arena *a, const struct sw_json *root,
                                           struct sw_descriptor **ret, struct sw_error *err);

#endif
