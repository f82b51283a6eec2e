/* Building an image from a Dockerfile.
 *
 * Floor 5. One call is one build; several may run at once in one process and in many.
 *
 *     Dockerfile --parse--> plan: the stages that the target needs and what they need
 *       --one thread a stage--> steps in order: cache key -> hit: the recorded layer
 *                                                       -> miss: COPY, RUN ... makes it
 *       --target's state--> layers as blobs -> config, manifest -> store, tag -> outputs
 *
 * A layer exists as a snapshot (a directory, for RUN and COPY --from) or as a blob (for the image)
 * or both; each form is made when something asks for it, so stages that are not exported are never
 * archived, and a base image under COPY alone is never unpacked. docs/design/build.md.
 */
#ifndef SW_BUILD_BUILD_H
#define SW_BUILD_BUILD_H

#include "base/pool.h"
#include "base/progress.h"
#include "build/attest.h"
#include "build/explain.h"
#include "build/registry_calls.h"
#include "build/tweaks.h"
#include "codec/compress.h"
#include "codec/lists.h"
#include "oci/annotation.h"
#include "oci/config.h"
#include "oci/descriptor.h"
#include "store/snapshot.h"

struct sw_build_made;

/* --cache-from and --cache-to. docs/format/cache-layout.md */
enum sw_build_cache_type { SW_BUILD_CACHE_LOCAL, SW_BUILD_CACHE_REGISTRY, SW_BUILD_CACHE_INLINE };
struct sw_build_cache {
    enum sw_build_cache_type type;
    struct sw_str place;    /* a directory, a reference; "" for inline */
    struct sw_str fallback; /* from: a reference to try where place is missing; "" for none */
    bool max;               /* to: every stage's steps, not the result's alone */
    bool ignore_error;      /* to: a failure is a warning */
    bool docker_format;     /* to: Docker's media types */
};

struct sw_build_secret {
    struct sw_str id;
    struct sw_str value; /* its bytes */
};

struct sw_build_ssh {
    struct sw_str id;   /* "default" */
    struct sw_str path; /* of the agent's socket */
};

/* --build-context NAME=...: a directory, oci-layout://DIR, docker-image://REF, target:NAME. */
struct sw_build_context {
    struct sw_str name, value;
};

struct sw_build_options {
    const char *context;         /* directory */
    struct sw_str dockerfile;    /* its bytes */
    const char *dockerfile_name; /* for messages: "Dockerfile" */
    struct sw_str ignore;        /* bytes of the ignore file; ptr NULL: none */
    const char *ignore_name;     /* for messages */
    struct sw_str target;        /* stage, "" for the last */
    struct sw_pairs args;        /* --build-arg */
    struct sw_pairs labels;
    struct sw_annotations annotations;
    struct sw_attest_options attest;
    const struct sw_build_context *contexts; /* --build-context */
    size_t n_contexts;
    const struct sw_build_secret *secrets;
    size_t n_secrets;
    const struct sw_build_ssh *ssh;
    size_t n_ssh;
    struct sw_platform platform; /* of the result */
    struct sw_platform host;     /* of this machine */
    struct sw_strs tags;         /* names for the result, as typed */
    bool no_cache;
    struct sw_strs no_cache_filter; /* stages */
    bool fail_on_miss;
    bool explain;
    const struct sw_build_cache *cache_from, *cache_to;
    size_t n_cache_from, n_cache_to;
    enum sw_squash squash;
    bool force_compression; /* layers of the base, too */
    bool rewrite_times;     /* of the base's layers, too: no file is younger than the epoch */
    bool docker_format;     /* Docker's media types instead of OCI's */
    int64_t epoch_s;        /* SOURCE_DATE_EPOCH: all times are clamped to it */
    enum sw_compression compression;
    int compression_level;   /* SW_COMPRESS_LEVEL_DEFAULT */
    enum sw_network network; /* of RUN where it does not say */
    const struct sw_host_entry *add_hosts;
    size_t n_add_hosts;
    const struct sw_rlimit *rlimits;
    size_t n_rlimits;
    struct sw_limits limits;
    uint64_t shm_bytes;
    bool allow_insecure; /* RUN --security=insecure */
    struct sw_build_tweaks tweaks;
    unsigned jobs;    /* RUN steps at once; 0: as many as processors, at least 2 */
    bool skip_layers; /* the caller wants the file system only (type=local): no image */
    bool want_files;  /* the file system, too: result->snapshots */
    bool unnamed;     /* the image gets neither names nor an entry: it becomes part of an index */
    struct sw_build_made *made;               /* of platforms.h; NULL */
    const struct sw_build_registry *registry; /* NULL: images come from the store alone */
};

/* Things that the build works with; all borrowed. */
struct sw_build_tools {
    struct sw_store *store;
    struct sw_pool *pool;
    struct sw_progress *progress; /* may be NULL */
    const struct sw_userns *userns;
};

struct sw_build_result {
    struct sw_descriptor target;      /* the manifest, or the index where there are attestations */
    struct sw_descriptor manifest;    /* of the image itself */
    struct sw_descriptor attestation; /* its manifest; digest unset where there is none */
    struct sw_attested attested;
    struct sw_digest config;      /* of the image */
    struct sw_image_config image; /* the configuration */
    unsigned n_steps, n_cached;   /* of what the cache could know */
    /* With options.explain, also where the build failed: every step that has a key. */
    struct sw_step_report *steps;
    size_t n_step_reports;
    /* Snapshots of its layers, lowest first, where skip_layers or want_files was set. */
    int64_t *snapshots;
    size_t n_snapshots;
    enum sw_overlay_form form; /* theirs */
};

/* Builds. Results are in the arena. Errors name the instruction and its line; the caller shows the
 * excerpt with sw_build_excerpt(). */
SW_NODISCARD enum sw_code sw_build_run(const struct sw_build_tools *tools,
                                       const struct sw_build_options *options,
                                       struct sw_arena *arena, struct sw_build_result *ret,
                                       struct sw_error *err);

#endif
