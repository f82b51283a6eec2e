#include "dockerfile/outline.h"

#include <stdlib.h>

#include "dockerfile/line_internal.h"
#include "dockerfile/mount.h"
#include "dockerfile/plan_internal.h"

/* What one stage takes. */
struct notes {
    struct sw_df_scope scope;       /* at the stage's end */
    struct sw_df_list used;         /* names of ARGs, global ones too */
    size_t n_from;                  /* so many of them in FROM, here and in what it builds on */
    struct sw_df_outline_arg *args; /* declared in the stage; the last of each name */
    size_t n_args, cap_args;
    struct sw_df_outline_secret *secrets, *ssh;
    size_t n_secrets, n_ssh, cap_secrets, cap_ssh;
    bool told;
};

struct walker {
    struct sw_df_plan plan;
    struct notes *stages;
    struct sw_df_list seen_args, seen_secrets, seen_ssh;
    struct sw_df_outline *ret;
    size_t cap_args, cap_secrets, cap_ssh;
    struct sw_error *err;
};

/* ---- first pass: every stage by itself ---- */

static enum sw_code note_arg(struct walker *w, struct notes *notes,
                             const struct sw_df_instruction *in) {
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct sw_df_pair *arg = &in->pairs.items[i];
        struct sw_str value = {0};
        struct sw_df_words unset;
        bool inherited;
        enum sw_code code = sw_df_scope_arg(&notes->scope, arg, &value, &inherited, &unset, w->err);
        if (code) return sw_df_at_line(w->err, w->plan.file->name, in->span.line);
        sw_df_list_add(w->plan.arena, &notes->used, arg->name);
        if (inherited) continue;
        size_t k = 0;
        while (k < notes->n_args && !sw_str_eq(notes->args[k].name, arg->name)) k++;
        if (k == notes->n_args)
            (void)SW_DF_PUSH(w->plan.arena, notes->args, notes->n_args, notes->cap_args);
        notes->args[k] = (struct sw_df_outline_arg){arg->name, value, arg->comment, in->span.line};
    }
    return SW_OK;
}

static enum sw_code note_mounts(struct walker *w, struct notes *notes,
                                const struct sw_df_instruction *in) {
    struct sw_df_lex lex = sw_df_scope_lex(&notes->scope);
    for (size_t i = 0; i < in->run.n_mounts; i++) {
        struct sw_df_mount mount;
        enum sw_code code =
            sw_df_mount_parse(w->plan.arena, in->run.mounts[i].text, &lex, &mount, w->err);
        if (code) return sw_df_at_line(w->err, w->plan.file->name, in->span.line);
        struct sw_df_outline_secret entry = {mount.id, mount.required, in->span.line};
        if (mount.type == SW_DF_MOUNT_SECRET)
            *SW_DF_PUSH(w->plan.arena, notes->secrets, notes->n_secrets, notes->cap_secrets) =
                entry;
        if (mount.type == SW_DF_MOUNT_SSH)
            *SW_DF_PUSH(w->plan.arena, notes->ssh, notes->n_ssh, notes->cap_ssh) = entry;
    }
    return SW_OK;
}

/* One stage, after what it builds on. */
static enum sw_code note_stage(struct walker *w, size_t index) {
    const struct sw_df_plan_stage *stage = &w->plan.stages[index];
    struct notes *notes = &w->stages[index];
    enum sw_code code = sw_arena_check(w->plan.arena, "the outline", w->err);
    if (code) return code;
    bool derived = stage->parent != SW_DF_NO_STAGE;
    sw_df_scope_init(&notes->scope, &w->plan, derived ? &w->stages[stage->parent].scope : NULL);
    const struct sw_df_words *used[] = {&stage->base_vars.used, &stage->platform_vars.used};
    for (size_t i = 0; derived && i < w->stages[stage->parent].n_from; i++)
        sw_df_list_add(w->plan.arena, &notes->used, w->stages[stage->parent].used.words.items[i]);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < used[i]->n; k++)
            sw_df_list_add(w->plan.arena, &notes->used, used[i]->items[k]);
    notes->n_from = notes->used.words.n;
    for (size_t i = 0; !code && i < stage->stage->n_body; i++) {
        const struct sw_df_instruction *in = &stage->stage->body[i];
        struct sw_df_pairs pairs;
        struct sw_df_words unset;
        if (in->kind == SW_DF_ARG) code = note_arg(w, notes, in);
        if (in->kind == SW_DF_RUN) code = note_mounts(w, notes, in);
        if (in->kind == SW_DF_ENV) {
            /* A variable of the base image may be missing here; the outline does not need it. */
            code = sw_df_scope_env(&notes->scope, &in->pairs, &pairs, &unset, w->err);
            if (code == SW_SYNTAX) code = SW_OK;
        }
    }
    return code;
}

/* ---- second pass: from the target on, the first one to name a thing has it ---- */

static bool see(struct walker *w, struct sw_df_list *seen, struct sw_str name) {
    if (sw_df_words_have(&seen->words, name)) return false;
    sw_df_list_add(w->plan.arena, seen, name);
    return true;
}

static void tell_arg(struct walker *w, const struct sw_df_outline_arg *arg) {
    if (see(w, &w->seen_args, arg->name))
        *SW_DF_PUSH(w->plan.arena, w->ret->args, w->ret->n_args, w->cap_args) = *arg;
}

/* The stage's own ARG of a name, or the global one, whose default value may need more. Automatic
 * ones are not the user's. */
static void tell_name(struct walker *w, const struct notes *notes, struct sw_str name,
                      struct sw_df_list *todo) {
    for (size_t i = 0; i < notes->n_args; i++) {
        if (!sw_str_eq(notes->args[i].name, name)) continue;
        tell_arg(w, &notes->args[i]);
        return;
    }
    for (size_t i = 0; i < w->plan.n_args; i++) {
        const struct sw_df_arg_info *info = &w->plan.args[i];
        if (!sw_str_eq(info->name, name)) continue;
        tell_arg(w,
                 &(struct sw_df_outline_arg){info->name, info->value, info->comment, info->line});
        for (size_t k = 0; k < info->uses.n; k++)
            sw_df_list_add(w->plan.arena, todo, info->uses.items[k]);
    }
}

static void tell_stage(struct walker *w, size_t index) {
    const struct sw_df_plan_stage *stage = &w->plan.stages[index];
    struct notes *notes = &w->stages[index];
    if (notes->told) return;
    notes->told = true;
    struct sw_df_list todo = {0}, followed = {0};
    for (size_t i = 0; i < notes->used.words.n; i++)
        sw_df_list_add(w->plan.arena, &todo, notes->used.words.items[i]);
    while (todo.words.n > 0) {
        struct sw_str name = todo.words.items[--todo.words.n];
        if (see(w, &followed, name)) tell_name(w, notes, name, &todo);
    }
    for (size_t i = 0; i < notes->n_secrets; i++)
        if (see(w, &w->seen_secrets, notes->secrets[i].name))
            *SW_DF_PUSH(w->plan.arena, w->ret->secrets, w->ret->n_secrets, w->cap_secrets) =
                notes->secrets[i];
    for (size_t i = 0; i < notes->n_ssh; i++)
        if (see(w, &w->seen_ssh, notes->ssh[i].name))
            *SW_DF_PUSH(w->plan.arena, w->ret->ssh, w->ret->n_ssh, w->cap_ssh) = notes->ssh[i];
    if (stage->parent != SW_DF_NO_STAGE) tell_stage(w, stage->parent);
    for (size_t i = 0; i < stage->n_uses; i++) tell_stage(w, stage->uses[i]);
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
    w.stages = sw_arena_array(arena, file->n_stages, sizeof *w.stages);
    const struct sw_df_stage *stage = &file->stages[w.plan.target];
    outline.name = stage->name;
    outline.description = stage->comment;
    for (size_t i = 0; !code && i < file->n_stages; i++)
        if (w.plan.stages[i].reachable) code = note_stage(&w, i);
    if (code) return code;
    tell_stage(&w, w.plan.target);
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
