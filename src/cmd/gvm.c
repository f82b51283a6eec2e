/* The words of gvm, for fingers and scripts that know them; each is one of our commands. */
#include <string.h>

#include "cmd/go_common.h"
#include "cmd/table.h"
#include "cmd/version.h"

static const struct {
    const char *word, *command;
} words[] = {
    {"install", "install"},  {"use", "use"},     {"uninstall", "uninstall"},
    {"delete", "uninstall"}, {"which", "which"}, {"env", "env"},
};

/* Runs "slipway go WORD ..." with the flags that mean nothing here left out. */
static enum sw_code forward(struct sw_invocation *inv, const char *command, struct sw_error *err) {
    char **argv = sw_arena_array(inv->arena, (size_t)inv->n_args + 4, sizeof *argv);
    int n = 0;
    argv[n++] = (char *)inv->program;
    argv[n++] = (char *)"go";
    argv[n++] = (char *)command;
    for (int i = 1; i < inv->n_args; i++) {
        const char *arg = inv->args[i];
        /* -B, --binary and --prefer-binary: nothing is ever compiled here. */
        if (!strcmp(arg, "-B") || !strcmp(arg, "--binary") || !strcmp(arg, "--prefer-binary"))
            continue;
        argv[n++] = (char *)arg;
    }
    struct sw_invocation sub = {.program = inv->program, .arena = inv->arena};
    bool help = false;
    const char *group = NULL;
    enum sw_code code = sw_parse_command_line(&sub, n, argv, &help, &group, err);
    if (code) return code;
    if (help) {
        sw_help_command(stdout, sub.command);
        return SW_OK;
    }
    sub.root = inv->root ? inv->root : sub.root;
    sub.color_err = inv->color_err;
    code = sub.command->run(&sub, err);
    inv->exit_status = sub.exit_status;
    return code;
}

static enum sw_code list(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_installed *all;
    size_t n = 0;
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (!code) code = sw_go_store_list(&s.store, inv->arena, &all, &n, err);
    if (code) return code;
    printf("\ngvm gos (installed)\n\n");
    for (size_t i = n; i-- > 0;) printf("%s %s\n", all[i].current ? "=>" : "  ", all[i].name);
    printf("\n");
    return SW_OK;
}

static enum sw_code list_all(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_remote all;
    enum sw_code code = go_session_open(&s, inv, GO_CREATE | GO_NETWORK, err);
    if (!code)
        code = sw_go_remote_list(s.http, &s.store, &s.settings, false, inv->arena, &all, err);
    if (code) return code;
    printf("\ngvm gos (available)\n\n");
    for (size_t i = all.n; i-- > 0;) {
        char text[SW_GO_VERSION_SIZE];
        printf("   go%.*s\n", SW_ARG(sw_go_version_format(&all.versions[i], text)));
    }
    printf("\n");
    return SW_OK;
}

static void usage(FILE *to) {
    fprintf(to, "Usage: gvm [command]\n\n"
                "  list                           installed versions\n"
                "  listall                        available versions\n"
                "  install VERSION [-B]           install a version\n"
                "  use VERSION [--default]        switch, installing it if it is missing\n"
                "  uninstall VERSION              remove a version (also: delete)\n"
                "  version                        which slipway this is\n\n"
                "These are commands of slipway: see `slipway go --help`.\n");
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    const char *word = inv->n_args ? inv->args[0] : "help";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i].word)) return forward(inv, words[i].command, err);
    if (!strcmp(word, "list")) return list(inv, err);
    if (!strcmp(word, "listall")) return list_all(inv, err);
    if (!strcmp(word, "version")) {
        printf("gvm words of slipway %s\n", sw_version_text());
        return SW_OK;
    }
    bool asked = !strcmp(word, "help");
    usage(asked ? stdout : stderr);
    if (asked) return SW_OK;
    return sw_fail(err, SW_USAGE, "gvm has no command \"%s\" here", word);
}

const struct sw_command sw_cmd_gvm = {
    .name = "gvm",
    .args = "COMMAND [ARG...]",
    .summary = "Take the words of gvm (also through a link named gvm)",
    .description = "list, listall, install VERSION [-B], use VERSION [--default], uninstall and "
                   "delete VERSION, version. Nothing is compiled: -B is always in effect.",
    .max_args = -1,
    .flags = SW_CMD_PASS_REST,
    .run = run,
};
