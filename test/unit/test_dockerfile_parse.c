/* Rules of the Dockerfile reference: lines, directives, heredocs, forms, and all 18 instructions.
 */
#include "unit.h"

#include <stdlib.h>

#include "dockerfile/parse.h"

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

static struct sw_dockerfile *parse(const char *text) {
    struct sw_dockerfile *file = NULL;
    enum sw_code code =
        sw_dockerfile_parse(&arena, sw_str(text), sw_str("Dockerfile"), &file, &err);
    if (code) fail_msg("%s: %s", text, err.text);
    return file;
}

static const char *refuse(const char *text, enum sw_code expected) {
    struct sw_dockerfile *file = NULL;
    enum sw_code code =
        sw_dockerfile_parse(&arena, sw_str(text), sw_str("Dockerfile"), &file, &err);
    if (code != expected)
        fail_msg("%s: expected %s, got %s (%s)", text, sw_code_name(expected), sw_code_name(code),
                 code ? err.text : "");
    return err.text;
}

/* The one instruction after "FROM scratch". */
static const struct sw_df_instruction *one(const char *line) {
    char *text = sw_arena_alloc(&arena, strlen(line) + 20);
    sprintf(text, "FROM scratch\n%s", line);
    const struct sw_dockerfile *file = parse(text);
    assert_int_equal(file->n_instructions, 2);
    return &file->instructions[1];
}

static const char *refuse_one(const char *line) {
    char *text = sw_arena_alloc(&arena, strlen(line) + 20);
    sprintf(text, "FROM scratch\n%s", line);
    const char *message = refuse(text, SW_SYNTAX);
    if (strncmp(message, "Dockerfile:2: ", 14))
        fail_msg("%s: expected the line in \"%s\"", line, message);
    return message;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("expected \"%s\" in \"%s\"", part, text);
}

/* Words joined by "|". */
static const char *joined(struct sw_df_words words) {
    struct sw_str all = SW_STR("");
    for (size_t i = 0; i < words.n; i++)
        all = sw_arena_printf(&arena, "%.*s%s%.*s", SW_ARG(all), i ? "|" : "",
                              SW_ARG(words.items[i]));
    return sw_arena_cstr(&arena, all);
}

/* ---- lines ---- */

static void stages_and_global_args_are_divided(void **state) {
    const struct sw_dockerfile *f = parse("ARG GO=1.21\nARG A B=2\n"
                                          "FROM golang:${GO} AS Builder\nRUN go build\n\n"
                                          "FROM --platform=$TARGETPLATFORM scratch\n"
                                          "COPY --from=builder /a /a\nCMD [\"/a\"]\n");
    assert_int_equal(f->n_globals, 2);
    assert_int_equal(f->n_stages, 2);
    assert_int_equal(f->n_instructions, 7);
    assert_str(f->stages[0].name, "builder");
    assert_str(f->stages[0].from->from.base, "golang:${GO}");
    assert_str(f->stages[0].from->from.name_as_written, "Builder");
    assert_int_equal(f->stages[0].n_body, 1);
    assert_null(f->stages[1].name.ptr);
    assert_str(f->stages[1].from->from.platform, "$TARGETPLATFORM");
    assert_int_equal(f->stages[1].n_body, 2);
    assert_ptr_equal(sw_df_stage_by_name(f, sw_str("BUILDER")), &f->stages[0]);
    assert_ptr_equal(sw_df_stage_find(f, sw_str("0"), 1), &f->stages[0]);
    assert_null(sw_df_stage_find(f, sw_str("1"), 1));
    assert_null(sw_df_stage_find(f, sw_str("builder"), 0));
    assert_null(sw_df_stage_find(f, sw_str("other"), 2));
    assert_ptr_equal(sw_df_stage_of_base(f, sw_str("builder"), 1), &f->stages[0]);
    assert_null(sw_df_stage_of_base(f, sw_str("builder"), 0));
    assert_null(sw_df_stage_of_base(f, sw_str("Builder"), 2));
    assert_null(sw_df_stage_of_base(f, sw_str("0"), 2));
}

static void positions_are_exact(void **state) {
    const struct sw_dockerfile *f =
        parse("\xEF\xBB\xBF# comment\n\n  FROM a\n\tRUN one \\\n"
              "# in between\n    two\r\nCOPY <<X <<Y /d/\nx\nX\ny\nY\nUSER u");
    const struct sw_df_instruction *in = f->instructions;
    assert_int_equal(in[0].span.line, 3);
    assert_int_equal(in[0].span.end_line, 3);
    assert_int_equal(in[0].span.column, 3);
    assert_str(in[0].span.source, "  FROM a");
    assert_int_equal(in[1].span.line, 4);
    assert_int_equal(in[1].span.end_line, 6);
    assert_int_equal(in[1].span.column, 2);
    assert_str(in[1].span.source, "\tRUN one \\\n# in between\n    two");
    assert_str(in[1].text, "RUN one     two");
    assert_int_equal(in[2].span.line, 7);
    assert_int_equal(in[2].span.end_line, 11);
    assert_str(in[2].span.source, "COPY <<X <<Y /d/\nx\nX\ny\nY");
    assert_str(in[2].text, "COPY <<X <<Y /d/");
    assert_int_equal(in[3].span.line, 12);
    assert_str(in[3].span.source, "USER u");
}

static void continuations_join_lines(void **state) {
    static const struct {
        const char *line, *text;
    } rows[] = {
        {"RUN a \\\nb", "RUN a b"},
        {"RUN a\\\nb", "RUN ab"},
        {"RUN a \\   \n  b", "RUN a   b"},
        {"RUN a \\\t\nb", "RUN a b"},
        {"RUN a \\\r\nb\r\n", "RUN a b"},
        {"RUN a \\\n# comment\nb", "RUN a b"},
        {"RUN a \\\n   # comment\nb", "RUN a b"},
        {"RUN a \\\n# comment \\\nb", "RUN a b"},
        {"RUN a \\\n\nb", "RUN a b"},
        {"RUN a \\\n \n\t\nb", "RUN a b"},
        {"RUN a \\\n", "RUN a"},
        {"RUN a \\", "RUN a"},
        {"RUN a \\\nb \\\nc", "RUN a b c"},
        {"RUN echo '\\\\'", "RUN echo '\\\\'"},
        {"RUN echo \\\\", "RUN echo \\\\"}, /* an escaped escape does not continue */
        {"RUN a # not a comment", "RUN a # not a comment"},
        {"R\\\nUN a", "RUN a"},
        {"\\\nRUN a", "RUN a"},
        {"RUN a \\ b", "RUN a \\ b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_str(one(rows[i].line)->text, rows[i].text);
}

static void empty_continuations_are_remarked(void **state) {
    assert_int_equal(parse("FROM a\nRUN a \\\n b")->n_empty_continuations, 0);
    assert_int_equal(parse("FROM a\nRUN a \\\n# c\n b")->n_empty_continuations, 0);
    const struct sw_dockerfile *f = parse("FROM a\nRUN a \\\n\n\n b\nRUN c");
    assert_int_equal(f->n_empty_continuations, 1);
    assert_int_equal(f->empty_continuations[0].line, 5);
}

static void comments_above_are_kept(void **state) {
    const struct sw_dockerfile *f = parse("# far\n#\n# GO the release\n# more\nARG GO\n"
                                          "# builder compiles\n\nFROM a AS builder\n"
                                          "  # indented\nRUN x\nRUN y");
    assert_str(f->instructions[0].pairs.items[0].comment, "the release");
    assert_int_equal(f->instructions[0].comments.n, 2);
    assert_str(f->stages[0].comment, "compiles");
    assert_str(f->instructions[2].comments.items[0], "# indented");
    assert_int_equal(f->instructions[3].comments.n, 0);
}

static void directives_stand_at_the_top(void **state) {
    const struct sw_dockerfile *f = parse(
        "# syntax = docker/dockerfile:1\n#escape=`\n# Check=skip=all\nFROM a\nRUN a `\nb \\\n");
    assert_int_equal(f->n_directives, 3);
    assert_str(f->directives[0].value, "docker/dockerfile:1");
    assert_int_equal(f->escape, '`');
    assert_str(f->directives[2].name, "check");
    assert_int_equal(f->directives[2].line, 3);
    assert_str(f->instructions[1].text, "RUN a b \\");
    /* After a comment, a blank line or an unknown name they are comments. */
    assert_int_equal(parse("# hello\n# escape=`\nFROM a")->escape, '\\');
    assert_int_equal(parse("\n# escape=`\nFROM a")->escape, '\\');
    assert_int_equal(parse("# other=1\n# escape=`\nFROM a")->escape, '\\');
    assert_int_equal(parse("FROM a\n# escape=`\n")->escape, '\\');
    assert_has(refuse("# escape=x\nFROM a", SW_SYNTAX), "Dockerfile:1: invalid escape");
    assert_has(refuse("# escape=`\n# escape=`\nFROM a", SW_SYNTAX),
               "Dockerfile:2: only one escape");
}

static void other_frontends_are_refused(void **state) {
    static const char *const good[] = {"docker/dockerfile",
                                       "docker/dockerfile:1",
                                       "docker/dockerfile:1.7-labs",
                                       "docker/dockerfile-upstream:master",
                                       "docker.io/docker/dockerfile:1",
                                       "registry.test/docker/dockerfile:1",
                                       "localhost:5000/docker/dockerfile-upstream:1.9-labs",
                                       "docker/dockerfile:1@sha256:00"};
    static const char *const bad[] = {"docker/dockerfile2",  "docker/dockerfile/x",
                                      "me/dockerfile:1",     "registry.test/x/docker/dockerfile:1",
                                      "x/docker/dockerfile", "registry.test/me/dockerfile:1",
                                      "docker/dockerfile:",  "docker/dockerfile-upstreams"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!sw_df_syntax_supported(sw_str(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sw_df_syntax_supported(sw_str(bad[i]))) fail_msg("%s", bad[i]);
    parse("#syntax=docker/dockerfile:1\nFROM a");
    assert_has(refuse("# syntax=me/frontend\nFROM a", SW_UNSUPPORTED), "me/frontend");
    assert_has(refuse("#!/usr/bin/env x\n# syntax=me/frontend\nFROM a", SW_UNSUPPORTED), "me/fr");
    assert_has(refuse("// syntax=me/frontend\nwhatever", SW_UNSUPPORTED), "me/frontend");
    assert_null(sw_df_detect_syntax(sw_str("FROM a\n# syntax=x")).ptr);
    assert_str(sw_df_detect_syntax(sw_str("# escape=`\n# syntax=x y\n")), "x");
}

static void files_without_a_stage_are_refused(void **state) {
    assert_has(refuse("", SW_SYNTAX), "no instructions");
    assert_has(refuse("# only\n\n", SW_SYNTAX), "no instructions");
    assert_has(refuse("ARG A", SW_SYNTAX), "no build stage");
    assert_has(refuse("RUN x\nFROM a", SW_SYNTAX), "Dockerfile:1: no build stage");
    assert_has(refuse("ARG A\nENV a=b\nFROM a", SW_SYNTAX), "Dockerfile:2:");
}

static void unknown_instructions_name_the_nearest(void **state) {
    assert_has(refuse_one("RNU x"), "unknown instruction: RNU (did you mean RUN?)");
    assert_has(refuse_one("entrypiont x"), "did you mean ENTRYPOINT?");
    assert_has(refuse_one("WORK /x"), "unknown instruction: WORK");
    assert_has(refuse_one("xyzzyxyzzy"), "unknown instruction: xyzzyxyzzy");
    assert_has(refuse_one("\\\n\n"), "unknown instruction");
}

/* ---- heredocs ---- */

static void run_heredocs_become_scripts(void **state) {
    static const struct {
        const char *line, *argv;
        enum sw_df_form form;
    } rows[] = {
        {"RUN <<EOF\na\nb\nEOF", "a\nb\n", SW_DF_HEREDOC_FORM},
        {"RUN << EOF\na\nEOF", "a\n", SW_DF_HEREDOC_FORM},
        {"RUN <<-EOF\n\t\ta\n\tb\n\tEOF", "a\nb\n", SW_DF_HEREDOC_FORM},
        {"RUN <<\"EOF\"\n$a\nEOF", "$a\n", SW_DF_HEREDOC_FORM},
        {"RUN <<EOF\nEOF", "", SW_DF_HEREDOC_FORM},
        {"RUN 3<<EOF\nx\nEOF", "x\n", SW_DF_HEREDOC_FORM},
        {"RUN <<EOF\r\na\r\nEOF\r\n", "a\r\n", SW_DF_HEREDOC_FORM},
        {"RUN <<EOF\n#!/bin/sh\na\nEOF", "#!/bin/sh\na\n", SW_DF_SCRIPT_FORM},
        {"RUN <<-EOF\n\t#!/bin/sh\nEOF", "#!/bin/sh\n", SW_DF_SCRIPT_FORM},
        {"RUN cat <<EOF\na\nEOF", "cat <<EOF\na\nEOF", SW_DF_SHELL_FORM},
        {"RUN <<EOF cat\na\nEOF", "<<EOF cat\na\nEOF", SW_DF_SHELL_FORM},
        {"RUN cat <<-EOF\n\ta\n\tEOF", "cat <<-EOF\n\ta\nEOF", SW_DF_SHELL_FORM},
        {"RUN cat <<A <<B\na\nA\nb\nB", "cat <<A <<B\na\nA\nb\nB", SW_DF_SHELL_FORM},
        {"RUN cat <<EOF | \\\n tee x\na\nEOF", "cat <<EOF |  tee x\na\nEOF", SW_DF_SHELL_FORM},
        {"RUN --network=none <<EOF\na\nEOF", "a\n", SW_DF_HEREDOC_FORM},
        {"RUN cat <<'E F'\na\nE F", "cat <<'E F'\na\nE F", SW_DF_SHELL_FORM},
        {"RUN echo \"<<EOF\"", "echo \"<<EOF\"", SW_DF_SHELL_FORM},
        {"RUN echo '<<EOF'", "echo '<<EOF'", SW_DF_SHELL_FORM},
        {"RUN echo a<<EOF", "echo a<<EOF", SW_DF_SHELL_FORM},
        {"RUN cat <<<EOF", "cat <<<EOF", SW_DF_SHELL_FORM},
        {"RUN echo $((1<<2))", "echo $((1<<2))", SW_DF_SHELL_FORM},
        {"RUN echo 'it <<X", "echo 'it <<X", SW_DF_SHELL_FORM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sw_df_command *c = &one(rows[i].line)->run.command;
        assert_int_equal(c->argv.n, 1);
        assert_str(c->argv.items[0], rows[i].argv);
        if (c->form != rows[i].form) fail_msg("%s: form %d", rows[i].line, c->form);
    }
}

static void heredocs_know_their_flags(void **state) {
    const struct sw_df_instruction *in =
        one("COPY <<A <<-\"B\" 4<<C'' plain /d/\n$a\nA\n\tb\n\tB\nc\nC");
    const struct sw_df_copy *copy = &in->copy;
    assert_int_equal(copy->n_files, 3);
    assert_str(copy->files[0].name, "A");
    assert_true(copy->files[0].expand && !copy->files[0].chomp);
    assert_str(copy->files[0].body, "$a\n");
    assert_str(copy->files[1].name, "B");
    assert_false(copy->files[1].expand);
    assert_true(copy->files[1].chomp);
    assert_str(copy->files[1].raw, "\tb\n");
    assert_str(copy->files[1].body, "b\n");
    assert_false(copy->files[2].expand);
    assert_int_equal(copy->files[2].fd, 4);
    assert_string_equal(joined(copy->sources), "plain");
    assert_str(copy->dest, "/d/");
}

static void heredocs_must_end(void **state) {
    assert_has(refuse_one("RUN <<EOF\na\n"), "<<EOF has no line \"EOF\"");
    refuse_one("RUN <<EOF\na\n EOF\n");
    refuse_one("RUN <<EOF\na\nEOFx\n");
    refuse_one("RUN <<EOF\n\tEOF\n");
    refuse_one("COPY <<A <<B /d/\nA\n");
    assert_has(refuse_one("COPY a <<EOF\nEOF\n"), "heredoc as a destination");
}

static void only_some_instructions_take_heredocs(void **state) {
    const struct sw_dockerfile *f = parse("FROM a\nCMD cat <<EOF\nENV a=<<EOF\nLABEL x <<EOF\n"
                                          "RUN [\"cat\", \"<<EOF\"]\nADD <<X /x\ny\nX\n"
                                          "ONBUILD RUN <<EOF\nz\nEOF\nUSER u");
    assert_int_equal(f->n_instructions, 8);
    assert_int_equal(f->instructions[5].copy.n_files, 1);
    assert_str(f->instructions[6].word, "RUN <<EOF\nz\nEOF");
    assert_str(f->instructions[7].word, "u");
}

/* ---- forms ---- */

static void commands_have_two_forms(void **state) {
    static const struct {
        const char *rest, *argv;
        bool exec;
    } rows[] = {
        {"[\"a\", \"b c\"]", "a|b c", true},
        {"  [ \"a\" ]  ", "a", true},
        {"[]", "", true},
        {"[\"\"]", "", true},
        {"[\"\\u00e9\\n\\\"\\\\\\/\"]", "\xC3\xA9\n\"\\/", true},
        {"[\"\\ud83d\\ude00\"]", "\xF0\x9F\x98\x80", true},
        {"[\"\\ud83d\"]", "\xEF\xBF\xBD", true},
        {"['a', 'b']", "['a', 'b']", false},
        {"[\"a\" \"b\"]", "[\"a\" \"b\"]", false},
        {"[\"a\",]", "[\"a\",]", false},
        {"[\"a\"", "[\"a\"", false},
        {"[\"a\"] x", "[\"a\"] x", false},
        {"[ -f x ] && y", "[ -f x ] && y", false},
        {"[\"\\x\"]", "[\"\\x\"]", false},
        {"[\"a\tb\"]", "[\"a\tb\"]", false},
        {"{\"a\":1}", "{\"a\":1}", false},
        {"echo  two  blanks", "echo  two  blanks", false},
        {"echo \"$HOME\" 'x'", "echo \"$HOME\" 'x'", false},
        {"", "", false},
        /* Numbers beyond a double are no JSON to encoding/json, and so no array. */
        {"[1e999]", "[1e999]", false},
        {"[\"a\", {\"x\": [-1e400]}]", "[\"a\", {\"x\": [-1e400]}]", false},
    };
    static const char *const names[] = {"RUN", "CMD", "ENTRYPOINT"};
    for (size_t i = 0; i < 3 * sizeof rows / sizeof *rows; i++) {
        const char *line =
            sw_arena_cstr(&arena, sw_arena_printf(&arena, "%s %s", names[i % 3], rows[i / 3].rest));
        const struct sw_df_instruction *in = one(line);
        const struct sw_df_command *c = in->kind == SW_DF_RUN ? &in->run.command : &in->command;
        if (strcmp(joined(c->argv), rows[i / 3].argv))
            fail_msg("%s: got %s", line, joined(c->argv));
        assert_int_equal(c->form, rows[i / 3].exec ? SW_DF_EXEC_FORM : SW_DF_SHELL_FORM);
    }
    assert_has(refuse_one("CMD [\"a\", 1]"), "strings only");
    assert_has(refuse_one("RUN [null]"), "strings only");
    assert_has(refuse_one("RUN [1e308, 1e-999]"), "strings only");
    assert_has(refuse_one("ENTRYPOINT [[\"a\"]]"), "strings only");
    assert_has(refuse_one("COPY [\"a\", true, {\"x\": [1.5e3]}]"), "strings only");
}

static void shell_needs_json(void **state) {
    const struct sw_df_instruction *in = one("SHELL [\"/bin/bash\", \"-c\"]");
    assert_string_equal(joined(in->command.argv), "/bin/bash|-c");
    assert_has(refuse_one("SHELL /bin/sh -c"), "JSON");
    assert_has(refuse_one("SHELL []"), "at least one");
    assert_has(refuse_one("SHELL"), "at least one");
}

/* ---- instructions ---- */

static void from_takes_a_name_and_a_platform(void **state) {
    const struct sw_df_from *from =
        &parse("from --platform=linux/arm64 a:1@sha256:00 as x.y_z-1")->instructions[0].from;
    assert_str(from->base, "a:1@sha256:00");
    assert_str(from->platform, "linux/arm64");
    assert_str(from->name, "x.y_z-1");
    assert_str(from->as_keyword, "as");
    assert_null(parse("FROM a")->instructions[0].from.platform.ptr);
    assert_has(refuse("FROM", SW_SYNTAX), "Dockerfile:1: FROM requires either one or three");
    refuse("FROM a b", SW_SYNTAX);
    refuse("FROM a AS", SW_SYNTAX);
    refuse("FROM a IS b", SW_SYNTAX);
    refuse("FROM a AS b c", SW_SYNTAX);
    assert_has(refuse("FROM a AS 1b", SW_SYNTAX), "invalid name for build stage: \"1b\"");
    refuse("FROM a AS b/c", SW_SYNTAX);
    refuse("FROM a AS _b", SW_SYNTAX);
    assert_has(refuse("FROM --platfrom=x a", SW_SYNTAX), "did you mean --platform?");
    assert_has(refuse("FROM --platform a", SW_SYNTAX), "missing a value");
    assert_has(refuse("FROM --platform=a --platform=b a", SW_SYNTAX), "duplicate flag");
}

/* Pairs as (name=value), "legacy" marked by "~". */
static const char *pairs_text(const struct sw_df_pairs *pairs) {
    struct sw_str all = SW_STR("");
    for (size_t i = 0; i < pairs->n; i++) {
        const struct sw_df_pair *p = &pairs->items[i];
        all = sw_arena_printf(&arena, "%.*s(%.*s%s%.*s)", SW_ARG(all), SW_ARG(p->name),
                              !p->value.ptr ? ""
                              : p->legacy   ? "~"
                                            : "=",
                              SW_ARG(p->value));
    }
    return sw_arena_cstr(&arena, all);
}

static void env_and_label_take_pairs(void **state) {
    static const struct {
        const char *rest, *pairs;
    } rows[] = {
        {"a=b", "(a=b)"},
        {"a=b c=d", "(a=b)(c=d)"},
        {"a=", "(a=)"},
        {"a=b=c", "(a=b=c)"},
        {"a=\"b c\" d='e f'", "(a=\"b c\")(d='e f')"},
        {"a=b\\ c d=e", "(a=b\\ c)(d=e)"},
        {"a=\"b\\\" c\" d=e", "(a=\"b\\\" c\")(d=e)"},
        {"a='b\\' c=d", "(a='b\\')(c=d)"},
        {"\"a b\"=c", "(\"a b\"=c)"},
        {"a=$b c=${d:-e}", "(a=$b)(c=${d:-e})"},
        {"a=b\\", "(a=b)"},
        {"a=b   \t  c=d", "(a=b)(c=d)"},
        {"a b", "(a~b)"},
        {"a b c=d", "(a~b c=d)"},
        {"a \"b  c\" $d", "(a~\"b  c\" $d)"},
        {"a\tb", "(a~b)"},
        {"com.example.label-with-value=\"foo\"", "(com.example.label-with-value=\"foo\")"},
        {"a=\"multi \\\nline\" b=c", "(a=\"multi line\")(b=c)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *env = sw_arena_cstr(&arena, sw_arena_printf(&arena, "ENV %s", rows[i].rest));
        const char *label =
            sw_arena_cstr(&arena, sw_arena_printf(&arena, "LABEL %s", rows[i].rest));
        assert_string_equal(pairs_text(&one(env)->pairs), rows[i].pairs);
        assert_string_equal(pairs_text(&one(label)->pairs), rows[i].pairs);
    }
    assert_has(refuse_one("ENV"), "at least one argument");
    assert_has(refuse_one("ENV a"), "two arguments");
    assert_has(refuse_one("ENV a=b c"), "\"c\" has no \"=\"");
    assert_has(refuse_one("ENV =b"), "can not be blank");
    assert_has(refuse_one("LABEL a=b =c"), "can not be blank");
    assert_has(refuse_one("ENV --x a=b"), "unknown flag: --x (ENV has none)");
}

static void arg_takes_names_with_and_without_value(void **state) {
    static const struct {
        const char *rest, *pairs;
    } rows[] = {
        {"a", "(a)"},
        {"a=b", "(a=b)"},
        {"a=", "(a=)"},
        {"a b=c d", "(a)(b=c)(d)"},
        {"a=\"b c\" d", "(a=\"b c\")(d)"},
        {"a=b=c", "(a=b=c)"},
        {"a='$x'", "(a='$x')"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *line = sw_arena_cstr(&arena, sw_arena_printf(&arena, "ARG %s", rows[i].rest));
        assert_string_equal(pairs_text(&one(line)->pairs), rows[i].pairs);
    }
    refuse_one("ARG");
    refuse_one("ARG =a");
}

static void run_takes_all_its_flags(void **state) {
    const struct sw_df_run *run =
        &one("RUN --mount=type=cache,target=/c --mount=type=bind,from=b,target=/b "
             "--network=none --security=insecure --device=vendor/x,required --device=name=y make")
             ->run;
    assert_int_equal(run->n_mounts, 2);
    assert_str(run->mounts[0].text, "type=cache,target=/c");
    assert_null(run->mounts[0].from.ptr);
    assert_str(run->mounts[1].from, "b");
    assert_int_equal(run->network, SW_DF_NETWORK_NONE);
    assert_true(run->insecure);
    assert_int_equal(run->n_devices, 2);
    assert_str(run->devices[0].name, "vendor/x");
    assert_true(run->devices[0].required);
    assert_str(run->devices[1].name, "y");
    assert_string_equal(joined(run->command.argv), "make");
    run = &one("RUN --mount=type=cache,target=\"/a b\" -- --mount=x")->run;
    assert_str(run->mounts[0].text, "type=cache,target=/a b");
    assert_string_equal(joined(run->command.argv), "--mount=x");
    assert_int_equal(one("RUN --network=host x")->run.network, SW_DF_NETWORK_HOST);
    assert_has(refuse_one("RUN --netwrok=none x"), "did you mean --network?");
    assert_has(refuse_one("RUN --network=bridge x"), "invalid network mode");
    assert_has(refuse_one("RUN --security=none x"), "security");
    assert_has(refuse_one("RUN --mount=from=$b x"), "doesn't support variable expansion");
    assert_has(refuse_one("RUN --mount= x"), "empty");
    refuse_one("RUN --mount x");
    refuse_one("RUN --device=a,b x");
    refuse_one("RUN --device=a,required=perhaps x");
    /* Words that look like flags are the command's after the first word. */
    assert_string_equal(joined(one("RUN echo --mount=x")->run.command.argv), "echo --mount=x");
}

static void copy_takes_all_its_flags(void **state) {
    const struct sw_df_copy *copy =
        &one("COPY --from=b --chown=$U:g --chmod=u=rwX --link --parents --exclude=*.o "
             "--exclude=t/** a $b /d/")
             ->copy;
    assert_str(copy->from, "b");
    assert_str(copy->chown, "$U:g");
    assert_str(copy->chmod, "u=rwX");
    assert_true(copy->link && copy->parents);
    assert_string_equal(joined(copy->exclude), "*.o|t/**");
    assert_string_equal(joined(copy->sources), "a|$b");
    assert_str(copy->dest, "/d/");
    copy = &one("COPY [\"a b\", \"/d e/\"]")->copy;
    assert_string_equal(joined(copy->sources), "a b");
    assert_str(copy->dest, "/d e/");
    assert_null(copy->from.ptr);
    assert_null(copy->chown.ptr);
    assert_false(one("COPY --link=false a b")->copy.link);
    assert_true(one("COPY --link=TRUE a b")->copy.link);
    assert_has(refuse_one("COPY a"), "at least two arguments");
    assert_has(refuse_one("COPY"), "at least two arguments");
    assert_has(refuse_one("COPY --form=b a c"), "did you mean --from?");
    assert_has(refuse_one("COPY --checksum=x a c"), "unknown flag");
    assert_has(refuse_one("COPY --link=1 a c"), "true or false");
    assert_has(refuse_one("COPY --link= a c"), "true or false");
    assert_has(refuse_one("COPY --from a c"), "missing a value");
    assert_has(refuse_one("COPY --from=a --from=b a c"), "duplicate flag");
}

static void add_takes_all_its_flags(void **state) {
    const struct sw_df_copy *add =
        &one("ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false --exclude=x "
             "https://example.test/a.tar /d/")
             ->copy;
    assert_str(add->checksum, "sha256:00");
    assert_int_equal(add->keep_git_dir, SW_DF_TRUE);
    assert_int_equal(add->unpack, SW_DF_FALSE);
    add = &one("ADD --unpack --chown=0 a b")->copy;
    assert_int_equal(add->unpack, SW_DF_TRUE);
    assert_int_equal(add->keep_git_dir, SW_DF_UNSET);
    assert_has(refuse_one("ADD --from=x a b"), "unknown flag: --from");
    assert_has(refuse_one("ADD --parents a b"), "unknown flag: --parents");
}

static void healthcheck_takes_times(void **state) {
    const struct sw_df_healthcheck *h =
        &one("HEALTHCHECK --interval=5m --timeout=1.5s --start-period=0 --start-interval=10ms "
             "--retries=3 CMD curl -f x || exit 1")
             ->health;
    assert_false(h->none);
    assert_int_equal(h->interval_ns, 300ll * 1000000000);
    assert_int_equal(h->timeout_ns, 1500000000);
    assert_int_equal(h->start_period_ns, 0);
    assert_int_equal(h->start_interval_ns, 10000000);
    assert_int_equal(h->retries, 3);
    assert_int_equal(h->command.form, SW_DF_SHELL_FORM);
    assert_string_equal(joined(h->command.argv), "curl -f x || exit 1");
    h = &one("healthcheck cmd [\"a\", \"b\"]")->health;
    assert_int_equal(h->command.form, SW_DF_EXEC_FORM);
    assert_string_equal(joined(h->command.argv), "a|b");
    assert_true(one("HEALTHCHECK NONE")->health.none);
    assert_true(one("HEALTHCHECK none")->health.none);
    refuse_one("HEALTHCHECK");
    refuse_one("HEALTHCHECK NONE x");
    refuse_one("HEALTHCHECK CMD");
    refuse_one("HEALTHCHECK CMD []");
    assert_has(refuse_one("HEALTHCHECK curl x"), "unknown type \"curl\"");
    assert_has(refuse_one("HEALTHCHECK --interval=1us CMD a"), "--interval: \"1us\" is shorter");
    assert_has(refuse_one("HEALTHCHECK --timeout=5 CMD a"), "--timeout: invalid duration");
    refuse_one("HEALTHCHECK --retries=-1 CMD a");
    refuse_one("HEALTHCHECK --retries=x CMD a");
    assert_has(refuse_one("HEALTHCHECK --retires=1 CMD a"), "did you mean --retries?");
}

static void the_small_instructions(void **state) {
    assert_str(one("WORKDIR /a b/c")->word, "/a b/c");
    assert_str(one("WORKDIR $HOME")->word, "$HOME");
    assert_str(one("USER  app:$G ")->word, "app:$G");
    assert_str(one("STOPSIGNAL SIGTERM")->word, "SIGTERM");
    assert_str(one("MAINTAINER A B <a@b>")->word, "A B <a@b>");
    assert_string_equal(joined(one("EXPOSE 80/tcp 53/udp $P")->words), "$P|53/udp|80/tcp");
    assert_string_equal(joined(one("VOLUME /a /b")->words), "/a|/b");
    assert_string_equal(joined(one("VOLUME [\"/a b\", \" /c \"]")->words), "/a b|/c");
    refuse_one("WORKDIR");
    refuse_one("USER");
    refuse_one("STOPSIGNAL");
    refuse_one("MAINTAINER");
    refuse_one("EXPOSE");
    refuse_one("VOLUME");
    refuse_one("VOLUME []");
    refuse_one("VOLUME [\"\"]");
    refuse_one("WORKDIR --x /a");
    refuse_one("EXPOSE --x 80");
}

static void onbuild_keeps_its_trigger(void **state) {
    assert_str(one("ONBUILD RUN echo  a ")->word, "RUN echo  a ");
    assert_str(one("onbuild   copy a b")->word, "copy a b");
    assert_str(one("ONBUILD RUN a \\\n b")->word, "RUN a  b");
    refuse_one("ONBUILD");
    assert_has(refuse_one("ONBUILD ONBUILD RUN x"), "ONBUILD ONBUILD");
    assert_has(refuse_one("ONBUILD FROM x"), "FROM isn't allowed");
    assert_has(refuse_one("onbuild maintainer x"), "MAINTAINER isn't allowed");
    refuse_one("ONBUILD CMD [1]");
    refuse_one("ONBUILD ENV a");
}

static void triggers_are_single_instructions(void **state) {
    struct sw_df_span at = {.line = 4, .end_line = 4, .column = 1, .source = sw_str("FROM b")};
    struct sw_df_instruction in;
    assert_ok(sw_df_parse_trigger(&arena, sw_str("COPY <<X --link a /b\nx\nX"),
                                  sw_str("Dockerfile"), &at, &in, &err),
              err);
    assert_int_equal(in.kind, SW_DF_COPY);
    assert_int_equal(in.span.line, 4);
    assert_str(in.copy.files[0].body, "x\n");
    static const char *const bad[] = {
        "",      "# x",         "FROM a", "ONBUILD RUN x", "MAINTAINER x", "RUN a\nRUN b",
        "RNU x", "RUN <<EOF\nx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused(
            sw_df_parse_trigger(&arena, sw_str(bad[i]), sw_str("Dockerfile"), &at, &in, &err),
            SW_SYNTAX, err);
        assert_has(err.text, "Dockerfile:4: ONBUILD ");
    }
}

static void keywords_have_any_case(void **state) {
    for (int k = 0; k < SW_DF_KINDS; k++) {
        enum sw_df_kind kind;
        char lower[32];
        snprintf(lower, sizeof lower, "%s", sw_df_kind_name((enum sw_df_kind)k));
        for (char *p = lower; *p; p++) *p = (char)(*p | 32);
        assert_true(sw_df_kind_parse(sw_str(lower), &kind));
        assert_int_equal(kind, k);
    }
    enum sw_df_kind kind;
    assert_false(sw_df_kind_parse(sw_str("RUNS"), &kind));
    assert_false(sw_df_kind_parse(sw_str(""), &kind));
}

static void limits_are_errors(void **state) {
    size_t n = (1u << 20) + 10;
    char *text = malloc(n + 20);
    memset(text, 'a', n + 20);
    memcpy(text, "FROM a\nRUN ", 11);
    text[n + 19] = 0;
    assert_has(refuse(text, SW_LIMIT), "Dockerfile:2: ");
    free(text);
    struct sw_dockerfile *file;
    struct sw_str huge = {"", (size_t)17 << 20};
    assert_refused(sw_dockerfile_parse(&arena, huge, sw_str("Dockerfile"), &file, &err), SW_LIMIT,
                   err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(stages_and_global_args_are_divided),
        TEST(positions_are_exact),
        TEST(continuations_join_lines),
        TEST(empty_continuations_are_remarked),
        TEST(comments_above_are_kept),
        TEST(directives_stand_at_the_top),
        TEST(other_frontends_are_refused),
        TEST(files_without_a_stage_are_refused),
        TEST(unknown_instructions_name_the_nearest),
        TEST(run_heredocs_become_scripts),
        TEST(heredocs_know_their_flags),
        TEST(heredocs_must_end),
        TEST(only_some_instructions_take_heredocs),
        TEST(commands_have_two_forms),
        TEST(shell_needs_json),
        TEST(from_takes_a_name_and_a_platform),
        TEST(env_and_label_take_pairs),
        TEST(arg_takes_names_with_and_without_value),
        TEST(run_takes_all_its_flags),
        TEST(copy_takes_all_its_flags),
        TEST(add_takes_all_its_flags),
        TEST(healthcheck_takes_times),
        TEST(the_small_instructions),
        TEST(onbuild_keeps_its_trigger),
        TEST(triggers_are_single_instructions),
        TEST(keywords_have_any_case),
        TEST(limits_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
