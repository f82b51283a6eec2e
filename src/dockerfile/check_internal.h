/* The state of one run of the checks.
 *
 * Floor 2, pure. Private to the room.
 */
#ifndef SW_DOCKERFILE_CHECK_INTERNAL_H
#define SW_DOCKERFILE_CHECK_INTERNAL_H

#include "dockerfile/check.h"
#include "dockerfile/plan_internal.h"

/* A stage while it is walked through, and at its end for those that build on it. */
struct sw_df_check_stage {
    struct sw_df_scope scope;
    struct sw_df_base_facts base; /* of the image at the bottom */
    struct sw_str base_name;      /* that image's name; "scratch" too */
    struct sw_df_platform platform;
    bool env_known; /* every variable that can be set is in scope */
    bool has_shell;
    bool workdir_set;
    const struct sw_df_instruction *cmd, *entrypoint, *health; /* of this stage */
};

struct sw_df_checker {
    struct sw_arena *arena;
    const struct sw_dockerfile *file;
    const struct sw_df_facts *facts;
    struct sw_df_check_options options;
    struct sw_df_plan plan;
    struct sw_df_check_stage *stages;
    struct sw_df_warning *warnings;
    size_t n, cap;
    size_t suggestions; /* made so far */
    struct sw_error *err;
};

/* Reports, unless the options skip the check. A comment above the instruction above, where that is
 * not NULL, can change the options, as BuildKit has it for some of the checks. */
void sw_df_warn(struct sw_df_checker *c, enum sw_df_check check,
                const struct sw_df_instruction *above, const struct sw_df_instruction *at,
                struct sw_str message);
#define SW_DF_WARN(c, check, at, ...)                                                              \
    sw_df_warn(c, check, at, at, sw_arena_printf((c)->arena, __VA_ARGS__))
/* For the checks that look at the file as a whole. */
#define SW_DF_WARN_FILE(c, check, at, ...)                                                         \
    sw_df_warn(c, check, NULL, at, sw_arena_printf((c)->arena, __VA_ARGS__))

/* " (did you mean WHAT?)", or "". */
struct sw_str sw_df_did_you_mean(struct sw_df_checker *c, struct sw_str word, const char *prefix,
                                 const struct sw_df_words *known);

/* Walks through one stage, whose parent was walked through already. */
SW_NODISCARD enum sw_code sw_df_check_stage(struct sw_df_checker *c, size_t index);

#endif
