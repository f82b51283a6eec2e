#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/session.h"
#include "cmd/table.h"
#include "dockerfile/expand.h"
#include "dockerfile/parse.h"
#include "dockerfile/values.h"
#include "store/archive.h"
#include "store/tags.h"

/* --change "ENV A=b": the instructions that docker import takes. */
static enum sw_code change(struct sw_arena *arena, const char *text,
                           struct sw_container_config *config, struct sw_error *err) {
    static const struct sw_df_span at = {.line = 1, .end_line = 1, .column = 1};
    struct sw_df_instruction in;
    enum sw_code code = sw_df_parse_trigger(arena, sw_str(text), SW_STR("--change"), &at, &in, err);
    if (code) return code;
    struct sw_strs argv = {0};
    switch (in.kind) {
    case SW_DF_ENV:
    case SW_DF_LABEL:
        for (size_t i = 0; i < in.pairs.n; i++) {
            struct sw_df_lex lex = {0};
            struct sw_str value;
            code = sw_df_expand_word(arena, &lex, in.pairs.items[i].value, &value, err);
            if (code) return code;
            if (in.kind == SW_DF_ENV) {
                sw_config_set_env(arena, &config->env, in.pairs.items[i].name, value);
            } else {
                sw_pairs_set(arena, &config->labels, in.pairs.items[i].name, value);
            }
        }
        return SW_OK;
    case SW_DF_CMD:
    case SW_DF_ENTRYPOINT:
        if (in.command.form != SW_DF_EXEC_FORM) {
            sw_strs_add(arena, &argv, SW_STR("/bin/sh"));
            sw_strs_add(arena, &argv, SW_STR("-c"));
        }
        for (size_t i = 0; i < in.command.argv.n; i++)
            sw_strs_add(arena, &argv, in.command.argv.items[i]);
        *(in.kind == SW_DF_CMD ? &config->cmd : &config->entrypoint) = argv;
        return SW_OK;
    case SW_DF_WORKDIR:
        config->working_dir = sw_df_workdir_join(arena, config->working_dir, in.word);
        return SW_OK;
    case SW_DF_USER:
        config->user = in.word;
        return SW_OK;
    case SW_DF_STOPSIGNAL:
        config->stop_signal = in.word;
        return SW_OK;
    case SW_DF_EXPOSE:
        for (size_t i = 0; i < in.words.n; i++) {
            struct sw_df_ports p;
            code = sw_df_ports_parse(in.words.items[i], &p, err);
            for (unsigned port = p.first; !code && port <= p.last; port++)
                sw_config_add_unique(arena, &config->exposed_ports,
                                     sw_arena_printf(arena, "%u/%s", port, p.proto));
            if (code) return code;
        }
        return SW_OK;
    case SW_DF_VOLUME:
        for (size_t i = 0; i < in.words.n; i++)
            sw_config_add_unique(arena, &config->volumes, in.words.items[i]);
        return SW_OK;
    default:
        return sw_fail(err, SW_USAGE,
                       "--change %s: this instruction cannot be applied to an import", text);
    }
}

static enum sw_code configure(struct sw_invocation *inv, struct sw_import_options *o,
                              struct sw_error *err) {
    struct utsname host;
    size_t n;
    uname(&host);
    struct sw_platform here =
        sw_platform_of_machine(sw_arena_str(inv->arena, sw_str(host.machine)));
    const char *platform = sw_opt(inv, "platform");
    o->config.platform = here;
    enum sw_code code =
        platform ? sw_platform_parse(inv->arena, sw_str(platform), &here, &o->config.platform, err)
                 : SW_OK;
    const char *const *changes = sw_opt_list(inv, "change", &n);
    for (size_t i = 0; i < n && !code; i++)
        code = change(inv->arena, changes[i], &o->config.config, err);
    /* The time of import is not part of the image: the same archive gives the same image. */
    o->config.created = (struct sw_time){.set = true};
    const char *message = sw_opt(inv, "message");
    o->message = message ? sw_str(message) : SW_STR("");
    o->created_by = SW_STR("");
    return code;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    struct sw_import_options o = {0};
    SW_FD int file = -1;
    int fd = STDIN_FILENO;
    enum sw_code code = configure(inv, &o, err);
    if (code) return code;
    if (strcmp(inv->args[0], "-") != 0) {
        code = sw_open_at(AT_FDCWD, inv->args[0], O_RDONLY, 0, &file, err);
        if (code) return code;
        fd = file;
    }
    SW_SESSION struct sw_session session = {0};
    struct sw_descriptor target;
    code = sw_session_open(inv, 0, &session, err);
    if (!code) code = sw_archive_import(session.store, inv->arena, fd, &o, &target, err);
    if (code) return sw_context(err, "import %s", inv->args[0]);
    code = sw_tags_set(session.store, inv->n_args > 1 ? sw_str(inv->args[1]) : SW_STR(""), &target,
                       err);
    char text[SW_DIGEST_TEXT_MAX];
    if (!code) printf("%s\n", sw_digest_format(&target.digest, text).ptr);
    return code;
}

static const struct sw_option options[] = {
    {"change", 'c', "INSTRUCTION",
     "ENV, LABEL, CMD, ENTRYPOINT, WORKDIR, USER, EXPOSE, VOLUME, STOPSIGNAL", SW_OPT_LIST, NULL,
     NULL},
    {"message", 'm', "TEXT", "comment in the history", 0, NULL, NULL},
    {"platform", 0, "PLATFORM", "of the files (default: this machine's)", 0, NULL, NULL},
    {NULL},
};

const struct sw_command sw_cmd_import = {
    .name = "import",
    .args = "[OPTIONS] FILE|- [NAME]",
    .summary = "Make a base image out of an archive of a root file system",
    .description =
        "The archive (tar, plain or compressed with gzip or zstd) becomes the image's only layer, "
        "byte for byte.",
    .examples = "  tar -C rootfs -c . | slipway import -c 'CMD [\"sh\"]' - busybox:latest",
    .options = options,
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
