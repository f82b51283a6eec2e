#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

#ifdef SW_FAULTS

/* ---- failure injection ---- */

#define RULES_MAX 8

enum action { ACTION_ERRNO, ACTION_SHORT, ACTION_KILL };

struct rule {
    char call[24];
    long nth;
    bool onwards;
    enum action action;
    int errnum;
    atomic_long uses;
};

static struct rule rules[RULES_MAX];
static size_t n_rules;
static pthread_once_t rules_once = PTHREAD_ONCE_INIT;

static int errno_of_name(const char *name) {
    static const struct {
        const char *name;
        int value;
    } known[] = {
        {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
        {"EACCES", EACCES}, {"EPERM", EPERM},   {"ENOENT", ENOENT}, {"EMFILE", EMFILE},
        {"ENOMEM", ENOMEM}, {"ENOSYS", ENOSYS}, {"EXDEV", EXDEV},   {"EINVAL", EINVAL},
        {"EBUSY", EBUSY},   {"EINTR", EINTR},   {"EAGAIN", EAGAIN}, {"EOPNOTSUPP", EOPNOTSUPP},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].name, name)) return known[i].value;
    return 0;
}

static void refuse_rule(const char *text) {
    fprintf(stderr, "slipway: SLIPWAY_FAULT: cannot read \"%s\": want CALL:N:ACTION\n", text);
    exit(2);
}

static void read_rules(void) {
    const char *spec = getenv("SLIPWAY_FAULT");
    if (!spec || !*spec) return;
    char copy[512], *save = NULL;
    snprintf(copy, sizeof copy, "%s", spec);
    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        struct rule *r = &rules[n_rules];
        char nth[16], action[16];
        if (n_rules == RULES_MAX || sscanf(word, "%23[^:]:%15[^:]:%15s", r->call, nth, action) != 3)
            refuse_rule(word);
        char *end;
        r->nth = strtol(nth, &end, 10);
        r->onwards = *end == '+';
        if (!strcmp(action, "short")) {
            r->action = ACTION_SHORT;
        } else if (!strcmp(action, "kill")) {
            r->action = ACTION_KILL;
        } else if (!(r->errnum = errno_of_name(action))) {
            refuse_rule(word);
        }
        n_rules++;
    }
}

static bool fault(const char *call, bool *ret_short) {
    pthread_once(&rules_once, read_rules);
    for (size_t i = 0; i < n_rules; i++) {
        struct rule *r = &rules[i];
        if (strcmp(r->call, call) != 0) continue;
        long use = atomic_fetch_add(&r->uses, 1) + 1;
        if (use != r->nth && !(r->onwards && use > r->nth)) continue;
        if (r->action == ACTION_KILL) raise(SIGKILL);
        if (r->action == ACTION_SHORT) {
            if (ret_short) *ret_short = true;
            continue;
        }
        errno = r->errnum;
        return true;
    }
    return false;
}

bool sw_sys_fault(const char *call) { return fault(call, NULL); }

#else

static inline bool fault(const char *call, bool *ret_short) {
    (void)call, (void)ret_short;
    return false;
}

bool sw_sys_fault(const char *call) {
    (void)call;
    return false;
}

#endif

/* ---- the calls ---- */

#define RETRY(result, call)                                                                        \
    do result = call;                                                                              \
    while (result < 0 && errno == EINTR)

int sw_sys_openat(int dirfd, const char *path, int flags, mode_t mode) {
    int fd;
    if (fault("openat", NULL)) return -1;
    RETRY(fd, openat(dirfd, path, flags, mode));
    return fd;
}

ssize_t sw_sys_read(int fd, void *to, size_t len) {
    bool cut = false;
    ssize_t n;
    if (fault("read", &cut)) return -1;
    if (cut && len > 1) len /= 2;
    RETRY(n, read(fd, to, len));
    return n;
}

ssize_t sw_sys_pread(int fd, void *to, size_t len, off_t offset) {
    bool cut = false;
    ssize_t n;
    if (fault("pread", &cut)) return -1;
    if (cut && len > 1) len /= 2;
    RETRY(n, pread(fd, to, len, offset));
    return n;
}

ssize_t sw_sys_write(int fd, const void *from, size_t len) {
    bool cut = false;
    ssize_t n;
    if (fault("write", &cut)) return -1;
    if (cut && len > 1) len /= 2;
    RETRY(n, write(fd, from, len));
    return n;
}

ssize_t sw_sys_pwrite(int fd, const void *from, size_t len, off_t offset) {
    bool cut = false;
    ssize_t n;
    if (fault("pwrite", &cut)) return -1;
    if (cut && len > 1) len /= 2;
    RETRY(n, pwrite(fd, from, len, offset));
    return n;
}

int sw_sys_fsync(int fd) {
    int r;
    if (fault("fsync", NULL)) return -1;
    RETRY(r, fsync(fd));
    return r;
}

int sw_sys_fdatasync(int fd) {
    int r;
    if (fault("fdatasync", NULL)) return -1;
    RETRY(r, fdatasync(fd));
    return r;
}

int sw_sys_ftruncate(int fd, off_t size) {
    int r;
    if (fault("ftruncate", NULL)) return -1;
    RETRY(r, ftruncate(fd, size));
    return r;
}

int sw_sys_renameat(int from_dir, const char *from, int to_dir, const char *to) {
    return fault("rename", NULL) ? -1 : renameat(from_dir, from, to_dir, to);
}

int sw_sys_renameat_new(int from_dir, const char *from, int to_dir, const char *to) {
    if (fault("rename", NULL)) return -1;
    long r = syscall(SYS_renameat2, from_dir, from, to_dir, to, RENAME_NOREPLACE);
    if (r == 0 || (errno != ENOSYS && errno != EINVAL)) return (int)r;
    struct stat st;
    if (fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    if (S_ISDIR(st.st_mode)) {
        if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = EEXIST;
            return -1;
        }
        return renameat(from_dir, from, to_dir, to);
    }
    if (linkat(from_dir, from, to_dir, to, 0) < 0) return -1;
    return unlinkat(from_dir, from, 0);
}

int sw_sys_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    return fault("link", NULL) ? -1 : linkat(from_dir, from, to_dir, to, flags);
}

int sw_sys_symlinkat(const char *target, int dirfd, const char *path) {
    return fault("symlink", NULL) ? -1 : symlinkat(target, dirfd, path);
}

int sw_sys_unlinkat(int dirfd, const char *path, int flags) {
    return fault("unlink", NULL) ? -1 : unlinkat(dirfd, path, flags);
}

int sw_sys_mkdirat(int dirfd, const char *path, mode_t mode) {
    return fault("mkdir", NULL) ? -1 : mkdirat(dirfd, path, mode);
}

int sw_sys_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev) {
    return fault("mknod", NULL) ? -1 : mknodat(dirfd, path, mode, dev);
}

int sw_sys_fchownat(int dirfd, const char *path, uid_t uid, gid_t gid, int flags) {
    return fault("chown", NULL) ? -1 : fchownat(dirfd, path, uid, gid, flags);
}

int sw_sys_fchmodat(int dirfd, const char *path, mode_t mode) {
    return fault("chmod", NULL) ? -1 : fchmodat(dirfd, path, mode, 0);
}

int sw_sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data) {
    return fault("mount", NULL) ? -1 : mount(source, target, type, flags, data);
}

static ssize_t copy_by_hand(int from, int to, size_t len) {
    char block[65536];
    ssize_t n = sw_sys_read(from, block, len < sizeof block ? len : sizeof block);
    for (ssize_t done = 0; done < n;) {
        ssize_t w = sw_sys_write(to, block + done, (size_t)(n - done));
        if (w < 0) return -1;
        done += w;
    }
    return n;
}

ssize_t sw_sys_copy(int from, int to, size_t len) {
    ssize_t n;
    if (fault("copy", NULL)) return -1;
    RETRY(n, (ssize_t)syscall(SYS_copy_file_range, from, NULL, to, NULL, len, 0));
    /* A file of /proc or of an old kernel's other file system says 0 or refuses: ask the next. */
    if (n > 0) return n;
    if (n < 0 && errno != ENOSYS && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
        errno != EPERM && errno != EBADF && errno != EISDIR)
        return -1;
    RETRY(n, sendfile(to, from, NULL, len));
    if (n > 0) return n;
    if (n < 0 && errno != ENOSYS && errno != EINVAL) return -1;
    return copy_by_hand(from, to, len);
}
