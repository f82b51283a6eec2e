#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sys.h"
#include "oci/image_layout.h"
#include "store/store_internal.h"

#define FORMAT_FILE SW_STATE_DIR "/format"
#define INIT_LOCK SW_STATE_DIR "/init.lock"

/* Directories of a store, parents first; the state's are private: snapshots hold set-ID programs.
 */
#define N_PRIVATE 6
static const char *const directories[] = {
    SW_STATE_DIR "/tmp",
    SW_STATE_DIR "/snapshots",
    SW_STATE_DIR "/leases",
    SW_STATE_DIR "/locks",
    SW_STATE_DIR "/index",
    SW_STATE_DIR "/filehash",
    "blobs",
    "blobs/sha256",
};
#define N_DIRECTORIES (sizeof directories / sizeof directories[0])

/* Snapshots that are older are synced and marked as durable when a handle that made others is
 * freed. The kernel writes dirty data back after 30 seconds, so little is left to do by then. */
#define SETTLE_AGE_S 45

/* ---- creating ---- */

/* The error of a root that cannot be written, with what to do about it. */
static enum sw_code explain(const char *root, struct sw_error *err) {
    enum sw_code code = sw_context(err, "opening the store %s", root);
    if (err->sys_errno == EROFS)
        return sw_advise(err, "; the file system is read-only: give --root DIRECTORY or set "
                              "SLIPWAY_ROOT to a writable place");
    if (err->sys_errno == EACCES || err->sys_errno == EPERM)
        return sw_advise(err, "; give --root DIRECTORY or set SLIPWAY_ROOT to a directory of "
                              "yours, or run as the user who owns it");
    if (err->sys_errno == ENOSPC || err->sys_errno == EDQUOT)
        return sw_advise(err, "; run `slipway prune` or free some space");
    return code;
}

/* A directory that holds anything else is somebody's home, not a store to be. */
static enum sw_code check_adoptable(int root_fd, struct sw_error *err) {
    static const char *const known[] = {
        ".",          "..",         SW_STATE_DIR, "blobs",
        "index.json", "oci-layout", "lost+found", "go", /* toolchains, which may have come first */
    };
    int copy = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) return sw_fail_sys(err, errno, "list the directory");
    enum sw_code code = SW_OK;
    for (struct dirent *e; !code && (e = readdir(dir));) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found = found || !strcmp(e->d_name, known[i]);
        if (!found)
            code = sw_fail(err, SW_EXISTS,
                           "the directory is no store and holds other files (\"%s\"); give an "
                           "empty one",
                           e->d_name);
    }
    closedir(dir);
    return code;
}

static enum sw_code open_directories(struct sw_store *s, struct sw_error *err) {
    const int flags = O_RDONLY | O_DIRECTORY;
    enum sw_code code = SW_OK;
    if (s->state_fd < 0) code = sw_open_at(s->root_fd, SW_STATE_DIR, flags, 0, &s->state_fd, err);
    if (!code && s->tmp_fd < 0) code = sw_open_at(s->state_fd, "tmp", flags, 0, &s->tmp_fd, err);
    if (!code && s->snapshots_fd < 0)
        code = sw_open_at(s->state_fd, "snapshots", flags, 0, &s->snapshots_fd, err);
    return code;
}

/* A document of the layout, unless it is there. By way of slipway/tmp, so that a crash leaves
 * nothing that a later cleanup would not know. */
static enum sw_code create_file(struct sw_store *s, int dirfd, const char *name,
                                const struct sw_buf *content, struct sw_error *err) {
    enum sw_code code = sw_buf_check(content, name, err);
    if (code || faccessat(dirfd, name, F_OK, 0) == 0) return code;
    return sw_store_replace_file(s, dirfd, name, sw_buf_str(content), err);
}

static enum sw_code create_layout(struct sw_store *s, struct sw_error *err) {
    SW_BUF struct sw_buf content;
    struct sw_index empty = {.media_type = SW_STR(SW_MT_OCI_INDEX)};
    enum sw_code code = SW_OK;
    sw_buf_init(&content, 0);
    for (size_t i = 0; !code && i < N_DIRECTORIES; i++)
        code = sw_mkdirs_at(s->root_fd, directories[i], i < N_PRIVATE ? 0700 : 0755, err);
    if (code || (code = open_directories(s, err))) return code;
    sw_buf_addf(&content, "%d\n", SW_STORE_FORMAT_VERSION);
    if ((code = create_file(s, s->state_fd, "format", &content, err))) return code;
    sw_buf_reset(&content);
    sw_index_write(&content, &empty);
    if ((code = create_file(s, s->root_fd, SW_LAYOUT_INDEX, &content, err))) return code;
    /* Last: its presence says that the rest is there. */
    sw_buf_reset(&content);
    sw_layout_write(&content);
    return create_file(s, s->root_fd, SW_LAYOUT_FILE, &content, err);
}

static enum sw_code create(struct sw_store *s, struct sw_error *err) {
    enum sw_code code = check_adoptable(s->root_fd, err);
    if (code || (code = sw_mkdirs_at(s->root_fd, SW_STATE_DIR, 0700, err))) return code;
    if (s->state_fd < 0)
        code = sw_open_at(s->root_fd, SW_STATE_DIR, O_RDONLY | O_DIRECTORY, 0, &s->state_fd, err);
    SW_FD int lock = -1;
    if (code || (code = sw_lock_file_at(s->root_fd, INIT_LOCK, true, true, &lock, err)))
        return code;
    return create_layout(s, err);
}

/* ---- opening ---- */

static enum sw_code check_versions(struct sw_store *s, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, 4096);
    enum sw_code code = sw_read_file_at(s->root_fd, SW_LAYOUT_FILE, 4096, &text, err);
    if (code || (code = sw_layout_check(sw_buf_str(&text), err))) return code;
    sw_buf_reset(&text);
    code = sw_read_file_at(s->root_fd, FORMAT_FILE, 64, &text, err);
    if (code) return code;
    uint64_t version;
    if (!sw_str_u64(sw_str_trim(sw_buf_str(&text)), &version))
        return sw_fail(err, SW_CORRUPT, "slipway/format holds no number");
    if (version > SW_STORE_FORMAT_VERSION)
        return sw_fail(
            err, SW_UNSUPPORTED,
            "the store has format %llu, this slipway knows up to %d: use a newer slipway",
            (unsigned long long)version, SW_STORE_FORMAT_VERSION);
    return SW_OK;
}

static enum sw_code open_root(struct sw_store *s, struct sw_error *err) {
    int flags = O_RDONLY | O_DIRECTORY;
    enum sw_code code = sw_open_at(AT_FDCWD, s->root, flags, 0, &s->root_fd, err);
    if (code == SW_NOT_FOUND && !s->read_only) {
        code = sw_mkdirs_at(AT_FDCWD, s->root, 0700, err);
        if (!code) code = sw_open_at(AT_FDCWD, s->root, flags, 0, &s->root_fd, err);
    }
    if (code) return code;
    bool whole = faccessat(s->root_fd, SW_LAYOUT_FILE, F_OK, 0) == 0 &&
                 faccessat(s->root_fd, FORMAT_FILE, F_OK, 0) == 0;
    if (!whole) {
        if (s->read_only) return sw_fail(err, SW_NOT_FOUND, "there is no store here");
        if ((code = create(s, err))) return code;
    }
    if ((code = open_directories(s, err)) || (code = check_versions(s, err))) return code;
    /* Said now rather than in the middle of a build. */
    if (!s->read_only && faccessat(s->state_fd, "tmp", W_OK | X_OK, AT_EACCESS) < 0)
        return sw_fail_sys(err, errno, "write to slipway/tmp");
    return SW_OK;
}

static void read_boot_id(struct sw_store *s) {
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, s->boot, sizeof s->boot - 1);
    close(fd);
    if (n < 0) n = 0;
    s->boot[n] = 0;
    s->boot[strcspn(s->boot, "\n")] = 0;
}

enum sw_code sw_store_open(const struct sw_store_options *options, struct sw_store **ret,
                           struct sw_error *err) {
    static const struct sw_store_options none;
    if (!options) options = &none;
    SW_BUF struct sw_buf root;
    sw_buf_init(&root, 4096);
    if (options->root) {
        sw_buf_add_text(&root, options->root);
    } else {
        enum sw_code code = sw_store_default_root(getenv, geteuid(), &root, err);
        if (code) return code;
    }
    if (root.len == 0) return sw_fail(err, SW_USAGE, "the path of the store is empty");
    struct sw_store *s = sw_calloc(1, sizeof *s);
    s->root_fd = s->state_fd = s->tmp_fd = s->partial_fd = s->snapshots_fd = s->lease_fd =
        s->gc_fd = -1;
    s->read_only = options->read_only;
    s->cap_bytes = options->cap_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->pin_lock, NULL);
    sw_arena_init(&s->pinned_keys, SIZE_MAX / 2);
    read_boot_id(s);
    if (root.ptr[0] == '/') {
        s->root = sw_buf_steal(&root);
    } else {
        SW_FREE char *cwd = getcwd(NULL, 0);
        s->root = sw_asprintf("%s/%s", cwd ? cwd : ".", root.ptr);
    }
    if (open_root(s, err)) {
        enum sw_code code = explain(s->root, err);
        sw_store_free(s);
        return code;
    }
    *ret = s;
    return SW_OK;
}

void sw_store_free(struct sw_store *s) {
    if (!s) return;
    struct sw_error err;
    /* Losing last uses makes eviction less fair, nothing more. */
    if (sw_store_flush_touches(s, &err)) sw_debug("store", "writing last uses: %s", err.text);
    if (s->has_new_snapshots && sw_snapshot_settle(s, SETTLE_AGE_S, &err))
        sw_debug("store", "syncing snapshots: %s", err.text);
    sw_db_close(s->db);
    sw_lease_drop(s);
    sw_closep(&s->gc_fd);
    sw_closep(&s->snapshots_fd);
    sw_closep(&s->tmp_fd);
    sw_closep(&s->partial_fd);
    sw_closep(&s->state_fd);
    sw_closep(&s->root_fd);
    sw_map_done(&s->pinned);
    sw_arena_done(&s->pinned_keys);
    sw_vec_done(&s->touches);
    pthread_mutex_destroy(&s->pin_lock);
    pthread_mutex_destroy(&s->lock);
    free(s->root);
    free(s);
}

void sw_store_freep(struct sw_store **store) { sw_store_free(*store); }

const char *sw_store_root(const struct sw_store *s) { return s->root; }

int sw_store_root_fd(const struct sw_store *s) { return s->root_fd; }

enum sw_code sw_store_writable(struct sw_store *s, struct sw_error *err) {
    return s->read_only ? sw_fail(err, SW_DENIED, "the store was opened for reading only") : SW_OK;
}

enum sw_code sw_store_db(struct sw_store *s, struct sw_db **ret, struct sw_error *err) {
    pthread_mutex_lock(&s->lock);
    enum sw_code code = SW_OK;
    if (!s->db) {
        SW_FREE char *path = sw_asprintf("%s/" SW_STATE_DIR "/state.db", s->root);
        code = sw_db_open(path, s->read_only, &s->db, err);
    }
    pthread_mutex_unlock(&s->lock);
    if (!code) *ret = s->db;
    return code;
}

/* ---- last uses ---- */

void sw_store_touch(struct sw_store *s, bool is_snapshot, int64_t id, int64_t last_use) {
    if (s->read_only || sw_now_unix_s() - last_use < SW_STORE_TOUCH_S) return;
    pthread_mutex_lock(&s->lock);
    sw_vec_add(&s->touches, ((struct sw_touch){.is_snapshot = is_snapshot, .id = id}));
    pthread_mutex_unlock(&s->lock);
}

enum sw_code sw_store_flush_touches(struct sw_store *s, struct sw_error *err) {
    if (!s->touches.len || !s->db) return SW_OK;
    sw_db_lock(s->db);
    enum sw_code code = sw_db_begin(s->db, false, err);
    for (size_t i = 0; !code && i < s->touches.len; i++) {
        struct sw_db_stmt *st;
        code = s->touches.ptr[i].is_snapshot
                   ? sw_db_prepare(s->db, "UPDATE snapshots SET last_use=? WHERE id=?", &st, err)
                   : sw_db_prepare(s->db, "UPDATE cache SET last_use=? WHERE id=?", &st, err);
        if (code) break;
        sw_db_bind_int(st, 1, sw_now_unix_s());
        sw_db_bind_int(st, 2, s->touches.ptr[i].id);
        code = sw_db_run(st, err);
    }
    if (!code) code = sw_db_commit(s->db, err);
    sw_db_rollback(s->db);
    sw_db_unlock(s->db);
    s->touches.len = 0;
    return code;
}

/* ---- temporary entries ---- */

enum sw_code sw_store_partial_dir(struct sw_store *s, bool create, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_mutex_lock(&s->lock);
    if (s->partial_fd < 0) {
        if (create) code = sw_mkdirs_at(s->state_fd, "partial", 0700, err);
        if (!code)
            code =
                sw_open_at(s->state_fd, "partial", O_RDONLY | O_DIRECTORY, 0, &s->partial_fd, err);
    }
    pthread_mutex_unlock(&s->lock);
    return code;
}

enum sw_code sw_store_temp_name(struct sw_store *s, char *ret_name, size_t size,
                                struct sw_error *err) {
    enum sw_code code = sw_store_writable(s, err);
    if (code || (code = sw_lease_ensure(s, err))) return code;
    pthread_mutex_lock(&s->lock);
    unsigned n = ++s->temp_count;
    pthread_mutex_unlock(&s->lock);
    snprintf(ret_name, size, "%s.%u", s->lease, n);
    return SW_OK;
}

enum sw_code sw_store_temp_dir(struct sw_store *s, struct sw_buf *ret_path, int *ret_fd,
                               struct sw_error *err) {
    char name[48];
    enum sw_code code = sw_store_temp_name(s, name, sizeof name, err);
    if (code) return code;
    if (sw_sys_mkdirat(s->tmp_fd, name, 0700) < 0)
        return sw_fail_sys(err, errno, "make a temporary directory in %s/slipway/tmp", s->root);
    code = sw_open_at(s->tmp_fd, name, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
    if (code) {
        unlinkat(s->tmp_fd, name, AT_REMOVEDIR);
        return code;
    }
    sw_buf_reset(ret_path);
    sw_buf_addf(ret_path, SW_STATE_DIR "/tmp/%s", name);
    return SW_OK;
}

void sw_store_temp_remove(struct sw_store *s, const char *path) {
    static const char prefix[] = SW_STATE_DIR "/tmp/";
    struct sw_error err;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0 || strchr(path + sizeof prefix - 1, '/'))
        return;
    if (sw_remove_tree_at(s->tmp_fd, path + sizeof prefix - 1, &err))
        sw_debug("store", "removing %s: %s", path, err.text);
}

enum sw_code sw_store_replace_file(struct sw_store *s, int dirfd, const char *name,
                                   struct sw_str content, struct sw_error *err) {
    char temp[48];
    enum sw_code code = sw_store_temp_name(s, temp, sizeof temp, err);
    if (code) return code;
    SW_FD int fd = -1;
    code = sw_open_at(s->tmp_fd, temp, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, err);
    if (code) return code;
    code = sw_write_full(fd, content.ptr, content.len, err);
    if (!code && sw_sys_fsync(fd) < 0) code = sw_fail_sys(err, errno, "sync");
    if (!code && sw_sys_renameat(s->tmp_fd, temp, dirfd, name) < 0)
        code = sw_fail_sys(err, errno, "rename");
    if (code) {
        unlinkat(s->tmp_fd, temp, 0);
        return sw_context(err, "writing %s", name);
    }
    return sw_sync_dir(dirfd, err);
}
