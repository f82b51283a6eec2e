/* Maxima of image documents and names, and why they are what they are.
 *
 * Floor 2. Passing one is SW_LIMIT (documents) or SW_USAGE (names).
 */
#ifndef SW_OCI_LIMITS_H
#define SW_OCI_LIMITS_H

#include <stddef.h>

/* A manifest, index or configuration: what registries must accept (distribution-spec). */
#define SW_OCI_DOCUMENT_MAX ((size_t)4 << 20)
/* Layers of an image, manifests of an index: engines stop at 127 layers, generated indexes have
 * some hundreds of entries. */
#define SW_OCI_ITEMS_MAX 8192
/* JSON values of a document: an index of SW_OCI_ITEMS_MAX entries with their annotations. */
#define SW_OCI_VALUES_MAX 400000
#define SW_OCI_DEPTH_MAX 32

/* distribution/reference: bytes of the path (the name without its domain), of a tag. */
#define SW_REFERENCE_PATH_MAX 255
#define SW_REFERENCE_TAG_MAX 128
/* A whole reference: domain (253), port, path, tag, the longest digest, with room. */
#define SW_REFERENCE_TEXT_MAX 1024
/* A platform as text: names are words, features few. */
#define SW_PLATFORM_TEXT_MAX 255

#endif
