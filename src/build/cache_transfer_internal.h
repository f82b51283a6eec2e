/* --cache-to and --cache-from type=local: records of steps with their layers, in an OCI layout.
 * Private to the room. docs/format/cache-layout.md.
 */
#ifndef SW_BUILD_CACHE_TRANSFER_INTERNAL_H
#define SW_BUILD_CACHE_TRANSFER_INTERNAL_H

#include "codec/digest.h"
#include "codec/lists.h"

#define SW_MT_CACHE "application/vnd.slipway.cache.v1"
#define SW_MT_CACHE_CONFIG "application/vnd.slipway.cache.config.v1+json"

struct sw_build;
struct sw_cache_sources;

/* Reads what options.cache_from name. A directory that is missing or damaged is a warning: the
 * first run of a CI job has none. */
struct sw_cache_sources *sw_cache_sources_open(struct sw_build *b);
void sw_cache_sources_free(struct sw_cache_sources *c);
/* Brings the record of a key into the store, its layer verified. SW_NOT_FOUND. Any thread. */
SW_NODISCARD enum sw_code sw_cache_fetch(struct sw_build *b, const struct sw_digest *key,
                                         bool is_run, struct sw_error *err);
/* Writes options.cache_to, after the stages. */
SW_NODISCARD enum sw_code sw_cache_store_out(struct sw_build *b, struct sw_error *err);

#endif
