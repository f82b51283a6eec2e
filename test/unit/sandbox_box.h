/* A small image for the tests of the sandbox: busybox in a layer, and a scratch directory. */
#ifndef SW_TEST_SANDBOX_BOX_H
#define SW_TEST_SANDBOX_BOX_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "sandbox/sandbox.h"
#include "unit.h"

struct box {
    char path[256];
    int dir;   /* path */
    int image; /* path/lower/base */
    struct sw_userns userns;
    struct sw_overlay_mode mode;
    const char *lowers[2];
    struct sw_overlay overlay;
    struct sw_sandbox_spec spec;
    const char *argv[8], *envp[4];
    struct sw_buf out;
    struct sw_error err;
    int status;
};

static inline void box_copy(const char *from, int dir, const char *name) {
    struct sw_error err;
    int in = open(from, O_RDONLY | O_CLOEXEC), to = openat(dir, name, O_WRONLY | O_CREAT, 0755);
    assert_true(in >= 0 && to >= 0);
    assert_ok(sw_copy_fd(in, to, NULL, &err), err);
    close(in);
    close(to);
}

static inline bool box_possible(void) { return access("/bin/busybox", X_OK) == 0; }

/* parent: where to make it. The process may have entered a user namespace already. */
static inline void box_make(struct box *b, const char *parent, const struct sw_userns *userns) {
    static const char *const names[] = {
        "sh",    "cat",      "ls",    "true", "echo", "id",   "mount",  "kill",    "sleep",
        "ps",    "mkdir",    "touch", "rm",   "nc",   "stty", "umount", "unshare", "readlink",
        "stat",  "hostname", "wget",  "ip",   "grep", "dd",   "tty",    "pwd",     "env",
        "chown", "mknod",    "ln",    "trap", "wc",   "head", "su",     "test"};
    memset(b, 0, sizeof *b);
    b->userns = *userns;
    snprintf(b->path, sizeof b->path, "%s/slipway-box-XXXXXX", parent);
    assert_non_null(mkdtemp(b->path));
    b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(b->dir >= 0);
    assert_int_equal(fchmod(b->dir, 0755), 0);
    assert_ok(sw_mkdirs_at(b->dir, "lower/base/bin", 0755, &b->err), b->err);
    assert_ok(sw_mkdirs_at(b->dir, "lower/base/etc", 0755, &b->err), b->err);
    assert_ok(sw_mkdirs_at(b->dir, "lower/base/tmp", 0777, &b->err), b->err);
    assert_ok(sw_mkdirs_at(b->dir, "run/fs", 0755, &b->err), b->err);
    assert_ok(sw_mkdirs_at(b->dir, "run/work", 0755, &b->err), b->err);
    b->image = openat(b->dir, "lower/base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    box_copy("/bin/busybox", b->image, "bin/busybox");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char link[64];
        snprintf(link, sizeof link, "bin/%s", names[i]);
        assert_int_equal(symlinkat("busybox", b->image, link), 0);
    }
    assert_ok(sw_overlay_probe(b->dir, &b->userns, &b->mode, &b->err), b->err);
    b->lowers[0] = "base";
    b->overlay = (struct sw_overlay){.lower_dir = openat(b->dir, "lower", O_RDONLY | O_CLOEXEC),
                                     .lowers = b->lowers,
                                     .n_lowers = 1,
                                     .scratch_dir = openat(b->dir, "run", O_RDONLY | O_CLOEXEC),
                                     .upper = "fs",
                                     .work = "work"};
    sw_sandbox_spec_init(&b->spec, &b->userns);
    b->spec.overlay = &b->overlay;
    b->spec.overlay_mode = &b->mode;
    b->envp[0] = "PATH=/sbin:/bin";
    b->envp[1] = "HOME=/root";
    b->spec.envp = b->envp;
    b->spec.stdin_fd = -1;
    sw_buf_init(&b->out, 1 << 20);
}

/* A new upper directory, as for the next step. */
static inline void box_fresh(struct box *b) {
    assert_ok(sw_remove_tree_at(b->overlay.scratch_dir, "fs", &b->err), b->err);
    assert_ok(sw_remove_tree_at(b->overlay.scratch_dir, "work", &b->err), b->err);
    assert_int_equal(mkdirat(b->overlay.scratch_dir, "fs", 0755), 0);
    assert_int_equal(mkdirat(b->overlay.scratch_dir, "work", 0755), 0);
}

static inline void box_done(struct box *b) {
    struct sw_error err;
    close(b->overlay.lower_dir);
    close(b->overlay.scratch_dir);
    close(b->image);
    close(b->dir);
    sw_buf_done(&b->out);
    assert_ok(sw_remove_tree_at(AT_FDCWD, b->path, &err), err);
}

/* Runs argv with its output collected; the code of start. */
static inline enum sw_code box_run_argv(struct box *b, const char *const *argv) {
    int pair[2];
    struct sw_sandbox *s = NULL;
    box_fresh(b);
    sw_buf_reset(&b->out);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    b->spec.argv = argv;
    b->spec.stdout_fd = b->spec.stderr_fd = pair[1];
    enum sw_code code = sw_sandbox_start(&b->spec, &s, &b->err);
    close(pair[1]);
    if (!code) {
        assert_ok(sw_read_fd(pair[0], 1 << 20, &b->out, &b->err), b->err);
        assert_ok(sw_sandbox_wait(s, &b->status, NULL, &b->err), b->err);
        sw_sandbox_free(s);
    }
    close(pair[0]);
    return code;
}

/* Runs a shell script; asserts that it started. */
static inline struct sw_str box_sh(struct box *b, const char *script) {
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    assert_ok(box_run_argv(b, argv), b->err);
    return sw_str_trim(sw_buf_str(&b->out));
}

/* From here on the calls that came after Linux 3.10 do not exist for this process. */
static inline void box_become_old(void) {
    static const int missing[] = {
        SYS_renameat2,
        SYS_memfd_create,
        SYS_copy_file_range,
        332 /* statx */,
        424 /* pidfd_send_signal */,
        428 /* open_tree */,
        429,
        430 /* fsopen */,
        431,
        432,
        433,
        434 /* pidfd_open */,
        435 /* clone3 */,
        436 /* close_range */,
        437 /* openat2 */,
        439 /* faccessat2 */,
        442 /* mount_setattr */,
        SYS_execveat,
        SYS_getrandom,
    };
    const size_t n = sizeof missing / sizeof missing[0];
    struct sock_filter code[64];
    size_t at = 0;
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)missing[i],
                                                  (unsigned char)(n - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(77);
}

#endif
