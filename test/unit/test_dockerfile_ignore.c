/* .dockerignore as moby/patternmatcher reads it, and Go's filepath.Match. */
#include "unit.h"

#include <stdlib.h>

#include "dockerfile/glob.h"
#include "dockerfile/ignore.h"

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

static struct sw_ignore *compile(const char *text) {
    struct sw_ignore *ig = NULL;
    enum sw_code code = sw_ignore_parse(&arena, sw_str(text), sw_str(".dockerignore"), &ig, &err);
    if (code) fail_msg("%s: %s", text, err.text);
    return ig;
}

/* Walks down to path as a walker of the context does. */
static bool walk(const struct sw_ignore *ig, const char *path, bool *ret_pruned) {
    uint64_t rows[2][16] = {{0}};
    const uint64_t *parent = NULL;
    bool ignored = false, pruned = false;
    size_t n = 0;
    for (const char *p = path; *p; n++) {
        const char *slash = strchr(p, '/');
        struct sw_str prefix = sw_str_n(path, slash ? (size_t)(slash - path) : strlen(path));
        ignored = sw_ignore_step(ig, parent, prefix, rows[n % 2], NULL);
        if (slash && ignored && !sw_ignore_may_reenter(ig, prefix, rows[n % 2])) pruned = true;
        parent = rows[n % 2];
        p = slash ? slash + 1 : "";
    }
    *ret_pruned = pruned;
    return ignored;
}

static void patterns_match_as_documented(void **state) {
    static const struct {
        const char *patterns, *path;
        bool ignored;
    } rows[] = {
        /* Literal names, at any depth below what they name. */
        {"a", "a", true},
        {"a", "a/b/c", true},
        {"a", "b/a", false},
        {"a", "ab", false},
        {"a/b", "a/b", true},
        {"a/b", "a/b/c", true},
        {"a/b", "a", false},
        {"a/b", "x/a/b", false},
        /* Slashes at the ends mean nothing. */
        {"/a", "a", true},
        {"a/", "a", true},
        {"a/", "a/b", true},
        {"/a/b/", "a/b", true},
        {"./a", "a", true},
        {"a//b", "a/b", true},
        {"x/../a", "a", true},
        {"../a", "a", false},
        {"/", "a", false},
        {".", "a", false},
        /* One component. */
        {"*", "a", true},
        {"*", ".hidden", true},
        {"*", "a/b", true},
        {"*.md", "README.md", true},
        {"*.md", "docs/README.md", false},
        {"*/b", "a/b", true},
        {"*/b", "b", false},
        {"*/b", "x/a/b", false},
        {"*/*/c", "a/b/c", true},
        {"a*", "abc", true},
        {"a*", "abc/d", true},
        {"a*c", "abbc", true},
        {"a*c", "a/c", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"?", "\xC3\xA9", true},
        {"temp?", "tempa", true},
        {"temp?", "temp/", false},
        {"a?b", "a/b", false},
        {"[ab]", "a", true},
        {"[ab]", "c", false},
        {"[a-c]x", "bx", true},
        {"[^a]x", "bx", true},
        {"[^a]x", "ax", false},
        {"[!a]x", "!x", true},
        {"[\\]a]", "]", true},
        {"[\xCE\xB1-\xCF\x89]", "\xCE\xB2", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\?b", "a?b", true},
        {"\\[a]", "[a]", true},
        {"*.go", ".go", true},
        /* Any number of components. */
        {"**", "a", true},
        {"**", "a/b", true},
        {"**/b", "b", true},
        {"**/b", "a/b", true},
        {"**/b", "x/a/b", true},
        {"**/b", "x/ab", false},
        {"**/b", "b/c", true},
        {"**/*.log", "a.log", true},
        {"**/*.log", "x/y/a.log", true},
        {"**/*.log", "x/y/a.logs", false},
        {"a/**", "a/b", true},
        {"a/**", "a/b/c", true},
        {"a/**", "a", false},
        {"a/**", "ab", false},
        {"a/**/c", "a/c", true},
        {"a/**/c", "a/b/c", true},
        {"a/**/c", "a/b/b/c", true},
        {"a/**/c", "a/bc", false},
        {"a/**/*.txt", "a/x/y.txt", true},
        {"**/a/**", "a/b", true},
        {"**/a/**", "x/a/b", true},
        {"**/a/**", "x/a", false},
        {"a**", "abc/d", true},
        {"a**b", "axb", false}, /* two stars stand for whole components */
        {"a**b", "ax/b", true},
        {"**.go", "x/y.go", true},
        {"**go", "xgo", true},
        {"**/", "a", true},
        {"**/**", "a/b", true},
        {"**/**/c", "a/b/c", true},
        /* Characters that are special to regular expressions are not special here. */
        {"a.b", "axb", false},
        {"*.b", "axb", false},
        {"a+*", "aab", false},
        {"a+*", "a+b", true},
        {"(a)*", "(a)b", true},
        {"a|b*", "a|b", true},
        {"a{1}*", "a{1}", true},
        {"$a*", "$ab", true},
        {"a-*", "a-b", true},
        /* Order: the last one that matches decides. */
        {"*\n!a", "a", false},
        {"*\n!a", "b", true},
        {"*\n!a", "a/b", false},
        {"!a\n*", "a", true},
        {"a\n!a/b", "a/b", false},
        {"a\n!a/b", "a/c", true},
        {"a\n!a/b\na/b/c", "a/b/c", true},
        {"a\n!a/b\na/b/c", "a/b/d", false},
        {"*\n!*.go", "x.go", false},
        {"*\n!*.go", "x/x.go", true},
        {"*\n!**/*.go", "x/x.go", false},
        {"**/*\n!src/**/*.go", "src/a/b/x.go", false},
        {"**/*\n!src/**/*.go", "src/a/b/x.c", true},
        {"*.md\n!README*.md\nREADME-secret.md", "README.md", false},
        {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
        {"a/**\n!a/keep", "a/keep", false},
        {"a/**\n!a/keep", "a/keep/x", false},
        {"! a", "a", false},
        {"*\n! a", "a", false},
        {"*\n!/a", "a", false},
        {"!!a\n", "!a", false},
        {"*\n!!a\n", "!a", false},
        /* Comments and blanks. */
        {"# a\n", "a", false},
        {"# a\n", "# a", false},
        {" # a", "# a", true},
        {"  a  ", "a", true},
        {"\n\n\na\n", "a", true},
        {"a\r\nb\r\n", "b", true},
        {"\xEF\xBB\xBF"
         "a",
         "a", true},
        {"\xEF\xBB\xBF# a", "a", false},
        {"a b", "a b", true},
        {"", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sw_ignore *ig = compile(rows[i].patterns);
        bool pruned, alone = sw_ignore_match(ig, sw_str(rows[i].path), NULL);
        bool walked = walk(ig, rows[i].path, &pruned);
        if (alone != rows[i].ignored || walked != rows[i].ignored)
            fail_msg("%s on %s: alone %d, walked %d", rows[i].patterns, rows[i].path, alone,
                     walked);
        if (pruned && !walked) fail_msg("%s on %s: pruned", rows[i].patterns, rows[i].path);
    }
}

static void malformed_patterns_name_their_line(void **state) {
    static const char *const bad[] = {"[",   "[a",     "a[",   "[]",        "[^]", "[]a]",
                                      "[-]", "[a-]",   "[-x]", "[a-b-c]",   "\\",  "a\\",
                                      "!",   "[z-a]*", "x\\q", "\\\xC3\xA9"};
    struct sw_ignore *ig;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sw_str text = sw_arena_printf(&arena, "ok\n\n%s\n", bad[i]);
        if (sw_ignore_parse(&arena, text, sw_str(".dockerignore"), &ig, &err) != SW_SYNTAX)
            fail_msg("%s: accepted", bad[i]);
        if (strncmp(err.text, ".dockerignore:3: ", 17)) fail_msg("%s", err.text);
    }
}

static void the_deciding_pattern_is_told(void **state) {
    struct sw_ignore *ig = compile("# comment\nnode_modules\n*.log\n!keep.log\n/dist/\n");
    size_t index;
    assert_int_equal(sw_ignore_count(ig), 4);
    assert_true(sw_ignore_has_exceptions(ig));
    assert_true(sw_ignore_match(ig, sw_str("node_modules/x/y"), &index));
    assert_int_equal(sw_ignore_pattern_at(ig, index).line, 2);
    assert_false(sw_ignore_match(ig, sw_str("keep.log"), &index));
    assert_int_equal(sw_ignore_pattern_at(ig, index).line, 4);
    assert_true(sw_ignore_pattern_at(ig, index).exception);
    assert_true(sw_ignore_match(ig, sw_str("dist"), &index));
    assert_str(sw_ignore_pattern_at(ig, index).text, "dist");
    assert_str(sw_ignore_pattern_at(ig, index).as_written, "/dist/");
    assert_false(sw_ignore_match(ig, sw_str("main.go"), &index));
    assert_int_equal(index, SW_IGNORE_NONE);
    uint64_t row[4];
    assert_true(sw_ignore_step(ig, NULL, sw_str("node_modules"), row, &index));
    assert_int_equal(sw_ignore_pattern_at(ig, index).line, 2);
    assert_true(sw_ignore_step(ig, row, sw_str("node_modules/keep.log"), NULL, &index));
    assert_int_equal(sw_ignore_pattern_at(ig, index).line, 2);
}

static void ignored_directories_are_skipped_when_nothing_below_can_be_wanted(void **state) {
    static const struct {
        const char *patterns, *directory;
        bool reenter;
    } rows[] = {
        {"a", "a", false},
        {"*\n!b", "a", false},
        {"*\n!a/b", "a", true},
        {"*\n!a/b/c", "a/b", true},
        {"*\n!a/b/c", "a/x", false},
        {"*\n!**/*.go", "a", true},
        {"*\n!*/x", "a", true},
        {"*\n!?/x", "ab", false},
        {"*\n!src/**", "src2", false},
        {"*\n!src/**", "s", false},
        {"*\n!a*/x", "b", false},
        {"*\n!a*/x", "ab", true},
        {"!a/b\na", "a", false}, /* what comes later outweighs it */
        {"*\n!a/b\n!c", "c", false},
        {"**\n!a/[xy]/z", "a/x", true},
        {"**\n!a/[xy]/z", "a/q", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sw_ignore *ig = compile(rows[i].patterns);
        uint64_t row[4];
        bool ignored = sw_ignore_step(ig, NULL, sw_str(rows[i].directory), row, NULL);
        bool reenter = ignored && sw_ignore_may_reenter(ig, sw_str(rows[i].directory), row);
        if (reenter != rows[i].reenter) fail_msg("%s on %s", rows[i].patterns, rows[i].directory);
    }
}

static void selecting_patterns_know_where_to_look(void **state) {
    struct sw_str patterns[] = {sw_str("a/b/*.txt"), sw_str("**/c/d"), sw_str("x/y**")};
    struct sw_ignore *ig;
    assert_ok(sw_ignore_compile(&arena, patterns, 1, &ig, &err), err);
    assert_true(sw_ignore_may_match_below(ig, sw_str("a")));
    assert_true(sw_ignore_may_match_below(ig, sw_str("a/b")));
    assert_false(sw_ignore_may_match_below(ig, sw_str("a/b/c")));
    assert_false(sw_ignore_may_match_below(ig, sw_str("b")));
    assert_ok(sw_ignore_compile(&arena, patterns, 2, &ig, &err), err);
    assert_true(sw_ignore_may_match_below(ig, sw_str("b")));
    assert_ok(sw_ignore_compile(&arena, patterns + 2, 1, &ig, &err), err);
    assert_true(sw_ignore_may_match_below(ig, sw_str("x")));
    assert_true(sw_ignore_may_match_below(ig, sw_str("x/yz")));
    assert_false(sw_ignore_may_match_below(ig, sw_str("x/z")));
    assert_false(sw_ignore_may_match_below(ig, sw_str("w")));
}

static void matching_takes_no_exponential_time(void **state) {
    char pattern[400] = "", path[4001];
    for (int i = 0; i < 60; i++) strcat(pattern, "**/a*");
    struct sw_ignore *ig = compile(pattern);
    for (int i = 0; i < 4000; i++) path[i] = i % 2 ? '/' : 'a';
    path[4000] = 0;
    assert_true(sw_ignore_match(ig, sw_str("a/a"), NULL) == false);
    (void)sw_ignore_step(ig, NULL, sw_str_n(path, 60), NULL, NULL);
}

static void wildcards_follow_go(void **state) {
    static const struct {
        const char *pattern, *name;
        int match; /* 2: refused */
    } rows[] = {
        {"abc", "abc", 1},
        {"*", "abc", 1},
        {"*c", "abc", 1},
        {"a*", "a", 1},
        {"a*", "ab/c", 0},
        {"a*/b", "abc/b", 1},
        {"a*/b", "a/c/b", 0},
        {"", "", 1},
        {"", "a", 0},
        {"*", "", 1},
        {"?", "", 0},
        {"?", "a", 1},
        {"?", "/", 0},
        {"*", "a/b", 0},
        {"*/*", "a/b", 1},
        {"a*b*c*d*e*/f", "axbxcxdxe/f", 1},
        {"a*b*c*d*e*/f", "axbxcxdxexxx/f", 1},
        {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 0},
        {"a*b?c*x", "abxbbxdbxebxczzx", 1},
        {"a*b?c*x", "abxbbxdbxebxczzy", 0},
        {"ab[c]", "abc", 1},
        {"ab[b-d]", "abc", 1},
        {"ab[e-g]", "abc", 0},
        {"ab[^c]", "abc", 0},
        {"ab[^e-g]", "abc", 1},
        {"a\\*b", "a*b", 1},
        {"a\\*b", "ab", 0},
        {"a?b",
         "a\xE2\x98\xBA"
         "b",
         1},
        {"a[^a]b",
         "a\xE2\x98\xBA"
         "b",
         1},
        {"a???b",
         "a\xE2\x98\xBA"
         "b",
         0},
        {"[\\]a]", "]", 1},
        {"[\\-]", "-", 1},
        {"[x\\-]", "x", 1},
        {"[x\\-]", "z", 0},
        {"[\\-x]", "-", 1},
        {"[a-b-c]", "a", 2},
        {"[", "a", 2},
        {"[^", "a", 2},
        {"[^bc", "a", 2},
        {"a[", "a", 2},
        {"a[", "ab", 2},
        {"a[", "x", 2},
        {"[]a]", "]", 2},
        {"[-]", "-", 2},
        {"[x-]", "x", 2},
        {"[-x]", "x", 2},
        {"\\", "a", 2},
        {"*x", "xxx", 1},
        {"[/]", "/", 1},
        {"**", "ab", 1},
        {"[a-\xCE\xB6]*", "\xCE\xB1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool match = false;
        enum sw_code code =
            sw_glob_match(sw_str(rows[i].pattern), sw_str(rows[i].name), &match, &err);
        int got = code ? 2 : match;
        if (got != rows[i].match)
            fail_msg("%s on %s: expected %d, got %d", rows[i].pattern, rows[i].name, rows[i].match,
                     got);
    }
}

static void sources_are_split_at_their_first_wildcard(void **state) {
    static const char *const rows[][3] = {
        {"a/b/c*", "a/b", "c*"},
        {"*.go", "", "*.go"},
        {"a/*/c", "a", "*/c"},
        {"/a*", "/", "a*"},
        {"/a/b?", "/a", "b?"},
        {"a/b", "a/b", ""},
        {"a\\*b/c", "a\\*b/c", ""},
        {"a/[x]/y", "a", "[x]/y"},
        {"", "", ""},
        {"/", "/", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sw_str dir, pattern;
        sw_glob_split(sw_str(rows[i][0]), &dir, &pattern);
        assert_str(dir, rows[i][1]);
        assert_str(pattern, rows[i][2]);
        assert_int_equal(sw_glob_has_wildcards(sw_str(rows[i][0])), rows[i][2][0] != 0);
    }
}

static void limits_are_errors(void **state) {
    struct sw_ignore *ig;
    char *text = malloc(9001);
    memset(text, 'a', 9000);
    text[9000] = 0;
    assert_refused(sw_ignore_parse(&arena, sw_str(text), sw_str(".dockerignore"), &ig, &err),
                   SW_LIMIT, err);
    text[0] = '#';
    assert_ok(sw_ignore_parse(&arena, sw_str(text), sw_str(".dockerignore"), &ig, &err), err);
    text[0] = 'a';
    struct sw_str pattern = sw_str(text);
    assert_refused(sw_ignore_compile(&arena, &pattern, 1, &ig, &err), SW_LIMIT, err);
    free(text);
    size_t n = 16385;
    text = malloc(n * 2 + 1);
    for (size_t i = 0; i < n; i++) memcpy(text + i * 2, "a\n", 3);
    assert_refused(sw_ignore_parse(&arena, sw_str(text), sw_str(".dockerignore"), &ig, &err),
                   SW_LIMIT, err);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(patterns_match_as_documented),
        TEST(malformed_patterns_name_their_line),
        TEST(the_deciding_pattern_is_told),
        TEST(ignored_directories_are_skipped_when_nothing_below_can_be_wanted),
        TEST(selecting_patterns_know_where_to_look),
        TEST(matching_takes_no_exponential_time),
        TEST(wildcards_follow_go),
        TEST(sources_are_split_at_their_first_wildcard),
        TEST(limits_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
