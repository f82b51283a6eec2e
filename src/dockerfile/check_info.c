#include "dockerfile/check.h"

#define PAGE "https://docs.docker.com/go/dockerfile/rule/"

static const struct sw_df_check_info infos[SW_DF_CHECKS] = {
    [SW_DF_STAGE_NAME_CASING] = {"StageNameCasing", "Stage names should be lowercase",
                                 PAGE "stage-name-casing/", false},
    [SW_DF_FROM_AS_CASING] = {"FromAsCasing",
                              "The 'as' keyword should match the case of the 'from' keyword",
                              PAGE "from-as-casing/", false},
    [SW_DF_NO_EMPTY_CONTINUATION] =
        {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release",
         PAGE "no-empty-continuation/", false},
    [SW_DF_CONSISTENT_INSTRUCTION_CASING] =
        {"ConsistentInstructionCasing",
         "All commands within the Dockerfile should use the same casing (either upper or lower)",
         PAGE "consistent-instruction-casing/", false},
    [SW_DF_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", "Stage names should be unique",
                                    PAGE "duplicate-stage-name/", false},
    [SW_DF_RESERVED_STAGE_NAME] = {"ReservedStageName",
                                   "Reserved words should not be used as stage names",
                                   PAGE "reserved-stage-name/", false},
    [SW_DF_JSON_ARGS_RECOMMENDED] =
        {"JSONArgsRecommended",
         "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to "
         "OS signals",
         PAGE "json-args-recommended/", false},
    [SW_DF_MAINTAINER_DEPRECATED] =
        {"MaintainerDeprecated",
         "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
         PAGE "maintainer-deprecated/", false},
    [SW_DF_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom", "FROM command must use declared ARGs",
                                     PAGE "undefined-arg-in-from/", false},
    [SW_DF_WORKDIR_RELATIVE_PATH] =
        {"WorkdirRelativePath",
         "Relative workdir without an absolute workdir declared within the build can have "
         "unexpected results if the base image changes",
         PAGE "workdir-relative-path/", false},
    [SW_DF_UNDEFINED_VAR] = {"UndefinedVar", "Variables should be defined before their use",
                             PAGE "undefined-var/", false},
    [SW_DF_MULTIPLE_INSTRUCTIONS_DISALLOWED] =
        {"MultipleInstructionsDisallowed",
         "Multiple instructions of the same type should not be used in the same stage",
         PAGE "multiple-instructions-disallowed/", false},
    [SW_DF_LEGACY_KEY_VALUE_FORMAT] =
        {"LegacyKeyValueFormat",
         "Legacy key/value format with whitespace separator should not be used",
         PAGE "legacy-key-value-format/", false},
    [SW_DF_INVALID_BASE_IMAGE_PLATFORM] =
        {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform",
         "", false},
    [SW_DF_REDUNDANT_TARGET_PLATFORM] =
        {"RedundantTargetPlatform",
         "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
         "default behavior",
         PAGE "redundant-target-platform/", false},
    [SW_DF_SECRETS_USED_IN_ARG_OR_ENV] =
        {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands",
         PAGE "secrets-used-in-arg-or-env/", false},
    [SW_DF_INVALID_DEFAULT_ARG_IN_FROM] =
        {"InvalidDefaultArgInFrom",
         "Default value for global ARG results in an empty or invalid base image name",
         PAGE "invalid-default-arg-in-from/", false},
    [SW_DF_FROM_PLATFORM_FLAG_CONST_DISALLOWED] =
        {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value",
         PAGE "from-platform-flag-const-disallowed/", false},
    [SW_DF_COPY_IGNORED_FILE] = {"CopyIgnoredFile",
                                 "Attempting to Copy file that is excluded by .dockerignore",
                                 PAGE "copy-ignored-file/", false},
    [SW_DF_INVALID_DEFINITION_DESCRIPTION] =
        {"InvalidDefinitionDescription",
         "Comment for build stage or argument should follow the format: `# <arg/stage name> "
         "<description>`. If this is not intended to be a description comment, add an empty line "
         "or comment between the instruction and the comment.",
         PAGE "invalid-definition-description/", true},
    [SW_DF_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing",
                                   "Protocol in EXPOSE instruction should be lowercase",
                                   PAGE "expose-proto-casing/", false},
    [SW_DF_EXPOSE_INVALID_FORMAT] =
        {"ExposeInvalidFormat",
         "IP address and host-port mapping should not be used in EXPOSE instruction. This will "
         "become an error in a future release",
         PAGE "expose-invalid-format/", false},
    [SW_DF_GO_BASE_OLDER_THAN_MODULE] =
        {"GoBaseOlderThanModule", "The base image's Go should not be older than go.mod asks for",
         "", false},
    [SW_DF_GO_BUILD_EMULATED] = {"GoBuildEmulated",
                                 "Go code should be cross-compiled instead of emulated", "", false},
    [SW_DF_GO_TOOLCHAIN_IN_FINAL_IMAGE] = {"GoToolchainInFinalImage",
                                           "The final image should not carry a Go toolchain", "",
                                           false},
};

const struct sw_df_check_info *sw_df_check_info(enum sw_df_check check) { return &infos[check]; }
