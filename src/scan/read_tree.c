/* A directory, or a single program, as if it were the only layer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "scan/collect.h"
#include "scan/read.h"

struct tree {
    struct sw_collector *collector;
    const struct sw_strs *exclude;
    struct sw_arena *a;
    dev_t device;
    SW_VEC(struct sw_str) queue; /* directories to read, clean paths */
};

static enum sw_code take_program(struct tree *t, struct sw_str path, int fd, uint64_t size,
                                 struct sw_error *err) {
    char ident[16];
    struct sw_scan_file file = {fd, 0};
    struct sw_source source = sw_scan_file_source(&file, size);
    enum sw_code code = sw_source_read(&source, 0, ident, sizeof ident, err);
    if (code || !sw_object_sniff(ident, sizeof ident)) return code;
    return sw_collect_program(t->collector, path, &source, err);
}

static enum sw_code take_file(struct tree *t, int dir, const char *name, struct sw_str path,
                              uint64_t size, struct sw_error *err) {
    enum sw_collect_want want = sw_collect_wants(path, size);
    if (want == SW_COLLECT_NOTHING) return SW_OK;
    SW_FD int fd = -1;
    struct sw_error why;
    enum sw_code code =
        sw_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, &fd, &why);
    if (!code && want == SW_COLLECT_PROGRAM) code = take_program(t, path, fd, size, &why);
    if (!code && want == SW_COLLECT_CONTENT) {
        SW_BUF struct sw_buf content;
        sw_buf_init(&content, 0);
        code = sw_read_fd(fd, SW_SCAN_DOCUMENT_MAX, &content, &why);
        if (!code) code = sw_collect_content(t->collector, path, sw_buf_str(&content), &why);
    }
    return code ? sw_collect_problem(t->collector, path, why.text, err) : SW_OK;
}

static bool excluded(const struct tree *t, struct sw_str path) {
    /* Kernel file systems hold no files of an image. */
    return sw_str_is(path, "proc") || sw_str_is(path, "sys") || sw_str_is(path, "dev") ||
           (t->exclude && sw_strs_has(t->exclude, path));
}

static enum sw_code take_name(struct tree *t, int dir, struct sw_str parent, const char *name,
                              struct sw_error *err) {
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return SW_OK; /* gone meanwhile */
    struct sw_str path =
        sw_arena_printf(t->a, "%.*s%s%s", SW_ARG(parent), parent.len ? "/" : "", name);
    if (S_ISDIR(st.st_mode)) {
        if (st.st_dev == t->device && !excluded(t, path)) sw_vec_add(&t->queue, path);
        return sw_collect_path(t->collector, path, true, err);
    }
    enum sw_code code = sw_collect_path(t->collector, path, false, err);
    if (code || !S_ISREG(st.st_mode)) return code;
    return take_file(t, dir, name, path, (uint64_t)st.st_size, err);
}

static enum sw_code read_dir(struct tree *t, int root, struct sw_str path, struct sw_error *err) {
    SW_FD int fd = -1;
    struct sw_error why;
    const char *name = path.len ? sw_arena_cstr(t->a, path) : ".";
    enum sw_code code =
        sw_open_beneath(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, &why);
    if (code) return sw_collect_problem(t->collector, path, why.text, err);
    DIR *dir = fdopendir(dup(fd));
    if (!dir) return sw_fail_sys(err, errno, "reading directory %s", name);
    struct dirent *entry;
    while (!code && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            code = take_name(t, fd, path, entry->d_name, err);
    closedir(dir);
    if (!code) code = sw_cancel_check(err);
    return code ? code : sw_arena_check(t->a, "the directory's inventory", err);
}

enum sw_code sw_scan_read_tree(struct sw_arena *a, int dir_fd, const struct sw_strs *exclude,
                               struct sw_scan_layer *ret, struct sw_error *err) {
    struct stat st;
    if (fstat(dir_fd, &st) != 0) return sw_fail_sys(err, errno, "reading the directory");
    struct tree t = {
        .collector = sw_collector_new(a), .exclude = exclude, .a = a, .device = st.st_dev};
    sw_vec_add(&t.queue, SW_STR(""));
    enum sw_code code = SW_OK;
    for (size_t i = 0; i < t.queue.len && !code; i++)
        code = read_dir(&t, dir_fd, t.queue.ptr[i], err);
    if (!code) code = sw_collect_finish(t.collector, ret, err);
    sw_vec_done(&t.queue);
    sw_collector_free(t.collector);
    return code;
}

enum sw_code sw_scan_read_program(struct sw_arena *a, int fd, struct sw_str name,
                                  struct sw_scan_layer *ret, struct sw_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return sw_fail_sys(err, errno, "reading %.*s", SW_ARG(name));
    if (!S_ISREG(st.st_mode))
        return sw_fail(err, SW_UNSUPPORTED, "%.*s is not a regular file", SW_ARG(name));
    struct tree t = {.collector = sw_collector_new(a), .a = a};
    enum sw_code code = SW_OK;
    if (st.st_size < 16)
        code = SW_OK;
    else
        code = take_program(&t, name, fd, (uint64_t)st.st_size, err);
    if (!code) code = sw_collect_finish(t.collector, ret, err);
    if (!code && ret->n_artifacts == 0)
        code = sw_fail(err, SW_UNSUPPORTED,
                       "%.*s is not a Go program: nothing in it can be looked at", SW_ARG(name));
    sw_collector_free(t.collector);
    return code;
}
