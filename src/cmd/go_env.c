#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/go_common.h"
#include "cmd/table.h"
#include "gotool/choose.h"
#include "gotool/shell.h"

static const struct sw_option options[] = {
    {"shell", 0, "SHELL", "whose words to write; SHELL otherwise", 0, NULL, "bash|zsh|fish|posix"},
    {"gopath", 0, NULL, "a GOPATH for each version (~/go/VERSION)", 0, NULL, NULL},
    {NULL},
};

static enum sw_code shell_option(const struct sw_invocation *inv, enum sw_go_shell *ret,
                                 struct sw_error *err) {
    const char *text = sw_opt(inv, "shell");
    if (!text) text = getenv("SHELL");
    if (!text || !sw_go_shell_parse(sw_str(text), ret)) *ret = SW_GO_SHELL_POSIX;
    (void)err;
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    GO_SESSION struct go_session s;
    struct sw_go_choice choice;
    enum sw_go_shell shell = SW_GO_SHELL_POSIX;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 4 << 20);
    enum sw_code code = go_session_open(&s, inv, 0, err);
    if (code || (code = shell_option(inv, &shell, err))) return code;
    struct sw_go_choose_options o = {
        .store = &s.store, .settings = &s.settings, .version = inv->n_args ? inv->args[0] : NULL};
    struct sw_go_shell_env env = {.root = s.store.root, .path = getenv("PATH")};
    env.bin = sw_arena_printf(inv->arena, "%s/bin", s.store.root).ptr;
    code = sw_go_choose(inv->arena, &o, &choice, err);
    if (code && (inv->n_args || code != SW_NOT_FOUND)) return code;
    if (code)
        choice.found = false;
    else if (!choice.found)
        fprintf(stderr, "slipway: %s (from %s) is not installed; run `slipway go install %s`\n",
                choice.wanted, choice.origin, choice.wanted);
    /* The default goes by its link, so that a later switch reaches this shell too. */
    if (choice.found && !choice.it.current)
        env.bin = sw_arena_printf(inv->arena, "%s/bin", choice.it.path).ptr;
    if (inv->n_args && choice.found) env.version = choice.it.name + 2;
    const char *goroot = getenv("GOROOT"), *home = getenv("HOME");
    env.unset_goroot = goroot != NULL;
    if (sw_opt_flag(inv, "gopath") && choice.found && home)
        env.gopath = sw_arena_printf(inv->arena, "%s/go/%s", home, choice.it.name + 2).ptr;
    sw_go_shell_write_env(shell, &env, &out);
    printf("%s", out.ptr);
    return SW_OK;
}

const struct sw_command sw_cmd_go_env = {
    .name = "go env",
    .args = "[OPTIONS] [VERSION]",
    .summary = "Print shell commands that put Go in PATH",
    .description = "For eval, in a shell's start file. PATH gets one entry, however often this is "
                   "done; a stale GOROOT is unset. With a VERSION the shell keeps to it.",
    .examples = "eval \"$(slipway go env --shell bash)\"\nslipway go env --shell fish | source",
    .options = options,
    .max_args = 1,
    .run = run,
};

static const struct sw_option hook_options[] = {
    {"shell", 0, "SHELL", "whose words to write; SHELL otherwise", 0, NULL, "bash|zsh|fish|posix"},
    {NULL},
};

static enum sw_code run_hook(struct sw_invocation *inv, struct sw_error *err) {
    enum sw_go_shell shell = SW_GO_SHELL_POSIX;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 1 << 16);
    enum sw_code code = shell_option(inv, &shell, err);
    if (code) return code;
    sw_go_shell_write_hook(shell, "slipway", &out);
    printf("%s", out.ptr);
    return SW_OK;
}

const struct sw_command sw_cmd_go_hook = {
    .name = "go hook",
    .args = "[--shell SHELL]",
    .summary = "Print a hook that follows .go-version and go.mod from directory to directory",
    .examples = "eval \"$(slipway go hook --shell bash)\"",
    .options = hook_options,
    .run = run_hook,
};
