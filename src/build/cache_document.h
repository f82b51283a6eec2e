/* The document of a cache that is taken along: records of steps, and what their inputs came to.
 *
 * Floor 5, but pure: it parses what strangers wrote, and is fuzzed. docs/format/cache-layout.md.
 */
#ifndef SW_BUILD_CACHE_DOCUMENT_H
#define SW_BUILD_CACHE_DOCUMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/compress.h"
#include "codec/digest.h"

#define SW_MT_CACHE "application/vnd.slipway.cache.v1"
#define SW_MT_CACHE_CONFIG "application/vnd.slipway.cache.config.v1+json"
/* The document in a manifest of the image itself: --cache-to type=inline. */
#define SW_ANN_CACHE "io.slipway.cache.v1"

#define SW_CACHE_LAYER_NONE SIZE_MAX

/* A step's layer. Where it names a layer of an image, the image says blob, size and diff ID. */
struct sw_cache_step {
    struct sw_digest key;
    bool empty;   /* it changed nothing */
    size_t layer; /* of the image that the document is in; SW_CACHE_LAYER_NONE */
    struct sw_digest diff_id, blob;
    uint64_t size;
    char compressor[SW_COMPRESS_TAG_MAX + 32];
    int64_t epoch_s;
    struct sw_digest content; /* unset: not known */
};

/* What planning a COPY with these inputs came to. */
struct sw_cache_plan {
    struct sw_digest inputs;
    struct sw_digest key, identity; /* unset where it is empty */
    bool empty;                     /* there was nothing to copy */
};

struct sw_cache_document {
    struct sw_cache_step *steps; /* arena */
    size_t n_steps;
    struct sw_cache_plan *plans; /* arena */
    size_t n_plans;
};

/* SW_SYNTAX; SW_UNSUPPORTED where a newer slipway wrote it; SW_LIMIT. */
SW_NODISCARD enum sw_code sw_cache_document_parse(struct sw_arena *a, struct sw_str text,
                                                  struct sw_cache_document *ret,
                                                  struct sw_error *err);
/* The same document gives the same bytes. */
void sw_cache_document_write(struct sw_buf *to, const struct sw_cache_document *d);

#endif
