/* See docs/format/filehash.md.
 *
 * The file is an array of records behind a header. Loading maps it and builds a table of record
 * numbers, hashed by inode; what is put later goes to a list of its own with the same table.
 */
#include "store/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/store_internal.h"

#define MAGIC "SWFH\1\0\0"
#define RECORDS_MAX ((size_t)20 << 20)
/* Saves that a record outlives without being asked for. */
#define AGE_MAX 16
/* Two changes of a file within one tick of the kernel's clock (at most 10 ms) get the same time;
 * file systems that keep whole seconds (or two, FAT) need more. */
#define RACY_FINE_NS ((int64_t)100 * 1000 * 1000)
#define RACY_COARSE_NS ((int64_t)2100 * 1000 * 1000)

/* Flags of a record. */
#define PLAIN 1u /* the file had no extended attributes */

struct header {
    char magic[8];
    uint64_t n_records;
    uint64_t checksum; /* sw_hash_bytes of the records */
};

struct record {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    uint8_t sha256[32];
    uint32_t age; /* saves since it was last asked for */
    uint32_t flags;
};
_Static_assert(sizeof(struct record) == 80, "the record is a file format");

struct sw_filehash {
    struct sw_store *store; /* borrowed */
    char name[64];          /* "filehash/DEV-INO" */
    pthread_rwlock_t lock;
    SW_VEC(struct record) records;
    atomic_uchar *seen; /* one a record of n_loaded */
    size_t n_loaded;
    uint32_t *slots; /* record number plus 1; 0 for free */
    size_t n_slots;  /* a power of two, at least twice the records */
    bool changed;
};

/* ---- the table ---- */

static size_t slot_of(const struct sw_filehash *fh, uint64_t dev, uint64_t ino) {
    return (size_t)(((ino ^ dev * 31) * 0x9E3779B97F4A7C15u) >> 20) & (fh->n_slots - 1);
}

/* The slot of the file, or the free one where it belongs. */
static size_t find_slot(const struct sw_filehash *fh, uint64_t dev, uint64_t ino) {
    size_t i = slot_of(fh, dev, ino);
    while (fh->slots[i]) {
        const struct record *r = &fh->records.ptr[fh->slots[i] - 1];
        if (r->ino == ino && r->dev == dev) break;
        i = (i + 1) & (fh->n_slots - 1);
    }
    return i;
}

static void build_table(struct sw_filehash *fh) {
    size_t want = 1024;
    while (want < fh->records.len * 2 + 2) want *= 2;
    free(fh->slots);
    fh->slots = sw_calloc(want, sizeof *fh->slots);
    fh->n_slots = want;
    for (size_t i = 0; i < fh->records.len; i++)
        fh->slots[find_slot(fh, fh->records.ptr[i].dev, fh->records.ptr[i].ino)] = (uint32_t)i + 1;
}

/* ---- loading ---- */

static uint64_t checksum(const struct record *records, size_t n) {
    return sw_hash_bytes(records, n * sizeof *records, 1);
}

static enum sw_code load(struct sw_filehash *fh, struct sw_error *err) {
    SW_FD int fd = -1;
    struct header h;
    enum sw_code code = sw_open_at(fh->store->state_fd, fh->name, O_RDONLY, 0, &fd, err);
    if (code || (code = sw_read_full(fd, &h, sizeof h, err))) return code;
    struct stat st;
    if (fstat(fd, &st) < 0) return sw_fail_sys(err, errno, "look at it");
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.n_records > RECORDS_MAX ||
        (uint64_t)st.st_size != sizeof h + h.n_records * sizeof(struct record))
        return sw_fail(err, SW_CORRUPT, "not a file-hash memory of this version");
    struct record *records = sw_reallocarray(NULL, h.n_records ? h.n_records : 1, sizeof *records);
    code = sw_read_full(fd, records, h.n_records * sizeof *records, err);
    if (!code && checksum(records, h.n_records) != h.checksum)
        code = sw_fail(err, SW_CORRUPT, "its checksum is wrong");
    if (code) {
        free(records);
        return code;
    }
    fh->records.ptr = records;
    fh->records.len = fh->records.cap = fh->n_loaded = h.n_records;
    if (!h.n_records) fh->records.cap = 1;
    return SW_OK;
}

enum sw_code sw_filehash_open(struct sw_store *store, const struct stat *root,
                              struct sw_filehash **ret, struct sw_error *err) {
    struct sw_filehash *fh = sw_calloc(1, sizeof *fh);
    fh->store = store;
    pthread_rwlock_init(&fh->lock, NULL);
    snprintf(fh->name, sizeof fh->name, "filehash/%llx-%llx", (unsigned long long)root->st_dev,
             (unsigned long long)root->st_ino);
    if (load(fh, err)) sw_debug("store", "%s: %s", fh->name, err->text);
    fh->seen = sw_calloc(fh->n_loaded + 1, sizeof *fh->seen);
    build_table(fh);
    *ret = fh;
    return SW_OK;
}

void sw_filehash_free(struct sw_filehash *fh) {
    if (!fh) return;
    pthread_rwlock_destroy(&fh->lock);
    sw_vec_done(&fh->records);
    free(fh->seen);
    free(fh->slots);
    free(fh);
}

void sw_filehash_freep(struct sw_filehash **fh) { sw_filehash_free(*fh); }

size_t sw_filehash_count(const struct sw_filehash *fh) { return fh->records.len; }

/* ---- using ---- */

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

static bool matches(const struct record *r, const struct stat *st) {
    return r->size == (uint64_t)st->st_size && r->mtime_ns == ns_of(st->st_mtim) &&
           r->ctime_ns == ns_of(st->st_ctim);
}

bool sw_filehash_get(struct sw_filehash *fh, const struct stat *st, struct sw_digest *ret) {
    bool found = false;
    pthread_rwlock_rdlock(&fh->lock);
    uint32_t n = fh->slots[find_slot(fh, st->st_dev, st->st_ino)];
    if (n && matches(&fh->records.ptr[n - 1], st)) {
        *ret = (struct sw_digest){.alg = SW_SHA256};
        memcpy(ret->bytes, fh->records.ptr[n - 1].sha256, 32);
        if (n - 1 < fh->n_loaded) atomic_store_explicit(&fh->seen[n - 1], 1, memory_order_relaxed);
        found = true;
    }
    pthread_rwlock_unlock(&fh->lock);
    return found;
}

/* Whether a change right after the hashing could leave the same times behind. */
static bool is_racy(const struct stat *st, int64_t started_ns) {
    bool coarse = st->st_mtim.tv_nsec == 0 && st->st_ctim.tv_nsec == 0;
    int64_t window = coarse ? RACY_COARSE_NS : RACY_FINE_NS;
    int64_t newest = ns_of(st->st_mtim);
    if (ns_of(st->st_ctim) > newest) newest = ns_of(st->st_ctim);
    return newest > started_ns - window;
}

void sw_filehash_put(struct sw_filehash *fh, const struct stat *st, int64_t started_ns,
                     const struct sw_digest *digest) {
    if (is_racy(st, started_ns) || digest->alg != SW_SHA256) return;
    struct record r = {.dev = st->st_dev,
                       .ino = st->st_ino,
                       .size = (uint64_t)st->st_size,
                       .mtime_ns = ns_of(st->st_mtim),
                       .ctime_ns = ns_of(st->st_ctim)};
    memcpy(r.sha256, digest->bytes, 32);
    pthread_rwlock_wrlock(&fh->lock);
    size_t slot = find_slot(fh, r.dev, r.ino);
    if (fh->slots[slot]) {
        size_t n = fh->slots[slot] - 1;
        fh->records.ptr[n] = r;
        if (n < fh->n_loaded) atomic_store_explicit(&fh->seen[n], 1, memory_order_relaxed);
        fh->changed = true;
    } else if (fh->records.len < RECORDS_MAX) {
        sw_vec_add(&fh->records, r);
        fh->slots[slot] = (uint32_t)fh->records.len;
        if (fh->records.len * 2 > fh->n_slots) build_table(fh);
        fh->changed = true;
    }
    pthread_rwlock_unlock(&fh->lock);
}

void sw_filehash_put_plain(struct sw_filehash *fh, const struct stat *st, int64_t listed_ns) {
    if (is_racy(st, listed_ns)) return;
    pthread_rwlock_wrlock(&fh->lock);
    uint32_t n = fh->slots[find_slot(fh, st->st_dev, st->st_ino)];
    if (n && matches(&fh->records.ptr[n - 1], st)) {
        fh->records.ptr[n - 1].flags |= PLAIN;
        fh->changed = true;
    }
    pthread_rwlock_unlock(&fh->lock);
}

bool sw_filehash_is_plain(struct sw_filehash *fh, const struct stat *st) {
    pthread_rwlock_rdlock(&fh->lock);
    uint32_t n = fh->slots[find_slot(fh, st->st_dev, st->st_ino)];
    const struct record *r = n ? &fh->records.ptr[n - 1] : NULL;
    bool plain = r && matches(r, st) && (r->flags & PLAIN);
    pthread_rwlock_unlock(&fh->lock);
    return plain;
}

/* ---- saving ---- */

static enum sw_code write_out(struct sw_filehash *fh, const struct record *records, size_t n,
                              struct sw_error *err) {
    struct header h = {.magic = MAGIC, .n_records = n, .checksum = checksum(records, n)};
    struct sw_store *s = fh->store;
    char temp[48];
    SW_FD int fd = -1;
    enum sw_code code = sw_store_temp_name(s, temp, sizeof temp, err);
    if (code) return code;
    code = sw_open_at(s->tmp_fd, temp, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err);
    if (code) return code;
    code = sw_write_full(fd, &h, sizeof h, err);
    if (!code) code = sw_write_full(fd, records, n * sizeof *records, err);
    /* Not synced: after a power cut the checksum tells whether it arrived. */
    if (!code && renameat(s->tmp_fd, temp, s->state_fd, fh->name) < 0)
        code = sw_fail_sys(err, errno, "rename");
    if (code) unlinkat(s->tmp_fd, temp, 0);
    return code;
}

enum sw_code sw_filehash_save(struct sw_filehash *fh, struct sw_error *err) {
    enum sw_code code = SW_OK;
    pthread_rwlock_wrlock(&fh->lock);
    if (fh->changed) {
        size_t n = 0;
        struct record *keep = sw_reallocarray(NULL, fh->records.len + 1, sizeof *keep);
        for (size_t i = 0; i < fh->records.len; i++) {
            struct record r = fh->records.ptr[i];
            bool seen = i >= fh->n_loaded || fh->seen[i];
            r.age = seen ? 0 : r.age + 1;
            if (r.age <= AGE_MAX) keep[n++] = r;
        }
        code = write_out(fh, keep, n, err);
        free(keep);
        if (!code) fh->changed = false;
    }
    pthread_rwlock_unlock(&fh->lock);
    return code ? sw_context(err, "remembering file hashes in slipway/%s", fh->name) : SW_OK;
}
