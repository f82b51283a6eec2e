/* Instructions that change the configuration alone. */
#include <string.h>

#include "build/history.h"
#include "build/room_internal.h"
#include "dockerfile/values.h"

static struct sw_strs copy_words(struct sw_arena *a, const struct sw_df_words *words) {
    struct sw_strs list = {0};
    for (size_t i = 0; i < words->n; i++) sw_strs_add(a, &list, sw_arena_str(a, words->items[i]));
    /* "CMD []" is an empty list, which is not the same as none. */
    if (!list.ptr) list.ptr = sw_arena_array(a, 1, sizeof *list.ptr);
    return list;
}

/* Exec form as it is; shell form behind the stage's shell. */
static struct sw_strs command_argv(struct sw_stage *s, const struct sw_df_command *c) {
    if (c->form == SW_DF_EXEC_FORM) return copy_words(&s->arena, &c->argv);
    struct sw_strs list = sw_strs_copy(&s->arena, &s->shell);
    sw_strs_add(&s->arena, &list,
                c->argv.n ? sw_arena_str(&s->arena, c->argv.items[0]) : SW_STR(""));
    return list;
}

static enum sw_code set_pairs(struct sw_stage *s, const struct sw_df_instruction *in,
                              struct sw_str *ret_text, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_df_pairs pairs = {0};
    enum sw_code code = sw_df_expand_pairs(&s->arena, &lex, &in->pairs, &pairs, NULL, err);
    for (size_t i = 0; i < pairs.n && !code; i++) {
        struct sw_str name = sw_arena_str(&s->arena, pairs.items[i].name);
        struct sw_str value = sw_arena_str(&s->arena, pairs.items[i].value);
        if (in->kind == SW_DF_ENV) {
            sw_config_set_env(&s->arena, &s->config.config.env, name, value);
            sw_df_vars_unset(&s->args, name);
        } else {
            sw_pairs_set(&s->arena, &s->config.config.labels, name, value);
        }
    }
    *ret_text = sw_history_pairs(&s->arena, sw_df_kind_name(in->kind), &pairs);
    return code;
}

/* The value of an ARG: the command line's, else its own default, else a global ARG's. */
static enum sw_code set_args(struct sw_stage *s, const struct sw_df_instruction *in,
                             struct sw_str *ret_text, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_df_pairs shown = {sw_arena_array(&s->arena, in->pairs.n, sizeof *shown.items),
                                in->pairs.n};
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct sw_df_pair *pair = &in->pairs.items[i];
        struct sw_str value = {0}, name = pair->name; /* literal, as in BuildKit */
        sw_config_add_unique(&s->arena, &s->arg_names, name);
        if (!sw_build_arg(s->build, name, &value)) {
            enum sw_code code = SW_OK;
            if (pair->value.ptr)
                code = sw_df_expand_word(&s->arena, &lex, pair->value, &value, err);
            else
                sw_df_vars_get(&s->build->globals, name, &value);
            if (code) return code;
        }
        if (value.ptr) sw_df_vars_set(&s->args, name, value);
        shown.items[i] = (struct sw_df_pair){.name = name, .value = value};
    }
    *ret_text = sw_history_pairs(&s->arena, "ARG", &shown);
    return SW_OK;
}

static enum sw_code expose(struct sw_stage *s, const struct sw_df_instruction *in,
                           struct sw_str *ret_text, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_strs shown = {0};
    for (size_t i = 0; i < in->words.n; i++) {
        struct sw_df_words words;
        enum sw_code code = sw_df_expand_words(&s->arena, &lex, in->words.items[i], &words, err);
        for (size_t k = 0; k < words.n && !code; k++) {
            struct sw_df_ports ports;
            code = sw_df_ports_parse(words.items[k], &ports, err);
            for (unsigned port = ports.first; !code && port <= ports.last; port++) {
                struct sw_str text = sw_arena_printf(&s->arena, "%u/%s", port, ports.proto);
                sw_config_add_unique(&s->arena, &s->config.config.exposed_ports, text);
                sw_strs_add(&s->arena, &shown, text);
            }
        }
        if (code) return code;
    }
    *ret_text = sw_history_list(&s->arena, "EXPOSE", &shown);
    return SW_OK;
}

static enum sw_code volumes(struct sw_stage *s, const struct sw_df_instruction *in,
                            struct sw_str *ret_text, struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_strs shown = {0};
    for (size_t i = 0; i < in->words.n; i++) {
        struct sw_str path;
        enum sw_code code = sw_df_expand_word(&s->arena, &lex, in->words.items[i], &path, err);
        if (code) return code;
        if (!path.len) return sw_fail(err, SW_SYNTAX, "a volume's path is empty");
        sw_config_add_unique(&s->arena, &s->config.config.volumes, path);
        sw_strs_add(&s->arena, &shown, path);
    }
    *ret_text = sw_history_list(&s->arena, "VOLUME", &shown);
    return SW_OK;
}

static void healthcheck(struct sw_stage *s, const struct sw_df_healthcheck *h) {
    struct sw_healthcheck *check = SW_NEW(&s->arena, struct sw_healthcheck);
    *check = (struct sw_healthcheck){
        .interval_ns = h->interval_ns,
        .timeout_ns = h->timeout_ns,
        .start_period_ns = h->start_period_ns,
        .start_interval_ns = h->start_interval_ns,
        .retries = h->retries,
    };
    if (h->none) {
        sw_strs_add(&s->arena, &check->test, SW_STR("NONE"));
    } else if (h->command.form == SW_DF_EXEC_FORM) {
        sw_strs_add(&s->arena, &check->test, SW_STR("CMD"));
        for (size_t i = 0; i < h->command.argv.n; i++)
            sw_strs_add(&s->arena, &check->test, sw_arena_str(&s->arena, h->command.argv.items[i]));
    } else {
        sw_strs_add(&s->arena, &check->test, SW_STR("CMD-SHELL"));
        sw_strs_add(&s->arena, &check->test, sw_arena_str(&s->arena, h->command.argv.items[0]));
    }
    s->config.config.healthcheck = check;
}

/* *ret_text is what the history says of it, ptr NULL for nothing at all. */
static enum sw_code apply(struct sw_stage *s, const struct sw_df_instruction *in,
                          struct sw_str *ret_text, struct sw_error *err) {
    struct sw_container_config *c = &s->config.config;
    struct sw_arena *a = &s->arena;
    struct sw_df_lex lex = sw_stage_lex(s);
    enum sw_code code = SW_OK;
    int signal;
    *ret_text = (struct sw_str){0};
    switch (in->kind) {
    case SW_DF_ENV:
    case SW_DF_LABEL:
        return set_pairs(s, in, ret_text, err);
    case SW_DF_ARG:
        return set_args(s, in, ret_text, err);
    case SW_DF_EXPOSE:
        return expose(s, in, ret_text, err);
    case SW_DF_VOLUME:
        return volumes(s, in, ret_text, err);
    case SW_DF_CMD:
        c->cmd = command_argv(s, &in->command);
        c->args_escaped = false;
        s->cmd_set = true;
        *ret_text = sw_history_argv(a, "CMD", &c->cmd);
        return SW_OK;
    case SW_DF_ENTRYPOINT:
        c->entrypoint = command_argv(s, &in->command);
        /* A command that came with the base belongs to the base's entry point. */
        if (!s->cmd_set) c->cmd = (struct sw_strs){0};
        *ret_text = sw_history_argv(a, "ENTRYPOINT", &c->entrypoint);
        return SW_OK;
    case SW_DF_SHELL:
        s->shell = c->shell = copy_words(a, &in->command.argv);
        *ret_text = sw_history_list(a, "SHELL", &c->shell);
        return SW_OK;
    case SW_DF_USER:
        code = sw_df_expand_word(a, &lex, in->word, &c->user, err);
        *ret_text = sw_arena_printf(a, "USER %.*s", SW_ARG(c->user));
        return code;
    case SW_DF_STOPSIGNAL:
        code = sw_df_expand_word(a, &lex, in->word, &c->stop_signal, err);
        *ret_text = sw_arena_printf(a, "STOPSIGNAL %.*s", SW_ARG(c->stop_signal));
        return code ? code : sw_df_signal_parse(c->stop_signal, &signal, err);
    case SW_DF_HEALTHCHECK:
        healthcheck(s, &in->health);
        *ret_text = sw_history_health(a, c->healthcheck);
        return SW_OK;
    case SW_DF_MAINTAINER:
        s->config.author = in->word;
        *ret_text = sw_arena_printf(a, "MAINTAINER %.*s", SW_ARG(in->word));
        return SW_OK;
    case SW_DF_ONBUILD:
        sw_strs_add(a, &c->on_build, in->word);
        return SW_OK;
    default:
        return sw_fail(err, SW_UNSUPPORTED, "the instruction %.*s is not executed yet",
                       SW_ARG(in->name));
    }
}

enum sw_code sw_step_meta(struct sw_stage *s, const struct sw_df_instruction *in,
                          struct sw_error *err) {
    struct sw_str text;
    enum sw_code code = apply(s, in, &text, err);
    if (!code && text.ptr) code = sw_stage_add_history(s, text, true, err);
    return code ? code : sw_arena_check(&s->arena, "a build stage", err);
}
