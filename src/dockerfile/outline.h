/* What a Dockerfile offers: --call=outline and --call=targets.
 *
 * Floor 2, pure. Descriptions come from comments above ARG and FROM: "# NAME what it is for".
 */
#ifndef SW_DOCKERFILE_OUTLINE_H
#define SW_DOCKERFILE_OUTLINE_H

#include "dockerfile/args.h"
#include "dockerfile/parse.h"

struct sw_df_outline_arg {
    struct sw_str name, value, description; /* value: with --build-args applied; may be empty */
    uint32_t line;
};
struct sw_df_outline_secret { /* secrets and ssh agents */
    struct sw_str name;
    bool required;
    uint32_t line;
};
struct sw_df_outline {
    struct sw_str name, description; /* of the target stage */
    struct sw_df_outline_arg *args;  /* by line */
    size_t n_args;
    struct sw_df_outline_secret *secrets, *ssh; /* by line */
    size_t n_secrets, n_ssh;
};

/* What the target stage (empty: the last) and the stages that it uses take. vars: the automatic
 * platform ARGs (sw_df_args_automatic). SW_NOT_FOUND with the nearest stage name. */
SW_NODISCARD enum sw_code sw_df_outline(struct sw_arena *arena, const struct sw_dockerfile *file,
                                        struct sw_str target, struct sw_df_env build_args,
                                        const struct sw_df_vars *automatic,
                                        struct sw_df_outline *ret, struct sw_error *err);

struct sw_df_target {
    struct sw_str name, description;
    struct sw_str base, platform; /* raw */
    bool is_default;              /* the last stage */
    uint32_t line;
};
/* One entry per stage, in order, in the arena. */
struct sw_df_target *sw_df_targets(struct sw_arena *arena, const struct sw_dockerfile *file,
                                   size_t *ret_n);

#endif
