/* Commands: one table feeds parsing, --help, man pages, documentation and shell completions.
 *
 * Floor 7. A command is one file: a static array of options, a const struct sw_command that
 * table.c lists, and a run function that reads its invocation, calls one domain function and
 * renders the result. Only this room prints and picks exit codes.
 */
#ifndef SW_CMD_COMMAND_H
#define SW_CMD_COMMAND_H

#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/str.h"

enum sw_option_flags {
    SW_OPT_LIST = 1 << 0,    /* may be given several times, every value counts */
    SW_OPT_HIDDEN = 1 << 1,  /* accepted and not shown */
    SW_OPT_IGNORED = 1 << 2, /* accepted for compatibility, has no effect; help says so */
    SW_OPT_OPTIONAL = 1 << 3 /* --name alone means --name=implied */
};

struct sw_option {
    const char *name;  /* long name without dashes; NULL ends an array */
    char letter;       /* short name or 0 */
    const char *value; /* what the value is ("PATH"); NULL: a flag, which also takes =true|false */
    const char *help;  /* one line, no full stop */
    unsigned flags;    /* enum sw_option_flags */
    const char *implied; /* value of SW_OPT_OPTIONAL */
    const char *choices; /* "a|b|c": the only values allowed, and what completion offers */
};

struct sw_invocation;

enum sw_command_flags {
    SW_CMD_HIDDEN = 1 << 0,
    SW_CMD_PASS_REST = 1 << 1, /* options end at the first positional argument (run, exec) */
};

struct sw_command {
    const char *name;        /* "build" or "go install" */
    const char *aliases;     /* "rm|remove", last words only; or NULL */
    const char *args;        /* "[OPTIONS] PATH|URL|-" */
    const char *summary;     /* one line, no full stop */
    const char *description; /* paragraphs for --help, man and docs; may be NULL */
    const char *examples;    /* lines "command  # what it does"; may be NULL */
    const struct sw_option *options;
    int min_args, max_args; /* positional arguments; max_args -1: any number */
    unsigned flags;         /* enum sw_command_flags */
    /* Does the work. A failure goes to main, which prints the text and picks the exit status;
     * inv->exit_status replaces 0 on success. */
    enum sw_code (*run)(struct sw_invocation *inv, struct sw_error *err);
};

struct sw_invocation {
    const struct sw_command *command;
    const char *program;     /* "slipway", or the name it was called by */
    struct sw_arena *arena;  /* lives as long as the invocation */
    const char *const *args; /* positional, NULL-terminated */
    int n_args;
    int exit_status;
    /* Global options. */
    const char *root;         /* --root or SLIPWAY_ROOT, or NULL for the default */
    const char *format;       /* --format, or NULL */
    bool color;               /* stdout may carry colours */
    bool color_err;           /* stderr may */
    struct sw_parsed *parsed; /* private to args.c */
};

/* The last value given for an option, or NULL. Asking for an option that the command does not
 * declare is a bug (assert). */
const char *sw_opt(const struct sw_invocation *inv, const char *name);
/* A flag: given and not =false. */
bool sw_opt_flag(const struct sw_invocation *inv, const char *name);
/* All values in order; NULL-terminated, in the arena. */
const char *const *sw_opt_list(const struct sw_invocation *inv, const char *name, size_t *ret_n);
/* Numbers and sizes with errors that name the option; untouched (SW_OK) when it was not given. */
SW_NODISCARD enum sw_code sw_opt_u64(const struct sw_invocation *inv, const char *name,
                                     uint64_t *ret, struct sw_error *err);
SW_NODISCARD enum sw_code sw_opt_size(const struct sw_invocation *inv, const char *name,
                                      uint64_t *ret_bytes, struct sw_error *err);

/* ---- the table (table.c) ---- */

/* All commands, NULL-terminated, in the order in which help shows them. */
extern const struct sw_command *const sw_commands[];
extern const struct sw_option sw_global_options[];
/* Groups of two-word commands: name and what they are about; name NULL ends. */
struct sw_command_group {
    const char *name, *summary;
};
extern const struct sw_command_group sw_command_groups[];
/* Names that slipway answers to besides its own (through a link): the words they take and what
 * stands for them here. program NULL ends. "*" takes every word as it is. */
struct sw_persona {
    const char *program, *words, *command;
};
extern const struct sw_persona sw_personas[];

/* ---- parsing and help (args.c, help.c, completion.c) ---- */

/* Finds the command and parses what follows. *ret_help is set (with the command, or NULL for the
 * whole program, in inv->command) where help was asked for. SW_USAGE suggests the nearest word. */
SW_NODISCARD enum sw_code sw_parse_command_line(struct sw_invocation *inv, int argc,
                                                char *const *argv, bool *ret_help,
                                                const char **ret_group, struct sw_error *err);
void sw_help_program(FILE *to);
void sw_help_group(FILE *to, const char *group);
void sw_help_command(FILE *to, const struct sw_command *command);
void sw_man_page(FILE *to, const struct sw_command *command); /* NULL: slipway(1) */
void sw_markdown_page(FILE *to, const struct sw_command *command);
SW_NODISCARD enum sw_code sw_completion_script(FILE *to, const char *shell, struct sw_error *err);

#endif
