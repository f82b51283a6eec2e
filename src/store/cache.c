#include "store/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/proc.h"
#include "codec/hex.h"
#include "store/blob.h"
#include "store/snapshot.h"
#include "store/store_internal.h"

/* ---- references in a row ----
 *
 *     refs := *( "s" int64-le | "b" alg bytes ); alg one byte, bytes as many as it has
 */

void sw_cache_refs_encode(struct sw_buf *to, const struct sw_cache_ref *refs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (refs[i].is_snapshot) {
            uint64_t id = (uint64_t)refs[i].snapshot;
            sw_buf_add_char(to, 's');
            for (int shift = 0; shift < 64; shift += 8) sw_buf_add_char(to, (char)(id >> shift));
        } else {
            const struct sw_digest *d = &refs[i].blob;
            sw_buf_add_char(to, 'b');
            sw_buf_add_char(to, (char)d->alg);
            sw_buf_add_bytes(to, d->bytes, sw_digest_size((enum sw_digest_alg)d->alg));
        }
    }
}

static bool decode_one(struct sw_str *rest, struct sw_cache_ref *ret) {
    const uint8_t *p = (const uint8_t *)rest->ptr;
    size_t used;
    *ret = (struct sw_cache_ref){0};
    if (rest->len >= 9 && p[0] == 's') {
        uint64_t id = 0;
        for (int i = 0; i < 8; i++) id |= (uint64_t)p[1 + i] << (8 * i);
        ret->is_snapshot = true;
        ret->snapshot = (int64_t)id;
        used = 9;
    } else if (rest->len >= 2 && p[0] == 'b' && (p[1] == SW_SHA256 || p[1] == SW_SHA512)) {
        size_t size = sw_digest_size((enum sw_digest_alg)p[1]);
        used = 2 + size;
        if (rest->len < used) return false;
        ret->blob.alg = p[1];
        memcpy(ret->blob.bytes, p + 2, size);
    } else {
        return false;
    }
    *rest = sw_str_from(*rest, used);
    return true;
}

bool sw_cache_refs_decode(struct sw_arena *a, struct sw_str bytes, struct sw_cache_ref **ret,
                          size_t *ret_n) {
    struct sw_cache_ref *refs = sw_arena_array(a, bytes.len / 9 + 1, sizeof *refs);
    size_t n = 0;
    while (bytes.len)
        if (!decode_one(&bytes, &refs[n++])) return false;
    *ret = refs;
    *ret_n = n;
    return true;
}

/* ---- reading ---- */

#define SELECT_ONE "SELECT id,key,value,refs,created,last_use FROM cache WHERE key=?"
#define SELECT_ALL "SELECT id,key,value,refs,created,last_use FROM cache ORDER BY last_use,id"

/* From a statement on a row of the above. False where the row is damaged. */
static bool read_row(struct sw_arena *a, struct sw_db_stmt *st, struct sw_cache_record *ret) {
    struct sw_str key = sw_db_bytes(st, 1);
    struct sw_cache_ref *refs;
    if (key.len != SW_CACHE_KEY_SIZE ||
        !sw_cache_refs_decode(a, sw_db_bytes(st, 3), &refs, &ret->n_refs))
        return false;
    memcpy(ret->key, key.ptr, key.len);
    ret->refs = refs;
    ret->value = sw_arena_str(a, sw_db_bytes(st, 2));
    ret->created = sw_db_int(st, 4);
    ret->last_use = sw_db_int(st, 5);
    return true;
}

/* Pins a reference; *present says whether it is there. */
static enum sw_code pin_ref(struct sw_store *s, const struct sw_cache_ref *ref, bool *present,
                            struct sw_error *err) {
    if (ref->is_snapshot) {
        struct sw_snapshot found;
        enum sw_code code = sw_snapshot_get(s, ref->snapshot, &found, err);
        *present = code == SW_OK;
        return code == SW_NOT_FOUND ? SW_OK : code;
    }
    *present = sw_blob_stat(s, &ref->blob, NULL);
    return *present ? sw_pin_digest(s, SW_PIN_BLOB, &ref->blob, err) : SW_OK;
}

static enum sw_code read_one(struct sw_store *s, struct sw_arena *a, const uint8_t *key,
                             struct sw_cache_record *ret, int64_t *ret_id, bool *ret_found,
                             struct sw_error *err) {
    struct sw_db *db;
    struct sw_db_stmt *st;
    enum sw_code code = sw_store_db(s, &db, err);
    if (code) return code;
    sw_db_lock(db);
    code = sw_db_prepare(db, SELECT_ONE, &st, err);
    if (!code) {
        bool row;
        sw_db_bind_bytes(st, 1, key, SW_CACHE_KEY_SIZE);
        code = sw_db_step(st, &row, err);
        *ret_found = !code && row && read_row(a, st, ret);
        if (*ret_found) *ret_id = sw_db_int(st, 0);
        if (!code) sw_db_reset(st);
    }
    sw_db_unlock(db);
    return code;
}

enum sw_code sw_cache_get(struct sw_store *s, struct sw_arena *a,
                          const uint8_t key[SW_CACHE_KEY_SIZE], struct sw_cache_record *ret,
                          struct sw_error *err) {
    struct sw_cache_record record = {0};
    int64_t id = 0;
    bool found = false, whole = true;
    enum sw_code code = sw_pin_begin(s, err);
    if (code) return code;
    code = read_one(s, a, key, &record, &id, &found, err);
    for (size_t i = 0; !code && found && whole && i < record.n_refs; i++)
        code = pin_ref(s, &record.refs[i], &whole, err);
    sw_pin_end(s);
    if (code) return sw_context(err, "reading the build cache");
    if (found && !whole && !s->read_only && (code = sw_cache_delete(s, key, err))) return code;
    if (!found || !whole) return sw_fail(err, SW_NOT_FOUND, "the build cache has no such record");
    sw_store_touch(s, false, id, record.last_use);
    *ret = record;
    return SW_OK;
}

enum sw_code sw_cache_list(struct sw_store *s,
                           enum sw_code (*each)(void *ctx, const struct sw_cache_record *record,
                                                struct sw_error *err),
                           void *ctx, struct sw_error *err) {
    struct sw_db *db;
    struct sw_db_stmt *st;
    bool row = true;
    enum sw_code code = sw_store_db(s, &db, err);
    if (code) return code;
    sw_db_lock(db);
    code = sw_db_prepare(db, SELECT_ALL, &st, err);
    while (!code && row) {
        if ((code = sw_db_step(st, &row, err)) || !row) break;
        SW_ARENA struct sw_arena a;
        struct sw_cache_record record = {0};
        sw_arena_init(&a, 0);
        if (read_row(&a, st, &record)) code = each(ctx, &record, err);
        if (code) sw_db_reset(st);
    }
    if (!code) sw_db_reset(st);
    sw_db_unlock(db);
    return code;
}

/* ---- writing ---- */

static enum sw_code put_in_transaction(struct sw_db *db, const struct sw_cache_record *r,
                                       struct sw_str refs, struct sw_error *err) {
    struct sw_db_stmt *st;
    /* REPLACE deletes the old row first; its rowid is not referred to elsewhere. */
    enum sw_code code = sw_db_prepare(
        db, "INSERT OR REPLACE INTO cache(key,value,refs,created,last_use) VALUES(?,?,?,?,?)", &st,
        err);
    if (code) return code;
    sw_db_bind_bytes(st, 1, r->key, sizeof r->key);
    sw_db_bind_bytes(st, 2, r->value.ptr, r->value.len);
    sw_db_bind_bytes(st, 3, refs.ptr, refs.len);
    sw_db_bind_int(st, 4, sw_now_unix_s());
    sw_db_bind_int(st, 5, sw_now_unix_s());
    return sw_db_run(st, err);
}

/* In a pin section: what the record refers to is pinned by now, so it is not collected before the
 * row exists, and is held by the row from then on. */
static enum sw_code put_in_section(struct sw_store *s, const struct sw_cache_record *r,
                                   struct sw_str refs, struct sw_error *err) {
    struct sw_db *db;
    for (size_t i = 0; i < r->n_refs; i++) {
        bool present;
        enum sw_code code = pin_ref(s, &r->refs[i], &present, err);
        if (code) return code;
        if (!present)
            return sw_fail(err, SW_NOT_FOUND, "reference %zu of the record is not in the store", i);
    }
    enum sw_code code = sw_store_db(s, &db, err);
    if (code) return code;
    sw_db_lock(db);
    code = sw_db_begin(db, false, err);
    if (!code) code = put_in_transaction(db, r, refs, err);
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    sw_db_unlock(db);
    return code;
}

enum sw_code sw_cache_put(struct sw_store *s, const struct sw_cache_record *r,
                          struct sw_error *err) {
    SW_BUF struct sw_buf refs;
    sw_buf_init(&refs, 0);
    enum sw_code code = sw_store_writable(s, err);
    if (code) return code;
    if (r->value.len > SW_CACHE_VALUE_MAX || r->n_refs > SW_CACHE_REFS_MAX)
        return sw_fail(err, SW_LIMIT,
                       "a cache record has %zu bytes and %zu references; at most %zu "
                       "and %d are kept",
                       r->value.len, r->n_refs, SW_CACHE_VALUE_MAX, SW_CACHE_REFS_MAX);
    sw_cache_refs_encode(&refs, r->refs, r->n_refs);
    if ((code = sw_pin_begin(s, err))) return code;
    code = put_in_section(s, r, sw_buf_str(&refs), err);
    sw_pin_end(s);
    return code ? sw_context(err, "writing the build cache") : SW_OK;
}

enum sw_code sw_cache_delete(struct sw_store *s, const uint8_t key[SW_CACHE_KEY_SIZE],
                             struct sw_error *err) {
    struct sw_db *db;
    struct sw_db_stmt *st;
    enum sw_code code = sw_store_writable(s, err);
    if (code || (code = sw_store_db(s, &db, err))) return code;
    sw_db_lock(db);
    code = sw_db_begin(db, false, err);
    if (!code) code = sw_db_prepare(db, "DELETE FROM cache WHERE key=?", &st, err);
    if (!code) {
        sw_db_bind_bytes(st, 1, key, SW_CACHE_KEY_SIZE);
        code = sw_db_run(st, err);
    }
    if (!code) code = sw_db_commit(db, err);
    sw_db_rollback(db);
    sw_db_unlock(db);
    return code;
}

/* ---- locks on keys ---- */

/* SW_BUSY where somebody holds it. A file that lost its name between open and lock is no lock: the
 * holder before removed it. */
static enum sw_code try_lock(struct sw_store *s, const char *path, int *ret_fd,
                             struct sw_error *err) {
    for (;;) {
        SW_FD int fd = -1;
        struct stat st;
        enum sw_code code = sw_lock_file_at(s->state_fd, path, true, false, &fd, err);
        if (code) return code;
        if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at slipway/%s", path);
        if (st.st_nlink == 0) continue;
        *ret_fd = sw_take_fd(&fd);
        return SW_OK;
    }
}

enum sw_code sw_store_lock(struct sw_store *s, const uint8_t key[SW_CACHE_KEY_SIZE], bool wait,
                           void (*on_wait)(void *ctx), void *ctx, struct sw_store_lock *lock,
                           struct sw_error *err) {
    *lock = (struct sw_store_lock){.store = s, .fd = -1};
    enum sw_code code = sw_store_writable(s, err);
    if (code) return code;
    char hex[2 * SW_CACHE_KEY_SIZE + 1] = {0};
    sw_hex_encode(key, SW_CACHE_KEY_SIZE, hex);
    snprintf(lock->name, sizeof lock->name, "locks/%.32s", hex);
    /* Polling, because a lock that is waited for with flock(2) cannot be given up on an interrupt
     * that another thread receives. */
    for (int tries = 0;; tries++) {
        code = try_lock(s, lock->name, &lock->fd, err);
        if (code != SW_BUSY || !wait) return code;
        if ((code = sw_cancel_check(err))) return code;
        if (tries == 0 && on_wait) on_wait(ctx);
        long ms = tries < 20 ? 1 : tries < 100 ? 5 : 25;
        nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
    }
}

void sw_store_unlock(struct sw_store_lock *lock) {
    if (lock->fd < 0) return;
    unlinkat(lock->store->state_fd, lock->name, 0);
    sw_closep(&lock->fd);
}
