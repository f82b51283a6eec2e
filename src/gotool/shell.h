/* Text for shells to evaluate: the environment of a toolchain, hooks for directories.
 *
 * Floor 5. Pure but for the environment that it is given.
 */
#ifndef SW_GOTOOL_SHELL_H
#define SW_GOTOOL_SHELL_H

#include "base/buf.h"
#include "base/error.h"

enum sw_go_shell { SW_GO_SHELL_POSIX, SW_GO_SHELL_BASH, SW_GO_SHELL_ZSH, SW_GO_SHELL_FISH };

/* "bash", "zsh", "fish", "posix", "sh", "dash"; a path's last component counts. */
bool sw_go_shell_parse(struct sw_str text, enum sw_go_shell *ret);

/* path with every entry that is ours (below root) removed and bin put in front: so it holds one,
 * however often this is done. */
void sw_go_path_with(struct sw_str path, struct sw_str root, struct sw_str bin, struct sw_buf *to);

struct sw_go_shell_env {
    const char *root;    /* of the store: its entries in PATH are ours */
    const char *bin;     /* the directory that goes in front of PATH */
    const char *path;    /* PATH now; NULL none */
    const char *version; /* SLIPWAY_GO_VERSION to set; NULL: leave it */
    const char *gopath;  /* GOPATH to set; NULL: leave it */
    bool unset_goroot;   /* GOROOT is set and would mislead the go command */
};
void sw_go_shell_write_env(enum sw_go_shell shell, const struct sw_go_shell_env *env,
                           struct sw_buf *to);
/* A function that runs before each prompt (or when the directory changes) and evaluates `go env`
 * again; program is how slipway is called. */
void sw_go_shell_write_hook(enum sw_go_shell shell, const char *program, struct sw_buf *to);

#endif
