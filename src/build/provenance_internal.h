/* What a build was made from, noted while it runs, and the SLSA predicate of it.
 *
 * Floor 5, private to the room. All functions are thread-safe and do nothing where no provenance
 * is asked for. The order in which stages come to their sources does not matter: everything is
 * sorted when it is written.
 */
#ifndef SW_BUILD_PROVENANCE_INTERNAL_H
#define SW_BUILD_PROVENANCE_INTERNAL_H

#include "build/attest.h"
#include "build/source.h"
#include "dockerfile/ast.h"
#include "oci/platform.h"

struct sw_build;
struct sw_stage;
struct sw_provenance;

struct sw_provenance *sw_provenance_new(struct sw_build *b); /* NULL where it is not asked for */
void sw_provenance_free(struct sw_provenance *p);

/* An image, as it was named, and what the name led to. */
void sw_provenance_image(struct sw_build *b, struct sw_str name, const struct sw_platform *platform,
                         const struct sw_digest *digest);
/* A repository at a commit, a file behind a URL. Passwords in URLs are left out. */
void sw_provenance_git(struct sw_build *b, struct sw_str url, struct sw_str commit);
void sw_provenance_http(struct sw_build *b, struct sw_str url, const struct sw_digest *digest);
void sw_provenance_fetched(struct sw_build *b, struct sw_str url, const struct sw_material *m);
/* A directory of this host: "context", "dockerfile" or the name of a --build-context. */
void sw_provenance_local(struct sw_build *b, struct sw_str name);
void sw_provenance_secret(struct sw_build *b, struct sw_str id, bool required);
void sw_provenance_ssh(struct sw_build *b, struct sw_str id, bool required);
void sw_provenance_network(struct sw_build *b);

/* ---- steps, for mode=max; called by the stage's own thread ---- */

enum sw_provenance_op { SW_OP_EXEC, SW_OP_COPY, SW_OP_MKDIR };

struct sw_provenance_action { /* of a copy */
    struct sw_str src, dest;
    struct sw_str input;   /* see below */
    struct sw_str content; /* ptr set: of a file from the Dockerfile */
};

struct sw_provenance_step {
    enum sw_provenance_op op;
    const struct sw_df_instruction *in;
    struct sw_strs argv, env; /* SW_OP_EXEC */
    struct sw_str cwd, user;
    struct sw_provenance_action *actions; /* SW_OP_COPY, SW_OP_MKDIR */
    size_t n_actions;
    struct sw_strs inputs; /* of mounts */
    size_t n_layers;       /* that the stage has after it */
};

/* What stands for a source in a step's inputs: "docker-image://...", "local://context",
 * "stage:1", a URL. from ptr NULL: the build context. "" where nothing is recorded. */
struct sw_str sw_provenance_input(struct sw_stage *s, struct sw_str from);
struct sw_str sw_provenance_url_input(struct sw_stage *s, struct sw_str url);
/* A step of the stage's current instruction; its lists and strings are kept. */
void sw_provenance_step(struct sw_stage *s, const struct sw_provenance_step *step);
/* The last step has added its layer. */
void sw_provenance_step_done(struct sw_stage *s);

/* The predicate, in the build's arena; after all stages are done. */
SW_NODISCARD enum sw_code sw_provenance_write(struct sw_build *b, struct sw_str *ret,
                                              struct sw_error *err);

#endif
