/* DESIGN
 *
 * The arguments of an instruction have one of seven shapes, and are read in two steps as BuildKit
 * does: first into a struct args by the shape, then into the typed struct by the kind. The first
 * step also decides whether heredocs can follow, which only RUN, COPY and ADD in shell form (also
 * behind ONBUILD) have. */
#include "dockerfile/instruction_internal.h"

#include <stdlib.h>

#include "dockerfile/json_internal.h"
#include "dockerfile/limits.h"
#include "dockerfile/mount.h"
#include "dockerfile/rune_internal.h"
#include "dockerfile/values.h"
#include "dockerfile/words_internal.h"

enum shape {
    SHAPE_LIST,    /* a JSON array or words: ADD COPY VOLUME */
    SHAPE_COMMAND, /* a JSON array or one text: CMD ENTRYPOINT RUN SHELL */
    SHAPE_PAIRS,   /* ENV LABEL */
    SHAPE_NAMES,   /* ARG */
    SHAPE_WORDS,   /* EXPOSE FROM */
    SHAPE_TEXT,    /* MAINTAINER STOPSIGNAL USER WORKDIR */
    SHAPE_HEALTH,  /* a word, then as SHAPE_COMMAND */
    SHAPE_TRIGGER, /* another instruction: ONBUILD */
};

static const enum shape shapes[SW_DF_KINDS] = {
    [SW_DF_ADD] = SHAPE_LIST,           [SW_DF_ARG] = SHAPE_NAMES,
    [SW_DF_CMD] = SHAPE_COMMAND,        [SW_DF_COPY] = SHAPE_LIST,
    [SW_DF_ENTRYPOINT] = SHAPE_COMMAND, [SW_DF_ENV] = SHAPE_PAIRS,
    [SW_DF_EXPOSE] = SHAPE_WORDS,       [SW_DF_FROM] = SHAPE_WORDS,
    [SW_DF_HEALTHCHECK] = SHAPE_HEALTH, [SW_DF_LABEL] = SHAPE_PAIRS,
    [SW_DF_MAINTAINER] = SHAPE_TEXT,    [SW_DF_ONBUILD] = SHAPE_TRIGGER,
    [SW_DF_RUN] = SHAPE_COMMAND,        [SW_DF_SHELL] = SHAPE_COMMAND,
    [SW_DF_STOPSIGNAL] = SHAPE_TEXT,    [SW_DF_USER] = SHAPE_TEXT,
    [SW_DF_VOLUME] = SHAPE_LIST,        [SW_DF_WORKDIR] = SHAPE_TEXT,
};

struct args {
    struct sw_df_split split;
    struct sw_df_words words;
    struct sw_df_pairs pairs; /* SHAPE_PAIRS */
    bool json;                /* words came from a JSON array */
    struct sw_str type;       /* SHAPE_HEALTH: the first word */
    bool heredocs_allowed;
};

/* What the functions that read one kind need. */
struct context {
    struct sw_arena *arena;
    struct args *args;
    struct sw_df_instruction *ret;
    struct sw_error *err;
};

static enum sw_code read_flags(struct context *c, struct sw_df_flag *flags, size_t n) {
    return sw_df_flags(c->arena, &c->args->split.flags, sw_df_kind_name(c->ret->kind), flags, n,
                       c->err);
}

struct sw_str sw_df_description(const struct sw_df_words *comments, struct sw_str name) {
    for (size_t i = 0; name.len > 0 && i < comments->n; i++) {
        struct sw_str line = comments->items[i];
        if (sw_str_starts(line, name) && line.len > name.len && line.ptr[name.len] == ' ')
            return sw_str_from(line, name.len + 1);
    }
    return (struct sw_str){0};
}

/* ---- shapes ---- */

static struct sw_df_words one_word(struct sw_arena *arena, struct sw_str s) {
    struct sw_df_list list = {0};
    if (s.len > 0) sw_df_list_add(arena, &list, s);
    return list.words;
}

/* A JSON array where it is one, else one text (whole) or words. */
static enum sw_code read_list(struct sw_arena *arena, struct sw_str rest, bool whole,
                              struct args *ret, struct sw_error *err) {
    switch (sw_df_json_array(arena, rest, &ret->words)) {
    case SW_DF_JSON_STRINGS:
        ret->json = true;
        return SW_OK;
    case SW_DF_JSON_OTHERS:
        return sw_fail(err, SW_SYNTAX,
                       "the JSON array of the exec form may hold strings only: put numbers and "
                       "words into double quotes");
    case SW_DF_JSON_NOT:
        break;
    }
    ret->words = whole ? one_word(arena, rest) : sw_df_fields(arena, rest);
    return SW_OK;
}

/* "NAME=VALUE ..." or, where the first word has no "=", "NAME the rest". */
static enum sw_code read_pairs(struct sw_arena *arena, const char *name, char escape,
                               struct args *ret, struct sw_error *err) {
    struct sw_df_words words = sw_df_raw_words(arena, ret->split.rest, escape);
    if (words.n == 0) return SW_OK;
    ret->pairs.items = sw_arena_array(arena, words.n, sizeof *ret->pairs.items);
    struct sw_df_pair *pair = ret->pairs.items;
    if (sw_str_find_char(words.items[0], '=') == SIZE_MAX) {
        pair->legacy = true;
        ret->pairs.n = 1;
        if (!sw_df_cut_blank(ret->split.rest, &pair->name, &pair->value))
            return sw_fail(err, SW_SYNTAX, "%s must have two arguments: %s NAME=VALUE", name, name);
        return SW_OK;
    }
    for (size_t i = 0; i < words.n; i++, pair++) {
        if (!sw_str_cut(words.items[i], '=', &pair->name, &pair->value))
            return sw_fail(err, SW_SYNTAX,
                           "\"%.*s\" has no \"=\": %s takes NAME=VALUE, with quotes around a "
                           "value that has blanks in it",
                           SW_ARG(words.items[i]), name);
    }
    ret->pairs.n = words.n;
    return SW_OK;
}

static enum sw_code read_args(struct sw_arena *arena, struct sw_str line, char escape, bool nested,
                              struct args *ret, struct sw_error *err);

/* Splits by the kind's shape. */
static enum sw_code read_shape(struct sw_arena *arena, enum sw_df_kind kind, char escape,
                               bool nested, struct args *ret, struct sw_error *err) {
    struct sw_str rest = ret->split.rest;
    struct args inner;
    enum sw_code code = SW_OK;
    switch (shapes[kind]) {
    case SHAPE_LIST:
        code = read_list(arena, rest, false, ret, err);
        break;
    case SHAPE_COMMAND:
        code = read_list(arena, rest, true, ret, err);
        break;
    case SHAPE_PAIRS:
        code = read_pairs(arena, sw_df_kind_name(kind), escape, ret, err);
        break;
    case SHAPE_NAMES:
        ret->words = sw_df_raw_words(arena, rest, escape);
        break;
    case SHAPE_WORDS:
        ret->words = sw_df_fields(arena, rest);
        break;
    case SHAPE_TEXT:
        ret->words = one_word(arena, rest);
        break;
    case SHAPE_HEALTH:
        sw_df_cut_blank(rest, &ret->type, &rest);
        code = read_list(arena, rest, true, ret, err);
        break;
    case SHAPE_TRIGGER:
        if (rest.len == 0 || nested) break;
        code = read_args(arena, rest, escape, true, &inner, err);
        ret->words = one_word(arena, inner.split.keyword);
        ret->heredocs_allowed = !code && inner.heredocs_allowed;
        break;
    }
    bool files = kind == SW_DF_RUN || kind == SW_DF_COPY || kind == SW_DF_ADD;
    if (files) ret->heredocs_allowed = !ret->json;
    return code;
}

/* The shape of a whole line. An unknown keyword is no error here, because BuildKit accepts ONBUILD
 * with any word; whoever runs the trigger complains. */
static enum sw_code read_args(struct sw_arena *arena, struct sw_str line, char escape, bool nested,
                              struct args *ret, struct sw_error *err) {
    enum sw_df_kind kind;
    *ret = (struct args){0};
    sw_df_split(arena, line, escape, &ret->split);
    if (!sw_df_kind_parse(ret->split.keyword, &kind)) return SW_OK;
    enum sw_code code = read_shape(arena, kind, escape, nested, ret, err);
    if (!code && (ret->words.n > SW_DF_WORDS_MAX || ret->pairs.n > SW_DF_WORDS_MAX))
        code = sw_fail(err, SW_LIMIT, "more than %u words", SW_DF_WORDS_MAX);
    return code;
}

/* ---- kinds ---- */

static enum sw_code too_few(const struct context *c, const char *what) {
    return sw_fail(c->err, SW_SYNTAX, "%s requires %s", sw_df_kind_name(c->ret->kind), what);
}

/* ENV and LABEL; names are raw, values too. */
static enum sw_code pairs(struct context *c) {
    enum sw_code code = read_flags(c, NULL, 0);
    if (code) return code;
    if (c->args->pairs.n == 0) return too_few(c, "at least one argument");
    for (size_t i = 0; i < c->args->pairs.n; i++)
        if (c->args->pairs.items[i].name.len == 0)
            return sw_fail(c->err, SW_SYNTAX, "%s names can not be blank",
                           sw_df_kind_name(c->ret->kind));
    c->ret->pairs = c->args->pairs;
    return SW_OK;
}

static enum sw_code arg(struct context *c) {
    const struct sw_df_words *words = &c->args->words;
    if (words->n == 0) return too_few(c, "at least one argument");
    struct sw_df_pairs *ret = &c->ret->pairs;
    ret->items = sw_arena_array(c->arena, words->n, sizeof *ret->items);
    ret->n = words->n;
    for (size_t i = 0; i < words->n; i++) {
        struct sw_df_pair *pair = &ret->items[i];
        bool has_value = sw_str_cut(words->items[i], '=', &pair->name, &pair->value);
        if (!has_value)
            pair->value = (struct sw_str){0};
        else if (pair->name.len == 0)
            return sw_fail(c->err, SW_SYNTAX, "ARG names can not be blank");
        pair->comment = sw_df_description(&c->ret->comments, pair->name);
    }
    return SW_OK;
}

/* [a-z][a-z0-9_.-]* */
static bool is_stage_name(struct sw_str name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        if (!letter && (i == 0 || !other)) return false;
    }
    return name.len > 0;
}

static enum sw_code from(struct context *c) {
    const struct sw_df_words *words = &c->args->words;
    struct sw_df_from *ret = &c->ret->from;
    if (words->n == 3 && sw_str_ieq(words->items[1], SW_STR("as"))) {
        ret->as_keyword = words->items[1];
        ret->name_as_written = words->items[2];
        char *lower = sw_arena_cstr(c->arena, words->items[2]);
        ret->name = sw_str_n(lower, words->items[2].len);
        for (size_t i = 0; i < ret->name.len; i++)
            if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] + 32);
        if (!is_stage_name(ret->name))
            return sw_fail(c->err, SW_SYNTAX,
                           "invalid name for build stage: \"%.*s\", it must start with a letter "
                           "and contain only letters, digits, _ - and .",
                           SW_ARG(words->items[2]));
    } else if (words->n != 1) {
        return sw_fail(c->err, SW_SYNTAX,
                       "FROM requires either one or three arguments: FROM image [AS name]");
    }
    struct sw_df_flag flags[] = {{"platform", SW_DF_FLAG_TEXT}};
    enum sw_code code = read_flags(c, flags, 1);
    if (code) return code;
    ret->base = words->items[0];
    ret->platform = flags[0].text;
    return SW_OK;
}

/* CMD, ENTRYPOINT; RUN adds its heredocs later. */
static struct sw_df_command command(const struct context *c) {
    return (struct sw_df_command){c->args->json ? SW_DF_EXEC_FORM : SW_DF_SHELL_FORM,
                                  c->args->words};
}

static enum sw_code plain_command(struct context *c) {
    enum sw_code code = read_flags(c, NULL, 0);
    if (!code) c->ret->command = command(c);
    return code;
}

static enum sw_code shell(struct context *c) {
    enum sw_code code = read_flags(c, NULL, 0);
    if (code) return code;
    if (c->args->words.n == 0) return too_few(c, "at least one argument");
    if (!c->args->json)
        return sw_fail(c->err, SW_SYNTAX,
                       "SHELL requires the arguments to be in JSON form: SHELL [\"/bin/sh\", "
                       "\"-c\"]");
    c->ret->command = command(c);
    return SW_OK;
}

static enum sw_code devices(struct context *c, const struct sw_df_words *texts) {
    struct sw_df_run *run = &c->ret->run;
    run->devices = sw_arena_array(c->arena, texts->n, sizeof *run->devices);
    run->n_devices = texts->n;
    for (size_t i = 0; i < texts->n; i++) {
        struct sw_df_device *device = &run->devices[i];
        struct sw_df_words fields;
        enum sw_code code = sw_df_csv(c->arena, texts->items[i], &fields, c->err);
        if (code) return sw_context(c->err, "--device");
        for (size_t k = 0; k < fields.n; k++) {
            struct sw_str key, value;
            bool has_value = sw_str_cut(fields.items[k], '=', &key, &value);
            if (sw_str_ieq(key, SW_STR("required"))) {
                if (!has_value)
                    device->required = true;
                else if (!sw_df_bool_parse(value, &device->required))
                    return sw_fail(c->err, SW_SYNTAX, "--device: invalid value for required: %.*s",
                                   SW_ARG(value));
                continue;
            }
            bool named = has_value && sw_str_ieq(key, SW_STR("name"));
            if (device->name.len > 0)
                return sw_fail(c->err, SW_SYNTAX, "--device: unexpected \"%.*s\"",
                               SW_ARG(fields.items[k]));
            device->name = named ? value : fields.items[k];
        }
    }
    return SW_OK;
}

static enum sw_code mounts(struct context *c, const struct sw_df_words *texts) {
    struct sw_df_run *run = &c->ret->run;
    run->mounts = sw_arena_array(c->arena, texts->n, sizeof *run->mounts);
    run->n_mounts = texts->n;
    for (size_t i = 0; i < texts->n; i++) {
        run->mounts[i].text = texts->items[i];
        enum sw_code code =
            sw_df_mount_precheck(c->arena, texts->items[i], &run->mounts[i].from, c->err);
        if (code) return code;
    }
    return SW_OK;
}

/* Gives RUN's heredocs to the shell: a lone "<<EOF" is the script itself, anything else gets the
 * bodies appended as they were written. */
static enum sw_code run_heredocs(struct context *c) {
    struct sw_df_instruction *ret = c->ret;
    if (ret->n_heredocs == 0) return SW_OK;
    struct sw_df_command *command = &ret->run.command;
    struct sw_df_heredoc lone;
    bool is_lone;
    enum sw_code code =
        sw_df_heredoc_word(c->arena, command->argv.items[0], &lone, &is_lone, c->err);
    if (code) return code;
    if (is_lone) {
        bool script = sw_str_starts(ret->heredocs[0].body, SW_STR("#!"));
        command->form = script ? SW_DF_SCRIPT_FORM : SW_DF_HEREDOC_FORM;
        command->argv = (struct sw_df_words){&ret->heredocs[0].body, 1};
        return SW_OK;
    }
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, SW_DF_FILE_MAX);
    sw_buf_add(&text, command->argv.items[0]);
    for (size_t i = 0; i < ret->n_heredocs; i++)
        sw_buf_addf(&text, "\n%.*s%.*s", SW_ARG(ret->heredocs[i].raw),
                    SW_ARG(ret->heredocs[i].name));
    command->argv = one_word(c->arena, sw_arena_str(c->arena, sw_buf_str(&text)));
    return sw_buf_check(&text, "the command of RUN", c->err);
}

static enum sw_code run(struct context *c) {
    struct sw_df_flag flags[] = {{"mount", SW_DF_FLAG_LIST},
                                 {"network", SW_DF_FLAG_TEXT},
                                 {"security", SW_DF_FLAG_TEXT},
                                 {"device", SW_DF_FLAG_LIST}};
    static const char *const networks[] = {"default", "none", "host"};
    struct sw_df_run *ret = &c->ret->run;
    enum sw_code code = read_flags(c, flags, 4);
    if (!code) code = mounts(c, &flags[0].list.words);
    if (!code) code = devices(c, &flags[3].list.words);
    if (code) return code;
    if (flags[1].used) {
        size_t i = 0;
        while (i < 3 && !sw_str_is(flags[1].text, networks[i])) i++;
        if (i == 3)
            return sw_fail(c->err, SW_SYNTAX,
                           "invalid network mode \"%.*s\": default, none or host can be",
                           SW_ARG(flags[1].text));
        ret->network = (enum sw_df_network)i;
    }
    if (flags[2].used) {
        ret->insecure = sw_str_is(flags[2].text, "insecure");
        if (!ret->insecure && !sw_str_is(flags[2].text, "sandbox"))
            return sw_fail(c->err, SW_SYNTAX,
                           "security \"%.*s\" is not valid: sandbox or insecure can be",
                           SW_ARG(flags[2].text));
    }
    ret->command = command(c);
    return run_heredocs(c);
}

/* Divides the words of COPY and ADD into paths and heredocs. */
static enum sw_code sources(struct context *c, struct sw_df_copy *ret) {
    const struct sw_df_words *words = &c->args->words;
    struct sw_df_heredoc found;
    struct sw_error not_ours;
    bool is = false;
    const char *name = sw_df_kind_name(c->ret->kind);
    struct sw_df_list paths = {0};
    size_t cap = 0;
    if (words->n < 2)
        return sw_fail(c->err, SW_SYNTAX,
                       "%s requires at least two arguments: one or more sources and the "
                       "destination",
                       name);
    ret->dest = words->items[words->n - 1];
    if (!sw_df_heredoc_word(c->arena, ret->dest, &found, &is, &not_ours) && is)
        return sw_fail(c->err, SW_SYNTAX, "%s cannot accept a heredoc as a destination", name);
    for (size_t i = 0; i + 1 < words->n; i++) {
        is = false;
        if (sw_df_heredoc_word(c->arena, words->items[i], &found, &is, &not_ours)) is = false;
        if (!is) {
            sw_df_list_add(c->arena, &paths, words->items[i]);
            continue;
        }
        /* A word of a JSON array has no body; the last one of two bodies of a name counts. */
        found.raw = found.body = SW_STR("");
        for (size_t k = 0; k < c->ret->n_heredocs; k++) {
            if (!sw_str_eq(c->ret->heredocs[k].name, found.name)) continue;
            found.raw = c->ret->heredocs[k].raw;
            found.body = c->ret->heredocs[k].body;
        }
        *SW_DF_PUSH(c->arena, ret->files, ret->n_files, cap) = found;
    }
    ret->sources = paths.words;
    return SW_OK;
}

static enum sw_df_tri tri(const struct sw_df_flag *flag) {
    if (!flag->used) return SW_DF_UNSET;
    return flag->truth ? SW_DF_TRUE : SW_DF_FALSE;
}

static enum sw_code copy(struct context *c) {
    struct sw_df_flag flags[] = {{"chown", SW_DF_FLAG_TEXT},   {"from", SW_DF_FLAG_TEXT},
                                 {"chmod", SW_DF_FLAG_TEXT},   {"link", SW_DF_FLAG_BOOL},
                                 {"exclude", SW_DF_FLAG_LIST}, {"parents", SW_DF_FLAG_BOOL}};
    struct sw_df_copy *ret = &c->ret->copy;
    enum sw_code code = sources(c, ret);
    if (!code) code = read_flags(c, flags, 6);
    if (code) return code;
    /* Stages are sorted out before any variable is known. A lone $ at the end means itself. */
    size_t dollar = sw_str_find_char(flags[1].text, '$');
    if (dollar != SIZE_MAX && dollar + 1 != flags[1].text.len)
        return sw_fail(c->err, SW_SYNTAX,
                       "variable expansion is not supported for --from: define a stage with "
                       "\"FROM %.*s AS name\", where global ARGs are known, and use its name",
                       SW_ARG(flags[1].text));
    ret->chown = flags[0].text;
    ret->from = flags[1].text;
    ret->chmod = flags[2].text;
    ret->link = flags[3].truth;
    ret->exclude = flags[4].list.words;
    ret->parents = flags[5].truth;
    return SW_OK;
}

static enum sw_code add(struct context *c) {
    struct sw_df_flag flags[] = {{"chown", SW_DF_FLAG_TEXT},    {"chmod", SW_DF_FLAG_TEXT},
                                 {"link", SW_DF_FLAG_BOOL},     {"keep-git-dir", SW_DF_FLAG_BOOL},
                                 {"checksum", SW_DF_FLAG_TEXT}, {"unpack", SW_DF_FLAG_BOOL},
                                 {"exclude", SW_DF_FLAG_LIST}};
    struct sw_df_copy *ret = &c->ret->copy;
    enum sw_code code = sources(c, ret);
    if (!code) code = read_flags(c, flags, 7);
    if (code) return code;
    ret->chown = flags[0].text;
    ret->chmod = flags[1].text;
    ret->link = flags[2].truth;
    ret->keep_git_dir = tri(&flags[3]);
    ret->checksum = flags[4].text;
    ret->unpack = tri(&flags[5]);
    ret->exclude = flags[6].list.words;
    return SW_OK;
}

static enum sw_code health_time(struct context *c, const struct sw_df_flag *flag, int64_t *ret_ns) {
    enum sw_code code = sw_df_health_duration_parse(flag->text, ret_ns, c->err);
    return code ? sw_context(c->err, "--%s", flag->name) : SW_OK;
}

static enum sw_code healthcheck(struct context *c) {
    struct sw_df_flag flags[] = {{"interval", SW_DF_FLAG_TEXT},
                                 {"timeout", SW_DF_FLAG_TEXT},
                                 {"start-period", SW_DF_FLAG_TEXT},
                                 {"start-interval", SW_DF_FLAG_TEXT},
                                 {"retries", SW_DF_FLAG_TEXT}};
    struct sw_df_healthcheck *ret = &c->ret->health;
    struct sw_str type = c->args->type;
    if (type.len == 0) return too_few(c, "at least one argument");
    if (sw_str_ieq(type, SW_STR("NONE"))) {
        if (c->args->words.n > 0)
            return sw_fail(c->err, SW_SYNTAX, "HEALTHCHECK NONE takes no arguments");
        ret->none = true;
        return SW_OK;
    }
    enum sw_code code = read_flags(c, flags, 5);
    if (code) return code;
    if (!sw_str_ieq(type, SW_STR("CMD")))
        return sw_fail(c->err, SW_SYNTAX,
                       "unknown type \"%.*s\" in HEALTHCHECK: CMD or NONE can be", SW_ARG(type));
    if (c->args->words.n == 0)
        return sw_fail(c->err, SW_SYNTAX, "missing command after HEALTHCHECK CMD");
    ret->command = command(c);
    if (!code) code = health_time(c, &flags[0], &ret->interval_ns);
    if (!code) code = health_time(c, &flags[1], &ret->timeout_ns);
    if (!code) code = health_time(c, &flags[2], &ret->start_period_ns);
    if (!code) code = health_time(c, &flags[3], &ret->start_interval_ns);
    if (code || flags[4].text.len == 0) return code;
    int64_t retries;
    struct sw_str number = flags[4].text;
    if (number.ptr[0] == '+') number = sw_str_from(number, 1);
    if (!sw_str_i64(number, &retries) || retries < 0 || retries > INT32_MAX)
        return sw_fail(c->err, SW_SYNTAX, "--retries: \"%.*s\" is not a number from 0 on",
                       SW_ARG(flags[4].text));
    ret->retries = (int)retries;
    return SW_OK;
}

static int compare_words(const void *a, const void *b) {
    return sw_str_cmp(*(const struct sw_str *)a, *(const struct sw_str *)b);
}

/* Sorted, as BuildKit records them in the history. */
static enum sw_code expose(struct context *c) {
    struct sw_df_words *words = &c->args->words;
    if (words->n == 0) return too_few(c, "at least one argument");
    qsort(words->items, words->n, sizeof *words->items, compare_words);
    c->ret->words = *words;
    return read_flags(c, NULL, 0);
}

static enum sw_code volume(struct context *c) {
    struct sw_df_words *words = &c->args->words;
    if (words->n == 0) return too_few(c, "at least one argument");
    enum sw_code code = read_flags(c, NULL, 0);
    if (code) return code;
    for (size_t i = 0; i < words->n; i++) {
        words->items[i] = sw_rune_trim(words->items[i]);
        if (words->items[i].len == 0)
            return sw_fail(c->err, SW_SYNTAX, "VOLUME specified can not be an empty string");
    }
    c->ret->words = *words;
    return SW_OK;
}

static enum sw_code text(struct context *c) {
    if (c->args->words.n != 1) return too_few(c, "exactly one argument");
    c->ret->word = c->args->words.items[0];
    /* BuildKit looks at the flags of every instruction but this one. */
    return c->ret->kind == SW_DF_STOPSIGNAL ? SW_OK : read_flags(c, NULL, 0);
}

static enum sw_code onbuild(struct context *c) {
    if (c->args->words.n == 0) return too_few(c, "at least one argument");
    enum sw_code code = read_flags(c, NULL, 0);
    if (code) return code;
    enum sw_df_kind kind;
    bool known = sw_df_kind_parse(c->args->words.items[0], &kind);
    if (known && kind == SW_DF_ONBUILD)
        return sw_fail(c->err, SW_SYNTAX, "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (known && (kind == SW_DF_FROM || kind == SW_DF_MAINTAINER))
        return sw_fail(c->err, SW_SYNTAX, "%s isn't allowed as an ONBUILD trigger",
                       sw_df_kind_name(kind));
    /* The text after the keyword, blanks at its end included, as the image's config keeps it. */
    struct sw_str trigger = c->ret->text;
    trigger = sw_str_from(trigger, strlen("ONBUILD"));
    while (trigger.len > 0 && memchr(" \t\n\f\r", trigger.ptr[0], 5))
        trigger = sw_str_from(trigger, 1);
    SW_BUF struct sw_buf whole;
    sw_buf_init(&whole, SW_DF_FILE_MAX);
    sw_buf_add(&whole, trigger);
    for (size_t i = 0; i < c->ret->n_heredocs; i++)
        sw_buf_addf(&whole, "\n%.*s%.*s", SW_ARG(c->ret->heredocs[i].raw),
                    SW_ARG(c->ret->heredocs[i].name));
    c->ret->word = sw_arena_str(c->arena, sw_buf_str(&whole));
    return sw_buf_check(&whole, "the trigger of ONBUILD", c->err);
}

static enum sw_code (*const readers[SW_DF_KINDS])(struct context *) = {
    [SW_DF_ADD] = add,
    [SW_DF_ARG] = arg,
    [SW_DF_CMD] = plain_command,
    [SW_DF_COPY] = copy,
    [SW_DF_ENTRYPOINT] = plain_command,
    [SW_DF_ENV] = pairs,
    [SW_DF_EXPOSE] = expose,
    [SW_DF_FROM] = from,
    [SW_DF_HEALTHCHECK] = healthcheck,
    [SW_DF_LABEL] = pairs,
    [SW_DF_MAINTAINER] = text,
    [SW_DF_ONBUILD] = onbuild,
    [SW_DF_RUN] = run,
    [SW_DF_SHELL] = shell,
    [SW_DF_STOPSIGNAL] = text,
    [SW_DF_USER] = text,
    [SW_DF_VOLUME] = volume,
    [SW_DF_WORKDIR] = text,
};

/* ---- lines ---- */

static enum sw_code unknown_instruction(struct sw_arena *arena, struct sw_str keyword,
                                        struct sw_error *err) {
    const char *names[SW_DF_KINDS];
    for (size_t i = 0; i < SW_DF_KINDS; i++) names[i] = sw_df_kind_name((enum sw_df_kind)i);
    char *upper = sw_arena_cstr(arena, keyword);
    for (char *p = upper; *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
    const char *nearest = sw_str_nearest(sw_str(upper), names, SW_DF_KINDS);
    sw_fail(err, SW_SYNTAX, "unknown instruction: %.*s", SW_ARG(keyword));
    return nearest ? sw_advise(err, " (did you mean %s?)", nearest) : err->code;
}

static struct sw_df_span span_of(const struct sw_df_reader *r, const struct sw_df_line *line) {
    struct sw_str source = sw_str_sub(r->source, line->offset, r->at - line->offset);
    if (sw_str_ends(source, SW_STR("\n"))) source.len--;
    if (sw_str_ends(source, SW_STR("\r"))) source.len--;
    return (struct sw_df_span){line->line, r->line, line->column, source};
}

static enum sw_code parse_line(struct sw_df_reader *r, const struct sw_df_line *line,
                               struct sw_df_instruction *ret, struct sw_error *err) {
    struct args args;
    enum sw_code code = read_args(r->arena, line->text, r->escape, false, &args, err);
    if (code) return code;
    ret->name = args.split.keyword;
    if (!sw_df_kind_parse(ret->name, &ret->kind))
        return unknown_instruction(r->arena, ret->name, err);
    if (args.heredocs_allowed && sw_str_find(line->text, SW_STR("<<")) != SIZE_MAX)
        code = sw_df_heredocs_in(r->arena, line->text, &ret->heredocs, &ret->n_heredocs, err);
    for (size_t i = 0; !code && i < ret->n_heredocs; i++)
        code = sw_df_read_heredoc(r, &ret->heredocs[i], err);
    if (code) return code;
    ret->span = span_of(r, line);
    ret->comments = line->comments;
    ret->text = line->text;
    struct context c = {r->arena, &args, ret, err};
    code = readers[ret->kind](&c);
    ret->text = sw_rune_trim(line->text);
    return code;
}

enum sw_code sw_df_parse_instruction(struct sw_df_reader *reader, const struct sw_df_line *line,
                                     struct sw_df_instruction *ret, struct sw_error *err) {
    struct sw_df_instruction instruction = {0};
    enum sw_code code = parse_line(reader, line, &instruction, err);
    if (code) return sw_df_at_line(err, reader->name, line->line);
    *ret = instruction;
    return sw_arena_check(reader->arena, "the Dockerfile", err);
}
