/* --cache-from and --cache-to: records of steps with their layers, in a registry, in an OCI layout
 * or in an image. Private to the room. docs/format/cache-layout.md.
 *
 * Nothing but documents is read before a layer's bytes are asked for. A layer that is known and not
 * fetched has an origin; sw_layers_fetch() brings it. When that fails, a step that was a hit is
 * none: the build begins again without this source (sw_cache_sources_drop_broken()).
 */
#ifndef SW_BUILD_CACHE_TRANSFER_INTERNAL_H
#define SW_BUILD_CACHE_TRANSFER_INTERNAL_H

#include "build/build.h"
#include "build/cache_document.h"

struct sw_build;
struct sw_stage;
struct sw_blayer;
struct sw_cache_sources;

/* Where a blob is that the store lacks. */
struct sw_origin {
    struct sw_str reference; /* of a registry; "" for a layout */
    int dir;                 /* a layout's; -1 */
    struct sw_str name;      /* for messages */
    bool is_base;            /* of a FROM: there is no build without it */
    bool broken;             /* under the sources' lock */
};

/* What options->cache_from name; NULL where they name nothing. One that is missing or damaged is a
 * warning: the first run of a CI job has none. */
struct sw_cache_sources *sw_cache_sources_open(const struct sw_build_tools *tools,
                                               const struct sw_build_options *options);
void sw_cache_sources_free(struct sw_cache_sources *c);
/* Forgets the records of sources whose layers could not be had, with a warning. False where there
 * is no such source. */
bool sw_cache_sources_drop_broken(struct sw_cache_sources *c, const struct sw_build_tools *tools,
                                  const struct sw_error *why);

/* A step's layer, with an origin where it is not in the store. */
SW_NODISCARD bool sw_cache_find(struct sw_build *b, const struct sw_digest *key, bool is_run,
                                struct sw_blayer *ret, bool *ret_empty);
/* As the source has it; NULL. */
const struct sw_cache_step *sw_cache_find_step(struct sw_build *b, const struct sw_digest *key);
const struct sw_cache_plan *sw_cache_find_plan(struct sw_build *b, const struct sw_digest *inputs);
/* Brings what has an origin into the store, verified, and records it. */
SW_NODISCARD enum sw_code sw_layers_fetch(struct sw_build *b, struct sw_blayer *layers, size_t n,
                                          struct sw_error *err);
/* Gives bases that came in pieces their name, once they are whole. */
void sw_bases_finish(struct sw_build *b);

/* Writes what options->cache_to name, after the stages. */
SW_NODISCARD enum sw_code sw_cache_store_out(struct sw_build *b, struct sw_error *err);
/* The document of --cache-to type=inline, "" where none is asked for. In the arena. */
SW_NODISCARD enum sw_code sw_cache_inline(struct sw_build *b, struct sw_stage *s,
                                          struct sw_arena *arena, struct sw_str *ret,
                                          struct sw_error *err);

#endif
