#include "dockerfile/check_internal.h"

#include "dockerfile/limits.h"
#include "dockerfile/line_internal.h"
#include "dockerfile/reference_internal.h"
#include "dockerfile/values.h"

/* What the functions of one instruction need. */
struct context {
    struct sw_df_checker *c;
    struct sw_df_check_stage *stage;
    const struct sw_df_instruction *in;
};

/* An expansion that fails is the build's to report, unless the environment is known, when it is
 * certain that the build will. Limits always count. */
static enum sw_code failed(const struct context *x, enum sw_code code) {
    if (!code || (code == SW_SYNTAX && !x->stage->env_known)) return SW_OK;
    return sw_df_at_line(x->c->err, x->c->file->name, x->in->span.line);
}

static void undefined(const struct context *x, const struct sw_df_words *unset) {
    const struct sw_df_scope *scope = &x->stage->scope;
    struct sw_df_list known = {0};
    if (!x->stage->env_known || unset->n == 0) return;
    bool suggest = x->c->suggestions < SW_DF_SUGGESTIONS_MAX;
    for (size_t i = 0; suggest && i < scope->vars.n && i < SW_DF_CANDIDATES_MAX; i++)
        sw_df_list_add(x->c->arena, &known, scope->vars.items[i].name);
    for (size_t i = 0; i < unset->n; i++) {
        struct sw_str name = unset->items[i];
        if (sw_df_words_have(&scope->declared.words, name) || sw_df_arg_is_hidden(name)) continue;
        struct sw_str near = sw_df_did_you_mean(x->c, name, "$", &known.words);
        SW_DF_WARN(x->c, SW_DF_UNDEFINED_VAR, x->in, "Usage of undefined variable '$%.*s'%.*s",
                   SW_ARG(name), SW_ARG(near));
    }
}

/* Expands a word, reports what is not defined in it, and gives the text ("" for a failure). */
static enum sw_code word(const struct context *x, struct sw_str raw, struct sw_str *ret) {
    struct sw_df_lex lex = sw_df_scope_lex(&x->stage->scope);
    struct sw_df_expansion e = {.text = SW_STR("")};
    enum sw_code code = failed(x, sw_df_expand(x->c->arena, &lex, raw, &e, x->c->err));
    if (code) return code;
    undefined(x, &e.unset);
    if (ret) *ret = e.text;
    return SW_OK;
}

/* ---- ENV, LABEL, ARG ---- */

static bool among(struct sw_str s, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (sw_str_ieq(s, sw_str(list[i]))) return true;
    return false;
}
#define AMONG(s, list) among(s, list, sizeof(list) / sizeof *(list))

/* Names with a word (between underscores) that means a secret, and none that takes it back. */
static bool looks_secret(struct sw_str name) {
    static const char *const secret[] = {"apikey",   "auth",  "credential", "credentials", "key",
                                         "password", "pword", "passwd",     "secret",      "token"};
    static const char *const harmless[] = {"public", "file", "version"};
    bool found = false;
    struct sw_str part;
    while (sw_str_next(&name, '_', &part)) {
        if (AMONG(part, harmless)) return false;
        found = found || AMONG(part, secret);
    }
    return found;
}

static void secret(const struct context *x, struct sw_str name) {
    if (!looks_secret(name)) return;
    SW_DF_WARN(x->c, SW_DF_SECRETS_USED_IN_ARG_OR_ENV, x->in,
               "Do not use ARG or ENV instructions for sensitive data (%s \"%.*s\")",
               sw_df_kind_name(x->in->kind), SW_ARG(name));
}

static enum sw_code env(const struct context *x) {
    struct sw_df_pairs pairs = {0};
    struct sw_df_words unset = {0};
    struct sw_df_lex lex = sw_df_scope_lex(&x->stage->scope);
    enum sw_code code =
        x->in->kind == SW_DF_ENV
            ? sw_df_scope_env(&x->stage->scope, &x->in->pairs, &pairs, &unset, x->c->err)
            : sw_df_expand_pairs(x->c->arena, &lex, &x->in->pairs, &pairs, &unset, x->c->err);
    code = failed(x, code);
    if (code) return code;
    undefined(x, &unset);
    if (x->in->pairs.items[0].legacy)
        SW_DF_WARN(x->c, SW_DF_LEGACY_KEY_VALUE_FORMAT, x->in,
                   "\"%.*s key=value\" should be used instead of legacy \"%.*s key value\" format",
                   SW_ARG(x->in->name), SW_ARG(x->in->name));
    for (size_t i = 0; x->in->kind == SW_DF_ENV && i < pairs.n; i++) secret(x, pairs.items[i].name);
    return SW_OK;
}

static enum sw_code arg(const struct context *x) {
    for (size_t i = 0; i < x->in->pairs.n; i++) {
        struct sw_df_words unset = {0};
        struct sw_str value;
        bool inherited;
        secret(x, x->in->pairs.items[i].name);
        enum sw_code code = failed(x, sw_df_scope_arg(&x->stage->scope, &x->in->pairs.items[i],
                                                      &value, &inherited, &unset, x->c->err));
        if (code) return code;
        undefined(x, &unset);
        sw_df_list_add(x->c->arena, &x->stage->scope.declared, x->in->pairs.items[i].name);
    }
    return SW_OK;
}

/* ---- COPY, ADD ---- */

/* "." and "/" are the context itself, which is not hidden by a pattern that happens to match. */
static bool hides_root(const struct sw_ignore *ignore) {
    static const char *const all[] = {"*", "**", "**/*"};
    for (size_t i = 0; i < sw_ignore_count(ignore); i++)
        if (AMONG(sw_ignore_pattern_at(ignore, i).text, all)) return true;
    return false;
}

static bool is_remote(struct sw_str source) {
    static const char *const schemes[] = {"http://", "https://", "git://", "ssh://", "git@"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (sw_str_starts(source, sw_str(schemes[i]))) return true;
    return false;
}

/* Only certain where nothing is taken back by a "!" pattern. */
static void ignored(const struct context *x, struct sw_str source) {
    const struct sw_ignore *ignore = x->c->facts->ignore;
    bool local = x->in->copy.from.len == 0 && (x->in->kind == SW_DF_COPY || !is_remote(source));
    if (!ignore || sw_ignore_has_exceptions(ignore) || !local) return;
    source = sw_df_path_clean(x->c->arena, source);
    bool root = sw_str_is(source, ".") || sw_str_is(source, "/");
    if (root && !hides_root(ignore)) return;
    if (!sw_ignore_match(ignore, source, NULL)) return;
    SW_DF_WARN(x->c, SW_DF_COPY_IGNORED_FILE, x->in,
               "Attempting to %s file \"%.*s\" that is excluded by .dockerignore",
               x->in->kind == SW_DF_ADD ? "Add" : "Copy", SW_ARG(source));
}

static enum sw_code heredocs(const struct context *x) {
    struct sw_df_lex lex = {.env = sw_df_vars_env(&x->stage->scope.vars),
                            .escape = '\\',
                            .flags = SW_DF_IGNORE_QUOTES | SW_DF_NO_WORDS};
    for (size_t i = 0; i < x->in->copy.n_files; i++) {
        const struct sw_df_heredoc *file = &x->in->copy.files[i];
        struct sw_df_expansion e = {0};
        if (!file->expand) continue;
        enum sw_code code = failed(x, sw_df_expand(x->c->arena, &lex, file->body, &e, x->c->err));
        if (code) return code;
        undefined(x, &e.unset);
    }
    return SW_OK;
}

static enum sw_code copy(const struct context *x) {
    const struct sw_df_copy *copy = &x->in->copy;
    struct sw_str words[] = {copy->chown, copy->chmod, copy->checksum, copy->dest};
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < 4; i++)
        if (words[i].ptr) code = word(x, words[i], NULL);
    for (size_t i = 0; !code && i < copy->sources.n; i++) {
        struct sw_str source = {0};
        code = word(x, copy->sources.items[i], &source);
        if (!code && source.len > 0) ignored(x, source);
    }
    return code ? code : heredocs(x);
}

/* ---- the other instructions ---- */

static enum sw_code expose(const struct context *x) {
    struct sw_df_lex lex = sw_df_scope_lex(&x->stage->scope);
    lex.flags = 0;
    for (size_t i = 0; i < x->in->words.n; i++) {
        struct sw_df_words ports = {0};
        enum sw_code code = failed(
            x, sw_df_expand_words(x->c->arena, &lex, x->in->words.items[i], &ports, x->c->err));
        for (size_t k = 0; !code && k < ports.n; k++) {
            struct sw_df_ports parsed = {0};
            struct sw_str port = ports.items[k];
            code = failed(x, sw_df_ports_parse(port, &parsed, x->c->err));
            if (!code && parsed.proto_not_lower)
                SW_DF_WARN(x->c, SW_DF_EXPOSE_PROTO_CASING, x->in,
                           "Defined protocol '%.*s' in EXPOSE instruction should be lowercase",
                           SW_ARG(port));
            if (!code && parsed.has_mapping)
                SW_DF_WARN(x->c, SW_DF_EXPOSE_INVALID_FORMAT, x->in,
                           "EXPOSE instruction should not define an IP address or host-port "
                           "mapping, found '%.*s'",
                           SW_ARG(port));
        }
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code workdir(const struct context *x) {
    struct sw_str path = {0};
    enum sw_code code = word(x, x->in->word, &path);
    if (!code && !x->stage->workdir_set && !sw_str_starts(path, SW_STR("/")))
        SW_DF_WARN(
            x->c, SW_DF_WORKDIR_RELATIVE_PATH, x->in,
            "Relative workdir \"%.*s\" can have unexpected results if the base image changes",
            SW_ARG(path));
    x->stage->workdir_set = true;
    return code;
}

/* CMD, ENTRYPOINT and HEALTHCHECK: only the last one of a stage counts, so that the one before is
 * what gets the warning. */
static void only_once(const struct context *x, const struct sw_df_instruction **last) {
    if (*last)
        sw_df_warn(x->c, SW_DF_MULTIPLE_INSTRUCTIONS_DISALLOWED, x->in, *last,
                   sw_arena_printf(x->c->arena,
                                   "Multiple %.*s instructions should not be used in the same "
                                   "stage because only the last one will be used",
                                   SW_ARG(x->in->name)));
    *last = x->in;
}

static void json_args(const struct context *x) {
    if (x->in->command.form == SW_DF_EXEC_FORM || x->stage->has_shell) return;
    SW_DF_WARN(x->c, SW_DF_JSON_ARGS_RECOMMENDED, x->in,
               "JSON arguments recommended for %.*s to prevent unintended behavior related to OS "
               "signals",
               SW_ARG(x->in->name));
}

static bool is_word_char(char c) {
    return c == '_' || c == '.' || c == '/' || c == '-' || (c >= '0' && c <= '9') ||
           ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool take_shell_word(struct sw_str *s, struct sw_str *ret) {
    while (s->len > 0 && !is_word_char(s->ptr[0])) *s = sw_str_from(*s, 1);
    size_t n = 0;
    while (n < s->len && is_word_char(s->ptr[n])) n++;
    *ret = sw_str_sub(*s, 0, n);
    *s = sw_str_from(*s, n);
    return n > 0;
}

/* "go build" or "go install" somewhere in the command. */
static bool runs_go_build(const struct sw_df_command *command) {
    bool go = false;
    for (size_t i = 0; i < command->argv.n; i++) {
        struct sw_str rest = command->argv.items[i], w;
        while (take_shell_word(&rest, &w)) {
            if (go && (sw_str_is(w, "build") || sw_str_is(w, "install"))) return true;
            go = sw_str_is(w, "go") || sw_str_ends(w, SW_STR("/go"));
        }
    }
    return false;
}

static enum sw_code run(const struct context *x) {
    const struct sw_df_facts *facts = x->c->facts;
    const struct sw_df_platform *platform = &x->stage->platform;
    bool foreign = platform->arch.len > 0 && facts->build.arch.len > 0 &&
                   !sw_df_platform_same(platform, &facts->build);
    if (foreign && runs_go_build(&x->in->run.command))
        SW_DF_WARN(x->c, SW_DF_GO_BUILD_EMULATED, x->in,
                   "Go code for %.*s is compiled under emulation: use FROM "
                   "--platform=$BUILDPLATFORM and build with GOOS=$TARGETOS GOARCH=$TARGETARCH",
                   SW_ARG(sw_df_platform_text(x->c->arena, platform)));
    for (size_t i = 0; i < x->in->run.n_mounts; i++) {
        enum sw_code code = word(x, x->in->run.mounts[i].text, NULL);
        if (code) return code;
    }
    return SW_OK;
}

static enum sw_code words(const struct context *x) {
    enum sw_code code = SW_OK;
    for (size_t i = 0; !code && i < x->in->words.n; i++)
        code = word(x, x->in->words.items[i], NULL);
    return code;
}

static enum sw_code instruction(struct sw_df_checker *c, struct sw_df_check_stage *stage,
                                const struct sw_df_instruction *in) {
    const struct context x = {c, stage, in};
    switch (in->kind) {
    case SW_DF_ENV:
    case SW_DF_LABEL:
        return env(&x);
    case SW_DF_ARG:
        return arg(&x);
    case SW_DF_COPY:
    case SW_DF_ADD:
        return copy(&x);
    case SW_DF_EXPOSE:
        return expose(&x);
    case SW_DF_WORKDIR:
        return workdir(&x);
    case SW_DF_RUN:
        return run(&x);
    case SW_DF_VOLUME:
        return words(&x);
    case SW_DF_USER:
    case SW_DF_STOPSIGNAL:
        return word(&x, in->word, NULL);
    case SW_DF_SHELL:
        stage->has_shell = true;
        return SW_OK;
    case SW_DF_CMD:
        only_once(&x, &stage->cmd);
        json_args(&x);
        return SW_OK;
    case SW_DF_ENTRYPOINT:
        only_once(&x, &stage->entrypoint);
        json_args(&x);
        return SW_OK;
    case SW_DF_HEALTHCHECK:
        only_once(&x, &stage->health);
        return SW_OK;
    case SW_DF_FROM:
    case SW_DF_MAINTAINER:
    case SW_DF_ONBUILD:
        break;
    }
    return SW_OK;
}

/* ---- stages ---- */

static enum sw_code trigger(struct sw_df_checker *c, struct sw_df_check_stage *stage,
                            const struct sw_df_instruction *from, struct sw_str text) {
    struct sw_df_instruction *in = SW_NEW(c->arena, struct sw_df_instruction);
    enum sw_code code = sw_df_parse_trigger(c->arena, text, c->file->name, &from->span, in, c->err);
    return code ? code : instruction(c, stage, in);
}

/* What the image at the bottom brings along. */
static void use_base(struct sw_df_checker *c, struct sw_df_check_stage *stage,
                     const struct sw_df_plan_stage *plan) {
    const struct sw_df_facts *facts = c->facts;
    const struct sw_df_instruction *from = plan->stage->from;
    stage->base_name = plan->base;
    stage->platform = facts->target;
    if (plan->platform.ptr) (void)sw_df_platform_parse(plan->platform, &stage->platform);
    sw_df_scope_init(&stage->scope, &c->plan, NULL);
    stage->env_known = sw_str_is(plan->base, "scratch");
    if (stage->env_known || !facts->base) return;
    facts->base(facts->context, plan->base, &stage->platform, &stage->base);
    const struct sw_df_base_facts *base = &stage->base;
    /* The version may be known by the image's name alone. */
    if (base->go_version.len > 0 && facts->go_mod_version.len > 0 && facts->go_compare &&
        facts->go_compare(base->go_version, facts->go_mod_version) < 0)
        SW_DF_WARN(c, SW_DF_GO_BASE_OLDER_THAN_MODULE, from,
                   "Base image %.*s has Go %.*s, but go.mod asks for Go %.*s", SW_ARG(plan->base),
                   SW_ARG(base->go_version), SW_ARG(facts->go_mod_version));
    if (!base->known) return;
    stage->env_known = true;
    stage->has_shell = base->has_shell;
    for (size_t i = 0; i < base->env.n; i++) {
        struct sw_str name, value;
        sw_str_cut(base->env.items[i], '=', &name, &value);
        sw_df_vars_set(&stage->scope.vars, name, value);
    }
    if (base->platform.os.len > 0 && stage->platform.os.len > 0 &&
        !sw_df_platform_same(&base->platform, &stage->platform))
        SW_DF_WARN_FILE(c, SW_DF_INVALID_BASE_IMAGE_PLATFORM, from,
                        "Base image %.*s was pulled with platform \"%.*s\", expected \"%.*s\" for "
                        "current build",
                        SW_ARG(plan->base), SW_ARG(sw_df_platform_text(c->arena, &base->platform)),
                        SW_ARG(sw_df_platform_text(c->arena, &stage->platform)));
}

/* As in BuildKit, only stages that the target needs run their triggers. */
static enum sw_code triggers(struct sw_df_checker *c, struct sw_df_check_stage *stage,
                             const struct sw_df_plan_stage *plan) {
    const struct sw_df_instruction *from = plan->stage->from;
    enum sw_code code = SW_OK;
    if (plan->parent == SW_DF_NO_STAGE) {
        for (size_t i = 0; !code && i < stage->base.on_build.n; i++)
            code = trigger(c, stage, from, stage->base.on_build.items[i]);
        return code;
    }
    const struct sw_df_stage *parent = &c->file->stages[plan->parent];
    for (size_t i = 0; !code && i < parent->n_body; i++)
        if (parent->body[i].kind == SW_DF_ONBUILD)
            code = trigger(c, stage, from, parent->body[i].word);
    return code;
}

enum sw_code sw_df_check_stage(struct sw_df_checker *c, size_t index) {
    const struct sw_df_plan_stage *plan = &c->plan.stages[index];
    struct sw_df_check_stage *stage = &c->stages[index];
    if (plan->parent == SW_DF_NO_STAGE) {
        use_base(c, stage, plan);
    } else {
        *stage = c->stages[plan->parent];
        stage->cmd = stage->entrypoint = stage->health = NULL;
        sw_df_scope_init(&stage->scope, &c->plan, &c->stages[plan->parent].scope);
    }
    enum sw_code code = sw_arena_check(c->arena, "the checks", c->err);
    if (!code && plan->reachable) code = triggers(c, stage, plan);
    for (size_t i = 0; !code && i < plan->stage->n_body; i++)
        code = instruction(c, stage, &plan->stage->body[i]);
    if (!code && index == c->plan.target && stage->base.go_version.len > 0)
        SW_DF_WARN(c, SW_DF_GO_TOOLCHAIN_IN_FINAL_IMAGE, plan->stage->from,
                   "The final image carries the Go %.*s toolchain of %.*s: copy the program into a "
                   "stage with a small base instead",
                   SW_ARG(stage->base.go_version), SW_ARG(stage->base_name));
    return code;
}
