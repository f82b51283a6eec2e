/* Docker's build checks by their names, ours for Go, and --call=outline|targets. */
#include "unit.h"

#include <stdlib.h>

#include "dockerfile/check.h"
#include "dockerfile/outline.h"

static struct sw_arena arena;
static struct sw_error err;

static int setup(void **state) {
    sw_arena_init(&arena, 0);
    return 0;
}

static int teardown(void **state) {
    sw_arena_done(&arena);
    return 0;
}

/* Base images of the tests: "golang:VERSION" has Go, "arm" is for arm64, "shell" sets a shell,
 * "trigger" has ONBUILD, "unknown" cannot be asked. */
static void base(void *context, struct sw_str reference, const struct sw_df_platform *platform,
                 struct sw_df_base_facts *ret) {
    static struct sw_str env[] = {{"PATH=/bin", 9}, {"FROM_BASE=1", 11}};
    static struct sw_str triggers[] = {{"WORKDIR relative", 16}};
    *ret = (struct sw_df_base_facts){.known = true, .platform = *platform, .env = {env, 2}};
    if (sw_str_is(reference, "unknown")) ret->known = false;
    if (sw_str_is(reference, "arm")) ret->platform.arch = sw_str("arm64");
    if (sw_str_is(reference, "shell")) ret->has_shell = true;
    if (sw_str_is(reference, "trigger")) ret->on_build = (struct sw_df_words){triggers, 1};
    if (sw_str_starts(reference, SW_STR("golang:"))) ret->go_version = sw_str_from(reference, 7);
}

static int compare_versions(struct sw_str a, struct sw_str b) { return sw_str_cmp(a, b); }

static struct sw_df_facts facts(void) {
    return (struct sw_df_facts){.build = {.os = sw_str("linux"), .arch = sw_str("amd64")},
                                .target = {.os = sw_str("linux"), .arch = sw_str("amd64")},
                                .go_compare = compare_versions,
                                .base = base};
}

static struct sw_dockerfile *parse(const char *text) {
    struct sw_dockerfile *file = NULL;
    enum sw_code code =
        sw_dockerfile_parse(&arena, sw_str(text), sw_str("Dockerfile"), &file, &err);
    if (code) fail_msg("%s: %s", text, err.text);
    return file;
}

static struct sw_df_warnings run(const char *text, const struct sw_df_facts *f) {
    struct sw_df_warnings warnings;
    enum sw_code code = sw_df_check(&arena, parse(text), f, NULL, &warnings, &err);
    if (code) fail_msg("%s: %s", text, err.text);
    return warnings;
}

/* "LINE Name; LINE Name". */
static const char *names(const struct sw_df_warnings *w) {
    struct sw_str all = SW_STR("");
    for (size_t i = 0; i < w->n; i++)
        all = sw_arena_printf(&arena, "%.*s%s%u %s", SW_ARG(all), i ? "; " : "", w->items[i].line,
                              sw_df_check_info(w->items[i].check)->name);
    return sw_arena_cstr(&arena, all);
}

struct row {
    const char *text, *expected;
};

static void check_rows(const struct row *rows, size_t n, const struct sw_df_facts *f) {
    for (size_t i = 0; i < n; i++) {
        struct sw_df_warnings w = run(rows[i].text, f);
        if (strcmp(names(&w), rows[i].expected))
            fail_msg("%s: expected \"%s\", got \"%s\"", rows[i].text, rows[i].expected, names(&w));
    }
}
#define CHECK_ROWS(rows, f) check_rows(rows, sizeof(rows) / sizeof *(rows), f)

static void casing_is_checked(void **state) {
    static const struct row rows[] = {
        {"FROM scratch AS b\nCMD [\"a\"]", ""},
        {"from scratch as b\ncmd [\"a\"]", ""},
        {"FROM scratch AS Bee", "1 StageNameCasing"},
        {"FROM scratch as b", "1 FromAsCasing"},
        {"from scratch AS b", "1 FromAsCasing"},
        {"FROM scratch As b", "1 FromAsCasing"},
        {"FROM scratch\nuser a", "2 ConsistentInstructionCasing"},
        {"FROM scratch\nUser a", "2 ConsistentInstructionCasing"},
        {"from scratch\nuser a\nUSER b", "3 ConsistentInstructionCasing"},
        {"from scratch\nUSER b", "1 ConsistentInstructionCasing"},
        {"arg a\nFROM scratch", ""},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
}

static void names_and_lines_are_checked(void **state) {
    static const struct row rows[] = {
        {"FROM scratch AS a\nFROM scratch AS b", ""},
        {"FROM scratch AS a\nFROM scratch AS a", "2 DuplicateStageName"},
        {"FROM busybox AS scratch", "1 ReservedStageName"},
        {"FROM scratch AS context", "1 ReservedStageName"},
        {"FROM busybox\nRUN a \\\n\n b", "4 NoEmptyContinuation"},
        {"FROM scratch\nMAINTAINER me", "2 MaintainerDeprecated"},
        {"FROM scratch\nENV a b", "2 LegacyKeyValueFormat"},
        {"FROM scratch\nLABEL a b", "2 LegacyKeyValueFormat"},
        {"FROM scratch\nENV a=b", ""},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
}

static void commands_are_checked(void **state) {
    static const struct row rows[] = {
        {"FROM scratch\nCMD a", "2 JSONArgsRecommended"},
        {"FROM scratch\nENTRYPOINT a", "2 JSONArgsRecommended"},
        {"FROM scratch\nRUN a", ""},
        {"FROM scratch\nSHELL [\"/bin/bash\", \"-c\"]\nCMD a", ""},
        {"FROM shell\nCMD a", ""},
        {"FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]", "2 MultipleInstructionsDisallowed"},
        {"FROM scratch\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\nENTRYPOINT [\"c\"]",
         "2 MultipleInstructionsDisallowed; 3 MultipleInstructionsDisallowed"},
        {"FROM scratch\nHEALTHCHECK NONE\nHEALTHCHECK CMD a", "2 MultipleInstructionsDisallowed"},
        {"FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]", ""},
        {"FROM scratch\nWORKDIR a", "2 WorkdirRelativePath"},
        {"FROM scratch\nWORKDIR /a\nWORKDIR b", ""},
        {"FROM scratch\nWORKDIR a\nWORKDIR b", "2 WorkdirRelativePath"},
        {"FROM scratch AS x\nWORKDIR /a\nFROM x\nWORKDIR b", ""},
        {"FROM scratch\nENV D=/d\nWORKDIR $D", ""},
        {"FROM trigger\n", "1 WorkdirRelativePath"},
        {"FROM scratch AS x\nONBUILD CMD a\nFROM x", "3 JSONArgsRecommended"},
        {"FROM scratch\nEXPOSE 80/tcp 53/UDP", "2 ExposeProtoCasing"},
        {"FROM scratch\nEXPOSE 8080:80", "2 ExposeInvalidFormat"},
        {"FROM scratch\nARG P=127.0.0.1:80:80/TCP\nEXPOSE $P",
         "3 ExposeProtoCasing; 3 ExposeInvalidFormat"},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
}

static void variables_are_checked(void **state) {
    static const struct row rows[] = {
        {"FROM scratch\nENV A=1\nLABEL x=$A", ""},
        {"FROM scratch\nENV A=$B", "2 UndefinedVar"},
        {"FROM scratch\nENV A=1 B=$A", "2 UndefinedVar"},
        {"FROM scratch\nARG A\nLABEL x=$A", ""},
        {"FROM scratch\nARG A=$A", "2 UndefinedVar"},
        {"ARG A=1\nFROM scratch\nLABEL x=$A", "3 UndefinedVar"},
        {"ARG A=1\nFROM scratch\nARG A\nLABEL x=$A", ""},
        {"FROM scratch\nLABEL x=$PATH", ""},
        {"FROM busybox\nLABEL x=$FROM_BASE", ""},
        {"FROM unknown\nLABEL x=$ANYTHING", ""},
        {"FROM scratch\nCOPY $A $B/", "2 UndefinedVar; 2 UndefinedVar"},
        {"FROM scratch\nCOPY --chown=$U a b", "2 UndefinedVar"},
        {"FROM scratch\nCOPY <<E /x\n$A\nE", "2 UndefinedVar"},
        {"FROM scratch\nCOPY <<'E' /x\n$A\nE", ""},
        {"FROM scratch\nRUN --mount=type=cache,target=$C echo $D", "2 UndefinedVar"},
        {"FROM scratch\nUSER $U", "2 UndefinedVar"},
        {"FROM scratch\nVOLUME $V", "2 UndefinedVar"},
        {"FROM scratch\nWORKDIR /$W", "2 UndefinedVar"},
        {"FROM scratch\nENV A='$B' C=\\$D", ""},
        {"FROM scratch\nENV A=${B:-x}", "2 UndefinedVar"},
        {"FROM scratch AS x\nENV A=1\nARG B\nFROM x\nLABEL x=$A$B", ""},
        {"FROM scratch\nARG TARGETARCH\nLABEL x=$TARGETARCH", ""},
        {"FROM scratch\nARG PASSWORD", "2 SecretsUsedInArgOrEnv"},
        {"FROM scratch\nENV GITHUB_TOKEN=x", "2 SecretsUsedInArgOrEnv"},
        {"FROM scratch\nENV api_key=x AUTH=y", "2 SecretsUsedInArgOrEnv; 2 SecretsUsedInArgOrEnv"},
        {"FROM scratch\nENV TOKEN_FILE=x PUBLIC_KEY=y KEYBOARD=z", ""},
        {"ARG TOKEN\nFROM scratch", ""},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
}

static void from_is_checked(void **state) {
    static const struct row rows[] = {
        {"ARG V=1\nFROM busybox:$V", ""},
        {"FROM busybox:${V:-1}", "1 UndefinedArgInFrom"},
        {"ARG V\nFROM busybox:${V:-1}", ""},
        {"ARG V\nFROM busybox:$V", "2 InvalidDefaultArgInFrom"},
        {"ARG V=UP:per\nFROM x/$V", "2 InvalidDefaultArgInFrom"},
        {"FROM --platform=linux/amd64 busybox", "1 FromPlatformFlagConstDisallowed"},
        {"FROM --platform=linux/amd64 busybox AS build_amd64", ""},
        {"FROM --platform=$BUILDPLATFORM busybox", ""},
        {"FROM --platform=$TARGETPLATFORM busybox", "1 RedundantTargetPlatform"},
        {"FROM --platform=linux/${TARGETARCH} busybox", ""},
        {"FROM arm", "1 InvalidBaseImagePlatform"},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
}

static void messages_are_dockers(void **state) {
    static const struct row rows[] = {
        {"FROM scratch AS Bee", "Stage name 'Bee' should be lowercase"},
        {"FROM scratch as b", "'as' and 'FROM' keywords' casing do not match"},
        {"FROM scratch\nuser a",
         "Command 'user' should match the case of the command majority (uppercase)"},
        {"FROM scratch\nENV VALUE=1\nLABEL a=$VALEU",
         "Usage of undefined variable '$VALEU' (did you mean $VALUE?)"},
        {"ARG TAG=1\nFROM a:${TGA:-1}", "FROM argument 'TGA' is not declared (did you mean TAG?)"},
        {"FROM scratch\nWORKDIR a",
         "Relative workdir \"a\" can have unexpected results if the base image changes"},
        {"FROM scratch\nENV a b",
         "\"ENV key=value\" should be used instead of legacy \"ENV key value\" format"},
        {"FROM scratch\nARG TOKEN",
         "Do not use ARG or ENV instructions for sensitive data (ARG \"TOKEN\")"},
        {"FROM arm", "Base image arm was pulled with platform \"linux/arm64\", expected "
                     "\"linux/amd64\" for current build"},
    };
    struct sw_df_facts f = facts();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sw_df_warnings w = run(rows[i].text, &f);
        assert_int_equal(w.n, 1);
        assert_str(w.items[0].message, rows[i].expected);
    }
    assert_string_equal(sw_df_check_info(SW_DF_JSON_ARGS_RECOMMENDED)->url,
                        "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
}

static void every_check_has_a_name(void **state) {
    for (int i = 0; i < SW_DF_CHECKS; i++) {
        const struct sw_df_check_info *info = sw_df_check_info((enum sw_df_check)i);
        assert_non_null(info->name);
        assert_non_null(info->description);
        assert_non_null(info->url);
        assert_int_equal(info->experimental, i == SW_DF_INVALID_DEFINITION_DESCRIPTION);
    }
}

static void ignored_sources_are_found(void **state) {
    static const struct row rows[] = {
        {"FROM scratch\nCOPY a.log /", "2 CopyIgnoredFile"},
        {"FROM scratch\nCOPY a.go /", ""},
        {"FROM scratch\nADD tmp/x /", "2 CopyIgnoredFile"},
        {"FROM scratch\nADD https://example.test/a.log /", ""},
        {"FROM scratch AS x\nFROM scratch\nCOPY --from=x a.log /", ""},
        {"FROM scratch\nCOPY . /", ""},
    };
    struct sw_df_facts f = facts();
    struct sw_ignore *ig;
    assert_ok(sw_ignore_parse(&arena, sw_str("*.log\ntmp\n"), sw_str("x"), &ig, &err), err);
    f.ignore = ig;
    CHECK_ROWS(rows, &f);
    assert_ok(sw_ignore_parse(&arena, sw_str("*.log\n!b.log\n"), sw_str("x"), &ig, &err), err);
    f.ignore = ig; /* with exceptions nothing is certain */
    struct sw_df_warnings w = run("FROM scratch\nCOPY a.log /", &f);
    assert_int_equal(w.n, 0);
    assert_ok(sw_ignore_parse(&arena, sw_str("**\n"), sw_str("x"), &ig, &err), err);
    f.ignore = ig;
    w = run("FROM scratch\nCOPY . /", &f);
    assert_string_equal(names(&w), "2 CopyIgnoredFile");
}

static void go_is_checked(void **state) {
    struct sw_df_facts f = facts();
    f.go_mod_version = sw_str("1.22");
    struct sw_df_warnings w = run("FROM golang:1.21 AS b\nRUN go build\nFROM scratch\n", &f);
    assert_string_equal(names(&w), "1 GoBaseOlderThanModule");
    w = run("FROM golang:1.22 AS b\nRUN go build\nFROM scratch\n", &f);
    assert_int_equal(w.n, 0);
    w = run("FROM golang:1.22 AS b\nRUN go build\nFROM b\n", &f);
    assert_string_equal(names(&w), "3 GoToolchainInFinalImage");
    f.target.arch = sw_str("arm64");
    static const struct row rows[] = {
        {"FROM golang:1.22 AS b\nRUN CGO_ENABLED=0 go build -o x\nFROM scratch",
         "2 GoBuildEmulated"},
        {"FROM golang:1.22 AS b\nRUN [\"/usr/local/go/bin/go\", \"install\"]\nFROM scratch",
         "2 GoBuildEmulated"},
        {"FROM golang:1.22 AS b\nRUN go version && make build\nFROM scratch", ""},
        {"FROM --platform=$BUILDPLATFORM golang:1.22 AS b\nRUN go build\nFROM scratch", ""},
    };
    CHECK_ROWS(rows, &f);
}

static void options_skip_and_enable(void **state) {
    static const struct row rows[] = {
        {"# check=skip=JSONArgsRecommended\nFROM scratch\nCMD a\nMAINTAINER x",
         "4 MaintainerDeprecated"},
        {"# check=skip=all\nFROM scratch\nCMD a\nMAINTAINER x", ""},
        {"# check=skip=JSONArgsRecommended,MaintainerDeprecated\nFROM scratch\nCMD a\nMAINTAINER x",
         ""},
        {"FROM scratch\n# check=skip=JSONArgsRecommended\nCMD a\nENTRYPOINT b",
         "4 JSONArgsRecommended"},
        {"FROM scratch\n# check=skip=all\nCMD a", ""},
        {"# wrong words\nFROM scratch AS b", ""},
        {"# check=experimental=InvalidDefinitionDescription\n# wrong words\nFROM scratch AS b",
         "3 InvalidDefinitionDescription"},
        {"# check=experimental=all\n# b is right\nFROM scratch AS b", ""},
        {"# check=experimental=all\n# wrong\nARG A\nFROM scratch",
         "3 InvalidDefinitionDescription"},
        {"# check=experimental=all\n# wrong\n#\nARG A\nFROM scratch", ""},
    };
    struct sw_df_facts f = facts();
    CHECK_ROWS(rows, &f);
    assert_true(run("# check=error=true\nFROM scratch", &f).as_error);
    assert_true(run("# check=skip=a;error=1\nFROM scratch", &f).as_error);
    assert_false(run("FROM scratch", &f).as_error);

    struct sw_df_warnings w;
    struct sw_df_check_options options;
    const struct sw_dockerfile *file = parse("# check=skip=all\nFROM scratch\nCMD a");
    assert_ok(sw_df_check_options_parse(&arena, sw_str("error=true"), &options, &err), err);
    assert_ok(sw_df_check(&arena, file, &f, &options, &w, &err), err);
    assert_int_equal(w.n, 1);
    assert_true(w.as_error);
    static const char *const bad[] = {"skip", "foo=bar", "error=maybe", "skip=a;;error=true", ";"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(sw_df_check_options_parse(&arena, sw_str(bad[i]), &options, &err), SW_SYNTAX,
                       err);
    assert_refused(sw_df_check(&arena, parse("# check=foo=1\nFROM scratch"), &f, NULL, &w, &err),
                   SW_SYNTAX, err);
    assert_non_null(strstr(err.text, "Dockerfile:1: invalid check option"));
}

static void a_target_limits_what_is_checked(void **state) {
    const char *text = "FROM scratch AS a\nCMD x\nFROM scratch AS b\nCMD x\nFROM a AS c\nCOPY "
                       "--from=b x y\nFROM scratch AS d\nCMD x";
    struct sw_df_facts f = facts();
    struct sw_df_warnings w = run(text, &f);
    assert_int_equal(w.n, 3);
    f.target_stage = sw_str("c");
    w = run(text, &f);
    assert_string_equal(names(&w), "2 JSONArgsRecommended; 4 JSONArgsRecommended");
    f.target_stage = sw_str("bb");
    assert_refused(sw_df_check(&arena, parse(text), &f, NULL, &w, &err), SW_NOT_FOUND, err);
    assert_non_null(strstr(err.text, "did you mean b?"));
}

/* ---- outline and targets ---- */

static void outlines_list_what_a_target_takes(void **state) {
    const struct sw_dockerfile *file =
        parse("# GO the release to build with\nARG GO=1.${MINOR}\nARG MINOR=21\nARG UNUSED=1\n"
              "FROM golang:$GO AS base\n# TAGS build tags\nARG TAGS=netgo\n"
              "RUN --mount=type=secret,id=pat,required --mount=type=ssh go build\n"
              "FROM scratch AS other\nARG OTHER=1\n"
              "# final the service\nFROM base AS final\nARG UNUSED\nCOPY --from=base /a /a\n");
    struct sw_df_vars given = {.arena = &arena}, automatic = {.arena = &arena};
    struct sw_df_outline o;
    sw_df_vars_set(&given, sw_str("TAGS"), sw_str("osusergo"));
    assert_ok(sw_df_outline(&arena, file, SW_STR(""), sw_df_vars_env(&given), &automatic, &o, &err),
              err);
    assert_str(o.name, "final");
    assert_str(o.description, "the service");
    assert_int_equal(o.n_args, 3);
    assert_str(o.args[0].name, "GO");
    assert_str(o.args[0].description, "the release to build with");
    assert_int_equal(o.args[0].line, 2);
    assert_str(o.args[1].name, "UNUSED");
    assert_str(o.args[2].name, "TAGS");
    assert_str(o.args[2].value, "osusergo");
    assert_int_equal(o.n_secrets, 1);
    assert_str(o.secrets[0].name, "pat");
    assert_true(o.secrets[0].required);
    assert_int_equal(o.n_ssh, 1);
    assert_str(o.ssh[0].name, "default");
    assert_ok(
        sw_df_outline(&arena, file, sw_str("other"), sw_df_vars_env(&given), &automatic, &o, &err),
        err);
    assert_int_equal(o.n_args, 1);
    assert_str(o.args[0].name, "OTHER");
    assert_refused(
        sw_df_outline(&arena, file, sw_str("finl"), sw_df_vars_env(&given), &automatic, &o, &err),
        SW_NOT_FOUND, err);
}

static void outlines_prefer_what_the_target_says(void **state) {
    const struct sw_dockerfile *file =
        parse("ARG B=1\nARG A=$B\nFROM scratch AS base\nARG A\n"
              "RUN --mount=type=secret,id=s x\nFROM base AS top\nARG A=9\n"
              "RUN --mount=type=secret,id=s,required x\n");
    struct sw_df_vars automatic = {.arena = &arena};
    struct sw_df_outline o;
    assert_ok(sw_df_outline(&arena, file, SW_STR(""), (struct sw_df_env){0}, &automatic, &o, &err),
              err);
    assert_int_equal(o.n_args, 2); /* A of the target; B, which the base's A needs */
    assert_str(o.args[0].name, "B");
    assert_str(o.args[1].name, "A");
    assert_str(o.args[1].value, "9");
    assert_int_equal(o.n_secrets, 1);
    assert_true(o.secrets[0].required);
}

static void targets_are_the_stages(void **state) {
    size_t n;
    const struct sw_df_target *t =
        sw_df_targets(&arena, parse("# one is first\nFROM --platform=$P a AS one\nFROM one"), &n);
    assert_int_equal(n, 2);
    assert_str(t[0].name, "one");
    assert_str(t[0].description, "is first");
    assert_str(t[0].platform, "$P");
    assert_false(t[0].is_default);
    assert_str(t[1].base, "one");
    assert_true(t[1].is_default);
    assert_int_equal(t[1].line, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(casing_is_checked),
        TEST(names_and_lines_are_checked),
        TEST(commands_are_checked),
        TEST(variables_are_checked),
        TEST(from_is_checked),
        TEST(messages_are_dockers),
        TEST(every_check_has_a_name),
        TEST(ignored_sources_are_found),
        TEST(go_is_checked),
        TEST(options_skip_and_enable),
        TEST(a_target_limits_what_is_checked),
        TEST(outlines_list_what_a_target_takes),
        TEST(outlines_prefer_what_the_target_says),
        TEST(targets_are_the_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
