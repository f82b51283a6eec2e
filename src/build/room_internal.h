/* What the files of the room build share. Private to it.
 *
 * A build is one struct sw_build; each needed stage has a thread that executes its instructions in
 * order. A stage's state (config, layers) belongs to its thread until `done`; afterwards it is
 * read-only for all. Waiting for a stage is waiting for `done` under the build's lock, and only
 * earlier stages are waited for, so there is no circle.
 */
#ifndef SW_BUILD_INTERNAL_H
#define SW_BUILD_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "base/vec.h"
#include "build/build.h"
#include "build/cache_transfer_internal.h"
#include "build/copy.h"
#include "build/explain_internal.h"
#include "build/git.h"
#include "build/layer_writer.h"
#include "build/provenance_internal.h"
#include "build/source.h"
#include "build/view.h"
#include "dockerfile/args.h"
#include "dockerfile/expand.h"
#include "dockerfile/parse.h"
#include "store/cache.h"
#include "store/layer_index.h"
#include "store/snapshot.h"
#include "store/unpack.h"

/* A layer of a stage, in the forms that exist so far. */
struct sw_blayer {
    struct sw_digest identity; /* what it is made of; what later keys see */
    struct sw_digest content;  /* names what is in it; unset where that is not known */
    struct sw_origin *origin;  /* where its blob is while the store lacks it; NULL: it does not */
    bool has_blob;
    struct sw_digest blob, diff_id;
    uint64_t size; /* of the blob */
    const char *media_type;
    struct sw_pairs annotations; /* of a base's descriptor */
    int64_t snapshot;            /* 0: none yet */
    bool is_run;                 /* its blob is made from its snapshot */
    bool has_key;
    bool clamped;      /* its snapshot was an archive whose times had been clamped ... */
    int64_t clamped_s; /* ... to this: those of an archive made of it are to be, too */
    uint8_t key[SW_CACHE_KEY_SIZE]; /* of its cache record, to be completed with a new form */
};

enum sw_stage_base { SW_BASE_SCRATCH, SW_BASE_STAGE, SW_BASE_IMAGE, SW_BASE_CONTEXT };

struct sw_build;

struct sw_stage {
    struct sw_build *build;
    const struct sw_df_stage *df;
    size_t index;
    bool needed, exported; /* exported: its layers are the image's */
    enum sw_stage_base base;
    struct sw_stage *base_stage;
    struct sw_str base_name;    /* expanded; an image's name or a context's value */
    struct sw_str context_name; /* SW_BASE_CONTEXT: the name of the --build-context */
    struct sw_platform platform;
    struct sw_str
        label; /* for progress: the stage's name, "stage-1" or "" when there is only one */

    pthread_t thread;
    bool started, joined, done;
    struct sw_error err; /* valid once done */

    /* The state. */
    struct sw_arena arena;
    struct sw_image_config config;
    SW_VEC(struct sw_blayer) layers;
    size_t n_base_layers; /* those that FROM brought */
    size_t n_base_history;
    struct sw_df_vars args;   /* ARGs with their values, without those that a later ENV hides */
    struct sw_strs arg_names; /* all that were declared, for the history */
    struct sw_strs shell;
    bool cmd_set; /* CMD was given in this stage: ENTRYPOINT leaves it alone */
    bool no_cache;
    bool foreign;           /* the base image is for a processor that this machine has to emulate */
    unsigned step, n_steps; /* for "[builder 2/5]" */
    const struct sw_df_instruction *current;
    unsigned number;                /* of the current instruction, from 1, triggers included */
    struct sw_explained *explained; /* what is recorded of it; NULL where it has no key */
    struct sw_source *view;         /* of the layers so far; NULL: to be opened; owned */
    struct sw_source
        *source; /* for COPY --from: all layers as snapshots; NULL until asked; owned */
};

struct sw_http;

/* A base of which the store has the documents, and layers as far as something asked for them. */
struct sw_lazy_base {
    struct sw_str name; /* in the build's arena, like what follows */
    struct sw_descriptor target;
    const struct sw_blayer *layers;
    size_t n;
};

/* What planning a COPY came to, for --cache-to. */
struct sw_planned {
    struct sw_cache_plan plan;
    bool exported; /* its stage is */
};

struct sw_build {
    const struct sw_build_tools *tools;
    const struct sw_build_options *options;
    struct sw_arena *arena; /* the caller's; under the lock once stages run */
    struct sw_dockerfile *file;
    struct sw_stage *stages;
    size_t n_stages;
    struct sw_stage *target;
    struct sw_df_vars globals; /* ARGs before the first FROM and automatic ones */
    struct sw_ignore *ignore;
    struct sw_compressor compressor; /* for its tag */
    enum sw_overlay_form form;
    struct sw_overlay_mode overlay_mode;
    bool overlay_probed;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a stage is done, a job slot is free */
    unsigned running;       /* RUN steps under way */
    bool failed;
    unsigned n_keyed, n_cached;
    struct sw_explain *explain;             /* owned */
    struct sw_cache_sources *cache_sources; /* borrowed; NULL without --cache-from */
    SW_VEC(struct sw_lazy_base) bases;      /* under base_lock */
    SW_VEC(struct sw_planned) plans;        /* of this build; under the lock */
    pthread_mutex_t base_lock;
    struct sw_source *context;   /* opened on first use; owned */
    struct sw_map other_sources; /* name -> struct sw_other_source * */
    struct sw_map indexes;       /* diff ID -> struct sw_layer_index * */
    pthread_mutex_t index_lock;
    struct sw_provenance *provenance; /* owned; NULL: none is asked for */
    struct sw_http *http;             /* made on first use; owned */
    struct sw_source *blobs;          /* files of URLs; made on first use; owned */
    SW_VEC(char *) temps;             /* directories of the store to remove at the end; owned */
};

/* A source that is neither the context nor a stage: an image or a named context. */
struct sw_other_source {
    struct sw_source *source;        /* an image's: NULL until its files are asked for */
    struct sw_str label;             /* of that source */
    SW_VEC(struct sw_blayer) layers; /* an image's */
    struct sw_image_config config;
    struct sw_digest identity;
};

/* plan.c: fills stages, needed, exported. */
SW_NODISCARD enum sw_code sw_plan(struct sw_build *b, struct sw_error *err);
/* Starts the stages that an ONBUILD trigger of a base asks for and nothing else does. */
SW_NODISCARD enum sw_code sw_plan_trigger(struct sw_stage *s, const struct sw_df_instruction *in,
                                          struct sw_error *err);
/* The value of --build-context NAME, ptr NULL where there is none. */
struct sw_str sw_named_context(const struct sw_build *b, struct sw_str name);
/* --build-arg NAME; false where it was not given. */
bool sw_build_arg(const struct sw_build *b, struct sw_str name, struct sw_str *ret);

/* stage.c */
void *sw_stage_main(void *stage);
/* The configuration that FROM scratch begins with. */
void sw_scratch_config(struct sw_arena *arena, const struct sw_platform *platform,
                       struct sw_image_config *ret);
/* build.c: gives a stage its thread. Called with the lock. */
SW_NODISCARD enum sw_code sw_stage_start(struct sw_stage *s, struct sw_error *err);
/* Puts "Dockerfile:7: COPY" before an error. */
SW_NODISCARD enum sw_code sw_stage_at_line(const struct sw_stage *s,
                                           const struct sw_df_instruction *in,
                                           struct sw_error *err);
SW_NODISCARD enum sw_code sw_stage_wait(struct sw_stage *s, struct sw_error *err);
struct sw_df_lex sw_stage_lex(struct sw_stage *s);
SW_NODISCARD enum sw_code sw_stage_add_history(struct sw_stage *s, struct sw_str created_by,
                                               bool empty_layer, struct sw_error *err);
/* The view of the layers so far, for destinations and users. */
SW_NODISCARD enum sw_code sw_stage_view(struct sw_stage *s, struct sw_source **ret,
                                        struct sw_error *err);
void sw_stage_drop_view(struct sw_stage *s);

/* layers.c: forms of layers */
SW_NODISCARD enum sw_code sw_layers_snapshots(struct sw_build *b, struct sw_blayer *layers,
                                              size_t n, struct sw_error *err);
SW_NODISCARD enum sw_code sw_layer_need_blob(struct sw_build *b, struct sw_blayer *layer,
                                             struct sw_error *err);
SW_NODISCARD enum sw_code sw_layers_view(struct sw_build *b, struct sw_blayer *layers, size_t n,
                                         struct sw_str name, struct sw_source **ret,
                                         struct sw_error *err);
/* The identity of a stack, for keys. */
struct sw_digest sw_layers_chain(const struct sw_blayer *layers, size_t n);
/* The content of a stack, without looking at it; false where a layer's is not known. */
bool sw_layers_content(const struct sw_blayer *layers, size_t n, struct sw_digest *ret);
SW_NODISCARD enum sw_code sw_layer_recall(struct sw_build *b, const struct sw_digest *key,
                                          bool is_run, struct sw_blayer *ret, bool *ret_empty,
                                          struct sw_error *err);
SW_NODISCARD enum sw_code sw_layer_record(struct sw_build *b, const struct sw_blayer *layer,
                                          bool empty, struct sw_error *err);
void sw_layer_set_blob(struct sw_build *b, struct sw_blayer *layer,
                       const struct sw_layer_blob *blob);
SW_NODISCARD enum sw_code sw_build_overlay(struct sw_build *b, struct sw_error *err);

/* base.c: images from the store or a registry */
SW_NODISCARD enum sw_code sw_base_load(struct sw_build *b, struct sw_arena *arena,
                                       struct sw_str name, const struct sw_platform *platform,
                                       unsigned step, struct sw_image_config *ret_config,
                                       struct sw_blayer **ret_layers, size_t *ret_n,
                                       struct sw_error *err);
/* sources.c: what --from means, as seen from a stage */
SW_NODISCARD enum sw_code sw_from_source(struct sw_stage *s, struct sw_str from, unsigned step,
                                         struct sw_source **ret, struct sw_error *err);
/* The layers of a stage or an image, none for a directory; whether they are here or not. */
SW_NODISCARD enum sw_code sw_from_layers(struct sw_stage *s, struct sw_str from, unsigned step,
                                         struct sw_blayer **ret, size_t *ret_n,
                                         struct sw_error *err);
/* Whether the value of a --build-context is an image: docker-image://, oci-layout://. */
bool sw_context_is_image(struct sw_str context);
SW_NODISCARD enum sw_code sw_build_context_source(struct sw_build *b, struct sw_source **ret,
                                                  struct sw_error *err);

/* copy_step.c, run_step.c, meta_step.c */
SW_NODISCARD enum sw_code sw_step_copy(struct sw_stage *s, const struct sw_df_instruction *in,
                                       struct sw_error *err);
SW_NODISCARD enum sw_code sw_step_workdir(struct sw_stage *s, const struct sw_df_instruction *in,
                                          struct sw_error *err);
SW_NODISCARD enum sw_code sw_step_run(struct sw_stage *s, const struct sw_df_instruction *in,
                                      struct sw_error *err);
SW_NODISCARD enum sw_code sw_step_meta(struct sw_stage *s, const struct sw_df_instruction *in,
                                       struct sw_error *err);
/* Announces "[builder 2/5] TEXT" and returns the progress step. */
unsigned sw_step_begin(struct sw_stage *s, struct sw_str text);
/* Ends it: done, cached, or the error. */
void sw_step_end(struct sw_stage *s, unsigned step, bool cached, const struct sw_error *err);
/* Keys and makes (or recalls) a layer out of items. ret_plan may be NULL. */
SW_NODISCARD enum sw_code sw_step_layer(struct sw_stage *s, struct sw_copy *copy,
                                        struct sw_cache_plan *ret_plan, bool *ret_cached,
                                        bool *ret_empty, struct sw_error *err);
/* The same where the key is known without the items. outline: what is known of them, to explain a
 * later miss; NULL. *ret_hit false: they have to be looked at. */
SW_NODISCARD enum sw_code sw_step_known(struct sw_stage *s, const struct sw_cache_plan *plan,
                                        const struct sw_copy *outline, bool *ret_hit,
                                        struct sw_error *err);

/* add_sources.c: what ADD fetches: a file is brought here, a repository only asked for its commit
 * (ret_repository->commit.ptr set). A source that is not remote leaves *ret_remote false. */
struct sw_add_repository {
    struct sw_git_options options;
    struct sw_str source; /* the URL as it was written */
    struct sw_str commit; /* "" where only fetching can tell */
};
SW_NODISCARD enum sw_code sw_add_remote(struct sw_stage *s, const struct sw_df_copy *df,
                                        struct sw_str source, struct sw_str checksum, unsigned step,
                                        struct sw_copy_fetched *ret,
                                        struct sw_add_repository *ret_repository, bool *ret_remote,
                                        struct sw_error *err);
/* repository->commit is then what was fetched. */
SW_NODISCARD enum sw_code sw_add_checkout(struct sw_stage *s, struct sw_add_repository *repository,
                                          unsigned step, struct sw_copy_fetched *ret,
                                          struct sw_error *err);
/* Whether ADD would fetch this source. */
bool sw_is_remote(struct sw_str source);
struct sw_http *sw_build_http(struct sw_build *b);
/* The agent of --ssh default, "" where it was not given. */
struct sw_str sw_build_ssh_agent(const struct sw_build *b);
/* A directory of the store that goes with the build. Thread-safe. */
void sw_build_keep_temp(struct sw_build *b, struct sw_str path);

/* platforms.c: whether a layer of this key may be taken from the cache; that one was made. */
bool sw_may_recall(struct sw_stage *s, const struct sw_digest *key);
void sw_made(struct sw_stage *s, const struct sw_digest *key);
/* Whether all that --cache-to wants is known: false before the last of several platforms. */
bool sw_used_all(struct sw_build *b, struct sw_error *err);
/* The steps of all platforms. */
SW_NODISCARD enum sw_code sw_used_steps(struct sw_build *b, sw_used_step_fn *each, void *ctx,
                                        struct sw_error *err);
/* foreign.c: whether this machine itself runs a platform's programs; else an emulator has to. */
bool sw_platform_is_native(const struct sw_build *b, const struct sw_platform *p);
SW_NODISCARD enum sw_code sw_check_emulator(struct sw_stage *s, const struct sw_platform *p,
                                            struct sw_error *err);

/* image.c: Docker's name for a layer's media type, where the format asks for it. */
struct sw_str sw_layer_media_type(const char *type, bool docker);
SW_NODISCARD enum sw_code sw_image_finish(struct sw_build *b, struct sw_stage *s,
                                          struct sw_build_result *ret, struct sw_error *err);
/* attest.c: predicates, and for an image the attestation manifest; where ret->manifest is done. */
SW_NODISCARD enum sw_code sw_attest_finish(struct sw_build *b, struct sw_build_result *ret,
                                           struct sw_error *err);
/* platforms.c: the index over the results and their attestations, into the store. */
SW_NODISCARD enum sw_code sw_write_index(const struct sw_build_tools *tools,
                                         const struct sw_build_options *o,
                                         const struct sw_build_result *results, size_t n,
                                         struct sw_arena *arena, struct sw_descriptor *ret,
                                         struct sw_error *err);
/* squash.c, recode.c: other layers for the result, once the stage is done. */
SW_NODISCARD enum sw_code sw_squash(struct sw_stage *s, struct sw_error *err);
SW_NODISCARD enum sw_code sw_recode_layers(struct sw_stage *s, struct sw_error *err);

/* Whether there will be an image, if only to be described. */
static inline bool sw_makes_image(const struct sw_build *b) {
    return !b->options->skip_layers || b->options->attest.sbom;
}
/* Whether the layers of the result have to be archived as they are made. */
static inline bool sw_wants_blobs(const struct sw_build *b) {
    return b->options->squash == SW_SQUASH_NOT && sw_makes_image(b);
}

#endif
