#include "dockerfile/parse.h"

#include "dockerfile/instruction_internal.h"
#include "dockerfile/limits.h"

struct builder {
    struct sw_df_reader reader;
    struct sw_dockerfile *file;
    size_t cap_instructions;
    size_t names; /* that ENV, LABEL and ARG define */
    struct sw_error *err;
};

static enum sw_code check_syntax(struct sw_str source, struct sw_str name, struct sw_error *err) {
    struct sw_str syntax = sw_df_detect_syntax(source);
    if (!syntax.ptr || sw_df_syntax_supported(syntax)) return SW_OK;
    return sw_fail(err, SW_UNSUPPORTED,
                   "%.*s:1: the frontend \"%.*s\" of the syntax directive is not supported: only "
                   "docker/dockerfile and docker/dockerfile-upstream are built in",
                   SW_ARG(name), SW_ARG(syntax));
}

/* Reads all instructions into b->file. */
static enum sw_code read_all(struct builder *b) {
    struct sw_dockerfile *file = b->file;
    for (;;) {
        struct sw_df_line line;
        bool more;
        enum sw_code code = sw_df_read_line(&b->reader, &line, &more, b->err);
        if (code || !more) return code;
        if (file->n_instructions == SW_DF_INSTRUCTIONS_MAX)
            return sw_fail(b->err, SW_LIMIT, "%.*s has more than %u instructions",
                           SW_ARG(file->name), SW_DF_INSTRUCTIONS_MAX);
        struct sw_df_instruction *instruction = SW_DF_PUSH(
            b->reader.arena, file->instructions, file->n_instructions, b->cap_instructions);
        code = sw_df_parse_instruction(&b->reader, &line, instruction, b->err);
        if (code) return code;
        bool pairs = instruction->kind == SW_DF_ENV || instruction->kind == SW_DF_LABEL ||
                     instruction->kind == SW_DF_ARG;
        b->names += pairs ? instruction->pairs.n : 0;
        if (b->names > SW_DF_NAMES_MAX)
            return sw_fail(b->err, SW_LIMIT,
                           "%.*s defines more than %u names in ENV, LABEL and ARG",
                           SW_ARG(file->name), SW_DF_NAMES_MAX);
    }
}

/* Divides the instructions into global ARGs and stages. */
static enum sw_code make_stages(struct builder *b) {
    struct sw_dockerfile *file = b->file;
    size_t cap = 0;
    struct sw_df_stage *stage = NULL;
    for (size_t i = 0; i < file->n_instructions; i++) {
        const struct sw_df_instruction *in = &file->instructions[i];
        if (in->kind == SW_DF_FROM) {
            if (file->n_stages == SW_DF_STAGES_MAX)
                return sw_fail(b->err, SW_LIMIT, "%.*s has more than %u stages", SW_ARG(file->name),
                               SW_DF_STAGES_MAX);
            stage = SW_DF_PUSH(b->reader.arena, file->stages, file->n_stages, cap);
            *stage = (struct sw_df_stage){
                .index = file->n_stages - 1,
                .name = in->from.name,
                .comment = sw_df_description(&in->comments, in->from.name),
                .from = in,
                .body = in + 1,
            };
        } else if (stage) {
            stage->n_body++;
        } else if (in->kind == SW_DF_ARG) {
            file->n_globals++;
        } else {
            sw_fail(b->err, SW_SYNTAX,
                    "no build stage in current context: %s stands before the "
                    "first FROM, where only ARG may be",
                    sw_df_kind_name(in->kind));
            return sw_df_at_line(b->err, file->name, in->span.line);
        }
    }
    if (file->n_stages == 0)
        return sw_fail(b->err, SW_SYNTAX, "%.*s: %s", SW_ARG(file->name),
                       file->n_instructions ? "no build stage: there is no FROM instruction"
                                            : "file with no instructions");
    return SW_OK;
}

enum sw_code sw_dockerfile_parse(struct sw_arena *arena, struct sw_str source, struct sw_str name,
                                 struct sw_dockerfile **ret, struct sw_error *err) {
    if (source.len > SW_DF_FILE_MAX)
        return sw_fail(err, SW_LIMIT, "%.*s is larger than %u bytes", SW_ARG(name), SW_DF_FILE_MAX);
    enum sw_code code = check_syntax(source, name, err);
    if (code) return code;
    struct sw_dockerfile *file = SW_NEW(arena, struct sw_dockerfile);
    file->name = sw_arena_str(arena, name);
    file->source = source;
    struct builder b = {
        .reader = {.arena = arena, .name = file->name, .source = source, .escape = '\\'},
        .file = file,
        .err = err,
    };
    code = read_all(&b);
    if (!code) code = make_stages(&b);
    if (code) return code;
    file->escape = b.reader.escape;
    file->directives = b.reader.directives;
    file->n_directives = b.reader.n_directives;
    file->empty_continuations = b.reader.remarks;
    file->n_empty_continuations = b.reader.n_remarks;
    *ret = file;
    return SW_OK;
}

static enum sw_code read_trigger(struct sw_df_reader *reader, struct sw_df_instruction *ret,
                                 struct sw_error *err) {
    struct sw_df_line line, another;
    bool more;
    enum sw_code code = sw_df_read_line(reader, &line, &more, err);
    if (code) return code;
    if (!more) return sw_fail(err, SW_SYNTAX, "the trigger is empty");
    code = sw_df_parse_instruction(reader, &line, ret, err);
    if (!code) code = sw_df_read_line(reader, &another, &more, err);
    if (code) return code;
    if (more) return sw_fail(err, SW_SYNTAX, "a trigger is a single instruction");
    if (ret->kind == SW_DF_FROM || ret->kind == SW_DF_ONBUILD || ret->kind == SW_DF_MAINTAINER)
        return sw_fail(err, SW_SYNTAX, "%s isn't allowed as an ONBUILD trigger",
                       sw_df_kind_name(ret->kind));
    return SW_OK;
}

enum sw_code sw_df_parse_trigger(struct sw_arena *arena, struct sw_str text, struct sw_str name,
                                 const struct sw_df_span *at,
                                 struct sw_df_instruction *ret_instruction, struct sw_error *err) {
    struct sw_df_reader reader = {
        .arena = arena, .name = SW_STR("trigger"), .source = text, .escape = '\\'};
    struct sw_df_instruction instruction;
    enum sw_code code = SW_OK;
    if (text.len > SW_DF_FILE_MAX)
        code = sw_fail(err, SW_LIMIT, "the trigger is larger than %u bytes", SW_DF_FILE_MAX);
    if (!code) code = read_trigger(&reader, &instruction, err);
    if (code) {
        struct sw_str shown = sw_str_sub(text, 0, 100);
        sw_context(err, "ONBUILD %.*s%s", SW_ARG(shown), shown.len < text.len ? "..." : "");
        return sw_df_at_line(err, name, at->line);
    }
    instruction.span = *at;
    *ret_instruction = instruction;
    return SW_OK;
}

const struct sw_df_stage *sw_df_stage_by_name(const struct sw_dockerfile *file,
                                              struct sw_str name) {
    for (size_t i = file->n_stages; name.len > 0 && i-- > 0;)
        if (sw_str_ieq(file->stages[i].name, name)) return &file->stages[i];
    return NULL;
}

const struct sw_df_stage *sw_df_stage_find(const struct sw_dockerfile *file, struct sw_str word,
                                           size_t n) {
    uint64_t number;
    if (n > file->n_stages) n = file->n_stages;
    for (size_t i = n; word.len > 0 && i-- > 0;)
        if (sw_str_ieq(file->stages[i].name, word)) return &file->stages[i];
    if (sw_str_u64(word, &number) && number < n) return &file->stages[number];
    return NULL;
}

enum sw_code sw_df_from_check(const struct sw_dockerfile *file, struct sw_str from, size_t index,
                              struct sw_error *err) {
    uint64_t number;
    if (sw_df_stage_find(file, from, index)) return SW_OK;
    const struct sw_df_stage *later = sw_df_stage_find(file, from, file->n_stages);
    if (later && later->index == index)
        return sw_fail(err, SW_SYNTAX, "--from=%.*s is the stage itself: circular dependency",
                       SW_ARG(from));
    if (later)
        return sw_fail(err, SW_SYNTAX,
                       "the stage of --from=%.*s begins in line %u: it needs to be defined before "
                       "the stage that uses it",
                       SW_ARG(from), later->from->span.line);
    if (sw_str_u64(from, &number))
        return sw_fail(err, SW_SYNTAX, "invalid stage index %.*s: there are %zu stages",
                       SW_ARG(from), file->n_stages);
    return SW_OK;
}

const struct sw_df_stage *sw_df_stage_of_base(const struct sw_dockerfile *file, struct sw_str base,
                                              size_t n) {
    if (n > file->n_stages) n = file->n_stages;
    for (size_t i = n; base.len > 0 && i-- > 0;)
        if (sw_str_eq(file->stages[i].name, base)) return &file->stages[i];
    return NULL;
}
