/* A mount is a directory with id (text), data (the content) and lock (flock; its time is the last
 * use). Whoever holds the lock may replace data; the directory and the lock stay for ever, so that
 * nobody waits for the lock of a mount that is no more. One without data is as good as none. */
#include "store/cache_mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "base/vec.h"
#include "codec/digest.h"
#include "store/store_internal.h"

#define CACHE_MOUNTS_DIR "slipway/cachemounts"
#define MOUNTS_MAX 65536

void sw_cache_mount_name(struct sw_str id, char ret[SW_CACHE_MOUNT_NAME_MAX]) {
    struct sw_digest digest = sw_digest_of(SW_SHA256, id);
    char hex[SW_DIGEST_TEXT_MAX];
    sw_digest_hex(&digest, hex);
    snprintf(ret, SW_CACHE_MOUNT_NAME_MAX, "%.24s", hex);
}

bool sw_cache_mount_is(const struct sw_cache_mount *mount, struct sw_str wanted) {
    if (!sw_str_starts(mount->id, wanted)) return false;
    struct sw_str rest = sw_str_from(mount->id, wanted.len);
    return !rest.len || sw_str_starts(rest, SW_STR(SW_CACHE_MOUNT_OWNER));
}

enum sw_code sw_cache_mounts_root(struct sw_store *store, int *ret_fd, struct sw_error *err) {
    int root = sw_store_root_fd(store);
    enum sw_code code = sw_mkdirs_at(root, CACHE_MOUNTS_DIR, 0755, err);
    return code ? code : sw_open_at(root, CACHE_MOUNTS_DIR, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

/* ---- listing ---- */

static bool read_mount(int root, const char *name, bool measure, struct sw_arena *a,
                       struct sw_cache_mount *m) {
    struct sw_error ignored = {0};
    struct stat st;
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    SW_BUF struct sw_buf id;
    sw_buf_init(&id, SW_CACHE_MOUNT_ID_MAX);
    if (sw_open_at(root, name, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored) ||
        sw_read_file_at(dir, "id", SW_CACHE_MOUNT_ID_MAX, &id, &ignored) ||
        fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *m = (struct sw_cache_mount){.name = sw_arena_str(a, sw_str(name)),
                                 .id = sw_arena_str(a, sw_buf_str(&id)),
                                 .last_use = st.st_mtime};
    if (fstatat(dir, "lock", &st, 0) == 0 && st.st_mtime > m->last_use) m->last_use = st.st_mtime;
    m->in_use = sw_lock_file_at(dir, "lock", true, false, &lock, &ignored) == SW_BUSY;
    sw_closep(&lock); /* measuring takes its time, and a build should not wait for it */
    if (measure) sw_tree_count(dir, "data", &m->size_bytes, &m->n_entries);
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct sw_cache_mount *x = a, *y = b;
    int order = sw_str_cmp(x->id, y->id);
    return order ? order : sw_str_cmp(x->name, y->name);
}

enum sw_code sw_cache_mounts_list(struct sw_store *store, struct sw_arena *a, bool measure,
                                  struct sw_cache_mounts *ret, struct sw_error *err) {
    SW_VEC(struct sw_cache_mount) found = {0};
    enum sw_code code = SW_OK;
    int fd = openat(sw_store_root_fd(store), CACHE_MOUNTS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = (struct sw_cache_mounts){0};
    if (fd < 0 && errno == ENOENT) return SW_OK;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        code = sw_fail_sys(err, errno, "read " CACHE_MOUNTS_DIR);
        sw_closep(&fd);
        return code;
    }
    for (struct dirent *e; !code && (e = readdir(dir));) {
        struct sw_cache_mount m;
        if (e->d_name[0] == '.' || !read_mount(fd, e->d_name, measure, a, &m)) continue;
        sw_vec_add(&found, m);
        if (found.len > MOUNTS_MAX)
            code = sw_fail(err, SW_LIMIT, "more than %d cache mounts", MOUNTS_MAX);
    }
    closedir(dir);
    if (!code && found.len) qsort(found.ptr, found.len, sizeof *found.ptr, by_id);
    ret->len = found.len;
    ret->ptr = sw_arena_array(a, found.len + 1, sizeof *ret->ptr);
    if (found.len) memcpy(ret->ptr, found.ptr, found.len * sizeof *ret->ptr);
    sw_vec_done(&found);
    return code;
}

/* ---- removing ---- */

enum sw_code sw_cache_mount_drop(struct sw_store *store, int mount_dir, struct sw_error *err) {
    SW_BUF struct sw_buf path;
    SW_FD int temp = -1;
    sw_buf_init(&path, 4096);
    enum sw_code code = sw_store_temp_dir(store, &path, &temp, err);
    if (code) return code;
    if (renameat(mount_dir, "data", temp, "data") < 0 && errno != ENOENT)
        code = sw_fail_sys(err, errno, "move a cache mount's content away");
    if (!code) code = sw_remove_tree_at(temp, "data", err);
    sw_store_temp_remove(store, path.ptr);
    return code;
}

enum sw_code sw_cache_mount_lock(struct sw_store *store, const struct sw_cache_mount *mount,
                                 int *ret_dir, int *ret_lock, struct sw_error *err) {
    SW_FD int root = -1;
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    enum sw_code code = sw_cache_mounts_root(store, &root, err);
    if (!code) code = sw_open_at(root, mount->name.ptr, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (!code) code = sw_lock_file_at(dir, "lock", true, false, &lock, err);
    if (code) return sw_context(err, "cache mount %.*s", SW_ARG(mount->id));
    *ret_dir = sw_take_fd(&dir);
    *ret_lock = sw_take_fd(&lock);
    return SW_OK;
}

enum sw_code sw_cache_mount_remove(struct sw_store *store, const struct sw_cache_mount *mount,
                                   struct sw_error *err) {
    SW_FD int dir = -1;
    SW_FD int lock = -1;
    enum sw_code code = sw_cache_mount_lock(store, mount, &dir, &lock, err);
    if (code) return code;
    code = sw_cache_mount_drop(store, dir, err);
    return code ? sw_context(err, "cache mount %.*s", SW_ARG(mount->id)) : SW_OK;
}
