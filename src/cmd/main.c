#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "cmd/command.h"

/* What the shell sees. */
enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CANCELLED = 130,
};

struct words {
    char **ptr;
    size_t len, cap;
};

static void add_words(struct sw_arena *arena, struct words *to, const char *text) {
    struct sw_str rest = sw_str(text), word;
    while (sw_str_next(&rest, ' ', &word))
        if (word.len) sw_vec_add(to, sw_arena_cstr(arena, word));
}

/* The number of leading arguments that the persona's words match, -1 for none. */
static int match_words(const char *text, int argc, char **argv) {
    if (!strcmp(text, "*")) return 0;
    struct sw_str rest = sw_str(text), word;
    int n = 0;
    while (sw_str_next(&rest, ' ', &word)) {
        if (n + 1 >= argc || !sw_str_is(word, argv[n + 1])) return -1;
        n++;
    }
    return n;
}

/* Called through a link named docker, gvm ...: puts our words in front of what was typed. */
static void translate(struct sw_arena *arena, const char *program, int argc, char **argv,
                      struct words *to) {
    sw_vec_add(to, argv[0]);
    for (const struct sw_persona *p = sw_personas; p->program; p++) {
        if (strcmp(p->program, program) != 0) continue;
        if (p->command[0] == '=') { /* the words of another persona */
            program = p->command + 1;
            p = sw_personas - 1;
            continue;
        }
        int n = match_words(p->words, argc, argv);
        if (n < 0) continue;
        add_words(arena, to, p->command);
        argv += n;
        argc -= n;
        break;
    }
    for (int i = 1; i < argc; i++) sw_vec_add(to, argv[i]);
}

static int report(const struct sw_invocation *inv, const struct sw_error *err) {
    const char *red = inv->color_err ? "\033[31m" : "", *off = inv->color_err ? "\033[0m" : "";
    fflush(stdout);
    fprintf(stderr, "%sslipway:%s %s\n", red, off, err->text);
    sw_debug("cmd", "code %s, origin %s:%d", sw_code_name(err->code), err->file, err->line);
    if (inv->exit_status) return inv->exit_status;
    if (err->code == SW_USAGE) return EXIT_USAGE;
    if (err->code == SW_CANCELLED) return EXIT_CANCELLED;
    return EXIT_FAILED;
}

static int finish(struct sw_invocation *inv, enum sw_code code, struct sw_error *err) {
    if (code) return report(inv, err);
    /* A full disk behind stdout shows up only here. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        sw_fail(err, SW_IO, "write to standard output failed");
        return report(inv, err);
    }
    return inv->exit_status;
}

int main(int argc, char **argv) {
    SW_ARENA struct sw_arena arena;
    struct sw_error err = {0};
    struct words all = {0};
    sw_arena_init(&arena, 0);
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = argc > 0 ? (slash ? slash + 1 : argv[0]) : "slipway";
    translate(&arena, program, argc, argv, &all);
    struct sw_invocation inv = {.program = program, .arena = &arena};
    bool help = false;
    const char *group = NULL;
    int status;
    enum sw_code code = sw_parse_command_line(&inv, (int)all.len, all.ptr, &help, &group, &err);
    if (code) {
        status = report(&inv, &err);
    } else if (help) {
        bool asked = all.len > 1 && (inv.command || group || !strcmp(all.ptr[1], "help") ||
                                     !strcmp(all.ptr[1], "--help") || !strcmp(all.ptr[1], "-h"));
        FILE *to = asked ? stdout : stderr;
        if (inv.command) {
            sw_help_command(to, inv.command);
        } else if (group) {
            sw_help_group(to, group);
        } else {
            sw_help_program(to);
        }
        inv.exit_status = asked ? 0 : EXIT_USAGE;
        status = finish(&inv, SW_OK, &err);
    } else {
        code = inv.command->run(&inv, &err);
        status = finish(&inv, code, &err);
    }
    sw_vec_done(&all);
    return status;
}
