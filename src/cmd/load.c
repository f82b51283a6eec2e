#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "store/archive.h"

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    const char *input = sw_opt(inv, "input");
    if (!input && inv->n_args) input = inv->args[0];
    SW_FD int file = -1;
    int fd = STDIN_FILENO;
    if (input) {
        enum sw_code code = sw_open_at(AT_FDCWD, input, O_RDONLY, 0, &file, err);
        if (code) return code;
        fd = file;
    } else if (isatty(STDIN_FILENO)) {
        return sw_fail(err, SW_USAGE,
                       "load: name an archive with -i FILE, or send one to standard input");
    }
    SW_SESSION struct sw_session session = {0};
    struct sw_load_result result;
    const char *tag = sw_opt(inv, "tag");
    struct sw_load_options options = {.name = SW_STR(""), .tag = tag ? sw_str(tag) : SW_STR("")};
    enum sw_code code = sw_session_open(inv, 0, &session, err);
    if (!code) code = sw_archive_load(session.store, inv->arena, fd, &options, &result, err);
    if (code) return sw_context(err, "load %s", input ? input : "from standard input");
    for (size_t i = 0; i < result.len && !sw_opt_flag(inv, "quiet"); i++) {
        char text[SW_DIGEST_TEXT_MAX];
        for (size_t k = 0; k < result.ptr[i].names.len; k++) {
            struct sw_reference ref;
            code = sw_reference_parse(inv->arena, result.ptr[i].names.ptr[k], &ref, err);
            if (code) return code;
            printf("Loaded image: %.*s\n", SW_ARG(sw_reference_familiar(inv->arena, &ref)));
        }
        if (!result.ptr[i].names.len)
            printf("Loaded image: %s\n", sw_digest_format(&result.ptr[i].target.digest, text).ptr);
    }
    return SW_OK;
}

static const struct sw_option options[] = {
    {"input", 'i', "FILE", "archive or OCI layout directory (default: standard input)", 0, NULL,
     NULL},
    {"tag", 't', "NAME", "name the image so, instead of by its own names", 0, NULL, NULL},
    {"quiet", 'q', NULL, "print nothing", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_load = {
    .name = "load",
    .args = "[OPTIONS] [FILE]",
    .summary = "Add the images of an archive to the local store",
    .description =
        "Takes what docker save, podman save, buildah, skopeo and slipway write: docker archives, "
        "OCI archives (compressed with gzip or zstd or not), OCI layout directories.",
    .examples = "  slipway load -i app.tar\n  podman save app | slipway load",
    .options = options,
    .max_args = 1,
    .run = run,
};
