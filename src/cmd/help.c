#include <ctype.h>
#include <string.h>

#include "cmd/command.h"

#define COLUMN 34 /* where the help of options starts */

static bool in_group(const struct sw_command *c, const char *group) {
    size_t n = strlen(group);
    return !strncmp(c->name, group, n) && c->name[n] == ' ';
}

static bool shown(const struct sw_command *c) { return !(c->flags & SW_CMD_HIDDEN); }

/* "-t, --tag NAME" as plain text. */
static int option_text(char *to, size_t size, const struct sw_option *o) {
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    bool optional = o->flags & SW_OPT_OPTIONAL;
    return snprintf(to, size, "%s--%s%s%s%s", letter, o->name,
                    o->value ? (optional ? "[=" : " ") : "", o->value ? o->value : "",
                    o->value && optional ? "]" : "");
}

static void option_help(char *to, size_t size, const struct sw_option *o) {
    snprintf(to, size, "%s%s%s%s%s%s", o->help, o->choices ? " (" : "",
             o->choices ? o->choices : "", o->choices ? ")" : "",
             o->flags & SW_OPT_LIST ? "; may be repeated" : "",
             o->flags & SW_OPT_IGNORED ? "; accepted, has no effect" : "");
}

static void print_options(FILE *to, const struct sw_option *options) {
    for (const struct sw_option *o = options; o && o->name; o++) {
        if (o->flags & SW_OPT_HIDDEN) continue;
        char left[128], right[512];
        int n = option_text(left, sizeof left, o);
        option_help(right, sizeof right, o);
        fprintf(to, "  %s%*s%s\n", left, n + 2 < COLUMN ? COLUMN - n - 2 : 1, "", right);
    }
}

void sw_help_program(FILE *to) {
    fputs("slipway: from Go source to a running, trusted container image\n\n"
          "Usage: slipway [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n",
          to);
    for (const struct sw_command *const *c = sw_commands; *c; c++)
        if (shown(*c) && !strchr((*c)->name, ' '))
            fprintf(to, "  %-14s %s\n", (*c)->name, (*c)->summary);
    if (sw_command_groups[0].name) fputs("\nGroups of commands:\n", to);
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        fprintf(to, "  %-14s %s\n", g->name, g->summary);
    fputs("\nOptions of every command:\n", to);
    print_options(to, sw_global_options);
    fputs("\n`slipway COMMAND --help` says more about a command.\n", to);
}

void sw_help_group(FILE *to, const char *group) {
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        if (!strcmp(g->name, group))
            fprintf(to, "slipway %s: %s\n\nCommands:\n", group, g->summary);
    for (const struct sw_command *const *c = sw_commands; *c; c++)
        if (shown(*c) && in_group(*c, group))
            fprintf(to, "  %-24s %s\n", (*c)->name, (*c)->summary);
    fprintf(to, "\n`slipway %s COMMAND --help` says more about a command.\n", group);
}

void sw_help_command(FILE *to, const struct sw_command *c) {
    fprintf(to, "%s\n\nUsage: slipway %s %s\n", c->summary, c->name, c->args);
    if (c->aliases) fprintf(to, "Also called: %s\n", c->aliases);
    if (c->description) fprintf(to, "\n%s\n", c->description);
    if (c->options && c->options->name) fputs("\nOptions:\n", to);
    print_options(to, c->options);
    fputs("\nOptions of every command:\n", to);
    print_options(to, sw_global_options);
    if (c->examples) fprintf(to, "\nExamples:\n%s\n", c->examples);
}

/* ---- man pages (roff) ---- */

static void roff(FILE *to, const char *text) {
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", to);
        line_start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", to);
        } else if (*text == '-') {
            fputs("\\-", to);
        } else if (*text == '\n' && text[1] == '\n') {
            fputs("\n.PP\n", to);
            text++;
        } else {
            fputc(*text, to);
        }
    }
}

static void roff_options(FILE *to, const struct sw_option *options) {
    for (const struct sw_option *o = options; o && o->name; o++) {
        if (o->flags & SW_OPT_HIDDEN) continue;
        char text[512];
        option_text(text, sizeof text, o);
        fputs(".TP\n.B ", to);
        roff(to, text + (o->letter ? 0 : 4));
        fputc('\n', to);
        option_help(text, sizeof text, o);
        roff(to, text);
        fputs(".\n", to);
    }
}

static void page_name(char *to, size_t size, const char *name) {
    int n = snprintf(to, size, "slipway%s%s", name ? "-" : "", name ? name : "");
    for (int i = 0; i < n; i++)
        if (to[i] == ' ') to[i] = '-';
}

void sw_man_page(FILE *to, const struct sw_command *c) {
    char page[128];
    page_name(page, sizeof page, c ? c->name : NULL);
    fputs(".TH ", to);
    for (const char *p = page; *p; p++) fputc(toupper((unsigned char)*p), to);
    fputs(" 1 \"\" slipway \"User commands\"\n.SH NAME\n", to);
    roff(to, page);
    fputs(" \\- ", to);
    roff(to, c ? c->summary : "from Go source to a running, trusted container image");
    fputs("\n.SH SYNOPSIS\n.B slipway ", to);
    roff(to, c ? c->name : "[OPTIONS] COMMAND");
    fputs("\n", to);
    roff(to, c ? c->args : "[ARGUMENTS]");
    fputc('\n', to);
    if (c && c->description) {
        fputs(".SH DESCRIPTION\n", to);
        roff(to, c->description);
        fputc('\n', to);
    }
    if (!c) {
        fputs(".SH COMMANDS\n", to);
        for (const struct sw_command *const *all = sw_commands; *all; all++) {
            if (!shown(*all)) continue;
            fputs(".TP\n.B ", to);
            roff(to, (*all)->name);
            fputc('\n', to);
            roff(to, (*all)->summary);
            fputs(".\n", to);
        }
    }
    if (c && c->options && c->options->name) {
        fputs(".SH OPTIONS\n", to);
        roff_options(to, c->options);
    }
    fputs(".SH OPTIONS OF EVERY COMMAND\n", to);
    roff_options(to, sw_global_options);
    if (c && c->examples) {
        fputs(".SH EXAMPLES\n.nf\n", to);
        roff(to, c->examples);
        fputs("\n.fi\n", to);
    }
}

/* ---- markdown (docs/cmd) ---- */

static void markdown_options(FILE *to, const struct sw_option *options) {
    fputs("| Option | Meaning |\n|---|---|\n", to);
    for (const struct sw_option *o = options; o && o->name; o++) {
        if (o->flags & SW_OPT_HIDDEN) continue;
        char text[512];
        option_text(text, sizeof text, o);
        fputs("| `", to);
        for (const char *p = text + (o->letter ? 0 : 4); *p; p++) {
            if (*p == '|') fputc('\\', to);
            fputc(*p, to);
        }
        fputs("` | ", to);
        option_help(text, sizeof text, o);
        for (const char *p = text; *p; p++) {
            if (*p == '|') fputc('\\', to);
            fputc(*p, to);
        }
        fputs(" |\n", to);
    }
}

void sw_markdown_page(FILE *to, const struct sw_command *c) {
    fprintf(to, "# slipway %s\n\n%s.\n\n    slipway %s %s\n", c->name, c->summary, c->name,
            c->args);
    if (c->aliases) fprintf(to, "\nAlso called: %s\n", c->aliases);
    if (c->description) fprintf(to, "\n%s\n", c->description);
    if (c->options && c->options->name) {
        fputs("\n## Options\n\n", to);
        markdown_options(to, c->options);
    }
    fputs("\n## Options of every command\n\n", to);
    markdown_options(to, sw_global_options);
    if (c->examples) fprintf(to, "\n## Examples\n\n```\n%s\n```\n", c->examples);
}
