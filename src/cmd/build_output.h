/* build -o: where else the result goes, and what it looks like there. Floor 7. */
#ifndef SW_CMD_BUILD_OUTPUT_H
#define SW_CMD_BUILD_OUTPUT_H

#include "build/build.h"
#include "cmd/command.h"

#define BUILD_OUTPUTS_MAX 16

enum sw_output_kind {
    SW_OUTPUT_NONE, /* the store alone */
    SW_OUTPUT_OCI,
    SW_OUTPUT_DOCKER,
    SW_OUTPUT_OCI_DIR, /* type=oci,tar=false */
    SW_OUTPUT_LOCAL,
    SW_OUTPUT_TAR,
};

struct sw_build_output {
    enum sw_output_kind kind;
    const char *dest;                   /* "-" for standard output */
    struct sw_str attestation_prefix;   /* of files */
    bool one_directory;                 /* several platforms in one (platform-split=false) */
    const struct sw_platform *platform; /* one of several, for names of files; NULL: the only one */
};

struct sw_build_outputs {
    struct sw_build_output list[BUILD_OUTPUTS_MAX];
    size_t n;
    bool push; /* type=registry, push=true */
};

/* Keys about the image (name, compression, annotations ...) go to o, which has the command line's
 * other options already. Notes for the user go to notes. */
SW_NODISCARD enum sw_code sw_build_outputs_parse(struct sw_invocation *inv,
                                                 struct sw_build_options *o,
                                                 struct sw_build_outputs *ret,
                                                 struct sw_strs *notes, struct sw_error *err);
/* "gzip", "zstd", "uncompressed"; estargz is refused with words. where: for messages. */
SW_NODISCARD enum sw_code sw_build_compression(const char *where, struct sw_str word,
                                               struct sw_build_options *o, struct sw_error *err);
SW_NODISCARD enum sw_code sw_build_output_write(const struct sw_build_tools *tools,
                                                const struct sw_build_options *options,
                                                const struct sw_build_result *result,
                                                const struct sw_build_output *output,
                                                struct sw_error *err);

#endif
