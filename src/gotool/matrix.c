#include "gotool/matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/proc.h"
#include "gotool/launch.h"

struct job {
    struct sw_go_run *run;
    const char *const *argv;
    const char *program;
    char **env;
};

/* A file without a name: output may be longer than a pipe holds while nobody reads. */
static int nameless_file(struct sw_error *err) {
    const char *dir = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/slipway-matrix-XXXXXX", dir && *dir ? dir : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        sw_fail_sys(err, errno, "create a file in %s", dir && *dir ? dir : "/tmp");
        return -1;
    }
    unlink(path);
    return fd;
}

static void run(void *context) {
    struct job *j = context;
    struct sw_error err;
    struct sw_proc proc;
    int64_t start = sw_now_mono_ns();
    j->run->status = 126;
    SW_FD int out = nameless_file(&err);
    if (out < 0) {
        sw_buf_addf(&j->run->output, "%s\n", err.text);
        return;
    }
    size_t n = 0;
    while (j->argv[n]) n++;
    const char **argv = sw_calloc(n + 1, sizeof *argv);
    for (size_t i = 0; i <= n; i++) argv[i] = j->argv[i];
    argv[0] = j->program;
    struct sw_proc_options o = {
        .argv = argv, .envp = (const char *const *)j->env, .stdout_fd = out, .stderr_fd = out};
    enum sw_code code = sw_proc_start(&proc, &o, &err);
    if (!code) code = sw_proc_wait(&proc, &j->run->status, &err);
    if (code) sw_buf_addf(&j->run->output, "%s\n", err.text);
    j->run->duration_ns = sw_now_mono_ns() - start;
    free(argv);
    if (lseek(out, 0, SEEK_SET) == 0 &&
        sw_read_fd(out, SW_GO_MATRIX_OUTPUT_MAX, &j->run->output, &err))
        sw_buf_addf(&j->run->output, "\n(%s)\n", err.text);
}

enum sw_code sw_go_matrix(const struct sw_go_store *store, struct sw_go_run *runs, size_t n,
                          unsigned jobs, const char *const *argv, struct sw_arena *a,
                          struct sw_error *err) {
    extern char **environ;
    struct job *list = sw_arena_array(a, n + 1, sizeof *list);
    struct sw_pool *pool = sw_pool_new(jobs ? jobs : sw_cpu_count(), 0);
    struct sw_group *group = sw_group_new(pool);
    for (size_t i = 0; i < n; i++) {
        struct sw_go_run *r = &runs[i];
        sw_buf_init(&r->output, SW_GO_MATRIX_OUTPUT_MAX + 4096);
        list[i] = (struct job){.run = r, .argv = argv};
        list[i].env = sw_go_environment(a, environ, r->it.system ? store->system : store->root,
                                        r->it.path, r->it.name + 2, false);
        struct sw_error reason;
        enum sw_code code = sw_go_find_program(a, argv[0], list[i].env, &list[i].program, &reason);
        if (code) {
            r->status = code == SW_NOT_FOUND ? 127 : 126;
            sw_buf_addf(&r->output, "%s\n", reason.text);
            continue;
        }
        sw_group_submit(group, run, &list[i]);
    }
    sw_group_wait(group);
    sw_group_free(group);
    sw_pool_free(pool);
    return sw_cancel_check(err);
}

void sw_go_matrix_done(struct sw_go_run *runs, size_t n) {
    for (size_t i = 0; i < n; i++) sw_buf_done(&runs[i].output);
}
