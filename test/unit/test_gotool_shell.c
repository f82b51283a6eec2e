#include "unit.h"

#include <stdlib.h>

#include "golang/files.h"
#include "gotool/launch.h"
#include "gotool/shell.h"

static void path_has_one_entry_of_ours(void **state) {
    static const char *const cases[][2] = {
        {"/usr/bin:/bin", "/s/bin:/usr/bin:/bin"},
        {"/s/bin:/usr/bin", "/s/bin:/usr/bin"},
        {"/usr/bin:/s/bin:/s/versions/go1.20/bin", "/s/bin:/usr/bin"},
        {"/sx/bin:/bin", "/s/bin:/sx/bin:/bin"},
        {"", "/s/bin"},
        {":/bin", "/s/bin::/bin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SW_BUF struct sw_buf to;
        sw_buf_init(&to, 0);
        sw_go_path_with(sw_str(cases[i][0]), SW_STR("/s"), SW_STR("/s/bin"), &to);
        assert_str(sw_buf_str(&to), cases[i][1]);
    }
}

static void any_bytes_survive_quoting(void **state) {
    struct sw_go_shell_env env = {.root = "/s", .bin = "/s/bin", .path = "/it's;$(x)\\:/b"};
    SW_BUF struct sw_buf posix, fish;
    sw_buf_init(&posix, 0);
    sw_buf_init(&fish, 0);
    sw_go_shell_write_env(SW_GO_SHELL_POSIX, &env, &posix);
    sw_go_shell_write_env(SW_GO_SHELL_FISH, &env, &fish);
    assert_true(
        sw_str_starts(sw_buf_str(&posix), SW_STR("export PATH='/s/bin:/it'\\''s;$(x)\\:/b'\n")));
    assert_true(sw_str_starts(sw_buf_str(&fish),
                              SW_STR("set -gx PATH '/s/bin' '/it\\'s;$(x)\\\\' '/b';\n")));
}

static void environment_is_that_of_one_toolchain(void **state) {
    char *now[] = {(char *)"A=1",
                   (char *)"GOROOT=/stale",
                   (char *)"PATH=/s/bin:/bin",
                   (char *)"GOTOOLCHAIN=auto",
                   (char *)"SLIPWAY_GO_VERSION=1.20",
                   NULL};
    SW_ARENA struct sw_arena a;
    sw_arena_init(&a, 0);
    char **env = sw_go_environment(&a, now, "/s", "/s/versions/go1.21.3", "1.21.3", false);
    static const char *const expected[] = {"A=1", "PATH=/s/versions/go1.21.3/bin:/bin",
                                           "GOTOOLCHAIN=local", "SLIPWAY_GO_VERSION=1.21.3"};
    for (size_t i = 0; i < 4; i++) assert_string_equal(env[i], expected[i]);
    assert_null(env[4]);
}

static void check(struct sw_str got, const char *expected) {
    if (!expected && got.ptr) fail_msg("expected nothing, got \"%.*s\"", SW_ARG(got));
    if (expected) assert_str(got, expected);
}

static void files_name_versions_as_text(void **state) {
    check(sw_go_version_of_file(SW_STR("# c\n\n 1.20 \n1.21\n")), "1.20");
    check(sw_go_version_of_file(SW_STR("\n")), NULL);
    check(sw_go_version_of_tool_versions(SW_STR("nodejs 20\ngolang\t1.21.3 1.20 # x\n")), "1.21.3");
    check(sw_go_version_of_tool_versions(SW_STR("golang system\n")), NULL);
    check(sw_go_version_of_mise(SW_STR("go = \"0\"\n[tools]\n\"go\" = '1.21'\n")), "1.21");
    check(sw_go_version_of_mise(SW_STR("[tools]\ngo = { version = \"1.20\", os = [\"x\"] }\n")),
          "1.20");
    check(sw_go_version_of_mise(SW_STR("[tools]\ngo = [\"1.22\", \"1.21\"]\n")), "1.22");
    check(sw_go_version_of_mise(SW_STR("[tools.go]\nversion = \"1.22\"\n")), "1.22");
    check(sw_go_version_of_mise(SW_STR("[other]\ngo = \"1\"\n")), NULL);
    check(sw_go_version_of_yaml(SW_STR("go: 1.20 # not 1.2\n"), "go"), "1.20");
    check(sw_go_version_of_yaml(SW_STR("a: &x\n  go: 9\n'go' : \"1.21.3\"\n"), "go"), "1.21.3");
    check(sw_go_version_of_yaml(SW_STR("go:\n  # c\n  version: '1.22'\n"), "go"), "1.22");
    check(sw_go_version_of_yaml(SW_STR("go: {version: 1.22, x: 1}\n"), "go"), "1.22");
    check(sw_go_version_of_yaml(SW_STR("golang: 1\ngo:1.2\n"), "go"), NULL);
    check(sw_go_version_of_yaml(SW_STR("go:\nother: 1\n  version: 2\n"), "go"), NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_has_one_entry_of_ours),
        cmocka_unit_test(any_bytes_survive_quoting),
        cmocka_unit_test(environment_is_that_of_one_toolchain),
        cmocka_unit_test(files_name_versions_as_text),
    };
    return cmocka_run_group_tests_name("gotool_shell", tests, NULL, NULL);
}
