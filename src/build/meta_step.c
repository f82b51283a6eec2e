/* Instructions that change the configuration alone. */
#include <string.h>

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
    if (c->argv.n) sw_strs_add(&s->arena, &list, sw_arena_str(&s->arena, c->argv.items[0]));
    return list;
}

static enum sw_code set_pairs(struct sw_stage *s, const struct sw_df_instruction *in,
                              struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    struct sw_df_pairs pairs;
    enum sw_code code = sw_df_expand_pairs(&s->arena, &lex, &in->pairs, &pairs, NULL, err);
    for (size_t i = 0; i < pairs.n && !code; i++) {
        struct sw_str name = sw_arena_str(&s->arena, pairs.items[i].name);
        struct sw_str value = sw_arena_str(&s->arena, pairs.items[i].value);
        if (in->kind == SW_DF_ENV) {
            sw_config_set_env(&s->arena, &s->config.config.env, name, value);
        } else {
            sw_pairs_set(&s->arena, &s->config.config.labels, name, value);
        }
    }
    return code;
}

/* The value of an ARG: the command line's, else its own default, else a global ARG's. */
static enum sw_code set_args(struct sw_stage *s, const struct sw_df_instruction *in,
                             struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct sw_df_pair *pair = &in->pairs.items[i];
        struct sw_str value, name = pair->name; /* literal, as in BuildKit */
        if (sw_build_arg(s->build, name, &value)) {
            sw_df_vars_set(&s->args, name, value);
        } else if (pair->value.ptr) {
            enum sw_code code = sw_df_expand_word(&s->arena, &lex, pair->value, &value, err);
            if (code) return code;
            sw_df_vars_set(&s->args, name, value);
        } else if (sw_df_vars_get(&s->build->globals, name, &value)) {
            sw_df_vars_set(&s->args, name, value);
        }
    }
    return SW_OK;
}

static enum sw_code expose(struct sw_stage *s, const struct sw_df_instruction *in,
                           struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    for (size_t i = 0; i < in->words.n; i++) {
        struct sw_df_words words;
        enum sw_code code = sw_df_expand_words(&s->arena, &lex, in->words.items[i], &words, err);
        for (size_t k = 0; k < words.n && !code; k++) {
            struct sw_df_ports ports;
            code = sw_df_ports_parse(words.items[k], &ports, err);
            for (unsigned port = ports.first; !code && port <= ports.last; port++)
                sw_config_add_unique(&s->arena, &s->config.config.exposed_ports,
                                     sw_arena_printf(&s->arena, "%u/%s", port, ports.proto));
        }
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code volumes(struct sw_stage *s, const struct sw_df_instruction *in,
                            struct sw_error *err) {
    struct sw_df_lex lex = sw_stage_lex(s);
    for (size_t i = 0; i < in->words.n; i++) {
        struct sw_str path;
        enum sw_code code = sw_df_expand_word(&s->arena, &lex, in->words.items[i], &path, err);
        if (code) return code;
        if (!path.len) return sw_fail(err, SW_SYNTAX, "a volume's path is empty");
        sw_config_add_unique(&s->arena, &s->config.config.volumes, path);
    }
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

static enum sw_code apply(struct sw_stage *s, const struct sw_df_instruction *in,
                          struct sw_error *err) {
    struct sw_container_config *c = &s->config.config;
    struct sw_df_lex lex = sw_stage_lex(s);
    enum sw_code code = SW_OK;
    int signal;
    switch (in->kind) {
    case SW_DF_ENV:
    case SW_DF_LABEL:
        return set_pairs(s, in, err);
    case SW_DF_ARG:
        return set_args(s, in, err);
    case SW_DF_EXPOSE:
        return expose(s, in, err);
    case SW_DF_VOLUME:
        return volumes(s, in, err);
    case SW_DF_CMD:
        c->cmd = command_argv(s, &in->command);
        c->args_escaped = false;
        s->cmd_set = true;
        return SW_OK;
    case SW_DF_ENTRYPOINT:
        c->entrypoint = command_argv(s, &in->command);
        /* A command that came with the base belongs to the base's entry point. */
        if (!s->cmd_set) c->cmd = (struct sw_strs){0};
        return SW_OK;
    case SW_DF_SHELL:
        s->shell = c->shell = copy_words(&s->arena, &in->command.argv);
        return SW_OK;
    case SW_DF_USER:
        return sw_df_expand_word(&s->arena, &lex, in->word, &c->user, err);
    case SW_DF_STOPSIGNAL:
        code = sw_df_expand_word(&s->arena, &lex, in->word, &c->stop_signal, err);
        return code ? code : sw_df_signal_parse(c->stop_signal, &signal, err);
    case SW_DF_HEALTHCHECK:
        healthcheck(s, &in->health);
        return SW_OK;
    case SW_DF_MAINTAINER:
        s->config.author = in->word;
        return SW_OK;
    case SW_DF_ONBUILD:
        sw_strs_add(&s->arena, &c->on_build, in->word);
        return SW_OK;
    default:
        return sw_fail(err, SW_UNSUPPORTED, "the instruction %.*s is not executed yet",
                       SW_ARG(in->name));
    }
}

/* What history shows: the instruction as written, except where the values are what matters. */
static struct sw_str history_text(struct sw_stage *s, const struct sw_df_instruction *in) {
    struct sw_arena *a = &s->arena;
    if (in->kind == SW_DF_CMD || in->kind == SW_DF_ENTRYPOINT) {
        SW_BUF struct sw_buf b;
        struct sw_json_writer w;
        sw_buf_init(&b, 0);
        sw_json_writer_init(&w, &b, 0);
        const struct sw_strs *argv =
            in->kind == SW_DF_CMD ? &s->config.config.cmd : &s->config.config.entrypoint;
        sw_json_begin_array(&w);
        for (size_t i = 0; i < argv->len; i++) sw_json_str(&w, argv->ptr[i]);
        sw_json_end_array(&w);
        return sw_arena_printf(a, "%s %.*s", sw_df_kind_name(in->kind), SW_ARG(sw_buf_str(&b)));
    }
    if (in->kind == SW_DF_USER)
        return sw_arena_printf(a, "USER %.*s", SW_ARG(s->config.config.user));
    return in->text;
}

enum sw_code sw_step_meta(struct sw_stage *s, const struct sw_df_instruction *in,
                          struct sw_error *err) {
    enum sw_code code = apply(s, in, err);
    if (!code) code = sw_stage_add_history(s, history_text(s, in), true, err);
    return code ? code : sw_arena_check(&s->arena, "a build stage", err);
}
