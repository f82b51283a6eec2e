#include "store/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/sys.h"
#include "store/store_internal.h"

/* ---- finding ---- */

/* Content is not synced. A row counts while the kernel that wrote it runs, or once a sync of the
 * file system has covered it (boot ""). A kernel without boot IDs gets no such promise: commits
 * sync there. */
static bool is_durable(struct sw_store *s, struct sw_str boot) {
    return boot.len == 0 || sw_str_is(boot, s->boot);
}

bool sw_snapshot_present(struct sw_store *s, int64_t id, struct sw_str boot) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)id);
    return is_durable(s, boot) && faccessat(s->snapshots_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Reads id, size, entries, last_use, boot from a statement that stands on a row. */
static bool read_row(struct sw_store *s, struct sw_db_stmt *st, struct sw_snapshot *ret,
                     int64_t *ret_last_use) {
    *ret = (struct sw_snapshot){.id = sw_db_int(st, 0),
                                .size_bytes = (uint64_t)sw_db_int(st, 1),
                                .n_entries = (uint64_t)sw_db_int(st, 2)};
    *ret_last_use = sw_db_int(st, 3);
    return sw_snapshot_present(s, ret->id, sw_db_bytes(st, 4));
}

/* key NULL: by id. Called in a pin section, without the db lock. */
static enum sw_code find(struct sw_store *s, const struct sw_snapshot_key *key, int64_t id,
                         struct sw_snapshot *ret, struct sw_error *err) {
    struct sw_db *db;
    struct sw_db_stmt *st;
    bool row = false, present = false;
    struct sw_snapshot found;
    int64_t last_use = 0;
    enum sw_code code = sw_store_db(s, &db, err);
    if (code) return code;
    sw_db_lock(db);
    if (key) {
        code = sw_db_prepare(db,
                             "SELECT id,size,entries,last_use,boot FROM snapshots "
                             "WHERE key=? AND kind=? AND form=?",
                             &st, err);
        if (!code) {
            sw_db_bind_bytes(st, 1, &key->digest, sizeof key->digest);
            sw_db_bind_int(st, 2, key->kind);
            sw_db_bind_int(st, 3, key->form);
        }
    } else {
        code = sw_db_prepare(db, "SELECT id,size,entries,last_use,boot FROM snapshots WHERE id=?",
                             &st, err);
        if (!code) sw_db_bind_int(st, 1, id);
    }
    if (!code) code = sw_db_step(st, &row, err);
    if (!code && row) present = read_row(s, st, &found, &last_use);
    if (!code) sw_db_reset(st);
    sw_db_unlock(db);
    if (code) return code;
    if (!present) return sw_fail(err, SW_NOT_FOUND, "no such snapshot");
    if ((code = sw_pin_snapshot(s, found.id, err))) return code;
    sw_store_touch(s, true, found.id, last_use);
    *ret = found;
    return SW_OK;
}

enum sw_code sw_snapshot_find(struct sw_store *s, const struct sw_snapshot_key *key,
                              struct sw_snapshot *ret, struct sw_error *err) {
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = find(s, key, 0, ret, err);
    sw_pin_end(s);
    return code;
}

enum sw_code sw_snapshot_get(struct sw_store *s, int64_t id, struct sw_snapshot *ret,
                             struct sw_error *err) {
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = find(s, NULL, id, ret, err);
    sw_pin_end(s);
    return code;
}

enum sw_code sw_snapshot_open(struct sw_store *s, int64_t id, int *ret_fd, struct sw_error *err) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)id);
    return sw_open_at(s->snapshots_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, ret_fd, err);
}

enum sw_code sw_snapshots_dir(struct sw_store *s, int *ret_fd, struct sw_error *err) {
    (void)err;
    *ret_fd = s->snapshots_fd;
    return SW_OK;
}

/* ---- drafts ---- */

enum sw_code sw_snapshot_begin(struct sw_store *store, struct sw_snapshot_draft *d,
                               struct sw_error *err) {
    *d = (struct sw_snapshot_draft)SW_SNAPSHOT_DRAFT_NONE;
    d->store = store;
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, sizeof d->path - 1);
    enum sw_code code = sw_store_temp_dir(store, &path, &d->dir_fd, err);
    if (code) return code;
    snprintf(d->path, sizeof d->path, "%s", path.ptr);
    if (sw_sys_mkdirat(d->dir_fd, "fs", 0755) < 0 || sw_sys_mkdirat(d->dir_fd, "work", 0700) < 0 ||
        sw_sys_fchmodat(d->dir_fd, "fs", 0755) < 0)
        code = sw_fail_sys(err, errno, "make a snapshot in %s", store->root);
    if (!code) code = sw_open_at(d->dir_fd, "fs", O_RDONLY | O_DIRECTORY, 0, &d->fs_fd, err);
    if (code) sw_snapshot_abort(d);
    return code;
}

void sw_snapshot_abort(struct sw_snapshot_draft *d) {
    sw_closep(&d->fs_fd);
    sw_closep(&d->dir_fd);
    if (d->path[0]) sw_store_temp_remove(d->store, d->path);
    d->path[0] = 0;
}

/* Directories deeper than this are not walked: the path could not have been made by one call. */
#define COUNT_DEPTH_MAX 2048

static void count_tree(int dirfd, const char *name, int depth, uint64_t *bytes, uint64_t *entries) {
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 || depth > COUNT_DEPTH_MAX ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
        ++*entries;
        *bytes += (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink);
        if (S_ISDIR(st.st_mode)) count_tree(fd, e->d_name, depth + 1, bytes, entries);
    }
    closedir(dir);
}

void sw_tree_count(int dir_fd, const char *name, uint64_t *bytes, uint64_t *entries) {
    count_tree(dir_fd, name, 0, bytes, entries);
}

/* ---- committing ---- */

enum sw_code sw_snapshot_detach(struct sw_store *s, int64_t id, char *ret_temp, size_t size,
                                struct sw_error *err) {
    char name[24];
    snprintf(name, sizeof name, "%lld", (long long)id);
    enum sw_code code = sw_store_temp_name(s, ret_temp, size, err);
    if (code) return code;
    if (sw_sys_renameat(s->snapshots_fd, name, s->tmp_fd, ret_temp) < 0 && errno != ENOENT)
        return sw_fail_sys(err, errno, "move slipway/snapshots/%s away", name);
    return SW_OK;
}

/* A directory without a row is what a crash between rename and commit left: while we hold the write
 * transaction that gave us the number, nobody else can be about to use it. */
static enum sw_code give_number(struct sw_snapshot_draft *d, int64_t id, struct sw_error *err) {
    struct sw_store *s = d->store;
    char name[24], temp[48];
    snprintf(name, sizeof name, "%lld", (long long)id);
    for (int tries = 0;; tries++) {
        if (sw_sys_renameat_new(d->dir_fd, "fs", s->snapshots_fd, name) == 0) return SW_OK;
        if ((errno != EEXIST && errno != ENOTEMPTY) || tries)
            return sw_fail_sys(err, errno, "name slipway/snapshots/%s", name);
        enum sw_code code = sw_snapshot_detach(s, id, temp, sizeof temp, err);
        if (code) return code;
        struct sw_error ignored;
        if (sw_remove_tree_at(s->tmp_fd, temp, &ignored))
            sw_debug("store", "removing an orphan: %s", ignored.text);
    }
}

static enum sw_code insert(struct sw_snapshot_draft *d, const struct sw_snapshot_key *key,
                           const struct sw_snapshot *what, struct sw_db *db, int64_t *ret_id,
                           struct sw_error *err) {
    struct sw_db_stmt *st;
    enum sw_code code =
        sw_db_prepare(db,
                      "INSERT INTO snapshots(kind,form,key,size,entries,created,last_use,boot) "
                      "VALUES(?,?,?,?,?,?,?,?)",
                      &st, err);
    if (code) return code;
    int64_t now = sw_now_unix_s();
    sw_db_bind_int(st, 1, key->kind);
    sw_db_bind_int(st, 2, key->form);
    sw_db_bind_bytes(st, 3, &key->digest, sizeof key->digest);
    sw_db_bind_int(st, 4, (int64_t)what->size_bytes);
    sw_db_bind_int(st, 5, (int64_t)what->n_entries);
    sw_db_bind_int(st, 6, now);
    sw_db_bind_int(st, 7, now);
    sw_db_bind_text(st, 8, d->store->boot);
    if ((code = sw_db_run(st, err))) return code;
    *ret_id = sw_db_last_id(db);
    return SW_OK;
}

/* Looks for the key in the open transaction. A row whose tree is gone is deleted. */
static enum sw_code find_rival(struct sw_store *s, const struct sw_snapshot_key *key,
                               struct sw_db *db, struct sw_snapshot *ret, bool *ret_found,
                               struct sw_error *err) {
    struct sw_db_stmt *st;
    enum sw_code code = sw_db_prepare(db,
                                      "SELECT id,size,entries,last_use,boot FROM snapshots "
                                      "WHERE key=? AND kind=? AND form=?",
                                      &st, err);
    if (code) return code;
    sw_db_bind_bytes(st, 1, &key->digest, sizeof key->digest);
    sw_db_bind_int(st, 2, key->kind);
    sw_db_bind_int(st, 3, key->form);
    bool row;
    int64_t last_use;
    if ((code = sw_db_step(st, &row, err))) return code;
    *ret_found = row && read_row(s, st, ret, &last_use);
    int64_t stale = row && !*ret_found ? ret->id : 0;
    sw_db_reset(st);
    if (!stale) return SW_OK;
    if ((code = sw_db_prepare(db, "DELETE FROM snapshots WHERE id=?", &st, err))) return code;
    sw_db_bind_int(st, 1, stale);
    return sw_db_run(st, err);
}

/* In a pin section and with the db lock. */
static enum sw_code commit_locked(struct sw_snapshot_draft *d, const struct sw_snapshot_key *key,
                                  struct sw_snapshot *what, struct sw_db *db,
                                  struct sw_error *err) {
    bool found = false;
    struct sw_snapshot rival;
    enum sw_code code = sw_db_begin(db, false, err);
    if (!code) code = find_rival(d->store, key, db, &rival, &found, err);
    if (!code && found) {
        *what = rival;
        code = sw_pin_snapshot(d->store, rival.id, err);
    } else if (!code) {
        code = insert(d, key, what, db, &what->id, err);
        if (!code) code = sw_pin_snapshot(d->store, what->id, err);
        if (!code) code = give_number(d, what->id, err);
    }
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    return code;
}

enum sw_code sw_snapshot_commit(struct sw_snapshot_draft *d, const struct sw_snapshot_key *key,
                                uint64_t size_bytes, uint64_t n_entries, struct sw_snapshot *ret,
                                struct sw_error *err) {
    struct sw_store *s = d->store;
    struct sw_db *db;
    struct sw_snapshot what = {.size_bytes = size_bytes, .n_entries = n_entries};
    if (size_bytes == SW_SNAPSHOT_SIZE_COUNT) {
        what.size_bytes = what.n_entries = 0;
        sw_tree_count(d->dir_fd, "fs", &what.size_bytes, &what.n_entries);
    }
    enum sw_code code = sw_store_db(s, &db, err);
    if (!code && !s->boot[0] && syncfs(d->dir_fd) < 0)
        code = sw_fail_sys(err, errno, "sync a snapshot");
    if (!code) code = sw_pin_begin(s, err);
    if (!code) {
        sw_db_lock(db);
        code = commit_locked(d, key, &what, db, err);
        sw_db_unlock(db);
        sw_pin_end(s);
    }
    sw_snapshot_abort(d);
    if (code) return sw_context(err, "committing a snapshot in %s", s->root);
    pthread_mutex_lock(&s->lock);
    s->has_new_snapshots = true;
    pthread_mutex_unlock(&s->lock);
    *ret = what;
    return SW_OK;
}

/* ---- durability ---- */

static enum sw_code oldest_unsettled(struct sw_store *s, struct sw_db *db, int64_t *ret_created,
                                     int64_t *ret_last_id, struct sw_error *err) {
    struct sw_db_stmt *st;
    bool row;
    enum sw_code code =
        sw_db_prepare(db, "SELECT min(created), max(id) FROM snapshots WHERE boot=?", &st, err);
    if (code) return code;
    sw_db_bind_text(st, 1, s->boot);
    if ((code = sw_db_step(st, &row, err))) return code;
    *ret_created = row ? sw_db_int(st, 0) : 0;
    *ret_last_id = row ? sw_db_int(st, 1) : 0;
    sw_db_reset(st);
    return SW_OK;
}

static enum sw_code mark_settled(struct sw_store *s, struct sw_db *db, int64_t last_id,
                                 struct sw_error *err) {
    struct sw_db_stmt *st;
    enum sw_code code = sw_db_begin(db, false, err);
    if (!code)
        code = sw_db_prepare(db, "UPDATE snapshots SET boot='' WHERE boot=? AND id<=?", &st, err);
    if (!code) {
        sw_db_bind_text(st, 1, s->boot);
        sw_db_bind_int(st, 2, last_id);
        code = sw_db_run(st, err);
    }
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    return code;
}

enum sw_code sw_snapshot_settle(struct sw_store *s, int64_t min_age_s, struct sw_error *err) {
    struct sw_db *db;
    int64_t created = 0, last_id = 0;
    enum sw_code code = sw_store_db(s, &db, err);
    if (code || !s->boot[0]) return code;
    sw_db_lock(db);
    code = oldest_unsettled(s, db, &created, &last_id, err);
    sw_db_unlock(db);
    if (code || !last_id || created > sw_now_unix_s() - min_age_s) return code;
    if (syncfs(s->snapshots_fd) < 0) return sw_fail_sys(err, errno, "sync %s", s->root);
    sw_db_lock(db);
    code = mark_settled(s, db, last_id, err);
    sw_db_unlock(db);
    return code;
}
