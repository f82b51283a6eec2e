/* Hosts that lack something: old kernels, failing system calls; and what describes the host. */
#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

#include "sandbox/probe.h"
#include "sandbox_box.h"

static struct box box;
static const char *self;

static int setup(void **state) {
    struct sw_userns userns;
    struct sw_error err;
    if (sw_userns_enter(&userns, &err)) return -1;
    box_make(&box, "/tmp", &userns);
    return 0;
}

static int teardown(void **state) {
    box_done(&box);
    return 0;
}

static int in_child(void (*what)(void)) {
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# line %d: %s: %s [%.*s]\n", __LINE__, #condition, box.err.text,               \
                   SW_ARG(sw_buf_str(&box.out)));                                                  \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void run_on_old_kernel(void) {
    static const char script[] =
        "echo $$; cat /run/secrets/x; touch /ro/y 2>&1; ls /proc/self/fd | wc -l; touch /f";
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct sw_mount mounts[] = {
        {.kind = SW_MOUNT_FILE, .target = "/run/secrets/x", .content = SW_STR("s\n")},
        {.kind = SW_MOUNT_BIND,
         .target = "/ro",
         .source_dir = box.image,
         .source = "etc",
         .read_only = true},
    };
    box_become_old();
    check(!sw_overlay_probe(box.dir, &box.userns, &box.mode, &box.err));
    check(box.mode.kind == SW_OVERLAY_KERNEL);
    box.spec.mounts = mounts;
    box.spec.n_mounts = 2;
    check(!box_run_argv(&box, argv));
    check(sw_str_is(sw_buf_str(&box.out), "1\ns\ntouch: /ro/y: Read-only file system\n4\n"));
}

static void works_without_newer_system_calls(void **state) {
    int status = in_child(run_on_old_kernel);
    if (status == 77) skip();
    assert_int_equal(status, 0);
}

/* The other test program, whole, as on an old kernel. */
static void every_rule_holds_without_newer_system_calls(void **state) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(n > 0);
    path[n] = '\0';
    char *end = strrchr(path, '/');
    assert_true(end && (size_t)(end - path) < sizeof path - 16);
    memcpy(end, "/test_sandbox", 14);
    if (access(path, X_OK) < 0) skip();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int out = open("/dev/null", O_WRONLY);
        dup2(out, 1);
        setenv("SW_TEST_OLD_KERNEL", "1", 1);
        execl(path, path, NULL);
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static size_t count_entries(const char *path) {
    size_t n = 0;
    DIR *d = opendir(path);
    check(d != NULL);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

/* In a program of its own, because faults are read once: a sandbox that is to fail. Everything must
 * be as before: descriptors, children, the scratch directory. */
static int fail_once(void) {
    const char *argv[] = {"/bin/true", NULL};
    struct sw_mount m = {.kind = SW_MOUNT_FILE, .target = "/run/x", .content = SW_STR("s")};
    if (setup(NULL)) return 3;
    box.spec.mounts = &m;
    box.spec.n_mounts = 1;
    size_t before = count_entries("/proc/self/fd");
    enum sw_code code = box_run_argv(&box, argv);
    char path[300];
    snprintf(path, sizeof path, "%s/run", box.path);
    check(count_entries("/proc/self/fd") <= before + 1); /* the guard's channel */
    check(count_entries(path) == 4);                     /* . .. fs work */
    if (code) {
        snprintf(path, sizeof path, "%s/run/fs", box.path);
        check(count_entries(path) == 2);
    }
    check(waitpid(-1, NULL, WNOHANG) <= 0); /* nothing that ended was not waited for */
    teardown(NULL);
    return code ? 3 : 0;
}

static void failing_mounts_leave_nothing(void **state) {
    int failed = 0;
    for (int n = 1; n < 64; n++) {
        char fault[64];
        snprintf(fault, sizeof fault, "mount:%d:EINVAL", n);
        pid_t pid = fork();
        if (pid == 0) {
            setenv("SLIPWAY_FAULT", fault, 1);
            execl("/proc/self/exe", self, "fail-once", NULL);
            _exit(99);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0) continue; /* this one has a fallback, or is not reached */
        assert_int_equal(WEXITSTATUS(status), 3);
        failed++;
    }
    print_message("# %d mounts made to fail\n", failed);
    assert_true(failed > 10);
}

static void facts_are_named(void **state) {
    struct sw_fact *facts;
    size_t n;
    SW_ARENA struct sw_arena arena;
    sw_arena_init(&arena, 0);
    sw_probe_host(box.dir, &box.userns, &arena, &facts, &n);
    assert_true(n >= 10);
    for (size_t i = 0; i < n; i++) {
        static const char *const statuses[] = {"ok", "warn", "missing"};
        print_message("# %s %s: %s %s\n", statuses[facts[i].status], facts[i].name, facts[i].value,
                      facts[i].advice);
        assert_true(facts[i].name[0] && facts[i].value[0]);
    }
}

static void files_of_the_network(void **state) {
    SW_BUF struct sw_buf text;
    struct sw_host_entry entries[2];
    struct sw_error err;
    const char *dns[] = {"9.9.9.9"};
    sw_buf_init(&text, 65536);
    sw_resolv_conf(SW_NETWORK_NONE, NULL, 0, &text);
    assert_int_equal(text.len, 0);
    sw_resolv_conf(SW_NETWORK_PRIVATE, NULL, 0, &text);
    assert_true(sw_str_find(sw_buf_str(&text), SW_STR("nameserver ")) != SIZE_MAX);
    assert_true(sw_str_find(sw_buf_str(&text), SW_STR("nameserver 127.")) == SIZE_MAX);
    sw_buf_reset(&text);
    sw_resolv_conf(SW_NETWORK_HOST, dns, 1, &text);
    assert_true(sw_str_find(sw_buf_str(&text), SW_STR("nameserver 9.9.9.9\n")) != SIZE_MAX);
    assert_ok(sw_host_entry_parse("db:10.0.0.7", SW_NETWORK_HOST, &entries[0], &err), err);
    assert_ok(sw_host_entry_parse("six=[fd00::1]", SW_NETWORK_HOST, &entries[1], &err), err);
    sw_buf_reset(&text);
    sw_hosts_file(SW_NETWORK_HOST, "ship", entries, 2, &text);
    assert_true(sw_str_find(sw_buf_str(&text),
                            SW_STR("10.0.0.7\tdb\nfd00::1\tsix\n127.0.1.1\tship\n")) != SIZE_MAX);
    assert_refused(sw_host_entry_parse("db", SW_NETWORK_HOST, &entries[0], &err), SW_USAGE, err);
    assert_refused(sw_host_entry_parse("db:x", SW_NETWORK_HOST, &entries[0], &err), SW_USAGE, err);
    assert_ok(sw_host_entry_parse("h:host-gateway", SW_NETWORK_HOST, &entries[0], &err), err);
    assert_string_equal(entries[0].ip, "127.0.0.1");
}

static void words_of_limits_and_capabilities(void **state) {
    struct sw_rlimit l;
    struct sw_error err;
    uint64_t mask;
    assert_ok(sw_rlimit_parse(SW_STR("nofile=1024:2048"), &l, &err), err);
    assert_true(l.resource == (int)RLIMIT_NOFILE && l.soft == 1024 && l.hard == 2048);
    assert_ok(sw_rlimit_parse(SW_STR("core=-1"), &l, &err), err);
    assert_true(l.soft == RLIM_INFINITY && l.hard == RLIM_INFINITY);
    assert_refused(sw_rlimit_parse(SW_STR("nofile"), &l, &err), SW_USAGE, err);
    assert_refused(sw_rlimit_parse(SW_STR("nofile=9:8"), &l, &err), SW_USAGE, err);
    assert_refused(sw_rlimit_parse(SW_STR("nofiles=9"), &l, &err), SW_USAGE, err);
    assert_non_null(strstr(err.text, "nofile"));
    assert_ok(sw_caps_parse(SW_STR("net_admin"), &mask, &err), err);
    assert_true(mask == UINT64_C(1) << 12);
    assert_refused(sw_caps_parse(SW_STR("CAP_NET_ADMINS"), &mask, &err), SW_USAGE, err);
    assert_non_null(strstr(err.text, "CAP_NET_ADMIN?"));
}

int main(int argc, char **argv) {
    if (!box_possible()) {
        printf("1..0 # SKIP no static busybox\n");
        return 0;
    }
    self = argv[0];
    if (argc > 1) return fail_once();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_without_newer_system_calls),
        cmocka_unit_test(every_rule_holds_without_newer_system_calls),
        cmocka_unit_test(failing_mounts_leave_nothing),
        cmocka_unit_test(facts_are_named),
        cmocka_unit_test(files_of_the_network),
        cmocka_unit_test(words_of_limits_and_capabilities),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
