/* Leases: who is at work in the store, and what they hold.
 *
 * A handle's lease is a file in slipway/leases that it keeps locked with flock(2). The kernel drops
 * the lock when the last copy of the descriptor is closed, so a lock that can be taken means that
 * its owner is gone, however it ended. The file's lines are the owner's pins; temporary entries
 * carry the lease's name in front of theirs.
 *
 *     (none) --create, lock, look that it is still named--> live --unlock, unlink--> (none)
 *                                                             \--crash--> dead --clean--> (none)
 *
 * Creating races with cleaning: a file that was created but not locked yet looks dead. The creator
 * therefore checks after locking that the file still has a name, and starts over if not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/sys.h"
#include "store/store_internal.h"

#define LEASE_NAME_LEN 12
#define PARTIAL_KEEP_S (24 * 60 * 60)
/* Lines of one lease: a process that holds more than a million things has lost count. */
#define LEASE_BYTES_MAX ((size_t)128 << 20)

static int flock_retry(int fd, int operation) {
    int r;
    do r = flock(fd, operation);
    while (r < 0 && errno == EINTR);
    return r;
}

/* ---- creating and dropping ---- */

static enum sw_code create_locked(struct sw_store *s, struct sw_error *err) {
    for (int tries = 0; tries < 100; tries++) {
        char name[LEASE_NAME_LEN + 1], path[64];
        sw_random_name(name, sizeof name);
        snprintf(path, sizeof path, "leases/%s", name);
        SW_FD int fd = -1;
        enum sw_code code =
            sw_open_at(s->state_fd, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600, &fd, err);
        if (code == SW_EXISTS) continue;
        if (code) return sw_context(err, "taking a lease in %s", s->root);
        struct stat st;
        if (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK) continue;
            return sw_fail_sys(err, errno, "lock the lease slipway/%s", path);
        }
        if (fstat(fd, &st) < 0 || st.st_nlink == 0) continue;
        snprintf(s->lease, sizeof s->lease, "%s", name);
        s->lease_fd = sw_take_fd(&fd);
        return SW_OK;
    }
    return sw_fail(err, SW_BUSY, "taking a lease in %s: it is removed again and again", s->root);
}

enum sw_code sw_lease_ensure(struct sw_store *s, struct sw_error *err) {
    pthread_mutex_lock(&s->lock);
    bool first = s->lease_fd < 0;
    enum sw_code code = first ? create_locked(s, err) : SW_OK;
    pthread_mutex_unlock(&s->lock);
    if (!code && first) sw_lease_clean(s);
    return code;
}

void sw_lease_drop(struct sw_store *s) {
    if (s->lease_fd < 0) return;
    char path[64];
    snprintf(path, sizeof path, "leases/%s", s->lease);
    unlinkat(s->state_fd, path, 0);
    sw_closep(&s->lease_fd);
    s->lease[0] = 0;
}

void sw_store_unpin(struct sw_store *s) {
    pthread_mutex_lock(&s->lock);
    if (s->lease_fd >= 0 && sw_sys_ftruncate(s->lease_fd, 0) == 0) {
        sw_map_done(&s->pinned);
        s->pinned = (struct sw_map){0};
        sw_arena_done(&s->pinned_keys);
        sw_arena_init(&s->pinned_keys, SIZE_MAX / 2);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- cleaning ---- */

/* The descriptor of a dead process's lease, now locked by us; -1 where it is alive, -2 where there
 * is no such lease. */
static int take_dead(struct sw_store *s, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "leases/%s", name);
    int fd = openat(s->state_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? -2 : -1;
    if (flock_retry(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool sw_lease_owner_lives(struct sw_store *s, const char *temp_name) {
    char name[LEASE_NAME_LEN + 1];
    snprintf(name, sizeof name, "%s", temp_name);
    if (strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz") != LEASE_NAME_LEN) return false;
    if (s->lease_fd >= 0 && !strcmp(name, s->lease)) return true;
    int fd = take_dead(s, name);
    if (fd >= 0) close(fd);
    return fd == -1;
}

typedef void entry_fn(struct sw_store *s, const char *name);

static void each_entry(struct sw_store *s, const char *path, entry_fn *each) {
    int fd = openat(s->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) each(s, e->d_name);
    closedir(dir);
}

static void clean_temp(struct sw_store *s, const char *name) {
    struct sw_error err;
    if (sw_lease_owner_lives(s, name)) return;
    if (sw_remove_tree_at(s->tmp_fd, name, &err))
        sw_debug("store", "removing slipway/tmp/%s: %s", name, err.text);
}

/* After the temporary entries, because a missing lease means that they may go. */
static void clean_lease(struct sw_store *s, const char *name) {
    if (!strcmp(name, s->lease)) return;
    int fd = take_dead(s, name);
    if (fd < 0) return;
    char path[300];
    snprintf(path, sizeof path, "leases/%s", name);
    unlinkat(s->state_fd, path, 0);
    close(fd);
}

/* What was left of a download that nobody went on with for a day. */
static void clean_partial(struct sw_store *s, const char *name) {
    struct sw_error ignored;
    struct stat st;
    SW_FD int fd = -1;
    if (sw_store_partial_dir(s, false, &ignored) || fstatat(s->partial_fd, name, &st, 0) < 0 ||
        st.st_mtime > sw_now_unix_s() - PARTIAL_KEEP_S)
        return;
    if (!sw_lock_file_at(s->partial_fd, name, true, false, &fd, &ignored))
        unlinkat(s->partial_fd, name, 0);
}

void sw_lease_clean(struct sw_store *s) {
    each_entry(s, "tmp", clean_temp);
    each_entry(s, "partial", clean_partial);
    each_entry(s, "leases", clean_lease);
}

/* ---- pins ---- */

/* Threads that wait here for a collection hold pin_lock only: the collecting thread may be one of
 * this very handle and needs the other lock. */
enum sw_code sw_pin_begin(struct sw_store *s, struct sw_error *err) {
    if (s->read_only) return SW_OK;
    enum sw_code code = sw_lease_ensure(s, err);
    if (code) return code;
    pthread_mutex_lock(&s->pin_lock);
    if (s->gc_fd < 0)
        code = sw_open_at(s->state_fd, "gc.lock", O_RDWR | O_CREAT, 0600, &s->gc_fd, err);
    if (!code && s->pin_depth == 0 && flock_retry(s->gc_fd, LOCK_SH) < 0)
        code = sw_fail_sys(err, errno, "lock slipway/gc.lock");
    if (!code) s->pin_depth++;
    pthread_mutex_unlock(&s->pin_lock);
    return code;
}

void sw_pin_end(struct sw_store *s) {
    if (s->read_only) return;
    pthread_mutex_lock(&s->pin_lock);
    if (--s->pin_depth == 0) flock_retry(s->gc_fd, LOCK_UN);
    pthread_mutex_unlock(&s->pin_lock);
}

void sw_pin_endp(struct sw_store **s) {
    if (*s) sw_pin_end(*s);
}

static enum sw_code pin(struct sw_store *s, struct sw_str line, struct sw_error *err) {
    if (s->read_only) return SW_OK;
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&s->lock);
    if (!sw_map_has(&s->pinned, line)) {
        code = sw_write_full(s->lease_fd, line.ptr, line.len, err);
        if (code)
            sw_context(err, "pinning in %s", s->root);
        else
            sw_map_put(&s->pinned, sw_arena_str(&s->pinned_keys, line), s);
    }
    pthread_mutex_unlock(&s->lock);
    return code;
}

enum sw_code sw_pin_digest(struct sw_store *s, enum sw_pin_kind kind,
                           const struct sw_digest *digest, struct sw_error *err) {
    char text[SW_DIGEST_TEXT_MAX], line[SW_DIGEST_TEXT_MAX + 5];
    struct sw_str d = sw_digest_format(digest, text);
    int n = snprintf(line, sizeof line, "\n%c %.*s\n", (char)kind, SW_ARG(d));
    return pin(s, sw_str_n(line, (size_t)n), err);
}

enum sw_code sw_pin_snapshot(struct sw_store *s, int64_t id, struct sw_error *err) {
    char line[32];
    int n = snprintf(line, sizeof line, "\n%c %lld\n", SW_PIN_SNAPSHOT, (long long)id);
    return pin(s, sw_str_n(line, (size_t)n), err);
}

/* A line that a full disk cut short pins nothing, and its owner saw the error. Every line starts
 * with a line feed, too, so that the next one is not lost with it. */
static enum sw_code read_pins(int fd,
                              enum sw_code (*each)(void *ctx, enum sw_pin_kind kind,
                                                   struct sw_str what, struct sw_error *err),
                              void *ctx, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, LEASE_BYTES_MAX);
    enum sw_code code = sw_read_fd(fd, LEASE_BYTES_MAX - 1, &text, err);
    struct sw_str rest = sw_buf_str(&text), line;
    while (!code && sw_str_find_char(rest, '\n') != SIZE_MAX && sw_str_next(&rest, '\n', &line))
        if (line.len > 2 && line.ptr[1] == ' ')
            code = each(ctx, (enum sw_pin_kind)line.ptr[0], sw_str_from(line, 2), err);
    return code;
}

enum sw_code sw_lease_pins(struct sw_store *s,
                           enum sw_code (*each)(void *ctx, enum sw_pin_kind kind,
                                                struct sw_str what, struct sw_error *err),
                           void *ctx, struct sw_error *err) {
    int dir_fd = -1;
    enum sw_code code = sw_open_at(s->state_fd, "leases", O_RDONLY | O_DIRECTORY, 0, &dir_fd, err);
    if (code) return code;
    DIR *dir = fdopendir(dir_fd);
    if (!dir) {
        close(dir_fd);
        return sw_fail_sys(err, errno, "list leases");
    }
    for (struct dirent *e; !code && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        SW_FD int fd = -1;
        code = sw_open_at(dirfd(dir), e->d_name, O_RDONLY, 0, &fd, err);
        if (code == SW_NOT_FOUND) {
            code = SW_OK; /* its owner has just finished */
            continue;
        }
        if (!code) code = read_pins(fd, each, ctx, err);
    }
    closedir(dir);
    return code;
}
