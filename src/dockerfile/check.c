#include "dockerfile/check_internal.h"

#include <stdlib.h>

#include "dockerfile/limits.h"
#include "dockerfile/line_internal.h"
#include "dockerfile/reference_internal.h"

/* ---- reporting ---- */

static bool wanted(const struct sw_df_check_options *options, enum sw_df_check check) {
    const struct sw_df_check_info *info = sw_df_check_info(check);
    struct sw_str name = sw_str(info->name);
    if (info->experimental)
        return options->experimental_all || sw_df_words_have(&options->experimental, name);
    return !options->skip_all && !sw_df_words_have(&options->skip, name);
}

/* "# check=skip=..." above an instruction. Anything else there is just a comment. */
static bool skipped_above(struct sw_df_checker *c, const struct sw_df_instruction *at,
                          enum sw_df_check check, bool *ret_enabled) {
    *ret_enabled = false;
    for (size_t i = 0; i < at->comments.n; i++) {
        struct sw_str name, value, rest;
        struct sw_df_check_options options;
        struct sw_error ignored;
        if (!sw_df_split_directive(at->comments.items[i], &name, &value)) continue;
        if (!sw_str_ieq(name, SW_STR("check"))) continue;
        sw_str_cut(value, ' ', &value, &rest);
        if (sw_df_check_options_parse(c->arena, value, &options, &ignored)) return false;
        *ret_enabled = sw_df_check_info(check)->experimental && wanted(&options, check);
        return !sw_df_check_info(check)->experimental && !wanted(&options, check);
    }
    return false;
}

static void add(struct sw_df_checker *c, enum sw_df_check check, uint32_t line, uint32_t end_line,
                struct sw_str message) {
    *SW_DF_PUSH(c->arena, c->warnings, c->n, c->cap) =
        (struct sw_df_warning){check, message, line, end_line};
}

void sw_df_warn(struct sw_df_checker *c, enum sw_df_check check,
                const struct sw_df_instruction *above, const struct sw_df_instruction *at,
                struct sw_str message) {
    bool enabled = false;
    if (above && skipped_above(c, above, check, &enabled)) return;
    if (!enabled && !wanted(&c->options, check)) return;
    add(c, check, at->span.line, at->span.end_line, message);
}

struct sw_str sw_df_did_you_mean(struct sw_df_checker *c, struct sw_str word, const char *prefix,
                                 const struct sw_df_words *known) {
    if (c->suggestions++ >= SW_DF_SUGGESTIONS_MAX) return SW_STR("");
    struct sw_str near = sw_df_suggest(word, known->items, known->n);
    if (!near.ptr) return SW_STR("");
    return sw_arena_printf(c->arena, " (did you mean %s%.*s?)", prefix, SW_ARG(near));
}

/* ---- checks of the file as it is written ---- */

static void continuations(struct sw_df_checker *c) {
    if (!wanted(&c->options, SW_DF_NO_EMPTY_CONTINUATION)) return;
    for (size_t i = 0; i < c->file->n_empty_continuations; i++) {
        uint32_t line = c->file->empty_continuations[i].line;
        add(c, SW_DF_NO_EMPTY_CONTINUATION, line, line, SW_STR("Empty continuation line"));
    }
}

enum letters { LETTERS_LOWER, LETTERS_UPPER, LETTERS_MIXED };

static enum letters letters_of(struct sw_str s) {
    bool lower = false, upper = false;
    for (size_t i = 0; i < s.len; i++) {
        lower = lower || (s.ptr[i] >= 'a' && s.ptr[i] <= 'z');
        upper = upper || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z');
    }
    if (lower && upper) return LETTERS_MIXED;
    return upper ? LETTERS_UPPER : LETTERS_LOWER;
}

/* The casing of the majority of instructions; global ARGs have no vote and no duty. */
static void instruction_casing(struct sw_df_checker *c) {
    size_t lower = 0, upper = 0;
    for (size_t i = c->file->n_globals; i < c->file->n_instructions; i++) {
        enum letters letters = letters_of(c->file->instructions[i].name);
        lower += letters == LETTERS_LOWER;
        upper += letters == LETTERS_UPPER;
    }
    enum letters right = lower > upper ? LETTERS_LOWER : LETTERS_UPPER;
    for (size_t i = c->file->n_globals; i < c->file->n_instructions; i++) {
        const struct sw_df_instruction *in = &c->file->instructions[i];
        if (letters_of(in->name) == right) continue;
        SW_DF_WARN_FILE(c, SW_DF_CONSISTENT_INSTRUCTION_CASING, in,
                        "Command '%.*s' should match the case of the command majority (%s)",
                        SW_ARG(in->name), right == LETTERS_LOWER ? "lowercase" : "uppercase");
    }
}

static void from_casing(struct sw_df_checker *c, const struct sw_df_instruction *in) {
    const struct sw_df_from *from = &in->from;
    if (from->name.len == 0) return;
    if (!sw_str_eq(from->name, from->name_as_written))
        SW_DF_WARN(c, SW_DF_STAGE_NAME_CASING, in, "Stage name '%.*s' should be lowercase",
                   SW_ARG(from->name_as_written));
    enum letters letters = letters_of(in->name);
    if (letters != LETTERS_MIXED && letters_of(from->as_keyword) != letters)
        SW_DF_WARN(c, SW_DF_FROM_AS_CASING, in, "'%.*s' and '%.*s' keywords' casing do not match",
                   SW_ARG(from->as_keyword), SW_ARG(in->name));
}

/* The comment directly above must start with what it describes. */
static void description(struct sw_df_checker *c, const struct sw_df_instruction *in) {
    const struct sw_df_pairs *args = &in->pairs;
    bool is_arg = in->kind == SW_DF_ARG;
    if (in->comments.n == 0 || (!is_arg && in->from.name.len == 0)) return;
    struct sw_str first, rest;
    sw_str_cut(in->comments.items[in->comments.n - 1], ' ', &first, &rest);
    bool named = !is_arg && sw_str_eq(first, in->from.name);
    for (size_t i = 0; is_arg && i < args->n; i++)
        named = named || sw_str_eq(first, args->items[i].name);
    if (named) return;
    struct sw_str example = !is_arg       ? in->from.name
                            : args->n > 1 ? SW_STR("<arg_key>")
                                          : args->items[0].name;
    SW_DF_WARN(c, SW_DF_INVALID_DEFINITION_DESCRIPTION, in,
               "Comment for %s should follow the format: `# %.*s <description>`",
               sw_df_kind_name(in->kind), SW_ARG(example));
}

static void stage_names(struct sw_df_checker *c) {
    for (size_t i = 0; i < c->file->n_stages; i++) {
        const struct sw_df_stage *stage = &c->file->stages[i];
        if (stage->name.len == 0) continue;
        if (sw_str_is(stage->name, "context") || sw_str_is(stage->name, "scratch"))
            SW_DF_WARN_FILE(c, SW_DF_RESERVED_STAGE_NAME, stage->from,
                            "Stage name should not use the same name as reserved stage \"%.*s\"",
                            SW_ARG(stage->name));
        const struct sw_df_stage *first = sw_df_stage_find(c->file, stage->name, i);
        if (first && first != stage)
            SW_DF_WARN_FILE(c, SW_DF_DUPLICATE_STAGE_NAME, stage->from,
                            "Duplicate stage name \"%.*s\", stage names should be unique",
                            SW_ARG(stage->name));
    }
}

static void as_written(struct sw_df_checker *c) {
    continuations(c);
    instruction_casing(c);
    stage_names(c);
    for (size_t i = 0; i < c->file->n_instructions; i++) {
        const struct sw_df_instruction *in = &c->file->instructions[i];
        if (in->kind == SW_DF_FROM) from_casing(c, in);
        if (in->kind == SW_DF_FROM || in->kind == SW_DF_ARG) description(c, in);
        if (in->kind == SW_DF_MAINTAINER)
            sw_df_warn(c, SW_DF_MAINTAINER_DEPRECATED, in, in,
                       SW_STR("Maintainer instruction is deprecated in favor of using label"));
    }
}

/* ---- checks of FROM ---- */

/* Would every base be a valid name if nothing were given on the command line? */
static void default_args(struct sw_df_checker *c, const struct sw_df_vars *automatic) {
    struct sw_df_vars vars = {.arena = c->arena};
    struct sw_error ignored;
    for (size_t i = 0; i < automatic->n; i++)
        sw_df_vars_set(&vars, automatic->items[i].name, automatic->items[i].value);
    if (sw_df_eval_globals(c->arena, c->file, (struct sw_df_env){0}, &vars, NULL, &ignored)) return;
    struct sw_df_lex lex = {.env = sw_df_vars_env(&vars), .escape = c->file->escape};
    for (size_t i = 0; i < c->file->n_stages; i++) {
        const struct sw_df_instruction *in = c->file->stages[i].from;
        struct sw_str base;
        if (sw_df_expand_word(c->arena, &lex, in->from.base, &base, &ignored)) return;
        if (!sw_df_is_reference(base))
            SW_DF_WARN_FILE(
                c, SW_DF_INVALID_DEFAULT_ARG_IN_FROM, in,
                "Default value for ARG %.*s results in empty or invalid base image name",
                SW_ARG(in->from.base));
    }
}

static void undefined_args(struct sw_df_checker *c, const struct sw_df_instruction *in,
                           const struct sw_df_words *unset) {
    struct sw_df_list known = {0};
    if (unset->n == 0) return;
    for (size_t i = 0; i < c->plan.n_args; i++)
        sw_df_list_add(c->arena, &known, c->plan.args[i].name);
    for (size_t i = 0; i < c->plan.globals.n; i++)
        sw_df_list_add(c->arena, &known, c->plan.globals.items[i].name);
    for (size_t i = 0; i < unset->n; i++) {
        if (sw_df_words_have(&known.words, unset->items[i])) continue;
        struct sw_str near = sw_df_did_you_mean(c, unset->items[i], "", &known.words);
        SW_DF_WARN(c, SW_DF_UNDEFINED_ARG_IN_FROM, in, "FROM argument '%.*s' is not declared%.*s",
                   SW_ARG(unset->items[i]), SW_ARG(near));
    }
}

static void platform(struct sw_df_checker *c, const struct sw_df_plan_stage *stage) {
    const struct sw_df_instruction *in = stage->stage->from;
    const struct sw_df_expansion *vars = &stage->platform_vars;
    struct sw_df_platform parsed;
    struct sw_str target;
    if (!in->from.platform.ptr) return;
    if (vars->used.n == 1 && vars->unset.n == 0 &&
        sw_str_is(vars->used.items[0], "TARGETPLATFORM") &&
        sw_df_vars_get(&c->plan.globals, SW_STR("TARGETPLATFORM"), &target) &&
        sw_str_eq(target, vars->text))
        SW_DF_WARN(c, SW_DF_REDUNDANT_TARGET_PLATFORM, in,
                   "Setting platform to predefined %.*s in FROM is redundant as this is the "
                   "default behavior",
                   SW_ARG(in->from.platform));
    if (vars->used.n > 0 || vars->unset.n > 0 || !sw_df_platform_parse(vars->text, &parsed)) return;
    /* A stage that is named after its platform means it. */
    struct sw_str name = stage->stage->name;
    if (parsed.os.len == 0 || sw_str_find(name, parsed.os) != SIZE_MAX) return;
    if (parsed.arch.len > 0 && sw_str_find(name, parsed.arch) != SIZE_MAX) return;
    SW_DF_WARN(c, SW_DF_FROM_PLATFORM_FLAG_CONST_DISALLOWED, in,
               "FROM --platform flag should not use constant value \"%.*s\"", SW_ARG(vars->text));
}

static void froms(struct sw_df_checker *c) {
    for (size_t i = 0; i < c->file->n_stages; i++) {
        const struct sw_df_plan_stage *stage = &c->plan.stages[i];
        undefined_args(c, stage->stage->from, &stage->base_vars.unset);
        undefined_args(c, stage->stage->from, &stage->platform_vars.unset);
        platform(c, stage);
    }
}

/* ---- the run ---- */

static enum sw_code read_options(struct sw_df_checker *c,
                                 const struct sw_df_check_options *override) {
    if (override) {
        c->options = *override;
        return SW_OK;
    }
    for (size_t i = 0; i < c->file->n_directives; i++) {
        const struct sw_df_directive *d = &c->file->directives[i];
        struct sw_str value, rest;
        if (!sw_str_is(d->name, "check")) continue;
        sw_str_cut(d->value, ' ', &value, &rest);
        if (sw_df_check_options_parse(c->arena, value, &c->options, c->err))
            return sw_df_at_line(c->err, c->file->name, d->line);
    }
    return SW_OK;
}

static int compare(const void *a, const void *b) {
    const struct sw_df_warning *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->check != y->check) return x->check < y->check ? -1 : 1;
    return sw_str_cmp(x->message, y->message);
}

enum sw_code sw_df_check(struct sw_arena *arena, const struct sw_dockerfile *file,
                         const struct sw_df_facts *facts,
                         const struct sw_df_check_options *override, struct sw_df_warnings *ret,
                         struct sw_error *err) {
    struct sw_df_checker c = {.arena = arena, .file = file, .facts = facts, .err = err};
    enum sw_code code = read_options(&c, override);
    if (code) return code;
    as_written(&c);

    struct sw_df_vars automatic = {.arena = arena};
    sw_df_args_automatic(&automatic, &facts->build, &facts->target,
                         sw_df_target_name(file, facts->target_stage), facts->build_args);
    default_args(&c, &automatic);
    code =
        sw_df_plan(arena, file, facts->build_args, &automatic, facts->target_stage, &c.plan, err);
    if (code) return code;
    froms(&c);
    c.stages = sw_arena_array(arena, file->n_stages, sizeof *c.stages);
    for (size_t i = 0; !code && i < file->n_stages; i++) {
        if (facts->target_stage.len > 0 && !c.plan.stages[i].reachable) continue;
        code = sw_df_check_stage(&c, i);
    }
    if (code) return code;
    if (c.n > 1) qsort(c.warnings, c.n, sizeof *c.warnings, compare);
    *ret = (struct sw_df_warnings){c.warnings, c.n, c.options.as_error};
    return sw_arena_check(arena, "the checks", err);
}
