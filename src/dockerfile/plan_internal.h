/* A Dockerfile with its global ARGs and FROM lines expanded, and the environment of a stage while
 * one walks through it: what checks and outline share.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_PLAN_INTERNAL_H
#define SW_DOCKERFILE_PLAN_INTERNAL_H

#include "dockerfile/args.h"
#include "dockerfile/list_internal.h"
#include "dockerfile/parse.h"

#define SW_DF_NO_STAGE ((size_t)-1)

/* An ARG with the value that it has. */
struct sw_df_arg_info {
    struct sw_str name, value, comment;
    uint32_t line;
    struct sw_df_words uses; /* the ARGs in its default value */
};

struct sw_df_plan_stage {
    const struct sw_df_stage *stage;
    struct sw_str base, platform; /* expanded; platform NULL where none is asked for */
    struct sw_df_expansion base_vars, platform_vars;
    size_t parent; /* the stage that it builds on, or SW_DF_NO_STAGE */
    size_t *uses;  /* the stages it copies or mounts from */
    size_t n_uses, cap_uses;
    bool reachable; /* from the target */
};

struct sw_df_plan {
    struct sw_arena *arena;
    const struct sw_dockerfile *file;
    struct sw_df_env build_args;
    struct sw_df_vars globals;   /* automatic and global ARGs */
    struct sw_df_arg_info *args; /* the global ARGs, the last of each name */
    size_t n_args, cap_args;
    struct sw_df_plan_stage *stages; /* file->n_stages */
    size_t target;
};

/* Evaluates the global ARGs over vars, which starts as the automatic ones. infos may be NULL. */
SW_NODISCARD enum sw_code sw_df_eval_globals(struct sw_arena *arena,
                                             const struct sw_dockerfile *file,
                                             struct sw_df_env build_args, struct sw_df_vars *vars,
                                             struct sw_df_plan *infos, struct sw_error *err);
/* target: a name or number, empty for the last stage. SW_NOT_FOUND with the nearest name. */
SW_NODISCARD enum sw_code sw_df_plan(struct sw_arena *arena, const struct sw_dockerfile *file,
                                     struct sw_df_env build_args,
                                     const struct sw_df_vars *automatic, struct sw_str target,
                                     struct sw_df_plan *ret, struct sw_error *err);

/* The variables of one stage at one place. */
struct sw_df_scope {
    const struct sw_df_plan *plan;
    struct sw_df_vars vars;
    struct sw_df_list declared; /* names of ARGs, with and without a value */
};
/* The scope at the start of a stage: its parent's at the end, or only PATH. */
void sw_df_scope_init(struct sw_df_scope *scope, const struct sw_df_plan *plan,
                      const struct sw_df_scope *parent);
struct sw_df_lex sw_df_scope_lex(const struct sw_df_scope *scope);
/* Carries out ENV. *ret_pairs is expanded; *ret_unset lists what was not set. */
SW_NODISCARD enum sw_code sw_df_scope_env(struct sw_df_scope *scope, const struct sw_df_pairs *env,
                                          struct sw_df_pairs *ret_pairs,
                                          struct sw_df_words *ret_unset, struct sw_error *err);
/* Carries out one name of ARG, but for adding it to declared, which it is not yet in its own
 * default value. *ret_inherited: it has its value from a global ARG. */
SW_NODISCARD enum sw_code sw_df_scope_arg(struct sw_df_scope *scope, const struct sw_df_pair *arg,
                                          struct sw_str *ret_value, bool *ret_inherited,
                                          struct sw_df_words *ret_unset, struct sw_error *err);
bool sw_df_words_have(const struct sw_df_words *words, struct sw_str word);

#endif
