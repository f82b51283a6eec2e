/* Shell completions, generated from the table: commands, options, choices; file names otherwise.
 * Image names come from `slipway images --quiet-names` when a command takes IMAGE.
 */
#include <string.h>

#include "cmd/command.h"

static void words_of_options(FILE *to, const struct sw_option *options) {
    for (const struct sw_option *o = options; o && o->name; o++)
        if (!(o->flags & SW_OPT_HIDDEN)) fprintf(to, " --%s", o->name);
}

static void top_words(FILE *to) {
    for (const struct sw_command *const *c = sw_commands; *c; c++)
        if (!((*c)->flags & SW_CMD_HIDDEN) && !strchr((*c)->name, ' '))
            fprintf(to, " %s", (*c)->name);
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        fprintf(to, " %s", g->name);
}

static void group_words(FILE *to, const char *group) {
    size_t n = strlen(group);
    for (const struct sw_command *const *c = sw_commands; *c; c++)
        if (!((*c)->flags & SW_CMD_HIDDEN) && !strncmp((*c)->name, group, n) &&
            (*c)->name[n] == ' ')
            fprintf(to, " %s", (*c)->name + n + 1);
}

/* bash; zsh reads the same through bashcompinit. */
static void bash(FILE *to) {
    fputs(
        "_slipway() {\n"
        "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" cmd= i\n"
        "    COMPREPLY=()\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case \"${COMP_WORDS[i]}\" in\n"
        "        -*) ;;\n"
        "        *)\n"
        "            if [ -z \"$cmd\" ]; then cmd=\"${COMP_WORDS[i]}\"\n"
        "            else case \"$cmd\" in\n",
        to);
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        fprintf(to, "            %s) cmd=\"$cmd ${COMP_WORDS[i]}\" ;;\n", g->name);
    fputs("            esac; fi ;;\n        esac\n    done\n    case \"$cmd:$prev\" in\n", to);
    for (const struct sw_command *const *c = sw_commands; *c; c++)
        for (const struct sw_option *o = (*c)->options; o && o->name; o++) {
            if (!o->choices) continue;
            fprintf(to, "    '%s:--%s') COMPREPLY=($(compgen -W \"", (*c)->name, o->name);
            for (const char *p = o->choices; *p; p++) fputc(*p == '|' ? ' ' : *p, to);
            fputs("\" -- \"$cur\")); return ;;\n", to);
        }
    fputs("    esac\n    case \"$cmd\" in\n    '') COMPREPLY=($(compgen -W \"", to);
    top_words(to);
    words_of_options(to, sw_global_options);
    fputs("\" -- \"$cur\")) ;;\n", to);
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++) {
        fprintf(to, "    %s) COMPREPLY=($(compgen -W \"", g->name);
        group_words(to, g->name);
        fputs("\" -- \"$cur\")) ;;\n", to);
    }
    for (const struct sw_command *const *c = sw_commands; *c; c++) {
        if ((*c)->flags & SW_CMD_HIDDEN) continue;
        fprintf(to, "    '%s') case \"$cur\" in -*) COMPREPLY=($(compgen -W \"", (*c)->name);
        words_of_options(to, (*c)->options);
        words_of_options(to, sw_global_options);
        fputs("\" -- \"$cur\"))", to);
        if (strstr((*c)->args, "IMAGE"))
            fputs(
                " ;; *) COMPREPLY=($(compgen -W \"$(slipway images --quiet-names 2>/dev/null)\" -- "
                "\"$cur\"))",
                to);
        fputs(" ;; esac ;;\n", to);
    }
    fputs("    esac\n}\ncomplete -o default -F _slipway slipway\n", to);
}

static void fish(FILE *to) {
    fputs("complete -c slipway -n __fish_use_subcommand -f\n", to);
    for (const struct sw_command *const *c = sw_commands; *c; c++) {
        if ((*c)->flags & SW_CMD_HIDDEN) continue;
        char group[64];
        const char *space = strchr((*c)->name, ' ');
        snprintf(group, sizeof group, "%.*s", space ? (int)(space - (*c)->name) : 0, (*c)->name);
        const char *word = space ? space + 1 : (*c)->name;
        if (space) {
            fprintf(to,
                    "complete -c slipway -n '__fish_seen_subcommand_from %s' -f -a %s -d \"%s\"\n",
                    group, word, (*c)->summary);
        } else {
            fprintf(to, "complete -c slipway -n __fish_use_subcommand -a %s -d \"%s\"\n", word,
                    (*c)->summary);
        }
        for (const struct sw_option *o = (*c)->options; o && o->name; o++) {
            if (o->flags & SW_OPT_HIDDEN) continue;
            fprintf(to, "complete -c slipway -n '__fish_seen_subcommand_from %s' -l %s", word,
                    o->name);
            if (o->letter) fprintf(to, " -s %c", o->letter);
            if (o->value) fputs(" -r", to);
            if (o->choices) {
                fputs(" -f -a '", to);
                for (const char *p = o->choices; *p; p++) fputc(*p == '|' ? ' ' : *p, to);
                fputc('\'', to);
            }
            fprintf(to, " -d \"%s\"\n", o->help);
        }
    }
    for (const struct sw_command_group *g = sw_command_groups; g->name; g++)
        fprintf(to, "complete -c slipway -n __fish_use_subcommand -a %s -d \"%s\"\n", g->name,
                g->summary);
}

enum sw_code sw_completion_script(FILE *to, const char *shell, struct sw_error *err) {
    if (!strcmp(shell, "bash")) {
        bash(to);
    } else if (!strcmp(shell, "zsh")) {
        fputs("#compdef slipway\nautoload -Uz bashcompinit && bashcompinit\n", to);
        bash(to);
    } else if (!strcmp(shell, "fish")) {
        fish(to);
    } else {
        return sw_fail(err, SW_USAGE, "no completions for the shell \"%s\": use bash, zsh or fish",
                       shell);
    }
    return SW_OK;
}
