/* Paths inside a root that the child is building. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/child_internal.h"
#include "sandbox/kernel_internal.h"

#define LINKS_MAX 40 /* as the kernel */

bool sw_child_join(char *to, size_t size, const char *a, const char *b, const char *c) {
    const char *parts[3] = {a, b, c};
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        size_t len = parts[i] ? strlen(parts[i]) : 0;
        if (at + len >= size) return false;
        if (len) memcpy(to + at, parts[i], len);
        at += len;
    }
    to[at] = '\0';
    return true;
}

char *sw_child_number(char *to, unsigned long value) {
    char digits[24];
    size_t n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++) to[i] = digits[n - 1 - i];
    to[n] = '\0';
    return to;
}

char *sw_child_fd_path(char *to, int fd) {
    memcpy(to, SW_STAGE_OLD "/proc/self/fd/", sizeof SW_STAGE_OLD "/proc/self/fd/");
    sw_child_number(to + strlen(to), (unsigned long)fd);
    return to;
}

/* Puts text and what is left of rest into rest. */
static bool prepend(char *rest, size_t size, const char *text, const char *tail) {
    size_t len = strlen(text), tail_len = strlen(tail);
    if (len + tail_len >= size) return false; /* the tail is empty or begins with its '/' */
    memmove(rest + len, tail, tail_len + 1);
    memcpy(rest, text, len);
    return true;
}

/* What the walk finds at c->real: 1 a link (its text in c->link), 0 anything else, -errno. */
static int look(struct child *c, bool more) {
    struct stat st;
    if (fstatat(c->root, c->real, &st, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(c->root, c->real, c->link, sizeof c->link - 1);
        if (n < 0) return -errno;
        c->link[n] = '\0';
        return 1;
    }
    return more && !S_ISDIR(st.st_mode) ? -ENOTDIR : 0;
}

int sw_child_walk(struct child *c, const char *path, size_t *ret_missing) {
    size_t len = 0, missing = SIZE_MAX;
    int links = 0;
    c->real[0] = '\0';
    if (!sw_child_join(c->rest, sizeof c->rest, path, NULL, NULL)) return -ENAMETOOLONG;
    char *rest = c->rest;
    for (;;) {
        while (*rest == '/') rest++;
        if (!*rest) break;
        size_t n = strcspn(rest, "/");
        if (n == 1 && rest[0] == '.') {
            rest += n;
            continue;
        }
        if (n == 2 && rest[0] == '.' && rest[1] == '.') {
            char *slash = strrchr(c->real, '/');
            len = slash ? (size_t)(slash - c->real) : 0;
            c->real[len] = '\0';
            if (missing != SIZE_MAX && len <= missing) missing = SIZE_MAX;
            rest += n;
            continue;
        }
        size_t before = len;
        if (len + n + 2 > sizeof c->real) return -ENAMETOOLONG;
        if (len) c->real[len++] = '/';
        memcpy(c->real + len, rest, n);
        len += n;
        c->real[len] = '\0';
        rest += n;
        if (missing != SIZE_MAX) continue;
        int r = look(c, rest[strspn(rest, "/")] != '\0');
        if (r == -ENOENT) {
            missing = before;
        } else if (r < 0) {
            return r;
        } else if (r == 1) {
            if (++links > LINKS_MAX) return -ELOOP;
            len = c->link[0] == '/' ? 0 : before;
            c->real[len] = '\0';
            if (!prepend(c->rest, sizeof c->rest, c->link, rest)) return -ENAMETOOLONG;
            rest = c->rest;
        }
    }
    *ret_missing = missing == SIZE_MAX ? len : missing;
    return 0;
}

int sw_child_open_in(struct child *c, int dir, const char *path) {
    while (*path == '/') path++;
    if (!*path) path = ".";
    int fd =
        sw_openat2(dir, path, O_PATH | O_CLOEXEC, SW_RESOLVE_IN_ROOT | SW_RESOLVE_NO_MAGICLINKS);
    if (fd >= 0) return fd;
    if (errno != ENOSYS && errno != EPERM) return -errno;
    size_t missing;
    int saved = c->root;
    c->root = dir;
    int r = sw_child_walk(c, path, &missing);
    c->root = saved;
    if (r < 0) return r;
    if (missing != strlen(c->real)) return -ENOENT;
    fd = openat(dir, c->real[0] ? c->real : ".", O_PATH | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Makes the components of c->real from offset on; the last one a file where is_dir is false. */
static void make_missing(struct child *c, size_t at, bool is_dir) {
    for (char *next = c->real + at; *next;) {
        if (*next == '/') next++;
        char *end = next + strcspn(next, "/");
        bool last = !*end;
        char kept = *end;
        struct stat st;
        *end = '\0';
        /* The directory's time is reported, so that the parent can set it back. */
        char *slash = strrchr(c->real, '/');
        if (slash) *slash = '\0';
        if (fstatat(c->root, slash ? c->real : ".", &st, 0) < 0) memset(&st, 0, sizeof st);
        if (slash) *slash = '/';
        int r = last && !is_dir ? mknodat(c->root, c->real, S_IFREG | 0644, 0)
                                : mkdirat(c->root, c->real, 0755);
        if (r < 0 && errno != EEXIST) sw_child_fail(c, errno, "make the mount point", c->real);
        if (r == 0) {
            c->report.kind = REPORT_CREATED;
            c->report.is_dir = !last || is_dir;
            c->report.mtime_s = st.st_mtim.tv_sec;
            c->report.mtime_ns = st.st_mtim.tv_nsec;
            (void)sw_child_join(c->report.path, sizeof c->report.path, c->real, NULL, NULL);
            sw_child_send(c, -1);
        }
        *end = kept;
        next = end;
    }
}

void sw_child_make_target(struct child *c, const char *target, bool is_dir) {
    size_t missing;
    int r = sw_child_walk(c, target, &missing);
    if (r < 0) sw_child_fail(c, -r, "find the mount point", target);
    if (c->real[missing]) make_missing(c, missing, is_dir);
}
