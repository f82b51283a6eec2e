#include "build/fuse_marks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "build/limits.h"

#define MARK ".wh..wh..opq"
#define MARK_TOO ".wh..opq" /* a 0/0 device of the same meaning */

static bool is_below(struct sw_source *below, struct sw_arena *arena, struct sw_str path) {
    struct sw_node node;
    struct sw_error ignored = {0};
    return below->ops->stat(below, arena, path, false, &node, &ignored) == SW_OK && node.type;
}

static enum sw_code remove_marks(int dir, bool keep, bool *ret_opaque, struct sw_error *err) {
    struct stat st;
    bool mark = faccessat(dir, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    bool too = faccessat(dir, MARK_TOO, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    *ret_opaque = mark || too;
    if (fstat(dir, &st) < 0) return sw_fail_sys(err, errno, "stat a directory");
    if (keep && !mark && too) {
        int fd = openat(dir, MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        if (fd < 0) return sw_fail_sys(err, errno, "mark a directory");
        close(fd);
    }
    if (too && unlinkat(dir, MARK_TOO, 0) < 0) return sw_fail_sys(err, errno, "remove a mark");
    if (mark && !keep && unlinkat(dir, MARK, 0) < 0)
        return sw_fail_sys(err, errno, "remove a mark");
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    if ((mark || too) && futimens(dir, times) < 0)
        return sw_fail_sys(err, errno, "restore a directory's time");
    return SW_OK;
}

/* merged: what is below still shows through the directory. */
static enum sw_code tidy(int dir, struct sw_str path, bool merged, int depth,
                         struct sw_source *below, struct sw_error *err) {
    SW_ARENA struct sw_arena arena;
    struct dirent **names = NULL;
    bool opaque = false;
    sw_arena_init(&arena, 0);
    enum sw_code code = sw_cancel_check(err);
    if (!code && depth > SW_TREE_DEPTH_MAX)
        code = sw_fail(err, SW_LIMIT, "directories are nested deeper than %d", SW_TREE_DEPTH_MAX);
    if (!code && depth > 0)
        code = remove_marks(dir, merged && is_below(below, &arena, path), &opaque, err);
    int n = code ? 0 : scandirat(dir, ".", &names, NULL, NULL);
    if (n < 0) return sw_fail_sys(err, errno, "list a directory");
    for (int i = 0; i < n; i++) {
        struct sw_str name = sw_str(names[i]->d_name);
        struct stat st;
        bool other = sw_str_is(name, ".") || sw_str_is(name, "..");
        if (!code && !other && fstatat(dir, name.ptr, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode)) {
            SW_FD int sub = -1;
            code = sw_open_at(dir, name.ptr, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &sub, err);
            if (!code)
                code = tidy(sub, sw_path_join(&arena, path, name), merged && !opaque, depth + 1,
                            below, err);
        }
        free(names[i]);
    }
    free(names);
    return code;
}

enum sw_code sw_fuse_marks_tidy(int dir_fd, struct sw_source *below, struct sw_error *err) {
    enum sw_code code = tidy(dir_fd, SW_STR(""), true, 0, below, err);
    return code ? sw_context(err, "tidying what fuse-overlayfs left") : SW_OK;
}
