/* slipway verify: is the build reproducible? Two cold builds as two child processes, each from its
 * own copy of the context, one after the other, with one RUN at a time and with several; then the
 * two images are compared. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/vec.h"
#include "cmd/diff.h"
#include "cmd/session.h"
#include "cmd/table.h"

#define BUILDS 2

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

/* Times are those of the copying, as after a checkout. */
static enum sw_code copy_context(struct work *w, size_t i, const char **ret, struct sw_error *err) {
    /* Of different lengths, for tools that write the path of their directory down. */
    *ret = sw_arena_printf(w->inv->arena, "%s/%s", w->dir, i ? "another-copy" : "copy").ptr;
    const char *from = sw_arena_printf(w->inv->arena, "%s/.", w->inv->args[0]).ptr;
    if (mkdir(*ret, 0755) < 0) return sw_fail_sys(err, errno, "make %s", *ret);
    struct sw_proc_options run = {.argv = (const char *[]){"cp", "-dR",
                                                           "--preserve=mode,links,xattr,ownership",
                                                           "--", from, *ret, NULL}};
    enum sw_code code = sw_proc_run(&run, NULL, err);
    return code ? sw_context(err, "copying the context") : SW_OK;
}

static enum sw_code build_once(struct work *w, size_t i, struct sw_error *err) {
    struct sw_arena *a = w->inv->arena;
    arguments argv = {0};
    const char *context = NULL;
    SW_BUF struct sw_buf out;
    sw_buf_init(&out, 65536);
    enum sw_code code = copy_context(w, i, &context, err);
    if (code) return code;
    sw_vec_add(&argv, "/proc/self/exe");
    if (w->inv->root) sw_vec_add(&argv, sw_arena_printf(a, "--root=%s", w->inv->root).ptr);
    sw_vec_add(&argv, "build");
    pass_options(w->inv, &argv);
    sw_vec_add(&argv, "--no-cache");
    sw_vec_add(&argv, "--quiet");
    sw_vec_add(&argv, i ? "--jobs=8" : "--jobs=1");
    sw_vec_add(&argv, "--");
    sw_vec_add(&argv, context);
    sw_vec_add(&argv, NULL);
    fprintf(stderr, "build %zu of %d\n", i + 1, BUILDS);
    struct sw_proc_options run = {.argv = argv.ptr};
    code = sw_proc_run(&run, &out, err);
    sw_vec_done(&argv);
    if (code) return sw_context(err, "build %zu", i + 1);
    w->ids[i] = sw_arena_str(a, sw_str_trim(sw_buf_str(&out)));
    return SW_OK;
}

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
        "Builds from two copies of PATH in different directories, at different times, with one RUN "
        "at a time and with several. Where the images differ, it shows which file of which step, "
        "and the first bytes that differ. Takes the options of build; those about names, outputs "
        "and the cache have no effect. The images stay in the store without a name; `slipway "
        "prune` removes them.\n\n"
        "Exit status: 0 reproducible, 1 not.",
    .examples = "  slipway verify .\n  slipway verify --target release --build-arg VERSION=1.2 .",
    .options = sw_build_options_table,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
