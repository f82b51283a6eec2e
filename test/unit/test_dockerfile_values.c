/* Durations, ports, modes, signals, owners, paths, build arguments, and RUN --mount. */
#include "unit.h"

#include <stdlib.h>

#include "dockerfile/args.h"
#include "dockerfile/mount.h"
#include "dockerfile/values.h"

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

static void durations_are_go_durations(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+5s", 5000000000},
        {"30s", 30000000000},
        {"1m30s", 90000000000},
        {"2h", 7200000000000},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"5.s", 5000000000},
        {"-1.5h", -5400000000000},
        {"1ns", 1},
        {"1us", 1000},
        {"1\xC2\xB5s", 1000},
        {"1\xCE\xBCs", 1000},
        {"12ms", 12000000},
        {"1h15m30.918s", 4530918000000},
        {"1s1s", 2000000000},
        {"1ms1h", 3600001000000},
        {"0.000000001s", 1},
        {"0.9ns", 0},
        {"1.00000000000000000000000000001s", 1000000000},
        {"9223372036854775807ns", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"9223372036.854775807s", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-",
                                      "+",
                                      "1 s",
                                      "1S",
                                      "1d",
                                      ".",
                                      ".s",
                                      "1.2.3s",
                                      "--1s",
                                      "1e3s",
                                      "0x1s",
                                      "1s ",
                                      "3000000h",
                                      "1m-5s",
                                      "1x",
                                      "9223372036854775808ns",
                                      "-9223372036854775809ns"};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(sw_df_duration_parse(sw_str(good[i].text), &ns, &err), err);
        if (ns != good[i].ns) fail_msg("%s: got %lld", good[i].text, (long long)ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (sw_df_duration_parse(sw_str(bad[i]), &ns, &err) != SW_SYNTAX)
            fail_msg("%s: accepted as %lld", bad[i], (long long)ns);
    }
}

static void health_times_have_a_minimum(void **state) {
    int64_t ns = 1;
    assert_ok(sw_df_health_duration_parse(sw_str(""), &ns, &err), err);
    assert_int_equal(ns, 0);
    assert_ok(sw_df_health_duration_parse(sw_str("0s"), &ns, &err), err);
    assert_ok(sw_df_health_duration_parse(sw_str("1ms"), &ns, &err), err);
    assert_refused(sw_df_health_duration_parse(sw_str("999us"), &ns, &err), SW_SYNTAX, err);
    assert_refused(sw_df_health_duration_parse(sw_str("-1s"), &ns, &err), SW_SYNTAX, err);
}

static void ports_and_ranges(void **state) {
    static const struct {
        const char *word;
        int first, last;
        const char *proto;
        bool loud, mapped;
    } good[] = {
        {"80", 80, 80, "tcp", false, false},
        {"80/tcp", 80, 80, "tcp", false, false},
        {"53/udp", 53, 53, "udp", false, false},
        {"9/sctp", 9, 9, "sctp", false, false},
        {"80/TCP", 80, 80, "tcp", true, false},
        {"80/", 80, 80, "tcp", false, false},
        {"8000-8010", 8000, 8010, "tcp", false, false},
        {"8000-8000/udp", 8000, 8000, "udp", false, false},
        {"0", 0, 0, "tcp", false, false},
        {"65535", 65535, 65535, "tcp", false, false},
        {"+80", 80, 80, "tcp", false, false},
        {"8080:80", 80, 80, "tcp", false, true},
        {"8080-8081:80-81/udp", 80, 81, "udp", false, true},
        {"8080-8090:80", 80, 80, "tcp", false, true},
        {"127.0.0.1:8080:80", 80, 80, "tcp", false, true},
        {"127.0.0.1::80", 80, 80, "tcp", false, true},
        {"[::1]:8080:80", 80, 80, "tcp", false, true},
        {"::1:8080:80", 80, 80, "tcp", false, true},
        {":80", 80, 80, "tcp", false, false},
    };
    static const char *const bad[] = {"",           "x",    "80/x",     "/tcp",
                                      "65536",      "-1",   "80-79",    "80-",
                                      "-80",        "80-x", "80 81",    "1.2:80:80",
                                      "a:80:80",    "80:",  "99999:80", "80-81:90-95",
                                      "80/tcp/udp", "0x50", "80:80-82", "1_0"};
    struct sw_df_ports p;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(sw_df_ports_parse(sw_str(good[i].word), &p, &err), err);
        if (p.first != good[i].first || p.last != good[i].last || strcmp(p.proto, good[i].proto) ||
            p.proto_not_lower != good[i].loud || p.has_mapping != good[i].mapped)
            fail_msg("%s: %d-%d/%s %d %d", good[i].word, p.first, p.last, p.proto,
                     p.proto_not_lower, p.has_mapping);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sw_df_ports_parse(sw_str(bad[i]), &p, &err) != SW_SYNTAX)
            fail_msg("%s: accepted", bad[i]);
}

static void modes_change_permissions(void **state) {
    static const struct {
        const char *text;
        unsigned before;
        bool directory;
        unsigned after;
    } good[] = {
        {"755", 0, false, 0755},
        {"0", 0777, false, 0},
        {"7777", 0, true, 07777},
        {"0644", 0777, false, 0644},
        {"u=rwx,g=rx,o=", 0666, false, 0750},
        {"a=r", 0777, false, 0444},
        {"=r", 0777, false, 0444},
        {"+x", 0644, false, 0755},
        {"a+x", 0644, false, 0755},
        {"u+x", 0644, false, 0744},
        {"go-w", 0666, false, 0644},
        {"-w", 0666, false, 0444},
        {"ug+rw,o-rwx", 0007, false, 0660},
        {"u=rwX,go=rX", 0600, false, 0644},
        {"u=rwX,go=rX", 0700, false, 0755},
        {"u=rwX,go=rX", 0600, true, 0755},
        {"a+X", 0644, false, 0644},
        {"a+X", 0744, false, 0755},
        {"a-X", 0755, false, 0644},
        {"go=u", 0750, false, 0777},
        {"go=u-w", 0755, false, 0755},
        {"go=u-w", 0700, false, 0755},
        {"g=o", 0704, false, 0744},
        {"u+g", 0070, false, 0770},
        {"o-u", 0707, false, 0700},
        {"u=", 04755, false, 0055},
        {"u+s", 0755, false, 04755},
        {"g+s", 0755, true, 02755},
        {"ug+s", 0755, false, 06755},
        {"+s", 0755, false, 06755},
        {"o+s", 0755, false, 0755},
        {"u-s", 04755, false, 0755},
        {"a=rx", 06755, false, 0555},
        {"+t", 0777, true, 01777},
        {"a+t", 0777, true, 01777},
        {"o+t", 0777, true, 0777},
        {"-t", 01777, true, 0777},
        {"u=r,u+w", 0, false, 0600},
        {"u+r-w+x", 0200, false, 0500},
        {"u+", 0644, false, 0644},
        {"g=", 0777, false, 0707},
    };
    static const char *const bad[] = {"",
                                      "8",
                                      "99",
                                      "07778",
                                      "10000",
                                      "x",
                                      "u",
                                      "u+q",
                                      "rwx",
                                      "u+x,",
                                      ",u+x",
                                      "z+x",
                                      "755x",
                                      "u=rw x",
                                      "0o7",
                                      "u+x g",
                                      "1777777777777777777777",
                                      "+r+!"};
    struct sw_df_chmod mode;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(sw_df_chmod_parse(sw_str(good[i].text), &mode, &err), err);
        unsigned after = sw_df_chmod_apply(&mode, good[i].before, good[i].directory);
        if (after != good[i].after)
            fail_msg("%s on %o: expected %o, got %o", good[i].text, good[i].before, good[i].after,
                     after);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sw_df_chmod_parse(sw_str(bad[i]), &mode, &err) != SW_SYNTAX)
            fail_msg("\"%s\": accepted", bad[i]);
    char many[400] = "u+x";
    for (int i = 0; i < 80; i++) strcat(many, ",u+x");
    assert_refused(sw_df_chmod_parse(sw_str(many), &mode, &err), SW_LIMIT, err);
}

static void signals_have_names_and_numbers(void **state) {
    static const struct {
        const char *text;
        int number;
    } good[] = {{"SIGTERM", 15},  {"term", 15},     {"sigkill", 9},  {"HUP", 1},
                {"9", 9},         {"SIGRTMIN", 34}, {"RTMIN+3", 37}, {"RTMAX-14", 50},
                {"SIGRTMAX", 64}, {"SIGIOT", 6},    {"CHLD", 17},    {"64", 64}};
    static const char *const bad[] = {"",       "0",        "-1",      "SIG",
                                      "SIGFOO", "RTMIN+16", "RTMIN-1", "RTMAX-15",
                                      "RTMIN+", "RTMIN+03", "TERM ",   "9x"};
    int number;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(sw_df_signal_parse(sw_str(good[i].text), &number, &err), err);
        assert_int_equal(number, good[i].number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sw_df_signal_parse(sw_str(bad[i]), &number, &err) != SW_SYNTAX)
            fail_msg("\"%s\": accepted", bad[i]);
}

static void owners_have_two_parts(void **state) {
    struct sw_df_owner owner;
    assert_ok(sw_df_owner_parse(sw_str("app:1000"), &owner, &err), err);
    assert_str(owner.user, "app");
    assert_str(owner.group, "1000");
    assert_ok(sw_df_owner_parse(sw_str("0"), &owner, &err), err);
    assert_null(owner.group.ptr);
    assert_ok(sw_df_owner_parse(sw_str("app:"), &owner, &err), err);
    assert_null(owner.group.ptr);
    assert_ok(sw_df_owner_parse(sw_str(":adm"), &owner, &err), err);
    assert_null(owner.user.ptr);
    assert_str(owner.group, "adm");
    assert_refused(sw_df_owner_parse(sw_str("a:b:c"), &owner, &err), SW_SYNTAX, err);
}

static void paths_are_cleaned_as_go_does(void **state) {
    static const char *const rows[][2] = {
        {"", "."},
        {".", "."},
        {"/", "/"},
        {"//", "/"},
        {"a//b/./c/", "a/b/c"},
        {"a/../b", "b"},
        {"a/..", "."},
        {"..", ".."},
        {"../../a", "../../a"},
        {"a/../../b", "../b"},
        {"/..", "/"},
        {"/../a", "/a"},
        {"/a/../../b", "/b"},
        {"./a", "a"},
        {"a/b/../../..", ".."},
        {"../a/../b", "../b"},
    };
    static const char *const joins[][3] = {
        {"", "a", "/a"},      {"/", "a", "/a"},       {"/a", "b", "/a/b"},     {"/a", "/b", "/b"},
        {"/a", "../b", "/b"}, {"/a", ".", "/a"},      {"/a/", "b/", "/a/b"},   {"/a", "", "/a"},
        {"/a", "/b/", "/b/"}, {"rel", "x", "/rel/x"}, {"/a", "../../..", "/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_str(sw_df_path_clean(&arena, sw_str(rows[i][0])), rows[i][1]);
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++)
        assert_str(sw_df_workdir_join(&arena, sw_str(joins[i][0]), sw_str(joins[i][1])),
                   joins[i][2]);
}

static void predefined_args_are_known(void **state) {
    static const char *const proxies[] = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
                                          "ALL_PROXY"};
    for (size_t i = 0; i < SW_DF_PROXIES; i++) {
        assert_str(sw_df_proxy_name(i, true), proxies[i]);
        assert_true(sw_str_ieq(sw_df_proxy_name(i, false), sw_str(proxies[i])));
        assert_false(sw_str_eq(sw_df_proxy_name(i, false), sw_str(proxies[i])));
    }
    assert_true(sw_df_arg_is_platform(sw_str("TARGETVARIANT")));
    assert_false(sw_df_arg_is_platform(sw_str("TARGETFOO")));
    assert_true(sw_df_arg_is_control(sw_str("BUILDKIT_INLINE_CACHE")));
    assert_false(sw_df_arg_is_control(sw_str("SOURCE_DATE_EPOCH")));
}

static struct sw_str var(const struct sw_df_vars *vars, const char *name) {
    struct sw_str value = SW_STR("<unset>");
    sw_df_vars_get(vars, sw_str(name), &value);
    return value;
}

static void automatic_args_describe_platforms(void **state) {
    struct sw_df_vars vars = {.arena = &arena}, given = {.arena = &arena};
    struct sw_df_platform build = {.os = sw_str("linux"), .arch = sw_str("amd64")};
    struct sw_df_platform target = {.os = sw_str("linux"),
                                    .os_version = sw_str("7"),
                                    .arch = sw_str("arm"),
                                    .variant = sw_str("v7")};
    sw_df_vars_set(&given, sw_str("TARGETARCH"), sw_str("mine"));
    sw_df_args_automatic(&vars, &build, &target, SW_STR(""), sw_df_vars_env(&given));
    assert_str(var(&vars, "BUILDPLATFORM"), "linux/amd64");
    assert_str(var(&vars, "BUILDVARIANT"), "");
    assert_str(var(&vars, "TARGETPLATFORM"), "linux(7)/arm/v7");
    assert_str(var(&vars, "TARGETOS"), "linux");
    assert_str(var(&vars, "TARGETARCH"), "mine");
    assert_str(var(&vars, "TARGETVARIANT"), "v7");
    assert_str(var(&vars, "TARGETSTAGE"), "default");
}

/* ---- RUN --mount ---- */

static struct sw_df_mount mount(const char *text) {
    struct sw_df_vars vars = {.arena = &arena};
    sw_df_vars_set(&vars, sw_str("DIR"), sw_str("/cache dir"));
    sw_df_vars_set(&vars, sw_str("KIND"), sw_str("cache"));
    struct sw_df_lex lex = {.env = sw_df_vars_env(&vars)};
    struct sw_df_mount m;
    if (sw_df_mount_parse(&arena, sw_str(text), &lex, &m, &err)) fail_msg("%s: %s", text, err.text);
    return m;
}

static void mounts_have_defaults(void **state) {
    struct sw_df_mount m = mount("target=/t");
    assert_int_equal(m.type, SW_DF_MOUNT_BIND);
    assert_true(m.read_only);
    assert_null(m.from.ptr);
    assert_str(m.source, "");
    m = mount("type=cache,target=/root/.cache/");
    assert_int_equal(m.type, SW_DF_MOUNT_CACHE);
    assert_str(m.id, "/root/.cache");
    assert_false(m.read_only);
    assert_int_equal(m.sharing, SW_DF_SHARED);
    assert_int_equal(m.mode, 0755);
    m = mount("type=tmpfs,target=/t,size=64m");
    assert_false(m.read_only);
    assert_int_equal(m.size_bytes, 64 << 20);
    m = mount("type=secret,id=aws");
    assert_str(m.target, "/run/secrets/aws");
    assert_int_equal(m.mode, 0400);
    assert_false(m.required);
    assert_null(m.env.ptr);
    m = mount("type=secret,source=dir/key");
    assert_str(m.id, "dir/key");
    assert_str(m.target, "/run/secrets/key");
    m = mount("type=secret,target=/etc/key");
    assert_str(m.id, "key");
    assert_str(m.target, "/etc/key");
    m = mount("type=secret,id=a,env=TOKEN");
    assert_str(m.env, "TOKEN");
    assert_null(m.target.ptr);
    m = mount("type=secret,id=a,env=,target=/x");
    assert_str(m.env, "a");
    assert_str(m.target, "/x");
    m = mount("type=ssh");
    assert_str(m.id, "default");
    assert_int_equal(m.mode, 0600);
    assert_null(m.target.ptr);
}

static void mounts_take_all_their_keys(void **state) {
    struct sw_df_mount m = mount("type=bind,from=b,src=/s,dst=/d,rw");
    assert_str(m.from, "b");
    assert_str(m.source, "/s");
    assert_str(m.target, "/d");
    assert_false(m.read_only);
    m = mount(
        "TYPE=Cache,destination=/d,id=x,sharing=LOCKED,mode=0700,uid=1,gid=2,ro,from=scratch");
    assert_int_equal(m.sharing, SW_DF_LOCKED);
    assert_true(m.read_only && m.has_mode && m.has_uid && m.has_gid);
    assert_int_equal(m.mode, 0700);
    assert_int_equal(m.uid, 1);
    assert_int_equal(m.gid, 2);
    assert_true(mount("target=/t,readwrite=false").read_only);
    assert_false(mount("target=/t,readonly=0").read_only);
    assert_true(mount("type=ssh,required").required);
    assert_false(mount("type=secret,id=a,required=false").required);
    assert_str(mount("type=${KIND},target=$DIR,id='a b'").target, "/cache dir");
    assert_str(mount("type=${KIND},target=/x,id='a b'").id, "a b");
    assert_str(mount("type=cache,\"target=/a,b\"").target, "/a,b");
    assert_str(mount("type=cache,\"target=/a\"\"b,c\"\"\"").target, "/ab,c");
}

static void bad_mounts_are_refused(void **state) {
    static const char *const rows[][2] = {
        {"", "empty"},
        {"type=cahce,target=/t", "did you mean cache?"},
        {"tpye=cache,target=/t", "did you mean type?"},
        {"type=cache,target=/t,sharing=share", "did you mean shared?"},
        {"type=cache,target", "must be a key=value pair"},
        {"nonsense", "must be a key=value pair"},
        {"type=bind,target=/t,size=1", "unexpected key 'size'"},
        {"type=bind,target=/t,required", "unexpected key 'required'"},
        {"type=cache,target=/t,required=true", "unexpected key 'required'"},
        {"type=bind,target=/t,mode=755", "mode not allowed"},
        {"type=tmpfs,target=/t,uid=1", "uid not allowed"},
        {"type=bind,target=/t,gid=1", "gid not allowed"},
        {"type=cache,target=/t,mode=999", "invalid value for mode"},
        {"type=cache,target=/t,uid=-1", "invalid value for uid"},
        {"type=cache,target=/t,uid=4294967296", "invalid value for uid"},
        {"type=cache,target=/t,ro=maybe", "invalid value for readonly"},
        {"type=tmpfs,target=/t,size=big", "invalid value for size"},
        {"type=bind,target=/t,sharing=locked", "invalid cache sharing"},
        {"type=secret", "one of id, source and target"},
        {"type=secret,id=a,source=b", "both source and id"},
        {"type=secret,id=a,from=b", "should not have a from"},
        {"type=secret,id=a,sharing=locked", "should not define sharing"},
        {"type=ssh,source=a", "does not support source"},
        {"type=cache,tar\"get=/t", "a quote in"},
        {"type=cache,\"target=/t", "a quote in"},
        {"type=cache,target='/t", "single quote"},
        {"type=cache,target=${X:?needed}", "X: needed"},
    };
    struct sw_df_lex lex = {0};
    struct sw_df_mount m;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_refused(sw_df_mount_parse(&arena, sw_str(rows[i][0]), &lex, &m, &err), SW_SYNTAX,
                       err);
        if (!strstr(err.text, rows[i][1]) || strncmp(err.text, "--mount=", 8))
            fail_msg("%s: %s", rows[i][0], err.text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(durations_are_go_durations),
        TEST(health_times_have_a_minimum),
        TEST(ports_and_ranges),
        TEST(modes_change_permissions),
        TEST(signals_have_names_and_numbers),
        TEST(owners_have_two_parts),
        TEST(paths_are_cleaned_as_go_does),
        TEST(predefined_args_are_known),
        TEST(automatic_args_describe_platforms),
        TEST(mounts_have_defaults),
        TEST(mounts_take_all_their_keys),
        TEST(bad_mounts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
