#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/command.h"

#define COMMANDS_MAX 256 /* for suggestions only */

struct given {
    const struct sw_option *option;
    const char *value;
};

/* In the invocation's arena: what is outgrown stays there until the end, which is soon. */
struct sw_parsed {
    struct {
        struct given *ptr;
        size_t len, cap;
    } given;
};

/* ---- what was given ---- */

static const struct sw_option *find_option(const struct sw_command *c, struct sw_str name) {
    for (const struct sw_option *o = c ? c->options : NULL; o && o->name; o++)
        if (sw_str_is(name, o->name)) return o;
    for (const struct sw_option *o = sw_global_options; o->name; o++)
        if (sw_str_is(name, o->name)) return o;
    return NULL;
}

static const struct sw_option *find_letter(const struct sw_command *c, char letter) {
    for (const struct sw_option *o = c ? c->options : NULL; o && o->name; o++)
        if (o->letter == letter) return o;
    for (const struct sw_option *o = sw_global_options; o->name; o++)
        if (o->letter == letter) return o;
    return NULL;
}

const char *sw_opt(const struct sw_invocation *inv, const char *name) {
    assert(find_option(inv->command, sw_str(name)));
    for (size_t i = inv->parsed->given.len; i-- > 0;)
        if (!strcmp(inv->parsed->given.ptr[i].option->name, name))
            return inv->parsed->given.ptr[i].value;
    return NULL;
}

bool sw_opt_flag(const struct sw_invocation *inv, const char *name) {
    const char *value = sw_opt(inv, name);
    return value && strcmp(value, "false") != 0;
}

const char *const *sw_opt_list(const struct sw_invocation *inv, const char *name, size_t *ret_n) {
    assert(find_option(inv->command, sw_str(name)));
    size_t n = 0;
    const char **values =
        sw_arena_array(inv->arena, inv->parsed->given.len + 1, sizeof(const char *));
    for (size_t i = 0; i < inv->parsed->given.len; i++)
        if (!strcmp(inv->parsed->given.ptr[i].option->name, name))
            values[n++] = inv->parsed->given.ptr[i].value;
    if (ret_n) *ret_n = n;
    return values;
}

enum sw_code sw_opt_u64(const struct sw_invocation *inv, const char *name, uint64_t *ret,
                        struct sw_error *err) {
    const char *value = sw_opt(inv, name);
    if (value && !sw_str_u64(sw_str(value), ret))
        return sw_fail(err, SW_USAGE, "--%s %s: want a whole number", name, value);
    return SW_OK;
}

enum sw_code sw_opt_size(const struct sw_invocation *inv, const char *name, uint64_t *ret_bytes,
                         struct sw_error *err) {
    const char *value = sw_opt(inv, name);
    if (value && !sw_str_size(sw_str(value), ret_bytes))
        return sw_fail(err, SW_USAGE, "--%s %s: want a size such as 512m or 10GiB", name, value);
    return SW_OK;
}

/* ---- suggestions ---- */

static enum sw_code unknown_option(const struct sw_command *c, struct sw_str name,
                                   struct sw_error *err) {
    const char *names[COMMANDS_MAX];
    size_t n = 0;
    for (const struct sw_option *o = c ? c->options : NULL; o && o->name && n < COMMANDS_MAX; o++)
        if (!(o->flags & SW_OPT_HIDDEN)) names[n++] = o->name;
    for (const struct sw_option *o = sw_global_options; o->name && n < COMMANDS_MAX; o++)
        names[n++] = o->name;
    const char *near = sw_str_nearest(name, names, n);
    sw_fail(err, SW_USAGE, "unknown option --%.*s", SW_ARG(name));
    if (near) return sw_advise(err, "; did you mean --%s?", near);
    return sw_advise(err, "; see `slipway %s%s--help`", c ? c->name : "", c ? " " : "");
}

static enum sw_code unknown_command(const char *word, const char *group, struct sw_error *err) {
    const char *names[COMMANDS_MAX];
    size_t n = 0, skip = group ? strlen(group) + 1 : 0;
    for (const struct sw_command *const *c = sw_commands; *c && n < COMMANDS_MAX; c++) {
        if ((*c)->flags & SW_CMD_HIDDEN) continue;
        if (group && (strncmp((*c)->name, group, skip - 1) || (*c)->name[skip - 1] != ' '))
            continue;
        if (!group && strchr((*c)->name, ' ')) continue;
        names[n++] = (*c)->name + skip;
    }
    for (const struct sw_command_group *g = sw_command_groups; !group && g->name; g++)
        if (n < COMMANDS_MAX) names[n++] = g->name;
    const char *near = sw_str_nearest(sw_str(word), names, n);
    const char *between = group ? " " : "";
    if (!group) group = "";
    sw_fail(err, SW_USAGE, "unknown command \"%s%s%s\"", group, between, word);
    if (near) return sw_advise(err, "; did you mean \"%s%s%s\"?", group, between, near);
    return sw_advise(err, "; see `slipway %s%s--help`", group, between);
}

/* ---- finding the command ---- */

static bool word_in(const char *list, const char *word) {
    struct sw_str rest = sw_str(list), item;
    while (list && sw_str_next(&rest, '|', &item))
        if (sw_str_is(item, word)) return true;
    return false;
}

static const char *find_group(const char *word) {
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        if (!strcmp(g->name, word)) return g->name;
    return NULL;
}

static const struct sw_command *find_command(const char *group, const char *word) {
    size_t skip = group ? strlen(group) + 1 : 0;
    for (const struct sw_command *const *c = sw_commands; *c; c++) {
        const char *name = (*c)->name;
        if (group && (strncmp(name, group, skip - 1) || name[skip - 1] != ' ')) continue;
        if (!group && strchr(name, ' ')) continue;
        if (!strcmp(name + skip, word) || word_in((*c)->aliases, word)) return *c;
    }
    return NULL;
}

/* ---- parsing ---- */

static enum sw_code give(struct sw_invocation *inv, const struct sw_option *o, const char *value,
                         struct sw_error *err) {
    if (!o->value && value && strcmp(value, "true") && strcmp(value, "false"))
        return sw_fail(err, SW_USAGE, "--%s=%s: this option is on or off and takes no value",
                       o->name, value);
    if (o->choices && value && !word_in(o->choices, value))
        return sw_fail(err, SW_USAGE, "--%s %s: want one of %s", o->name, value, o->choices);
    struct sw_parsed *p = inv->parsed;
    if (p->given.len == p->given.cap) {
        size_t cap = p->given.cap ? p->given.cap * 2 : 16;
        struct given *grown = sw_arena_array(inv->arena, cap, sizeof *grown);
        if (p->given.len) memcpy(grown, p->given.ptr, p->given.len * sizeof *grown);
        p->given.ptr = grown;
        p->given.cap = cap;
    }
    p->given.ptr[p->given.len++] = (struct given){o, value        ? value
                                                     : o->implied ? o->implied
                                                                  : "true"};
    return SW_OK;
}

/* One "--name[=value]". *i is advanced where the value is the next word. */
static enum sw_code parse_long(struct sw_invocation *inv, int argc, char *const *argv, int *i,
                               struct sw_error *err) {
    struct sw_str name, value;
    bool has_value = sw_str_cut(sw_str(argv[*i] + 2), '=', &name, &value);
    const struct sw_option *o = find_option(inv->command, name);
    if (!o) return unknown_option(inv->command, name, err);
    if (has_value) return give(inv, o, value.ptr, err);
    if (!o->value || (o->flags & SW_OPT_OPTIONAL)) return give(inv, o, NULL, err);
    if (*i + 1 >= argc)
        return sw_fail(err, SW_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return give(inv, o, argv[++*i], err);
}

/* "-abc", "-fVALUE", "-f VALUE", "-f=VALUE". */
static enum sw_code parse_short(struct sw_invocation *inv, int argc, char *const *argv, int *i,
                                struct sw_error *err) {
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct sw_option *o = find_letter(inv->command, *p);
        if (!o)
            return sw_fail(err, SW_USAGE, "unknown option -%c in \"%s\"; see `slipway %s --help`",
                           *p, argv[*i], inv->command ? inv->command->name : "");
        enum sw_code code;
        if (!o->value) {
            code = give(inv, o, NULL, err);
            if (code) return code;
            continue;
        }
        if (p[1]) return give(inv, o, p[1] == '=' ? p + 2 : p + 1, err);
        if (*i + 1 >= argc)
            return sw_fail(err, SW_USAGE, "-%c needs a value: -%c %s", *p, *p, o->value);
        return give(inv, o, argv[++*i], err);
    }
    return SW_OK;
}

static enum sw_code check_count(const struct sw_invocation *inv, struct sw_error *err) {
    const struct sw_command *c = inv->command;
    if (inv->n_args < c->min_args)
        return sw_fail(err, SW_USAGE, "%s: too few arguments; usage: slipway %s %s", c->name,
                       c->name, c->args);
    if (c->max_args >= 0 && inv->n_args > c->max_args)
        return sw_fail(err, SW_USAGE, "%s: unexpected argument \"%s\"; usage: slipway %s %s",
                       c->name, inv->args[c->max_args], c->name, c->args);
    return SW_OK;
}

static enum sw_code apply_globals(struct sw_invocation *inv, struct sw_error *err) {
    const char *level = sw_opt(inv, "log-level");
    if (!level) level = getenv("SLIPWAY_LOG");
    if (level && *level) {
        enum sw_code code = sw_log_configure(level, err);
        if (code) return code;
    }
    inv->root = sw_opt(inv, "root");
    if (!inv->root) inv->root = getenv("SLIPWAY_ROOT");
    if (inv->root && !*inv->root) inv->root = NULL;
    inv->format = sw_opt(inv, "format");
    const char *no_color = getenv("NO_COLOR");
    bool plain = sw_opt_flag(inv, "no-color") || (no_color && *no_color);
    inv->color = !plain && isatty(STDOUT_FILENO);
    inv->color_err = !plain && isatty(STDERR_FILENO);
    return SW_OK;
}

enum sw_code sw_parse_command_line(struct sw_invocation *inv, int argc, char *const *argv,
                                   bool *ret_help, const char **ret_group, struct sw_error *err) {
    inv->parsed = SW_NEW(inv->arena, struct sw_parsed);
    const char **args = sw_arena_array(inv->arena, (size_t)argc + 1, sizeof(const char *));
    const char *group = NULL;
    bool help = false, only_args = false;
    enum sw_code code = SW_OK;
    inv->args = args;
    for (int i = 1; i < argc && !code; i++) {
        const char *word = argv[i];
        if (!only_args && !strcmp(word, "--")) {
            only_args = true;
        } else if (!only_args && (!strcmp(word, "--help") ||
                                  (!strcmp(word, "-h") && !find_letter(inv->command, 'h')))) {
            help = true;
        } else if (!only_args && !inv->command && !group && !strcmp(word, "--version")) {
            inv->command = find_command(NULL, "version");
        } else if (!only_args && !strncmp(word, "--", 2)) {
            code = parse_long(inv, argc, argv, &i, err);
        } else if (!only_args && word[0] == '-' && word[1]) {
            code = parse_short(inv, argc, argv, &i, err);
        } else if (inv->command) {
            args[inv->n_args++] = word;
            if (inv->command->flags & SW_CMD_PASS_REST) only_args = true;
        } else if (!group && !strcmp(word, "help")) {
            help = true;
        } else if (!group && (group = find_group(word))) {
            continue;
        } else if (!(inv->command = find_command(group, word))) {
            code = unknown_command(word, group, err);
        }
    }
    if (code) return code;
    *ret_group = group;
    *ret_help = help || !inv->command;
    code = apply_globals(inv, err);
    if (code || *ret_help) return code;
    return check_count(inv, err);
}
