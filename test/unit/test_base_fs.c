#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"

/* A tree with a root inside it and a secret outside of the root. */
static char top[64];
static int root;

static int make_tree(void **state) {
    strcpy(top, "/tmp/sw-fs-XXXXXX");
    if (!mkdtemp(top)) return -1;
    int fd = open(top, O_DIRECTORY | O_CLOEXEC);
    mkdirat(fd, "root", 0755);
    close(open("/dev/null", O_RDONLY));
    int secret = openat(fd, "secret", O_CREAT | O_WRONLY, 0644);
    if (write(secret, "outside", 7) != 7) return -1;
    close(secret);
    root = openat(fd, "root", O_DIRECTORY | O_CLOEXEC);
    mkdirat(root, "a", 0755);
    mkdirat(root, "a/b", 0755);
    int file = openat(root, "a/b/file", O_CREAT | O_WRONLY, 0644);
    if (write(file, "inside", 6) != 6) return -1;
    close(file);
    int decoy = openat(root, "secret", O_CREAT | O_WRONLY, 0644);
    if (write(decoy, "decoy", 5) != 5) return -1;
    close(decoy);
    if (symlinkat("../../../secret", root, "up") || symlinkat("/a/b", root, "abs") ||
        symlinkat("b/file", root, "a/rel") || symlinkat("loop", root, "loop") ||
        symlinkat("/proc/self/root", root, "a/proc"))
        return -1;
    close(fd);
    return 0;
}

static int drop_tree(void **state) {
    struct sw_error err;
    close(root);
    return sw_remove_tree_at(AT_FDCWD, top, &err) ? -1 : 0;
}

static void reads(const char *path, const char *expected) {
    SW_FD int fd = -1;
    SW_BUF struct sw_buf text;
    struct sw_error err = {0};
    sw_buf_init(&text, 100);
    assert_ok(sw_open_beneath(root, path, O_RDONLY, 0, &fd, &err), err);
    assert_ok(sw_read_fd(fd, 100, &text, &err), err);
    assert_str(sw_buf_str(&text), expected);
}

static void refuses(const char *path, int flags, int errnum) {
    struct sw_error err = {0};
    int fd = -7;
    assert_int_not_equal(sw_open_beneath(root, path, flags, 0644, &fd, &err), SW_OK);
    if (err.sys_errno != errnum) fail_msg("%s: expected errno %d, got %s", path, errnum, err.text);
    assert_int_equal(fd, -7);
}

static void links_are_resolved_inside_the_root(void **state) {
    reads("a/b/file", "inside");
    reads("/a/b/file", "inside");
    reads("abs/file", "inside");
    reads("a/rel", "inside");
    reads("up", "decoy");
    reads("../../secret", "decoy");
    reads("a/../../secret", "decoy");
    refuses("loop", O_RDONLY, ELOOP);
    refuses("a/proc/etc/passwd", O_RDONLY, ENOENT);
    refuses("a/b/file/", O_RDONLY, ENOTDIR);
    refuses("a/b/file/x", O_RDONLY, ENOTDIR);
    refuses("abs", O_RDONLY | O_NOFOLLOW, ELOOP);
    refuses("missing/x", O_RDONLY, ENOENT);
}

static void creation_stays_inside_the_root(void **state) {
    struct sw_error err = {0};
    SW_FD int fd = -1;
    assert_ok(sw_open_beneath(root, "abs/new", O_CREAT | O_EXCL | O_WRONLY, 0600, &fd, &err), err);
    assert_int_equal(faccessat(root, "a/b/new", F_OK, 0), 0);
    refuses("abs/new", O_CREAT | O_EXCL | O_WRONLY, EEXIST);
    assert_int_equal(symlinkat("/made", root, "dangling"), 0);
    refuses("dangling", O_CREAT | O_EXCL | O_WRONLY, EEXIST);
    assert_ok(sw_mkdirs_beneath(root, "/abs/x/../y/z", 0755, &err), err);
    assert_int_equal(faccessat(root, "a/b/y/z", F_OK, 0), 0);
    assert_refused(sw_mkdirs_beneath(root, "secret/x", 0755, &err), SW_IO, err);
}

static void parent_is_opened_and_last_name_given(void **state) {
    struct sw_error err = {0};
    SW_FD int dir = -1;
    char name[256];
    assert_ok(sw_open_parent_beneath(root, "abs/file//", &dir, name, sizeof name, &err), err);
    assert_string_equal(name, "file");
    assert_int_equal(faccessat(dir, "file", F_OK, 0), 0);
    int none = -1;
    assert_refused(sw_open_parent_beneath(root, "/", &none, name, sizeof name, &err), SW_USAGE,
                   err);
    assert_refused(sw_open_parent_beneath(root, "a/..", &none, name, sizeof name, &err), SW_USAGE,
                   err);
}

static void atomic_file_is_whole_or_absent(void **state) {
    struct sw_error err = {0};
    {
        SW_ATOMIC struct sw_atomic_file f = {.fd = -1};
        assert_ok(sw_atomic_open(&f, root, 0644, &err), err);
        assert_ok(sw_write_full(f.fd, "half", 4, &err), err);
        assert_int_equal(faccessat(root, "target", F_OK, 0), -1);
    }
    assert_ok(sw_write_file_at(root, "target", 0640, SW_STR("one"), &err), err);
    assert_ok(sw_write_file_at(root, "target", 0640, SW_STR("two"), &err), err);
    reads("target", "two");
}

static void lock_excludes_another_holder(void **state) {
    struct sw_error err = {0};
    SW_FD int held = -1;
    int other = -1;
    assert_ok(sw_lock_file_at(root, "lock", true, false, &held, &err), err);
    assert_refused(sw_lock_file_at(root, "lock", true, false, &other, &err), SW_BUSY, err);
    assert_refused(sw_lock_file_at(root, "lock", false, false, &other, &err), SW_BUSY, err);
}

static void removal_does_not_follow_links_and_opens_locked_directories(void **state) {
    struct sw_error err = {0};
    assert_ok(sw_mkdirs_beneath(root, "gone/deep/er", 0755, &err), err);
    assert_int_equal(symlinkat("../a", root, "gone/link"), 0);
    close(openat(root, "gone/deep/f", O_CREAT | O_WRONLY, 0));
    assert_int_equal(fchmodat(root, "gone/deep", 0, 0), 0);
    assert_ok(sw_remove_tree_at(root, "gone", &err), err);
    assert_int_equal(faccessat(root, "gone", F_OK, 0), -1);
    assert_int_equal(faccessat(root, "a/b/file", F_OK, 0), 0);
    assert_ok(sw_remove_tree_at(root, "gone", &err), err);
}

static void read_refuses_more_than_the_limit(void **state) {
    struct sw_error err = {0};
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 0);
    assert_refused(sw_read_file_at(root, "a/b/file", 5, &text, &err), SW_LIMIT, err);
}

/* Files of /proc have no size, and a buffer for one of their lines is small. */
static void read_fills_a_small_buffer_to_its_end(void **state) {
    struct sw_error err = {0};
    SW_BUF struct sw_buf text;
    SW_BUF struct sw_buf exact;
    sw_buf_init(&text, 128);
    assert_ok(sw_read_file_at(AT_FDCWD, "/proc/sys/kernel/pid_max", 128, &text, &err), err);
    assert_true(text.len > 1);
    sw_buf_init(&exact, text.len);
    assert_ok(sw_read_file_at(AT_FDCWD, "/proc/sys/kernel/pid_max", 128, &exact, &err), err);
    assert_int_equal(exact.len, text.len);
    sw_buf_reset(&exact);
    assert_refused(sw_read_file_at(AT_FDCWD, "/proc/self/status", 128, &exact, &err), SW_LIMIT,
                   err);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_fills_a_small_buffer_to_its_end),
        cmocka_unit_test_setup_teardown(links_are_resolved_inside_the_root, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(creation_stays_inside_the_root, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(parent_is_opened_and_last_name_given, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(atomic_file_is_whole_or_absent, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(lock_excludes_another_holder, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(removal_does_not_follow_links_and_opens_locked_directories,
                                        make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(read_refuses_more_than_the_limit, make_tree, drop_tree),
    };
#ifdef OLD_KERNEL
    /* The same rules must hold for the walk that kernels before 5.6 need. */
    setenv("SLIPWAY_FAULT", "openat2:1+:ENOSYS", 1);
    return cmocka_run_group_tests_name("base_fs_walk", tests, NULL, NULL);
#else
    return cmocka_run_group_tests_name("base_fs", tests, NULL, NULL);
#endif
}
