#include "gotool/shell.h"

bool sw_go_shell_parse(struct sw_str text, enum sw_go_shell *ret) {
    static const struct {
        const char *name;
        enum sw_go_shell shell;
    } names[] = {
        {"bash", SW_GO_SHELL_BASH}, {"zsh", SW_GO_SHELL_ZSH},     {"fish", SW_GO_SHELL_FISH},
        {"sh", SW_GO_SHELL_POSIX},  {"posix", SW_GO_SHELL_POSIX}, {"dash", SW_GO_SHELL_POSIX},
        {"ash", SW_GO_SHELL_POSIX}, {"ksh", SW_GO_SHELL_POSIX},
    };
    size_t slash = sw_str_rfind_char(text, '/');
    if (slash != SIZE_MAX) text = sw_str_from(text, slash + 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sw_str_is(text, names[i].name)) {
            *ret = names[i].shell;
            return true;
        }
    return false;
}

static bool is_ours(struct sw_str entry, struct sw_str root) {
    if (!root.len || !sw_str_starts(entry, root)) return false;
    return entry.len == root.len || entry.ptr[root.len] == '/';
}

void sw_go_path_with(struct sw_str path, struct sw_str root, struct sw_str bin, struct sw_buf *to) {
    struct sw_str entry;
    sw_buf_add(to, bin);
    if (!path.len) path.ptr = NULL;
    while (sw_str_next(&path, ':', &entry)) {
        if (is_ours(entry, root) || sw_str_eq(entry, bin)) continue;
        sw_buf_add_char(to, ':');
        sw_buf_add(to, entry);
    }
}

/* Quoted so that any bytes survive: '...' with each ' written as '\'' ('...' and \' in fish). */
static void add_quoted(struct sw_buf *to, enum sw_go_shell shell, struct sw_str text) {
    sw_buf_add_char(to, '\'');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (shell == SW_GO_SHELL_FISH && (c == '\'' || c == '\\')) sw_buf_add_char(to, '\\');
        if (shell != SW_GO_SHELL_FISH && c == '\'') sw_buf_add_text(to, "'\\'");
        sw_buf_add_char(to, c);
    }
    sw_buf_add_char(to, '\'');
}

static void set(struct sw_buf *to, enum sw_go_shell shell, const char *name, struct sw_str value) {
    sw_buf_addf(to, shell == SW_GO_SHELL_FISH ? "set -gx %s " : "export %s=", name);
    if (shell == SW_GO_SHELL_FISH && !strcmp(name, "PATH")) {
        /* fish's PATH is a list. */
        struct sw_str entry;
        for (bool first = true; sw_str_next(&value, ':', &entry); first = false) {
            if (!first) sw_buf_add_char(to, ' ');
            add_quoted(to, shell, entry);
        }
    } else {
        add_quoted(to, shell, value);
    }
    sw_buf_add_text(to, shell == SW_GO_SHELL_FISH ? ";\n" : "\n");
}

void sw_go_shell_write_env(enum sw_go_shell shell, const struct sw_go_shell_env *env,
                           struct sw_buf *to) {
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 1 << 20);
    sw_go_path_with(sw_str(env->path), sw_str(env->root), sw_str(env->bin), &path);
    set(to, shell, "PATH", sw_buf_str(&path));
    if (env->unset_goroot)
        sw_buf_add_text(to, shell == SW_GO_SHELL_FISH ? "set -e GOROOT;\n" : "unset GOROOT\n");
    if (env->gopath) set(to, shell, "GOPATH", sw_str(env->gopath));
    if (env->version) set(to, shell, "SLIPWAY_GO_VERSION", sw_str(env->version));
    if (shell == SW_GO_SHELL_BASH || shell == SW_GO_SHELL_POSIX)
        sw_buf_add_text(to, "hash -r 2>/dev/null || :\n");
    else if (shell == SW_GO_SHELL_ZSH)
        sw_buf_add_text(to, "rehash 2>/dev/null || :\n");
}

void sw_go_shell_write_hook(enum sw_go_shell shell, const char *program, struct sw_buf *to) {
    SW_BUF struct sw_buf quoted;
    sw_buf_init(&quoted, 8192);
    add_quoted(&quoted, shell, sw_str(program));
    const char *p = quoted.ptr;
    switch (shell) {
    case SW_GO_SHELL_BASH:
        sw_buf_addf(to,
                    "_slipway_go_hook() {\n"
                    "  local status=$?\n"
                    "  if [[ \"${_SLIPWAY_GO_DIR-}\" != \"$PWD\" ]]; then\n"
                    "    _SLIPWAY_GO_DIR=$PWD\n"
                    "    eval \"$(%s go env --shell bash)\"\n"
                    "  fi\n"
                    "  return $status\n"
                    "}\n"
                    "if [[ \";${PROMPT_COMMAND[*]:-};\" != *\";_slipway_go_hook;\"* ]]; then\n"
                    "  PROMPT_COMMAND=\"_slipway_go_hook;${PROMPT_COMMAND:-}\"\n"
                    "fi\n"
                    "_slipway_go_hook\n",
                    p);
        break;
    case SW_GO_SHELL_ZSH:
        sw_buf_addf(to,
                    "_slipway_go_hook() { eval \"$(%s go env --shell zsh)\" }\n"
                    "autoload -Uz add-zsh-hook\n"
                    "add-zsh-hook chpwd _slipway_go_hook\n"
                    "_slipway_go_hook\n",
                    p);
        break;
    case SW_GO_SHELL_FISH:
        sw_buf_addf(to,
                    "function _slipway_go_hook --on-variable PWD\n"
                    "  %s go env --shell fish | source\n"
                    "end\n"
                    "_slipway_go_hook\n",
                    p);
        break;
    case SW_GO_SHELL_POSIX:
        /* Without a hook of its own, the shell's cd does it. */
        sw_buf_addf(to,
                    "_slipway_go_hook() { eval \"$(%s go env --shell posix)\"; }\n"
                    "cd() { command cd \"$@\" && _slipway_go_hook; }\n"
                    "_slipway_go_hook\n",
                    p);
        break;
    }
}
