#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "sandbox/tty.h"
#include "sandbox_box.h"

static struct box box;

static int setup(void **state) {
    struct sw_userns userns;
    struct sw_error err;
    if (sw_userns_enter(&userns, &err)) return -1;
    if (getenv("SW_TEST_OLD_KERNEL")) box_become_old();
    box_make(&box, "/tmp", &userns);
    return 0;
}

static int teardown(void **state) {
    box_done(&box);
    return 0;
}

/* Every test starts from the same specification. */
static int renew(void **state) {
    const struct sw_overlay *overlay = &box.overlay;
    sw_sandbox_spec_init(&box.spec, &box.userns);
    box.spec.overlay = overlay;
    box.spec.overlay_mode = &box.mode;
    box.spec.envp = box.envp;
    box.spec.stdin_fd = -1;
    return 0;
}

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        struct sw_str text_ = (text);                                                              \
        if (sw_str_find(text_, sw_str(part)) == SIZE_MAX)                                          \
            fail_msg("expected \"%s\" in \"%.*s\"", part, SW_ARG(text_));                          \
    } while (0)

static void runs_a_command(void **state) {
    assert_str(box_sh(&box, "echo hello; echo $$; exit 7"), "hello\n1");
    assert_int_equal(box.status, 7);
}

static void status_of_a_signal_is_128_and_it(void **state) {
    (void)box_sh(&box, "trap 'exit 3' TERM; sh -c 'kill -9 $$'; echo $?");
    assert_str(sw_str_trim(sw_buf_str(&box.out)), "Killed\n137");
}

static void environment_is_exact(void **state) {
    box.argv[0] = "env", box.argv[1] = NULL;
    assert_ok(box_run_argv(&box, box.argv), box.err);
    assert_str(sw_str_trim(sw_buf_str(&box.out)), "PATH=/sbin:/bin\nHOME=/root");
}

static void capabilities_are_dockers_fourteen(void **state) {
    struct sw_str text = box_sh(&box, "grep Cap /proc/self/status");
    assert_str(text, "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\n"
                     "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n"
                     "CapAmb:\t0000000000000000");
}

static void other_users_have_no_capabilities(void **state) {
    if (box.userns.n_uids < 2000) skip();
    box.spec.uid = 1000;
    box.spec.gid = 1000;
    gid_t groups[] = {5, 1000};
    box.spec.groups = groups;
    box.spec.n_groups = 2;
    struct sw_str text = box_sh(&box, "id -u; id -G; grep CapEff /proc/self/status");
    assert_str(text, "1000\n1000 5\nCapEff:\t0000000000000000");
}

static void dangerous_calls_are_refused(void **state) {
    struct sw_str text = box_sh(
        &box, "mount -t tmpfs t /tmp 2>&1; unshare -U true 2>&1; grep Seccomp: /proc/self/status");
    assert_contains(text, "mount: permission denied");
    assert_contains(text, "unshare(0x10000000): Operation not permitted");
    assert_contains(text, "Seccomp:\t2");
}

static void insecure_may_mount(void **state) {
    box.spec.insecure = true;
    assert_str(box_sh(&box, "mount -t tmpfs t /tmp && echo ok"), "ok");
}

static void proc_and_dev_are_as_runc_makes_them(void **state) {
    struct sw_str text = box_sh(
        &box, "ls /dev; ls /proc/acpi /proc/scsi 2>/dev/null; cat /proc/kcore /proc/keys | wc -c;"
              "echo 1 2>&1 >/proc/sys/kernel/hostname; touch /sys/x 2>&1; ls -l /dev/null;"
              "stat -f -c %T /dev/shm; echo x >/dev/shm/y && cat /dev/shm/y; ps | wc -l");
    assert_contains(text,
                    "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\n"
                    "urandom\nzero\n");
    assert_contains(text, "Read-only file system");
    assert_contains(text, "/sys/x: Read-only file system");
    assert_contains(text, "crw-rw-rw-");
    assert_contains(text, "\nx\n");
}

static void nothing_of_the_host_is_mounted(void **state) {
    struct sw_str text = box_sh(&box, "cat /proc/mounts");
    assert_true(sw_str_find(text, sw_str(box.path)) == SIZE_MAX);
    assert_true(sw_str_find(text, SW_STR(" /o")) == SIZE_MAX);
}

static void upper_holds_only_what_the_command_made(void **state) {
    struct sw_mount mounts[] = {
        {.kind = SW_MOUNT_FILE, .target = "/etc/resolv.conf", .content = SW_STR("nameserver x\n")},
        {.kind = SW_MOUNT_TMPFS, .target = "/var/cache/deep/er"},
        {.kind = SW_MOUNT_FILE, .target = "/run/secrets/s", .content = SW_STR("S"), .mode = 0400},
    };
    box.spec.mounts = mounts;
    box.spec.n_mounts = 3;
    struct sw_str text = box_sh(&box, "cat /etc/resolv.conf /run/secrets/s; stat -c ' %a' "
                                      "/run/secrets/s; echo >/var/cache/deep/er/z; touch /made; "
                                      "mkdir /var/own");
    assert_str(text, "nameserver x\nS 400");
    SW_BUF struct sw_buf found;
    sw_buf_init(&found, 65536);
    const char *argv[] = {"sh", "-c", "cd \"$1\" && find . | sort", "sh", NULL, NULL};
    char upper[300];
    snprintf(upper, sizeof upper, "%s/run/fs", box.path);
    argv[4] = upper;
    struct sw_proc_options options = {.argv = argv};
    assert_ok(sw_proc_run(&options, &found, &box.err), box.err);
    assert_str(sw_buf_str(&found), ".\n./made\n./var\n./var/own\n");
    snprintf(upper, sizeof upper, "%s/run/work.stub", box.path);
    assert_int_equal(access(upper, F_OK), -1);
}

static void directory_root_loses_its_mount_points_again(void **state) {
    struct sw_mount mounts[] = {
        {.kind = SW_MOUNT_FILE, .target = "/etc/hosts", .content = SW_STR("h\n")},
        {.kind = SW_MOUNT_TMPFS, .target = "/a/b"},
    };
    struct stat before, after;
    box.spec.mounts = mounts;
    box.spec.n_mounts = 2;
    box.spec.overlay = NULL;
    box.spec.root_dir = box.image;
    assert_int_equal(fstatat(box.image, "etc", &before, 0), 0);
    assert_str(box_sh(&box, "cat /etc/hosts; ls /a"), "h\nb");
    assert_int_equal(faccessat(box.image, "etc/hosts", F_OK, 0), -1);
    assert_int_equal(faccessat(box.image, "a", F_OK, 0), -1);
    assert_int_equal(faccessat(box.image, "proc", F_OK, 0), -1);
    assert_int_equal(fstatat(box.image, "etc", &after, 0), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void links_in_the_image_lead_nowhere_outside(void **state) {
    struct sw_mount m = {
        .kind = SW_MOUNT_FILE, .target = "/escape/etc/victim", .content = SW_STR("v")};
    assert_int_equal(symlinkat("../../../../..", box.image, "escape"), 0);
    box.spec.mounts = &m;
    box.spec.n_mounts = 1;
    assert_str(box_sh(&box, "cat /etc/victim"), "v");
    assert_int_equal(access("/etc/victim", F_OK), -1);
    assert_int_equal(unlinkat(box.image, "escape", 0), 0);
}

static void binds_files_and_directories(void **state) {
    char file[300];
    snprintf(file, sizeof file, "%s/lower/base/bin/busybox", box.path);
    struct sw_mount mounts[] = {
        {.kind = SW_MOUNT_BIND,
         .target = "/src",
         .source_dir = box.image,
         .source = "bin",
         .read_only = true},
        {.kind = SW_MOUNT_BIND, .target = "/src/../bb", .source = file},
    };
    box.spec.mounts = mounts;
    box.spec.n_mounts = 2;
    struct sw_str text = box_sh(&box, "ls /src/sh /bb; touch /src/x 2>&1");
    assert_str(text, "/bb\n/src/sh\ntouch: /src/x: Read-only file system");
    mounts[0].source = "../../..";
    assert_str(box_sh(&box, "ls /src"), "bin\netc\ntmp");
    mounts[0].source = "none";
    const char *const argv[] = {"/bin/true", NULL}; /* box_sh's own has left its scope */
    assert_refused(box_run_argv(&box, argv), SW_NOT_FOUND, box.err);
}

static void binds_a_path_of_another_image(void **state) {
    struct sw_overlay other = box.overlay;
    other.upper = other.work = NULL;
    struct sw_mount mounts[] = {
        {.kind = SW_MOUNT_OVERLAY, .target = "/other", .overlay = &other, .source = "/bin"},
        {.kind = SW_MOUNT_OVERLAY, .target = "/tool", .overlay = &other, .source = "bin/sh"},
    };
    box.spec.mounts = mounts;
    box.spec.n_mounts = 2;
    assert_str(box_sh(&box, "ls /other/sh /tool; touch /other/x 2>&1"),
               "/other/sh\n/tool\ntouch: /other/x: Read-only file system");
}

static void read_only_root_is_read_only(void **state) {
    box.spec.read_only = true;
    assert_str(box_sh(&box, "touch /x 2>&1; echo a >/dev/shm/a; cat /dev/shm/a"),
               "touch: /x: Read-only file system\na");
}

static void missing_command_is_127(void **state) {
    const char *missing[] = {"nothing-like-it", NULL}, *path[] = {"/no/such", NULL};
    assert_refused(box_run_argv(&box, missing), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 127);
    assert_string_equal(box.err.text, "exec nothing-like-it: not found in PATH");
    assert_refused(box_run_argv(&box, path), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 127);
    assert_string_equal(box.err.text, "exec /no/such: no such file");
}

static void what_cannot_be_executed_is_126(void **state) {
    const char *dir[] = {"/etc", NULL}, *text[] = {"/text", NULL}, *loader[] = {"/script", NULL};
    int fd = openat(box.image, "text", O_WRONLY | O_CREAT, 0755);
    assert_true(fd >= 0 && write(fd, "hello\n", 6) == 6);
    close(fd);
    fd = openat(box.image, "script", O_WRONLY | O_CREAT, 0755);
    assert_true(fd >= 0 && write(fd, "#!/no/loader\n", 13) == 13);
    close(fd);
    assert_refused(box_run_argv(&box, dir), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 126);
    assert_refused(box_run_argv(&box, text), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 126);
    assert_refused(box_run_argv(&box, loader), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 127);
    assert_contains(sw_str(box.err.text), "interpreter");
}

static void own_executable_is_not_run_inside(void **state) {
    const char *self[] = {"/proc/self/exe", NULL};
    assert_refused(box_run_argv(&box, self), SW_CHILD, box.err);
    assert_int_equal(box.err.child_status, 126);
    box.spec.init = true;
    assert_contains(box_sh(&box, "readlink /proc/1/exe || cat /proc/1/exe 2>&1"), "denied");
}

static void working_directory_must_exist(void **state) {
    box.spec.workdir = "/etc";
    assert_str(box_sh(&box, "pwd"), "/etc");
    box.spec.workdir = "/nowhere";
    const char *argv[] = {"true", NULL};
    assert_refused(box_run_argv(&box, argv), SW_NOT_FOUND, box.err);
    assert_contains(sw_str(box.err.text), "/nowhere");
}

static void hostname_and_limits_are_set(void **state) {
    struct sw_rlimit limits[] = {{.resource = RLIMIT_NOFILE, .soft = 77, .hard = 99},
                                 {.resource = RLIMIT_CORE, .soft = 0, .hard = RLIM_INFINITY}};
    box.spec.hostname = "ship";
    box.spec.rlimits = limits;
    box.spec.n_rlimits = 2;
    assert_str(box_sh(&box, "hostname; ulimit -n; ulimit -Hn"), "ship\n77\n99");
}

static void init_reaps_and_forwards(void **state) {
    box.spec.init = true;
    assert_str(box_sh(&box, "echo $$; (sleep 0.01 &) ; exit 5"), "2");
    assert_int_equal(box.status, 5);
}

static void no_network_has_loopback_only(void **state) {
    box.spec.network = SW_NETWORK_NONE;
    struct sw_str text = box_sh(&box, "ip -o link; ip addr show lo | grep inet\\ ");
    assert_contains(text, "LOOPBACK,UP");
    assert_contains(text, "127.0.0.1/8");
    assert_true(sw_str_find(text, SW_STR("2: ")) == SIZE_MAX ||
                sw_str_find(text, SW_STR("UP,LOWER_UP> mtu 1500")) == SIZE_MAX);
}

static void terminal_is_a_terminal(void **state) {
    const char *argv[] = {"/bin/sh", "-c", "tty; stty size; echo out >/dev/tty; echo e >&2", NULL};
    struct sw_sandbox *s;
    char text[512];
    size_t len = 0;
    ssize_t n;
    box_fresh(&box);
    box.spec.argv = argv;
    box.spec.tty = true;
    box.spec.tty_rows = 33;
    box.spec.tty_cols = 101;
    assert_ok(sw_sandbox_start(&box.spec, &s, &box.err), box.err);
    while (len < sizeof text && (n = read(sw_sandbox_tty(s), text + len, sizeof text - len)) > 0)
        len += (size_t)n;
    assert_ok(sw_sandbox_wait(s, &box.status, NULL, &box.err), box.err);
    sw_sandbox_free(s);
    assert_str(sw_str_n(text, len), "/dev/pts/0\r\n33 101\r\nout\r\ne\r\n");
}

static void kill_ends_the_whole_tree(void **state) {
    const char *argv[] = {"/bin/sh", "-c", "sleep 1000 & sleep 1000 & wait", NULL};
    struct sw_sandbox *s;
    box_fresh(&box);
    box.spec.argv = argv;
    box.spec.stdout_fd = box.spec.stderr_fd = -1;
    assert_ok(sw_sandbox_start(&box.spec, &s, &box.err), box.err);
    struct pollfd exit = {.fd = sw_sandbox_exit_fd(s), .events = POLLIN};
    assert_int_equal(poll(&exit, 1, 0), 0);
    sw_sandbox_kill(s);
    assert_int_equal(poll(&exit, 1, 5000), 1);
    assert_ok(sw_sandbox_wait(s, &box.status, NULL, &box.err), box.err);
    assert_int_equal(box.status, 137);
    sw_sandbox_free(s);
}

/* The parent is a process of its own, which is killed; the pipe that only the sandbox's processes
 * still hold then ends. */
static void dies_with_its_parent(void **state) {
    /* The last one changes its user, at which the kernel forgets whom it was to follow. */
    static const char *const scripts[] = {
        "echo up; sleep 1000 & sleep 1000",
        "echo up; sleep 1000 & sleep 1000",
        "echo app:x:1000:1000::/:/bin/sh >/etc/passwd; exec su app -c 'echo up; sleep 1000'",
    };
    for (int i = 0; i < (box.userns.n_uids > 1000 ? 3 : 2); i++) {
        int pair[2];
        const char *argv[] = {"/bin/sh", "-c", scripts[i], NULL};
        char text[16];
        box_fresh(&box);
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        pid_t parent = fork();
        if (parent == 0) {
            struct sw_sandbox *s;
            box.spec.argv = argv;
            box.spec.init = i == 1;
            box.spec.stdout_fd = box.spec.stderr_fd = pair[1];
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (sw_sandbox_start(&box.spec, &s, &box.err)) _exit(1);
            pause();
        }
        close(pair[1]);
        assert_int_equal(read(pair[0], text, 3), 3);
        assert_memory_equal(text, "up\n", 3);
        kill(parent, SIGKILL);
        waitpid(parent, NULL, 0);
        struct pollfd end = {.fd = pair[0], .events = POLLIN};
        assert_int_equal(poll(&end, 1, 60000), 1); /* a busy machine takes its time */
        assert_int_equal(read(pair[0], text, sizeof text), 0);
        close(pair[0]);
    }
}

static void limits_need_a_control_group(void **state) {
    box.spec.limits = (struct sw_limits){.memory_bytes = 64 << 20, .milli_cpus = 500, .pids = 20};
    const char *argv[] = {"/bin/sh", "-c",
                          "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max "
                          "2>/dev/null; cat /proc/self/cgroup | grep pids",
                          NULL};
    enum sw_code code = box_run_argv(&box, argv);
    if (code == SW_UNSUPPORTED) skip();
    assert_ok(code, box.err);
    assert_contains(sw_buf_str(&box.out), "20");
}

static void memory_above_the_limit_is_an_oom_kill(void **state) {
    struct sw_sandbox *s;
    bool oom = false;
    const char *argv[] = {"/bin/sh", "-c",
                          "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null", NULL};
    box_fresh(&box);
    box.spec.argv = argv;
    box.spec.stdout_fd = box.spec.stderr_fd = -1;
    box.spec.limits = (struct sw_limits){.memory_bytes = 32 << 20};
    enum sw_code code = sw_sandbox_start(&box.spec, &s, &box.err);
    if (code == SW_UNSUPPORTED) skip();
    assert_ok(code, box.err);
    assert_ok(sw_sandbox_wait(s, &box.status, &oom, &box.err), box.err);
    sw_sandbox_free(s);
    assert_int_equal(box.status, 137);
    assert_true(oom);
}

/* Also the longest names that a store may give its layers. */
static void hundreds_of_layers_are_mounted(void **state) {
    static char names[SW_OVERLAY_LOWERS_MAX - 1][80];
    const char *lowers[SW_OVERLAY_LOWERS_MAX];
    struct sw_overlay overlay = box.overlay;
    const size_t n = SW_OVERLAY_LOWERS_MAX - 1;
    for (size_t i = 0; i < n - 1; i++) {
        char file[128];
        snprintf(names[i], sizeof names[i], "sha256:%064zu,\\", i);
        assert_int_equal(mkdirat(overlay.lower_dir, names[i], 0755), 0);
        snprintf(file, sizeof file, "%.80s/f%zu", names[i], i);
        int fd = openat(overlay.lower_dir, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        close(fd);
        lowers[i] = names[i];
    }
    lowers[n - 1] = "base";
    overlay.lowers = lowers;
    overlay.n_lowers = n;
    box.spec.overlay = &overlay;
    assert_str(box_sh(&box, "ls -d /f* | wc -l; ls /f0 /f497"), "498\n/f0\n/f497");
    lowers[n] = "base";
    overlay.n_lowers = n + 1;
    const char *argv[] = {"true", NULL};
    assert_refused(box_run_argv(&box, argv), SW_LIMIT, box.err);
    for (size_t i = 0; i < n - 1; i++)
        assert_ok(sw_remove_tree_at(overlay.lower_dir, names[i], &box.err), box.err);
}

static void an_image_may_have_no_layers(void **state) {
    struct sw_overlay overlay = box.overlay;
    struct sw_mount m = {
        .kind = SW_MOUNT_BIND, .target = "/bin", .source_dir = box.image, .source = "bin"};
    overlay.n_lowers = 0;
    overlay.lowers = NULL;
    box.spec.overlay = &overlay;
    box.spec.mounts = &m;
    box.spec.n_mounts = 1;
    assert_str(box_sh(&box, "echo >/x; ls /"), "bin\ndev\nproc\nsys\nx");
    overlay.upper = overlay.work = NULL;
    assert_str(box_sh(&box, "touch /x 2>&1; ls /"),
               "touch: /x: Read-only file system\nbin\ndev\nproc\nsys");
}

#define WORKERS 4

struct worker {
    pthread_t thread;
    int number, failed;
    struct sw_error err;
};

static void *run_some(void *argument) {
    struct worker *w = argument;
    const char *argv[] = {"/bin/sh", "-c", "echo >/x; exit 9", NULL};
    for (int i = 0; i < 5; i++) {
        struct sw_overlay overlay = box.overlay;
        struct sw_sandbox_spec spec = box.spec;
        struct sw_sandbox *s;
        char upper[32], work[32];
        int status = 0;
        snprintf(upper, sizeof upper, "fs-%d-%d", w->number, i);
        snprintf(work, sizeof work, "work-%d-%d", w->number, i);
        if (mkdirat(overlay.scratch_dir, upper, 0755) < 0 ||
            mkdirat(overlay.scratch_dir, work, 0755) < 0)
            w->failed++;
        overlay.upper = upper;
        overlay.work = work;
        spec.overlay = &overlay;
        spec.argv = argv;
        spec.stdout_fd = spec.stderr_fd = -1;
        if (sw_sandbox_start(&spec, &s, &w->err)) {
            w->failed++;
            continue;
        }
        if (sw_sandbox_wait(s, &status, NULL, &w->err) || status != 9) w->failed++;
        sw_sandbox_free(s);
        strcat(upper, "/x");
        if (faccessat(overlay.scratch_dir, upper, F_OK, 0) < 0) w->failed++;
    }
    return NULL;
}

static void threads_run_sandboxes_at_once(void **state) {
    struct worker workers[WORKERS] = {0};
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_some, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        if (workers[i].failed) fail_msg("%d failed: %s", workers[i].failed, workers[i].err.text);
    }
}

static void fuse_stands_in_for_the_kernel(void **state) {
    struct sw_overlay_mode mode = box.mode;
    struct sw_mount m = {.kind = SW_MOUNT_FILE, .target = "/run/x", .content = SW_STR("s\n")};
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, sizeof mode.fuse_path - 1);
    if (access("/dev/fuse", R_OK | W_OK) < 0 || !sw_proc_find("fuse-overlayfs", &path)) skip();
    mode.kind = SW_OVERLAY_FUSE;
    memcpy(mode.fuse_path, path.ptr, path.len + 1);
    box.spec.overlay_mode = &mode;
    box.spec.mounts = &m;
    box.spec.n_mounts = 1;
    struct sw_str text =
        box_sh(&box, "cat /run/x; echo >/new; rm /bin/wc; grep ' / ' /proc/mounts");
    assert_contains(text, "s\nfuse-overlayfs / fuse.fuse-overlayfs rw");
    assert_int_equal(faccessat(box.overlay.scratch_dir, "fs/new", F_OK, 0), 0);
    assert_int_equal(faccessat(box.overlay.scratch_dir, "fs/run", F_OK, 0), -1);
}

static void links_in_another_image_are_followed(void **state) {
    struct sw_overlay other = box.overlay;
    other.upper = other.work = NULL;
    struct sw_mount m = {.kind = SW_MOUNT_OVERLAY, .target = "/t/", .overlay = &other};
    box.spec.mounts = &m;
    box.spec.n_mounts = 1;
    m.source = "/one/../one/sh";
    assert_int_equal(symlinkat("two/", box.image, "one"), 0);
    assert_int_equal(symlinkat("/bin", box.image, "two"), 0);
    assert_str(box_sh(&box, "test -f /t && echo file"), "file");
    m.source = "one/";
    assert_str(box_sh(&box, "ls /t/sh"), "/t/sh");
    m.source = "/one/sh/x";
    const char *const argv[] = {"/bin/true", NULL}; /* box_sh's own has left its scope */
    assert_int_not_equal(box_run_argv(&box, argv), SW_OK);
    assert_int_equal(unlinkat(box.image, "one", 0), 0);
    assert_int_equal(unlinkat(box.image, "two", 0), 0);
}

/* A user at a terminal, played by the test: what is typed arrives, the size is followed, and the
 * terminal is as before at the end. */
static void relay_connects_two_terminals(void **state) {
    const char *argv[] = {"/bin/sh", "-c", "read a; echo got $a; stty size; read b; exit 4", NULL};
    char text[4096], name[64];
    size_t len = 0;
    struct winsize size = {.ws_row = 11, .ws_col = 22};
    struct termios before, after;
    struct sw_sandbox *s;
    int user = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(user >= 0 && grantpt(user) == 0 && unlockpt(user) == 0);
    assert_int_equal(ptsname_r(user, name, sizeof name), 0);
    int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0);
    assert_int_equal(ioctl(user, TIOCSWINSZ, &size), 0);
    assert_int_equal(tcgetattr(terminal, &before), 0);
    box_fresh(&box);
    box.spec.argv = argv;
    box.spec.tty = true;
    assert_ok(sw_sandbox_start(&box.spec, &s, &box.err), box.err);
    pid_t typist = fork();
    if (typist == 0) {
        /* Answers each echo, so that nothing depends on time. */
        if (write(user, "one\n", 4) != 4) _exit(1);
        bool sent = false;
        while (len < sizeof text - 1) {
            ssize_t n = read(user, text + len, sizeof text - 1 - len);
            if (n <= 0) _exit(2);
            len += (size_t)n;
            text[len] = 0;
            if (!sent && strstr(text, "got one") && strstr(text, "11 22")) {
                if (write(user, "two\n", 4) != 4) _exit(3);
                sent = true;
            }
            if (sent && strstr(text, "two")) _exit(0);
        }
        _exit(4);
    }
    assert_ok(sw_tty_relay(s, terminal, terminal, -1, &box.err), box.err);
    assert_ok(sw_sandbox_wait(s, &box.status, NULL, &box.err), box.err);
    sw_sandbox_free(s);
    assert_int_equal(box.status, 4);
    int status;
    assert_int_equal(waitpid(typist, &status, 0), typist);
    assert_int_equal(status, 0);
    assert_int_equal(tcgetattr(terminal, &after), 0);
    assert_int_equal(before.c_lflag, after.c_lflag);
    close(terminal);
    close(user);
}

/* An address of the way out, given by slirp4netns or pasta, and no way to the host's loopback. */
static void private_network_has_a_way_out(void **state) {
    if (sw_network_helper(NULL) == SW_NETHELP_NONE) skip();
    box.spec.network = SW_NETWORK_PRIVATE;
    struct sw_str text = box_sh(&box, "ip -o -4 addr; ip route");
    assert_contains(text, "inet 127.0.0.1/8");
    assert_contains(text, "default via");
}

static long elapsed_us(const struct timespec *from) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - from->tv_sec) * 1000000 + (now.tv_nsec - from->tv_nsec) / 1000;
}

static void fifty_sandboxes_are_quick(void **state) {
    const char *argv[] = {"/bin/true", NULL};
    struct timespec start;
    long best = 1000000;
    for (int i = 0; i < 50; i++) {
        struct sw_sandbox *s;
        box_fresh(&box);
        box.spec.argv = argv;
        box.spec.stdout_fd = box.spec.stderr_fd = -1;
        clock_gettime(CLOCK_MONOTONIC, &start);
        assert_ok(sw_sandbox_start(&box.spec, &s, &box.err), box.err);
        assert_ok(sw_sandbox_wait(s, &box.status, NULL, &box.err), box.err);
        long us = elapsed_us(&start);
        if (us < best) best = us;
        sw_sandbox_free(s);
    }
    print_message("# best of 50: %ld us\n", best);
}

int main(void) {
    if (!box_possible()) {
        printf("1..0 # SKIP no static busybox\n");
        return 0;
    }
#define T(name) cmocka_unit_test_setup(name, renew)
    const struct CMUnitTest tests[] = {
        T(runs_a_command),
        T(status_of_a_signal_is_128_and_it),
        T(environment_is_exact),
        T(capabilities_are_dockers_fourteen),
        T(other_users_have_no_capabilities),
        T(dangerous_calls_are_refused),
        T(insecure_may_mount),
        T(proc_and_dev_are_as_runc_makes_them),
        T(nothing_of_the_host_is_mounted),
        T(upper_holds_only_what_the_command_made),
        T(directory_root_loses_its_mount_points_again),
        T(links_in_the_image_lead_nowhere_outside),
        T(binds_files_and_directories),
        T(binds_a_path_of_another_image),
        T(links_in_another_image_are_followed),
        T(read_only_root_is_read_only),
        T(missing_command_is_127),
        T(what_cannot_be_executed_is_126),
        T(own_executable_is_not_run_inside),
        T(working_directory_must_exist),
        T(hostname_and_limits_are_set),
        T(init_reaps_and_forwards),
        T(no_network_has_loopback_only),
        T(terminal_is_a_terminal),
        T(kill_ends_the_whole_tree),
        T(dies_with_its_parent),
        T(limits_need_a_control_group),
        T(memory_above_the_limit_is_an_oom_kill),
        T(an_image_may_have_no_layers),
        T(threads_run_sandboxes_at_once),
        T(hundreds_of_layers_are_mounted),
        T(fuse_stands_in_for_the_kernel),
        T(relay_connects_two_terminals),
        T(private_network_has_a_way_out),
        T(fifty_sandboxes_are_quick),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
