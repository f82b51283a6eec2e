/* Any bytes as a Dockerfile: it is parsed or refused with a place; what was parsed has spans inside
 * the source, and checks, outline, mounts and triggers of it end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dockerfile/check.h"
#include "dockerfile/mount.h"
#include "dockerfile/outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base(void *context, struct sw_str reference, const struct sw_df_platform *platform,
                 struct sw_df_base_facts *ret) {
    static struct sw_str env[] = {{"PATH=/bin", 9}, {"A=b", 3}};
    *ret = (struct sw_df_base_facts){.known = reference.len % 2 == 0,
                                     .platform = *platform,
                                     .env = {env, 2},
                                     .go_version = SW_STR("1.20")};
}

static void check_spans(const struct sw_dockerfile *file) {
    uint32_t line = 0;
    for (size_t i = 0; i < file->n_instructions; i++) {
        const struct sw_df_span *span = &file->instructions[i].span;
        if (span->line <= line || span->end_line < span->line || span->column == 0) abort();
        if (span->source.ptr < file->source.ptr ||
            span->source.ptr + span->source.len > file->source.ptr + file->source.len)
            abort();
        line = span->end_line;
    }
    size_t n = file->n_globals;
    for (size_t i = 0; i < file->n_stages; i++) n += 1 + file->stages[i].n_body;
    if (file->n_stages == 0 || n != file->n_instructions) abort();
}

static void use(struct sw_arena *arena, const struct sw_dockerfile *file) {
    struct sw_error err;
    struct sw_df_lex lex = {.escape = file->escape};
    for (size_t i = 0; i < file->n_instructions; i++) {
        const struct sw_df_instruction *in = &file->instructions[i];
        struct sw_df_instruction trigger;
        struct sw_df_mount mount;
        struct sw_df_words ports;
        if (in->kind == SW_DF_ONBUILD &&
            sw_df_parse_trigger(arena, in->word, file->name, &in->span, &trigger, &err) &&
            err.text[0] == 0)
            abort();
        for (size_t k = 0; in->kind == SW_DF_RUN && k < in->run.n_mounts; k++)
            if (sw_df_mount_parse(arena, in->run.mounts[k].text, &lex, &mount, &err)) continue;
        for (size_t k = 0; in->kind == SW_DF_EXPOSE && k < in->words.n; k++)
            if (sw_df_expand_words(arena, &lex, in->words.items[k], &ports, &err)) continue;
    }
    struct sw_df_facts facts = {.build = {.os = SW_STR("linux"), .arch = SW_STR("amd64")},
                                .target = {.os = SW_STR("linux"), .arch = SW_STR("arm64")},
                                .base = base};
    struct sw_df_vars automatic = {.arena = arena};
    struct sw_df_warnings warnings;
    struct sw_df_outline outline;
    size_t n;
    if (sw_df_check(arena, file, &facts, NULL, &warnings, &err) && err.text[0] == 0) abort();
    if (sw_df_outline(arena, file, SW_STR(""), facts.build_args, &automatic, &outline, &err) &&
        err.text[0] == 0)
        abort();
    (void)sw_df_targets(arena, file, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sw_arena arena;
    struct sw_error err;
    struct sw_dockerfile *file;
    if (size > 1 << 16) return 0;
    sw_arena_init(&arena, 0);
    char *copy = malloc(size ? size : 1); /* so that reading past the end is seen */
    if (size) memcpy(copy, data, size);
    sw_error_clear(&err);
    if (sw_dockerfile_parse(&arena, sw_str_n(copy, size), SW_STR("Dockerfile"), &file, &err)) {
        if (strncmp(err.text, "Dockerfile", 10)) abort();
    } else {
        check_spans(file);
        use(&arena, file);
    }
    free(copy);
    sw_arena_done(&arena);
    return 0;
}
