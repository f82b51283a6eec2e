#include "dockerfile/expand.h"

#include "dockerfile/list_internal.h"

static struct sw_df_pair *lookup(const struct sw_df_vars *vars, struct sw_str name) {
    for (size_t i = 0; i < vars->n; i++)
        if (sw_str_eq(vars->items[i].name, name)) return &vars->items[i];
    return NULL;
}

void sw_df_vars_set(struct sw_df_vars *vars, struct sw_str name, struct sw_str value) {
    struct sw_df_pair *pair = lookup(vars, name);
    if (!pair) {
        pair = SW_DF_PUSH(vars->arena, vars->items, vars->n, vars->cap);
        *pair = (struct sw_df_pair){0};
        pair->name = name;
    }
    pair->value = value;
}

void sw_df_vars_unset(struct sw_df_vars *vars, struct sw_str name) {
    struct sw_df_pair *pair = lookup(vars, name);
    if (!pair) return;
    size_t after = (size_t)(&vars->items[vars->n] - (pair + 1));
    memmove(pair, pair + 1, after * sizeof *pair);
    vars->n--;
    memset(&vars->items[vars->n], 0, sizeof *pair);
}

bool sw_df_vars_get(const struct sw_df_vars *vars, struct sw_str name, struct sw_str *ret_value) {
    const struct sw_df_pair *pair = lookup(vars, name);
    if (!pair) return false;
    *ret_value = pair->value;
    return true;
}

static bool get(void *context, struct sw_str name, struct sw_str *ret_value) {
    return sw_df_vars_get(context, name, ret_value);
}

struct sw_df_env sw_df_vars_env(const struct sw_df_vars *vars) {
    return (struct sw_df_env){get, (void *)(uintptr_t)vars};
}
