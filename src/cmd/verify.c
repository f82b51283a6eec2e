/* slipway verify: is the build reproducible? Two cold builds as two child processes, each from its
 * own copy of the context, one after the other; then the two images are compared. Whatever could
 * find its way into an image is not the same in the second: see struct conditions. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "cmd/diff.h"
#include "cmd/session.h"
#include "cmd/table.h"

#define BUILDS 2
#define DEPTH_MAX 256 /* of directories that are made in another order; deeper ones are copied */

extern char **environ;

typedef SW_VEC(const char *) arguments;

struct work {
    struct sw_invocation *inv;
    char *dir;                 /* temporary; owned */
    struct sw_str ids[BUILDS]; /* of the images; arena */
};

/* Options that are about something else than what is in the image. */
static bool is_ours(const char *name) {
    static const char *const names[] = {
        "tag",      "output", "iidfile",    "quiet",    "metadata-file",  "no-cache",
        "progress", "jobs",   "cache-from", "cache-to", "fail-on-miss",   "explain",
        "load",     "push",   "help",       "root",     "no-cache-filter"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

/* The command line's options again, for the child. */
static void pass_options(struct sw_invocation *inv, arguments *argv) {
    for (const struct sw_option *o = inv->command->options; o->name; o++) {
        size_t n;
        const char *const *values = sw_opt_list(inv, o->name, &n);
        if (is_ours(o->name) || (o->flags & SW_OPT_IGNORED)) continue;
        if (!o->value && sw_opt_flag(inv, o->name))
            sw_vec_add(argv, sw_arena_printf(inv->arena, "--%s", o->name).ptr);
        for (size_t i = 0; o->value && i < n; i++)
            sw_vec_add(argv, sw_arena_printf(inv->arena, "--%s=%s", o->name, values[i]).ptr);
    }
}

/* ---- what is not the same in the second build ---- */

static const struct conditions {
    const char *copy; /* of different lengths, for tools that write the path of their directory */
    const char *jobs;
    const char *temp;
    mode_t mask;
    bool other_order;       /* names are made in the directories from the last to the first */
    bool fewer_processors;  /* so of threads, ours and a compiler's */
    const char *const *env; /* instead of these variables, where --build-arg does not name them */
} conditions[BUILDS] = {
    {.copy = "copy", .jobs = "--jobs=1", .temp = "tmp", .mask = 022},
    {.copy = "another-copy",
     .jobs = "--jobs=8",
     .temp = "another-tmp",
     .mask = 077,
     .other_order = true,
     .fewer_processors = true,
     .env = (const char *const[]){"TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", "LC_ALL=C",
                                  "USER=another", "LOGNAME=another", "COLUMNS=61", "NO_COLOR=1",
                                  "SLIPWAY_VERIFY=2", NULL}},
};

static int last_first(const struct dirent **a, const struct dirent **b) { return -alphasort(a, b); }

/* The names of a tree's directories and files, empty; cp fills them in. Where a file system lists
 * names in the order that they were made in, it lists these the other way round. */
static void make_names(int from, int to, int depth) {
    struct dirent **names;
    int n = depth < DEPTH_MAX ? scandirat(from, ".", &names, NULL, last_first) : -1;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        bool is_dir = names[i]->d_type == DT_DIR && strcmp(name, ".") != 0 && strcmp(name, "..");
        SW_FD int a = -1;
        SW_FD int b = -1;
        /* What fails here, cp will fail at, and say so. */
        if (is_dir && mkdirat(to, name, 0700) == 0) {
            a = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            b = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (a >= 0 && b >= 0) make_names(a, b, depth + 1);
        } else if (names[i]->d_type == DT_REG) {
            a = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        }
        free(names[i]);
    }
    if (n >= 0) free(names);
}

/* Times are those of the copying, as after a checkout. */
static enum sw_code copy_context(struct work *w, const struct conditions *c, const char **ret,
                                 struct sw_error *err) {
    *ret = sw_arena_printf(w->inv->arena, "%s/%s", w->dir, c->copy).ptr;
    const char *from = sw_arena_printf(w->inv->arena, "%s/.", w->inv->args[0]).ptr;
    if (mkdir(*ret, 0755) < 0) return sw_fail_sys(err, errno, "make %s", *ret);
    if (c->other_order) {
        SW_FD int a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        SW_FD int b = open(*ret, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (a >= 0 && b >= 0) make_names(a, b, 0);
    }
    struct sw_proc_options run = {.argv = (const char *[]){"cp", "-dRf",
                                                           "--preserve=mode,links,xattr,ownership",
                                                           "--", from, *ret, NULL}};
    enum sw_code code = sw_proc_run(&run, NULL, err);
    return code ? sw_context(err, "copying the context") : SW_OK;
}

/* "NAME=value" has the name of a --build-arg that takes its value from the environment. */
static bool is_build_arg(struct sw_invocation *inv, const char *variable) {
    size_t n, len = strcspn(variable, "=");
    const char *const *args = sw_opt_list(inv, "build-arg", &n);
    for (size_t i = 0; i < n; i++)
        if (!strncmp(args[i], variable, len) && !args[i][len]) return true;
    return false;
}

static bool is_replaced(const struct conditions *c, const char *variable) {
    size_t len = strcspn(variable, "=") + 1;
    for (const char *const *v = c->env; v && *v; v++)
        if (!strncmp(*v, variable, len)) return true;
    return false;
}

/* The environment of a build; TMPDIR always, the rest where the conditions say so. */
static const char *const *environment(struct work *w, const struct conditions *c,
                                      struct sw_error *err) {
    struct sw_arena *a = w->inv->arena;
    arguments env = {0};
    const char *temp = sw_arena_printf(a, "%s/%s", w->dir, c->temp).ptr;
    if (mkdir(temp, 0700) < 0) {
        sw_fail_sys(err, errno, "make %s", temp);
        return NULL;
    }
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "TMPDIR=", 7) != 0 && (!is_replaced(c, *e) || is_build_arg(w->inv, *e)))
            sw_vec_add(&env, *e);
    for (const char *const *v = c->env; v && *v; v++)
        if (!is_build_arg(w->inv, *v)) sw_vec_add(&env, *v);
    sw_vec_add(&env, sw_arena_printf(a, "TMPDIR=%s", temp).ptr);
    sw_vec_add(&env, NULL);
    const char **copy = sw_arena_array(a, env.len, sizeof *copy);
    memcpy(copy, env.ptr, env.len * sizeof *copy);
    sw_vec_done(&env);
    return copy;
}

/* The processors that this process, and so the next child, may use: all of *all, or one fewer. */
static void set_processors(const cpu_set_t *all, bool fewer) {
    cpu_set_t set = *all;
    for (int i = 0; fewer && CPU_COUNT(all) > 1 && i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set)) continue;
        CPU_CLR(i, &set);
        break;
    }
    sched_setaffinity(0, sizeof set, &set);
}

/* No moment of the next build may be one of the last, as clocks show them: by the second. */
static void wait_for_next_second(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct timespec end = {.tv_sec = now.tv_sec + 1};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL) == EINTR && !sw_cancelled()) {
    }
}

static enum sw_code run_under(const struct conditions *c, const struct sw_proc_options *run,
                              struct sw_buf *out, struct sw_error *err) {
    cpu_set_t all;
    bool known = sched_getaffinity(0, sizeof all, &all) == 0;
    mode_t mask = umask(c->mask);
    if (known) set_processors(&all, c->fewer_processors);
    enum sw_code code = sw_proc_run(run, out, err);
    if (known) set_processors(&all, false);
    umask(mask);
    return code;
}

static enum sw_code build_once(struct work *w, size_t i, struct sw_error *err) {
    const struct conditions *c = &conditions[i];
    struct sw_arena *a = w->inv->arena;
    arguments argv = {0};
    const char *context = NULL;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 65536);
    enum sw_code code = copy_context(w, c, &context, err);
    if (code) return code;
    const char *const *env = environment(w, c, err);
    if (!env) return err->code;
    sw_vec_add(&argv, "/proc/self/exe");
    if (w->inv->root) sw_vec_add(&argv, sw_arena_printf(a, "--root=%s", w->inv->root).ptr);
    sw_vec_add(&argv, "build");
    pass_options(w->inv, &argv);
    sw_vec_add(&argv, "--no-cache");
    sw_vec_add(&argv, "--quiet");
    sw_vec_add(&argv, c->jobs);
    sw_vec_add(&argv, "--");
    sw_vec_add(&argv, context);
    sw_vec_add(&argv, NULL);
    fprintf(stderr, "build %zu of %d\n", i + 1, BUILDS);
    if (i) wait_for_next_second();
    struct sw_proc_options run = {.argv = argv.ptr, .envp = env};
    code = run_under(c, &run, &out, err);
    sw_vec_done(&argv);
    if (code) return sw_context(err, "build %zu", i + 1);
    w->ids[i] = sw_arena_str(a, sw_str_trim(sw_buf_str(&out)));
    return SW_OK;
}

/* ---- the comparison ---- */

static enum sw_code compare(struct work *w, struct sw_error *err) {
    struct sw_invocation *inv = w->inv;
    SW_SESSION struct sw_session session = {0};
    struct sw_image_read x, y;
    size_t n = 0;
    if (sw_str_eq(w->ids[0], w->ids[1])) {
        printf("reproducible: %.*s\n", SW_ARG(w->ids[0]));
        return SW_OK;
    }
    enum sw_code code = sw_session_open(inv, SW_SESSION_READ_ONLY, &session, err);
    if (!code) code = sw_image_read(session.store, inv->arena, w->ids[0], &x, err);
    if (!code) code = sw_image_read(session.store, inv->arena, w->ids[1], &y, err);
    if (!code) code = sw_diff_images(session.store, inv->arena, &x, &y, stdout, &n, err);
    if (code) return code;
    printf("not reproducible: %zu differences between\n  %.*s\n  %.*s\n", n, SW_ARG(w->ids[0]),
           SW_ARG(w->ids[1]));
    inv->exit_status = 1;
    return SW_OK;
}

static enum sw_code run(struct sw_invocation *inv, struct sw_error *err) {
    const char *temp = getenv("TMPDIR");
    struct work w = {.inv = inv};
    if (!strcmp(inv->args[0], "-"))
        return sw_fail(err, SW_USAGE, "verify needs a context that can be read twice: a directory");
    w.dir = sw_asprintf("%s/slipway-verify.XXXXXX", temp && *temp ? temp : "/tmp");
    enum sw_code code = SW_OK;
    if (!mkdtemp(w.dir)) {
        code = sw_fail_sys(err, errno, "make a directory like %s", w.dir);
        free(w.dir);
        return code;
    }
    for (size_t i = 0; i < BUILDS && !code; i++) code = build_once(&w, i, err);
    if (!code) code = compare(&w, err);
    struct sw_error ignored = {0};
    if (sw_remove_tree_at(AT_FDCWD, w.dir, &ignored))
        fprintf(stderr, "slipway: %s stays: %s\n", w.dir, ignored.text);
    free(w.dir);
    return code;
}

const struct sw_command sw_cmd_verify = {
    .name = "verify",
    .args = "[OPTIONS] PATH",
    .summary = "Build twice without cache and compare the images",
    .description =
        "Builds from two copies of PATH. The second build differs in what could find its way into "
        "an "
        "image: the name of the directory and the order of names in it, the time (by a second at "
        "least), how many RUN steps run at once, the number of processors and so of threads, the "
        "file mask, TMPDIR, the language and the time zone. Where the images differ, it shows "
        "which "
        "file of which step, and the first bytes that differ. Takes the options of build; those "
        "about names, outputs "
        "and the cache have no effect. The images stay in the store without a name; `slipway "
        "prune` removes them.\n\n"
        "Exit status: 0 reproducible, 1 not.",
    .examples = "  slipway verify .\n  slipway verify --target release --build-arg VERSION=1.2 .",
    .options = sw_build_options_table,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
