#include "oci/media_type.h"

struct sw_media_type sw_media_type_of(struct sw_str text) {
    static const struct {
        const char *text;
        struct sw_media_type type;
    } known[] = {
        {SW_MT_OCI_INDEX, {SW_MEDIA_INDEX, false, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_LIST, {SW_MEDIA_INDEX, true, false, SW_LAYER_PLAIN}},
        {SW_MT_OCI_MANIFEST, {SW_MEDIA_MANIFEST, false, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_MANIFEST, {SW_MEDIA_MANIFEST, true, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_SCHEMA1, {SW_MEDIA_SCHEMA1, true, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_SCHEMA1_SIGNED, {SW_MEDIA_SCHEMA1, true, false, SW_LAYER_PLAIN}},
        {SW_MT_OCI_CONFIG, {SW_MEDIA_CONFIG, false, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_CONFIG, {SW_MEDIA_CONFIG, true, false, SW_LAYER_PLAIN}},
        {SW_MT_OCI_LAYER, {SW_MEDIA_LAYER, false, false, SW_LAYER_PLAIN}},
        {SW_MT_OCI_LAYER_GZIP, {SW_MEDIA_LAYER, false, false, SW_LAYER_GZIP}},
        {SW_MT_OCI_LAYER_ZSTD, {SW_MEDIA_LAYER, false, false, SW_LAYER_ZSTD}},
        {SW_MT_DOCKER_LAYER, {SW_MEDIA_LAYER, true, false, SW_LAYER_PLAIN}},
        {SW_MT_DOCKER_LAYER_GZIP, {SW_MEDIA_LAYER, true, false, SW_LAYER_GZIP}},
        {SW_MT_DOCKER_LAYER_ZSTD, {SW_MEDIA_LAYER, true, false, SW_LAYER_ZSTD}},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar",
         {SW_MEDIA_LAYER, false, true, SW_LAYER_PLAIN}},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
         {SW_MEDIA_LAYER, false, true, SW_LAYER_GZIP}},
        {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
         {SW_MEDIA_LAYER, false, true, SW_LAYER_ZSTD}},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar",
         {SW_MEDIA_LAYER, true, true, SW_LAYER_PLAIN}},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         {SW_MEDIA_LAYER, true, true, SW_LAYER_GZIP}},
    };
    struct sw_str name, parameters;
    sw_str_cut(text, ';', &name, &parameters);
    name = sw_str_trim(name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (sw_str_ieq(name, sw_str(known[i].text))) return known[i].type;
    return (struct sw_media_type){0};
}

const char *sw_media_type_layer(enum sw_layer_compression compression, bool docker) {
    switch (compression) {
    case SW_LAYER_GZIP:
        return docker ? SW_MT_DOCKER_LAYER_GZIP : SW_MT_OCI_LAYER_GZIP;
    case SW_LAYER_ZSTD:
        return docker ? SW_MT_DOCKER_LAYER_ZSTD : SW_MT_OCI_LAYER_ZSTD;
    case SW_LAYER_PLAIN:
        break;
    }
    return docker ? SW_MT_DOCKER_LAYER : SW_MT_OCI_LAYER;
}
