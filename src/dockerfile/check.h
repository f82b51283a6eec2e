/* Build checks: Docker's 22 by their own names, and three of ours for Go.
 *
 * Floor 2, pure. What a check must know about the world (base images, .dockerignore, go.mod) comes
 * in through struct sw_df_facts. Reference: "Build checks" of Docker's Dockerfile reference.
 */
#ifndef SW_DOCKERFILE_CHECK_H
#define SW_DOCKERFILE_CHECK_H

#include "dockerfile/args.h"
#include "dockerfile/ignore.h"
#include "dockerfile/parse.h"

enum sw_df_check {
    SW_DF_STAGE_NAME_CASING,
    SW_DF_FROM_AS_CASING,
    SW_DF_NO_EMPTY_CONTINUATION,
    SW_DF_CONSISTENT_INSTRUCTION_CASING,
    SW_DF_DUPLICATE_STAGE_NAME,
    SW_DF_RESERVED_STAGE_NAME,
    SW_DF_JSON_ARGS_RECOMMENDED,
    SW_DF_MAINTAINER_DEPRECATED,
    SW_DF_UNDEFINED_ARG_IN_FROM,
    SW_DF_WORKDIR_RELATIVE_PATH,
    SW_DF_UNDEFINED_VAR,
    SW_DF_MULTIPLE_INSTRUCTIONS_DISALLOWED,
    SW_DF_LEGACY_KEY_VALUE_FORMAT,
    SW_DF_INVALID_BASE_IMAGE_PLATFORM,
    SW_DF_REDUNDANT_TARGET_PLATFORM,
    SW_DF_SECRETS_USED_IN_ARG_OR_ENV,
    SW_DF_INVALID_DEFAULT_ARG_IN_FROM,
    SW_DF_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
    SW_DF_COPY_IGNORED_FILE,
    SW_DF_INVALID_DEFINITION_DESCRIPTION, /* experimental: off unless asked for */
    SW_DF_EXPOSE_PROTO_CASING,
    SW_DF_EXPOSE_INVALID_FORMAT,
    SW_DF_GO_BASE_OLDER_THAN_MODULE, /* the base's Go is older than go.mod asks for */
    SW_DF_GO_BUILD_EMULATED,         /* go build emulated though it could cross-compile */
    SW_DF_GO_TOOLCHAIN_IN_FINAL_IMAGE,
};
#define SW_DF_CHECKS 25

struct sw_df_check_info {
    const char *name, *description;
    const char *url; /* "" where the reference has no page */
    bool experimental;
};
const struct sw_df_check_info *sw_df_check_info(enum sw_df_check check);

struct sw_df_warning {
    enum sw_df_check check;
    struct sw_str message;   /* arena */
    uint32_t line, end_line; /* 1-based, inclusive */
};
struct sw_df_warnings {
    struct sw_df_warning *items; /* arena; in the order of lines */
    size_t n;
    bool as_error; /* error=true: the build must fail when n > 0 */
};

/* What the checks can know of a base image; zero where unknown. */
struct sw_df_base_facts {
    bool known;
    struct sw_df_platform platform;
    struct sw_df_words env;      /* NAME=VALUE */
    bool has_shell;              /* the config sets Shell */
    struct sw_df_words on_build; /* triggers */
    struct sw_str go_version;    /* of the toolchain inside, "1.21.5"; empty: none or unknown */
};

struct sw_df_facts {
    struct sw_df_env build_args;         /* --build-arg; .get NULL for none */
    struct sw_df_platform build, target; /* platforms of this host and of the image */
    struct sw_str target_stage;          /* --target, empty for all stages */
    const struct sw_ignore *ignore;      /* NULL: no ignore file */
    struct sw_str go_mod_version;        /* the larger of go and toolchain in go.mod; empty */
    int (*go_compare)(struct sw_str a, struct sw_str b); /* Go versions; NULL: no such check */
    /* The base image of an expanded FROM reference; NULL: nothing is known of any. Facts stay valid
     * until the checks return. platform is the one that the stage wants. */
    void (*base)(void *context, struct sw_str reference, const struct sw_df_platform *platform,
                 struct sw_df_base_facts *ret);
    void *context;
};

/* "skip=JSONArgsRecommended,StageNameCasing;error=true;experimental=all". */
struct sw_df_check_options {
    bool skip_all, experimental_all, as_error;
    struct sw_df_words skip, experimental;
};
/* SW_SYNTAX for what is not an option; unknown rule names are kept, as BuildKit does. */
SW_NODISCARD enum sw_code sw_df_check_options_parse(struct sw_arena *arena, struct sw_str text,
                                                    struct sw_df_check_options *ret,
                                                    struct sw_error *err);

/* Runs all checks. override (from the command line) replaces the file's "# check=" directive; NULL
 * takes the directive. A comment "# check=skip=..." above an instruction holds for it alone. */
SW_NODISCARD enum sw_code sw_df_check(struct sw_arena *arena, const struct sw_dockerfile *file,
                                      const struct sw_df_facts *facts,
                                      const struct sw_df_check_options *override,
                                      struct sw_df_warnings *ret, struct sw_error *err);

/* The nearest name for messages ("did you mean ..."), or .ptr NULL. */
struct sw_str sw_df_suggest(struct sw_str word, const struct sw_str *candidates, size_t n);

#endif
