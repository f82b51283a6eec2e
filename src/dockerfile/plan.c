#include "dockerfile/plan_internal.h"

#include "dockerfile/line_internal.h"

bool sw_df_words_have(const struct sw_df_words *words, struct sw_str word) {
    for (size_t i = 0; i < words->n; i++)
        if (sw_str_eq(words->items[i], word)) return true;
    return false;
}

static bool given(struct sw_df_env env, struct sw_str name, struct sw_str *ret) {
    return env.get && env.get(env.context, name, ret);
}

static struct sw_df_arg_info *info_of(struct sw_df_plan *plan, struct sw_str name) {
    for (size_t i = 0; i < plan->n_args; i++)
        if (sw_str_eq(plan->args[i].name, name)) return &plan->args[i];
    return NULL;
}

/* Remembers a global ARG. One that is built from its own former value keeps what that used. */
static void note(struct sw_df_plan *plan, const struct sw_df_pair *arg, struct sw_str value,
                 const struct sw_df_words *used, uint32_t line) {
    struct sw_df_arg_info *info = info_of(plan, arg->name);
    struct sw_df_list uses = {0};
    for (size_t i = 0; i < used->n; i++)
        if (!sw_str_eq(used->items[i], arg->name))
            sw_df_list_add(plan->arena, &uses, used->items[i]);
    bool itself = info && sw_df_words_have(used, arg->name);
    for (size_t i = 0; itself && i < info->uses.n; i++)
        sw_df_list_add(plan->arena, &uses, info->uses.items[i]);
    if (!info) info = SW_DF_PUSH(plan->arena, plan->args, plan->n_args, plan->cap_args);
    *info = (struct sw_df_arg_info){arg->name, value, arg->comment, line, uses.words};
}

enum sw_code sw_df_eval_globals(struct sw_arena *arena, const struct sw_dockerfile *file,
                                struct sw_df_env build_args, struct sw_df_vars *vars,
                                struct sw_df_plan *infos, struct sw_error *err) {
    struct sw_df_lex lex = {
        .env = sw_df_vars_env(vars), .escape = file->escape, .flags = SW_DF_NO_WORDS};
    for (size_t i = 0; i < file->n_globals; i++) {
        const struct sw_df_instruction *in = &file->instructions[i];
        for (size_t k = 0; k < in->pairs.n; k++) {
            const struct sw_df_pair *arg = &in->pairs.items[k];
            struct sw_df_expansion value = {0};
            bool set = given(build_args, arg->name, &value.text);
            if (!set && arg->value.ptr) {
                enum sw_code code = sw_df_expand(arena, &lex, arg->value, &value, err);
                if (code) return sw_df_at_line(err, file->name, in->span.line);
                set = true;
            }
            if (set) sw_df_vars_set(vars, arg->name, value.text);
            if (infos) note(infos, arg, value.text, &value.used, in->span.line);
        }
    }
    return SW_OK;
}

static void use(struct sw_df_plan *plan, struct sw_df_plan_stage *stage, struct sw_str from) {
    const struct sw_df_stage *found =
        from.len > 0 ? sw_df_stage_find(plan->file, from, stage->stage->index) : NULL;
    if (!found) return;
    *SW_DF_PUSH(plan->arena, stage->uses, stage->n_uses, stage->cap_uses) = found->index;
}

static enum sw_code resolve(struct sw_df_plan *plan, size_t index, struct sw_error *err) {
    struct sw_df_plan_stage *stage = &plan->stages[index];
    stage->stage = &plan->file->stages[index];
    const struct sw_df_from *from = &stage->stage->from->from;
    struct sw_df_lex lex = {.env = sw_df_vars_env(&plan->globals),
                            .escape = plan->file->escape,
                            .flags = SW_DF_NO_WORDS};
    enum sw_code code = sw_df_expand(plan->arena, &lex, from->base, &stage->base_vars, err);
    if (!code && stage->base_vars.text.len == 0)
        code = sw_fail(err, SW_SYNTAX, "base name (%.*s) should not be blank", SW_ARG(from->base));
    if (!code && from->platform.ptr)
        code = sw_df_expand(plan->arena, &lex, from->platform, &stage->platform_vars, err);
    if (code) return sw_df_at_line(err, plan->file->name, stage->stage->from->span.line);
    stage->base = stage->base_vars.text;
    stage->platform = stage->platform_vars.text;
    const struct sw_df_stage *parent = sw_df_stage_of_base(plan->file, stage->base, index);
    stage->parent = parent ? parent->index : SW_DF_NO_STAGE;
    for (size_t i = 0; i < stage->stage->n_body; i++) {
        const struct sw_df_instruction *in = &stage->stage->body[i];
        if (in->kind == SW_DF_COPY) use(plan, stage, in->copy.from);
        for (size_t k = 0; in->kind == SW_DF_RUN && k < in->run.n_mounts; k++)
            use(plan, stage, in->run.mounts[k].from);
    }
    return SW_OK;
}

/* Stages only need earlier ones, so that one pass from the back finds them all. */
static void mark(struct sw_df_plan *plan) {
    plan->stages[plan->target].reachable = true;
    for (size_t i = plan->target + 1; i-- > 0;) {
        const struct sw_df_plan_stage *stage = &plan->stages[i];
        if (!stage->reachable) continue;
        if (stage->parent != SW_DF_NO_STAGE) plan->stages[stage->parent].reachable = true;
        for (size_t k = 0; k < stage->n_uses; k++) plan->stages[stage->uses[k]].reachable = true;
    }
}

static enum sw_code find_target(struct sw_df_plan *plan, struct sw_str target,
                                struct sw_error *err) {
    const struct sw_dockerfile *file = plan->file;
    plan->target = file->n_stages - 1;
    if (target.len == 0) return SW_OK;
    const struct sw_df_stage *found = sw_df_stage_find(file, target, file->n_stages);
    if (found) {
        plan->target = found->index;
        return SW_OK;
    }
    struct sw_str nearest = {0};
    size_t best = 3;
    for (size_t i = 0; i < file->n_stages; i++) {
        size_t distance = sw_str_distance(target, file->stages[i].name);
        if (file->stages[i].name.len == 0 || distance >= best) continue;
        nearest = file->stages[i].name;
        best = distance;
    }
    sw_fail(err, SW_NOT_FOUND, "target stage \"%.*s\" could not be found", SW_ARG(target));
    return nearest.ptr ? sw_advise(err, " (did you mean %.*s?)", SW_ARG(nearest)) : err->code;
}

enum sw_code sw_df_plan(struct sw_arena *arena, const struct sw_dockerfile *file,
                        struct sw_df_env build_args, const struct sw_df_vars *automatic,
                        struct sw_str target, struct sw_df_plan *ret, struct sw_error *err) {
    *ret = (struct sw_df_plan){
        .arena = arena, .file = file, .build_args = build_args, .globals = {.arena = arena}};
    for (size_t i = 0; i < automatic->n; i++)
        sw_df_vars_set(&ret->globals, automatic->items[i].name, automatic->items[i].value);
    ret->stages = sw_arena_array(arena, file->n_stages, sizeof *ret->stages);
    enum sw_code code = sw_df_eval_globals(arena, file, build_args, &ret->globals, ret, err);
    for (size_t i = 0; !code && i < file->n_stages; i++) code = resolve(ret, i, err);
    if (!code) code = find_target(ret, target, err);
    if (!code) mark(ret);
    return code;
}

void sw_df_scope_init(struct sw_df_scope *scope, const struct sw_df_plan *plan,
                      const struct sw_df_scope *parent) {
    *scope = (struct sw_df_scope){.plan = plan, .vars = {.arena = plan->arena}};
    if (parent && parent->vars.n > 0) {
        scope->vars.n = scope->vars.cap = parent->vars.n;
        scope->vars.items = sw_arena_array(plan->arena, parent->vars.n, sizeof *scope->vars.items);
        memcpy(scope->vars.items, parent->vars.items, parent->vars.n * sizeof *scope->vars.items);
    }
    for (size_t i = 0; parent && i < parent->declared.words.n; i++)
        sw_df_list_add(plan->arena, &scope->declared, parent->declared.words.items[i]);
    if (!parent)
        sw_df_vars_set(&scope->vars, SW_STR("PATH"),
                       SW_STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

struct sw_df_lex sw_df_scope_lex(const struct sw_df_scope *scope) {
    return (struct sw_df_lex){.env = sw_df_vars_env(&scope->vars),
                              .escape = scope->plan->file->escape,
                              .flags = SW_DF_NO_WORDS};
}

enum sw_code sw_df_scope_env(struct sw_df_scope *scope, const struct sw_df_pairs *env,
                             struct sw_df_pairs *ret_pairs, struct sw_df_words *ret_unset,
                             struct sw_error *err) {
    struct sw_df_lex lex = sw_df_scope_lex(scope);
    enum sw_code code =
        sw_df_expand_pairs(scope->plan->arena, &lex, env, ret_pairs, ret_unset, err);
    for (size_t i = 0; !code && i < ret_pairs->n; i++)
        sw_df_vars_set(&scope->vars, ret_pairs->items[i].name, ret_pairs->items[i].value);
    return code;
}

enum sw_code sw_df_scope_arg(struct sw_df_scope *scope, const struct sw_df_pair *arg,
                             struct sw_str *ret_value, bool *ret_inherited,
                             struct sw_df_words *ret_unset, struct sw_error *err) {
    const struct sw_df_plan *plan = scope->plan;
    struct sw_df_expansion value = {0};
    struct sw_df_lex lex = sw_df_scope_lex(scope);
    bool set = given(plan->build_args, arg->name, &value.text);
    bool inherited = false;
    if (!set && arg->value.ptr) {
        enum sw_code code = sw_df_expand(plan->arena, &lex, arg->value, &value, err);
        if (code) return code;
        set = true;
    } else if (!set) {
        inherited = set = sw_df_vars_get(&plan->globals, arg->name, &value.text);
    }
    if (set && !sw_df_arg_is_hidden(arg->name)) sw_df_vars_set(&scope->vars, arg->name, value.text);
    *ret_value = value.text;
    *ret_inherited = inherited;
    *ret_unset = value.unset;
    return SW_OK;
}
