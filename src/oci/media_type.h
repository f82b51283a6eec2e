/* Media types of image documents and layers, OCI's and Docker's.
 *
 * Floor 2. Pure. OCI image specification, media-types.md; Docker image manifest schema 2.
 */
#ifndef SW_OCI_MEDIA_TYPE_H
#define SW_OCI_MEDIA_TYPE_H

#include "base/str.h"

#define SW_MT_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define SW_MT_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define SW_MT_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define SW_MT_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define SW_MT_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define SW_MT_OCI_LAYER_GZIP SW_MT_OCI_LAYER "+gzip"
#define SW_MT_OCI_LAYER_ZSTD SW_MT_OCI_LAYER "+zstd"
#define SW_MT_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define SW_MT_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define SW_MT_DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define SW_MT_DOCKER_SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define SW_MT_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define SW_MT_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define SW_MT_DOCKER_LAYER_GZIP SW_MT_DOCKER_LAYER ".gzip"
#define SW_MT_DOCKER_LAYER_ZSTD SW_MT_DOCKER_LAYER ".zstd"
#define SW_MT_IN_TOTO "application/vnd.in-toto+json"

enum sw_media_kind {
    SW_MEDIA_OTHER = 0,
    SW_MEDIA_INDEX,
    SW_MEDIA_MANIFEST,
    SW_MEDIA_SCHEMA1, /* Docker's first manifests: recognised, to be refused with words */
    SW_MEDIA_CONFIG,
    SW_MEDIA_LAYER,
};

enum sw_layer_compression {
    SW_LAYER_PLAIN = 0,
    SW_LAYER_GZIP,
    SW_LAYER_ZSTD,
};

struct sw_media_type {
    enum sw_media_kind kind;
    bool docker;  /* Docker's name for it */
    bool foreign; /* a layer that may not be distributed (its urls say where) */
    enum sw_layer_compression compression; /* of a layer */
};

/* Parameters ("; charset=utf-8") are ignored; anything not listed is SW_MEDIA_OTHER. */
struct sw_media_type sw_media_type_of(struct sw_str text);
/* The media type of a layer. Static. */
const char *sw_media_type_layer(enum sw_layer_compression compression, bool docker);

#endif
