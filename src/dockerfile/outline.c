#include "dockerfile/outline.h"

#include <stdlib.h>

#include "dockerfile/line_internal.h"
#include "dockerfile/mount.h"
#include "dockerfile/plan_internal.h"

struct walker {
    struct sw_df_plan plan;
    struct sw_df_scope *scopes; /* of each stage at its end */
    struct sw_df_list seen_args, seen_secrets, seen_ssh;
    struct sw_df_outline *ret;
    size_t cap_args, cap_secrets, cap_ssh;
    struct sw_error *err;
};

static bool see(struct walker *w, struct sw_df_list *seen, struct sw_str name) {
    if (sw_df_words_have(&seen->words, name)) return false;
    sw_df_list_add(w->plan.arena, seen, name);
    return true;
}

static const struct sw_df_arg_info *global_arg(const struct walker *w, struct sw_str name) {
    for (size_t i = 0; i < w->plan.n_args; i++)
        if (sw_str_eq(w->plan.args[i].name, name)) return &w->plan.args[i];
    return NULL;
}

/* A global ARG, and those that its default value needs. Automatic ones are not the user's. */
static void use_global(struct walker *w, struct sw_str name) {
    struct sw_df_list todo = {0};
    sw_df_list_add(w->plan.arena, &todo, name);
    while (todo.words.n > 0) {
        name = todo.words.items[--todo.words.n];
        const struct sw_df_arg_info *info = global_arg(w, name);
        if (!info || !see(w, &w->seen_args, name)) continue;
        *SW_DF_PUSH(w->plan.arena, w->ret->args, w->ret->n_args, w->cap_args) =
            (struct sw_df_outline_arg){info->name, info->value, info->comment, info->line};
        for (size_t k = 0; k < info->uses.n; k++)
            sw_df_list_add(w->plan.arena, &todo, info->uses.items[k]);
    }
}

static enum sw_code walk_arg(struct walker *w, struct sw_df_scope *scope,
                             const struct sw_df_instruction *in) {
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct sw_df_pair *arg = &in->pairs.items[i];
        struct sw_str value = {0};
        struct sw_df_words unset;
        bool inherited;
        enum sw_code code = sw_df_scope_arg(scope, arg, &value, &inherited, &unset, w->err);
        if (code) return sw_df_at_line(w->err, w->plan.file->name, in->span.line);
        if (inherited) {
            use_global(w, arg->name);
        } else if (see(w, &w->seen_args, arg->name)) {
            *SW_DF_PUSH(w->plan.arena, w->ret->args, w->ret->n_args, w->cap_args) =
                (struct sw_df_outline_arg){arg->name, value, arg->comment, in->span.line};
        }
    }
    return SW_OK;
}

static enum sw_code walk_mounts(struct walker *w, const struct sw_df_scope *scope,
                                const struct sw_df_instruction *in) {
    struct sw_df_lex lex = sw_df_scope_lex(scope);
    for (size_t i = 0; i < in->run.n_mounts; i++) {
        struct sw_df_mount mount;
        enum sw_code code =
            sw_df_mount_parse(w->plan.arena, in->run.mounts[i].text, &lex, &mount, w->err);
        if (code) return sw_df_at_line(w->err, w->plan.file->name, in->span.line);
        struct sw_df_outline_secret entry = {mount.id, mount.required, in->span.line};
        if (mount.type == SW_DF_MOUNT_SECRET && see(w, &w->seen_secrets, mount.id))
            *SW_DF_PUSH(w->plan.arena, w->ret->secrets, w->ret->n_secrets, w->cap_secrets) = entry;
        if (mount.type == SW_DF_MOUNT_SSH && see(w, &w->seen_ssh, mount.id))
            *SW_DF_PUSH(w->plan.arena, w->ret->ssh, w->ret->n_ssh, w->cap_ssh) = entry;
    }
    return SW_OK;
}

/* One stage, after what it builds on. */
static enum sw_code walk_stage(struct walker *w, size_t index) {
    const struct sw_df_plan_stage *stage = &w->plan.stages[index];
    struct sw_df_scope *scope = &w->scopes[index];
    bool derived = stage->parent != SW_DF_NO_STAGE;
    sw_df_scope_init(scope, &w->plan, derived ? &w->scopes[stage->parent] : NULL);
    enum sw_code space = sw_arena_check(w->plan.arena, "the outline", w->err);
    if (space) return space;
    const struct sw_df_words *used[] = {&stage->base_vars.used, &stage->platform_vars.used};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < used[i]->n; k++) use_global(w, used[i]->items[k]);
    for (size_t i = 0; i < stage->stage->n_body; i++) {
        const struct sw_df_instruction *in = &stage->stage->body[i];
        struct sw_df_pairs pairs;
        struct sw_df_words unset;
        enum sw_code code = SW_OK;
        if (in->kind == SW_DF_ARG) code = walk_arg(w, scope, in);
        if (in->kind == SW_DF_RUN) code = walk_mounts(w, scope, in);
        if (in->kind == SW_DF_ENV) {
            /* A variable of the base image may be missing here; the outline does not need it. */
            code = sw_df_scope_env(scope, &in->pairs, &pairs, &unset, w->err);
            if (code == SW_SYNTAX) code = SW_OK;
        }
        if (code) return code;
    }
    return SW_OK;
}

static int compare_args(const void *a, const void *b) {
    const struct sw_df_outline_arg *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return sw_str_cmp(x->name, y->name);
}

static int compare_secrets(const void *a, const void *b) {
    const struct sw_df_outline_secret *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return sw_str_cmp(x->name, y->name);
}

enum sw_code sw_df_outline(struct sw_arena *arena, const struct sw_dockerfile *file,
                           struct sw_str target, struct sw_df_env build_args,
                           const struct sw_df_vars *automatic, struct sw_df_outline *ret,
                           struct sw_error *err) {
    struct sw_df_outline outline = {0};
    struct walker w = {.ret = &outline, .err = err};
    enum sw_code code = sw_df_plan(arena, file, build_args, automatic, target, &w.plan, err);
    if (code) return code;
    w.scopes = sw_arena_array(arena, file->n_stages, sizeof *w.scopes);
    const struct sw_df_stage *stage = &file->stages[w.plan.target];
    outline.name = stage->name;
    outline.description = stage->comment;
    for (size_t i = 0; !code && i < file->n_stages; i++)
        if (w.plan.stages[i].reachable) code = walk_stage(&w, i);
    if (code) return code;
    if (outline.n_args > 1) qsort(outline.args, outline.n_args, sizeof *outline.args, compare_args);
    if (outline.n_secrets > 1)
        qsort(outline.secrets, outline.n_secrets, sizeof *outline.secrets, compare_secrets);
    if (outline.n_ssh > 1) qsort(outline.ssh, outline.n_ssh, sizeof *outline.ssh, compare_secrets);
    *ret = outline;
    return sw_arena_check(arena, "the outline", err);
}

struct sw_df_target *sw_df_targets(struct sw_arena *arena, const struct sw_dockerfile *file,
                                   size_t *ret_n) {
    struct sw_df_target *targets = sw_arena_array(arena, file->n_stages, sizeof *targets);
    for (size_t i = 0; i < file->n_stages; i++) {
        const struct sw_df_stage *stage = &file->stages[i];
        targets[i] = (struct sw_df_target){
            .name = stage->name,
            .description = stage->comment,
            .base = stage->from->from.base,
            .platform = stage->from->from.platform,
            .is_default = i + 1 == file->n_stages,
            .line = stage->from->span.line,
        };
    }
    *ret_n = file->n_stages;
    return targets;
}
