/* Annotations of a build's result, and the documents that they are meant for.
 *
 * Floor 2. Pure. The words are those of docker buildx:
 *
 *     --annotation [LEVEL[PLATFORM],...:]NAME=VALUE     index,manifest[linux/arm64]:a=b
 *     --output     annotation[-LEVEL][PLATFORM].NAME    annotation-index.a
 *     LEVEL        manifest | manifest-descriptor | index | index-descriptor
 */
#ifndef SW_OCI_ANNOTATION_H
#define SW_OCI_ANNOTATION_H

#include "oci/platform.h"

/* Of one command line. */
#define SW_ANNOTATIONS_MAX 1000

enum sw_annotation_level {
    SW_ANNOTATE_MANIFEST,
    SW_ANNOTATE_MANIFEST_DESCRIPTOR, /* where the manifest is named: in an index, in index.json */
    SW_ANNOTATE_INDEX,
    SW_ANNOTATE_INDEX_DESCRIPTOR, /* where the index is named: in index.json */
};

struct sw_annotation {
    enum sw_annotation_level level;
    bool has_platform;
    struct sw_platform platform; /* the only one; every one where has_platform is not set */
    struct sw_str name, value;
};

struct sw_annotations {
    struct sw_annotation *ptr; /* arena */
    size_t len, cap;
};

/* The value of --annotation. SW_USAGE. Strings are copied. */
SW_NODISCARD enum sw_code sw_annotations_add(struct sw_arena *a, struct sw_annotations *list,
                                             struct sw_str text, struct sw_error *err);
/* A key of --output; *ret_known false: it is about something else. */
SW_NODISCARD enum sw_code sw_annotations_add_key(struct sw_arena *a, struct sw_annotations *list,
                                                 struct sw_str key, struct sw_str value,
                                                 bool *ret_known, struct sw_error *err);
/* Those for a document; platform NULL: of one that belongs to none (an index). The last of a name
 * wins. */
struct sw_pairs sw_annotations_for(struct sw_arena *a, const struct sw_annotations *list,
                                   enum sw_annotation_level level,
                                   const struct sw_platform *platform);
bool sw_annotations_has(const struct sw_annotations *list, enum sw_annotation_level level);

#endif
