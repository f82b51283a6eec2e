/* Which toolchain, and why: the one resolver for the laptop, CI and the container.
 *
 * Floor 5. Reads the environment, the files from a directory upwards and the store; no network.
 *
 *     1. command line   2. SLIPWAY_GO_VERSION   3. GO_VERSION      these decide
 *     4. GOTOOLCHAIN naming a toolchain: decides; with +auto or +path it is the local one
 *     5. .go-version, .tool-versions, mise.toml, slipway.yaml: the local one, nearest directory
 *     6. the user's default, the system's default: the local one
 *     7. go.work, else go.mod, ask for at least a version (toolchain line, then go line): the local
 *        one stays if it is as new, as with the go command, which never goes back
 */
#ifndef SW_GOTOOL_CHOOSE_H
#define SW_GOTOOL_CHOOSE_H

#include "golang/constraint.h"
#include "gotool/settings.h"
#include "gotool/store.h"

enum { SW_GO_STEPS_MAX = 24 };

/* One place that was looked at. */
struct sw_go_step {
    const char *place; /* "SLIPWAY_GO_VERSION", "/src/go.mod line 3" */
    const char *value; /* "1.21", "" for nothing */
    const char *said;  /* "decides", "not set", "satisfied by go1.22.4" */
};

struct sw_go_choice {
    struct sw_go_constraint constraint;
    const char *wanted; /* as a constraint, for installing: "1.21", "1.21.3"; arena */
    const char *origin; /* what decided: "go.mod (/src/go.mod line 3)"; arena */
    bool found;         /* installed: see it */
    struct sw_go_installed it;
    struct sw_go_step steps[SW_GO_STEPS_MAX];
    size_t n_steps;
};

struct sw_go_choose_options {
    const struct sw_go_store *store;
    const struct sw_go_settings *settings;
    const char *version; /* of the command line; NULL none */
    const char *dir;     /* where files are looked for; NULL: the current directory */
};

/* SW_NOT_FOUND when nothing names a version and there is no default; SW_USAGE or SW_SYNTAX when
 * what decides is malformed (the place is named). A version that is not installed is no error. */
SW_NODISCARD enum sw_code sw_go_choose(struct sw_arena *a,
                                       const struct sw_go_choose_options *options,
                                       struct sw_go_choice *ret, struct sw_error *err);
/* What go.work or go.mod of dir or above asks for, as a constraint. */
SW_NODISCARD enum sw_code sw_go_choose_mod(struct sw_arena *a, const char *dir, struct sw_str *ret,
                                           struct sw_error *err);

#endif
