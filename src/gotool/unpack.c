/* Threads: the tree's lock guards its list of files; the files themselves need none, since every
 * path is written once (O_EXCL) into a directory that only this process knows.
 */
#include "gotool/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/vec.h"
#include "codec/hex.h"
#include "gotool/unpack_internal.h"

enum {
    LIST_MAX = 64 << 20, /* bytes of one list of files; a toolchain's has 1.5 MiB */
    SHARE_VERSIONS = 6,  /* lists read: the nearest versions have nearly all that is equal */
};

/* A file of another version, by content and permission. */
struct shareable {
    uint8_t key[33];
    const char *path; /* relative to versions/; arena */
};

static void index_list(struct sw_go_tree *t, const char *name, struct sw_str text) {
    struct sw_str line;
    if (!sw_str_next(&text, '\n', &line) || !sw_str_is(line, GO_FILES_MAGIC)) return;
    while (sw_str_next(&text, '\n', &line)) {
        struct sw_go_file f;
        if (!go_files_line(line, &f) || f.size == 0) continue;
        struct shareable *s = SW_NEW(&t->arena, struct shareable);
        memcpy(s->key, f.digest.bytes, 32);
        s->key[32] = f.executable;
        struct sw_str key = sw_str_n((char *)s->key, sizeof s->key);
        if (sw_map_has(&t->shareable, key)) continue;
        s->path = sw_arena_printf(&t->arena, "%s/%.*s", name, SW_ARG(f.path)).ptr;
        sw_map_put(&t->shareable, key, s);
    }
}

/* Reads the lists of the versions nearest to ours. */
static void index_versions(struct sw_go_tree *t, const struct sw_go_version *v) {
    struct sw_go_installed *list;
    struct sw_error ignored;
    size_t n;
    if (sw_go_store_list(t->store, &t->arena, &list, &n, &ignored)) return;
    for (unsigned read = 0; read < SHARE_VERSIONS && read < n; read++) {
        size_t best = SIZE_MAX;
        uint64_t distance = UINT64_MAX;
        for (size_t i = 0; i < n; i++) {
            int64_t minor = (int64_t)list[i].version.minor - v->minor;
            int64_t patch = (int64_t)list[i].version.patch - v->patch;
            uint64_t d = (uint64_t)llabs(minor) * 1000 + (uint64_t)llabs(patch);
            if (!list[i].name || list[i].system || d >= distance) continue;
            best = i;
            distance = d;
        }
        if (best == SIZE_MAX) return;
        SW_BUF struct sw_buf text;
        sw_buf_init(&text, LIST_MAX);
        SW_FREE char *path = sw_asprintf("records/%s.files", list[best].name);
        if (!sw_read_file_at(t->store->fd, path, LIST_MAX, &text, &ignored))
            index_list(t, list[best].name, sw_buf_str(&text));
        list[best].name = NULL;
    }
}

enum sw_code sw_go_tree_new(const struct sw_go_store *store, const char *name,
                            struct sw_go_tree **ret, struct sw_error *err) {
    struct sw_go_tree *t = sw_calloc(1, sizeof *t);
    struct sw_go_version v = {.major = 1};
    char random[9];
    t->store = store;
    t->name = sw_strdup(name);
    t->fd = t->versions = -1;
    t->sharing = GO_SHARE_UNKNOWN;
    pthread_mutex_init(&t->lock, NULL);
    sw_arena_init(&t->arena, 512u << 20);
    sw_random_name(random, sizeof random);
    snprintf(t->temp, sizeof t->temp, ".%s-%s", name, random);
    enum sw_code code =
        sw_open_at(store->fd, "versions", O_RDONLY | O_DIRECTORY, 0, &t->versions, err);
    if (!code && sw_sys_mkdirat(t->versions, t->temp, 0755) < 0)
        code = sw_fail_sys(err, errno, "create versions/%s", t->temp);
    if (!code) code = sw_open_at(t->versions, t->temp, O_RDONLY | O_DIRECTORY, 0, &t->fd, err);
    if (code) {
        sw_go_tree_free(t);
        return code;
    }
    sw_go_version_read(sw_str(name), &v);
    index_versions(t, &v);
    *ret = t;
    return SW_OK;
}

void sw_go_tree_free(struct sw_go_tree *t) {
    struct sw_error ignored;
    if (!t) return;
    if (t->fd >= 0 && !t->committed) (void)!sw_remove_tree_at(t->versions, t->temp, &ignored);
    sw_closep(&t->fd);
    sw_closep(&t->versions);
    sw_map_done(&t->shareable);
    sw_map_done(&t->dirs);
    sw_vec_done(&t->files);
    sw_arena_done(&t->arena);
    pthread_mutex_destroy(&t->lock);
    free(t->name);
    free(t);
}

void sw_go_tree_freep(struct sw_go_tree **t) { sw_go_tree_free(*t); }

/* Whether the file holds exactly these bytes: a list may be older than damage to its files. */
static bool same_content(int fd, struct sw_str bytes) {
    char piece[65536];
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes.len)
        return false;
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = pread(fd, piece, sizeof piece, (off_t)at);
        if (n <= 0 || (size_t)n > bytes.len - at || memcmp(piece, bytes.ptr + at, (size_t)n) != 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* Shares an equal file of another version. False: write it. */
static bool share(struct sw_go_tree *t, const char *path, const struct sw_go_file *f,
                  struct sw_str bytes) {
    uint8_t key[33];
    if (t->sharing == GO_SHARE_NONE || !bytes.len) return false;
    memcpy(key, f->digest.bytes, 32);
    key[32] = f->executable;
    const struct shareable *s = sw_map_get(&t->shareable, sw_str_n((char *)key, sizeof key));
    if (!s) return false;
    struct stat st;
    SW_FD int from = openat(t->versions, s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    mode_t mode = f->executable ? 0555 : 0444;
    if (from < 0 || fstat(from, &st) < 0 || (st.st_mode & 07777) != mode ||
        st.st_uid != geteuid() || !same_content(from, bytes))
        return false;
    if (t->sharing != GO_SHARE_LINK) {
        SW_FD int to = openat(t->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (to < 0) return false;
        if (ioctl(to, FICLONE, from) == 0 && fchmod(to, mode) == 0) {
            t->sharing = GO_SHARE_REFLINK;
            return true;
        }
        unlinkat(t->fd, path, 0);
        if (t->sharing == GO_SHARE_UNKNOWN) t->sharing = GO_SHARE_LINK;
    }
    return sw_sys_linkat(t->versions, s->path, t->fd, path, 0) == 0;
}

static enum sw_code write_file(struct sw_go_tree *t, const char *path, bool executable,
                               struct sw_str bytes, struct sw_error *err) {
    mode_t mode = executable ? 0555 : 0444;
    SW_FD int fd =
        sw_sys_openat(t->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) return sw_fail_sys(err, errno, "create %s", path);
    enum sw_code code = sw_write_full(fd, bytes.ptr, bytes.len, err);
    if (code) return sw_context(err, "writing %s", path);
    if (fchmod(fd, mode) < 0) return sw_fail_sys(err, errno, "set the mode of %s", path);
    return SW_OK;
}

enum sw_code go_tree_add(struct sw_go_tree *t, struct sw_str path, bool executable,
                         struct sw_str bytes, struct sw_error *err) {
    struct sw_go_file f = {
        .digest = sw_digest_of(SW_SHA256, bytes), .size = bytes.len, .executable = executable};
    char name[4096];
    if (path.len >= sizeof name) return sw_fail(err, SW_LIMIT, "a path is too long");
    memcpy(name, path.ptr, path.len);
    name[path.len] = 0;
    bool shared = share(t, name, &f, bytes);
    enum sw_code code = shared ? SW_OK : write_file(t, name, executable, bytes, err);
    if (code) return code;
    pthread_mutex_lock(&t->lock);
    f.path = sw_arena_str(&t->arena, path);
    sw_vec_add(&t->files, f);
    t->stat.files++;
    t->stat.bytes += f.size;
    t->stat.shared_files += shared;
    t->stat.shared_bytes += shared ? f.size : 0;
    pthread_mutex_unlock(&t->lock);
    return SW_OK;
}

enum sw_code go_tree_mkdirs(struct sw_go_tree *t, struct sw_str path, struct sw_error *err) {
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/') continue;
        struct sw_str dir = sw_str_sub(path, 0, i);
        if (!dir.len || sw_map_has(&t->dirs, dir)) continue;
        dir = sw_arena_str(&t->arena, dir);
        if (sw_sys_mkdirat(t->fd, dir.ptr, 0755) < 0)
            return sw_fail_sys(err, errno, "create the directory %s", dir.ptr);
        sw_map_put(&t->dirs, dir, (void *)dir.ptr);
    }
    return SW_OK;
}

/* ---- zip ---- */

struct unzip {
    struct sw_go_tree *t;
    const struct sw_source *source;
    const struct sw_zip *zip;
    size_t prefix; /* bytes to leave out of every name */
    pthread_mutex_t lock;
    size_t next;
    enum sw_code code;
    struct sw_error *err;
};

static enum sw_code unzip_one(struct unzip *u, struct sw_zip_inflater *z, size_t i,
                              struct sw_error *err) {
    const struct sw_zip_entry *e = &u->zip->entries[i];
    struct sw_str bytes = {0};
    enum sw_code code = sw_zip_read(z, u->source, e, &bytes, err);
    if (code) return code;
    SW_BUF struct sw_buf path;
    sw_buf_init(&path, 4096);
    sw_go_tree_path(sw_str_from(e->name, u->prefix), &path);
    return go_tree_add(u->t, sw_buf_str(&path),
                       sw_go_is_executable(sw_buf_str(&path), sw_str_sub(bytes, 0, 2)), bytes, err);
}

static void unzip_worker(void *context) {
    struct unzip *u = context;
    struct sw_zip_inflater *z = sw_zip_inflater_new();
    for (;;) {
        struct sw_error err = {0};
        pthread_mutex_lock(&u->lock);
        size_t i = u->code ? u->zip->n : u->next++;
        pthread_mutex_unlock(&u->lock);
        if (i >= u->zip->n) break;
        enum sw_code code = sw_cancel_check(&err);
        if (!code) code = unzip_one(u, z, i, &err);
        if (!code) continue;
        pthread_mutex_lock(&u->lock);
        if (!u->code) {
            u->code = code;
            *u->err = err;
        }
        pthread_mutex_unlock(&u->lock);
    }
    sw_zip_inflater_free(z);
}

enum sw_code sw_go_tree_unzip(struct sw_go_tree *t, struct sw_go_fetch *archive,
                              struct sw_str module_version, struct sw_error *err) {
    const struct sw_zip_limits limits = {SW_GO_TREE_FILES_MAX, SW_GO_TREE_FILE_MAX,
                                         SW_GO_TREE_BYTES_MAX, 0};
    struct sw_source source = {0};
    struct sw_zip zip = {0};
    enum sw_code code = sw_go_fetch_source(archive, true, &source, err);
    if (code || (code = sw_zip_open(&t->arena, &source, &limits, &zip, err))) return code;
    struct sw_str prefix =
        sw_arena_printf(&t->arena, "%s@%.*s/", SW_GO_TOOLCHAIN_MODULE, SW_ARG(module_version));
    for (size_t i = 0; i < zip.n; i++) {
        struct sw_str name = zip.entries[i].name;
        if (!sw_str_starts(name, prefix) || name.len == prefix.len)
            return sw_fail(err, SW_DENIED, "the archive has \"%.*s\" outside of %s", SW_ARG(name),
                           prefix.ptr);
        size_t slash = sw_str_rfind_char(name, '/');
        if (slash < prefix.len) continue;
        code = go_tree_mkdirs(t, sw_str_sub(name, prefix.len, slash - prefix.len), err);
        if (code) return code;
    }
    struct unzip u = {t, &source, &zip, prefix.len, PTHREAD_MUTEX_INITIALIZER, 0, SW_OK, err};
    unsigned n = sw_cpu_count();
    struct sw_pool *pool = sw_pool_new(n, 0);
    struct sw_group *group = sw_group_new(pool);
    for (unsigned i = 0; i < n; i++) sw_group_submit(group, unzip_worker, &u);
    sw_group_wait(group);
    sw_group_free(group);
    sw_pool_free(pool);
    pthread_mutex_destroy(&u.lock);
    return u.code;
}

/* ---- finishing ---- */

void sw_go_tree_stat(const struct sw_go_tree *t, struct sw_go_tree_stat *ret) { *ret = t->stat; }

void sw_go_tree_hash(const struct sw_go_tree *t, struct sw_str module_version, struct sw_buf *to) {
    sw_go_module_hash(t->files.ptr, t->files.len, module_version, to);
}

enum sw_code sw_go_tree_check(const struct sw_go_tree *t, const struct sw_go_version *v,
                              struct sw_error *err) {
    SW_BUF struct sw_buf text;
    struct sw_go_version found;
    sw_buf_init(&text, 65536);
    enum sw_code code = sw_read_file_at(t->fd, "VERSION", 65536, &text, err);
    if (code) return sw_context(err, "the archive is not a toolchain");
    if (!sw_go_version_file(sw_buf_str(&text), &found) || !sw_go_version_eq(&found, v))
        return sw_fail(err, SW_CORRUPT, "the archive's VERSION says \"%.*s\", not %s",
                       SW_ARG(sw_str_sub(sw_str_trim(sw_buf_str(&text)), 0, 60)), t->name);
    if (faccessat(t->fd, "bin/go", X_OK, 0) < 0)
        return sw_fail_sys(err, errno, "the archive is not a toolchain: bin/go");
    return SW_OK;
}

static int by_path(const void *a, const void *b) {
    return sw_str_cmp(((const struct sw_go_file *)a)->path, ((const struct sw_go_file *)b)->path);
}

static enum sw_code write_list(struct sw_go_tree *t, struct sw_error *err) {
    SW_BUF struct sw_buf text;
    sw_buf_init(&text, LIST_MAX);
    if (t->files.len) qsort(t->files.ptr, t->files.len, sizeof *t->files.ptr, by_path);
    sw_buf_add_text(&text, GO_FILES_MAGIC "\n");
    for (size_t i = 0; i < t->files.len; i++) {
        const struct sw_go_file *f = &t->files.ptr[i];
        char hex[SW_DIGEST_TEXT_MAX];
        sw_buf_addf(&text, "%.*s %c %llu %.*s\n", SW_ARG(sw_digest_hex(&f->digest, hex)),
                    f->executable ? 'x' : '-', (unsigned long long)f->size, SW_ARG(f->path));
    }
    enum sw_code code = sw_buf_check(&text, "the list of files", err);
    if (code) return code;
    SW_FREE char *name = sw_asprintf("%s.files", t->name);
    SW_FD int records = openat(t->store->fd, "records", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (records < 0) return sw_fail_sys(err, errno, "open records");
    return sw_write_file_at(records, name, 0644, sw_buf_str(&text), err);
}

enum sw_code sw_go_tree_commit(struct sw_go_tree *t, struct sw_str record, struct sw_error *err) {
    for (struct sw_map_entry *e = NULL; (e = sw_map_next(&t->dirs, e));)
        if (sw_sys_fchmodat(t->fd, e->value, 0555) < 0)
            return sw_fail_sys(err, errno, "make %s read-only", (const char *)e->value);
    if (fchmod(t->fd, 0555) < 0) return sw_fail_sys(err, errno, "make the tree read-only");
    enum sw_code code = write_list(t, err);
    if (code) return code;
    SW_FREE char *name = sw_asprintf("%s.json", t->name);
    SW_FD int records = openat(t->store->fd, "records", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (records < 0) return sw_fail_sys(err, errno, "open records");
    code = sw_write_file_at(records, name, 0644, record, err);
    if (code) return code;
    /* One call for ten thousand files. A power cut must not leave empty ones under the name. */
    const char *nosync = getenv("SLIPWAY_GO_NOSYNC");
    if (!(nosync && *nosync == '1') && syncfs(t->fd) < 0)
        return sw_fail_sys(err, errno, "write the toolchain to disk");
    if (sw_sys_renameat_new(t->versions, t->temp, t->versions, t->name) < 0)
        return sw_fail_sys(err, errno, "name the toolchain %s", t->name);
    t->committed = true;
    return sw_sync_dir(t->versions, err);
}
